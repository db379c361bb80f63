"""Spatial domains without training: a low-pass over the tissue, then a mixture."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt

from ...core.arrays import require
from ...core.domains import Cells, DomainDetector, Domains
from ...core.graph import knn_graph
from ...core.lowpass import components, low_pass, morans_i, normalised, rounds_for
from ...core.method import Advanced, Interval, Unit, method
from ...core.mixture import Mixture, fit_mixture, k_means
from ...core.report import Report, part, silent

Array = npt.NDArray[np.float64]

_NEIGHBOURS = 6
_ROUNDS = 8
"""Blurs by 1.85 spacings on a hexagonal grid of spots."""
_ANCHOR_WEIGHT = 30.0
"""A corrected row teaches as much as so many free ones."""
_TEACHING_ROUNDS = 5
"""More rounds drift away from the map that was corrected, towards another one as likely."""
_MOST_DOMAINS = 1000
_KEEP_NUMBER = 0.2
"""Domains keep their numbers unless anchors on more than this share of a domain say otherwise."""


@method(title="Smoothed mixture")
class SmoothedMixture(DomainDetector):
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

    def __call__(self, cells: Cells, report: Report = silent) -> Domains:
        """Divide the rows of ``cells`` into domains, numbered from the largest.

        Raises
        ------
        BadInput
            When there are fewer different rows than domains, or when every feature is constant.
        """
        n = len(cells.coordinates)
        rows = "is 1 row" if n == 1 else f"are {n} rows"
        require(n >= self.n_domains, f"There {rows} for {self.n_domains} domains.", "Choose fewer domains.")
        values = self._smoothed(cells, part(report, 0.0, 0.6))
        # an order that comes from the values: shuffling the rows of the table changes nothing
        order = np.lexsort(values.T[::-1])
        mixture = self._likeliest(values[order], part(report, 0.6, 0.95))
        posterior = np.empty_like(mixture.posterior)
        posterior[order] = mixture.posterior
        posterior = posterior[:, np.lexsort((values[:, 0] @ posterior, -posterior.sum(0)))]
        if cells.anchors is not None and (cells.anchors >= 0).any():
            posterior = self._taught(values, posterior, cells.anchors, part(report, 0.95, 1.0))
        report(1.0, f"Found {posterior.shape[1]} domains")
        return Domains(posterior.argmax(1), posterior)

    def _smoothed(self, cells: Cells, report: Report) -> Array:
        report(0.0, "Normalising")
        features = normalised(cells.features, self.normalise)
        graph = knn_graph(cells.coordinates, _NEIGHBOURS)
        if features.shape[1] > self.n_features:
            clear = morans_i(features, graph, part(report, 0.1, 0.5))
            features = features[:, np.sort(np.argsort(-clear, kind="stable")[: self.n_features])]
        scores = components(features, self.n_components, part(report, 0.5, 0.9))
        require(scores.shape[1] > 0, "Every feature is constant over the section.", "Choose another table.")
        # a random direction tells different rows apart without sorting whole rows
        along = scores @ np.random.default_rng(0).normal(size=scores.shape[1])
        different = len(np.unique(np.round(along / max(float(np.abs(along).max()), 1e-300), 9)))
        require(
            different >= self.n_domains,
            f"Only {different} rows differ in their features, for {self.n_domains} domains.",
            f"Choose {different} domains or fewer." if different >= 2 else "Choose another table.",
        )
        rounds = rounds_for(self.smoothing_um, cells.coordinates, graph) if self.smoothing_um > 0 else _ROUNDS
        return low_pass(scores, graph, rounds, part(report, 0.9, 1.0))

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

    def _taught(self, values: Array, posterior: Array, anchors: npt.NDArray[np.int64], report: Report) -> Array:
        """Fit again from the free map, with the anchored rows fixed."""
        posterior = _numbered_like(posterior, anchors)
        clamped = anchors >= 0
        free = posterior[~clamped].sum(0)
        posterior[clamped] = np.eye(posterior.shape[1])[anchors[clamped]]
        # together the anchors of a domain weigh at most twice as much as its free rows: on a section of a few
        # hundred spots a single stroke would else speak louder than all the tissue
        given = np.maximum(posterior[clamped].sum(0), 1)
        weight = np.clip(2 * free / given, 1.0, _ANCHOR_WEIGHT)[anchors[clamped]]
        return fit_mixture(values, posterior, self.shrinkage, _TEACHING_ROUNDS, clamped, weight, report).posterior


def _numbered_like(posterior: Array, anchors: npt.NDArray[np.int64]) -> Array:
    """Add columns for new domains, and renumber where the anchors cover enough to say so.

    A few strokes mark what was wrong: they must not swap two names. Anchors all over the section
    bring their own numbering.
    """
    from scipy.optimize import linear_sum_assignment

    k = max(posterior.shape[1], int(anchors.max()) + 1)
    require(k <= _MOST_DOMAINS, f"A correction has the domain number {k - 1}.", f"Number below {_MOST_DOMAINS}.")
    wide = np.zeros((len(posterior), k))
    wide[:, : posterior.shape[1]] = posterior
    clamped = anchors >= 0
    votes = wide[clamped].T @ np.eye(k)[anchors[clamped]]
    votes += _KEEP_NUMBER * np.diag(wide.sum(0))
    _, number = linear_sum_assignment(-votes)
    renumbered = np.empty_like(wide)
    renumbered[:, number] = wide
    return renumbered
