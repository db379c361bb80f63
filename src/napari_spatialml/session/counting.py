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
from .transcript_index import TranscriptIndex, points_with_genes
from .transcript_source import ALL, Choice
from .transcripts import index_of

__all__ = [
    "INTENSITIES",
    "NUCLEAR",
    "SUMS",
    "Counts",
    "count_all",
    "count_near",
    "count_window",
    "counted_again",
    "counted_points",
    "index_first",
    "nuclear_fraction",
    "require_same_genes",
    "with_counts",
]

INTENSITIES = "intensities"
"""Where a table of counts keeps the mean intensities of its cells: in ``obsm``."""
SUMS = "intensity_sums"
"""Where it keeps the sums of the channels over each cell, where these were asked for: in ``obsm``."""
NUCLEAR = "nuclear_fraction"
"""The column of the share of a cell's transcripts that lie in a nucleus; NaN of a cell without transcripts."""
TRANSCRIPTS = "transcripts"
"""The column of ``var`` that says how many transcripts a gene has in all; those not in X lie in no cell."""
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
    transcripts
        (genes,) how many there are of each in all.
    choice
        Which transcripts were counted.
    """

    values: sp.csr_matrix
    genes: tuple[str, ...]
    unassigned: int
    transcripts: npt.NDArray[np.int64]
    choice: Choice = ALL


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


def counted_again(document: Document, labels: str, placed: Any) -> tuple[str, Choice]:
    """Return what the cells of a segmentation will count when they are found anew: as before, where they were.

    Parameters
    ----------
    document
        The document.
    labels
        What the segmentation is called, whether it is there or not.
    placed
        The coordinate systems in which the new labels lie.

    Returns
    -------
    str, Choice
        The points, or "" where there are none; and which of them count.
    """
    about = document.attribute("segmentations", {}).get(labels, {})
    said = str(about.get("transcripts", ""))
    points = counted_points(document, placed, said)
    return points, Choice.from_plain(about.get("choice")) if points and points == said else ALL


def index_first(document: Document, labels: str, image: str) -> Callable[[Report], object] | None:
    """Return what indexes the transcripts that cells in an image will count, on any thread; None without any."""
    points, choice = counted_again(document, labels, document.placed(image))
    return partial(index_of, document, points, choice=choice.of_points) if points else None


def count_all(
    document: Document,
    points: str,
    labels: Any,
    to_um: Affine,
    cells: npt.NDArray[Any],
    report: Report = silent,
    choice: Choice = ALL,
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
    choice
        Which of the transcripts count.
    """
    index = index_of(document, points, part(report, 0.0, 0.5), choice)
    genes, column = _counted_genes(index, choice)
    values = sp.csr_matrix((len(cells), len(genes)), dtype=np.float32)
    for top in range(0, labels.shape[0], _ROWS):  # a region of a slide reads its own transcripts only
        report(0.5 + 0.5 * top / labels.shape[0], "counting transcripts")
        band = np.asarray(labels[top : top + _ROWS, :])
        values = values + count_near(document, points, band, (top, 0), to_um, cells, choice)[0]
    each = index.of_each
    total = index.total - int(each[column < 0].sum())
    return Counts(values, genes, total - _sum(values), each[column >= 0], choice)


def count_near(
    document: Document,
    points: str,
    window: npt.NDArray[Any],
    offset: tuple[int, int],
    to_um: Affine,
    cells: npt.NDArray[Any],
    choice: Choice = ALL,
) -> tuple[sp.csr_matrix, tuple[str, ...]]:
    """Count the transcripts of cells that lie wholly in a window; read those of the window's tiles only.

    Returns
    -------
    csr_matrix, tuple of str
        (cells, genes) counts, and the genes.
    """
    return count_window(document, points, window, offset, to_um, cells, choice)[:2]


