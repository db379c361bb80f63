"""Two sets of points, hundreds of thousands each, laid on each other: all turns, then ever finer matching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .few_points import MOST, few_guesses
from .held_out import HeldOut, held_out
from .matching_levels import Stage, begun, followed, plan_of
from .movements import Movement
from .partners import Partners, paired
from .placement import Placement
from .report import Report, part, silent

__all__ = ["Matching", "match_points"]

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Matching:
    """What came of matching.

    Parameters
    ----------
    placement
        Where the moving points lie.
    partners
        The soft partners of the last round.
    stages
        The ways that were followed, the best first.
    spacing
        Distance of neighbouring fixed points in µm.
    moving
        (m, 2) the moving points, where they lay at first.
    held_out
        What points say that took no part; None for a few points.
    """

    placement: Placement
    partners: Partners
    stages: tuple[Stage, ...]
    spacing: float
    moving: Array
    held_out: HeldOut | None = None


def match_points(
    fixed: Array,
    moving: Array,
    fixed_codes: Codes,
    moving_codes: Codes,
    n_codes: int,
    *,
    movement: Movement = "similarity",
    bend: bool = True,
    stiffness_um: float = 0.0,
    reflections: Sequence[bool] = (False, True),
    scales: Sequence[float] = (1.0,),
    report: Report = silent,
) -> Matching:
    """Lay moving points on fixed ones.

    Parameters
    ----------
    fixed, moving
        (n, 2) and (m, 2) as (y, x) in µm.
    fixed_codes, moving_codes
        What each point is, 0 to ``n_codes`` − 1; all 0 where nothing is known.
    movement
        What the section may do as a whole.
    bend
        Whether it may also bend smoothly.
    stiffness_um
        Over which distance the bending is one; 0 takes ten times the distance of neighbours.
    reflections
        Whether it is tried as it is, turned over, or both.
    scales
        Scalings with which the search begins.

    Notes
    -----
    1. Every turn by 5°, as it is and turned over, by FFT correlation of the densities of each code (`guesses`): what
       comes out does not depend on how the points lie at first.
    2. The best guesses are followed on a pyramid of density images: a search of all small shifts at every
       place (`shifts`), from which first the movement, then the bending is fitted. The worse ones fall out.
    3. Points find soft partners among the nearest fixed points of a likely code, or none (`paired`): the
       expectation step of robust point matching, cut off at three standard deviations, with the
       standard deviation brought down from the distance of neighbours; the bending follows by smoothing the ways.

    All steps are linear in the number of points.

    References
    ----------
    Chui & Rangarajan (2003), doi:10.1016/S1077-3142(03)00009-2; Myronenko & Song (2010),
    doi:10.1109/TPAMI.2010.46: equations 6 (outlier term), 7 and 22 (coherent motion).
    """
    plan = plan_of(fixed, moving, fixed_codes, moving_codes, n_codes, movement, bend, stiffness_um)
    if max(len(fixed), len(moving)) <= MOST:
        made = few_guesses(plan.fixed, plan.moving, plan.spacing, movement, reflections, 4)
        stages = [Stage(plan.placed(one.transform), one.evidence) for one in made]
        partners = paired(plan, stages[0].placement, None, part(report, 0.5, 1.0))
        return Matching(partners.placement, partners, tuple(stages), plan.spacing, moving)
    stages = followed(plan, begun(plan, reflections, scales, part(report, 0.0, 0.2)), part(report, 0.2, 0.5))
    partners = paired(plan, stages[0].placement, plan.stiffness_um if bend else None, part(report, 0.5, 0.7))
    tested = held_out(plan, reflections, scales, partners.placement, part(report, 0.7, 1.0))
    return Matching(partners.placement, partners, tuple(stages), plan.spacing, moving, tested)
