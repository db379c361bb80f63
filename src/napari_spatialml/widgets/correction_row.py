"""A correction that takes long: made beside the window, with progress and Stop, and done in the window's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QWidget

from ..core.report import Report
from ..errors import BadInput, Stale
from ..session import Command, Session, correct
from .run_row import RunRow

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["CorrectionRow"]


class CorrectionRow(RunRow):
    """A button that makes a correction, which knows no change of the section meanwhile.

    Parameters
    ----------
    desk
        The desk.
    text, help
        What the button says, and its tooltip.
    name
        Of the correction.
    arguments
        Returns what it is given; it may raise our errors.
    then
        Called when it is done, with its line; returns the line that is told.
    """

    def __init__(
        self,
        desk: Desk,
        text: str,
        help: str,
        name: str,
        arguments: Callable[[], dict[str, Any]],
        then: Callable[[str], str] = str,
        parent: QWidget | None = None,
    ) -> None:
        self._desk, self._name, self._arguments, self._then = desk, name, arguments, then
        super().__init__(text, help, self._make, self._execute, parent)
        desk.opened.connect(self._forget)

    def only_while_running(self) -> None:
        """Show the button only as Stop: something else starts it."""
        self.runner.changed.connect(self._follow_button)
        self._follow_button()

    def _follow_button(self) -> None:
        self.button.setVisible(self.state != "idle")

    def _make(self) -> Callable[[Report], Any]:
        session = self._desk.session
        if session is None:
            raise BadInput("No section is open.", "Open one under Section.")
        arguments, name, moment = self._arguments(), self._name, _moment(session)
        return lambda report: (session, moment, correct(session.document, name, report=report, **arguments))

    def _execute(self, made: tuple[Session, Any, Command]) -> str:
        session, moment, command = made
        if session is not self._desk.session or moment != _moment(session):
            raise Stale("The section was changed meanwhile.", "Do it again.")
        session.execute(command)
        return self._then(f"{command.label[:1].upper()}{command.label[1:]}.")

    def _forget(self) -> None:
        self.runner.stop()
        self.message.show_message(None)


def _moment(session: Session) -> tuple[int, int]:
    """Return what another step of the history makes another value."""
    last = session.history[session.position - 1] if session.position else None
    return session.position, -1 if last is None else last.number
