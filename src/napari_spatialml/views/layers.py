"""Specs to napari layers, and the changes of a spec to its layer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

from .colormaps import colormap_of
from .specs import Dots, ImageSpec, LabelsSpec, LayerSpec, PointsSpec, RasterSpec, ShapesSpec, SurfaceSpec, VectorsSpec

__all__ = ["ELEMENT", "make_layer", "recolour_points", "update_layer", "without_thumbnail"]

ELEMENT = "element"
"""The one key of ``layer.metadata``: the element's name."""
UNITS = ("µm", "µm")
_LOOKS = ("opacity", "visible", "blending")


def make_layer(spec: LayerSpec) -> Any:
    """Return a new napari layer."""
    shared = {
        "name": spec.name,
        "metadata": {ELEMENT: spec.key.element},
        "affine": np.array(spec.affine),
        "units": UNITS,
        "opacity": spec.opacity,
        "visible": spec.visible,
        "blending": spec.blending,
    }
    return _MAKERS[type(spec)](spec, shared)


def update_layer(layer: Any, spec: LayerSpec, changed: frozenset[str]) -> None:
    """Change a layer where its spec has changed."""
    if "name" in changed:
        layer.name = spec.name
    if "affine" in changed:
        layer.affine = np.array(spec.affine)
    for name in _LOOKS:
        if name in changed:
            setattr(layer, name, getattr(spec, name))
    _UPDATERS[type(spec)](layer, spec, changed)


def _image(spec: ImageSpec, shared: dict[str, Any]) -> Any:
    from napari.layers import Image

    given: dict[str, Any] = {"rgb": spec.rgb, "multiscale": spec.multiscale}
    if not spec.rgb:
        given |= {"colormap": colormap_of(spec.colormap), "contrast_limits": spec.limits, "gamma": spec.gamma}
    smooth = "linear" if spec.smooth else "nearest"
    return Image(spec.make(), interpolation2d=smooth, **given, **shared)


def _update_image(layer: Any, spec: ImageSpec, changed: frozenset[str]) -> None:
    if "token" in changed:
        layer.data = spec.make()
    if "colormap" in changed:
        layer.colormap = colormap_of(spec.colormap)
    if "gamma" in changed:
        layer.gamma = spec.gamma
    if "limits" in changed and spec.limits is not None:
        low, high = spec.limits
        layer.contrast_limits_range = (min(low, layer.contrast_limits_range[0]), max(high, low + 1e-12))
        layer.contrast_limits = spec.limits


def _labels(spec: LabelsSpec, shared: dict[str, Any]) -> Any:
    from napari.layers import Labels

    layer = Labels(spec.make(), multiscale=spec.multiscale, **shared)
    layer.contour = spec.contour
    layer.editable = spec.editable
    if spec.colour:
        layer.colormap = _one_colour(spec.colour)
    return layer


def _update_labels(layer: Any, spec: LabelsSpec, changed: frozenset[str]) -> None:
    if "token" in changed:
        layer.data = spec.make()
        layer.editable = spec.editable
    if "contour" in changed:
        layer.contour = spec.contour
    if "colour" in changed:
        layer.colormap = _one_colour(spec.colour) if spec.colour else _cyclic()


def _raster(spec: RasterSpec, shared: dict[str, Any]) -> Any:
    """Return an image of numbers: that of a category becomes that of a measurement at once, labels would not."""
    from napari.layers import Image

    given = {"multiscale": spec.multiscale, "interpolation2d": "nearest"}
    colours, limits = _steps(spec.colours), _around(spec.colours)
    return Image(spec.make(), rgb=False, colormap=colours, contrast_limits=limits, **given, **shared)


def _update_raster(layer: Any, spec: RasterSpec, changed: frozenset[str]) -> None:
    if "token" in changed:
        layer.data = spec.make()
    if "colours" in changed:
        low, high = limits = _around(spec.colours)
        layer.colormap = _steps(spec.colours)
        layer.contrast_limits_range = (min(low, layer.contrast_limits_range[0]), max(high, low + 1e-12))
        layer.contrast_limits = limits


def _around(colours: tuple[str, ...]) -> tuple[float, float]:
    """Return limits that put every number in the middle of its colour."""
    return -0.5, len(colours) + 0.5


def _steps(colours: tuple[str, ...]) -> Any:
    """Return a map in steps: nothing for 0, then each colour."""
    from napari.utils.colormaps import Colormap

    table = np.concatenate([np.zeros((1, 4), np.float32), _rgba(colours)[: len(colours)]])
    return Colormap(table, interpolation="zero", name="categories")


def _one_colour(colour: str) -> Any:
    """A cycle of one colour: napari maps it an order of magnitude faster than a table with a default."""
    from napari.utils.colormaps import CyclicLabelColormap
    from napari.utils.colormaps.standardize_color import transform_color

    return CyclicLabelColormap(colors=[[0.0, 0.0, 0.0, 0.0], transform_color(colour)[0]], background_value=0)


def _cyclic() -> Any:
    from napari.utils.colormaps import label_colormap

    return label_colormap(49, 0.5, 0)


