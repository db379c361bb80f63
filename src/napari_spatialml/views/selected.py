"""What is selected now, and what a filter leaves drawn: shared by the canvas, the plots and the docks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from psygnal import Signal

from ..session.changes import Slot
from ..session.row_places import RowPlaces, row_places
from ..session.selected import Selected

if TYPE_CHECKING:
    from .presenter import Presenter

__all__ = ["SelectedRows"]


class SelectedRows:
    """The selection of a presenter. It is no part of the document; naming one makes it so.

    Parameters
    ----------
    presenter
        Whose document it is.
    """

    changed: ClassVar[Signal] = Signal()
    """Emitted when the selection or the filter is another one."""

    def __init__(self, presenter: Presenter) -> None:
        self._presenter = presenter
        self._now: Selected | None = None
        self._limit: Selected | None = None
        self._index: dict[str, Any] = {}
        self._places: dict[tuple[str, str], tuple[Any, RowPlaces]] = {}

    @property
    def now(self) -> Selected | None:
        """The rows that are selected; None where none were."""
        return self._now

    @property
    def limit(self) -> Selected | None:
        """The rows that a filter leaves drawn; None for all."""
        return self._limit

    def take(self, selected: Selected, how: str = "new") -> None:
        """Select rows.

        Parameters
        ----------
        selected
            The rows.
        how
            "new", "add", "take away" or "both": see `Selected.joined`.

        Raises
        ------
        BadInput
            When ``how`` is none of these.
        """
        before = self._now or Selected(selected.table, np.empty(0, np.int64))
        self._now = before.joined(selected, how)
        self._remember(selected.table)
        self.changed.emit()

    def clear(self) -> None:
        """Select nothing."""
        if self._now is not None:
            self._now = None
            self.changed.emit()

    def filter(self, rows: Selected | None) -> None:
        """Leave only these rows drawn; None for all."""
        if rows is not None or self._limit is not None:
            self._limit = rows
            if rows is not None:
                self._remember(rows.table)
            self.changed.emit()

    def places(self, table: str, element: str) -> RowPlaces:
        """Return where the rows of a table lie in an element; found once, and again after a correction."""
        document = self._presenter.document
        kind = document.type_of(element)
        token = (document.revision(("tables", table, "X")), document.revision((kind, element)))
        held = self._places.get((table, element))
        if held is None or held[0] != token:
            held = self._places[table, element] = (token, row_places(document, table, element))
        return held[1]

    def follow(self, slots: frozenset[Slot]) -> None:
        """Find the rows again where a correction has moved them; those that are gone leave the selection."""
        tables = {slot[1] for slot in slots if slot[0] == "tables" and len(slot) == 2}
        before = self._now, self._limit
        self._now, self._limit = (self._again(held) if held and held.table in tables else held for held in before)
        for table in tables & self._index.keys():
            self._remember(table)
        if (self._now, self._limit) != before:
            self.changed.emit()

    def _again(self, held: Selected) -> Selected | None:
        document, index = self._presenter.document, self._index.get(held.table)
        if held.table not in document.names("tables") or index is None:
            return None
        names = document.table(held.table).obs_names
        if names is index or names.equals(index):
            return held
        if not names.is_unique:
            return None  # nobody can say which of the rows of one name was meant
        at = names.get_indexer(index[held.rows])
        return Selected(held.table, at[at >= 0], held.said)

    def _remember(self, table: str) -> None:
        """Keep the names of the rows, which survive what a correction does to their places."""
        if table in self._presenter.document.names("tables"):
            self._index[table] = self._presenter.document.table(table).obs_names
