"""A bar that says how far a job is: alone, or with Stop beside it and a line beneath."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from .progress import Progress
from .style import SPACING, Quiet

__all__ = ["ProgressBar", "ProgressRow"]


class ProgressBar(QProgressBar):
    """A thin rounded line in the accent's blue."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextVisible(False)
        self.setFixedHeight(6)
        self.setStyleSheet(
            "QProgressBar { border: none; border-radius: 3px; background-color: rgba(128, 128, 128, 70); }"
            "QProgressBar::chunk { border-radius: 3px; background: #4a8fd6; }"
        )

    def wait(self) -> None:
        """Run to and fro: it is not known how far the job is."""
        self.setRange(0, 0)

    def follow(self, progress: Progress) -> None:
        """Show how far the job is."""
        self.setRange(0, 1000 if progress.fraction > 0 else 0)
        self.setValue(round(1000 * progress.fraction))


class ProgressRow(QWidget):
    """The bar of a job that has no button of its own, Stop beside it, and what is done now in a line beneath.

    Parameters
    ----------
    stop
        What Stop calls; without it there is no such button.
    help
        The tooltip of Stop.
    """

    def __init__(self, stop: Callable[[], object] | None = None, help: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bar, self.step, self.button = ProgressBar(), Quiet(), QPushButton("Stop")
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self.bar, 1)
        line.addWidget(self.button)
        self.button.setToolTip(help)
        self.button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.button.setVisible(stop is not None)
        if stop is not None:
            self.button.clicked.connect(lambda _checked=False: stop())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        column.addLayout(line)
        column.addWidget(self.step)

    def begin(self, text: str) -> None:
        """Say what is done, before anything is known of how far it is."""
        self.bar.wait()
        self.step.setText(text)

    def follow(self, progress: Progress, otherwise: str = "") -> None:
        """Show how far the job is and what it says; ``otherwise`` while it says nothing."""
        self.bar.follow(progress)
        self.step.setText(progress.words or otherwise)
