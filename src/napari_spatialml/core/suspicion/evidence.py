"""What is known about the cells of a window: labels, and whatever else there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ..arrays import as_coordinates, frozen, require
from ..patch import LabelArray

__all__ = ["Evidence", "Field"]

Pair = tuple[str, str]


class Field(Protocol):
    """What a flow network says of each pixel, before any threshold."""

    @property
    def logit(self) -> npt.NDArray[np.float32]:
        """(y, x) logit of being cell."""

    @property
    def flows(self) -> npt.NDArray[np.float32]:
        """(2, y, x) flow towards the cell's middle, in y and x; about 1 long where the network is sure."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """Labels, or a window of them, and what else is known there. Only the labels are needed.

    Parameters
    ----------
    labels
        (y, x) integers; 0 is background.
    pixel_size_um
        Edge of the square pixel in µm, > 0.
    offset
        (y, x) of the window's first pixel in the whole labels.
    section
        (height, width) of the whole labels; None where the window is all of them. A cell at the
        window's rim that goes on behind it is not judged.
    image
        (c, y, x), finite, over the same window.
    channels
        One name a channel; numbered if not given.
    nuclear, membrane
        The channels with these stains. Empty takes channels named so; without one, the first channel is
        the nuclear stain and there is no membrane stain.
    histology
        Whether the image is RGB bright field; None asks the image.
    field
        A network's logit and flows over the same window; `Looks` where it was asked several times.
    second
        (y, x) labels of the same window from elsewhere, as by another method.
    nuclei
        (y, x) labels of nuclei over the same window.
    counts, genes, ids
        (n, g) transcripts of the whole section's cells, the g genes' names, and the n cells' ids.
    points, point_genes
        (k, 2) transcripts of the window as (y, x) in pixels of the whole labels, and for each its column in
        ``counts``.
    markers
        Pairs of genes that no cell expresses together; None learns them from ``counts``.

    Raises
    ------
    BadInput
        When the parts do not fit each other, or the image is not finite.
    """

    labels: LabelArray
    pixel_size_um: float = 1.0
    offset: tuple[int, int] = (0, 0)
    section: tuple[int, int] | None = None
    image: npt.NDArray[Any] | None = None
    channels: tuple[str, ...] = ()
    nuclear: str = ""
    membrane: str = ""
    histology: bool | None = None
    field: Field | None = None
    second: LabelArray | None = None
    nuclei: LabelArray | None = None
    counts: sp.csr_matrix | None = None
    genes: tuple[str, ...] = ()
    ids: npt.NDArray[Any] | None = None
    points: npt.NDArray[np.float64] | None = None
    point_genes: npt.NDArray[Any] | None = None
    markers: tuple[Pair, ...] | None = None

    def __post_init__(self) -> None:
        labels = np.asarray(self.labels)
        _require_labels(labels, "labels", labels.shape)
        require(
            bool(np.isfinite(self.pixel_size_um)) and self.pixel_size_um > 0,
            f"The pixel size is {self.pixel_size_um} µm.",
            "Give a number above 0.",
        )
        object.__setattr__(self, "labels", frozen(labels))
        for name in ("second", "nuclei"):
            if getattr(self, name) is not None:
                _require_labels(np.asarray(getattr(self, name)), name, labels.shape)
        self._check_image(labels.shape)
        self._check_field(labels.shape)
        self._check_transcripts()

    @property
    def whole(self) -> tuple[int, int]:
        """(height, width) of the whole labels."""
        return self.section or (self.labels.shape[0], self.labels.shape[1])

    def _check_image(self, shape: tuple[int, ...]) -> None:
        if self.image is None:
            return
        image = np.asarray(self.image)
        require(
            image.ndim == 3 and image.shape[1:] == shape,
            f"The image has the shape {image.shape}, the labels {shape}.",
            "Give (channels, height, width) of the same window.",
        )
        bad = int(np.count_nonzero(~np.isfinite(image))) if np.issubdtype(image.dtype, np.floating) else 0
        require(bad == 0, f"The image holds {bad} values that are NaN or infinite.", "Fill them first.")
        channels = tuple(self.channels) or tuple(str(i) for i in range(len(image)))
        require(
            len(channels) == len(image),
            f"There are {len(channels)} channel names for {len(image)} channels.",
            "Give one name a channel.",
        )
        for name in (self.nuclear, self.membrane):
            require(not name or name in channels, f"There is no channel '{name}'.", f"Choose of {', '.join(channels)}.")
        object.__setattr__(self, "image", frozen(image))
        object.__setattr__(self, "channels", channels)

    def _check_field(self, shape: tuple[int, ...]) -> None:
        if self.field is None:
            return
        probability, flows = np.asarray(self.field.logit), np.asarray(self.field.flows)
        require(
            probability.shape == shape and flows.shape == (2, *shape),
            f"The probability has the shape {probability.shape}, the flows {flows.shape}, the labels {shape}.",
            "Give the field of the same window.",
        )
        bad = int(np.count_nonzero(~np.isfinite(probability)) + np.count_nonzero(~np.isfinite(flows)))
        require(bad == 0, f"The network's field holds {bad} values that are NaN or infinite.", "Segment again.")

    def _check_transcripts(self) -> None:
        if self.counts is not None:
            n, g = self.counts.shape
            require(
                self.ids is not None and len(self.ids) == n and len(self.genes) == g,
                f"The counts have the shape {(n, g)}.",
                "Give one id a row and one gene's name a column.",
            )
        if self.points is not None:
            points = as_coordinates(self.points, "The transcripts")
            require(
                self.point_genes is not None and len(self.point_genes) == len(points),
                f"There are {len(points)} transcripts.",
                "Give the gene of each.",
            )
            object.__setattr__(self, "points", points)


def _require_labels(labels: LabelArray, what: str, shape: tuple[int, ...]) -> None:
    require(labels.ndim == 2, f"The {what} have the shape {labels.shape}.", "Give (height, width).")
    require(np.issubdtype(labels.dtype, np.integer), f"The {what} are {labels.dtype}.", "Give integers.")
    require(labels.size == 0 or int(labels.min()) >= 0, f"One of the {what} is negative.", "Use 0 for background.")
    require(labels.shape == shape, f"The {what} have the shape {labels.shape}, not {shape}.", "Give the same window.")
