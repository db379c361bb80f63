"""Segmentation: pixels in, one label a cell out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .arrays import frozen, require
from .method import Method
from .patch import Sides
from .report import Report, silent

__all__ = ["Masks", "OnSlide", "Pixels", "Segmenter"]


@dataclass(frozen=True)
class Pixels:
    """An image, or a window of one.

    Parameters
    ----------
    values
        (c, y, x), any real dtype, finite. RGB histology has three channels, R first.
    pixel_size_um
        Edge of the square pixel in micrometres, > 0.
    channels
        One name a channel; numbered if not given.
    """

    values: npt.NDArray[Any]
    pixel_size_um: float = 1.0
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        require(values.ndim == 3, f"The image has the shape {values.shape}.", "Give (channels, height, width).")
        require(values.size > 0, f"The image is empty: its shape is {values.shape}.", "Choose another image or region.")
        if np.issubdtype(values.dtype, np.floating):
            require(bool(np.isfinite(values).all()), "The image holds NaN or infinite values.", "Fill them first.")
        require(
            bool(np.isfinite(self.pixel_size_um)) and self.pixel_size_um > 0,
            f"The pixel size is {self.pixel_size_um} µm.",
            "Give a number above 0.",
        )
        channels = tuple(self.channels) or tuple(str(i) for i in range(len(values)))
        require(
            len(channels) == len(values),
            f"There are {len(channels)} channel names for {len(values)} channels.",
            "Give one name a channel.",
        )
        object.__setattr__(self, "values", frozen(values))
        object.__setattr__(self, "channels", channels)

    @property
    def opaque(self) -> Pixels:
        """The image without its alpha: the fourth 8-bit channel where it is named so, or says "opaque" everywhere."""
        if len(self.values) != 4 or self.values.dtype != np.uint8:
            return self
        if self.channels[3].lower() in ("a", "alpha") or self.values[3].min() == 255:
            return Pixels(self.values[:3], self.pixel_size_um, self.channels[:3])
        return self

    @property
    def is_histology(self) -> bool:
        """Whether this is a bright-field RGB image: three 8-bit channels whose background is light."""
        return len(self.values) == 3 and self.values.dtype == np.uint8 and float(np.median(self.values)) > 110


@dataclass(frozen=True)
class Masks:
    """The cells found.

    Parameters
    ----------
    labels
        (y, x) int32; 0 is background; each positive number is one cell.
    scores
        (n,) confidence of the cells in ascending order of label, or None.
    """

    labels: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        labels = np.asarray(self.labels)
        require(labels.ndim == 2, f"The labels have the shape {labels.shape}.", "Give (height, width).")
        require(np.issubdtype(labels.dtype, np.integer), f"The labels are {labels.dtype}.", "Give integers.")
        require(labels.size == 0 or int(labels.min()) >= 0, "A label is negative.", "Use 0 for background.")
        object.__setattr__(self, "labels", frozen(labels.astype(np.int32, copy=False)))
        if self.scores is not None:
            scores = np.asarray(self.scores, dtype=np.float64)
            n = len(np.unique(labels[labels > 0]))
            require(scores.shape == (n,), f"There are {scores.size} scores for {n} cells.", "Give one score a cell.")
            object.__setattr__(self, "scores", frozen(scores))


@dataclass(frozen=True)
class OnSlide:
    """A method made ready for the tiles of one slide: what it reads off an image as a whole is fixed.

    Parameters
    ----------
    segment
        Called with a tile's pixels and a report.
    diameter
        Typical diameter of a cell in pixels; 0 where it is to be measured.
    reach
        No pixel further away than this changes what is said of a pixel.
    align
        Tiles begin at multiples of this many pixels, so that they are cut as the whole would be.
    edge
        Pixels along a tile that suit the method and the device; 0 leaves it to the caller.
    fixed
        What was fixed, in words, for the record.
    within
        Where it saves work: like ``segment``, called with the pixels at each side of the tile that are looked
        at and of which nothing need be said, before the report. Its masks are smaller by them.
    """

    segment: Callable[[Pixels, Report], Masks]
    diameter: float = 0.0
    reach: int = 0
    align: int = 1
    edge: int = 0
    fixed: str = ""
    within: Callable[[Pixels, Sides, Report], Masks] | None = None


class Segmenter(Method):
    """Base class of segmentation methods."""

    kind: ClassVar[str] = "segmentation"

    @abstractmethod
    def __call__(self, pixels: Pixels, report: Report = silent) -> Masks:
        """Find the cells (or nuclei) in an image."""

    def on_slide(self, sample: Pixels, report: Report = silent) -> OnSlide:
        """Return this method with everything fixed that depends on the image as a whole.

        Here the values of every tile are scaled by the slide's limits before the method sees them, and
        8-bit histology is left as it is; methods that can do better override this.

        Parameters
        ----------
        sample
            The whole image, or pieces of it side by side, chosen from all over the slide.
        report
            Told how far it is.
        """
        from .flow_input import limits_of, scaled

        if sample.is_histology:
            return OnSlide(self, fixed="values as they are")
        limits = limits_of(sample.values)

        def segment(pixels: Pixels, report: Report = silent) -> Masks:
            return self(replace(pixels, values=scaled(pixels.values, limits, dark_nuclei=False)), report)

        return OnSlide(segment, fixed=f"values scaled by the slide's limits {_words(limits)}")


def _words(limits: tuple[tuple[float, float], ...]) -> str:
    return ", ".join(f"{low:g} to {high:g}" for low, high in limits)
