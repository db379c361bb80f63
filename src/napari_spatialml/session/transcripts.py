"""The indexes of a document's transcripts: opened or made once, beside the window where that takes long, and kept."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from weakref import WeakKeyDictionary

from ..core.report import Report, silent
from ..errors import DocumentError
from .document import GLOBAL, Document
from .growing import Growing
from .index_files import folder_of, opened_files
from .tiling import Seen
from .transcript_index import (
    TranscriptIndex,
    feature_key,
    points_with_genes,
    sorts_in_memory,
    to_um_of,
    transcript_source,
)
from .transcript_source import ALL, Choice

__all__ = [
    "glimpse_of",
    "growing_of",
    "index_beside",
    "index_of",
    "index_to_see",
    "is_quick",
    "opened_index",
]

QUICK_BYTES = 8_000_000
"""Files smaller than this are indexed while the hand waits; they hold about half a million points."""
Wanted = tuple[str, Choice]
"""A points element, and which of its transcripts count."""
_OPEN: WeakKeyDictionary[Document, dict[Wanted, tuple[int, TranscriptIndex]]] = WeakKeyDictionary()
_GROWING: WeakKeyDictionary[Document, dict[str, Growing]] = WeakKeyDictionary()
_BESIDE: WeakKeyDictionary[Document, Callable[[str, Choice], None]] = WeakKeyDictionary()


def growing_of(document: Document, points: str) -> Growing | None:
    """Return what was read so far of points whose index is being made; None where none is."""
    return _GROWING.get(document, {}).get(points)


def opened_index(document: Document, points: str, choice: Choice = ALL) -> TranscriptIndex | None:
    """Return the index of a points element where it is open already."""
    held = _OPEN.get(document, {}).get((points, choice.of_points))
    if held is None or held[0] != document.revision(("points", points)):
        return None
    return replace(held[1], to_um=to_um_of(document, points))


def glimpse_of(document: Document, points: str) -> TranscriptIndex | None:
    """Return an index to look at now: the one that is open, or the one on disk before all of it was read and checked.

    What counts transcripts must wait for `index_of`, which reads every byte and makes a damaged index again.
    Points of any kind may be looked at: see `index_to_see`.
    """
    found = opened_index(document, points)
    if found is not None or document.home is None:
        return found
    source, to_um = transcript_source(document, points, measured=True, named=False), to_um_of(document, points)
    if sorts_in_memory(source):
        return None
    arrays = opened_files(source, folder_of(document.home, points, ALL), source.fingerprint(), whole=False)
    return None if arrays is None else TranscriptIndex.of(arrays, to_um)


def index_of(document: Document, points: str, report: Report = silent, choice: Choice = ALL) -> TranscriptIndex:
    """Return the index of a points element, opened or made at the first call and kept while the points stay.

    Parameters
    ----------
    document
        The document.
    points
        A points element.
    report
        Told how far the making is.
    choice
        Which of the transcripts are in it; controls always are.

    Raises
    ------
    DocumentError
        When the points are not there, have no feature key, or do not lie in "global"; or, by a caller that
        gives no report, while the index is made beside the window.
    """
    if points not in document.names("points") or not feature_key(document, points):
        raise DocumentError(
            f"The transcripts '{points}', which the cells count, are not in the section.",
            "Undo their removal; or remove the table of counts, if only the labels are to be corrected.",
        )
    to_um = document.affine(points, GLOBAL)
    return replace(_kept(document, points, report, choice), to_um=to_um)


def index_to_see(document: Document, points: str, report: Report = silent) -> TranscriptIndex:
    """Return the index of any points, to look at them.

    Those that do not say which gene each is are all of one gene without a name, and they may lie in any
    coordinate system. Otherwise it is what `index_of` returns.

    Raises
    ------
    DocumentError
        When the points are not there, or a file behind them is gone.
    """
    return _kept(document, points, report, ALL)


def _kept(document: Document, points: str, report: Report, choice: Choice) -> TranscriptIndex:
    """Return the index of points, opened or made at the first call and kept while the points stay."""
    kept, wanted = _OPEN.setdefault(document, {}), (points, choice.of_points)
    revision = document.revision(("points", points))
    if wanted not in kept or kept[wanted][0] != revision:
        if report is silent and document in _BESIDE and not is_quick(document, points):
            _BESIDE[document](*wanted)
            raise DocumentError(
                f"The transcripts '{points}' are still being indexed.",
                "Cells that count them can be corrected when that is done; nothing was changed.",
            )
        with _growth(document, points) as seen:
            made = TranscriptIndex.open_or_build(document, points, document.home, report, choice, seen)
        kept[wanted] = (revision, made)
    return replace(kept[wanted][1], to_um=to_um_of(document, points))


def is_quick(document: Document, points: str) -> bool:
    """Whether the index is made in some tenths of a second."""
    source = transcript_source(document, points, named=False)
    if source.held_in_memory:
        return sorts_in_memory(source)
    return sum(file.stat().st_size for file in source.files) < QUICK_BYTES


def index_beside(document: Document, start: Callable[[str, Choice], None]) -> tuple[Wanted, ...]:
    """Let indexes be made beside the window from now on: nobody who draws waits for one.

    Parameters
    ----------
    document
        The document.
    start
        Begins, in a thread, to call `index_of` with a report for points and a choice, unless it is doing so.

    Returns
    -------
    tuple of (str, Choice)
        The points that the segmentations of the section count, and whose index is not open.
    """
    _BESIDE[document] = start
    said = document.attribute("segmentations", {}).values()
    wanted = {(str(a.get("transcripts", "")), Choice.from_plain(a.get("choice")).of_points) for a in said}
    there, kept = points_with_genes(document), _OPEN.get(document, {})
    return tuple(sorted((w for w in wanted if w[0] in there and w not in kept), key=repr))


@contextlib.contextmanager
def _growth(document: Document, points: str) -> Iterator[Seen]:
    """Let what is read be looked at while the index is made."""
    growing = Growing()
    _GROWING.setdefault(document, {})[points] = growing
    try:
        yield growing.add
    finally:
        _GROWING[document].pop(points, None)
