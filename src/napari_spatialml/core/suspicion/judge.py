"""From measures to suspicion: the score, and the reasons in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..arrays import require
from ..report import Report, silent
from .evidence import Evidence
from .measure import Columns, Measures, measure
from .model import Model, default_model, logistic
from .relative import Usual, relative, usual_of
from .verdict import Reason, Suspicions
from .words import sentence

__all__ = ["joined", "judge", "suspicions"]

_NAMED = 0.2  # strength from which a reason is named; without evidence it is 0.1
_CEILING = 0.9
_CAUSES = ("merged", "halves", "nuclei", "membrane", "markers", "rim")
"""Kinds that say what the error is: they explain an odd size or shape."""
_SIGNS = ("confidence", "contrast", "edge")
"""Kinds that only say that something is wrong."""
_ALONE = ("nuclei", "membrane", "markers", "rim")
"""Kinds that the score was not fitted on, for want of truth: each raises it as a witness of its own."""


def suspicions(evidence: Evidence, report: Report = silent, usual: Usual | None = None) -> Suspicions:
    """Rank the cells of a window.

    Parameters
    ----------
    evidence
        Labels, and whatever else there is.
    report
        Gets the progress.
    usual
        What is usual in the section; that of the window by default.

    Returns
    -------
    Suspicions
        One score a cell that lies whole in the window; ``queue`` lists them, worst first.

    Notes
    -----
    A cell counts as wrong when no true cell overlaps it by half (intersection over union below 0.5).
    For a slide, `measure` each window, with overlaps wider than the cells, and `judge` all of them.
    """
    return judge([measure(evidence, report)], usual)


def judge(measured: Sequence[Measures], usual: Usual | None = None, model: Model | None = None) -> Suspicions:
    """Rank the cells of a section that was measured in one window or several.

    Parameters
    ----------
    measured
        Of windows that may overlap: a cell that lies whole in several counts once, as the first has it.
    usual
        What is usual in the section, as `usual_of` gave it; that of the measured cells by default.
    model
        The shipped one by default.
    """
    together = joined(measured)
    if len(together.cells) == 0:
        return Suspicions(np.zeros(0, np.int64), np.zeros(0), ())
    model, usual = model or default_model(), usual or usual_of(together)
    features = relative(together, usual)
    together = _with_membranes(together, usual.membrane)
    alone = {kind: together.columns[kind] for kind in _ALONE if kind in together.columns}
    right = 1 - model.probability(features)
    for strength in alone.values():
        right = right * (1 - np.nan_to_num(strength))
    scores = 1 - right
    return Suspicions(together.cells, scores, _reasons(together, features, usual, model, alone, scores))


def joined(measured: Sequence[Measures]) -> Measures:
    """Put measured windows together; each cell once, in ascending order."""
    require(len(measured) > 0, "Nothing was measured.", "Measure at least one window.")
    with_cells = [one for one in measured if len(one.cells)]
    if not with_cells:
        return measured[0]
    ids = np.concatenate([one.cells for one in with_cells])
    rows = np.unique(ids, return_index=True)[1]
    names = sorted(set().union(*(one.columns for one in with_cells)))
    kinds = sorted(set().union(*(one.notes for one in with_cells)))
    columns = {name: np.concatenate([_column(one, name) for one in with_cells]) for name in names}
    partners = np.concatenate([one.partners for one in with_cells])
    notes = {kind: sum((one.notes.get(kind, ("",) * len(one.cells)) for one in with_cells), ()) for kind in kinds}
    return Measures(ids, columns, partners, notes, with_cells[0].pixel_size_um).taken(rows)


def _column(one: Measures, name: str) -> npt.NDArray[np.float64]:
    """Return a column; NaN where a window, as one beyond the image, lacks that evidence."""
    return one.columns[name] if name in one.columns else np.full(len(one.cells), np.nan)


def _with_membranes(measures: Measures, usual: float) -> Measures:
    """Add the strength of a membrane that runs through a cell: its height against that of the cells' borders."""
    if "membrane_ridge" not in measures.columns:
        return measures
    # without a stain that is brighter at the borders there is nothing to compare with
    height = measures.columns["membrane_ridge"] / usual if usual > 1e-6 else np.zeros(len(measures.cells))
    strength = np.minimum(logistic(8 * (height - 1.0)), _CEILING)
    words = tuple(f"A membrane runs through it, {h:.1f} times as high as at the cells' borders." for h in height)
    columns = {**measures.columns, "membrane": np.where(strength > 0.05, strength, 0)}
    return replace(measures, columns=columns, notes={**measures.notes, "membrane": words})


def _reasons(
    measures: Measures, features: Columns, usual: Usual, model: Model, alone: Columns, scores: npt.NDArray[np.float64]
) -> tuple[tuple[Reason, ...], ...]:
    """Name what is unusual of each cell; of a suspicious cell with nothing unusual, what is nearest to it."""
    found: list[list[Reason]] = [[] for _ in measures.cells]
    strengths = model.strengths(features)
    most = np.max([strength for strength, _ in strengths.values()], axis=0)
    for kind, (strength, gains) in strengths.items():
        named = (strength >= _NAMED) | ((strength == most) & (gains.max(0) > 0) & (scores > 0.3))
        for row in np.flatnonzero(named):
            term = model.reasons[kind][1][int(gains[:, row].argmax())]
            words = sentence(kind, term, row, measures, features, usual)
            found[row].append(Reason(kind, float(strength[row]), words))
    for kind, strength in alone.items():
        for row in np.flatnonzero(np.nan_to_num(strength) > 0.1):
            found[row].append(Reason(kind, float(strength[row]), measures.notes[kind][row]))
    return tuple(tuple(_ordered(reasons)) for reasons in found)


def _ordered(reasons: list[Reason]) -> list[Reason]:
    """Put causes before what they explain, and what is likely wrong before what only shows that something is."""
    most = max((one.strength for one in reasons), default=0.0)

    def place(one: Reason) -> tuple[bool, bool, float, str]:
        cause = one.kind in _CAUSES and one.strength >= most / 2
        likely = one.kind not in _SIGNS and one.strength >= 0.5
        return not cause, not likely, -one.strength, one.kind

    return sorted(reasons, key=place)
