"""What pies mean: the types with their mean shares, and what ring, outline, hatch and cross say."""

from __future__ import annotations

import numpy as np

from ..session import Document
from .pies import Pies, pie_colours, shares_of, unsure_up_to
from .state import Legend

__all__ = ["pie_legend"]


def pie_legend(document: Document, pies: Pies, element: str, hidden: frozenset[str]) -> Legend:
    """Return the legend of an element's pies, the type with the largest mean share first."""
    types, rows, values = shares_of(document, pies, element)
    parts = np.where(np.isfinite(values) & (values > 0), values, 0)
    totals = parts.sum(1, keepdims=True)
    some = parts[totals[:, 0] > 0] / totals[totals > 0][:, None]
    means = some.mean(0) if len(some) else np.zeros(len(types))
    most = np.bincount(some.argmax(1), minlength=len(types)) if len(some) else np.zeros(len(types), int)
    colours = pie_colours(document, pies, types)
    order = [int(k) for k in np.argsort(-means, kind="stable")]
    return Legend(
        element,
        f"{pies.output}: mean share",
        "categories",
        tuple((types[k], colours[k], int(most[k])) for k in order),
        hidden=hidden,
        shares=tuple(float(means[k]) for k in order),
        signs=_signs(document, pies, rows),
    )


def _signs(document: Document, pies: Pies, rows: np.ndarray) -> tuple[tuple[str, str], ...]:
    """Return the signs that occur, each with what it says."""
    obs = document.table(pies.table).obs
    high = unsure_up_to(document, pies)
    found: list[tuple[str, str]] = []
    if pies.ring and high > 0:
        found.append(("ring", f"unsure: 90 % interval up to {100 * high:g} %"))
    by_hand = obs.get(f"{pies.output}_by_hand")
    words = np.full(len(rows), "") if by_hand is None else by_hand.astype(str).to_numpy()[rows]
    artefacts = words == "artefact"
    named = int((~np.isin(words, ("", "nan", "None")) & ~artefacts).sum())
    if named:
        found.append(("outline", f"set by hand ({named:,})"))
    without = _true(obs, pies, "outside", rows) & ~artefacts
    if without.any():
        found.append(("hatch", f"not in the reference ({int(without.sum()):,})"))
    crossed = _true(obs, pies, "empty", rows) | artefacts
    if crossed.any():
        found.append(("cross", f"artefact or empty ({int(crossed.sum()):,})"))
    return tuple(found)


def _true(obs: object, pies: Pies, name: str, rows: np.ndarray) -> np.ndarray:
    held = obs.get(f"{pies.output}_{name}")  # type: ignore[attr-defined]
    return np.zeros(len(rows), bool) if held is None else held.to_numpy().astype(bool)[rows]
