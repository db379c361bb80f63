"""What an earlier run left behind in a place that is opened: a save cut short, or the steps of another store."""

from __future__ import annotations

from pathlib import Path

from .fingerprints import digest
from .homes import of_another
from .journal import Journal
from .saving import finish, interrupted, set_aside, steps_of

__all__ = ["completed", "put_aside"]


def completed(store: Path) -> tuple[bool, int | None, str]:
    """Complete a save that was interrupted.

    Returns
    -------
    tuple
        Whether there was one, how many records of the journal it counts where it says so, and what went wrong.
    """
    try:
        at = steps_of(store) if interrupted(store) else None
        return finish(store), at, ""
    except Exception as error:  # a damaged intent must not keep the store closed
        set_aside(store)
        why = f"An interrupted save of '{store.name}' could not be completed ({type(error).__name__}: {error})."
        return False, None, why


def put_aside(home: Path, store: Path) -> str:
    """Keep a journal of another store from being done on this one. Return a sentence about it."""
    journal = home / "journal.log"
    if not journal.exists() or not Journal(journal, read_only=True).lines:
        (home / "store.txt").unlink()
        of_another(home, store)
        return ""
    aside = home / f"journal-{digest(journal.read_bytes())[:8]}.log"
    journal.replace(aside)
    (home / "store.txt").unlink()
    of_another(home, store)
    return f"Unsaved steps were made on another '{store.name}'; they were put aside as '{aside.name}'."
