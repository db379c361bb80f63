"""From the document to the two sides of a registration: images, points with features, landmarks, all in µm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core import Alignment, Candidate, Certainty, Pair, Side
from ..core.chaining import chained
from ..core.report import Report, part, silent
from ..core.transform import Affine, Transform
from ..errors import BadInput
from .alignments import moved_elements, present_transform
from .document import Document
from .gather import rows_in
from .selection import RegistrationSelection
from .shared_features import shared_features
from .side_images import SideImage, side_image

__all__ = ["PairPlan", "SidePlan", "pair_plan"]

Points = npt.NDArray[np.float64]
_WHAT = {
    "landmarks": ("works on landmarks", "Place some first, on both sides"),
    "image": ("compares images", "Choose an image on the moving and on the fixed side"),
    "points": ("compares cells, spots or pixels", "Choose a table on the moving and on the fixed side"),
    "features": ("compares what is known of cells or spots", "Choose features that both tables have"),
}


@dataclass(frozen=True, eq=False)
class SidePlan:
    """One side before its image is read. Points and landmarks are in the coordinate system's own µm."""

    landmarks: Points | None = None
    points: Points | None = None
    features: Points | None = None
    image: SideImage | None = None

    @property
    def origin(self) -> tuple[float, float]:
        """What is (0, 0) to the method: the centre of the image's first pixel, as (y, x) in µm."""
        return (0.0, 0.0) if self.image is None else self.image.origin

    def read(self, report: Report = silent) -> Side:
        """Read the image, and put everything into its frame."""
        shift = Affine.translation(-self.origin[0], -self.origin[1])
        landmarks, points = (None if p is None else shift.apply(p) for p in (self.landmarks, self.points))
        if self.image is None:
            return Side(landmarks, points=points, features=self.features)
        return Side(landmarks, self.image.read(report), self.image.pixel_size_um, points, self.features)


@dataclass(frozen=True, eq=False)
class PairPlan:
    """Both sides before their images are read; `read` may run on any thread.

    Parameters
    ----------
    fixed, moving
        The sides.
    present
        What has moved the moving side already, if the registration goes on from there.
    """

    fixed: SidePlan
    moving: SidePlan
    present: Transform | None = None

    def read(self, report: Report = silent) -> Pair:
        """Read what the method is given."""
        return Pair(self.fixed.read(part(report, 0.0, 0.5)), self.moving.read(part(report, 0.5, 1.0)))

    @property
    def reads_images(self) -> bool:
        """Whether there are images to read."""
        return self.fixed.image is not None or self.moving.image is not None

    def restored(self, found: Alignment) -> Alignment:
        """Return what a method found in its own frames as it is in the coordinate systems."""
        (my, mx), (fy, fx) = self.moving.origin, self.fixed.origin
        before: list[Transform] = [] if self.present is None else [self.present]
        to_frame, back = Affine.translation(-my, -mx), Affine.translation(fy, fx)

        def whole(transform: Transform) -> Transform:
            return chained(*before, to_frame, transform, back)

        sure = found.certainty
        return Alignment(
            whole(found.transform),
            found.coupling,
            tuple(Candidate(whole(c.transform), c.score) for c in found.candidates),
            found.trust,
            None if sure is None else Certainty(back.apply(sure.points), sure.error_um),
        )


def pair_plan(
    document: Document, selection: RegistrationSelection, needs: frozenset[str] = frozenset(), title: str = "It"
) -> PairPlan:
    """Gather what a selection names, except the pixels, which are read later.

    Parameters
    ----------
    document
        The document.
    selection
        What is registered.
    needs
        What the method cannot do without.
    title
        The method's title, for the message.

    Raises
    ------
    BadInput, DocumentError
        When the document does not hold what is named or needed; the message says what to choose.
    """
    if selection.moving == selection.fixed:
        raise BadInput(f"Both sides are the coordinate system '{selection.fixed}'.", "Choose two different ones.")
    _check_chosen(selection, needs, title)
    present = present_transform(document, selection) if selection.refine else None
    fixed_marks, moving_marks = _landmarks(document, selection, needs)
    fixed_image, moving_image = _images(document, selection, present)
    (fixed_points, moving_points), (fixed_features, moving_features) = _points(document, selection, needs)
    if present is not None:
        moving_marks, moving_points = (None if p is None else present.apply(p) for p in (moving_marks, moving_points))
    return PairPlan(
        SidePlan(fixed_marks, fixed_points, fixed_features, fixed_image),
        SidePlan(moving_marks, moving_points, moving_features, moving_image),
        present,
    )


