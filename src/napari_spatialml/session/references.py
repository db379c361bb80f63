"""The reference of a deconvolution: found, read, matched with the spots, and checked before anything is run."""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ..core import Reference
from ..core.count_rows import CountRows, picked
from ..core.gene_names import FEWEST, OWN, match_genes, names_of, why_few
from ..core.reference_checks import ReferenceReport, check_cells, merged_types
from ..core.report import Report, silent
from ..core.type_names import storable_types
from ..errors import BadInput
from ..io.reference import INSIDE, ReferenceFile, read_reference, split_place, table_inside, table_reference
from .document import Document
from .fingerprints import digest
from .reference_cache import content_of, keep, kept
from .selection import DeconvolutionSelection
from .spot_counts import spot_counts

__all__ = [
    "OF_TABLE",
    "CheckedReference",
    "Prepared",
    "check_reference",
    "fingerprint_of",
    "of_reference",
    "prepared",
    "reference_for",
    "whole_place",
]

OF_TABLE = "table:"
"""Before the name of a table of the open section that serves as a reference."""
_DEPTH_ROWS, _DEPTH_BLOCKS = 2_000, 10
"""Rows of a large table, and how many times so many, over which the depth of a typical spot is taken."""


_LAST: dict[str, tuple[weakref.ref[Document], Prepared]] = {}
"""What was prepared last, by what it was made of: a run follows its check, and another run with other settings."""
_READING = threading.Lock()
"""One thread reads at a time: a run that was started during the check waits for it, and does not read it all again."""
_WAIT_S = 0.2


@dataclass(frozen=True)
class CheckedReference(Reference):
    """A `Reference` over the genes that it shares with the spots, and what was found in it.

    Parameters
    ----------
    report
        What was found; its fingerprint is that of the file.
    """

    report: ReferenceReport = field(kw_only=True)


@dataclass(frozen=True)
class Prepared:
    """A reference that fits the spots, and the spots' genes under shared names.

    Parameters
    ----------
    reference
        Over the shared genes, by the spots' names.
    genes
        (g,) names of the spots' columns; columns of one gene have one name.
    """

    reference: CheckedReference
    genes: npt.NDArray[Any]


def reference_for(
    document: Document, selection: DeconvolutionSelection, report: Report = silent
) -> tuple[CheckedReference, ReferenceReport]:
    """Return the reference of a selection over the genes that it shares with the spots, and what was found in it.

    Raises
    ------
    BadInput, DocumentError
        When there is no such reference, or it does not fit: the message says what to do.
    """
    found = prepared(document, selection, report)
    return found.reference, found.reference.report


def check_reference(
    document: Document,
    table: str,
    reference: str,
    column: str = "",
    merged: Sequence[tuple[str, str]] = (),
    report: Report = silent,
) -> ReferenceReport:
    """Look at a reference before a run: genes, counts, and types that are rare or too alike.

    Only reads; a worker may call it. What was read is kept for the run.

    Parameters
    ----------
    document
        The open section.
    table
        Its table of spots.
    reference
        A path (see `read_reference`), or ``table:NAME``, a table of the section.
    column
        The column of cell types; found by its name if empty.
    merged
        Pairs of a type and the name that it is merged into.
    report
        Told what is done.

    Raises
    ------
    BadInput, DocumentError
        When there is no such reference, or it does not fit: the message says what to do.
    """
    selection = DeconvolutionSelection(table, reference, column, merged=tuple(merged))
    return prepared(document, selection, report).reference.report


def prepared(document: Document, selection: DeconvolutionSelection, report: Report = silent) -> Prepared:
    """Return a selection's reference, matched with its spots and checked; at once if that was done just before.

    Raises
    ------
    BadInput, DocumentError
        When there is no such reference, or it does not fit: the message says what to do.
    """
    report(0.0, "Looking at the reference")
    while not _READING.acquire(timeout=_WAIT_S):
        report(0.0, "Looking at the reference")  # here a stop is heard
    try:
        return _prepared(document, selection, report)
    finally:
        _READING.release()


def _prepared(document: Document, selection: DeconvolutionSelection, report: Report) -> Prepared:
    table = document.table(selection.table)
    genes = names_of(table.var_names, {str(c): table.var[c] for c in table.var})
    fingerprint = fingerprint_of(document, selection.reference)
    revision = document.revision(("tables", selection.table, "X"))
    told = [fingerprint, selection.column, selection.merged, selection.table, revision, list(table.shape)]
    key = digest(json.dumps(told).encode(), *(part.tobytes() for part in genes.values()))
    if key not in _LAST or _LAST[key][0]() is not document:
        _LAST.clear()  # the old one goes before the new one comes
        _LAST[key] = (weakref.ref(document, _forget), _prepare(document, selection, genes, fingerprint, report))
    found = _LAST[key][1]
    told_of = found.reference.report
    report(1.0, f"{len(told_of.types)} cell types over {told_of.n_shared:,} shared genes")
    return found


def _forget(_gone: object) -> None:
    """Let go of what was prepared for a section that was closed."""
    _LAST.clear()


