"""The presenter: it shows a session's document in a viewer, and turns gestures into commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, ClassVar

from psygnal import Signal

from ..errors import SpatialMLError
from ..session import Session
from ..session.changes import EditLabels, Slot
from ..session.corrections import correct
from ..session.planes import split_plane, stack_name
from ..session.session import Entry
from .annotation_specs import keep_width
from .cell_tools import CellTool
from .correcting import Correcting, outside_view
from .gestures import Gestures, tool_named
from .hand import Hand
from .keyed import act
from .marks import Marks
from .overlay import Overlay
from .presets import PRESETS
from .selected import SelectedRows
from .shown import Shown
from .specs import LabelsSpec
from .strokes import Buffer, Painting
from .tools import Tool
from .uncertain import Flash

__all__ = ["Presenter"]

_SHARED = {f.name for f in fields(Hand)} - {"labels"}


class Presenter(Shown):
    """Shows the document of a session in a napari viewer. Whoever makes it must keep it.

    Parameters
    ----------
    viewer
        A napari viewer or its model.
    session
        The session.
    later
        Calls a function one turn of the event loop later. Without it, painting by napari's own
        buttons reaches the document when the mouse button comes up or the mouse moves on.
    after
        Calls a function some milliseconds later. Without it, the last preview of a gesture may lag.
    """

    tool_changed: ClassVar[Signal] = Signal(str)
    """Emitted with the name of the tool, "" for none."""
    hint_changed: ClassVar[Signal] = Signal(str)
    """Emitted with one sentence: what to do with the mouse now."""
    rows_taken: ClassVar[Signal] = Signal(str, object)
    """Emitted with a table and the rows (k,) of it that a gesture has taken for a correction."""
    pointed: ClassVar[Signal] = Signal(object)
    """Emitted with what lies under the mouse, a `pointed.Pointed` or None, whenever it is something else."""

    def __init__(
        self,
        viewer: Any,
        session: Session,
        later: Callable[[Callable[[], None]], Any] | None = None,
        after: Callable[[int, Callable[[], None]], Any] | None = None,
    ) -> None:
        super().__init__(viewer, session)
        self.after, self.hand, self.marks, self.overlay = after, Hand(), Marks(viewer), Overlay(self)
        self.tool, self.hint, self._last = "", "", ""
        self.selected, self.flash = SelectedRows(self), Flash(viewer, after)
        self._tool: Tool | None = None
        self._options: dict[str, Any] = {}
        self._closed = False
        self._gestures = Gestures(self)
        self._painting = Painting(self, later, self._gestures.after_paint)
        self._correcting = Correcting(self, later)
        for moved in self._moves():
            moved.connect(self._correcting.follow_view)
        viewer.scene.camera.events.zoom.connect(self._keep_width)
        session.changed.connect(self._on_changed)
        self.selected.changed.connect(self._on_selected)

    # what is shown -----------------------------------------------------------------------------

    def _first_shown(self) -> None:
        super()._first_shown()
        self._correcting.survey()

    def _refresh(self, *, again: bool) -> None:
        super()._refresh(again=again)
        self._keep_width()
        self._painting.watch()
        for spec, layer in self.canvas.layers():
            if isinstance(spec, LabelsSpec):
                self._gestures.watch(layer)

    def _keep_width(self, event: Any = None) -> None:
        keep_width(self.canvas, float(self.viewer.scene.camera.zoom))
        if event is not None and self._tool is not None:
            self._tool.zoomed()

    def _on_changed(self, slots: frozenset[Slot]) -> None:
        touched = {slot[1] for slot in slots if slot[0] == "labels" and len(slot) > 1}
        self._painting.follow(touched)
        self.selected.follow(slots)
        if self._shown:
            self._refresh(again=False)
            self.state_changed.emit()
        if self._tool is not None and not self._tool.alive:
            self.use("")
        elif self._tool is not None:
            (self._gestures.guest or self._tool).refresh()

    def _on_selected(self) -> None:
        """Draw the selection: the docks that show it listen themselves."""
        self.state = replace(self.state, selected=self.selected.now, limit=self.selected.limit)
        if self._shown:
            self._refresh(again=False)

    def to_plane(self, plane: int) -> None:
        """Show another plane of the stacks; the tool in the hand goes on there."""
        self.flush()
        before = {stack_name(n): n for t in ("images", "labels") for n in self.document.names(t)}
        self.document.view_plane(plane)
        after = {stack_name(n): n for t in ("images", "labels") for n in self.document.names(t)}
        names = {before[n]: after[n] for n in before if before[n] != after[n]}
        if not names:
            return
        tool, options = self.tool, self._options
        self.use("")
        self.canvas.rename(names)
        self._painting.rename(names)
        self.state = self.state.renamed(names)
        self.show()
        if tool:
            self.use(tool, **{k: names.get(v, v) if isinstance(v, str) else v for k, v in options.items()})

    # tools -------------------------------------------------------------------------------------

    @property
    def selected_cells(self) -> tuple[int, ...]:
        """The cells that are chosen for merging."""
        return tuple(getattr(self._tool, "chosen", ()))

    def use(self, tool: str, **options: Any) -> None:
        """Take up a tool; "" puts it down.

        Parameters
        ----------
        tool
            "choose", "draw", "paint", "erase", "delete", "merge", "split", "grow", "shrink", "smooth",
            "fill", "expand", "accept" (cells), "brush" (spots, pixels or cells into a category),
            "landmark", "region", "region-edit" (annotations), "proportions", "proportions-lasso",
            "proportions-polygon" (spots for a correction of their proportions), "domain-brush",
            "domain-lasso", "domain-polygon", "domain-fill" (strokes on a map of domains), or "".
        **options
            As the tool takes them: ``labels``, and for cells what is in the `Hand`; ``table``,
            ``column``, ``value`` and ``radius_um``; ``landmarks``.
        """
        self.flush()
        before = self._tool
        self._tool = None
        if before is not None:
            before.stop()
        self.marks.remove()
        self._options = options
        self._take_up(tool, options)
        if getattr(self._tool, "labels", "") != self._correcting.labels:
            self._correcting.end()
        self._gestures.take_over(self._tool is not None)
        self.tool_changed.emit(self.tool)

    def _take_up(self, tool: str, options: dict[str, Any]) -> None:
        self.tool = ""
        if tool:
            try:
                taken = tool_named(tool)(self, **self._taken_in_hand(tool, options))
                self.say(taken.hint)
                taken.start()
                self._tool, self.tool = taken, tool
                if isinstance(taken, CellTool):
                    self._last = tool
                    self.hand = replace(self.hand, labels=getattr(taken, "output", taken.labels))
            except SpatialMLError as error:
                self.tell("warning", str(error))
        if not self.tool:
            self.say("")

    @property
    def current(self) -> Tool | None:
        """The tool in use."""
        return self._tool

    def cancel(self) -> None:
        """Forget the gesture that was begun; where none was, leave the correcting of large labels."""
        if self._tool is None:
            return
        if self._gestures.guest is not None:
            self._gestures.guest.cancel()
            self._gestures.guest = None
            self._tool.refresh()
            return
        begun = self._tool.begun
        self._tool.cancel()
        if self._correcting.labels and not begun:
            self.use("")

    def enter(self) -> None:
        """End the gesture that was begun."""
        if self._tool is not None:
            self._tool.enter()

    def delete(self) -> None:
        """Take away what lies under the mouse, with the tool in use."""
        if self._tool is not None:
            try:
                (self._gestures.guest or self._tool).delete()
            except SpatialMLError as error:
                self.tell("error", str(error))

    def hold(self, **changes: Any) -> None:
        """Choose what the tools on cells share, see `Hand`; the tool in use follows."""
        before, self.hand = self.hand, replace(self.hand, **changes)
        if self.hand == before:
            return
        if self.hand.preset != before.preset:
            self._gestures.bind()
        if isinstance(self._tool, CellTool):
            again = self.hand.labels != before.labels or self.hand.preset != before.preset
            if again or (self.tool == "expand" and self.hand.nuclei != before.nuclei):
                self.use(self.tool, labels=self.hand.labels)
                return
            self._tool.held()
        self.tool_changed.emit(self.tool)

    def take(self, tool: str) -> None:
        """Take up a tool by its key; one that is in the hand already may do so in its next way."""
        if tool == self.tool and self._tool is not None:
            self._tool.again()
        else:
            self.use(tool)

    def act(self, name: str) -> None:
        """Do what a key does at once: see `presets.Preset`."""
        try:
            act(self, name, self._gestures.guest or self._tool)
        except SpatialMLError as error:
            self.tell("error", str(error))

    def listen(self, on: bool) -> None:
        """Take the keys of the tools on cells also while none of them is in the hand."""
        self._gestures.listen(on)

    def correct(self, name: str, /, **arguments: Any) -> bool:
        """Make and execute a correction; tell the person where it cannot be made."""
        try:
            self.session.execute(correct(self.document, name, **arguments))
        except SpatialMLError as error:
            self.tell("error", str(error))
            return False
        return True

    def undo(self, *_: Any) -> None:
        """Take back the last step of the session."""
        self._step(self.session.undo, "Undone")

    def redo(self, *_: Any) -> None:
        """Do the last undone step of the session again."""
        self._step(self.session.redo, "Done again")

    def _step(self, step: Callable[[], str], word: str) -> None:
        self.flush()
        at = self.session.position - (1 if word == "Undone" else 0)
        where = self._whereabouts(self.session.history[at]) if 0 <= at < len(self.session.history) else ""
        try:
            label = step()
        except SpatialMLError as error:
            self.tell("error", str(error))
            return
        if label:
            self.tell("info", f"{word}: {label}{where}.")

    def _whereabouts(self, entry: Entry) -> str:
        """Return where a change of labels lies that cannot be seen now; "" where it is in view."""
        for change in entry.command.changes:
            if not isinstance(change, EditLabels):
                continue
            plane = split_plane(change.name)[1]
            if plane is not None and change.name not in self.document.names("labels"):
                return f", in plane {plane + 1}"
            if change.name in self.document.names("labels"):
                return outside_view(self.viewer, self, change)
        return ""

    def say(self, hint: str) -> None:
        """Say what to do with the mouse now."""
        if hint != self.hint:
            self.hint = hint
            self.hint_changed.emit(hint)

    # painting ----------------------------------------------------------------------------------

    def flush(self) -> None:
        """Bring what was painted into the document: one command a layer, none where nothing was painted."""
        self._painting.flush()

    def flush_painted(self) -> None:
        """Bring in what was painted since the last time, unless the button is still down."""
        if not self._gestures.dragging:
            self._painting.flush_if_painted()

    # large labels ------------------------------------------------------------------------------

    def toggle_correcting(self) -> None:
        """Begin to correct the cells of the active layer, with the tool that was last in the hand; or leave."""
        if isinstance(self._tool, CellTool):
            self.use("")
        else:
            self.use(self._last or PRESETS[self.hand.preset].first)

    def _taken_in_hand(self, tool: str, options: dict[str, Any]) -> dict[str, Any]:
        """Keep in the hand what all tools on cells share; return the options that are left for the tool."""
        shared = {k: v for k, v in options.items() if k in _SHARED}
        if not issubclass(tool_named(tool), CellTool):
            return options
        self.hand = replace(self.hand, **shared)
        return {k: v for k, v in options.items() if k not in shared}

    def correct_in_view(self, labels: str) -> None:
        """Make what is in view of labels an array that can be painted, where all of them are too large."""
        self._correcting.begin(labels)

    def buffer_of(self, labels: str) -> Buffer | None:
        """Return the array in memory on which labels are painted, or None."""
        return self._painting.buffer(labels)

    @property
    def cannot_paint(self) -> str:
        """Why the cells in hand cannot be painted at this zoom; "" where they can."""
        return self._correcting.sentence

    @property
    def busy(self) -> bool:
        """Whether the mouse is in the middle of a gesture."""
        return self._gestures.dragging

    def window_moved(self) -> None:
        """Show the window of large labels where it is now."""
        if self._shown:
            self._refresh(again=False)
        if self._tool is not None:
            self._tool.refresh()

    def settled(self) -> None:
        """A gesture is over: the window may follow the view."""
        if not self._painting.painted:
            self._correcting.follow_view()

    def _moves(self) -> tuple[Any, ...]:
        camera = self.viewer.scene.camera.events
        return camera.center, camera.zoom, self.viewer.canvas.events.size

    def close(self) -> None:
        """Take our layers and callbacks away."""
        if self._closed:
            return
        self._closed = True
        self.use("")
        self.session.changed.disconnect(self._on_changed)
        for moved in self._moves():
            moved.disconnect(self._correcting.follow_view)
        self.viewer.scene.camera.events.zoom.disconnect(self._keep_width)
        self._correcting.close()
        self.overlay.hide()
        self.flash.stop()
        self._gestures.disconnect()
        self.canvas.clear()
