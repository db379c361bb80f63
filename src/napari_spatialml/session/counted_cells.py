"""The table of cells that an assignment makes: the same columns that later corrections keep up to date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.report import Report, silent
from ..errors import BadInput
from .assigning import Assigned, Task, assign_all
from .counting import INTENSITIES, NUCLEAR, SUMS, TRANSCRIPTS, nuclear_fraction
from .document import Document
from .evidence import offset_of
from .gather import pixel_size
from .planes import split_plane

__all__ = ["Counted", "count_cells", "measured_table", "unassigned_by_gene"]


@dataclass(frozen=True)
class Counted:
    """A table of counts, what the segmentation says of it, and the result in one line."""

    table: Any
    about: dict[str, Any]
    line: str


def count_cells(document: Document, task: Task, before: Any, report: Report = silent) -> Counted:
    """Count and measure every cell of a segmentation.

    Parameters
    ----------
    document
        The document.
    task
        What to count.
    before
        The table of the cells as it is, or None; what else it knows of the same cells stays.
    report
        Told how far it is.

    Raises
    ------
    BadInput
        When the labels are a plane of a stack, or an id is too large for a table.
    """
    if split_plane(task.labels)[1] is not None:
        raise BadInput(f"'{task.labels}' is a plane of a stack.", "Only labels without planes are counted so far.")
    found = assign_all(document, task, report)
    if len(found.cells.ids) and int(found.cells.ids[-1]) > np.iinfo(np.int64).max:
        raise BadInput(f"The cell id {found.cells.ids[-1]} is too large.", "Number the cells anew.")
    held = document.attribute("segmentations", {}).get(task.labels, {})
    about = {k: v for k, v in held.items() if k != "choice"} | {"transcripts": task.points}
    about["unassigned"] = found.unassigned
    about |= {"choice": task.choice.plain()} if task.choice.plain() else {}
    about |= {"nuclei": task.nuclei} if task.nuclei else {}
    if task.image:
        about |= {"image": task.image, "origin": list(offset_of(document, task.labels, task.image) or (0, 0))}
    return Counted(measured_table(document, task, found, before), about, _line(task, found))


def measured_table(document: Document, task: Task, found: Assigned, before: Any = None) -> Any:
    """Return the table of the cells that an assignment found.

    Parameters
    ----------
    document
        The document.
    task
        What was asked for.
    found
        What came out.
    before
        A table of which more columns are kept, or None.
    """
    from anndata import AnnData

    cells, size = found.cells, pixel_size(document, task.labels)
    index = pd.Index([str(i) for i in cells.ids], dtype=object)
    obs = _measures(task, found, size).set_axis(index)
    values = cells.counts.astype(np.float32)
    obs["total_counts"] = np.asarray(cells.counts.sum(axis=1, dtype=np.int64)).ravel()
    obs["n_genes"] = np.diff(values.indptr).astype(np.int64)
    obs["density"] = obs["total_counts"] / obs["area_um2"]
    if cells.nuclear is not None:
        obs[NUCLEAR] = nuclear_fraction(cells.nuclear, values)
    var = pd.DataFrame({TRANSCRIPTS: found.transcripts}, index=pd.Index(found.genes, dtype=object))
    made = AnnData(X=values, obs=obs, var=var)
    made.uns["spatialdata_attrs"] = {"region": task.labels, "region_key": "region", "instance_key": "instance_id"}
    sums = np.zeros((len(index), 0)) if cells.channels is None else cells.channels
    means = (sums / np.maximum(cells.pixels, 1)[:, None]).astype(np.float32)
    made.obsm[INTENSITIES] = pd.DataFrame(means, index=index, columns=list(found.channels))
    if task.image:
        made.obsm[SUMS] = pd.DataFrame(sums, index=index, columns=list(found.channels))
    return made if before is None else _with_known(made, before, image=bool(task.image))


def unassigned_by_gene(table: Any) -> pd.Series[Any]:
    """Return how many transcripts of each gene lie in no cell, of a table that `count_cells` made; the most first.

    Raises
    ------
    BadInput
        When the table does not say how many there are in all.
    """
    if TRANSCRIPTS not in table.var:
        raise BadInput("The table does not say how many transcripts there are in all.", "Count the transcripts again.")
    inside = np.asarray(table.X.sum(axis=0, dtype=np.float64)).ravel().astype(np.int64)
    left = table.var[TRANSCRIPTS].to_numpy().astype(np.int64) - inside
    return pd.Series(left, index=table.var_names, name="unassigned").sort_values(ascending=False, kind="stable")


def _measures(task: Task, found: Assigned, size: float) -> pd.DataFrame:
    cells = found.cells
    n = len(cells.ids)
    return pd.DataFrame(
        {
            "region": pd.Categorical([task.labels] * n, categories=[task.labels]),
            "instance_id": cells.ids.astype(np.int64),
            "area_um2": cells.pixels.astype(np.float64) * size**2,
            "centroid_y_um": (cells.centre[:, 0] + 0.5) * size,
            "centroid_x_um": (cells.centre[:, 1] + 0.5) * size,
            "diameter_um": 2 * np.sqrt(cells.pixels / np.pi) * size,
        }
    )


def _with_known(made: Any, before: Any, *, image: bool) -> Any:
    """Give a new table what the older one knows besides of the same cells; measures are the new ones."""
    known = pd.Index(before.obs["instance_id"].astype(np.int64))
    at = known.get_indexer(pd.Index(made.obs["instance_id"]))
    for column in before.obs.columns.difference(made.obs.columns, sort=False):
        if column != NUCLEAR:  # it is of the counts before
            made.obs[column] = _rows(before.obs[column], at).set_axis(made.obs.index)
    parts = {k: v for k, v in before.obsm.items() if k != SUMS and not (image and k == INTENSITIES)}
    if not image and "total_counts" not in before.obs:  # it was measured only: X holds the mean intensities
        parts[INTENSITIES] = pd.DataFrame(np.asarray(before.X), before.obs.index, list(map(str, before.var_names)))
    for key, part in parts.items():
        frame = part if isinstance(part, pd.DataFrame) else pd.DataFrame(np.asarray(part))
        held = pd.DataFrame({c: _rows(frame[c], at) for c in frame.columns}).set_axis(made.obs.index)
        made.obsm[key] = held if frame is part else held.to_numpy()
    made.uns.update({k: v for k, v in before.uns.items() if k not in made.uns})
    return made


def _rows(held: pd.Series[Any], at: npt.NDArray[Any]) -> pd.Series[Any]:
    """Return rows ``at`` of a column; -1 is nothing: NaN, False or 0."""
    found = held.reset_index(drop=True).reindex(np.where(at < 0, len(held), at))
    if (at < 0).any() and held.dtype.kind in "biu":
        found = found.fillna(0).astype(held.dtype)
    return found.reset_index(drop=True)


def _line(task: Task, found: Assigned) -> str:
    share = 100 * (found.total - found.unassigned) / max(found.total, 1)
    low = "of lower quality" if task.choice.z is None else "of lower quality or another height"
    out = [f"{n:,} {'controls' if kind == 'controls' else low}" for kind, n in found.left_out.items() if n]
    more = f"; left out: {' and '.join(out)}" if out else ""
    return (
        f"count the transcripts of {task.labels} again: {share:.0f} % lie in a cell, "
        f"{found.unassigned:,} of {found.total:,} in none{more}"
    )
