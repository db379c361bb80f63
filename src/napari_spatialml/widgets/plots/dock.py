"""The plots dock: which rows, which kind of plot, the plot, and what is written under it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QStackedLayout,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from ...errors import SpatialMLError
from ..desk import desk_of
from ..messages import Message, MessageLine, tell
from ..step import title_label
from ..style import MARGIN, SPACING, Quiet
from .rows_field import RowsField

if TYPE_CHECKING:
    import napari.viewer

    from .pane import Pane

__all__ = ["NAME", "PlotsDock", "open_plots"]

NAME = "Plots"
_LEFT = 300
_NOTHING = "No table annotates cells, spots or pixels of this section yet. Segment cells, or open a table of counts."


class PlotsDock(QWidget):
    """Plots of a table's rows, linked with the canvas both ways.

    Parameters
    ----------
    viewer
        napari's viewer.
    """

    def __init__(self, viewer: napari.viewer.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk = desk_of(viewer)
        self.setObjectName("SpatialML plots")
        self._stale, self._seen, self._selected = True, None, None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._refresh_once)
        self._pages = QStackedLayout(self)
        self._empty = Quiet()
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.addWidget(title_label(NAME))
        column.addWidget(self._empty)
        column.addStretch(1)
        self._pages.addWidget(page)
        self._pages.addWidget(self._body())
        self.desk.opened.connect(self._on_opened)
        self.desk.document_changed.connect(self._on_document)
        self.desk.state_changed.connect(self._on_state)
        self._on_opened()

    @property
    def pane(self) -> Pane:
        """The kind of plot that is shown."""
        return self.panes[self.tabs.tabText(self.tabs.currentIndex())]

    def show_kind(self, title: str) -> Pane:
        """Show a kind of plot, by its title."""
        self.tabs.setCurrentWidget(self.panes[title])
        self.refresh_now()
        return self.pane

    def show_rows(self, table: str, element: str) -> None:
        """Plot the rows of a table that annotate an element."""
        self.rows.set_rows(table, element)
        self.refresh_now()

    def refresh_now(self) -> None:
        """Show what the document holds now."""
        self._stale = True
        self._refresh_once()

    def export(self, path: Path) -> None:
        """Write the plot; say so, or what is wrong, under it."""
        from .export import write_plot

        try:
            self.message.show_message(Message("ok", write_plot(self.pane, path)))
        except (SpatialMLError, OSError) as error:
            self.message.show_message(tell(error))

    def sizeHint(self) -> QSize:
        """Return a flat size: the canvas keeps most of the window."""
        return QSize(900, 300)

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what changed while the dock was hidden."""
        super().showEvent(event)
        self._refresh_once()
        self._apply_thresholds()

    def hideEvent(self, event: QHideEvent) -> None:
        """Draw everything again: a filter whose thresholds nobody sees would hide rows unseen."""
        super().hideEvent(event)
        if self.desk.presenter is not None and not event.spontaneous():
            self.desk.presenter.selected.filter(None)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme, in which some marks are drawn."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "message"):
            self._mark_stale()

    # the parts -----------------------------------------------------------------------------------

    def _body(self) -> QWidget:
        from .composition import CompositionPane
        from .histogram import HistogramPane
        from .key import Key
        from .scatter import ScatterPane
        from .violin import ViolinPane

        self.rows = RowsField()
        self.rows.currentIndexChanged.connect(lambda _i: self.refresh_now())
        self.tabs, self.boards, self.key = QTabWidget(), QStackedWidget(), Key()
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self.panes: dict[str, Pane] = {}
        for cls in (ScatterPane, HistogramPane, ViolinPane, CompositionPane):
            pane = cls(self.desk)
            pane.setContentsMargins(0, SPACING, 0, 0)
            self.panes[cls.title] = pane
            self.boards.addWidget(pane.board)
            self.tabs.addTab(pane, cls.title)
            self.tabs.setTabToolTip(self.tabs.count() - 1, cls.help)
            pane.noted.connect(self._on_noted)
            pane.failed.connect(self._on_failed)
        self.tabs.currentChanged.connect(self._on_kind)
        self.key.chosen.connect(self._on_key)
        self.note, self.message = Quiet(), MessageLine()
        body = QWidget()
        line = QHBoxLayout(body)
        line.setContentsMargins(MARGIN, 4, MARGIN, 4)
        line.setSpacing(MARGIN)
        line.addWidget(self._left())
        line.addLayout(self._right(), 1)
        return body

    def _left(self) -> QWidget:
        holder = QWidget()
        holder.setFixedWidth(_LEFT)
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        column.addWidget(self.rows)
        column.addWidget(self.tabs, 1)
        return holder

    def _right(self) -> QVBoxLayout:
        across = QHBoxLayout()
        across.addWidget(self.boards, 1)
        across.addWidget(self.key)
        below = QHBoxLayout()
        below.setSpacing(SPACING)
        below.addWidget(self.note, 1)
        for button in self._buttons():
            below.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout()
        column.setSpacing(2)
        column.addLayout(across, 1)
        column.addWidget(self.message)
        column.addLayout(below)
        return column

    def _buttons(self) -> tuple[QWidget, ...]:
        from .export import ExportButton

        self.draw_all, self.fit = QPushButton("Draw all"), QPushButton("Fit")
        self.write = ExportButton(self._ask_where)
        self.draw_all.setToolTip("Take the thresholds away: every row is drawn again.")
        self.draw_all.clicked.connect(lambda _checked=False: self._draw_all())
        self.fit.setToolTip("Show the whole plot (the wheel zooms, the middle button moves).")
        self.fit.clicked.connect(lambda _checked=False: self.pane.board.fit())
        for button in (self.draw_all, self.fit, self.write):
            button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        return self.draw_all, self.fit, self.write

    # what happens ----------------------------------------------------------------------------------

    def _on_opened(self) -> None:
        if self._selected is not None:
            self._selected.changed.disconnect(self._on_selected)
            self._selected = None
        presenter = self.desk.presenter
        if presenter is not None:
            self._selected = presenter.selected
            self._selected.changed.connect(self._on_selected)
        for pane in self.panes.values():
            pane.rows = None
        self._mark_stale()
        if presenter is None:
            self._empty.setText("No section is open yet.")
            self._pages.setCurrentIndex(0)

    def _on_document(self, slots: Any) -> None:
        rows = self.pane.rows
        for slot in slots:
            here = rows is not None and len(slot) > 1 and slot[1] in (rows.table, rows.element)
            if here or rows is None or slot[:2] == ("attrs", "colours") or slot[0] in ("shapes", "tables"):
                self._mark_stale()
                return

    def _on_state(self) -> None:
        """Draw again only if the colours of the rows have changed."""
        if self._colouring() != self._seen:
            self._mark_stale()

    def _on_selected(self) -> None:
        if not isalive(self) or not self.isVisible() or not self.pane.drawn:
            return
        self.pane.mark()
        self._on_noted()

    def _on_kind(self, index: int) -> None:
        self.boards.setCurrentIndex(index)
        self.message.show_message(None)
        self.refresh_now()

    def _on_noted(self) -> None:
        pane, presenter = self.pane, self.desk.presenter
        if pane.rows is None or presenter is None:
            return
        selected, left = pane.marked(), pane.limited()
        said = [pane.rows.said]
        if selected is not None:
            said.append(f"{int(selected.sum()):,} selected")
        if left is not None and pane.title != "Histogram":  # there the lines say it themselves
            said.append(f"{int(left.sum()):,} left by the thresholds")
        self.draw_all.setVisible(presenter.selected.limit is not None)
        self.note.setText(" · ".join([*said, *pane.notes]))

    def _on_failed(self, message: Any) -> None:
        if self.sender() in (self.pane, None):
            self.message.show_message(message)

    def _on_key(self, code: int) -> None:
        axis, _ = self.pane.keyed()
        if axis is not None and axis.categories is not None:
            self.pane.select(axis.categories.codes == code, f"{axis.title} is {axis.categories.names[code]}")

    def _mark_stale(self) -> None:
        self._stale = True
        if self.isVisible():
            self._timer.start(0)

    def _colouring(self) -> Any:
        presenter, rows = self.desk.presenter, self.pane.rows
        if presenter is None or rows is None:
            return None
        shown = [(g.colormap, g.low, g.high) for g in presenter.legends() if g.element == rows.element]
        return presenter.colour_of(rows.element), shown

    def _refresh_once(self) -> None:
        from ...views.columns import named_choices, plottable, rows_of

        session, presenter = self.desk.session, self.desk.presenter
        if not self._stale or session is None or presenter is None:
            return
        self._stale = False
        document = session.document
        there = plottable(document)
        self._pages.setCurrentIndex(1 if there else 0)
        if not there:
            self._empty.setText(_NOTHING)
            return
        found = self.rows.offer(there, self.desk.visible)
        if found is not None:
            rows = rows_of(document, *found)
            self.pane.set_rows(rows, named_choices(document, rows))
            self.key.show_axis(*self.pane.keyed())
            self._seen = self._colouring()

    def _draw_all(self) -> None:
        histogram: Any = self.panes["Histogram"]
        histogram.reset()
        if self.desk.presenter is not None:
            self.desk.presenter.selected.filter(None)

    def _apply_thresholds(self) -> None:
        histogram: Any = self.panes["Histogram"]
        if histogram.rows is not None:
            histogram.apply()

    def _ask_where(self, suffix: str) -> None:
        from ..file_dialogs import ask_where_to_save

        name = f"{self.desk.name} {self.pane.title.lower()}{suffix}".replace("/", "-")
        ask_where_to_save(self, "Export the plot", name, suffix, self.export)


def open_plots(viewer: Any) -> PlotsDock:
    """Return the plots dock of a viewer, in sight; below the canvas where it is not there yet."""
    from ..launch import PLUGIN

    viewer = getattr(viewer, "__wrapped__", viewer)
    window = getattr(viewer, "window", None)
    if window is None:
        return PlotsDock(viewer)
    there = window._qt_window.findChild(PlotsDock)
    if there is None:
        there = PlotsDock(viewer)
        window.add_dock_widget(there, name=f"{NAME} ({PLUGIN})", area="bottom", add_vertical_stretch=False)
    frame = there.parentWidget()
    if frame is not None:
        frame.show()
        frame.raise_()
    return there
