"""One training step of the diffusion prior's network in eager PyTorch, timed. See measure.py for arguments; --optimizer adamw|adamw_fused."""
import math
import torch, torch.nn as nn, torch.nn.functional as F
from measure import OPTIMIZER, adamw, arguments, benchmark

SIZES = dict(full=(257, 768, 6, 12), medium=(65, 256, 4, 4), tiny=(17, 64, 2, 1))  # tokens, width, depth, heads of 64
HEAD, ROTATING, BUCKETS = 64, 32, 32


class Norm(nn.Module):
    """LayerNorm with a gain only; the last one first divides by the row's maximum."""
    def __init__(self, width, stable=False):
        super().__init__()
        self.g, self.stable = nn.Parameter(torch.ones(width)), stable

    def forward(self, x):
        if self.stable:
            x = x / x.amax(-1, keepdim=True).detach()
        return F.layer_norm(x, x.shape[-1:], self.g)


class Attention(nn.Module):
    """Query heads over one key and value head with a null key; cosine similarity times 16."""
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.norm = heads, Norm(width)
        self.null_kv = nn.Parameter(torch.randn(2, HEAD))
        self.to_q, self.to_kv = nn.Linear(width, heads * HEAD, bias=False), nn.Linear(width, 2 * HEAD, bias=False)
        self.to_out = nn.Sequential(nn.Linear(heads * HEAD, width, bias=False), Norm(width))

    def forward(self, x, bias, rotate):
        b, n, _ = x.shape
        h = self.norm(x)
        q = rotate(self.to_q(h).view(b, n, self.heads, HEAD).transpose(1, 2))
        k, v = self.to_kv(h).split(HEAD, -1)
        null = [row.expand(b, 1, HEAD) for row in self.null_kv.split(1)]
        k, v = torch.cat((null[0], rotate(k)), 1), torch.cat((null[1], v), 1)
        q, k = F.normalize(q, dim=-1) * 4, F.normalize(k, dim=-1) * 4
        k, v = (t[:, None].expand(b, self.heads, n + 1, HEAD) for t in (k, v))
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.expand(b, -1, -1, -1), scale=1.0)
        return self.to_out(out.transpose(1, 2).reshape(b, n, -1))


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = Norm(width)
        self.up, self.down = nn.Linear(width, 8 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x):
        u, gate = self.up(self.norm(x)).chunk(2, -1)
        return self.down(u * F.silu(gate))


class Prior(nn.Module):
    def __init__(self, tokens, width, depth, heads):
        super().__init__()
        n = 2 * tokens + 1
        self.tokens = tokens
        self.query, self.null_brain, self.null_image = (nn.Parameter(torch.randn(tokens, width)) for _ in range(3))
        self.time = nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))
        self.relative = nn.Embedding(BUCKETS, heads)
        self.layers = nn.ModuleList(nn.ModuleList((Attention(width, heads), FeedForward(width))) for _ in range(depth))
        self.norm, self.out = Norm(width, stable=True), nn.Linear(width, width, bias=False)
        distance = (torch.arange(n)[:, None] - torch.arange(n + 1)).clamp(min=0)
        beyond = 16 + ((distance.clamp(min=1) / 16).log() / math.log(8) * 16).trunc().long()
        self.register_buffer("bucket", torch.where(distance < 16, distance, beyond.clamp(max=BUCKETS - 1)), persistent=False)
        angle = torch.arange(n)[:, None] * 10000 ** (-torch.arange(0, ROTATING, 2) / ROTATING)
        self.register_buffer("angle", angle.repeat_interleave(2, -1), persistent=False)
        self.register_buffer("frequency", 10000 ** (-torch.arange(width // 2) / (width // 2 - 1)), persistent=False)

    def rotate(self, x):
        turning, rest = x[..., :ROTATING], x[..., ROTATING:]
        swapped = torch.stack((-turning[..., 1::2], turning[..., ::2]), -1).flatten(-2)
        return torch.cat((turning * self.angle.cos() + swapped * self.angle.sin(), rest), -1)

    def forward(self, image, t, brain, keep_brain, keep_image):
        brain = torch.where(keep_brain, brain, self.null_brain)
        image = torch.where(keep_image, image, self.null_image) + self.query
        wave = t[:, None] * self.frequency
        x = torch.cat((brain, self.time(torch.cat((wave.sin(), wave.cos()), -1))[:, None], image), 1)
        bias = self.relative(self.bucket).permute(2, 0, 1)
        for attention, feed_forward in self.layers:
            x = attention(x, bias, self.rotate) + x
            x = feed_forward(x) + x
        return self.out(self.norm(x))[:, -self.tokens:]


def main():
    a = arguments(SIZES, batch=4, optimizer=OPTIMIZER)
    torch.manual_seed(0)
    tokens, width, _, _ = SIZES[a.size]
    net = Prior(*SIZES[a.size])
    image, brain, target = torch.randn(3, a.batch, tokens, width).unbind(0)
    t = torch.randint(0, 100, (a.batch,)).float()
    keep_brain, keep_image = (torch.rand(2, a.batch, 1, 1) > 0.2).unbind(0)
    opt = adamw(net, a.optimizer)

    def step():
        opt.zero_grad()
        loss = F.mse_loss(net(image, t, brain, keep_brain, keep_image), target)
        loss.backward()
        opt.step()
        return loss.item()

    benchmark(a, step, parameters=sum(q.numel() for q in net.parameters()), version=torch.__version__, threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
