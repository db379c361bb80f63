"""The moving side over the fixed one, bent by any transform while a landmark is dragged.

Not an image that is resampled: a mesh of the moving side's own pixels, whose corners alone are moved. A moved
landmark moves some thousands of corners and no pixel, in either direction of zoom, and the transform is applied
as it is, never inverted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.transform import Affine, Transform
from .layers import ELEMENT, UNITS
from .memory import Memory
from .overlay_picture import LONGEST, Picture, drawn_specs, edges_of, picture_of, transparent_glass

__all__ = ["NAME", "Overlay", "mesh_of", "still"]

NAME = "moving, as it lies now"
CELLS = 72
"""Squares of the mesh along the longer side: a bend is followed within a thousandth of what is in view."""
_WHILE_DRAGGING = 40
_SHARPER = 1.6
"""A finer picture is read when a pixel of the picture covers more than so many of the screen."""
Points = npt.NDArray[np.float64]
Mesh = tuple[Points, npt.NDArray[np.int64], npt.NDArray[np.float32]]


class Overlay:
    """One layer of an element as a transform lays it. Whoever makes it must keep it.

    Parameters
    ----------
    stage
        The presenter.
    name
        What the layer is called.
    """

    def __init__(self, stage: Any, name: str = NAME) -> None:
        self._stage, self.name = stage, name
        self.layer: Any = None
        self.element, self.system, self.look = "", "", "picture"
        self.transform: Transform = Affine.identity()
        self._picture: Picture | None = None
        self._whole: Picture | None = None
        self._mesh: Mesh | None = None
        self._cells = 0
        self._opacity, self.longest = 0.55, LONGEST
        self.later: Callable[[Callable[[], Any], Callable[[Any], None]], Any] | None = None
        """Runs a function beside the window and hands on what it returns; without it, pictures are read at once."""

    @property
    def on(self) -> bool:
        """Whether something is drawn."""
        return self.layer is not None and self.layer in self._stage.viewer.layers

    @property
    def opacity(self) -> float:
        """How much of the fixed side the moving one hides, 0 to 1."""
        return self._opacity

    @opacity.setter
    def opacity(self, value: float) -> None:
        self._opacity = min(max(float(value), 0.0), 1.0)
        if self.on:
            self.layer.opacity = self._shown_opacity

    def show(self, element: str, system: str, transform: Transform, look: str = "picture") -> bool:
        """Draw an element of the moving side where a transform lays it; return whether there is anything to draw.

        Parameters
        ----------
        element
            An image, labels or circles.
        system
            Its coordinate system, the moving one.
        transform
            From there to the fixed one, in µm.
        look
            "picture", in which the glass is clear; "whole", with its glass; or "edges": its contours alone.
        """
        changed = (element, system, look) != (self.element, self.system, self.look)
        self.element, self.system, self.look, self.transform = element, system, look, transform
        if changed or self._picture is None or not self.on:
            self._whole = self._picture = self._read(None)
            self._mesh = None
        if self._picture is None:
            self.hide()
            return False
        self._draw(CELLS)
        self.layer.opacity = self._shown_opacity
        return True

    def move(self, transform: Transform, *, dragging: bool = False) -> None:
        """Lay the same picture elsewhere; while dragging, on a coarser mesh."""
        self.transform = transform
        if not self.on or self._picture is None:
            return
        if dragging:
            with still(self._stage.viewer, self.layer):
                self._draw(_WHILE_DRAGGING)
        else:
            self._draw(CELLS)

    def hide(self) -> None:
        """Take the layer away."""
        if self.on:
            self._stage.viewer.layers.remove(self.layer)
        self.layer, self._picture, self._whole, self._mesh = None, None, None, None

    def sharpen(self) -> None:
        """Read what is in view as finely as the screen shows it, where the picture is coarser."""
        if not self.on or self._whole is None or self._picture is None or self._mesh is None:
            return
        zoom = max(float(self._stage.viewer.scene.camera.zoom), 1e-9)
        box = self._box_in_view()
        if box is None:
            return
        if self._whole.pixel_um * zoom <= _SHARPER:
            self._take(self._whole)
        elif not _covers(self._picture, box) or self._picture.pixel_um * zoom > _SHARPER:
            wanted, asked = box, (self.element, self.system, self.look)
            if self.later is None:
                self._take(self._read(wanted))
            else:
                self.later(lambda: self._read(wanted), lambda made: self._take(made, asked))

    @property
    def _shown_opacity(self) -> float:
        return self._opacity if self.look == "picture" else 1.0

    def _read(self, box: Points | None) -> Picture | None:
        stage = self._stage
        specs = drawn_specs(stage.document, stage.state, Memory(), self.element, self.system)
        found = picture_of(specs, box, self.longest)
        if found is None:
            return None
        if self.look == "edges":
            return edges_of(found)
        photograph = self.look == "picture" and any(getattr(s, "rgb", False) for s in specs)
        return transparent_glass(found) if photograph else found

    def _take(self, picture: Picture | None, asked: tuple[str, str, str] | None = None) -> None:
        if asked is not None and asked != (self.element, self.system, self.look):
            return  # something else is shown by now
        if picture is not None and picture is not self._picture and self.on:
            self._picture, self._mesh = picture, None
            self._draw(CELLS)

    def _draw(self, cells: int) -> None:
        assert self._picture is not None
        rigid = isinstance(self.transform, Affine)
        cells = 1 if rigid else cells
        fresh = self._mesh is None or cells != self._cells
        if fresh:
            self._mesh, self._cells = mesh_of(self._picture, cells), cells
        assert self._mesh is not None
        where, faces, corners = self._mesh
        moved = self.transform.apply(where)
        if not self.on:
            self._make(moved, faces, corners)
        elif fresh:
            with self.layer.events.blocker_all():
                self.layer.texcoords, self.layer.texture = corners, self._picture.rgba
            self.layer.data = (moved, faces)
        else:
            self.layer.vertices = moved

    def _make(self, moved: Points, faces: npt.NDArray[np.int64], corners: npt.NDArray[np.float32]) -> None:
        from napari.layers import Surface

        assert self._picture is not None
        layers = self._stage.viewer.layers
        active = layers.selection.active
        # the values of the corners are 1 in a map whose end is white: the texture shows as it is
        self.layer = Surface(
            (moved, faces), texture=self._picture.rgba, texcoords=corners, colormap="gray", contrast_limits=(0.0, 1.0),
            shading="none", name=self.name, opacity=self._shown_opacity, blending="translucent_no_depth", units=UNITS,
            metadata={ELEMENT: ""},
        )  # fmt: skip
        layers.insert(self._place(), self.layer)
        if active is not None and active in layers:
            layers.selection.active = active

    def _place(self) -> int:
        """Above all images, below points and lines."""
        layers = self._stage.viewer.layers
        raised = [i for i, layer in enumerate(layers) if type(layer).__name__ in ("Points", "Vectors")]
        return raised[0] if raised else len(layers)

    def _box_in_view(self) -> Points | None:
        """Return the part of the moving side that is in view, (2, 2) in µm of its own."""
        assert self._whole is not None
        viewer = self._stage.viewer
        centre = np.asarray(viewer.scene.camera.center, dtype=float)[-2:]
        half = np.asarray(viewer.canvas.size, dtype=float) / max(float(viewer.scene.camera.zoom), 1e-9) / 2
        where, _, _ = mesh_of(self._whole, CELLS)
        there = self.transform.apply(where)
        step = np.asarray(self._whole.rgba.shape[:2]) / CELLS * self._whole.pixel_um
        seen = (np.abs(there - centre) <= half + step).all(1)
        if not seen.any():
            return None
        found = where[seen]
        margin = 0.15 * np.ptp(found, axis=0) + step
        low, high = _corners(self._whole)
        return np.asarray(np.clip(np.stack([found.min(0) - margin, found.max(0) + margin]), low, high))


@contextmanager
def still(viewer: Any, *layers: Any) -> Iterator[None]:
    """Change the data of layers without napari measuring the scene: it would read every other layer anew."""
    with ExitStack() as held:
        for layer in layers:
            held.enter_context(layer.events.data.blocker(viewer._on_layers_change))
        yield


def mesh_of(picture: Picture, cells: int) -> Mesh:
    """Return the corners (n, 2) of a picture's mesh in µm of the moving side, its triangles, and where the corners
    lie in the texture, as (x, y) from its lower left."""
    h, w = picture.rgba.shape[:2]
    rows = max(1, round(cells * h / max(h, w)))
    columns = max(1, round(cells * w / max(h, w)))
    y, x = np.meshgrid(np.linspace(0, 1, rows + 1), np.linspace(0, 1, columns + 1), indexing="ij")
    share = np.stack([y.ravel(), x.ravel()], 1)
    corners = np.stack([share[:, 1], 1 - share[:, 0]], 1).astype(np.float32)
    at = np.arange(share.shape[0]).reshape(rows + 1, columns + 1)
    a, b, c, d = (part.ravel() for part in (at[:-1, :-1], at[:-1, 1:], at[1:, :-1], at[1:, 1:]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)])
    return picture.affine.apply(share * [h, w]), faces, corners


def _corners(picture: Picture) -> tuple[Points, Points]:
    """Return the lowest and highest (y, x) of a picture in µm of the moving side."""
    h, w = picture.rgba.shape[:2]
    corners = picture.affine.apply(np.array([[0.0, 0.0], [0.0, w], [h, 0.0], [h, w]]))
    return corners.min(0), corners.max(0)


def _covers(picture: Picture, box: Points) -> bool:
    """Whether a picture covers a box but for its margin."""
    (low, high), spare = _corners(picture), 0.13 * np.ptp(box, axis=0)
    return bool((low <= box[0] + spare).all() and (high >= box[1] - spare).all())
