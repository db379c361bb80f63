"""What all docks of one viewer share: its one session, its one presenter, and the news of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, QTimer, Signal

from ..errors import SpatialMLError
from ..session import GLOBAL, Session, correct
from .runner import Runner

if TYPE_CHECKING:
    from ..views.presenter import Presenter

__all__ = ["Desk", "canvas_widget", "desk_of", "release"]

SIMULATED = "simulated section"
"""The format that the sample names as its source."""


class Desk(QObject):
    """The session and the presenter of one viewer. Get it with `desk_of`; do not make one.

    Parameters
    ----------
    viewer
        napari's viewer, or its model alone.
    """

    opened = Signal()
    """Another section lies on the desk, or none any more."""
    document_changed = Signal(object)
    """The addresses that changed."""
    history_changed = Signal()
    """A step was done, undone or saved."""
    state_changed = Signal()
    """Other elements, colours or coordinate systems are shown."""
    tool_changed = Signal(str)
    """Another tool is in the hand."""
    hint_changed = Signal(str)
    """Another sentence says what to do with the mouse."""
    layers_changed = Signal()
    """A layer was shown, hidden, added or removed, also by napari's own list."""
    step_wanted = Signal(str)
    """The title of a step that another one leads to."""
    method_wanted = Signal(object)
    """A method that the step of its kind is to be set to."""
    told = Signal(str, str)
    """A level ("info", "ok", "warning", "error") and a sentence."""

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer = viewer
        self.session: Session | None = None
        self.presenter: Presenter | None = None
        self.runner = Runner(self)
        self.legend: QObject | None = None
        self.hover: QObject | None = None
        self.opening: Any = None
        self.saving: Any = None
        self.indexing: Any = None
        self.looking: Any = None
        self.following: Any = None
        viewer.layers.events.connect(self._on_layers)
        self._window = qt_window(viewer)
        if self._window is not None:
            self._window.installEventFilter(self)

    @property
    def name(self) -> str:
        """What the section is called, or ""."""
        if self.session is None:
            return ""
        if self.session.store is not None:
            return self.session.store.stem
        sources = self.session.document.attribute("sources", [])
        if any(source.get("format") == SIMULATED for source in sources):
            return "Sample section"
        names = [Path(str(source.get("path", ""))).name.split(".")[0].removesuffix("_counts") for source in sources]
        return " + ".join(dict.fromkeys(n for n in names if n)) or "Section"

    @property
    def simulated(self) -> bool:
        """Whether the section is the embedded sample."""
        if self.session is None:
            return False
        return any(s.get("format") == SIMULATED for s in self.session.document.attribute("sources", []))

    def take(self, make: Callable[[], Session] | Session) -> None:
        """Lay a section on the desk in place of the former one, whose unsaved steps stay in its journal.

        Parameters
        ----------
        make
            The session, or what makes it once the former one has let go of its journal: that of the
            same section could not be written by two.
        """
        self._put_away()
        try:
            self._lay(make if isinstance(make, Session) else make())
        except Exception:
            # nothing half: a section that cannot be drawn would leave the fields of the former one on the screen
            self._put_away()
            self.opened.emit()
            self.history_changed.emit()
            raise
        self.opened.emit()
        self.history_changed.emit()

    def _lay(self, session: Session) -> None:
        from ..views.presenter import Presenter

        self.session = session
        session.changed.connect(self._on_changed)
        session.history_changed.connect(self._on_history)
        self.presenter = Presenter(self.viewer, session, later=_later, after=QTimer.singleShot)
        for signal, slot in self._connections(self.presenter):
            signal.connect(slot)
        with _drawn_once(self.viewer):
            self.presenter.show()

    def restore(self) -> None:
        """Do again what was not saved when this section was last open."""
        if self.session is not None:
            self.session.recover()
            self.opened.emit()
            if self.presenter is not None:
                self.presenter.show()

    def correct(self, name: str, /, **arguments: Any) -> bool:
        """Execute one correction; tell what is wrong with it, if anything is."""
        assert self.session is not None
        session = self.session
        return self.attempt(lambda: session.execute(correct(session.document, name, **arguments)))

    def undo(self) -> None:
        """Take the last step back."""
        if self.presenter is not None:
            self.presenter.undo()

    def redo(self) -> None:
        """Do the last undone step again."""
        if self.presenter is not None:
            self.presenter.redo()

    def show_over_histology(self, element: str) -> None:
        """Show an element over the histology of its coordinate system, under the regions drawn there by hand."""
        assert self.session is not None and self.presenter is not None
        document, state = self.session.document, self.presenter.state
        placed = document.placed(element)
        here = state.coordinate_system
        system = here if here in placed else GLOBAL if GLOBAL in placed else placed[0]
        shown = (*self.images_in(system)[:1], element, *self.regions_seen())
        if (shown, "") != (state.shown, state.beside):
            self.presenter.show(coordinate_system=system, beside="", shown=shown)
            self.presenter.fit()

    def regions_seen(self) -> tuple[str, ...]:
        """Return the annotations that are drawn now: a result that arrives must not make them seem to be lost."""
        from ..session.annotating import is_annotations

        assert self.session is not None and self.presenter is not None
        document, layer_of = self.session.document, self.presenter.layer_of
        regions = [n for n in document.names("shapes") if is_annotations(document, n)]
        return tuple(n for n in regions if getattr(layer_of(n), "visible", False))

    def visible(self, element: str) -> bool:
        """Return whether a layer of an element is drawn."""
        presenter, layers = self.presenter, self.viewer.layers
        return presenter is not None and any(v.visible and presenter.element_of(v) == element for v in layers)

    def images_in(self, system: str) -> list[str]:
        """Return the images of a coordinate system, histology first."""
        from ..views.images import is_histology

        assert self.session is not None
        document = self.session.document
        images = [n for n in document.names("images") if system in document.placed(n)]
        return sorted(images, key=lambda n: (not is_histology(document, n), n))

    def look_at(self, y: float, x: float, pixels_per_um: float | None = None) -> None:
        """Move the camera to a place in µm, closer or farther if so asked."""
        camera = self.viewer.scene.camera
        camera.center = (0.0, y, x)
        if pixels_per_um is not None:
            camera.zoom = pixels_per_um

    def attempt(self, what: Any) -> bool:
        """Call something that may raise our errors; tell them, and say whether it went well."""
        try:
            what()
        except SpatialMLError as error:
            self.told.emit("error", str(error))
            return False
        return True

    def close(self) -> None:
        """Let go of the section, whose journal keeps what was not saved; the viewer is gone, or goes now."""
        self.runner.stop()
        self._put_away(layers=False)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let go when napari's window is deleted (closing alone may still be refused); let a save end first."""
        if event.type() == QEvent.Type.Close and watched is self._window and self._closes_later():
            event.ignore()
            return True
        if event.type() == QEvent.Type.DeferredDelete and watched is self._window:
            # a turn later: neither the desk nor the window, which it holds, must die within the window's event
            QTimer.singleShot(0, partial(release, self.viewer))
        return False

    def _closes_later(self) -> bool:
        """Whether a save has to end before the person's window closes; a program that closes it waits for none."""
        window = self._window
        if self.saving is None or not window._qt_viewer.isVisible() or not self.saving.first(window.close):
            return False
        self.told.emit("info", "The section is being saved; the window closes when that is done.")
        return True

    def _connections(self, presenter: Presenter) -> tuple[tuple[Any, Any], ...]:
        return (
            (presenter.state_changed, self._on_state),
            (presenter.tool_changed, self._on_tool),
            (presenter.hint_changed, self._on_hint),
            (presenter.told, self._on_told),
        )

    # psygnal holds bound methods weakly, and no signals of Qt: hence these methods

    def _on_changed(self, slots: frozenset[Any]) -> None:
        self.document_changed.emit(slots)

    def _on_history(self) -> None:
        self.history_changed.emit()

    def _on_state(self) -> None:
        self.state_changed.emit()

    def _on_tool(self, tool: str) -> None:
        self.tool_changed.emit(tool)

    def _on_told(self, level: str, sentence: str) -> None:
        self.told.emit(level, sentence)

    def _on_hint(self, hint: str) -> None:
        self.hint_changed.emit(hint)

    def _on_layers(self, event: Any) -> None:
        if getattr(event, "type", "") in ("visible", "inserted", "removed"):
            self.layers_changed.emit()

    def _put_away(self, *, layers: bool = True) -> None:
        if self.presenter is not None:
            for signal, slot in self._connections(self.presenter):
                signal.disconnect(slot)
            if layers:
                self.presenter.close()
            self.presenter = None
        if self.session is not None:
            self.session.changed.disconnect(self._on_changed)
            self.session.history_changed.disconnect(self._on_history)
            self.session.close()
            self.session = None


