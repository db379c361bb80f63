"""What a person's hand has put into labels, and would be gone if a run replaced them."""

from __future__ import annotations

from itertools import count

import numpy as np

from .cells import table_name
from .document import Document
from .done import done_of
from .reviewed import ACCEPTED, STATES, WRONG, states_of
from .session import Entry, Session

__all__ = ["free_name", "hand_work"]


def hand_work(session: Session, labels: str) -> str:
    """Return in one sentence what a person has put into labels; "" where there is nothing.

    Parameters
    ----------
    session
        The session.
    labels
        The name of the labels; they need not be there.

    Notes
    -----
    O(steps of the history + rows of the table); no pixel is read.
    """
    document = session.document
    if labels not in document.names("labels"):
        return ""
    table = table_name(labels)
    states = states_of(document.table(table).obs) if table in document.names("tables") else np.zeros(0, np.int64)
    decided = int(np.isin(states, [STATES.index(ACCEPTED), STATES.index(WRONG)]).sum())
    counts = (
        (_corrections(session, labels), "correction by hand", "corrections by hand"),
        (decided, "decision of a review", "decisions of a review"),
        (len(done_of(document, labels)), "window that is done", "windows that are done"),
    )
    said = [f"{n:,} {one if n == 1 else many}" for n, one, many in counts if n]
    if not said:
        return ""
    return f"'{labels}' holds {' and '.join(filter(None, [', '.join(said[:-1]), said[-1]]))}."


def free_name(document: Document, name: str) -> str:
    """Return the name with the first number from 2 on under which nothing is there."""
    return next(n for k in count(2) if (n := f"{name}_{k}") not in document.sdata)


def _corrections(session: Session, labels: str) -> int:
    """Return how many steps have corrected labels since they were made as they are."""
    found = 0
    for entry in reversed(session.history[: session.position]):
        how = _how(entry, labels)
        if how == "put":
            break
        found += how == "labels"
    return found


def _how(entry: Entry, labels: str) -> str:
    """Return by what kind of change a step touched labels: "put" made them, "labels" edited them; "" not at all."""
    for change in entry.line.meta["changes"]:
        if change["c"] == "labels" and change["name"] == labels:
            return "labels"
        if change["c"] == "put" and tuple(change["slot"]) == ("labels", labels):
            return "put"
    return ""
