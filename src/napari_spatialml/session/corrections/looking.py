"""Corrections of how a section is looked at: bookmarks of views, and the drawing of an image's channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...errors import BadInput
from ..bookmarks import Bookmark, bookmark_from, bookmarks_of, kept
from ..channels import BLENDINGS, CHANNELS, channels_kept, checked
from ..document import Document
from ..gather import full_resolution
from ..planes import stack_name
from ..store import put_entry
from .registry import Made, correction


@correction
def keep_view(document: Document, view: Mapping[str, Any]) -> Made:
    """Keep a view under its name; one that has the name already is replaced and keeps its place."""
    new = bookmark_from(view)
    held = bookmarks_of(document)
    if any(b.name == new.name for b in held):
        return f"move bookmark {new.name}", [kept(document, tuple(new if b.name == new.name else b for b in held))]
    return f"bookmark {new.name}", [kept(document, (*held, new))]


@correction
def drop_view(document: Document, name: str) -> Made:
    """Take a bookmark away."""
    _named(document, name)
    return f"remove bookmark {name}", [kept(document, tuple(b for b in bookmarks_of(document) if b.name != name))]


@correction
def rename_view(document: Document, name: str, new: str) -> Made:
    """Give a bookmark another name."""
    old, held = _named(document, name), bookmarks_of(document)
    if any(b.name == new for b in held):
        raise BadInput(f"There is a bookmark '{new}' already.", "Give another name.")
    named = replace(old, name=new)
    return f"rename bookmark {name} to {new}", [kept(document, tuple(named if b == old else b for b in held))]


@correction
def set_channels(
    document: Document, image: str, channels: Mapping[str, Mapping[str, Any]], blending: str | None = None
) -> Made:
    """Say how channels of an image are drawn: colour, low, high, gamma, visible; others stay as they are."""
    names = _channels(document, image)
    for name in channels:
        if name not in names:
            raise BadInput(f"'{image}' has no channel '{name}'.", f"Choose one of {', '.join(names[:12])}.")
    if blending is not None and blending not in BLENDINGS:
        raise BadInput(f"Channels cannot be '{blending}'.", f"Choose one of {', '.join(BLENDINGS)}.")
    said = {name: checked(one) for name, one in channels.items()}
    which = next(iter(said)) if len(said) == 1 else f"{len(said)} channels"
    what = {key for one in said.values() for key in one}
    word = "colour" if what == {"colour"} else "contrast" if what and what <= {"low", "high", "gamma"} else "drawing"
    return f"{word} of {which} in {image}", [channels_kept(document, image, said, blending)]


@correction
def reset_channels(document: Document, image: str) -> Made:
    """Draw the channels of an image by default again."""
    _channels(document, image)
    if stack_name(image) not in document.attribute(CHANNELS, {}):
        raise BadInput(f"The channels of '{image}' are drawn by default.", "There is nothing to reset.")
    return f"default channels of {image}", [put_entry(document, CHANNELS, stack_name(image), None)]


def _named(document: Document, name: str) -> Bookmark:
    found = next((b for b in bookmarks_of(document) if b.name == name), None)
    if found is None:
        raise BadInput(f"There is no bookmark '{name}'.", "Choose one of the list.")
    return found


def _channels(document: Document, image: str) -> list[str]:
    if image not in document.names("images"):
        raise BadInput(f"There is no image '{image}'.", f"Choose one of {', '.join(document.names('images'))}.")
    return [str(c) for c in full_resolution(document, image).coords["c"].to_numpy()]
