"""Lines over everything while a tool is used: what is selected, what is about to be cut or drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.transform import Affine
from .layers import UNITS, without_thumbnail

__all__ = ["Marks", "circle", "outline_of", "path_lines"]

NAME = "marks"
_WIDTH = 3.5
"""In pixels of the screen."""
Lines = npt.NDArray[np.float64]


class Marks:
    """One layer of lines, made when it is first needed. Not a layer of shapes, which compiles for seconds.

    Parameters
    ----------
    viewer
        A napari viewer or its model.
    name
        What the layer is called.
    """

    def __init__(self, viewer: Any, name: str = NAME) -> None:
        self._viewer, self._name = viewer, name
        self._layer: Any = None

    @property
    def lines(self) -> Lines:
        """The (n, 2, 2) starts and directions that are drawn."""
        return np.zeros((0, 2, 2)) if self._layer is None else np.asarray(self._layer.data)

    @property
    def there(self) -> bool:
        """Whether the layer is in the viewer."""
        return self._layer is not None and self._layer in self._viewer.layers

    def draw(self, *parts: tuple[Lines, Any]) -> None:
        """Draw lines, each part in its colour (a name, "#rrggbb" or four numbers), instead of those before."""
        from napari.utils.colormaps.standardize_color import transform_color

        lines = np.concatenate([p for p, _ in parts]) if parts else np.zeros((0, 2, 2))
        if not self.there:
            if not len(lines):
                return
            self._layer = self._made()
        self._layer.data = lines
        if len(lines):
            width = _WIDTH / max(float(self._viewer.scene.camera.zoom), 1e-9)
            if self._layer.edge_width != width:
                self._layer.edge_width = width
            self._layer.edge_color = np.concatenate([np.repeat(transform_color(c), len(p), axis=0) for p, c in parts])

    def clear(self) -> None:
        """Draw nothing."""
        self.draw()

    def remove(self) -> None:
        """Take the layer away."""
        if self.there:
            self._viewer.layers.remove(self._layer)
        self._layer = None

    def _made(self) -> Any:
        from napari.layers import Vectors

        active = self._viewer.layers.selection.active
        layer = Vectors(np.zeros((0, 2, 2)), ndim=2, name=self._name, vector_style="line", units=UNITS)
        without_thumbnail(layer)
        self._viewer.layers.append(layer)
        if active is not None:
            self._viewer.layers.selection.active = active
        return layer


def path_lines(points: Sequence[npt.ArrayLike] | npt.NDArray[Any], *, closed: bool = False) -> Lines:
    """Return the lines along points (k, 2)."""
    where = np.asarray(points, dtype=float).reshape(-1, 2)
    if closed and len(where):
        where = np.vstack([where, where[:1]])
    return np.stack([where[:-1], np.diff(where, axis=0)], axis=1) if len(where) > 1 else np.zeros((0, 2, 2))


def circle(centre: npt.ArrayLike, radius: float, n: int = 48) -> Lines:
    """Return the lines of a circle."""
    turn = np.linspace(0, 2 * np.pi, n, endpoint=False)
    ring = np.asarray(centre, dtype=float) + radius * np.column_stack([np.sin(turn), np.cos(turn)])
    return path_lines(ring, closed=True)


def outline_of(mask: npt.NDArray[np.bool_], offset: tuple[int, int], affine: Affine) -> Lines:
    """Return the edges of a mask's pixels, in µm.

    Parameters
    ----------
    mask
        (h, w) the cell.
    offset
        (y, x) of the mask's first pixel.
    affine
        From pixel corners to µm.
    """
    padded = np.pad(mask, 1)
    y, x = np.nonzero(padded[1:] != padded[:-1])
    flat = np.stack([np.stack([y, x - 1], 1), np.stack([y, x], 1)], axis=1)
    y, x = np.nonzero(padded[:, 1:] != padded[:, :-1])
    upright = np.stack([np.stack([y - 1, x], 1), np.stack([y, x], 1)], axis=1)
    ends = np.concatenate([flat, upright]).astype(float) + np.asarray(offset, dtype=float)
    placed = affine.apply(ends.reshape(-1, 2)).reshape(-1, 2, 2)
    return np.stack([placed[:, 0], placed[:, 1] - placed[:, 0]], axis=1)
