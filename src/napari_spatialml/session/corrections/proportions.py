"""Corrections of proportions: what a person knows of spots, shown at once; the fit of all others follows.

Rows are row numbers; what is kept names the rows' instances, so that it outlives changes of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import BadInput
from ..changes import Change, EditColumn, EditValues, Put
from ..constraints import ATTRIBUTE, STRENGTH, Hand, contradicting, ends_of, hand_of, held_constraints, key_of, rows_of
from ..document import Document
from ..history import who
from ..proportions import held_within, proportions_frame, uncertainty
from ..store import put, put_entry
from .registry import Made, completed_by, correction, unpacked

__all__ = ["checked_rows", "instances_at", "signing"]

Rows = npt.NDArray[np.int64]
Entry = dict[str, Any]


def _signed(arguments: dict[str, Any]) -> dict[str, Any]:
    """Fill in who says it, and when."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {**arguments, "by": arguments.get("by") or who(), "when": arguments.get("when") or now}


def signing(function: Callable[..., Made]) -> Callable[..., Made]:
    """Register a correction whose record says who made it, and when."""
    return correction(completed_by(_signed)(function))


@signing
def override_proportion(
    document: Document,
    table: str,
    rows: Any,
    cell_type: str,
    value: float,
    output: str = "proportions",
    reason: str = "",
    by: str = "",
    when: str = "",
) -> Made:
    """Say how much of a cell type spots hold; no fit overrules it."""
    said = _said("override", cell_type, _share(value), reason, by, when)
    return _laid_down(document, table, output, rows, said, f"{cell_type} is {said['value']:.0%} in")


@signing
def forbid_cell_type(
    document: Document,
    table: str,
    rows: Any,
    cell_type: str,
    output: str = "proportions",
    reason: str = "",
    by: str = "",
    when: str = "",
) -> Made:
    """Say that spots hold none of a cell type."""
    said = _said("forbidden", cell_type, 0.0, reason, by, when)
    return _laid_down(document, table, output, rows, said, f"no {cell_type} in")


@signing
def require_cell_type(
    document: Document,
    table: str,
    rows: Any,
    cell_type: str,
    minimum: float,
    output: str = "proportions",
    reason: str = "",
    by: str = "",
    when: str = "",
) -> Made:
    """Say that spots hold at least so much of a cell type."""
    said = _said("minimum", cell_type, _share(minimum), reason, by, when)
    return _laid_down(document, table, output, rows, said, f"at least {said['value']:.0%} {cell_type} in")


@signing
def mark_spots_artefact(
    document: Document,
    table: str,
    rows: Any,
    output: str = "proportions",
    reason: str = "",
    by: str = "",
    when: str = "",
) -> Made:
    """Say that nothing is to be learnt from spots: folds, bubbles, edges."""
    return _laid_down(document, table, output, rows, _said("artefact", "", 0.0, reason, by, when), "artefact:")


@correction
def remove_proportion_constraint(document: Document, table: str, number: int, output: str = "proportions") -> Made:
    """Take back what was laid down about spots: ``number`` counts from 0, in the order in which it was given."""
    entries = _numbered(document, table, output, number)
    gone, left = entries[number], [*entries[:number], *entries[number + 1 :]]
    changes = _changes(document, table, output, left, rows_of(document, table, gone), afresh=True)
    return f"take back: {_words(gone)}", changes


@correction
def edit_proportion_constraint(
    document: Document,
    table: str,
    number: int,
    value: float | None = None,
    reason: str | None = None,
    output: str = "proportions",
) -> Made:
    """Change the value or the reason of what was laid down; what is left out stays. It keeps its place in the order."""
    entries = _numbered(document, table, output, number)
    old = entries[number]
    if value is not None and old["what"] not in ("override", "minimum"):
        raise BadInput(f"'{_words(old)}' has no value.", "Take it back, and say how much there is.")
    new = {
        **old,
        **({} if value is None else {"value": _share(value)}),
        **({} if reason is None else {"reason": str(reason).strip()}),
    }
    if new == old:
        raise BadInput("There is nothing to change.", "Give another value or reason.")
    said = [*entries[:number], new, *entries[number + 1 :]]
    changes = _changes(document, table, output, said, rows_of(document, table, new), afresh=value is not None)
    return f"change: {_words(new)}", changes


