"""Label transfer: which cell type each cell of a segmented section is, with probabilities."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ...core.box_simplex import obeying
from ...core.cell_calibration import Calibration, Misfit, calibrated, probabilities
from ...core.cell_likelihood import CellModel, learnt_from, log_likelihoods
from ...core.count_rows import CountRows, row_blocks
from ...core.count_units import count_units
from ...core.deconvolution import Deconvolver, Fitted, Proportions, Reference, Spots
from ...core.method import Advanced, Interval, method
from ...core.report import Report, part, silent
from ...core.signatures import marker_genes, shared_genes
from ...core.type_profiles import type_profiles

Array = npt.NDArray[np.float64]
_BLOCK = 20_000


@method(
    title="Label transfer to cells",
    citation="Cable et al. 2022, doi:10.1038/s41587-021-00830-w (the model of gene factors); "
    "Guo et al. 2017, arXiv:1706.04599 (calibration)",
)
class CellTypes(Deconvolver):
    """Say which one cell type each cell is, with the probability of every type: for cells, not for spots.

    A cell's counts are negative binomial around the profile of one type. What the cells' platform sees more
    or less of a gene than the reference's, and how much cells of a type differ, is learnt from the cells.
    Every type is as likely beforehand, a rare one as a common one. Probabilities are calibrated on cells of
    the reference that were held out and thinned to as few counts. A cell that fits no type is flagged.
    """

    learnt_tolerance: ClassVar[float] = 0.01
    mixtures: ClassVar[bool] = False
    n_markers: Annotated[int, Interval(ge=1, le=100_000), Advanced()] = 400
    """At most so many marker genes a cell type are used."""
    platform_factors: Annotated[bool, Advanced()] = True
    """Learn how much more or less of each gene the cells' platform sees than the reference's."""
    learn_from: Annotated[int, Interval(ge=10, le=1_000_000), Advanced()] = 10_000
    """Gene factors and dispersion are learnt from at most so many cells, evenly spaced over the table."""
    seed: Annotated[int, Interval(ge=0, le=2**31 - 1), Advanced()] = 0
    """Seed of the thinning; the same seed gives the same probabilities."""

    def __call__(self, spots: Spots, reference: Reference, report: Report = silent) -> Proportions:
        """Return the probability of each of the reference's cell types for each cell.

        Raises
        ------
        BadInput
            When cells and reference share too few genes, or a cell type has no counts in them.
        """
        report(0.0, "Matching genes")
        shared = shared_genes(spots, reference)
        profiles = type_profiles(shared.reference, reference.types)
        markers = marker_genes(profiles.profiles, self.n_markers)
        # markers of types with one and the same profile are none: then every gene has to do
        markers = markers if len(markers) >= len(profiles.types) else np.arange(len(shared.genes))
        report(0.1, f"Learning gene factors of {len(markers)} genes")
        sample = self._sample(spots, shared.spots, markers)
        model = CellModel.of(profiles.over(markers).profiles)
        model = learnt_from(sample, model, self.platform_factors) if sample.shape[0] else model
        report(0.2, "Calibrating on held-out cells")
        totals = np.asarray(sample.sum(1)).ravel() if sample.shape[0] else np.ones(1)
        known = calibrated(sp.csr_matrix(shared.reference[:, markers]), reference.types, totals, self.seed)
        judged = _judged(
            shared.spots,
            markers,
            model,
            known,
            Misfit.of(known.strict(model), totals, self.seed),
            part(report, 0.3, 1.0),
        )
        fitted = Fitted(shared.genes[markers], model.platform, model.expected, float(np.median(model.dispersion)))
        values = obeying(judged[0], profiles.types, spots.constraints)
        report(1.0, f"Probabilities of {len(profiles.types)} cell types")
        return Proportions(
            values, profiles.types, deviance=judged[1], outside=judged[2], empty=judged[3], fitted=fitted
        )

    def _sample(self, spots: Spots, counts: sp.csr_matrix | CountRows, columns: npt.NDArray[np.intp]) -> sp.csr_matrix:
        """Return the counts of the cells to learn from: no artefacts, none without counts."""
        n = int(counts.shape[0])
        hand = spots.constraints
        wanted = np.arange(n) if hand is None or hand.artefacts is None else np.flatnonzero(~hand.artefacts)
        if len(wanted) > self.learn_from:
            wanted = wanted[np.linspace(0, len(wanted) - 1, self.learn_from).round().astype(np.intp)]
        taken = [
            _in_units(block[wanted[(wanted >= rows.start) & (wanted < rows.stop)] - rows.start][:, columns])
            for rows, block in row_blocks(counts, _BLOCK)
        ]
        sample = sp.csr_matrix(sp.vstack(taken))
        return sp.csr_matrix(sample[np.asarray(sample.sum(1)).ravel() > 0])


def _in_units(counts: sp.csr_matrix) -> sp.csr_matrix:
    """Return counts in the unit of each cell, so that scaled counts say no more than the counts themselves."""
    return sp.csr_matrix(sp.diags(1 / count_units(counts)) @ counts)


def _judged(
    counts: sp.csr_matrix | CountRows,
    columns: npt.NDArray[np.intp],
    model: CellModel,
    known: Calibration,
    misfit: Misfit,
    report: Report,
) -> tuple[Array, Array, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return probabilities, deviance over its expectation, which cells fit no type, and which are empty."""
    n = int(counts.shape[0])
    values, (off, deviance), empty = np.empty((n, len(model.profiles))), np.zeros((2, n)), np.zeros(n, bool)
    for rows, block in row_blocks(counts, _BLOCK):
        report(rows.start / n, "Comparing cells with types")
        used = _in_units(sp.csr_matrix(block[:, columns]))
        totals = np.asarray(used.sum(1)).ravel()
        values[rows] = probabilities(log_likelihoods(used, model), known.temperature)
        off[rows], deviance[rows] = misfit(log_likelihoods(used, misfit.model), totals)
        empty[rows] = totals == 0
    outside = np.zeros(n, bool)
    outside[~empty] = known.outside(off[~empty])
    return values, deviance, outside, empty
