"""Corrections of the classes of annotations: rename, join, remove."""

from __future__ import annotations

from ...errors import BadInput
from ...io.regions_file import CLASS
from ..annotating import annotation_names, class_colours, frame_of
from ..annotation_rows import written
from ..changes import Change
from ..document import Document
from ..store import put_entry
from .registry import Made, correction

__all__: list[str] = []


@correction
def rename_class(document: Document, old: str, new: str) -> Made:
    """Rename a class in all annotations; taking the name of another one makes one class of the two."""
    if not new.strip():
        raise BadInput("The new name is empty.", "Give it a name.")
    known = document.colours(CLASS)
    changes: list[Change] = []
    for name in annotation_names(document):
        frame = frame_of(document, name)
        rows = frame[frame[CLASS] == old].copy()
        if len(rows):
            known.setdefault(old, class_colours(document, name)[old])
            rows[CLASS] = new
            changes.append(written(document, name, [rows]))
    if old not in known:
        raise BadInput(f"There is no class '{old}'.", "Choose one of the classes.")
    verb = "join" if new in known else "rename"
    colours = {(new if c == old else c): v for c, v in known.items() if not (c == old and new in known)}
    return f"{verb} {old} into {new}", [*changes, put_entry(document, "colours", CLASS, colours)]


@correction
def remove_class(document: Document, class_name: str) -> Made:
    """Take a class without regions out of the list."""
    if any((frame_of(document, n)[CLASS] == class_name).any() for n in annotation_names(document)):
        raise BadInput(f"There are regions of the class '{class_name}'.", "Give them another class first.")
    known = document.colours(CLASS)
    if class_name not in known:
        raise BadInput(f"There is no class '{class_name}'.", "Choose one of the classes.")
    del known[class_name]
    return f"remove the class {class_name}", [put_entry(document, "colours", CLASS, known or None)]
