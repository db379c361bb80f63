"""The document: one SpatialData object, addressed by slots, with a revision for each.

Only `Session` calls what changes it. Everything else reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from ..errors import DocumentError
from .changes import Slot
from .contents import ATTRS, ELEMENT_TYPES, GLOBAL, Contents, put_or_remove
from .displacements import Displacements
from .elements import LabelsElement, matrices, with_matrices
from .fingerprints import digest, labels_digest
from .planes import plane_name, split_plane, stack_name
from .tidying import tidy, tidy_column
from .values import encode
from .warped import Warped, recipe_of

__all__ = ["ELEMENT_TYPES", "GLOBAL", "Document", "kept_slot"]


class Document(Contents):
    """A SpatialData object with addresses, revisions and editable labels. Every coordinate system is in µm.

    Parameters
    ----------
    sdata
        What was opened. The document takes it over: nobody else changes it.
    """

    def __init__(self, sdata: Any) -> None:
        super().__init__(sdata)
        self._clock = 0
        self._revisions: dict[Slot, int] = {}
        self._fields = Displacements(sdata)

    # addresses -------------------------------------------------------------------------------

    def get(self, slot: Slot) -> Any:
        """Return what stands at an address, or None."""
        head = slot[0]
        if head == "attrs":
            return self.sdata.attrs[ATTRS].get(slot[1])
        if head == "fields":
            return self._fields.get(slot[1])
        if head == "transforms":
            return matrices(getattr(self.sdata, slot[1])[stack_name(slot[2])]).get(slot[3])
        if head == "labels" and len(slot) == 2:
            return self._labels_element(slot[1]) if stack_name(slot[1]) in self.sdata.labels else None
        if head == "images" and split_plane(slot[1])[1] is not None:
            return self.element(slot[1])
        if head in ELEMENT_TYPES and len(slot) == 2:
            container = getattr(self.sdata, head)
            return None if slot[1] not in container else recipe_of(self, head, slot[1]) or container[slot[1]]
        if head == "tables" and slot[2] == "obs":
            obs = self.table(slot[1]).obs
            return obs.get(slot[3])
        if head == "tables" and slot[2] in ("var", "varm", "obsm", "layers"):
            part = getattr(self.table(slot[1]), slot[2])
            return part.get(slot[3])
        raise DocumentError(f"There is no address {'/'.join(slot)}.", "This is a fault of the program.")

    def put(self, slot: Slot, value: Any) -> None:
        """Set what stands at an address; None takes it away. Called by commands only."""
        head = slot[0]
        if isinstance(value, Warped):
            value = value.element(self)
        if len(slot) == 2 and head in ELEMENT_TYPES and self.planes(slot[1]):
            raise DocumentError(
                f"'{stack_name(slot[1])}' is a stack of planes, which cannot be replaced or removed here.",
                "Correct its planes; take a whole stack away before the section is opened.",
            )
        if head == "attrs":
            put_or_remove(self.sdata.attrs[ATTRS], slot[1], value)
        elif head == "fields":
            self._fields.put(slot[1], value)
        elif head == "transforms":
            self._put_transform(slot, value)
        elif head == "labels" and len(slot) == 2:
            self._put_labels(slot[1], value)
        elif len(slot) == 2 and head in ELEMENT_TYPES:
            put_or_remove(getattr(self.sdata, head), slot[1], _holdable(value) if head == "tables" else value)
        elif slot[2] in ("obs", "var"):
            self._put_column(slot, value)
        else:
            put_or_remove(getattr(self.table(slot[1]), slot[2]), slot[3], value)
        self.touch(slot)

    def replace_rows(self, name: str, table: Any) -> None:
        """Set a table whose rows changed."""
        put_or_remove(self.sdata.tables, name, _holdable(table))
        self.touch(("tables", name))

    def touch(self, slot: Slot) -> None:
        """Say that what stands at an address has changed."""
        self._clock += 1
        self._revisions[kept_slot(slot)] = self._clock

    def revision(self, slot: Slot) -> int:
        """Return the moment at which an address, what lies in it or what holds it last changed."""
        slot, n = kept_slot(slot), len(slot)
        related = (r for s, r in self._revisions.items() if s[:n] == slot or slot[: len(s)] == s)
        return max(related, default=0)

    def _put_transform(self, slot: Slot, value: Any) -> None:
        element = getattr(self.sdata, slot[1])[stack_name(slot[2])]
        wanted = matrices(element)
        put_or_remove(wanted, slot[3], value)
        with_matrices(element, wanted)

    def _put_labels(self, name: str, value: LabelsElement | None) -> None:
        self._labels.pop(name, None)
        put_or_remove(self.sdata.labels, name, None)
        if value is not None:
            self._labels[name] = value
            self.sdata.labels[name] = value.to_spatialdata()

    def _put_column(self, slot: Slot, value: pd.Series[Any] | None) -> None:
        frame, column = getattr(self.table(slot[1]), slot[2]), slot[3]
        if value is None:
            del frame[column]
        else:
            frame[column] = tidy_column(value.set_axis(frame.index))

    def transform_slots(self) -> Iterator[Slot]:
        """Yield the address of every transformation."""
        for kind in ELEMENT_TYPES[:4]:
            for name in map(stack_name, self.names(kind)):
                for system in self.placed(name):
                    yield ("transforms", kind, name, system)

    # proof -----------------------------------------------------------------------------------

    def slots(self) -> Iterator[Slot]:
        """Yield every address that holds something; of tables, each column and array."""
        for element_type in ELEMENT_TYPES:
            for name in sorted(getattr(self.sdata, element_type)):
                n = self.planes(name)
                yield from ((element_type, plane_name(name, k)) for k in range(n)) if n else [(element_type, name)]
        for key in sorted(self.sdata.attrs[ATTRS]):
            yield ("attrs", key)
        for name in self._fields.names():
            yield ("fields", name)

    def fingerprint(self, slot: Slot) -> str:
        """Return a hash of the bits at an address: equal bits, equal hash."""
        value = self.get(slot)
        if isinstance(value, LabelsElement):
            return labels_digest(value)
        if slot[0] == "tables" and len(slot) == 2:
            value = value.copy()
            value.obs = value.obs[sorted(value.obs.columns)]
        packed = encode(value, compress=False)
        return digest(json.dumps(packed.meta, sort_keys=True).encode(), *packed.buffers)

    def fingerprints(self) -> dict[str, str]:
        """Return the hash of every address, by its path."""
        return {"/".join(slot): self.fingerprint(slot) for slot in self.slots()}


def kept_slot(slot: Slot) -> Slot:
    """Return an address with the stack in place of its plane, where the stack has it and not the plane."""
    return (*slot[:2], stack_name(slot[2]), *slot[3:]) if slot[0] == "transforms" and len(slot) > 2 else slot


def _holdable(table: Any) -> Any:
    """Return a table that SpatialData accepts: without rows it may not say what it annotates."""
    if table is not None:
        tidy(table)
    if table is not None and table.n_obs == 0 and "spatialdata_attrs" in table.uns:
        table = table.copy()
        del table.uns["spatialdata_attrs"]
    return table
