"""Spatial domains from own features, those of the neighbours, and how these change with direction."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt

from ...core.arrays import require
from ...core.azimuthal import around, weighted_components
from ...core.domain_mixture import mixture_domains
from ...core.domains import Cells, DomainDetector, Domains, Embedded
from ...core.leiden_domains import leiden_domains
from ...core.method import Advanced, Interval, method
from ...core.report import Report, part, silent
from ...core.tissue_components import different_rows, patterned


@method(
    title="BANKSY",
    citation="Singhal, Chou, Lee, Yue, Liu, Chock, Lin, Chang, Teo, Aow, Lee, Chen & Prabhakar, Nature Genetics 56 "
    "(2024), doi:10.1038/s41588-024-01664-3",
)
class Banksy(DomainDetector):
    """Find spatial domains by own features, the mean of the neighbours, and how features change around a row.

    Features are log-normalised and ranked by their pattern in space. Beside the features of a row stand their
    weighted mean over its neighbours and the magnitude of their azimuthal Gabor filter, which is large where
    they rise in some direction; each is scaled to unit variance and weighted by λ. Principal components of the
    three are divided by a Gaussian mixture or by the Leiden algorithm. Turning the section changes nothing.
    """

    n_domains: Annotated[int, Interval(ge=2, le=100)] = 7
    """Number of domains; a correction with a higher number adds one."""
    space_share: Annotated[float, Interval(ge=0, le=1)] = 0.8
    """λ: the part of the variance that comes from the surroundings. 0.8 finds domains of single cells, 0.2 cell
    types, or domains of spots that hold several cells; 0 leaves out space."""
    divide_by: Annotated[Literal["mixture", "Leiden"], Advanced()] = "mixture"
    """How the components are divided; "Leiden" needs the package igraph, as the method Leiden does."""
    n_neighbours: Annotated[int, Interval(ge=1, le=200), Advanced()] = 15
    """The mean is taken over so many nearest rows, the filter over twice as many."""
    n_features: Annotated[int, Interval(ge=2, le=5000), Advanced()] = 1000
    """At most so many features are used: those with the clearest pattern in space."""
    n_components: Annotated[int, Interval(ge=1, le=500), Advanced()] = 20
    """Number of principal components."""
    normalise: Annotated[Literal["auto", "log", "none"], Advanced()] = "auto"
    """Divide each row by its total and take logarithms: "auto" does so for counts and raw intensities."""
    seed: Annotated[int, Interval(ge=0, le=2**31 - 1), Advanced()] = 0
    """Seed of the random starts; the same seed gives the same domains."""

    embeds = ("space_share", "n_neighbours", "n_features", "n_components", "normalise")

    def embedded(self, cells: Cells, report: Report = silent) -> Embedded:
        """Return the principal components of own features, neighbour means and Gabor magnitudes.

        Raises
        ------
        BadInput
            When every feature is constant.
        """
        features, graph = patterned(cells, self.normalise, self.n_features, part(report, 0.0, 0.3))
        operators = around(cells.coordinates, self.n_neighbours, 2 * self.n_neighbours, cells.sections)
        share = self.space_share
        shares = (1 - share, 2 * share / 3, share / 3)
        scores = weighted_components(
            features, operators, shares, self.n_components, cells.sections, part(report, 0.3, 1.0)
        )
        require(scores.shape[1] > 0, "Every feature is constant over the section.", "Choose another table.")
        return Embedded(scores, graph, different_rows(features))

    def divided(self, smoothed: Embedded, ignored: npt.NDArray[np.bool_] | None, report: Report = silent) -> Domains:
        """Divide the rows into domains, numbered from the largest.

        Raises
        ------
        MissingDependency
            When Leiden is asked for and igraph is not installed.
        """
        if self.divide_by == "Leiden":
            return leiden_domains(smoothed, self.n_domains, self.seed, ignored, report=report)
        return mixture_domains(smoothed.values, self.n_domains, self.seed, ignored, report=report)
