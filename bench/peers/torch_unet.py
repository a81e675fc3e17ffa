"""One forward pass of the Stable-Diffusion-size UNet in eager PyTorch, timed. Prints one JSON line.

python torch_unet.py tiny|medium|full [--steps N] [--batch N] [--channels-last]

The network of Stable Diffusion 1 (arXiv 2112.10752), written with torch.nn; it is the image path of Versatile Diffusion (arXiv 2211.08332).
"""
import math
import torch, torch.nn as nn, torch.nn.functional as F
from measure import arguments, benchmark

SIZES = dict(tiny=((32, 64, 128, 128), 16), medium=((128, 256, 512, 512), 32), full=((320, 640, 1280, 1280), 64))
LAYERS, HEADS, TOKENS, CROSS, GROUPS = 2, 8, 257, 768, 32


class ResnetBlock(nn.Module):
    def __init__(self, i, o, time):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(GROUPS, i), nn.Conv2d(i, o, 3, padding=1)
        self.time_emb_proj = nn.Linear(time, o)
        self.norm2, self.conv2 = nn.GroupNorm(GROUPS, o), nn.Conv2d(o, o, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(i, o, 1) if i != o else nn.Identity()

    def forward(self, x, emb):
        h = self.conv1(F.silu(self.norm1(x))) + self.time_emb_proj(F.silu(emb))[:, :, None, None]
        return self.conv_shortcut(x) + self.conv2(F.silu(self.norm2(h)))


class Attention(nn.Module):
    def __init__(self, d, context):
        super().__init__()
        self.to_q, self.to_k = nn.Linear(d, d, bias=False), nn.Linear(context, d, bias=False)
        self.to_v, self.to_out = nn.Linear(context, d, bias=False), nn.Linear(d, d)

    def forward(self, x, context):
        split = lambda y: y.unflatten(-1, (HEADS, -1)).transpose(1, 2)
        y = F.scaled_dot_product_attention(split(self.to_q(x)), split(self.to_k(context)), split(self.to_v(context)))
        return self.to_out(y.transpose(1, 2).flatten(2))


class Transformer(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.norm, self.proj_in, self.proj_out = nn.GroupNorm(GROUPS, d, eps=1e-6), nn.Conv2d(d, d, 1), nn.Conv2d(d, d, 1)
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(d), nn.LayerNorm(d), nn.LayerNorm(d)
        self.attn1, self.attn2 = Attention(d, d), Attention(d, CROSS)
        self.geglu, self.ff = nn.Linear(d, 8 * d), nn.Linear(4 * d, d)

    def forward(self, x, context):
        y = self.proj_in(self.norm(x))
        h = y.flatten(2).transpose(1, 2)
        n = self.norm1(h)
        h = h + self.attn1(n, n)
        h = h + self.attn2(self.norm2(h), context)
        value, gate = self.geglu(self.norm3(h)).chunk(2, -1)
        h = h + self.ff(value * F.gelu(gate))
        return x + self.proj_out(h.transpose(1, 2).unflatten(2, y.shape[2:]))


class Stage(nn.Module):
    """Residual blocks, each followed by a transformer where the stage attends."""

    def __init__(self, sizes, time, attends):
        super().__init__()
        self.resnets = nn.ModuleList(ResnetBlock(i, o, time) for i, o in sizes)
        self.attentions = nn.ModuleList(Transformer(o) if attends else nn.Identity() for _, o in sizes)


def attend(module, x, context):
    return module(x, context) if isinstance(module, Transformer) else x


class UNet(nn.Module):
    def __init__(self, channels):
        super().__init__()
        n, c = len(channels), channels[0]
        time, skips = 4 * c, [c]
        self.conv_in = nn.Conv2d(4, c, 3, padding=1)
        self.linear_1, self.linear_2 = nn.Linear(c, time), nn.Linear(time, time)
        self.down, self.downsamplers = nn.ModuleList(), nn.ModuleList()
        for i, o in enumerate(channels):
            self.down.append(Stage([(c if j == 0 else o, o) for j in range(LAYERS)], time, i < n - 1))
            skips += [o] * LAYERS
            c = o
            if i < n - 1:
                self.downsamplers.append(nn.Conv2d(o, o, 3, stride=2, padding=1))
                skips.append(o)
        self.mid = Stage([(c, c), (c, c)], time, True)
        del self.mid.attentions[1]
        self.up, self.upsamplers = nn.ModuleList(), nn.ModuleList()
        for i, o in enumerate(reversed(channels)):
            sizes = []
            for _ in range(LAYERS + 1):
                sizes.append((c + skips.pop(), o))
                c = o
            self.up.append(Stage(sizes, time, i > 0))
            if i < n - 1:
                self.upsamplers.append(nn.Conv2d(o, o, 3, padding=1))
        self.norm_out, self.conv_out = nn.GroupNorm(GROUPS, c), nn.Conv2d(c, 4, 3, padding=1)

    def forward(self, x, t, context):
        half = self.linear_1.in_features // 2
        angles = t[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / half)
        emb = self.linear_2(F.silu(self.linear_1(torch.cat([angles.cos(), angles.sin()], -1))))
        x = self.conv_in(x)
        skips = [x]
        for i, stage in enumerate(self.down):
            for resnet, attention in zip(stage.resnets, stage.attentions):
                x = attend(attention, resnet(x, emb), context)
                skips.append(x)
            if i < len(self.downsamplers):
                x = self.downsamplers[i](x)
                skips.append(x)
        x = self.mid.resnets[0](x, emb)
        x = self.mid.resnets[1](attend(self.mid.attentions[0], x, context), emb)
        for i, stage in enumerate(self.up):
            for resnet, attention in zip(stage.resnets, stage.attentions):
                x = attend(attention, resnet(torch.cat([x, skips.pop()], 1), emb), context)
            if i < len(self.upsamplers):
                x = self.upsamplers[i](F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.conv_out(F.silu(self.norm_out(x)))


def main():
    a = arguments(SIZES, batch=2, channels_last=dict(action="store_true"))
    torch.manual_seed(0)
    channels, side = SIZES[a.size]
    with torch.inference_mode():
        net = UNet(channels).eval()
        x, context = torch.randn(a.batch, 4, side, side), torch.randn(a.batch, TOKENS, CROSS)
        if a.channels_last:
            net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
        t = torch.full((a.batch,), 849.0)
        benchmark(a, lambda: net(x, t, context).abs().mean().item(), sum(q.numel() for q in net.parameters()),
                  version=torch.__version__, threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
