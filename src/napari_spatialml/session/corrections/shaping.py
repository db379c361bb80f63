"""Corrections of the shape of cells: grow, shrink, smooth, fill holes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...core import shaping
from ...core.patch import Patch, Window
from ...errors import BadInput
from ..cutting import pixel_um
from ..document import Document
from .cells import labels_changes, named, pixels_of
from .registry import Made, correction

__all__ = ["SHAPES", "shape_patch"]

SHAPES: dict[str, tuple[Callable[..., Patch], str]] = {
    "grow-cells": (shaping.grow_cells, "distance_um"),
    "shrink-cells": (shaping.shrink_cells, "distance_um"),
    "smooth-cells": (shaping.smooth_cells, "radius_um"),
    "fill-holes": (shaping.fill_cells, ""),
}
"""What makes the patch of each correction, and which argument of it is in µm."""


def shape_patch(
    document: Document, name: str, *, labels: str, cells: Sequence[int], window: Window | None = None, **by: float
) -> Patch:
    """Return what a correction of shape would change of the labels, and nothing that follows: for a preview.

    Parameters
    ----------
    document
        The document.
    name
        One of `SHAPES`.
    labels, cells, window, **by
        The arguments of that correction.

    Raises
    ------
    BadInput
        When a cell is absent or cut by the window, or nothing would change.
    """
    if name not in SHAPES:
        raise BadInput(f"'{name}' does not shape cells.", f"Choose one of {', '.join(SHAPES)}.")
    make, argument = SHAPES[name]
    if set(by) != ({argument} if argument else set()):
        raise BadInput(f"'{name}' was given {', '.join(by) or 'no distance'}.", f"Give {argument or 'cells only'}.")
    given: dict[str, Any] = {"window": window}
    if argument:
        given["pixel_um"] = pixel_um(document, labels)
    return make(pixels_of(document, labels, window), cells, *by.values(), **given)


@correction
def grow_cells(
    document: Document, labels: str, cells: Sequence[int], distance_um: float, window: Window | None = None
) -> Made:
    """Grow cells into background by up to a distance in µm."""
    given = {"labels": labels, "cells": cells, "window": window, "distance_um": distance_um}
    return _shaped(document, "grow-cells", f"grow {named(cells)} by {distance_um:g} µm", given)


@correction
def shrink_cells(
    document: Document, labels: str, cells: Sequence[int], distance_um: float, window: Window | None = None
) -> Made:
    """Shrink cells by a distance in µm; something of each is left."""
    given = {"labels": labels, "cells": cells, "window": window, "distance_um": distance_um}
    return _shaped(document, "shrink-cells", f"shrink {named(cells)} by {distance_um:g} µm", given)


@correction
def smooth_cells(
    document: Document, labels: str, cells: Sequence[int], radius_um: float, window: Window | None = None
) -> Made:
    """Round off corners and notches of cells that are finer than a radius in µm."""
    given = {"labels": labels, "cells": cells, "window": window, "radius_um": radius_um}
    return _shaped(document, "smooth-cells", f"smooth {named(cells)} by {radius_um:g} µm", given)


@correction
def fill_holes(document: Document, labels: str, cells: Sequence[int], window: Window | None = None) -> Made:
    """Give the background that cells enclose to them."""
    return _shaped(
        document, "fill-holes", f"fill holes of {named(cells)}", {"labels": labels, "cells": cells, "window": window}
    )


def _shaped(document: Document, name: str, label: str, given: dict[str, Any]) -> Made:
    patch = shape_patch(document, name, **given)
    return f"{label} in {given['labels']}", labels_changes(document, given["labels"], patch)
