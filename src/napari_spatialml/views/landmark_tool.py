"""Landmarks by hand, on two sides that lie beside each other, or on the moving side as it lies over the fixed one.

Beside each other a click on either side begins a pair and one on the other ends it. Laid over, the hand drags
what lies wrong to where it belongs: that is a pair too. A drag of a point moves it, Alt and a click deletes its
pair. While the hand drags, the moving side follows.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from ..core.landmarks import fit_model
from ..errors import BadInput
from .alignment_now import transform_now
from .landmark_fit import landmark_fit, locked_of, pairs_of
from .landmark_specs import landmark_key, misses_key
from .marks import Lines, circle, path_lines
from .overlay import still
from .tools import Point, Pointer, Stage, Tool

__all__ = ["Landmark"]

_REACH = 12.0
"""A point is grasped within so many pixels of the screen."""
_PENDING, _SUGGESTED = "#ffe14d", "#35d0ff"


class Landmark(Tool):
    """Place pairs of landmarks.

    Parameters
    ----------
    stage
        The presenter.
    landmarks
        The set of landmarks, named as the moving side; it is made with the first pair.
    model
        The transform that is fitted while they are placed: "auto", "similarity", "affine" or "spline".
    """

    def __init__(self, stage: Stage, landmarks: str, model: str = "auto") -> None:
        super().__init__(stage)
        self.landmarks, self.model = landmarks, model
        self.pending: tuple[int, Point] | None = None
        self.held: tuple[int, int] | None = None
        self.drawn: Point | None = None
        """Where on the canvas a pair begins that is made by dragging."""
        self.suggested: tuple[Point, Point] | None = None
        """Where the next pair is best placed, on the fixed and on the moving side."""
        self._pressed: Point | None = None
        self._under: Point | None = None
        self._fitted = model

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
        beside = "" if self.stage.overlay.on else moving
        self.stage.show(coordinate_system=fixed, beside=beside, landmarks=self.landmarks, model=self.model)
        self.refresh()
        self._say()

    def stop(self) -> None:
        self.pending = self.held = self.drawn = self.suggested = None
        self.stage.show(**self._before)

    @property
    def begun(self) -> bool:
        return self.pending is not None or self.drawn is not None

    @property
    def laid_over(self) -> bool:
        """Whether the moving side lies over the fixed one, and not beside it."""
        return self.stage.overlay.on and not self.stage.state.beside

    def suggest(self, fixed_um: Point, moving_um: Point) -> None:
        """Mark on both sides where the next pair is best placed."""
        self.suggested = (np.asarray(fixed_um, dtype=float), np.asarray(moving_um, dtype=float))
        self._mark()
        self._say()

    def press(self, at: Pointer) -> None:
        self._pressed = at.um
        self.held = self._grasped(at.um)
        self._fitted = landmark_fit(self.stage.document, self.landmarks, self.model).model
        if (
            self.held is not None
            and "Alt" not in at.modifiers
            and locked_of(self.stage.document, self.landmarks)[self.held[1]]
        ):
            self.stage.tell("info", f"Landmark {self.held[1] + 1} is locked. Unlock it in the table to move it.")
            self.held, self._pressed = None, None
        elif self.held is None and self.laid_over and "Alt" not in at.modifiers:
            self.drawn = at.um

    def move(self, at: Pointer) -> None:
        if self.held is not None:
            self._follow(self.held, at.um)
        elif self.drawn is not None:
            fixed, moving = pairs_of(self.stage.document, self.landmarks)
            self._preview(np.vstack([fixed, at.um]), np.vstack([moving, self._moving_at(self.drawn)]))
            self._mark(to=at.um)

    def release(self, at: Pointer) -> None:
        held, self.held = self.held, None
        drawn, self.drawn = self.drawn, None
        if held is not None and "Alt" in at.modifiers:
            self._forget(held[1])
        elif held is not None:
            self._moved(held, at)
        elif drawn is not None:
            self._drew(drawn, at.um)
        elif "Alt" not in at.modifiers and self._pressed is not None and not self.laid_over:
            self._clicked(at.um)
        self.refresh()
        self._say()

    def refresh(self) -> None:
        self._mark()
        if self.stage.overlay.on and self.held is None and self.drawn is None:
            self.stage.overlay.move(transform_now(self.stage.document, self.landmarks, self.model, by_landmarks=True))

    def zoomed(self) -> None:
        self._mark()

    def cancel(self) -> None:
        self.pending = self.drawn = None
        self.refresh()
        self._say()

    def hover(self, at: Pointer) -> None:
        self._under = at.um

    def delete(self) -> None:
        """Delete the pair under the mouse."""
        found = None if self._under is None else self._grasped(self._under)
        if found is not None:
            self._forget(found[1])

    def _follow(self, held: tuple[int, int], um: Point) -> None:
        """Draw a landmark where the mouse is, and everything that follows from it."""
        side, number = held
        layer = self.stage.canvas.layer(landmark_key(side == 1))
        sides = [np.array(points) for points in pairs_of(self.stage.document, self.landmarks)]
        sides[side][number] = self._own(side, um)
        if layer is not None:
            with still(self.stage.viewer, layer):
                layer.data = sides[side]
                layer.editable = False
        self._preview(*sides)

    def _preview(self, fixed: Point, moving: Point) -> None:
        """Fit the pairs as they would be, and let the moving side and the lines to it follow."""
        try:
            transform = fit_model(cast(Any, self._fitted), moving, fixed)
        except BadInput:  # two of them lie on one place just now
            return
        self.stage.overlay.move(transform, dragging=True)
        self._draw_misses(fixed, transform.apply(moving))

    def _draw_misses(self, fixed: Point, landed: Point) -> None:
        layer: Any = self.stage.canvas.layer(misses_key())
        if layer is not None and len(layer.data):
            colour = np.asarray(layer.edge_color)
            with still(self.stage.viewer, layer):
                layer.data = np.stack([fixed, landed - fixed], axis=1)
                if len(colour) == len(fixed):
                    layer.edge_color = colour

    def _forget(self, number: int) -> None:
        self.stage.correct("delete-landmark", landmarks=self.landmarks, number=number + 1)

    def _moved(self, held: tuple[int, int], at: Pointer) -> None:
        side, number = held
        if self._pressed is not None and np.linalg.norm(at.um - self._pressed) < 2 / self._zoom:
            return  # only clicked
        to = [round(float(v), 3) for v in self._own(side, at.um)]
        name = ("fixed", "moving")[side]
        arguments = {"landmarks": self.landmarks, "number": number + 1, "side": name, "to_um": to}
        if not self.stage.correct("move-landmark", **arguments):
            self.stage.show()  # back to where the document has it

    def _drew(self, start: Point, end: Point) -> None:
        """Make a pair of what was dragged to where it belongs; a click says that it lies there already."""
        self._add(end, self._moving_at(start))

    def _clicked(self, um: Point) -> None:
        side = self._side(um)
        if self.pending is None or self.pending[0] == side:
            self.pending = (side, um)
            return
        points = {self.pending[0]: self.pending[1], side: um}
        self.pending = None
        self._add(*(self._own(s, points[s]) for s in (0, 1)))

    def _add(self, fixed_um: Point, moving_um: Point) -> None:
        fixed, moving = ([round(float(v), 3) for v in side] for side in (fixed_um, moving_um))
        self.suggested = None
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

    def _moving_at(self, um: Point) -> Point:
        """Return where on the moving side a place of the canvas is, as it lies over the fixed one."""
        now = transform_now(self.stage.document, self.landmarks, self.model, by_landmarks=True)
        return np.asarray(now.inverse().apply(um[None])[0])

    def _grasped(self, um: Point) -> tuple[int, int] | None:
        """Return (side, number) of the landmark under a canvas position."""
        best: tuple[float, tuple[int, int]] | None = None
        for side, points in enumerate(pairs_of(self.stage.document, self.landmarks)):
            if not len(points) or (side == 1 and not self.stage.state.beside):
                continue
            far = np.linalg.norm(points - self._own(side, um), axis=1)
            n = int(far.argmin())
            if far[n] <= _REACH / self._zoom and (best is None or far[n] < best[0]):
                best = (float(far[n]), (side, n))
        return best[1] if best else None

    def _mark(self, to: Point | None = None) -> None:
        size, parts = _REACH / self._zoom, list[tuple[Lines, str]]()
        if self.pending is not None:
            parts.append((_cross(self.pending[1], size), _PENDING))
        if self.drawn is not None:
            parts.append((_cross(self.drawn, size), _PENDING))
            if to is not None:
                parts.append((path_lines([self.drawn, to]), _PENDING))
        if self.suggested is not None:
            places = [self.suggested[0]]
            if self.stage.state.beside:
                places.append(self.suggested[1] + np.asarray(self.stage.offset))
            parts += [(_target(place, size), _SUGGESTED) for place in places]
        self.stage.marks.draw(*parts)

    def _say(self) -> None:
        n = len(pairs_of(self.stage.document, self.landmarks)[0])
        if self.pending is not None:
            other = self.systems[1 - self.pending[0]]
            self.stage.say(f"Now click the same place in '{other}'. Esc forgets the first click.")
        elif self.suggested is not None:
            self.stage.say(f"Place landmark {n + 1} near the blue ring: there it helps most.")
        elif self.laid_over:
            self.stage.say(
                "Drag what lies wrong to where it belongs: that makes a pair. "
                "Drag a landmark to move it; Alt-click or the Delete key removes it."
            )
        else:
            self.stage.say(
                f"Click a place on either side for landmark {n + 1}. "
                "Drag to move a landmark; Alt-click or the Delete key removes it."
            )


def _cross(at: Point, size: float) -> Lines:
    arms = [path_lines([at - d, at + d]) for d in (np.array([size, 0.0]), np.array([0.0, size]))]
    return np.concatenate([*arms, circle(at, size * 0.7)])


def _target(at: Point, size: float) -> Lines:
    return np.concatenate([circle(at, size * 1.6), circle(at, size * 0.4)])