def _later(call: Callable[[], None]) -> None:
    QTimer.singleShot(0, call)


_DESKS: dict[int, Desk] = {}


def desk_of(viewer: Any) -> Desk:
    """Return the desk of a viewer; the first call makes it."""
    viewer = getattr(viewer, "__wrapped__", viewer)  # napari hands plugins a proxy of the viewer
    if id(viewer) not in _DESKS:
        from .following import Following
        from .hover import Hover
        from .indexing import Indexing
        from .legend import Legends
        from .looking_desk import Looking
        from .opening import Opening
        from .saving import Saving

        desk = Desk(viewer)
        _DESKS[id(viewer)] = desk
        desk.opening = Opening(desk)
        desk.saving = Saving(desk)
        desk.indexing = Indexing(desk)
        desk.following = Following(desk)
        desk.legend = Legends.over_canvas(desk)
        desk.looking = Looking(desk)
        desk.hover = Hover.over_canvas(desk)
    return _DESKS[id(viewer)]


def release(viewer: Any) -> None:
    """Close the session of a viewer and forget it."""
    viewer = getattr(viewer, "__wrapped__", viewer)
    desk = _DESKS.pop(id(viewer), None)
    if desk is not None:
        desk.close()


@contextmanager
def _drawn_once(viewer: Any) -> Iterator[None]:
    """Draw a turn later: the controls of each new layer resize the canvas, which draws at once when it is resized."""
    canvas = canvas_widget(viewer)
    if canvas is None:
        yield
        return
    canvas.setUpdatesEnabled(False)
    try:
        yield
    finally:
        canvas.setUpdatesEnabled(True)


def canvas_widget(viewer: Any) -> Any:
    """Return the Qt widget on which a viewer draws, or None where it has no window."""
    from ..views.canvas import canvas_of

    return getattr(canvas_of(viewer), "native", None)


def qt_window(viewer: Any) -> Any:
    """Return the Qt window of a viewer, or None where it has none."""
    window = getattr(viewer, "window", None)
    return getattr(window, "_qt_window", None)
