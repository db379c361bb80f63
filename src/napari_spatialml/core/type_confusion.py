"""How well single cells of one type are told from those of another by a panel of genes, at the spots' depth."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

__all__ = ["confusion", "drawn_confusion", "groups_alike", "likeness", "summed"]

Array = npt.NDArray[np.float64]
TRIED = 200
"""At most so many cells of a type are classified."""


def summed(counts: sp.csr_matrix, number: npt.NDArray[Any], n: int) -> Array:
    """Return (n, g) the sums of the rows of each number; rows numbered below 0 are left out."""
    there = np.flatnonzero(number >= 0)
    member = sp.csr_matrix((np.ones(len(there), np.float32), (number[there], there)), shape=(n, len(number)))
    return np.asarray((member.astype(np.float64) @ counts).toarray(), dtype=np.float64)


def confusion(
    counts: sp.csr_matrix, number: npt.NDArray[Any], n_types: int, depth: float, *, raw: bool = True
) -> Array:
    """Return how often a cell of one type is taken for another.

    Half of the cells of each type make the signatures by which the other half is classified, and the other
    way round; a type with one cell has its counts split in two. Cells that hold more counts than a spot are
    thinned to a spot's. At most 200 cells of a type are classified, drawn with a fixed seed.

    Parameters
    ----------
    counts
        (m, g) over the genes that spots and reference share.
    number
        (m,) each cell's type.
    n_types
        How many types there are.
    depth
        Counts of a typical spot in these genes.
    raw
        Whether the counts are counts. Otherwise counts are drawn from them, as many as a spot has.

    Returns
    -------
    numpy.ndarray
        (t, t) share of the cells of a row's type that were taken for the column's; a row sums to 1, or holds
        NaN where no cell of the type has counts.

    Notes
    -----
    A cell is given to the type under which its counts are most likely, counts being multinomial. To the
    counts that make a signature those of one average cell are added, so that a gene not seen in few cells
    does not rule the type out.
    """
    generator = np.random.default_rng(0)
    totals = np.asarray(counts.sum(1), np.float64).ravel()
    full = np.flatnonzero(totals > 0)
    order = full[np.argsort(number[full], kind="stable")]
    sizes = np.bincount(number[full], minlength=n_types)
    place = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    fold = np.full(len(number), -1)
    fold[order] = place % 2
    halves = summed(counts, np.where(fold >= 0, 2 * number + fold, -1), 2 * n_types).reshape(n_types, 2, -1)
    shuffled = order[np.lexsort((generator.random(len(order)), number[order]))]
    tried = np.sort(shuffled[place < TRIED])
    alone = sizes[number[tried]] == 1
    single = tried[alone]
    kept, rest = _split(counts[single], raw, generator)
    halves[number[single], 0], halves[number[single], 1] = 0.0, rest.toarray()
    tests = sp.vstack([counts[tried[~alone]], kept], format="csr")
    tried = np.concatenate([tried[~alone], single])
    profiles = halves + halves.sum((0, 1)) * (totals[full].mean() / max(halves.sum(), 1e-300) if len(full) else 1.0)
    return _classified(_thinned(tests, depth, raw, generator), number[tried], fold[tried], profiles, sizes > 0)


def drawn_confusion(profiles: Array, depth: float) -> Array:
    """Return how often a spot of one type alone would be taken for another, where only signatures are known.

    Counts of 200 spots a type are drawn from the signatures, with a fixed seed. What single cells of a type
    have that its mean has not is left out, so types are at least as much alike as this says.

    Parameters
    ----------
    profiles
        (t, g) signatures over the genes that spots and reference share.
    depth
        Counts of a typical spot in these genes.

    Returns
    -------
    numpy.ndarray
        (t, t), as of `confusion`.
    """
    generator = np.random.default_rng(0)
    total = profiles.sum(1, keepdims=True)
    shares = np.divide(profiles, total, out=np.zeros_like(profiles), where=total > 0)
    found = np.full((len(profiles), len(profiles)), np.nan)
    both = np.stack([shares, shares], 1) + shares.mean(0) * 1e-3 / max(depth, 1.0)
    for k in range(len(profiles)):  # a panel of all genes for all types at once would fill the memory
        tests = sp.csr_matrix(generator.poisson(np.broadcast_to(shares[k] * depth, (TRIED, shares.shape[1]))))
        found[k] = _classified(tests, np.full(TRIED, k), np.zeros(TRIED, int), both, total[:, 0] > 0)[k]
    return found


def _classified(
    tests: sp.csr_matrix, number: npt.NDArray[Any], fold: npt.NDArray[Any], halves: Array, usable: npt.NDArray[np.bool_]
) -> Array:
    """Return the share of the rows of each type that are taken for each, by the other half's profiles."""
    found = np.zeros((len(halves), len(halves)))
    seen = np.asarray(tests.sum(1)).ravel() > 0  # a cell without counts is no one's
    for half in (0, 1):
        rows = np.flatnonzero((fold == half) & seen)
        profiles = np.maximum(halves[:, 1 - half], 1e-300)
        scores = np.asarray(tests[rows] @ np.log(profiles / profiles.sum(1, keepdims=True)).T)
        scores[:, ~usable] = -np.inf
        np.add.at(found, (number[rows], scores.argmax(1)), 1)
    with np.errstate(invalid="ignore"):
        return np.asarray(found / found.sum(1, keepdims=True))


