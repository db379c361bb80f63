"""A network made wider without changing what it says, so that a larger one goes on where a smaller one stopped."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

__all__ = ["widened", "widths_of"]

State = Mapping[str, Tensor]


def widths_of(state: State) -> tuple[int, ...]:
    """Return the channels of the levels of a `PackedFlowNetwork` whose weights these are."""
    return tuple(len(state[name]) for name in ("down.0.0.weight", "down.1.0.first.0.weight", "down.2.0.first.0.weight"))


def widened(small: State, large: State) -> dict[str, Tensor]:
    """Return the weights of a larger network that gives what a smaller one gives.

    Parameters
    ----------
    small
        Those of the smaller network.
    large
        Those of the larger, fresh from its initialisation: of the same layers, none of them narrower.

    Returns
    -------
    dict
        The channels of before come first and take nothing from the new ones, which see everything and begin at random:
        nothing need be copied and then told apart.

    Raises
    ------
    ValueError
        When the layers are not the same, or one is narrower.

    References
    ----------
    After Chen, Goodfellow & Shlens, ICLR (2016), arXiv:1511.05641, who double channels instead.
    """
    if small.keys() != large.keys():
        raise ValueError("the two networks do not have the same layers")
    grown = {}
    for name, fresh in large.items():
        held, grown[name] = small[name], fresh.detach().clone()
        if held.ndim != fresh.ndim or any(a > b for a, b in zip(held.shape, fresh.shape, strict=True)):
            raise ValueError(f"{name} has the shape {tuple(held.shape)}, which does not fit into {tuple(fresh.shape)}")
        if held.ndim > 1:
            grown[name][: len(held)] = 0
        grown[name][tuple(slice(n) for n in held.shape)] = held
    return grown
