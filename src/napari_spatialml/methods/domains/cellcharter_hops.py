"""Spatial domains from rings of neighbours: the aggregation of CellCharter, then a mixture."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt

from ...core.domain_mixture import mixture_domains
from ...core.domains import Cells, DomainDetector, Domains, Embedded
from ...core.hops import ring_means
from ...core.method import Advanced, Interval, method
from ...core.report import Report, silent
from ...core.tissue_components import tissue_components


@method(
    title="CellCharter (rings of neighbours)",
    citation="after Varrone, Tavernari, Santamaria-Martínez, Walsh & Ciriello, Nature Genetics 56 (2024), "
    "doi:10.1038/s41588-023-01588-4",
)
class CellcharterHops(DomainDetector):
    """Find spatial domains by what each row holds and what lies one, two, three neighbours away from it.

    Features are log-normalised, ranked by their pattern in space and reduced to principal components. Each row
    gets its own components beside their means over its neighbours, over their neighbours, and so on, each ring
    by itself and all scaled to unit variance; a Gaussian mixture divides the rows. The published method takes
    its components from a network that also joins sections, neighbours from a Delaunay graph, and a covariance
    for each domain: here they come from the features themselves, sections are centred, neighbours are the
    nearest rows, and one covariance is shared.
    """

    n_domains: Annotated[int, Interval(ge=2, le=100)] = 7
    """Number of domains; a correction with a higher number adds one."""
    n_hops: Annotated[int, Interval(ge=0, le=20)] = 3
    """How many rings of neighbours each row sees: more make larger and smoother domains."""
    n_features: Annotated[int, Interval(ge=2, le=100_000), Advanced()] = 1500
    """At most so many features are used: those with the clearest pattern in space."""
    n_components: Annotated[int, Interval(ge=1, le=500), Advanced()] = 30
    """Number of principal components, of which each ring has so many."""
    normalise: Annotated[Literal["auto", "log", "none"], Advanced()] = "auto"
    """Divide each row by its total and take logarithms: "auto" does so for counts and raw intensities."""
    shrinkage: Annotated[float, Interval(ge=0, le=1), Advanced()] = 0.65
    """How far the covariance is shrunk to a sphere: 0 not at all, 1 wholly."""
    n_starts: Annotated[int, Interval(ge=1, le=1000), Advanced()] = 32
    """Number of random starts, of which the likeliest fit is kept."""
    seed: Annotated[int, Interval(ge=0, le=2**31 - 1), Advanced()] = 0
    """Seed of the random starts; the same seed gives the same domains."""

    embeds = ("n_features", "n_components", "normalise")
    smooths = ("n_hops",)

    def embedded(self, cells: Cells, report: Report = silent) -> Embedded:
        """Return the principal components of the features with the clearest pattern in space.

        Raises
        ------
        BadInput
            When every feature is constant.
        """
        return tissue_components(cells, self.normalise, self.n_features, self.n_components, report)

    def smoothed(self, embedded: Embedded, cells: Cells, report: Report = silent) -> Embedded:
        """Return the components beside their means over each ring of neighbours, each of unit variance."""
        values = ring_means(embedded.values, embedded.graph, self.n_hops, report)
        deviation = values.std(0)
        return replace(embedded, values=values / np.where(deviation > 0, deviation, 1))

    def divided(self, smoothed: Embedded, ignored: npt.NDArray[np.bool_] | None, report: Report = silent) -> Domains:
        """Divide the rows into domains, numbered from the largest."""
        return mixture_domains(
            smoothed.values, self.n_domains, self.seed, ignored, self.shrinkage, self.n_starts, report
        )
