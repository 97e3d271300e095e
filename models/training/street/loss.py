"""What is right and how wrong it was: cells are given to boxes by how well they already find them (Feng et al., "TOOD",
2021), scores by cross entropy against that fit, sides by complete overlap (Zheng et al., "CIoU", 2020)."""
import math

import torch
from torch.nn import functional

from .net import STRIDES, centres, decode

MOST = 8
BOX_GAIN, SCORE_GAIN = 5.0, 1.0


def overlap(a, b, complete=False):
    """IoU of boxes pair by pair; with `complete`, less what centres and shapes differ by."""
    inner = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    size_a, size_b = (a[..., 2:] - a[..., :2]).clamp(min=1e-4), (b[..., 2:] - b[..., :2]).clamp(min=1e-4)
    found = inner / (size_a.prod(-1) + size_b.prod(-1) - inner + 1e-7)
    if not complete:
        return found
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    apart = ((a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) ** 2).sum(-1) / 4
    shape = 4 / math.pi ** 2 * (torch.atan(size_a[..., 0] / size_a[..., 1]) -
                                torch.atan(size_b[..., 0] / size_b[..., 1])) ** 2
    with torch.no_grad():
        weight = shape / (1 - found + shape + 1e-7)
    return found - apart / (hull.pow(2).sum(-1) + 1e-7) - weight * shape


def cells(side, device):
    """Middle of every cell in pixels, and its stride."""
    middles = [centres(side // s, side // s, device) * s for s in STRIDES]
    strides = [torch.full((len(m), 1), float(s), device=device) for m, s in zip(middles, STRIDES)]
    return torch.cat(middles), torch.cat(strides)


def within(middles, low, high):
    """Which of the cells lie between corners, a row for each pair of corners."""
    x, y = middles[None, :, 0], middles[None, :, 1]
    return (x > low[..., 0]) & (x < high[..., 0]) & (y > low[..., 1]) & (y < high[..., 1])


@torch.no_grad()
def assign(boxes, chance, true, sets, middles, strides):
    """For each cell of one picture the number of its box or -1, and how well it fits (0..1)."""
    owner = torch.full((len(middles),), -1, dtype=torch.long, device=boxes.device)
    quality = torch.zeros(len(middles), device=boxes.device)
    if len(true) == 0:
        return owner, quality
    # Cells in the box; of a box smaller than a cell, the cells about its middle.
    middle, half = (true[:, None, :2] + true[:, None, 2:]) / 2, (true[:, None, 2:] - true[:, None, :2]) / 2
    half = torch.maximum(half, 0.6 * strides[None])
    near = within(middles, middle - half, middle + half)
    box, cell = near.nonzero(as_tuple=True)
    fit = overlap(true[box], boxes[cell])
    merit = (chance[cell] * sets[box]).amax(-1).clamp(min=1e-6).sqrt() * fit.pow(6) + 1e-12
    dense = torch.zeros(near.shape, device=boxes.device)
    dense[box, cell] = merit
    top, which = dense.topk(min(MOST, dense.shape[1]), -1)
    chosen = torch.zeros_like(near).scatter_(1, which, top > 0)[box, cell]
    box, cell, fit, merit = box[chosen], cell[chosen], fit[chosen], merit[chosen]
    # A cell wanted by several goes to the one it overlaps most.
    dense.zero_()[box, cell] = fit + 1e-6
    mine = dense.argmax(0)[cell] == box
    box, cell, fit, merit = box[mine], cell[mine], fit[mine], merit[mine]
    highest = lambda v: torch.zeros(len(true), device=v.device).scatter_reduce_(0, box, v, "amax")[box]
    owner[cell] = box
    quality[cell] = merit / highest(merit).clamp(min=1e-12) * highest(fit)
    return owner, quality


def spread(weights):
    """Weights of cells of 8 pixels, for all grids."""
    return torch.cat([weights[:, s // 16:: s // 8, s // 16:: s // 8].reshape(len(weights), -1, 6) for s in STRIDES], 1)


def loss(maps, batch):
    """The loss to go down, and its two parts for people."""
    pictures, true, sets, areas, left_out, weights = batch
    boxes, scores = decode(maps)
    side = pictures.shape[1]
    middles, strides = cells(side, scores.device)
    chance = scores.detach().sigmoid()
    owner, quality, hidden = [], [], []
    for i in range(len(true)):
        real, hides = sets[i].any(-1), left_out[i].any(-1)
        o, q = assign(boxes[i].detach(), chance[i], true[i][real], sets[i][real], middles, strides)
        owner.append(o)
        quality.append(q)
        inside = within(middles, areas[i][hides][:, None, :2], areas[i][hides][:, None, 2:])
        hidden.append(inside.float().t() @ left_out[i][hides].float() > 0)
    owner, quality, hidden = (torch.stack(part) for part in (owner, quality, hidden))
    has = owner >= 0
    index = owner.clamp(min=0)
    mine = torch.gather(sets, 1, index[..., None].expand(-1, -1, 6)) & has[..., None]
    # Of several possible classes the likeliest now is the one to learn, the others are left alone.
    likeliest = torch.where(mine, chance, torch.full_like(chance, -1)).argmax(-1, keepdim=True)
    one = torch.zeros_like(mine).scatter_(2, likeliest, True) & mine
    target = one * quality[..., None]
    weight = spread(weights)
    weight = torch.where(hidden, torch.zeros_like(weight), weight)
    weight = torch.where(mine, torch.zeros_like(weight), weight)
    weight = torch.where(one, torch.ones_like(weight), weight)
    total = target.sum().clamp(min=1.0)
    wrong = functional.binary_cross_entropy_with_logits(scores, target, reduction="none")
    score_loss = (wrong * weight).sum() / total
    held = torch.gather(true, 1, index[..., None].expand(-1, -1, 4))[has]
    box_loss = ((1 - overlap(boxes[has], held, True)) * quality[has]).sum() / total
    return BOX_GAIN * box_loss + SCORE_GAIN * score_loss, box_loss.item(), score_loss.item()
