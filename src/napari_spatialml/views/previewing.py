"""The outlines of a preview, over everything: a picture, for it is looked at and not corrected."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.transform import Affine
from .layers import make_layer
from .places import as_matrix
from .specs import Key, RasterSpec

__all__ = ["NAME", "PreviewLayer", "edges_of"]

NAME = "preview"
_CELLS, _AROUND = "#ffd400", "#4dd2ff"
Edges = npt.NDArray[np.uint8]


def edges_of(labels: npt.NDArray[Any], around: npt.NDArray[Any] | None = None, width: int = 1) -> Edges:
    """Return 1 on the innermost pixels along each cell's border, 2 along what it is expanded to, 0 elsewhere.

    Parameters
    ----------
    labels
        (h, w) the cells.
    around
        (h, w) the cells with what they are expanded by.
    width
        Of the lines, in pixels.
    """
    edges = np.zeros(labels.shape, np.uint8)
    if around is not None:
        edges[_border(around, width)] = 2
    edges[_border(labels, width)] = 1
    return edges


def _border(labels: npt.NDArray[Any], width: int) -> npt.NDArray[np.bool_]:
    from scipy.ndimage import binary_dilation

    border = np.zeros(labels.shape, bool)
    for low, high in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        differ = labels[low] != labels[high]
        border[low] |= differ
        border[high] |= differ
    border &= labels != 0
    if width > 1:
        border = np.asarray(binary_dilation(border, np.ones((3, 3), bool), iterations=width // 2))
    return border


class PreviewLayer:
    """One layer for the outlines of a preview; made when it is first shown, gone when it is not.

    Parameters
    ----------
    viewer
        A napari viewer or its model.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._layer: Any = None

    @property
    def shown(self) -> bool:
        """Whether it is among the viewer's layers; a person may have taken it away."""
        return self._layer is not None and self._layer in self._viewer.layers

    def show(self, edges: Edges, affine: Affine, offset: tuple[int, int]) -> None:
        """Show outlines.

        Parameters
        ----------
        edges
            (h, w) from `edges_of`.
        affine
            From the image's pixel corners to µm on the canvas.
        offset
            (y, x) of the first pixel in the image.
        """
        place = as_matrix(affine @ Affine.translation(offset[0] + 0.5, offset[1] + 0.5))
        if not self.shown:
            self._layer = self._made(edges, place)
            return
        # in this order no picture is ever drawn in the place of another
        self._layer.visible = False
        self._layer.data, self._layer.affine = edges, np.asarray(place)
        self._layer.visible = True

    def remove(self) -> None:
        """Take it away."""
        if self.shown:
            self._viewer.layers.remove(self._layer)
        self._layer = None

    def _made(self, edges: Edges, place: Any) -> Any:
        below = self._viewer.layers[-1] if len(self._viewer.layers) else None
        active = self._viewer.layers.selection.active or below  # a preview is nothing to paint on
        colours = (_CELLS, _AROUND)
        layer = make_layer(RasterSpec(Key(""), NAME, NAME, lambda: edges, place, opacity=0.9, colours=colours))
        self._viewer.layers.append(layer)
        if active is not None:
            self._viewer.layers.selection.active = active
        return layer
