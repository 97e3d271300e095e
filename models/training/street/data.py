"""Batches: every picture is decoded once and stays in memory; a thread prepares what comes next."""
import queue
import threading

import cv2
import numpy as np
import torch

from . import augment
from .labels import MOTORCYCLE, BICYCLE, PERSON

BOXES_MAX = 96
AREAS_MAX = 64
# How often pictures of a source are taken, against 1; sources that label all and fixed cameras count more.
TAKEN = {"manaus-traffic": 2.0, "coco-open53": 3.0, "capston-street": 2.2, "capston-indoor": 1.2, "cctv-indoor": 3.5,
         "farzad-overhead": 0.5, "atl-highway": 0.8, "otlabels-unlabelled": 1.5, "drawn": 1.2}


def chances(known):
    """Running sum of how likely each picture is."""
    likely = []
    for one in known:
        has = lambda c: bool(((one.sets >> c) & 1).any())
        # Motorcycles and persons matter most, bicycles are few.
        factor = (1 + 1.5 * has(MOTORCYCLE)) * (1 + 2.0 * has(BICYCLE)) * (1 + 0.5 * has(PERSON))
        likely.append(TAKEN.get(one.source, 1.0) * factor * (1.0 if len(one.boxes) else 0.3))
    return np.cumsum(likely)


class Batches:
    """An endless row of batches that depends on the seed and the number of the step only."""

    def __init__(self, known, seed, first_step, size_of):
        cv2.setNumThreads(1)
        self.known, self.seed, self.size_of = known, seed, size_of
        self.pictures = [cv2.imread(str(one.path)) for one in known]
        self.chances = chances(known)
        self.ready = queue.Queue(4)
        threading.Thread(target=self.work, args=(first_step,), daemon=True).start()

    def work(self, step):
        while True:
            side, count = self.size_of(step)
            self.ready.put(self.batch(step, side, count))
            step += 1

    def batch(self, step, side, count):
        rng = np.random.default_rng([self.seed, step])
        pictures = np.empty((count, side, side, 3), np.uint8)
        boxes, sets = np.zeros((count, BOXES_MAX, 4), np.float32), np.zeros((count, BOXES_MAX), np.int64)
        areas, left_out = np.zeros((count, AREAS_MAX, 4), np.float32), np.zeros((count, AREAS_MAX), np.int64)
        weights = np.zeros((count, side // 8, side // 8, 6), np.float32)
        for i in range(count):
            picture, b, s, a, o, weights[i] = augment.sample(rng, self.pictures, self.known, self.chances, side)
            pictures[i] = picture[..., ::-1]
            b, s, a, o = b[:BOXES_MAX], s[:BOXES_MAX], a[:AREAS_MAX], o[:AREAS_MAX]
            boxes[i, :len(b)], sets[i, :len(s)], areas[i, :len(a)], left_out[i, :len(o)] = b, s, a, o
        bits = lambda n: torch.from_numpy((n[..., None] >> np.arange(6) & 1).astype(bool))
        most, many = max(1, int((sets != 0).sum(1).max())), max(1, int((left_out != 0).sum(1).max()))
        return (torch.from_numpy(pictures), torch.from_numpy(boxes)[:, :most], bits(sets)[:, :most],
                torch.from_numpy(areas)[:, :many], bits(left_out)[:, :many], torch.from_numpy(weights))

    def __next__(self):
        return self.ready.get()
