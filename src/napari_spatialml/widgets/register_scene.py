"""What the canvas shows of a registration: side by side, overlaid, edges, compared; and what goes with each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from ..core.transform import Transform
from ..views.alignment_now import held_alignment, kept_transform, transform_now, why_unreadable
from ..views.overlay import Overlay
from ..views.places import extent_of_system
from ..views.state import Aligned
from .register_inputs import element_of, images_of
from .register_views import Sharpening

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["RegisterScene"]

_LIVE_TOOLS = ("landmark", "pin")


class RegisterScene(QObject):
    """Arranges the canvas for the step.

    Parameters
    ----------
    desk
        The desk.
    """

    changed = Signal()
    """Another view or way to compare is in use."""

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.view, self.way = "", ""
        self.moving, self.fixed, self.model = "", "", "auto"
        self.moving_image, self.fixed_image = "", ""
        self.opacity = 0.55
        self._other: Overlay | None = None
        self._sharpening = Sharpening(desk, self)
        desk.looking.changed.connect(self._on_looking)
        desk.opened.connect(self._on_opened)

    # what is on the canvas -----------------------------------------------------------------------

    def go(self, view: str, *, live: bool = False, fit: bool = True) -> None:
        """Show "beside", "overlaid" or "edges".

        Parameters
        ----------
        view
            The view.
        live
            Whether the moving side follows the hand, though a registration is kept.
        fit
            Whether the whole section is brought into view.
        """
        presenter = self._desk.presenter
        if presenter is None or not self.moving or not self.fixed:
            return
        self._stop_comparing()
        again, self.view = view != self.view and presenter.tool == "landmark", view
        if view == "beside":
            presenter.overlay.hide()
            self.beside()
        elif live or view == "edges" or presenter.tool in _LIVE_TOOLS or not self._held():
            self._live("edges" if view == "edges" else "picture")
        else:
            presenter.overlay.hide()
            self.document_overlaid()
        if fit:
            presenter.fit()
            presenter.overlay.sharpen()
        if again:  # on one side by side another gesture makes a pair than over each other
            presenter.use("landmark", **self.landmark_options(bool(getattr(presenter.current, "snaps", ()))))
        self.changed.emit()

    def compare(self, way: str, on: bool) -> None:
        """Compare the moving side as it lies now with the fixed one in place, or stop."""
        if not on:
            self._stop_comparing()
            self.go(self.view or "overlaid", fit=False)
            return
        presenter = self._desk.presenter
        if presenter is None:
            return
        self.view = "overlaid" if self.view in ("", "beside") else self.view
        self._live("edges" if self.view == "edges" else "whole")
        below = self.fixed_elements()
        if not presenter.overlay.on or not below:
            self._desk.told.emit("info", "There is nothing to compare: show an image of each side.")
            return
        if self._desk.looking.compare(way, presenter.overlay.name, below[0]):
            self.way = way
            if way == "checkerboard":
                self._squares()
        self.changed.emit()

    def compare_kept(self, name: str) -> None:
        """Swipe between a registration that is kept and the present one."""
        presenter = self._desk.presenter
        held = presenter.document.attribute("alignments_kept", {}).get(name) if presenter is not None else None
        kept = kept_transform(presenter.document, held) if presenter is not None and held is not None else None
        if presenter is None or kept is None:
            why = why_unreadable(presenter.document, held) if presenter is not None and held is not None else None
            if why is not None:
                self._desk.told.emit("error", str(why))
            return
        self._stop_comparing()
        self.view = "overlaid"
        self._live("whole")
        self._other = Overlay(presenter, f"kept: {name}")
        self._other.show(self.picture_element(), self.moving, kept, "whole")
        if self._desk.looking.compare("swipe", self._other.name, presenter.overlay.name):
            self.way = "swipe"
        self.changed.emit()

    def follow(self) -> None:
        """Let the moving side lie where the document has it by now."""
        presenter = self._desk.presenter
        if presenter is None or not presenter.overlay.on or presenter.busy:
            return
        if presenter.tool not in _LIVE_TOOLS:
            presenter.overlay.move(self.transform())

    def landmark_options(self, snap: bool) -> dict[str, Any]:
        """Return what the landmark tool has to know."""
        sides = (next(iter(self.fixed_elements()), ""), self.picture_element()) if snap else ()
        return {"landmarks": self.moving, "model": self.model, "snaps": sides}

    def suggest(self, fixed_um: Any, moving_um: Any) -> None:
        """Mark a place on both sides, and go there."""
        presenter = self._desk.presenter
        tool: Any = presenter.current if presenter is not None else None
        if presenter is None or presenter.tool != "landmark":
            return
        tool.suggest(fixed_um, moving_um)
        here, camera = np.asarray(fixed_um, dtype=float), presenter.viewer.scene.camera
        if presenter.state.beside:  # both marks stay in view
            there = np.asarray(moving_um, dtype=float) + np.asarray(presenter.offset)
            wide = float(presenter.viewer.canvas.size[1])
            y, x = (here + there) / 2
            self._desk.look_at(float(y), float(x), 0.75 * wide / max(float(np.linalg.norm(there - here)), 1e-9))
            return
        whole = np.ptp(extent_of_system(presenter.document, self.fixed), axis=0)
        close = 3.0 * float(min(np.asarray(presenter.viewer.canvas.size) / np.maximum(whole, 1e-9)))
        self._desk.look_at(float(here[0]), float(here[1]), max(close, float(camera.zoom)))

    def mix(self, opacity: float) -> None:
        """Say how much the moving side hides of the fixed one."""
        self.opacity = opacity
        presenter = self._desk.presenter
        if presenter is None or self.view != "overlaid":
            return
        presenter.overlay.opacity = opacity
        moved = self.moved(original=False)
        for spec, layer in presenter.canvas.layers():
            if spec.key.element in moved and not spec.key.beside:
                layer.opacity = opacity

    def draw(self, aligned: Aligned | None) -> None:
        """Draw what is asked for of the registration, over everything."""
        presenter = self._desk.presenter
        if presenter is not None and presenter.state.aligned != aligned:
            presenter.show(aligned=aligned)

    def leave(self) -> None:
        """Take everything away that only this step shows."""
        presenter = self._desk.presenter
        self._stop_comparing()
        if presenter is not None and (presenter.overlay.on or presenter.state.aligned is not None or self.view):
            presenter.overlay.hide()
            presenter.show(beside="", landmarks="", aligned=None, shown=None)
        self.view = ""

    # parts ---------------------------------------------------------------------------------------

    def beside(self) -> None:
        """Draw the moving side to the right of the fixed one."""
        presenter: Any = self._desk.presenter
        moved = self.moved(original=True)
        presenter.show(
            coordinate_system=self.fixed,
            beside=self.moving,
            landmarks=self.moving,
            shown=tuple(dict.fromkeys([*self.fixed_elements(), *moved])),
        )
        self._only_moving(moved, visible=False)

    def document_overlaid(self) -> None:
        """Draw both sides as the document has them, in the fixed frame."""
        presenter: Any = self._desk.presenter
        moved = self.moved(original=False)
        if any(self.fixed in presenter.document.placed(n) for n in moved):
            below = self.fixed_elements()
        else:
            below = self._only_in(self.fixed, self.moving)
        presenter.show(
            coordinate_system=self.fixed, beside="", landmarks="", shown=tuple(dict.fromkeys([*below, *moved]))
        )
        self._only_moving(moved, visible=True)

    def moved(self, *, original: bool) -> list[str]:
        """Return what lies in the moving system; overlaid, a resampled copy instead of its original."""
        document = self._desk.session.document  # type: ignore[union-attr]  # asked for only while one is open
        warped = document.attribute("warped_from", {})
        names = [n for t in ("images", "labels", "shapes") for n in document.names(t)]
        mine = [n for n in names if self.moving in document.placed(warped.get(n, n))]
        if original:
            return [n for n in mine if n not in warped]
        return [n for n in mine if n not in warped.values()]

    def fixed_elements(self) -> list[str]:
        """Return what is drawn of the fixed side: its chosen image, its first, or all that lies there alone."""
        moved = {*self.moved(original=True), *self.moved(original=False)}
        document = self._desk.session.document  # type: ignore[union-attr]
        images = [element_of(document, self.fixed_image)] if self.fixed_image else []
        images += [n for n in self._desk.images_in(self.fixed) if n not in moved]
        return images[:1] or self._only_in(self.fixed, self.moving)

    def picture_element(self) -> str:
        """Return the element by which the moving side is drawn while it follows the hand."""
        document = self._desk.session.document  # type: ignore[union-attr]
        images = [element_of(document, self.moving_image)] if self.moving_image else []
        images += images_of(document, self.moving, self.fixed) + self.moved(original=True)
        return next((n for n in images if self.moving in document.placed(n)), "")

    def transform(self) -> Transform:
        """Return how the moving side lies now."""
        presenter: Any = self._desk.presenter
        return transform_now(presenter.document, self.moving, self.model, by_landmarks=presenter.tool == "landmark")

    def _live(self, look: str) -> None:
        presenter: Any = self._desk.presenter
        element = self.picture_element()
        landmarks = self.moving if presenter.tool == "landmark" else ""
        presenter.show(coordinate_system=self.fixed, beside="", landmarks=landmarks, shown=tuple(self.fixed_elements()))
        presenter.overlay.opacity = self.opacity
        if not element or not presenter.overlay.show(element, self.moving, self.transform(), look):
            self._desk.told.emit(
                "info", f"There is nothing in '{self.moving}' that could be drawn over the other side."
            )

    def _held(self) -> bool:
        document = self._desk.session.document  # type: ignore[union-attr]
        return bool(held_alignment(document, self.moving).get("fixed") == self.fixed)

    def _only_moving(self, moved: list[str], *, visible: bool) -> None:
        """On the fixed side what was moved would cover the places to click; overlaid, it is seen through."""
        presenter: Any = self._desk.presenter
        for spec, layer in presenter.canvas.layers():
            if spec.key.element in moved and not spec.key.beside:
                layer.visible = visible
                layer.opacity = min(layer.opacity, 0.6)

    def _only_in(self, system: str, other: str) -> list[str]:
        document = self._desk.session.document  # type: ignore[union-attr]
        names = [n for t in ("images", "labels", "shapes") for n in document.names(t)]
        return [n for n in names if system in document.placed(n) and other not in document.placed(n)]

    def _squares(self) -> None:
        """Eight squares across what is in view."""
        comparison, viewer = self._desk.looking.comparison, self._desk.viewer
        if comparison is not None:
            comparison.squares(float(viewer.canvas.size[1]) / max(float(viewer.scene.camera.zoom), 1e-9) / 8)

    def _stop_comparing(self) -> None:
        self.way = ""
        if self._desk.looking.comparison is not None and self._desk.looking.comparison.on:
            self._desk.looking.stop()
        if self._other is not None:
            self._other.hide()
            self._other = None

    def _on_looking(self) -> None:
        comparison = self._desk.looking.comparison
        if self.way and (comparison is None or not comparison.on):
            self.way = ""
            self.changed.emit()

    def _on_opened(self) -> None:
        self.view, self.way, self._other = "", "", None
