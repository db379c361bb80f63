"""Deconvolution by weighted non-negative least squares: quick enough to watch."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...core.box_simplex import obeying
from ...core.deconvolution import Deconvolver, Proportions, Reference, Spots
from ...core.goodness import goodness
from ...core.least_squares_shares import least_squares_shares
from ...core.method import Advanced, Interval, method
from ...core.report import Report, part, silent
from ...core.signatures import marker_genes, shared_genes, signatures


@method(title="Weighted least squares", citation="Kim & Park 2011, doi:10.1137/110821172")
class WeightedNnls(Deconvolver):
    """Explain each spot as a non-negative sum of the cell types' mean profiles, each gene by its noise.

    Profiles are means over cells of each cell's share of its counts, over the genes that spots and
    reference share, and of those the markers of each type. Genes are weighted by one over the root
    of their mean, as counts ask for. Proportions are shares of RNA, not of cells: a large cell
    counts for more.
    """

    n_markers: Annotated[int, Interval(ge=1, le=100_000), Advanced()] = 400
    """At most so many marker genes a cell type are used."""
    errors: Annotated[bool, Advanced()] = True
    """Give standard errors, abundance, and how well each spot is explained; without them it is a preview."""

    def __call__(self, spots: Spots, reference: Reference, report: Report = silent) -> Proportions:
        """Estimate the proportions of the reference's cell types in each spot.

        Raises
        ------
        BadInput
            When spots and reference share too few genes, or a cell type has no counts in them.
        """
        report(0.0, "Matching genes")
        shared = shared_genes(spots, reference)
        report(0.2, f"Profiles over {len(shared.genes)} shared genes")
        profiles, types = signatures(shared.reference, reference.types)
        markers = marker_genes(profiles, self.n_markers)
        # markers of types with one and the same profile are none: then every gene has to do
        markers = markers if len(markers) >= len(types) else np.flatnonzero(profiles.sum(0) > 0)
        profiles = profiles[:, markers]
        report(0.4, f"Solving with {len(markers)} marker genes")
        weights = 1 / np.sqrt(profiles.mean(0))
        values = least_squares_shares(shared.spots, markers, profiles, weights, part(report, 0.4, 0.8))
        values = obeying(values, types, spots.constraints)
        told = vars(goodness(shared.spots, markers, profiles, values, part(report, 0.8, 0.99))) if self.errors else {}
        report(1.0, f"Proportions of {len(types)} cell types")
        return Proportions(values, types, **told)
