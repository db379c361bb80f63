"""The list of a section's elements: what kind each is, whether it is shown, and what colours it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from ..session.gather import full_resolution
from ..session.row_words import word_for
from .style import Faint

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["ElementList"]

_TYPES = ("shapes", "labels", "points", "images")
_ROW = 22


class ElementList(QTreeWidget):
    """Elements with a tick each: what is drawn last comes first, as in the stack of layers.

    Parameters
    ----------
    desk
        The desk whose section is listed.
    """

    chosen = Signal(str)
    """The element that further fields are about."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.setColumnCount(2)
        self.setHeaderHidden(True)
        self.setRootIsDecorated(False)
        self.setIndentation(0)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setUniformRowHeights(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setAccessibleName("Elements")
        self.setItemDelegateForColumn(1, Faint(self))
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.setStyleSheet(
            f"QTreeView::item {{ height: {_ROW}px; }}"
            "QTreeView::indicator:unchecked { border: 1px solid rgba(128, 128, 128, 170); border-radius: 2px; }"
        )
        self.itemChanged.connect(self._on_ticked)
        self.currentItemChanged.connect(lambda item, _old: self.chosen.emit(item.text(0) if item else ""))

    def refresh(self) -> None:
        """Show what the document holds and what is drawn of it."""
        presenter, session = self._desk.presenter, self._desk.session
        if presenter is None or session is None:
            return
        document = session.document
        names = [(t, n) for t in _TYPES for n in document.names(t)]
        shown = self.shown()
        here = presenter.state.coordinate_system
        places = {here, presenter.state.beside} - {""}
        blocked = self.blockSignals(True)
        kept = self.currentItem().text(0) if self.currentItem() else ""
        self.clear()
        for kind, name in names:
            item = QTreeWidgetItem([name, _about(document, kind, name)])
            colours = self._colours(name)
            item.setToolTip(0, f"{name}, coloured by {colours}" if colours else name)
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            present = bool(places & set(document.placed(name)))
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable)
            if not present:
                item.setFlags(Qt.ItemFlag.ItemIsSelectable)
                item.setToolTip(0, f"{name} lies in {', '.join(document.placed(name))}, not in {here}.")
            item.setCheckState(0, Qt.CheckState.Checked if name in shown and present else Qt.CheckState.Unchecked)
            self.addTopLevelItem(item)
        self._keep_current(kept)
        self.blockSignals(blocked)
        self.setFixedHeight(min(max(len(names), 1), 9) * _ROW + 2 * self.frameWidth() + 4)
        current = self.currentItem()
        self.chosen.emit(current.text(0) if current else "")

    def shown(self) -> frozenset[str]:
        """Return the elements that are drawn."""
        presenter, session = self._desk.presenter, self._desk.session
        if presenter is None or session is None:
            return frozenset()
        layers = self._desk.viewer.layers
        return frozenset(presenter.element_of(layer) for layer in layers if layer.visible) - {""}

    def choose(self, element: str) -> None:
        """Make an element the one that further fields are about."""
        for item in self.findItems(element, Qt.MatchFlag.MatchExactly, 0):
            self.setCurrentItem(item)

    def _keep_current(self, name: str) -> None:
        presenter = self._desk.presenter
        items = [self.topLevelItem(i) for i in range(self.topLevelItemCount())]
        wanted = [i for i in items if i is not None and i.text(0) == name]
        coloured = [i for i in items if i is not None and presenter is not None and presenter.choices(i.text(0))]
        ticked = [i for i in coloured if i.checkState(0) == Qt.CheckState.Checked]
        first = next(iter([*wanted, *ticked, *coloured, *items]), None)
        if first is not None:
            self.setCurrentItem(first)

    def _colours(self, name: str) -> str:
        presenter = self._desk.presenter
        legends = presenter.legends() if presenter is not None else ()
        return next((legend.title for legend in legends if legend.element == name), "")

    def _on_ticked(self, item: QTreeWidgetItem, column: int) -> None:
        presenter = self._desk.presenter
        if column != 0 or presenter is None:
            return
        name = item.text(0)
        shown = set(self.shown())
        ticked = item.checkState(0) == Qt.CheckState.Checked
        shown = shown | {name} if ticked else shown - {name}
        presenter.show(shown=tuple(sorted(shown)))


def _about(document: Any, kind: str, name: str) -> str:
    """Return an element's kind and size in a few words."""
    if kind == "images":
        sizes = full_resolution(document, name).sizes
        return f"image {sizes['x']:,} × {sizes['y']:,}"
    if kind == "labels":
        tables = document.tables_of(name)
        if tables:
            n = document.table(tables[0]).n_obs
            return f"{n:,} {word_for(document, name, n)}"
        h, w = document.grid(name).shape
        return f"labels {w:,} × {h:,}"
    if kind == "shapes":
        shapes = document.element(name)
        return f"{len(shapes):,} {word_for(document, name, len(shapes)) if 'radius' in shapes else 'shapes'}"
    return "points"
