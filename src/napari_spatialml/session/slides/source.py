"""The pixels of a slide, read window by window; and a sample of them from all over it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...core.glass import is_glass
from ...core.patch import Window
from ...core.report import Report, silent
from ...core.segmentation import Pixels
from ..document import Document
from ..fingerprints import digest
from ..gather import full_resolution, pixel_size, segmented_channels
from ..selection import SegmentationSelection

__all__ = ["SAMPLE", "Source", "fingerprint_of", "source_of"]

SAMPLE = 4_194_304
"""Pixels of which what a method reads off the image as a whole is read; a smaller slide is read whole."""
_BLOCK = 512
_TOGETHER = 8
"""Blocks that are read side by side."""
_ENOUGH = 8
"""Blocks with tissue, at least, before no more are looked for."""
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True, eq=False)
class Source:
    """A region of an image that is too large to be read at once. May be read on any thread.

    Parameters
    ----------
    image
        Lazy (c, y, x): the region, with the channels that are segmented.
    whole
        The same with all channels, which are measured.
    pixel_size_um
        Edge of a pixel.
    channels
        Names of the channels that are segmented.
    """

    image: Any
    whole: Any
    pixel_size_um: float
    channels: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Size of the region, (y, x)."""
        return int(self.image.sizes["y"]), int(self.image.sizes["x"])

    def values(self, window: Window) -> npt.NDArray[Any]:
        """Read a window: (c, y, x)."""
        y0, y1, x0, x1 = window
        return np.asarray(self.image.isel(y=slice(y0, y1), x=slice(x0, x1)).data)

    def pixels(self, values: npt.NDArray[Any]) -> Pixels:
        """Return what a method is given of values that were read."""
        return Pixels(values, self.pixel_size_um, self.channels)

    @property
    def _budget(self) -> int:
        """How many pixels make a sample: fewer where there are many channels."""
        return min(SAMPLE, SAMPLE * 3 // len(self.channels))

    def sample(self, report: Report = silent) -> Pixels:
        """Return the region, or blocks from all over it side by side, those of glass left out.

        The blocks lie on a grid that is refined until some show tissue, so that a small biopsy on a
        large slide is found too. Where none does, blocks of the coarsest grid are returned as they are.
        Where there is more tissue than is looked at, what is looked at is strewn over all of the slide.
        """
        height, width = self.shape
        if height * width <= self._budget:
            return self.pixels(self.values((0, height, 0, width)))
        seen: dict[tuple[int, int], npt.NDArray[Any]] = {}
        first: list[npt.NDArray[Any]] = []
        for across in (8, 16, 32, 64, 128, 256):
            places = _strewn(list(_spread(height, width, across)))
            blocks = self._blocks([p for p in places if p not in seen], seen, report)
            first = first or blocks
            found = [seen[p] for p in sorted(seen)]
            if len(found) >= _ENOUGH or _BLOCK * across >= max(height, width):
                return self.pixels(_side_by_side(found or first))
        return self.pixels(_side_by_side([seen[p] for p in sorted(seen)] or first))

    def _blocks(
        self, places: list[tuple[int, int]], seen: dict[tuple[int, int], npt.NDArray[Any]], report: Report
    ) -> list[npt.NDArray[Any]]:
        """Read blocks until there are enough; keep those that show something in ``seen``, return some as they are."""
        some: list[npt.NDArray[Any]] = []
        most = max(self._budget // _BLOCK**2, 4)
        for start in range(0, len(places), _TOGETHER):
            if len(seen) >= most:
                break
            report(start / len(places), "looking for tissue all over the slide")
            group = places[start : start + _TOGETHER]
            for place, values in zip(group, self._several(group), strict=True):
                if len(some) < _ENOUGH:
                    some.append(values)
                if not is_glass(values) and len(seen) < most:
                    seen[place] = values
        return some

    def _several(self, places: list[tuple[int, int]]) -> list[npt.NDArray[Any]]:
        """Read blocks side by side: most of the time goes into unpacking chunks."""
        import dask.base

        together: Any = dask.base.compute  # untyped
        lazy = [self.image.isel(y=slice(y, y + _BLOCK), x=slice(x, x + _BLOCK)).data for y, x in places]
        return [np.asarray(block) for block in together(*lazy, scheduler="threads")]


def source_of(document: Document, selection: SegmentationSelection) -> Source:
    """Return the pixels that a selection names, without reading them.

    Raises
    ------
    BadInput
        When it names no image, or a channel that is not there.
    """
    names = segmented_channels(document, selection)
    image = full_resolution(document, selection.image)
    have = [str(c) for c in image.coords["c"].to_numpy()]
    y0, y1, x0, x1 = selection.region or (0, image.sizes["y"], 0, image.sizes["x"])
    whole = image.isel(y=slice(y0, y1), x=slice(x0, x1))
    chosen = whole.isel(c=[have.index(name) for name in names])
    return Source(chosen, whole, pixel_size(document, selection.image), names)


def fingerprint_of(values: npt.NDArray[Any]) -> str:
    """Return a hash of the pixels of a tile."""
    return digest(f"{values.dtype.str} {values.shape}".encode(), np.ascontiguousarray(values).view(np.uint8).data)


def _spread(height: int, width: int, across: int) -> Iterator[tuple[int, int]]:
    """Yield the first pixels of blocks on a grid of so many along the longer side, about the middle of its fields.

    They begin at multiples of a block, so that most lie in one chunk and not in four that have to be unpacked.
    """
    pitch = max(-(-max(height, width) // across), 1)
    rows, columns = (
        list(dict.fromkeys(max(min(v // _BLOCK * _BLOCK, n - _BLOCK), 0) for v in range(pitch // 2, n, pitch)))
        for n in (height, width)
    )
    for y in rows:
        for x in columns:
            yield y, x


def _strewn(places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return places in an order of which every beginning lies all over the slide: in steps of the golden ratio."""
    n = len(places)
    step = next(k for k in range(max(round(n * _GOLDEN), 1), n + 2) if math.gcd(k, n) == 1)
    return [places[i * step % n] for i in range(n)]


def _side_by_side(blocks: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return blocks as one image, nearly square; the last ones that would leave a gap are left out."""
    height, width = (max(b.shape[k] for b in blocks) for k in (1, 2))
    blocks = [b for b in blocks if b.shape[1:] == (height, width)]
    columns = int(len(blocks) ** 0.5)
    rows = len(blocks) // columns
    bands = [np.concatenate(blocks[i * columns : (i + 1) * columns], axis=2) for i in range(rows)]
    return np.concatenate(bands, axis=1)
