"""What a correction did to the cells, in one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .changes import Change, EditRows

__all__ = ["summary_of", "what_changed"]

_NAMED = 2
"""How many genes, and how many cells, a line names."""


def what_changed(before: Any, after: Any) -> str:
    """Return what became of cells: "cell 4711: 83 → 121 counts, EPCAM +14, PTPRC −9".

    Parameters
    ----------
    before, after
        The rows of the touched cells in their table.
    """
    left = set(_ids(after).tolist())
    cells = sorted({*_ids(before).tolist(), *left}, key=lambda cell: (cell not in left, cell))
    if not cells:
        return ""
    if len(cells) <= _NAMED + 1:
        return "; ".join(f"cell {cell}: {_of_cell(before, after, cell)}" for cell in cells)
    gone, new = len(set(cells) - left), len(left - set(_ids(before).tolist()))
    some = [f"{n} {word}" for n, word in ((gone, "gone"), (new, "new")) if n]
    return ", ".join([f"{len(cells)} cells: {_amounts(_total(before), _total(after), _unit(after))}", *some])


def summary_of(changes: Sequence[Change], table: str) -> str:
    """Return what changes did to the rows of the table of a segmentation; "" if nothing."""
    for change in changes:
        if isinstance(change, EditRows) and change.table == table and "area_um2" in change.old.table.obs:
            return what_changed(change.old.table, change.new.table)
    return ""


def _of_cell(before: Any, after: Any, cell: int) -> str:
    old, new = (np.flatnonzero(_ids(table) == cell) for table in (before, after))
    if len(old) == 0:
        return f"new, {_amount(_total(after, new), _unit(after))}"
    if len(new) == 0:
        return f"gone, it had {_amount(_total(before, old), _unit(before))}"
    said = _amounts(_total(before, old), _total(after, new), _unit(after))
    return ", ".join([said, *_genes(before.X[old], after.X[new], after.var_names)]) if _counts(after) else said


def _genes(old: Any, new: Any, genes: Any) -> list[str]:
    """Return the genes that changed most: the largest differences first, equal ones by name."""
    change = np.asarray(new.sum(axis=0)).ravel() - np.asarray(old.sum(axis=0)).ravel()
    most = np.partition(np.abs(change), -_NAMED)[-_NAMED:].min() if len(change) > _NAMED else 0
    some = np.flatnonzero((np.abs(change) >= most) & (change != 0))
    order = some[np.lexsort((np.asarray(genes[some], dtype=str), -np.abs(change[some])))[:_NAMED]]
    return [f"{genes[i]} {_signed(int(change[i]))}" for i in order]


def _signed(n: int) -> str:
    return f"+{n:,}" if n > 0 else f"−{-n:,}"


def _ids(table: Any) -> Any:
    return table.obs["instance_id"].to_numpy() if "instance_id" in table.obs else np.empty(0, np.int64)


def _counts(table: Any) -> bool:
    return "total_counts" in table.obs


def _unit(table: Any) -> str:
    return "counts" if _counts(table) else "µm²"


def _total(table: Any, rows: Any = slice(None)) -> float:
    return float(np.nansum(table.obs["total_counts" if _counts(table) else "area_um2"].to_numpy()[rows]))


def _amount(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit if value != 1 else unit.removesuffix('s')}"


def _amounts(old: float, new: float, unit: str) -> str:
    if round(old) == round(new):
        return f"{_amount(new, unit)} as before"
    return f"{old:,.0f} → {_amount(new, unit)}"
