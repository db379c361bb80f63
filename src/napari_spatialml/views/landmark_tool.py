"""Landmarks by hand: a click on either side adds a pair, a drag moves a point, Alt and a click deletes a pair."""

from __future__ import annotations

import numpy as np

from ..errors import BadInput
from .landmark_specs import landmark_key, pairs_of
from .marks import Lines, circle, path_lines
from .tools import Point, Pointer, Stage, Tool

__all__ = ["Landmark"]

_REACH = 12.0
"""A point is grasped within so many pixels of the screen."""
_PENDING = "#ffe14d"


class Landmark(Tool):
    """Place pairs of landmarks on two sections that lie side by side.

    Parameters
    ----------
    stage
        The presenter.
    landmarks
        The set of landmarks; it is made with the first pair.
    model
        The transform whose misses are drawn: "similarity" or "affine".
    """

    def __init__(self, stage: Stage, landmarks: str, model: str = "similarity") -> None:
        super().__init__(stage)
        self.landmarks, self.model = landmarks, model
        self.pending: tuple[int, Point] | None = None
        self.held: tuple[int, int] | None = None
        self._pressed: Point | None = None
        self._under: Point | None = None

    def start(self) -> None:
        document, state = self.stage.document, self.stage.state
        known = document.attribute("landmarks", {}).get(self.landmarks)
        moving = known["moving"] if known else (state.beside or self.landmarks)
        fixed = known["fixed"] if known else state.coordinate_system
        if moving not in document.coordinate_systems():
            have = ", ".join(document.coordinate_systems())
            raise BadInput(f"There is no coordinate system '{moving}'.", f"Choose what to register: {have}.")
        self.systems = (fixed, moving)
        self._before = {"coordinate_system": state.coordinate_system, "beside": state.beside, "landmarks": ""}
        self.stage.show(coordinate_system=fixed, beside=moving, landmarks=self.landmarks, model=self.model)
        self._say()

    def stop(self) -> None:
        self.pending = self.held = None
        self.stage.show(**self._before)

    def press(self, at: Pointer) -> None:
        self._pressed = at.um
        self.held = self._grasped(at.um)

    def move(self, at: Pointer) -> None:
        if self.held is None:
            return
        side, number = self.held
        layer = self.stage.canvas.layer(landmark_key(side == 1))
        if layer is not None:
            moved = np.array(layer.data)
            moved[number] = self._own(side, at.um)
            layer.data = moved
            layer.editable = False

    def release(self, at: Pointer) -> None:
        held, self.held = self.held, None
        if held is not None and "Alt" in at.modifiers:
            self._forget(held[1])
        elif held is not None:
            self._moved(held, at)
        elif "Alt" not in at.modifiers:
            self._clicked(at.um)
        self._mark()
        self._say()

    def refresh(self) -> None:
        self._mark()

    def cancel(self) -> None:
        self.pending = None
        self._mark()
        self._say()

    def hover(self, at: Pointer) -> None:
        self._under = at.um

    def delete(self) -> None:
        """Delete the pair under the mouse."""
        found = None if self._under is None else self._grasped(self._under)
        if found is not None:
            self._forget(found[1])

    def _forget(self, number: int) -> None:
        self.stage.correct("delete-landmark", landmarks=self.landmarks, number=number + 1)

    def _moved(self, held: tuple[int, int], at: Pointer) -> None:
        side, number = held
        if self._pressed is not None and np.linalg.norm(at.um - self._pressed) < 2 / self._zoom:
            return  # only clicked
        to = [round(float(v), 3) for v in self._own(side, at.um)]
        name = ("fixed", "moving")[side]
        arguments = {"landmarks": self.landmarks, "number": number + 1, "side": name, "to_um": to}
        self.stage.correct("move-landmark", **arguments)

    def _clicked(self, um: Point) -> None:
        side = self._side(um)
        if self.pending is None or self.pending[0] == side:
            self.pending = (side, um)
            return
        points = {self.pending[0]: self.pending[1], side: um}
        fixed, moving = ([round(float(v), 3) for v in self._own(s, points[s])] for s in (0, 1))
        self.pending = None
        added = {"landmarks": self.landmarks, "fixed_um": fixed, "moving_um": moving, "fixed": self.systems[0]}
        self.stage.correct("add-landmark", **added)

    @property
    def _zoom(self) -> float:
        return max(float(self.stage.viewer.scene.camera.zoom), 1e-9)

    def _side(self, um: Point) -> int:
        """Which section a canvas position belongs to: 0 is fixed, 1 is moving."""
        return 0 if um[1] < self.stage.boundary else 1

    def _own(self, side: int, um: Point) -> Point:
        return np.asarray(um - np.asarray(self.stage.offset) if side == 1 else um, dtype=float)

    def _grasped(self, um: Point) -> tuple[int, int] | None:
        """Return (side, number) of the landmark under a canvas position."""
        best: tuple[float, tuple[int, int]] | None = None
        for side, points in enumerate(pairs_of(self.stage.document, self.landmarks)):
            if not len(points):
                continue
            far = np.linalg.norm(points - self._own(side, um), axis=1)
            n = int(far.argmin())
            if far[n] <= _REACH / self._zoom and (best is None or far[n] < best[0]):
                best = (float(far[n]), (side, n))
        return best[1] if best else None

    def _mark(self) -> None:
        if self.pending is None:
            self.stage.marks.clear()
            return
        self.stage.marks.draw((_cross(self.pending[1], _REACH / self._zoom), _PENDING))

    def _say(self) -> None:
        n = len(pairs_of(self.stage.document, self.landmarks)[0])
        if self.pending is not None:
            other = self.systems[1 - self.pending[0]]
            self.stage.say(f"Now click the same place in '{other}'. Esc forgets the first click.")
        else:
            self.stage.say(
                f"Click a place on either side for landmark {n + 1}. "
                "Drag to move a landmark; Alt-click or the Delete key removes it."
            )


def _cross(at: Point, size: float) -> Lines:
    arms = [path_lines([at - d, at + d]) for d in (np.array([size, 0.0]), np.array([0.0, size]))]
    return np.concatenate([*arms, circle(at, size * 0.7)])
