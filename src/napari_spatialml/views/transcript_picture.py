"""From the index of transcripts to what is drawn of it in a view: all points in it, or their density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.colours import limits
from ..core.report import Report, silent
from ..core.symbols import drawn_points
from ..core.transform import Affine
from ..session.growing import Growing
from ..session.transcript_index import TranscriptIndex
from ..session.transcript_view import Asked, Box, counts_in, density_in, places_in, whole_density
from .places import as_matrix
from .transcript_looks import GeneLook, Picture, TranscriptLook, View

__all__ = ["COLORMAP", "Sitter", "growing_picture", "picture_of"]

COLORMAP = "magma"
"""Of the density of all genes, or of one."""
_PLAIN = GeneLook("", "#ffd24d", "disc")
"""How points of all genes are drawn."""
_MARGIN = 0.2
"""Of the view's edges: so far beyond them is drawn, and is there when the view moves."""
_FEW = 8_000_000
"""So many points are looked at one by one to say how many are in view."""
_SMALLEST, _LARGEST, _UM = 3.0, 11.0, 1.6
"""Diameters of a point: pixels at least and at most, and µm between."""
_COVER = 0.03
"""The share of the view that points cover, where that makes them neither too small nor too large."""
_FINEST_UM = 0.5
_CENTRE = Affine.translation(0.5, 0.5)
RGBA = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Sitter:
    """The transcripts that are drawn.

    Parameters
    ----------
    index
        Their index.
    to_um
        From their own coordinates to µm in the coordinate system in view.
    system
        Its name.
    moment
        The revision of the points.
    """

    index: TranscriptIndex
    to_um: Affine
    system: str
    moment: int

    @property
    def box(self) -> Box:
        """The box in µm that holds all of them."""
        lattice = self.index.lattice
        return _around(self.to_um, lattice.low, np.array(lattice.shape) * lattice.edge)


def picture_of(sitter: Sitter, look: TranscriptLook, view: View | None, report: Report = silent) -> Picture:
    """Draw the transcripts of a view; it may be called on any thread.

    Parameters
    ----------
    sitter
        The transcripts.
    look
        What is drawn of them, and how.
    view
        What the camera sees; None for all of the section, on 512 pixels.
    report
        Told how far it is; raises `Cancelled` when nobody waits any more.
    """
    view = view or _whole(sitter)
    genes = look.shown if look.genes else (_PLAIN,)
    place = {name: k for k, name in enumerate(sitter.index.genes)}
    known = tuple(gene for gene in genes if gene.gene in place) if look.genes else genes
    asked = Asked(tuple(place[g.gene] for g in known) if look.genes else None, look.quality, look.z)
    drawing = _Drawing(sitter, look, view, known, asked, report)
    if not known or sitter.index.placed == 0 or _empty(drawing.margin):
        here = Affine.translation(view.box[0], view.box[2]) @ Affine.scale(view.um_per_pixel) @ _CENTRE
        return drawing.made(np.zeros((1, 1, 4), np.uint8), here, True, 0, np.zeros(asked.n))
    few = look.draw != "density" and drawing.near() <= _FEW
    counts = counts_in(sitter.index, sitter.to_um, asked, view.box, report) if few or look.draw == "points" else None
    if counts is not None and (look.draw == "points" or counts.sum() <= look.most):
        return _points(drawing, counts)
    if counts is None and drawing.near() <= _FEW:
        counts = counts_in(sitter.index, sitter.to_um, asked, view.box, report)
    return _density(drawing, counts)


@dataclass(frozen=True)
class _Drawing:
    """What one picture is made from."""

    sitter: Sitter
    look: TranscriptLook
    view: View
    genes: tuple[GeneLook, ...]
    asked: Asked
    report: Report

    @property
    def margin(self) -> Box:
        """The view and some more around it, as far as there are transcripts."""
        (y0, y1, x0, x1), (b0, b1, c0, c1) = self.view.box, self.sitter.box
        dy, dx = _MARGIN * (y1 - y0), _MARGIN * (x1 - x0)
        return max(y0 - dy, b0), min(y1 + dy, b1), max(x0 - dx, c0), min(x1 + dx, c1)

    def near(self) -> int:
        """Return how many points have to be looked at."""
        y0, y1, x0, x1 = self.margin
        corners = self.sitter.to_um.inverse().apply(np.array([[y0, x0], [y0, x1], [y1, x0], [y1, x1]]))
        near = sum(b - a for a, b in self.sitter.index.spans(corners))
        spans = [self.sitter.index.span_of_gene(gene) for gene in self.asked.genes or ()]
        return near if self.asked.genes is None else min(near, sum(b - a for a, b in spans))

    def made(self, rgba: RGBA, placed: Affine, of_points: bool, drawn: int, counts: Any, **more: Any) -> Picture:
        """Return the picture."""
        named = {g.gene: int(n) for g, n in zip(self.genes, counts, strict=False)} if self.look.genes else {}
        named |= {g.gene: 0 for g in self.look.shown if g.gene not in named}  # a gene that is nowhere
        return Picture(
            self.look, self.view, self.sitter.system, self.sitter.moment, rgba, as_matrix(placed),
            self.sitter.box, of_points, drawn, int(np.sum(counts)), named,
            height_unit=self.sitter.index.height_unit, **more,
        )  # fmt: skip