def likeness(sums: Array, sizes: npt.NDArray[Any]) -> Array:
    """Return (t, t) how alike types are in what sets them off from the mean: correlations, −1 to 1.

    Parameters
    ----------
    sums
        (t, g) counts of all cells of each type.
    sizes
        (t,) their numbers. The counts of one average cell of an average type are added to each, so that few
        cells are not far from all others for their noise alone.
    """
    shares = sums / np.maximum(sums.sum(1, keepdims=True), 1e-300)
    profiles = sums + shares.mean(0) * sums.sum() / max(float(sizes.sum()), 1.0)
    roots = np.sqrt(profiles / np.maximum(profiles.sum(1, keepdims=True), 1e-300))
    off = roots - roots.mean(0)
    length = np.linalg.norm(off, axis=1)
    return np.asarray(off @ off.T / np.maximum(np.outer(length, length), 1e-300))


def groups_alike(found: Array, level: float) -> list[list[int]]:
    """Return the types that are taken for each other in at least ``level`` of the cells, as groups of two or more."""
    both = np.nan_to_num(np.maximum(found, found.T))
    n, label = sp.csgraph.connected_components(sp.csr_matrix(both >= level), directed=False)
    groups = [np.flatnonzero(label == k).tolist() for k in range(n)]
    return [group for group in groups if len(group) > 1]


def _thinned(counts: sp.csr_matrix, depth: float, raw: bool, generator: np.random.Generator) -> sp.csr_matrix:
    """Return counts of cells as a spot would hold of them: never more than ``depth``."""
    totals = np.asarray(counts.sum(1), np.float64).ravel()
    share = np.repeat(depth / np.maximum(totals, 1e-300), np.diff(counts.indptr))
    if raw:
        drawn = generator.binomial(np.rint(counts.data).astype(np.int64), np.minimum(share, 1.0))
    else:
        drawn = generator.poisson(counts.data * share)
    return sp.csr_matrix((drawn.astype(np.float64), counts.indices, counts.indptr), shape=counts.shape)


def _split(cells: sp.csr_matrix, raw: bool, generator: np.random.Generator) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Divide the counts of cells that are alone in their type: half classify, half make the signature."""
    values = np.asarray(cells.data, np.float64)
    drawn = generator.binomial(np.rint(values).astype(np.int64), 0.5).astype(np.float64) if raw else values / 2
    first = sp.csr_matrix((drawn, cells.indices, cells.indptr), shape=cells.shape)
    return first, sp.csr_matrix(cells - first)
