"""A preview of proportions, over everything: spots in a layer of their own, to look at and not to correct."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.colours import category_colours
from ..core.transform import Affine
from ..session.previewing_proportions import ProportionsPreview
from .canvas import canvas_of
from .pie_specs import draw_pies
from .pie_texture import packed
from .pies import UNKNOWN, PiesDrawn, colour_bytes
from .places import as_matrix
from .preview_layer import RowsLayer, sizes_of_rows
from .specs import Dots, Key, PointsSpec
from .state import Legend

if TYPE_CHECKING:
    from .presenter import Presenter

__all__ = ["NAME", "ProportionsLayer", "legend_of"]

NAME = "preview of proportions"
_HERE = as_matrix(Affine.translation(0.0, 0.0))


class ProportionsLayer(RowsLayer):
    """The layer of a preview of proportions."""

    def show(self, presenter: Presenter, found: ProportionsPreview, mode: str = "pies") -> None:
        """Draw a preview as pies or bars; a viewer without a window shows the dominant types."""
        self._count += 1
        selection, result = found.selection, found.result
        names = _colours(presenter, found)
        colours = colour_bytes(tuple(names[t].lower() for t in result.types), result.types, frozenset())
        sizes = sizes_of_rows(presenter, selection.table, found.where)
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
        self.put(spec)
        draw_pies(canvas_of(self._viewer), self)


def legend_of(presenter: Presenter, found: ProportionsPreview) -> Legend:
    """Return what the colours of a preview mean, the types by their mean share; it says that nothing is stored."""
    result, document = found.result, presenter.document
    names, first = _colours(presenter, found), np.bincount(result.values.argmax(1), minlength=len(result.types))
    listed = tuple((t, names[t], int(n)) for t, n in zip(result.types, first, strict=True))
    shares = tuple(float(m) for m in result.values.mean(0))
    element = document.annotated(found.selection.table)
    return Legend(element, "Preview", "categories", listed, note="nothing is stored", shares=shares)


def _colours(presenter: Presenter, found: ProportionsPreview) -> dict[str, str]:
    stored = presenter.document.colours(f"{found.selection.output}_dominant")
    return category_colours(list(found.result.types), stored)
