"""Agreement of two readers who drew polygons with classes, by area."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import require
from .hausdorff import region_distance
from .kappa import kappa

__all__ = ["NOTHING", "Regions", "region_agreement"]

NOTHING = "nothing"
"""What a place is called where a reader drew nothing."""


@dataclass(frozen=True, eq=False)
class Regions:
    """How the areas of two readers agree.

    Parameters
    ----------
    names
        The classes, and last `NOTHING`.
    confusion
        (k + 1, k + 1) areas that reader A (rows) and reader B (columns) put into each pair.
    kappa
        Of all classes, `NOTHING` included.
    dice, per_class, hausdorff
        Of each class: overlap of the areas, kappa against all else, and the distance of the outlines.
    area
        Of the section on which they are compared.
    """

    names: tuple[str, ...]
    confusion: npt.NDArray[np.float64]
    kappa: float
    dice: tuple[float, ...]
    per_class: tuple[float, ...]
    hausdorff: tuple[float, ...]
    area: float


def region_agreement(a: Mapping[str, Any], b: Mapping[str, Any], within: Any) -> Regions:
    """Compare the areas that two readers gave to each class.

    Parameters
    ----------
    a, b
        One polygon (of any number of parts, with holes) a class.
    within
        The polygon of the section: kappa asks how often both would agree by chance on it.

    Raises
    ------
    BadInput
        If neither reader drew anything within the section.

    Notes
    -----
    Each class is compared as it was drawn. In the table and in the kappa of all classes a place counts
    once: for the smallest of the areas that cover it, as a focus drawn within a tumour.
    """
    names = tuple(dict.fromkeys([*a, *b]))
    empty = within.difference(within)
    held = [{name: side.get(name, empty).intersection(within) for name in names} for side in (a, b)]
    drawn = [side for side in held for g in side.values() if not g.is_empty]
    require(bool(drawn), "Neither reader drew an area within the section.", "Choose two sets of areas.")
    area = float(within.area)
    dice, each, far = [], [], []
    for name in names:
        p, q = held[0][name], held[1][name]
        both, sizes = float(p.intersection(q).area), (float(p.area), float(q.area))
        dice.append(2 * both / sum(sizes) if sum(sizes) else nan)
        each.append(_kappa_of(both, *sizes, area))
        far.append(region_distance(p, q))
    parts = [_once(side, within) for side in held]
    confusion = np.array([[float(p.intersection(q).area) for q in parts[1].values()] for p in parts[0].values()])
    overall = kappa(confusion, counted=False).value
    return Regions((*names, NOTHING), confusion, overall, tuple(dice), tuple(each), tuple(far), area)


def _kappa_of(both: float, a: float, b: float, area: float) -> float:
    return kappa([[both, a - both], [b - both, area - a - b + both]], counted=False).value


def _once(side: Mapping[str, Any], within: Any) -> dict[str, Any]:
    """Divide the section among the classes of a reader; what is left is nothing's."""
    left, made = within, {}
    for name in sorted(side, key=lambda n: side[n].area):
        made[name] = side[name].intersection(left)
        left = left.difference(side[name])
    return {**{name: made[name] for name in side}, NOTHING: left}
