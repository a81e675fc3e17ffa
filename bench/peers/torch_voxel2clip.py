"""One voxel2clip training step in eager PyTorch, timed. Prints one JSON line.

python torch_voxel2clip.py --config medium|full --batch N --steps N [--optimizer adamw|adamw_fused]
"""
import argparse, json, statistics, time
import torch, torch.nn as nn, torch.nn.functional as F

SIZES = dict(tiny=(400, 256, 4, 17, 64), medium=(4000, 1024, 4, 65, 256), full=(15724, 4096, 4, 257, 768))


def status_mb(field):
    """A field of /proc/self/status, e.g. VmHWM, the peak resident memory."""
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) / 1024 for line in f if line.startswith(field + ":"))


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
    p = argparse.ArgumentParser()
    p.add_argument("--config", choices=SIZES, default="medium")
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--steps", type=int, default=5)
    p.add_argument("--warmup", type=int, default=2)
    p.add_argument("--optimizer", choices=("adamw", "adamw_fused"), default="adamw")
    a = p.parse_args()
    torch.manual_seed(0)
    loaded = status_mb("VmRSS")
    v, h, blocks, tokens, dim = SIZES[a.config]
    net = BrainNetwork(v, h, blocks, tokens, dim)
    x, target = torch.randn(a.batch, v), torch.randn(a.batch, tokens, dim)
    beta, perm = torch.rand(a.batch), torch.randperm(a.batch)
    groups = ([], [])
    for name, q in net.named_parameters():
        groups["bias" in name].append(q)
    opt = torch.optim.AdamW([dict(params=groups[0], weight_decay=0.01), dict(params=groups[1], weight_decay=0.0)],
                            lr=3e-4, **(dict(fused=True) if a.optimizer == "adamw_fused" else {}))
    times = []
    for _ in range(a.warmup + a.steps):
        start = time.perf_counter()
        opt.zero_grad()
        y, proj = net(x)
        loss = bimixco(proj, target, beta, perm) + F.mse_loss(y, target.flatten(1))
        loss.backward()
        opt.step()
        value = loss.item()
        times.append((time.perf_counter() - start) * 1e3)
    print(json.dumps(dict(ms=statistics.median(times[a.warmup:]), peak_mb=status_mb("VmHWM") - loaded, loaded_mb=loaded,
                          parameters=sum(q.numel() for q in net.parameters()), loss=value,
                          version=torch.__version__, threads=torch.get_num_threads())))


if __name__ == "__main__":
    main()
