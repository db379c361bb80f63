"""Pies and bars drawn by the graphics card: a quad a spot, its sectors read from a texture.

Nothing is drawn by the processor: a change of proportions goes to the card as the lines of a texture that have
changed, a change of colours as a few texels, and panning or zooming as nothing but which spots are in view.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from vispy.gloo import IndexBuffer, Texture2D, VertexBuffer
from vispy.visuals import Visual

from .pie_shader import FRAGMENT, VERTEX
from .pie_texture import in_lines

__all__ = ["PieArrays", "PiesVisual"]

_SPRITE_PX = 9.0
"""Up to so many pixels across a spot is one vertex, not four: where it is cut by the edge of the canvas it may
vanish as soon as its middle does."""
_COVERED_PX = 6.0
"""Up to so many pixels across squares are not drawn: the layer below has their dominant colours."""
_EDGE_PX = 6.0
"""What is drawn beyond a spot, at most."""


@dataclass(frozen=True, eq=False)
class PieArrays:
    """What is drawn of spots.

    Parameters
    ----------
    centres
        (n, 2) as (y, x) in µm.
    diameters
        (n,) in µm; of squares their sides.
    slots
        (n, t, 4) the sectors: see `pie_texture.packed`.
    spots
        (n, 4) of 0 to 255: the dominant type, the uncertainty (0 to 250, or `UNKNOWN`), the signs, and opacity.
    colours
        (t + 1, 4) red, green, blue, alpha of 0 to 255 of the types; the last is that of no type.
    mode
        "pies", "bars" or "dominant".
    ring
        Whether the uncertainty is drawn.
    square
        Whether what is drawn are squares, as bins are.
    """

    centres: npt.NDArray[np.float64]
    diameters: npt.NDArray[np.float64]
    slots: npt.NDArray[np.uint8]
    spots: npt.NDArray[np.uint8]
    colours: npt.NDArray[np.uint8]
    mode: str = "pies"
    ring: bool = True
    square: bool = False


class PiesVisual(Visual):
    """Draws `PieArrays`; only what has changed since the last time goes to the graphics card."""

    def __init__(self) -> None:
        super().__init__(vcode=VERTEX, fcode=FRAGMENT)
        self.shown: PieArrays | None = None
        self.token: Any = None
        """What is shown, for whoever asks whether it is still right."""
        self.uploaded = 0
        """Bytes that the last change has sent to the graphics card."""
        self._textures: dict[str, Texture2D] = {}
        self._places = np.zeros((0, 3), np.float32)
        self._in_view: tuple[bool, npt.NDArray[np.int64] | None] = (False, None)
        self._index_buffer = IndexBuffer()
        self._draw_mode = "triangles"
        self.set_gl_state("translucent", depth_test=False)
        self.freeze()

    def show(self, arrays: PieArrays) -> None:
        """Draw these spots instead of those before."""
        before, self.shown, self.uploaded = self.shown, arrays, 0
        if before is None or before.centres is not arrays.centres or before.diameters is not arrays.diameters:
            self._set_places(arrays)
        self._set_texture("slots", arrays.slots, None if before is None else before.slots)
        self._set_texture("spots", arrays.spots[:, None], None if before is None else before.spots[:, None])
        if before is None or not np.array_equal(before.colours, arrays.colours):
            self._put("colours", arrays.colours[None])
            self.shared_program["u_n_colours"] = float(len(arrays.colours))
        self.shared_program["u_n_slots"] = float(arrays.slots.shape[1])
        self.shared_program["u_bars"] = float(arrays.mode == "bars")
        self.shared_program["u_dominant"] = float(arrays.mode == "dominant")
        self.shared_program["u_ring"] = float(arrays.ring)
        self.shared_program["u_square"] = float(arrays.square)
        self.update()

    def _set_places(self, arrays: PieArrays) -> None:
        n = len(arrays.centres)
        corners = np.tile(np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32), (n, 1))
        places = np.column_stack([arrays.centres[:, ::-1], arrays.diameters / 2]).astype(np.float32)
        self.shared_program["a_corner"] = VertexBuffer(corners)
        self.shared_program["a_place"] = VertexBuffer(np.repeat(places, 4, 0))
        self.shared_program["a_index"] = VertexBuffer(np.repeat(np.arange(n, dtype=np.float32), 4))
        self._places, self._in_view = places, (False, None)
        self.uploaded += corners.nbytes + 4 * places.nbytes + 16 * n

    def _set_texture(self, name: str, blocks: npt.NDArray[np.uint8], before: npt.NDArray[np.uint8] | None) -> None:
        """Send the lines of a texture that hold changed rows."""
        if before is None or before.shape != blocks.shape:
            lines, a_line = in_lines(blocks)
            self._put(name, lines)
            self.shared_program[f"u_{name}_size"] = (float(lines.shape[1]), float(lines.shape[0]), float(a_line))
            return
        if blocks is before:
            return
        changed = np.flatnonzero((blocks != before).reshape(len(blocks), -1).any(1))
        if not len(changed):
            return
        a_line = max(self._textures[name].shape[1] // blocks.shape[1], 1)
        low, high = int(changed[0]) // a_line, int(changed[-1]) // a_line + 1
        part, _ = in_lines(blocks[low * a_line : high * a_line])
        if part.shape[1] != self._textures[name].shape[1]:  # the last line alone, which is shorter
            whole = np.zeros((1, *self._textures[name].shape[1:]), np.uint8)
            whole[:, : part.shape[1]] = part
            part = whole
        self._textures[name].set_data(part, offset=(low, 0), copy=True)
        self.uploaded += part.nbytes

    def _put(self, name: str, data: npt.NDArray[np.uint8]) -> None:
        held = self._textures.get(name)
        if held is None:
            held = Texture2D(data, interpolation="nearest", internalformat="rgba8")
            self._textures[name] = self.shared_program[f"u_{name}"] = held
        else:
            held.set_data(data, copy=True)
        self.uploaded += data.nbytes

    def _prepare_transforms(self, view: Any) -> None:
        vertex = view.view_program.vert
        vertex["to_framebuffer"] = view.transforms.get_transform("visual", "framebuffer")
        vertex["to_render"] = view.transforms.get_transform("framebuffer", "render")

    def _prepare_draw(self, view: Any) -> bool | None:
        """Choose what is in view, and how it is drawn; nothing is drawn where nothing is."""
        if self.shown is None or not len(self._places):
            return False
        px, box = _view(view.transforms)
        widest = 2 * float(self._places[:, 2].max())
        if self.shown.square and widest * px <= _COVERED_PX:
            return False
        sprites = not self.shown.square and widest * px <= _SPRITE_PX
        self._choose(sprites, box + np.array([[-1.0], [1.0]]) * (0.6 * widest + _EDGE_PX / max(px, 1e-12)))
        view.view_program["u_sprite"] = float(sprites)
        self._draw_mode = "points" if sprites else "triangles"
        return None if len(self._in_view[1]) else False  # type: ignore[arg-type]  # chosen just now

    def _choose(self, sprites: bool, box: npt.NDArray[np.float64]) -> None:
        """Send the numbers of the vertices of what lies in a box, unless they are there already."""
        where = self._places[:, :2]
        seen = np.flatnonzero(((where >= box[0]) & (where <= box[1])).all(1)) if np.isfinite(box).all() else None
        rows = np.arange(len(where)) if seen is None else seen
        if self._in_view[0] == sprites and self._in_view[1] is not None and np.array_equal(self._in_view[1], rows):
            return
        self._in_view = sprites, rows
        corners = np.array([0] if sprites else [0, 1, 2, 0, 2, 3], np.uint32)
        if len(rows):
            self._index_buffer.set_data((4 * rows.astype(np.uint32)[:, None] + corners).ravel())

    def _compute_bounds(self, axis: int, view: Any) -> tuple[float, float] | None:
        if self.shown is None or axis > 1 or not len(self.shown.centres):
            return None
        along = self.shown.centres[:, 1 - axis]
        reach = float(self.shown.diameters.max()) / 2
        return float(along.min()) - reach, float(along.max()) + reach


def _view(transforms: Any) -> tuple[float, npt.NDArray[np.float64]]:
    """Return pixels a µm, and the lowest and highest (x, y) in µm that are drawn now."""
    at = transforms.get_transform("visual", "framebuffer").map(np.array([[0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0]]))
    at = at[:, :2] / at[:, 3:]
    ends = np.array([[x, y, 0.0, 1.0] for x in (-1.0, 1.0) for y in (-1.0, 1.0)])
    corners = transforms.get_transform("visual", "render").imap(ends)
    corners = corners[:, :2] / corners[:, 3:]
    return float(np.linalg.norm(at[1] - at[0])), np.stack([corners.min(0), corners.max(0)])
