"""Editors of one value each: choices, flags, text, paths, and what may be left to the method.

All have ``value()``, ``set_value()`` and the signal ``changed``, as the number's editor has.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from ..errors import BadInput

__all__ = ["ChannelName", "ChoiceField", "Field", "FlagField", "OptionalField", "PathField", "SliderField", "TextField"]

_NOTCHES = 100


class Field(Protocol):
    """What every editor offers to a form."""

    changed: Any

    def value(self) -> Any:
        """Return the value."""

    def set_value(self, value: Any) -> None:
        """Show a value."""


class ChoiceField(QComboBox):
    """One of a few values."""

    changed = Signal()

    def __init__(self, choices: tuple[Any, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        for choice in choices:
            self.addItem(str(choice).replace("_", " "), choice)
        self._choices = choices
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.currentIndexChanged.connect(lambda _index: self.changed.emit())

    def value(self) -> Any:
        """Return the value chosen."""
        return self._choices[self.currentIndex()]

    def set_value(self, value: Any) -> None:
        """Choose a value."""
        if value not in self._choices:
            allowed = ", ".join(repr(choice) for choice in self._choices)
            raise BadInput(f"There is no choice {value!r}.", f"Choose one of {allowed}.")
        self.setCurrentIndex(self._choices.index(value))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Change only with the focus, so that scrolling a dock changes nothing."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class ChannelName(QComboBox):
    """The name of a channel: one of those of the image, or ``word`` for the empty name."""

    changed = Signal()

    def __init__(self, word: str = "automatic", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._word, self._names, self._value = word, (), ""
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.activated.connect(lambda row: self.set_value(self.itemData(row)))
        self.set_names(())

    def set_names(self, names: tuple[str, ...]) -> None:
        """Offer the channels of another image; a name that it lacks stays, for a run to say so."""
        self._names = names
        offered = ["", *names, *({self._value} - {"", *names})]
        if [self.itemData(i) for i in range(self.count())] != offered:
            self.clear()
            for name in offered:
                self.addItem(name or self._word, name)
        self.setCurrentIndex(offered.index(self._value))

    def value(self) -> str:
        """Return the name, empty for none."""
        return self._value

    def set_value(self, value: str) -> None:
        """Choose a name."""
        before, self._value = self._value, value
        self.set_names(self._names)
        if value != before:
            self.changed.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Change only with the focus, so that scrolling a dock changes nothing."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class SliderField(QWidget):
    """A number between two bounds, with a slider under it that acts while it moves."""

    changed = Signal()

    def __init__(self, inner: Any, low: float, high: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.inner, self._low, self._high = inner, low, high
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _NOTCHES)
        self.slider.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.slider.valueChanged.connect(self._moved)
        inner.changed.connect(self._follow)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(inner)
        layout.addWidget(self.slider)
        self._place()

    def value(self) -> float:
        """Return the number."""
        return float(self.inner.value())

    def set_value(self, value: float) -> None:
        """Show a number."""
        self.inner.set_value(value)
        self._place()

    def text_of(self, value: float) -> str:
        """Return how a number is shown."""
        return str(self.inner.text_of(value))

    def _moved(self, notch: int) -> None:
        self.inner.set_value(round(self._low + (self._high - self._low) * notch / _NOTCHES, 6))

    def _follow(self) -> None:
        self._place()
        self.changed.emit()

    def _place(self) -> None:
        share = (float(self.inner.value()) - self._low) / (self._high - self._low)
        blocked = self.slider.blockSignals(True)  # a number between two notches stays as it was typed
        self.slider.setValue(round(share * _NOTCHES))
        self.slider.blockSignals(blocked)


class FlagField(QCheckBox):
    """Yes or no."""

    changed = Signal()

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.toggled.connect(lambda _on: self.changed.emit())

    def value(self) -> bool:
        """Return whether it is ticked."""
        return self.isChecked()

    def set_value(self, value: bool) -> None:
        """Tick it or not."""
        self.setChecked(value)


class TextField(QLineEdit):
    """A line of text, read by ``parse`` and shown by ``show``; ``optional`` makes empty text None."""

    changed = Signal()

    def __init__(
        self,
        parse: Callable[[str], Any] = str,
        show: Callable[[Any], str] = str,
        *,
        optional: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._parse, self._shown, self._optional = parse, show, optional
        self.setPlaceholderText("automatic" if optional else "default")
        self.editingFinished.connect(self.changed)

    def value(self) -> Any:
        """Return what is typed, read."""
        if self._optional and not self.text().strip():
            return None
        try:
            return self._parse(self.text())
        except ValueError as error:
            raise BadInput(f"'{self.text()}' cannot be read.", "Separate the values by commas.") from error

    def set_value(self, value: Any) -> None:
        """Show a value."""
        text = "" if value is None else self._shown(value)
        if text != self.text():
            self.setText(text)
            self.changed.emit()


class PathField(QWidget):
    """A file or folder: typed, pasted, or chosen with "Browse…", which blocks nothing."""

    changed = Signal()

    def __init__(
        self,
        *,
        as_text: bool = False,
        folder: bool = False,
        optional: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._folder = folder
        parse: Callable[[str], Any] = str if as_text else lambda text: Path(text).expanduser()
        self.line = TextField(parse, lambda path: "" if path == Path() else str(path), optional=optional)
        self.line.setPlaceholderText("none" if optional else "choose a folder" if folder else "choose a file")
        self.line.changed.connect(self.changed)
        self.browse = QPushButton("Browse…")
        self.browse.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.browse.clicked.connect(lambda _checked=False: self._open())
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line, 1)
        layout.addWidget(self.browse)

    def value(self) -> Any:
        """Return the path."""
        return self.line.value()

    def set_value(self, value: Any) -> None:
        """Show a path."""
        self.line.set_value(value)

    def _open(self) -> None:
        dialog = QFileDialog(self, "Choose a folder" if self._folder else "Choose a file")
        dialog.setFileMode(QFileDialog.FileMode.Directory if self._folder else QFileDialog.FileMode.ExistingFile)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.line.set_value)
        dialog.open()


class OptionalField(QWidget):
    """A value that the method chooses by itself while "automatic" is ticked."""

    changed = Signal()

    def __init__(self, inner: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.inner = inner
        self.automatic = FlagField("automatic")
        self.automatic.toggled.connect(self._follow)
        self.automatic.changed.connect(self.changed)
        inner.changed.connect(self.changed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(inner, 1)
        layout.addWidget(self.automatic)
        layout.addStretch(0)

    def value(self) -> Any:
        """Return the value, or None for automatic."""
        return None if self.automatic.value() else self.inner.value()

    def set_value(self, value: Any) -> None:
        """Show a value; None ticks "automatic"."""
        if value is not None:
            self.inner.set_value(value)
        self.automatic.set_value(value is None)

    def stands_for(self, value: Any, *, said: bool = True) -> None:
        """Begin there when "automatic" is unticked; where it is known for this image, say what it comes to."""
        if said:
            self.automatic.setText(f"automatic: {self.inner.text_of(value)}")
        if self.automatic.value():
            blocked = self.blockSignals(True)  # what the method takes has not changed
            self.inner.set_value(value)
            self.blockSignals(blocked)

    def _follow(self, automatic: bool) -> None:
        self.inner.setVisible(not automatic)
