"""One training step of the low-level network's upsampler on given maps in eager PyTorch, timed. See measure.py for arguments; --optimizer adamw|adamw_fused, --channels-last."""
import torch, torch.nn as nn, torch.nn.functional as F
from measure import OPTIMIZER, adamw, arguments, benchmark

SIZES = dict(full=(16, (256, 128, 64)), medium=(16, (128, 64, 32)), tiny=(8, (64, 32, 32)))  # side of the map, channels from coarse to fine
MAP_CHANNELS, LATENT, SCALING = 64, 4, 0.18215


def norm(channels):
    return nn.GroupNorm(32, channels, eps=1e-6)


def conv(i, o):
    return nn.Conv2d(i, o, 3, padding=1)


class Resnet(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.body = nn.Sequential(norm(i), nn.SiLU(), conv(i, o), norm(o), nn.SiLU(), conv(o, o))
        self.shortcut = nn.Conv2d(i, o, 1) if i != o else nn.Identity()

    def forward(self, x):
        return self.shortcut(x) + self.body(x)


class Attention(nn.Module):
    """One head over all positions of the map."""
    def __init__(self, c):
        super().__init__()
        self.norm, self.query, self.key, self.value, self.out = norm(c), *(nn.Linear(c, c) for _ in range(4))

    def forward(self, x):
        h = self.norm(x).flatten(2).mT
        mixed = F.scaled_dot_product_attention(self.query(h), self.key(h), self.value(h))
        return x + self.out(mixed).mT.reshape(x.shape)


def upsampler(channels):
    top = channels[0]
    layers, last = [conv(MAP_CHANNELS, top), Resnet(top, top), Attention(top), Resnet(top, top)], top
    for level, c in enumerate(channels):
        layers += [Resnet(last, c), Resnet(c, c)]
        if level + 1 < len(channels):
            layers += [nn.Upsample(scale_factor=2), conv(c, c)]
        last = c
    return nn.Sequential(*layers, norm(last), nn.SiLU(), conv(last, LATENT))


def main():
    a = arguments(SIZES, batch=8, optimizer=OPTIMIZER, channels_last=dict(action="store_true"))
    torch.manual_seed(0)
    side, channels = SIZES[a.size]
    net = upsampler(channels)
    maps = torch.randn(a.batch, MAP_CHANNELS, side, side)
    latent_side = side * 2 ** (len(channels) - 1)
    target = torch.randn(a.batch, LATENT, latent_side, latent_side)
    if a.channels_last:
        net, maps = net.to(memory_format=torch.channels_last), maps.contiguous(memory_format=torch.channels_last)
    opt = adamw(net, a.optimizer)

    def step():
        opt.zero_grad()
        loss = F.l1_loss(net(maps), target) / SCALING
        loss.backward()
        opt.step()
        return loss.item()

    benchmark(a, step, parameters=sum(q.numel() for q in net.parameters()), version=torch.__version__, threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
