"""Registration of pairs made of real images: other stains and instruments, part overlap, and what lies on a slide.

Settings were chosen on the images of `CHOSEN`; these figures are of those of `HELD_OUT`. A pair is *right* below a
median error of 2 % of the diagonal, *silent* where it is wrong without a warning.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from napari_spatialml.core.slide_ink import foreign
from napari_spatialml.methods import method

from ..figures import Figure
from .image_pairs import DATA, Array
from .images import RIGHT
from .simulated_pairs import HELD_OUT, MODALITIES, Recipe, histology, made
from .slide_artefacts import ARTEFACTS, INKS, pen

__all__ = ["measure"]

SEED = 100
OVERLAPS = (0.5, 0.6, 0.7)
SHRUNK = (1.0, 1.7, 3.0)


@dataclass(frozen=True)
class Judged:
    """How one pair came out."""

    right: bool
    offered: bool
    warned: bool
    seconds: float


def judged(recipe: Recipe) -> Judged:
    """Register the pair of a recipe, and compare with the truth."""
    known = made(recipe)
    start = time.process_time()
    found = method("registration", "images")(bend="none")(known.pair)
    seconds = time.process_time() - start
    near = [
        bool(np.median(known.errors(t)) < RIGHT) for t in (found.transform, *(c.transform for c in found.candidates))
    ]
    return Judged(near[0], any(near), bool(found.trust and found.trust.warning), seconds)


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the figures; none where the data are absent."""
    if not (DATA / "kidney_pair").is_dir():
        print(f"not measured: there is no folder {DATA / 'kidney_pair'}")
        return
    yield from _ink()
    yield from _counted("with artefacts", _with_artefacts())
    yield from _counted("other stains and instruments", _modalities())
    overlaps = (Recipe(n, seed=SEED + k, overlap=o) for n in HELD_OUT for k, o in enumerate(OVERLAPS))
    yield from _counted("50 to 70 % overlap, restained", overlaps)


def _with_artefacts() -> Iterator[Recipe]:
    """Yield a pair for each image and artefact, which lies on the moving or on the fixed side, or ink on both."""
    for name in HELD_OUT:
        for k, (artefact, draw) in enumerate(ARTEFACTS.items()):
            both = artefact in ("black pen", "blue pen")
            fixed, moving = (draw if both or k % 2 == side else None for side in (1, 0))
            yield Recipe(name, seed=SEED + k, fixed_by=fixed, moving_by=moving)


def _modalities() -> Iterator[Recipe]:
    """Yield a pair for each image, modality and size of pixel."""
    for name in HELD_OUT:
        for k, modality in enumerate(MODALITIES):
            for shift in (0, 1):
                size = SHRUNK[(k + shift) % 3]
                yield Recipe(name, modality, SEED + 10 * shift + k, shrunk=size, told=shift == 0 or size > 2)


def _counted(name: str, recipes: Iterable[Recipe]) -> Iterator[tuple[str, Figure]]:
    runs = [judged(recipe) for recipe in recipes]
    data = f"{', '.join(HELD_OUT)}, turned at random, bent by 0.6 % of the edge"
    total = f"of {len(runs)}"
    yield f"{name}: right", Figure(sum(r.right for r in runs), total, None, False, data=data, seed=SEED)
    offered = sum(r.offered for r in runs)
    yield f"{name}: right among the candidates", Figure(offered, total, None, False, data=data, seed=SEED)
    silent = sum(not r.right and not r.warned for r in runs)
    yield f"{name}: wrong without a warning", Figure(silent, total, 0, data=data, seed=SEED)
    needless = sum(r.right and r.warned for r in runs)
    yield f"{name}: right with a warning", Figure(needless, total, data=data, seed=SEED)
    seconds = float(np.median([r.seconds for r in runs]))
    yield f"{name}: seconds, median", Figure(seconds, "s", data=data, seed=SEED)


def _ink() -> Iterator[tuple[str, Figure]]:
    """Yield how much of the ink is left out, and how much of clean tissue in any bright-field stain."""
    data = f"{', '.join(HELD_OUT)}; three drawings each"
    for colour in INKS:
        shares = []
        for name in HELD_OUT:
            image = histology(name)
            for seed in range(SEED, SEED + 3):
                drawn = pen(image, np.random.default_rng(seed), colour)
                under = np.abs(drawn.astype(float) - image).max(0) > 40
                shares.append(100 * float(_mask(drawn)[under].mean()))
        yield f"{colour} ink left out", Figure(float(np.mean(shares)), "%", None, False, data=data, seed=SEED)
    stains = [m for m in MODALITIES if m in ("H&E", "restained", "immunohistochemistry")]
    lost = []
    for name in HELD_OUT:
        for seed, stain in enumerate(stains):
            image = MODALITIES[stain](histology(name), np.random.default_rng(SEED + seed))
            dense = image.mean(0) < 0.88 * np.percentile(image, 95)
            lost.append(100 * float(_mask(image)[dense].mean()))
    yield "clean tissue left out, worst of nine", Figure(max(lost), "%", 2.0, data=f"{data}; {', '.join(stains)}")


def _mask(image: Array) -> Array:
    return foreign(image.astype(np.float32), np.ones(image.shape[1:], np.float32))
