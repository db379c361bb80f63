"""A network asked several times, about the image as it is, mirrored and turned: where it contradicts itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..flows import FlowField
from ..patch import LabelArray

__all__ = ["TURNS", "Looks", "looks_of"]

Values = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
TURNS = ("x", "y", "diagonal")
"""How the image is mirrored for the second, third and fourth look: left to right, top to bottom, axes swapped."""


@dataclass(frozen=True, eq=False)
class Looks:
    """What several looks say together, as a `Field`, and where they differ.

    Parameters
    ----------
    logit, flows
        (y, x) and (2, y, x) float32, the means over the looks: where they contradict each other the mean flow
        is short.
    apart
        (y, x) float32, root mean square distance of the looks' flows from their mean.
    again
        (k, y, x) labels as each further look gives them.
    """

    logit: Floats
    flows: Floats
    apart: Floats
    again: LabelArray

    def window(self, y0: int, y1: int, x0: int, x1: int) -> Looks:
        """Return the rows y0 to y1 and the columns x0 to x1, the ends not included."""
        at = (..., slice(y0, y1), slice(x0, x1))
        return Looks(self.logit[at], self.flows[at], self.apart[at], self.again[at])


def looks_of(
    first: FlowField,
    ask: Callable[[Values], FlowField],
    decode: Callable[[FlowField], LabelArray],
    values: Values,
    turns: tuple[str, ...] = TURNS,
) -> Looks:
    """Ask again about the mirrored image, and put the answers together.

    Parameters
    ----------
    first
        What the network says of the image as it is.
    ask
        Asks the network about an image (c, y, x).
    decode
        Makes labels (y, x) of what it says.
    values
        (c, y, x) the image.
    turns
        Of `TURNS`: one more run of the network each.
    """
    fields = [first, *(_back(ask(np.ascontiguousarray(mirrored(values, turn))), turn) for turn in turns)]
    flows = np.stack([field.flows for field in fields])
    mean = flows.mean(axis=0)
    apart = np.sqrt(((flows - mean) ** 2).sum(axis=1).mean(axis=0))
    again = np.zeros((len(turns), *first.logit.shape), np.int32)
    for labels, field in zip(again, fields[1:], strict=True):
        labels[...] = decode(field)
    return Looks(np.mean([field.logit for field in fields], axis=0), mean, apart, again)


def mirrored(values: Values, turn: str) -> Values:
    """Return an image, (..., y, x), mirrored; twice is once nothing."""
    if turn == "diagonal":
        return np.swapaxes(values, -1, -2)
    return np.flip(values, -1 if turn == "x" else -2)


def _back(field: FlowField, turn: str) -> FlowField:
    """Return what was said of the mirrored image, of the image as it is."""
    y, x = (mirrored(plane, turn) for plane in field.flows)
    turned = {"x": (y, -x), "y": (-y, x), "diagonal": (x, y)}[turn]
    return FlowField(mirrored(field.logit, turn), np.stack(turned), field.diameter, field.stain)
