"""The document: one SpatialData object, addressed by slots, with a revision for each.

Only `Session` calls what changes it. Everything else reads.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.transform import Affine
from ..errors import DocumentError
from .changes import Slot
from .elements import LabelsElement, labels_of, matrices, with_matrices
from .grid import LabelGrid
from .tidying import tidy, tidy_column
from .values import encode

__all__ = ["ELEMENT_TYPES", "GLOBAL", "Document"]

ELEMENT_TYPES = ("images", "labels", "shapes", "points", "tables")
GLOBAL = "global"
"""The section's own coordinate system, in µm."""
_ATTRS = "spatialml"


class Document:
    """A SpatialData object with addresses, revisions and editable labels. Every coordinate system is in µm.

    Parameters
    ----------
    sdata
        What was opened. The document takes it over: nobody else changes it.
    """

    def __init__(self, sdata: Any) -> None:
        self.sdata = sdata
        self.home: Path | None = None
        """The session's folder, where what is derived from the document may be kept."""
        self._clock = 0
        self._revisions: dict[Slot, int] = {}
        self._labels: dict[str, LabelsElement] = {}
        if not isinstance(sdata.attrs.get(_ATTRS), dict):
            sdata.attrs[_ATTRS] = {}
        for table in sdata.tables.values():
            tidy(table)

    # reading ---------------------------------------------------------------------------------

    def names(self, element_type: str) -> tuple[str, ...]:
        """Return the names of the elements of a type, sorted."""
        return tuple(sorted(getattr(self.sdata, element_type)))

    def type_of(self, name: str) -> str:
        """Return the type of an element.

        Raises
        ------
        DocumentError
            When there is no such element.
        """
        for element_type in ELEMENT_TYPES:
            if name in getattr(self.sdata, element_type):
                return element_type
        have = ", ".join(n for t in ELEMENT_TYPES for n in self.names(t)) or "nothing"
        raise DocumentError(f"The section has no element '{name}'.", f"It has: {have}.")

    def element(self, name: str) -> Any:
        """Return an element or a table by its name."""
        return getattr(self.sdata, self.type_of(name))[name]

    def table(self, name: str) -> Any:
        """Return a table (an AnnData).

        Raises
        ------
        DocumentError
            When there is no such table.
        """
        if name not in self.sdata.tables:
            have = ", ".join(self.names("tables")) or "none"
            raise DocumentError(f"The section has no table '{name}'.", f"Its tables: {have}.")
        return self.sdata.tables[name]

    def grid(self, name: str) -> LabelGrid:
        """Return the pixels of a labels element, readable by window."""
        if name in self._labels and name in self.sdata.labels:  # asked for at every move of the mouse
            return self._labels[name].grid
        return self._labels_element(name).grid

    def attribute(self, key: str, default: Any = None) -> Any:
        """Return one of our attributes: ``landmarks``, ``colours``, ``alignments`` …"""
        return self.sdata.attrs[_ATTRS].get(key, default)

    def annotated(self, table: str) -> str:
        """Return the name of the element that a table annotates (its first region), or ""."""
        return next(iter(self.regions(table)), "")

    def regions(self, table: str) -> tuple[str, ...]:
        """Return the names of all elements that a table annotates."""
        held = self.table(table)
        region = (held.uns.get("spatialdata_attrs") or {}).get("region")
        if region is None:
            empty = held.n_obs == 0  # see `_holdable`
            return tuple(name for name in self.names("labels") if empty and table == f"{name}_table")
        return (region,) if isinstance(region, str) else tuple(str(r) for r in region)

    def tables_of(self, element: str) -> tuple[str, ...]:
        """Return the tables that annotate an element, or what it was warped from."""
        origin = self.attribute("warped_from", {}).get(element, element)
        return tuple(t for t in self.names("tables") if origin in self.regions(t))

    def rows(self, table: str, element: str) -> npt.NDArray[np.int64]:
        """Return the positions of the rows of a table that annotate one element."""
        frame = self.table(table)
        if len(self.regions(table)) < 2:
            return np.arange(frame.n_obs)
        element = self.attribute("warped_from", {}).get(element, element)
        key = frame.uns["spatialdata_attrs"]["region_key"]
        return np.flatnonzero(frame.obs[key].astype(str).to_numpy() == element)

    def instances(self, table: str) -> npt.NDArray[Any]:
        """Return, for each row of a table, the id of what it annotates."""
        frame = self.table(table)
        key = (frame.uns.get("spatialdata_attrs") or {}).get("instance_key")
        if key is None and frame.n_obs == 0:
            return np.empty(0, dtype=np.int64)
        if key is None or key not in frame.obs:
            raise DocumentError(f"The table '{table}' annotates nothing.", "Choose a table of cells, spots or pixels.")
        return np.asarray(frame.obs[key].to_numpy())

    def coordinate_systems(self) -> tuple[str, ...]:
        """Return the coordinate systems, "global" first."""
        found = set(self.sdata.coordinate_systems)
        return tuple(sorted(found, key=lambda name: (name != GLOBAL, name)))

    def placed(self, element: str) -> tuple[str, ...]:
        """Return the coordinate systems in which an element lies."""
        return tuple(sorted(matrices(self.element(element))))

    def affine(self, element: str, coordinate_system: str = GLOBAL) -> Affine:
        """Return the affine from an element's own coordinates (y, x) to µm in a coordinate system.

        An image's own coordinates count pixel corners: the centre of pixel (i, j) is (i + ½, j + ½).

        Raises
        ------
        DocumentError
            When the element does not lie in that coordinate system.
        """
        found = matrices(self.element(element))
        if coordinate_system not in found:
            systems = ", ".join(sorted(found)) or "none"
            raise DocumentError(
                f"'{element}' does not lie in the coordinate system '{coordinate_system}'.",
                f"It lies in: {systems}. Register it first.",
            )
        return Affine.from_xy(found[coordinate_system])

    # addresses -------------------------------------------------------------------------------

    def get(self, slot: Slot) -> Any:
        """Return what stands at an address, or None."""
        head = slot[0]
        if head == "attrs":
            return self.sdata.attrs[_ATTRS].get(slot[1])
        if head == "transforms":
            return matrices(getattr(self.sdata, slot[1])[slot[2]]).get(slot[3])
        if head == "labels" and len(slot) == 2:
            return self._labels_element(slot[1]) if slot[1] in self.sdata.labels else None
        if head in ELEMENT_TYPES and len(slot) == 2:
            container = getattr(self.sdata, head)
            return container.get(slot[1])
        if head == "tables" and slot[2] == "obs":
            obs = self.table(slot[1]).obs
            return obs.get(slot[3])
        if head == "tables" and slot[2] in ("obsm", "layers"):
            part = getattr(self.table(slot[1]), slot[2])
            return part.get(slot[3])
        raise DocumentError(f"There is no address {'/'.join(slot)}.", "This is a fault of the program.")

    def put(self, slot: Slot, value: Any) -> None:
        """Set what stands at an address; None takes it away. Called by commands only."""
        head = slot[0]
        if head == "attrs":
            _set(self.sdata.attrs[_ATTRS], slot[1], value)
        elif head == "transforms":
            self._put_transform(slot, value)
        elif head == "labels" and len(slot) == 2:
            self._put_labels(slot[1], value)
        elif len(slot) == 2 and head in ELEMENT_TYPES:
            _set(getattr(self.sdata, head), slot[1], _holdable(value) if head == "tables" else value)
        elif slot[2] == "obs":
            self._put_column(slot[1], slot[3], value)
        else:
            _set(getattr(self.table(slot[1]), slot[2]), slot[3], value)
        self.touch(slot)

    def replace_rows(self, name: str, table: Any) -> None:
        """Set a table whose rows changed."""
        _set(self.sdata.tables, name, _holdable(table))
        self.touch(("tables", name))

    def touch(self, slot: Slot) -> None:
        """Say that what stands at an address has changed."""
        self._clock += 1
        self._revisions[slot] = self._clock

    def revision(self, slot: Slot) -> int:
        """Return the moment at which an address, what lies in it or what holds it last changed."""
        n = len(slot)
        related = (r for s, r in self._revisions.items() if s[:n] == slot or slot[: len(s)] == s)
        return max(related, default=0)

    def _put_transform(self, slot: Slot, value: Any) -> None:
        element = getattr(self.sdata, slot[1])[slot[2]]
        wanted = matrices(element)
        _set(wanted, slot[3], value)
        with_matrices(element, wanted)

    def _put_labels(self, name: str, value: LabelsElement | None) -> None:
        self._labels.pop(name, None)
        _set(self.sdata.labels, name, None)
        if value is not None:
            self._labels[name] = value
            self.sdata.labels[name] = value.to_spatialdata()

    def _put_column(self, table: str, column: str, value: pd.Series[Any] | None) -> None:
        obs = self.table(table).obs
        if value is None:
            del obs[column]
        else:
            obs[column] = tidy_column(value.set_axis(obs.index))

    def _labels_element(self, name: str) -> LabelsElement:
        if name not in self.sdata.labels:
            have = ", ".join(self.names("labels")) or "none"
            raise DocumentError(f"The section has no labels '{name}'.", f"Its labels: {have}.")
        if name not in self._labels:
            made = labels_of(self.sdata.labels[name])
            self._labels[name] = made
            self.sdata.labels[name] = made.to_spatialdata()
        held = self._labels[name]
        return LabelsElement(held.grid, matrices(self.sdata.labels[name]))

    def transform_slots(self) -> Iterator[Slot]:
        """Yield the address of every transformation."""
        for kind in ELEMENT_TYPES[:4]:
            for name in self.names(kind):
                for system in self.placed(name):
                    yield ("transforms", kind, name, system)

    # proof -----------------------------------------------------------------------------------

    def slots(self) -> Iterator[Slot]:
        """Yield every address that holds something; of tables, each column and array."""
        for element_type in ELEMENT_TYPES:
            for name in self.names(element_type):
                yield (element_type, name)
        for key in sorted(self.sdata.attrs[_ATTRS]):
            yield ("attrs", key)

    def fingerprint(self, slot: Slot) -> str:
        """Return a hash of the bits at an address: equal bits, equal hash."""
        value = self.get(slot)
        if isinstance(value, LabelsElement):
            return _labels_digest(value)
        if slot[0] == "tables" and len(slot) == 2:
            value = value.copy()
            value.obs = value.obs[sorted(value.obs.columns)]
        packed = encode(value, compress=False)
        return digest(json.dumps(packed.meta, sort_keys=True).encode(), *packed.buffers)

    def fingerprints(self) -> dict[str, str]:
        """Return the hash of every address, by its path."""
        return {"/".join(slot): self.fingerprint(slot) for slot in self.slots()}


