"""The mouse and the keys of a napari viewer, handed to the tool in use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from ..errors import BadInput, SpatialMLError
from .brush import Brush
from .canvas import Canvas
from .cell_brush import Erase, Paint
from .cell_tools import CellTool
from .domain_tools import DomainBrush, DomainFill, DomainLasso, DomainPolygon
from .draw_region import DrawRegion
from .drawing import Draw
from .edit_region import EditRegion
from .hand import Hand
from .landmark_tool import Landmark
from .mending import Redraw
from .picking import Accept, Choose, Delete, Merge
from .pin_tool import Pin
from .presets import PRESETS
from .proportion_tools import ProportionBrush, ProportionLasso, ProportionPolygon
from .selecting import Select, SelectPolygon
from .shaping import Expand, FillHoles, Grow, Shrink, Smooth
from .specs import LabelsSpec
from .splitting import Split
from .tools import Pointer, Tool

__all__ = ["Gestures", "tool_named"]

_TOOLS: dict[str, type[Any]] = {
    "choose": Choose,
    "draw": Draw,
    "redraw": Redraw,
    "paint": Paint,
    "erase": Erase,
    "delete": Delete,
    "merge": Merge,
    "split": Split,
    "grow": Grow,
    "shrink": Shrink,
    "smooth": Smooth,
    "fill": FillHoles,
    "expand": Expand,
    "accept": Accept,
    "brush": Brush,
    "landmark": Landmark,
    "pin": Pin,
    "region": DrawRegion,
    "region-edit": EditRegion,
    "select": Select,
    "select-polygon": SelectPolygon,
    "proportions": ProportionBrush,
    "proportions-lasso": ProportionLasso,
    "proportions-polygon": ProportionPolygon,
    "domain-brush": DomainBrush,
    "domain-lasso": DomainLasso,
    "domain-polygon": DomainPolygon,
    "domain-fill": DomainFill,
}
_KEYS = {
    "Control-Z": "undo",
    "Control-Shift-Z": "redo",
    "Control-Y": "redo",
    "Escape": "cancel",
    "Delete": "delete",
}
_PAN = "Space"
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
    hand: Hand
    canvas: Canvas
    tool: str

    @property
    def current(self) -> Tool | None: ...
    def tell(self, level: str, sentence: str) -> None: ...
    def flush(self) -> None: ...
    def cancel(self) -> None: ...
    def flush_painted(self) -> None: ...
    def settled(self) -> None: ...
    def take(self, tool: str) -> None: ...
    def act(self, name: str) -> None: ...


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
        self.guest: Tool | None = None
        """A tool that has taken a gesture from the one in the hand."""
        self._listening = self._space = False
        self._bound: dict[str, Any] = {}
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
            viewer.bind_key(_PAN, self._pan, overwrite=True)
        elif not tool and self._set_aside is not None:
            before, self._set_aside = self._set_aside, None
            drags[:] = [*before[0], self.drag]
            doubles[:] = before[1]
            viewer.bind_key(_PAN, None)
        self.guest = None
        viewer.scene.camera.mouse_pan = self._pans()
        self.bind()

    def _pans(self) -> bool:
        return self._space or self._owner.current is None or self._owner.current.pans

    def listen(self, on: bool) -> None:
        """Take the keys of the tools also while none of them is in the hand."""
        self._listening = on
        self.bind()

    def bind(self) -> None:
        """Give the keys of the preset to the tools while cells are corrected; else leave them to napari."""
        wanted = isinstance(self._owner.current, CellTool) or self._listening
        keys = self._preset_keys() if wanted else {}
        if self._owner.current is not None and not wanted:
            keys = {"Enter": self._key("enter"), "Alt-Enter": self._key("enter")}
        labels = [layer for spec, layer in self._owner.canvas.layers() if isinstance(spec, LabelsSpec)]
        for bound in (self._owner.viewer, *labels):
            for key in self._bound.keys() - keys.keys():
                ours = _KEYS.get(key) if bound is self._owner.viewer or key == "Escape" else None
                bound.bind_key(key, None if ours is None else self._key(ours), overwrite=True)
            for key, call in keys.items():
                bound.bind_key(key, call, overwrite=True)
        self._bound = keys

    def _preset_keys(self) -> dict[str, Any]:
        preset, owner = PRESETS[self._owner.hand.preset], self._owner
        tools = {key: _calling(owner.take, name) for name, keys in preset.tools.items() for key in keys}
        return tools | {key: _calling(owner.act, name) for name, keys in preset.acts.items() for key in keys}

    def _pan(self, viewer: Any) -> Iterator[None]:
        """While the space bar is held, the mouse moves the view."""
        from napari.components._viewer_key_bindings import hold_for_pan_zoom

        brush = hold_for_pan_zoom(viewer)  # it lays napari's brush aside
        next(brush, None)
        self._space, viewer.scene.camera.mouse_pan = True, True
        yield
        next(brush, None)
        self._space = False
        viewer.scene.camera.mouse_pan = self._pans()

    def double(self, viewer: Any, event: Any) -> None:
        """Take the second of two quick clicks, which comes without a press, for a click."""
        tool = self.guest or self._owner.current
        if tool is not None:
            self._try(tool.double, event)
            self._leave_guest(event)

    def watch(self, layer: Any) -> None:
        """Take the keys of correcting on a labels layer too: napari would erase with E, and keep Escape."""
        layer.bind_key(CORRECT_KEY, self._key("toggle_correcting"), overwrite=True)
        layer.bind_key("Escape", self._escaped, overwrite=True)
        for key, call in self._bound.items():
            layer.bind_key(key, call, overwrite=True)

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
        for key in (*_KEYS, *self._bound, CORRECT_KEY):
            viewer.bind_key(key, None, overwrite=True)
        viewer.layers.selection.events.active.disconnect(self._keep_still)

    def drag(self, viewer: Any, event: Any) -> Iterator[None]:
        """Hand a press, its moves and its release to the tool."""
        tool = self._taker(event)
        if tool is None:
            return
        self.dragging, camera = True, viewer.scene.camera
        zooms, camera.mouse_zoom = camera.mouse_zoom, event.button != 2 and camera.mouse_zoom
        try:
            self._try(tool.press, event)
            yield
            while event.type == "mouse_move":
                self._try(tool.move, event)
                yield
        finally:
            self.dragging = False
            camera.mouse_zoom = zooms
        self._try(tool.release, event)
        self._leave_guest(event)
        self._owner.settled()

    def _taker(self, event: Any) -> Tool | None:
        """Return the tool that takes a press: a guest, the tool in the hand, or none."""
        tool, held = self._owner.current, _pointer(event).modifiers
        if tool is None or self.guest is not None or self._space:
            return None if self._space else self.guest
        other = PRESETS[self._owner.hand.preset].tool_for(event.button, held, self._owner.tool)
        if other and other != self._owner.tool and not (tool.begun and not tool.pans):
            if self._owner.tool in ("paint", "erase"):
                return tool  # napari's brush does both
            self.guest = _TOOLS[other](self._owner, getattr(tool, "labels", ""))
            self.guest.chosen = list(getattr(tool, "chosen", ()))
            return self.guest
        return tool if event.button == 1 else None

    def _leave_guest(self, event: Any) -> None:
        """Give the mouse back to the tool in the hand, once the guest's gesture is over."""
        tool = self._owner.current
        if self.guest is not None and not self.guest.begun:
            self.guest = None
            if tool is not None:
                self._try(tool.after_other, event)

    def hover(self, viewer: Any, event: Any) -> None:
        """Hand a move without a button to the tool, and bring in what was painted by other means."""
        self._owner.flush_painted()
        tool = self.guest or self._owner.current
        if tool is not None and not self.dragging:
            self._try(tool.hover, event)
            self._leave_guest(event)

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
            self._owner.viewer.scene.camera.mouse_pan = self._pans()


def _calling(call: Any, name: str) -> Any:
    def pressed(bound: Any) -> None:
        call(name)

    return pressed


def _pointer(event: Any) -> Pointer:
    at = np.asarray(event.position, dtype=float)[-2:]
    return Pointer(at, tuple(str(getattr(m, "name", m)) for m in event.modifiers), int(event.button or 0))