def _points(spec: PointsSpec, shared: dict[str, Any]) -> Any:
    from napari.layers import Points

    dots: Dots = spec.make()
    colours = dots.colours if len(dots.positions) else "white"  # napari takes no empty array of colours
    layer = Points(
        dots.positions,
        size=dots.sizes if len(dots.positions) else 1.0,
        face_color=colours,
        border_color=spec.rim or colours,
        border_width=0.12 if spec.rim else 0.0,
        symbol=spec.symbol,
        shown=dots.shown,
        ndim=2,
        antialiasing=1,
        **_texts(dots),
        **shared,
    )
    layer.editable = False
    return layer


def _texts(dots: Dots) -> dict[str, Any]:
    if not dots.texts:
        return {}
    text = {"string": "{number}", "color": "black", "size": 9, "anchor": "center"}
    return {"features": {"number": list(dots.texts)}, "text": text}


def _update_points(layer: Any, spec: PointsSpec, changed: frozenset[str]) -> None:
    if "token" not in changed:
        return
    dots: Dots = spec.make()
    if not np.array_equal(layer.data, dots.positions):
        # the layer stays: removing one while points are selected brings napari down
        layer.selected_data = set()
        layer.data = dots.positions
        layer.editable = False
    if len(dots.positions):
        _update_dots(layer, dots, rim=bool(spec.rim))
    if dots.texts:
        layer.features = {"number": list(dots.texts)}
        if not layer.text.values.size or layer.text.values[0] == "":  # made while there was no landmark
            layer.text = _texts(dots)["text"]


def _update_dots(layer: Any, dots: Dots, *, rim: bool) -> None:
    """Set what has changed: napari sends every point to the graphics card again whenever one of these is set."""
    if not np.array_equal(layer.size, dots.sizes):
        layer.size = dots.sizes
    if not np.array_equal(layer.shown, dots.shown):
        layer.shown = dots.shown
    recolour_points(layer, dots.colours, rim=rim)
    layer.refresh(data_displayed=False, highlight=False, extent=False)  # its picture in the list of layers


def recolour_points(layer: Any, colours: Any, *, rim: bool = False) -> None:
    """Give points other colours, and their borders too unless they are a rim of their own.

    napari sends every point to the graphics card at each of the four messages that a change of both makes: one is left.
    """
    faces, borders = np.array_equal(layer.face_color, colours), rim or np.array_equal(layer.border_color, colours)
    with layer._face.events.blocker_all(), layer._border.events.blocker_all():
        if not faces:
            with layer.events.face_color.blocker() if not borders else nullcontext():
                layer.face_color = colours
        if not borders:
            layer.border_color = colours


def _vectors(spec: VectorsSpec, shared: dict[str, Any]) -> Any:
    from napari.layers import Vectors

    lines, colours = spec.make()
    given = {"edge_color": colours} if len(lines) else {}
    layer = Vectors(lines, vector_style="line", edge_width=spec.width, ndim=2, **given, **shared)
    without_thumbnail(layer)
    return layer


def without_thumbnail(layer: Any) -> None:
    """Let a layer have no picture in the list of layers: one of thousands of lines takes longer than drawing them."""
    layer._update_thumbnail = _nothing


def _nothing() -> None: ...


def _update_vectors(layer: Any, spec: VectorsSpec, changed: frozenset[str]) -> None:
    if "token" in changed:
        lines, colours = spec.make()
        layer.data = lines
        if len(lines) and not np.array_equal(layer.edge_color, colours):
            layer.edge_color = colours
    if "width" in changed:
        layer.edge_width = spec.width


def _surface(spec: SurfaceSpec, shared: dict[str, Any]) -> Any:
    from napari.layers import Surface

    corners, triangles, codes = spec.make()
    return Surface((corners, triangles), vertex_colors=_rgba(spec.colours)[codes], shading="none", **shared)


def _update_surface(layer: Any, spec: SurfaceSpec, changed: frozenset[str]) -> None:
    if "token" in changed or "colours" in changed:
        corners, triangles, codes = spec.make()
        layer.vertex_colors = None  # those of before are of another number
        layer.data = (corners, triangles)
        layer.vertex_colors = _rgba(spec.colours)[codes]


def _rgba(colours: tuple[str, ...]) -> Any:
    from napari.utils.colormaps.standardize_color import transform_color

    return np.concatenate([transform_color(c) for c in colours or ("white",)]).astype(np.float32)


_MAKERS: dict[type, Callable[[Any, dict[str, Any]], Any]] = {
    ImageSpec: _image,
    LabelsSpec: _labels,
    RasterSpec: _raster,
    PointsSpec: _points,
    ShapesSpec: _image,
    SurfaceSpec: _surface,
    VectorsSpec: _vectors,
}
_UPDATERS: dict[type, Callable[[Any, Any, frozenset[str]], None]] = {
    ImageSpec: _update_image,
    LabelsSpec: _update_labels,
    RasterSpec: _update_raster,
    PointsSpec: _update_points,
    ShapesSpec: _update_image,
    SurfaceSpec: _update_surface,
    VectorsSpec: _update_vectors,
}
