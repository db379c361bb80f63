"""The line under the tools that says which windows are done, and leads on to learning from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..errors import BadInput
from ..session.done import Done, done_of
from ..views.correcting import pixels_in_view
from .style import SPACING, Heading, Quiet, Tool, tool_row

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["DoneLine", "by_reader", "mark_in_view"]

_LARGEST = 4096


class DoneLine(QWidget):
    """Marks what is in view as done.

    Parameters
    ----------
    desk
        The desk.
    labels
        Returns the labels that are corrected.
    """

    def __init__(self, desk: Desk, labels: Callable[[], str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk, self._labels = desk, labels
        self.said = Quiet()
        self.tools = tool_row([
            Tool("Mark what is in view as done",
                 "Every cell in view is right now, and where there is none, there is none. The starter can learn "
                 "from such windows.", self.mark),
            Tool("Learn from what I corrected…", "Fine-tune the network with the windows that are done: the step "
                 "Learn.", lambda: desk.step_wanted.emit("Learn")),
        ])  # fmt: skip
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (Heading("Done"), self.said, self.tools):
            layout.addWidget(part)

    def refresh(self) -> None:
        """Say how many windows are done, and by whom."""
        session, labels = self._desk.session, self._labels()
        self.setVisible(bool(session is not None and labels))
        if session is None or not labels:
            return
        self.setEnabled(not session.read_only)
        found = done_of(session.document, labels)
        self.said.setText(by_reader(found) or "No window of these labels is done yet.")

    def mark(self) -> None:
        """Mark what is in view as done."""
        mark_in_view(self._desk, self._labels())


def by_reader(windows: tuple[Done, ...]) -> str:
    """Return how many windows are done, and by whom: "5 windows are done: Anna 3, Ben 2.", or "by Anna."."""
    if not windows:
        return ""
    readers = dict.fromkeys(d.who for d in windows if d.who)
    n, each = len(windows), ", ".join(f"{who} {sum(d.who == who for d in windows)}" for who in readers)
    told = f": {each}" if len(readers) > 1 else "".join(f" by {who}" for who in readers)
    return f"{n} {'window is' if n == 1 else 'windows are'} done{told}."


def mark_in_view(desk: Desk, labels: str) -> bool:
    """Mark what is in view of labels as done; tell what is wrong, if anything is."""
    presenter = desk.presenter
    assert presenter is not None and desk.session is not None
    document = desk.session.document

    def mark() -> None:
        y0, y1, x0, x1 = window = pixels_in_view(desk.viewer, presenter.place_of(labels), document.grid(labels).shape)
        if max(y1 - y0, x1 - x0) > _LARGEST:
            size = f"{y1 - y0:,} × {x1 - x0:,} pixels of '{labels}' are in view"
            raise BadInput(f"{size}.", "Zoom in to what you have corrected.")
        presenter.flush()  # a stroke that was just painted belongs to it
        desk.correct("mark-done", labels=labels, window=list(window))

    return desk.attempt(mark)
