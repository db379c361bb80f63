"""Transcripts on the canvas: the layer of the last picture of the view, and the legend that says what it leaves out.

Pictures are made beside the window, see `transcript_picture`; the state keeps the last one of each element.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..core.symbols import GLYPHS
from ..core.transform import Affine
from ..session import Document
from ..session.transcript_index import TranscriptIndex, feature_key
from .places import as_matrix
from .specs import ImageSpec, Key
from .state import Legend, ViewState
from .transcript_looks import Picture, TranscriptLook, View
from .transcript_picture import COLORMAP, Sitter

__all__ = [
    "look_of",
    "said_of",
    "see_all",
    "sitter_of",
    "transcript_legend",
    "transcript_spec",
    "view_of",
]

_ORDER = 20
TOKEN = "transcripts"


def look_of(state: ViewState, points: str) -> TranscriptLook:
    """Return how points are looked at."""
    return state.transcripts.get(points) or TranscriptLook()


def sitter_of(document: Document, index: TranscriptIndex, points: str, system: str) -> Sitter:
    """Return the transcripts of an index as they lie in a coordinate system."""
    return Sitter(index, document.affine(points, system), system, document.revision(("points", points)))


def view_of(viewer: Any) -> View | None:
    """Return what the camera of a viewer sees; None while its canvas has no size."""
    camera, (height, width) = viewer.scene.camera, viewer.canvas.size
    zoom = float(camera.zoom)
    if not (zoom > 0 and height > 0 and width > 0):
        return None
    y, x = (float(v) for v in np.asarray(camera.center, dtype=float)[-2:])
    dy, dx = height / 2 / zoom, width / 2 / zoom
    return View((y - dy, y + dy, x - dx, x + dx), 1 / zoom)


def see_all(viewer: Any, canvas: Any) -> None:
    """Move the camera so that all transcripts are in view with the rest, and not only those of the last picture."""
    boxes, ours = [], 0
    for spec, layer in canvas.layers():
        if isinstance(spec.token, tuple) and spec.token[0] == TOKEN:
            boxes.append(spec.token[1].reach)
            ours += 1
        else:
            (y0, x0), (y1, x1) = np.asarray(layer.extent.world)[:, -2:]
            boxes.append((float(y0), float(y1), float(x0), float(x1)))
    if not ours:
        return
    low, high = np.min([(b[0], b[2]) for b in boxes], axis=0), np.max([(b[1], b[3]) for b in boxes], axis=0)
    camera, size = viewer.scene.camera, np.maximum(high - low, 1e-6)
    camera.center = (0.0, *(float(v) for v in (low + high) / 2))
    camera.zoom = float((np.array(viewer.canvas.size) / size).min() * 0.92)


def picture_now(document: Document, state: ViewState, points: str) -> Picture | None:
    """Return the last picture of points, unless they or the coordinate system have changed since."""
    picture = state.pictures.get(points)
    if picture is None or picture.system != state.coordinate_system:
        return None
    return picture if picture.moment == document.revision(("points", points)) else None


def transcript_spec(
    document: Document, state: ViewState, points: str, *, beside: bool, offset: tuple[float, float]
) -> ImageSpec | None:
    """Return the layer of the last picture of the view; None where it is not the one to draw."""
    picture = None if beside else picture_now(document, state, points)
    if picture is None:
        return None
    matrix = as_matrix(Affine.translation(*offset) @ Affine(np.array(picture.matrix)))
    token = (TOKEN, picture)
    make = partial(_rgba, picture)
    return ImageSpec(Key(points, "", beside), points, token, make, matrix, _ORDER, opacity=0.9, rgb=True)


def transcript_legend(document: Document, state: ViewState, points: str) -> Legend | None:
    """Return what the last picture of points means, and how much of what is in view it draws."""
    picture = picture_now(document, state, points)
    if picture is None:
        return None
    if picture.of_points or len(picture.counts) > 1:
        colours = {gene.gene: (GLYPHS[gene.symbol], gene.colour) for gene in picture.look.genes}
        rows = [(gene, *colours[gene], n) for gene, n in picture.counts.items()]
        named = tuple((f"{glyph} {gene}" if picture.of_points else gene, c, n) for gene, glyph, c, n in rows)
        if not picture.look.genes:
            every = "all genes" if feature_key(document, points) else "all points"
            named = ((f"{GLYPHS['disc']} {every}", "#ffd24d", picture.in_view),)
        return Legend(points, said_of(picture), "categories", named, note=_chosen(picture))
    high = next(iter((picture.high or {"": 1.0}).values()))
    what = next(iter(picture.counts), "")
    title = f"{what}: {said_of(picture)}" if what else said_of(picture)
    return Legend(
        points, title, "continuous", colormap=COLORMAP, low=0.0, high=high, unit="a bin", note=_chosen(picture)
    )


def said_of(picture: Picture) -> str:
    """Return how many are in view, and how many of them are drawn."""
    if picture.reading:
        return f"{_short(picture.reading)} read so far, bins of {picture.edge_um:g} µm"
    if not picture.of_points:
        about = "" if picture.exact else "about "
        return f"{about}{_short(picture.in_view)} in view, bins of {picture.edge_um:g} µm"
    if picture.drawn < picture.in_view:
        return f"{_short(picture.drawn)} of {_short(picture.in_view)} in view drawn"
    return f"all {picture.in_view:,} in view drawn" if picture.in_view else "none in view"


def _chosen(picture: Picture) -> str:
    """Return which transcripts are left out by what the person chose."""
    look, parts = picture.look, []
    if look.quality is not None:
        parts.append(f"quality ≥ {look.quality:g}")
    if look.z is not None:
        parts.append(f"z {look.z[0]:g} to {look.z[1]:g} {picture.height_unit}".rstrip())
    return " · ".join(parts)


def _rgba(picture: Picture) -> Any:
    return picture.rgba


def _short(n: int) -> str:
    """Return a number as people say it: 2.0 M for 2,000,000."""
    return f"{n / 1e6:.1f} M" if n >= 1_000_000 else f"{n:,}"
