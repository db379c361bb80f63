"""A format: how a file is recognised by its content, and how it becomes a document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .document import element_name
from .units import Units

if TYPE_CHECKING:
    from spatialdata import SpatialData

__all__ = ["Format"]


@dataclass(frozen=True)
class Format:
    """One kind of file or folder that can be opened.

    Parameters
    ----------
    name
        Short name in kebab-case, recorded in the document's sources.
    title
        The name a person reads.
    what
        What it looks like on disk, for the sentence that says what was looked for.
    recognises
        Whether the path holds this format; looks at the content, cheaply.
    read
        Read the path into a document whose coordinate system "global" is in µm.
    resolve
        The path that stands for the whole: the folder of a file inside it, one fixed member of
        files that belong together. Two paths that resolve to the same one are opened once.
    stem
        The name of what a resolved path holds, put before element names that are taken.
    add
        Put what the path holds into a document that was opened with it, in that document's coordinates;
        None where it is a section of its own.
    """

    name: str
    title: str
    what: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, Units], SpatialData]
    resolve: Callable[[Path], Path] = lambda path: path
    stem: Callable[[Path], str] = element_name
    add: Callable[[Path, SpatialData], None] | None = None
