"""What the colours of a figure mean: of rows as on the canvas, and of the channels that are seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from .canvas import Canvas
from .channels import brightest_of
from .colormaps import code_of
from .specs import ImageSpec
from .state import Legend
from .type_layers import PART

__all__ = ["channel_legends", "figure_legends"]


class Stage(Protocol):
    """What is needed of the presenter."""

    canvas: Canvas

    def legends(self) -> tuple[Legend, ...]: ...


def figure_legends(stage: Stage, visible: Callable[[str], bool]) -> tuple[Legend, ...]:
    """Return the legends of what is drawn, those of the channels last."""
    return (*(g for g in stage.legends() if visible(g.element)), *channel_legends(stage.canvas))


def channel_legends(canvas: Canvas) -> tuple[Legend, ...]:
    """Return the channels that are seen, in their colours, by image."""
    found: dict[str, list[Any]] = {}
    for spec, layer in canvas.layers():
        of_type = spec.key.part.startswith(PART)  # one range for all types, which has a legend of its own
        if isinstance(spec, ImageSpec) and not spec.rgb and spec.key.part and layer.visible and not of_type:
            found.setdefault(spec.key.element, []).append((spec.key.part, code_of(brightest_of(layer)), -1))
    return tuple(Legend(image, image, "categories", tuple(dict.fromkeys(made))) for image, made in found.items())
