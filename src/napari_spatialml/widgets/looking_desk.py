"""What one viewer has for looking: its comparison, its minimap, its second view, and the keys of the bookmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from qtpy.QtCore import QObject, Qt, QTimer, Signal
from qtpy.QtWidgets import QDockWidget

from ..session.bookmarks import Bookmark, bookmarks_of
from .desk import canvas_widget
from .looking_handle import SwipeLine
from .minimap import Minimap

if TYPE_CHECKING:
    from ..views.looking import Comparison
    from .desk import Desk
    from .looking_second import SecondView

__all__ = ["KEEP_KEY", "Looking"]

KEEP_KEY = "Alt-B"
_KEYS = 9


class Looking(QObject):
    """How the section on a desk is looked at.

    Parameters
    ----------
    desk
        The desk.
    """

    changed = Signal()
    """The comparison began, ended or moved, or the minimap came or went."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self.comparison: Comparison | None = None
        self._line: SwipeLine | None = None
        self.second: SecondView | None = None
        self.blinks = QTimer(self)
        self.blinks.setInterval(500)
        self.blinks.timeout.connect(self._turn)
        self._native = canvas_widget(desk.viewer)
        self.minimap = Minimap(desk, self._native) if self._native is not None else None
        desk.opened.connect(self._on_opened)
        here = ref(self)  # the viewer keeps its keys; it must not keep what looks at it
        for key, act in ({KEEP_KEY: 0} | {f"Alt-{n}": n for n in range(1, _KEYS + 1)}).items():
            desk.viewer.bind_key(key, _pressing(here, act), overwrite=True)

    # comparing ---------------------------------------------------------------------------------

    def compare(self, mode: str, first: str, second: str) -> bool:
        """Compare two things that are shown; return whether that could be done."""
        comparison = self.comparison
        if comparison is None:
            return False
        done = self._desk.attempt(lambda: comparison.begin(mode, first, second))
        if comparison.mode == "blink":
            self.blinks.start()
        else:
            self.blinks.stop()
        return done

    def blink_every(self, seconds: float) -> None:
        """Say how long each of two is shown when they blink."""
        self.blinks.setInterval(max(50, round(1000 * seconds)))

    def stop(self) -> None:
        """Leave the comparison."""
        self.blinks.stop()
        if self.comparison is not None:
            self.comparison.end()

    def _turn(self) -> None:
        if self.comparison is not None and self.comparison.mode == "blink":
            self.comparison.turn()
        else:
            self.blinks.stop()

    def _on_opened(self) -> None:
        from ..views.looking import Comparison

        self.stop()
        self.show_second(False)
        if self.comparison is not None:
            self.comparison.changed.disconnect(self._on_compared)
            self.comparison = None
        if self._line is not None:
            self._line.hide()
            self._line.deleteLater()
            self._line = None
        presenter = self._desk.presenter
        if presenter is not None and self._native is not None:
            self.comparison = Comparison(self._desk.viewer, presenter.canvas)
            self.comparison.changed.connect(self._on_compared)
            self._line = SwipeLine(self._native, self.comparison)
        self.changed.emit()

    def _on_compared(self) -> None:
        self.changed.emit()

    def show_second(self, on: bool) -> None:
        """Show a second canvas beside the first, or put it away."""
        from .looking_second import SecondView

        window = getattr(self._desk.viewer, "window", None)
        if not on and self.second is not None:
            second, self.second = self.second, None
            second.close_view()
            if window is not None and second in window.dock_widgets.values():
                window.remove_dock_widget(second)
            second.deleteLater()
        elif on and self.second is None and self._desk.presenter is not None and self._native is not None:
            self.second = SecondView(self._desk)
            dock = window.add_dock_widget(self.second, name="Second view", area="right", add_vertical_stretch=False)
            beside = _dock_of(window, "workbench")
            if beside is not None:
                main, across, wide = window._qt_window, Qt.Orientation.Horizontal, self._native.width() // 2
                main.splitDockWidget(dock, beside, across)
                # a turn later: before it is laid out, a dock has no width that could be shared out
                later = QTimer(self.second)
                later.setSingleShot(True)
                later.timeout.connect(lambda: main.resizeDocks([dock, beside], [wide, beside.width()], across))
                later.start()
        self.changed.emit()

    def show_map(self, on: bool) -> None:
        """Show the minimap, or put it away."""
        if self.minimap is not None:
            self.minimap.want(on)
        self.changed.emit()

    # bookmarks ---------------------------------------------------------------------------------

    @property
    def bookmarks(self) -> tuple[Bookmark, ...]:
        """The bookmarks of the section."""
        session = self._desk.session
        return bookmarks_of(session.document) if session is not None else ()

    def keep(self, name: str = "") -> str:
        """Keep the view under a name, or under the next free one; return the name, "" when that failed."""
        from ..views.looking_views import free_name, view_now

        presenter = self._desk.presenter
        if presenter is None:
            return ""
        name = name.strip() or free_name(presenter.document)
        view = view_now(presenter, name).plain()
        if not self._desk.correct("keep-view", view=view):
            return ""
        self._desk.told.emit("ok", f"Kept as '{name}'.")
        return name

    def go_to(self, bookmark: Bookmark) -> None:
        """Show a bookmark."""
        from ..views.looking_views import go_to

        if self._desk.presenter is not None:
            gone = go_to(self._desk.presenter, bookmark)
            if gone:
                self._desk.told.emit("warning", f"'{bookmark.name}' also showed {gone}, which is no longer here.")

    def jump(self, number: int) -> None:
        """Go to the bookmark of a number."""
        held = self.bookmarks
        if number <= len(held):
            self.go_to(held[number - 1])
        elif self._desk.session is not None:
            self._desk.told.emit("info", f"There is no bookmark {number} yet. Keep a view with Alt+B.")


def _dock_of(window: Any, word: str) -> Any:
    """Return the dock whose title holds a word, or None."""
    docks = window._qt_window.findChildren(QDockWidget)
    return next((dock for dock in docks if word in dock.windowTitle() and dock.isVisible()), None)


def _pressing(looking: ref[Looking], number: int) -> Any:
    """Return what a key does: 0 keeps the view, others go to a bookmark."""

    def pressed(viewer: Any) -> None:
        there = looking()
        if there is not None and number:
            there.jump(number)
        elif there is not None:
            there.keep()

    return pressed
