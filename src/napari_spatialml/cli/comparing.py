"""The command that compares two readers or two segmentations: of two saved sections, or within one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ..errors import BadInput
from .terminal import Progress, print_table, write_found

__all__ = ["compare"]

Names = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative_iterable=())]


def compare(
    first: Annotated[Path, Parameter(help="The saved section of reader A.")],
    second: Annotated[Path | None, Parameter(help="Reader B's copy of it; the same section if left out.")] = None,
    /,
    *,
    labels: Annotated[Names, Parameter(help="Labels of cells: one name for both readers, or A's and B's.")] = (),
    column: Annotated[Names, Parameter(help="Columns of classes, as TABLE/COLUMN: one, or A's and B's.")] = (),
    areas: Annotated[
        Names, Parameter(help="Drawn areas: one name, or A's and B's; NAME@READER for one of several.")
    ] = (),
    classes: Annotated[
        str, Parameter(help="With --labels: a column of both tables; partners named otherwise count.")
    ] = "",
    outline: Annotated[float, Parameter(help="Partners with a smaller IoU are drawn differently.")] = 0.7,
    json: Annotated[Path | None, Parameter(help="Write the report here as JSON.")] = None,
    csv: Annotated[Path | None, Parameter(help="Write the figures here as a table.")] = None,
) -> None:
    """Compare two readers, or two segmentations, of one section: cells, classes or drawn areas.

    Give one of --labels, --column and --areas. What is compared is what was saved.
    """
    from ..session.other_section import open_other

    a = open_other(first).document
    b = a if second is None else open_other(second).document
    what = {"labels": labels, "column": column, "areas": areas}
    chosen = [name for name, given in what.items() if given]
    if len(chosen) != 1:
        raise BadInput(f"{len(chosen)} things are to be compared.", "Give one of --labels, --column and --areas.")
    names = _two(chosen[0], what[chosen[0]], one_section=a is b)
    progress = Progress()
    try:
        found = _job(chosen[0], a, b, names, outline, classes)(progress)
    finally:
        progress.clear()
    _show(found)
    write_found(found, json, csv)


def _two(option: str, given: Sequence[str], *, one_section: bool) -> tuple[str, str]:
    """Return what A and what B is."""
    if len(given) > 2 or (len(given) == 1 and one_section):
        raise BadInput(
            f"--{option} names {len(given)}.", "Name two of one section, or give two sections and one name for both."
        )
    return given[0], given[-1]


def _job(option: str, a: Any, b: Any, names: tuple[str, str], outline: float, classes: str) -> Any:
    from ..session.comparing import compare_areas, compare_cells, compare_columns

    if option == "labels":
        return compare_cells(a, names[0], b, names[1], outline=outline, column=classes)
    if option == "areas":
        return compare_areas(a, names[0], b, names[1])
    split = [name.partition("/") for name in names]
    if not all(column for _, _, column in split):
        raise BadInput(f"'{names[0]}' names no column.", "Write TABLE/COLUMN.")
    return compare_columns(a, split[0][0], split[0][2], b, split[1][0], split[1][2])


def _show(found: Any) -> None:
    print(f"A: {found.a}   B: {found.b}")
    print_table(("measure", "value", "95 % interval", ""), [m.row() for m in found.measures],
                numbers=("value", "95 % interval"))  # fmt: skip
    if found.confusion is not None:
        rows = [(n, *(f"{v:,.0f}" for v in row)) for n, row in zip(found.names, found.confusion, strict=True)]
        print("Rows are A's classes, columns B's" + (", in µm²:" if found.kind == "areas" else ":"))
        print_table(("", *found.names), rows, numbers=found.names)
