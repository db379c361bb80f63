"""Where two readers disagree, drawn: one raster of kinds over both, and the outlines of either; no shape a cell."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.colours import LookupTable, lookup_table
from ..core.disagreement import AGREED, KINDS, Disagreements
from ..core.transform import Affine
from ..io.document import neighbour_distance
from ..session import Document
from ..session.gather import coordinates_of
from ..session.grid import LabelGrid
from .marks import circle, outline_of
from .memory import Memory
from .places import pixel_affine
from .rasters import is_small
from .specs import Key, LabelsSpec, LayerSpec, RasterSpec
from .state import Compared, Legend
from .values import Categories

__all__ = [
    "COLOUR_A",
    "COLOUR_B",
    "compared_cells",
    "compared_rows",
    "comparison_legend",
    "comparison_specs",
    "mark_cells",
    "mark_row",
    "row_values",
]

COLOUR_A, COLOUR_B = "#e69f00", "#56b4e9"
SETTLED = len(KINDS)
NAMES = (*KINDS, "settled")
COLOURS = ("#595959", COLOUR_A, COLOUR_B, "#cc79a7", "#f0e442", "#0072b2", "#009e73")
"""Okabe and Ito's, which the colour-blind tell apart, and grey for what needs no look."""


def compared_cells(a: str, b: str, groups: Disagreements, settled: npt.NDArray[Any] | None = None) -> Compared:
    """Return what is drawn of two segmentations.

    Parameters
    ----------
    a, b
        The labels elements.
    groups
        Where they disagree.
    settled
        Numbers of the groups that are settled.
    """
    kinds = groups.kinds.copy()
    kinds[np.asarray([] if settled is None else settled, dtype=np.int64)] = SETTLED
    counts = tuple(int(n) for n in np.bincount(kinds, minlength=len(NAMES)))
    return Compared(a, b, (groups.ids_a, kinds[groups.group_a]), (groups.ids_b, kinds[groups.group_b]), counts)


def compared_rows(
    element: str, ids: npt.NDArray[Any], differ: npt.NDArray[np.bool_], settled: npt.NDArray[np.bool_]
) -> Compared:
    """Return what is drawn of two columns of classes over one element: who differs, and who is settled."""
    kinds = np.where(differ, np.where(settled, SETTLED, KINDS.index("different class")), AGREED).astype(np.uint8)
    counts = tuple(int(n) for n in np.bincount(kinds, minlength=len(NAMES)))
    return Compared(element, "", (ids, kinds), None, counts)


def row_values(compared: Compared | None, element: str) -> tuple[Categories, Any] | None:
    """Return what colours an element whose rows are compared, with a token; None for other elements."""
    if compared is None or compared.kinds_b is not None or compared.a != element:
        return None
    ids, kinds = compared.kinds_a
    return Categories(ids, kinds.astype(np.int64), NAMES, COLOURS), ("compared", compared)


def comparison_legend(compared: Compared | None) -> Legend | None:
    """Return what the colours of a comparison mean."""
    if compared is None:
        return None
    found = tuple((name, colour, n) for name, colour, n in zip(NAMES, COLOURS, compared.counts, strict=True) if n)
    note = "A's outlines orange, B's blue" if compared.b else ""
    return Legend(compared.a, "disagreement", "categories", found, note=note)


def comparison_specs(document: Document, compared: Compared | None, system: str, memory: Memory) -> list[LayerSpec]:
    """Return the layers of two compared segmentations: the kinds, and the outlines of A and of B."""
    if compared is None or compared.kinds_b is None:
        return []
    names = (compared.a, compared.b)
    if any(n not in document.names("labels") or system not in document.placed(n) for n in names):
        return []
    a, b = (document.grid(name) for name in names)
    tables = [memory.get(("kinds", compared, side), partial(_table, *kinds))
              for side, kinds in enumerate((compared.kinds_a, compared.kinds_b))]  # fmt: skip
    affine, small = pixel_affine(document, compared.a, system), is_small(a)
    moments = tuple(document.revision(("labels", n)) for n in names) if small else ()
    levels = _common(a, b)
    raster = RasterSpec(
        Key(compared.a, "disagreement"),
        "disagreement",
        ("disagreement", compared, moments),
        partial(_pair, a, b, tables, small, levels),
        affine,
        order=45,
        opacity=0.5,
        multiscale=not small and len(levels) > 1,
        colours=COLOURS,
        live=not small,
    )
    outlines = (
        _outlines(document, name, f"{side}: {name}", system, colour, order)
        for name, side, colour, order in ((names[0], "A", COLOUR_A, 50), (names[1], "B", COLOUR_B, 51))
    )
    return [raster, *outlines]


