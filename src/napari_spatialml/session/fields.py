"""Transforms in the document's attributes: plain values that stay small, with large fields kept beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..core.transform import Chain, DisplacementField, InverseTransform, Transform, transform_from_dict
from ..errors import BadInput
from .changes import Change, Put
from .displacements import FIELDS, name_of, write_field
from .document import Document

__all__ = ["described", "restored", "stored", "write_fields"]

_TYPE = "displacement field"
_DEEPEST = 32
_LARGEST = 1024
"""Nodes of a field that attributes hold themselves: 11 kB of text in single precision."""


def stored(document: Document, transform: Transform) -> tuple[dict[str, Any], list[Change]]:
    """Return the plain values under which an attribute keeps a transform, and the changes that keep the rest.

    Parameters
    ----------
    document
        The document.
    transform
        Any transform. A displacement field of more than 1,024 nodes goes beside the elements, at the
        address ("fields", hash of its bits); its values name it.
    """
    changes: dict[str, Change] = {}
    return _plain(document, transform, changes), list(changes.values())


def restored(document: Document, values: Mapping[str, Any]) -> Transform:
    """Make a transform again from what `stored` returned; what ``to_dict`` returned does as well.

    Raises
    ------
    BadInput
        When the values describe no transform, or a field that they name is not in this store.
    DocumentError
        When the field in the store is damaged.
    """
    return _made(document, values, 0)


def described(values: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the values of every field beside the elements that plain values name, however deep."""
    level = [values]
    while level:
        one = level.pop()
        if isinstance(one, Mapping):
            if one.get("type") == _TYPE and isinstance(one.get("array"), str):
                yield one
            level += list(one.values())
        elif isinstance(one, list | tuple):
            level += [inner for inner in one if isinstance(inner, Mapping | list | tuple)]


def write_fields(document: Document, store: Path, names: tuple[str, ...]) -> None:
    """Write fields of the document below a folder as they lie in a store."""
    placed = {one["array"]: one for one in described(document.sdata.attrs)}
    for name in names:
        array = document.get(("fields", name))
        if array is not None:
            write_field(store / FIELDS, name, array, dict(placed.get(name, {})))


def _plain(document: Document, transform: Transform, changes: dict[str, Change]) -> dict[str, Any]:
    if isinstance(transform, Chain):
        return {"type": "chain", "transforms": [_plain(document, one, changes) for one in transform.transforms]}
    if isinstance(transform, InverseTransform):
        return {"type": "inverse", "forward": _plain(document, transform.forward, changes)}
    if not isinstance(transform, DisplacementField):
        return transform.to_dict()
    moved = transform.displacement_um
    if moved.shape[0] * moved.shape[1] <= _LARGEST:
        return transform.to_dict()
    name = name_of(moved)
    slot = ("fields", name)
    if document.get(slot) is None:
        changes[name] = Put(slot, None, moved)
    head = {"type": _TYPE, "origin": transform.origin.tolist(), "spacing_um": transform.spacing_um}
    path = document.sdata.path
    return {**head, "array": name, "store": Path(path).name if path else ""}


def _made(document: Document, values: Any, depth: int) -> Transform:
    if depth > _DEEPEST or not isinstance(values, Mapping):
        return transform_from_dict(values)  # says what is wrong with it
    kind = values.get("type")
    if kind == "chain" and isinstance(values.get("transforms"), list | tuple):
        return Chain(tuple(_made(document, one, depth + 1) for one in values["transforms"]))
    if kind == "inverse" and "forward" in values:
        return InverseTransform(_made(document, values["forward"], depth + 1))
    if kind != _TYPE or "array" not in values:
        return transform_from_dict(values)
    moved = document.get(("fields", str(values["array"])))
    if moved is None:
        where = f"'{values['store']}'" if values.get("store") else "the store from which this one was copied"
        raise BadInput(
            f"The displacement field '{values['array']}' of the alignment is not in this store: it lies in the "
            f"folder '{FIELDS}' of {where}.",
            f"Copy the folder '{FIELDS}' from there into this store, or register the pair again.",
        )
    try:
        return DisplacementField(values["origin"], values["spacing_um"], moved)
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"The saved {_TYPE} transform is damaged: {error}.", "Register the pair again.") from error
