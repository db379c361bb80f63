"""What a key does at once while cells are corrected."""

from __future__ import annotations

from typing import Any

from .cell_tools import CellTool, cell_labels
from .specs import LabelsSpec
from .tools import Stage, Tool

__all__ = ["act"]

_STEP = 1.25


def act(stage: Stage, name: str, tool: Tool | None) -> None:
    """Do what a key of a preset does at once.

    Parameters
    ----------
    stage
        The presenter.
    name
        "grow", "shrink", "finish", "take-away", "smaller", "larger", "hide" or "outlines".
    tool
        The tool in the hand, if any.
    """
    if name == "finish" and tool is not None:
        tool.finish()
    elif name == "take-away" and tool is not None:
        tool.delete()
    elif name in ("grow", "shrink") and isinstance(tool, CellTool):
        tool.resize(1 if name == "grow" else -1)
    elif name in ("smaller", "larger"):
        stage.hold(size_um=stage.hand.size_um * (_STEP if name == "larger" else 1 / _STEP))
    elif name in ("hide", "outlines"):
        for layer in _layers(stage, tool.labels if isinstance(tool, CellTool) else cell_labels(stage)):
            if name == "hide":
                layer.visible = not layer.visible
            else:
                layer.contour = 0 if layer.contour else 1


def _layers(stage: Stage, labels: str) -> list[Any]:
    """Return the layers that show the cells themselves, of which there are two while large labels are corrected."""
    specs = stage.canvas.layers()
    return [layer for spec, layer in specs if isinstance(spec, LabelsSpec) and spec.key.element == labels]
