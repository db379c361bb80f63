"""One layer over everything for what is to be looked at and not stored: made when first shown, then gone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..io.document import neighbour_distance
from .layers import make_layer, update_layer
from .specs import PointsSpec
from .spots import is_circles, placed_spots

if TYPE_CHECKING:
    from .presenter import Presenter

__all__ = ["RowsLayer", "sizes_of_rows"]

_OF_SPACING = 0.8
"""The width of a row that is no circle, as a share of the distance to its neighbour."""
Array = npt.NDArray[np.float64]


class RowsLayer:
    """One layer of points for a preview.

    Parameters
    ----------
    viewer
        A napari viewer or its model.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._layer: Any = None
        self._spec: PointsSpec | None = None
        self._count = 0

    @property
    def shown(self) -> bool:
        """Whether it is among the viewer's layers; a person may have taken it away."""
        return self._layer is not None and self._layer in self._viewer.layers

    def layers(self) -> Iterable[tuple[PointsSpec, Any]]:
        """Return what is drawn, as the canvas does."""
        return [(self._spec, self._layer)] if self._spec is not None and self.shown else []

    def put(self, spec: PointsSpec) -> None:
        """Draw points over everything; what is worked on stays the active layer."""
        self._spec = spec
        if self.shown:
            update_layer(self._layer, spec, frozenset({"token"}))
            return
        below = self._viewer.layers[-1] if len(self._viewer.layers) else None
        active = self._viewer.layers.selection.active or below  # a preview is nothing to work on
        self._layer = make_layer(spec)
        self._viewer.layers.append(self._layer)
        if active is not None:
            self._viewer.layers.selection.active = active

    def remove(self) -> None:
        """Take it away."""
        if self.shown:
            self._layer.selected_data = set()  # napari draws what is selected once more after it is gone
            self._viewer.layers.remove(self._layer)
        self._layer = self._spec = None


def sizes_of_rows(presenter: Presenter, table: str, where: Array) -> Array:
    """Return (n,) diameters in µm: those of the spots; of other rows, a part of the distance between them."""
    document, system = presenter.document, presenter.state.coordinate_system
    element = document.annotated(table)
    if element and is_circles(document, element):
        _, diameters = placed_spots(document, element, system, presenter.memory)
        if len(diameters) == len(where):
            return np.full(len(where), float(np.median(diameters)))
    return np.full(len(where), _OF_SPACING * (neighbour_distance(where) or 10.0))
