"""The arrays of displacement fields beside the elements: in memory, and as groups of their own in the store.

Each is named by the hash of its bits, so that a name always means the same field: undo, saving and
reopening need no order among them, and what is read back is checked by its name.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DocumentError

__all__ = ["FIELDS", "Displacements", "name_of", "write_field"]

FIELDS = "displacements"
"""The group of a store in which the fields lie: one group a field, its array named "0"."""
_NAME = re.compile(r"[0-9a-f]{32}")
_LARGEST = 1 << 28
"""Bytes of one field at most: what a store claims to hold is not read before it is looked at."""


class Displacements:
    """The fields of a document, by the hash of their bits.

    Parameters
    ----------
    sdata
        The SpatialData object; its store is looked into for fields that were not put here.
    """

    def __init__(self, sdata: Any) -> None:
        self._sdata = sdata
        self._held: dict[str, npt.NDArray[Any] | None] = {}

    def frozen(self, sdata: Any) -> Displacements:
        """Return the fields that are here now, for another SpatialData object of the same store."""
        made = Displacements(sdata)
        made._held = dict(self._held)
        return made

    def get(self, name: str) -> npt.NDArray[Any] | None:
        """Return the (h, w, 2) displacements of a name, or None where there is no such field.

        Raises
        ------
        DocumentError
            When the store holds it damaged.
        """
        if name not in self._held and self._store is not None:
            self._held[name] = _read(self._store, name)
        return self._held.get(name)

    def put(self, name: str, value: npt.NDArray[Any] | None) -> None:
        """Set or take away a field."""
        self._held[name] = value

    def names(self) -> tuple[str, ...]:
        """Return the names of all fields, sorted."""
        stored = [p.name for p in (self._store / FIELDS).glob("*") if _NAME.fullmatch(p.name)] if self._store else []
        held = {name for name, value in self._held.items() if value is not None}
        return tuple(sorted(held | {name for name in stored if name not in self._held}))

    @property
    def _store(self) -> Path | None:
        path = self._sdata.path
        return None if path is None else Path(path)


def name_of(displacement_um: npt.NDArray[Any]) -> str:
    """Return the hash of a field's bits: 32 hexadecimal digits."""
    array = _little(displacement_um)
    h = hashlib.blake2b(json.dumps([list(array.shape), array.dtype.str]).encode(), digest_size=16)
    h.update(array.data)
    return h.hexdigest()


def write_field(folder: Path, name: str, displacement_um: npt.NDArray[Any], placed: dict[str, Any]) -> None:
    """Write a field as a group below ``folder``, described as OME-Zarr describes a displacement field.

    Parameters
    ----------
    folder
        The group of all fields.
    name
        What `name_of` returned.
    displacement_um
        (h, w, 2), as (y, x) in µm.
    placed
        "origin" (y, x) and "spacing_um" of the grid, where they are known.
    """
    import zarr

    group = zarr.open_group(folder, mode="a", zarr_format=3).create_group(name)
    array = _little(displacement_um)
    edge = [min(n, 1024) for n in array.shape[:2]]
    group.create_array("0", data=array, chunks=(*edge, 2))
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]
    steps = []
    if placed:
        spacing, (y, x) = placed["spacing_um"], placed["origin"]
        steps = [{"type": "scale", "scale": [spacing, spacing, 1]}, {"type": "translation", "translation": [y, x, 0]}]
    dataset = {"path": "0", "coordinateTransformations": steps}
    about: dict[str, Any] = {"axes": [*axes, {"name": "d", "type": "displacement"}], "datasets": [dataset]}
    group.attrs["multiscales"] = [{**about, "name": "displacement field", "interpolation": "cubic B-spline"}]
    group.attrs["blake2b"] = name


def _read(store: Path, name: str) -> npt.NDArray[Any] | None:
    import zarr

    place = store / FIELDS / name
    if not _NAME.fullmatch(name) or not (place / "0").is_dir():
        return None
    try:
        array = zarr.open_array(place / "0", mode="r")
        fits = array.ndim == 3 and array.shape[2] == 2 and array.dtype.kind == "f" and array.nbytes <= _LARGEST
        found = np.asarray(array[:]) if fits else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DocumentError(f"The displacement field '{name}' cannot be read ({error}).", _AGAIN) from error
    if found is None or name_of(found) != name:
        raise DocumentError(f"The displacement field '{name}' is damaged: it is not what was saved.", _AGAIN)
    return found


_AGAIN = "Register the pair again."


def _little(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