def fingerprint_of(document: Document, reference: str) -> str:
    """Return the hash of the content of a reference: of its file, or of the section's table.

    Raises
    ------
    BadInput, DocumentError
        When there is no such reference.
    """
    if reference.startswith(OF_TABLE):
        from .fingerprints import fingerprint

        table = document.table(reference.removeprefix(OF_TABLE))
        layers = [table.layers[name] for name in sorted(table.layers)]
        return fingerprint((table.X, *layers, table.obs, table.var))
    place, inside = split_place(reference)
    if not place.exists():
        raise BadInput(f"There is no reference '{place}'.", "Check the path.")
    try:
        return content_of(place / table_inside(place, inside) if place.is_dir() else place)
    except OSError as error:
        raise BadInput(f"'{reference}' cannot be read ({error.strerror}).", "Check who may read it.") from error


def of_reference(inputs: Sequence[Any]) -> dict[str, str]:
    """Return what the record of a run keeps of its reference: the hash of its content, if there is one."""
    found = [given.report.fingerprint for given in inputs if isinstance(given, CheckedReference)]
    return {"reference_fingerprint": found[0]} if found else {}


def whole_place(reference: str) -> str:
    """Return a reference with its path made absolute; a table of the section as it is."""
    if reference.startswith(OF_TABLE):
        return reference
    place, inside = split_place(reference)
    return str(place.resolve()) + (f"{INSIDE}{inside}" if inside else "")


def _types(types: npt.NDArray[Any], merged: Sequence[tuple[str, str]]) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Return the types after merging, under names that a store keeps, and what is called otherwise."""
    storable, told = storable_types(types)
    known = dict(zip(types.astype(str).tolist(), storable.tolist(), strict=True))
    named = [(known.get(name, name), known.get(into, into)) for name, into in merged]
    made, more = storable_types(merged_types(storable, named))
    return made, (*told, *more)


def _prepare(
    document: Document, selection: DeconvolutionSelection, genes: Mapping[str, Any], fingerprint: str, report: Report
) -> Prepared:
    report(0.1, "Reading the reference")
    table, whole = document.table(selection.table), _read(document, selection, genes, fingerprint)
    report(0.5, "Matching genes")
    matched = match_genes(genes, whole.names)
    types, renamed = _types(whole.types, selection.merged)
    names = np.unique(matched.reference[matched.reference != ""])
    _require_genes(genes, whole.names, matched.n_shared, len(np.unique(types)))
    counts = picked(whole.counts, _places(matched.reference, names), len(names))
    report(0.7, "Comparing cell types")
    spots = spot_counts(document, selection.table)
    found = check_cells(counts, types, _depth(spots.values, _places(matched.spots, names)), whole.state)
    kept = found.kept
    told = ReferenceReport(
        n_cells=int(kept.sum()),
        types=found.types,
        cells_per_type=found.cells_per_type,
        n_genes=len(whole.genes),
        n_shared=len(names),
        counts=whole.state,
        rare=found.rare,
        rare_like=found.rare_like,
        alike=found.alike,
        merges=found.merges,
        notes=(_overlap(len(names), len(table.var_names), len(whole.genes)), *matched.notes, *whole.notes, *renamed),
        warnings=(*spots.warnings, *found.warnings),
        column=whole.column,
        fingerprint=fingerprint,
    )
    cells = (counts, types) if kept.all() else (counts[kept], types[kept])
    return Prepared(CheckedReference(cells[0], names, cells[1], report=told), matched.spots)


def _read(
    document: Document, selection: DeconvolutionSelection, genes: Mapping[str, Any], fingerprint: str
) -> ReferenceFile:
    column = selection.column or None
    if selection.reference.startswith(OF_TABLE):
        name = selection.reference.removeprefix(OF_TABLE)
        return table_reference(document.table(name), name, column)
    found = kept(fingerprint, selection.column)
    if found is None:
        found = read_reference(selection.reference, column, genes)
        if found.state != "signatures":  # they are small, and which way they lie depends on the spots
            keep(fingerprint, selection.column, found)
    return found


def _places(names: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the place of each name among the sorted ones wanted, −1 where it is none of them."""
    at = np.minimum(np.searchsorted(wanted, names), max(len(wanted) - 1, 0))
    return np.where(wanted[at] == names, at, -1) if len(wanted) else np.full(len(names), -1)


def _require_genes(spots: Mapping[str, Any], reference: Mapping[str, Any], shared: int, n_types: int) -> None:
    needed = max(FEWEST, n_types)
    if shared < needed:
        raise BadInput(
            f"The spots' {len(spots[OWN]):,} genes and the reference's {len(reference[OWN]):,} share "
            f"{shared}, too few for {n_types} cell types.",
            why_few(spots[OWN], reference[OWN], shared, needed),
        )


def _overlap(shared: int, spots: int, reference: int) -> str:
    return (
        f"{shared:,} genes are shared: {100 * shared / spots:.0f} % of the spots' {spots:,}, "
        f"{100 * shared / reference:.0f} % of the reference's {reference:,}."
    )


def _depth(counts: Any, places: npt.NDArray[np.int64]) -> float:
    """Return the median of a spot's counts in the shared genes; of a large table, over rows evenly spread."""
    n, shared = counts.shape[0], (places >= 0).astype(float)
    if isinstance(counts, CountRows):
        starts = np.linspace(0, max(n - _DEPTH_ROWS, 0), _DEPTH_BLOCKS).astype(int)
        found = [counts.rows(int(start), min(int(start) + _DEPTH_ROWS, n)) @ shared for start in starts]
        totals = np.concatenate(found)
    else:
        totals = sp.csr_matrix(counts) @ shared
    return float(np.median(totals[totals > 0])) if (totals > 0).any() else 1.0
