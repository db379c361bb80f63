"""The document as it is at one moment, for a thread that saves it: what the hand does meanwhile does not reach it."""

from __future__ import annotations

from typing import Any

from .document import Document
from .elements import LabelsElement, matrices, shown_stack

__all__ = ["frozen"]

_RASTERS_AND_VECTORS = ("images", "labels", "shapes", "points")


def frozen(document: Document) -> Document:
    """Return a document that holds what another one holds now, with the same arrays.

    Parts of a document are replaced and not written into, so that only what holds them is copied: frames
    without their columns, the tiles of labels that lie unpacked, the places of elements.

    Parameters
    ----------
    document
        The document. Its thread goes on changing it.
    """
    from spatialdata import SpatialData

    from .hand_table import frozen_table

    sdata = document.sdata
    held = SpatialData(attrs={key: dict(v) if isinstance(v, dict) else v for key, v in sdata.attrs.items()})
    held.path = sdata.path
    made = Document(held)
    made._height = document._height
    made._fields = document._fields.frozen(held)
    # past the containers' own checks: all of it was looked at when it came into the document
    for kind in _RASTERS_AND_VECTORS:
        for name, element in getattr(sdata, kind).items():
            getattr(held, kind).data[name] = _apart(element)
    for name, table in sdata.tables.items():
        held.tables.data[name] = frozen_table(table)
    for name, stack in document._stacks.items():
        if name in sdata.labels:
            made._stacks[name] = stack.snapshot()
            held.labels.data[name] = shown_stack(made._stacks[name], sdata.labels[name])
    _freeze_labels(document, made)
    return made


def _apart(element: Any) -> Any:
    """Return an element with the same values, and places of its own: those of an element are written into."""
    from spatialdata.transformations import get_transformation, set_transformation

    made = element.copy(deep=False)
    set_transformation(made, dict(get_transformation(element, get_all=True)), set_all=True)
    return made


def _freeze_labels(document: Document, made: Document) -> None:
    held = {name: kept.grid for name, kept in document._labels.items() if name in document.sdata.labels}
    for name in sorted(held, key=lambda n: held[n].recipe is not None):  # what they are resampled from comes first
        grid, recipe = held[name].snapshot(), held[name].recipe
        if recipe is not None and recipe.source in made.names("labels"):
            grid.resample(recipe.element(made).grid)
        made._labels[name] = LabelsElement(grid, matrices(document.sdata.labels[name]))