def digest(*parts: bytes) -> str:
    """Return the BLAKE2b hash of some bytes, 32 hexadecimal digits."""
    h = hashlib.blake2b(digest_size=16)
    for part in parts:
        h.update(part)
    return h.hexdigest()


def _labels_digest(value: LabelsElement) -> str:
    """Hash labels by bands of rows: the whole of a slide does not fit into memory."""
    grid = value.grid
    shapes = [list(level.shape) for level in grid.levels]
    told = {"t": "labels", "dtype": grid.dtype.str, "levels": shapes, "transforms": value.transforms}
    h = hashlib.blake2b(digest_size=16)
    h.update(json.dumps(told, sort_keys=True).encode())
    for level, (height, width) in enumerate(shapes):
        step = max(1, 16_000_000 // max(width, 1))
        for y in range(0, height, step):
            h.update(np.ascontiguousarray(grid.read((y, y + step, 0, width), level)).data)
    return h.hexdigest()


def _holdable(table: Any) -> Any:
    """Return a table that SpatialData accepts: without rows it may not say what it annotates."""
    if table is not None:
        tidy(table)
    if table is not None and table.n_obs == 0 and "spatialdata_attrs" in table.uns:
        table = table.copy()
        del table.uns["spatialdata_attrs"]
    return table


def _set(container: Any, key: str, value: Any) -> None:
    if value is not None:
        if key in container and not isinstance(container, dict):
            del container[key]  # SpatialData warns when an element is overwritten
        container[key] = value
    elif key in container:
        del container[key]
