"""Boxes in numpy: overlap and suppression. Corners x0 y0 x1 y1 everywhere."""
import numpy as np


def iou(a, b):
    """Overlap of each of `a` with each of `b`."""
    left = np.maximum(a[:, None, :2], b[None, :, :2])
    right = np.minimum(a[:, None, 2:4], b[None, :, 2:4])
    inner = np.prod(np.clip(right - left, 0, None), 2)
    area = lambda r: np.prod(np.clip(r[:, 2:4] - r[:, :2], 0, None), 1)
    return inner / np.maximum(area(a)[:, None] + area(b)[None] - inner, 1e-9)


def inside(a, b):
    """Which share of each of `a` lies in each of `b`."""
    left = np.maximum(a[:, None, :2], b[None, :, :2])
    right = np.minimum(a[:, None, 2:4], b[None, :, 2:4])
    inner = np.prod(np.clip(right - left, 0, None), 2)
    area = np.prod(np.clip(a[:, 2:4] - a[:, :2], 0, None), 1)
    return inner / np.maximum(area[:, None], 1e-9)


def nms(boxes, scores, overlap, classes=None):
    """Numbers of the boxes that stay, best first; boxes of different `classes` do not meet."""
    if len(boxes) == 0:
        return np.zeros(0, int)
    if classes is not None:
        # Classes are moved apart.
        boxes = boxes + (classes * (np.abs(boxes).max() * 2 + 2))[:, None]
    order = np.argsort(-scores, kind="stable")
    boxes = boxes[order]
    left = np.ones(len(order), bool)
    overlaps = iou(boxes, boxes)
    for i in range(len(order)):
        if left[i]:
            left[i + 1:] &= overlaps[i, i + 1:] < overlap
    return order[left]
