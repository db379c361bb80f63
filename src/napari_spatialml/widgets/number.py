"""The editors of a number.

The form's keeps a Python number and does not round to a box's decimals: what a form is given comes out of it
unchanged. Qt's own boxes round, and hold no integer above 2³¹.
"""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from typing import Any

from qtpy.QtCore import QLocale, QSize, Qt, Signal
from qtpy.QtGui import QValidator, QWheelEvent
from qtpy.QtWidgets import QAbstractSpinBox, QDoubleSpinBox, QLineEdit, QWidget

from ..core.method import Parameter
from ..errors import BadInput

__all__ = ["AskedNumber", "DecimalField", "NumberField", "read_number"]


def read_number(text: str, unit: str = "") -> float | None:
    """Return the number that a person typed, with or without its unit; None where it is none.

    Parameters
    ----------
    text
        What was typed. Point and comma both begin the decimals: on the same keyboard people type either.
    unit
        What may stand behind the number.
    """
    bare = text.strip().removesuffix(unit.strip()).strip().replace(",", ".")
    try:
        number = float(bare)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


class DecimalField(QDoubleSpinBox):
    """Qt's box for a decimal number, in which point and comma both begin the decimals.

    Qt's own takes one of them, by the computer's language, for a mark between thousands and drops it:
    0,5 became 5 without a word.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        plain = QLocale.c()
        plain.setNumberOptions(QLocale.NumberOption.OmitGroupSeparator | QLocale.NumberOption.RejectGroupSeparator)
        self.setLocale(plain)

    def validate(self, text: str | None, position: int) -> tuple[QValidator.State, str, int]:
        """Read a comma as a point."""
        return super().validate((text or "").replace(",", "."), position)


class AskedNumber(QLineEdit):
    """An empty line that asks for a number above 0; what is typed is kept to the last digit.

    Parameters
    ----------
    unit
        The unit, which may be typed as well.
    """

    def __init__(self, unit: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._unit = unit
        self.setPlaceholderText(f"in {unit}, then Enter")

    def value(self) -> float:
        """Return the number; 0 as long as what is typed is none above 0."""
        return max(read_number(self.text(), self._unit) or 0.0, 0.0)


class NumberField(QAbstractSpinBox):
    """A number with its unit; steps by a tenth of its own size, or by 1 if whole and small."""

    changed = Signal()

    def __init__(self, parameter: Parameter, *, whole: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._parameter = parameter
        self._whole = whole
        self._suffix = f" {parameter.unit}" if parameter.unit else ""
        self._means = parameter.means
        self._value: float | int = _start(parameter, whole)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.editingFinished.connect(self._commit)
        self._show()

    def value(self) -> float | int:
        """Return the number.

        Raises
        ------
        BadInput
            When what is typed is no number within the range.
        """
        typed = self._parse(self.lineEdit().text())
        if typed is None or not self._inside(typed):
            allowed = f" {self._parameter.range}" if self._parameter.range else ""
            raise BadInput(
                f"{self._parameter.title}: '{self.lineEdit().text()}' is not possible.", f"Give a number{allowed}."
            )
        return typed

    def set_value(self, value: float | int) -> None:
        """Show a number; outside of the range it is an error, as in the method itself."""
        self._parameter.check(value, "The form")
        before, self._value = self._value, int(value) if self._whole else float(value)
        self._show()
        if before != self._value:
            self.changed.emit()

    def set_word(self, word: str) -> None:
        """Say in other words what the value with a meaning of its own stands for."""
        if self._means is not None:
            self._means = replace(self._means, word=word)
            self._show()

    def stepBy(self, steps: int) -> None:
        """Step as far as the range allows."""
        typed = self._parse(self.lineEdit().text())
        value = self._value if typed is None or not self._inside(typed) else typed
        for _ in range(abs(steps)):
            stepped = self._stepped(value, 1 if steps > 0 else -1)
            if not self._inside(stepped):
                break
            value = stepped
        self.set_value(value)

    def stepEnabled(self) -> QAbstractSpinBox.StepEnabledFlag:
        """Return which of the two steps the range allows."""
        flags = QAbstractSpinBox.StepEnabledFlag.StepNone
        if self._inside(self._stepped(self._value, 1)):
            flags |= QAbstractSpinBox.StepEnabledFlag.StepUpEnabled
        if self._inside(self._stepped(self._value, -1)):
            flags |= QAbstractSpinBox.StepEnabledFlag.StepDownEnabled
        return flags

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Let everything be typed: what is not a number is told or mended when the typing ends."""
        typed = self._parse(text)
        good = typed is not None and self._inside(typed)
        return (QValidator.State.Acceptable if good else QValidator.State.Intermediate), text, position

    def sizeHint(self) -> QSize:
        """Return room for eight digits or the word, the unit and the two buttons."""
        hint, word = super().sizeHint(), self._means.word if self._means else ""
        width = max(self.fontMetrics().horizontalAdvance(text) for text in ("00000000" + self._suffix, word))
        return QSize(width + 48, hint.height())

    minimumSizeHint = sizeHint

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Turn the number only when it has the focus, so that scrolling a dock changes nothing."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    @property
    def _special(self) -> float | int:
        assert self._means is not None
        return int(self._means.value) if self._whole else float(self._means.value)

    def _commit(self) -> None:
        typed = self._parse(self.lineEdit().text())
        self.set_value(self._value if typed is None else self._nearest(typed))

    def _nearest(self, typed: float | int) -> float | int:
        if self._inside(typed):
            return typed
        p = self._parameter
        bound = p.minimum if p.minimum is not None and typed <= p.minimum else p.maximum
        assert bound is not None
        near = int(bound) if self._whole else bound
        return near if self._inside(near) else self._value

    def _inside(self, value: float | int) -> bool:
        try:
            self._parameter.check(value, "")
        except BadInput:
            return False
        return math.isfinite(value)

    def _stepped(self, value: float | int, direction: int) -> float | int:
        if self._means is not None and self._means.start is not None and value == self._means.value and direction > 0:
            return int(self._means.start) if self._whole else self._means.start
        step = self._step(value, direction)
        if step < sys.float_info.min:  # the smallest numbers have no tenth
            return value
        stepped = round(value / step + direction) * step  # lands on whole steps: 97 goes to 100, not 107
        if self._whole:
            return int(stepped)
        digits = max(0, -math.floor(math.log10(step)) + 1)
        return round(stepped, digits)

    def _step(self, value: float | int, direction: int) -> float | int:
        size = abs(value) or abs(_start(self._parameter, self._whole)) or 1
        # Going towards zero from 100 the steps are those of 99, so that up and down undo each other.
        inward = 1 - 1e-9 if direction * value < 0 else 1.0
        power = math.floor(math.log10(size * inward) + 1e-12) - 1
        return max(1, 10 ** max(power, 0)) if self._whole else 10.0**power

    def _parse(self, text: str) -> float | int | None:
        if self._means is not None and text.strip() == self._means.word:
            return self._special
        number = read_number(text, self._suffix)
        if number is None or not self._whole:
            return number
        digits = text.strip().removesuffix(self._suffix.strip()).strip()
        return int(digits) if digits.lstrip("+-").isdigit() else int(number) if number == int(number) else None

    def text_of(self, value: float | int) -> str:
        """Return how a number is shown: with its unit, or as the word that it stands for."""
        if self._means is not None and value == self._means.value:
            return self._means.word
        return repr(value).removesuffix(".0") + self._suffix

    def _show(self) -> None:
        text = self.text_of(self._value)
        if self.lineEdit().text() != text:
            self.lineEdit().setText(text)


def _start(parameter: Parameter, whole: bool) -> float | int:
    number: Any = parameter.default
    if isinstance(number, bool) or not isinstance(number, int | float):
        low, high = parameter.minimum, parameter.maximum
        number = low if low is not None else high if high is not None else 0
        if parameter.exclusive_minimum and number == low:
            number = number + 1 if high is None else (low + high) / 2
        elif parameter.exclusive_maximum and low is None and number == high:
            number = number - 1
    return int(number) if whole else float(number)
