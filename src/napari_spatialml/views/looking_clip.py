"""A division of the canvas: what is drawn of a layer is cut by a line or by squares, on the graphics card.

Nothing is computed again when the line moves: one number goes to the card.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vispy.visuals.filters import Filter
from vispy.visuals.shaders import Varying

__all__ = ["WAYS", "Clip", "Divided"]

_VERTEX = "void divide() { $v_position = gl_Position; }"
_FRAGMENT = """
void divide() {
    vec4 um = $to_um($v_position);
    vec2 at = um.xy / um.w;
    float side = $phase;
    if ($way < 0.5) {
        side = step($line, at.x);
    } else if ($way < 1.5) {
        side = step($line, at.y);
    } else if ($way < 2.5) {
        vec2 square = floor(at / $edge);
        side = mod(square.x + square.y, 2.0);
    }
    if (abs(side - $mine) > 0.5) discard;
}
"""
WAYS = ("left-right", "up-down", "squares", "whole")
"""How a canvas can be divided."""


class Clip(Filter):
    """Draws a layer only on its side of a division.

    Parameters
    ----------
    side
        0: left of the line, above it, or on every other square; 1: the rest.
    """

    def __init__(self, side: int) -> None:
        super().__init__(vcode=_VERTEX, vhook="post", vpos=2, fcode=_FRAGMENT, fhook="pre", fpos=2)
        varying = Varying("v_divided", "vec4")
        self.vshader["v_position"] = varying
        self.fshader["v_position"] = varying
        self.fshader["mine"] = float(side)
        self.set(0.0, 0.0, 1.0, 0.0)

    def set(self, way: float, line: float, edge: float, phase: float) -> None:
        """Say how the canvas is divided: see `Divided.set`."""
        for name, value in (("way", way), ("line", line), ("edge", edge), ("phase", phase)):
            self.fshader[name] = float(value)

    def _attach(self, visual: Any) -> None:
        super()._attach(visual)
        self.fshader["to_um"] = visual.get_transform("render", "scene")


class Divided:
    """Two groups of layers, each drawn on its own side only.

    Parameters
    ----------
    canvas
        napari's canvas of vispy.
    """

    def __init__(self, canvas: Any) -> None:
        self._canvas = canvas
        self._sides: dict[Any, int] = {}
        self._held: dict[Any, list[tuple[Any, Clip]]] = {}
        self._now = (0.0, 0.0, 1.0, 0.0)

    def share(self, first: Iterable[Any], second: Iterable[Any]) -> None:
        """Take these layers apart, and no others."""
        sides = {layer: 0 for layer in first} | {layer: 1 for layer in second}
        for layer in [layer for layer in self._held if self._sides[layer] != sides.get(layer)]:
            self._let_go(layer)
        self._sides = sides
        self.keep()

    def set(self, way: str, *, line: float = 0.0, edge: float = 1.0, phase: int = 0) -> None:
        """Say where each side is.

        Parameters
        ----------
        way
            One of `WAYS`.
        line
            x in µm of a line "left-right" of which the sides lie, or y of one "up-down".
        edge
            Of the squares, in µm.
        phase
            The side that is drawn when only one is ("whole").
        """
        now = (float(WAYS.index(way)), line, edge, float(phase))
        if now != self._now:
            self._now = now
            for held in self._held.values():
                for _, clip in held:
                    clip.set(*now)

    def keep(self) -> None:
        """Follow napari where it draws a layer by other visuals than before."""
        for layer, side in self._sides.items():
            visual = self._canvas.layer_to_visual.get(layer)
            if visual is None:
                self._held.pop(layer, None)
                continue
            drawn = _drawn_by(visual.node)
            if drawn != [part for part, _ in self._held.get(layer, [])]:
                self._let_go(layer)
                self._held[layer] = [(part, self._cut(part, side)) for part in drawn]

    def redraw(self) -> None:
        """Ask for a new frame."""
        self._canvas._scene_canvas.update()

    def end(self) -> None:
        """Draw all layers whole again."""
        for layer in list(self._held):
            self._let_go(layer)
        self._sides = {}

    def _cut(self, part: Any, side: int) -> Clip:
        clip = Clip(side)
        clip.set(*self._now)
        part.attach(clip)
        return clip

    def _let_go(self, layer: Any) -> None:
        for part, clip in self._held.pop(layer, []):
            part.detach(clip)


def _drawn_by(node: Any) -> list[Any]:
    """Return the visuals that draw: those of which a node is made, or itself."""
    parts = getattr(node, "_subvisuals", None)
    return [node] if parts is None else [visual for part in parts for visual in _drawn_by(part)]
