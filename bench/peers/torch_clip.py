"""One forward pass of the CLIP image tower with MindEye's embedding in eager PyTorch, timed. Prints one JSON line.

python torch_clip.py tiny|medium|full [--steps N] [--batch N]
"""
import torch, torch.nn as nn, torch.nn.functional as F
from measure import arguments, benchmark

SIZES = dict(tiny=(128, 2, 2, 64), medium=(512, 8, 6, 256), full=(1024, 16, 24, 768))
IMAGE, PATCH = 224, 14


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        h = self.norm1(x)
        q, k, v = (layer(h).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        h = self.up(self.norm2(x))
        return x + self.down(h * torch.sigmoid(1.702 * h))


class ImageTower(nn.Module):
    def __init__(self, width, heads, layers, projection):
        super().__init__()
        self.patches = nn.Conv2d(3, width, PATCH, PATCH, bias=False)
        self.start = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1 + (IMAGE // PATCH) ** 2, width))
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.projection = nn.Linear(width, projection, bias=False)

    def forward(self, pixels):
        x = torch.cat((self.start.expand(len(pixels), -1, -1), self.patches(pixels).flatten(2).transpose(1, 2)), 1)
        x = self.before(x + self.positions)
        for block in self.blocks:
            x = block(x)
        tokens = self.projection(self.after(x))
        return tokens / tokens[:, :1].norm(dim=-1, keepdim=True)


def main():
    a = arguments(SIZES, batch=8)
    torch.manual_seed(0)
    net = ImageTower(*SIZES[a.size]).eval()
    pixels = torch.randn(a.batch, 3, IMAGE, IMAGE)
    with torch.inference_mode():
        benchmark(a, lambda: net(pixels).sum().item(), sum(q.numel() for q in net.parameters()),
                  version=torch.__version__, threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
