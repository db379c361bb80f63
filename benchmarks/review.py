"""Which cells come first in the review queue: real segmentations of `nuclei`, which nothing was fitted on."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .figures import Figure, seconds

__all__ = ["SUBJECT", "measure"]

SUBJECT = "review"
SEED = 0
DATA = Path(__file__).parents[2] / "shared" / "data" / "nuclei"
WEIGHTS = "NAPARI_SPATIALML_STARTER_WEIGHTS"
"""Path of other weights for ``starter`` than those shipped."""
FLOORS = {0.05: 0.45, 0.10: 0.62}
AUROC = 0.90
REMOVED = 0.1  # of the true cells, to be found missing
TRIALS = 5


@dataclass(frozen=True, eq=False)
class Scored:
    """The cells of all images: score, best overlap with the truth, whether histology."""

    scores: npt.NDArray[np.float64]
    overlap: npt.NDArray[np.float64]
    histology: npt.NDArray[np.bool_]


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the figures of both segmenters, of cells that are missing, and of speed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from _speed()
        if not DATA.is_dir():
            print(f"review: {DATA} is not there; only speed was measured")
            return
        found = list(_segmented())
        yield from _ranked("starter", _scored(found, "starter", looks=2), floors=True)
        yield from _ranked("starter, one look", _scored(found, "starter", looks=1), floors=True)
        yield from _ranked("starter, image only", _scored(found, "starter", looks=0))
        yield from _ranked("watershed", _scored(found, "watershed", looks=0))
        yield from _missing(found, with_field=True)
        yield from _missing(found, with_field=False)


def _segmented() -> Iterator[dict[str, Any]]:
    """Segment every image with both methods at their defaults; starter also its mirror images."""
    from training.segmentations import images_of, remembered, starter, watershed

    weights = os.environ.get(WEIGHTS)
    segment = starter(Path(weights) if weights else None)
    kept = os.environ.get("NAPARI_SPATIALML_BENCHMARK_CACHE")
    if kept:
        segment = remembered(segment, Path(kept))
    for name, kind, pixels, true in images_of(DATA):
        both = {"starter": segment(pixels, true), "watershed": watershed(pixels, true)}
        yield {"name": name, "histology": not kind.startswith("fluo"), "pixels": pixels, "true": true, **both}


def _scored(found: list[dict[str, Any]], method: str, looks: int) -> Scored:
    """Score every cell, the network asked not at all (0), once (1), or as the review asks it (2)."""
    from napari_spatialml.core.suspicion import suspicions
    from training.segmentations import errors_of, evidence_of

    scores, overlap, histology = [], [], []
    for one in found:
        judged = suspicions(evidence_of(one["pixels"], one[method], looks))
        scores.append(judged.scores)
        overlap.append(errors_of(one["true"], one[method].labels)[0])
        histology.append(np.full(len(judged.cells), one["histology"]))
    return Scored(np.concatenate(scores), np.concatenate(overlap), np.concatenate(histology))


def _ranked(name: str, cells: Scored, floors: bool = False) -> Iterator[tuple[str, Figure]]:
    """Yield AUROC and the errors that the worst 5 and 10 % hold: of all cells, and of each kind of image."""
    parts = {
        "all": np.ones(len(cells.scores), bool),
        "fluorescence": ~cells.histology,
        "histology": cells.histology,
    }
    for part, rows in parts.items():
        scores, wrong = cells.scores[rows], cells.overlap[rows] < 0.5
        if not wrong.any() or wrong.all():
            continue
        held_to = floors and part == "all"
        about = f"nuclei, {part}: {len(wrong)} cells, {wrong.mean():.1%} wrong (IoU < 0.5)"
        yield (
            f"{name}, {part}: AUROC of wrong cells",
            Figure(_auroc(scores, wrong), "", AUROC if held_to else None, False, data=about),
        )
        for share, floor in FLOORS.items():
            most = min(1.0, round(share * len(wrong)) / wrong.sum())
            yield (
                f"{name}, {part}: errors in the worst {share:.0%}",
                Figure(
                    100 * _held(scores, wrong, share),
                    "%",
                    100 * floor if held_to and most >= floor else None,
                    False,
                    data=f"{about}; at most {most:.0%}",
                ),
            )
        if part == "all":
            loose = cells.overlap < 0.7
            about = f"nuclei: {loose.mean():.1%} wrong (IoU < 0.7)"
            yield f"{name}: AUROC, wrong below 0.7", Figure(_auroc(scores, loose), "", data=about)
            about = f"nuclei; mean score {scores.mean():.3f}, wrong {wrong.mean():.3f}"
            yield f"{name}: Brier score", Figure(float(np.mean((scores - wrong) ** 2)), "", data=about)


def _auroc(scores: npt.NDArray[np.float64], wrong: npt.NDArray[np.bool_]) -> float:
    from scipy.stats import rankdata

    rank, n = rankdata(scores), int(wrong.sum())
    return float((rank[wrong].sum() - n * (n + 1) / 2) / (n * (len(wrong) - n)))


def _held(scores: npt.NDArray[np.float64], wrong: npt.NDArray[np.bool_], share: float) -> float:
    worst = np.argsort(-scores, kind="stable")[: round(share * len(scores))]
    return float(wrong[worst].sum() / wrong.sum())


def _missing(found: list[dict[str, Any]], with_field: bool) -> Iterator[tuple[str, Figure]]:
    """Remove a tenth of the true cells, at random, and look where they are missed."""
    from napari_spatialml.core.suspicion import Evidence, missing

    rng = np.random.default_rng(SEED)
    removed = hit = places = right = 0
    for one in found:
        true = one["true"].astype(np.int32)
        ids = np.unique(true[true > 0])
        for _ in range(TRIALS):
            gone = rng.choice(ids, max(1, round(REMOVED * len(ids))), replace=False)
            away = np.isin(true, gone)
            field = one["starter"].field if with_field else None
            evidence = Evidence(np.where(away, 0, true), one["pixels"].pixel_size_um, image=one["pixels"].values)
            if with_field:
                evidence = Evidence(np.where(away, 0, true), one["pixels"].pixel_size_um, field=field)
            at = np.floor(missing(evidence).places).astype(int)
            cells = true[at[:, 0], at[:, 1]] * away[at[:, 0], at[:, 1]]
            removed, places = removed + len(gone), places + len(at)
            hit, right = hit + len(np.unique(cells[cells > 0])), right + int((cells > 0).sum())
    how = "network" if with_field else "stain"
    about = f"nuclei: {removed} cells removed in {TRIALS} rounds, {places} places"
    yield f"missing cells found by the {how}: recall", Figure(100 * hit / removed, "%", data=about, seed=SEED)
    yield (
        f"missing cells found by the {how}: precision",
        Figure(100 * right / max(places, 1), "%", data=about, seed=SEED),
    )


def _speed() -> Iterator[tuple[str, Figure]]:
    """Measure a window of 2,025 cells: what a slide takes is this, window after window."""
    from types import SimpleNamespace

    from napari_spatialml.core.suspicion import Evidence, suspicions

    rng, side, pitch = np.random.default_rng(SEED), 45, 22
    y, x = np.mgrid[: side * pitch, : side * pitch]
    inside = (y % pitch - 11) ** 2 + (x % pitch - 11) ** 2 <= 81
    labels = np.where(inside, (y // pitch) * side + x // pitch + 1, 0).astype(np.int32)
    image = (100 + 500 * inside + rng.normal(0, 20, labels.shape)).astype(np.float32)[None]
    flows = np.stack([pitch / 2 - y % pitch, pitch / 2 - x % pitch]).astype(np.float32) / 9 * inside
    field = SimpleNamespace(logit=np.where(inside, 5, -5).astype(np.float32), flows=flows)
    evidence = Evidence(labels, 0.5, image=image, field=field)
    suspicions(evidence)  # compiles
    took = min(seconds(lambda: suspicions(evidence)) for _ in range(3))
    about = f"simulated: {side**2} cells on {labels.shape[0]} × {labels.shape[1]} pixels, image and field"
    yield "speed", Figure(side**2 / took, "cells/s", data=about, seed=SEED)
