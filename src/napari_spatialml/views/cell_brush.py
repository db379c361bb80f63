"""Painting and erasing cells with napari's brush."""

from __future__ import annotations

from typing import Any

from ..errors import BadInput
from .cell_tools import CellTool
from .presets import PRESETS, Preset
from .tools import Pointer, Stage

__all__ = ["Erase", "Paint"]


class Paint(CellTool):
    """Paint with napari's brush: from a cell it grows, from background it is a new cell.

    Parameters
    ----------
    stage
        The presenter.
    labels
        The labels that are corrected.
    cell
        The cell that is painted; None for the one under the mouse, else a new one.
    overwrite
        Whether other cells lose what is painted over.
    """

    mode = "paint"
    hint = "Drag from inside a cell to enlarge it, or from background to paint a new cell."

    def __init__(self, stage: Stage, labels: str = "", cell: int | None = None, overwrite: bool = False) -> None:
        super().__init__(stage, labels)
        self.cell, self.overwrite = cell, overwrite
        self.layer: Any = None

    @property
    def size_um(self) -> float:
        """The diameter of the brush in µm."""
        return self.stage.hand.size_um

    @property
    def _preset(self) -> Preset:
        return PRESETS[self.stage.hand.preset]

    def start(self) -> None:
        super().start()
        self._arm()

    def stop(self) -> None:
        super().stop()
        if self.layer is not None and self.layer in self.stage.viewer.layers:
            self.layer.mode = "pan_zoom"

    def held(self) -> None:
        if self.layer is not None:
            self.layer.brush_size = self._pixels()

    def refresh(self) -> None:
        if self.stage.canvas.painted_of(self.labels) is not self.layer:
            self._arm()  # the labels were replaced, or the window moved, and so did their layer

    def press(self, at: Pointer) -> None:
        # runs before napari's own brush, which then paints with this label
        if self.layer is None:
            self.stage.tell("warning", self.stage.cannot_paint)
        elif self._preset.tool_for(at.button, at.modifiers, self.mode) == "erase":
            self.layer.preserve_labels, self.layer.selected_label = False, 0
        elif self.mode == "paint":
            wanted = self.cell or self.cell_at(at) or self.stage.document.grid(self.labels).maximum() + 1
            self.layer.preserve_labels = not self.overwrite
            self.layer.selected_label = wanted

    def release(self, at: Pointer) -> None:
        if self.layer is not None and self.layer.brush_size != self._pixels():  # by napari's own keys [ and ]
            self.stage.hold(size_um=self.layer.brush_size * self.edge_um)

    def _arm(self) -> None:
        """Take napari's brush in the hand; where too much is in view, wait until the person has zoomed in."""
        self.layer = self._editable()
        self.stage.say(self.stage.cannot_paint or self.hint)
        if self.layer is None:
            return
        self.stage.viewer.layers.selection.active = self.layer
        self.layer.visible = True
        self.layer.preserve_labels = not self.overwrite and self.mode == "paint"
        self.layer.brush_size = self._pixels()
        self.layer.mode = self.mode
        if any(g.held == "Alt" for g in self._preset.gestures):
            # with Alt, napari would change the brush's size
            moves = self.layer.mouse_move_callbacks
            moves[:] = [call for call in moves if type(call).__name__ != "BrushSizeOnMouseMove"]

    def _pixels(self) -> int:
        return max(1, round(self.size_um / self.edge_um))

    def _editable(self) -> Any:
        if self.stage.canvas.layer_of(self.labels) is None:
            raise BadInput(f"'{self.labels}' is not shown.", "Show it first.")
        layer = self.stage.canvas.painted_of(self.labels)
        if layer is None and not self.stage.cannot_paint:
            raise BadInput(f"'{self.labels}' has a label for every pixel, and no cells.", "Choose labels of cells.")
        return layer


class Erase(Paint):
    """Erase with napari's brush."""

    mode = "erase"
    hint = "Drag over cells to erase them."
