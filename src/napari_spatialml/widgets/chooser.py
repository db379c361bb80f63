"""The list of a kind's methods. What is not installed is listed as well, with how to get it."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QStandardItemModel, QWheelEvent
from qtpy.QtWidgets import QComboBox, QWidget

from ..core.method import Method
from ..errors import MissingDependency
from .docstrings import tooltip

__all__ = ["MethodChooser"]


class MethodChooser(QComboBox):
    """Choose a method; the first that is installed is chosen at the start, none if there is none."""

    def __init__(self, classes: Sequence[type[Method]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        model = self.model()
        assert isinstance(model, QStandardItemModel)
        for row, cls in enumerate(classes):
            absent = cls.missing()
            self.addItem(f"{cls.title} – needs {absent}" if absent else cls.title)
            item = model.item(row)
            item.setEnabled(not absent)
            item.setToolTip(tooltip(_how_to_install(cls) if absent else cls.summary()))
        self.setCurrentIndex(next((row for row, cls in enumerate(classes) if not cls.missing()), -1))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Choose by wheel only with the focus, so that scrolling a dock changes nothing."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


def _how_to_install(cls: type[Method]) -> str:
    try:
        cls.check_installed()
    except MissingDependency as error:
        return str(error)
    return cls.summary()
