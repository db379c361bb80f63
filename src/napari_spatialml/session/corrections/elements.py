"""Corrections of elements: their unit, their place in the document, their acceptance."""

from __future__ import annotations

import numpy as np

from ...errors import BadInput
from ..cells import MEASURED, table_name
from ..changes import Change, Put
from ..document import ELEMENT_TYPES, GLOBAL, Document
from ..done import forgotten
from ..store import put, put_entry
from .registry import Made, correction


@correction
def set_unit(document: Document, coordinate_system: str, um_per_unit: float) -> Made:
    """Say how many µm what counted as 1 µm in a coordinate system really is: everything in it is scaled."""
    if not np.isfinite(um_per_unit) or um_per_unit <= 0:
        raise BadInput(f"{um_per_unit} µm is not a size.", "Give a number above 0.")
    if coordinate_system not in document.coordinate_systems():
        have = ", ".join(document.coordinate_systems())
        raise BadInput(f"There is no coordinate system '{coordinate_system}'.", f"There are: {have}.")
    scale = np.diag([float(um_per_unit), float(um_per_unit), 1.0])
    slots = [s for s in document.transform_slots() if s[3] == coordinate_system]
    changes: list[Change] = [put(document, s, (scale @ np.asarray(document.get(s))).tolist()) for s in slots]
    held = document.attribute("landmarks", {})
    for name, pairs in held.items():
        sides = [s for s in ("fixed", "moving") if pairs.get(s) == coordinate_system]
        if sides:
            points = {f"{s}_um": (np.asarray(pairs[f"{s}_um"]) * um_per_unit).tolist() for s in sides}
            changes.append(put_entry(document, "landmarks", name, {**pairs, **points}))
    changes += _rescaled(document, coordinate_system, float(um_per_unit))
    return f"one unit of {coordinate_system} is {um_per_unit:g} µm", changes


def _rescaled(document: Document, coordinate_system: str, factor: float) -> list[Change]:
    """Return the changes that keep what was measured in µm true, where its element's first frame is scaled."""
    changes: list[Change] = []
    for table in document.names("tables"):
        elements = [e for e in document.regions(table) if any(e in document.names(t) for t in ELEMENT_TYPES[:4])]
        homes = {GLOBAL if GLOBAL in document.placed(e) else document.placed(e)[0] for e in elements}
        if homes != {coordinate_system}:
            continue
        held = document.table(table)
        for column, power in MEASURED.items():
            if column in held.obs and table == table_name(elements[0]):
                slot = ("tables", table, "obs", column)
                changes.append(put(document, slot, held.obs[column] * factor**power))
        if "spatial" in held.obsm:
            changes.append(
                put(document, ("tables", table, "obsm", "spatial"), np.asarray(held.obsm["spatial"]) * factor)
            )
    return changes


@correction
def remove_element(document: Document, name: str) -> Made:
    """Take an element or a table out of the document."""
    slot = (document.type_of(name), name)
    return f"remove {name}", [Put(slot, document.get(slot), None), *forgotten(document, name)]


@correction
def accept_result(document: Document, name: str) -> Made:
    """Say that a person has looked at an element and found it right."""
    document.type_of(name)
    return f"accept {name}", [put_entry(document, "accepted", name, True)]
