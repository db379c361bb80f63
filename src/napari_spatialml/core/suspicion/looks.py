"""A network asked several times, about the image as it is, mirrored and turned: where it contradicts itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..flows import FlowField, decode
from ..patch import LabelArray
from ..report import Report, part, silent
from ..segmentation import Masks, Pixels

__all__ = ["TURNS", "Looks", "Network", "asked", "at_thresholds", "together"]

Values = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
TURNS = ("x", "y", "diagonal")
"""How the image is mirrored for the second, third and fourth look: left to right, top to bottom, axes swapped."""

_THRESHOLDS = (0.2, 0.35, 0.65, 0.8)
"""Probabilities of being cell at which a cell that is surely there keeps its outline."""


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

    @cached_property
    def as_one(self) -> FlowField:
        """The means, as one answer."""
        return FlowField(self.logit, self.flows)

    @cached_property
    def at_thresholds(self) -> tuple[LabelArray, ...]:
        """The cells at other thresholds; kept, for what could become of a cell is judged on the same looks."""
        return at_thresholds(self.as_one)

    def window(self, y0: int, y1: int, x0: int, x1: int) -> Looks:
        """Return the rows y0 to y1 and the columns x0 to x1, the ends not included."""
        at = (..., slice(y0, y1), slice(x0, x1))
        return Looks(self.logit[at], self.flows[at], self.apart[at], self.again[at])


class Network(Protocol):
    """A segmentation method that says of every pixel how sure it is, and makes cells of that."""

    def field(self, pixels: Pixels, report: Report = silent) -> FlowField:
        """Return what the network says."""

    def decode(self, field: FlowField, pixel_size_um: float) -> Masks:
        """Make cells of it."""


def at_thresholds(field: FlowField) -> tuple[LabelArray, ...]:
    """Return the cells of a field at lower and higher probabilities than one half."""
    return tuple(decode(field, threshold, flow_error=0).labels for threshold in _THRESHOLDS)


def asked(network: Network, pixels: Pixels, report: Report = silent, turns: tuple[str, ...] = TURNS) -> Looks:
    """Ask a network about an image and its mirror images, and put the answers together.

    Parameters
    ----------
    network
        The method; where it estimates the cells' diameter, the further looks take that of the first.
    pixels
        An image, or a window of one.
    report
        Gets the progress.
    turns
        Of `TURNS`: one more run of the network each.
    """
    size, steps = pixels.pixel_size_um, 1 + len(turns)
    fields = [network.field(pixels, part(report, 0.0, 1 / steps))]
    again: Any = network
    if hasattr(network, "diameter_um"):
        again = replace(again, diameter_um=fields[0].diameter * size)
    for number, turn in enumerate(turns, 1):
        other = replace(pixels, values=np.ascontiguousarray(mirrored(pixels.values, turn)))
        fields.append(_back(again.field(other, part(report, number / steps, (number + 1) / steps)), turn))
    return together(fields, [network.decode(field, size).labels for field in fields[1:]])


def together(fields: Sequence[FlowField], again: Sequence[LabelArray]) -> Looks:
    """Put together what several looks say, and the labels of all but the first."""
    flows = np.stack([field.flows for field in fields])
    mean = flows.mean(axis=0)
    apart = np.sqrt(((flows - mean) ** 2).sum(axis=1).mean(axis=0))
    labels = np.stack(again) if len(again) else np.zeros((0, *apart.shape), np.int32)
    return Looks(np.mean([field.logit for field in fields], axis=0), mean, apart, labels)


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
