"""Who is at work: the name that every step of the history carries. Never the machine's name."""

from __future__ import annotations

import getpass
import os
import re

from ..errors import BadInput
from .durable import write_whole
from .homes import state_folder

__all__ = ["READER", "checked_reader", "login_name", "remember_reader", "who"]

READER = "NAPARI_SPATIALML_READER"
"""The environment variable that names the reader, for one command or one window."""
_LONGEST = 60


def who() -> str:
    """Return who is at work: as the environment says, else as was last said in the window, else the login name."""
    said = os.environ.get(READER, "")
    if not said.strip():
        try:
            said = (state_folder().parent / "reader.txt").read_text(encoding="utf-8")
        except (OSError, ValueError):  # never said, or not text
            said = ""
    try:
        return checked_reader(said)
    except BadInput:
        return login_name()


def remember_reader(name: str) -> str:
    """Keep the name for the sections that are opened from now on; an empty one means the login name.

    Raises
    ------
    BadInput
        When it is no name, or cannot be kept.
    """
    found = checked_reader(name)
    place = state_folder().parent
    try:
        place.mkdir(parents=True, exist_ok=True)
        write_whole(place / "reader.txt", found.encode())
        os.environ.pop(READER, None)  # what is said last counts
    except OSError as error:
        raise BadInput(f"The name could not be kept ({error.strerror}).", f"Set the variable {READER}.") from error
    return found


def checked_reader(name: str) -> str:
    """Return a name in one line without outer spaces; the login name for an empty one.

    Raises
    ------
    BadInput
        When it is too long, or holds what cannot be written.
    """
    found = re.sub(r"\s+", " ", name).strip()
    if len(found) > _LONGEST or not found.isprintable():
        raise BadInput(f"'{found[:_LONGEST]}' cannot be a reader's name.", f"Give at most {_LONGEST} letters.")
    return found or login_name()


def login_name() -> str:
    """Return the name of the person at the keyboard, as the operating system knows it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such entry: a container's numeric user, for instance
        return "unknown"
