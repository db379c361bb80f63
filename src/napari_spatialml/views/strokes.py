"""From what was painted on a napari layer to a command, and from the document back to the layer.

napari says when something was painted, never what. So the layer is compared with the document.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.patch import Patch, diff
from ..session import Document

__all__ = ["Buffer"]


class Buffer:
    """An array in memory that is painted on: a window of a labels element in a napari Labels layer.

    Parameters
    ----------
    labels
        The element.
    layer
        The napari layer; its data are the window's pixels.
    offset
        (y, x) of the window in the element.
    """

    def __init__(self, labels: str, layer: Any, offset: tuple[int, int] = (0, 0)) -> None:
        self.labels, self.layer, self.offset = labels, layer, offset

    def stroke(self, document: Document) -> Patch | None:
        """Return what the layer holds that the document does not, or None."""
        if self.labels not in document.names("labels"):
            return None
        held = self._held(document)
        painted = np.asarray(self.layer.data)
        if held.shape != painted.shape:
            return None  # the element was replaced by one of another size, and so will be the layer
        return diff(held, painted, self.offset)

    def sync(self, document: Document) -> bool:
        """Make the layer show the document; return whether it did not before."""
        patch = self.stroke(document)
        if patch is None:
            return False
        rows, columns = np.nonzero(patch.old != patch.new)
        at = (rows + patch.offset[0] - self.offset[0], columns + patch.offset[1] - self.offset[1])
        # napari then redraws these pixels only, not the whole layer
        self.layer.data_setitem(at, patch.old[rows, columns])
        return True

    def _held(self, document: Document) -> Any:
        (y, x), (h, w) = self.offset, self.layer.data.shape
        return document.grid(self.labels).read((y, y + h, x, x + w))
