"""Simulated spots of each kind: NNLS, Tangram and FlashDeconv beside the default method, in one run.

All are held to the true share of a spot's cells; RMSE to the share of RNA is a second figure. NNLS is the
better of raw and normalised counts, by its RMSE on each data set. Beside them stands what the default's likelihood
reaches when it is told what no method can know (`bounds`). With ``NAPARI_SPATIALML_BENCHMARK_LARGE=1`` all kinds are
run, else a few in which each property of a kind takes each of its values.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np

from napari_spatialml.core import Reference, Spots
from napari_spatialml.core.metrics import rmse
from napari_spatialml.methods import methods

from ..figures import Figure
from . import peers
from .bounds import GIVEN, bound
from .cells import DATA
from .measures import LOWER_IS_BETTER, measures
from .simulate import FEW_KINDS, KINDS, Kind, simulate

__all__ = ["OURS", "answers", "compared", "measure", "there"]

OURS = ("negative-binomial", "weighted-nnls", "graph-nnls")
SEEDS = (31, 32, 33)
"""Fresh ones: no constant of the methods was chosen on them."""
Scores = dict[str, dict[str, list[float]]]


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield, for each kind, every method's figures, and what the default reaches against its floors."""
    chosen = [k for k in (KINDS if os.environ.get("NAPARI_SPATIALML_BENCHMARK_LARGE") else FEW_KINDS) if there(k)]
    ratios: dict[str, list[float]] = defaultdict(list)
    for kind in chosen:
        scores = _scores(kind)
        for name, figure in compared(scores, kind.name, SEEDS[0]):
            yield f"{kind.name}: {name}", figure
        for peer in ("NNLS", "FlashDeconv", "Tangram"):
            if peer in scores and OURS[0] in scores:
                ratios[peer].append(_median(scores, OURS[0], "RMSE") / _median(scores, peer, "RMSE"))
    floors = {"NNLS": 0.75, "FlashDeconv": 1.0, "Tangram": None}
    for peer, found in ratios.items():
        what = f"{len(found)} kinds, {len(SEEDS)} seeds"
        yield (
            f"RMSE, share of {peer}'s, median over kinds",
            Figure(float(np.median(found)), "", floors[peer], data=what),
        )
        yield f"RMSE, share of {peer}'s, worst kind", Figure(max(found), "", floors[peer], data=what)


def there(kind: Kind) -> bool:
    if kind.source == "atlas" or DATA.is_dir():
        return True
    print(f"NOT MEASURED: {kind.name}; there is no folder {DATA}.")
    return False


def _scores(kind: Kind) -> Scores:
    """Return the figures by method and name, one value a seed."""
    made = {str(seed): simulate(kind, seed) for seed in SEEDS}
    theirs = peers.others({seed: (one.spots, one.reference) for seed, one in made.items()})
    scores: Scores = defaultdict(lambda: defaultdict(list))
    for seed, one in made.items():
        plain = peers.nnls(one.spots, one.reference)
        there = np.isfinite(one.cells).all(1)
        better = min(plain.values(), key=lambda answer: rmse(one.cells[there], answer.values[there]))
        for name, answer in {**answers(one.spots, one.reference), **theirs[seed], "NNLS": better}.items():
            found = measures(one.cells, answer.values)
            found |= {"RMSE to RNA": measures(one.rna, answer.values)["RMSE"], "seconds": answer.seconds}
            for what, value in found.items():
                scores[name][what].append(value)
        for given, told in GIVEN.items():
            scores[f"{OURS[0]}, {given}"]["RMSE"].append(rmse(one.cells[there], bound(one, *told)[there]))
    return scores


def answers(spots: Spots, reference: Reference) -> dict[str, peers.Answer]:
    """Return what our methods say, with all parameters at their defaults, and their seconds on one thread."""
    found = {}
    known = methods("deconvolution")
    for name in (name for name in OURS if name in known):
        start = time.process_time()
        values = known[name]()(spots, reference).values
        found[name] = peers.Answer(values, time.process_time() - start)
    return found


def compared(scores: Mapping[str, Mapping[str, list[float]]], data: str, seed: int) -> Iterator[tuple[str, Figure]]:
    """Yield every method's figures as medians, with the spread over seeds, and the floors that peers set for ours."""
    for name, found in scores.items():
        for what, values in found.items():
            spread = f"{data}; {min(values):.4g} to {max(values):.4g} over {len(values)} seeds"
            floor, peer, theirs = _floor(scores, what) if name == OURS[0] else (None, "", None)
            lower = LOWER_IS_BETTER.get(what, True)
            unit = "s" if what == "seconds" else ""
            yield f"{name}, {what}", Figure(float(np.median(values)), unit, floor, lower, peer, theirs, spread, seed)


def _floor(scores: Mapping[str, Mapping[str, list[float]]], what: str) -> tuple[float | None, str, float | None]:
    """Return the worst that ours may be: 0.75 of NNLS's error and FlashDeconv's, or their better score."""
    there = [name for name in ("NNLS", "FlashDeconv") if name in scores]
    if what not in LOWER_IS_BETTER or not there:
        return None, "", None
    lower = LOWER_IS_BETTER[what]
    allowed = {name: _median(scores, name, what) * (0.75 if lower and name == "NNLS" else 1.0) for name in there}
    name = min(allowed, key=lambda one: allowed[one] if lower else -allowed[one])
    return allowed[name], name, _median(scores, name, what)


def _median(scores: Mapping[str, Mapping[str, list[float]]], name: str, what: str) -> float:
    return float(np.median(scores[name][what]))
