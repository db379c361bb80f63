"""Registration: a fixed and a moving side in, the transform between them out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .arrays import as_coordinates, as_finite, frozen, require
from .method import Method
from .report import Report, silent
from .transform import Transform

__all__ = ["Alignment", "Pair", "Registrar", "Side"]


@dataclass(frozen=True)
class Side:
    """One side of a registration; what a method does not need may be None.

    Parameters
    ----------
    landmarks
        (k, 2) as (y, x) in µm.
    image
        (c, y, x); the centre of pixel (i, j) lies at (i, j) · ``pixel_size_um``.
    pixel_size_um
        Edge of the square pixel in µm.
    points
        (n, 2) as (y, x) in µm: cells or spots.
    features
        (n, p): one row a point.
    """

    landmarks: npt.NDArray[np.float64] | None = None
    image: npt.NDArray[Any] | None = None
    pixel_size_um: float = 1.0
    points: npt.NDArray[np.float64] | None = None
    features: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        require(self.pixel_size_um > 0, f"The pixel size is {self.pixel_size_um} µm.", "Give a number above 0.")
        if self.landmarks is not None:
            object.__setattr__(self, "landmarks", as_coordinates(self.landmarks, "The landmarks"))
        if self.image is not None:
            image = np.asarray(self.image)
            require(image.ndim == 3, f"The image has the shape {image.shape}.", "Give (channels, height, width).")
            object.__setattr__(self, "image", frozen(image))
        if self.points is not None:
            object.__setattr__(self, "points", as_coordinates(self.points, "The points"))
        if self.features is not None:
            features = as_finite(self.features, "The features", 2)
            n = -1 if self.points is None else len(self.points)
            require(n == len(features), f"There are {len(features)} feature rows for {n} points.", "Give one a point.")
            object.__setattr__(self, "features", features)


@dataclass(frozen=True)
class Pair:
    """What is registered: ``moving`` is brought onto ``fixed``."""

    fixed: Side = field(default_factory=Side)
    moving: Side = field(default_factory=Side)

    def __post_init__(self) -> None:
        a, b = self.fixed.landmarks, self.moving.landmarks
        if a is not None or b is not None:
            k, m = (0 if a is None else len(a)), (0 if b is None else len(b))
            require(
                k == m,
                f"There are {k} landmarks on the fixed side and {m} on the moving side.",
                "Give every landmark its partner, or delete the odd one.",
            )


@dataclass(frozen=True)
class Alignment:
    """The transform from moving to fixed, in µm, and the soft matching of points if there is one.

    Parameters
    ----------
    transform
        Maps moving coordinates (y, x) in µm onto fixed ones.
    coupling
        Sparse (n_moving, n_fixed) weights, or None.
    """

    transform: Transform
    coupling: Any | None = None


class Registrar(Method):
    """Base class of registration methods."""

    kind: ClassVar[str] = "registration"

    @abstractmethod
    def __call__(self, pair: Pair, report: Report = silent) -> Alignment:
        """Find the transform that maps the moving side onto the fixed one."""
