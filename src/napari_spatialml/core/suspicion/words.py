"""Reasons in words, with their numbers."""

from __future__ import annotations

import numpy as np

from .measure import Columns, Measures
from .model import Term
from .relative import Usual

__all__ = ["sentence"]


def sentence(kind: str, term: Term, row: int, measures: Measures, features: Columns, usual: Usual) -> str:
    """Return what one term says of one cell."""
    value = float(features[term.feature][row])
    of_size = term.feature in ("size", "size_inner", "size_near")
    if kind == "halves" and (measures.partners[row] > 0 or not of_size):  # whatever it was seen by, its size as well
        return _half(row, measures, features)
    if of_size:
        return _size(term, row, measures, usual)
    text = _SAID[term.feature, term.side]
    return text.format(v=value, percent=100 * value, usual=term.usual, usual_percent=100 * term.usual, n=round(value))


def _size(term: Term, row: int, measures: Measures, usual: Usual) -> str:
    um2, middle = (area * measures.pixel_size_um**2 for area in (measures.columns["area"][row], np.exp(usual.size)))
    word = "Large" if term.side > 0 else "Small"
    where = "for its surroundings" if term.feature == "size_near" else "for this section"
    return f"{word} {where}: {um2:.3g} µm², the median cell has {middle:.3g} µm²."


def _half(row: int, measures: Measures, features: Columns) -> str:
    partner, share = int(measures.partners[row]), 100 * features["half_share"][row]
    together = 100 * features["half_whole"][row]
    return (
        f"Together with cell {partner} it makes one convex cell (solidity {together:.0f} %); "
        f"they share {share:.0f} % of the smaller one's border."
    )


_SAID = {
    ("axes", -1): "Long and thin: {v:.2f} times as wide as long.",
    ("ellipse", -1): "Not an ellipse: it fills {percent:.0f} % of the ellipse that fits it.",
    (
        "solidity",
        -1,
    ): "Bays in the outline: it fills {percent:.0f} % of its hull, {usual_percent:.0f} % is usual.",
    ("bay", 1): "A bay in the outline is {v:.2f} radii deep, {usual:.2f} is usual.",
    ("roundness", -1): "A ragged outline: roundness {v:.2f}, {usual:.2f} is usual.",
    ("holes", 1): "It has holes: {n}.",
    ("pieces", 1): "It is in {n} pieces.",
    ("largest", -1): "It is in pieces, the largest holds {percent:.0f} % of its area.",
    ("edge", 1): "It touches the image's edge with {percent:.0f} % of its border.",
    ("neck", 1): "It has a neck: {percent:.0f} % narrower than on both sides of it.",
    ("drop", -1): "It stands out from its surroundings by {v:.2f} of the usual contrast.",
    ("drop_near", -1): "It is fainter than the cells around it, by {v:.2f} of the usual contrast.",
    ("drop_low", -1): "Along part of its border the stain does not fall: {v:.2f} of the usual contrast.",
    ("drop_quarter", -1): "Along a quarter of its border the stain falls by {v:.2f} of the usual contrast or less.",
    ("slope", -1): "Its border is not sharp in the image: {v:.2f} of the usual slope.",
    ("slope_low", -1): "Part of its border is not seen in the image: {v:.2f} of the usual slope.",
    ("shift", 1): "The stain ends further out than the border.",
    ("shift", -1): "The stain ends further in than the border.",
    ("stain_valley", 1): "The stain has a valley across the cell, {v:.2f} of the usual contrast deep.",
    ("stain_valley_own", 1): "The stain has a valley across the cell, {v:.2f} of its contrast deep.",
    ("chance", -1): "The network's log-odds of cell are {v:.1f}, {usual:.1f} is usual.",
    ("chance_low", -1): "In part of the cell the network's log-odds of cell are {v:.1f}, {usual:.1f} is usual.",
    ("chance_valley", 1): "The network's log-odds of cell have a valley of {v:.1f} across the cell.",
    ("missed", 1): "The network sees cell beyond {percent:.0f} % of its border.",
    ("inward", -1): "The network's flow at the border hardly leads inward: {v:.2f}, {usual:.2f} is usual.",
    ("flow", -1): "The network's flow is weak: {v:.2f} on average, {usual:.2f} is usual.",
    ("flow_low", -1): "The network's flow is weak in part of the cell: {v:.2f}, {usual:.2f} is usual.",
    ("flow_error", 1): "The network's flows are not those of this outline: error {v:.2f}, {usual:.2f} is usual.",
    ("towards", -1): "The network's flow does not lead to the cell's middle: cosine {v:.2f}, {usual:.2f} is usual.",
    ("again", -1): "The mirrored image gives another outline: they overlap by {percent:.0f} %.",
    (
        "apart",
        1,
    ): "The network contradicts itself when the image is mirrored: its flows lie {v:.2f} apart, {usual:.2f} is usual.",
    ("steady", -1): "With other thresholds the network gives other outlines: they overlap by {percent:.0f} %.",
    ("steady_low", -1): "With another threshold the network gives another outline: they overlap by {percent:.0f} %.",
}
