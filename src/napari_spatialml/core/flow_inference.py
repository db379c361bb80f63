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
from .flows import FlowField
from .patch import NO_SIDES, Sides
from .report import Report, silent

__all__ = ["NOMINAL", "apply", "grain", "has_matrix_units", "load", "network_of", "outputs", "resized", "working_scale"]

Planes = npt.NDArray[np.float32]

NOMINAL = 20.0
"""Diameter of a nucleus in pixels, around which the network was trained."""
TILE = 1088
"""Longest edge of a tile in pixels of the network."""
_EDGE = 16  # pixels mirrored beyond the image, as in training
KEPT = (18.0, 34.0)
"""Pixels across the nuclei that are taken as they are: interpolation costs more than a change of scale gains here."""
_ENLARGED = 28.0  # here smaller nuclei go: those that touch are parted twice as often as at 20; larger go to 34
_STEPS = 16  # scales are so many parts of one, or one of so many: then tiles fall on the pixels of the whole


def working_scale(diameter: float) -> float:
    """Return by how much to enlarge an image whose nuclei have this diameter in pixels.

    1 where the network takes them as they are: nothing is lost by interpolation then. Otherwise a fraction
    of small whole numbers, at most 3 % from what was wished for, so that tiles can be cut where a pixel of
    the image begins with one of the network.
    """
    low, high = KEPT
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
    spare: Sides = NO_SIDES,
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
    spare
        Pixels at the top, the bottom, the left and the right that are looked at and of which nothing is
        said: the field is so much smaller.
    """
    height, width = planes.shape[1:]
    up, down = _as_fraction(working_scale(diameter))
    whole = np.pad(planes, [(0, 0), (0, -height % down), (0, -width % down)], mode="symmetric")
    size = tuple(n // down * up for n in whole.shape[1:])
    smoothed = up // down + 2  # pixels of the network that interpolation looks at on either side
    unsaid: Any = tuple(max(0, n * up // down - smoothed) for n in spare)
    output = resized(outputs(net, resized(whole, size), batch, device, report, unsaid), whole.shape[1:])
    top, bottom, left, right = spare
    output = np.ascontiguousarray(output[:, top : height - bottom, left : width - right])
    return FlowField(output[2], output[:2] / np.float32(5), diameter, stain)


def resized(planes: Planes, size: tuple[int, ...]) -> Planes:
    if planes.shape[1:] == size:
        return planes
    import torch

    whole = torch.from_numpy(np.array(planes))[None]
    resized = torch.nn.functional.interpolate(whole, size, mode="bilinear", antialias=True, align_corners=False)
    return np.asarray(resized[0].numpy())


def outputs(net: Any, planes: Planes, batch: int, device: str, report: Report, unsaid: Sides = NO_SIDES) -> Planes:
    """Return the network's output, 0 in a rim that is unsaid; a tile gives the core that it sees enough around."""
    import torch

    padded = _mirrored(planes)
    output = np.zeros(planes.shape, dtype=np.float32)
    places = list(_cores(planes.shape[1:], net.reach, unsaid))
    if device == "cpu":
        batch = 1  # no faster together, and memory for each
    dtype = next(net.parameters()).dtype
    with torch.inference_mode():
        for done in range(0, len(places), batch):
            some = places[done : done + batch]
            report(done / len(places), f"tile {done + 1} of {len(places)}")
            given = torch.from_numpy(np.stack([padded[:, y0:y1, x0:x1] for (y0, y1, x0, x1), _ in some]))
            given = given.to(device=device, dtype=dtype, memory_format=torch.channels_last)
            spare = _spare(some)
            found = net(given, spare).float().cpu().numpy()
            for ((y0, _, x0, _), (a, b, c, d)), one in zip(some, found, strict=True):
                y, x = y0 + spare[0] - _EDGE, x0 + spare[2] - _EDGE
                output[:, a:b, c:d] = one[:, a - y : b - y, c - x : d - x]
    return output


def _spare(places: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> Sides:
    """Return what all of some tiles can do without around their cores."""
    from .flow_network import STRIDE

    around = [
        (a + _EDGE - y0, y1 - b - _EDGE, c + _EDGE - x0, x1 - d - _EDGE) for (y0, y1, x0, x1), (a, b, c, d) in places
    ]
    top, bottom, left, right = (min(sides) // STRIDE * STRIDE for sides in zip(*around, strict=True))
    return top, bottom, left, right


def _mirrored(planes: Planes) -> Planes:
    """Mirror the image beyond its border, up to a size that tiles fill."""
    from .flow_network import STRIDE

    pads = [(0, 0)]
    for n in planes.shape[1:]:
        whole = -(-(n + 2 * _EDGE) // STRIDE) * STRIDE
        pads.append((_EDGE, whole - n - _EDGE))
    return np.pad(planes, pads, mode="symmetric")


def _cores(
    shape: tuple[int, ...], reach: int, unsaid: Sides = NO_SIDES
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Yield each tile in the mirrored image and its core in the image, as (y0, y1, x0, x1), all of one size."""
    rows, columns = _spans(shape[0], reach, *unsaid[:2]), _spans(shape[1], reach, *unsaid[2:])
    for (y0, y1), (a, b) in rows:
        for (x0, x1), (c, d) in columns:
            yield (y0, y1, x0, x1), (a, b, c, d)


def _spans(n: int, reach: int, before: int = 0, behind: int = 0) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return the tiles along an axis of ``n`` pixels, each with its core; the cores leave out so many at both ends."""
    from .flow_network import STRIDE

    first = max(0, before + _EDGE - reach) // STRIDE * STRIDE
    end = min(-(-(n - behind + _EDGE + reach) // STRIDE), -(-(n + 2 * _EDGE) // STRIDE)) * STRIDE
    whole = end - first
    if whole <= TILE:
        return [((first, end), (before, n - behind))]
    count = -(-(whole - 2 * reach) // (TILE - 2 * reach))
    # no larger than they must be, and all alike: what is left over would cost a whole tile
    step = -(-(whole - 2 * reach) // (count * STRIDE)) * STRIDE
    tile = step + 2 * reach
    starts = [first + min(i * step, whole - tile) for i in range(count)]
    cuts = [before, *(start + reach - _EDGE for start in starts[1:]), n - behind]
    return [((s, s + tile), (a, b)) for s, a, b in zip(starts, cuts[:-1], cuts[1:], strict=True)]
