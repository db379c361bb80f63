"""What a save writes, put under one folder of the store first: elements, parts of tables, chunks of labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from ..core.report import Report, part, silent
from .changes import Slot
from .displacements import FIELDS
from .document import ELEMENT_TYPES, Document
from .elements import LARGE, SAVED, matrices
from .fields import write_fields
from .patching import stage_chunks
from .planes import stack_name
from .rows import plain
from .table_parts import write_part
from .writing import write_elements

__all__ = ["plain_section", "stage"]


def plain_section(document: Document) -> Any:
    """Return the section as SpatialData writes it, with the same arrays."""
    from spatialdata import SpatialData

    elements = {name: _written(document, name) for kind in ELEMENT_TYPES for name in getattr(document.sdata, kind)}
    return SpatialData.init_from_elements(elements, attrs=document.sdata.attrs)


def stage(
    document: Document,
    store: Path,
    staging: Path,
    dirty: set[Slot],
    replaced: frozenset[Slot],
    report: Report = silent,
) -> dict[str, Any]:
    """Put everything new under ``staging`` and return what `finish` has to do with it."""
    edited = {s for s in dirty if len(s) == 2 and s[0] in ("labels", "tables") and s not in replaced}
    labels = {s for s in edited if s[0] == "labels"}
    rows = {s for s in edited if s[0] == "tables" and _fits(document, store, s[1])}
    painted = sorted({stack_name(s[1]) for s in labels})
    wholes = (
        replaced
        | _followers(document, {s[1] for s in labels})
        | ({s for s in dirty if len(s) == 2 and s[0] in ELEMENT_TYPES} - labels - rows)
    )
    swaps = _stage_elements(document, staging, set(wholes), part(report, 0.0, 0.6))
    columns = sorted(s for s in dirty if s[0] == "tables" and len(s) == 4 and s[:2] not in wholes | _apart(s, rows))
    parts = [part for slot in sorted(rows) for part in _parts(document, store, slot[1])]
    for k, column in enumerate(columns):
        report(0.6 + 0.1 * k / len(columns), f"Writing {column[-1]}")
        swaps.append(_stage_part(document, staging, column))
    for k, (slot, value) in enumerate(parts):
        report(0.7 + 0.2 * k / len(parts), f"Writing {slot[1]}")
        swaps.append(_stage_value(staging, slot, value))
    swaps += _stage_fields(document, staging, sorted(s[1] for s in dirty if s[0] == "fields"))
    report(0.9, "Packing labels" if painted else "")
    moved = {s[1:3] for s in dirty if s[0] == "transforms" and s[1:3] not in wholes}
    return {
        "swaps": swaps,
        "painted": [stage_chunks(document, store, staging / "chunks", name) for name in painted],
        "tables": sorted({s[1] for s in columns}),
        "transforms": {"/".join(m): matrices(getattr(document.sdata, m[0])[m[1]]) for m in moved},
        "attrs": document.sdata.attrs if any(s[0] == "attrs" for s in dirty) else None,
    }


def _written(document: Document, name: str) -> Any:
    """Return an element as it is written: labels in chunks that a stroke can rewrite, tables as plain AnnData."""
    if name in document.names("labels") and not document.planes(name):
        return document.get(("labels", name)).to_spatialdata(SAVED)
    return plain(document.sdata[name])


def _apart(slot: Slot, rows: set[Any]) -> set[Any]:
    """Return the tables that are written by their rows, which what there is of their features is no part of."""
    return set() if slot[2] in ("var", "varm") else rows


def _fits(document: Document, store: Path, name: str) -> bool:
    """Whether a table in the store becomes the document's by its rows alone.

    What it annotates must be the same, and it must keep nothing that the hand leaves out: pairs of rows, raw counts.
    """
    folder = store / "tables" / name
    if name not in document.names("tables") or not folder.is_dir():
        return False
    table = document.table(name)
    told = (folder / "uns" / "spatialdata_attrs").is_dir() == ("spatialdata_attrs" in table.uns)
    left_out = (folder / "raw" / "X", *(folder / "obsp").glob("*"))
    return bool(told and table.n_obs) and not any(place.is_dir() for place in left_out)


def _parts(document: Document, store: Path, name: str) -> Iterator[tuple[Slot, Any]]:
    """Yield the parts of a table that have a row a cell; None for those that the store has too many."""
    from .hand_table import HandTable

    table = document.table(name)
    x = table.rows if isinstance(table, HandTable) else table.X
    if x is not None:
        yield ("tables", name, "X"), x
    yield ("tables", name, "obs"), table.obs
    for side in ("obsm", "layers"):
        held = dict(getattr(table, side).items())
        there = {p.name for p in (store / "tables" / name / side).glob("*") if p.is_dir()}
        for key in sorted(there | held.keys()):
            yield ("tables", name, side, key), held.get(key)


def _stage_elements(document: Document, staging: Path, wholes: set[Slot], report: Report) -> list[dict[str, str]]:
    from spatialdata import SpatialData

    present = {s[1]: document.get(s) for s in wholes if document.get(s) is not None}
    if present:
        held = {name: _written(document, name) for name in present}
        write_elements(SpatialData.init_from_elements(held), staging / "elements.zarr", report)
    return [
        {"target": "/".join(s), "staged": f"elements.zarr/{'/'.join(s)}" if s[1] in present else ""}
        for s in sorted(wholes)
    ]


def _followers(document: Document, painted: set[str]) -> set[Slot]:
    """Return the resampled labels whose originals were painted on; of a whole slide, those wait for the next run."""
    found: set[Slot] = set()
    for name in (n for n in document.names("labels") if painted and not document.planes(n)):
        grid = document.grid(name)
        small = grid.shape[0] * grid.shape[1] <= LARGE
        if small and grid.recipe is not None and not grid.moment and grid.recipe.source in painted:
            found.add(("labels", name))
    return found


def _stage_fields(document: Document, staging: Path, names: list[str]) -> list[dict[str, str]]:
    write_fields(document, staging, tuple(names))
    there = [f"{FIELDS}/{name}" for name in names]
    return [{"target": place, "staged": place if (staging / place).is_dir() else ""} for place in there]


def _stage_part(document: Document, staging: Path, slot: Slot) -> dict[str, str]:
    """Stage a column or an array of a table, as anndata writes it."""
    value = document.get(slot)
    if isinstance(value, pd.Series):
        value = value.array if isinstance(value.dtype, pd.CategoricalDtype) else value.to_numpy()
    return _stage_value(staging, slot, value)


def _stage_value(staging: Path, slot: Slot, value: Any) -> dict[str, str]:
    import zarr

    if value is None:
        return {"target": "/".join(slot), "staged": ""}
    group = zarr.open_group(staging / "tables.zarr", mode="a", zarr_format=3)
    parent = group.require_group("/".join(slot[1:-1]))
    write_part(parent, slot[-1], value)
    return {"target": "/".join(slot), "staged": f"tables.zarr/{'/'.join(slot[1:])}"}
