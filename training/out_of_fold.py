"""What a network reaches on the fold it never saw, and a table of all folds beside watershed.

The thresholds of decoding are fitted too: those of a fold on the other folds, each as its own network saw it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spatialml.core.flow_weights import read
from napari_spatialml.core.metrics import average_precision
from napari_spatialml.core.segmentation import Pixels
from napari_spatialml.methods.segmentation.starter import Starter
from napari_spatialml.methods.segmentation.watershed import Watershed

from .evaluate import AT
from .folder import Picture

__all__ = ["PIXEL_SIZE_UM", "Figures", "fitted", "measure", "table"]

PIXEL_SIZE_UM = 0.5
"""The pictures carry no pixel size: this is passed for all of them, whatever their magnification."""
PAIRS = tuple(product((0.4, 0.5, 0.6), (0.0, 0.8)))  # probability, flow error
KINDS = ("fluorescence", "h&e", "bright-field")

Values = npt.NDArray[np.float64]
Figures = dict[str, Any]


def measure(weights: Path, held: list[Picture], out: Path) -> Figures:
    """Return the precision on each picture at each pair of thresholds, beside watershed; kept in ``out``.

    All parameters are at their defaults, so that the diameter is estimated and the stain read. What is
    kept there for the same weights is not measured again.
    """
    steps = read(weights)[1]["steps"]
    if out.exists():
        kept: Figures = json.loads(out.read_text())
        if kept["steps"] == steps and len(kept["pictures"]) == len(held):
            return kept
    starter, watershed = Starter(weights=str(weights), device="cpu"), Watershed()
    rows = []
    for picture in held:
        pixels = Pixels(picture.values, PIXEL_SIZE_UM)
        field = starter.field(pixels)
        row: Figures = {"kind": picture.kind, "stain": field.stain, "watershed": _precision(watershed(pixels), picture)}
        row["starter"] = [
            _precision(replace(starter, cell_probability=p, flow_error=e).decode(field, PIXEL_SIZE_UM), picture)
            for p, e in PAIRS
        ]
        rows.append(row)
    found = {"steps": steps, "pictures": rows}
    out.write_text(json.dumps(found))
    return found


def _precision(masks: Any, picture: Picture) -> list[float]:
    return [float(v) for v in average_precision(picture.labels, masks.labels, AT)]


def fitted(figures: list[Figures]) -> dict[str, int]:
    """Return for each stain the place in `PAIRS` of the thresholds with the best mean of the three precisions."""
    rows = [row for one in figures for row in one["pictures"]]
    stains = sorted({row["stain"] for row in rows})
    return {s: int(np.argmax(np.mean([r["starter"] for r in rows if r["stain"] == s], axis=(0, 2)))) for s in stains}


def table(figures: dict[int, Figures]) -> str:
    """Return the table: fold by fold, the mean over the folds and their standard deviation.

    A fold's thresholds are fitted on the others; with one fold alone, on itself, and the table says so.
    """
    lines = [f"{'':13} fold  images  {'starter, AP@0.5, 0.75, 0.9':28} {'watershed':22} steps"]
    for kind in KINDS:
        both = []
        for fold, one in sorted(figures.items()):
            others = [held for other, held in figures.items() if other != fold] or [one]
            chosen = fitted(others)
            rows = [row for row in one["pictures"] if row["kind"] == kind]
            if not rows:
                continue
            ours = np.mean([row["starter"][chosen.get(row["stain"], PAIRS.index((0.5, 0.0)))] for row in rows], axis=0)
            theirs = np.mean([row["watershed"] for row in rows], axis=0)
            both.append((ours, theirs))
            lines.append(f"{kind:13} {fold:4}  {len(rows):6}  {_shown(ours):28} {_shown(theirs):22} {one['steps']}")
        if both:
            for name, of in (("mean", np.mean), ("spread", np.std)):
                ours, theirs = of(both, axis=0)
                lines.append(f"{kind:13} {name:>12}  {_shown(ours):28} {_shown(theirs):22}")
    if len(figures) == 1:
        lines.append("One fold alone: its thresholds were fitted on itself.")
    for stain, place in fitted(list(figures.values())).items():
        lines.append(
            f"Over all of these folds, for {stain}: probability {PAIRS[place][0]}, flow error {PAIRS[place][1]}"
        )
    return "\n".join(lines)


def _shown(values: Values) -> str:
    return "  ".join(f"{v:.3f}" for v in values)
