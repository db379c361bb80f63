"""The plane of a stack that is in view; nothing where the section has no stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSlider, QToolButton, QWidget

from ..session.planes import z_step
from .style import MARGIN, quiet_button

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["PlaneSlider"]


class PlaneSlider(QWidget):
    """Go through the planes of a stack: images and labels together, at one height.

    Parameters
    ----------
    desk
        The desk.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.text, self.slider = QLabel(), QSlider(Qt.Orientation.Horizontal)
        self.slider.setPageStep(1)
        self.slider.setAccessibleName("Plane")
        self.slider.valueChanged.connect(self._go)
        self.down, self.up = QToolButton(), QToolButton()
        for button, text, key, step in ((self.down, "◂", "PgDown", -1), (self.up, "▸", "PgUp", 1)):
            button.setText(text)
            button.setShortcut(key)
            button.setToolTip(f"{'Next' if step > 0 else 'Previous'} plane ({key})")
            quiet_button(button)
            button.clicked.connect(lambda _checked=False, s=step: self.slider.setValue(self.slider.value() + s))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(MARGIN, 0, MARGIN, 0)
        layout.addWidget(self.text)
        layout.addWidget(self.down)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.up)
        desk.opened.connect(self.follow)
        desk.state_changed.connect(self.follow)
        self.follow()

    def follow(self, *_: object) -> None:
        """Show which plane is in view."""
        session = self._desk.session
        stack = session.document.deepest if session is not None else ""
        self.setVisible(bool(stack))
        if session is None or not stack:
            return
        document = session.document
        n, plane = document.planes(stack), document.plane
        blocked = self.slider.blockSignals(True)
        self.slider.setRange(0, n - 1)
        self.slider.setValue(plane)
        self.slider.blockSignals(blocked)
        height = plane * z_step(getattr(document.sdata, document.type_of(stack))[stack])
        self.text.setText(f"Plane {plane + 1} of {n} · z {height:.4g} µm")

    def _go(self, plane: int) -> None:
        if self._desk.presenter is not None:
            self._desk.presenter.to_plane(plane)
