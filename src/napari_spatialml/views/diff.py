"""What has to happen to the layers so that they show a new plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from .specs import ImageSpec, Key, LayerSpec, RasterSpec

__all__ = ["Action", "Add", "Remove", "Update", "diff"]


@dataclass(frozen=True)
class Add:
    """Make a layer."""

    spec: LayerSpec


@dataclass(frozen=True)
class Remove:
    """Take a layer away."""

    key: Key


@dataclass(frozen=True)
class Update:
    """Change what has changed of a layer, and leave the rest as the person has set it.

    Parameters
    ----------
    spec
        What the layer is to be.
    changed
        The names of the fields that differ from the last plan.
    """

    spec: LayerSpec
    changed: frozenset[str]


Action = Add | Remove | Update


def diff(old: Sequence[LayerSpec], new: Sequence[LayerSpec]) -> tuple[Action, ...]:
    """Return the actions from one plan to the next: removals first, then the rest in drawing order."""
    before = {spec.key: spec for spec in old}
    after = {spec.key: spec for spec in new}
    actions: list[Action] = [Remove(k) for k, s in before.items() if k not in after or not _alike(s, after[k])]
    for spec in new:
        was = before.get(spec.key)
        if was is None or not _alike(was, spec):
            actions.append(Add(spec))
            continue
        changed = frozenset(
            f.name for f in fields(spec) if f.compare and getattr(was, f.name, _ABSENT) != getattr(spec, f.name)
        )
        if changed:
            actions.append(Update(spec, changed))
    return tuple(actions)


_ABSENT = object()
_BORN_WITH = ("rgb", "multiscale", "editable")
"""What a napari layer cannot change later."""


def _alike(a: LayerSpec, b: LayerSpec) -> bool:
    """Whether one layer can become the other: categories and measurements are both drawn as images."""
    if type(a) is not type(b) and not all(isinstance(spec, ImageSpec | RasterSpec) for spec in (a, b)):
        return False
    same: Any = all(getattr(a, name, False) == getattr(b, name, False) for name in _BORN_WITH)
    return bool(same)
