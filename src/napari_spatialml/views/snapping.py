"""What a pointer snaps to: corners and edges of regions, and outlines of the cells in view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.pixel_outlines import pixel_outlines
from ..session.annotating import annotation_names, frame_of
from .correcting import pixels_in_view
from .rasters import is_pixel_grid
from .tools import Point, Stage

__all__ = ["Snap", "Snapper", "traced"]

_CELLS = 1_000_000
"""Pixels in view up to which cells' outlines are snapped to: more is no border that a hand could follow."""
_DETOUR = 2.5
"""Along a border, at most so many times as long as straight."""


@dataclass(frozen=True, eq=False)
class Snap:
    """A place on a border.

    Parameters
    ----------
    um
        (y, x) on the canvas.
    ring
        Which outline, or −1 for none.
    at
        How far along it, in corners: 2.5 is halfway from corner 2 to corner 3.
    """

    um: Point
    ring: int = -1
    at: float = 0.0


class Snapper:
    """Finds the nearest border. Outlines are gathered again when the document or the view has changed.

    Parameters
    ----------
    stage
        The presenter.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._token: Any = None
        self._rings: list[npt.NDArray[np.float64]] = []
        self._trees: list[tuple[int, Any]] = []

    def nearest(self, um: Point, reach: float, but: tuple[str, ...] = ()) -> Snap:
        """Return the corner within ``reach`` µm, else on an edge, else the place itself; regions before cells.

        Parameters
        ----------
        um
            (y, x) on the canvas.
        reach
            In µm.
        but
            Regions that are not snapped to.
        """
        import shapely

        self._gather(but)
        here = shapely.Point(um[1], um[0])
        found = [
            first + int(k)
            for first, tree in self._trees
            for k in tree.query_nearest(here, max_distance=reach, all_matches=False)
        ]
        if not found:
            return Snap(um)
        ring = found[0]
        corners = self._rings[ring]
        far = np.linalg.norm(corners - um, axis=1)
        k = int(far.argmin())
        if far[k] <= reach:
            return Snap(corners[k].copy(), ring, float(k))
        return _on_edge(corners, um, ring)

    def ring(self, number: int) -> npt.NDArray[np.float64]:
        """Return an outline, (k, 2) as (y, x), closed."""
        return self._rings[number]

    def _gather(self, but: tuple[str, ...]) -> None:
        import shapely

        document, views = self._stage.document, self._views()
        shapes = tuple((n, document.revision(("shapes", n))) for n in annotation_names(document))
        labels = tuple((n, w, document.revision(("labels", n))) for n, w in views)
        token = (shapes, labels, but, self._stage.state.coordinate_system)
        if token == self._token:
            return
        self._token = token
        regions = [r for name, _ in shapes for r in self._of_regions(name, but)]
        cells = [r for name, window in views for r in self._of_cells(name, window)]
        self._rings, self._trees = [*regions, *cells], []
        for first, rings in ((0, regions), (len(regions), cells)):
            if rings:
                self._trees.append((first, shapely.STRtree([shapely.LineString(r[:, ::-1]) for r in rings])))

    def _of_regions(self, name: str, but: tuple[str, ...]) -> list[npt.NDArray[np.float64]]:
        frame = frame_of(self._stage.document, name)
        if self._stage.state.coordinate_system not in self._stage.document.placed(name):
            return []
        place = self._stage.place_of(name)
        return _rings(frame.geometry[~frame.index.isin(but)].to_numpy(), place.affine)

    def _of_cells(self, name: str, window: tuple[int, int, int, int]) -> list[npt.NDArray[np.float64]]:
        y0, y1, x0, x1 = window
        _, outlines = pixel_outlines(self._stage.document.grid(name).read((y0, y1, x0, x1)), (y0, x0))
        return _rings(outlines, self._stage.place_of(name).affine)

    def _views(self) -> list[tuple[str, tuple[int, int, int, int]]]:
        """Return the labels of which few enough pixels are in view, and which."""
        document, stage = self._stage.document, self._stage
        made = []
        for name in document.names("labels"):
            layer = stage.canvas.layer_of(name)
            if layer is None or not layer.visible or is_pixel_grid(document, name):
                continue
            if stage.state.coordinate_system in document.placed(name):
                y0, y1, x0, x1 = pixels_in_view(stage.viewer, stage.place_of(name), document.grid(name).shape)
                if 0 < (y1 - y0) * (x1 - x0) <= _CELLS:
                    made.append((name, (int(y0), int(y1), int(x0), int(x1))))
        return made


def traced(snapper: Snapper, a: Snap, b: Snap) -> list[Point]:
    """Return the corners between two places on the same outline, the shorter way round; none where it is a detour."""
    if a.ring < 0 or a.ring != b.ring:
        return []
    corners = snapper.ring(a.ring)[:-1]
    ways = [_between(corners, a, b), _between(corners, b, a)[::-1]]
    lengths = [_length(np.array([a.um, *way, b.um])) for way in ways]
    way, length = min(zip(ways, lengths, strict=True), key=lambda pair: pair[1])
    return list(way) if length <= _DETOUR * max(float(np.linalg.norm(b.um - a.um)), 1e-9) else []


def _between(corners: npt.NDArray[np.float64], a: Snap, b: Snap) -> npt.NDArray[np.float64]:
    """Return the corners passed on the way forward from one place to the other."""
    n = len(corners)
    first = int(np.floor(a.at)) + 1
    last = b.at if b.at > a.at else b.at + n
    return corners[np.arange(first, int(np.ceil(last))) % n]


def _length(path: npt.NDArray[np.float64]) -> float:
    return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())


def _on_edge(corners: npt.NDArray[np.float64], um: Point, ring: int) -> Snap:
    a, d = corners[:-1], np.diff(corners, axis=0)
    length = np.einsum("ij,ij->i", d, d)
    t = np.clip(np.einsum("ij,ij->i", um - a, d) / np.where(length > 0, length, 1), 0, 1)
    places = a + t[:, None] * d
    k = int(np.linalg.norm(places - um, axis=1).argmin())
    return Snap(places[k], ring, k + float(t[k]))


def _rings(geometry: Any, affine: Any) -> list[npt.NDArray[np.float64]]:
    import shapely

    rings = shapely.get_rings(shapely.get_parts(np.asarray(geometry, dtype=object)))
    return [affine.apply(np.asarray(ring.coords)[:, ::-1]) for ring in rings]
