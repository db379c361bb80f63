"""Spatial domains without training: a low-pass over the tissue, then a mixture."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt

from ...core.domain_mixture import mixture_domains
from ...core.domains import Cells, DomainDetector, Domains, Embedded
from ...core.lowpass import rounds_for
from ...core.method import Advanced, Interval, Means, Unit, method
from ...core.noise_fractions import signal_components, smoothed_by_signal
from ...core.report import Report, silent
from ...core.tissue_components import tissue_components


@method(title="Low-pass mixture")
class LowPassMixture(DomainDetector):
    """Find spatial domains as a mixture of Gaussians over features averaged with their neighbours.

    Features are log-normalised (or, where logarithms would follow totals that drift over the section,
    shares of them), ranked by their pattern in space (Moran's I), reduced to principal components and
    turned towards those that neighbours share most (maximum noise fractions). Each is averaged over
    neighbours as often as cross-validation says, and all are divided by a Gaussian mixture with one
    covariance, shrunk towards a sphere. Of many starts the likeliest is kept. Corrected rows keep their
    domain and teach the others. Nothing is trained, and turning the section changes nothing.
    """

    n_domains: Annotated[int, Interval(ge=2, le=100)] = 7
    """Number of domains; a correction with a higher number adds one."""
    smoothing_um: Annotated[float, Interval(ge=0, le=1e6), Unit("µm"), Means(0, "by itself", 100.0)] = 0.0
    """How far features are averaged (standard deviation of the blur); 0 lets each component choose."""
    n_features: Annotated[int, Interval(ge=2, le=100_000), Advanced()] = 1500
    """At most so many features are used: those with the clearest pattern in space."""
    n_components: Annotated[int, Interval(ge=1, le=500), Advanced()] = 50
    """Number of principal components, of which at most 30 clear combinations are kept."""
    normalise: Annotated[Literal["auto", "log", "none"], Advanced()] = "auto"
    """Divide each row by its total and take logarithms: "auto" does so for counts and raw intensities, and
    takes no logarithms where they would follow totals that change over the section."""
    shrinkage: Annotated[float, Interval(ge=0, le=1), Advanced()] = 0.65
    """How far the covariance is shrunk to a sphere: 0 not at all, 1 wholly."""
    n_starts: Annotated[int, Interval(ge=1, le=1000), Advanced()] = 64
    """Number of random starts, of which the likeliest fit is kept."""
    seed: Annotated[int, Interval(ge=0, le=2**31 - 1), Advanced()] = 0
    """Seed of the random starts; the same seed gives the same domains."""

    embeds = ("n_features", "n_components", "normalise")
    smooths = ("smoothing_um",)
    preferred = True

    def embedded(self, cells: Cells, report: Report = silent) -> Embedded:
        """Return the principal components of the features with the clearest pattern in space.

        Raises
        ------
        BadInput
            When every feature is constant.
        """
        given = tissue_components(cells, self.normalise, self.n_features, self.n_components, report, watch_totals=True)
        return Embedded(signal_components(given.values, given.graph), given.graph)

    def smoothed(self, embedded: Embedded, cells: Cells, report: Report = silent) -> Embedded:
        """Return the components averaged over neighbours, as often as it pays, and evened out."""
        graph = embedded.graph
        rounds = rounds_for(self.smoothing_um, cells.coordinates, graph) if self.smoothing_um > 0 else None
        return replace(embedded, values=smoothed_by_signal(embedded.values, graph, rounds, report))

    def divided(self, smoothed: Embedded, ignored: npt.NDArray[np.bool_] | None, report: Report = silent) -> Domains:
        """Divide the rows into domains, numbered from the largest.

        Raises
        ------
        BadInput
            When fewer rows are left than domains.
        """
        return mixture_domains(
            smoothed.values, self.n_domains, self.seed, ignored, self.shrinkage, self.n_starts, report
        )
