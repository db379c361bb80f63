"""A displacement field on a square grid, as a transform: coordinates are (y, x) in µm."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..errors import BadInput
from .affine import Affine
from .arrays import as_coordinates, frozen, require
from .spline import InverseTransform

if TYPE_CHECKING:
    from .transform import Transform

__all__ = ["DisplacementField"]

Array = npt.NDArray[np.float64]

_MARGIN = 2
"""Nodes beyond the rectangle in which a transform is sampled: the edge's boundary condition stays out of it."""
_LARGEST = 1 << 24
"""Nodes of a field at most: 256 MB of displacements."""


@dataclass(frozen=True, eq=False)
class DisplacementField:
    """A displacement given on the nodes of a square grid, ``p -> p + d(p)``.

    Between nodes d is the interpolating cubic B-spline, so that the transform is twice continuously
    differentiable. Beyond the grid it goes on as the affine transform nearest to the field, shifted by
    what the field differs from it at the edge: continuous, and exact for an affine transform.

    Parameters
    ----------
    origin
        (2,) the first node as (y, x) in µm.
    spacing_um
        Distance of the nodes in µm, > 0.
    displacement_um
        (h, w, 2) displacements of the nodes as (y, x) in µm, h, w >= 2; float32 is kept as such.

    Raises
    ------
    BadInput
        When a shape is wrong, a number is NaN or infinite, or the spacing is not above 0.

    Notes
    -----
    About 20 ns a point, whatever the size of the grid.

    References
    ----------
    Unser (1999), doi:10.1109/79.799930, equations 5 and 13: the cubic B-spline that interpolates.
    """

    origin: Array
    spacing_um: float
    displacement_um: npt.NDArray[Any]
    affine: Affine = field(init=False, repr=False)
    _coefficients: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        origin = np.asarray(self.origin, dtype=np.float64)
        require(origin.shape == (2,), f"The field's origin has the shape {origin.shape}.", "Give (y, x) in µm.")
        require(bool(np.isfinite(origin).all()), f"The field's origin is {origin.tolist()}.", "Give finite numbers.")
        spacing = float(self.spacing_um)
        require(0 < spacing < np.inf, f"The field's spacing is {self.spacing_um} µm.", "Give a number above 0.")
        moved = _displacements(self.displacement_um)
        object.__setattr__(self, "origin", frozen(origin.copy()))
        object.__setattr__(self, "spacing_um", spacing)
        object.__setattr__(self, "displacement_um", frozen(moved))
        affine, rest = _split(moved.astype(np.float64), self.origin, spacing)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "_coefficients", frozen(_coefficients(rest)))

    @classmethod
    def of(
        cls, transform: Transform, low: Any, high: Any, spacing_um: float, tolerance_um: float | None = None
    ) -> DisplacementField:
        """Sample a transform on the rectangle from ``low`` to ``high``, (y, x) in µm of its input frame.

        Parameters
        ----------
        transform
            What is sampled.
        low, high
            (2,) corners of the rectangle in which the field is to agree with the transform.
        spacing_um
            Distance of the nodes in µm.
        tolerance_um
            The spacing is halved until the field is no farther from the transform at the centres and
            the sides' middles of its cells; None samples once.

        Raises
        ------
        BadInput
            When the rectangle has no extent, or the tolerance would need more than 16 million nodes.
        """
        corners = as_coordinates([low, high], "The field's corners")
        require(bool((corners[1] > corners[0]).all()), "The field's rectangle is empty.", "Give low < high.")
        require(0 < spacing_um < np.inf, f"The field's spacing is {spacing_um} µm.", "Give a number above 0.")
        while True:
            made = cls._sampled(transform, corners, spacing_um)
            if tolerance_um is None or made._miss(transform, corners) <= tolerance_um:
                return made
            spacing_um /= 2

    @classmethod
    def _sampled(cls, transform: Transform, corners: Array, spacing: float) -> DisplacementField:
        shape = np.maximum(np.ceil((corners[1] - corners[0]) / spacing), 1) + 1 + 2 * _MARGIN
        require(
            float(np.prod(shape)) <= _LARGEST,
            f"A field of {shape[0]:.0f} by {shape[1]:.0f} nodes, {spacing:g} µm apart, is too large.",
            "Allow a larger spacing or tolerance.",
        )
        origin = corners[0] - _MARGIN * spacing
        nodes = _nodes(origin, spacing, (int(shape[0]), int(shape[1])))
        moved = transform.apply(nodes.reshape(-1, 2)).reshape(nodes.shape)
        return cls(origin, spacing, moved - nodes)

    def _miss(self, transform: Transform, corners: Array) -> float:
        """Return the largest distance to a transform halfway between nodes within the rectangle."""
        nodes = _nodes(self.origin, self.spacing_um, (self.displacement_um.shape[0], self.displacement_um.shape[1]))
        largest = 0.0
        for half in ((0.5, 0.5), (0.5, 0.0), (0.0, 0.5)):
            points = (nodes + np.array(half) * self.spacing_um).reshape(-1, 2)
            points = points[((points >= corners[0]) & (points <= corners[1])).all(1)]
            if len(points):
                apart = np.linalg.norm(self.apply(points) - transform.apply(points), axis=1)
                largest = max(largest, float(apart.max()))
        return largest

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DisplacementField:
        """Make the transform again from what `to_dict` returned."""
        height, width = (int(n) for n in values["shape"])
        require(0 < height * width <= _LARGEST, f"The saved field has {height} by {width} nodes.", "It is damaged.")
        dtype = {"float32": "<f4", "float64": "<f8"}[values["dtype"]]
        raw = np.frombuffer(base64.b64decode(values["displacement_um"], validate=True), dtype)
        return cls(np.asarray(values["origin"]), values["spacing_um"], raw.reshape(height, width, 2))

    @property
    def low(self) -> Array:
        """The first node."""
        return self.origin

    @property
    def high(self) -> Array:
        """The last node as (y, x) in µm."""
        return np.asarray(self.origin + (np.array(self.displacement_um.shape[:2]) - 1) * self.spacing_um)

    @property
    def reflects(self) -> bool:
        """Whether the affine transform nearest to the field turns the section over."""
        return self.affine.reflects

    @property
    def smooth_below_um(self) -> float:
        """The distance of the nodes: nothing happens between them that a cubic does not tell."""
        return self.spacing_um

    def apply(self, points: Any) -> Array:
        """Map (n, 2) points."""
        from .field_kernels import values_at

        where = as_coordinates(points, "The points")
        moved = self.affine.apply(where)
        values_at(self._coefficients, *self._in_nodes(where), moved)
        return moved

    def inverse(self) -> Transform:
        """Return the inverse, solved by Newton's method; see `InverseTransform`."""
        return InverseTransform(self)

    def jacobian(self, points: Any) -> Array:
        """Return the (n, 2, 2) derivatives; beyond the grid they jump across its edge."""
        from .field_kernels import slopes_at

        where = as_coordinates(points, "The points")
        slopes = np.empty((len(where), 2, 2))
        slopes_at(self._coefficients, *self._in_nodes(where), slopes)
        return np.asarray(self.affine.matrix[:2, :2] + slopes / self.spacing_um)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON keeps exactly; the displacements as base64, little-endian, row by row."""
        moved = self.displacement_um
        raw = np.ascontiguousarray(moved, moved.dtype.newbyteorder("<")).tobytes()
        return {
            "type": "displacement field",
            "origin": self.origin.tolist(),
            "spacing_um": self.spacing_um,
            "shape": [int(n) for n in moved.shape[:2]],
            "dtype": moved.dtype.name,
            "displacement_um": base64.b64encode(raw).decode("ascii"),
        }

    def _in_nodes(self, where: Array) -> tuple[Array, Array]:
        nodes = (where - self.origin) / self.spacing_um
        return np.ascontiguousarray(nodes[:, 0]), np.ascontiguousarray(nodes[:, 1])

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, DisplacementField)
            and self.spacing_um == other.spacing_um
            and bool(np.array_equal(self.origin, other.origin))
            and bool(np.array_equal(self.displacement_um, other.displacement_um))
        )

    def __hash__(self) -> int:
        return hash((tuple(self.origin.tolist()), self.spacing_um, self.displacement_um.tobytes()))


def _displacements(values: Any) -> npt.NDArray[Any]:
    """Return a copy that nobody else can write, float32 or float64."""
    array = np.asarray(values)
    require(
        array.ndim == 3 and array.shape[2] == 2 and min(array.shape[:2]) >= 2,
        f"The field's displacements have the shape {array.shape}.",
        "Give (height, width, 2), height and width at least 2.",
    )
    if array.dtype.kind not in "fiu":
        raise BadInput(f"The field's displacements are of type {array.dtype}.", "Give numbers.")
    array = np.array(array, np.float32 if array.dtype.itemsize <= 4 and array.dtype.kind == "f" else np.float64)
    bad = int(array.size - np.count_nonzero(np.isfinite(array)))
    require(bad == 0, f"The field's displacements hold {bad} values that are NaN or infinite.", "Fill them first.")
    return array


def _nodes(origin: Array, spacing: float, shape: tuple[int, int]) -> Array:
    rows, columns = (origin[k] + spacing * np.arange(shape[k]) for k in (0, 1))
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), -1)


def _split(moved: Array, origin: Array, spacing: float) -> tuple[Affine, Array]:
    """Return the least-squares affine transform of the nodes, and what is left of (h, w, 2)."""
    h, w = moved.shape[:2]
    # on a full grid the three columns (1, y, x) are orthogonal about the centre
    y, x = np.arange(h) - (h - 1) / 2, np.arange(w) - (w - 1) / 2
    mean = moved.mean((0, 1))
    by_y = y @ moved.mean(1) / (y @ y)
    by_x = x @ moved.mean(0) / (x @ x)
    rest = moved - mean - y[:, None, None] * by_y - x[None, :, None] * by_x
    matrix = np.eye(3)
    matrix[:2, :2] += np.stack([by_y, by_x], 1) / spacing
    centre = origin + spacing * np.array([h - 1, w - 1]) / 2
    matrix[:2, 2] = centre + mean - matrix[:2, :2] @ centre
    return Affine(matrix), rest


def _coefficients(rest: Array) -> Array:
    """Return (h + 2, w + 2, 2) B-spline coefficients that interpolate, with no bending across the edge."""
    h, w = rest.shape[:2]
    # mirrored in value and place the samples go on straight; the recursive filter forgets within 16 nodes
    pads = [(min(16, n - 1),) * 2 for n in (h, w)]
    wide = np.pad(rest, [*pads, (0, 0)], mode="reflect", reflect_type="odd")
    made = ndimage.spline_filter1d(ndimage.spline_filter1d(wide, 3, axis=0, mode="mirror"), 3, axis=1, mode="mirror")
    made = np.pad(made, [(1, 1), (1, 1), (0, 0)], mode="reflect")
    (up, _), (left, _) = pads
    return np.ascontiguousarray(made[up : up + h + 2, left : left + w + 2])