def _outlines(document: Document, labels: str, name: str, system: str, colour: str, order: int) -> LabelsSpec:
    grid = document.grid(labels)
    small = is_small(grid)
    token = ("outlines", labels, document.revision(("labels", labels)) if small else grid)
    many = not small and len(grid.levels) > 1
    make = partial(_cells, grid, small)
    return LabelsSpec(Key(labels, f"compared {name[:1]}"), name, token, make, pixel_affine(document, labels, system),
                      order=order, opacity=0.95, multiscale=many, contour=1, colour=colour, live=not small)  # fmt: skip


def _cells(grid: LabelGrid, small: bool) -> Any:
    if small:
        return grid.read()
    levels = [_Pair(level, None, None, None) for level in grid.levels]
    return levels if len(levels) > 1 else levels[0]


def _table(ids: npt.NDArray[Any], kinds: npt.NDArray[np.uint8]) -> LookupTable:
    """Return label → number of its kind from 1; 0 for background."""
    return lookup_table(int(ids.max(initial=0)), ids, kinds + np.uint8(1), np.uint8(0))


def _common(a: LabelGrid, b: LabelGrid) -> list[tuple[Any, Any]]:
    """Return the levels that both pyramids have; the full resolution is one of them."""
    of_b = {level.shape: level for level in b.levels}
    return [(level, of_b[level.shape]) for level in a.levels if level.shape in of_b]


def _pair(a: LabelGrid, b: LabelGrid, tables: list[LookupTable], small: bool, levels: list[tuple[Any, Any]]) -> Any:
    if small:
        return _kinds(a.read(), b.read(), *tables)
    made = [_Pair(p, q, *tables) for p, q in levels]
    return made if len(made) > 1 else made[0]


def _kinds(a: npt.NDArray[Any], b: npt.NDArray[Any], of_a: LookupTable, of_b: LookupTable) -> npt.NDArray[Any]:
    """Return the kind of each pixel: that of A's cell, and where A has none that of B's."""
    kinds = of_a[a]
    return np.where(kinds == 0, of_b[b], kinds)


class _Pair:
    """A level of two pyramids that napari reads anew whenever it draws; of one pyramid without tables.

    Parameters
    ----------
    a, b
        The level of A and of B, or None.
    of_a, of_b
        Label → kind of either, or None.
    """

    ndim = 2

    def __init__(self, a: Any, b: Any, of_a: LookupTable | None, of_b: LookupTable | None) -> None:
        self._a, self._b, self._of_a, self._of_b = a, b, of_a, of_b
        self.shape: tuple[int, int] = a.shape
        self.dtype = a.dtype if of_a is None else np.dtype(np.uint8)
        self.size = self.shape[0] * self.shape[1]

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = self._a[key]
        if self._of_a is None or self._of_b is None:
            return found
        return _kinds(found, self._b[key], self._of_a, self._of_b)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self[:, :], dtype=dtype)


def mark_cells(
    stage: Any, a: str, b: str, cells_a: tuple[int, ...], cells_b: tuple[int, ...], window: tuple[int, int, int, int]
) -> tuple[npt.NDArray[np.float64], float]:
    """Draw the outlines of A's and B's cells over everything; return their middle (y, x) and extent in µm.

    Raises
    ------
    LookupError
        When they do not lie in the coordinate system that is shown.
    """
    parts = []
    for labels, cells, colour in ((a, cells_a, COLOUR_A), (b, cells_b, COLOUR_B)):
        affine = _affine_of(stage, labels)
        values = stage.document.grid(labels).read(window)
        lines = [outline_of(values == cell, (window[0], window[2]), affine) for cell in cells]
        parts.append((np.concatenate(lines) if lines else np.zeros((0, 2, 2)), colour))
    corners = affine.apply(np.array([[window[0], window[2]], [window[1], window[3]]], dtype=float))
    stage.marks.draw(*parts)
    return corners.mean(0), float(np.linalg.norm(corners[1] - corners[0]))


def mark_row(stage: Any, table: str, row: int) -> tuple[npt.NDArray[np.float64], float]:
    """Draw a ring around what a row annotates; return its place (y, x) and the extent of its surroundings in µm.

    Raises
    ------
    LookupError
        When it does not lie in the coordinate system that is shown.
    """
    element = stage.document.annotated(table)
    if not _here(stage, element):
        raise LookupError(element)
    where = coordinates_of(stage.document, table)
    centre, apart = where[row], neighbour_distance(where) or 10.0
    stage.marks.draw((circle(centre, 0.7 * apart), "white"))
    return centre, 8 * apart


def _here(stage: Any, element: str) -> bool:
    return stage.state.coordinate_system in stage.document.placed(element)


def _affine_of(stage: Any, labels: str) -> Affine:
    if labels not in stage.document.names("labels") or not _here(stage, labels):
        raise LookupError(labels)
    return stage.document.affine(labels, stage.state.coordinate_system)
