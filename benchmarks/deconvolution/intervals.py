"""90 % intervals on simulated spots of each kind: how often they hold the truth, and how wide they are.

The oracle's width is that of intervals learnt from the very spots and their truth: between the 5 % and the
95 % quantile of the error among spots of like proportions.

After a re-fit the intervals are those of the last run, about the new proportions: that they still hold the truth
is measured where the hand has given true shares in some spots, on all the other spots.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from napari_spatialml.core import Proportions
from napari_spatialml.core.deconvolution import Constraints
from napari_spatialml.methods import method
from napari_spatialml.session.refitting import moved

from ..figures import Figure
from .simulate import FEW_KINDS, KINDS, Simulated, simulate
from .simulated import SEEDS, there

__all__ = ["covered", "measure", "oracle_width", "refitted"]

Array = npt.NDArray[np.float64]
BY_HAND = 20
"""Spots in which the hand gives the true share of the type that they hold most of."""
CLASSES = ((0.0, 0.1), (0.1, 0.3), (0.3, 0.6), (0.6, 1.0))


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield coverage, of which it must be between 85 and 95 %, by true size too, and widths, for each kind."""
    chosen = [k for k in (KINDS if os.environ.get("NAPARI_SPATIALML_BENCHMARK_LARGE") else FEW_KINDS) if there(k)]
    every, again = [], []
    for kind in chosen:
        parts = [_both(simulate(kind, seed), seed) for seed in SEEDS]
        found = {name: float(np.nanmean([part[name] for part in parts])) for name in parts[0]}
        every.append(found["all"])
        again.append(found["free spots after a re-fit"])
        for name, value in found.items():
            floor = 85.0 if name in ("all", "free spots after a re-fit") else None
            unit = "" if "width" in name else "%"
            figure = Figure(value, unit, floor, False, data=f"{kind.name}, mean of {len(SEEDS)} seeds", seed=SEEDS[0])
            yield f"{kind.name}: {name}", figure
    what = f"{len(every)} kinds"
    yield "least coverage of a kind", Figure(min(every), "%", 85.0, False, data=what)
    yield "greatest coverage of a kind", Figure(max(every), "%", 95.0, True, data=what)
    yield "least coverage of a kind after a re-fit", Figure(min(again), "%", 85.0, False, data=what)
    yield "greatest coverage of a kind after a re-fit", Figure(max(again), "%", 95.0, True, data=what)


def _both(made: Simulated, seed: int) -> dict[str, float]:
    found = told(made)
    return covered(made, found) | refitted(made, found, seed)


def told(made: Simulated) -> Proportions:
    """Return what the default method says."""
    return method("deconvolution", "negative-binomial")()(made.spots, made.reference)


def covered(made: Simulated, found: Proportions) -> dict[str, float]:
    """Return the percentages of true shares of cells that lie within their intervals, and the widths."""
    assert found.lower is not None and found.upper is not None
    known = np.isfinite(made.cells).all(1) & np.isfinite(found.lower).all(1)
    truth, lower, upper = made.cells[known], found.lower[known], found.upper[known]
    held = (truth >= lower - 1e-9) & (truth <= upper + 1e-9)
    shares = {"all": held.mean(), "truth above 0": held[truth > 0].mean(), "truth 0": held[truth == 0].mean()}
    for low, high in CLASSES:
        here = (truth > low) & (truth <= high)
        shares[f"truth {low:g} to {high:g}"] = held[here].mean() if here.any() else np.nan
    widths = {"mean width": (upper - lower).mean(), "oracle's mean width": oracle_width(truth, found.values[known])}
    return {name: 100 * float(value) for name, value in shares.items()} | {k: float(v) for k, v in widths.items()}


def oracle_width(truth: Array, values: Array, groups: int = 20) -> float:
    """Return the mean width of intervals that are learnt from the truth, among like proportions."""
    off = (truth - values).ravel()
    parts = np.array_split(np.argsort(values.ravel(), kind="stable"), groups)
    return float(np.mean([np.quantile(off[part], 0.95) - np.quantile(off[part], 0.05) for part in parts]))


def refitted(made: Simulated, found: Proportions, seed: int) -> dict[str, float]:
    """Return the coverage of the spots that the hand leaves free, before it speaks in others and after the re-fit."""
    rng = np.random.default_rng(seed)
    known = np.flatnonzero(np.isfinite(made.cells).all(1) & ~found.empty)
    rows = np.sort(rng.choice(known, min(BY_HAND, len(known) // 2), replace=False))
    lower, upper = np.zeros((len(rows), len(made.types))), np.ones((len(rows), len(made.types)))
    place = np.arange(len(rows)), made.cells[rows].argmax(1)
    lower[place] = upper[place] = made.cells[rows].max(1)
    spots = replace(made.spots, constraints=Constraints(made.types, rows, lower, upper), start=found)
    again = method("deconvolution", "negative-binomial")(intervals=False)(spots, made.reference)
    free = np.setdiff1d(np.arange(len(made.cells)), rows)
    each = {"before": found, "after": moved(again, found)}
    return {f"free spots {when} a re-fit": _held(made.cells[free], one, free) for when, one in each.items()}


def _held(truth: Array, found: Proportions, rows: npt.NDArray[np.intp]) -> float:
    assert found.lower is not None and found.upper is not None
    held = (truth >= found.lower[rows] - 1e-9) & (truth <= found.upper[rows] + 1e-9)
    return 100 * float(held[np.isfinite(truth).all(1) & np.isfinite(found.lower[rows]).all(1)].mean())
