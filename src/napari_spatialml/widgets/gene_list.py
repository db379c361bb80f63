"""The genes that were chosen: symbol in its colour, name, how many are in view and in all, and whether it is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from qtpy.QtCore import QPoint, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QImage, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QColorDialog, QHeaderView, QMenu, QTreeWidget, QTreeWidgetItem, QWidget

from ..core.symbols import SYMBOLS, stamp
from ..views.transcript_looks import GeneLook
from .style import Faint, mix

__all__ = ["GeneList", "symbol_icon"]

_ROW, _ICON = 22, 12
_GENE, _VIEW, _ALL, _AWAY = range(4)


def symbol_icon(symbol: str, colour: str) -> QIcon:
    """Return a symbol in a colour, as it is drawn on the canvas."""
    scale = 2  # twice the pixels, for sharp edges on dense screens
    cover = np.pad(stamp(symbol, _ICON * scale - 3), 1)
    rgb = QColor(colour)
    rgba = np.empty((*cover.shape, 4), np.uint8)
    rgba[..., :3] = (rgb.red(), rgb.green(), rgb.blue())
    rgba[..., 3] = np.round(cover * 255)
    held = np.ascontiguousarray(rgba)
    image = QImage(held.data, held.shape[1], held.shape[0], 4 * held.shape[1], QImage.Format.Format_RGBA8888).copy()
    image.setDevicePixelRatio(scale)
    picture = QPixmap.fromImage(image)
    icon = QIcon(picture)
    icon.addPixmap(picture, QIcon.Mode.Selected)  # else Qt tints it in a selected row
    return icon


class GeneList(QTreeWidget):
    """Chosen genes that can be ticked, recoloured, given another symbol, and taken away."""

    ticked = Signal(str, bool)
    """The gene, and whether it is drawn."""
    recoloured = Signal(str, str)
    """The gene and its new colour as "#rrggbb"."""
    reshaped = Signal(str, str)
    """The gene and its new symbol."""
    removed = Signal(str)
    """The gene that is taken away."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setColumnCount(4)
        self.setHeaderLabels(["Gene", "in view", "in all", ""])
        self.setRootIsDecorated(False)
        self.setIndentation(0)
        self.setUniformRowHeights(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setStyleSheet(
            f"QTreeView::item {{ height: {_ROW}px; }}"
            "QTreeView::indicator:unchecked { border: 1px solid rgba(128, 128, 128, 170); border-radius: 2px; }"
        )
        self.setAccessibleName("Genes")
        self.setToolTip("Double click: colour. Right click: symbol. The tick: whether it is drawn.")
        for column in (_VIEW, _ALL):
            self.setItemDelegateForColumn(column, Faint(self, 0.7))
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(_GENE, QHeaderView.ResizeMode.Stretch)
        for column in (_VIEW, _ALL, _AWAY):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.itemChanged.connect(self._on_ticked)
        self.itemClicked.connect(self._on_clicked)
        self.itemDoubleClicked.connect(self._on_double)
        self.customContextMenuRequested.connect(self._ask)

    def set_rows(self, genes: Sequence[GeneLook], in_view: Mapping[str, str], in_all: Mapping[str, str]) -> None:
        """Show genes; the one that was current stays so."""
        blocked = self.blockSignals(True)
        kept = self.current()
        if [self.name_at(row) for row in range(self.topLevelItemCount())] != [g.gene for g in genes]:
            self.clear()
            for gene in genes:
                self.addTopLevelItem(QTreeWidgetItem([gene.gene, "", "", "×"]))
        for row, gene in enumerate(genes):
            item = self.topLevelItem(row)
            assert item is not None
            self._fill(item, gene, in_view.get(gene.gene, ""), in_all.get(gene.gene, "nowhere"))
            if gene.gene == kept:
                self.setCurrentItem(item)
        self.blockSignals(blocked)
        self.setVisible(bool(genes))
        height = self.header().sizeHint().height() + min(max(len(genes), 1), 10) * _ROW
        self.setFixedHeight(height + 2 * self.frameWidth() + 4)

    def current(self) -> str:
        """Return the gene that is marked, or ""."""
        item = self.currentItem()
        return item.text(_GENE) if item is not None else ""

    def name_at(self, row: int) -> str:
        """Return the gene of a row."""
        item = self.topLevelItem(row)
        return item.text(_GENE) if item is not None else ""

    def _fill(self, item: QTreeWidgetItem, gene: GeneLook, in_view: str, in_all: str) -> None:
        item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable)
        item.setCheckState(_GENE, Qt.CheckState.Checked if gene.shown else Qt.CheckState.Unchecked)
        item.setIcon(_GENE, symbol_icon(gene.symbol, gene.colour))
        item.setText(_VIEW, in_view if gene.shown else "")
        item.setText(_ALL, in_all)
        item.setToolTip(_AWAY, f"Take {gene.gene} away.")
        for column in (_VIEW, _ALL):
            item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def _on_ticked(self, item: QTreeWidgetItem, column: int) -> None:
        if column == _GENE:
            self.ticked.emit(item.text(_GENE), item.checkState(_GENE) == Qt.CheckState.Checked)

    def _on_clicked(self, item: QTreeWidgetItem, column: int) -> None:
        if column == _AWAY:
            self.removed.emit(item.text(_GENE))

    def _on_double(self, item: QTreeWidgetItem, column: int) -> None:
        if column == _GENE:
            self.ask_colour(item.text(_GENE))

    def ask_colour(self, gene: str) -> None:
        """Ask for another colour, without holding the window up."""
        dialog = QColorDialog(self)
        dialog.setWindowTitle(f"Colour of {gene}")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.colorSelected.connect(lambda colour: self.recoloured.emit(gene, colour.name()))
        dialog.open()

    def _ask(self, at: QPoint) -> None:
        item = self.itemAt(at)
        if item is None:
            return
        gene = item.text(_GENE)
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Colour…", partial(self.ask_colour, gene))
        for symbol in SYMBOLS:
            icon = symbol_icon(symbol, mix(self, 0.9).name())
            menu.addAction(icon, symbol, partial(self.reshaped.emit, gene, symbol))
        menu.addAction("Take away", partial(self.removed.emit, gene))
        menu.popup(self.viewport().mapToGlobal(at))
