"""Names inside a table that a SpatialData store can hold: letters, digits, ``_ - .``, unique whatever their case."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["make_storable", "storable"]

TIES = ("region", "instance_id")
"""The columns that tie a table to its element."""


def storable(names: Iterable[object], reserved: Iterable[str] = ()) -> dict[object, str]:
    """Return a storable name for each name: itself where it is one already.

    Parameters
    ----------
    reserved
        Names that are needed for something else; whoever has one gets another.
    """
    names = list(names)
    taken = {name.lower() for name in reserved}
    made: dict[object, str] = {}
    # names that may stay come first, so that none of them loses its name to a mended one
    for name in sorted(names, key=lambda n: _mended(n) != n):
        base = new = _mended(name)
        i = 1
        while new.lower() in taken:
            i += 1
            new = f"{base}_{i}"
        taken.add(new.lower())
        made[name] = new
    return {name: made[name] for name in names}


def _mended(name: object) -> str:
    text = re.sub(r"[^A-Za-z0-9_.-]+", "_", str(name))
    if text.startswith("__") or text == "_index" or not text.strip("_."):
        text = "column_" + text.strip("_.")
    return text


def make_storable(table: AnnData, notes: list[str]) -> None:
    """Rename columns and keys of a table in place, and note each."""
    changed: dict[object, str] = {}
    for frame, reserved in ((table.obs, TIES), (table.var, ())):
        names = storable(frame.columns, reserved)
        frame.columns = [names[column] for column in frame.columns]
        changed |= {old: new for old, new in names.items() if old != new}
        if frame.index.name is not None and frame.index.name in frame.columns:
            frame.index.name = None
    for mapping in (table.obsm, table.varm, table.obsp, table.varp, table.layers, table.uns):
        for old, new in storable(list(mapping)).items():
            if old != new:
                mapping[new] = mapping[old]
                del mapping[old]
                changed[old] = new
    if changed:
        listed = ", ".join(f"'{old}' → '{new}'" for old, new in list(changed.items())[:6])
        what = "1 name" if len(changed) == 1 else f"{len(changed)} names"
        notes.append(f"{what} in the table could not be stored, and changed: {listed}.")
