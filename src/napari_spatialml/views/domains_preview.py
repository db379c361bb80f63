"""A preview of domains, over everything: rows in a layer of their own, to look at and not to correct."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.colours import category_colours
from ..core.transform import Affine
from ..session.previewing_domains import DomainsPreview
from .places import as_matrix
from .preview_layer import RowsLayer, sizes_of_rows
from .specs import Dots, Key, PointsSpec
from .state import Legend

if TYPE_CHECKING:
    from .presenter import Presenter

__all__ = ["NAME", "DomainsLayer", "legend_of"]

NAME = "preview of domains"
_HERE = as_matrix(Affine.translation(0.0, 0.0))


class DomainsLayer(RowsLayer):
    """The layer of a preview of domains."""

    def show(self, presenter: Presenter, found: DomainsPreview) -> None:
        """Draw a preview: each row as a disc in the colour of its domain."""
        self._count += 1
        colours = _colours(presenter, found)
        table = np.array([_rgba(colours[name]) for name in found.names], np.float32)
        sizes = sizes_of_rows(presenter, found.selection.table, found.where)
        dots = Dots(found.where, table[found.codes], sizes, found.shown)
        self.put(PointsSpec(Key(""), NAME, (self._count,), lambda: dots, _HERE, 90, opacity=0.95))


def legend_of(presenter: Presenter, found: DomainsPreview) -> Legend:
    """Return what the colours of a preview mean; it says that nothing is stored."""
    colours = _colours(presenter, found)
    counts = np.bincount(found.codes[found.shown], minlength=len(found.names))
    listed = tuple((name, colours[name], int(n)) for name, n in zip(found.names, counts, strict=True))
    element = presenter.document.annotated(found.selection.table)
    return Legend(element, "Preview", "categories", listed, note="nothing is stored")


def _colours(presenter: Presenter, found: DomainsPreview) -> dict[str, str]:
    held = presenter.document.table(found.selection.table).obs.get(found.selection.column)
    names = [str(c) for c in held.cat.categories] if hasattr(held, "cat") else []
    known = [*names, *(n for n in found.names if n not in names)]  # those of today keep their colours
    return category_colours(known, presenter.document.colours(found.selection.column))


def _rgba(colour: str) -> tuple[float, float, float, float]:
    r, g, b = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return r, g, b, 1.0
