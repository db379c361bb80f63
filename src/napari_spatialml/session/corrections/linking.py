"""What follows from proportions and is kept with them: the composition of domains and regions, and co-location."""

from __future__ import annotations

import re

import numpy as np

from ...core.report import Report, silent
from ..changes import Change
from ..composition import (
    CO_LOCATIONS,
    COMPOSITIONS,
    co_location,
    composition_by,
    composition_table,
    plain_co_location,
)
from ..constraints import key_of
from ..document import Document
from ..store import put, put_entry
from .registry import Made, correction

__all__ = ["composition_name"]


@correction
def keep_composition(
    document: Document,
    table: str,
    by: str,
    output: str = "proportions",
    each: bool = False,
    level: float = 0.9,
    seed: int = 0,
) -> Made:
    """Keep the mean proportions of each domain, or region, with their intervals, as a table of the section."""
    found = composition_by(document, table, by, output, each=each, level=level, seed=seed)
    name = composition_name(table, output, by)
    about = {
        "table": table,
        "output": output,
        "by": by,
        "each": each,
        "level": level,
        "block_um": found.block_um,
        "seed": seed,
    }
    changes: list[Change] = [
        put(document, ("tables", name), composition_table(found)),
        put_entry(document, COMPOSITIONS, name, about),
    ]
    return f"composition of {len(found.groups)} groups of {by} in {name}", changes


@correction
def keep_co_location(
    document: Document,
    table: str,
    output: str = "proportions",
    distance_um: float = 0.0,
    block_um: float = 0.0,
    n_permutations: int = 0,
    seed: int = 0,
    report: Report = silent,
) -> Made:
    """Keep which cell types lie together, with block-permutation p-values."""
    found = co_location(
        document, table, output, report,
        distance_um=distance_um, block_um=block_um, n_permutations=n_permutations, seed=seed,
    )  # fmt: skip
    pairs = np.triu_indices(len(found.types), 1)
    sure = int((found.q[pairs] < 0.05).sum())
    kept = put_entry(document, CO_LOCATIONS, key_of(table, output), {**plain_co_location(found), "seed": seed})
    return f"co-location of {len(found.types)} cell types in {table}; {sure} pairs below q 0.05", [kept]


def composition_name(table: str, output: str, by: str) -> str:
    """Return the name of the table that holds the composition of groups."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", f"{table}_{output}_by_{by}")
