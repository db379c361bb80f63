"""Progress of opening, the question for a unit, and what went wrong; nothing while nothing is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from .messages import Message, MessageLine, tell
from .number import AskedNumber
from .progress_row import ProgressRow
from .runner import Progress
from .style import SPACING, accent

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["OpeningPanel"]

_ASKED = {
    "pixel_size_um": "Pixel size",
    "spot_pitch_um": "Spot pitch",
    "um_per_unit": "One unit is",
}


class OpeningPanel(QWidget):
    """What is going on with opening, for one desk.

    Parameters
    ----------
    desk
        The desk that files are opened on.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._opening = desk.opening
        self.message = MessageLine()
        self.row = ProgressRow(self._opening.cancel)
        self._question = self._make_question()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (self.row, self.message, self._question):
            layout.addWidget(part)
        self._opening.changed.connect(self._follow)
        self._opening.progressed.connect(self._on_progress)
        self._opening.failed.connect(self._on_failed)
        self._follow()

    def apply(self) -> None:
        """Answer the question with the number typed; without one it stays open."""
        if self.value.value() > 0:
            self._opening.answer(
                self.value.value(), for_all=self.for_all.isVisibleTo(self) and self.for_all.isChecked()
            )

    def _make_question(self) -> QWidget:
        row = QWidget()
        self._asked = QLabel()
        self.value = AskedNumber("µm")
        self.value.textChanged.connect(lambda _text: self.apply_button.setEnabled(self.value.value() > 0))
        self.value.returnPressed.connect(self.apply)
        self.apply_button = QPushButton("Apply")
        self.apply_button.setEnabled(False)
        self.for_all = QCheckBox()
        self.for_all.setToolTip("One that states its own keeps it.")
        accent(self.apply_button)
        self.apply_button.clicked.connect(lambda _checked=False: self.apply())
        leave = QPushButton("Cancel")
        leave.clicked.connect(lambda _checked=False: self._opening.cancel())
        column = QVBoxLayout(row)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        layout = QHBoxLayout()
        column.addLayout(layout)
        column.addWidget(self.for_all)
        layout.addWidget(self._asked)
        layout.addWidget(self.value, 1)
        for button in (self.apply_button, leave):
            button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            layout.addWidget(button)
        return row

    def _follow(self) -> None:
        question = self._opening.question
        self.row.setVisible(self._opening.running)
        self._question.setVisible(question is not None)
        if self._opening.running:
            self.row.begin("Opening …")
            self.message.show_message(None)
        elif question is not None:
            self._asked.setText(_ASKED.get(question.parameter, question.parameter))
            self.value.clear()
            self.for_all.setVisible(self._opening.alike > 1)
            self.for_all.setText(f"The same for all {self._opening.alike} files, where none is stated")
            self.message.show_message(Message("info", question.message, question.hint))
            self.value.setFocus()
        elif self.message.message is not None and self.message.message.level == "info":
            self.message.show_message(None)

    def _on_progress(self, progress: Progress) -> None:
        self.row.follow(progress, "Opening …")

    def _on_failed(self, error: BaseException) -> None:
        self.message.show_message(tell(error))
