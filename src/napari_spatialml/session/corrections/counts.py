"""Corrections of what cells hold: their transcripts counted anew, spots or pixels averaged over them."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.report import Report, silent
from ...errors import BadInput
from ..assigning import Task
from ..averaging import averages, averages_name
from ..cells import table_name
from ..counted_cells import count_cells
from ..counting import counted_points
from ..document import Document
from ..store import put, put_entry
from ..transcript_source import Choice
from .registry import Made, correction

__all__: list[str] = []


@correction
def count_transcripts(
    document: Document,
    labels: str,
    points: str = "",
    quality: float | None = None,
    controls: bool = True,
    z: Sequence[float] | None = None,
    nuclei: str = "",
    image: str = "",
    report: Report = silent,
) -> Made:
    """Count the transcripts of every cell anew, where the cells and the transcripts lie now, and measure the cells.

    Parameters
    ----------
    document
        The document.
    labels
        The cells.
    points
        The transcripts; those that were counted before if "".
    quality
        The lowest quality value (a Phred score) of a transcript that counts; None for all.
    controls
        Whether negative controls, blanks and unassigned codewords count like genes.
    z
        From which height on and below which transcripts count, in the points' own units; None for all.
    nuclei
        Labels of the same pixels: which share of a cell's transcripts lies in a nucleus.
    image
        An image of the same pixels whose channels are summed and averaged over each cell.
    report
        Told how far it is.
    """
    about = document.attribute("segmentations", {}).get(labels, {})
    document.grid(labels)  # says which labels there are, if not these
    found = counted_points(document, document.placed(labels), points or str(about.get("transcripts", "")))
    if not found or (points and found != points):
        raise BadInput(
            f"There are no transcripts to count in '{labels}'.", "Open transcripts that lie in the section's frame."
        )
    name = table_name(labels)
    before = document.get(("tables", name))
    if before is not None and (
        name not in document.tables_of(labels) or document.instances(name).dtype.kind not in "iu"
    ):
        raise BadInput(f"There is a table '{name}' of something else.", "Rename or remove it first.")
    choice = Choice(quality, controls, None if z is None else (float(z[0]), float(z[1])))
    made = count_cells(document, Task(labels, found, choice, nuclei, image), before, report)
    changes = [put(document, ("tables", name), made.table), put_entry(document, "segmentations", labels, made.about)]
    return made.line, changes


@correction
def average_by_cell(document: Document, labels: str, table: str, report: Report = silent) -> Made:
    """Give every cell the mean of the spots or pixels that it lies on, in a table that follows each correction."""
    name = averages_name(labels, table)
    held = document.attribute("averages", {})
    if name in document.names("tables") and name not in held:
        raise BadInput(f"There is a table '{name}' already.", "Rename or remove it first.")
    made = averages(document, labels, table, report)
    if made.n_obs == 0:
        raise BadInput(f"'{labels}' has no cells.", "Segment or draw some first.")
    about = {"labels": labels, "table": table}
    covered = int((made.obs["covered"] > 0).sum())
    changes = [put(document, ("tables", name), made), put_entry(document, "averages", name, about)]
    return f"average {table} by cell of {labels}: {covered:,} of {made.n_obs:,} cells lie on it", changes
