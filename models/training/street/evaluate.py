"""Scores of weights, or of the teacher, on the held-out pictures; a line of the learning curve.

    python -m street.evaluate --data FOLDER (--weights FILE | --yolox FILE) [--curve FILE] [--each N]
"""
import argparse
import csv
import pathlib

import cv2
import numpy as np

from . import checkpoint, labels
from .detector import Detector
from .export import onnx_of
from .net import Street
from .score import Tally
from .teacher import COCO
from .yolox import Yolox


def shares(rows, picture):
    """Corners as shares of the picture."""
    rows = rows.copy()
    rows[:, 2::2] = np.clip(rows[:, 2::2] / picture.shape[1], 0, 1)
    rows[:, 3::2] = np.clip(rows[:, 3::2] / picture.shape[0], 0, 1)
    return rows


def ours_of(rows):
    """What the teacher says in our classes, bikes with their riders as our labels draw them."""
    rows = rows[[int(label) in COCO for label in rows[:, 0]]]
    rows[:, 0] = [COCO[int(label)] for label in rows[:, 0]]
    sure = np.where(rows[:, 1] > 0.25, rows[:, 0], 99)
    rows[:, 2:], riders = labels.with_riders(rows[:, 2:], sure)
    return rows[~riders]


def measure(detect, known):
    """A tally for everything and one for each source."""
    tallies = {"all real": Tally()}
    for one in known:
        picture = cv2.imread(str(one.path))
        rows = shares(detect(picture), picture)
        tallies.setdefault(one.source, Tally()).add(one, rows)
        if one.source != "drawn":
            tallies["all real"].add(one, rows)
    return tallies


def say(tallies):
    for source, tally in tallies.items():
        cells = [f"{n} {ap50:.3f}/{ap:.3f} ({t})" for n, (ap50, ap), t in
                 zip(labels.NAMES, tally.ap(), tally.truth) if t]
        print(f"{source:20s} " + "  ".join(cells), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, action="append", required=True)
    parser.add_argument("--weights", type=pathlib.Path)
    parser.add_argument("--yolox", type=pathlib.Path)
    parser.add_argument("--size", default="street")
    parser.add_argument("--side", type=int, default=416)
    parser.add_argument("--each", type=int, default=1, help="every so many pictures only")
    parser.add_argument("--curve", type=pathlib.Path, help="add a line here")
    parser.add_argument("--step", type=int, default=0)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    known = labels.load(args.data, "val")[::args.each]
    if args.yolox:
        teacher = Yolox(args.yolox, 0.02)
        detect = lambda picture: ours_of(teacher(picture))
    else:
        net = checkpoint.fill(Street(args.size), args.weights)
        detect = Detector(onnx_of(net, args.side, {}), 0.02)
    tallies = measure(detect, known)
    say(tallies)
    if args.curve:
        new = not args.curve.exists()
        with args.curve.open("a", newline="") as file:
            out = csv.writer(file)
            if new:
                out.writerow(["step", *labels.NAMES, *(f"drawn {n}" for n in labels.NAMES)])
            rows = [tallies[s].ap() if s in tallies else [] for s in ("all real", "drawn")]
            out.writerow([args.step, *(f"{ap50:.4f}" for row in rows for ap50, _ in row)])


if __name__ == "__main__":
    main()
