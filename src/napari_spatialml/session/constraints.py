"""What the hand has laid down about proportions: a list with the document, read for a table's rows of today.

Each entry names the instances it is about, not rows, so that it survives cells that were merged or deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.deconvolution import Constraints
from ..errors import DocumentError
from .document import Document

__all__ = [
    "ATTRIBUTE",
    "STRENGTH",
    "Hand",
    "contradicting",
    "ends_of",
    "hand_of",
    "held_constraints",
    "instance_index",
    "key_of",
    "rows_of",
]

ATTRIBUTE = "proportion_constraints"
STRENGTH = ("", "minimum", "forbidden", "override", "artefact")
"""What the hand may say of a spot, the strongest last: `Hand.kinds` counts in it."""
_FLOOR, _CEILING = 1 + 1e-9, 1 - 1e-9
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Hand:
    """Constraints on the rows of a table as it is now.

    Parameters
    ----------
    constraints
        What a method is given; None where nothing is laid down.
    kinds
        (n,) places in `STRENGTH`.
    reasons
        (n,) text of each row; "" where none was given.
    left_out
        One sentence for each kind of constraint that cannot be kept to now.
    """

    constraints: Constraints | None
    kinds: npt.NDArray[np.int8]
    reasons: npt.NDArray[Any]
    left_out: tuple[str, ...] = ()


def key_of(table: str, output: str) -> str:
    """Return the name under which a result of a table is kept in our attributes."""
    return f"{table}/{output}"


def held_constraints(document: Document, table: str, output: str) -> list[dict[str, Any]]:
    """Return what the hand has laid down about an output of a table, in the order in which it was given."""
    return [_checked(entry) for entry in document.attribute(ATTRIBUTE, {}).get(key_of(table, output), ())]


def _checked(entry: Any) -> dict[str, Any]:
    """Return an entry of a file, which may hold anything.

    Raises
    ------
    DocumentError
        When it is none.
    """
    try:
        value, what = float(entry["value"]), STRENGTH.index(entry["what"])
        whole = what > 0 and 0 <= value <= 1 and isinstance(entry["instances"], list)
        whole = whole and len(entry.get("regions", entry["instances"])) == len(entry["instances"])
    except (KeyError, TypeError, ValueError, AttributeError):
        whole = False
    if not whole:
        raise DocumentError(
            "What was laid down by hand about the proportions cannot be read.",
            "The section may have been changed by another program; open an earlier copy.",
        )
    return {"cell_type": "", "reason": "", "by": "", "when": "", **entry}


def rows_of(document: Document, table: str, said: Mapping[str, Any]) -> npt.NDArray[np.int64]:
    """Return the rows that an entry is about, as far as they are still there, sorted."""
    return _rows(instance_index(document, table), said)


def hand_of(
    document: Document,
    table: str,
    output: str,
    types: Sequence[str],
    said: Sequence[Mapping[str, Any]] | None = None,
) -> Hand:
    """Return the hand's constraints on a table's rows for the types of a reference.

    Parameters
    ----------
    document, table, output
        The document, a table and the name of a result.
    types
        (t,) names of the reference's types.
    said
        The entries; those of the document if None.

    Notes
    -----
    What cannot be kept to is left out and told in `Hand.left_out`: a type that the reference lacks, and
    all about a spot where the rest contradicts itself.
    """
    entries = held_constraints(document, table, output) if said is None else list(said)
    n = document.table(table).n_obs
    kinds, reasons = np.zeros(n, np.int8), np.full(n, "", object)
    if not entries:
        return Hand(None, kinds, reasons)
    touched, last, unknown = _last(document, table, types, entries)
    lower, upper = _ends(entries, last[:, :-1])
    impossible = contradicting(lower, upper)
    lower[impossible], upper[impossible], last[impossible, :-1] = 0, 1, -1
    strength = np.array([*(STRENGTH.index(entry["what"]) for entry in entries), 0], np.int8)
    kinds[touched] = strength[last].max(1)
    reasons[touched] = _reasons(entries, last)
    told = _told(unknown, int(impossible.sum()))
    bound = ((lower > 0) | (upper < 1)).any(1)
    artefacts = np.zeros(n, bool)
    artefacts[touched[last[:, -1] >= 0]] = True
    if not bound.any() and not artefacts.any():
        return Hand(None, kinds, reasons, told)
    marked = artefacts if artefacts.any() else None
    made = Constraints(tuple(types), touched[bound], lower[bound], upper[bound], marked)
    return Hand(made, kinds, reasons, told)


def ends_of(
    document: Document, table: str, types: Sequence[str], said: Sequence[Mapping[str, Any]]
) -> tuple[npt.NDArray[np.int64], Array, Array]:
    """Return the rows (k,) that entries are about, and the (k, t) ends that they give, contradictions and all."""
    touched, last, _ = _last(document, table, types, said)
    return touched, *_ends(said, last[:, :-1])


def contradicting(lower: Array, upper: Array) -> npt.NDArray[np.bool_]:
    """Return (k,) whether no proportions lie within the ranges (k, t) of a row."""
    return np.asarray((lower.sum(1) > _FLOOR) | (upper.sum(1) < _CEILING))


def _last(
    document: Document, table: str, types: Sequence[str], entries: Sequence[Mapping[str, Any]]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], dict[str, int]]:
    """Return the rows (k,) that entries are about, and the last entry (k, t + 1) for each type, -1 where none is.

    The last column is for the spot as a whole. Besides, how many entries name a type that is not there.
    """
    ids, at = instance_index(document, table), {name: i for i, name in enumerate(types)}
    of = [_rows(ids, entry) for entry in entries]
    touched = np.unique(np.concatenate([np.empty(0, np.int64), *of]))
    last = np.full((len(touched), len(types) + 1), -1, np.int32)
    unknown: dict[str, int] = {}
    for number, (entry, rows) in enumerate(zip(entries, of, strict=True)):
        column = len(types) if entry["what"] == "artefact" else at.get(str(entry["cell_type"]), -1)
        if column >= 0:
            last[np.searchsorted(touched, rows), column] = number
        else:
            unknown[str(entry["cell_type"])] = unknown.get(str(entry["cell_type"]), 0) + 1
    return touched, last, unknown


def _ends(entries: Sequence[Mapping[str, Any]], last: npt.NDArray[np.int32]) -> tuple[Array, Array]:
    """Return (k, t) lower and upper ends of what the last entries say."""
    ends = np.array([*(_range(entry) for entry in entries), (0.0, 1.0)])
    return ends[last, 0], ends[last, 1]


def _reasons(entries: Sequence[Mapping[str, Any]], last: npt.NDArray[np.int32]) -> list[str]:
    """Return the reasons of each row, each said once, in the order in which they were given."""
    if not len(last):
        return []
    patterns, which = np.unique(last, axis=0, return_inverse=True)
    said = []
    for pattern in patterns:
        given = [str(entries[i].get("reason", "")) for i in np.unique(pattern[pattern >= 0])]
        said.append("; ".join(dict.fromkeys(r for r in given if r)))
    return [said[i] for i in which.ravel()]


def _range(entry: Mapping[str, Any]) -> tuple[float, float]:
    """Return the ends that an entry gives a proportion."""
    value = float(entry.get("value", 0.0))
    ends = {"override": (value, value), "forbidden": (0.0, 0.0), "minimum": (value, 1.0), "artefact": (0.0, 1.0)}
    return ends[str(entry["what"])]


def instance_index(document: Document, table: str) -> pd.Index[Any]:
    """Return what each row annotates: its instance, with the element where the table annotates several."""
    ids = document.instances(table)
    if len(document.regions(table)) < 2:
        return pd.Index(ids)
    frame = document.table(table)
    region = frame.obs[frame.uns["spatialdata_attrs"]["region_key"]].astype(str)
    return pd.MultiIndex.from_arrays([region.to_numpy(), ids])


def _rows(ids: pd.Index[Any], said: Mapping[str, Any]) -> npt.NDArray[np.int64]:
    wanted: pd.Index[Any] = pd.Index(said["instances"])
    if isinstance(ids, pd.MultiIndex):
        wanted = pd.MultiIndex.from_arrays([said["regions"], said["instances"]]) if "regions" in said else wanted[:0]
    return np.flatnonzero(ids.isin(wanted)) if len(wanted) else np.empty(0, np.int64)


def _told(unknown: Mapping[str, int], impossible: int) -> tuple[str, ...]:
    told = [
        f"{n} constraint{'' if n == 1 else 's'} on '{name}', which the reference lacks, left out."
        for name, n in sorted(unknown.items())
    ]
    if impossible:
        told.append(f"What the hand laid down about {impossible:,} spots contradicts itself with this reference.")
    return tuple(told)
