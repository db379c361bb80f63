"""Registration by landmarks: each coordinate system onto the section's frame, and a landmark corrected."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.graph import knn_graph
from ..core.landmarks import leave_one_out, suspects
from ..core.metrics import morans_i
from ..core.transform import Transform
from ..session import GLOBAL, RegistrationSelection, correct
from ..session.fields import restored
from ..session.gather import coordinates_of
from . import choosing
from .frame import Frame, extent
from .picture import Draw, background, landmarks, picture, values
from .steps import run_method
from .walk import Walk

__all__ = ["register"]

SLIP_UM = 40.0
"""How far the demonstration puts one landmark of the sample aside, as a hand may."""


def register(walk: Walk) -> None:
    """Register every coordinate system that has landmarks, and correct a landmark."""
    document = walk.session.document
    systems = choosing.moving_systems(document)
    if not systems:
        walk.skip("register", "landmarks", "Skipped: everything lies in one coordinate system already.")
    for moving in systems:
        pairs = len(document.attribute("landmarks", {}).get(moving, {}).get("fixed_um", []))
        if pairs < 2:
            walk.skip(
                "register",
                f"'{moving}'",
                f"Skipped: '{moving}' has {pairs} landmarks; place 2 pairs in the window, or give --landmarks.",
            )
        elif walk.truth is not None:
            _register_with_slip(walk, moving)
        else:
            _register(walk, moving)


def _register(walk: Walk, moving: str) -> None:
    document = walk.session.document
    with walk.step("register", f"'{moving}' by landmarks") as row:
        run_method(walk, "registration", "landmarks", RegistrationSelection(moving))
        row.measured = _residuals(walk, moving)
    if row.skipped:
        return
    frame = choosing.tissue(document)
    image = choosing.image_of(document)
    alone = [background(document, image, frame)] if image else []
    _show_registration(
        walk, moving, "overlay", [("fixed", frame, alone), ("registered", frame, _registered(walk, moving, frame))]
    )
    a, b = _pairs(walk, moving)
    if len(a) < 6:
        return
    worst = int(np.argmax(leave_one_out("affine", b, a)))
    what = f"delete landmark {worst + 1}, the least certain of '{moving}', and register again"
    with walk.step("correct", what) as row:
        walk.session.execute(correct(walk.session.document, "delete-landmark", landmarks=moving, number=worst + 1))
        run_method(walk, "registration", "landmarks", RegistrationSelection(moving))
        row.measured = _residuals(walk, moving)


def _register_with_slip(walk: Walk, moving: str) -> None:
    """On the sample: one landmark is put aside, is pointed at, and is put back by hand."""
    document = walk.session.document
    slipped, where = _slip(walk, moving)
    with walk.step("register", f"'{moving}' by landmarks, one of them {SLIP_UM:g} µm off on purpose") as row:
        walk.session.execute(
            correct(document, "move-landmark", landmarks=moving, number=slipped, side="fixed", to_um=where[1])
        )
        run_method(walk, "registration", "landmarks", RegistrationSelection(moving), model="affine")
        a, b = _pairs(walk, moving)
        named = ", ".join(str(i + 1) for i in np.flatnonzero(suspects(b, a)))
        row.measured = f"{_target_error(walk, moving)}; suspect: landmark {named or 'none'}"
    frame = Frame.around(_near(extent(document, GLOBAL), where[0]))
    before = _registered(walk, moving, frame)
    with walk.step("correct", f"drag landmark {slipped} back, and register again") as row:
        walk.session.execute(
            correct(document, "move-landmark", landmarks=moving, number=slipped, side="fixed", to_um=where[0])
        )
        run_method(walk, "registration", "landmarks", RegistrationSelection(moving), model="affine")
        row.measured = _target_error(walk, moving)
    after = _registered(walk, moving, frame)
    panels = [(f"landmark {slipped} is wrong", frame, before), ("after dragging it back", frame, after)]
    _show_registration(walk, moving, "before and after the correction", panels)


def _near(box: tuple[float, float, float, float], point: list[float]) -> tuple[float, float, float, float]:
    """Return the part around a point, a third of a box wide."""
    half = max(box[2] - box[0], box[3] - box[1]) / 5
    return point[0] - half, point[1] - half, point[0] + half, point[1] + half


def _slip(walk: Walk, moving: str) -> tuple[int, tuple[list[float], list[float]]]:
    """Choose the landmark in the middle, where it harms most evenly; return its number, right and wrong place."""
    fixed, _ = _pairs(walk, moving)
    number = int(np.argmin(np.linalg.norm(fixed - fixed.mean(0), axis=1)))
    right = fixed[number]
    return number + 1, (right.tolist(), (right + np.array([0.0, SLIP_UM])).tolist())


def _pairs(walk: Walk, moving: str) -> tuple[Any, Any]:
    held = walk.session.document.attribute("landmarks")[moving]
    return np.asarray(held["fixed_um"], dtype=float), np.asarray(held["moving_um"], dtype=float)


def _transform(walk: Walk, moving: str) -> Transform:
    document = walk.session.document
    return restored(document, document.attribute("alignments")[moving]["transform"])


def _residuals(walk: Walk, moving: str) -> str:
    a, b = _pairs(walk, moving)
    moved = _transform(walk, moving).apply(b)
    left_out = leave_one_out("affine", b, a) if len(a) > 3 else None
    text = f"{len(a)} pairs, median residual {np.median(np.linalg.norm(moved - a, axis=1)):.1f} µm"
    return text if left_out is None else f"{text}; leaving one out (affine) {np.median(left_out):.1f} µm"


def _target_error(walk: Walk, moving: str) -> str:
    assert walk.truth is not None
    document = walk.session.document
    element = next(n for n in document.names("labels") if moving in document.placed(n))
    median, largest = walk.truth.registration_error(document, element, GLOBAL)
    return f"target registration error: median {median:.2f} µm, largest {largest:.2f} µm"


def _registered(walk: Walk, moving: str, frame: Frame) -> list[Draw]:
    """Return what shows how a moving element lies on the section at this moment."""
    document = walk.session.document
    image = choosing.image_of(document)
    draws = [background(document, image, frame)] if image else []
    a, b = _pairs(walk, moving)
    moved = _transform(walk, moving).apply(b)
    return [*draws, *_moving_over(document, moving, frame), landmarks(a, moved)]


def _moving_over(document: Any, moving: str, frame: Frame) -> list[Draw]:
    """Return the moving elements over the fixed ones: an ion image, an image, or spots."""
    for image in document.names("images"):
        if moving in document.placed(image) and GLOBAL in document.placed(image):
            return [background(document, image, frame, alpha=0.55)]
    for table in document.names("tables"):
        element = document.annotated(table)
        if element in document.names("labels") and moving in document.placed(element):
            name, shown = clearest(document, table)
            return [values(document, table, shown, frame, unit=f"m/z {name}, intensity", alpha=0.8, fade=True)]
    return []


def clearest(document: Any, table: str) -> tuple[str, Any]:
    """Return the feature with the clearest pattern in space (Moran's I), by its name and values."""
    held = document.table(table)
    graph = knn_graph(coordinates_of(document, table), 6)
    best = int(np.nanargmax(morans_i(held.X, graph)))
    column = held.X[:, [best]]
    return str(held.var_names[best]), np.asarray(column.toarray() if hasattr(column, "toarray") else column).ravel()


def _show_registration(walk: Walk, moving: str, title: str, panels: list[tuple[str, Frame, list[Draw]]]) -> None:
    caption = f"'{moving}' over the section, with its landmarks; a line joins each pair that does not meet."
    walk.show(picture(f"registration_{moving}", f"Registration, {title}", caption, panels))
