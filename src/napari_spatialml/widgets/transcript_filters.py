"""Which transcripts are drawn: how sure, how high, as points or density, and how many points at most."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QSlider, QSpinBox, QVBoxLayout, QWidget

from ..session.transcript_index import TranscriptIndex
from ..views.transcript_looks import Draw, TranscriptLook
from .number import DecimalField
from .style import SPACING, Rows

__all__ = ["Slide", "TranscriptFilters"]

_NOTCHES = 200
_DRAW: tuple[tuple[Draw, str], ...] = (
    ("automatic", "points, or density"),
    ("points", "points"),
    ("density", "density"),
)


class Slide(QWidget):
    """A number between two bounds: a slider that acts while it moves, and the number beside it."""

    changed = Signal(float)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider, self.number = _QuietSlider(Qt.Orientation.Horizontal), DecimalField()
        self.slider.setRange(0, _NOTCHES)
        self.slider.setAccessibleName(name)
        self.number.setAccessibleName(name)
        self.number.setKeyboardTracking(False)
        self.number.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.number.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.slider.valueChanged.connect(self._slid)
        self.number.valueChanged.connect(self._typed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.number)

    def set_bounds(self, low: float, high: float) -> None:
        """Say between which numbers it lies; silently."""
        blocked = self.number.blockSignals(True)
        span = max(high - low, 1e-6)
        self.number.setDecimals(0 if span >= 100 else 1 if span >= 5 else 2)
        self.number.setSingleStep(span / 40 if span < 40 else 1.0)
        self.number.setRange(low, low + span)
        self.number.blockSignals(blocked)
        self._place()

    def set_unit(self, unit: str) -> None:
        """Say what the number counts; "" for what has no unit, or none that is known."""
        self.number.setSuffix(f" {unit}" if unit else "")

    def value(self) -> float:
        """Return the number."""
        return float(self.number.value())

    def set_value(self, value: float) -> None:
        """Show a number; silently."""
        blocked = self.number.blockSignals(True)
        self.number.setValue(value)
        self.number.blockSignals(blocked)
        self._place()

    def _slid(self, notch: int) -> None:
        low, high = self.number.minimum(), self.number.maximum()
        self.number.setValue(low + (high - low) * notch / _NOTCHES)

    def _typed(self, value: float) -> None:
        self._place()
        self.changed.emit(value)

    def _place(self) -> None:
        low, high = self.number.minimum(), self.number.maximum()
        blocked = self.slider.blockSignals(True)
        self.slider.setValue(round((self.number.value() - low) / max(high - low, 1e-9) * _NOTCHES))
        self.slider.blockSignals(blocked)


class TranscriptFilters(QWidget):
    """The choices about transcripts that have nothing to do with their genes."""

    changed = Signal(object)
    """What makes a look that of these choices."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.quality, self.sliced = Slide("Least quality"), QCheckBox("one slice only")
        self.height_z, self.thick = Slide("Height z"), Slide("Thickness")
        self.draw, self.most = _QuietCombo(), QSpinBox()
        for draw, text in _DRAW:
            self.draw.addItem(text, draw)
        self.most.setRange(1_000, 5_000_000)
        self.most.setSingleStep(50_000)
        self.most.setGroupSeparatorShown(True)
        self.most.setKeyboardTracking(False)
        self.most.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.most.setAlignment(Qt.AlignmentFlag.AlignRight)
        rows = Rows()
        self._quality_row = rows.add(
            "Least quality", self.quality, "Transcripts that were read less surely are left out (qv)."
        )
        self._sliced_row = rows.add("Height", self.sliced, "Draw only the transcripts of one height in the section.")
        self._z_row = rows.add("Middle z", self.height_z, "The middle of the slice that is drawn.")
        self._thick_row = rows.add("Thickness", self.thick, "How thick the slice is.")
        rows.add(
            "Draw",
            self.draw,
            "Points where they are few enough, else their density, which counts every one.",
        )
        rows.add(
            "Points at most",
            self.most,
            "Where more are in view, the density is drawn, or so many points, as the legend says.",
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(rows)
        self._lowest = 0.0
        for signal in (self.quality.changed, self.height_z.changed, self.thick.changed, self.most.valueChanged):
            signal.connect(self._tell)
        self.sliced.toggled.connect(self._tell)
        self.draw.currentIndexChanged.connect(self._tell)

    def refresh(self, look: TranscriptLook, index: TranscriptIndex | None) -> None:
        """Show how points are looked at, and offer what is known of them."""
        quality = index.range_of("quality") if index is not None else None
        height = index.range_of("z") if index is not None else None
        for part in (self.quality, self._quality_row):
            part.setVisible(quality is not None)
        for part in (self.sliced, self._sliced_row):
            part.setVisible(height is not None)
        for part in (self.height_z, self._z_row, self.thick, self._thick_row):
            part.setVisible(height is not None and look.z is not None)
        blocked = [w.blockSignals(True) for w in (self.sliced, self.draw, self.most)]
        if quality is not None:
            self._lowest = min(quality[0], 0.0)
            self.quality.set_bounds(self._lowest, quality[1])
            self.quality.set_value(self._lowest if look.quality is None else look.quality)
        if height is not None:
            self._refresh_height(look, height)
            for slide in (self.height_z, self.thick):
                slide.set_unit(index.height_unit if index is not None else "")
        self.sliced.setChecked(look.z is not None)
        self.draw.setCurrentIndex(self.draw.findData(look.draw))
        self.most.setValue(look.most)
        for widget, state in zip((self.sliced, self.draw, self.most), blocked, strict=True):
            widget.blockSignals(state)

    def _refresh_height(self, look: TranscriptLook, height: tuple[float, float]) -> None:
        low, high = height
        span = max(high - low, 1e-6)
        self.height_z.set_bounds(low, high)
        self.thick.set_bounds(span / 100, span)
        z0, z1 = look.z or (low + 0.4 * span, low + 0.6 * span)
        self.height_z.set_value((z0 + z1) / 2)
        self.thick.set_value(z1 - z0)

    def _tell(self, *_: object) -> None:
        quality = self.quality.value() if not self.quality.isHidden() else self._lowest
        middle, thick = self.height_z.value(), self.thick.value()
        z = (middle - thick / 2, middle + thick / 2) if self.sliced.isChecked() and not self.sliced.isHidden() else None
        chosen = {
            "quality": quality if quality > self._lowest else None,
            "z": z,
            "draw": self.draw.currentData(),
            "most": self.most.value(),
        }
        self.changed.emit(lambda look: replace(look, **chosen))


class _QuietSlider(QSlider):
    """Turns with the wheel only when it has the focus, so that scrolling a dock changes nothing."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class _QuietCombo(QComboBox):
    """Turns with the wheel only when it has the focus."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()
