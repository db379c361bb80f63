"""Spatial domains without training: a low-pass over the tissue, then a mixture."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt

from ...core.arrays import require
from ...core.domains import Cells, DomainDetector, Domains, Embedded
from ...core.graph import tissue_graph
from ...core.lowpass import components, low_pass, morans_i, normalised, rounds_for
from ...core.method import Advanced, Interval, Unit, method
from ...core.mixture import Mixture, fit_mixture, k_means
from ...core.report import Report, part, silent

Array = npt.NDArray[np.float64]

_NEIGHBOURS = 6
_ROUNDS = 8
"""Blurs by 1.85 spacings on a hexagonal grid of spots."""


@method(title="Low-pass mixture")
class LowPassMixture(DomainDetector):
    """Find spatial domains as a mixture of Gaussians over features averaged with their neighbours.

    Features are log-normalised, ranked by their pattern in space (Moran's I), reduced to principal
    components, averaged over neighbours several times, and divided by a Gaussian mixture with one
    covariance, shrunk towards a sphere. Of several starts the likeliest is kept. Corrected rows keep
    their domain and teach the others. Nothing is trained, and turning the section changes nothing.
    """

    n_domains: Annotated[int, Interval(ge=2, le=100)] = 7
    """Number of domains; a correction with a higher number adds one."""
    smoothing_um: Annotated[float, Interval(ge=0, le=1e6), Unit("µm")] = 0.0
    """How far features are averaged (standard deviation of the blur); 0 takes about two spacings of the rows."""
    n_features: Annotated[int, Interval(ge=2, le=100_000), Advanced()] = 1500
    """At most so many features are used: those with the clearest pattern in space."""
    n_components: Annotated[int, Interval(ge=1, le=500), Advanced()] = 30
    """Number of principal components."""
    normalise: Annotated[Literal["auto", "log", "none"], Advanced()] = "auto"
    """Divide each row by its total and take logarithms: "auto" does so for counts and raw intensities."""
    shrinkage: Annotated[float, Interval(ge=0, le=1), Advanced()] = 0.65
    """How far the covariance is shrunk to a sphere: 0 not at all, 1 wholly."""
    n_starts: Annotated[int, Interval(ge=1, le=1000), Advanced()] = 10
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
        report(0.0, "Normalising")
        features = normalised(cells.features, self.normalise)
        graph = tissue_graph(cells.coordinates, _NEIGHBOURS, cells.sections)
        if features.shape[1] > self.n_features:
            clear = morans_i(features, graph, part(report, 0.1, 0.6))
            features = features[:, np.sort(np.argsort(-clear, kind="stable")[: self.n_features])]
        scores = components(features, self.n_components, part(report, 0.6, 1.0))
        require(scores.shape[1] > 0, "Every feature is constant over the section.", "Choose another table.")
        return Embedded(scores, graph)

    def smoothed(self, embedded: Embedded, cells: Cells, report: Report = silent) -> Embedded:
        """Return the components averaged over neighbours, several times."""
        graph = embedded.graph
        rounds = rounds_for(self.smoothing_um, cells.coordinates, graph) if self.smoothing_um > 0 else _ROUNDS
        return replace(embedded, values=low_pass(embedded.values, graph, rounds, report))

    def divided(self, smoothed: Embedded, ignored: npt.NDArray[np.bool_] | None, report: Report = silent) -> Domains:
        """Divide the rows into domains, numbered from the largest."""
        values = smoothed.values
        # an order that comes from the values: shuffling the rows of the table changes nothing
        order = np.lexsort(values.T[::-1])
        mixture = self._likeliest(values[order], report)
        posterior = np.empty_like(mixture.posterior)
        posterior[order] = mixture.posterior
        posterior = posterior[:, np.lexsort((values[:, 0] @ posterior, -posterior.sum(0)))]
        return Domains(posterior.argmax(1), posterior)

    def _likeliest(self, values: Array, report: Report) -> Mixture:
        generator = np.random.default_rng(self.seed)
        best: Mixture | None = None
        for start in range(self.n_starts):
            report(start / self.n_starts, f"Start {start + 1} of {self.n_starts}")
            labels = k_means(values, self.n_domains, generator)
            step = part(report, start / self.n_starts, (start + 1) / self.n_starts)
            found = fit_mixture(values, np.eye(self.n_domains)[labels], self.shrinkage, report=step)
            if best is None or found.log_likelihood > best.log_likelihood:
                best = found
        assert best is not None  # n_starts >= 1
        return best
