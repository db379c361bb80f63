"""From what was painted on a napari layer to a command, and from the document back to the layer.

napari says when something was painted, never what. So the layer is compared with the document.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

import numpy as np

from ..core.patch import Patch, Window, diff
from ..session import Document
from ..session.corrections import packed
from .canvas import Canvas
from .specs import LabelsSpec

__all__ = ["Buffer", "Painting"]


class Buffer:
    """An array in memory that is painted on: a window of a labels element in a napari Labels layer.

    Parameters
    ----------
    labels
        The element.
    layer
        The napari layer; its data are the window's pixels.
    offset
        (y, x) of the window in the element.
    """

    def __init__(self, labels: str, layer: Any, offset: tuple[int, int] = (0, 0)) -> None:
        self.labels, self.layer, self.offset = labels, layer, offset
        self._known: tuple[Any, ...] = ()
        self._held: Any = None
        self._moment = 0

    def shows(self, window: Window) -> bool:
        """Whether all of a window of the element is on the layer."""
        (y, x), (h, w) = self.offset, self.layer.data.shape
        return y <= window[0] and window[1] <= y + h and x <= window[2] and window[3] <= x + w

    def news(self, document: Document) -> tuple[Window, ...] | None:
        """Return what was written since the layer was last compared; None where everything may be new."""
        grid = document.grid(self.labels)
        return grid.written_since(self._moment) if self._known == self._key(grid) else None

    def stroke(self, document: Document) -> Patch | None:
        """Return what the layer holds that the document does not, or None."""
        if self.labels not in document.names("labels"):
            return None
        held = self._now(document)
        painted = np.asarray(self.layer.data)
        if held.shape != painted.shape:
            return None  # the element was replaced by one of another size, and so will be the layer
        return diff(held, painted, self.offset)

    def sync(self, document: Document) -> bool:
        """Make the layer show the document; return whether it did not before."""
        patch = self.stroke(document)
        if patch is None:
            return False
        rows, columns = np.nonzero(patch.old != patch.new)
        at = (rows + patch.offset[0] - self.offset[0], columns + patch.offset[1] - self.offset[1])
        # napari then redraws these pixels only, not the whole layer
        self.layer.data_setitem(at, patch.old[rows, columns])
        return True

    def follow(self, document: Document) -> None:
        """Make the layer show what was written since it was last compared; what is being painted stays."""
        news = self.news(document)
        if news is None:
            self.sync(document)
            return
        held, (y, x), (h, w) = self._now(document), self.offset, self.layer.data.shape
        for y0, y1, x0, x1 in news:
            y0, y1, x0, x1 = max(y0 - y, 0), min(y1 - y, h), max(x0 - x, 0), min(x1 - x, w)
            if y1 > y0 and x1 > x0:
                rows, columns = np.nonzero(held[y0:y1, x0:x1] != self.layer.data[y0:y1, x0:x1])
                if rows.size:
                    self.layer.data_setitem((rows + y0, columns + x0), held[rows + y0, columns + x0])

    def _key(self, grid: Any) -> tuple[Any, ...]:
        return grid, self.offset, self.layer.data.shape

    def _now(self, document: Document) -> Any:
        """Return what the document holds where the layer is; only what was written meanwhile is read again."""
        grid, (y, x), (h, w) = document.grid(self.labels), self.offset, self.layer.data.shape
        news = self.news(document)
        if news is None:
            self._held, self._known = grid.read((y, y + h, x, x + w)), self._key(grid)
        for y0, y1, x0, x1 in news or ():
            y0, y1, x0, x1 = max(y0, y), min(y1, y + h), max(x0, x), min(x1, x + w)
            if y1 > y0 and x1 > x0:
                self._held[y0 - y : y1 - y, x0 - x : x1 - x] = grid.read((y0, y1, x0, x1))
        self._moment = grid.moment
        return self._held


class Owner(Protocol):
    """What painting needs of the presenter."""

    canvas: Canvas

    @property
    def document(self) -> Document: ...
    def correct(self, name: str, /, **arguments: Any) -> bool: ...
    def flush_painted(self) -> None: ...
    def undo(self, *_: Any) -> None: ...
    def redo(self, *_: Any) -> None: ...


class Painting:
    """Watches every labels layer that can be painted, also by napari's own buttons.

    Parameters
    ----------
    owner
        The presenter.
    later
        Calls a function one turn of the event loop later; None where there is no loop.
    after_paint
        A drag callback for the layers, which flushes when the mouse button comes up.
    """

    def __init__(self, owner: Owner, later: Callable[[Callable[[], None]], Any] | None, after_paint: Any) -> None:
        self._owner, self._later, self._after_paint = owner, later, after_paint
        self._buffers: dict[str, Buffer] = {}
        self._painted = self._busy = False

    def watch(self) -> None:
        """Look for labels layers that came or went."""
        painted = {name: (layer, offset) for name, layer, offset in self._owner.canvas.painted()}
        for name in [n for n, b in self._buffers.items() if painted.get(n, (None,))[0] is not b.layer]:
            del self._buffers[name]
        for name, (layer, offset) in painted.items():
            if name in self._buffers:
                self._buffers[name].offset = offset
            else:
                self._buffers[name] = Buffer(name, layer, offset)
                layer.events.paint.connect(self._on_paint)
                layer.mouse_drag_callbacks.append(self._after_paint)
                # napari's own history of the layer would go behind the session's back
                layer.undo, layer.redo = self._owner.undo, self._owner.redo

    def rename(self, names: Mapping[str, str]) -> None:
        """Let the layers of labels be those of others, as of another plane of a stack."""
        self._buffers = {names.get(n, n): b for n, b in self._buffers.items()}
        for name, buffer in self._buffers.items():
            buffer.labels = name

    def follow(self, touched: Collection[str]) -> None:
        """Make the layers of labels show what the document holds now."""
        covered: set[str] = set()
        for name, buffer in self._buffers.items():
            if name in touched and name in self._owner.document.names("labels"):
                news = buffer.news(self._owner.document)
                if news is not None and all(map(buffer.shows, news)):
                    covered.add(name)  # the cells below the window have a hole there
                buffer.follow(self._owner.document)
        for spec, layer in self._owner.canvas.layers():
            name = spec.key.element
            if name in touched and spec.live and not (isinstance(spec, LabelsSpec) and name in covered):
                layer.refresh(extent=False)  # it reads the document's pixels in view when it is drawn

    def buffer(self, labels: str) -> Buffer | None:
        """Return where labels are painted, or None."""
        return self._buffers.get(labels)

    @property
    def painted(self) -> bool:
        """Whether napari has said that something was painted that is not in the document yet."""
        return self._painted

    def flush(self) -> None:
        """Bring what was painted into the document, one command a layer."""
        self._painted = False
        if self._busy:
            return
        self._busy = True
        try:
            for buffer in list(self._buffers.values()):
                self._flush(buffer)
        finally:
            self._busy = False

    def flush_if_painted(self) -> None:
        """Flush where napari has said that something was painted."""
        if self._painted:
            self.flush()

    def _flush(self, buffer: Buffer) -> None:
        patch = buffer.stroke(self._owner.document)
        if patch is None:
            return
        arguments = {"labels": buffer.labels, "offset": list(patch.offset), "values": packed(patch.new)}
        if not self._owner.correct("paint-labels", **arguments):
            buffer.sync(self._owner.document)

    def _on_paint(self, event: Any = None) -> None:
        if self._painted or self._busy:
            return
        self._painted = True
        if self._later is not None:
            self._later(self._owner.flush_painted)
