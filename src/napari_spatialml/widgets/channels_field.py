"""The field that says which channels of an image a run takes."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QMenu, QPushButton, QSizePolicy, QWidget

__all__ = ["ChannelsField"]


class ChannelsField(QPushButton):
    """Which channels of an image are used; none ticked means all."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setStyleSheet("QPushButton { text-align: left; padding: 3px 6px; }")
        self._menu = QMenu(self)
        self._names: tuple[str, ...] = ()
        self._show()

    def set_names(self, names: tuple[str, ...]) -> None:
        """Offer other channels; all are used until one is ticked."""
        if names == self._names:
            return
        self._names = names
        self._menu.clear()
        for name in names:
            action = self._menu.addAction(name)
            action.setCheckable(True)
            action.toggled.connect(lambda _on: self._show())
        self._show()

    @property
    def all(self) -> tuple[str, ...]:
        """The channels of the image."""
        return self._names

    def names(self) -> tuple[str, ...]:
        """Return the channels ticked; empty for all."""
        return tuple(a.text() for a in self._menu.actions() if a.isChecked())

    def tick(self, *names: str) -> None:
        """Tick these channels and no others."""
        for action in self._menu.actions():
            action.setChecked(action.text() in names)

    def _show(self) -> None:
        ticked = self.names()
        everything = "all: " + ", ".join(self._names) if len(self._names) > 1 else ", ".join(self._names)
        text = ", ".join(ticked) or everything or "–"
        self.setText(text if len(text) <= 30 else text[:29] + "…")
        self.setEnabled(len(self._names) > 1)
        self.setMenu(self._menu if len(self._names) > 1 else None)
        self.changed.emit()
