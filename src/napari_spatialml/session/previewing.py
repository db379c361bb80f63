"""A segmentation of what is in view, to look at: nothing of it reaches the document or its history.

What a network has said of a window is kept, so that a threshold that moves only decodes it again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.flow_segmenter import FlowSegmenter
from ..core.flows import FlowField
from ..core.method import parameters
from ..core.patch import Window
from ..core.report import Report, part, silent
from ..core.segmentation import Masks, Pixels, Segmenter
from ..core.shaping import claimed
from ..errors import BadInput
from .document import Document
from .selection import SegmentationSelection
from .slides.source import Source, source_of

__all__ = ["LARGEST", "Preview", "Previewer", "central"]

LARGEST = 4_194_304
"""Pixels that are previewed at most."""
NETWORK = 1_572_864
"""Pixels as the network sees them that are previewed at most: small nuclei are enlarged for it."""
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
        self._settled: OrderedDict[Hashable, Any] = OrderedDict()
        """By method and image: the method as it reads the whole image, and with it a network's limits."""

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
        source = source_of(document, selection)
        y, x = (selection.region or (0, 0, 0, 0))[::2]
        within = (window[0] - y, window[1] - y, window[2] - x, window[3] - x)
        token = (
            id(document),
            replace(selection, output=""),
            tuple(document.revision(slot) for slot in selection.slots(document)),
        )
        if window[1] <= window[0] or window[3] <= window[2]:
            raise BadInput(f"'{selection.image}' is not in view.", "Move the view over it.")

        def job(report: Report = silent) -> Preview:
            found = self._made(method, source, token, within, expand_um, report)
            y0, y1, x0, x1 = found.window
            return replace(found, window=(y0 + y, y1 + y, x0 + x, x1 + x))

        return job

    def forget(self) -> None:
        """Keep nothing."""
        self._fields.clear()
        self._settled.clear()

    def _made(
        self, method: Segmenter, source: Source, token: Hashable, window: Window, expand_um: float, report: Report
    ) -> Preview:
        start, size = time.perf_counter(), source.pixel_size_um
        network = tuple((p.name, getattr(method, p.name)) for p in parameters(type(method)) if not p.decoding)
        ready = _Ready(method, source, window, (token, type(method).name, network))
        ran, said = True, {}
        if isinstance(method, FlowSegmenter):
            window, field, ran = self._field(method, ready, report)
            masks, said = method.decode(field, size), method.stands_for(field, size)
        else:
            if ready.frame not in self._settled:
                _keep(self._settled, ready.frame, method.on_slide(ready.sample(), part(report, 0.0, 0.4)).segment)
            masks = self._settled[ready.frame](ready.pixels(), part(report, 0.4, 0.95))
        report(0.95, "drawing outlines")
        around = _expanded(masks, expand_um, size) if expand_um > 0 else None
        taken = time.perf_counter() - start
        return Preview(window, np.asarray(masks.labels), around, _median_um(masks, size), ran, taken, said)

    def _field(self, method: FlowSegmenter, ready: _Ready, report: Report) -> tuple[Window, FlowField, bool]:
        """Return the window that the network saw, what it says of it, and whether it ran for it."""
        if ready.frame not in self._settled:
            _keep(self._settled, ready.frame, method.settled(ready.sample(), part(report, 0.0, 0.4)))
        settled, limits = self._settled[ready.frame]
        window = central(ready.window, int(NETWORK / settled.scale_on(ready.source.pixel_size_um) ** 2))
        key = (ready.frame, window)
        if key in self._fields:
            self._fields.move_to_end(key)
            return window, self._fields[key], False
        pixels = replace(ready, window=window).pixels()
        _keep(self._fields, key, settled.field(pixels, part(report, 0.4, 0.9), limits))
        return window, self._fields[key], True


@dataclass(frozen=True, eq=False)
class _Ready:
    """A method and the pixels that it is to see; ``frame`` says as what the image is read, whatever the window."""

    method: Segmenter
    source: Source
    window: Window
    frame: Hashable

    def pixels(self) -> Pixels:
        """Return the pixels of the window."""
        return self.source.pixels(self.source.values(self.window))

    def sample(self) -> Pixels:
        """Return what the run will decide by: the whole, or pieces from all over it."""
        whole = (0, self.source.shape[0], 0, self.source.shape[1])
        return self.pixels() if self.window == whole else self.source.sample()


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
