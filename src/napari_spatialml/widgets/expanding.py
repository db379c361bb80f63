"""Nuclei to cells: each nucleus is copied among the cells and grows by a limit, over no other cell."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..core.patch import Window
from ..core.report import Report
from ..errors import BadInput, Stale
from ..session import Command, Session, correct
from ..views.correcting import pixels_in_view, require_one_view
from .desk import Desk
from .hand import length_field
from .name_box import NameBox
from .run_row import RunRow
from .step import choose
from .style import SPACING, Heading, Rows
from .tool_grid import Choices
from .tool_options import cells_of

__all__ = ["Expanding"]


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
        self.nuclei, self.into, self.limit = NameBox(), NameBox(), length_field(3.0, 0.1, 50.0)
        self.into.setEditable(True)
        self.where = Choices({"": "All", "view": "In view", "hand": "One by one"})
        self.where.choose("")
        self.row = RunRow("Expand nuclei", "Make a cell of each nucleus.", self._job, self._done)
        self._where = ""
        self._begun: tuple[Session | None, int, str] = (None, 0, "")
        self.where.changed.connect(self._choose)
        rows = Rows()
        rows.add("Nuclei", self.nuclei, "The labels of the nuclei; they stay as they are.")
        rows.add("Into the cells", self.into, "The labels that get the cells. A new name makes new labels.")
        rows.add("By at most", self.limit, "How far from its nucleus a cell may reach.")
        rows.add("Which", self.where, "One by one: then click nuclei, or drag around many.")
        desk.tool_changed.connect(self._follow)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (Heading("Nuclei to cells"), rows, self.row):
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
            self.into.setEditText(typed)
            self.into.blockSignals(blocked)
        if not typed:
            self.into.setEditText(next(iter(others), "cells"))
        self.setEnabled(bool(cells) and not self._desk.session.read_only)

    def _choose(self, where: str) -> None:
        presenter, self._where = self._desk.presenter, where
        if presenter is None:
            return
        if where == "hand":
            self._desk.attempt(self._take_up)
        elif presenter.tool == "expand":
            presenter.use("")
        self._follow()

    def _take_up(self) -> None:
        presenter, found = self._desk.presenter, self._arguments()
        assert presenter is not None
        presenter.hold(nuclei=found["nuclei"], limit_um=found["distance_um"])
        presenter.use("expand", labels=found["labels"])

    def _follow(self, *_: object) -> None:
        """Where the tool that takes nuclei one by one was put down, offer all again."""
        taken = self._desk.presenter is not None and self._desk.presenter.tool == "expand"
        if self._where == "hand" and not taken:
            self._where = ""
            self.where.choose("")
        self.row.setVisible(not taken)

    def _job(self) -> Callable[[Report], Command]:
        session, presenter, arguments = self._desk.session, self._desk.presenter, self._arguments()
        assert session is not None and presenter is not None
        if self._where == "view":
            arguments["window"] = self._view(arguments["nuclei"])
        presenter.flush()
        self._begun = (session, session.position, str(arguments["labels"]))
        return lambda report: correct(session.document, "expand-nuclei", report=report, **arguments)

    def _done(self, command: Command) -> str:
        session, position, labels = self._begun
        if session is not self._desk.session or session.position != position:
            raise Stale("The section was changed while this ran.", "Expand them again.")
        assert session is not None
        session.execute(command)
        self._show(labels)
        return f"{command.label[0].upper()}{command.label[1:]}."

    def _arguments(self) -> dict[str, Any]:
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", self.into.currentText().strip()).strip("_-")
        if not name:
            raise BadInput("The cells have no name.", "Give them one, such as cells.")
        if name == self.nuclei.currentData():
            raise BadInput(f"'{name}' are the nuclei themselves.", "Give the cells another name, such as cells.")
        return {"nuclei": str(self.nuclei.currentData()), "labels": name, "distance_um": self.limit.value()}

    def _view(self, nuclei: str) -> Window:
        presenter = self._desk.presenter
        assert presenter is not None
        shape = presenter.document.grid(nuclei).shape
        return require_one_view(pixels_in_view(self._desk.viewer, presenter.place_of(nuclei), shape), nuclei)

    def _show(self, labels: str) -> None:
        presenter = self._desk.presenter
        if presenter is not None and not self._desk.visible(labels):
            image = presenter.document.attribute("segmentations", {}).get(self.nuclei.currentData(), {}).get("image")
            shown = (image, str(self.nuclei.currentData()), labels)
            presenter.show(shown=tuple(n for n in shown if n), beside="")
