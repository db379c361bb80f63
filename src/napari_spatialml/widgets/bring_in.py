"""Bring what another reader made, in a saved copy of this section, into it: to be compared."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QComboBox, QLineEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ..core.report import Report
from ..errors import BadInput
from ..session.other_section import Offer, OtherSection, open_other
from .file_dialogs import ask_for_folder
from .messages import Message
from .run_row import RunRow
from .style import SPACING, Quiet, Rows, Tool, tool_row

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["BringIn"]


class BringIn(QWidget):
    """Open another reader's section beside this one, choose what to bring, and bring it.

    Parameters
    ----------
    desk
        The desk.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._path = Path()
        self.other: OtherSection | None = None
        self.offers: list[Offer] = []
        self.what, self.reader = QComboBox(), QLineEdit()
        self.ask = QPushButton("Another reader's section…")
        self.ask.setToolTip("Choose a copy of this section that another reader has saved. It is only read.")
        self.ask.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.ask.clicked.connect(lambda _checked=False: ask_for_folder(self, lambda paths: self.open(Path(paths[0]))))
        self.opening = RunRow("Open", "Open the other section.", self._job, self._done)
        self.opening.button.hide()
        self.opening.runner.changed.connect(lambda: self.opening.button.setVisible(self.opening.state != "idle"))
        self.about = Quiet()
        self.rows = Rows()
        self.rows.add("Bring in", self.what, "Only what has its counterpart in this section is offered.")
        self.rows.add("Made by", self.reader, "Its name here: nuclei of Anna become nuclei_Anna.")
        self.tools = tool_row([Tool("Bring in", "Copy it into this section, under its reader's name.", self.bring)])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (self.ask, self.opening, self.about, self.rows, self.tools):
            layout.addWidget(part)
        self.refresh()

    def open(self, path: Path) -> None:
        """Open another section, beside the window."""
        self._path, self.other = path, None
        self.refresh()
        self.opening.run()

    def refresh(self) -> None:
        """Show what is offered."""
        session = self._desk.session
        self.ask.setEnabled(session is not None and not session.read_only)
        for part in (self.about, self.rows, self.tools):
            part.setVisible(self.other is not None)

    def bring(self) -> None:
        """Bring in what is chosen."""
        if self.other is None or not 0 <= self.what.currentIndex() < len(self.offers):
            return
        offer = self.offers[self.what.currentIndex()]
        arguments = {"kind": offer.kind, "name": offer.name, "reader": self.reader.text()}
        if self._desk.correct("bring-in", path=str(self.other.path), **arguments):
            self.opening.message.show_message(Message("ok", f"Brought in {offer.words}."))

    def _job(self) -> Callable[[Report], OtherSection]:
        session = self._desk.session
        if session is not None and session.store is not None and session.store.resolve() == self._path.resolve():
            raise BadInput("This is the section that is open.", "Choose another reader's copy of it.")
        return partial(_opened, self._path)

    def _done(self, other: OtherSection) -> str:
        session = self._desk.session
        self.other = other
        self.offers = other.offers(session.document) if session is not None else []
        self.what.clear()
        for offer in self.offers:
            self.what.addItem(offer.words)
        own = session.reader if session is not None else ""
        self.reader.setText(next((name for name in other.readers if name != own), "") or other.path.stem)
        steps = ", ".join(f"{name} {n}" for name, n in other.readers.items()) or "none"
        self.about.setText(f"{other.path.name}; steps by reader: {steps}.")
        if not self.offers:
            raise BadInput(f"'{other.path.name}' holds nothing that lies like something here.",
                           "Choose a copy of this section.")  # fmt: skip
        self.refresh()
        return ""


def _opened(path: Path, report: Report) -> OtherSection:
    report(0.0, f"Opening {path.name}")
    return open_other(path)
