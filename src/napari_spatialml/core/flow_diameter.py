"""How large the nuclei of an image are, told by the scale at which the flow network finds them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .flow_inference import KEPT, NOMINAL, outputs, resized
from .flow_input import LazyPlanes
from .flows import FlowField, decode
from .report import Report, silent

__all__ = ["estimate_diameter"]

Planes = npt.NDArray[np.float32]

_PROBE = 448  # edge, in pixels of the network, of the window on which a scale is tried
_FINEST, _COARSEST = 1, -2  # octaves from the guess
_KNOWN = (10.0, 34.0)  # pixels of the network: nuclei of another size are told by another scale
_PRIOR = 1.5  # octaves: standard deviation of what is expected around the guess
_SURE = 0.02  # a scale of this merit shows nuclei; on images of the training, half of it was enough to tell


def estimate_diameter(
    net: Any, planes: Planes | LazyPlanes, guess: float, device: str, report: Report = silent
) -> float:
    """Return the typical diameter in pixels of the nuclei in an image.

    The fullest window is segmented at scales an octave apart. The scale wins at which most of what is
    found is surely nuclei, and of the size that the network knows, and at which they cover most. The guess
    comes first, and is enough where it shows nuclei that the network takes as they are; else the scales
    are tried towards the size that was found, as long as they get better, and the others only where
    none shows nuclei.

    Parameters
    ----------
    net
        From `flow_inference.load`.
    planes
        (3, y, x), from `flow_input.planes_of`, or the same computed where it is looked at.
    guess
        Diameter in pixels to begin with; returned where no nucleus is found.
    device
        Where the network is.
    """
    tried: dict[int, tuple[float, float]] = {}

    def merit(octave: int) -> float:
        if octave not in tried:
            report(len(tried) / (1 + _FINEST - _COARSEST), "estimating the diameter of the nuclei")
            tried[octave] = _tried(net, planes, guess, NOMINAL / guess * 2.0**octave, device)
        return tried[octave][0]

    sure, across = merit(0) >= _SURE, tried[0][1] / guess * NOMINAL
    if not (sure and KEPT[0] <= across <= KEPT[1]):
        towards = 1 if across < NOMINAL else -1
        if merit(_climbed(merit, towards)) < _SURE:
            _climbed(merit, -towards)
    best = max(tried, key=merit)
    return tried[best][1] if merit(best) else guess


def _climbed(merit: Callable[[int], float], step: int) -> int:
    """Return the octave at which the merit stops to rise, from 0 in steps."""
    octave = 0
    while _COARSEST <= octave + step <= _FINEST and merit(octave + step) > merit(octave):
        octave += step
    return octave


def _tried(net: Any, planes: Planes | LazyPlanes, guess: float, scale: float, device: str) -> tuple[float, float]:
    """Return the merit of a scale, and the diameter of the nuclei found at it in pixels of the image."""
    window = _fullest(planes, round(_PROBE / scale))
    size = tuple(max(1, round(n * scale)) for n in window.shape[1:])
    output = outputs(net, resized(window, size), 1, device, silent)
    merit, across = _sized(FlowField(output[2], output[:2] / np.float32(5)))
    expected = float(np.exp(-0.5 * (np.log2(across / scale / guess) / _PRIOR) ** 2)) if merit else 0.0
    return merit * expected, across / scale


def _sized(field: FlowField) -> tuple[float, float]:
    """Return how far a field looks like nuclei at the right scale, and their diameter in pixels."""
    masks = decode(field, flow_error=0.6)
    area = np.bincount(masks.labels.ravel(), minlength=1)[1:]
    across = 2 * np.sqrt(area / np.pi)
    known = (across > _KNOWN[0]) & (across < _KNOWN[1])
    if masks.scores is None or not known.any():
        return 0.0, NOMINAL
    sure = masks.scores**4 * known
    covered = float((sure * area).sum()) / field.logit.size
    return float(sure.sum()) / len(sure) * covered**0.5, _weighted_median(across, sure)


def _weighted_median(values: npt.NDArray[Any], weights: npt.NDArray[Any]) -> float:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])


def _fullest(planes: Planes | LazyPlanes, edge: int) -> Planes:
    """Return the square window of that edge with the strongest signal, or the image where it is smaller."""
    height, width = planes.shape[1:]
    if height <= edge and width <= edge:
        return planes[:, :, :]
    step = max(1, edge // 2)
    rows = range(0, max(height - edge, 0) + 1, step)
    columns = range(0, max(width - edge, 0) + 1, step)
    coarse = max(1, edge // 64)

    def signal(at: tuple[int, int]) -> float:
        y, x = at
        return float(planes[:, y : y + edge : coarse, x : x + edge : coarse][1].sum())  # the root

    y, x = max([(y, x) for y in rows for x in columns], key=signal)
    return np.ascontiguousarray(planes[:, y : y + edge, x : x + edge])
