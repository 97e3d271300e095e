"""Average precision on held-out pictures, with what their labels leave open left out: classes a source does not label,
areas to ignore, boxes of several possible classes, persons who ride a bike."""
import numpy as np

from .boxes import inside, iou
from .labels import NAMES

STEPS = np.arange(0.5, 0.96, 0.05)


class Tally:
    """Collects finds and truth picture by picture; rows of a find: class, score, corners as shares of the picture."""

    def __init__(self):
        self.finds = [[] for _ in NAMES]
        self.truth = np.zeros(len(NAMES), int)

    def add(self, known, found):
        for c in range(len(NAMES)):
            if known.weights[c] < 1:
                continue
            mine = known.sets == 1 << c
            self.truth[c] += int(mine.sum())
            # What may be of this class is neither right nor wrong.
            open_boxes = known.boxes[~mine & (known.sets >> c & 1 == 1)]
            areas = known.areas[known.left_out >> c & 1 == 1]
            rows = found[found[:, 0] == c]
            rows = rows[np.argsort(-rows[:, 1], kind="stable")][:100]
            self.finds[c].extend(match(rows, known.boxes[mine], open_boxes, areas))

    def ap(self):
        """AP50 and AP50-95 of each class; not a number where nothing is labelled."""
        found = []
        for c, rows in enumerate(self.finds):
            if not self.truth[c]:
                found.append((np.nan, np.nan))
                continue
            rows = sorted(rows, key=lambda r: -r[0])
            hits = np.array([r[1] for r in rows], bool).reshape(-1, len(STEPS))
            free = np.array([r[2] for r in rows], bool).reshape(-1, len(STEPS))
            each = [area(hits[:, i][~free[:, i]], self.truth[c]) for i in range(len(STEPS))]
            found.append((each[0], float(np.mean(each))))
        return found


def match(rows, true, open_boxes, areas):
    """For each find, best first: score, whether it hits at each overlap, whether it does not count there."""
    overlap = iou(rows[:, 2:], true)
    near = iou(rows[:, 2:], open_boxes).max(1, initial=0)
    hidden = inside(rows[:, 2:], areas).max(1, initial=0) > 0.5
    taken = np.zeros((len(STEPS), len(true)), bool)
    out = []
    for i, row in enumerate(rows):
        hit, free = np.zeros(len(STEPS), bool), np.zeros(len(STEPS), bool)
        for s, least in enumerate(STEPS):
            left = np.where(taken[s], 0, overlap[i]) if len(true) else np.zeros(0)
            if len(left) and left.max() >= least:
                taken[s, left.argmax()] = hit[s] = True
            else:
                free[s] = hidden[i] or near[i] >= least
        out.append((float(row[1]), hit, free))
    return out


def area(hits, count):
    """Area under precision over recall, 101 points as COCO takes them."""
    right = np.cumsum(hits)
    precision = right / np.arange(1, len(hits) + 1)
    recall = right / count
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
    return float(np.mean([precision[i] if i < len(precision) else 0.0 for i in at]))
