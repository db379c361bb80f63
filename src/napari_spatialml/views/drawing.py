"""Drawing a cell: around it with the button down, point by point, or as in Cellpose after a right-click."""

from __future__ import annotations

from typing import Literal

import numpy as np

from .cell_tools import CHOSEN, CellTool
from .marks import Lines, circle, path_lines
from .tools import Point, Pointer, Stage

__all__ = ["Draw"]

_FAR = 3.0
"""An outline closes where it comes back to its start, once it was so many times as far away."""


class Draw(CellTool):
    """Draw around a cell that was missed: it is added.

    With the left button down, the outline ends where it returns to its start or the button comes up. A
    click begins a polygon, which the next clicks continue, and a double click, Enter or a click on its
    start ends. A right click begins an outline that follows the mouse, and ends as a drag does or with
    the next click.
    """

    hint = "Drag around a cell that was missed; or click point by point, and double-click to end."

    def __init__(self, stage: Stage, labels: str = "") -> None:
        super().__init__(stage, labels)
        self.path: list[Point] = []
        self.way: Literal["", "drag", "points", "trail"] = ""
        self._reach = 0.0

    @property
    def begun(self) -> bool:
        return bool(self.path)

    def press(self, at: Pointer) -> None:
        if self.way == "":
            self.path, self._reach = [at.um], 0.0
            self.way = "trail" if at.button == 2 else "drag"
            if self.way == "trail":
                self.stage.say("Move around the cell, without holding; come back to the start, or click, to end.")
        elif self.way == "trail":
            self._close()

    def move(self, at: Pointer) -> None:
        if self.path and self.way in ("drag", "points"):
            self._follow(at)

    def hover(self, at: Pointer) -> None:
        super().hover(at)
        if self.way == "trail":
            self._follow(at)
        elif self.way == "points":
            self._draw([*self.path, at.um])

    def release(self, at: Pointer) -> None:
        if self.way == "drag" and len(self.path) and self._is_click(at):
            self.way, self.path = "points", [at.um]
            self._draw(self.path)
            self.stage.say("Click the next point. Double-click, Enter or a click on the start ends; Delete takes back.")
        elif self.way == "drag":
            self._follow(at)
            if self.way:  # not closed by coming back
                self._close()
        elif self.way == "points" and self._is_at_start(at) and len(self.path) > 2:
            self._close()
        elif self.way == "points":
            self._add(at)
            self._draw(self.path)

    def double(self, at: Pointer) -> None:
        if self.way == "points":
            self._close()
        else:
            super().double(at)

    def finish(self) -> None:
        if self.way:
            self._close()

    def delete(self) -> None:
        if self.way != "points":
            super().delete()
        elif len(self.path) > 1:
            self.path.pop()
            self._draw(self.path)
        else:
            self.cancel()

    def cancel(self) -> None:
        self.path, self.way = [], ""
        self.stage.marks.clear()
        self.stage.say(self.hint)

    def _follow(self, at: Pointer) -> None:
        """Go on with the outline; end it where it has come back to its start."""
        self._add(at)
        self._reach = max(self._reach, float(np.linalg.norm(at.um - self.path[0])))
        if self._reach > _FAR * self.near_um and self._is_at_start(at) and len(self.path) > 3 and self._encloses():
            self._close()
        else:
            self._draw(self.path)

    def _add(self, at: Pointer) -> None:
        if not np.array_equal(self.path[-1], at.um):
            self.path.append(at.um)

    def _draw(self, path: list[Point]) -> None:
        # the line, what would close it, and where it began
        closing: Lines = path_lines([path[-1], path[0]])
        parts = [(path_lines(path), CHOSEN), (circle(self.path[0], self.near_um), CHOSEN)]
        if len(path) > 2:
            parts.append((closing, "#ffffff"))
        self.stage.marks.draw(*parts)

    def _close(self) -> None:
        outline = self.place.own(np.array(self.path))
        self.cancel()
        if len(outline) < 3 or float(np.ptp(outline, axis=0).min()) < 1:
            self.stage.tell("info", "The outline holds nothing: drag around the cell, or click at least three points.")
            return
        self.take(np.round(outline, 2).tolist())

    def take(self, outline: list[list[float]]) -> None:
        """Make the command of an outline in pixels of the labels."""
        self.stage.correct("draw-cell", labels=self.labels, outline=outline)

    def _is_click(self, at: Pointer) -> bool:
        return float(np.ptp([*self.path, at.um], axis=0).max()) < self.near_um

    def _is_at_start(self, at: Pointer) -> bool:
        return float(np.linalg.norm(at.um - self.path[0])) <= self.near_um

    def _encloses(self) -> bool:
        """Whether the outline goes around something, rather than out and back along one line."""
        y, x = (np.array(self.path) - self.path[0]).T
        area = 0.5 * abs(float(np.dot(y, np.roll(x, -1)) - np.dot(x, np.roll(y, -1))))
        return area > self.near_um**2
