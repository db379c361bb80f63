"""The hand chooses regions, and moves, adds and removes their corners. Each gesture is one command."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.regions import outlines_of
from ..session.annotating import is_annotations
from .marks import Lines, circle, path_lines
from .region_tool import DEFAULT, LINE, REACH, SNAP, RegionTool, say_if_crossing
from .snapping import Snap
from .tools import Point, Pointer, Stage

__all__ = ["EditRegion"]


class EditRegion(RegionTool):
    """Choose regions, move their corners, add and remove corners."""

    hint = (
        "Click a region to choose it, with Shift several. Drag a corner to move it; Alt-click a corner to remove it, "
        "an edge to add one. Delete takes the chosen regions away."
    )

    def __init__(self, stage: Stage, annotations: str = DEFAULT, snap: bool = True) -> None:
        super().__init__(stage, annotations, snap)
        self.held: Point | None = None
        self._to: Snap | None = None

    @property
    def alive(self) -> bool:
        return is_annotations(self.stage.document, self.annotations)

    @property
    def regions(self) -> tuple[str, ...]:
        """The chosen regions."""
        frame = self.frame
        return () if frame is None else tuple(r for r in self.stage.state.regions if r in frame.index)

    @property
    def begun(self) -> bool:
        return bool(self.regions)

    def start(self) -> None:
        self._mark()

    def stop(self) -> None:
        self.held = None
        self.stage.marks.clear()

    def press(self, at: Pointer) -> None:
        self.held, self._to = self._corner(at.um), None
        if self.held is not None and "Alt" in at.modifiers:
            self._without(self.held)
            self.held = None
        elif self.held is None and "Alt" in at.modifiers:
            self._with(at.um)
        elif self.held is None:
            self._choose(self.region_at(at.um), "Shift" in at.modifiers)

    def move(self, at: Pointer) -> None:
        if self.held is not None:
            self._to = self.snapped(at.um, self.regions)
            self._mark()

    def release(self, at: Pointer) -> None:
        held, to = self.held, self._to
        self.held = self._to = None
        if held is not None and to is not None and np.linalg.norm(to.um - held) > self.pixel:
            ends = {"from_um": held.tolist(), "to_um": np.round(to.um, 6).tolist()}
            self.stage.correct(
                "move-vertex", annotations=self.annotations, region=self.regions[0], system=self.system, **ends
            )
        self._mark()

    def refresh(self) -> None:
        self._mark()

    def zoomed(self) -> None:
        self._mark()

    def cancel(self) -> None:
        self.held = None
        self.stage.show(regions=())
        self._mark()

    def delete(self) -> None:
        if self.regions:
            self.stage.correct("delete-annotation", annotations=self.annotations, regions=list(self.regions))

    def _choose(self, region: str, more: bool) -> None:
        chosen = self.regions
        if not more:
            chosen = (region,) if region else ()
        elif region:
            chosen = tuple(r for r in chosen if r != region) if region in chosen else (*chosen, region)
        if chosen != self.stage.state.regions:
            self.stage.show(regions=chosen)
        self._mark()

    def _outlines(self) -> list[list[Point]]:
        """Return the outlines of the one chosen region on the canvas; nothing where several are chosen."""
        if len(self.regions) != 1:
            return []
        parts = outlines_of(self.frame.geometry[self.regions[0]])
        return [[self.place.affine.apply(np.array(ring)) for ring in part] for part in parts]

    def _corner(self, um: Point) -> Point | None:
        best: tuple[float, Point] | None = None
        for corners in (ring for part in self._outlines() for ring in part):
            far = np.linalg.norm(corners - um, axis=1)
            k = int(far.argmin())
            if far[k] <= REACH * self.pixel and (best is None or far[k] < best[0]):
                best = (float(far[k]), corners[k])
        return None if best is None else best[1]

    def _without(self, corner: Point) -> None:
        made = [[r[:-1][~(r[:-1] == corner).all(axis=1)].tolist() for r in part] for part in self._outlines()]
        if any(len(ring) < 3 for part in made for ring in part):
            self.stage.tell("info", "Three corners are the least. Delete the region instead.")
            return
        self._reshape(made)

    def _with(self, um: Point) -> None:
        best: tuple[float, int, int, int] | None = None
        outlines = self._outlines()
        for p, part in enumerate(outlines):
            for r, ring in enumerate(part):
                d = np.diff(ring, axis=0)
                length = np.maximum(np.einsum("ij,ij->i", d, d), 1e-12)
                t = np.clip(np.einsum("ij,ij->i", um - ring[:-1], d) / length, 0, 1)
                far = np.linalg.norm(ring[:-1] + t[:, None] * d - um, axis=1)
                k = int(far.argmin())
                if far[k] <= REACH * self.pixel and (best is None or far[k] < best[0]):
                    best = (float(far[k]), p, r, k + 1)
        if best is None:
            return
        _, p, r, k = best
        made = [[ring.tolist() for ring in part] for part in outlines]
        made[p][r].insert(k, np.round(um, 6).tolist())
        self._reshape(made)

    def _reshape(self, outlines: list[list[Any]]) -> None:
        drawn = self.stage.correct(
            "edit-annotation",
            annotations=self.annotations,
            region=self.regions[0],
            outlines=outlines,
            system=self.system,
        )
        if drawn:
            say_if_crossing(self.stage, outlines)

    def _mark(self) -> None:
        handles = [_handle(c, 3.5 * self.pixel) for part in self._outlines() for ring in part for c in ring[:-1]]
        parts = [(np.concatenate(handles), LINE)] if handles else []
        if self.held is not None and self._to is not None:
            parts.append((path_lines([self.held, self._to.um]), LINE))
            parts.append((circle(self._to.um, 5 * self.pixel, 16), SNAP if self._to.ring >= 0 else LINE))
        self.stage.marks.draw(*parts)


def _handle(at: Point, size: float) -> Lines:
    corners = [at + np.array(d) * size for d in ((-1, -1), (-1, 1), (1, 1), (1, -1))]
    return path_lines(corners, closed=True)
