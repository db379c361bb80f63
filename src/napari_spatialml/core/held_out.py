"""A matching put to the test by points that took no part in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .density_images import Points
from .density_warp import likeness
from .matching_levels import Plan, begun, followed
from .placement import Placement
from .report import Report, part

__all__ = ["HeldOut", "held_out"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class HeldOut:
    """What the points say that took no part.

    Parameters
    ----------
    errors
        By how many standard errors they are more alike to the fixed ones than by chance, where the others put them.
    rival
        The same for the best of the other ways.
    apart_um
        Median distance between where the half and where all points put the moving points, in µm.
    half
        Where the half puts them.
    """

    errors: float
    rival: float
    apart_um: float
    half: Placement


def held_out(
    plan: Plan, reflections: Sequence[bool], scales: Sequence[float], whole: Placement, report: Report
) -> HeldOut:
    """Match one half of the moving points from the start, and see how well the other half fits.

    Parameters
    ----------
    plan, reflections, scales
        As of the matching.
    whole
        Where all points put the moving points.

    Notes
    -----
    Whatever a search over all turns and a bending can make of chance is chance to the other half: there the figure
    has a mean of about 0 and a standard deviation of about 1 for sections that do not belong together, unless their
    tissues are built alike.
    """
    learnt = np.random.default_rng(0).permutation(len(plan.moving.where)) % 2 == 0
    half = replace(plan, moving=_part(plan.moving, learnt))
    stages = followed(
        half, begun(half, reflections, scales, part(report, 0.0, 0.4)), part(report, 0.4, 0.9), cheaply=True
    )
    other = replace(plan, moving=_part(plan.moving, ~learnt))
    # judged where the first half was surest, not where the other half looks best
    pixel = max(stages[0].levels, key=lambda level: level[2])[0]
    frame, images = other.images(pixel, rim=False)
    found = [likeness(other.moved(one.placement, frame, rim=False), images)[1] for one in stages[:4]]
    moved = [one.apply(plan.moving.where) for one in (stages[0].placement, whole)]
    apart = float(np.median(np.linalg.norm(moved[0] - moved[1], axis=1)))
    report(1.0, "Tested on the cells that were left out")
    return HeldOut(found[0], max(found[1:], default=0.0), apart, stages[0].placement)


def _part(points: Points, chosen: npt.NDArray[np.bool_]) -> Points:
    return Points(points.where[chosen], points.codes[chosen], points.channels[chosen], points.n_channels)
