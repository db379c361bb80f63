"""Which names the document takes: what cannot be saved, or would cut a table from its element, is refused."""

from __future__ import annotations

import re

from ..errors import BadInput
from .changes import Change, EditColumn, Put, Slot
from .document import ELEMENT_TYPES, Document

__all__ = ["check_names"]

_LONGEST = 200
"""Each part of a table is a file; file systems take names of 255 characters, and what belongs to it adds some."""
_FIT = re.compile(r"[A-Za-z0-9_.-]+")


def check_names(document: Document, changes: tuple[Change, ...]) -> None:
    """Check the names that changes bring into the document.

    Raises
    ------
    BadInput
        When a name cannot be stored, is taken, or ties a table to its element.
    """
    for change in changes:
        slot = change.touched
        if isinstance(change, EditColumn) or (isinstance(change, Put) and len(slot) == 4 and slot[0] == "tables"):
            _check_column(document, slot)
        if not isinstance(change, Put) or change.new is None or slot[0] not in ELEMENT_TYPES:
            continue
        _check_spelling(slot[-1])
        if len(slot) == 2:
            _check_free(document, slot)


def _check_spelling(name: str) -> None:
    if not _FIT.fullmatch(name) or name.startswith("__") or name in (".", "..", "_index"):
        raise BadInput(f"'{name}' cannot be a name in a store.", "Use letters, digits, '_', '-' and '.' only.")
    if len(name) > _LONGEST:
        raise BadInput(f"'{name:.20}…' has {len(name):,} characters, too many for a file.", f"Use {_LONGEST} at most.")


def _check_free(document: Document, slot: Slot) -> None:
    for element_type in ELEMENT_TYPES:
        for name in document.names(element_type):
            if name.lower() == slot[1].lower() and (element_type, name) != slot:
                raise BadInput(f"The section has {element_type} named '{name}' already.", "Choose another name.")


def _check_column(document: Document, slot: Slot) -> None:
    if slot[2] != "obs" or slot[1] not in document.names("tables"):
        return
    table = document.table(slot[1])
    ties = table.uns.get("spatialdata_attrs") or {}
    if slot[3] in (ties.get("region_key"), ties.get("instance_key")):
        raise BadInput(f"The column '{slot[3]}' ties the table '{slot[1]}' to its element.", "Choose another column.")
    for name in table.obs.columns:
        if name != slot[3] and str(name).lower() == slot[3].lower():
            raise BadInput(f"The table '{slot[1]}' has a column '{name}' already.", "Choose another name.")
