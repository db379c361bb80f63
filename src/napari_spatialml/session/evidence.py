"""What speaks for or against cells, read from the document window by window."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from ..core.assignment import moved
from ..core.patch import Window
from ..core.report import Report, silent
from ..core.segmentation import Pixels
from ..errors import DocumentError, MissingDependency
from ..methods import method, methods
from .cells import table_name
from .document import GLOBAL, Document
from .gather import full_resolution, pixel_size
from .transcript_index import points_with_genes
from .transcripts import index_of

__all__ = ["EvidenceReader", "Sources", "networks", "nuclei_for", "offset_of", "sources_of", "windows_of"]

_KEPT = 16_000_000
"""Pixels of which is remembered what a network says, so that what was corrected is scored again at once."""
_FIELDS: WeakKeyDictionary[Document, OrderedDict[tuple[Any, ...], Any]] = WeakKeyDictionary()
CORE = 2048
"""Pixels along a window; it is read with a margin, so that cells at its edge are seen whole."""
MARGIN = 192


@dataclass(frozen=True)
class Sources:
    """Which elements tell about the cells.

    Parameters
    ----------
    labels
        The cells.
    image
        An image of the same pixels, or "".
    nuclei
        Other labels of the same pixels that show nuclei, or "".
    points
        Transcripts, or "".
    network
        A segmentation method that says of every pixel of the image how sure it is (see `networks`), or "".
    """

    labels: str
    image: str = ""
    nuclei: str = ""
    points: str = ""
    network: str = ""


def networks() -> tuple[str, ...]:
    """Return the segmentation methods that say of every pixel how sure they are, and that run here as they are."""
    found = []
    for name, cls in methods("segmentation").items():
        if getattr(cls, "comes_along", False):
            try:
                cls.check_installed()
            except MissingDependency:
                continue
            found.append(name)
    return tuple(found)


def sources_of(document: Document, labels: str) -> Sources:
    """Return what the section has that tells about cells: as the segmentation says, else what fits."""
    about = document.attribute("segmentations", {}).get(labels, {})
    images = [n for n in document.names("images") if offset_of(document, labels, n) is not None]
    image = about["image"] if about.get("image") in images else next(iter(images), "")
    points = ""
    if GLOBAL in document.placed(labels):
        found = points_with_genes(document)
        points = about["transcripts"] if about.get("transcripts") in found else next(iter(found), "")
    return Sources(labels, image, next(iter(nuclei_for(document, labels)), ""), points)


def nuclei_for(document: Document, labels: str) -> tuple[str, ...]:
    """Return the labels that may show the nuclei of cells: other ones, of the same pixels, called so."""
    if "nucle" in labels.lower():
        return ()
    others = (n for n in document.names("labels") if n != labels and "nucle" in n.lower())
    return tuple(n for n in others if offset_of(document, labels, n) == (0, 0))


def offset_of(document: Document, labels: str, element: str) -> tuple[int, int] | None:
    """Return where the labels' first pixel lies among an element's pixels; None where they are not the same pixels."""
    for system in document.placed(labels):
        if system in document.placed(element):
            to_pixels = document.affine(element, system).inverse() @ document.affine(labels, system)
            linear, shift = to_pixels.matrix[:2, :2], to_pixels.matrix[:2, 2]
            extent = max(document.grid(labels).shape)
            whole = np.rint(shift)
            if np.abs(linear - np.eye(2)).max() * extent < 0.5 and np.abs(shift - whole).max() < 0.25:
                return int(whole[0]), int(whole[1])
    return None


def windows_of(shape: tuple[int, int], core: int = CORE, margin: int = MARGIN) -> Iterator[tuple[Window, Window]]:
    """Yield each window of the labels, without and with its margin; together those without cover all, once."""
    height, width = shape
    for y in range(0, height, core):
        for x in range(0, width, core):
            inner = (y, min(y + core, height), x, min(x + core, width))
            yield inner, grown(inner, margin, shape)


def grown(window: Window, by: int, shape: tuple[int, int]) -> Window:
    """Return a window enlarged on all sides, within the labels."""
    y0, y1, x0, x1 = window
    return max(y0 - by, 0), min(y1 + by, shape[0]), max(x0 - by, 0), min(x1 + by, shape[1])


class EvidenceReader:
    """Reads windows of all that tells about cells. May be called on any thread.

    Parameters
    ----------
    document
        The document; its pixels are read when a window is asked for.
    sources
        What to read.

    Raises
    ------
    DocumentError
        When one of the elements is not there, or does not fit.
    """

    def __init__(self, document: Document, sources: Sources) -> None:
        self.document, self.sources = document, sources
        self.grid = document.grid(sources.labels)
        self.pixel_size_um = pixel_size(document, sources.labels)
        self._image, self._shift, self.channels = self._found_image()
        self._nuclei = document.grid(sources.nuclei) if sources.nuclei else None
        self._counts = self._found_counts()

    def __call__(self, window: Window, report: Report = silent) -> Any:
        """Return the evidence of a window; ``report`` is told how far the network is."""
        nuclei = None if self._nuclei is None else self._nuclei.read(window)
        return replace(self.looks(window, report), nuclei=nuclei, **self._counts, **self._near(window))

    def looks(self, window: Window, report: Report = silent) -> Any:
        """Return of the evidence of a window what can be seen: labels, image and what the network says."""
        from ..core.suspicion import Evidence

        pixels = self.pixels(window)
        return Evidence(
            labels=self.grid.read(window),
            pixel_size_um=self.pixel_size_um,
            offset=(window[0], window[2]),
            section=self.grid.shape,
            image=pixels,
            field=self._field(window, pixels, report),
            channels=self.channels,
        )

    def pixels(self, window: Window) -> npt.NDArray[Any] | None:
        """Return the image of a window, (c, y, x); beyond its border it goes on as it ends."""
        if self._image is None:
            return None
        (y0, y1, x0, x1), (dy, dx) = window, self._shift
        h, w = self._image.sizes["y"], self._image.sizes["x"]
        low, high = (max(y0 + dy, 0), max(x0 + dx, 0)), (min(y1 + dy, h), min(x1 + dx, w))
        if high[0] <= low[0] or high[1] <= low[1]:
            return None
        part = np.asarray(self._image.isel(y=slice(low[0], high[0]), x=slice(low[1], high[1])).data)
        beyond = [(0, 0), (low[0] - y0 - dy, y1 + dy - high[0]), (low[1] - x0 - dx, x1 + dx - high[1])]
        return np.pad(part, beyond, mode="edge") if any(any(b) for b in beyond) else part

    def _field(self, window: Window, pixels: npt.NDArray[Any] | None, report: Report) -> Any:
        """Return what the network says at several looks at a window, from a larger one where that is still known."""
        if not self.sources.network or pixels is None:
            return None
        kept = _FIELDS.setdefault(self.document, OrderedDict())
        revision = self.document.revision(("images", self.sources.image))
        key = (self.sources.network, self.sources.image, self.sources.labels, revision)
        y0, y1, x0, x1 = window
        for held, field in kept.items():
            (a, b, c, d), same = held[-1], held[:-1] == key
            if same and a <= y0 and y1 <= b and c <= x0 and x1 <= d:
                return field.window(y0 - a, y1 - a, x0 - c, x1 - c)
        from ..core.suspicion import asked

        made: Any = method("segmentation", self.sources.network)()
        field = asked(made, Pixels(pixels, self.pixel_size_um, self.channels), report)
        kept[(*key, window)] = field
        while len(kept) > 1 and sum(f.logit.size for f in kept.values()) > _KEPT:
            kept.popitem(last=False)
        return field

    def _found_image(self) -> tuple[Any, tuple[int, int], tuple[str, ...]]:
        name = self.sources.image
        if not name:
            return None, (0, 0), ()
        shift = offset_of(self.document, self.sources.labels, name)
        if shift is None:
            raise DocumentError(
                f"The image '{name}' does not have the pixels of '{self.sources.labels}'.",
                "Choose the image that was segmented, or none.",
            )
        image = full_resolution(self.document, name)
        return image, shift, tuple(str(c) for c in image.coords["c"].to_numpy())

    def _found_counts(self) -> dict[str, Any]:
        """Return the counts, genes and cells of the table that counts transcripts; its own one first."""
        labels = self.sources.labels
        for name in sorted(self.document.tables_of(labels), key=lambda n: n != table_name(labels)):
            table, instances = self.document.table(name), self.document.instances(name)
            if sp.issparse(table.X) and instances.dtype.kind in "iu":
                rows = self.document.rows(name, labels)
                values = sp.csr_matrix(table.X if len(rows) == table.n_obs else table.X[rows])
                return {"counts": values, "genes": tuple(map(str, table.var_names)), "ids": instances[rows]}
        return {}

    def _near(self, window: Window) -> dict[str, Any]:
        """Return the transcripts of a window: where they lie, in pixels of the whole labels, and their genes."""
        if not self.sources.points:
            return {}
        index = index_of(self.document, self.sources.points)
        y0, y1, x0, x1 = window
        to_um = self.document.affine(self.sources.labels, GLOBAL)
        corners = moved(to_um.matrix, np.array([[y0, x0], [y0, x1], [y1, x0], [y1, x1]], float))
        (a, b), (c, d) = corners.min(0), corners.max(0)
        own, codes = index.near(a, c, b, d)
        where = moved((to_um.inverse() @ index.to_um).matrix, own)
        columns = pd.Index(self._counts.get("genes", index.genes)).get_indexer(pd.Index(index.genes))[codes]
        y, x = where.T
        inside = (y >= y0) & (y < y1) & (x >= x0) & (x < x1) & (columns >= 0)
        return {"points": where[inside], "point_genes": columns[inside].astype(np.int64)}
