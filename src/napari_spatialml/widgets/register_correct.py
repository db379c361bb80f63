"""What the hand does with a registration: look at where it errs, take another candidate, drag pins, accept, remove."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ..core.report import Report
from ..session import Document
from ..session.alignment_report import AlignmentReport
from ..views.alignment_now import kept_transform
from ..views.candidate_pictures import candidate_pictures
from ..views.places import extent_of_system
from .hand import HandTools, length_field
from .messages import Message, MessageLine, tell
from .register_candidates import MOST, CandidateCards
from .register_kept import KeptRegistrations
from .style import SPACING, Heading, Rows, Tool

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["CorrectRegistration", "trust_message"]

_TOOLS = (
    ("pin", "Drag pins", "Drag a place to where it belongs; only its neighbourhood follows.", "Shift+P"),
)  # fmt: skip


def trust_message(held: dict[str, Any]) -> Message | None:
    """Return how far a registration can be believed, as a person reads it; None where nothing is known.

    A warning is never told as a success, whatever the score.
    """
    if held.get("accepted"):
        return Message("ok", "Accepted: a person has looked at it.")
    trust = held.get("trust")
    if not isinstance(trust, dict):
        if held.get("chosen"):
            return Message("info", "This candidate was chosen by hand; nothing has checked it. Look at its edges.")
        return None
    score, warning = float(trust.get("score", 0.0)), str(trust.get("warning") or "").strip()
    if warning:
        return Message("warning", warning)
    return Message("ok" if score >= 0.5 else "warning", f"Likely right: trust {100 * score:.0f} %." if score >= 0.5
                   else f"Trust is only {100 * score:.0f} %: compare it by Swipe or Edges.")  # fmt: skip


class CorrectRegistration(QWidget):
    """The hand's tools for a registration that is there; nothing at all before.

    Parameters
    ----------
    desk
        The desk.
    options
        Returns what the presenter has to know for the pin tool.
    report
        Returns what makes the report of the registrations.
    """

    act = Signal(str)
    """ "accept", "refine" or "remove"."""
    looked = Signal()
    """Another map was asked for."""

    def __init__(
        self,
        desk: Desk,
        options: Callable[[str], dict[str, Any]],
        report: Callable[[], Callable[[Report], AlignmentReport]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._desk = desk
        self._drawn: Any = None
        self.trust = MessageLine()
        self.cards, self.kept = CandidateCards(), KeptRegistrations(report)
        self.radius = length_field(300.0, 1.0, 50_000.0)
        self.radius.valueChanged.connect(lambda _v: self.tools.options_changed())
        others = [
            Tool("Accept", "Say that you have looked at it and found it right.", self._send("accept")),
            Tool("Refine from here", "Run the method again from how the sides lie now.", self._send("refine")),
            Tool("Remove", "Take the moving side off the fixed one again.", self._send("remove")),
        ]
        self.tools = HandTools(desk, _TOOLS, options, others)
        self.error, self.folds = QCheckBox("Expected error"), QCheckBox("Folds")
        self.error.setToolTip("Draw where the registration is expected to err, in µm.")
        self.folds.setToolTip("Draw in red where the tissue is folded onto itself.")
        for box in (self.error, self.folds):
            box.clicked.connect(lambda _on=False: self.looked.emit())
        self._lay_out()
        self.accept_button: QPushButton = self._button("Accept")
        self.refine_button: QPushButton = self._button("Refine from here")

    def fill(
        self, held: dict[str, Any], *, certain: bool, refinable: bool, unreadable: Exception | None = None
    ) -> None:
        """Show what is kept of a registration.

        Parameters
        ----------
        held
            Its entry; empty where there is none.
        certain
            Whether its method said where it is sure.
        refinable
            Whether the chosen method can go on from here.
        unreadable
            Why its transform cannot be read, so that no folds, overlay or pins can be drawn; None where it can.
        """
        self.setVisible(bool(held))
        said = trust_message(held) if held else None
        self.trust.show_message(said if unreadable is None else tell(unreadable))
        self.folds.setEnabled(unreadable is None)
        scores = [float(c.get("score", 0.0)) for c in held.get("candidates", [])]
        self.cards.offer(scores, int(held.get("chosen", 0)))
        self.error.setVisible(certain)
        self.accept_button.setEnabled(bool(held) and not held.get("accepted", False))
        self.refine_button.setEnabled(refinable)
        self._pin_rows.setVisible(bool(held))

    def suit_radius(self, document: Document, system: str) -> None:
        """Let a pin reach a seventh of a section at first."""
        wide = float(np.ptp(extent_of_system(document, system), axis=0).max())
        blocked = self.radius.blockSignals(True)
        self.radius.setValue(float(f"{wide / 7:.2g}"))
        self.radius.blockSignals(blocked)

    def draw_cards(
        self, document: Document, held: dict[str, Any], fixed: tuple[str, str], moving: tuple[str, str]
    ) -> None:
        """Draw the candidates beside the window, once for each set of them.

        Parameters
        ----------
        document
            The document.
        held
            What is kept of the registration.
        fixed, moving
            Element and coordinate system of what is drawn of either side.
        """
        found = [kept_transform(document, c) for c in held.get("candidates", [])]
        transforms = [t for t in found if t is not None][:MOST]
        key = (repr(held.get("candidates")), fixed, moving)
        if len(transforms) < 2 or not fixed[0] or not moving[0] or key == self._drawn:
            return
        self._drawn = key
        told = self._desk.told
        self._desk.runner.run(
            lambda _report: candidate_pictures(document, fixed, moving, transforms),
            on_result=self.cards.draw,
            on_error=lambda error: told.emit("error", str(error)),
            key="candidate pictures",
            replace=True,
            listed=False,
        )

    def _lay_out(self) -> None:
        checks = QWidget()
        line = QHBoxLayout(checks)
        line.setContentsMargins(0, 0, 0, 0)
        for box in (self.error, self.folds):
            line.addWidget(box)
        line.addStretch(1)
        self._pin_rows = Rows()
        self._pin_rows.add("Pin reaches", self.radius, "Beyond this distance from a pin nothing moves.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        parts = (
            self.trust, self.cards, self.tools, self._pin_rows, checks,
            Heading("Compare registrations"), self.kept,
        )  # fmt: skip
        for part in parts:
            layout.addWidget(part)

    def _button(self, text: str) -> QPushButton:
        found = self.tools.findChild(QPushButton, text)
        assert found is not None
        return found

    def _send(self, what: str) -> Callable[[], None]:
        return lambda: self.act.emit(what)
