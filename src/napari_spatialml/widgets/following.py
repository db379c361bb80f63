"""Draws the transcripts that are in view, again and again as the view moves; the latest view wins, nobody waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from ..core.report import Report
from ..errors import SpatialMLError
from ..session.transcript_index import TranscriptIndex
from ..session.transcripts import glimpse_of, growing_of, opened_index
from ..views.places import as_matrix
from ..views.transcript_looks import Picture, TranscriptLook
from ..views.transcript_picture import growing_picture, picture_of
from ..views.transcripts import look_of, picture_now, sitter_of, view_of
from .progress import Progress

if TYPE_CHECKING:
    from ..session import Document, Session
    from .desk import Desk

__all__ = ["Following"]

_SOON_MS, _GROWING_MS = 20, 400


class Following(QObject):
    """Keeps the pictures of a desk's transcripts up with the view, and has their indexes made.

    Parameters
    ----------
    desk
        The desk.
    """

    pictured = Signal(str)
    """Another picture of these points is drawn."""
    progressed = Signal(str, float, str)
    """How far the index of these points is made, and what is done; 1 at its end."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._indexes: dict[str, tuple[int, TranscriptIndex]] = {}
        self._asked: dict[str, int] = {}
        self._seen: dict[str, Any] = {}
        self.problems: dict[str, str] = {}
        """Why points cannot be looked at, by element."""
        self._left: tuple[float, ...] | None = None  # where a fit to a part of the points left the camera
        self._soon, self._growing = QTimer(self), QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SOON_MS)
        self._soon.timeout.connect(self.look)
        self._growing.setInterval(_GROWING_MS)
        self._growing.timeout.connect(self._show_growing)
        for changed in (desk.opened, desk.document_changed, desk.state_changed, desk.layers_changed):
            changed.connect(self.later)
        desk.opened.connect(self._begin)
        desk.indexing.indexed.connect(self._take_index)
        desk.indexing.failed.connect(self._take_failure)
        camera = desk.viewer.scene.camera.events
        for moved in (camera.center, camera.zoom, desk.viewer.canvas.events.size):
            moved.connect(self.later)

    def later(self, *_: object) -> None:
        """Look in a moment; several changes at once cost one look."""
        if self._desk.presenter is not None and not self._soon.isActive():
            self._soon.start()

    def elements(self) -> tuple[str, ...]:
        """Return the points elements whose transcripts are drawn view by view."""
        session, presenter = self._desk.session, self._desk.presenter
        if session is None or presenter is None:
            return ()
        document, here = session.document, presenter.state.coordinate_system
        return tuple(n for n in document.names("points") if here in document.placed(n))

    def _elsewhere(self) -> tuple[str, ...]:
        """Return the points that are drawn in other systems alone: as the density that their indexes hold."""
        session, presenter = self._desk.session, self._desk.presenter
        if session is None or presenter is None:
            return ()
        document, state, here = session.document, presenter.state, self.elements()
        systems = {state.beside, *state.also} - {""}
        names = (n for n in document.names("points") if n not in here and systems & set(document.placed(n)))
        return tuple(n for n in names if state.shown is None or n in state.shown)

    def index(self, points: str) -> TranscriptIndex | None:
        """Return the index by which points are drawn now, or None."""
        session, held = self._desk.session, self._indexes.get(points)
        if session is None or held is None or points not in session.document.names("points"):
            return None
        return held[1] if held[0] == session.document.revision(("points", points)) else None

    def change(self, points: str, change: Callable[[TranscriptLook], TranscriptLook]) -> None:
        """Look at points in another way; the canvas follows at once."""
        presenter = self._desk.presenter
        if presenter is None:
            return
        looks = {**presenter.state.transcripts, points: change(look_of(presenter.state, points))}
        presenter.state = replace(presenter.state, transcripts=looks)
        self.look()
        self.pictured.emit(points)  # what was chosen is shown before it is drawn

    def look(self) -> None:
        """Draw what is in view of every element that is drawn, and have the missing indexes made."""
        presenter, session = self._desk.presenter, self._desk.session
        if presenter is None or session is None:
            return
        for points in self.elements():
            if self.index(points) is None:
                self._ask(session, points)
            elif self._wanted(points):
                self._draw(session, points)
        for points in self._elsewhere():
            if self.index(points) is None:
                self._ask(session, points)

    def _wanted(self, points: str) -> bool:
        """Whether points are drawn, or have no picture yet and may be."""
        presenter, session = self._desk.presenter, self._desk.session
        assert presenter is not None and session is not None
        shown = presenter.state.shown
        if picture_now(session.document, presenter.state, points) is None:
            return shown is None or points in shown
        return self._desk.visible(points)

    def _draw(self, session: Session, points: str) -> None:
        presenter, index, view = self._desk.presenter, self.index(points), view_of(self._desk.viewer)
        assert presenter is not None and index is not None
        sitter = sitter_of(session.document, index, points, presenter.state.coordinate_system)
        look, alone = look_of(presenter.state, points), self._is_alone(points)
        key = (look, None if alone else view, sitter.system, sitter.moment, id(index), as_matrix(sitter.to_um))
        if self._seen.get(points) == key:
            return
        self._seen[points] = key
        self._desk.runner.run(
            partial(picture_of, sitter, look, None if alone else view),
            on_result=partial(self._show, session, points, alone),
            on_error=partial(self._fail, points),
            on_stopped=lambda: self._seen.pop(points, None),
            key=f"transcripts {points}",
            title=f"Look for transcripts of '{points}'",
            replace=True,
            listed=False,
        )

    def _is_alone(self, points: str) -> bool:
        """Whether nothing is on the canvas yet by which the view could have been fitted."""
        presenter = self._desk.presenter
        return presenter is not None and not any(True for _ in presenter.canvas.layers())

    def _show(self, session: Session, points: str, fit: bool, picture: Picture) -> None:
        presenter = self._desk.presenter
        if presenter is None or session is not self._desk.session:
            return
        presenter.state = replace(presenter.state, pictures={**presenter.state.pictures, points: picture})
        presenter.window_moved()
        if fit or self._left == self._camera():
            presenter.fit()
            # what is read so far may be a corner of it all: the view follows, until the person moves it
            self._left = self._camera() if self.index(points) is None else None
        if self._desk.legend is not None:
            self._desk.legend.later()
        self.pictured.emit(points)

    def _camera(self) -> tuple[float, ...]:
        camera = self._desk.viewer.scene.camera
        return (*map(float, camera.center), float(camera.zoom))

    def _fail(self, points: str, error: BaseException) -> None:
        self.problems[points] = str(error)
        self._desk.told.emit("error", str(error))
        self.pictured.emit(points)

    # indexes -----------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._indexes, self._asked, self._seen, self.problems, self._left = {}, {}, {}, {}, None
        self._growing.stop()

    def _ask(self, session: Session, points: str) -> None:
        """Begin to open the index of points, or to make it; once for each state of the points."""
        document = session.document
        moment = document.revision(("points", points))
        if self._asked.get(points) == moment:
            return
        self._asked[points] = moment
        self.problems.pop(points, None)
        known = opened_index(document, points)
        if known is not None:
            self._take_index(points)
            return
        self._desk.runner.run(
            partial(_glimpse, document, points),
            on_result=partial(self._take_glimpse, session, points, moment),
            on_error=partial(self._fail, points),
            key=f"first look at {points}",
            replace=True,
            listed=False,
        )

    def _take_glimpse(self, session: Session, points: str, moment: int, index: TranscriptIndex | None) -> None:
        if session is not self._desk.session:
            return
        if index is not None:
            self._indexes[points] = (moment, index)
            self.look()
        else:
            self._growing.start()
        self._desk.indexing.start(points, on_progress=partial(self._progress, points))

    def _take_index(self, points: str) -> None:
        session = self._desk.session
        if session is None or points not in session.document.names("points"):
            return
        index = opened_index(session.document, points)
        if index is None:
            return
        self._indexes[points] = (session.document.revision(("points", points)), index)
        self._asked[points] = self._indexes[points][0]
        self._growing.stop()
        self.problems.pop(points, None)
        self.progressed.emit(points, 1.0, "")
        if points in self._elsewhere() and self._desk.presenter is not None:
            self._desk.presenter.window_moved()
        self.look()

    def _take_failure(self, points: str, sentence: str) -> None:
        self._growing.stop()
        self.problems[points] = sentence or "The index was stopped. Open the section again to make it."
        self.progressed.emit(points, 1.0, self.problems[points])

    def _progress(self, points: str, progress: Progress) -> None:
        self.progressed.emit(points, progress.fraction, progress.message)

    def _show_growing(self) -> None:
        """Draw what was read so far of the points whose indexes are being made."""
        presenter, session = self._desk.presenter, self._desk.session
        if presenter is None or session is None:
            return
        document, system = session.document, presenter.state.coordinate_system
        for points in self.elements():
            growing = growing_of(document, points)
            if growing is None or self.index(points) is not None:
                continue
            moment = document.revision(("points", points))
            look, alone = look_of(presenter.state, points), self._is_alone(points)
            picture = growing_picture(growing, document.affine(points, system), system, moment, look)
            if picture is not None:
                self._show(session, points, alone, picture)


def _glimpse(document: Document, points: str, report: Report) -> TranscriptIndex | None:
    report(0.0, "looking for the index of the transcripts")
    try:
        return glimpse_of(document, points)
    except SpatialMLError:
        return None  # the index itself says what is wrong
