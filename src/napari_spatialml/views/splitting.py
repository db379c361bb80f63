"""Splitting a cell: a line across it, and while it is drawn, the two parts that it would make."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import SpatialMLError
from ..session import Document
from .cell_tools import CHOSEN, CellTool
from .marks import Lines, outline_of, path_lines
from .tools import Point, Pointer, Stage

__all__ = ["WAYS", "Split", "ways_of"]

WAYS = {
    "straight": "Straight",
    "watershed": "By shape",
    "membrane": "Membrane",
    "transcripts": "Transcripts",
}
"""The ways to split, and their words."""
OTHER = "#4dd2ff"


def ways_of(document: Document) -> tuple[str, ...]:
    """Return the ways to split for which the section has what they need."""
    there = {"membrane": bool(document.names("images")), "transcripts": bool(document.names("points"))}
    return tuple(way for way in WAYS if there.get(way, True))


class Split(CellTool):
    """Drag a line across a cell: it is cut in two, along the line or guided by it."""

    hint = "Drag a line across a cell. The colours are the two parts; let go to cut, Esc to leave it whole."

    def __init__(self, stage: Stage, labels: str = "", how: str = "") -> None:
        super().__init__(stage, labels)
        self.path: list[Point] = []
        self._how = how

    @property
    def how(self) -> str:
        """The way to split."""
        return self._how or self.stage.hand.how

    @property
    def begun(self) -> bool:
        return bool(self.path)

    def press(self, at: Pointer) -> None:
        self.path = [at.um]

    def move(self, at: Pointer) -> None:
        if not self.path or np.array_equal(self.path[-1], at.um):
            return
        self.path.append(at.um)
        self.pace(self._preview)

    def release(self, at: Pointer) -> None:
        path, self.path = [*self.path, at.um], []
        self.pace.forget()
        self.stage.marks.clear()
        if len(path) < 2:
            return
        line = self.place.own(np.array(path))
        cell = self._most_crossed(line)
        if cell == 0:
            self.stage.tell("info", "The line crosses no cell. Drag it across one, from background to background.")
            return
        self.stage.correct("split-cell", **self._arguments(cell, line))

    def cancel(self) -> None:
        self.path = []
        self.pace.forget()
        self.stage.marks.clear()

    def again(self) -> None:
        """Take the next way to split."""
        ways = ways_of(self.stage.document)
        at = ways.index(self.how) if self.how in ways else -1
        self._how = ""
        self.stage.hold(how=ways[(at + 1) % len(ways)])
        self.stage.say(f"{WAYS[self.how]}. {self.hint}")

    def held(self) -> None:
        if self.path:
            self.pace(self._preview)

    def _arguments(self, cell: int, line: Point) -> dict[str, Any]:
        hand = self.stage.hand
        found = {"labels": self.labels, "cell": cell, "line": np.round(line, 2).tolist(), "how": self.how}
        if self.how == "membrane":
            found |= {"image": hand.image, "channel": hand.channel}
        elif self.how == "transcripts":
            found |= {"points": hand.points}
        return {**found, "window": self.box_of([cell])}

    def _preview(self) -> None:
        """Show the two parts; where there are none yet, the line alone."""
        if len(self.path) < 2:
            return
        drawn = (path_lines(self.path), "#ffffff")
        try:
            self.stage.marks.draw(drawn, *self._parts())
        except SpatialMLError:  # not across yet; letting go says what is wrong
            self.stage.marks.draw(drawn)

    def _parts(self) -> tuple[tuple[Lines, str], ...]:
        from ..session.corrections.cells import split_patch

        line = self.place.own(np.array(self.path))
        cell = self._most_crossed(line)
        if cell == 0:
            return ()
        document, arguments = self.stage.document, self._arguments(cell, line)
        new = document.grid(self.labels).maximum() + 1
        patch = split_patch(document, **arguments, new_id=new)
        y0, y1, x0, x1 = arguments["window"]
        values = np.array(self.seen()[y0:y1, x0:x1])
        (y, x), (h, w) = patch.offset, patch.new.shape
        values[y - y0 : y - y0 + h, x - x0 : x - x0 + w] = patch.new
        affine = self.place.affine
        return tuple((outline_of(values == part, (y0, x0), affine), c) for part, c in ((cell, CHOSEN), (new, OTHER)))

    def _most_crossed(self, line: Point) -> int:
        """Return the cell on which most of the line lies."""
        pieces = [np.linspace(a, b, max(int(4 * np.linalg.norm(b - a)), 2)) for a, b in pairwise(line)]
        steps = np.concatenate(pieces)
        y0, y1, x0, x1 = self.readable()
        at = np.floor(steps).astype(np.int64)
        at = at[((at >= (y0, x0)) & (at < (y1, x1))).all(axis=1)]
        if not len(at):
            return 0
        (top, left), (bottom, right) = at.min(0), at.max(0) + 1
        under = np.asarray(self.seen()[top:bottom, left:right])[at[:, 0] - top, at[:, 1] - left]
        ids, n = np.unique(under[under > 0], return_counts=True)
        return int(ids[n.argmax()]) if len(ids) else 0
