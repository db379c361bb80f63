"""The hand draws a region or cuts a hole: by clicks or in one drag. Each is one command."""

from __future__ import annotations

from typing import Any

import numpy as np

from .marks import Lines, circle, path_lines
from .region_tool import DEFAULT, LINE, REACH, SNAP, RegionTool, say_if_crossing
from .snapping import Snap, traced
from .tools import Point, Pointer, Stage

__all__ = ["DrawRegion"]

_STEP = 2.0
"""A dragged outline has a corner every so many pixels of the screen."""
_HOLE = "#ff4d6d"


class DrawRegion(RegionTool):
    """Click around a region, or drag around it; with Alt, the outline is cut out of the region under it.

    Parameters
    ----------
    stage, annotations, snap
        As for all tools on regions.
    class_name, note, annotator
        What the new region gets.
    """

    hint = (
        "Click around a region and press Enter, or hold the button and drag around it. "
        "Alt cuts a hole; Delete takes the last corner back; Esc forgets."
    )

    def __init__(
        self,
        stage: Stage,
        annotations: str = DEFAULT,
        class_name: str = "",
        note: str = "",
        annotator: str = "",
        snap: bool = True,
    ) -> None:
        super().__init__(stage, annotations, snap)
        self.class_name, self.note, self.annotator = class_name, note, annotator
        self.path: list[Point] = []
        self.hole = False
        self._clicks = 0
        self._last: Snap | None = None
        self._dragged = False

    @property
    def begun(self) -> bool:
        return bool(self.path)

    def press(self, at: Pointer) -> None:
        self._dragged = False
        if not self.path:
            self.hole = "Alt" in at.modifiers
            self._clicks = 0
        elif len(self.path) >= 3 and self._near(at.um, self.path[0]):
            self.finish()
            return
        elif self._near(at.um, self.path[-1], 3.0):
            if len(self.path) >= 3:
                self.finish()  # the second of two quick clicks
            return
        self._clicks += 1
        self._add(self.snapped(at.um))

    def move(self, at: Pointer) -> None:
        if not self.path:
            return
        if not self._near(at.um, self.path[-1], _STEP):
            self._dragged = self._dragged or not self._near(at.um, self.path[-1], 2 * _STEP)
            self._add(self.snapped(at.um))

    def release(self, at: Pointer) -> None:
        if self._dragged and self._clicks == 1 and len(self.path) >= 3:
            self.finish()  # dragged around from the first press on
        else:
            self._draw()

    def hover(self, at: Pointer) -> None:
        self._draw(self.snapped(at.um))

    def finish(self) -> None:
        """Enter, or back at the start: the outline is closed."""
        path, hole = self.path, self.hole
        if len(path) < 3:
            if path:
                self.stage.tell("info", "A region needs three corners: click once more, or hold and drag around it.")
            return
        path = [*path, *self._home()]
        self.cancel()
        outlines = [[np.round(np.array(path), 6).tolist()]]
        if hole:
            self._cut(outlines, path)
            return
        said = {"class_name": self.class_name, "note": self.note, "annotator": self.annotator}
        drawn = self.stage.correct(
            "add-annotation",
            annotations=self.annotations,
            outlines=outlines,
            system=self.system,
            beside=self.snap,
            **said,
        )
        if drawn:
            say_if_crossing(self.stage, outlines)

    def enter(self) -> None:
        self.finish()

    def cancel(self) -> None:
        self.path, self._last, self._clicks, self._dragged = [], None, 0, False
        self.stage.marks.clear()

    def delete(self) -> None:
        """Take the last corner back."""
        if self.path:
            self.path.pop()
            self._last = None
            self._draw()

    def stop(self) -> None:
        self.cancel()

    def refresh(self) -> None:
        self._last = None  # outlines may have other numbers now
        if self.path:
            self._draw()

    def zoomed(self) -> None:
        if self.path:
            self._draw()

    def _cut(self, outlines: Any, path: list[Point]) -> None:
        middle = [self.region_at(p) for p in path]
        found = max(filter(None, middle), key=middle.count, default="")
        if not found:
            self.stage.tell("info", "There is no region under the outline to cut a hole into.")
            return
        self.stage.correct(
            "cut-hole", annotations=self.annotations, region=found, outlines=outlines, system=self.system
        )

    def _near(self, a: Point, b: Point, pixels: float = REACH) -> bool:
        return float(np.linalg.norm(a - b)) <= pixels * self.pixel

    def _add(self, snap: Snap) -> None:
        if self._last is not None:
            self.path += self._along(self._last, snap, self.path)
        self.path.append(snap.um)
        self._last = snap
        self._draw()

    def _home(self) -> list[Point]:
        """Return the corners from the last place back to the first, where both lie on one border."""
        if self._last is None or not self.snap:
            return []
        first = self._snapper.nearest(self.path[0], 1e-6)
        return self._along(self._last, first, self.path[1:-1])

    def _along(self, a: Snap, b: Snap, drawn: list[Point]) -> list[Point]:
        """Return the corners between two places on one border, unless it leads back over what is drawn."""
        way = traced(self._snapper, a, b) if self.snap else []
        back = any(np.allclose(w, p, rtol=0, atol=1e-9) for w in way for p in drawn)
        return [] if back else way

    def _draw(self, under: Snap | None = None) -> None:
        colour = _HOLE if self.hole and self.path else LINE
        parts: list[tuple[Lines, str]] = []
        if self.path:
            ahead = [] if under is None else [under.um]
            parts.append((path_lines([*self.path, *ahead]), colour))
            if len(self.path) >= 3:
                parts.append((circle(self.path[0], REACH * self.pixel, 24), colour))
        if under is not None and under.ring >= 0:
            parts.append((circle(under.um, 5 * self.pixel, 16), SNAP))
        self.stage.marks.draw(*parts)
