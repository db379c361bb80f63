"""Spatial domains from a graph attention autoencoder, several times trained."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ...core.attention_network import AttentionAutoencoder, Wiring
from ...core.consensus import vote_shares
from ...core.device import Device, choose, with_memory_fallback
from ...core.domain_mixture import in_order_of_values, mixture_domains, numbered_by_size
from ...core.domains import Cells, DomainDetector, Domains, Embedded
from ...core.method import Advanced, Interval, method
from ...core.report import Report, forward_only, part, silent
from ...core.tissue_components import tissue_components

Array = npt.NDArray[np.float64]
_DIGITS = 6
"""Of the features: what rounding changes when rows or features come in another order is not learnt from."""


@method(
    title="STAGATE (graph attention)",
    citation="after Dong & Zhang, Nature Communications 13 (2022), doi:10.1038/s41467-022-29439-6",
    requires=("torch",),
    extra="torch",
)
class Stagate(DomainDetector):
    """Find spatial domains in what a graph attention autoencoder keeps of each row and its neighbours.

    The network learns to tell the features of each row from a few numbers, which it makes from the row and its
    neighbours, each as much as it finds them alike. What is learnt hangs on the start: so several networks are
    trained, a Gaussian mixture divides what each keeps, and the maps vote. The probabilities are shares of the
    votes. The published method trains one network of 512 hidden units on 3,000 genes; here it is given principal
    components and has 128, so that it needs no accelerator: half a minute for 3,600 spots.
    """

    n_domains: Annotated[int, Interval(ge=2, le=100)] = 7
    """Number of domains; a correction with a higher number adds one."""
    n_networks: Annotated[int, Interval(ge=1, le=50)] = 3
    """So many networks are trained, from different starts, and vote."""
    n_epochs: Annotated[int, Interval(ge=1, le=100_000), Advanced()] = 300
    """Steps of training of each network, each on all rows."""
    n_hidden: Annotated[int, Interval(ge=1, le=4096), Advanced()] = 128
    """Width of the hidden layer."""
    n_kept: Annotated[int, Interval(ge=1, le=500), Advanced()] = 30
    """How many numbers a network keeps of each row."""
    n_features: Annotated[int, Interval(ge=2, le=100_000), Advanced()] = 1500
    """At most so many features are used: those with the clearest pattern in space."""
    n_components: Annotated[int, Interval(ge=1, le=2000), Advanced()] = 50
    """Number of principal components that a network is given."""
    normalise: Annotated[Literal["auto", "log", "none"], Advanced()] = "auto"
    """Divide each row by its total and take logarithms: "auto" does so for counts and raw intensities."""
    seed: Annotated[int, Interval(ge=0, le=2**31 - 1), Advanced()] = 0
    """Seed of the networks and the mixtures; the same seed gives the same domains on a processor."""
    device: Annotated[Device, Advanced()] = "auto"
    """Where the networks are trained; "auto" takes the fastest that is there."""

    embeds = (
        "n_networks",
        "n_epochs",
        "n_hidden",
        "n_kept",
        "n_features",
        "n_components",
        "normalise",
        "seed",
        "device",
    )

    def embedded(self, cells: Cells, report: Report = silent) -> Embedded:
        """Return what each network keeps of the rows, side by side, each scaled to the same variance.

        Raises
        ------
        MissingDependency
            When torch is not installed.
        BadInput
            When every feature is constant, or the device is not there.
        """
        self.check_installed()
        report = forward_only(report)
        given = tissue_components(cells, self.normalise, self.n_features, self.n_components, part(report, 0.0, 0.2))
        self.check(cells, given)
        order = in_order_of_values(given.values)
        features = np.round(given.values[order] / max(float(given.values.std()), 1e-300), _DIGITS)
        device = choose(self.device)
        kept = with_memory_fallback(
            lambda _, there: self._kept(features, given.graph[order][:, order], there, part(report, 0.2, 1.0)),
            1,
            "cpu" if device == "mps" else device,
            lambda said: report(0.2, said),
        )
        values = np.empty_like(kept)
        values[order] = kept
        return Embedded(values, given.graph, given.different)

    def _kept(self, features: Array, graph: sp.csr_matrix, device: str, report: Report) -> Array:
        wiring = Wiring.of(graph, device)
        parts = []
        for number in range(self.n_networks):
            told = part(report, number / self.n_networks, (number + 1) / self.n_networks)
            network = AttentionAutoencoder(
                features.shape[1], self.n_hidden, self.n_kept, np.random.default_rng((self.seed, number)), device
            )
            network.learn(features, wiring, self.n_epochs, _naming(told, number, self.n_networks))
            kept = network.latent(features, wiring)
            kept = kept - kept.mean(0)
            parts.append(kept / max(float(kept.std()), 1e-300))
        return np.hstack(parts)

    def divided(self, smoothed: Embedded, ignored: npt.NDArray[np.bool_] | None, report: Report = silent) -> Domains:
        """Divide the rows into domains by the votes of the networks, numbered from the largest."""
        maps = []
        for number, kept in enumerate(np.split(smoothed.values, self.n_networks, axis=1)):
            told = part(report, number / self.n_networks, (number + 1) / self.n_networks)
            maps.append(mixture_domains(kept, self.n_domains, self.seed, ignored, report=told).probabilities)
        counted = np.ones(len(smoothed.values), dtype=bool) if ignored is None else ~ignored
        return numbered_by_size(vote_shares(maps), smoothed.values, counted)


def _naming(report: Report, number: int, of: int) -> Report:
    def inner(fraction: float, message: str = "") -> None:
        report(fraction, f"Network {number + 1} of {of}: {message.lower()}")

    return inner
