"""A larger detector as teacher: what it sees in the pictures, kept in a file outside the repository.

The teacher (YOLOX-nano, COCO labels, Apache-2.0) looks at the whole picture and at four overlapping crops. What it
says is written down with low scores too; `data.py` decides what becomes a label, what is left out of the loss and what
counts as background. Nothing here looks at held-out pictures.
"""
import argparse
import json
import pathlib

import cv2
import numpy as np
import onnxruntime

from .yolox import Yolox
from .boxes import nms

# Of the teacher's 80 labels, those that are ours.
COCO = {0: 0, 1: 1, 3: 2, 2: 3, 5: 4, 7: 5}
LEAST = 0.12
CROP = 0.62


def windows(width, height):
    """The whole picture and its four corners, x y w h."""
    w, h = round(width * CROP), round(height * CROP)
    return [(0, 0, width, height)] + [(x, y, w, h) for y in (0, height - h) for x in (0, width - w)]


def look(teacher, picture):
    """What it sees: rows of class, score, x0, y0, x1, y1 (shares of the picture)."""
    height, width = picture.shape[:2]
    found = []
    for x, y, w, h in windows(width, height):
        rows = teacher(picture[y:y + h, x:x + w])
        whole = w == width
        for label, score, x0, y0, x1, y1 in rows:
            if int(label) not in COCO or score < LEAST:
                continue
            # What a crop cuts off belongs to the whole picture.
            cut = (x0 < 3 and x > 0) or (y0 < 3 and y > 0) or (x1 > w - 3 and x + w < width) or \
                (y1 > h - 3 and y + h < height)
            if not whole and cut:
                continue
            found.append((COCO[int(label)], score, x0 + x, y0 + y, x1 + x, y1 + y))
    rows = np.array(found, np.float32).reshape(-1, 6)
    rows = rows[nms(rows[:, 2:], rows[:, 1], 0.55, rows[:, 0])]
    rows[:, 2::2] = np.clip(rows[:, 2::2] / width, 0, 1)
    rows[:, 3::2] = np.clip(rows[:, 3::2] / height, 0, 1)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    teacher = Yolox(args.model)
    seen = json.loads(args.out.read_text()) if args.out.exists() else {}
    sources = json.loads((args.data / "sources.json").read_text())
    # Where the teacher is worth most comes first; the cache is usable at any time.
    order = ["dhaka-ai", "otlabels-unlabelled", "manaus-traffic", "capston-street", "coco-open53", "atl-highway",
             "farzad-overhead", "capston-indoor", "cctv-indoor"]
    order += sorted(set(sources) - set(order))
    for source in order:
        if source not in sources:
            continue
        names = (args.data / source / "train.txt").read_text().split()
        for number, name in enumerate(names):
            key = f"{source}/{pathlib.Path(name).stem}"
            if key in seen:
                continue
            picture = cv2.imread(str(args.data / source / name))
            seen[key] = [[int(r[0])] + [round(float(v), 4) for v in r[1:]] for r in look(teacher, picture)]
            if number % 200 == 199:
                print(f"{source} {number + 1}/{len(names)}", flush=True)
                write(args.out, seen)
        write(args.out, seen)
        print(f"{source} done, {len(names)}", flush=True)


def write(path, seen):
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(seen, separators=(",", ":")))
    beside.replace(path)


if __name__ == "__main__":
    main()
