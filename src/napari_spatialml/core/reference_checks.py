"""What a person should know of a single-cell reference before it is trusted with a section."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ..errors import BadInput
from .count_state import State
from .type_confusion import confusion, drawn_confusion, groups_alike, likeness, summed

__all__ = ["ALIKE", "RARE", "ReferenceReport", "check_cells", "merged_types"]

RARE = 10
"""A type of fewer cells is rare: its signature is uncertain."""
ALIKE = 0.2
"""Types are too alike when at least this share of the cells of one is taken for the other."""


@dataclass(frozen=True)
class ReferenceReport:
    """A reference as it was found, and what may be wrong with it.

    Parameters
    ----------
    n_cells
        Cells with a known type.
    types
        (t,) sorted names of the types, after merging, without those that have no counts in the shared genes.
    cells_per_type
        (t,) how many cells each has.
    n_genes, n_shared
        Genes of the reference, and how many of them the spots have.
    counts
        What the values are: "raw", "normalised", "log-normalised" or "signatures".
    rare
        Types of fewer than 10 cells.
    alike
        (t, t) how often a cell of a row's type is taken for the column's, over the shared genes and at the
        spots' depth; where only signatures are known, how often counts drawn from them are. Rows sum to 1;
        NaN where nothing can be told.
    rare_like
        Pairs of a rare type and the one that it looks most like.
    merges
        Groups of types that are too alike: merging each group is suggested.
    notes
        What was found, assumed and left out, one sentence each.
    warnings
        What is likely to spoil the result, one sentence each.
    column
        The column of the reference that names the types.
    fingerprint
        Hash of the reference's content.
    """

    n_cells: int
    types: tuple[str, ...]
    cells_per_type: tuple[int, ...]
    n_genes: int
    n_shared: int
    counts: State
    rare: tuple[str, ...]
    rare_like: tuple[tuple[str, str], ...]
    alike: npt.NDArray[np.float64]
    merges: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    column: str = ""
    fingerprint: str = ""

    def suggested(self) -> tuple[tuple[str, str], ...]:
        """Return the suggested merges as pairs (type, name that it is merged into)."""
        return tuple((name, " or ".join(group)) for group in self.merges for name in group)

    def confused(self, level: float = ALIKE) -> tuple[tuple[str, str, float], ...]:
        """Return (type, what it is taken for, in which share of its cells), the worst first, from ``level`` on."""
        found = np.nan_to_num(self.alike) * ~np.eye(len(self.types), dtype=bool)
        order = np.argsort(-found, axis=None, kind="stable")
        pairs = zip(*np.unravel_index(order, found.shape), strict=True)
        return tuple((self.types[i], self.types[j], float(found[i, j])) for i, j in pairs if found[i, j] >= level)


@dataclass(frozen=True)
class CellsFound:
    """What `check_cells` found: which types are usable, and how they look.

    Parameters
    ----------
    types, cells_per_type, rare, rare_like, alike, merges, warnings
        As in `ReferenceReport`.
    kept
        (m,) bool: the cells whose type has counts in the shared genes.
    """

    types: tuple[str, ...]
    cells_per_type: tuple[int, ...]
    rare: tuple[str, ...]
    rare_like: tuple[tuple[str, str], ...]
    alike: npt.NDArray[np.float64]
    merges: tuple[tuple[str, ...], ...]
    warnings: tuple[str, ...]
    kept: npt.NDArray[np.bool_]


def merged_types(types: npt.NDArray[Any], merged: Sequence[tuple[str, str]]) -> npt.NDArray[Any]:
    """Return the types with those renamed that are merged into another.

    Raises
    ------
    BadInput
        When a type that is to be merged is not there, or given two names.
    """
    names, number = np.unique(types.astype(str), return_inverse=True)
    into = dict(merged)
    if len(into) < len(set(merged)):
        twice = next(t for t, name in merged if into[t] != name)
        raise BadInput(f"The type '{twice}' is to be merged into two.", "Choose one of them.")
    absent = [name for name in into if name not in names]
    if absent:
        have = ", ".join(f"'{name}'" for name in names[:30])
        raise BadInput(f"The reference has no type '{absent[0]}' to merge.", f"Its types: {have}.")
    return np.array([into.get(name, name) for name in names.tolist()], dtype=str)[number]


def check_cells(counts: sp.csr_matrix, types: npt.NDArray[Any], depth: float, state: State) -> CellsFound:
    """Look at the cells of each type over the shared genes: which are too few, too alike, or without counts.

    Parameters
    ----------
    counts
        (m, g) over the shared genes.
    types
        (m,) the cells' types.
    depth
        Counts of a typical spot in these genes.
    state
        What the counts are.

    Raises
    ------
    BadInput
        When fewer than two types have counts in the shared genes.
    """
    names, number = np.unique(types.astype(str), return_inverse=True)
    profiles = summed(counts, number, len(names))
    usable = profiles.sum(1) > 0
    if usable.sum() < 2:
        one = f" ('{names[usable][0]}')" if usable.any() else ""
        raise BadInput(
            f"In the shared genes {int(usable.sum())} of the reference's {len(names)} cell types has counts{one}.",
            "Choose the column that names the cell types, or another reference; at least two types are needed.",
        )
    kept = usable[number]
    number, warnings = (np.cumsum(usable) - 1)[number[kept]], _unseen(names[~usable])
    names, profiles, seen = names[usable], profiles[usable], counts if kept.all() else counts[kept]
    sizes = np.bincount(number, minlength=len(names))
    signatures = state == "signatures"
    found = (
        drawn_confusion(profiles, depth)
        if signatures
        else confusion(seen, number, len(names), depth, raw=state == "raw")
    )
    rare = [] if signatures else np.flatnonzero(sizes < RARE).tolist()
    groups = groups_alike(found, ALIKE)
    nearest = (likeness(profiles, sizes) - 3 * np.eye(len(names))).argmax(1)
    warnings += [_rare(names, sizes, k, int(nearest[k]), found[k, k]) for k in rare]
    warnings += [_alike(names, group, found) for group in groups]
    return CellsFound(
        tuple(names.tolist()),
        tuple(sizes.tolist()),
        tuple(names[rare].tolist()),
        tuple((str(names[k]), str(names[nearest[k]])) for k in rare),
        found,
        tuple(tuple(names[group].tolist()) for group in groups),
        tuple(warnings),
        kept,
    )


def _unseen(names: npt.NDArray[Any]) -> list[str]:
    return [f"No cell of the type '{name}' has a count in the shared genes: it was left out." for name in names]


def _rare(names: npt.NDArray[Any], sizes: npt.NDArray[Any], k: int, nearest: int, right: float) -> str:
    cells = "1 cell" if sizes[k] == 1 else f"{sizes[k]} cells"
    told = f"'{names[k]}' has {cells}, too few for a sure signature; it looks most like '{names[nearest]}'"
    return (
        f"{told}, but is told from it: merge them, or take its share with care."
        if right > 1 - ALIKE
        else f"{told}: merge them?"
    )


def _alike(names: npt.NDArray[Any], group: list[int], found: npt.NDArray[np.float64]) -> str:
    within = np.nan_to_num(found[np.ix_(group, group)]) * ~np.eye(len(group), dtype=bool)
    i, j = np.unravel_index(int(within.argmax()), within.shape)
    first, second = names[group[i]], names[group[j]]
    listed = ", ".join(f"'{names[k]}'" for k in group)
    told = f"{100 * within[i, j]:.0f} % of the cells of '{first}' are taken for '{second}' at the spots' depth"
    return f"{told}: merge {listed}?" if len(group) == 2 else f"{told}; too alike are {listed}: merge some of them?"
