"""A preview of proportions, over everything: spots in a layer of their own, to look at and not to correct."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..core.colours import category_colours
from ..core.transform import Affine
from ..io.document import neighbour_distance
from ..session.previewing_proportions import ProportionsPreview
from .canvas import canvas_of
from .layers import make_layer, update_layer
from .pie_specs import draw_pies
from .pie_texture import packed
from .pies import UNKNOWN, PiesDrawn, colour_bytes
from .places import as_matrix
from .specs import Dots, Key, PointsSpec
from .spots import is_circles, placed_spots
from .state import Legend

if TYPE_CHECKING:
    from .presenter import Presenter

__all__ = ["NAME", "ProportionsLayer", "legend_of"]

NAME = "preview of proportions"
_OF_SPACING = 0.8
"""The width of a row that is no circle, as a share of the distance to its neighbour."""
_HERE = as_matrix(Affine.translation(0.0, 0.0))
Array = npt.NDArray[np.float64]


class ProportionsLayer:
    """One layer for a preview; made when it is first shown, gone when it is not.

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

    def show(self, presenter: Presenter, found: ProportionsPreview, mode: str = "pies") -> None:
        """Draw a preview as pies or bars; a viewer without a window shows the dominant types."""
        self._count += 1
        selection, result = found.selection, found.result
        names = _colours(presenter, found)
        colours = colour_bytes(tuple(names[t].lower() for t in result.types), result.types, frozenset(), "")
        sizes = _sizes(presenter, selection.table, found.where)
        first = result.values.argmax(1)
        signs = np.zeros((len(first), 4), np.uint8)
        signs[:, 0], signs[:, 1], signs[:, 3] = first, UNKNOWN, 255
        slots = packed(result.values, len(result.types))

        def arrays() -> Any:
            from .pie_visual import PieArrays

            return PieArrays(found.where, sizes, slots, signs, np.ascontiguousarray(colours), mode, False)

        dots = Dots(found.where, (colours[first] / 255).astype(np.float32), sizes, np.ones(len(first), bool))
        token = (self._count, mode)
        drawn = PiesDrawn(token, arrays)
        spec = PointsSpec(Key(""), NAME, token, lambda: dots, _HERE, 90, opacity=0.95, pies=drawn)
        self._put(spec)
        draw_pies(canvas_of(self._viewer), self)

    def remove(self) -> None:
        """Take it away."""
        if self.shown:
            self._layer.selected_data = set()  # napari draws what is selected once more after it is gone
            self._viewer.layers.remove(self._layer)
        self._layer = self._spec = None

    def _put(self, spec: PointsSpec) -> None:
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


def legend_of(presenter: Presenter, found: ProportionsPreview) -> Legend:
    """Return what the colours of a preview mean, the types by their mean share; it says that nothing is stored."""
    result, document = found.result, presenter.document
    names, first = _colours(presenter, found), np.bincount(result.values.argmax(1), minlength=len(result.types))
    listed = tuple((t, names[t], int(n)) for t, n in zip(result.types, first, strict=True))
    shares = tuple(float(m) for m in result.values.mean(0))
    element = document.annotated(found.selection.table)
    return Legend(element, "Preview", "categories", listed, note="nothing is stored", shares=shares)


def _colours(presenter: Presenter, found: ProportionsPreview) -> dict[str, str]:
    stored = presenter.document.attribute("colours", {}).get(f"{found.selection.output}_dominant", {})
    return category_colours(list(found.result.types), stored)


def _sizes(presenter: Presenter, table: str, where: Array) -> Array:
    """Return (n,) diameters in µm: those of the spots; of other rows, a part of the distance between them."""
    document, system = presenter.document, presenter.state.coordinate_system
    element = document.annotated(table)
    if element and is_circles(document, element):
        _, diameters = placed_spots(document, element, system, presenter.memory)
        if len(diameters) == len(where):
            return np.full(len(where), float(np.median(diameters)))
    return np.full(len(where), _OF_SPACING * (neighbour_distance(where) or 10.0))
