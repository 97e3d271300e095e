"""The network: dense small convolutions, three grids, no anchors, no objectness.

Our own arrangement of published parts: cross stage partial blocks (Wang et al., "CSPNet", 2020) with short residual
pairs (He et al., 2016), fast pyramid pooling (YOLOv5), a top-down and bottom-up neck (Liu et al., "PANet", 2018), a
head without anchors of a box and a score a class at each cell (Tian et al., "FCOS", 2019; Ge et al., "YOLOX", 2021).
Dense 3x3 convolutions with ReLU, because matrix units of CPUs run them far faster than depthwise ones of the same
accuracy, in training as in ONNX Runtime.
"""
import torch
from torch import nn

STRIDES = (8, 16, 32)
CLASSES = 6
# Channels of the stem, of strides 4, 8, 16, 32, of the neck and of the head; depth of the blocks of 8, 16, 32.
SIZES = {
    "street": dict(stem=16, stages=(32, 64, 96, 160), depths=(1, 2, 1), neck=(48, 64, 96), head=64),
    "tiny": dict(stem=8, stages=(8, 16, 24, 32), depths=(1, 1, 1), neck=(16, 16, 16), head=16),
}


class Conv(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, c_in, c_out, kernel=1, stride=1, relu=True):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(c_out, eps=1e-3, momentum=0.03)
        self.relu = relu

    def forward(self, x):
        x = self.norm(self.conv(x))
        return torch.relu_(x) if self.relu else x


class Pair(nn.Module):
    """Two 3x3 convolutions, and what came in added."""

    def __init__(self, channels, add):
        super().__init__()
        self.first = Conv(channels, channels, 3)
        self.second = Conv(channels, channels, 3)
        self.add = add

    def forward(self, x):
        y = self.second(self.first(x))
        return x + y if self.add else y


class Block(nn.Module):
    """One half passes by, the other goes through the pairs; both are joined."""

    def __init__(self, c_in, c_out, depth, add=True):
        super().__init__()
        # ONNX Runtime computes sixteen channels at a time.
        half = -(-c_out // 32) * 16
        self.left = Conv(c_in, half)
        self.right = Conv(c_in, half)
        self.pairs = nn.ModuleList(Pair(half, add) for _ in range(depth))
        self.join = Conv(2 * half, c_out)

    def forward(self, x):
        y = self.right(x)
        for pair in self.pairs:
            y = pair(y)
        return self.join(torch.cat([self.left(x), y], 1))


class Pool(nn.Module):
    """Three poolings in a row see three neighbourhoods."""

    def __init__(self, channels):
        super().__init__()
        half = channels // 2
        self.enter = Conv(channels, half)
        self.leave = Conv(4 * half, channels)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x):
        parts = [self.enter(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class Head(nn.Module):
    """At each cell: distances to four sides in strides, and a score a class (before the sigmoid); half of the channels
    look for the sides, half for the class."""

    def __init__(self, c_in, channels):
        super().__init__()
        self.half = channels // 2
        self.look = Conv(c_in, channels, 3)
        self.sides = nn.Conv2d(self.half, 4, 1)
        self.scores = nn.Conv2d(channels - self.half, CLASSES, 1)
        nn.init.constant_(self.scores.bias, -4.6)
        nn.init.constant_(self.sides.bias, 1.0)
        nn.init.normal_(self.sides.weight, std=0.01)

    def forward(self, x):
        x = self.look(x)
        return torch.cat([self.sides(x[:, :self.half]), self.scores(x[:, self.half:])], 1)


class Street(nn.Module):
    """From `[n,3,H,W]` (RGB, 0..1) to one `[n,4+classes,h,w]` a grid."""

    def __init__(self, size="street"):
        super().__init__()
        self.size = size
        told = SIZES[size]
        s4, s8, s16, s32 = told["stages"]
        d8, d16, d32 = told["depths"]
        n8, n16, n32 = told["neck"]
        self.stem = Conv(3, told["stem"], 3, 2)
        self.down4 = Conv(told["stem"], s4, 3, 2)
        self.down8, self.block8 = Conv(s4, s8, 3, 2), Block(s8, s8, d8)
        self.down16, self.block16 = Conv(s8, s16, 3, 2), Block(s16, s16, d16)
        self.down32, self.block32 = Conv(s16, s32, 3, 2), Block(s32, s32, d32)
        self.pool = Pool(s32)
        self.narrow32, self.narrow16 = Conv(s32, n16), Conv(n16, n8)
        self.up16 = Block(s16 + n16, n16, 1, False)
        self.up8 = Block(s8 + n8, n8, 1, False)
        self.again16 = Conv(n8, n8, 3, 2)
        self.out16 = Block(n8 + n16, n16, 1, False)
        self.again32 = Conv(n16, n16, 3, 2)
        self.out32 = Block(n16 + s32, n32, 1, False)
        self.heads = nn.ModuleList(Head(c, told["head"]) for c in (n8, n16, n32))

    def forward(self, x):
        x4 = self.down4(self.stem(x))
        x8 = self.block8(self.down8(x4))
        x16 = self.block16(self.down16(x8))
        x32 = self.pool(self.block32(self.down32(x16)))
        twice = lambda t: nn.functional.interpolate(t, scale_factor=2.0, mode="nearest")
        p16 = self.up16(torch.cat([x16, twice(self.narrow32(x32))], 1))
        p8 = self.up8(torch.cat([x8, twice(self.narrow16(p16))], 1))
        p16 = self.out16(torch.cat([self.again16(p8), p16], 1))
        p32 = self.out32(torch.cat([self.again32(p16), x32], 1))
        return [head(p) for head, p in zip(self.heads, (p8, p16, p32))]


def decode(maps):
    """`[n,N,4]` corners in pixels and `[n,N,classes]` scores before the sigmoid, the grids one after another."""
    boxes, scores = [], []
    for found, stride in zip(maps, STRIDES):
        n, _, h, w = found.shape
        found = found.float().permute(0, 2, 3, 1).reshape(n, h * w, -1)
        centre = centres(h, w, found.device)
        sides = nn.functional.softplus(found[..., :4])
        boxes.append(torch.cat([centre - sides[..., :2], centre + sides[..., 2:4]], 2) * stride)
        scores.append(found[..., 4:])
    return torch.cat(boxes, 1), torch.cat(scores, 1)


def centres(h, w, device=None):
    """Middle of each cell, x y, in strides."""
    y, x = torch.meshgrid(torch.arange(h, device=device), torch.arange(w, device=device), indexing="ij")
    return torch.stack([x.reshape(-1), y.reshape(-1)], 1).float() + 0.5