def _points(drawing: _Drawing, counts: npt.NDArray[np.int64]) -> Picture:
    """Draw every point in view; or, where the person wants points of too many, as many as were allowed."""
    sitter, asked, most, step = drawing.sitter, drawing.asked, drawing.look.most, drawing.view.um_per_pixel
    n = drawn = int(counts.sum())
    box, limit = drawing.view.box, most
    if n <= most:
        around = int(counts_in(sitter.index, sitter.to_um, asked, drawing.margin, drawing.report).sum())
        n, box, limit = (around, drawing.margin, around) if around <= 2 * most else (n, box, n)
    places, kinds = places_in(sitter.index, sitter.to_um, asked, box, n, limit, drawing.report)
    y0, y1, x0, x1 = box
    shape = max(int(np.ceil((y1 - y0) / step)), 1), max(int(np.ceil((x1 - x0) / step)), 1)
    pixels = (places - (y0, x0)) / step - 0.5
    diameter = _diameter(drawing.view, min(drawn, most))
    symbols, colours = [g.symbol for g in drawing.genes], np.array([_rgb(g.colour) for g in drawing.genes])
    rgba = drawn_points(pixels, kinds, symbols, colours, diameter, shape)
    placed = Affine.translation(y0, x0) @ Affine.scale(step) @ _CENTRE
    return drawing.made(rgba, placed, True, min(drawn, most), counts)


def _diameter(view: View, n: int) -> float:
    """Return how many pixels wide points are: larger where one sees closer, or where few are in view."""
    y0, y1, x0, x1 = view.box
    area = (y1 - y0) * (x1 - x0) / view.um_per_pixel**2
    steady = 4.0 ** np.round(np.log(max(n, 1)) / np.log(4.0))  # a point more or less changes no size
    return float(np.clip(max(_UM / view.um_per_pixel, np.sqrt(_COVER * area / steady)), _SMALLEST, _LARGEST))


def _density(drawing: _Drawing, counts: npt.NDArray[np.int64] | None) -> Picture:
    """Draw how many transcripts each bin holds."""
    sitter, asked, box = drawing.sitter, drawing.asked, drawing.margin
    edge = _bin_um(drawing.view.um_per_pixel)
    if asked.all and edge >= sitter.index.lattice.edge * sitter.to_um.scale_factors[1] * (1 - 1e-9):
        found, corner, own = whole_density(sitter.index, sitter.to_um, box, edge)
        bins, placed = found[None], sitter.to_um @ Affine.translation(*corner) @ Affine.scale(own)
        edge = own * sitter.to_um.scale_factors[1]
    else:
        (y, x), (h, w) = _lattice(box, edge)
        bins = density_in(sitter.index, sitter.to_um, asked, (y, x), edge, (h, w), drawing.report)
        placed = Affine.translation(y, x) @ Affine.scale(edge)
    highs = np.array([max(limits(b[b > 0], 1.0, 99.5)[1], 1.0) if b.any() else 1.0 for b in bins])
    exact = counts is not None or _within(sitter.box, drawing.view.box)
    counts = _in_view(bins, placed, drawing.view.box) if counts is None else counts
    rgba = _mapped(bins[0], highs[0]) if len(bins) == 1 else _mixed(bins, highs, drawing.genes)
    high = {gene.gene: float(h) for gene, h in zip(drawing.genes, highs, strict=True)}
    return drawing.made(rgba, placed @ _CENTRE, False, 0, counts, exact=exact, edge_um=edge, high=high)


