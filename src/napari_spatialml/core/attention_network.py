"""A graph attention autoencoder: a few numbers a row from which its features and its neighbours' can be told.

Torch is imported inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .report import Report, silent

__all__ = ["AttentionAutoencoder", "Wiring"]

Array = npt.NDArray[np.float64]
_RATE = 1e-3
_DECAY = 1e-4
_STEEPEST = 5.0


@dataclass(frozen=True)
class Wiring:
    """The edges of a graph, in the order of their receivers, and the same in the order of their senders.

    Parameters
    ----------
    pointer, sender, receiver
        CSR by receiver: ``pointer`` (n + 1,), ``sender`` and ``receiver`` (edges,).
    back_pointer, back
        CSR by sender; ``back`` (edges,) are the places of its edges in the first order.
    """

    pointer: Any
    sender: Any
    receiver: Any
    back_pointer: Any
    back: Any

    @classmethod
    def of(cls, graph: sp.csr_matrix, device: str) -> Wiring:
        """Return the edges of a graph, both ways, with one from each row to itself."""
        import torch

        n = graph.shape[0]
        whole = sp.csr_matrix(graph + graph.T + sp.identity(n, format="csr"))
        whole.sort_indices()
        receiver = np.repeat(np.arange(n), np.diff(whole.indptr))
        back = np.argsort(whole.indices, kind="stable")
        back_pointer = np.concatenate([[0], np.cumsum(np.bincount(whole.indices, minlength=n))])
        arrays = (whole.indptr, whole.indices, receiver, back_pointer, back)
        return cls(*(torch.from_numpy(np.asarray(a, dtype=np.int64)).to(device) for a in arrays))


class AttentionAutoencoder:
    """Two layers in, the mirror image out: weights and attention of the decoder are those of the encoder.

    h = ELU(A(XW₁)), z = hW₂, ĥ = ELU(A(zW₂ᵀ)), x̂ = ĥW₁ᵀ; A takes the mean over each row and its neighbours
    with weights softmax(sigmoid(uᵀh_i + vᵀh_j)).

    Parameters
    ----------
    n_features, n_hidden, n_latent
        Sizes.
    generator
        Draws the weights.
    device
        As `core.device.choose` returned it; sparse products are not there on "mps".

    References
    ----------
    Dong & Zhang (2022), doi:10.1038/s41467-022-29439-6, with the sigmoid of its first implementation;
    tied weights start as in Glorot & Bengio (2010).
    """

    def __init__(
        self, n_features: int, n_hidden: int, n_latent: int, generator: np.random.Generator, device: str
    ) -> None:
        import torch

        def start(*shape: int) -> Any:
            values = generator.normal(0, np.sqrt(2 / sum(shape)), shape).astype(np.float32)
            return torch.from_numpy(values).to(device).requires_grad_()

        self.device = device
        self.first, self.second = start(n_features, n_hidden), start(n_hidden, n_latent)
        self.looks, self.seen = start(n_hidden, 1), start(n_hidden, 1)

    def learn(self, features: Array, wiring: Wiring, epochs: int, report: Report = silent) -> float:
        """Learn to tell the features again; return the mean squared error of the last epoch.

        Parameters
        ----------
        features
            (n, p).
        wiring
            Of the n rows, on the network's device.
        epochs
            >= 1 steps, each on all rows.
        report
            Called once an epoch.
        """
        import torch

        given = self._there(features)
        weights = [self.first, self.second, self.looks, self.seen]
        optimiser = torch.optim.Adam(weights, lr=_RATE, weight_decay=_DECAY)
        error = float("nan")
        for epoch in range(epochs):
            report(epoch / epochs, f"Epoch {epoch + 1} of {epochs}")
            optimiser.zero_grad()
            attention, latent = self._encoded(given, wiring)
            hidden = torch.nn.functional.elu(_mean(attention, latent @ self.second.T, wiring))
            loss = ((hidden @ self.first.T - given) ** 2).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, _STEEPEST)
            optimiser.step()
            error = float(loss.detach())
        return error

    def latent(self, features: Array, wiring: Wiring) -> Array:
        """Return (n, n_latent) what the network keeps of each row."""
        import torch

        with torch.no_grad():
            return np.asarray(self._encoded(self._there(features), wiring)[1].cpu().numpy(), dtype=np.float64)

    def _there(self, features: Array) -> Any:
        import torch

        return torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32)).to(self.device)

    def _encoded(self, given: Any, wiring: Wiring) -> tuple[Any, Any]:
        import torch

        hidden = given @ self.first
        looks, seen = (hidden @ self.looks).ravel(), (hidden @ self.seen).ravel()
        # a sigmoid needs no maximum taken off before the exponential
        weight = torch.sigmoid(looks.index_select(0, wiring.receiver) + seen.index_select(0, wiring.sender)).exp()
        total = torch.zeros_like(looks).index_add(0, wiring.receiver, weight)
        attention = weight / total.index_select(0, wiring.receiver)
        return attention, torch.nn.functional.elu(_mean(attention, hidden, wiring)) @ self.second


def _mean(attention: Any, values: Any, wiring: Wiring) -> Any:
    """Return the sums of ``values`` (n, d) over each row's edges, weighted by ``attention`` (edges,)."""
    import torch

    class WeightedMean(torch.autograd.Function):
        """Sparse times dense, with a gradient for both and no dense n × n matrix on the way."""

        @staticmethod
        def forward(ctx: Any, attention: Any, values: Any) -> Any:
            ctx.save_for_backward(attention, values)
            return _sparse(wiring.pointer, wiring.sender, attention) @ values

        @staticmethod
        def backward(ctx: Any, above: Any) -> Any:
            attention, values = ctx.saved_tensors
            where = _sparse(wiring.pointer, wiring.sender, torch.zeros_like(attention))
            by_edge = torch.sparse.sampled_addmm(where, above, values.T).values()
            there, weight = (a.index_select(0, wiring.back) for a in (wiring.receiver, attention))
            return by_edge, _sparse(wiring.back_pointer, there, weight) @ above

    return WeightedMean.apply(attention, values)  # type: ignore[no-untyped-call]


def _sparse(pointer: Any, column: Any, weight: Any) -> Any:
    import warnings

    import torch

    n = len(pointer) - 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch calls its sparse rows a beta state
        return torch.sparse_csr_tensor(pointer, column, weight, size=(n, n))
