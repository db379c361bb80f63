"""Images to specs: histology in its colours, every other channel as a layer of light."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.colours import limits
from ..session import Document
from ..session.channels import Channel, blending_of
from ..session.channels import channels_of as said_of
from ..session.planes import stack_name
from .colormaps import brightest, inked
from .memory import Memory
from .places import pixel_affine
from .specs import ImageSpec, Key

__all__ = ["FIRST_SHOWN", "colour_of_channel", "image_specs", "is_histology"]

CHANNEL_MAPS = ("bop blue", "green", "magenta", "yellow", "cyan", "red")
NUCLEAR = ("dapi", "hoechst", "draq5", "dna")
FIRST_SHOWN = 4
"""Channels that are visible at first; of forty, the rest is a click away."""
_COARSE = 1024


def levels_of(document: Document, image: str) -> list[Any]:
    """Return the levels of an image as lazy (c, y, x) DataArrays, full resolution first."""
    from xarray import DataTree

    element: Any = document.element(image)
    if isinstance(element, DataTree):
        return [next(iter(element[name].data_vars.values())) for name in element.children]
    return [element]


def channels_of(document: Document, image: str) -> list[str]:
    """Return the names of an image's channels."""
    return [str(c) for c in levels_of(document, image)[0].coords["c"].to_numpy()]


def is_histology(document: Document, image: str) -> bool:
    """Whether an image is a photograph in red, green and blue."""
    names = [c.lower() for c in channels_of(document, image)]
    rgb = [n[:1] for n in names] if all(n in ("red", "green", "blue", "alpha") for n in names) else names
    if "".join(rgb) in ("rgb", "rgba"):
        return True
    unnamed = names == [str(i) for i in range(3)]
    return unnamed and levels_of(document, image)[0].dtype == np.uint8


def image_specs(
    document: Document, image: str, system: str, memory: Memory, *, beside: bool, offset: tuple[float, float]
) -> list[ImageSpec]:
    """Return the layers of an image."""
    levels = levels_of(document, image)
    affine = pixel_affine(document, image, system, offset)
    revision = document.revision(("images", image))
    many = len(levels) > 1
    if is_histology(document, image):
        make = partial(_rgb, levels)
        token = ("image", image, revision)
        return [ImageSpec(Key(image, "", beside), image, token, make, affine, rgb=True, multiscale=many, smooth=True)]
    names = channels_of(document, image)
    said, ink = said_of(document, image), blending_of(document, image) == "on white"
    specs = []
    for i, channel in enumerate(names):
        single = len(names) == 1
        found = memory.get(("limits", stack_name(image), revision, i), _limits_of(levels, i))
        own = said.get(channel, Channel())
        specs.append(
            ImageSpec(
                Key(image, "" if single else channel, beside),
                image if single else f"{image}: {channel}",
                ("image", image, revision, i),
                partial(_channel, levels, i),
                affine,
                order=10,
                visible=i < FIRST_SHOWN if own.visible is None else own.visible,
                blending="minimum" if ink else "additive",
                multiscale=many,
                colormap=inked(own.colour or _map_of(channel, i, single), ink),
                limits=own.limits or found,
                smooth=True,
                gamma=1.0 if own.gamma is None else own.gamma,
            )
        )
    return specs


def _map_of(channel: str, number: int, single: bool) -> str:
    if single:
        return "gray"
    if channel.lower() in NUCLEAR:
        return CHANNEL_MAPS[0]
    return CHANNEL_MAPS[number % len(CHANNEL_MAPS)]


def colour_of_channel(channel: str, number: int, single: bool) -> tuple[float, float, float]:
    """Return the colour, 0 to 1, of the brightest light of a channel."""
    return brightest(_map_of(channel, number, single))


def _rgb(levels: list[Any]) -> Any:
    made = [level.transpose("y", "x", "c").data for level in levels]
    return made if len(made) > 1 else made[0]


def _channel(levels: list[Any], number: int) -> Any:
    made = [level.isel(c=number).data for level in levels]
    return made if len(made) > 1 else made[0]


def sampled(levels: list[Any], number: int) -> npt.NDArray[Any]:
    """Return a channel of the coarsest level, or every so many pixels of the only one."""
    coarse = levels[-1].isel(c=number)
    step = max(1, max(coarse.shape) // _COARSE)
    return np.asarray(coarse.data[::step, ::step])


def _limits_of(levels: list[Any], number: int) -> Callable[[], tuple[float, float]]:
    """Contrast from the coarsest level, or from every so many pixels of the only one."""

    def make() -> tuple[float, float]:
        values = sampled(levels, number)
        empty = values.min(initial=0)
        seen = values[values != empty]
        # where most of the image is empty, percentiles of all of it say nothing about the tissue
        mostly_empty = 0 < seen.size < values.size / 2
        low, high = limits(seen if mostly_empty else values, 1.0, 99.8)
        return (float(empty) if mostly_empty else low), high

    return make
