"""One voxel2clip training step in eager PyTorch, timed. See measure.py for arguments; --optimizer adamw|adamw_fused."""
import torch, torch.nn as nn, torch.nn.functional as F
from measure import OPTIMIZER, adamw, arguments, benchmark

SIZES = dict(tiny=(400, 256, 4, 17, 64), medium=(4000, 1024, 4, 65, 256), full=(15724, 4096, 4, 257, 768))


def block(i, o, drop):
    return nn.Sequential(nn.Linear(i, o), nn.LayerNorm(o), nn.GELU(), nn.Dropout(drop))


class BrainNetwork(nn.Module):
    def __init__(self, v, h, blocks, tokens, dim):
        super().__init__()
        self.lin0 = block(v, h, 0.5)
        self.mlp = nn.ModuleList(block(h, h, 0.15) for _ in range(blocks))
        self.lin1 = nn.Linear(h, tokens * dim)
        self.projector = nn.Sequential(nn.LayerNorm(dim), nn.GELU(), nn.Linear(dim, 2048), nn.LayerNorm(2048), nn.GELU(),
                                       nn.Linear(2048, 2048), nn.LayerNorm(2048), nn.GELU(), nn.Linear(2048, dim))
        self.dim = dim

    def forward(self, x):
        r = self.lin0(x)
        for m in self.mlp:
            r = m(r) + r
        y = self.lin1(r)
        return y, self.projector(y.view(len(y), -1, self.dim))


def bimixco(brain, image, beta, perm, tau=0.006):
    p, t = (F.normalize(e.flatten(1), dim=-1) for e in (brain, image))
    s = p @ t.T / tau
    w = torch.diag(beta)
    w[torch.arange(len(beta)), perm] = 1 - beta
    return 0.5 * (-(w * F.log_softmax(s, -1)).sum(-1).mean() - (w.T * F.log_softmax(s.T, -1)).sum(-1).mean())


def main():
    a = arguments(SIZES, batch=32, optimizer=OPTIMIZER)
    torch.manual_seed(0)
    v, h, blocks, tokens, dim = SIZES[a.size]
    net = BrainNetwork(v, h, blocks, tokens, dim)
    x, target = torch.randn(a.batch, v), torch.randn(a.batch, tokens, dim)
    beta, perm = torch.rand(a.batch), torch.randperm(a.batch)
    opt = adamw(net, a.optimizer)

    def step():
        opt.zero_grad()
        y, proj = net(x)
        loss = bimixco(proj, target, beta, perm) + F.mse_loss(y, target.flatten(1))
        loss.backward()
        opt.step()
        return loss.item()

    benchmark(a, step, parameters=sum(q.numel() for q in net.parameters()), version=torch.__version__, threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
