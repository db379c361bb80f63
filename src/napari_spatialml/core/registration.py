"""Registration: a fixed and a moving side in, the transform between them out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .arrays import as_coordinates, as_finite, frozen, require
from .method import Method
from .report import Report, silent
from .transform import Transform

__all__ = ["Alignment", "Candidate", "Certainty", "Pair", "Registrar", "Side", "Trust"]


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
class Candidate:
    """One way in which the sides may lie on each other, for a person to choose from.

    Parameters
    ----------
    transform
        Maps moving coordinates (y, x) in µm onto fixed ones.
    score
        Higher is better; to be compared within one run only.
    """

    transform: Transform
    score: float


@dataclass(frozen=True)
class Trust:
    """How far an alignment can be believed without looking at it.

    Parameters
    ----------
    score
        0 ≤ score ≤ 1: about the share of alignments with such figures that are right.
    warning
        One sentence that says what is wrong and what to do; empty where the alignment is likely right.
    figures
        What the score rests on, by name: mutual information before and after, effective rank of the
        coupling, residual in µm.

    Raises
    ------
    BadInput
        When the score is no share.
    """

    score: float
    warning: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require(0 <= self.score <= 1, f"The trust is {self.score}.", "Give a number from 0 to 1.")
        object.__setattr__(self, "figures", {str(k): float(v) for k, v in self.figures.items()})


@dataclass(frozen=True)
class Certainty:
    """Where an alignment is sure and where it is not.

    Parameters
    ----------
    points
        (n, 2) places of the fixed side as (y, x) in µm.
    error_um
        (n,) the expected error there in µm, ≥ 0.
    """

    points: npt.NDArray[np.float64]
    error_um: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        points = as_coordinates(self.points, "The places")
        error = as_finite(self.error_um, "The expected errors", 1)
        require(len(points) == len(error), f"There are {len(error)} errors for {len(points)} places.", "Give one each.")
        require(bool((error >= 0).all()), "An expected error is negative.", "Give distances.")
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "error_um", error)


@dataclass(frozen=True)
class Alignment:
    """The transform from moving to fixed, in µm, and what is known about it.

    Parameters
    ----------
    transform
        Maps moving coordinates (y, x) in µm onto fixed ones.
    coupling
        Sparse (n_moving, n_fixed) weights of a soft matching of points, or None.
    candidates
        Other ways in which the sides may lie on each other, the best first; the first is the one of
        ``transform`` before it was refined. Empty where there is only one.
    trust
        How far the result can be believed, or None where the method cannot say.
    certainty
        Where it is sure and where not, or None where the method cannot say.
    """

    transform: Transform
    coupling: Any | None = None
    candidates: tuple[Candidate, ...] = ()
    trust: Trust | None = None
    certainty: Certainty | None = None


class Registrar(Method):
    """Base class of registration methods."""

    kind: ClassVar[str] = "registration"
    needs: ClassVar[frozenset[str]] = frozenset()
    """What of a `Side` the method cannot do without: of "landmarks", "image", "points" and "features"."""

    @abstractmethod
    def __call__(self, pair: Pair, report: Report = silent) -> Alignment:
        """Find the transform that maps the moving side onto the fixed one."""