# what is said ----------------------------------------------------------------------------------


def _share(value: float) -> float:
    number = float(value)
    if not 0 <= number <= 1:
        raise BadInput(f"{value} is not a proportion.", "Give a number from 0 to 1: 0.8 for 80 %.")
    return number


def _said(what: str, cell_type: str, value: float, reason: str, by: str, when: str) -> Entry:
    told = {"what": what, "cell_type": str(cell_type), "value": value, "reason": str(reason).strip()}
    return {**told, "by": by, "when": when}


def _words(said: Entry) -> str:
    n, name = len(said["instances"]), said["cell_type"]
    what = {
        "override": f"{name} is {said['value']:.0%}",
        "forbidden": f"no {name}",
        "minimum": f"at least {said['value']:.0%} {name}",
        "artefact": "artefact",
    }[said["what"]]
    return f"{what} in {n:,} {'spot' if n == 1 else 'spots'}"


def _numbered(document: Document, table: str, output: str, number: int) -> list[Entry]:
    entries = held_constraints(document, table, output)
    if not entries:
        raise BadInput(f"Nothing about '{output}' of '{table}' was laid down by hand.", "Set a spot first.")
    if not 0 <= number < len(entries):
        raise BadInput(f"There is no constraint {number}.", f"They are numbered from 0 to {len(entries) - 1}.")
    return entries


def _laid_down(document: Document, table: str, output: str, rows: Any, said: Entry, label: str) -> Made:
    """Add an entry about rows, and show at once what it means for them."""
    frame = proportions_frame(document, table, output)
    at = checked_rows(len(frame), table, rows)
    if said["what"] != "artefact" and said["cell_type"] not in frame.columns:
        raise BadInput(
            f"'{said['cell_type']}' is not a cell type of '{output}'.", f"Choose one of {', '.join(frame.columns)}."
        )
    said = {**said, **instances_at(document, table, at)}
    entries = [*held_constraints(document, table, output), said]
    what = "1 spot" if len(at) == 1 else f"{len(at):,} spots"
    return f"{label} {what} of {table}", _changes(document, table, output, entries, at, afresh=False)


def checked_rows(n: int, table: str, rows: Any) -> Rows:
    """Return row numbers of a table of ``n`` rows, sorted, each once.

    Raises
    ------
    BadInput
        When there are none, one is not there, or they are no whole numbers.
    """
    given = unpacked(rows)
    if given.size == 0:
        raise BadInput("Nothing is selected.", "Click a spot, or brush over some.")
    if given.dtype.kind not in "iuf" or not (np.isfinite(given).all() and (given == np.rint(given)).all()):
        some = f"{np.unique(given.astype(str))[0]:.40}"
        raise BadInput(f"'{some}' is no row number.", "Give whole numbers, counted from 0.")
    at = np.unique(given.astype(np.int64))
    if at[0] < 0 or at[-1] >= n:
        wrong = at[0] if at[0] < 0 else at[-1]
        raise BadInput(f"The table '{table}' has {n} rows, but row {wrong} was named.", "Select again.")
    return at


def instances_at(document: Document, table: str, at: Rows) -> dict[str, Any]:
    """Return the ids of rows, and the elements they lie in where the table annotates several."""
    named: dict[str, Any] = {"instances": document.instances(table)[at].tolist()}
    if len(document.regions(table)) > 1:
        held = document.table(table)
        named["regions"] = held.obs[held.uns["spatialdata_attrs"]["region_key"]].iloc[at].astype(str).tolist()
    return named


# what it changes -------------------------------------------------------------------------------


def _changes(
    document: Document, table: str, output: str, entries: Sequence[Entry], at: Rows, *, afresh: bool
) -> list[Change]:
    """Return the changes that keep the entries and show them in rows; ``afresh``, from what the method said."""
    frame = proportions_frame(document, table, output)
    types = [str(t) for t in frame.columns]
    _refuse_contradictions(document, table, types, entries, at)
    hand = hand_of(document, table, output, types, entries)
    kept = put_entry(document, ATTRIBUTE, key_of(table, output), list(entries) or None)
    return [
        kept,
        *_shown(document, table, output, hand, at, afresh=afresh),
        *_marked(document, table, output, hand, at),
    ]


