"""The workbench: all steps in one dock, under a header that says what is open and what can be undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QTabWidget, QToolButton, QVBoxLayout, QWidget

from .annotate import AnnotateDock
from .compare import CompareDock
from .correct import CorrectDock
from .deconvolve import DeconvolveDock
from .desk import Desk, desk_of
from .domains import DomainsDock
from .history import HistoryDock
from .learn import LearnDock
from .looking import LookDock
from .plane_slider import PlaneSlider
from .register import RegisterDock
from .review import ReviewDock
from .section import SectionDock
from .segment import SegmentDock
from .step import StepDock
from .step_bar import StepBar
from .style import MARGIN, PANEL_WIDTH, level_colour, mix, quiet_button
from .tour import TourStrip
from .transcripts import TranscriptsDock

if TYPE_CHECKING:
    import napari.viewer

__all__ = ["STEPS", "Header", "Workbench"]

STEPS: tuple[type[StepDock], ...] = (
    SectionDock,
    LookDock,
    TranscriptsDock,
    SegmentDock,
    CorrectDock,
    ReviewDock,
    LearnDock,
    AnnotateDock,
    RegisterDock,
    DomainsDock,
    DeconvolveDock,
    CompareDock,
    HistoryDock,
)
"""The steps in the order of work."""
_HEIGHT = 560


class _Name(QLabel):
    """A name in as much room as there is; where that is too little, its middle is left out."""

    def set_whole(self, name: str) -> None:
        self._whole = name
        self.updateGeometry()
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def minimumSizeHint(self) -> QSize:
        return QSize(60, super().minimumSizeHint().height())

    def sizeHint(self) -> QSize:
        whole = self.fontMetrics().horizontalAdvance(getattr(self, "_whole", "")) + 2
        return QSize(whole, super().sizeHint().height())

    def _fit(self) -> None:
        whole = getattr(self, "_whole", "")
        self.setText(self.fontMetrics().elidedText(whole, Qt.TextElideMode.ElideMiddle, self.width()))


class Header(QWidget):
    """What is open, whether it is saved, and undo and redo with the names of their steps.

    Parameters
    ----------
    desk
        The desk.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.name, self.saved = _Name(), QLabel()
        font = self.name.font()
        font.setBold(True)
        self.name.setFont(font)
        self.undo, self.redo = QToolButton(), QToolButton()
        self.plots = QToolButton()
        self.plots.setText("Plots")
        self.plots.setShortcut("Ctrl+Alt+P")
        self.plots.setToolTip("Open plots of cells, spots or pixels below the canvas (Ctrl+Alt+P)")
        self.plots.clicked.connect(lambda _checked=False: self._open_plots())
        quiet_button(self.plots)
        for button, text, call in ((self.undo, "↶", desk.undo), (self.redo, "↷", desk.redo)):
            button.setText(text)
            quiet_button(button)
            big = button.font()
            big.setPointSizeF(big.pointSizeF() * 1.4)
            button.setFont(big)
            button.clicked.connect(lambda _checked=False, c=call: c())
        layout = QHBoxLayout(self)
        layout.setContentsMargins(MARGIN, 4, MARGIN, 0)
        layout.setSpacing(8)
        layout.addWidget(self.name, 1)
        for part in (self.saved, self.plots, self.undo, self.redo):
            layout.addWidget(part)
        desk.opened.connect(self.follow)
        desk.history_changed.connect(self.follow)
        desk.saving.changed.connect(self.follow)
        self.follow()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange) and hasattr(self, "redo"):
            self.follow()

    def follow(self) -> None:
        """Show the state of the desk."""
        session = self._desk.session
        name = self._desk.name or "No section is open"
        self.name.set_whole(name)
        self.name.setToolTip(str(session.store) if session is not None and session.store is not None else name)
        self.saved.setVisible(session is not None)
        if session is None:
            self._offer(self.undo, "Undo", "")
            self._offer(self.redo, "Redo", "")
            return
        done, history = session.position, session.history
        self._offer(self.undo, "Undo", history[done - 1].label if done else "")
        self._offer(self.redo, "Redo", history[done].label if done < len(history) else "")
        words, colour = ("unsaved", level_colour(self, "warning")) if session.unsaved else ("saved", mix(self, 0.7))
        if session.read_only:
            words, colour = "read only", level_colour(self, "warning")
        if self._desk.saving.running:
            words, colour = "saving…", mix(self, 0.7)
        dot = level_colour(self, "warning" if words != "saved" else "ok").name()
        self.saved.setText(f'<span style="color:{dot}">●</span> <span style="color:{colour.name()}">{words}</span>')

    def _open_plots(self) -> None:
        from .plots.dock import open_plots

        open_plots(self._desk.viewer)

    def _offer(self, button: QToolButton, verb: str, label: str) -> None:
        button.setEnabled(bool(label))
        key = "Ctrl+Z" if verb == "Undo" else "Ctrl+Shift+Z"
        button.setToolTip(f"{verb}: {label} ({key})" if label else f"Nothing to {verb.lower()}")
        button.setAccessibleName(f"{verb}: {label}" if label else verb)


class Workbench(QWidget):
    """All steps of the work, in one dock.

    Parameters
    ----------
    viewer
        napari's viewer.
    """

    def __init__(self, viewer: napari.viewer.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk = desk_of(viewer)
        self.setObjectName("SpatialML workbench")
        self.setMaximumWidth(PANEL_WIDTH)
        self.header = Header(self.desk)
        self.tour = TourStrip(self)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.steps: dict[str, StepDock] = {}
        for cls in STEPS:
            dock = cls(viewer)
            self.steps[cls.title] = dock
            self.tabs.addTab(dock, cls.title)
            self.tabs.setTabToolTip(self.tabs.count() - 1, cls.sentence)
        self.bar = StepBar(self.tabs)
        self.tabs.currentChanged.connect(self._leave)
        self.desk.step_wanted.connect(self.go_to)
        self.desk.opening.changed.connect(self._show_question)
        self.desk.opening.failed.connect(self._show_failure)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.tour)
        layout.addWidget(self.header)
        layout.addWidget(self.bar)
        layout.addWidget(PlaneSlider(self.desk))
        layout.addWidget(self.tabs, 1)
        # no narrower than its steps' words: a dock beside it takes its room from the canvas
        self.setMinimumWidth(min(max(340, self.bar.minimumSizeHint().width()), PANEL_WIDTH))

    def sizeHint(self) -> QSize:
        """Return the width of the dock at its start."""
        return QSize(PANEL_WIDTH, _HEIGHT)

    def go_to(self, title: str) -> StepDock:
        """Show a step and return its dock."""
        dock = self.steps[title]
        self.tabs.setCurrentWidget(dock)
        dock.refresh_now()
        return dock

    def _show_question(self) -> None:
        """Go where opening asks for a unit: a file may be dropped on the canvas in any step."""
        if self.desk.opening.question is not None:
            self.go_to(SectionDock.title)

    def _show_failure(self, _error: object) -> None:
        """Go where it is told what went wrong with opening."""
        self.go_to(SectionDock.title)

    def _leave(self, index: int) -> None:
        presenter = self.desk.presenter
        if presenter is None or self.tabs.tabText(index) == HistoryDock.title:
            return
        # a tool whose buttons are out of sight would change the document unseen
        if presenter.tool:
            presenter.use("")
        if presenter.state.compared is not None and self.tabs.tabText(index) != CompareDock.title:
            presenter.marks.remove()
            presenter.show(compared=None, shown=None)
        if self.tabs.tabText(index) != RegisterDock.title:
            self.steps[RegisterDock.title].leave()
