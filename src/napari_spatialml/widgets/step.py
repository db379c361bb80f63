"""What the docks of all steps share: the desk, the empty state, and a panel that runs on the document."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from qtpy.QtCore import QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QComboBox, QLabel, QPushButton, QSizePolicy, QStackedLayout, QVBoxLayout, QWidget

from ..core.method import Method
from ..core.report import Report
from ..errors import DocumentError, SpatialMLError, Stale
from ..methods import method, methods
from ..session import Outdated, Selection, Session, finish, outdated, prepare, selection_from
from ..session.run import Job
from .desk import desk_of
from .messages import Message, MessageLine, tell
from .panel import MethodPanel
from .pinned import Pinned
from .style import MARGIN, PANEL_WIDTH, SPACING, Quiet, accent, scrollable
from .warming import Warming

if TYPE_CHECKING:
    import napari.viewer

__all__ = ["MethodStep", "StepDock", "choose", "title_label"]


def title_label(text: str) -> QLabel:
    """Return the name of a step, in bold."""
    label = QLabel(text)
    label.setIndent(0)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def choose(box: QComboBox, names: Iterable[str], preferred: str = "") -> str:
    """Offer names in a combo box and keep the choice where it is still offered; return the choice.

    Each item's data is the name; its text too. No signal is sent.
    """
    wanted = [str(n) for n in names]
    kept = box.currentData() or preferred
    kept = kept if kept in wanted else preferred
    blocked = box.blockSignals(True)
    try:
        if [box.itemData(i) for i in range(box.count())] != wanted:
            box.clear()
            for name in wanted:
                box.addItem(name, name)
        box.setCurrentIndex(wanted.index(kept) if kept in wanted else (0 if wanted else -1))
        box.setEnabled(len(wanted) > 0)
    finally:
        box.blockSignals(blocked)
    return str(box.currentData() or "")


class StepDock(QWidget):
    """One step of the work as a dock: nothing but a hint at the next step while no section is open.

    Parameters
    ----------
    viewer
        napari's viewer.
    """

    title: ClassVar[str] = ""
    sentence: ClassVar[str] = ""

    def __init__(self, viewer: napari.viewer.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk = desk_of(viewer)
        self._stale = True
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._refresh_once)
        self.setObjectName(type(self).__name__)
        self.setMaximumWidth(PANEL_WIDTH)
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self._empty())
        self.body = self.make()
        self._area, part = scrollable(self.body), self.kept_in_sight()
        self._pages.addWidget(self._area if part is None else Pinned(self._area, part))
        self.desk.opened.connect(self._on_opened)
        # bound methods, never lambdas: Qt disconnects them when the dock is deleted
        self.desk.document_changed.connect(self.mark_stale)
        self.desk.history_changed.connect(self.mark_stale)
        self.desk.state_changed.connect(self.mark_stale)
        self.desk.layers_changed.connect(self.mark_stale)
        self.desk.told.connect(self._on_told)
        self._on_opened()

    @property
    def session(self) -> Session:
        """The session; only asked for while a section is open."""
        assert self.desk.session is not None
        return self.desk.session

    def make(self) -> QWidget:
        """Make the widgets of the step."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Show what the document holds now; called only while a section is open."""
        raise NotImplementedError

    def message_line(self) -> MessageLine | None:
        """Return where this step tells what went wrong."""
        return None

    def kept_in_sight(self) -> QWidget | None:
        """Return the part of the body that stands at the foot of a dock too low for it."""
        return None

    def leave(self) -> None:
        """Another step is shown: take away what only this one draws."""

    def mark_stale(self, *_: object) -> None:
        """Refresh once the program is idle, or when the dock is shown."""
        self._stale = True
        if self.isVisible():
            self._timer.start(0)

    def refresh_now(self) -> None:
        """Refresh without waiting."""
        self._stale = True
        self._refresh_once()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what changed while the dock was hidden."""
        super().showEvent(event)
        self._refresh_once()

    def _refresh_once(self) -> None:
        if self._stale and self.desk.session is not None and self.desk.presenter is not None:
            self._stale = False
            self.refresh()

    def _on_opened(self) -> None:
        self._pages.setCurrentIndex(0 if self.desk.session is None else 1)
        line = self.message_line()
        if line is not None:
            line.show_message(None)  # what was told is about the former section
        self.mark_stale()

    def _on_told(self, level: str, sentence: str) -> None:
        line = self.message_line()
        if line is not None and self.isVisible():
            line.show_message(Message(level, sentence) if sentence else None)  # type: ignore[arg-type]

    def _empty(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(SPACING + 2)
        layout.addWidget(title_label(self.title))
        layout.addWidget(Quiet(self.sentence))
        layout.addWidget(Quiet("No section is open yet. Drop a file on the canvas, or open one here."))
        button = QPushButton("Open files…")
        button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        accent(button)
        button.clicked.connect(lambda _checked=False: self._ask_for_files())
        layout.addWidget(button)
        layout.addStretch(1)
        return page

    def _ask_for_files(self) -> None:
        from .file_dialogs import ask_for_files

        ask_for_files(self, self.desk.opening.open)


class _RunPanel(MethodPanel):
    """A method panel that knows the ways out of what stopped a run, such as inputs that changed meanwhile."""

    ways_out: Callable[[BaseException], dict[str, Callable[[], object]]] = staticmethod(lambda _error: {})

    def _on_error(self, error: BaseException) -> None:
        super()._on_error(error)
        ways = self.ways_out(error)
        if ways:
            self.message.show_message(tell(error), ways)


class MethodStep(StepDock):
    """A step that runs a method of one kind on the document and shows what comes out."""

    kind: ClassVar[str] = ""

    def make_inputs(self) -> QWidget:
        """Make the widgets that say what the method runs on."""
        raise NotImplementedError

    def make_correct(self) -> QWidget | None:
        """Make the hand's tools of the step."""
        return None

    def fill(self) -> None:
        """Offer in the widgets what the document holds."""
        raise NotImplementedError

    def waiting_for(self) -> str:
        """Return what must be there before a run, as the next step to do; empty when a run is possible."""
        return ""

    def selection(self) -> Selection:
        """Return what the method runs on."""
        raise NotImplementedError

    def show_result(self, selection: Selection) -> None:
        """Show what came out, on the canvas."""

    def make(self) -> QWidget:
        """Make the panel."""
        self._started: tuple[Session, Job] | None = None
        self._again: Selection | None = None  # what a result that is made again was made from
        self._kept: tuple[Session, Job, Any] | None = None
        self._reason = ""
        self.panel = _RunPanel(
            self.kind,
            list(methods(self.kind).values()),
            job=self._job,
            done=self._done,
            title=self.title,
            sentence=self.sentence,
            inputs=self.make_inputs(),
            correct=self.make_correct(),
        )
        self.panel.ways_out = self._ways_out
        self.warming = Warming(self)
        self.panel.method_changed.connect(self._warm)
        self.desk.method_wanted.connect(self._take_method)
        return self.panel

    def kept_in_sight(self) -> QWidget:
        """Return the Run button, its progress and what came out."""
        return self.panel.outcome

    def message_line(self) -> MessageLine:
        """Return the line under the Run button."""
        return self.panel.message

    def refresh(self) -> None:
        """Offer what fits, and say what is missing."""
        self.fill()
        reason = self.waiting_for()
        if self.session.recoverable:
            reason = "Say under Section whether the unsaved steps are to be restored."
        if reason != self._reason:
            self._reason = reason
            self.panel.set_waiting_for(reason)
        self._tell_outdated()
        self._warm()

    def _warm(self) -> None:
        """Make ready what the method chosen needs once, while the step is looked at and could run."""
        chosen = None
        if self.isVisible() and self.desk.session is not None and not self._reason and self.panel.state == "idle":
            with contextlib.suppress(SpatialMLError):  # a value that is not possible yet is told when it is used
                chosen = self.panel.method()
        there = chosen is not None and type(chosen).warm is not Method.warm and not chosen.missing()
        self.warming.follow(chosen if there else None, lambda: None if chosen is None else chosen.warm)

    def _tell_outdated(self) -> None:
        """Say which result is older than what it was made from, and offer to make it again."""
        old = next((o for o in outdated(self.session) if o.kind == self.kind), None)
        if old is None or self.panel.state != "idle":
            self.panel.notice.show_message(None)
            return
        self.panel.notice.show_message(Message("warning", old.sentence), {"Run again": lambda: self._run_again(old)})

    def _run_again(self, old: Outdated) -> None:
        self.panel.set_method(method(self.kind, old.record["method"]).from_settings(old.record["settings"]))
        self._again = selection_from(self.kind, old.record["selection"])
        self.panel.notice.show_message(None)
        self.panel.run()

    def _take_method(self, wanted: Method) -> None:
        if wanted.kind == self.kind:
            self.panel.set_method(wanted)

    def _on_opened(self) -> None:
        if hasattr(self, "panel"):
            self.panel.stop()
            self._reason = "?"  # a new section is waited for anew
        super()._on_opened()

    def _job(self, chosen: Method) -> Callable[[Report], Any]:
        self._kept = None
        self.warming.stop()  # the run makes ready what it needs itself
        selection, self._again = self._again or self.selection(), None
        job = prepare(self.session, chosen, selection)
        self._started = (self.session, job)
        return job

    def _done(self, finished: Any) -> str:
        assert self._started is not None
        session, job = self._started
        self._kept = (session, job, finished)
        return self._store(stale=False)

    def _store(self, *, stale: bool) -> str:
        assert self._kept is not None
        session, job, finished = self._kept
        if session is not self.desk.session:
            raise DocumentError("The section was closed while this ran.", "Open it again and run it there.")
        line = finish(session, job, finished, stale=stale)
        self._kept = None
        self.refresh_now()
        self.show_result(job.selection)
        return line

    def _ways_out(self, error: BaseException) -> dict[str, Callable[[], object]]:
        """Return what a person can do about what stopped a run, by the text of its button."""
        return {"Keep it all the same": self._keep, "Run again": self.panel.run} if isinstance(error, Stale) else {}

    def _keep(self) -> None:
        try:
            self.panel.message.show_message(Message("ok", self._store(stale=True)))
        except Exception as error:  # told in the same place as every failure of a run
            self.panel.message.show_message(tell(error))
