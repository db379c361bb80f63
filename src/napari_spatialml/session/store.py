"""From a method's Result to the command that puts it into the document."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Alignment, Embedding, Masks, Proportions
from ..errors import BadInput
from .cells import table_name
from .changes import Change, Put
from .counting import Counts, with_counts
from .document import Document
from .elements import LabelsElement
from .linking import entries_of
from .measuring import Measured, Measuring, places_of
from .proportions import Deconvolved, stored_proportions
from .selection import (
    DeconvolutionSelection,
    DomainsSelection,
    EmbeddingSelection,
    RegistrationSelection,
    SegmentationSelection,
    Selection,
    StackSelection,
)
from .slides.joining import NO_SEAM, SEAM
from .slides.result import SlideMasks

__all__ = ["places_of", "put", "put_entry", "store"]


def store(document: Document, selection: Selection, result: Any) -> tuple[list[Change], str]:
    """Return the changes that keep a result, and the result in one line.

    Raises
    ------
    BadInput
        When the result is not of the selection's kind.
    """
    if isinstance(selection, SegmentationSelection) and isinstance(result, Masks | Measured):
        return _masks(document, selection, result)
    if isinstance(selection, SegmentationSelection) and isinstance(result, SlideMasks):
        return _slide(document, selection, result)
    if isinstance(selection, RegistrationSelection) and isinstance(result, Alignment):
        from .aligning import stored_alignment

        return stored_alignment(document, selection, result)
    if isinstance(selection, StackSelection):
        from .stacking import stored_stack

        return stored_stack(document, selection, result)
    if isinstance(selection, DomainsSelection):
        from .domain_dividing import Divided, stored_domains

        if isinstance(result, Divided):
            return stored_domains(document, selection, result)
    if isinstance(selection, DeconvolutionSelection) and isinstance(result, Proportions | Deconvolved):
        done = Deconvolved(result) if isinstance(result, Proportions) else result
        return stored_proportions(document, selection, done)
    if isinstance(selection, EmbeddingSelection) and isinstance(result, Embedding):
        slot = ("tables", selection.table, "obsm", selection.output)
        return [put(document, slot, np.array(result.values))], f"{len(result.values):,} rows laid out."
    raise BadInput(f"A {type(result).__name__} is not the result of a {selection.kind} run.", "Check the method.")


def put(document: Document, slot: tuple[str, ...], value: Any) -> Put:
    """Return the change that sets an address to a value."""
    return Put(slot, document.get(slot), value)


def put_entry(document: Document, key: str, entry: str, value: Any) -> Put:
    """Return the change that sets one entry of one of our attributes; None takes it away."""
    old = document.attribute(key)
    new = {k: v for k, v in old.items() if k != entry} if isinstance(old, dict) else {}
    if value is not None:
        new[entry] = value
    return Put(("attrs", key), old, new or None)


def _masks(document: Document, selection: SegmentationSelection, result: Masks | Measured) -> tuple[list[Change], str]:
    measuring = Measuring(document, selection)
    if isinstance(result, Masks) or result.rests_on != measuring.rests_on:  # what they were measured with has changed
        result = measuring(result if isinstance(result, Masks) else result.masks)
    found = result
    return _segmentation(document, selection, found.element, found.table, found.points, found.counts, found.partner)


def _slide(document: Document, selection: SegmentationSelection, result: SlideMasks) -> tuple[list[Change], str]:
    element = LabelsElement(result.cells.grid, places_of(document, selection))
    table = result.cells.table
    changes, line = _segmentation(document, selection, element, table, result.points, result.counts)
    seams = int((table.obs[SEAM] != NO_SEAM).sum())
    said = f" {result.tiles:,} tiles, {result.glass:,} of them glass"
    return changes, f"{line}{said}; {seams:,} cells at seams to look at." if seams else f"{line}{said}."


def _segmentation(
    document: Document,
    selection: SegmentationSelection,
    element: LabelsElement,
    table: Any,
    points: str,
    counts: Counts | None,
    partner: str = "",
) -> tuple[list[Change], str]:
    """Return the changes that keep cells, their table with the transcripts counted, and where they come from."""
    from .done import forgotten

    name, image = selection.output, selection.image
    y0, _, x0, _ = selection.region or (0, 0, 0, 0)
    counted = ""
    about: dict[str, Any] = {"image": image, "origin": [y0, x0]}
    if counts is not None and counts.genes:
        about |= {"transcripts": points, "unassigned": counts.unassigned}
        about |= {"choice": counts.choice.plain()} if counts.choice.plain() else {}
        inside = int(counts.values.sum(dtype=np.float64))
        share = 100 * inside / max(inside + counts.unassigned, 1)
        counted = f"; {share:.0f} % of {inside + counts.unassigned:,} transcripts lie in a cell"
        table = with_counts(table, counts.values, counts.genes, counts.transcripts)
    changes: list[Change] = [
        put(document, ("labels", name), element),
        put(document, ("tables", table_name(name)), table),
        entries_of(document, name, about, partner),
        *forgotten(document, name),
    ]
    if table.n_obs == 0:
        return changes, f"No cell was found in '{image}'. Check the channel, the diameter and the threshold."
    median = float(np.median(table.obs["diameter_um"]))
    return changes, f"{table.n_obs:,} cells in '{image}', median diameter {median:.1f} µm{counted}."
