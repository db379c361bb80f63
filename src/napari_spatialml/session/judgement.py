"""What a judgement says: figures side by side, the curve of capture against purity, and both in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, nan
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from ..core.judging import agreement, contamination, geometry, mixing_rate, outliers
from .assigning import Assigned, Task

__all__ = ["STEPS_UM", "Figure", "Found", "Judgement", "Point", "judgement"]

STEPS_UM = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 5.0)
"""By how much cells are shrunk (below 0) and grown, in µm."""
_NOW, _CENTRE = STEPS_UM.index(0.0), STEPS_UM.index(-2.0)
_LIMIT, _LEAST = 3.0, 30
"""Robust deviations of an outlier; transcripts with which a pair of markers begins to count."""


@dataclass(frozen=True)
class Found:
    """What was counted of one segmentation.

    Parameters
    ----------
    task, counted
        What was asked for, and the cells as they are.
    genes
        The markers.
    steps
        (steps + 1,) transcripts that a cell first holds at each step of growing; the last: never.
    markers
        For each step, (cells, markers) those that come with it.
    contacts
        (k, 2) rows of cells, and of the other cells that are nearest to some of their transcripts.
    nuclei
        How many nuclei each cell holds, and how many nuclei lie in none; None without nuclei.
    pixel_size_um
        Edge of the pixel.
    """

    task: Task
    counted: Assigned
    genes: tuple[str, ...]
    steps: npt.NDArray[np.int64]
    markers: tuple[sp.csr_matrix, ...]
    contacts: npt.NDArray[np.int64]
    nuclei: tuple[npt.NDArray[np.int64], int] | None
    pixel_size_um: float


@dataclass(frozen=True)
class Figure:
    """One figure, of every segmentation: its name, unit ("%" for shares), what it tells, and the values."""

    name: str
    unit: str
    meaning: str
    values: tuple[float, ...]

    def shown(self, k: int) -> str:
        """Return the value of one segmentation as a person reads it."""
        value = self.values[k]
        if not isfinite(value):
            return "?"
        if self.unit == "%":
            return f"{100 * value:.1f} %"
        if float(value).is_integer() or abs(value) >= 1000:
            return f"{value:,.0f} {self.unit}".strip()
        return f"{value:,.2f} {self.unit}".strip()


@dataclass(frozen=True)
class Point:
    """Cells that are grown by some µm (shrunk, below 0): the share of transcripts they hold, and their purity."""

    grown_um: float
    assigned: float
    purity: float


@dataclass(frozen=True, eq=False)
class Judgement:
    """What speaks for and against segmentations.

    Parameters
    ----------
    names
        The segmentations.
    figures
        Side by side.
    curves
        Of each: what cells would hold that are shrunk or grown, and how pure they would be.
    pairs
        The exclusive markers.
    learned
        Whether these were learned from the segmentations themselves.
    words
        What follows from the figures, in sentences.
    """

    names: tuple[str, ...]
    figures: tuple[Figure, ...]
    curves: tuple[tuple[Point, ...], ...]
    pairs: tuple[tuple[str, str], ...]
    learned: bool
    words: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values; what is not known is null."""
        figures = [{"figure": f.name, "unit": f.unit, "meaning": f.meaning, **self._named(f)} for f in self.figures]
        curves = {
            n: [{"grown_um": p.grown_um, "assigned": _plain(p.assigned), "purity": _plain(p.purity)} for p in c]
            for n, c in zip(self.names, self.curves, strict=True)
        }
        return {
            "kind": "judgement", "segmentations": list(self.names), "figures": figures, "curves": curves,
            "pairs": [list(p) for p in self.pairs], "pairs_learned": self.learned, "words": list(self.words),
        }  # fmt: skip

    def _named(self, figure: Figure) -> dict[str, float | None]:
        return dict(zip(self.names, map(_plain, figure.values), strict=True))

    def to_json(self) -> str:
        """Return all of it as JSON."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """Return the figures and the curves as a table of comma-separated values."""
        rows = [{"figure": f.name, "unit": f.unit, **self._named(f)} for f in self.figures]
        for k, step in enumerate(STEPS_UM):
            for what in ("assigned", "purity"):
                values = {n: _plain(getattr(c[k], what)) for n, c in zip(self.names, self.curves, strict=True)}
                rows.append({"figure": f"{what}, cells grown by {step:g} µm", "unit": "%", **values})
        return str(pd.DataFrame(rows, columns=["figure", "unit", *self.names]).to_csv(index=False))


def judgement(found: Sequence[Found], pairs: tuple[tuple[str, str], ...], *, learned: bool) -> Judgement:
    """Put figures, curves and words together.

    Parameters
    ----------
    found
        What was counted of each segmentation.
    pairs
        The exclusive markers.
    learned
        Whether they were learned from these segmentations.
    """
    names = tuple(f.task.labels for f in found)
    curves = tuple(_curve(f, pairs) for f in found)
    columns = [_figures(f, pairs, c) for f, c in zip(found, curves, strict=True)]
    figures = tuple(
        Figure(name, unit, meaning, tuple(column[k][3] for column in columns))
        for k, (name, unit, meaning, _) in enumerate(columns[0])
        if any(isfinite(column[k][3]) for column in columns)
    )
    return Judgement(names, figures, curves, pairs, learned, _words(names, curves, len(pairs), learned))


def _curve(found: Found, pairs: tuple[tuple[str, str], ...]) -> tuple[Point, ...]:
    columns, total = _columns(found, pairs), max(found.counted.total, 1)
    points, held, inside = [], found.markers[0] * 0, 0
    for k, step in enumerate(STEPS_UM):
        held, inside = held + found.markers[k], inside + int(found.steps[k])
        points.append(Point(step, inside / total, agreement(held, columns, least=_LEAST)))
    return tuple(points)


def _columns(found: Found, pairs: tuple[tuple[str, str], ...]) -> npt.NDArray[np.int64]:
    place = {g: k for k, g in enumerate(found.genes)}
    return np.array([[place[a], place[b]] for a, b in pairs], np.int64).reshape(-1, 2)


_Row = tuple[str, str, str, float]


def _figures(found: Found, pairs: tuple[tuple[str, str], ...], curve: tuple[Point, ...]) -> list[_Row]:
    counts = found.counted.cells.counts
    total, genes = np.asarray(counts.sum(axis=1, dtype=np.int64)).ravel(), np.diff(counts.indptr)
    return [
        ("Cells", "", "How many there are.", float(len(total))),
        ("Transcripts in cells", "%", "Higher catches more, also of what is not the cells' own.", curve[_NOW].assigned),
        ("Transcripts a cell", "", "Median.", _median(total)),
        ("Genes a cell", "", "Median.", _median(genes)),
        *_purity(found, pairs, curve),
        *_nuclei(found),
        *_shapes(found),
    ]


def _median(values: npt.NDArray[Any]) -> float:
    return float(np.median(values)) if len(values) else nan


def _purity(found: Found, pairs: tuple[tuple[str, str], ...], curve: tuple[Point, ...]) -> list[_Row]:
    columns = _columns(found, pairs)
    now, centre = (sum(found.markers[1 : k + 1], found.markers[0]) for k in (_NOW, _CENTRE))
    rim = found.markers[_NOW]
    mixed = agreement(sp.csr_matrix(now.sum(axis=0)), columns, least=_LEAST)
    middle, edge = agreement(centre, columns, least=_LEAST), agreement(rim, columns, centre, least=_LEAST)
    a, b = found.contacts.T if len(found.contacts) else (np.empty(0, np.int64), np.empty(0, np.int64))
    beside = agreement(centre[a], columns, centre[b], least=_LEAST)
    return [
        ("Purity", "%", "How often two markers of a pair in one cell are the same gene. Smaller cells are purer.",
         curve[_NOW].purity),
        ("Purity if mixed", "%", "The same, if the transcripts were dealt to the cells at random.", mixed),
        ("Cells with both of a pair", "%", "Of those with either: lower is purer, and so are cells with few "
         "transcripts.", mixing_rate(now, columns)),
        ("Purity of the middle", "%", "Deeper than 2 µm in the cell.", middle),
        ("Rim like the middle", "%", "How often a marker in the outer micrometre is the one of the cell's middle.",
         edge),
        ("Rim from neighbours", "%", "The share of the outer micrometre's transcripts that would explain the "
         "difference, if they came from the cells beside.", contamination(middle, edge, beside)),
    ]  # fmt: skip


def _nuclei(found: Found) -> list[_Row]:
    names = ("Cells without a nucleus", "Cells with one nucleus", "Cells with several", "Nuclei in no cell",
             "Transcripts in nuclei")  # fmt: skip
    if found.nuclei is None:
        return [(n, "%", "", nan) for n in names]
    held, loose = found.nuclei
    n = max(len(held), 1)
    inside = found.counted.cells.nuclear
    total = max(int(found.counted.cells.counts.data.sum(dtype=np.int64)), 1)
    share = nan if inside is None else float(inside.sum()) / total
    values = ((held == 0).sum() / n, (held == 1).sum() / n, (held > 1).sum() / n,
              loose / max(loose + int(held.sum()), 1), share)  # fmt: skip
    told = ("A nucleus is held by the cell with more than half of it.",) * 3 + (
        "Or shared by several.", "Of the transcripts in cells.")  # fmt: skip
    return [(a, "%", b, float(v)) for a, b, v in zip(names, told, values, strict=True)]


def _shapes(found: Found) -> list[_Row]:
    shapes = geometry(found.counted.cells.pixels, found.counted.cells.spread, found.pixel_size_um)
    n = max(len(shapes.area), 1)
    small, large = outliers(shapes.area, _LIMIT)
    bent = outliers(shapes.fullness, 2 * _LIMIT)[0] & (shapes.fullness < 0.9)
    far = f"More than {_LIMIT:g} robust deviations from the median, on the log scale."
    return [
        ("Area of a cell", "µm²", "Median.", _median(shapes.area)),
        ("Far too small", "%", far, float(small.sum()) / n),
        ("Far too large", "%", far, float(large.sum()) / n),
        ("Bent or torn", "%", "Far less full than an ellipse of the same spread.", float(bent.sum()) / n),
        ("Long axis over short", "", "Median of the cells.", _median(shapes.elongation)),
    ]  # fmt: skip


def _words(
    names: tuple[str, ...], curves: tuple[tuple[Point, ...], ...], n_pairs: int, learned: bool
) -> tuple[str, ...]:
    """Say what the curves say: who catches more as drawn, and who at one and the same purity."""
    if n_pairs == 0:
        return ("No pairs of exclusive markers were found, so nothing can be said of purity: name some in a file.",)
    source = "learned from these cells" if learned else "given"
    made = [f"Purity rests on {n_pairs} {'pair' if n_pairs == 1 else 'pairs'} of exclusive markers, {source}."]
    for k, other in enumerate(names[1:], 1):
        a, b = curves[0][_NOW], curves[k][_NOW]
        if not (isfinite(a.purity) and isfinite(b.purity)):
            continue
        made.append(
            f"As drawn, {names[0]} holds {100 * a.assigned:.1f} % at a purity of {100 * a.purity:.1f} %, "
            f"{other} {100 * b.assigned:.1f} % at {100 * b.purity:.1f} %."
        )
        made += _at_one_purity(names[0], curves[0], other, curves[k])
    return tuple(made)


def _at_one_purity(first: str, a: tuple[Point, ...], second: str, b: tuple[Point, ...]) -> list[str]:
    """Compare where both curves have one purity: that of the less pure one, as drawn, if the other reaches it."""
    for purity in sorted((a[_NOW].purity, b[_NOW].purity)):
        held = [_assigned_at(curve, purity) for curve in (a, b)]
        if all(map(isfinite, held)):
            return [
                f"Shrunk or grown to one purity of {100 * purity:.1f} %, {first} holds {100 * held[0]:.1f} %, "
                f"{second} {100 * held[1]:.1f} %."
            ]
    return ["At no size of the cells are both equally pure, so that their shares cannot be set side by side."]


def _assigned_at(curve: tuple[Point, ...], purity: float) -> float:
    """Return the largest share at which a curve has a purity, between two points by a straight line; NaN if never."""
    for low, high in reversed(list(pairwise(curve))):
        p, q = low.purity, high.purity
        if isfinite(p) and isfinite(q) and min(p, q) <= purity <= max(p, q):
            at = 0.0 if p == q else (purity - p) / (q - p)
            return low.assigned + at * (high.assigned - low.assigned)
    return nan


def _plain(value: float) -> float | None:
    return float(value) if isfinite(value) else None
