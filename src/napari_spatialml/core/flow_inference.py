"""From planes to a flow field: the network in overlapping tiles, at the scale that it was trained for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .flow_weights import Weights, read
from .flows import FlowField, decode
from .report import Report, silent

__all__ = ["NOMINAL", "apply", "estimate_diameter", "grain", "has_matrix_units", "load", "network_of", "working_scale"]

Planes = npt.NDArray[np.float32]

NOMINAL = 20.0
"""Diameter of a nucleus in pixels, around which the network was trained."""
MARGIN = 96
"""No pixel further away than this changes a pixel's output, in no network of `flow_network`."""
TILE = 1088
"""Longest edge of a tile in pixels of the network."""
_EDGE = 16  # pixels mirrored beyond the image, as in training
_KEPT = (18.0, 34.0)  # pixels across: interpolation costs more than a change of scale gains here
_ENLARGED = 28.0  # and here smaller nuclei go: those that touch are parted twice as often as at 20; larger go to 34
_STEPS = 16  # scales are so many parts of one, or one of so many: then tiles fall on the pixels of the whole
_PROBE = 448  # edge, in pixels of the network, of the window on which a scale is tried
_OCTAVES = (1.0, 0.0, -1.0, -2.0)
_KNOWN = (10.0, 34.0)  # pixels of the network: nuclei of another size are told by another scale
_PRIOR = 1.5  # octaves: standard deviation of what is expected around the guess


def working_scale(diameter: float) -> float:
    """Return by how much to enlarge an image whose nuclei have this diameter in pixels.

    1 where the network takes them as they are: nothing is lost by interpolation then. Otherwise a fraction
    of small whole numbers, at most 3 % from what was wished for, so that tiles can be cut where a pixel of
    the image begins with one of the network.
    """
    low, high = _KEPT
    if low <= diameter <= high:
        return 1.0
    wished = (_ENLARGED if diameter < low else high) / diameter
    return round(wished * _STEPS) / _STEPS if wished > 1 else _STEPS / round(_STEPS / wished)


def grain(scale: float) -> int:
    """Return the pixels of the image at whose multiples a window sees what the whole does, at a `working_scale`."""
    from .flow_network import STRIDE

    up, down = _as_fraction(scale)
    return down * STRIDE // math.gcd(up, STRIDE)


def _as_fraction(scale: float) -> tuple[int, int]:
    exact = Fraction(round(scale * _STEPS), _STEPS) if scale > 1 else Fraction(_STEPS, round(_STEPS / scale))
    return exact.numerator, exact.denominator


@lru_cache(maxsize=2)
def load(path: Path, stamp: float, device: str) -> Any:
    """Return the network with the weights of a file, ready to run; ``stamp`` is the file's time of change.

    Raises
    ------
    MissingWeights, BadInput
        As `read` does; BadInput too when the tensors are those of another network.
    """
    import torch

    from .flow_network import folded

    ready: Any = folded(network_of(path))
    # a processor that multiplies half-precision matrices runs the network three times as fast with them
    dtype = torch.bfloat16 if device == "cpu" and has_matrix_units() else torch.float32
    return ready.to(device=device, dtype=dtype, memory_format=torch.channels_last)


def network_of(path: Path) -> Any:
    """Return the network with the weights of a file as it was trained, on the processor.

    Raises
    ------
    MissingWeights, BadInput
        As `load` does.
    """
    from .flow_network import made

    weights, metadata = read(path)
    try:
        net = made(metadata["network"], tuple(int(n) for n in metadata["widths"].split(",")))
        net.load_state_dict(_tensors(weights, net))
    except (KeyError, ValueError, RuntimeError) as error:
        raise BadInput(f"'{path.name}' holds the weights of another network.", "Choose those of a flow network.") from (
            error
        )
    return net


def has_matrix_units() -> bool:
    """Whether the processor has Intel's AMX; a torch that cannot say is taken not to use it."""
    import torch

    return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())


def _tensors(weights: Weights, net: Any) -> dict[str, Any]:
    """Return the weights in single precision; how many batches were seen matters to no one and is not stored."""
    import torch

    counts = {name: value for name, value in net.state_dict().items() if name.endswith("num_batches_tracked")}
    return counts | {name: torch.from_numpy(array.astype(np.float32)) for name, array in weights.items()}


