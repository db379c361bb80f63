"""Corrections of what cells hold: their transcripts counted anew, spots or pixels averaged over them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.report import Report, silent
from ...errors import BadInput
from ..averaging import averages, averages_name
from ..cells import measure, table_name
from ..counting import INTENSITIES, count_all, counted_points, with_counts
from ..document import GLOBAL, Document
from ..gather import pixel_size
from ..store import put, put_entry
from .registry import Made, correction

__all__: list[str] = []


@correction
def count_transcripts(document: Document, labels: str, points: str = "", report: Report = silent) -> Made:
    """Count the transcripts of every cell anew, where the cells and the transcripts lie now."""
    about = document.attribute("segmentations", {}).get(labels, {})
    found = counted_points(document, document.placed(labels), points or str(about.get("transcripts", "")))
    if not found or (points and found != points):
        raise BadInput(
            f"There are no transcripts to count in '{labels}'.", "Open transcripts that lie in the section's frame."
        )
    grid, slot = document.grid(labels), ("tables", table_name(labels))
    before = document.get(slot)
    if before is None or table_name(labels) not in document.tables_of(labels):
        before = measure(grid.read(), None, name=labels, pixel_size_um=pixel_size(document, labels))
    cells = before.obs["instance_id"].to_numpy().astype(np.int64)
    order = np.argsort(cells, kind="stable")
    to_um = document.affine(labels, GLOBAL)
    counts = count_all(document, found, grid.levels[0], to_um, cells[order].astype(grid.dtype), report)
    made = with_counts(_intensities(before), counts.values[np.argsort(order)], counts.genes)
    made.obsm.update({k: v for k, v in before.obsm.items() if k not in made.obsm})
    inside = int(counts.values.sum(dtype=np.float64))
    share = 100 * inside / max(inside + counts.unassigned, 1)
    told = {**about, "transcripts": found, "unassigned": counts.unassigned}
    changes = [put(document, slot, made), put_entry(document, "segmentations", labels, told)]
    return f"count the transcripts of {labels} again: {share:.0f} % lie in a cell", changes


def _intensities(table: Any) -> Any:
    """Return a measured table whose X is the mean intensities, as it was before its transcripts were counted."""
    from anndata import AnnData

    if INTENSITIES not in table.obsm:
        return table
    held = table.obsm[INTENSITIES]
    made = AnnData(X=held.to_numpy(dtype=np.float32), obs=table.obs.copy(), uns=dict(table.uns))
    made.var_names = [str(c) for c in held.columns]
    return made


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
