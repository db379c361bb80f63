"""From the document to a method's Input: frozen arrays that a worker may read while the document changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core import Features, Pixels, Spots
from ..errors import BadInput
from .document import GLOBAL, Document
from .grid import LabelGrid
from .references import prepared
from .selection import (
    DeconvolutionSelection,
    EmbeddingSelection,
    SegmentationSelection,
    Selection,
)
from .spot_counts import spot_counts

_BAND = 16_000_000
"""Pixels of labels that are read at once."""
__all__ = ["coordinates_of", "features_of", "gather", "pixel_size", "rows_in", "segmented_channels"]


def gather(document: Document, selection: Selection) -> tuple[Any, ...]:
    """Return the Inputs with which a method is called.

    Raises
    ------
    BadInput, DocumentError
        When the document does not hold what the method needs; the message says what to do.
    """
    if isinstance(selection, SegmentationSelection):
        return (_pixels(document, selection),)
    if isinstance(selection, EmbeddingSelection):
        return (Features(features_of(document, selection.table, selection.features)),)
    if isinstance(selection, DeconvolutionSelection):
        return _spots(document, selection)
    raise BadInput(f"A {selection.kind} gathers its inputs itself.", "Prepare it as a run.")


def pixel_size(document: Document, element: str) -> float:
    """Return the edge of an element's pixel in µm.

    Raises
    ------
    BadInput
        When the pixel is not square.
    """
    placed = document.placed(element)
    system = GLOBAL if GLOBAL in placed else placed[0]
    large, small = document.affine(element, system).scale_factors
    if large > small * 1.02:
        raise BadInput(
            f"The pixels of '{element}' are {small:.3g} × {large:.3g} µm, not square.",
            "Resample the image to square pixels first.",
        )
    return float(np.sqrt(large * small))


def full_resolution(document: Document, image: str) -> Any:
    """Return the full-resolution level of an image as a lazy (c, y, x) DataArray."""
    from xarray import DataTree

    element = document.element(image)
    if isinstance(element, DataTree):
        whole: Any = element["scale0"]
        return next(iter(whole.values()))
    return element


def segmented_channels(document: Document, selection: SegmentationSelection) -> tuple[str, ...]:
    """Return the names of the channels that a segmentation uses.

    Raises
    ------
    BadInput
        When the selection names no image, or a channel that is not there.
    """
    if document.type_of(selection.image) != "images":
        raise BadInput(f"'{selection.image}' is not an image.", "Choose an image.")
    names = [str(c) for c in full_resolution(document, selection.image).coords["c"].to_numpy()]
    absent = [c for c in selection.channels if c not in names]
    if absent:
        raise BadInput(f"'{selection.image}' has no channel '{absent[0]}'.", f"It has: {', '.join(names)}.")
    return tuple(selection.channels) or tuple(names)


def _pixels(document: Document, selection: SegmentationSelection) -> Pixels:
    wanted, image = segmented_channels(document, selection), full_resolution(document, selection.image)
    names = [str(c) for c in image.coords["c"].to_numpy()]
    y0, y1, x0, x1 = selection.region or (0, image.sizes["y"], 0, image.sizes["x"])
    window = image.isel(c=[names.index(c) for c in wanted], y=slice(y0, y1), x=slice(x0, x1))
    return Pixels(np.asarray(window.data), pixel_size(document, selection.image), wanted)


def _spots(document: Document, selection: DeconvolutionSelection) -> tuple[Any, ...]:
    counts, where = spot_counts(document, selection.table).values, coordinates_of(document, selection.table)
    if not selection.reference:
        return Spots(counts, document.table(selection.table).var_names.to_numpy(dtype=str), where), None
    found = prepared(document, selection)
    return Spots(counts, found.genes, where), found.reference


def features_of(document: Document, table: str, features: str) -> Any:
    """Return a table's feature matrix by its name: "X", "layers/<name>" or "obsm/<name>".

    Raises
    ------
    BadInput
        When the table has no such part.
    """
    held = document.table(table)
    part, _, key = features.partition("/")
    if part == "X" and held.X is not None:
        return _numbers(held.X, table, features)
    if part in ("layers", "obsm") and key in getattr(held, part):
        return _numbers(getattr(held, part)[key], table, features)
    have = ["X", *(f"layers/{k}" for k in held.layers), *(f"obsm/{k}" for k in held.obsm)]
    raise BadInput(f"The table '{table}' has no features '{features}'.", f"Choose one of: {', '.join(have)}.")


def _numbers(values: Any, table: str, features: str) -> Any:
    """Return values as they are, a frame as an array; what holds words is refused."""
    frame = isinstance(values, pd.DataFrame)
    words = [n for n in values if not pd.api.types.is_numeric_dtype(values[n].dtype)] if frame else []
    if words:
        raise BadInput(f"The column '{words[0]}' of '{features}' of '{table}' holds no numbers.", "Choose others.")
    if not frame and np.dtype(values.dtype).kind not in "biuf":
        raise BadInput(f"'{features}' of '{table}' holds '{values.dtype}', not numbers.", "Choose other features.")
    return values.to_numpy(dtype=float, na_value=np.nan) if frame else values


def coordinates_of(document: Document, table: str, coordinate_system: str = "") -> npt.NDArray[np.float64]:
    """Return where a table's rows lie: (n, 2) as (y, x) in µm.

    Parameters
    ----------
    document
        The document.
    table
        A table that annotates shapes, labels or points.
    coordinate_system
        "global" if the element lies there, else its first, if empty.

    Raises
    ------
    BadInput
        When the table annotates nothing that is in the section, or a row annotates nothing.
    """
    elements = _annotated(document, table)
    where = np.full((document.table(table).n_obs, 2), np.nan)
    for element in elements:
        placed = document.placed(element)
        system = coordinate_system or (GLOBAL if GLOBAL in placed else placed[0])
        _put_places(document, table, element, system, where)
    lost = int(np.isnan(where[:, 0]).sum())
    if lost:
        raise _lost(lost, table, elements)
    return where


def rows_in(document: Document, table: str, system: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return which rows of a table lie in a coordinate system, and where: (n, 2) as (y, x) in µm.

    Raises
    ------
    BadInput
        When none lies there, or a row annotates nothing.
    """
    elements = [e for e in _annotated(document, table) if system in document.placed(e)]
    if not elements:
        raise BadInput(
            f"What the table '{table}' annotates does not lie in the coordinate system '{system}'.",
            "Choose a table of that side.",
        )
    where = np.full((document.table(table).n_obs, 2), np.nan)
    for element in elements:
        _put_places(document, table, element, system, where)
    rows = np.sort(np.concatenate([document.rows(table, e) for e in elements]))
    lost = int(np.isnan(where[rows, 0]).sum())
    if lost:
        raise _lost(lost, table, tuple(elements))
    return rows, where[rows]


