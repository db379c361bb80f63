"""The registry: ``methods(kind)`` lists the methods of a kind, ``method(kind, name)`` gives one.

A method of ours is one file in the folder of its kind. Third parties add theirs through the entry
point group ``napari_spatialml.methods``: each entry point names a method class.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
from functools import cache
from importlib.metadata import entry_points

from ..core.method import Method
from ..errors import BadInput

__all__ = ["kinds", "method", "methods"]

GROUP = "napari_spatialml.methods"
RENAMED = {("domains", "smoothed-mixture"): "low-pass-mixture"}
"""Names under which older recipes and journals know a method."""
_log = logging.getLogger(__name__)


def kinds() -> tuple[str, ...]:
    """Return the kinds in the order of work."""
    return ("segmentation", "registration", "domains", "deconvolution", "embedding")


@cache
def methods(kind: str) -> dict[str, type[Method]]:
    """Return the methods of a kind by name: the preferred one, then ours, then those of others.

    Raises
    ------
    BadInput
        When there is no such kind.
    """
    if kind not in kinds():
        raise BadInput(f"There is no kind of method '{kind}'.", f"Choose one of {', '.join(kinds())}.")
    found: dict[str, type[Method]] = {}
    package = importlib.import_module(f"{__name__}.{kind}")
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for value in vars(module).values():
            if _is_method(value, kind) and value.__module__ == module.__name__:
                found[value.name] = value
    for entry in entry_points(group=GROUP):
        try:
            value = entry.load()
        except Exception:  # a broken third-party plugin must not take the others down
            _log.warning("The method '%s' of %s could not be loaded.", entry.name, entry.value, exc_info=True)
            continue
        if _is_method(value, kind) and value.name not in found:
            found[value.name] = value
    return dict(sorted(found.items(), key=lambda item: not item[1].preferred))


def method(kind: str, name: str) -> type[Method]:
    """Return one method class.

    Raises
    ------
    BadInput
        When the kind has no method of that name; the hint lists those that it has.
    """
    found = methods(kind)
    name = RENAMED.get((kind, name), name)
    if name not in found:
        raise BadInput(f"There is no {kind} method '{name}'.", f"Choose one of {', '.join(found)}.")
    return found[name]


def _is_method(value: object, kind: str) -> bool:
    return isinstance(value, type) and issubclass(value, Method) and "name" in vars(value) and value.kind == kind
