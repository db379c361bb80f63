"""What nuclei, markers and transcripts say of a cell: each a strength of its own, 0 to 1, with its words."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ..assignment import rows_of
from .evidence import Evidence, Pair
from .measure import Cells, Columns

__all__ = ["exclusive_pairs", "molecular_columns"]

Floats = npt.NDArray[np.float64]
Notes = dict[str, tuple[str, ...]]
_COMMON = 0.05  # share of cells that a gene must be in to be learned from
_MOST_GENES = 400
_MOST_PAIRS = 300
_RARE = 0.35  # of the co-occurrence expected by chance, from which a pair counts as exclusive
_RIM_UM = 1.5
_FAR_BETTER = 6.0  # log-likelihood ratio at which half of the cells are believed to be wrong
_CEILING = 0.9  # no witness without a truth to fit it to is believed beyond this


def molecular_columns(cells: Cells, evidence: Evidence) -> tuple[Columns, Notes]:
    """Return the strength of the kinds nuclei, markers and rim for which there is evidence, and their words."""
    columns: Columns = {}
    notes: Notes = {}
    if evidence.nuclei is not None:
        columns["nuclei"], notes["nuclei"] = _nuclei(cells, evidence.nuclei)
    if evidence.counts is None:
        return columns, notes
    at = rows_of(cells.ids, np.sort(np.asarray(evidence.ids)).astype(np.int64))
    order = np.argsort(np.asarray(evidence.ids), kind="stable")
    rows = np.where(at >= 0, order[at], -1)
    counts = sp.csr_matrix(evidence.counts)
    columns["markers"], notes["markers"] = _markers(counts, rows, evidence)
    if evidence.points is not None:
        columns["rim"], notes["rim"] = _rim(cells, evidence, counts, rows)
    return columns, notes


def _nuclei(cells: Cells, nuclei: npt.NDArray[Any]) -> tuple[Floats, tuple[str, ...]]:
    """A nucleus belongs to the cell that holds most of it; a cell should hold one."""
    inside = nuclei.ravel()[cells.order].astype(np.int64)
    owner = cells.codes.ravel()[cells.order].astype(np.int64) - 1
    n = len(cells.ids)
    ids, size = np.unique(nuclei[nuclei > 0], return_counts=True)
    held = inside > 0
    nucleus = np.searchsorted(ids, inside[held])
    keys, common = np.unique(owner[held] * max(len(ids), 1) + nucleus, return_counts=True)
    cell, nucleus = np.divmod(keys, max(len(ids), 1))
    mostly = common > 0.5 * size[nucleus] if len(ids) else np.zeros(0, bool)
    number = np.bincount(cell[mostly], minlength=n)
    strength = np.select([number == 1, number == 0], [0.0, 0.3], default=1 - 0.4 ** np.maximum(number - 1, 0))
    words = tuple("" if k == 1 else "It holds no nucleus." if k == 0 else f"It holds {k} nuclei." for k in number)
    return np.minimum(strength, _CEILING), words


def exclusive_pairs(counts: sp.csr_matrix, genes: tuple[str, ...]) -> tuple[Pair, ...]:
    """Learn which pairs of common genes cells hardly ever express together.

    Parameters
    ----------
    counts
        (n, g) transcripts.
    genes
        The g names.

    Returns
    -------
    Pairs whose co-occurrence is far less than chance: below `_RARE` of it, and by a z of 6 or more.

    Notes
    -----
    A gene counts as expressed from two transcripts on, which a stray one does not reach. Chance is
    independence given each cell's total: deep cells express more of everything. O(n · g²) for the
    400 most common genes.
    """
    expressed = sp.csr_matrix(counts >= 2).astype(np.float64)
    share = np.asarray(expressed.mean(axis=0)).ravel()
    common = np.flatnonzero(share >= _COMMON)
    common = common[np.argsort(-share[common], kind="stable")][:_MOST_GENES]
    if len(common) < 2 or counts.shape[0] < 50:
        return ()
    chosen = expressed[:, common]
    together = np.asarray((chosen.T @ chosen).todense())
    depth = np.asarray(chosen.sum(axis=1)).ravel()
    # chance of a gene in a cell is proportional to the cell's number of genes, so that of a pair to its square
    expected = np.outer(share[common], share[common]) * counts.shape[0] * float((depth**2).mean() / depth.mean() ** 2)
    z = (expected - together) / np.sqrt(np.maximum(expected, 1e-9))
    first, second = np.nonzero(np.triu((together < _RARE * expected) & (z >= 6), 1))
    order = np.argsort(-z[first, second], kind="stable")[:_MOST_PAIRS]
    names = [genes[i] for i in common]
    return tuple((names[a], names[b]) for a, b in zip(first[order], second[order], strict=True))


def _markers(counts: sp.csr_matrix, rows: npt.NDArray[np.int64], evidence: Evidence) -> tuple[Floats, tuple[str, ...]]:
    """A cell that expresses both genes of an exclusive pair mixes two cells: the rarer of both tells how much."""
    pairs = evidence.markers
    if pairs is None:
        pairs = exclusive_pairs(counts, evidence.genes)
    place = {gene: i for i, gene in enumerate(evidence.genes)}
    known = [(place[a], place[b]) for a, b in pairs if a in place and b in place]
    n = len(rows)
    log_right, worst, which = np.zeros(n), np.zeros(n), np.full(n, -1)
    own = counts[np.maximum(rows, 0)].tocsc().astype(np.float64)
    for i, (a, b) in enumerate(known):
        less = np.asarray(own[:, a].minimum(own[:, b]).todense()).ravel() * (rows >= 0)
        more = np.asarray(own[:, a].maximum(own[:, b]).todense()).ravel()
        # one stray transcript is nothing; a tenth of the other gene may be spill
        sign = np.maximum(less - 1 - 0.1 * more, 0)
        which[sign > worst] = i
        worst = np.maximum(worst, sign)
        log_right -= 0.35 * sign
    # pairs overlap: what they say together is not more than twice what the worst says alone
    strength = 1 - np.exp(np.maximum(log_right, -0.7 * worst))
    words = tuple(_pair_words(own, k, known, i, evidence.genes) for k, i in enumerate(which))
    return np.minimum(strength, _CEILING), words


def _pair_words(own: Any, row: int, known: list[tuple[int, int]], pair: int, genes: tuple[str, ...]) -> str:
    if pair < 0:
        return ""
    a, b = known[pair]
    return f"{genes[a]} and {genes[b]}, which exclude each other, occur together: {own[row, a]:g} and {own[row, b]:g}."


def _rim(
    cells: Cells, evidence: Evidence, counts: sp.csr_matrix, rows: npt.NDArray[np.int64]
) -> tuple[Floats, tuple[str, ...]]:
    """Sum, over a cell's transcripts near a neighbour, how much better they fit the neighbour's profile."""
    n = len(cells.ids)
    assert evidence.points is not None and evidence.point_genes is not None
    points = evidence.points - np.asarray(evidence.offset, dtype=np.float64)
    genes = np.asarray(evidence.point_genes).astype(np.int64)
    own = _codes_at(cells.codes, points) - 1
    inside = (own >= 0) & (genes >= 0)
    points, genes, own = points[inside], genes[inside], own[inside]
    other = _neighbour_of(cells.codes, points, own, max(_RIM_UM / evidence.pixel_size_um, 1.0))
    near = (other >= 0) & (rows[own] >= 0)
    near[near] = rows[other[near]] >= 0
    genes, own, other = genes[near], own[near], other[near]
    if len(own) == 0:
        return np.zeros(n), ("",) * n
    better = _log_share(counts, rows[other], genes, 0) - _log_share(counts, rows[own], genes, 1)
    keys, pair = np.unique(own * n + other, return_inverse=True)
    total, number = np.bincount(pair, weights=better), np.bincount(pair)
    ranked = np.lexsort((keys, total, keys // n))
    last = ranked[np.append(np.diff(keys[ranked] // n) > 0, True)]
    strength = np.zeros(n)
    cell = keys[last] // n
    strength[cell] = np.where(number[last] >= 5, 1 / (1 + np.exp((_FAR_BETTER - total[last]) / 2)), 0)
    strength = np.where(strength > 0.05, np.minimum(strength, _CEILING), 0)
    words = [""] * n
    for at in last[strength[cell] > 0]:
        neighbour = cells.ids[keys[at] % n]
        words[keys[at] // n] = (
            f"The {number[at]} transcripts near cell {neighbour} fit that cell better: log-likelihood {total[at]:+.1f}."
        )
    return strength, tuple(words)


def _codes_at(codes: npt.NDArray[np.int32], points: Floats) -> npt.NDArray[np.int64]:
    """Return the code under each point of the window, 0 outside."""
    y, x = np.floor(points).astype(np.int64).T
    there = (y >= 0) & (y < codes.shape[0]) & (x >= 0) & (x < codes.shape[1])
    found = np.zeros(len(points), np.int64)
    found[there] = codes[y[there], x[there]]
    return found


def _neighbour_of(
    codes: npt.NDArray[np.int32], points: Floats, own: npt.NDArray[np.int64], reach: float
) -> npt.NDArray[np.int64]:
    """Return the other cell within reach of each point, the nearest of eight directions; -1 without one."""
    found = np.full(len(points), -1, dtype=np.int64)
    for distance in np.arange(1, int(np.ceil(reach)) + 1):
        for angle in np.arange(8) * np.pi / 4:
            step = min(float(distance), reach) * np.array([np.sin(angle), np.cos(angle)])
            code = _codes_at(codes, points + step) - 1
            found = np.where((found < 0) & (code >= 0) & (code != own), code, found)
    return found


def _log_share(
    counts: sp.csr_matrix, rows: npt.NDArray[np.int64], genes: npt.NDArray[np.int64], without: int
) -> Floats:
    """Return the log of a gene's share in a cell's profile, drawn to the section's; ``without`` counts left out."""
    section = np.asarray(counts.sum(axis=0)).ravel().astype(np.float64) + 1
    section /= section.sum()
    total = np.asarray(counts.sum(axis=1)).ravel().astype(np.float64)
    held = np.asarray(counts[rows, genes]).ravel().astype(np.float64)
    prior = 20.0
    return np.asarray(
        np.log(
            (np.maximum(held - without, 0) + prior * section[genes]) / (np.maximum(total[rows] - without, 0) + prior)
        )
    )
