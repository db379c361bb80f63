"""Landmarks to files of other programs and from them: in pixels of an image of each side, or in µm."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..core.affine import Affine
from ..errors import BadInput, UnitNeeded
from ..io.landmark_files import LandmarksFile, read_landmarks, write_landmarks
from .command import Command
from .corrections import correct
from .document import GLOBAL, Document

__all__ = ["export_landmarks", "import_landmarks"]

Unit = Literal["", "px", "µm"]


def import_landmarks(
    document: Document,
    path: Path,
    landmarks: str,
    *,
    fixed: str = GLOBAL,
    fixed_image: str = "",
    moving_image: str = "",
    unit: Unit = "",
    replace: bool = False,
) -> tuple[Command, tuple[str, ...]]:
    """Read landmarks of a file; return the command that adds them, and sentences about what was left out.

    Parameters
    ----------
    document
        The document; it is only read.
    path
        A file of BigWarp, Xenium Explorer or Loupe Browser, or a plain table in µm.
    landmarks
        The set that takes them in: the moving coordinate system.
    fixed
        The fixed coordinate system.
    fixed_image, moving_image
        The images whose pixels are counted; the only one of its side where left out.
    unit
        "px" or "µm", where the file does not say; pixels if empty.
    replace
        Whether they come in place of those that are there. Those that take no part are left out.

    Raises
    ------
    BadInput
        When the file cannot be read, or it counts pixels of an image that is not there.
    """
    found = read_landmarks(path).counted(unit or "px")
    sides = (
        _frame(document, found.fixed_unit, fixed_image, fixed, "fixed"),
        _frame(document, found.moving_unit, moving_image, _system(document, landmarks), "moving"),
    )
    pairs = found.placed(*sides)
    used = pairs.active
    if not used.any():
        raise BadInput(f"None of the {len(pairs)} landmarks of '{path.name}' takes part.", "Make them active there.")
    off = int((~used).sum())
    said = (f"{off} of {len(pairs)} landmarks take no part and were left out.",) if off else ()
    command = correct(
        document,
        "import-landmarks",
        landmarks=landmarks,
        fixed_um=pairs.fixed[used].tolist(),
        moving_um=pairs.moving[used].tolist(),
        fixed=fixed,
        replace=replace,
        source=path.name,
    )
    return command, (*found.said, *said)


def export_landmarks(
    document: Document,
    landmarks: str,
    path: Path,
    form: str = "plain",
    *,
    fixed_image: str = "",
    moving_image: str = "",
) -> tuple[str, ...]:
    """Write a set of landmarks; return sentences about what such a file cannot tell.

    Parameters
    ----------
    document
        The document; it is only read.
    landmarks
        The set.
    path
        The file.
    form
        "plain", in µm; "bigwarp" or "keypoints", in pixels of both images; "loupe", with the fixed side
        in pixels.
    fixed_image, moving_image
        The images whose pixels are counted; the only one of its side where left out.

    Raises
    ------
    BadInput
        When there are no landmarks, or the file counts pixels of an image that is not there.
    """
    held = document.attribute("landmarks", {}).get(landmarks)
    if held is None or not held["fixed_um"]:
        raise BadInput(f"There are no landmarks '{landmarks}'.", "Place some first.")
    pairs = LandmarksFile(Affine.identity().apply(held["fixed_um"]), Affine.identity().apply(held["moving_um"]))
    units = {"bigwarp": ("px", "px"), "keypoints": ("px", "px"), "loupe": ("px", "µm")}.get(form, ("µm", "µm"))
    fixed = _frame(document, units[0], fixed_image, held["fixed"], "fixed").inverse()
    moving = _frame(document, units[1], moving_image, held["moving"], "moving").inverse()
    counted = LandmarksFile(fixed.apply(pairs.fixed), moving.apply(pairs.moving), *units)
    return write_landmarks(path, counted, form)


def _system(document: Document, landmarks: str) -> str:
    return str(document.attribute("landmarks", {}).get(landmarks, {}).get("moving", landmarks))


def _frame(document: Document, unit: str, image: str, system: str, side: str) -> Affine:
    """Return the affine from what a side counts to µm of its coordinate system."""
    if unit != "px":
        return Affine.identity()
    there = [name for name in document.names("images") if system in document.placed(name)]
    if image:
        return document.affine(image, system)
    if len(there) != 1:
        have = ", ".join(f"'{name}'" for name in there) or "none"
        raise UnitNeeded(
            f"The {side} landmarks count pixels, but it is not said of which image.",
            f"Choose one of the {side} images: {have}; or say that they are in µm.",
            parameter="pixel_size_um",
        )
    return document.affine(there[0], system)
