"""What is known about each training picture: boxes, what is left out of the loss, and which classes count as background.

Sources label only some classes. A class that a source does not label is never learned as background from its silence
alone; where the teacher has looked, its sure finds become labels, its doubtful finds are left out of the loss, and the
rest counts as background with half a weight.
"""
import json
import pathlib
from dataclasses import dataclass, field

import numpy as np

from .boxes import inside, iou

NAMES = ("person", "bicycle", "motorcycle", "car", "bus", "truck")
PERSON, BICYCLE, MOTORCYCLE = 0, 1, 2
BIKES = (BICYCLE, MOTORCYCLE)
# Score from which the teacher's find is a label, by class, and from which it is doubtful.
SURE = (0.45, 0.5, 0.45, 0.5, 0.55, 0.55)
DOUBT = 0.15
FILLED_WEIGHT = 0.5
# Corners are shares of the picture.
EMPTY = np.zeros((0, 4), np.float32)


@dataclass
class Known:
    """One picture. `sets[i]` is a bit a class the box `i` may be; `left_out` are areas and the bits of the classes
    that are neither rewarded nor punished there; `weights` says how much silence about a class counts."""

    source: str
    path: pathlib.Path
    boxes: np.ndarray = field(default_factory=lambda: EMPTY)
    sets: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    areas: np.ndarray = field(default_factory=lambda: EMPTY)
    left_out: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    weights: np.ndarray = field(default_factory=lambda: np.zeros(6, np.float32))


def corners(numbers):
    x, y, w, h = numbers
    return [max(0.0, x - w / 2), max(0.0, y - h / 2), min(1.0, x + w / 2), min(1.0, y + h / 2)]


def lines(path):
    return [line.split() for line in path.read_text().splitlines() if line.strip()] if path.exists() else []


def with_riders(boxes, classes):
    """Bikes grown by who rides them, and which boxes are riders. A rider stands over the bike and shares much of it."""
    riders = np.zeros(len(boxes), bool)
    grown = boxes.copy()
    for bike in np.flatnonzero(np.isin(classes, BIKES)):
        x0, y0, x1, y1 = boxes[bike]
        for person in np.flatnonzero(classes == PERSON):
            px0, py0, px1, py1 = boxes[person]
            middle = (px0 + px1) / 2
            over = x0 <= middle <= x1 and py0 < y1 and y0 + 0.15 * (y1 - y0) < py1 <= y1 + 0.25 * (y1 - y0)
            if over and (py1 - py0) < 3.5 * (y1 - y0) and inside(boxes[person:person + 1], boxes[bike:bike + 1]) > 0.2:
                riders[person] = True
                grown[bike] = [min(grown[bike][0], px0), min(grown[bike][1], py0), max(grown[bike][2], px1),
                               max(grown[bike][3], py1)]
    return grown, riders


def read(folder, source, told, name, seen=None):
    """One picture of a source; `told` is its entry in sources.json, `seen` what the teacher saw."""
    stem = pathlib.Path(name).stem
    labelled = lines(folder / "labels" / f"{stem}.txt")
    boxes = [corners(map(float, row[1:5])) for row in labelled]
    sets = [1 << int(row[0]) for row in labelled]
    areas, left_out = [], []
    for row in lines(folder / "ambig" / f"{stem}.txt"):
        box = corners(map(float, row[1:5]))
        if row[0] == "x":
            areas.append(box)
            left_out.append(63)
        else:
            boxes.append(box)
            sets.append(sum(1 << int(i) for i in row[0].split(",")))
    known = Known(source, folder / name, np.array(boxes, np.float32).reshape(-1, 4), np.array(sets, np.int64),
                  np.array(areas, np.float32).reshape(-1, 4), np.array(left_out, np.int64))
    classes = told.get("labelled") or []
    known.weights[classes] = 1.0
    if not told.get("rider_in_box", True):
        merge(known)
    if seen is not None:
        fill(known, np.array(seen, np.float32).reshape(-1, 6), set(classes))
    hide_riders(known)
    return known


def merge(known):
    """Turns bikes without their riders into bikes with them."""
    classes = np.array([int(s).bit_length() - 1 for s in known.sets], int)
    known.boxes, riders = with_riders(known.boxes, classes)
    known.boxes, known.sets = known.boxes[~riders], known.sets[~riders]


def fill(known, seen, labelled):
    """Adds what the teacher saw of classes that are not labelled, and settles boxes of several possible classes."""
    classes, scores, boxes = seen[:, 0].astype(int), seen[:, 1], seen[:, 2:]
    for i in np.flatnonzero([bin(s).count("1") > 1 for s in known.sets]):
        overlap = iou(known.boxes[i:i + 1], boxes)[0] if len(boxes) else np.zeros(0)
        good = [j for j in np.flatnonzero(overlap > 0.5) if known.sets[i] >> classes[j] & 1 and scores[j] > 0.35]
        if good:
            known.sets[i] = 1 << classes[max(good, key=lambda j: scores[j])]
    new = np.array([c not in labelled for c in classes], bool)
    # A bike found by the teacher has no rider yet.
    grown, riders = with_riders(boxes, np.where(scores > 0.3, classes, 99))
    sure = new & (scores >= np.array(SURE)[classes]) & ~riders
    met = iou(boxes, known.boxes).max(1, initial=0) if len(known.boxes) else np.zeros(len(boxes))
    sure &= met < 0.5
    doubtful = new & ~sure & (scores >= DOUBT)
    known.areas = np.concatenate([known.areas, boxes[doubtful]])
    known.left_out = np.concatenate([known.left_out, 1 << classes[doubtful]])
    if labelled and PERSON in labelled:
        # Persons who ride a bike found just now.
        for bike in grown[sure & np.isin(classes, BIKES)]:
            persons = known.sets == 1
            ridden = persons & (inside(known.boxes, bike[None])[:, 0] > 0.7)
            known.boxes, known.sets = known.boxes[~ridden], known.sets[~ridden]
    known.boxes = np.concatenate([known.boxes, grown[sure]]).astype(np.float32)
    known.sets = np.concatenate([known.sets, 1 << classes[sure]])
    known.weights[[c for c in range(6) if c not in labelled]] = FILLED_WEIGHT


def hide_riders(known):
    """A person inside the box of a bike is neither rewarded nor punished."""
    bikes = (known.sets & 0b110) != 0
    persons = known.sets == 1
    if not bikes.any():
        return
    within = inside(known.boxes, known.boxes[bikes]).max(1) > 0.6
    drop = persons & within
    area = known.boxes[bikes]
    known.areas = np.concatenate([known.areas, area]).astype(np.float32)
    known.left_out = np.concatenate([known.left_out, np.ones(len(area), np.int64)])
    known.boxes, known.sets = known.boxes[~drop], known.sets[~drop]


def load(roots, split, teacher=None):
    """All pictures of a split (`train` or `val`) of every source under the folders given."""
    seen = json.loads(pathlib.Path(teacher).read_text()) if teacher and pathlib.Path(teacher).exists() else {}
    found = []
    for root in map(pathlib.Path, roots):
        for source, told in json.loads((root / "sources.json").read_text()).items():
            listed = root / source / f"{split}.txt"
            for name in listed.read_text().split() if listed.exists() else []:
                looked = seen.get(f"{source}/{pathlib.Path(name).stem}") if split == "train" else None
                if told.get("labelled") or looked is not None:
                    found.append(read(root / source, source, told, name, looked))
    return found
