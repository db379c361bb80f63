"""``python -m training FOLDER --out FOLDER --minutes 60``: train, or go on from where a run was stopped.

Kill it at any time: the same command continues from the last checkpoint. The learning rate follows the
minutes that the processor spent, so that it has come down when they are over, however busy the machine;
or those of the clock, where they are given too and run out first.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_spatialml.core.flow_network import WIDTHS, PackedFlowNetwork
from napari_spatialml.core.flow_training import loss_of

from .folder import examples, folds, pictures
from .muon import optimisers
from .sampler import Sampler
from .stains import simulated
from .widen import widened, widths_of

SAVE_EVERY_S = 150.0


def rate(part: float, peak: float) -> float:
    """Return the learning rate after a part (0 to 1) of the time: up at once, down as a cosine."""
    warm = 0.03
    if part < warm:
        return peak * (0.05 + 0.95 * part / warm)
    return peak * (0.005 + 0.995 * 0.5 * (1 + math.cos(math.pi * min((part - warm) / (1 - warm), 1))))


class Run:
    """A training run: the network, its running mean, the optimisers, and how far it got."""

    def __init__(self, out: Path, learning_rate: float, widths: tuple[int, ...] = WIDTHS) -> None:
        self.path = out / "checkpoint.pt"
        self.net = PackedFlowNetwork(widths).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.mean: dict[str, Tensor] = {k: v.detach().clone() for k, v in self.net.state_dict().items()}
        self.optimisers = optimisers(self.net, learning_rate)
        self.step, self.elapsed_s, self.cpu_s = 0, 0.0, 0.0
        if self.path.exists():
            held = torch.load(self.path, weights_only=True)
            self._take(held)
            self.mean, self.step = held["mean"], held["step"]
            self.elapsed_s, self.cpu_s = held["elapsed_s"], held["cpu_s"]

    def start(self, other: Path) -> None:
        """Start with another run's weights, widened where need be, and with a clock and a running mean of its own."""
        held = torch.load(other, weights_only=True)
        if widths_of(held["net"]) == widths_of(self.net.state_dict()):
            self._take(held)
        else:  # momenta of fewer channels are of no use
            self.net.load_state_dict(widened(held["net"], self.net.state_dict()))
        self.mean = {k: v.detach().clone() for k, v in self.net.state_dict().items()}

    def _take(self, held: dict[str, Any]) -> None:
        self.net.load_state_dict(held["net"])
        for (optimiser, _), state in zip(self.optimisers, held["optimisers"], strict=True):
            optimiser.load_state_dict(state)

    def save(self) -> None:
        """Write the checkpoint beside the last one, then put it in its place."""
        held: dict[str, Any] = {"net": self.net.state_dict(), "mean": self.mean}
        held["optimisers"] = [optimiser.state_dict() for optimiser, _ in self.optimisers]
        held |= {"step": self.step, "elapsed_s": self.elapsed_s, "cpu_s": self.cpu_s}
        fresh = self.path.with_suffix(".new")
        torch.save(held, fresh)
        os.replace(fresh, self.path)

    def part(self, minutes: float, by_clock: float = math.inf) -> float:
        """Return the part of the time that is over: of the processor's minutes, or of the clock's if that is more."""
        return max(self.cpu_s / minutes, self.elapsed_s / by_clock) / 60

    def advance(self, batch: tuple[np.ndarray, ...], part: float, bfloat16: bool) -> tuple[float, float]:
        """Take one step."""
        planes, target, counts = (torch.from_numpy(array) for array in batch)
        for optimiser, peak in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate(part, peak)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            output = self.net(planes.contiguous(memory_format=torch.channels_last))
        flow, cell = loss_of(output.float(), target, counts)
        self.net.zero_grad(set_to_none=True)
        (flow + cell).backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        for optimiser, _ in self.optimisers:
            optimiser.step()
        self.step += 1
        self._average()
        return flow.item(), cell.item()

    def _average(self) -> None:
        keep = min(0.999, (1 + self.step) / (10 + self.step))
        for name, now in self.net.state_dict().items():
            if now.is_floating_point():
                self.mean[name].lerp_(now, 1 - keep)
            else:
                self.mean[name].copy_(now)


def train(
    run: Run,
    sampler: Sampler,
    minutes: float,
    batch: int,
    bfloat16: bool,
    log: Path,
    until: float = math.inf,
    by_clock: float = math.inf,
) -> None:
    """Train until the minutes, those of earlier pieces counted in, are over: the processor's, or those by the clock.

    Or until fewer of the processor's are, with the rate that leads to the end.
    """
    saved, shown = time.monotonic(), time.monotonic()
    flows, cells = [], []
    clock, cpu = time.monotonic(), time.process_time()
    while (part := run.part(minutes, by_clock)) < 1 and run.cpu_s < 60 * until:
        flow, cell = run.advance(sampler.batch(run.step, batch), part, bfloat16)
        flows.append(flow)
        cells.append(cell)
        now, now_cpu = time.monotonic(), time.process_time()
        run.elapsed_s += now - clock
        run.cpu_s += now_cpu - cpu
        clock, cpu = now, now_cpu
        if now - shown > 20:
            line = {"step": run.step, "minutes": round(run.elapsed_s / 60, 2), "cpu_minutes": round(run.cpu_s / 60, 2)}
            line |= {"flow": round(float(np.mean(flows)), 4), "cell": round(float(np.mean(cells)), 4)}
            line |= {"rate": round(rate(part, run.optimisers[-1][1]), 6)}
            with log.open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(json.dumps(line), flush=True)
            flows, cells, shown = [], [], now
        if now - saved > SAVE_EVERY_S:
            run.save()
            saved = time.monotonic()
    run.save()


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of every training: what is drawn, how fast it learns, on what it runs."""
    parser.add_argument("--simulated", type=int, default=6, help="simulated sections in H&E to add")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--size", type=int, default=224, help="edge of a crop in pixels")
    parser.add_argument("--rate", type=float, default=1.5e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--widths", type=int, nargs=3, default=WIDTHS, help="channels of the three levels")
    parser.add_argument("--bfloat16", action="store_true", help="half precision, where the processor has it")


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("folder", type=Path, help="images/, labels/ and index.csv")
    parser.add_argument("--out", type=Path, required=True, help="where the checkpoint goes")
    parser.add_argument("--minutes", type=float, default=60.0, help="of the processor, the run's pieces together")
    parser.add_argument("--by-clock", type=float, default=math.inf, help="minutes, those of the pieces together")
    parser.add_argument(
        "--start", type=Path, help="checkpoint of a run on the same images to go on from, of this network or a narrower"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--fold", type=int, default=0, help="the fifth of the images that is held out")
    which.add_argument("--all", action="store_true", help="hold nothing out")
    add_settings(parser)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(given.seed)
    given.out.mkdir(parents=True, exist_ok=True)
    read = pictures(given.folder)
    fold = folds(read)
    held_out = [] if given.all else [p.name for p, f in zip(read, fold, strict=True) if f == given.fold]
    (given.out / "held_out.txt").write_text("\n".join(held_out) + "\n")
    chosen = examples([p for p in read if p.name not in set(held_out)] + simulated(given.simulated))
    print(f"{len(chosen)} images to train on, {len(held_out)} held out", flush=True)
    run = Run(given.out, given.rate, tuple(given.widths))
    if given.start and not run.step:
        run.start(given.start)
    sampler = Sampler(chosen, given.size, given.seed)
    train(run, sampler, given.minutes, given.batch, given.bfloat16, given.out / "log.jsonl", by_clock=given.by_clock)


if __name__ == "__main__":
    main()
