"""Learning from corrections: how much a few corrected tiles raise the precision on a kind that was never seen.

No set of images with truth is at hand that the embedded network has not seen in kind. So a kind is made
that it cannot know: fluorescence images of the fold that was held out from its training, as differential
interference contrast would show them: the derivative of the root of the light along a diagonal, which is
bright on one side of each nucleus and dark on the other, with noise of the camera added. The pixels are
real, the truth is untouched, and the truth has no part in the rendering.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from napari_spatialml.core.learning import AT, Lesson, Outcome, pooled_precision, study
from napari_spatialml.core.segmentation import Pixels
from napari_spatialml.methods import method

from .figures import Figure

__all__ = ["SUBJECT", "measure", "relief"]

SUBJECT = "learning"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "nuclei_train"
PIXEL_SIZE_UM = 0.5
"""The images carry no pixel size: this is passed for all of them, whatever their magnification."""
TILE, HELD_OUT = 256, 12
TILES, SEEDS = (1, 2, 5, 10), (0, 1, 2)
SECONDS = 90.0


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the curve over the number of tiles, what is forgotten, and the time; only where the images are."""
    if not DATA.is_dir():
        warnings.warn(f"NOT MEASURED ON REAL IMAGES: there is no folder {DATA}.", stacklevel=2)
        return
    tiles = _tiles()
    others, pool = tiles[:HELD_OUT], tiles[HELD_OUT:]
    cells = sum(len(np.unique(one)) - 1 for _, one in others)
    data = f"{HELD_OUT} held-out tiles of {TILE}² pixels, {cells:,} nuclei, in relief; {len(SEEDS)} draws of tiles"
    with TemporaryDirectory() as folder:
        for n in TILES:
            found = [_learned(pool, others, n, seed, Path(folder) / "w.safetensors") for seed in SEEDS]
            yield from _curve(n, [outcome for outcome, _ in found], data)
            if n == 5:
                yield from _forgotten(found[0][0], others)
        yield from _seconds(pool, Path(folder) / "w.safetensors")


def relief(values: np.ndarray, seed: int) -> np.ndarray:
    """Return a fluorescence image (y, x) as differential interference contrast would show it, (y, x) uint8."""
    from scipy.ndimage import gaussian_filter

    low, high = np.percentile(values, (1, 99.8))
    light = np.sqrt(np.clip((values - low) / max(high - low, 1e-6), 0, 1.5))
    smooth = gaussian_filter(light.astype(np.float64), 1.0)
    slope = np.roll(smooth, (-1, -1), (0, 1)) - np.roll(smooth, (1, 1), (0, 1))
    noise = np.random.default_rng(seed).normal(0, 4, values.shape)
    return np.clip(128 + 90 * slope / max(np.percentile(np.abs(slope), 99), 1e-6) + noise, 0, 255).astype(np.uint8)


def _tiles() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return a tile from the middle of each larger fluorescence image of the held-out fold, and its labels."""
    from training.folder import folds, pictures

    read = pictures(DATA)
    chosen = [
        p
        for p, fold in zip(read, folds(read), strict=True)
        if fold == 0 and p.kind == "fluorescence" and min(p.labels.shape) > TILE and p.labels.max() >= 12
    ]
    found = []
    for i in np.random.default_rng(0).permutation(len(chosen)):
        values, labels = chosen[i].values[0], chosen[i].labels
        y, x = ((n - TILE) // 2 for n in labels.shape)
        found.append((values[y : y + TILE, x : x + TILE], labels[y : y + TILE, x : x + TILE]))
    return [(values, labels) for values, labels in found if len(np.unique(labels)) > 4]


def _lesson(tile: tuple[np.ndarray, np.ndarray], seed: int, plain: bool = False) -> Lesson:
    values, labels = tile
    pixels = Pixels((values if plain else relief(values, seed))[None], PIXEL_SIZE_UM)
    return Lesson(pixels, np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int32), pixels)


def _starter() -> Any:
    return method("segmentation", "starter")(stain="fluorescence", device="cpu")


def _learned(pool: list[Any], others: list[Any], n: int, seed: int, file: Path) -> tuple[Outcome, float]:
    """Let the starter learn from ``n`` tiles drawn by the seed, and judge it on the others."""
    drawn = np.random.default_rng([seed, 1]).permutation(len(pool))[:n]
    lessons = [_lesson(pool[i], 1000 + int(i)) for i in drawn]
    start = time.perf_counter()
    outcome = study(_starter(), lessons, [_lesson(t, i) for i, t in enumerate(others)], file, seed)
    return outcome, time.perf_counter() - start


def _curve(n: int, outcomes: list[Outcome], data: str) -> Iterator[tuple[str, Figure]]:
    """Yield the precision after learning from ``n`` tiles, the floor being what it was before."""
    for k, at in enumerate(AT):
        after, before = (np.array([side[k] for side in sides]) for sides in
                         ([o.after for o in outcomes], [o.before for o in outcomes]))  # fmt: skip
        floor = float(before.max()) if n == 5 and at == 0.5 else None
        spread = f"{data}; {after.min():.2f} to {after.max():.2f}, before {before.mean():.2f}"
        name = f"AP@{at:g} after learning from {n} tile{'s' if n > 1 else ''}"
        yield name, Figure(float(after.mean()), "", floor, False, "before", float(before.mean()), spread, SEEDS[0])


def _forgotten(outcome: Outcome, others: list[Any]) -> Iterator[tuple[str, Figure]]:
    """Yield how well the held-out tiles are still segmented as they were taken, without relief."""
    plain = [_lesson(tile, 0, plain=True) for tile in others]
    told = _starter().told(plain)
    learner: Any = outcome.learner
    before, after = (
        pooled_precision([(o.labels, s.attempt(o)) for o in plain])[0]
        for s in (told, replace(told, weights=learner.weights))
    )
    data = f"the same {len(plain)} tiles in plain fluorescence, after learning from 5 in relief"
    yield "AP@0.5 on what it knew", Figure(float(after), "", None, False, "before", float(before), data, SEEDS[0])


def _seconds(pool: list[Any], file: Path) -> Iterator[tuple[str, Figure]]:
    """Yield how long 20 corrected windows take, a third of them held out: from Learn to before and after."""
    twenty = [pool[i % len(pool)] for i in range(20)]
    start = time.process_time()
    _, took = _learned(twenty[:13], twenty[13:], 13, 0, file)
    used = time.process_time() - start
    data = f"20 windows of {TILE}² pixels, 7 of them held out; {used:.0f} s of processor time"
    yield "learning from 20 windows", Figure(took, "s", SECONDS, data=data, seed=0)
