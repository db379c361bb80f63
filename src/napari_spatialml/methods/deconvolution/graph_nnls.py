"""Deconvolution by non-negative least squares on a graph of neighbours."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ...core.arrays import require
from ...core.box_simplex import obeying
from ...core.count_rows import CountRows, row_blocks
from ...core.deconvolution import Deconvolver, Proportions, Reference, Spots
from ...core.goodness import goodness
from ...core.graph import knn_graph
from ...core.graph_nnls import leverage, smoothed_nnls, symmetric
from ...core.method import Advanced, Interval, Means, method
from ...core.report import Report, part, silent
from ...core.signatures import marker_genes, shared_genes, signatures

Array = npt.NDArray[np.float64]
_BLOCK = 20_000


@method(
    title="Graph-regularised least squares",
    citation="Cai et al., IEEE TPAMI 33, 1548 (2011), doi:10.1109/TPAMI.2010.231; "
    "Yang et al. (FlashDeconv), bioRxiv (2025), doi:10.64898/2025.12.22.696108",
)
class GraphNnls(Deconvolver):
    """Explain each spot as a non-negative sum of profiles, and draw neighbours towards each other.

    Minimises ½‖Y − BX‖² + ½ λ tr(BᵀLB) + ρ‖B‖₁ over B ≥ 0: Y the spots' shares of counts over the marker
    genes of the highest leverage, X the cell types' mean profiles, genes weighted by one over the root of
    their mean, L the Laplacian of the graph of nearest neighbours. Without smoothing every spot stands
    alone, and with all markers it is weighted least squares. Smoothing helps where counts are few and
    neighbours alike; it blurs what is rare and thin.
    """

    smoothing: Annotated[float, Interval(ge=0, le=1000), Means(0, "off", 0.1)] = 0.0
    """How far neighbours are drawn together (λ), against a weight of 1 for the counts; 0 leaves spots alone."""
    n_neighbours: Annotated[int, Interval(ge=1, le=100), Advanced()] = 6
    """Each spot is drawn towards so many nearest ones."""
    sparsity: Annotated[float, Interval(ge=0, le=1), Advanced()] = 0.0
    """How far small amounts are drawn to 0 (ρ), against the largest; 0 leaves them."""
    n_markers: Annotated[int, Interval(ge=1, le=100_000), Advanced()] = 400
    """At most so many marker genes a cell type are used."""
    n_genes: Annotated[int, Interval(ge=0, le=100_000), Means(0, "all", 512), Advanced()] = 0
    """Of the markers only so many are used: those that tell most (leverage); 0 takes all."""

    def __call__(self, spots: Spots, reference: Reference, report: Report = silent) -> Proportions:
        """Estimate the proportions of the reference's cell types in each spot.

        Raises
        ------
        BadInput
            When spots and reference share too few genes, a cell type has no counts in them, or spots without
            coordinates are to be smoothed.
        """
        report(0.0, "Matching genes")
        require(
            self.smoothing == 0 or spots.coordinates is not None,
            "The spots have no coordinates, so that their neighbours are not known.",
            "Set smoothing to 0, or choose a table whose spots have a place.",
        )
        shared = shared_genes(spots, reference)
        profiles, types = signatures(shared.reference, reference.types)
        columns, design, loadings = self._design(profiles)
        gram = design @ design.T
        # two types with one profile share what is theirs; without this there is no answer
        gram += 1e-10 * np.trace(gram) / len(gram) * np.eye(len(gram))
        report(0.1, f"Reading {len(columns)} genes")
        right, totals = _right(shared.spots, columns, loadings, part(report, 0.1, 0.4))
        graph = self._graph(spots, totals > 0)
        explained = smoothed_nnls(gram, right, graph, self.smoothing, self.sparsity, part(report, 0.4, 0.9))
        total = explained.sum(1, keepdims=True)
        even = np.full(explained.shape, 1 / len(types))
        values = np.divide(explained, total, out=even, where=total > 0)
        values = obeying(values, types, spots.constraints)
        told = goodness(shared.spots, columns, profiles[:, columns], values, part(report, 0.9, 1.0))
        report(1.0, f"Proportions of {len(types)} cell types")
        return Proportions(values, types, **vars(told))

    def _design(self, profiles: Array) -> tuple[npt.NDArray[np.intp], Array, Array]:
        """Return the columns used, the weighted (t, g) profiles, and what the counts are multiplied with."""
        markers = marker_genes(profiles, self.n_markers)
        # markers of types with one and the same profile are none: then every gene has to do
        markers = markers if len(markers) >= len(profiles) else np.flatnonzero(profiles.sum(0) > 0)
        weights = 1 / np.sqrt(profiles[:, markers].mean(0))
        design = profiles[:, markers] * weights
        if 0 < self.n_genes < len(markers):
            best = np.sort(np.argsort(-leverage(design), kind="stable")[: max(self.n_genes, len(profiles))])
            markers, weights, design = markers[best], weights[best], design[:, best]
        return markers, design, (design * weights).T

    def _graph(self, spots: Spots, there: npt.NDArray[np.bool_]) -> sp.csr_matrix:
        """Return the graph of neighbours; empty spots and artefacts have none."""
        n = len(there)
        if self.smoothing == 0 or spots.coordinates is None:
            return sp.csr_matrix((n, n))
        hand = spots.constraints
        if hand is not None and hand.artefacts is not None:
            there = there & ~hand.artefacts
        rows = np.flatnonzero(there)
        edges = symmetric(knn_graph(spots.coordinates[rows], self.n_neighbours)).tocoo()
        return sp.csr_matrix((edges.data, (rows[edges.row], rows[edges.col])), shape=(n, n))


def _right(
    counts: sp.csr_matrix | CountRows, columns: npt.NDArray[np.intp], loadings: Array, report: Report
) -> tuple[Array, Array]:
    """Return the (n, t) right-hand sides of counts divided by their total over the genes used, and the totals."""
    n = int(counts.shape[0])
    right, totals = np.zeros((n, loadings.shape[1])), np.zeros(n)
    for rows, block in row_blocks(counts, _BLOCK):
        report(rows.start / n, "Reading counts")
        used = block[:, columns]
        totals[rows] = np.asarray(used.sum(1)).ravel()
        right[rows] = used @ loadings
    return right / np.where(totals > 0, totals, 1.0)[:, None], totals
