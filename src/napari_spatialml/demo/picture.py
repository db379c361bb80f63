"""Pictures of a document without a window: image, spots, cells and domains, with legend and scale bar."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.colours import category_colours, limits
from ..session.gather import coordinates_of
from .frame import Frame, sampled_image, sampled_labels

__all__ = [
    "Draw",
    "Picture",
    "background",
    "categories",
    "landmarks",
    "mark",
    "outlines",
    "overlay",
    "picture",
    "spots_outlined",
    "values",
]

Draw = Callable[[Any], None]
INK = "#22303c"
PAPER = "#ffffff"


@dataclass(frozen=True)
class Picture:
    """A picture of the report.

    Parameters
    ----------
    name
        Of the file, without suffix.
    title, caption
        What it shows, in a few words and in a sentence.
    png
        The file's bytes.
    """

    name: str
    title: str
    caption: str
    png: bytes


def picture(name: str, title: str, caption: str, panels: Sequence[tuple[str, Frame, Sequence[Draw]]]) -> Picture:
    """Draw panels side by side, each with a frame, a heading and a scale bar.

    Parameters
    ----------
    name, title, caption
        As for `Picture`.
    panels
        (heading, frame, what is drawn in it from bottom to top).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width = 5.6 if len(panels) == 1 else 4.6
    tall = max(f.height_um / f.width_um for _, f, _ in panels)
    figure = Figure(figsize=(width * len(panels), width * tall + 1.1), dpi=110, facecolor=PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(1, len(panels)))
    for ax, (heading, frame, draws) in zip(axes, panels, strict=True):
        y0, x0, y1, x1 = frame.box
        ax.set(xlim=(x0, x1), ylim=(y1, y0), aspect="equal", xticks=[], yticks=[], facecolor="#f4f5f6")
        for side in ax.spines.values():
            side.set_visible(False)
        ax.set_title(heading, fontsize=9.5, color=INK, loc="left", pad=5)
        for draw in draws:
            draw(ax)
        _scale_bar(ax, frame)
    out = io.BytesIO()
    figure.savefig(out, format="png", bbox_inches="tight", pad_inches=0.06)
    return Picture(name, title, caption, _smaller(out.getvalue()))


def _smaller(png: bytes) -> bytes:
    """Keep the picture with 256 colours: a third of the size, and no eye sees it."""
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        reduced = image.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
    out = io.BytesIO()
    reduced.save(out, format="PNG", optimize=True)
    return out.getvalue()


def nice_length(width_um: float) -> float:
    """Return a round length of about a quarter of a width: 1, 2 or 5 times a power of ten."""
    target = width_um / 4
    power = 10.0 ** np.floor(np.log10(target))
    return float(next(m * power for m in (5, 2, 1) if m * power <= target * 1.0001))


def _scale_bar(ax: Any, frame: Frame) -> None:
    from matplotlib.patheffects import withStroke

    length = nice_length(frame.width_um)
    _, _, y1, x1 = frame.box
    y, x = y1 - 0.045 * frame.height_um, x1 - 0.04 * frame.width_um
    colour, around = ("white", "black") if _is_dark(ax) else ("black", "white")
    halo = [withStroke(linewidth=5, foreground=around)]
    ax.plot([x - length, x], [y, y], color=colour, lw=2.4, solid_capstyle="butt", path_effects=halo, zorder=20)
    text = f"{length:g} µm" if length < 1000 else f"{length / 1000:g} mm"
    halo = [withStroke(linewidth=3, foreground=around)]
    ax.annotate(
        text, (x - length / 2, y), (0, 4), textcoords="offset points", ha="center", va="bottom", fontsize=8.5,
        color=colour, path_effects=halo, zorder=21,
    )  # fmt: skip


