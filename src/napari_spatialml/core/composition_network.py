"""A small network from counts to proportions and back. Torch is imported inside; all of it in double precision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .report import Report

__all__ = ["Decoder", "Encoder", "Given"]

Array = npt.NDArray[np.float64]
_HIDDEN = 64
_LITTLE = 0.01
_RATE = 3e-3


@dataclass(frozen=True)
class Given:
    """What the network is given of spots.

    Parameters
    ----------
    counts
        (n, g).
    first
        (n, t) shares by least squares, from which the network starts.
    """

    counts: npt.NDArray[Any]
    first: Array


@dataclass(frozen=True)
class Decoder:
    """Expected counts of a spot with given proportions.

    Parameters
    ----------
    profiles
        (t, g) > 0 expected counts of each type for one unit of its proportion, on the reference's platform.
    platform
        (g,) > 0: how much more of a gene the spots' platform sees.
    dispersion
        (g,) > 0: variance = mean + dispersion · mean².
    """

    profiles: Array
    platform: Array
    dispersion: Array

    def mean(self, proportions: Array, totals: Array) -> Array:
        """Return (n, g) expected counts."""
        mean = proportions @ (self.profiles * self.platform)
        return np.asarray(mean * (totals / mean.sum(1))[:, None])


class Encoder:
    """log(least squares) + a network with one hidden layer of the log-normalised counts; then softmax.

    Parameters
    ----------
    n_genes, n_types
        Sizes.
    seed
        Of the weights. The last layer starts at 0: before any training the answer is that of least squares.
    device
        As `core.device.choose` returned it; "mps" has no double precision and is refused by torch.
    """

    def __init__(self, n_genes: int, n_types: int, seed: int, device: str) -> None:
        import torch

        generator = np.random.default_rng(seed)
        wide = n_genes + n_types
        start = [
            generator.normal(0, np.sqrt(2 / wide), (wide, _HIDDEN)),
            np.zeros(_HIDDEN),
            generator.normal(0, np.sqrt(2 / _HIDDEN), (_HIDDEN, _HIDDEN)),
            np.zeros(_HIDDEN),
            np.zeros((_HIDDEN, n_types)),
            np.zeros(n_types),
        ]
        self.device = device
        self.weights = [torch.tensor(w, dtype=torch.float64, device=device, requires_grad=True) for w in start]
        self.centre = self._there(np.zeros(n_genes))
        self.scale = self._there(np.ones(n_genes))

    def _there(self, values: npt.NDArray[Any]) -> Any:
        import torch

        return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64)).to(self.device)

    def _features(self, counts: npt.NDArray[Any]) -> Any:
        values = self._there(counts)
        return (values * (values.shape[1] / values.sum(1, keepdim=True).clamp_min(1e-12))).log1p()

    def _logits(self, given: Given, rows: Any) -> Any:
        import torch

        first = self._there(given.first[rows])
        features = (self._features(given.counts[rows]) - self.centre) / self.scale
        a, b, c, d, e, f = self.weights
        hidden = torch.relu(torch.cat([features, first], 1) @ a + b)
        return (first + _LITTLE).log() + torch.relu(hidden @ c + d) @ e + f

    def standardise(self, counts: npt.NDArray[Any]) -> None:
        """Learn the mean and the spread of the features."""
        features = self._features(counts)
        self.centre = features.mean(0)
        self.scale = features.std(0) + 0.05

    def learn(self, given: Given, truth: Array, batches: Iterator[Any], steps: int, report: Report) -> None:
        """Learn proportions that are known: the cross-entropy is least."""
        from torch.optim import Adam

        optimiser = Adam(self.weights, lr=_RATE)
        for step in range(steps):
            report(step / steps, "Learning from simulated spots")
            _slow_down(optimiser, step, steps)
            rows = next(batches)
            optimiser.zero_grad()
            loss = -(self._there(truth[rows]) * self._logits(given, rows).log_softmax(1)).sum(1).mean()
            loss.backward()
            optimiser.step()

    def adapt(
        self, real: Given, decoder: Decoder, known: Given, truth: Array,
        batches: tuple[Iterator[Any], Iterator[Any]], steps: int, report: Report,
    ) -> None:  # fmt: skip
        """Explain real spots through the decoder, without unlearning what is known of simulated ones."""
        from torch.optim import Adam

        profiles, size = self._there(decoder.profiles * decoder.platform), self._there(1 / decoder.dispersion)
        optimiser = Adam(self.weights, lr=_RATE / 10)
        for step in range(steps):
            report(step / steps, "Explaining the spots")
            _slow_down(optimiser, step, steps)
            rows, simulated = next(batches[0]), next(batches[1])
            optimiser.zero_grad()
            likely = self._likely(real, rows, profiles, size)
            loss = -(self._there(truth[simulated]) * self._logits(known, simulated).log_softmax(1)).sum(1).mean()
            (loss - likely / float(np.sqrt(len(decoder.platform)))).backward()
            optimiser.step()

    def explain(self, real: Given, decoder: Decoder, batches: Iterator[Any], steps: int, report: Report) -> Decoder:
        """Explain real spots alone, and return the decoder with the profiles that explain them best."""
        import torch
        from torch.optim import Adam

        size = self._there(1 / decoder.dispersion)
        logs = self._there(np.log(decoder.profiles)).requires_grad_()
        optimiser = Adam([{"params": self.weights, "lr": _RATE}, {"params": [logs], "lr": _RATE}])
        for step in range(steps):
            report(step / steps, "Explaining the spots")
            _slow_down(optimiser, step, steps)
            optimiser.zero_grad()
            profiles = torch.softmax(logs, 1)
            (-self._likely(real, next(batches), profiles, size) / float(np.sqrt(len(size)))).backward()
            optimiser.step()
        found = torch.softmax(logs.detach(), 1).cpu().numpy()
        return Decoder(found, decoder.platform, decoder.dispersion)

    def _likely(self, real: Given, rows: Any, profiles: Any, size: Any) -> Any:
        """Return the mean log-likelihood of spots' counts under the decoder, but for what no parameter changes."""
        import torch

        counts = self._there(real.counts[rows])
        mean = torch.softmax(self._logits(real, rows), 1) @ profiles
        mean = mean * (counts.sum(1, keepdim=True) / mean.sum(1, keepdim=True)) + 1e-12
        return (counts * (mean / (mean + size)).log() - size * (1 + mean / size).log()).sum(1).mean()

    def proportions(self, given: Given, size: int = 2048) -> Array:
        """Return (n, t) proportions; rows sum to 1."""
        import torch

        out = np.empty(given.first.shape)
        with torch.no_grad():
            for start in range(0, len(out), size):
                rows = slice(start, start + size)
                out[rows] = torch.softmax(self._logits(given, rows), 1).cpu().numpy()
        return out


def _slow_down(optimiser: Any, step: int, steps: int) -> None:
    """Lower the rate to nothing over the last half of the steps."""
    for group in optimiser.param_groups:
        first = group.setdefault("first", group["lr"])
        group["lr"] = first * min(1.0, 2 * (1 - step / steps))
