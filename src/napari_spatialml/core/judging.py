"""What speaks for and against a segmentation when nobody knows the true cells.

Exclusive markers are pairs of genes that one cell hardly ever expresses together. Where they meet in a
cell, that cell holds what is not its own. Larger cells catch more transcripts and more of their
neighbours': both are reported, over cells that are shrunk and grown, never one alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import require

__all__ = [
    "Geometry",
    "agreement",
    "contamination",
    "exclusive_markers",
    "geometry",
    "mixing_rate",
    "nuclei_held",
    "outliers",
]

Pairs = npt.NDArray[np.int64]
"""(k, 2) columns of the two genes of each pair."""
Flags = npt.NDArray[np.bool_]
_MAD = 1.4826
_RARE = 0.3  # of the meetings that chance would give, below which two genes count as exclusive
_SURE = 6.0  # standard deviations below chance
_MOST_GENES, _MOST_PAIRS, _EACH = 600, 100, 6
_ALIKE = 0.1  # centres of neighbours that are less apart cannot tell from where a transcript comes


@dataclass(frozen=True)
class Geometry:
    """Shapes of cells.

    Parameters
    ----------
    area
        (n,) µm².
    fullness
        (n,) area over that of the ellipse with the same second moments: 1 for an ellipse, less for a
        cell that is bent, torn or in pieces.
    elongation
        (n,) long axis over short axis of that ellipse.
    """

    area: npt.NDArray[np.float64]
    fullness: npt.NDArray[np.float64]
    elongation: npt.NDArray[np.float64]


def exclusive_markers(counts: sp.csr_matrix, genes: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Learn which pairs of genes hardly ever meet in one cell, the surest first.

    Parameters
    ----------
    counts
        (n, g) transcripts of cells.
    genes
        The g names.

    Returns
    -------
    At most 100 pairs, and no gene in more than six, so that a few strong genes do not speak for all.

    Notes
    -----
    Meetings are Σ a·b over cells; chance gives ΣA·ΣB·Σn(n − 1)/(Σn)², where n is a cell's total: deep cells
    hold more of everything. Counts and not their presence are used, so that panels of few transcripts a cell
    can be learned from too. O(n · m² + g²) for m genes a cell and the 600 genes with the most transcripts.
    """
    total = np.asarray(counts.sum(axis=0)).ravel().astype(np.float64)
    common = np.sort(np.argsort(-total, kind="stable")[:_MOST_GENES])
    held = sp.csr_matrix(counts[:, common], dtype=np.float64)
    n = np.asarray(held.sum(axis=1)).ravel()
    if n.sum() == 0:
        return ()
    met = np.asarray((held.T @ held).todense())
    chance = np.outer(total[common], total[common]) * float((n * (n - 1)).sum()) / float(n.sum()) ** 2
    z = (chance - met) / np.sqrt(np.maximum(chance, 1e-9))
    first, second = np.nonzero(np.triu((met < _RARE * chance) & (z >= _SURE), 1))
    used = np.zeros(len(common), int)
    made: list[tuple[str, str]] = []
    for k in np.argsort(-z[first, second], kind="stable"):
        pair = [first[k], second[k]]
        if (used[pair] < _EACH).all() and len(made) < _MOST_PAIRS:
            used[pair] += 1
            made.append((genes[common[pair[0]]], genes[common[pair[1]]]))
    return tuple(made)


def agreement(counts: sp.csr_matrix, pairs: Pairs, others: sp.csr_matrix | None = None, *, least: int = 1) -> float:
    """Return how often two marker transcripts of one cell agree: 1 when no cell mixes exclusive markers.

    Parameters
    ----------
    counts
        (n, g) transcripts.
    pairs
        (k, 2) columns of exclusive markers.
    others
        (n, g) other transcripts that belong to the same rows: then one of the two is drawn from these. None:
        two different ones are drawn from ``counts``.
    least
        A pair of fewer transcripts that can tell is left out.

    Returns
    -------
    float
        The mean over pairs that some row can tell of; NaN where none can.

    Notes
    -----
    In a row with a and b transcripts of a pair, n = a + b, two different ones are of one gene with the
    probability (a(a − 1) + b(b − 1)) / (n(n − 1)): its expectation does not depend on n, so that cells of few
    transcripts are not taken for pure ones. Rows are weighted by n. O(k · n).
    """
    held = counts.tocsc()
    against = held if others is None else others.tocsc()
    shares = [_pair_agreement(_two(held, p), _two(against, p), same=others is None, least=least) for p in pairs]
    known = [s for s in shares if np.isfinite(s)]
    return float(np.mean(known)) if known else float("nan")


def _two(counts: Any, pair: Any) -> tuple[Any, Any]:
    return tuple(np.asarray(counts[:, [int(g)]].toarray()).ravel().astype(np.float64) for g in pair)  # type: ignore[return-value]


