"""Pins by hand: drag what lies wrong to where it belongs, and only its neighbourhood follows."""

from __future__ import annotations

import numpy as np

from ..core.local_warp import LocalWarp
from ..core.transform import Affine, Chain, Transform
from ..errors import BadInput
from .alignment_now import held_alignment, kept_transform
from .alignment_specs import offered_pins, pins_of
from .marks import Lines, circle, path_lines
from .tools import Point, Pointer, Stage, Tool

__all__ = ["Pin"]

_REACH = 14.0
"""A pin is grasped within so many pixels of the screen."""
_RING, _LINE = "#ffffff", "#ffe14d"


class Pin(Tool):
    """Correct a registration by pins.

    Parameters
    ----------
    stage
        The presenter.
    moving
        The moving coordinate system.
    radius_um
        Beyond this distance from where a pin is dragged to nothing moves.
    """

    hint = "Drag a pin, or any other place, to where it belongs. Alt-click or the Delete key removes a pin."

    def __init__(self, stage: Stage, moving: str, radius_um: float = 500.0) -> None:
        super().__init__(stage)
        self.moving, self.radius_um = moving, radius_um
        self.number = -1
        """The pin in the hand, from 0; -1 for none."""
        self.began: Point | None = None
        """Where a new pin begins, in µm of the fixed side."""
        self._pressed: Point | None = None
        self._under: Point | None = None

    @property
    def alive(self) -> bool:
        return bool(held_alignment(self.stage.document, self.moving))

    @property
    def begun(self) -> bool:
        return self.began is not None or self.number >= 0

    def start(self) -> None:
        if not self.alive:
            raise BadInput(f"'{self.moving}' is not registered yet.", "Press Run first.")
        self.refresh()

    def stop(self) -> None:
        self.number, self.began = -1, None
        self.stage.marks.clear()

    def press(self, at: Pointer) -> None:
        self._pressed = at.um
        self.number = self._grasped(at.um)
        if self.number < 0 and "Alt" not in at.modifiers:
            self.began = self._snapped(at.um)
            self._draw(self.began, at.um)

    def move(self, at: Pointer) -> None:
        start = self._start()
        if start is None:
            return
        self._draw(start, at.um)
        preview = self._preview(at.um)
        if preview is not None:
            self.stage.overlay.move(preview, dragging=True)

    def release(self, at: Pointer) -> None:
        held, began, self.number, self.began = self.number, self.began, -1, None
        moved = self._pressed is not None and np.linalg.norm(at.um - self._pressed) >= 2 / self._zoom
        to = [round(float(v), 3) for v in at.um]
        if held >= 0 and "Alt" in at.modifiers:
            self.stage.correct("delete-pin", moving=self.moving, number=held + 1)
        elif held >= 0 and moved:
            self.stage.correct("move-pin", moving=self.moving, number=held + 1, to_um=to)
        elif began is not None and moved:
            place = [round(float(v), 3) for v in began]
            self.stage.correct("drag-pin", moving=self.moving, fixed_um=place, to_um=to, radius_um=self.radius_um)
        self.refresh()

    def refresh(self) -> None:
        if self.begun:
            return
        self.stage.marks.clear()
        now = kept_transform(self.stage.document, held_alignment(self.stage.document, self.moving))
        if now is not None:
            self.stage.overlay.move(now)

    def cancel(self) -> None:
        self.number, self.began = -1, None
        self.refresh()

    def hover(self, at: Pointer) -> None:
        self._under = at.um

    def delete(self) -> None:
        """Take away the pin under the mouse."""
        number = -1 if self._under is None else self._grasped(self._under)
        if number >= 0:
            self.stage.correct("delete-pin", moving=self.moving, number=number + 1)

    def _start(self) -> Point | None:
        if self.number >= 0:
            return np.asarray(pins_of(self.stage.document, self.moving)[self.number])
        return self.began

    def _preview(self, to: Point) -> Transform | None:
        """Return how everything would lie, were the pin let go here; None where it cannot be bent so."""
        held = held_alignment(self.stage.document, self.moving)
        if self.began is not None:
            before, sources, targets, radii = (
                kept_transform(self.stage.document, held),
                [self.began],
                [to],
                [self.radius_um],
            )
        else:
            pins = held["pins"]
            before = kept_transform(self.stage.document, held, "base")
            sources = [np.asarray(pin["fixed_um"], dtype=float) for pin in pins]
            targets = [np.asarray(pin["to_um"], dtype=float) for pin in pins]
            targets[self.number] = to
            radii = [float(pin["radius_um"]) for pin in pins]
        try:
            bent = LocalWarp(np.array(sources), np.array(targets), np.array(radii))
        except BadInput:
            return None
        return Chain((before or Affine.identity(), bent))

    @property
    def _zoom(self) -> float:
        return max(float(self.stage.viewer.scene.camera.zoom), 1e-9)

    def _grasped(self, um: Point) -> int:
        mine = pins_of(self.stage.document, self.moving)
        far = np.linalg.norm(mine - um, axis=1)
        return int(far.argmin()) if len(far) and far.min() <= _REACH / self._zoom else -1

    def _snapped(self, um: Point) -> Point:
        """Return the offered pin under the mouse, or the place itself."""
        offered, _ = offered_pins(self.stage.document, self.moving, self.stage.memory)
        far = np.linalg.norm(offered - um, axis=1)
        return np.asarray(offered[int(far.argmin())] if len(far) and far.min() <= _REACH / self._zoom else um)

    def _draw(self, start: Point, to: Point) -> None:
        radius = self.radius_um
        if self.number >= 0:
            radius = float(held_alignment(self.stage.document, self.moving)["pins"][self.number]["radius_um"])
        ring: Lines = circle(to, radius)
        self.stage.marks.draw((ring, _RING), (path_lines([start, to]), _LINE))
