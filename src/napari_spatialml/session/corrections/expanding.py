"""Correction: cells made of nuclei by expansion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ...core.boxes import padded, reach_of
from ...core.patch import Window
from ...core.report import Report, part, silent
from ...errors import BadInput
from ..blank import blank_grid
from ..cells import measure, table_name
from ..changes import Change, Put
from ..counting import count_near, counted_points, with_counts
from ..cutting import pixel_um
from ..document import GLOBAL, Document
from ..elements import LabelsElement
from ..expansion import Claim, chosen_nuclei, claims, fresh_ids, has_labels, patch_of_claims
from ..gather import full_resolution, pixel_size
from ..store import put, put_entry
from ..transcripts import index_of
from .cells import labels_changes
from .registry import Made, correction


@correction
def expand_nuclei(
    document: Document,
    nuclei: str,
    labels: str,
    distance_um: float,
    new_id: int,
    cells: Sequence[int] | None = None,
    window: Window | None = None,
    replace: bool = False,
    report: Report = silent,
) -> Made:
    """Make a cell of each nucleus, expanded by up to a distance in µm into pixels of no cell.

    A nucleus of which more than half lies in a cell already is left out. A cell has the id of its nucleus;
    where the labels have that id already, it gets the next one from ``new_id`` on. With ``replace``, cells
    that were made of these nuclei before go, and all are made anew: each has the id of its nucleus.
    """
    if not np.isfinite(distance_um) or distance_um < 0:
        raise BadInput(f"{distance_um} µm is no distance.", "Give 0 or more.")
    into = _replaced(document, nuclei, labels) if replace else labels
    _require_frame(document, nuclei, into)
    boxes = chosen_nuclei(document, nuclei, into, cells, window, part(report, 0.0, 0.2))
    ids = fresh_ids(document, into, boxes, new_id)
    found = claims(document, nuclei, into, boxes, ids, distance_um, part(report, 0.2, 1.0))
    label = f"expand {len(ids)} {'nucleus' if len(ids) == 1 else 'nuclei'} by {distance_um:g} µm into {labels}"
    if not has_labels(document, into):
        return label, _new_element(document, nuclei, labels, found)
    reach = reach_of(distance_um, pixel_um(document, nuclei))
    box = padded(boxes.around(), (2 * reach[0], 2 * reach[1]), document.grid(labels).shape)
    patch = patch_of_claims(document.grid(labels), found, box)
    if patch is None:
        return label, ()
    same = bool(np.array_equal(ids, boxes.ids))
    return label, _linked(document, labels, nuclei, labels_changes(document, labels, patch), same)


def _replaced(document: Document, nuclei: str, labels: str) -> str:
    """Return the name under which the target is empty: that of the labels, or none where they are replaced."""
    if not has_labels(document, labels):
        return labels
    if document.attribute("segmentations", {}).get(labels, {}).get("nuclei") != nuclei:
        raise BadInput(f"'{labels}' was not made of '{nuclei}'.", "Give the cells another name.")
    return ""


def _require_frame(document: Document, nuclei: str, labels: str) -> None:
    if nuclei == labels:
        raise BadInput(f"'{nuclei}' cannot be expanded into itself.", "Name other labels, or grow the cells.")
    grid = document.grid(nuclei)
    if not has_labels(document, labels):
        return
    same = document.grid(labels).shape == grid.shape
    shared = [s for s in document.placed(nuclei) if s in document.placed(labels)]
    for system in shared:
        a, b = (document.affine(name, system).matrix for name in (nuclei, labels))
        same &= bool(np.allclose(a, b, rtol=1e-9, atol=1e-9))
    if not same or not shared:
        raise BadInput(
            f"'{labels}' and '{nuclei}' do not lie on the same pixels.", "Expand the nuclei into labels of a new name."
        )


def _linked(document: Document, labels: str, nuclei: str, changes: list[Change], same_ids: bool) -> list[Change]:
    """Add the change that says of which nuclei the cells were made, and no longer that ids link them if they do not."""
    held = document.attribute("segmentations")
    for change in changes:
        if isinstance(change, Put) and change.slot == ("attrs", "segmentations"):
            held = change.new
    before = (held or {}).get(labels, {})
    about = {k: v for k, v in before.items() if same_ids or k != "linked_by"} | {"nuclei": nuclei}
    if about == before:
        return changes
    return [*changes, Put(("attrs", "segmentations"), held, {**(held or {}), labels: about})]


def _new_element(document: Document, nuclei: str, labels: str, found: Iterator[Claim]) -> list[Change]:
    """Return the changes that add the cells, their table, and where they come from."""
    source = document.grid(nuclei)
    grid = blank_grid([level.shape for level in source.levels], source.dtype)
    said = document.attribute("segmentations", {}).get(nuclei, {})
    about = {key: said[key] for key in ("image", "origin") if key in said}
    about |= {"nuclei": nuclei, "linked_by": "id"}  # a cell and its nucleus have the same
    transforms = document.get(("labels", nuclei)).transforms
    points = counted_points(document, transforms, str(said.get("transcripts", "")))
    table = _Table(document, nuclei, labels, points)
    for claim in found:
        (y, x), (h, w) = claim.offset, claim.cells.shape
        before = grid.read((y, y + h, x, x + w))
        grid.write(claim.offset, np.where(claim.cells != 0, claim.cells, before))
        table.add(claim)
    grid.mark_saved()  # it is new as a whole: saving writes all of it
    made = table.made()
    if points and index_of(document, points).genes:
        unassigned = index_of(document, points).total - int(made.X.sum(dtype=np.float64))
        about |= {"transcripts": points, "unassigned": unassigned}
    return [
        put(document, ("labels", labels), LabelsElement(grid, transforms)),
        put(document, ("tables", table_name(labels)), made),
        put_entry(document, "segmentations", labels, about),
    ]


class _Table:
    """The table of new cells, measured and counted group by group."""

    def __init__(self, document: Document, nuclei: str, labels: str, points: str) -> None:
        self._document, self._nuclei, self._labels, self._points = document, nuclei, labels, points
        said = document.attribute("segmentations", {}).get(nuclei, {})
        self._image = None
        if said.get("image") in document.names("images"):
            y, x = said.get("origin", [0, 0])
            self._image = full_resolution(document, said["image"]).isel(y=slice(y, None), x=slice(x, None))
        self._size = pixel_size(document, nuclei)
        self._parts: list[Any] = []
        self._counts: list[Any] = []

    def add(self, claim: Claim) -> None:
        """Measure the cells of a group, which lie in it wholly."""
        part = measure(claim.cells, self._image, name=self._labels, pixel_size_um=self._size, offset=claim.offset)
        self._parts.append(part)
        if self._points:
            ids = part.obs["instance_id"].to_numpy().astype(claim.cells.dtype)
            to_um = self._document.affine(self._nuclei, GLOBAL)
            values, _ = count_near(self._document, self._points, claim.cells, claim.offset, to_um, ids)
            self._counts.append(values)

    def made(self) -> Any:
        """Return the table: one row a cell, by ascending id."""
        from anndata import AnnData

        obs = pd.concat([part.obs for part in self._parts])
        order = np.argsort(obs["instance_id"].to_numpy(), kind="stable")
        first = self._parts[0]
        values = np.concatenate([part.X for part in self._parts])[order]
        table = AnnData(X=values, obs=obs.iloc[order], var=first.var.copy(), uns=dict(first.uns))
        index = index_of(self._document, self._points) if self._points else None
        if index is None or not index.genes:
            return table
        return with_counts(
            table, sp.csr_matrix(sp.vstack(self._counts, format="csr")[order]), index.genes, index.of_each
        )
