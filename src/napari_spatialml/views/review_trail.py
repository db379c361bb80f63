"""What a walk through the review queue has decided, by the step of the history that keeps it."""

from __future__ import annotations

from ..session import Session

__all__ = ["Trail"]


class Trail:
    """Knows of which cell a step was, so that who takes it back sees that cell again.

    Parameters
    ----------
    session
        The session whose steps these are.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._of: dict[int, int] = {}
        self._position = session.position

    def clear(self) -> None:
        """Forget all: another queue has begun, whose numbers mean other things."""
        self._of = {}

    def keep(self, key: int) -> None:
        """Say that the last step was about this cell or place."""
        history, self._position = self._session.history, self._session.position
        if self._position:
            self._of[history[self._position - 1].number] = key

    def taken_back(self) -> int | None:
        """Return the cell or place of the step that was undone since the last call; None where none was."""
        before, self._position = self._position, self._session.position
        undone = self._session.history[self._position : before]
        return next((self._of[entry.number] for entry in undone if entry.number in self._of), None)