def _refuse_contradictions(
    document: Document, table: str, types: Sequence[str], entries: Sequence[Entry], at: Rows
) -> None:
    """Raise where no proportions could do what the entries ask of a row."""
    rows, lower, upper = ends_of(document, table, types, entries)
    wrong = contradicting(lower, upper) & np.isin(rows, at)
    if not wrong.any():
        return
    row = int(np.flatnonzero(wrong)[0])
    name, more = document.table(table).obs_names[rows[row]], int(wrong.sum()) - 1
    others = f", and {more:,} more," if more else ""
    if lower[row].sum() > 1:
        parts = [f"{lower[row, i]:.0%} {types[i]}" for i in np.flatnonzero(lower[row] > 0)]
        raise BadInput(
            f"The spot '{name}'{others} would hold {' and '.join(parts)}: more than 100 %.",
            "Lower one of them, or take one back.",
        )
    raise BadInput(
        f"The spot '{name}'{others} may hold {upper[row].sum():.0%} in all: no other cell type is allowed.",
        "Allow another cell type there, or take a constraint back.",
    )


def _shown(document: Document, table: str, output: str, hand: Hand, at: Rows, *, afresh: bool) -> list[Change]:
    """Return the changes of values and intervals in rows: the nearest ones that the hand allows."""
    held = document.table(table)
    frame = held.obsm[output]
    computed = held.obsm.get(f"{output}_computed")
    changes: list[Change] = []
    if computed is None:
        changes.append(put(document, ("tables", table, "obsm", f"{output}_computed"), frame.copy()))
    base = frame if computed is None or not afresh else computed
    values = base.to_numpy()[at]
    unknown = ~np.isfinite(values).all(1)  # rows that came after the fit, such as cells drawn since
    before = {"values": np.where(unknown[:, None], 1 / values.shape[1], values)}
    for name, end in (("standard_errors", "standard_error"), ("lower", "lower"), ("upper", "upper")):
        if f"{output}_{end}" in held.obsm:
            known = held.obsm[f"{output}_{end}"].to_numpy()[at]
            # of what is free again, nothing is known before the next fit
            before[name] = np.full_like(known, np.nan) if afresh else known
    after = _within(before, hand, at)
    for name, end in (("values", ""), ("standard_errors", "_standard_error"), ("lower", "_lower"), ("upper", "_upper")):
        if name in after:
            now = held.obsm[f"{output}{end}"].to_numpy()[at]
            changes.append(EditValues(table, f"{output}{end}", at, now, after[name]))
    first = pd.Categorical.from_codes(after["values"].argmax(1), categories=list(frame.columns))
    wide = uncertainty(after["values"], after.get("lower"), after.get("upper"))
    changes += _columns(held, table, at, {f"{output}_dominant": first, f"{output}_uncertainty": wide})
    return changes


def _within(before: dict[str, Any], hand: Hand, at: Rows) -> dict[str, Any]:
    """Return rows of a result within the hand's ranges; those that are free, as they are."""
    after = {name: part.copy() for name, part in before.items()}
    if hand.constraints is None:
        return after
    here = np.flatnonzero(np.isin(at, hand.constraints.rows))
    of = np.searchsorted(hand.constraints.rows, at[here])
    lower, upper = hand.constraints.lower[of], hand.constraints.upper[of]
    for name, part in held_within({n: p[here] for n, p in before.items()}, lower, upper).items():
        after[name][here] = part
    return after


def _columns(held: Any, table: str, at: Rows, columns: dict[str, Any]) -> list[Change]:
    """Return the changes of rows of columns, as far as they are there."""
    return [
        EditColumn(table, name, at, held.obs[name].iloc[at].reset_index(drop=True), pd.Series(values))
        for name, values in columns.items()
        if name in held.obs
    ]


def _marked(document: Document, table: str, output: str, hand: Hand, at: Rows) -> list[Change]:
    """Return the changes that say what the hand has laid down about rows, and why."""
    held = document.table(table)
    said = pd.Categorical.from_codes(hand.kinds, categories=list(STRENGTH))
    columns = {f"{output}_by_hand": said, f"{output}_reason": hand.reasons}
    new = {name: pd.Series(values, index=held.obs_names) for name, values in columns.items() if name not in held.obs}
    changes: list[Change] = [Put(("tables", table, "obs", name), None, values) for name, values in new.items()]
    return changes + _columns(held, table, at, {name: values[at] for name, values in columns.items()})
