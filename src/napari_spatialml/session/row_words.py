"""What the rows of an element or a table are called: spots, cells, bins, pixels or points."""

from __future__ import annotations

from .document import Document

__all__ = ["counted", "is_pixel_grid", "rows_are", "word_for"]

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
        word = "spot" if _all_alike(document, element) else "cell"
    else:
        word = "point" if kind == "points" else "cell"
    return word if n == 1 else f"{word}s"


def rows_are(document: Document, table: str, n: int = 2) -> str:
    """Return what the rows of a table are called; rows, where it annotates nothing."""
    element = document.annotated(table) if table else ""
    return word_for(document, element, n) if element else "row" if n == 1 else "rows"


def counted(document: Document, table: str, n: int) -> str:
    """Return a number of rows of a table with their word: "1 spot", "12,000 cells"."""
    return f"{n:,} {rows_are(document, table, n)}"


def _all_alike(document: Document, shapes: str) -> bool:
    """Whether shapes are circles of one size, as spots are; circles that stand for cells have each its own."""
    frame = document.element(shapes)
    return "radius" in frame.columns and frame["radius"].nunique() <= 1


def _on_an_array(document: Document, labels: str) -> bool:
    return any({"array_row", "array_col"} <= set(document.table(t).obs) for t in document.tables_of(labels))
