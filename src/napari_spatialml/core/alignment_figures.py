"""How well a registration lays two sections on each other, and where two registrations differ, in figures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import as_coordinates, require
from .image_likeness import classes_of, information
from .pictures import Picture, picture_of
from .registration import Side
from .transform import Transform

__all__ = ["Difference", "Likeness", "Pictures", "difference", "likeness_under", "pictures_of"]

Floats = npt.NDArray[np.float64]
_EDGE = 256
"""Images are compared on about so many pixels along the longer edge of the fixed one."""
_CLASSES = 12
_TISSUE = 0.5
"""Tissue is what is brighter or darker than the background by this part of the signal's spread."""


@dataclass(frozen=True)
class Likeness:
    """How alike two images are where a transform lays them on each other.

    Parameters
    ----------
    information_bits
        Mutual information of the classes of similar signal, in bits; NaN where nothing overlaps.
    overlap
        The share of the moving image's tissue that comes to lie on the fixed image's tissue, 0 to 1.
    """

    information_bits: float
    overlap: float


@dataclass(frozen=True)
class Pictures:
    """Two images as classes of similar signal on a coarse grid, each in µm of its coordinate system."""

    fixed: Picture
    moving: Picture
    fixed_classes: npt.NDArray[np.int8]
    moving_classes: npt.NDArray[np.int8]


@dataclass(frozen=True)
class Difference:
    """Where two transforms of one pair put the same tissue apart.

    Parameters
    ----------
    places
        (n, 2) where the second transform puts the tissue, as (y, x) in µm of the fixed side.
    distance_um
        (n,) how far from there the first one puts it.
    """

    places: Floats
    distance_um: Floats

    @property
    def median_um(self) -> float:
        """The median distance in µm."""
        return float(np.median(self.distance_um))

    @property
    def p95_um(self) -> float:
        """The distance in µm that 95 % of the places stay below."""
        return float(np.percentile(self.distance_um, 95))

    @property
    def largest_um(self) -> float:
        """The largest distance in µm."""
        return float(self.distance_um.max())


def pictures_of(fixed: Side, moving: Side, fixed_origin: Any = (0, 0), moving_origin: Any = (0, 0)) -> Pictures:
    """Make two images comparable.

    Parameters
    ----------
    fixed, moving
        Sides with an image each.
    fixed_origin, moving_origin
        Where the centres of their first pixels lie, as (y, x) in µm of the coordinate systems.

    Raises
    ------
    BadInput
        When an image is absent, too small, or the same everywhere.
    """
    made = []
    for side, name, origin in ((fixed, "fixed", fixed_origin), (moving, "moving", moving_origin)):
        image = side.image
        require(image is not None, f"There is no image of the {name} side.", "Choose one.")
        assert image is not None
        spacing = max(image.shape[1:]) * side.pixel_size_um / _EDGE
        found = picture_of(image, side.pixel_size_um, max(spacing, side.pixel_size_um), name)
        y, x = found.origin
        made.append(replace(found, origin=(y + float(origin[0]), x + float(origin[1]))))
    return Pictures(made[0], made[1], *(classes_of(p, _CLASSES) for p in made))


def likeness_under(pictures: Pictures, transform: Transform) -> Likeness:
    """Measure how alike two images are under a transform from moving to fixed.

    Notes
    -----
    Every pixel of the coarse moving image is put onto the nearest one of the fixed image: no inverse is needed.
    """
    fixed, moving = pictures.fixed, pictures.moving
    rows, columns = np.nonzero(pictures.moving_classes >= 0)
    landed = transform.apply(moving.grid.apply(np.c_[rows, columns]))
    at = np.rint(fixed.grid.inverse().apply(landed)).astype(np.int64)
    inside = ((at >= 0) & (at < np.array(fixed.shape))).all(1)
    tissue = _tissue(moving)[rows, columns]
    at, mine = at[inside], pictures.moving_classes[rows, columns][inside]
    both = _tissue(fixed)[at[:, 0], at[:, 1]] & tissue[inside]
    overlap = float(both.sum() / max(int(tissue.sum()), 1))
    theirs = pictures.fixed_classes[at[:, 0], at[:, 1]]
    known = theirs >= 0
    if not known.any():
        return Likeness(float("nan"), overlap)
    joint = np.zeros((_CLASSES, _CLASSES))
    np.add.at(joint, (theirs[known], mine[known]), 1.0)
    return Likeness(max(float(information(joint)) / float(np.log(2)), 0.0), overlap)


def _tissue(picture: Picture) -> npt.NDArray[np.bool_]:
    return np.asarray((np.linalg.norm(picture.values, axis=0) > _TISSUE) & (picture.known > 0))


def difference(first: Transform, second: Transform, places: Any) -> Difference:
    """Return how far apart two transforms put the same places.

    Parameters
    ----------
    first, second
        From moving to fixed.
    places
        (n, 2) places of the moving side as (y, x) in µm, n >= 1.

    Raises
    ------
    BadInput
        When there is no place.
    """
    where = as_coordinates(places, "The places")
    require(len(where) > 0, "There are no places to compare.", "Give at least one.")
    a, b = first.apply(where), second.apply(where)
    return Difference(b, np.asarray(np.linalg.norm(a - b, axis=1)))
