"""Two sets of points, hundreds of thousands each, laid on each other: all turns, then ever finer matching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .affine import Affine
from .density_images import Frame, Images, Points, bounds, channels_of, density_images, spacing_of, standardised
from .density_search import guesses
from .density_warp import Shifts, likeness, shifts
from .few_points import MOST, few_guesses
from .movements import Movement, fit_movement
from .partners import Partners, paired
from .placement import Placement
from .report import Report, part, silent

__all__ = ["Matching", "Stage", "match_points"]

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
_WIDE = 5.0
"""Deviations of density are from the mean over a Gaussian of so many pixels."""
_CHEAP = 120_000
"""Pixels of a level on which a rival is always followed."""
_PIXELS = 40
"""So many pixels of the coarsest level along the diagonal."""


@dataclass(frozen=True)
class Stage:
    """One way in which the points may lie, how well it fits, and how alike the densities are at each level.

    Parameters
    ----------
    placement
        Where the moving points lie.
    score
        Standard errors by which the densities are more alike than by chance, less where little overlaps.
    levels
        For each level (pixel in µm, correlation, standard errors).
    surveys
        For each level the last search of small shifts.
    """

    placement: Placement
    score: float
    levels: tuple[tuple[float, float, float], ...] = ()
    surveys: tuple[Shifts, ...] = ()


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
    """

    placement: Placement
    partners: Partners
    stages: tuple[Stage, ...]
    spacing: float
    moving: Array


@dataclass(frozen=True)
class _Plan:
    """What stays the same during a matching."""

    fixed: Points
    moving: Points
    movement: Movement
    bend: bool
    spacing: float
    stiffness_um: float

    def images(self, pixel: float) -> tuple[Frame, Images]:
        """Return the frame of a level and the fixed images on it."""
        frame = Frame.around(*bounds(self.fixed.where), pixel, 8)
        return frame, standardised(density_images(self.fixed, self.fixed.where, frame), _WIDE)[0]

    def moved(self, placement: Placement, frame: Frame) -> Images:
        """Return the moving images where a placement puts them."""
        where = placement.apply(self.moving.where)
        return standardised(density_images(self.moving, where, frame), _WIDE)[0]

    def placed(self, movement: Affine) -> Placement:
        """Return a movement as an unbent placement around the fixed points."""
        low, high = bounds(self.fixed.where)
        node = self.stiffness_um / 2
        return Placement.of(movement, low - 8 * node, high + 8 * node, node)

    def levels(self) -> list[float]:
        """Return the pixels in µm, from coarse to fine: down to about two points a pixel."""
        low, high = bounds(self.fixed.where)
        pixel = max(float(np.linalg.norm(high - low)) / _PIXELS, 1.5 * self.spacing)
        found = [pixel]
        while found[-1] / 2 >= 1.2 * self.spacing:
            found.append(found[-1] / 2)
        return found


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
    plan = _plan(fixed, moving, fixed_codes, moving_codes, n_codes, movement, bend, stiffness_um)
    few = max(len(fixed), len(moving)) <= MOST
    if few:
        made = few_guesses(plan.fixed, plan.moving, plan.spacing, movement, reflections, 4)
        stages = [Stage(plan.placed(one.transform), one.evidence) for one in made]
    else:
        stages = _followed(plan, _begun(plan, reflections, scales, part(report, 0.0, 0.3)), part(report, 0.3, 0.7))
    partners = paired(
        plan.fixed, plan.moving, stages[0].placement, plan.spacing, n_codes,
        None if few or not bend else plan.stiffness_um, movement, part(report, 0.7, 1.0),
    )  # fmt: skip
    return Matching(partners.placement, partners, tuple(stages), plan.spacing, moving)


def _plan(
    fixed: Array, moving: Array, fixed_codes: Codes, moving_codes: Codes, n_codes: int, movement: Movement,
    bend: bool, stiffness_um: float,
) -> _Plan:  # fmt: skip
    sizes = np.bincount(fixed_codes, minlength=n_codes) + np.bincount(moving_codes, minlength=n_codes)
    sides = []
    for where, codes in ((fixed, fixed_codes), (moving, moving_codes)):
        channels = channels_of(codes, sizes)
        sides.append(Points(where, codes, channels, min(n_codes, 8)))
    spacing = spacing_of(fixed)
    return _Plan(sides[0], sides[1], movement, bend, spacing, stiffness_um or 10 * spacing)


