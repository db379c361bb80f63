"""The layers of one plan in a viewer: kept by their keys, drawn in their order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from .diff import Add, Remove, Update, diff
from .layers import ELEMENT, make_layer, update_layer
from .specs import Key, LabelsSpec, LayerSpec

__all__ = ["Canvas", "canvas_of"]


def canvas_of(viewer: Any) -> Any:
    """Return the canvas on which vispy draws, or None where a viewer has no window."""
    shown = getattr(getattr(viewer, "window", None), "_qt_viewer", None)
    return getattr(shown, "canvas", None)


class Canvas:
    """The layers that show a plan.

    Parameters
    ----------
    viewer
        A napari viewer or its model. Layers that are not ours are left alone.
    """

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.specs: tuple[LayerSpec, ...] = ()
        self._layers: dict[Key, Any] = {}
        self._orders: dict[Key, int] = {}
        self._deleted: set[Key] = set()

    def apply(self, specs: Sequence[LayerSpec], *, again: bool = True) -> tuple[Key, ...]:
        """Make the layers show a plan. Return the keys of the new layers.

        Parameters
        ----------
        specs
            The plan.
        again
            Bring back the layers that the person has deleted from the viewer's list.
        """
        self._forget_deleted()
        if again:
            self._deleted.clear()
        specs = [spec for spec in specs if spec.key not in self._deleted]
        kept = [spec for spec in self.specs if spec.key in self._layers]
        active = self.viewer.layers.selection.active
        added: list[Key] = []
        actions = diff(kept, specs)
        with self._at_once(sum(isinstance(action, Remove) for action in actions)):
            for action in actions:
                if isinstance(action, Remove):
                    self._remove(action.key)
                elif isinstance(action, Add):
                    self._add(action.spec)
                    added.append(action.spec.key)
                elif isinstance(action, Update):
                    update_layer(self._layers[action.spec.key], action.spec, action.changed)
        self.specs = tuple(specs)
        if active is not None and active in self.viewer.layers:
            self.viewer.layers.selection.active = active
        return tuple(added)

    def layer(self, key: Key) -> Any:
        """Return the layer of a key, or None."""
        found = self._layers.get(key)
        return found if found is not None and found in self.viewer.layers else None

    def layer_of(self, element: str) -> Any:
        """Return the layer by which an element is known: its cells, spots or pixels, or its first channel."""
        mine = [s for s in self.specs if s.key.element == element and self.layer(s.key) is not None]
        mine.sort(key=lambda s: (s.key.beside, s.key.part != "", s.order))
        return self.layer(mine[0].key) if mine else None

    def layers(self) -> Iterable[tuple[LayerSpec, Any]]:
        """Yield every spec with its layer."""
        for spec in self.specs:
            layer = self.layer(spec.key)
            if layer is not None:
                yield spec, layer

    def element_of(self, layer: Any) -> str:
        """Return the element that a layer shows, or "" for a foreign layer."""
        return str(layer.metadata.get(ELEMENT, ""))

    def painted(self) -> Iterable[tuple[str, Any, tuple[int, int]]]:
        """Yield the name, the layer and the first pixel (y, x) of all labels that can be painted."""
        for spec, layer in self.layers():
            if isinstance(spec, LabelsSpec) and spec.editable and not spec.key.beside:
                yield spec.key.element, layer, spec.offset

    def painted_of(self, labels: str) -> Any:
        """Return the layer on which labels can be painted, or None."""
        return next((layer for name, layer, _ in self.painted() if name == labels), None)

    def rename(self, names: Mapping[str, str]) -> None:
        """Let the layers of elements show others, as those of another plane of a stack."""
        self.specs = tuple(replace(s, key=_renamed(s.key, names)) for s in self.specs)
        self._layers = {_renamed(key, names): layer for key, layer in self._layers.items()}
        self._orders = {_renamed(key, names): order for key, order in self._orders.items()}
        self._deleted = {_renamed(key, names) for key in self._deleted}
        for layer in self._layers.values():
            layer.metadata[ELEMENT] = names.get(layer.metadata[ELEMENT], layer.metadata[ELEMENT])

    def clear(self) -> None:
        """Take all our layers away."""
        with self._at_once(len(self._layers)):
            for key in list(self._layers):
                self._remove(key)
        self.specs = ()

    def _at_once(self, removed: int) -> AbstractContextManager[Any]:
        """Let napari put its scene in order once: for each layer removed it collects all garbage of the program."""
        batch = getattr(self.viewer.layers, "batched_update", nullcontext)
        return batch() if removed > 1 else nullcontext()

    def _add(self, spec: LayerSpec) -> None:
        layer = make_layer(spec)
        # below the first of ours that is drawn later; where the person has moved layers, that stays
        above = {lay for key, lay in self._layers.items() if self._orders[key] > spec.order}
        at = next((i for i, lay in enumerate(self.viewer.layers) if lay in above), len(self.viewer.layers))
        self.viewer.layers.insert(at, layer)
        self._layers[spec.key], self._orders[spec.key] = layer, spec.order

    def _remove(self, key: Key) -> None:
        layer = self._layers.pop(key, None)
        if layer is not None and layer in self.viewer.layers:
            if hasattr(layer, "selected_data"):
                layer.selected_data = set()  # selected points in a removed layer bring napari down
            self.viewer.layers.remove(layer)

    def _forget_deleted(self) -> None:
        for key in [k for k, layer in self._layers.items() if layer not in self.viewer.layers]:
            del self._layers[key]
            self._deleted.add(key)


def _renamed(key: Key, names: Mapping[str, str]) -> Key:
    return replace(key, element=names.get(key.element, key.element))
