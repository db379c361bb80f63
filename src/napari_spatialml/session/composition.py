"""What spots hold: those selected, of a domain, or in a region drawn on the histology; and which types lie together.

Spots that hold no counts, and those that the hand has marked as artefacts, count for nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.colocation import Colocation, colocation
from ..core.composition import Composition, composition_of
from ..core.composition import composition as composition_of_groups
from ..core.report import Report, silent
from ..core.tissue_blocks import suited_side
from ..errors import BadInput
from ..io.regions_file import CLASS
from .annotating import frame_of, is_annotations, rows_inside
from .constraints import key_of
from .document import Document
from .gather import coordinates_of
from .proportions import proportions_frame

__all__ = [
    "COMPOSITIONS",
    "CO_LOCATIONS",
    "co_location",
    "composition",
    "composition_by",
    "composition_table",
    "held_co_location",
    "plain_co_location",
    "usable_rows",
]

CO_LOCATIONS = "co_locations"
COMPOSITIONS = "compositions"
_SIDES: WeakKeyDictionary[Document, dict[Any, float]] = WeakKeyDictionary()
"""The side of the blocks that suits an output: it is asked for at every selection."""
Array = npt.NDArray[np.float64]


def composition(document: Document, table: str, rows: Any, output: str = "proportions", **settings: Any) -> Composition:
    """Return what some spots hold on average, against the section: one group, named "selected".

    Parameters
    ----------
    document, table, output
        The document, a table and the name of its proportions.
    rows
        Row numbers: under the cursor, selected, or of `napari_spatialml.session.annotating.rows_inside`.
    **settings
        ``level``, ``block_um``, ``n_resamples`` and ``seed`` of `napari_spatialml.core.composition.composition`.

    Raises
    ------
    BadInput
        When there are no proportions, or none of the rows holds counts.
    """
    values, types, where, usable = _inputs(document, table, output)
    chosen = np.zeros(document.table(table).n_obs, bool)
    chosen[np.asarray(rows, np.int64)] = True
    if not chosen[usable].any():
        raise BadInput("None of these spots holds counts that can be used.", "Select others.")
    settings.setdefault("block_um", _side(document, table, output, where, values))
    return composition_of(values, types, where, np.flatnonzero(chosen[usable]), **settings)


def composition_by(
    document: Document, table: str, by: str, output: str = "proportions", *, each: bool = False, **settings: Any
) -> Composition:
    """Return what the spots of each domain, or of each class of regions, hold on average, against the section.

    Parameters
    ----------
    document, table, output
        The document, a table and the name of its proportions.
    by
        A column of the table, such as "domain", or the name of annotations drawn on the histology.
    each
        Of annotations: each region on its own, instead of all regions of a class together.
    **settings
        As in `composition`.

    Raises
    ------
    BadInput
        When there is no such column or annotations, or no spot lies in any group.
    """
    values, types, where, usable = _inputs(document, table, output)
    settings.setdefault("block_um", _side(document, table, output, where, values))
    obs = document.table(table).obs
    if by in obs:
        groups = obs[by].astype(object).where(obs[by].notna(), None).to_numpy()[usable]
        return composition_of_groups(values, types, where, groups, **settings)
    if not is_annotations(document, by):
        raise BadInput(
            f"'{by}' is neither a column of '{table}' nor the name of annotations.",
            "Choose the column of domains, or annotations drawn on the histology.",
        )
    found = _in_regions(document, table, by, each=each)
    kept = {name: np.flatnonzero(np.isin(usable, rows)) for name, rows in found.items()}
    kept = {name: rows for name, rows in kept.items() if len(rows)}
    if not kept:
        raise BadInput(f"No spot of '{table}' lies in a region of '{by}'.", "Draw regions over the spots.")
    # regions may lie on each other, so each is a group for itself
    return _together({name: composition_of(values, types, where, rows, **settings) for name, rows in kept.items()})


def co_location(
    document: Document, table: str, output: str = "proportions", report: Report = silent, **settings: Any
) -> Colocation:
    """Return which cell types lie together; about a second for 4,000 spots and 20 types.

    Parameters
    ----------
    document, table, output
        The document, a table and the name of its proportions.
    report
        Told how far it is.
    **settings
        ``distance_um``, ``block_um``, ``n_permutations`` and ``seed`` of
        `napari_spatialml.core.colocation.colocation`.

    Raises
    ------
    BadInput
        When there are no proportions, or too few types or blocks.
    """
    values, types, where, _ = _inputs(document, table, output)
    return colocation(values, types, where, report=report, **settings)


def usable_rows(document: Document, table: str, output: str = "proportions") -> npt.NDArray[np.int64]:
    """Return the rows whose proportions say something: with counts, and no artefacts."""
    frame, obs = proportions_frame(document, table, output), document.table(table).obs
    keep = np.isfinite(frame.to_numpy()).all(1)
    if f"{output}_empty" in obs:
        keep &= ~obs[f"{output}_empty"].to_numpy(bool)
    if f"{output}_by_hand" in obs:
        keep &= (obs[f"{output}_by_hand"] != "artefact").to_numpy(bool)
    if not keep.any():
        raise BadInput(f"No spot of '{table}' holds counts that can be used.", "Run the deconvolution again.")
    return np.flatnonzero(keep)


def composition_table(found: Composition) -> Any:
    """Return a composition as a table: a row a group, a column a cell type, its intervals in layers."""
    from anndata import AnnData

    obs = pd.DataFrame({"spots": np.array(found.sizes)}, index=pd.Index(found.groups, dtype=object))
    var = pd.DataFrame({"section": np.array(found.section)}, index=pd.Index(found.types, dtype=object))
    made = AnnData(np.array(found.mean), obs=obs, var=var)
    for name in ("mean_lower", "mean_upper", "difference", "lower", "upper"):
        key = name if name.startswith(("mean", "diff")) else f"difference_{name}"
        made.layers[key] = np.array(getattr(found, name))
    return made


def plain_co_location(found: Colocation) -> dict[str, Any]:
    """Return a co-location as plain values, with None for NaN."""
    said: dict[str, Any] = {}
    for part in fields(found):
        value = getattr(found, part.name)
        if isinstance(value, np.ndarray):
            value = [[float(v) if np.isfinite(v) else None for v in row] for row in value]
        said[part.name] = list(value) if isinstance(value, tuple) else value
    return said


def held_co_location(document: Document, table: str, output: str = "proportions") -> Colocation | None:
    """Return the co-location that is kept with an output, or None."""
    said = document.attribute(CO_LOCATIONS, {}).get(key_of(table, output))
    if said is None:
        return None
    made = {part.name: said[part.name] for part in fields(Colocation)}
    for name in ("values", "p", "q"):
        made[name] = np.array(made[name], dtype=float)
    return Colocation(**{**made, "types": tuple(made["types"])})


def _inputs(document: Document, table: str, output: str) -> tuple[Array, tuple[str, ...], Array, npt.NDArray[np.int64]]:
    """Return proportions, types and places of the rows that count, and which these are."""
    frame, rows = proportions_frame(document, table, output), usable_rows(document, table, output)
    where = coordinates_of(document, table)[rows]
    return frame.to_numpy(dtype=np.float64)[rows], tuple(str(t) for t in frame.columns), where, rows


def _side(document: Document, table: str, output: str, where: Array, values: Array) -> float:
    key = (table, output, document.revision(("tables", table, "obsm", output)), len(values))
    known = _SIDES.setdefault(document, {})
    if key not in known:
        known.clear()
        known[key] = suited_side(where, values, 0)
    return known[key]


def _in_regions(document: Document, table: str, by: str, *, each: bool) -> Mapping[str, npt.NDArray[np.int64]]:
    """Return the rows in the regions of annotations: by class, or each region under its class and a number."""
    inside, classes = rows_inside(document, by, table), frame_of(document, by)[CLASS].astype(str)
    of: dict[str, list[npt.NDArray[np.int64]]] = {}
    for name, rows in inside.items():
        of.setdefault(str(classes[name]), []).append(rows)
    if each:
        return {f"{kind} {i + 1}": rows for kind, parts in of.items() for i, rows in enumerate(parts)}
    return {kind: np.unique(np.concatenate(parts)) for kind, parts in of.items()}


def _together(parts: Mapping[str, Composition]) -> Composition:
    """Return compositions of one group each as one."""
    first = next(iter(parts.values()))
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts.values()])
        for name in ("sizes", "mean", "mean_lower", "mean_upper", "difference", "lower", "upper")
    }
    return replace(first, groups=tuple(parts), **joined)