def apply(
    net: Any,
    planes: Planes,
    diameter: float,
    *,
    stain: str = "fluorescence",
    batch: int = 4,
    device: str = "cpu",
    report: Report = silent,
) -> FlowField:
    """Run the network over an image of any size.

    Parameters
    ----------
    net
        From `load`.
    planes
        (3, y, x), from `flow_input.planes_of`.
    diameter
        Typical diameter of a nucleus in pixels; sets the scale.
    batch
        Tiles at a time.
    """
    height, width = planes.shape[1:]
    up, down = _as_fraction(working_scale(diameter))
    whole = np.pad(planes, [(0, 0), (0, -height % down), (0, -width % down)], mode="symmetric")
    size = tuple(n // down * up for n in whole.shape[1:])
    output = _tiled(net, _resized(whole, size), batch, device, report)
    output = np.ascontiguousarray(_resized(output, whole.shape[1:])[:, :height, :width])
    return FlowField(output[2], output[:2] / np.float32(5), diameter, stain)


def _resized(planes: Planes, size: tuple[int, ...]) -> Planes:
    if planes.shape[1:] == size:
        return planes
    import torch

    whole = torch.from_numpy(np.array(planes))[None]
    resized = torch.nn.functional.interpolate(whole, size, mode="bilinear", antialias=True, align_corners=False)
    return np.asarray(resized[0].numpy())


def _tiled(net: Any, planes: Planes, batch: int, device: str, report: Report) -> Planes:
    """Return the network's output; a tile gives its core, which no pixel beyond its margin can change."""
    import torch

    height, width = planes.shape[1:]
    padded = _mirrored(planes)
    output = np.empty((3, height, width), dtype=np.float32)
    places = list(_cores(height, width))
    if device == "cpu":
        batch = 1  # no faster together, and memory for each
    dtype = next(net.parameters()).dtype
    with torch.inference_mode():
        for done in range(0, len(places), batch):
            some = places[done : done + batch]
            report(done / len(places), f"tile {done + 1} of {len(places)}")
            given = torch.from_numpy(np.stack([padded[:, y0:y1, x0:x1] for (y0, y1, x0, x1), _ in some]))
            found = net(given.to(device=device, dtype=dtype, memory_format=torch.channels_last))
            found = found.float().cpu().numpy()
            for ((y0, _, x0, _), (a, b, c, d)), one in zip(some, found, strict=True):
                output[:, a:b, c:d] = one[:, a + _EDGE - y0 : b + _EDGE - y0, c + _EDGE - x0 : d + _EDGE - x0]
    return output


def _mirrored(planes: Planes) -> Planes:
    """Mirror the image beyond its border, up to a size that tiles fill."""
    from .flow_network import STRIDE

    pads = [(0, 0)]
    for n in planes.shape[1:]:
        whole = -(-(n + 2 * _EDGE) // STRIDE) * STRIDE
        pads.append((_EDGE, whole - n - _EDGE))
    return np.pad(planes, pads, mode="symmetric")


def _cores(height: int, width: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Yield each tile in the mirrored image and its core in the image, as (y0, y1, x0, x1), all of one size."""
    rows, columns = _spans(height), _spans(width)
    for (y0, y1), (a, b) in rows:
        for (x0, x1), (c, d) in columns:
            yield (y0, y1, x0, x1), (a, b, c, d)


def _spans(n: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return the tiles along an axis of ``n`` pixels, each with its core."""
    from .flow_network import STRIDE

    whole = -(-(n + 2 * _EDGE) // STRIDE) * STRIDE
    if whole <= TILE:
        return [((0, whole), (0, n))]
    count = -(-(whole - 2 * MARGIN) // (TILE - 2 * MARGIN))
    # no larger than they must be, and all alike: what is left over would cost a whole tile
    step = -(-(whole - 2 * MARGIN) // (count * STRIDE)) * STRIDE
    tile = step + 2 * MARGIN
    starts = [min(i * step, whole - tile) for i in range(count)]
    cuts = [0, *(start + MARGIN - _EDGE for start in starts[1:]), n]
    return [((s, s + tile), (a, b)) for s, a, b in zip(starts, cuts[:-1], cuts[1:], strict=True)]


def estimate_diameter(net: Any, planes: Planes, guess: float, device: str, report: Report = silent) -> float:
    """Return the typical diameter in pixels of the nuclei in an image.

    The fullest window is segmented at scales an octave apart. The scale wins at which most of what is
    found is surely nuclei, and of the size that the network knows, and at which they cover most.

    Parameters
    ----------
    guess
        Diameter in pixels to begin with; returned where no nucleus is found.
    """
    best, diameter = 0.0, guess
    for i, octave in enumerate(_OCTAVES):
        report(i / len(_OCTAVES), "estimating the diameter of the nuclei")
        scale = NOMINAL / guess * 2.0**octave
        window = _fullest(planes, round(_PROBE / scale))
        size = tuple(max(1, round(n * scale)) for n in window.shape[1:])
        output = _tiled(net, _resized(window, size), 1, device, silent)
        merit, across = _sized(FlowField(output[2], output[:2] / np.float32(5)))
        merit *= float(np.exp(-0.5 * (np.log2(across / scale / guess) / _PRIOR) ** 2)) if merit else 0.0
        if merit > best:
            best, diameter = merit, across / scale
    return diameter


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


def _fullest(planes: Planes, edge: int) -> Planes:
    """Return the square window of that edge with the strongest signal, or the image where it is smaller."""
    height, width = planes.shape[1:]
    if height <= edge and width <= edge:
        return planes
    step = max(1, edge // 2)
    rows = range(0, max(height - edge, 0) + 1, step)
    columns = range(0, max(width - edge, 0) + 1, step)
    coarse = max(1, edge // 64)
    root = planes[1]
    places = [(y, x) for y in rows for x in columns]
    signal = {(y, x): float(root[y : y + edge : coarse, x : x + edge : coarse].sum()) for y, x in places}
    y, x = max(signal, key=lambda at: signal[at])
    return np.ascontiguousarray(planes[:, y : y + edge, x : x + edge])
