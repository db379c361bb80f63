"""The cells of a selection of Xenium Explorer: two lines about it, then a table with the column ``Cell ID``."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from ..errors import BadInput
from .regions_file import bytes_of, write_text

__all__ = ["read_explorer_cells", "write_explorer_cells"]

CELL_ID = "Cell ID"


def write_explorer_cells(path: Path, name: str, ids: Sequence[str], area_um2: float | None = None) -> None:
    """Write the ids of cells as Xenium Explorer's "Download Cell Stats as CSV" does.

    Parameters
    ----------
    path
        The file.
    name
        Of the selection.
    ids
        Of the cells.
    area_um2
        Of the selection in µm², where it is known.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([CELL_ID])
    rows.writerows([cell] for cell in ids)
    area = "" if area_um2 is None else f"{area_um2:.2f}"
    name = " ".join(name.split())  # a line break in a name would be read as data
    write_text(path, [f"#Selection name: {name}\n#Area (µm^2): {area}\n", text.getvalue()])


def read_explorer_cells(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return the name of a selection and the ids of its cells, in the order of the file.

    Raises
    ------
    BadInput
        When the file has no column of cells, or no cell.
    """
    lines = bytes_of(path).decode("utf-8-sig", "replace").splitlines()
    heads = [line.strip('"') for line in lines[:2] if line.startswith(("#", '"#'))]
    rows = csv.DictReader(line for line in lines if line.strip() and not line.startswith(("#", '"#')))
    have = [name.strip() for name in rows.fieldnames or ()]
    if CELL_ID not in have:
        said = ", ".join(have[:6]) or "none"
        hint = "Export the selection's cell stats, not its coordinates."
        raise BadInput(f"'{path.name}' has the columns {said}, not {CELL_ID}.", hint)
    at = (rows.fieldnames or ())[have.index(CELL_ID)]
    ids = tuple(str(row[at]).strip() for row in rows if row[at])
    if not ids:
        raise BadInput(f"'{path.name}' names no cell.", "Export the selection again.")
    named = next((h.partition(":")[2].strip() for h in heads if h.lower().startswith("#selection name")), "")
    return named or path.stem, ids
