"""What the hand's tools on regions share: the annotations they work on, what they snap to, and what they look like."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.regions import outlines_of, region_of
from ..session.annotating import frame_of
from .snapping import Snap, Snapper
from .tools import Place, Point, Stage, Tool

__all__ = ["DEFAULT", "LINE", "REACH", "SNAP", "RegionTool", "say_if_crossing"]

DEFAULT = "annotations"
REACH = 9.0
"""Corners, edges and the start are grasped within so many pixels of the screen."""
LINE, SNAP = "#ffe14d", "#4dd2ff"


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
        return self._snapper.nearest(um, REACH * self.pixel, but) if self.snap else Snap(um)

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


def say_if_crossing(stage: Stage, outlines: Any) -> None:
    """Say that outlines that cross themselves became more parts than were drawn."""
    parts = len(outlines_of(region_of(outlines)))
    if parts > len(outlines):
        stage.tell("warning", f"The outline crosses itself: it became {parts} parts. Undo if that is not meant.")
