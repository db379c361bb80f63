"""From guesses to a placement: density images from coarse to fine, on which the better ways are followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .affine import Affine
from .density_images import Frame, Images, Points, bounds, channels_of, density_images, spacing_of, standardised
from .density_search import guesses
from .density_warp import Shifts, likeness, shifts
from .movements import Movement, fit_movement
from .placement import Placement
from .report import Report, part

__all__ = ["Plan", "Stage", "begun", "followed", "plan_of"]

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
        Standard errors by which the densities are more alike than by chance, at the last level.
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
class Plan:
    """What stays the same during a matching."""

    fixed: Points
    moving: Points
    movement: Movement
    bend: bool
    spacing: float
    stiffness_um: float

    def images(self, pixel: float, *, rim: bool = True) -> tuple[Frame, Images]:
        """Return the frame of a level and the fixed images on it."""
        frame = Frame.around(*bounds(self.fixed.where), pixel, 8)
        return frame, standardised(density_images(self.fixed, self.fixed.where, frame), _WIDE, rim=rim)

    def moved(self, placement: Placement, frame: Frame, *, rim: bool = True) -> Images:
        """Return the moving images where a placement puts them."""
        where = placement.apply(self.moving.where)
        return standardised(density_images(self.moving, where, frame), _WIDE, rim=rim)

    def placed(self, movement: Affine) -> Placement:
        """Return a movement as an unbent placement around the fixed points."""
        low, high = bounds(self.fixed.where)
        node = self.stiffness_um / 2
        return Placement.of(movement, low - 8 * node, high + 8 * node, node)

    def levels(self, most: int | None = None) -> list[float]:
        """Return the pixels in µm, from coarse to fine: down to about two points a pixel, or ``most`` pixels."""
        low, high = bounds(self.fixed.where)
        least = 0.0 if most is None else float(np.sqrt(np.prod(high - low) / most))
        pixel = max(float(np.linalg.norm(high - low)) / _PIXELS, 1.5 * self.spacing)
        found = [pixel]
        while found[-1] / 2 >= max(1.2 * self.spacing, least):
            found.append(found[-1] / 2)
        return found


def plan_of(
    fixed: Array, moving: Array, fixed_codes: Codes, moving_codes: Codes, n_codes: int, movement: Movement,
    bend: bool, stiffness_um: float,
) -> Plan:  # fmt: skip
    sizes = np.bincount(fixed_codes, minlength=n_codes) + np.bincount(moving_codes, minlength=n_codes)
    sides = []
    for where, codes in ((fixed, fixed_codes), (moving, moving_codes)):
        channels = channels_of(codes, sizes)
        sides.append(Points(where, codes, channels, min(n_codes, 8)))
    spacing = spacing_of(fixed)
    return Plan(sides[0], sides[1], movement, bend, spacing, stiffness_um or 10 * spacing)


def begun(plan: Plan, reflections: Sequence[bool], scales: Sequence[float], report: Report) -> list[Stage]:
    """Return the guesses of the coarse search, as placements."""
    low, high = bounds(plan.fixed.where)
    diagonal = float(np.linalg.norm(high - low))
    pixels = sorted({max(diagonal / share, 1.5 * plan.spacing) for share in (24, 56)})
    found = []
    for number, pixel in enumerate(pixels):
        inner = part(report, number / len(pixels), (number + 1) / len(pixels))
        found += guesses(plan.fixed, plan.moving, pixel, reflections, scales, 4, inner)
    return _unlike(plan, [Stage(plan.placed(one.transform), one.evidence) for one in found])


def followed(plan: Plan, stages: list[Stage], report: Report, *, cheaply: bool = False) -> list[Stage]:
    """Follow the stages from level to level; of those that fall behind only the last placement is kept.

    ``cheaply`` leaves out the finest levels of large sections.
    """
    levels = plan.levels(_CHEAP if cheaply else None)
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


def _followed_once(plan: Plan, stage: Stage, frame: Frame, images: Images, *, coarse: bool) -> Stage:
    placement = stage.placement
    rigidly = 3 if coarse or not plan.bend else 0
    for number in range(rigidly + (4 if plan.bend else 0)):
        bends = number >= rigidly
        moved = plan.moved(placement, frame)
        step = shifts(moved, images, frame, stiffness=1.5, rounds=4 if bends else 0)
        placement = placement.bent_by(step, 1.5, 1.0) if bends else _shifted(plan, placement, step)
    r, errors = likeness(plan.moved(placement, frame), images)
    return Stage(placement, errors, (*stage.levels, (frame.pixel, r, errors)), (*stage.surveys, step))


def _shifted(plan: Plan, placement: Placement, step: Shifts) -> Placement:
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


def _unlike(plan: Plan, stages: list[Stage]) -> list[Stage]:
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
