"""``python -m training.crossvalidate FOLDER --out FOLDER``: train five networks, each held to the fifth it never saw.

Folds go in pairs: one run without both is shared, then goes on twice, each time with the other fold added.
So a network is trained for less than it would cost alone, and none ever saw the fold that it is judged on.
Kill it at any time: the same command goes on with the piece that was under way. Then the table.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch

from .__main__ import Run, add_settings, train
from .export import export
from .folder import FOLDS, Picture, examples, folds, pictures
from .out_of_fold import measure, table
from .sampler import Sampler
from .stains import simulated

PAIRS = ((1, 2), (3, 4), (0,))


class Course:
    """What all pieces share: the pictures, their folds, and how long and how to train."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.read = pictures(given.folder)
        self.fold = folds(self.read)

    def held(self, fold: int) -> list[Picture]:
        """Return the pictures of a fold."""
        return [p for p, f in zip(self.read, self.fold, strict=True) if f == fold]

    def train(self, folder: Path, without: tuple[int, ...], until: float) -> None:
        """Train in a folder until so many minutes, without some folds."""
        given = self.given
        torch.manual_seed(given.seed)
        folder.mkdir(parents=True, exist_ok=True)
        run = Run(folder, given.rate, tuple(given.widths))
        if run.cpu_s >= 60 * until:
            return
        print(f"{folder.name}: minute {run.cpu_s / 60:.1f} to {until:g}, without {without}", flush=True)
        chosen = [p for p, f in zip(self.read, self.fold, strict=True) if f not in without]
        sampler = Sampler(examples(chosen + simulated(given.simulated)), given.size, given.seed)
        train(run, sampler, given.minutes, given.batch, given.bfloat16, folder / "log.jsonl", until)

    def network_of(self, fold: int) -> Path:
        """Train the network of a fold, as far as it is not trained yet; return its checkpoint."""
        folder = self.given.out / f"fold_{fold}"
        checkpoint = folder / "checkpoint.pt"
        pair = next(pair for pair in PAIRS if fold in pair)
        if not checkpoint.exists() and len(pair) > 1:
            shared = self.given.out / ("without_" + "_".join(map(str, pair)))
            self.train(shared, pair, self.given.shared)
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(shared / "checkpoint.pt", checkpoint)
        self.train(folder, (fold,), self.given.minutes)
        return checkpoint


def main() -> None:
    """Read the arguments, train what is left, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m training.crossvalidate", description=__doc__)
    parser.add_argument("folder", type=Path, help="images/, labels/ and index.csv")
    parser.add_argument("--out", type=Path, required=True, help="where the checkpoints and figures go")
    parser.add_argument("--minutes", type=float, default=60.0, help="training of each network, the shared part counted")
    parser.add_argument("--shared", type=float, default=45.0, help="minutes that two folds share")
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(FOLDS)), help="those to train and measure")
    add_settings(parser)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    course = Course(given)
    figures = {}
    for fold in given.folds:
        checkpoint = course.network_of(fold)
        weights = checkpoint.with_name("starter.safetensors")
        export(checkpoint, weights)
        figures[fold] = measure(weights, course.held(fold), checkpoint.with_name("figures.json"))
        print(table(figures), flush=True)


if __name__ == "__main__":
    main()