def _begun(plan: _Plan, reflections: Sequence[bool], scales: Sequence[float], report: Report) -> list[Stage]:
    """Return the guesses of the coarse search, as placements."""
    low, high = bounds(plan.fixed.where)
    diagonal = float(np.linalg.norm(high - low))
    pixels = sorted({max(diagonal / share, 1.5 * plan.spacing) for share in (24, 56)})
    found = []
    for number, pixel in enumerate(pixels):
        inner = part(report, number / len(pixels), (number + 1) / len(pixels))
        found += guesses(plan.fixed, plan.moving, pixel, reflections, scales, 4, inner)
    return [Stage(plan.placed(one.transform), one.evidence) for one in found]


def _followed(plan: _Plan, stages: list[Stage], report: Report) -> list[Stage]:
    """Follow the stages from level to level; of those that fall behind only the last placement is kept."""
    levels = plan.levels()
    alive, behind = stages, list[Stage]()
    for number, pixel in enumerate(levels):
        frame, images = plan.images(pixel)
        done = []
        for k, stage in enumerate(alive):
            report((number + k / len(alive)) / len(levels), f"Matching densities at {pixel:.3g} µm")
            done.append(_followed_once(plan, stage, frame, images, coarse=number < 2))
        done.sort(key=lambda one: -one.score)
        done = _unlike(plan, done)
        most, share = ((6, 0.4), (3, 0.5), (2, 0.7))[min(number, 2)]
        # a second one goes along as long as that is cheap: what a wrong one reaches is the measure of the best
        fewest = 2 if images[..., 0].size < _CHEAP else 1
        kept = [one for k, one in enumerate(done) if k < fewest or (k < most and one.score >= share * done[0].score)]
        behind = [one for one in done if not any(one is other for other in kept)] + behind
        alive = kept
    return [*alive, *behind]


def _followed_once(plan: _Plan, stage: Stage, frame: Frame, images: Images, *, coarse: bool) -> Stage:
    placement = stage.placement
    rigidly = 3 if coarse or not plan.bend else 0
    for number in range(rigidly + (2 if plan.bend else 0)):
        bends = number >= rigidly
        moved = plan.moved(placement, frame)
        step = shifts(moved, images, frame, stiffness=1.5, rounds=4 if bends else 0)
        placement = placement.bent_by(step, 1.5, 1.0) if bends else _shifted(plan, placement, step)
    r, errors = likeness(plan.moved(placement, frame), images)
    return Stage(placement, errors, (*stage.levels, (frame.pixel, r, errors)), (*stage.surveys, step))


def _shifted(plan: _Plan, placement: Placement, step: Shifts) -> Placement:
    """Move the whole as most of the evidence asks, in three rounds that leave contradicting places behind."""
    places = step.places()
    to, weight = places + step.shift.reshape(-1, 2), step.evidence.ravel().astype(float)
    if np.count_nonzero(weight) < 3:
        return placement
    believed = weight
    for _ in range(3):
        further = fit_movement(plan.movement, places, to, believed, reflect=False)
        miss = ((further.apply(places) - to) ** 2).sum(1)
        scale = max(float(np.median(miss[weight > 0])), step.spacing**2 / 4)
        believed = weight * (scale / (scale + miss)) ** 2
    return placement.moved(further)


def _unlike(plan: _Plan, stages: list[Stage]) -> list[Stage]:
    """Leave out stages that have arrived where a better one is."""
    sample = plan.moving.where[:: max(len(plan.moving.where) // 200, 1)]
    low, high = bounds(plan.fixed.where)
    near = 0.1 * float(np.linalg.norm(high - low))
    kept, there = list[Stage](), list[Array]()
    for one in stages:
        moved = one.placement.apply(sample)
        if all(np.linalg.norm(moved - other, axis=1).mean() > near for other in there):
            kept.append(one)
            there.append(moved)
    return kept
