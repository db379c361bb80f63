"""What the rows of an element or a table are called: spots, cells, bins, pixels or points."""

from __future__ import annotations

from .document import Document

__all__ = ["is_pixel_grid", "rows_are", "word_for"]

_PIXELS_A_CELL = 20


def is_pixel_grid(document: Document, labels: str) -> bool:
    """Whether every label is about one pixel, as in mass spectrometry imaging, rather than a cell."""
    if labels in document.attribute("segmentations", {}):
        return False
    if _on_an_array(document, labels):
        return True  # bins, of which a crop may hold but a few
    rows = max((document.table(t).n_obs for t in document.tables_of(labels)), default=0)
    h, w = document.grid(labels).shape
    return rows * _PIXELS_A_CELL >= h * w


def word_for(document: Document, element: str, n: int = 2) -> str:
    """Return what the rows of an element are called: cells, spots, bins, pixels or points."""
    kind = document.type_of(element)
    if kind == "labels" and is_pixel_grid(document, element):
        word = "bin" if _on_an_array(document, element) else "pixel"
    elif kind == "shapes":
        word = "spot" if "radius" in document.element(element).columns else "cell"
    else:
        word = "point" if kind == "points" else "cell"
    return word if n == 1 else f"{word}s"


def rows_are(document: Document, table: str, n: int = 2) -> str:
    """Return what the rows of a table are called; rows, where it annotates nothing."""
    element = document.annotated(table) if table else ""
    return word_for(document, element, n) if element else "row" if n == 1 else "rows"


def _on_an_array(document: Document, labels: str) -> bool:
    return any({"array_row", "array_col"} <= set(document.table(t).obs) for t in document.tables_of(labels))
