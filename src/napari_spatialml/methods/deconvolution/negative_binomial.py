"""Deconvolution by a count likelihood: negative binomial noise, and gene factors between the platforms."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import numpy as np

from ...core.box_simplex import obeying
from ...core.count_model import Fit, Options, fit
from ...core.deconvolution import Deconvolver, Fitted, Proportions, Reference, Spots
from ...core.device import Device
from ...core.method import Advanced, Interval, method
from ...core.report import Report, part, silent
from ...core.uncertainty import uncertainty
from ...core.unknown_type import parted

Share = Literal["cells", "RNA"]


@method(
    title="Negative binomial", citation="Cable et al. 2022, doi:10.1038/s41587-021-00830-w (the model of gene factors)"
)
class NegativeBinomial(Deconvolver):
    """Explain each spot's counts as a sum of cell types, with the noise that counts have.

    Counts are negative binomial around a non-negative sum of the types' profiles. What the spots'
    platform sees more or less of a gene than the reference's is learnt from what a first fit
    leaves, and drawn towards 1 as far as the data do not speak for it; so is each gene's
    dispersion, so that a gene the reference does not explain loses its say. Profiles of types with
    few cells are drawn towards the mean of all. In spots that are flagged for a type which the reference
    lacks, that type has a part of its own, so that no other one stands for it; proportions are those of
    the rest. Counts need not be whole numbers: what matters is how they compare within a spot, and a
    spot's counts times any factor give the same proportions.
    """

    learnt_tolerance: ClassVar[float] = 0.01
    preferred: ClassVar[bool] = True
    share: Share = "cells"
    """Proportions are shares of cells, by the mean counts of a cell in the reference, or shares of RNA."""
    n_markers: Annotated[int, Interval(ge=1, le=100_000), Advanced()] = 400
    """At most so many marker genes a cell type are used."""
    platform_factors: Annotated[bool, Advanced()] = True
    """Learn how much more or less of each gene the spots' platform sees than the reference's."""
    learn_from: Annotated[int, Interval(ge=10, le=1_000_000), Advanced()] = 2048
    """Gene factors and dispersion are learnt from at most so many spots, evenly spaced over the table."""
    intervals: Annotated[bool, Advanced()] = True
    """Give 90 % intervals and find types that the reference lacks, by spots made of the reference's own cells."""
    seed: Annotated[int, Interval(ge=0, le=2**31 - 1), Advanced()] = 0
    """Of the spots that are made for the intervals."""
    device: Annotated[Device, Advanced()] = "auto"
    """Where the spots are solved; "auto" takes an accelerator where there is one and the counts are many."""

    def __call__(self, spots: Spots, reference: Reference, report: Report = silent) -> Proportions:
        """Estimate the proportions of the reference's cell types in each spot.

        Raises
        ------
        BadInput
            When spots and reference share too few genes, or a cell type has no counts in them.
        """
        options = Options(self.n_markers, self.share, self.platform_factors, self.learn_from, self.device)
        found = fit(spots, reference, options, part(report, 0.0, 0.7 if self.intervals else 0.98))
        if self.intervals:
            found, told = uncertainty(found, reference, options, self.seed, part(report, 0.7, 0.98))
            result = replace(_proportions(found, spots), **vars(told))
        else:
            result = _proportions(_as_flagged(found, spots, self.device), spots)
        report(1.0, f"Proportions of {len(result.types)} cell types")
        return result


def _as_flagged(found: Fit, spots: Spots, device: Device) -> Fit:
    """Return a fit that parts what an earlier result has flagged: without intervals nothing is flagged anew."""
    before = spots.start
    if before is None or before.outside is None or before.types != found.reference.types:
        return found
    return parted(found, before.outside, device)


def _proportions(found: Fit, spots: Spots) -> Proportions:
    types = found.reference.types
    values = obeying(found.values, types, spots.constraints)
    counted = found.abundance * found.design.sum(1) * found.units[:, None]
    fitted = Fitted(found.genes, found.noise.platform, found.design, float(np.median(found.dispersion)))
    return Proportions(
        values,
        types,
        standard_errors=found.errors,
        abundance=counted,
        deviance=found.deviance,
        empty=found.empty,
        fitted=fitted,
    )
