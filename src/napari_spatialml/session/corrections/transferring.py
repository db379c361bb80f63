"""Corrections that carry labels and values from one section to the other, through their registration."""

from __future__ import annotations

from ...core.report import Report, silent
from ...errors import BadInput
from ..changes import Change
from ..document import Document
from ..row_words import counted, rows_are
from ..store import put
from ..transferring import carried_column, carried_layer, partners
from .registry import Made, correction


@correction
def transfer_column(
    document: Document,
    moving: str,
    source: str,
    target: str,
    column: str,
    output: str = "",
    neighbours: int = 6,
    radius_um: float | None = None,
    at_least: float = 0.25,
    report: Report = silent,
) -> Made:
    """Carry a column of one section's table to the other's: a label and its probability, or a mean, a row.

    Parameters
    ----------
    document
        The document.
    moving
        The coordinate system that is registered; the source may lie on it or on its fixed side.
    source, target
        The tables that give and receive.
    column
        The column of the source.
    output
        What it is called in the target; as in the source, or with "_transferred" where the target has one, if empty.
    neighbours
        From how many nearest rows at most a row receives; 1 for cells that were measured twice.
    radius_um
        How far away they may lie; one and a half times the pitch of the source if None.
    at_least
        A label is given where partners of at least this weight, 0 to 1, have one.
    """
    report(0.0, "Finding partners")
    found = partners(document, moving, source, target, neighbours, radius_um)
    report(0.6, "Carrying the values")
    values, sure = carried_column(document, found, source, target, column, at_least)
    obs = document.table(target).obs
    name = output or (f"{column}_transferred" if column in obs else column)
    part = ("tables", target, "obs")
    changes: list[Change] = [
        put(document, (*part, name), values),
        put(document, (*part, f"{name}_probability"), sure),
    ]
    report(1.0)
    n = int(values.notna().sum())
    return f"carry {column} of {source} to {n:,} of {counted(document, target, len(values))} of {target}", changes


@correction
def transfer_layer(
    document: Document,
    moving: str,
    source: str,
    target: str,
    features: str = "X",
    output: str = "transferred",
    neighbours: int = 6,
    radius_um: float | None = None,
    report: Report = silent,
) -> Made:
    """Carry the features that both tables have from one section's table to a layer of the other's.

    The parameters are those of `transfer_column`; ``features`` is "X" or "layers/<name>".
    """
    if not output.strip():
        raise BadInput("The layer has no name.", "Give it one.")
    report(0.0, "Finding partners")
    found = partners(document, moving, source, target, neighbours, radius_um)
    report(0.4, "Carrying the values")
    layer, n = carried_layer(document, found, source, target, features)
    report(1.0)
    line = (
        f"carry {n:,} features of {source} to {100 * found.met:.0f} % of the {rows_are(document, target)} of {target}"
    )
    return line, [put(document, ("tables", target, "layers", output), layer)]
