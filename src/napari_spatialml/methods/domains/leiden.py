"""Spatial domains as communities of a graph of rows that are alike and near."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt

from ...core.domains import Cells, DomainDetector, Domains, Embedded
from ...core.leiden_domains import leiden_domains
from ...core.lowpass import low_pass, rounds_for
from ...core.method import Advanced, Interval, Means, Unit, method
from ...core.report import Report, silent
from ...core.tissue_components import tissue_components

Array = npt.NDArray[np.float64]
_ROUNDS = 8


@method(
    title="Leiden",
    citation="Traag, Waltman & van Eck, Scientific Reports 9 (2019), doi:10.1038/s41598-019-41695-z",
    requires=("igraph",),
    extra="analysis",
)
class Leiden(DomainDetector):
    """Find spatial domains as communities of one graph of rows that look alike and rows that lie near.

    Features are log-normalised, ranked by their pattern in space, reduced to principal components and, if
    asked, averaged over the tissue. Each row is joined to the rows that look most alike and to its neighbours
    on the tissue, and the Leiden algorithm divides that graph. The probabilities are the shares of a row's
    neighbours in each domain. Small changes of the data, or another seed, can move whole domains. Corrections
    teach a mixture over components that are averaged over the tissue.
    """

    n_domains: Annotated[int, Interval(ge=2, le=100)] = 7
    """Number of domains: the resolution is searched until there are so many."""
    resolution: Annotated[float, Interval(ge=0, le=1000), Means(0, "from the number of domains", 1.0)] = 0.0
    """Higher makes more and smaller domains, as many as come; 0 finds the one for the number of domains."""
    smoothing_um: Annotated[float, Interval(ge=0, le=1e6), Unit("µm"), Means(0, "none", 100.0)] = 0.0
    """How far features are averaged before rows are compared (standard deviation of the blur); 0 not at all."""
    space_share: Annotated[float, Interval(ge=0, le=1)] = 0.5
    """Part of a graph's weight that lies between neighbours on the tissue; the rest joins rows that look alike."""
    n_alike: Annotated[int, Interval(ge=2, le=200), Advanced()] = 15
    """Each row is joined to so many rows that look most like it."""
    n_features: Annotated[int, Interval(ge=2, le=100_000), Advanced()] = 1500
    """At most so many features are used: those with the clearest pattern in space."""
    n_components: Annotated[int, Interval(ge=1, le=500), Advanced()] = 30
    """Number of principal components."""
    normalise: Annotated[Literal["auto", "log", "none"], Advanced()] = "auto"
    """Divide each row by its total and take logarithms: "auto" does so for counts and raw intensities."""
    seed: Annotated[int, Interval(ge=0, le=2**31 - 1), Advanced()] = 0
    """Seed of the order in which rows are visited; the same seed gives the same domains."""

    embeds = ("n_features", "n_components", "normalise")
    smooths = ("smoothing_um",)

    def embedded(self, cells: Cells, report: Report = silent) -> Embedded:
        """Return the principal components of the features with the clearest pattern in space.

        Raises
        ------
        BadInput
            When every feature is constant.
        """
        return tissue_components(cells, self.normalise, self.n_features, self.n_components, report)

    def smoothed(self, embedded: Embedded, cells: Cells, report: Report = silent) -> Embedded:
        """Return the components averaged over neighbours, if asked."""
        rounds = rounds_for(self.smoothing_um, cells.coordinates, embedded.graph) if self.smoothing_um > 0 else 0
        return replace(embedded, values=low_pass(embedded.values, embedded.graph, rounds, report))

    def divided(self, smoothed: Embedded, ignored: npt.NDArray[np.bool_] | None, report: Report = silent) -> Domains:
        """Divide the rows into domains, numbered from the largest.

        Raises
        ------
        MissingDependency
            When igraph is not installed.
        """
        return leiden_domains(
            smoothed, self.n_domains, self.seed, ignored, self.space_share, self.n_alike, self.resolution, report
        )

    def taught(self, smoothed: Embedded) -> Embedded:
        """Return the components averaged over the tissue."""
        # communities see the tissue through the graph, a mixture only through what it is given
        return replace(smoothed, values=low_pass(smoothed.values, smoothed.graph, _ROUNDS))