def growing_picture(growing: Growing, to_um: Affine, system: str, moment: int, look: TranscriptLook) -> Picture | None:
    """Draw what was read so far; None before the first piece."""
    counts, corner, edge = growing.now()
    if not counts.size:
        return None
    high, n = max(limits(counts[counts > 0], 1.0, 99.5)[1], 1.0), int(counts.sum(dtype=np.int64))
    placed, (h, w) = to_um @ Affine.translation(*corner) @ Affine.scale(edge), counts.shape
    edge_um = edge * to_um.scale_factors[1]
    rgba, reach = _mapped(counts, high), _around(placed, (0.0, 0.0), (h, w))
    return Picture(
        look, None, system, moment, rgba, as_matrix(placed @ _CENTRE), reach, False, 0, n, {},
        edge_um=edge_um, high={"": high}, reading=n,
    )  # fmt: skip


def _around(to_um: Affine, corner: tuple[float, float], size: Any) -> Box:
    """Return the box in µm around a rectangle in other coordinates."""
    (y, x), (h, w) = corner, size
    corners = to_um.apply(np.array([[y, x], [y, x + w], [y + h, x], [y + h, x + w]], np.float64))
    (y0, x0), (y1, x1) = corners.min(0), corners.max(0)
    return float(y0), float(y1), float(x0), float(x1)


def _whole(sitter: Sitter) -> View:
    y0, y1, x0, x1 = sitter.box
    step = max(y1 - y0, x1 - x0, 1e-9) / 512
    return View((y0 - step, y1 + step, x0 - step, x1 + step), step)  # the last of a box is not in it


def _empty(box: Box) -> bool:
    return box[1] <= box[0] or box[3] <= box[2]


def _within(inner: Box, outer: Box) -> bool:
    return inner[0] >= outer[0] and inner[1] <= outer[1] and inner[2] >= outer[2] and inner[3] <= outer[3]


def _bin_um(um_per_pixel: float) -> float:
    """Return the edge of a bin: a power of two in µm that is at least a pixel."""
    return float(max(2.0 ** np.ceil(np.log2(um_per_pixel) - 1e-9), _FINEST_UM))


def _lattice(box: Box, edge: float) -> tuple[tuple[float, float], tuple[int, int]]:
    """Return the first bin's corner and the number of bins; a bin stays the same wherever the view is."""
    y0, x0 = (float(np.floor(v / edge) * edge) for v in (box[0], box[2]))
    return (y0, x0), (int((box[1] - y0) // edge) + 1, int((box[3] - x0) // edge) + 1)


def _in_view(bins: npt.NDArray[np.uint32], placed: Affine, box: Box) -> npt.NDArray[np.int64]:
    """Return how many points the bins hold whose middle is in view."""
    h, w = bins.shape[1:]
    matrix = placed.matrix
    y, x = np.arange(h)[:, None] + 0.5, np.arange(w)[None] + 0.5
    v, u = (matrix[r, 0] * y + matrix[r, 1] * x + matrix[r, 2] for r in (0, 1))
    inside = (v >= box[0]) & (v < box[1]) & (u >= box[2]) & (u < box[3])
    return np.array([b[inside].sum(dtype=np.int64) for b in bins])


def _mapped(counts: npt.NDArray[np.uint32], high: float) -> RGBA:
    """Colour counts from 0 to the highest; an empty bin lets the tissue through."""
    from napari.utils.colormaps import ensure_colormap

    table = np.round(ensure_colormap(COLORMAP).map(np.linspace(0, 1, 256)) * 255).astype(np.uint8)
    rgba: RGBA = table[np.minimum(counts * (255 / high), 255).astype(np.uint8)]
    rgba[counts == 0] = 0
    return rgba


def _mixed(bins: npt.NDArray[np.uint32], highs: npt.NDArray[Any], genes: tuple[GeneLook, ...]) -> RGBA:
    """Add the light of several genes, each up to its own brightest bin; the strongest says how opaque a bin is."""
    strength = np.minimum(bins / highs[:, None, None].astype(np.float32), 1.0).astype(np.float32)
    light = np.tensordot(strength, np.array([_rgb(g.colour) for g in genes], np.float32), axes=(0, 0))
    alpha = strength.max(0)
    total = np.maximum(strength.sum(0), 1e-9)[..., None]
    rgba = np.empty((*alpha.shape, 4), np.uint8)
    rgba[..., :3] = np.round(np.minimum(light / total, 1) * 255)
    rgba[..., 3] = np.round(np.sqrt(alpha) * 255)
    return rgba


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return red, green, blue