def _pair_agreement(one: tuple[Any, Any], other: tuple[Any, Any], *, same: bool, least: int) -> float:
    (a, b), (c, d) = one, other
    n, m = a + b, c + d - same
    told = (n > 0) & (m > 0)
    if n[told].sum() < max(least, 1):
        return float("nan")
    a, b, c, d, n, m = (v[told] for v in (a, b, c, d, n, m))
    alike = a * (c - same) + b * (d - same)
    return float((alike / m).sum() / n.sum())


def mixing_rate(counts: sp.csr_matrix, pairs: Pairs) -> float:
    """Return the mutually exclusive co-expression rate: lower is purer.

    Notes
    -----
    The mean over pairs of (cells with both) / (cells with either).

    References
    ----------
    Hartman and Satija (2024), Comparative analysis of multiplexed in situ gene expression profiling
    technologies.
    """
    held = sp.csr_matrix(counts > 0).tocsc()
    rates = []
    for a, b in pairs:
        one, other = (np.asarray(held[:, [int(g)]].toarray()).ravel() for g in (a, b))
        either = int((one | other).sum())
        rates += [int((one & other).sum()) / either] if either else []
    return float(np.mean(rates)) if rates else float("nan")


def contamination(centre: float, rim: float, neighbours: float) -> float:
    """Return the share of the rim's transcripts that come from the neighbour, as the markers tell.

    Parameters
    ----------
    centre
        How often two marker transcripts of one cell's centre agree.
    rim
        How often one of the rim agrees with one of the same cell's centre.
    neighbours
        How often one of a cell's centre agrees with one of its neighbour's centre.

    Returns
    -------
    float
        w of rim = (1 − w) · centre + w · neighbours, between 0 and 1; NaN where neighbours are alike.
    """
    if not all(map(np.isfinite, (centre, rim, neighbours))) or centre - neighbours < _ALIKE:
        return float("nan")
    return float(np.clip((centre - rim) / (centre - neighbours), 0, 1))


def geometry(pixels: npt.NDArray[np.int64], spread: npt.NDArray[np.float64], pixel_size_um: float) -> Geometry:
    """Return the shapes of cells from their second moments.

    Parameters
    ----------
    pixels
        (n,) of each cell.
    spread
        (n, 3) variances of y and x and their covariance, in pixels².
    pixel_size_um
        Edge of the pixel.

    Notes
    -----
    A pixel is a square and not a point: each variance grows by 1/12. An ellipse of half axes a and b has
    the variances a²/4 and b²/4, so that its area is 4π √det.
    """
    yy, xx, yx = (spread[:, 0] + 1 / 12, spread[:, 1] + 1 / 12, spread[:, 2])
    root = np.sqrt(np.maximum((yy - xx) ** 2 / 4 + yx**2, 0))
    large, small = (yy + xx) / 2 + root, np.maximum((yy + xx) / 2 - root, 1 / 12)
    fullness = pixels / (4 * np.pi * np.sqrt(large * small))
    return Geometry(pixels * pixel_size_um**2, fullness, np.sqrt(large / small))


def outliers(values: npt.NDArray[np.float64], limit: float = 3.0) -> tuple[Flags, Flags]:
    """Return which values are far below and above the median: by over ``limit`` robust deviations of the log."""
    require(limit > 0, f"The limit is {limit}.", "Give a number above 0.")
    if len(values) == 0:
        return np.zeros(0, bool), np.zeros(0, bool)
    logs = np.log(np.maximum(values, 1e-12))
    away = logs - np.median(logs)
    scale = max(_MAD * float(np.median(np.abs(away))), 1e-9)
    return away < -limit * scale, away > limit * scale


def nuclei_held(
    nuclei: npt.NDArray[Any], cells: npt.NDArray[Any], pixels: npt.NDArray[np.int64], ids: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.int64], int]:
    """Return how many nuclei each cell holds, and how many nuclei lie mostly in no cell.

    Parameters
    ----------
    nuclei, cells, pixels
        (k,) of overlaps: the nucleus, the cell or 0, and on how many pixels; may name the same two again.
    ids
        (n,) all cells, ascending.

    Notes
    -----
    A nucleus is held by the cell in which more than half of it lies.
    """
    own, code = np.unique(nuclei, return_inverse=True)
    size = np.bincount(code, pixels, len(own))
    place = np.where(cells == 0, 0, np.searchsorted(ids, cells) + 1)
    keys, at = np.unique(code * (len(ids) + 1) + place, return_inverse=True)
    nucleus, cell = np.divmod(keys, len(ids) + 1)
    mostly = (np.bincount(at, pixels, len(keys)) > 0.5 * size[nucleus]) & (cell > 0)
    return np.bincount(cell[mostly] - 1, minlength=len(ids)).astype(np.int64), int(len(own) - mostly.sum())
