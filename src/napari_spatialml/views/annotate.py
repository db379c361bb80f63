"""The hand on regions: draw one, cut a hole, move a corner, choose. Each gesture is one command."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.regions import outlines_of, region_of
from ..session.annotating import frame_of, is_annotations
from .marks import Lines, circle, path_lines
from .snapping import Snap, Snapper, traced
from .tools import Place, Point, Pointer, Stage, Tool

__all__ = ["DrawRegion", "EditRegion"]

DEFAULT = "annotations"
_REACH = 9.0
"""Corners, edges and the start are grasped within so many pixels of the screen."""
_STEP = 2.0
"""A dragged outline has a corner every so many pixels of the screen."""
_LINE, _HOLE, _SNAP = "#ffe14d", "#ff4d6d", "#4dd2ff"


class RegionTool(Tool):
    """What the tools on regions share: the annotations they work on, and what they snap to.

    Parameters
    ----------
    stage
        The presenter.
    annotations
        The element; it is made with the first region.
    snap
        Whether borders are shared with neighbours.
    """

    def __init__(self, stage: Stage, annotations: str = DEFAULT, snap: bool = True) -> None:
        super().__init__(stage)
        self.annotations, self.snap = annotations, snap
        self._snapper = Snapper(stage)

    @property
    def system(self) -> str:
        """Where regions are drawn."""
        return self.stage.state.coordinate_system

    @property
    def pixel(self) -> float:
        """A pixel of the screen in µm."""
        return 1.0 / max(float(self.stage.viewer.scene.camera.zoom), 1e-9)

    @property
    def frame(self) -> Any:
        """The regions, or None."""
        return frame_of(self.stage.document, self.annotations)

    @property
    def place(self) -> Place:
        """Where the regions are drawn."""
        return self.stage.place_of(self.annotations)

    def snapped(self, um: Point, but: tuple[str, ...] = ()) -> Snap:
        """Return the border within reach, or the place itself."""
        return self._snapper.nearest(um, _REACH * self.pixel, but) if self.snap else Snap(um)

    def region_at(self, um: Point) -> str:
        """Return the smallest region that holds a place, or ""."""
        import shapely

        frame = self.frame
        if frame is None or self.system not in self.stage.document.placed(self.annotations):
            return ""
        (y, x) = self.place.own(um)[0]
        geometry = frame.geometry.to_numpy()
        held = np.flatnonzero(shapely.contains_xy(geometry, x, y))
        if not len(held):
            return ""
        return str(frame.index[held[shapely.area(geometry[held]).argmin()]])


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
            _say_if_crossing(self.stage, outlines)

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

    def _near(self, a: Point, b: Point, pixels: float = _REACH) -> bool:
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
        colour = _HOLE if self.hole and self.path else _LINE
        parts: list[tuple[Lines, str]] = []
        if self.path:
            ahead = [] if under is None else [under.um]
            parts.append((path_lines([*self.path, *ahead]), colour))
            if len(self.path) >= 3:
                parts.append((circle(self.path[0], _REACH * self.pixel, 24), colour))
        if under is not None and under.ring >= 0:
            parts.append((circle(under.um, 5 * self.pixel, 16), _SNAP))
        self.stage.marks.draw(*parts)


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
            if far[k] <= _REACH * self.pixel and (best is None or far[k] < best[0]):
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
                if far[k] <= _REACH * self.pixel and (best is None or far[k] < best[0]):
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
            _say_if_crossing(self.stage, outlines)

    def _mark(self) -> None:
        handles = [_handle(c, 3.5 * self.pixel) for part in self._outlines() for ring in part for c in ring[:-1]]
        parts = [(np.concatenate(handles), _LINE)] if handles else []
        if self.held is not None and self._to is not None:
            parts.append((path_lines([self.held, self._to.um]), _LINE))
            parts.append((circle(self._to.um, 5 * self.pixel, 16), _SNAP if self._to.ring >= 0 else _LINE))
        self.stage.marks.draw(*parts)


def _say_if_crossing(stage: Stage, outlines: Any) -> None:
    """Say that outlines that cross themselves became more parts than were drawn."""
    parts = len(outlines_of(region_of(outlines)))
    if parts > len(outlines):
        stage.tell("warning", f"The outline crosses itself: it became {parts} parts. Undo if that is not meant.")


def _handle(at: Point, size: float) -> Lines:
    corners = [at + np.array(d) * size for d in ((-1, -1), (-1, 1), (1, 1), (1, -1))]
    return path_lines(corners, closed=True)