def _is_dark(ax: Any) -> bool:
    """Tell whether the corner under the scale bar is dark."""
    if not ax.images:
        return False
    shown = np.asarray(ax.images[0].get_array())
    h, w = shown.shape[:2]
    return float(shown[-max(1, h // 8) :, -max(1, w // 3) :, :3].mean()) < 0.35


def _extent(frame: Frame) -> tuple[float, float, float, float]:
    y0, x0, y1, x1 = frame.box
    return (x0, x1, y1, y0)


def background(document: Any, image: str, frame: Frame, dim: float = 0.0, alpha: float = 1.0) -> Draw:
    """Draw an image; ``dim`` (0 to 1) fades it towards white, so that what lies above stands out."""
    block = sampled_image(document, image, frame)
    absent = np.isnan(block[..., 0])
    shown = np.dstack([_as_rgb(block) * (1 - dim) + dim, np.where(absent, 0.0, alpha)])

    def draw(ax: Any) -> None:
        ax.imshow(shown, extent=_extent(frame), interpolation="antialiased", zorder=1)

    return draw


def _as_rgb(block: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    filled = np.nan_to_num(block)
    if block.shape[-1] == 3:
        return np.clip(filled / (255.0 if filled.max(initial=0) <= 255 else 65535.0), 0, 1)
    low, high = limits(block[..., 0], 1, 99.7)
    return np.repeat(np.clip((filled[..., :1] - low) / (high - low), 0, 1), 3, axis=-1)


def spots_outlined(document: Any, table: str, frame: Frame, colour: str = INK) -> Draw:
    """Draw the outlines of spots, in their true size."""
    return _circles(document, table, frame, face=None, edge=colour)


def _circles(document: Any, table: str, frame: Frame, face: Any, edge: str | None, alpha: float = 1.0) -> Draw:
    from matplotlib.collections import EllipseCollection

    centres = coordinates_of(document, table, frame.system)
    size = 2 * _radii(document, table, frame.system)

    def draw(ax: Any) -> None:
        circles = EllipseCollection(
            size, size, np.zeros(len(size)), units="xy", offsets=centres[:, ::-1], offset_transform=ax.transData,
            facecolors="none" if face is None else face, edgecolors="none" if edge is None else edge,
            linewidths=0.6, alpha=alpha, zorder=3,
        )  # fmt: skip
        ax.add_collection(circles)

    return draw


def _radii(document: Any, table: str, system: str) -> npt.NDArray[np.float64]:
    element = document.annotated(table)
    frame = document.element(element)
    at = frame.index.get_indexer(document.instances(table))
    scale = np.sqrt(np.prod(document.affine(element, system).scale_factors))
    return np.asarray(frame["radius"].to_numpy(dtype=float)[at] * scale)


def categories(
    document: Any, table: str, column: str, frame: Frame, *, legend: bool = True, alpha: float = 1.0
) -> Draw:
    """Draw spots, cells or pixels in the colours of a column of categories, with a legend."""
    series = document.table(table).obs[column].astype("category")
    names = [str(c) for c in series.cat.categories]
    palette = category_colours(names, document.colours(column))
    rgba = np.array([_rgba(palette[n], alpha) for n in names] or np.zeros((0, 4)))
    codes = series.cat.codes.to_numpy()
    colours = np.where(codes[:, None] >= 0, rgba[codes], np.array([0.6, 0.6, 0.6, 0.25]))
    paint = _painted(document, table, colours, frame)

    def draw(ax: Any) -> None:
        paint(ax)
        if legend:
            _legend(ax, [(n, palette[n]) for n in names])

    return draw


def _legend(ax: Any, entries: Sequence[tuple[str, str]]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=colour, edgecolor="none", label=name) for name, colour in entries]
    ax.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0, -0.01), ncols=min(6, max(1, len(entries))), fontsize=8,
        frameon=False, handlelength=0.9, handleheight=0.9, labelcolor=INK, columnspacing=1.2, borderaxespad=0.3,
    )  # fmt: skip


def _rgba(colour: str, alpha: float) -> tuple[float, float, float, float]:
    from matplotlib.colors import to_rgba

    red, green, blue, _ = to_rgba(colour)
    return red, green, blue, alpha


def _painted(document: Any, table: str, colours: npt.NDArray[np.float64], frame: Frame) -> Draw:
    """Draw each row of a table in its colour, as a circle or as the pixels of its label."""
    element = document.annotated(table)
    if document.type_of(element) == "shapes":
        return _circles(document, table, frame, face=colours, edge=None)

    ids = sampled_labels(document, element, frame)
    order = np.argsort(document.instances(table))
    known = document.instances(table)[order]
    at = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    shown = np.where((known[at] == ids)[..., None], colours[order][at], 0.0)

    def draw(ax: Any) -> None:
        ax.imshow(shown, extent=_extent(frame), interpolation="nearest", zorder=2)

    return draw


def values(
    document: Any,
    table: str,
    numbers: npt.ArrayLike,
    frame: Frame,
    *,
    unit: str,
    alpha: float = 1.0,
    fade: bool = False,
) -> Draw:
    """Draw spots, cells or pixels by a number, with a colour bar; ``fade`` lets low values show what is below."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    array = np.asarray(numbers, dtype=np.float64)
    low, high = limits(array, 1, 99)
    norm = Normalize(low, high, clip=True)
    colours = colormaps["viridis"](norm(array))
    colours[:, 3] = alpha * norm(array) if fade else alpha
    paint = _painted(document, table, colours, frame)

    def draw(ax: Any) -> None:
        paint(ax)
        shades = ScalarMappable(norm, "viridis")
        bar = ax.figure.colorbar(
            shades, ax=ax, orientation="horizontal", shrink=0.55, aspect=28, pad=0.02, anchor=(0, 1)
        )
        bar.set_label(unit, fontsize=8, color=INK)
        bar.ax.tick_params(labelsize=7.5, colors=INK, length=2)
        bar.outline.set_visible(False)

    return draw


def outlines(document: Any, labels: str, frame: Frame, colour: str = "#ffd400", only: Sequence[int] = ()) -> Draw:
    """Draw the borders of cells, or of some of them."""

    ids = sampled_labels(document, labels, frame)
    if only:
        ids = np.where(np.isin(ids, list(only)), ids, 0)
    edge = np.zeros(ids.shape, dtype=bool)
    edge[:-1] |= ids[:-1] != ids[1:]
    edge[:, :-1] |= ids[:, :-1] != ids[:, 1:]
    shown = np.zeros((*ids.shape, 4))
    shown[edge] = _rgba(colour, 1.0)

    def draw(ax: Any) -> None:
        ax.imshow(shown, extent=_extent(frame), interpolation="nearest", zorder=4)

    return draw


def mark(points_um: npt.ArrayLike, colour: str = INK, size: float = 9.0) -> Draw:
    """Draw a ring around points, (y, x) in µm."""
    at = np.asarray(points_um, dtype=float).reshape(-1, 2)

    def draw(ax: Any) -> None:
        ax.plot(at[:, 1], at[:, 0], "o", mfc="none", mec=colour, ms=size, mew=1.3, zorder=6)

    return draw


def landmarks(fixed_um: npt.ArrayLike, moved_um: npt.ArrayLike) -> Draw:
    """Draw fixed landmarks, the moving ones where the transform puts them, and the residual between."""
    a, b = (np.asarray(p, dtype=float).reshape(-1, 2) for p in (fixed_um, moved_um))

    def draw(ax: Any) -> None:
        for p, q in zip(a, b, strict=True):
            ax.plot([p[1], q[1]], [p[0], q[0]], color="#d55e00", lw=1.6, zorder=6)
        ax.plot(b[:, 1], b[:, 0], "x", color="#d55e00", ms=7, mew=1.8, label="moving, as registered", zorder=7)
        ax.plot(a[:, 1], a[:, 0], "+", color="#0072b2", ms=10, mew=1.8, label="fixed", zorder=7)
        ax.legend(loc="upper left", bbox_to_anchor=(0, -0.01), ncols=2, fontsize=8, frameon=False, labelcolor=INK,
                  borderaxespad=0.3)  # fmt: skip

    return draw


def overlay(document: Any, frame: Frame) -> Picture:
    """Show the section as it was opened: its image with the spots in their true size."""
    from .choosing import image_of, spot_table

    image, table = image_of(document), spot_table(document)
    draws: list[Draw] = []
    if image:
        draws.append(background(document, image, frame))
    if table:
        draws.append(spots_outlined(document, table, frame))
    what = " and ".join(
        p for p in (f"the image '{image}'" if image else "", f"the spots of '{table}'" if table else "") if p
    )
    caption = f"As opened: {what or 'nothing lies in this frame'}, in µm." if draws else "As opened."
    return picture("overlay", "Overlay", caption, [("one frame, in µm", frame, draws)])
