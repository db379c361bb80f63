"""What domains are found from, and the stages that a method has made of it: kept, so that a stroke need not wait.

A stage is known by the hash of the features and coordinates and by the settings that it read. What was let
go, or belongs to a section that was opened again, is computed anew, to the same bits.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from ..core.domains import Cells, DomainDetector, Embedded
from ..core.report import Report, part, silent
from ..errors import BadInput
from .document import Document
from .gather import coordinates_of, features_of
from .selection import DomainsSelection
from .shared_features import names_of_features, nothing_shared, one_hot
from .tissue_rows import sections_of

__all__ = ["DomainInputs", "domain_inputs", "inputs_of", "stacked_features", "stages"]

_LARGEST = 1_000_000_000
"""Bytes of stages that are kept; the last one in any case."""
_SECTIONS_KEPT = 4
_MOST_TYPES = 1000
_LOCK = threading.Lock()
_STAGES: OrderedDict[tuple[Any, ...], Embedded] = OrderedDict()
_MAKING: dict[tuple[Any, ...], threading.Event] = {}
"""Stages that some thread makes just now: another that needs one waits, and does not make it twice."""
_LOOK_S = 0.05


class DomainInputs:
    """The rows of one table, or of several that are divided together.

    Parameters
    ----------
    cells
        All rows, one table after the other; neither anchors nor ignored rows.
    tables
        Names of the tables.
    sizes
        How many rows each has.
    """

    def __init__(self, cells: Cells, tables: tuple[str, ...], sizes: tuple[int, ...]) -> None:
        self.cells, self.tables, self.sizes = cells, tables, sizes

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the features and coordinates."""
        from .fingerprints import fingerprint

        return fingerprint((self.cells.features, self.cells.coordinates, self.cells.sections))

    def split(self, values: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """Return the parts of (n, …) values that belong to each table."""
        return np.split(values, np.cumsum(self.sizes)[:-1])

    def embedded(self, method: DomainDetector, report: Report = silent) -> Embedded:
        """Return the first stage of a method."""
        key = (self.fingerprint, method.name, _settings(method, method.embeds))
        return _kept(key, lambda: method.embedded(self.cells, report), report)

    def smoothed(self, method: DomainDetector, report: Report = silent) -> Embedded:
        """Return the second stage of a method.

        Raises
        ------
        BadInput
            When there are fewer rows, or fewer different ones, than domains.
        """
        method.check(self.cells)
        settings = _settings(method, (*method.embeds, *method.smooths))

        def made() -> Embedded:
            embedded = self.embedded(method, part(report, 0.0, 0.9))
            method.check(self.cells, embedded)
            return method.smoothed(embedded, self.cells, part(report, 0.9, 1.0))

        found = _kept((self.fingerprint, method.name, settings, "smoothed"), made, report)
        method.check(self.cells, found)
        return found


def _settings(method: DomainDetector, names: Sequence[str]) -> tuple[tuple[str, Any], ...]:
    return tuple((name, getattr(method, name)) for name in sorted(set(names)))


def _kept(key: tuple[Any, ...], make: Callable[[], Embedded], report: Report) -> Embedded:
    while True:
        with _LOCK:
            if key in _STAGES:
                _STAGES.move_to_end(key)
                return _STAGES[key]
            other = _MAKING.get(key)
            if other is None:
                _MAKING[key] = threading.Event()
                break
        while not other.wait(_LOOK_S):
            report(0.0, "Waiting for what is being computed")
    try:
        return _keep(key, make())
    finally:  # one that was stopped leaves it to those that wait
        with _LOCK:
            _MAKING.pop(key).set()


def _keep(key: tuple[Any, ...], made: Embedded) -> Embedded:
    with _LOCK:
        _STAGES[key] = made
        while len(_STAGES) > 1 and sum(map(_bytes, _STAGES.values())) > _LARGEST:
            _STAGES.popitem(last=False)
    return made


def _bytes(stage: Embedded) -> int:
    return int(stage.values.nbytes + stage.graph.data.nbytes + stage.graph.indices.nbytes)


_INPUTS: WeakKeyDictionary[Document, OrderedDict[Any, tuple[Any, DomainInputs]]] = WeakKeyDictionary()


def domain_inputs(document: Document, selection: DomainsSelection) -> DomainInputs:
    """Return what a selection's domains are found from: the same as before, where nothing of it has changed.

    Raises
    ------
    BadInput, DocumentError
        When the document does not hold it.
    """
    key = (selection.tables, selection.features)
    now = tuple((slot, document.revision(slot)) for slot in selection.data_slots(document))
    with _LOCK:
        known = _INPUTS.setdefault(document, OrderedDict())
        if key in known and known[key][0] == now:
            known.move_to_end(key)
            return known[key][1]
    made = _gathered(document, selection)
    with _LOCK:
        known[key] = (now, made)
        while len(known) > _SECTIONS_KEPT:
            known.popitem(last=False)
    return made


def stages(
    document: Document, method: DomainDetector, selection: DomainsSelection, report: Report = silent
) -> Embedded:
    """Return the rows of a selection in the space in which a method divides them.

    Raises
    ------
    BadInput, DocumentError
        When the document does not hold what the method needs.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):  # see `run.Job`
        return domain_inputs(document, selection).smoothed(method, report)


def _gathered(document: Document, selection: DomainsSelection) -> DomainInputs:
    tables = selection.tables
    places = [(document, table) for table in tables]
    return inputs_of(stacked_features(places, selection.features), places, tables)


def inputs_of(features: Any, places: Sequence[tuple[Document, str]], names: tuple[str, ...]) -> DomainInputs:
    """Return rows of several tables from their features; each element that a table annotates is a section."""
    where = [coordinates_of(*place) for place in places]
    number, sections = 0, []
    for place, rows in zip(places, where, strict=True):
        within = sections_of(*place)
        sections.append(number + (np.zeros(len(rows), np.int64) if within is None else within))
        number = int(sections[-1].max(initial=number)) + 1
    told = None if number == 1 else np.concatenate(sections)
    return DomainInputs(Cells(features, np.concatenate(where), sections=told), names, tuple(map(len, where)))


def stacked_features(places: Sequence[tuple[Document, str]], features: str) -> Any:
    """Return (n, p) what describes the rows of all tables alike, one table after the other.

    Parameters
    ----------
    places
        Documents and the names of their tables. Of several, the features are taken that all name alike.
    features
        "X", "layers/<name>", "obsm/<name>", or "obs/<column>" of cell types: one column a type.

    Raises
    ------
    BadInput
        When a table lacks it, or the tables share nothing.
    """
    tables = [table for _, table in places]
    kind, _, name = features.partition("/")
    if kind == "obs":
        return _types([document.table(table) for document, table in places], tables, name)
    held = [features_of(document, table, features) for document, table in places]
    if len(tables) == 1:
        return held[0]
    names = [names_of_features(*at, kind, name, v.shape[1]) for at, v in zip(places, held, strict=True)]
    shared = names[0][~names[0].duplicated()]
    for other, table in zip(names[1:], tables[1:], strict=True):
        shared = shared.intersection(other, sort=False)
        if not len(shared):
            raise nothing_shared(tables[0], table, kind, (names[0], other))
    taken = [
        v[:, n.get_indexer(shared) if n.is_unique else _first(n, shared)] for v, n in zip(held, names, strict=True)
    ]
    if any(sp.issparse(t) for t in taken):
        return sp.vstack([sp.csr_matrix(t) for t in taken], format="csr")
    return np.concatenate([np.asarray(t) for t in taken])


def _first(names: pd.Index[Any], wanted: pd.Index[Any]) -> npt.NDArray[np.intp]:
    once = np.flatnonzero(~names.duplicated())
    return np.asarray(once[names[once].get_indexer(wanted)], dtype=np.intp)


def _types(frames: Sequence[Any], tables: Sequence[str], column: str) -> npt.NDArray[np.float64]:
    """Return one column a type: 1 where a row is of it. Smoothing makes of it what a neighbourhood is composed of."""
    held = []
    for frame, table in zip(frames, tables, strict=True):
        if column not in frame.obs:
            raise BadInput(f"The table '{table}' has no column '{column}'.", f"It has: {', '.join(frame.obs.columns)}.")
        values = frame.obs[column]
        if not isinstance(values.dtype, pd.CategoricalDtype) and values.dtype.kind not in "OUTb":
            raise BadInput(f"The column '{column}' of '{table}' holds numbers.", "Choose a column of cell types.")
        held.append(values.astype(object).where(values.notna(), None))
    types = pd.Index(sorted({str(v) for values in held for v in values.unique() if v is not None}))
    if len(types) < 2:
        raise BadInput(f"The column '{column}' names {len(types)} type.", "Choose a column of two types or more.")
    if len(types) > _MOST_TYPES:
        raise BadInput(f"The column '{column}' names {len(types):,} types.", "Choose a column of cell types.")
    return np.concatenate([one_hot(values, types) for values in held])
