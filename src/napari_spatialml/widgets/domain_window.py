"""What the windows about a map of domains share: its rows and colours, work beside the window, and when it is old."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QComboBox, QDialog, QHBoxLayout, QPushButton, QSizePolicy, QWidget

from ..core.colours import category_colours
from ..core.report import Report
from ..errors import SpatialMLError
from ..session.domain_tables import feature_parts
from ..session.labelling import Labelling, labelling
from ..session.row_words import word_for
from ..session.selected import Selected
from ..views.state import ColourBy
from .messages import Message, MessageLine, tell
from .progress import Progress
from .progress_row import ProgressBar
from .runner import Runner
from .style import SPACING, Quiet, swatch, tooltip

if TYPE_CHECKING:
    from ..session import Document
    from .desk import Desk

__all__ = ["DomainWindow", "in_a_line"]

_SIZE = (1120, 820)


class DomainWindow(QDialog):
    """A window of its own that blocks nothing, about one column of domains.

    Parameters
    ----------
    desk
        The desk.
    table, column
        A table of the section, and its column of domains.
    """

    about = ""
    """What stands in the title before the name of the map."""

    def __init__(self, desk: Desk, table: str, column: str = "domain", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk, self.table, self.column, self._begun = desk, table, column, False
        self.runner, self.message, self.bar = Runner(self), MessageLine(), ProgressBar()
        self.changed, self.update_button = Quiet("The map or the table has changed."), QPushButton("Update")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowFlag(Qt.WindowType.WindowMinMaxButtonsHint, True)
        self.setModal(False)
        room = self.screen().availableSize()
        self.resize(min(_SIZE[0], room.width()), min(_SIZE[1], room.height() - 60))
        self.setWindowTitle(f"{self.about}: {column} of {table}")
        self.bar.hide()
        self.update_button.setToolTip(tooltip("Compute again from the map and the table as they are now."))
        self.update_button.clicked.connect(lambda _checked=False: self.compute())
        self.update_button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.runner.changed.connect(self._follow_state)
        desk.opened.connect(self.close)
        desk.document_changed.connect(self._on_document)  # no lambda: Qt lets go of a method when the widget goes
        self.show_old(False)

    # for each window -----------------------------------------------------------------------------

    def start(self) -> None:
        """Show what was found before, else compute it; called when the window is shown first."""
        raise NotImplementedError

    def compute(self) -> None:
        """Compute what the window shows, beside it."""
        raise NotImplementedError

    def is_old(self) -> bool:
        """Return whether what is shown is older than the map or the table."""
        raise NotImplementedError

    def follow_state(self, idle: bool) -> None:
        """Enable what can be done now."""

    def follow_colours(self) -> None:
        """Draw again: the colours of domains may be others."""

    # shared --------------------------------------------------------------------------------------

    @property
    def document(self) -> Document:
        """The document on the desk."""
        assert self.desk.session is not None
        return self.desk.session.document

    @property
    def word(self) -> str:
        """What the rows are called: cells, spots or pixels."""
        element = self.document.annotated(self.table)
        return word_for(self.document, element) if element else "rows"

    def labelling(self) -> Labelling:
        """Return the domains as they are now."""
        return labelling(self.document, self.table, self.column)

    def colours(self, names: Collection[str]) -> dict[str, str]:
        """Return "#rrggbb" of each domain, as on the canvas."""
        return category_colours(list(names), self.document.colours(self.column))

    def fill_parts(self, box: QComboBox) -> None:
        """Offer the features of the table: genes or m/z first."""
        kept = box.currentData()
        blocked = box.blockSignals(True)
        box.clear()
        for said, part in feature_parts(self.document, self.table, self.column).items():
            box.addItem(said, part)
        box.setCurrentIndex(max(box.findData(kept), 0) if box.count() else -1)
        box.blockSignals(blocked)

    def fill_names(self, box: QComboBox, extra: Mapping[str, str] | None = None) -> None:
        """Offer the domains with their colours and sizes; those without rows cannot be chosen."""
        kept, domains = box.currentData(), self.labelling()
        blocked = box.blockSignals(True)
        box.clear()
        for said, data in (extra or {}).items():
            box.addItem(said, data)
        colours = self.colours(domains.names)
        for name, size in zip(domains.names, domains.sizes, strict=True):
            if size:
                box.addItem(swatch(colours[name]), f"{name}  ({size:,})", name)
        box.setCurrentIndex(max(box.findData(kept), 0) if box.count() else -1)
        box.blockSignals(blocked)

    def begin(
        self, prepare: Callable[[], Callable[[Report], Any]], on_result: Callable[[Any], object], key: str, title: str
    ) -> None:
        """Read the document, and do the work beside the window; what is wrong is told in one sentence."""
        self.message.show_message(None)
        try:
            job = prepare()
        except SpatialMLError as error:
            self.fail(error)
            return
        self.runner.run(
            job,
            on_result=on_result,
            on_error=self.fail,
            on_progress=self._on_progress,
            on_stopped=self._follow_state,
            title=title,
            key=key,
            replace=True,
        )

    def fail(self, error: BaseException) -> None:
        """Tell what is wrong."""
        self.message.show_message(tell(error))

    def attempt(self, what: Callable[[], str]) -> None:
        """Do something that gives a line, or may raise; tell either."""
        try:
            self.message.show_message(Message("ok", what()))
        except (SpatialMLError, OSError) as error:
            self.message.show_message(tell(error))

    def colour_by_feature(self, feature: str, part: str) -> None:
        """Colour the section by a feature, where the canvas can."""
        where, _, block = part.partition("/")
        if where == "obsm":
            held, name = self.document.table(self.table).obsm[block], feature
            key = f"obsm/{block}/{name if hasattr(held, 'columns') else int(name.rpartition(' ')[2]) - 1}"
        else:  # a layer's values are not on the canvas: X has the same features
            key = f"X/{feature}"
        self.colour_by(key)

    def colour_by(self, key: str) -> None:
        """Colour what the table annotates by one of its columns or features."""
        presenter = self.desk.presenter
        if presenter is None:
            return
        for element in self.document.regions(self.table):
            if not self.desk.visible(element) and element == self.document.annotated(self.table):
                self.desk.show_over_histology(element)
            presenter.colour_by(element, ColourBy(self.table, key))

    def select(self, rows: Any, said: str) -> None:
        """Select rows on the canvas, and in the plots and docks that follow it."""
        if self.desk.presenter is not None:
            self.desk.presenter.selected.take(Selected(self.table, np.asarray(rows, np.int64), said))

    def showEvent(self, event: QShowEvent) -> None:
        """Begin."""
        super().showEvent(event)
        if not self._begun:
            self._begun = True
            self.start()

    def bar_row(self, *before: QWidget, after: Collection[QWidget] = ()) -> QWidget:
        """Return buttons in a row, with the progress between them."""
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        for part in before:
            row.addWidget(part)
        row.addWidget(self.bar, 1)
        row.addWidget(self.changed)
        row.addWidget(self.update_button)
        row.addStretch(1)
        for part in after:
            row.addWidget(part)
        return holder

    def show_old(self, old: bool) -> None:
        """Say that the map has changed, or take that back."""
        self.changed.setVisible(old)
        self.update_button.setVisible(old)

    def _on_document(self, slots: Any) -> None:
        if self.desk.session is None:
            return
        if any(slot[:2] == ("attrs", "colours") for slot in slots):
            self.follow_colours()
        if not any(slot[:2] == ("tables", self.table) for slot in slots):
            return
        try:
            self.show_old(self.is_old())
        except SpatialMLError as error:  # the column, or the table, is gone
            self.fail(error)
            self.show_old(False)

    def _on_progress(self, progress: Progress) -> None:
        self.bar.follow(progress)

    def _follow_state(self) -> None:
        idle = self.runner.state == "idle"
        self.bar.setVisible(not idle)
        self.update_button.setEnabled(idle)
        self.follow_state(idle)


def in_a_line(*parts: QWidget | None) -> QWidget:
    """Return widgets in a row; None is room that grows."""
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(SPACING)
    for part in parts:
        row.addStretch(1) if part is None else row.addWidget(part)
    return holder
