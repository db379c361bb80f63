"""A segmentation of what is in view, to look at: nothing of it reaches the document or its history.

What a network has said of a window is kept, so that a threshold that moves only decodes it again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.flow_input import Limits
from ..core.flow_segmenter import FlowSegmenter
from ..core.flows import FlowField
from ..core.method import parameters
from ..core.patch import Window
from ..core.report import Report, part, silent
from ..core.segmentation import Masks, Pixels, Segmenter
from ..core.shaping import claimed
from ..errors import BadInput
from .document import Document
from .gather import full_resolution, pixel_size
from .selection import SegmentationSelection

__all__ = ["LARGEST", "Preview", "Previewer", "central"]

LARGEST = 4_194_304
"""Pixels that are previewed at most."""
_SAMPLE = 4_194_304
_PIECE = 512
_KEPT = 3
"""Fields that are kept, 50 MB each at most."""
Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Preview:
    """What a method finds in a window of an image.

    Parameters
    ----------
    window
        (y0, y1, x0, x1) in pixels of the full resolution.
    labels
        (h, w) the cells of the window.
    around
        (h, w) the cells with what they are expanded by; None where they are not.
    diameter_um
        Median diameter; 0 where nothing is found.
    from_network
        Whether the network, or a method without one, ran; else only thresholds were applied anew.
    seconds
        What it took.
    stands_for
        By name, what parameters that were left to the method came to.
    """

    window: Window
    labels: Labels
    around: Labels | None
    diameter_um: float
    from_network: bool
    seconds: float
    stands_for: dict[str, Any]

    @property
    def cells(self) -> int:
        """How many were found."""
        return int(self.labels.max(initial=0))


def central(window: Window, most: int = LARGEST) -> Window:
    """Return the middle of a window with at most so many pixels, in its proportions; itself where it is small."""
    y0, y1, x0, x1 = window
    h, w = y1 - y0, x1 - x0
    if h * w <= most:
        return window
    share = (most / (h * w)) ** 0.5
    tall = max(1, min(h, int(h * share)))
    wide = max(1, min(w, most // tall))
    tall = min(h, most // wide)
    top, left = y0 + (h - tall) // 2, x0 + (w - wide) // 2
    return top, top + tall, left, left + wide


class Previewer:
    """Makes previews, one at a time, and keeps what the network has said of the last few windows."""

    def __init__(self) -> None:
        self._fields: OrderedDict[Hashable, FlowField] = OrderedDict()
        self._settled: OrderedDict[Hashable, tuple[FlowSegmenter, Limits]] = OrderedDict()

    def job(
        self,
        document: Document,
        method: Segmenter,
        selection: SegmentationSelection,
        window: Window,
        expand_um: float = 0.0,
    ) -> Callable[[Report], Preview]:
        """Return what makes a preview beside the window; call this in the main thread.

        Parameters
        ----------
        document
            The document; only looked at.
        method
            The method with its parameters.
        selection
            What a run would work on. Within it the image is read in one way, so that the preview of a
            part shows what the run will find there.
        window
            What is previewed.
        expand_um
            Also show the cells with this much around them.

        Raises
        ------
        BadInput, DocumentError, MissingDependency
            When there is no such image or channel, nothing is in the window, or a package is missing.
        """
        type(method).check_installed()
        source = _Source.of(document, selection)
        if window[1] <= window[0] or window[3] <= window[2]:
            raise BadInput(f"'{selection.image}' is not in view.", "Move the view over it.")

        def job(report: Report = silent) -> Preview:
            return self._made(method, source, window, expand_um, report)

        return job

    def forget(self) -> None:
        """Keep nothing."""
        self._fields.clear()
        self._settled.clear()

    def _made(self, method: Segmenter, source: _Source, window: Window, expand_um: float, report: Report) -> Preview:
        start, size = time.perf_counter(), source.pixel_size_um
        ran, said = True, {}
        if isinstance(method, FlowSegmenter):
            field, ran = self._field(method, source, window, report)
            masks, said = method.decode(field, size), method.stands_for(field, size)
        else:
            masks = method(source.read(window), part(report, 0.0, 0.95))
        report(0.95, "drawing outlines")
        around = _expanded(masks, expand_um, size) if expand_um > 0 else None
        taken = time.perf_counter() - start
        return Preview(window, np.asarray(masks.labels), around, _median_um(masks, size), ran, taken, said)

    def _field(self, method: FlowSegmenter, source: _Source, window: Window, report: Report) -> tuple[FlowField, bool]:
        """Return what the network says of a window, and whether it ran for it."""
        settings = tuple((p.name, getattr(method, p.name)) for p in parameters(type(method)) if not p.decoding)
        frame = (source.token, type(method).name, settings)
        key = (*frame, window)
        if key in self._fields:
            self._fields.move_to_end(key)
            return self._fields[key], False
        pixels = source.read(window)
        if frame not in self._settled:
            sample = pixels if source.frame == window else source.sample()
            _keep(self._settled, frame, method.settled(sample, part(report, 0.0, 0.4)))
        settled, limits = self._settled[frame]
        _keep(self._fields, key, settled.field(pixels, part(report, 0.4, 0.9), limits))
        return self._fields[key], True


@dataclass(frozen=True)
class _Source:
    """The pixels of a selection, read when they are needed; ``token`` says which they are."""

    image: Any
    channels: tuple[str, ...]
    pixel_size_um: float
    frame: Window
    token: Hashable

    @classmethod
    def of(cls, document: Document, selection: SegmentationSelection) -> _Source:
        name = selection.image
        if document.type_of(name) != "images":
            raise BadInput(f"'{name}' is not an image.", "Choose an image.")
        image = full_resolution(document, name)
        names = tuple(str(c) for c in image.coords["c"].to_numpy())
        wanted = selection.channels or names
        absent = [c for c in wanted if c not in names]
        if absent:
            raise BadInput(f"'{name}' has no channel '{absent[0]}'.", f"It has: {', '.join(names)}.")
        frame = selection.region or (0, int(image.sizes["y"]), 0, int(image.sizes["x"]))
        revision = tuple(document.revision(slot) for slot in selection.slots(document))
        token = (id(document), name, revision, wanted, frame)
        return cls(image.isel(c=[names.index(c) for c in wanted]), wanted, pixel_size(document, name), frame, token)

    def read(self, window: Window) -> Pixels:
        """Return the pixels of a window."""
        y0, y1, x0, x1 = window
        values = np.asarray(self.image.isel(y=slice(y0, y1), x=slice(x0, x1)).data)
        return Pixels(values, self.pixel_size_um, self.channels)

    def sample(self) -> Pixels:
        """Return the pixels of the whole frame, or where they are too many pieces from all over it, side by side."""
        y0, y1, x0, x1 = self.frame
        if (y1 - y0) * (x1 - x0) <= _SAMPLE:
            return self.read(self.frame)
        n = int((_SAMPLE**0.5) // _PIECE)
        rows, columns = (_starts(low, high, n) for low, high in ((y0, y1), (x0, x1)))
        edge = [min(_PIECE, y1 - y0), min(_PIECE, x1 - x0)]
        pieces = [[self.read((y, y + edge[0], x, x + edge[1])).values for x in columns] for y in rows]
        return Pixels(np.block(pieces), self.pixel_size_um, self.channels)


def _starts(low: int, high: int, n: int) -> list[int]:
    """Return where up to n pieces begin that lie evenly between two bounds."""
    room = max(high - low - _PIECE, 0)
    return sorted({low + round(room * (i + 0.5) / n) for i in range(n)})


def _keep(held: OrderedDict[Hashable, Any], key: Hashable, value: Any) -> None:
    held[key] = value
    while len(held) > _KEPT:
        held.popitem(last=False)


def _median_um(masks: Masks, pixel_size_um: float) -> float:
    area = np.bincount(masks.labels.ravel(), minlength=1)[1:]
    area = area[area > 0]
    return float(np.median(2 * np.sqrt(area / np.pi)) * pixel_size_um) if len(area) else 0.0


def _expanded(masks: Masks, distance_um: float, pixel_size_um: float) -> Labels:
    seeds = np.asarray(masks.labels)
    ids = np.arange(1, int(seeds.max(initial=0)) + 1)
    free = np.ones(seeds.shape, dtype=bool)
    return np.asarray(claimed(seeds, free, ids, distance_um, (pixel_size_um, pixel_size_um)), dtype=np.int32)
