"""Nuclei to cells right after a segmentation: each nucleus expanded by at most so many µm, linked by its id."""

from __future__ import annotations

import re
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QLineEdit, QVBoxLayout, QWidget

from ..errors import BadInput, Stale
from ..session import Command, Session, correct
from .desk import Desk
from .hand import length_field
from .messages import Message, MessageLine, tell
from .runner import Runner
from .style import SPACING, Rows, tooltip

__all__ = ["AlsoCells", "name_of"]


def name_of(text: str, what: str) -> str:
    """Return a name that an element may have.

    Raises
    ------
    BadInput
        When nothing is left of it.
    """
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", text.strip()).strip("_-")
    if not name:
        raise BadInput(f"The {what} have no name.", f"Give them one, such as {what}.")
    return name


class AlsoCells(QWidget):
    """The tick, the limit and the name of the cells that are made of the nuclei of a run.

    Parameters
    ----------
    desk
        The desk.
    """

    changed = Signal()
    made = Signal(str, str, float)
    """The names of the nuclei and of the cells that were made of them, and the distance in µm."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.runner, self.message = Runner(self), MessageLine()
        self.tick = QCheckBox("Also cells: the nuclei, expanded")
        self.tick.setToolTip(
            tooltip(
                "After the run, make a cell of each nucleus. It has the id of its nucleus, so that both are linked."
            )
        )
        self.limit, self.name = length_field(3.0, 0.1, 50.0), QLineEdit("cells")
        self.rows = Rows()
        self.rows.add("By at most", self.limit, "How far from its nucleus a cell may reach.")
        self.rows.add("Name of cells", self.name, "The labels that get the cells; those of a former run are replaced.")
        self.tick.toggled.connect(self._follow)
        self.limit.valueChanged.connect(lambda _value: self.changed.emit())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (self.tick, self.rows, self.message):
            layout.addWidget(part)
        self._follow(False)

    @property
    def distance_um(self) -> float:
        """By how much nuclei are expanded; 0 where they are not."""
        return float(self.limit.value()) if self.tick.isChecked() else 0.0

    def names(self) -> tuple[str, ...]:
        """Return the name of the cells, where they are asked for."""
        return (name_of(self.name.text(), "cells"),) if self.tick.isChecked() else ()

    def check(self, nuclei: str) -> None:
        """Raise `BadInput` where the cells could not be made after a run."""
        if not self.tick.isChecked():
            return
        name, document = name_of(self.name.text(), "cells"), self._session.document
        if name == nuclei:
            raise BadInput(f"'{name}' are the nuclei themselves.", "Give the cells another name, such as cells.")
        made_of = document.attribute("segmentations", {}).get(name, {}).get("nuclei")
        if name in document.names("labels") and made_of != nuclei:
            raise BadInput(f"'{name}' was not made of '{nuclei}'.", "Give the cells another name.")

    def expand(self, nuclei: str) -> None:
        """Make the cells, if they are asked for; what comes of it is told here."""
        self.message.show_message(None)
        if not self.tick.isChecked():
            return
        session, name = self._session, name_of(self.name.text(), "cells")
        wanted: dict[str, Any] = {"nuclei": nuclei, "labels": name, "distance_um": self.distance_um, "replace": True}
        position = session.position
        self.message.show_message(Message("info", "Expanding the nuclei …"))
        self.runner.run(
            lambda report: correct(session.document, "expand-nuclei", report=report, **wanted),
            on_result=lambda command: self._done(session, position, command, wanted),
            on_error=lambda error: self.message.show_message(tell(error)),
            title="Nuclei to cells",
            key="expand",
            replace=True,
        )

    @property
    def _session(self) -> Session:
        assert self._desk.session is not None
        return self._desk.session

    def _done(self, session: Session, position: int, command: Command, made: dict[str, Any]) -> None:
        if session is not self._desk.session or session.position != position:
            raise Stale("The section was changed while the nuclei were expanded.", "Expand them under Correct.")
        session.execute(command)
        self.message.show_message(None)
        self.made.emit(made["nuclei"], made["labels"], made["distance_um"])

    def _follow(self, on: bool) -> None:
        self.rows.setVisible(on)
        self.changed.emit()
