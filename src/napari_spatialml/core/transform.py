"""Transforms of the plane are values: they move points and images, can be inverted, chained and saved.

Coordinates are (y, x) in µm, float64. Every transform maps moving coordinates to fixed ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .affine import Affine
from .arrays import as_coordinates, require
from .field import DisplacementField
from .local_warp import LocalWarp
from .spline import InverseTransform, ThinPlateSpline
from .warp import warp_image, warp_labels

__all__ = [
    "Affine",
    "Chain",
    "DisplacementField",
    "InverseTransform",
    "LocalWarp",
    "ThinPlateSpline",
    "Transform",
    "transform_from_dict",
    "warp_image",
    "warp_labels",
]

_DEEPEST = 32
"""Saved transforms may nest this deep: a file from elsewhere must not exhaust the stack."""


@runtime_checkable
class Transform(Protocol):
    """What every transform can do."""

    @property
    def reflects(self) -> bool:
        """Whether the transform turns the section over."""
        ...

    def apply(self, points: Any) -> npt.NDArray[np.float64]:
        """Map (n, 2) points."""
        ...

    def inverse(self) -> Transform:
        """Return the inverse."""
        ...

    def jacobian(self, points: Any) -> npt.NDArray[np.float64]:
        """Return the derivatives (n, 2, 2): element [i, a, b] is the change of output a with input b."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON keeps exactly."""
        ...


@dataclass(frozen=True)
class Chain:
    """Several transforms one after the other.

    Parameters
    ----------
    transforms
        Applied in this order, the first one first; none is the identity.
    """

    transforms: tuple[Transform, ...]

    def __post_init__(self) -> None:
        transforms = tuple(self.transforms)
        for one in transforms:
            require(isinstance(one, Transform), f"A chain holds {one!r}, which is no transform.", "Give transforms.")
        object.__setattr__(self, "transforms", transforms)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Chain:
        """Make the transform again from what `to_dict` returned."""
        return cls(tuple(transform_from_dict(one) for one in values["transforms"]))

    @property
    def reflects(self) -> bool:
        """Whether the transform turns the section over."""
        return sum(one.reflects for one in self.transforms) % 2 == 1

    def apply(self, points: Any) -> npt.NDArray[np.float64]:
        """Map (n, 2) points."""
        where = np.array(as_coordinates(points, "The points"))
        for one in self.transforms:
            where = one.apply(where)
        return where

    def inverse(self) -> Chain:
        """Return the inverses in reverse order."""
        return Chain(tuple(one.inverse() for one in reversed(self.transforms)))

    def jacobian(self, points: Any) -> npt.NDArray[np.float64]:
        """Return the (n, 2, 2) derivatives, by the chain rule."""
        where = np.array(as_coordinates(points, "The points"))
        total = np.tile(np.eye(2), (len(where), 1, 1))
        for one in self.transforms:
            total = one.jacobian(where) @ total
            where = one.apply(where)
        return total

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON keeps exactly."""
        return {"type": "chain", "transforms": [one.to_dict() for one in self.transforms]}


def transform_from_dict(values: Mapping[str, Any]) -> Transform:
    """Make any transform again from what its ``to_dict`` returned.

    Raises
    ------
    BadInput
        When the values describe no transform: an unknown type, a missing or wrong entry, or
        more than 32 transforms inside one another.
    """
    _check_depth(values)
    types: dict[str, Any] = {
        "affine": Affine,
        "thin-plate spline": ThinPlateSpline,
        "displacement field": DisplacementField,
        "local warp": LocalWarp,
        "inverse": InverseTransform,
        "chain": Chain,
    }
    kind = values.get("type")
    if not isinstance(kind, str) or kind not in types:
        raise BadInput(f"The saved transform is of type {kind!r}.", f"Known are {', '.join(types)}.")
    try:
        made: Transform = types[kind].from_dict(values)
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"The saved {kind} transform is damaged: {error}.", "Register the pair again.") from error
    return made


def _check_depth(values: Any) -> None:
    level = [values]
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for one in level:
            if not isinstance(one, Mapping):
                raise BadInput(f"A saved transform is a {type(one).__name__}.", "It must be a JSON object.")
            inner = one.get("transforms", [])
            below += list(inner) if isinstance(inner, list | tuple) else []
            below += [one["forward"]] if "forward" in one else []
        if not below:
            return
        level = below
    raise BadInput(f"The saved transform is nested more than {_DEEPEST} deep.", "Register the pair again.")
