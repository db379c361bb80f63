"""Signatures of cell types from a single-cell reference, over the genes that both tables hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ..errors import BadInput
from .arrays import require
from .count_rows import CountRows, picked
from .deconvolution import Reference, Spots
from .gene_names import FEWEST, why_few

__all__ = ["Shared", "marker_genes", "own_genes", "shared_genes", "signatures"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Shared:
    """The genes of both tables, sorted by name, so that the order of columns changes nothing.

    Parameters
    ----------
    genes
        (g,) names.
    spots, reference
        (n, g) and (m, g) counts; columns of one name are added up. The spots' are `CountRows` where these
        were given.
    """

    genes: npt.NDArray[Any]
    spots: sp.csr_matrix | CountRows
    reference: sp.csr_matrix


def shared_genes(spots: Spots, reference: Reference) -> Shared:
    """Return both tables over the genes that they share.

    Raises
    ------
    BadInput
        When they share fewer genes than there are cell types, or fewer than 10; the hint says so
        when the names differ only in upper and lower case, or in kind.
    """
    genes = np.intersect1d(spots.genes, reference.genes)
    n_types = len(np.unique(reference.types))
    if len(genes) < max(FEWEST, n_types):
        raise BadInput(
            f"The spots' {len(spots.genes)} genes and the reference's {len(reference.genes)} share "
            f"{len(genes)}, too few for {n_types} cell types.",
            why_few(spots.genes, reference.genes, len(genes), max(FEWEST, n_types)),
        )
    return Shared(genes, _columns(spots.counts, spots.genes, genes), _columns(reference.counts, reference.genes, genes))


def own_genes(spots: Spots) -> tuple[npt.NDArray[Any], sp.csr_matrix | CountRows]:
    """Return the spots' genes sorted by name, and their counts; columns of one name are added up."""
    genes = np.unique(spots.genes)
    return genes, _columns(spots.counts, spots.genes, genes)


def signatures(counts: sp.csr_matrix, types: npt.NDArray[Any]) -> tuple[Array, tuple[str, ...]]:
    """Return (t, g) mean profiles of cells, each divided by its total, and the sorted (t,) types.

    Raises
    ------
    BadInput
        When no cell of a type has a count.
    """
    names, number = np.unique(types, return_inverse=True)
    totals = np.asarray(counts.sum(1), dtype=np.float64).ravel()
    there = totals > 0
    sizes = np.bincount(number[there], minlength=len(names))
    empty = names[sizes == 0]
    require(
        len(empty) == 0,
        f"No cell of the type '{empty[0] if len(empty) else ''}' has a count in the shared genes.",
        "Leave the type out of the reference.",
    )
    share = np.divide(1.0, totals * sizes[number], out=np.zeros(len(totals)), where=there)
    member = sp.csr_matrix((share, (number, np.arange(len(number)))), shape=(len(names), len(number)))
    return np.asarray((member @ counts).toarray(), dtype=np.float64), tuple(names.tolist())


def marker_genes(profiles: Array, n_markers: int) -> npt.NDArray[np.intp]:
    """Return the sorted columns of the ``n_markers`` genes of each type that stand out from the mean of the others.

    A tenth of the mean profile is added on both sides of the ratio, so that a gene seen once does
    not stand out.
    """
    t = len(profiles)
    others = (profiles.sum(0) - profiles) / (t - 1)
    little = 0.1 * profiles.mean()
    ratio = np.log((profiles + little) / (others + little))
    best = np.argsort(-ratio, axis=1, kind="stable")[:, :n_markers]
    keep = np.zeros(profiles.shape[1], bool)
    for row, columns in enumerate(best):
        keep[columns[ratio[row, columns] > 0]] = True
    # a gene that no cell of the reference shows says nothing
    return np.flatnonzero(keep & (profiles.sum(0) > 0))


def _columns(counts: Any, names: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> Any:
    place = np.minimum(np.searchsorted(wanted, names), len(wanted) - 1)
    return picked(counts, np.where(wanted[place] == names, place, -1), len(wanted))
