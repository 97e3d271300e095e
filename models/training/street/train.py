"""Trains the network from pictures to a checkpoint; stopped at any time, it goes on where it was.

    python -m street.train --data FOLDER --out FOLDER (--steps N | --minutes M) [--teacher FILE] [--start FILE]
"""
import argparse
import copy
import math
import os
import pathlib
import signal
import time
import warnings

import numpy as np
import torch

from . import checkpoint, labels
from .data import Batches
from .loss import loss
from .net import Street


def options(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, action="append", required=True, help="folder with sources.json")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="checkpoints and the learning curve")
    parser.add_argument("--teacher", type=pathlib.Path, help="what a teacher saw (street.teacher)")
    parser.add_argument("--start", type=pathlib.Path, help="weights to begin with, instead of random ones")
    parser.add_argument("--size", default="street")
    parser.add_argument("--steps", type=int, help="ends after so many steps: the same seed gives the same weights")
    parser.add_argument("--minutes", type=float, help="ends after so many minutes of training")
    parser.add_argument("--stop-after", type=int, help="stop after so many steps; the next start goes on")
    parser.add_argument("--plan", default="0.25:192x16,0.8:256x16,1:416x12", help="until which share of it, side x batch")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--warm", type=int, default=150, help="steps until the full rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--save-every", type=float, default=120, help="seconds")
    args = parser.parse_args(argv)
    if (args.steps is None) == (args.minutes is None):
        parser.error("one of --steps and --minutes")
    return args


class Plan:
    """How far it is, and what that means for the side, the batch and the rate."""

    def __init__(self, args):
        self.args, self.step, self.seconds = args, 0, 0.0
        self.parts = [(float(until), *map(int, what.split("x"))) for until, what in
                      (part.split(":") for part in args.plan.split(","))]

    def share(self):
        if self.args.steps:
            return self.step / self.args.steps
        return self.seconds / (60 * self.args.minutes)

    def size_of(self, step):
        share = step / self.args.steps if self.args.steps else self.share()
        return next((what for until, *what in self.parts if share < until), self.parts[-1][1:])

    def rate(self):
        # Cosine to a fiftieth.
        down = 0.02 + 0.98 * (1 + math.cos(math.pi * min(1.0, self.share()))) / 2
        return self.args.rate * down * min(1.0, (self.step + 1) / self.args.warm)


class Trainer:
    def __init__(self, args):
        self.args = args
        torch.manual_seed(args.seed)
        np.random.seed(args.seed)
        if args.threads:
            torch.set_num_threads(args.threads)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.net = Street(args.size)
        if args.start:
            checkpoint.fill(self.net, args.start)
        self.net.to(self.device, memory_format=torch.channels_last).train()
        norm = [p for p in self.net.parameters() if p.dim() < 2]
        other = [p for p in self.net.parameters() if p.dim() >= 2]
        self.rule = torch.optim.AdamW([{"params": other, "weight_decay": 0.02}, {"params": norm, "weight_decay": 0.0}],
                                      lr=args.rate, betas=(0.9, 0.98))
        # A running mean of the weights is what is kept.
        self.mean = copy.deepcopy(self.net).eval()
        self.plan = Plan(args)
        args.out.mkdir(parents=True, exist_ok=True)
        self.state = args.out / "state.pt"
        self.curve = args.out / "curve.csv"
        if self.state.exists():
            self.resume()
        if not self.curve.exists():
            self.curve.write_text("step,pictures,seconds,cpu_seconds,side,rate,loss,box,score\n")

    def resume(self):
        kept = torch.load(self.state, map_location=self.device)
        self.net.load_state_dict(kept["net"])
        self.mean.load_state_dict(kept["mean"])
        self.rule.load_state_dict(kept["rule"])
        self.plan.step, self.plan.seconds = kept["step"], kept["seconds"]
        self.pictures, self.cpu = kept["pictures"], kept["cpu"]
        print(f"going on from step {self.plan.step}", flush=True)

    pictures, cpu = 0, 0.0

    def save(self):
        beside = self.state.with_suffix(".part")
        torch.save({"net": self.net.state_dict(), "mean": self.mean.state_dict(), "rule": self.rule.state_dict(),
                    "step": self.plan.step, "seconds": self.plan.seconds, "pictures": self.pictures, "cpu": self.cpu},
                   beside)
        os.replace(beside, self.state)
        checkpoint.save(self.mean, self.args.out / "weights.npz")

    def one(self, batch):
        for group in self.rule.param_groups:
            group["lr"] = self.plan.rate()
        batch = [part.to(self.device, non_blocking=True) for part in batch]
        x = batch[0].permute(0, 3, 1, 2).to(memory_format=torch.channels_last).float().div_(255)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            maps = self.net(x)
        found, box, score = loss(maps, batch)
        self.rule.zero_grad(set_to_none=True)
        found.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 10.0)
        self.rule.step()
        self.plan.step += 1
        self.pictures += len(x)
        keep = min(0.998, self.plan.step / (self.plan.step + 20))
        with torch.no_grad():
            for mine, new in zip(self.mean.state_dict().values(), self.net.state_dict().values()):
                mine.lerp_(new, 1 - keep) if mine.dtype.is_floating_point else mine.copy_(new)
        return found.item(), box, score

    def run(self):
        known = labels.load(self.args.data, "train", self.args.teacher)
        counts = [sum(int(((k.sets >> c) & 1).sum()) for k in known) for c in range(6)]
        print(f"{len(known)} pictures; " + ", ".join(f"{n} {c}" for n, c in zip(labels.NAMES, counts)), flush=True)
        batches = Batches(known, self.args.seed, self.plan.step, self.plan.size_of)
        ended = []
        signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
        last = saved = said = time.monotonic()
        cpu = time.process_time()
        sums = []
        until = self.plan.step + self.args.stop_after if self.args.stop_after else None
        while self.plan.share() < 1 and not ended and self.plan.step != until:
            batch = next(batches)
            sums.append(self.one(batch))
            now = time.monotonic()
            self.plan.seconds += now - last
            self.cpu += time.process_time() - cpu
            last, cpu = now, time.process_time()
            if now - said > 20:
                self.say(batch[0].shape[1], np.mean(sums, 0))
                said, sums = now, []
            if now - saved > self.args.save_every:
                self.save()
                saved = now
        if sums:
            self.say(batch[0].shape[1], np.mean(sums, 0))
        self.save()

    def say(self, side, mean):
        row = (f"{self.plan.step},{self.pictures},{self.plan.seconds:.0f},{self.cpu:.0f},{side},"
               f"{self.plan.rate():.2e},{mean[0]:.4f},{mean[1]:.4f},{mean[2]:.4f}")
        with self.curve.open("a") as file:
            file.write(row + "\n")
        print(f"{100 * self.plan.share():5.1f} %  step {self.plan.step}  {self.pictures} pictures  side {side}  "
              f"loss {mean[0]:.3f} (box {mean[1]:.3f}, score {mean[2]:.3f})", flush=True)


if __name__ == "__main__":
    # What torch 1.13 says of a function that is stable since.
    warnings.filterwarnings("ignore", message="scatter_reduce")
    Trainer(options()).run()
