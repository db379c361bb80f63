"""Another reader's saved copy of a section: who worked on it, and what of it can be compared here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..errors import BadInput, SpatialMLError
from .areas import area_sets
from .comparing import classes_of, require_same_frame
from .document import Document
from .history import fold, readers_of
from .journal import Journal
from .saving import HOME, interrupted

__all__ = ["Offer", "OtherSection", "brought_name", "open_other"]


@dataclass(frozen=True)
class Offer:
    """Something of the other section.

    Parameters
    ----------
    kind
        "labels", "column" or "shapes".
    name
        The element, or "table/column".
    """

    kind: str
    name: str

    @property
    def words(self) -> str:
        """What the person reads."""
        kinds = {"labels": "cells", "column": "classes", "shapes": "areas"}
        return f"{kinds[self.kind]}: {self.name.replace('/', ' · ')}"


@dataclass(frozen=True, eq=False)
class OtherSection:
    """A saved section that is only read.

    Parameters
    ----------
    path
        The store.
    document
        What it holds; unsaved steps are not in it.
    readers
        Who made steps of its history and how many, most first.
    """

    path: Path
    document: Document
    readers: dict[str, int]

    def offers(self, document: Document) -> list[Offer]:
        """Return what of it has a counterpart in a document, and can so be compared with it."""
        labels = [Offer("labels", n) for n in self.document.names("labels") if _fits(document, self.document, n)]
        columns = [
            Offer("column", f"{t}/{c}") for t in self.document.names("tables") for c in self._columns(t, document)
        ]
        return [*labels, *columns, *(Offer("shapes", n) for n in area_sets(self.document) if "@" not in n)]

    def _columns(self, table: str, document: Document) -> list[str]:
        if table not in document.names("tables"):
            return []
        held = self.document.table(table)
        ties = set((held.uns.get("spatialdata_attrs") or {}).values()) & set(held.obs.columns)
        found = []
        for column in held.obs.columns:
            kind = held.obs[column].dtype.kind
            if column not in ties and kind == "O" and held.obs[column].nunique() <= 512:
                try:
                    classes_of(self.document, table, column)
                except SpatialMLError:
                    continue
                found.append(str(column))
        return found


def _fits(document: Document, other: Document, labels: str) -> bool:
    """Whether some labels of a document lie where labels of the other one lie."""
    for name in document.names("labels"):
        try:
            require_same_frame(document, name, other, labels)
        except SpatialMLError:
            continue
        return True
    return False


def open_other(path: Path | str) -> OtherSection:
    """Open another section to be read. What was opened last is kept as long as its files do not change.

    Raises
    ------
    BadInput, DocumentError
        When it is no store, or a save of it is under way.
    """
    store = Path(path).resolve()
    marks = [store / name for name in ("zarr.json", ".zgroup", f"{HOME}/journal.log")]
    moments = tuple(mark.stat().st_mtime_ns if mark.exists() else 0 for mark in marks)
    if not any(moments[:2]):
        raise BadInput(f"'{store.name}' is not a saved section.", "Choose a folder NAME.zarr.")
    if interrupted(store):
        raise BadInput(f"A save of '{store.name}' is under way or was interrupted.", "Open that section once.")
    return _opened(store, moments)


@lru_cache(maxsize=1)
def _opened(store: Path, moments: tuple[int, ...]) -> OtherSection:
    from ..io import open_files

    journal = store / HOME / "journal.log"
    readers = readers_of(fold(Journal(journal, read_only=True).lines)[0]) if journal.exists() else {}
    return OtherSection(store, Document(open_files(store)), readers)


def brought_name(name: str, reader: str) -> str:
    """Return the name of what a reader made, beside one's own: "nuclei_Anna".

    Raises
    ------
    BadInput
        When no letter of the reader's name can stand in a name.
    """
    word = re.sub(r"[^A-Za-z0-9_.-]+", "-", reader.strip()).strip("-.")
    if not word:
        raise BadInput(f"'{reader}' has no letter that can stand in a name.", "Write it with a to z.")
    return f"{name}_{word}"
