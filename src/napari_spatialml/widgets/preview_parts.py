"""What every row of a preview looks like: a button, a tick, a progress bar, and what was found."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout

from .style import SPACING, tooltip

__all__ = ["lay_out_preview", "set_up_preview"]


def set_up_preview(row: Any, key: str, does: str, again: str, away: str) -> None:
    """Give the parts of a row their words and what they do.

    Parameters
    ----------
    row
        A widget with ``button``, ``follows``, ``hide_button`` and ``bar``, and with ``preview`` and ``clear``.
    key
        Of the button.
    does, again, away
        What the button, the tick and the way to take it away say of themselves.
    """
    row.button.setToolTip(tooltip(does))
    row.button.setShortcut(key)
    row.button.clicked.connect(lambda _checked=False: row.preview())
    row.follows.setText("follow the form")
    row.follows.setChecked(True)
    row.follows.setToolTip(tooltip(again))
    row.hide_button.setToolTip(tooltip(away))
    row.hide_button.clicked.connect(lambda _checked=False: row.clear())
    for button in (row.button, row.hide_button):
        button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)


def lay_out_preview(row: Any) -> None:
    """Put the buttons in one line, and under them the progress and what was found."""
    line = QHBoxLayout()
    line.setSpacing(8)
    for part in (row.button, row.follows):
        line.addWidget(part)
    line.addStretch(1)
    line.addWidget(row.hide_button)
    column = QVBoxLayout(row)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(SPACING)
    column.addLayout(line)
    for part in (row.bar, row.message):
        column.addWidget(part)
