"""XML from strangers: no document type, so no entities to expand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import BadInput

__all__ = ["refuse_entities", "refuse_entities_in_file"]

PIECE = 1 << 16


class _Root(Exception):
    """The root element has begun: a document type can no longer follow."""


def refuse_entities(pieces: Iterable[bytes], what: str) -> None:
    """Raise `BadInput` when XML declares a document type or does not begin as XML.

    A document type can only stand before the root element, so nothing behind it is read. Expat finds
    it in every encoding and behind any comment, which a search in the text would not.
    """
    from xml.parsers import expat

    def refuse(*_: object) -> None:
        raise BadInput(
            f"{what} declares a document type (DOCTYPE), which could expand without end.",
            "Export the file again; these formats need no DOCTYPE.",
        )

    def stop(*_: object) -> None:
        raise _Root

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = stop
    try:
        for piece in pieces:
            parser.Parse(piece, False)
        parser.Parse(b"", True)
    except _Root:
        return
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise BadInput(f"{what} is not readable XML ({error}).", "Copy or export it again.") from error
    raise BadInput(f"{what} holds no XML element.", "Copy or export it again.")


def refuse_entities_in_file(path: Path, what: str) -> None:
    """Raise `BadInput` when the XML file declares a document type; reads no further than its root."""
    with path.open("rb") as file:
        refuse_entities(iter(lambda: file.read(PIECE), b""), what)
