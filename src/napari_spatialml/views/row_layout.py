"""How the rows of a table lie on the canvas: where each is, which touch, and the outline of many together."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ..core.colours import lookup_table
from ..core.connected_rows import lattice_graph, near_graph
from ..core.row_outlines import Area, area_of, hatching, mask_edges, usual_distance
from ..core.transform import Affine
from ..session import Document
from ..session.row_places import row_places
from .memory import Memory
from .places import as_matrix
from .rasters import EDITABLE, is_pixel_grid
from .spots import is_circles

__all__ = ["RowLayout", "layout_of", "prepared_layout"]

_KEPT = 128
"""So many outlines are kept."""
_HATCH = 1.1
"""Of the usual distance to the next row: from one line of the hatching to the next, along an axis."""
_LINES = 150
"""So many lines hatch the whole of a grid of pixels along its longer side, at most."""
_QUICK = 20_000, 500_000
"""Of spots or cells, and of pixels."""
Lines = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


class RowLayout:
    """How the rows of a table lie in a coordinate system.

    Parameters
    ----------
    document, table, element
        The rows that annotate an element.
    affine
        From the element's own coordinates to µm.
    """

    def __init__(self, document: Document, table: str, element: str, affine: Affine) -> None:
        self._affine, self._n = affine, document.table(table).n_obs
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        labels = document.type_of(element) == "labels"
        self._even = not labels and is_circles(document, element)
        self._lattice: npt.NDArray[np.int64] | None = None
        if labels and is_pixel_grid(document, element) and np.prod(document.grid(element).shape) <= EDITABLE:
            self._lattice = _lattice(document, table, element)
            self.rows, own = _centres(self._lattice)
        else:
            places = row_places(document, table, element)
            self.rows, own = places.rows, places.where
        self.where = np.full((self._n, 2), np.nan)
        """(n, 2) as (y, x) in µm; NaN for rows that lie nowhere in the element."""
        self.where[self.rows] = affine.apply(own)
        self.placed = np.isfinite(self.where[:, 0])
        """(n,) whether each row lies somewhere in the element."""

    @cached_property
    def graph(self) -> sp.csr_matrix:
        """(n, n) which rows touch, across no gap of the tissue."""
        if self._lattice is not None:
            return lattice_graph(self._lattice, self._n)
        among = near_graph(self.where[self.rows]).tocoo()
        ends = self.rows[among.row], self.rows[among.col]
        return sp.csr_matrix((among.data, ends), shape=(self._n, self._n))

    @property
    def outlined(self) -> int:
        """Of so many rows the outline is found while the mouse moves."""
        return _QUICK[0] if self._lattice is None else _QUICK[1]

    def outline(self, rows: Rows, *, keep: bool = True) -> Lines:
        """Return the outline of what rows cover together, (m, 2, 2) starts and directions in µm.

        Parameters
        ----------
        rows
            (k,) rows of the table.
        keep
            Whether it will be asked for again; what is seen only while the mouse moves is not.
        """
        if not keep:
            return self._outline(rows)
        return self._get(("outline", rows.tobytes()), lambda: self._outline(rows))

    def hatched(self, rows: Rows) -> Lines:
        """Return slanted lines over what rows cover together, as `outline` does."""
        return self._get(("hatched", rows.tobytes()), lambda: self._hatched(rows))

    def _outline(self, rows: Rows) -> Lines:
        if self._lattice is not None:
            mask, offset = self._mask(rows)
            return self._placed(mask_edges(mask), offset)
        area = self._area(rows)
        return np.zeros((0, 2, 2)) if area is None else area.lines

    def _hatched(self, rows: Rows) -> Lines:
        if self._lattice is not None:
            mask, offset = self._mask(rows)
            return self._placed(hatching(mask, max(3, max(self._lattice.shape) // _LINES)), offset + 0.5)
        area = self._area(rows)
        if area is None:
            return np.zeros((0, 2, 2))
        every = max(1, round(_HATCH * self.distance / area.step))
        return np.asarray(hatching(area.mask, every) * area.step + np.array([area.origin, (0.0, 0.0)]))

    def _placed(self, lines: Lines, offset: Lines) -> Lines:
        """Return lines in pixels from an offset as lines in µm."""
        starts = self._affine.apply(lines[:, 0] + offset)
        return np.stack([starts, self._affine.apply(lines.sum(1) + offset) - starts], axis=1)

    def _area(self, rows: Rows) -> Area | None:
        where = self.where[rows[self.placed[rows]]]
        if not len(where):
            return None
        near = usual_distance(self._tree, where) or self.distance
        return area_of(where, near or 1.0, even=self._even)

    @cached_property
    def _tree(self) -> Any:
        from scipy.spatial import cKDTree

        return cKDTree(self.where[self.rows])

    @cached_property
    def distance(self) -> float:
        """The usual distance in µm from a row to the next ones."""
        return usual_distance(self._tree, self.where[self.rows]) or 1.0

    def _mask(self, rows: Rows) -> tuple[npt.NDArray[np.bool_], Lines]:
        """Return the pixels of rows within the box around them, and its first pixel."""
        assert self._lattice is not None
        there = np.append(np.zeros(self._n, bool), False)
        there[rows] = True
        whole = there[self._lattice]
        y, x = np.flatnonzero(whole.any(1)), np.flatnonzero(whole.any(0))
        if not len(y):
            return np.zeros((0, 0), bool), np.zeros(2)
        return whole[y[0] : y[-1] + 1, x[0] : x[-1] + 1], np.array([y[0], x[0]], dtype=np.float64)

    def _get(self, key: Hashable, make: Callable[[], Lines]) -> Lines:
        if key not in self._kept:
            self._kept[key] = make()
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        found: Lines = self._kept[key]
        return found


def layout_of(document: Document, table: str, element: str, system: str, memory: Memory) -> RowLayout:
    """Return how the rows of a table that annotate an element lie in a coordinate system; found once.

    Raises
    ------
    BadInput
        When the table names by words what the element numbers.
    """
    name, token, affine = _address(document, table, element, system)
    last: Memory = memory.get(name, partial(Memory, 1))
    return last.get(token, partial(RowLayout, document, table, element, affine))


def prepared_layout(document: Document, table: str, element: str, system: str) -> Callable[[Memory], RowLayout]:
    """Find how rows lie, on any thread; return what keeps it in a memory, in the window's thread.

    Raises
    ------
    BadInput
        As `layout_of`.
    """
    name, token, affine = _address(document, table, element, system)
    made = RowLayout(document, table, element, affine)
    _ = made.graph, made.distance  # found when first asked for
    return lambda memory: memory.get(name, partial(Memory, 1)).get(token, lambda: made)


def _address(document: Document, table: str, element: str, system: str) -> tuple[Hashable, Hashable, Affine]:
    """Return where a layout is kept, what it depends on, and the way from the element's coordinates to µm."""
    affine, kind = document.affine(element, system), document.type_of(element)
    token = document.revision(("tables", table, "X")), document.revision((kind, element)), as_matrix(affine)
    return ("row layout", table, element, system), token, affine


def _lattice(document: Document, table: str, labels: str) -> npt.NDArray[np.int64]:
    """Return the row that lies at each pixel, -1 for none."""
    rows = document.rows(table, labels)
    ids = document.instances(table)[rows].astype(np.int64)
    real = ids > 0
    table_of = lookup_table(int(ids.max(initial=0)), ids[real], rows[real].astype(np.int64), np.int64(-1))
    return np.asarray(table_of[document.grid(labels).read()])


def _centres(lattice: npt.NDArray[np.int64]) -> tuple[Rows, Lines]:
    """Return the rows on a grid, ascending, and the means of their pixels' centres."""
    y, x = np.nonzero(lattice >= 0)
    rows, inverse, count = np.unique(lattice[y, x], return_inverse=True, return_counts=True)
    sums = [np.bincount(inverse, weights=v, minlength=len(rows)) for v in (y, x)]
    return rows, np.column_stack(sums) / count[:, None] + 0.5
