"""Counts of genes by cell: of a whole segmentation, and again of the cells that a correction touched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from ..core.assignment import assign, count, moved, rows_of
from ..core.report import Report, part, silent
from ..core.transform import Affine
from ..errors import DocumentError
from .document import GLOBAL, Document
from .transcripts import TranscriptIndex, index_of, points_with_genes

__all__ = [
    "INTENSITIES",
    "Counts",
    "count_all",
    "count_near",
    "counted_points",
    "index_first",
    "require_same_genes",
    "with_counts",
]

INTENSITIES = "intensities"
"""Where a table of counts keeps the mean intensities of its cells: in ``obsm``."""
_ROWS = 2048
"""Rows of pixels whose transcripts are in memory at a time."""


@dataclass(frozen=True)
class Counts:
    """The transcripts of some cells.

    Parameters
    ----------
    values
        (cells, genes) CSR, float32.
    genes
        The names of the columns.
    unassigned
        How many transcripts lie in none of the cells, those without a place or a gene included.
    """

    values: sp.csr_matrix
    genes: tuple[str, ...]
    unassigned: int


def counted_points(document: Document, placed: Any, said: str = "") -> str:
    """Return the points that the cells of a segmentation count, or "" where there are none.

    Parameters
    ----------
    document
        The document.
    placed
        The coordinate systems in which the labels lie.
    said
        The points that the segmentation names; if none, the first with genes that lie in "global".
    """
    if GLOBAL not in placed:
        return ""
    found = points_with_genes(document)
    return said if said in found else next(iter(found), "")


def index_first(document: Document, image: str) -> Callable[[Report], object] | None:
    """Return what indexes the transcripts that cells in an image will count, on any thread; None without any."""
    points = counted_points(document, document.placed(image))
    return partial(index_of, document, points) if points else None


def count_all(
    document: Document,
    points: str,
    labels: Any,
    to_um: Affine,
    cells: npt.NDArray[Any],
    report: Report = silent,
) -> Counts:
    """Count every transcript once.

    Parameters
    ----------
    document
        The document that holds the points.
    points
        Their name.
    labels
        (y, x) whole labels: an array, or what gives one when it is sliced.
    to_um
        From pixel corners of the labels to µm in "global".
    cells
        All ids, ascending.
    report
        Told how far it is.
    """
    index = index_of(document, points, part(report, 0.0, 0.5))
    values = sp.csr_matrix((len(cells), len(index.genes)), dtype=np.float32)
    for top in range(0, labels.shape[0], _ROWS):  # a region of a slide reads its own transcripts only
        report(0.5 + 0.5 * top / labels.shape[0], "counting transcripts")
        band = np.asarray(labels[top : top + _ROWS, :])
        values = values + count_near(document, points, band, (top, 0), to_um, cells)[0]
    return Counts(values, index.genes, index.total - _sum(values))


def count_near(
    document: Document,
    points: str,
    window: npt.NDArray[Any],
    offset: tuple[int, int],
    to_um: Affine,
    cells: npt.NDArray[Any],
) -> tuple[sp.csr_matrix, tuple[str, ...]]:
    """Count the transcripts of cells that lie wholly in a window; read those of the window's tiles only.

    Returns
    -------
    csr_matrix, tuple of str
        (cells, genes) counts, and the genes.
    """
    index = index_of(document, points)
    if len(cells) == 0:
        return sp.csr_matrix((0, len(index.genes)), dtype=np.float32), index.genes
    (y, x), (h, w) = offset, window.shape
    # a pixel more on each side: a transcript on the very rim must not be lost by rounding
    corners = np.array([[y - 1, x - 1], [y - 1, x + w + 1], [y + h + 1, x - 1], [y + h + 1, x + w + 1]], float)
    box = moved(to_um.matrix, corners)
    (y0, x0), (y1, x1) = box.min(0), box.max(0)
    where, codes = index.near(y0, y1, x0, x1)
    rows = rows_of(assign(window, offset, moved(_to_pixels(index, to_um), where)), cells)
    return count(rows, codes, len(cells), len(index.genes)), index.genes


def with_counts(table: Any, values: sp.csr_matrix, genes: tuple[str, ...]) -> Any:
    """Return a measured table whose X is the counts; its mean intensities go to ``obsm``.

    Parameters
    ----------
    table
        What `cells.measure` returned: mean intensities in X, areas in obs.
    values
        (cells, genes) counts.
    genes
        Names of the columns.
    """
    from anndata import AnnData

    obs = table.obs.copy()
    obs["total_counts"] = np.asarray(values.sum(axis=1, dtype=np.float64)).ravel().astype(np.int64)
    obs["n_genes"] = np.diff(values.indptr).astype(np.int64)
    obs["density"] = obs["total_counts"] / obs["area_um2"]
    made = AnnData(X=values, obs=obs, var=pd.DataFrame(index=pd.Index(genes, dtype=object)), uns=dict(table.uns))
    made.obsm[INTENSITIES] = pd.DataFrame(np.asarray(table.X), index=obs.index, columns=list(table.var_names))
    return made


def require_same_genes(table: Any, genes: tuple[str, ...], points: str) -> None:
    """Raise `DocumentError` unless a table of counts has the genes of its transcripts."""
    if tuple(table.var_names) != genes:
        raise DocumentError(
            f"The transcripts '{points}' have {len(genes)} genes, the table of cells {table.n_vars} or others.",
            "Run the segmentation again, so that every cell is counted from the same transcripts.",
        )


def _to_pixels(index: TranscriptIndex, to_um: Affine) -> npt.NDArray[np.float64]:
    return (to_um.inverse() @ index.to_um).matrix


def _sum(values: sp.csr_matrix) -> int:
    return int(values.data.sum(dtype=np.float64))
