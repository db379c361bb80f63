"""Any two layers compared in place: swipe, checkerboard and blink. Leaving it restores what was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from psygnal import Signal

from ..errors import BadInput
from .canvas import Canvas, canvas_of
from .images import FIRST_SHOWN
from .looking_clip import Divided

__all__ = ["MODES", "Comparison", "Shown", "comparable"]

MODES = {"swipe": "left-right", "swipe down": "up-down", "checkerboard": "squares", "blink": "whole"}
"""The ways to compare, and how each divides the canvas."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What can be compared with another: an element, one of its channels, or a layer that is not ours.

    Parameters
    ----------
    name
        What a person reads.
    layers
        The layers that draw it.
    """

    name: str
    layers: tuple[Any, ...]

    @property
    def pictured(self) -> bool:
        """Whether it is an image."""
        return all(is_image(layer) for layer in self.layers)


def is_image(layer: Any) -> bool:
    """Whether a layer is an image: labels are a kind of their own."""
    return type(layer).__name__ == "Image"


def comparable(canvas: Canvas) -> tuple[Shown, ...]:
    """Return all that can be compared, the uppermost first."""
    ours: dict[str, list[Any]] = {}
    channels: list[Shown] = []
    mine = set()
    for spec, layer in canvas.layers():
        mine.add(layer)
        if spec.key.element:
            scene = "" if spec.key.scene == spec.key.element else spec.key.scene
            where = f" in {scene}" if scene else " beside" if spec.key.beside and not spec.key.scene else ""
            ours.setdefault(spec.key.element + where, []).append(layer)
    for layers in ours.values():
        if len(layers) > 1 and all(is_image(layer) for layer in layers):
            channels += [Shown(layer.name, (layer,)) for layer in layers]
    whole = [Shown(name, tuple(layers)) for name, layers in reversed(ours.items())]
    foreign = [Shown(layer.name, (layer,)) for layer in reversed(canvas.viewer.layers) if layer not in mine]
    return (*whole, *channels, *foreign)


class Comparison:
    """Two of the things on the canvas, each drawn on its own side. Whoever makes it must keep it.

    Parameters
    ----------
    viewer
        A napari viewer with a window.
    canvas
        The layers of the plan.
    """

    changed: ClassVar[Signal] = Signal()
    """Emitted when the comparison begins, ends, or its line moves."""

    def __init__(self, viewer: Any, canvas: Canvas) -> None:
        self.viewer, self._layers = viewer, canvas
        self.mode, self.names = "", ("", "")
        self.fraction, self.edge_um, self.phase = 0.5, 100.0, 0
        self._canvas = canvas_of(viewer)
        self._divided = Divided(self._canvas) if self._canvas is not None else None
        self._before: dict[Any, dict[str, Any]] = {}

    @property
    def on(self) -> bool:
        """Whether two things are being compared."""
        return bool(self.mode)

    def begin(self, mode: str, first: str, second: str) -> None:
        """Compare two things.

        Parameters
        ----------
        mode
            One of `MODES`.
        first, second
            Names from `comparable`.

        Raises
        ------
        BadInput
            When there is no window, or they are not two things that are there.
        """
        if self._divided is None:
            raise BadInput("There is no canvas to divide.", "Open a window.")
        if mode not in MODES:
            raise BadInput(f"'{mode}' is no way to compare.", f"Choose one of {', '.join(MODES)}.")
        if not self._sides(first, second):
            raise BadInput(f"'{first}' and '{second}' cannot be compared.", "Choose two things that are shown.")
        if not self.on:
            self.viewer.layers.events.connect(self._on_layers)
            self._canvas._scene_canvas.events.draw.connect(self._before_draw, position="first")
        self.mode, self.names = mode, (first, second)
        self._take_sides()
        self._place()
        self._tell()

    def move(self, fraction: float) -> None:
        """Move the line to a part of the canvas's width, or height: 0 is left or above, 1 right or below."""
        self.fraction = min(max(fraction, 0.0), 1.0)
        self._place()
        self._tell()

    def squares(self, edge_um: float) -> None:
        """Give the squares of the checkerboard an edge in µm."""
        self.edge_um = max(edge_um, 1e-3)
        self._place()
        self._tell()

    def turn(self) -> None:
        """Show the other one, when they blink."""
        self.phase = 1 - self.phase
        self._place()
        self._tell()

    def end(self) -> None:
        """Draw everything as before."""
        if not self.on:
            return
        assert self._divided is not None
        self.viewer.layers.events.disconnect(self._on_layers)
        self._canvas._scene_canvas.events.draw.disconnect(self._before_draw)
        self.mode = ""
        self._divided.end()
        self._restore()
        self._tell()

    def _tell(self) -> None:
        if self._divided is not None:
            self._divided.redraw()
        self.changed.emit()

    def _sides(self, first: str, second: str) -> tuple[tuple[Any, ...], tuple[Any, ...]] | None:
        """Return the layers of either side; what both have in common belongs to the second."""
        found = {shown.name: shown.layers for shown in comparable(self._layers)}
        if first == second or first not in found or second not in found:
            return None
        left = tuple(layer for layer in found[first] if layer not in found[second])
        return (left, found[second]) if left else None

    def _take_sides(self) -> None:
        assert self._divided is not None
        sides = self._sides(*self.names)
        if sides is None:
            self.end()
            return
        self._restore(but={*sides[0], *sides[1]})
        for layer in (*sides[0], *sides[1]):
            # what cannot be seen cannot be compared, and what is half seen through is easily misjudged
            self._before.setdefault(layer, {"visible": layer.visible, "opacity": layer.opacity})
        if not any(layer.visible for layer in sides[0]):
            _seen(sides[0][:FIRST_SHOWN])
        if not any(layer.visible for layer in sides[1]):
            _seen(sides[1][:FIRST_SHOWN])
        for layer in (*sides[0], *sides[1]):
            if is_image(layer):
                layer.opacity = 1.0
        self._divided.share(*sides)

    def _restore(self, but: Iterable[Any] = ()) -> None:
        for layer in [layer for layer in self._before if layer not in but]:
            was = self._before.pop(layer)
            if layer in self.viewer.layers:
                for name, value in was.items():
                    setattr(layer, name, value)

    def _on_layers(self, event: Any) -> None:
        if getattr(event, "type", "") in ("inserted", "removed") and self.on:
            self._take_sides()

    def _before_draw(self, event: Any) -> None:
        self._divided.keep()  # type: ignore[union-attr]  # connected only while there is one
        self._place()

    def _place(self) -> None:
        """Say where the line is in µm: it stays where it is on the canvas when the view moves."""
        if not self.on or self._divided is None:
            return
        view = self._canvas.view
        across, down = view.rect.size
        there = view.scene.transform.imap([self.fraction * across, self.fraction * down, 0, 1])
        at = np.asarray(there[:2], dtype=float) / there[3]
        line = float(at[1] if self.mode == "swipe down" else at[0])
        self._divided.set(MODES[self.mode], line=line, edge=self.edge_um, phase=self.phase)


def _seen(layers: Iterable[Any]) -> None:
    for layer in layers:
        layer.visible = True
