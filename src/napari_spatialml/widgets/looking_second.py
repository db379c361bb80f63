"""A second canvas beside the first: other elements or another section, moving together with it."""

from __future__ import annotations

import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QMenu, QToolButton, QVBoxLayout, QWidget

from ..views.looking_link import Link, SecondScene
from .step import choose

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["SecondView"]

_CROSS = 23


class SecondView(QWidget):
    """A canvas of its own on the same document.

    napari's own second canvas (a model and its Qt viewer) is used, and not a grid: a grid shares out the
    layers of one list, so that cells could not lie over both images; here each canvas has its own plan.

    Parameters
    ----------
    desk
        The desk.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        from napari.components import ViewerModel
        from napari.qt import QtViewer

        assert desk.presenter is not None
        self._desk = desk
        self.model = ViewerModel(title="Second view")
        self.canvas = QtViewer(self.model)
        self.scene = SecondScene(self.model, desk.presenter, weakref.ref(self.canvas.canvas))
        self.link: Link | None = None
        self.systems, self.elements, self.linked = QComboBox(), QToolButton(), QCheckBox("Linked")
        self._lay_out()
        native = self.canvas.canvas.native
        first = desk.viewer.window._qt_viewer.canvas
        self._marks = (_Cross(first.native, first), _Cross(native, self.canvas.canvas))
        desk.viewer.mouse_move_callbacks.append(self._over_first)
        self.model.mouse_move_callbacks.append(self._over_second)
        desk.state_changed.connect(self._follow_colours)
        self._offer()
        self._start()

    def close_view(self) -> None:
        """Let go of the document and of the first canvas."""
        if self.link is not None:
            self.link.cut()
            self.link = None
        self._desk.state_changed.disconnect(self._follow_colours)
        if self._over_first in self._desk.viewer.mouse_move_callbacks:
            self._desk.viewer.mouse_move_callbacks.remove(self._over_first)
        self.model.mouse_move_callbacks.clear()
        for mark in self._marks:
            mark.hide()
            mark.setParent(None)
            mark.deleteLater()
        self._marks = ()
        self.scene.close()
        self.canvas.close()  # napari's viewer deletes itself then

    def changeEvent(self, event: QEvent) -> None:
        """Let go when the person closes the dock: napari takes this widget out of it."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange:
            QTimer.singleShot(0, self._left)

    def _left(self) -> None:
        if self.parent() is None and self._desk.looking.second is self:
            self._desk.looking.show_second(False)

    def link_both(self, on: bool) -> None:
        """Let both views move together from where they stand, or each on its own."""
        if self.link is not None:
            self.link.cut()
        same = self.scene.state.coordinate_system == self._desk.presenter.state.coordinate_system  # type: ignore[union-attr]
        self.link = Link(self._desk.viewer, self.model, same=same) if on else None

    def show_system(self, name: str) -> None:
        """Show another coordinate system here."""
        self.link_both(False)
        self.scene.system, self.scene.shown = name, None
        self.systems.setCurrentIndex(self.systems.findData(name))
        self._start()

    def show_elements(self, names: tuple[str, ...]) -> None:
        """Show these elements here."""
        self.scene.shown = names
        self.scene.show()
        self._offer_elements()

    def _start(self) -> None:
        self.scene.show()
        self._offer_elements()
        if len(self.model.layers):
            self.model.fit_to_view(margin=0.04)
        self.linked.setChecked(True)
        self.link_both(True)

    def _lay_out(self) -> None:
        self.elements.setText("Elements ▾")
        self.elements.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.elements.setToolTip("Choose what this view shows.")
        self.systems.setToolTip("The coordinate system that this view shows.")
        self.linked.setToolTip("Both views move together, from where they stand when this is ticked.")
        self.systems.activated.connect(lambda _i: self.show_system(str(self.systems.currentData())))
        self.linked.clicked.connect(self.link_both)
        row = QHBoxLayout()
        row.setContentsMargins(4, 2, 4, 2)
        for part in (self.systems, self.elements, self.linked):
            row.addWidget(part)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(row)
        layout.addWidget(self.canvas, 1)
        self.setMinimumSize(240, 240)

    def _offer(self) -> None:
        presenter = self._desk.presenter
        assert presenter is not None
        systems = presenter.document.coordinate_systems()
        choose(self.systems, systems, presenter.state.coordinate_system)
        self.systems.setVisible(len(systems) > 1)

    def _offer_elements(self) -> None:
        presenter = self._desk.presenter
        assert presenter is not None
        menu, document = QMenu(self.elements), presenter.document
        drawn = {spec.key.element for spec, layer in self.scene.canvas.layers() if layer.visible}
        names = [n for t in ("images", "points", "labels", "shapes") for n in document.names(t)]
        for name in [n for n in names if self.scene.state.coordinate_system in document.placed(n)]:
            action: Any = menu.addAction(name)
            action.setCheckable(True)
            action.setChecked(name in drawn)
            action.toggled.connect(partial(self._toggle, name))
        self.elements.setMenu(menu)

    def _toggle(self, name: str, on: bool) -> None:
        drawn = [spec.key.element for spec, layer in self.scene.canvas.layers() if layer.visible]
        kept = dict.fromkeys([*drawn, name] if on else [n for n in drawn if n != name])
        # a turn later: the menu that is open now is made anew
        QTimer.singleShot(0, partial(self.show_elements, tuple(kept)))

    def _follow_colours(self) -> None:
        if self._desk.presenter is not None:
            self.scene.show()

    def _over_first(self, viewer: Any, event: Any) -> None:
        self._mark(1, event.position[-2:], 1.0)

    def _over_second(self, viewer: Any, event: Any) -> None:
        self._mark(0, event.position[-2:], -1.0)

    def _mark(self, where: int, position: Any, sign: float) -> None:
        for k, mark in enumerate(self._marks):
            mark.setVisible(k == where and self.link is not None)
        if self.link is not None and self._marks:
            y, x = (float(p) + sign * d for p, d in zip(position, self.link.apart, strict=True))
            self._marks[where].go(y, x)


class _Cross(QWidget):
    """A cross over a canvas: where the mouse is in the other one."""

    def __init__(self, native: QWidget, canvas: Any) -> None:
        super().__init__(native)
        self._canvas = canvas
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.resize(_CROSS, _CROSS)
        self.hide()

    def go(self, y: float, x: float) -> None:
        """Lie over a place in µm."""
        at = self._canvas.view.scene.transform.map([x, y, 0, 1])
        self.move(round(float(at[0])) - _CROSS // 2, round(float(at[1])) - _CROSS // 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the cross, dark rim first."""
        painter, middle = QPainter(self), _CROSS // 2
        for width, colour in ((3, QColor(0, 0, 0, 150)), (1, QColor(255, 214, 0))):
            painter.setPen(QPen(colour, width))
            for a, b in ((1, middle - 4), (middle + 4, _CROSS - 2)):
                painter.drawLine(a, middle, b, middle)
                painter.drawLine(middle, a, middle, b)
        painter.end()