def _check_chosen(selection: RegistrationSelection, needs: frozenset[str], title: str) -> None:
    """Say in one sentence what a method needs and the selection does not name."""
    chosen = {"image": (selection.moving_image, selection.fixed_image),
              "points": (selection.moving_points, selection.fixed_points),
              "features": (selection.features, selection.features)}  # fmt: skip
    for need, names in chosen.items():
        does, hint = _WHAT[need]
        if need in needs and not all(names):
            side = "" if any(names) else " of either side"
            side = side or f" of the {'fixed' if names[0] else 'moving'} side"
            what = {"image": "image", "points": "table"}.get(need, "feature")
            raise BadInput(f"{title} {does}, but no {what}{side} is chosen.", f"{hint}.")
        if need != "features" and any(names) and not all(names):
            side = "fixed" if names[0] else "moving"
            raise BadInput(f"'{''.join(names)}' has no partner on the {side} side.", f"{hint}, or on neither.")


# landmarks ---------------------------------------------------------------------------------------


def _landmarks(
    document: Document, selection: RegistrationSelection, needs: frozenset[str]
) -> tuple[Points | None, Points | None]:
    known = document.attribute("landmarks", {})
    held = known.get(selection.landmark_set)
    if held is None and (selection.landmarks or "landmarks" in needs):
        have = ", ".join(sorted(known)) or "none"
        raise BadInput(
            f"There are no landmarks '{selection.landmark_set}'.", f"Place some first. Sets of landmarks: {have}."
        )
    if held is None:
        return None, None
    fixed, moving = (np.asarray(held[s], dtype=float).reshape(-1, 2) for s in ("fixed_um", "moving_um"))
    sides = (held.get("fixed", selection.fixed), held.get("moving", selection.moving))
    if sides == (selection.moving, selection.fixed):  # the same pair, the other way round
        return moving, fixed
    if sides != (selection.fixed, selection.moving):
        if not (selection.landmarks or "landmarks" in needs):
            return None, None
        raise BadInput(
            f"The landmarks '{selection.landmark_set}' join '{sides[1]}' to '{sides[0]}', "
            f"not '{selection.moving}' to '{selection.fixed}'.",
            "Choose the sides that they join.",
        )
    return fixed, moving


# images ------------------------------------------------------------------------------------------


def _images(
    document: Document, selection: RegistrationSelection, present: Transform | None
) -> tuple[SideImage | None, SideImage | None]:
    moving, fixed = selection.moving_image, selection.fixed_image
    if not moving:
        return None, None
    if moving == fixed:
        raise BadInput(f"The image '{fixed}' is chosen on both sides.", "Choose another one on one of them.")
    made = side_image(document, fixed, selection.fixed), side_image(document, moving, selection.moving, present)
    if fixed in moved_elements(document, selection.moving, selection.fixed, stay=()) and not _all_in_both(
        document, selection
    ):
        raise BadInput(f"The fixed image '{fixed}' lies on the moving side itself.", "Choose another fixed image.")
    return made


def _all_in_both(document: Document, selection: RegistrationSelection) -> bool:
    """Return whether another program has placed everything of the moving side: it says not whose the images are."""
    return selection.moving not in document.attribute("alignments", {})


# points ------------------------------------------------------------------------------------------

_Two = tuple[Points | None, Points | None]


def _points(document: Document, selection: RegistrationSelection, needs: frozenset[str]) -> tuple[_Two, _Two]:
    """Return where the rows of both tables lie, and what describes them: the fixed side first."""
    if not selection.moving_points:
        return (None, None), (None, None)
    fixed_rows, fixed = rows_in(document, selection.fixed_points, selection.fixed)
    moving_rows, moving = rows_in(document, selection.moving_points, selection.moving)
    if selection.fixed_points == selection.moving_points and np.intersect1d(fixed_rows, moving_rows).size:
        raise BadInput(
            f"Both sides are the same rows of the table '{selection.fixed_points}'.", "Choose another table on one."
        )
    features: Any = shared_features(
        document,
        (selection.fixed_points, fixed_rows),
        (selection.moving_points, moving_rows),
        selection.features,
        required="features" in needs or selection.features != "X",
    )
    return (fixed, moving), features
