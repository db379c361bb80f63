"""Nuclei to cells: each nucleus is copied among the cells and grows by a limit, over no other cell."""

from __future__ import annotations

import re
from typing import Any

from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from ..errors import BadInput
from ..session import correct
from ..views.cell_tools import view_window
from .desk import Desk
from .hand import length_field
from .messages import Message, MessageLine, tell
from .step import choose
from .style import SPACING, Heading, Rows, Tool, tool_row
from .tool_options import cells_of

__all__ = ["Expanding"]

_KEY = "expand nuclei"


class Expanding(QWidget):
    """The fields and buttons with which nuclei are expanded to cells.

    Parameters
    ----------
    desk
        The desk.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.nuclei, self.into, self.limit = QComboBox(), QComboBox(), length_field(3.0, 0.1, 50.0)
        self.into.setEditable(True)
        self.message = MessageLine()
        rows = Rows()
        rows.add("Nuclei", self.nuclei, "The labels of the nuclei; they stay as they are.")
        rows.add("Into the cells", self.into, "The labels that get the cells. A new name makes new labels.")
        rows.add("By at most", self.limit, "How far from its nucleus a cell may reach.")
        self.tools = tool_row(
            [
                Tool("All", "Expand all nuclei.", lambda: self.run("")),
                Tool("In view", "Expand the nuclei that are in view.", lambda: self.run("view")),
                Tool("One by one", "Then click nuclei, or drag around many.", self._by_hand),
            ]
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (Heading("Nuclei to cells"), rows, self.tools, self.message):
            layout.addWidget(part)

    def fill(self) -> None:
        """Offer the labels of the section."""
        assert self._desk.session is not None
        cells = cells_of(self._desk.session.document)
        choose(self.nuclei, cells)
        typed = self.into.currentText()
        others = [n for n in cells if n != self.nuclei.currentData()]
        if [self.into.itemText(i) for i in range(self.into.count())] != others:
            blocked = self.into.blockSignals(True)
            self.into.clear()
            self.into.addItems(others)
            self.into.setEditText(typed or next(iter(others), "cells"))
            self.into.blockSignals(blocked)
        self.setEnabled(bool(cells) and not self._desk.session.read_only)

    def run(self, where: str) -> None:
        """Expand all nuclei, or those in ``"view"``, beside the window."""
        self._desk.attempt(lambda: self._run(where))

    def _run(self, where: str) -> None:
        session, presenter = self._desk.session, self._desk.presenter
        assert session is not None and presenter is not None
        arguments: dict[str, Any] = self._arguments()
        if where == "view":
            place = presenter.place_of(arguments["nuclei"])
            arguments["window"] = view_window(presenter, place)
        presenter.flush()
        self.tools.setEnabled(False)
        self.message.show_message(Message("info", "Expanding…"))

        def made(command: Any) -> None:
            self.tools.setEnabled(True)
            if session is self._desk.session:
                session.execute(command)
                self._show(arguments["labels"])
                self.message.show_message(Message("ok", f"{command.label[0].upper()}{command.label[1:]}."))

        self._desk.runner.run(
            lambda report: correct(session.document, "expand-nuclei", **arguments),
            on_result=made,
            on_error=self._failed,
            on_stopped=lambda: self._failed(None),
            title="Expand nuclei to cells",
            key=_KEY,
        )

    def _failed(self, error: BaseException | None) -> None:
        self.tools.setEnabled(True)
        self.message.show_message(tell(error) if error is not None else None)

    def _by_hand(self) -> None:
        presenter = self._desk.presenter
        assert presenter is not None

        def take() -> None:
            found = self._arguments()
            presenter.hold(nuclei=found["nuclei"], limit_um=found["distance_um"])
            presenter.use("expand", labels=found["labels"])

        self._desk.attempt(take)

    def _arguments(self) -> dict[str, Any]:
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", self.into.currentText().strip()).strip("_-")
        if not name:
            raise BadInput("The cells have no name.", "Give them one, such as cells.")
        if name == self.nuclei.currentData():
            raise BadInput(f"'{name}' are the nuclei themselves.", "Give the cells another name, such as cells.")
        return {"nuclei": str(self.nuclei.currentData()), "labels": name, "distance_um": self.limit.value()}

    def _show(self, labels: str) -> None:
        presenter = self._desk.presenter
        if presenter is not None and not self._desk.visible(labels):
            image = presenter.document.attribute("segmentations", {}).get(self.nuclei.currentData(), {}).get("image")
            shown = (image, str(self.nuclei.currentData()), labels)
            presenter.show(shown=tuple(n for n in shown if n), beside="")
