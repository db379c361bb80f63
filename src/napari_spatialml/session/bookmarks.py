"""Bookmarks of views: what was looked at, and how, kept in the document by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from ..errors import BadInput
from .changes import Change
from .document import GLOBAL, Document
from .store import put

__all__ = ["BOOKMARKS", "Bookmark", "bookmark_from", "bookmarks_of", "kept"]

BOOKMARKS = "bookmarks"
"""Our attribute that keeps them: a list, in the order of the keys 1 to 9."""


def _nothing() -> Mapping[str, tuple[str, str] | None]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Bookmark:
    """A view that can be gone back to, in a window of any size.

    Parameters
    ----------
    name
        What it is called.
    system
        The coordinate system that is shown.
    centre_um
        (y, x) of the middle of the view.
    height_um
        How much of the tissue is seen from top to bottom, > 0.
    shown
        The elements shown; None for all.
    colours
        What colours each element: its table and the key in it, or None for nothing.
    also
        Further coordinate systems in the scene.
    overlaid
        Whether those are laid over the first.
    """

    name: str
    system: str = GLOBAL
    centre_um: tuple[float, float] = (0.0, 0.0)
    height_um: float = 1.0
    shown: tuple[str, ...] | None = None
    colours: Mapping[str, tuple[str, str] | None] = field(default_factory=_nothing)
    also: tuple[str, ...] = ()
    overlaid: bool = False

    def __post_init__(self) -> None:
        """Check it.

        Raises
        ------
        BadInput
            When it has no name, or its place is not finite.
        """
        if not self.name.strip():
            raise BadInput("The bookmark has no name.", "Give it one.")
        if not all(math.isfinite(v) for v in (*self.centre_um, self.height_um)) or self.height_um <= 0:
            raise BadInput(f"'{self.name}' shows {self.height_um:g} µm.", "Show some of the tissue.")

    def plain(self) -> dict[str, Any]:
        """Return it as plain values."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        plain |= {k: list(v) for k, v in plain.items() if isinstance(v, tuple)}
        return {**plain, "colours": {k: None if v is None else list(v) for k, v in self.colours.items()}}


def bookmark_from(plain: Mapping[str, Any]) -> Bookmark:
    """Return a bookmark from plain values.

    Raises
    ------
    BadInput
        When they are those of none.
    """
    try:
        y, x = (float(v) for v in plain["centre_um"])
        colours = {str(k): None if v is None else (str(v[0]), str(v[1])) for k, v in plain.get("colours", {}).items()}
        shown = plain.get("shown")
        return Bookmark(
            str(plain["name"]),
            str(plain.get("system", GLOBAL)),
            (y, x),
            float(plain["height_um"]),
            None if shown is None else tuple(str(n) for n in shown),
            colours,
            tuple(str(s) for s in plain.get("also", ())),
            bool(plain.get("overlaid", False)),
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"This is no bookmark: {error}.", "Keep the view again.") from error


def bookmarks_of(document: Document) -> tuple[Bookmark, ...]:
    """Return the bookmarks in their order; what another program wrote in their place is not among them."""
    held = document.attribute(BOOKMARKS, [])
    found = []
    for plain in held if isinstance(held, list | tuple) else []:
        try:
            found.append(bookmark_from(plain))
        except BadInput:
            continue  # the rest of the section must stay usable
    return tuple(found)


def kept(document: Document, bookmarks: tuple[Bookmark, ...]) -> Change:
    """Return the change after which these are the bookmarks, and no others."""
    return put(document, ("attrs", BOOKMARKS), [b.plain() for b in bookmarks] or None)
