"""The mouse and the keys of a napari viewer, handed to the tool in use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from ..errors import BadInput, SpatialMLError
from .annotate import DrawRegion, EditRegion
from .brush import Brush
from .cell_tools import Delete, Draw, Erase, Merge, Paint, Split
from .landmark_tool import Landmark
from .tools import Pointer, Tool

__all__ = ["Gestures", "tool_named"]

_TOOLS: dict[str, type[Any]] = {
    "paint": Paint,
    "erase": Erase,
    "merge": Merge,
    "delete": Delete,
    "split": Split,
    "draw": Draw,
    "brush": Brush,
    "landmark": Landmark,
    "region": DrawRegion,
    "region-edit": EditRegion,
}
_KEYS = {
    "Control-Z": "undo",
    "Control-Shift-Z": "redo",
    "Control-Y": "redo",
    "Escape": "cancel",
    "Delete": "delete",
    "Enter": "enter",
}
CORRECT_KEY = "E"


def tool_named(name: str) -> type[Any]:
    """Return the class of a tool.

    Raises
    ------
    BadInput
        When there is no such tool.
    """
    if name not in _TOOLS:
        raise BadInput(f"There is no tool '{name}'.", f"Choose one of {', '.join(_TOOLS)}.")
    return _TOOLS[name]


class Owner(Protocol):
    """What gestures need of the presenter."""

    viewer: Any

    @property
    def current(self) -> Tool | None: ...
    def tell(self, level: str, sentence: str) -> None: ...
    def flush(self) -> None: ...
    def cancel(self) -> None: ...
    def flush_painted(self) -> None: ...
    def settled(self) -> None: ...


class Gestures:
    """Connects a viewer's mouse and keys to the tool in use.

    Parameters
    ----------
    owner
        The presenter.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self.dragging = False
        self._set_aside: tuple[list[Any], list[Any]] | None = None
        viewer = owner.viewer
        viewer.mouse_drag_callbacks.append(self.drag)
        viewer.mouse_move_callbacks.append(self.hover)
        for key, name in _KEYS.items():
            viewer.bind_key(key, self._key(name), overwrite=True)
        viewer.bind_key(CORRECT_KEY, self._key("toggle_correcting"), overwrite=True)
        viewer.layers.selection.events.active.connect(self._keep_still)

    def take_over(self, tool: bool) -> None:
        """Give the mouse to a tool, or back to the view: no panning, no zooming by Alt or a double click."""
        viewer = self._owner.viewer
        drags, doubles = viewer.mouse_drag_callbacks, viewer.mouse_double_click_callbacks
        if tool and self._set_aside is None:
            self._set_aside = ([c for c in drags if c != self.drag], list(doubles))
            drags[:] = [self.drag]
            doubles[:] = [self.double]
        elif not tool and self._set_aside is not None:
            before, self._set_aside = self._set_aside, None
            drags[:] = [*before[0], self.drag]
            doubles[:] = before[1]
        viewer.scene.camera.mouse_pan = not tool

    def double(self, viewer: Any, event: Any) -> None:
        """Take the second of two quick clicks, which comes without a press, for a click."""
        tool = self._owner.current
        if tool is not None:
            self._try(tool.press, event)
            self._try(tool.release, event)

    def watch(self, layer: Any) -> None:
        """Take the keys of correcting on a labels layer too: napari would erase with E, and keep Escape."""
        layer.bind_key(CORRECT_KEY, self._key("toggle_correcting"), overwrite=True)
        layer.bind_key("Escape", self._escaped, overwrite=True)

    def _escaped(self, layer: Any) -> None:
        if self._owner.current is None:
            from napari.layers.labels._labels_key_bindings import reset_polygon

            reset_polygon(layer)
        else:
            self._owner.cancel()

    def disconnect(self) -> None:
        """Let go of the viewer."""
        self.take_over(False)
        viewer = self._owner.viewer
        viewer.mouse_drag_callbacks.remove(self.drag)
        viewer.mouse_move_callbacks.remove(self.hover)
        for key in (*_KEYS, CORRECT_KEY):
            viewer.bind_key(key, None, overwrite=True)
        viewer.layers.selection.events.active.disconnect(self._keep_still)

    def drag(self, viewer: Any, event: Any) -> Iterator[None]:
        """Hand a press, its moves and its release to the tool."""
        tool = self._owner.current
        if tool is None or event.button != 1:
            return
        self.dragging = True
        try:
            self._try(tool.press, event)
            yield
            while event.type == "mouse_move":
                self._try(tool.move, event)
                yield
        finally:
            self.dragging = False
        self._try(tool.release, event)
        self._owner.settled()

    def hover(self, viewer: Any, event: Any) -> None:
        """Hand a move without a button to the tool, and bring in what was painted by other means."""
        self._owner.flush_painted()
        tool = self._owner.current
        if tool is not None and not self.dragging:
            self._try(tool.hover, event)

    def after_paint(self, layer: Any, event: Any) -> Iterator[None]:
        """Bring what was painted on a layer into the document, when the button comes up."""
        self.dragging = True
        try:
            yield
            while event.type == "mouse_move":
                yield
        finally:
            self.dragging = False
        self._owner.flush()
        self._owner.settled()

    def _try(self, act: Any, event: Any) -> None:
        try:
            act(_pointer(event))
        except SpatialMLError as error:
            self._owner.tell("error", str(error))

    def _key(self, name: str) -> Any:
        def pressed(viewer: Any) -> None:
            getattr(self._owner, name)()

        return pressed

    def _keep_still(self, event: Any = None) -> None:
        """A layer that becomes active hands the mouse back to the camera; a tool needs it."""
        if self._owner.current is not None:
            self._owner.viewer.scene.camera.mouse_pan = False


def _pointer(event: Any) -> Pointer:
    return Pointer(np.asarray(event.position, dtype=float)[-2:], tuple(str(m) for m in event.modifiers))