def count_window(
    document: Document,
    points: str,
    window: npt.NDArray[Any],
    offset: tuple[int, int],
    to_um: Affine,
    cells: npt.NDArray[Any],
    choice: Choice = ALL,
    nuclei: npt.NDArray[Any] | None = None,
) -> tuple[sp.csr_matrix, tuple[str, ...], npt.NDArray[np.float64] | None]:
    """Count the transcripts of cells as `count_near` does, and which of them lie in a nucleus.

    Parameters
    ----------
    document, points, window, offset, to_um, cells
        As in `count_near`.
    choice
        Which transcripts count.
    nuclei
        The window of the nuclei's labels.

    Returns
    -------
    csr_matrix, tuple of str, ndarray or None
        (cells, genes) counts, the genes, and the share of each cell's transcripts in a nucleus.
    """
    index = index_of(document, points, choice=choice)
    genes, column = _counted_genes(index, choice)
    if len(cells) == 0:
        return sp.csr_matrix((0, len(genes)), dtype=np.float32), genes, None if nuclei is None else np.empty(0)
    (y, x), (h, w) = offset, window.shape
    # a pixel more on each side: a transcript on the very rim must not be lost by rounding
    corners = np.array([[y - 1, x - 1], [y - 1, x + w + 1], [y + h + 1, x - 1], [y + h + 1, x + w + 1]], float)
    box = moved(to_um.matrix, corners)
    (y0, x0), (y1, x1) = box.min(0), box.max(0)
    where, codes = index.near(y0, y1, x0, x1)
    where = moved(_to_pixels(index, to_um), where)
    rows, codes = rows_of(assign(window, offset, where), cells), column[codes]
    rows = np.where(codes >= 0, rows, -1)
    values = count(rows, codes, len(cells), len(genes))
    if nuclei is None:
        return values, genes, None
    inside = rows[(rows >= 0) & (assign(nuclei, offset, where) != 0)]
    return values, genes, nuclear_fraction(np.bincount(inside, minlength=len(cells)), values)


def nuclear_fraction(in_nucleus: npt.NDArray[np.int64], values: sp.csr_matrix) -> npt.NDArray[np.float64]:
    """Return the share of each cell's transcripts that lie in a nucleus; NaN where a cell has none."""
    total = np.asarray(values.sum(axis=1, dtype=np.float64)).ravel()
    return np.divide(in_nucleus, total, out=np.full(len(total), np.nan), where=total > 0)


def _counted_genes(index: TranscriptIndex, choice: Choice) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Return the genes that count, and the column of each gene of the index; -1 for a control that does not."""
    if choice.controls:
        return index.genes, np.arange(len(index.genes))
    counts = np.array([not choice.leaves_out(g) for g in index.genes], dtype=bool)
    column = np.where(counts, np.cumsum(counts) - 1, -1)
    return tuple(g for g, kept in zip(index.genes, counts, strict=True) if kept), column


def with_counts(
    table: Any, values: sp.csr_matrix, genes: tuple[str, ...], transcripts: npt.NDArray[np.int64] | None = None
) -> Any:
    """Return a measured table whose X is the counts; its mean intensities go to ``obsm``.

    Parameters
    ----------
    table
        What `cells.measure` returned: mean intensities in X, areas in obs.
    values
        (cells, genes) counts.
    genes
        Names of the columns.
    transcripts
        (genes,) how many there are of each in all; None for rows of a table that says so.
    """
    from anndata import AnnData

    obs = table.obs.copy()
    obs["total_counts"] = np.asarray(values.sum(axis=1, dtype=np.float64)).ravel().astype(np.int64)
    obs["n_genes"] = np.diff(values.indptr).astype(np.int64)
    obs["density"] = obs["total_counts"] / obs["area_um2"]
    said = {} if transcripts is None else {TRANSCRIPTS: transcripts}
    made = AnnData(X=values, obs=obs, var=pd.DataFrame(said, pd.Index(genes, dtype=object)), uns=dict(table.uns))
    made.obsm[INTENSITIES] = pd.DataFrame(np.asarray(table.X), index=obs.index, columns=list(table.var_names))
    if SUMS in table.obsm:
        made.obsm[SUMS] = table.obsm[SUMS]
    return made


def require_same_genes(table: Any, genes: tuple[str, ...], points: str) -> None:
    """Raise `DocumentError` unless a table of counts has the genes of its transcripts."""
    if tuple(table.var_names) != genes:
        raise DocumentError(
            f"The transcripts '{points}' have {len(genes)} genes, the table of cells {table.n_vars} or others.",
            "Count the transcripts again, so that every cell is counted from the same ones.",
        )


def _to_pixels(index: TranscriptIndex, to_um: Affine) -> npt.NDArray[np.float64]:
    return (to_um.inverse() @ index.to_um).matrix


def _sum(values: sp.csr_matrix) -> int:
    return int(values.data.sum(dtype=np.float64))