def _annotated(document: Document, table: str) -> tuple[str, ...]:
    elements = document.regions(table)
    if not elements:
        raise BadInput(f"The table '{table}' annotates no element.", "Choose a table of cells, spots or pixels.")
    return elements


def _put_places(document: Document, table: str, element: str, system: str, where: npt.NDArray[np.float64]) -> None:
    """Write into ``where`` the places of a table's rows that annotate one element."""
    rows = document.rows(table, element)
    centres = _centres(document, element)
    at = pd.Index(centres.index).get_indexer(pd.Index(document.instances(table)[rows]))
    rows, at = rows[at >= 0], at[at >= 0]
    where[rows] = document.affine(element, system).apply(centres.to_numpy(dtype=float)[at])


def _lost(lost: int, table: str, elements: tuple[str, ...]) -> BadInput:
    return BadInput(
        f"{lost} rows of the table '{table}' name nothing in {', '.join(elements)}.",
        "Remove these rows, or choose another table.",
    )


def _centres(document: Document, element: str) -> pd.DataFrame:
    """Return the centres of an element's instances, (y, x) in its own coordinates, by instance id."""
    kind = document.type_of(element)
    held = document.element(element)
    if kind == "shapes":
        centroid = held.geometry.centroid
        return pd.DataFrame({"y": centroid.y.to_numpy(), "x": centroid.x.to_numpy()}, index=held.index)
    if kind == "points":
        return pd.DataFrame(held[["y", "x"]].compute())
    if kind == "labels":
        return _label_centres(document.grid(element))
    raise BadInput(f"'{element}' is not made of cells, spots or pixels.", "Choose another table.")


def _label_centres(grid: LabelGrid) -> pd.DataFrame:
    """Return the centres of labels, read a band of rows at a time: a slide's labels do not fit into memory."""
    height, width = grid.shape
    step = max(1, _BAND // max(width, 1))
    bands = [_sums(grid.read((y, y + step, 0, width)), y) for y in range(0, height, step)]
    found = pd.concat(bands).groupby(level=0).sum()
    centres = pd.DataFrame({axis: found[axis] / found["n"] + 0.5 for axis in ("y", "x")})
    return centres.drop(index=0, errors="ignore")


def _sums(labels: npt.NDArray[Any], first: int) -> pd.DataFrame:
    """Return, by label, the number of its pixels and the sums of their rows and columns."""
    ids, inverse, n = np.unique(labels, return_inverse=True, return_counts=True)
    inverse, (height, width) = inverse.ravel(), labels.shape
    y = np.bincount(inverse, np.repeat(np.arange(first, first + height), width))
    x = np.bincount(inverse, np.tile(np.arange(width), height))
    return pd.DataFrame({"n": n, "y": y, "x": x}, index=ids)
