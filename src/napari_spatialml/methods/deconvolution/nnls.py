"""Deconvolution by plain non-negative least squares: the textbook's, for comparison."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ...core.box_simplex import obeying
from ...core.deconvolution import Deconvolver, Proportions, Reference, Spots
from ...core.goodness import goodness
from ...core.least_squares_shares import least_squares_shares
from ...core.method import method
from ...core.report import Report, part, silent
from ...core.signatures import shared_genes, signatures


@method(title="Non-negative least squares", citation="Lawson & Hanson 1974, doi:10.1137/1.9781611971217, chapter 23")
class Nnls(Deconvolver):
    """Explain each spot's raw counts as a non-negative sum of the cell types' mean counts.

    The textbook's method, over all genes that spots and reference share, without weights: the
    few genes with most counts decide. Proportions are shares of cells, by the mean counts of a
    cell of each type in the reference. Here for comparison; the other methods are nearer.
    """

    def __call__(self, spots: Spots, reference: Reference, report: Report = silent) -> Proportions:
        """Estimate the proportions of the reference's cell types in each spot.

        Raises
        ------
        BadInput
            When spots and reference share too few genes, or a cell type has no counts in them.
        """
        report(0.0, "Matching genes")
        shared = shared_genes(spots, reference)
        report(0.2, f"Mean counts over {len(shared.genes)} shared genes")
        profiles, types = signatures(shared.reference, reference.types)
        number = np.searchsorted(types, reference.types)
        totals = np.asarray(shared.reference.sum(1), dtype=np.float64).ravel()
        cells = np.bincount(number[totals > 0], minlength=len(types))
        member = sp.csr_matrix((1 / cells[number], (number, np.arange(len(number)))), (len(types), len(number)))
        profiles = np.asarray((member @ shared.reference).toarray(), dtype=np.float64)
        columns = np.arange(len(shared.genes))
        report(0.4, f"Solving with {len(columns)} genes")
        values = least_squares_shares(shared.spots, columns, profiles, np.ones(len(columns)), part(report, 0.4, 0.8))
        values = obeying(values, types, spots.constraints)
        told = goodness(shared.spots, columns, profiles, values, part(report, 0.8, 0.99))
        report(1.0, f"Proportions of {len(types)} cell types")
        return Proportions(values, types, **vars(told))
