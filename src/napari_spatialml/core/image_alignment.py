"""Two images of tissue onto each other, from any start: the steps of the registration from images, and their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .affine import Affine
from .coarse_search import Pose, search
from .image_affine import Fit, refine
from .landmarks import fit_model
from .movements import Movement
from .pictures import Picture, check, extent_of, picture_of
from .registration import Pair, Side
from .report import Report, part, silent

__all__ = ["Found", "Wanted", "find_affine", "levels_of", "pictures_of", "start_of"]

_EDGE = 1000
"""Longest edge in pixels at which images are compared, unless a resolution is asked for."""
_JUDGED = 8
"""Placements that are compared in detail."""
_SHOWN = 4
"""Placements that are offered to a person."""
_CLEAR = 1.7
"""A placement that is not better than the median of the others by this factor is wrong, as a rule."""
_STRETCHES = (0.71, 0.84, 1.19, 1.41)
"""Pixels that are taken to be square may be twice as long as wide."""
Reflection = Literal["auto", "never", "always"]


@dataclass(frozen=True)
class Wanted:
    """What a person asks of the search.

    Parameters
    ----------
    model
        What the affine part may change.
    everywhere
        Whether all turns are tried, or only what is near the present placement.
    reflection
        Whether the moving side may be turned over.
    scale_range
        The sides' sizes may differ by this factor beyond what their pixel sizes say, ≥ 1.
    """

    model: Movement = "affine"
    everywhere: bool = True
    reflection: Reflection = "auto"
    scale_range: float = 2.0


@dataclass(frozen=True)
class Found:
    """What the search found: placements compared at the same level, the best first, and the best refined."""

    placements: tuple[Fit, ...]
    judged: tuple[Fit, ...]
    poses: tuple[Pose, ...]
    best: Fit


def pictures_of(pair: Pair, resolution_um: float = 0.0) -> tuple[Picture, Picture]:
    """Return what both images show, on the same pixel.

    Parameters
    ----------
    pair
        Both sides with an image.
    resolution_um
        The pixel in µm; 0 takes the finest at which the larger side has 1,000 pixels, no finer than half
        the coarser image's.

    Raises
    ------
    BadInput
        When an image is missing, too small, or the same everywhere.
    """
    fixed, moving = _image(pair.fixed, "fixed"), _image(pair.moving, "moving")
    sizes = pair.fixed.pixel_size_um, pair.moving.pixel_size_um
    if resolution_um <= 0:
        extents = extent_of(fixed, sizes[0]) + extent_of(moving, sizes[1])
        resolution_um = max(max(extents) / _EDGE, max(sizes) / 2)
    return picture_of(fixed, sizes[0], resolution_um), picture_of(moving, sizes[1], resolution_um)


def _image(side: Side, name: str) -> npt.NDArray[np.generic]:
    if side.image is None:
        raise BadInput(f"The {name} side has no image.", "Choose an image on both sides.")
    check(side.image, name)
    return side.image


def find_affine(
    fixed: Picture, moving: Picture, wanted: Wanted, start: Affine | None = None, report: Report = silent
) -> Found:
    """Find where the moving picture lies on the fixed one.

    Parameters
    ----------
    fixed, moving
        On the same pixel.
    wanted
        What is looked for, and where.
    start
        A placement that is tried besides, such as that of landmarks.
    report
        Told as it goes.
    """
    scales, turns, sides = _ranges(wanted)
    poses = search(fixed, moving, scales, turns, sides, report=part(report, 0.0, 0.4))
    chosen = _shortlist(poses)
    if start is not None:
        chosen.insert(0, Pose(start, 0.0))
    placements = _judged(fixed, moving, chosen, wanted.model, part(report, 0.4, 0.55))
    if wanted.model == "affine" and wanted.everywhere and _doubtful(placements):
        stretched = search(fixed, moving, scales[:3], turns, sides, _STRETCHES, report=part(report, 0.55, 0.75))
        placements += _judged(fixed, moving, _shortlist(stretched), wanted.model, part(report, 0.75, 0.8))
        placements.sort(key=lambda fit: -fit.score)
    best = placements[0]
    for done, edge in enumerate((350, 700)):
        report(0.8 + 0.1 * done, "Refining")
        best = refine(*levels_of(fixed, moving, best.transform, edge), best.transform, wanted.model)
    report(1.0, "Placed")
    return Found(tuple(_offered(placements)), tuple(placements), tuple(poses), best)


def _ranges(wanted: Wanted) -> tuple[tuple[float, ...], tuple[float, ...] | None, tuple[bool, ...]]:
    """Return the sizes, turns and sides to try."""
    steps = int(np.ceil(3 * np.log2(wanted.scale_range) - 1e-9)) if wanted.model != "rigid" else 0
    scales = (1.0, *(float(wanted.scale_range ** (sign * k / steps)) for k in range(1, steps + 1) for sign in (-1, 1)))
    turns = None if wanted.everywhere else (-20.0, -10.0, 0.0, 10.0, 20.0)
    sides = {"auto": (False, True), "never": (False,), "always": (True,)}[wanted.reflection]
    return scales, turns, sides


def _judged(fixed: Picture, moving: Picture, poses: list[Pose], model: Movement, report: Report) -> list[Fit]:
    """Compare placements in detail, and return the best first."""
    fits = []
    for done, pose in enumerate(poses):
        report(done / len(poses), "Comparing the placements")
        fits.append(_compared(fixed, moving, pose.transform, model))
    return sorted(fits, key=lambda fit: -fit.score)


def _doubtful(placements: list[Fit]) -> bool:
    """Say whether the best placement hardly stands out, so that it pays to look further."""
    best, rest = placements[0].score, [fit.score for fit in placements[1:]]
    return not rest or best < _CLEAR * float(np.median(rest))


def _shortlist(poses: list[Pose]) -> list[Pose]:
    """Return the best poses, of either side at least a few."""
    sides = [[p for p in poses if p.transform.reflects == side] for side in (False, True)]
    least = [p for side in sides for p in side[: _JUDGED // 3]]
    rest = [p for p in poses if p not in least]
    return sorted(least + rest[: max(0, _JUDGED - len(least))], key=lambda p: -p.score)


def levels_of(fixed: Picture, moving: Picture, transform: Affine, edge: int) -> tuple[Picture, Picture]:
    """Return both pictures with pixels of about the same size when they lie on each other.

    Parameters
    ----------
    fixed, moving
        On their finest level, which is not exceeded.
    transform
        From moving to fixed.
    edge
        Pixels of the larger side's longer edge; more where the smaller side would have less than two thirds of it.
    """
    scale = float(np.sqrt(abs(np.linalg.det(transform.matrix[:2, :2]))))
    small, large = sorted([max(fixed.shape) * fixed.spacing, scale * max(moving.shape) * moving.spacing])
    spacing = max(min(large / edge, 1.5 * small / edge), large / (3 * edge), fixed.spacing)
    return fixed.at(spacing), moving.at(max(spacing / scale, moving.spacing))


def _compared(fixed: Picture, moving: Picture, start: Affine, model: Movement) -> Fit:
    first: Movement = "rigid" if model == "rigid" else "similarity"
    near = refine(*levels_of(fixed, moving, start, 100), start, first, rounds=6)
    return refine(*levels_of(fixed, moving, near.transform, 180), near.transform, model)


def _offered(placements: list[Fit]) -> list[Fit]:
    """Return the best few, of both sides at least one."""
    shown = placements[:_SHOWN]
    if len({fit.transform.reflects for fit in shown}) == 1:
        other = [fit for fit in placements[_SHOWN:] if fit.transform.reflects != shown[0].transform.reflects]
        shown = shown[: _SHOWN - 1] + other[:1] if other else shown
    return shown


def start_of(pair: Pair) -> Affine | None:
    """Return the placement that landmarks on both sides suggest, or None without at least two."""
    moving, fixed = pair.moving.landmarks, pair.fixed.landmarks
    if moving is None or fixed is None or len(moving) < 2:
        return None
    found = fit_model("similarity", moving, fixed, "auto", None)
    return found if isinstance(found, Affine) else None
