"""What was measured, compared with the section and with the cells around: features that mean the same anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .measure import Columns, Measures

__all__ = ["FEATURES", "Usual", "relative", "usual_of"]

Floats = npt.NDArray[np.float64]
FEATURES = (
    # outline
    "size", "size_near", "axes", "ellipse", "solidity", "bay", "roundness", "holes", "pieces", "largest", "edge",
    "touching", "neck", "size_inner",
    # stain
    "drop", "drop_open", "drop_near", "drop_low", "drop_low_own", "drop_quarter", "slope", "slope_low", "shift",
    "shift_spread", "level", "outside", "texture", "texture_own", "stain_valley", "stain_valley_own",
    # network
    "chance", "chance_low", "chance_high", "chance_in", "chance_out", "chance_valley", "chance_section", "missed",
    "inward", "inward_low", "flow", "flow_low", "flow_section", "flow_error", "towards", "steady", "steady_low",
    "again", "apart",
    # neighbours
    "half_share", "half_whole", "half_whole_gain", "half_partner_size", "half_dip", "half_apart", "half_chance_dip",
)  # fmt: skip
"""What a score is made of; NaN means that there is no evidence."""
COLUMNS = (*FEATURES, "second")
"""All that a score is made of: the last one is the overlap with other labels, a witness of its own."""
_NEIGHBOURS = 10
_SPREAD = 0.4  # of the logarithm of area where few cells tell, as in tissue; it weighs like this many cells:
_WEIGHT = 8
_COMPARED = (
    "size", "size_near", "size_inner", "drop", "drop_open", "drop_near", "drop_low", "drop_low_own", "drop_quarter",
    "slope", "slope_low", "shift", "level", "outside", "texture", "texture_own", "stain_valley", "stain_valley_own",
    "chance_section", "flow_section", "half_partner_size", "half_dip",
)  # fmt: skip
_AS_THEY_ARE = tuple(name for name in COLUMNS if name not in _COMPARED)


@dataclass(frozen=True)
class Usual:
    """What is usual in a section: each cell is compared with it.

    Parameters
    ----------
    size, size_spread
        Logarithm of area in pixels: median and robust standard deviation.
    drop, slope, level, outside
        Medians of the stain: inside less outside, fall across the border, inside, outside.
    chance, flow
        Medians of the network's log-odds and of the length of its flow.
    membrane
        Median of the membrane stain at the border less that inside.
    """

    size: float
    size_spread: float
    drop: float = np.nan
    slope: float = np.nan
    level: float = np.nan
    outside: float = np.nan
    chance: float = np.nan
    flow: float = np.nan
    membrane: float = np.nan


def usual_of(measures: Measures) -> Usual:
    """Return what is usual among some cells; cells at the image's edge do not count for size."""
    held = measures.columns
    if len(measures.cells) == 0:
        return Usual(0.0, _SPREAD)
    size = np.log(held["area"])
    inside = held["edge"] == 0
    typical = size[inside] if inside.sum() >= 3 else size
    named = {"drop": "drop", "slope": "slope", "level": "stain", "outside": "outside"}
    named |= {"chance": "chance", "flow": "flow", "membrane": "membrane_contrast"}
    medians = {
        name: float(np.nanmedian(held[column]))
        for name, column in named.items()
        if np.isfinite(held.get(column, np.nan)).any()
    }
    return Usual(float(np.median(typical)), max(_spread(typical, _SPREAD), 0.05), **medians)


def relative(measures: Measures, usual: Usual | None = None) -> Columns:
    """Return the features of all cells of a section, (n,) each, by the names of `FEATURES`.

    Parameters
    ----------
    measures
        Of all cells of a section, or of some.
    usual
        What is usual in the section; that of the measured cells by default.

    Notes
    -----
    The section enters by ``usual`` and by the neighbours of each cell only. So a window's cells get the
    features that they have in the whole, if they are compared with the whole.
    """
    held = measures.columns
    n = len(measures.cells)
    features = {name: np.full(n, np.nan) for name in COLUMNS}
    for name in _AS_THEY_ARE:
        if name in held:
            features[name] = held[name].astype(np.float64)
    if n == 0:
        return features
    usual = usual or usual_of(measures)
    near = _neighbours(held["y"], held["x"])
    features |= _sizes(held, usual, near)
    if "drop" in held:
        features |= _stain(held, usual, near)
    if "chance" in held:
        features["chance_section"] = held["chance"] - usual.chance
        features["flow_section"] = held["flow"] / max(usual.flow, 1e-6)
    return features


def _neighbours(y: Floats, x: Floats) -> npt.NDArray[np.int64]:
    """Return (n, k) the nearest other cells; -1 where there are fewer."""
    from scipy.spatial import cKDTree

    where = np.stack([y, x], 1)
    distance, found = cKDTree(where).query(where, k=_NEIGHBOURS + 1)
    others = found[:, 1:].astype(np.int64)
    return np.where(np.isfinite(distance[:, 1:]), others, -1)


def _near(values: Floats, near: npt.NDArray[np.int64]) -> Floats:
    """Return the median over each cell's neighbours; its own value where it has fewer than three."""
    around = np.where(near >= 0, values[near], np.nan)
    enough = np.isfinite(around).sum(1) >= 3
    middle = values.copy()
    middle[enough] = np.nanmedian(around[enough], axis=1)
    return middle


def _spread(values: Floats, prior: float) -> float:
    """Return a robust standard deviation that few values do not carry far from the prior."""
    found = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    n = len(values)
    return float(np.sqrt((n * found**2 + _WEIGHT * prior**2) / (n + _WEIGHT)))


def _sizes(held: Columns, usual: Usual, near: Any) -> Columns:
    size = np.log(held["area"])
    return {
        "size": (size - usual.size) / usual.size_spread,
        "size_near": (size - _near(size, near)) / usual.size_spread,
        # of a cell at the image's edge nobody knows how large it is
        "size_inner": np.where(held["edge"] == 0, (size - usual.size) / usual.size_spread, np.nan),
        "half_partner_size": np.log(np.maximum(held["half_partner_area"], 1e-9)),
    }


def _stain(held: Columns, usual: Usual, near: Any) -> Columns:
    """Express the stain in parts of the section's usual contrast; dark cells on a light ground count as bright."""
    unit = usual.drop if abs(usual.drop) > 1e-6 else np.nan
    steep = usual.slope if abs(usual.slope) > 1e-6 else np.nan
    drop = held["drop"] / unit
    own = np.maximum(drop, 0.1)
    seen = np.clip(drop, 0, 1)  # without a fall of the stain, where it falls is chance
    valley = held["stain_valley" if unit > 0 else "stain_ridge"] / abs(unit)
    return {
        "drop": drop,
        "drop_open": held["drop_open"] / unit,
        "drop_near": drop - _near(drop, near),
        "drop_low": held["drop_low"] / unit,
        "drop_low_own": held["drop_low"] / unit / own,
        "drop_quarter": held["drop_quarter"] / unit,
        "slope": held["slope"] / steep,
        "slope_low": held["slope_low"] / steep,
        "shift": held["shift"] * seen,
        "level": (held["stain"] - usual.level) / unit,
        "outside": (held["outside"] - usual.outside) / unit,
        "texture": held["texture"] / abs(unit),
        "texture_own": held["texture"] / abs(unit) / own,
        "stain_valley": valley,
        "stain_valley_own": valley / own,
        "half_dip": held["half_dip"] / unit if unit > 0 else held["half_dip"] * np.nan,
    }
