"""What a layer is to be, as a value: cheap to make, and compared without looking at pixels."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "Dots",
    "ImageSpec",
    "Key",
    "LabelsSpec",
    "LayerSpec",
    "PointsSpec",
    "RasterSpec",
    "ShapesSpec",
    "SurfaceSpec",
    "VectorsSpec",
]

Matrix = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Key:
    """Which layer of an element this is.

    Parameters
    ----------
    element
        The element's name.
    part
        A channel, "colour" for the raster that colours cells, or "".
    beside
        Whether it belongs to another coordinate system than the first.
    scene
        That coordinate system, where several are in one scene; "" for the one in which landmarks are placed.
    """

    element: str
    part: str = ""
    beside: bool = False
    scene: str = ""


@dataclass(frozen=True)
class LayerSpec:
    """What all layers have in common.

    Parameters
    ----------
    key
        Ties the spec to its layer from one plan to the next.
    name
        The layer's name.
    token
        Equal tokens mean equal data; the data are made only when the token changes.
    make
        Makes the data: an array, or a list of levels.
    affine
        (3, 3) from napari's pixel indices (y, x), whose centres are whole numbers, to µm.
    order
        Lower ones are drawn first.
    visible, opacity, blending
        As in napari; what the person sets afterwards stays.
    live
        Whether the layer reads the document's pixels whenever it is drawn, and shows a change when refreshed.
    """

    key: Key
    name: str
    token: Hashable
    make: Callable[[], Any] = field(compare=False, repr=False)
    affine: Matrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    order: int = 0
    visible: bool = True
    opacity: float = 1.0
    blending: str = "translucent_no_depth"
    live: bool = False


@dataclass(frozen=True)
class ImageSpec(LayerSpec):
    """An image: a channel, a density, or measured values spread over cells or pixels."""

    rgb: bool = False
    multiscale: bool = False
    colormap: str = "gray"
    limits: tuple[float, float] | None = None
    smooth: bool = False
    gamma: float = 1.0


@dataclass(frozen=True)
class ShapesSpec(ImageSpec):
    """Polygons or spots, drawn from their corners when they come into view; ``make`` returns `shape_tiles.Level`."""

    rgb: bool = True
    multiscale: bool = True


@dataclass(frozen=True)
class LabelsSpec(LayerSpec):
    """The cells themselves, which can be painted where the data are one array in memory.

    Parameters
    ----------
    contour
        Width of the outlines in pixels; 0 fills the cells.
    colour
        One colour for all cells; if empty, each has its own.
    offset
        (y, x) of the first pixel in the element, where the layer is a window of it.
    """

    multiscale: bool = False
    contour: int = 0
    colour: str = ""
    editable: bool = False
    offset: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class RasterSpec(LayerSpec):
    """Categories spread over cells or pixels: 0 is nothing, k is ``colours[k - 1]``."""

    multiscale: bool = False
    colours: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Dots:
    """What a layer of points draws.

    Parameters
    ----------
    positions
        (n, 2) as (y, x) in µm.
    colours
        (n, 4) red, green, blue, alpha in 0..1.
    sizes
        (n,) diameters in µm.
    shown
        (n,) whether each is drawn.
    texts
        (n,) what stands beside each; empty for nothing.
    """

    positions: npt.NDArray[np.float64]
    colours: npt.NDArray[np.float32]
    sizes: npt.NDArray[np.float64]
    shown: npt.NDArray[np.bool_]
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class PointsSpec(LayerSpec):
    """Spots or landmarks; ``make`` returns `Dots`."""

    symbol: str = "disc"
    rim: str = ""
    pies: Hashable = None
    """What the graphics card draws instead of the dots: a `pies.PiesDrawn`, or None."""


@dataclass(frozen=True)
class VectorsSpec(LayerSpec):
    """Lines; ``make`` returns (n, 2, 2) starts and directions in µm and (n, 4) colours."""

    width: float = 1.0


@dataclass(frozen=True)
class SurfaceSpec(LayerSpec):
    """Filled areas; ``make`` returns (n, 2) corners in µm, (m, 3) triangles of them, and (n,) which colour each has."""

    colours: tuple[str, ...] = ()
