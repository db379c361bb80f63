"""The page of a figure: the picture, its scale bar, and beside it what the colours mean; as SVG."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from .colormaps import colormap_of
from .looking_figure import Frame, nice_length, said_length
from .looking_vectors import Drawn
from .state import Legend

__all__ = ["Page", "page_svg"]

UNITS = 10.0
"""Units of the drawing in a millimetre."""
_LEGEND, _GAP, _EDGE, _ROW, _TEXT, _SWATCH = 44.0, 3.0, 1.0, 3.9, 2.5, 2.4
_MOST = 60
_THINNEST = 1.2  # units: hardly thinner lines are printed
_GREY, _INK = "#555555", "#111111"
_FONT = "Arial, Helvetica, sans-serif"


@dataclass(frozen=True, eq=False)
class Page:
    """A figure before it is drawn; lengths in mm.

    Parameters
    ----------
    frame
        What of the tissue it shows.
    width
        Of the whole page.
    legends
        What the colours mean; beside the picture.
    scale_bar
        Whether there is one in the picture.
    title
        What a reader of the file is told that it is.
    """

    frame: Frame
    width: float
    legends: tuple[Legend, ...] = ()
    scale_bar: bool = True
    title: str = ""

    @property
    def picture(self) -> tuple[float, float]:
        """(h, w) of the picture."""
        w = self.width - (_LEGEND + _GAP + _EDGE if self.legends else 0.0)
        return w * self.frame.height_um / self.frame.width_um, w

    @property
    def height(self) -> float:
        """Of the whole page: of the picture or of the legends, whichever is taller."""
        return max(self.picture[0], sum(_height(legend) for legend in self.legends))

    @property
    def bar_um(self) -> float:
        """Length of the scale bar in the tissue."""
        return nice_length(self.frame.width_um)

    @property
    def bar(self) -> float:
        """Length of the scale bar on the page."""
        return self.bar_um * self.picture[1] / self.frame.width_um


def page_svg(page: Page, picture: npt.NDArray[np.uint8] | None, drawn: Iterable[Drawn] = ()) -> bytes:
    """Return a page as SVG.

    Parameters
    ----------
    page
        The page.
    picture
        (h, w, 3) pixels below all else; None for the rest alone.
    drawn
        What lies over the pixels as lines and circles.
    """
    root = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", version="1.1")
    root.set("width", f"{page.width:g}mm")
    root.set("height", f"{page.height:g}mm")
    root.set("viewBox", f"0 0 {_n(page.width)} {_n(page.height)}")
    ET.SubElement(root, "title").text = page.title
    (height, width), pixel = page.picture, page.frame.width_um / page.picture[1]
    ET.SubElement(root, "desc").text = f"1 mm on the page is {pixel:.6g} µm in the tissue."
    if picture is not None:
        _embedded(root, picture, height, width)
    layers = list(drawn)
    if layers:
        _clipped(root, layers, page)
    if page.scale_bar:
        _bar(root, page)
    top = 0.0
    for number, legend in enumerate(page.legends, 1):
        group = ET.SubElement(root, "g", id=f"legend-{number}")
        _legend(group, legend, width + _GAP, top)
        top += _height(legend)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _n(mm: float) -> str:
    return f"{mm * UNITS:.3f}".rstrip("0").rstrip(".")


def _embedded(root: Any, picture: npt.NDArray[np.uint8], height: float, width: float) -> None:
    from PIL import Image

    held = io.BytesIO()
    Image.fromarray(picture).save(held, "PNG")
    href = "data:image/png;base64," + base64.b64encode(held.getvalue()).decode()
    image = ET.SubElement(root, "image", id="picture", x="0", y="0", width=_n(width), height=_n(height))
    image.set("preserveAspectRatio", "none")
    image.set("href", href)


def _clipped(root: Any, layers: Sequence[Drawn], page: Page) -> None:
    height, width = page.picture
    clip = ET.SubElement(ET.SubElement(root, "defs"), "clipPath", id="inside")
    ET.SubElement(clip, "rect", x="0", y="0", width=_n(width), height=_n(height))
    inside = ET.SubElement(root, "g", {"id": "outlines", "clip-path": "url(#inside)"})
    scale, (y0, x0) = UNITS * width / page.frame.width_um, page.frame.corner_um
    for number, layer in enumerate(layers, 1):
        group = ET.SubElement(inside, "g", id=f"layer-{number}")
        ET.SubElement(group, "title").text = layer.name
        for y, x, radius, which in layer.circles.tolist():
            colour, opacity = layer.colours[int(which)]
            place = {"cx": f"{(x - x0) * scale:.2f}", "cy": f"{(y - y0) * scale:.2f}", "r": f"{radius * scale:.2f}"}
            ET.SubElement(group, "circle", {**place, "fill": colour, "fill-opacity": f"{opacity:g}"})
        for which, lines in layer.paths:
            colour, opacity = layer.colours[which]
            stroke = {"stroke": colour, "stroke-opacity": f"{opacity:g}", "fill": "none"}
            stroke["stroke-width"] = f"{max(layer.width_um * scale, _THINNEST):.2f}"
            for line in lines:
                steps = ((line - np.array([y0, x0])) * scale).tolist()
                ET.SubElement(group, "path", {"d": "M" + "L".join(f"{x:.2f} {y:.2f}" for y, x in steps), **stroke})


def _bar(root: Any, page: Page) -> None:
    """Draw a white bar with a dark rim, lower right, with its length above it."""
    height, width = page.picture
    group = ET.SubElement(root, "g", id="scale-bar")
    x, y, thick = width - 2.5 - page.bar, height - 3.2, 0.9
    rim = ET.SubElement(group, "rect", id="scale-bar-rim", rx="2", fill="#000000")
    rim.set("fill-opacity", "0.55")
    for name, value in (("x", x - 1.2), ("y", y - 4.2), ("width", page.bar + 2.4), ("height", 6.2)):
        rim.set(name, _n(value))
    length = {"x": _n(x), "y": _n(y), "width": _n(page.bar), "height": _n(thick)}
    ET.SubElement(group, "rect", {"id": "scale-bar-length", **length, "fill": "#ffffff"})
    _text(group, said_length(page.bar_um), x + page.bar / 2, y - 1.0, "#ffffff", anchor="middle", size=2.8)


def _height(legend: Legend) -> float:
    if legend.kind == "categories":
        rows = 1 + min(len(legend.categories), _MOST) + (len(legend.categories) > _MOST)
        return (rows + len(legend.signs)) * _ROW + 2.5 + (_ROW if legend.note else 0.0)
    return 3.2 * _ROW + 2.5 + (_ROW if legend.note else 0.0)


def _legend(group: Any, legend: Legend, x: float, top: float) -> None:
    y = top + _TEXT
    _text(group, _short(_title(legend), 0.85 * _LEGEND), x, y, _INK, bold=True)  # bold letters are wider
    y += _ROW
    y = _categories(group, legend, x, y) if legend.kind == "categories" else _ramp(group, legend, x, y)
    if legend.note:
        _text(group, _short(legend.note, _LEGEND), x, y, _GREY)


def _title(legend: Legend) -> str:
    title, element = legend.title.replace("_", " "), legend.element.replace("_", " ")
    return f"{element}: {title}" if element not in title else title


def _categories(group: Any, legend: Legend, x: float, y: float) -> float:
    for (name, colour, _), count in zip(legend.categories[:_MOST], legend.beside, strict=False):
        seen = "0.25" if name in legend.hidden else "1"
        square = {"x": _n(x), "y": _n(y - _SWATCH + 0.2), "width": _n(_SWATCH), "height": _n(_SWATCH)}
        ET.SubElement(group, "rect", {**square, "fill": colour, "fill-opacity": seen, "stroke": "#888888",
                                      "stroke-width": "1"})  # fmt: skip
        _text(group, _short(name, _LEGEND - 16), x + _SWATCH + 1.2, y, _INK)
        _text(group, count, x + _LEGEND, y, _GREY, anchor="end")
        y += _ROW
    rest = len(legend.categories) - _MOST
    if rest > 0:
        _text(group, f"… and {rest} more", x, y, _GREY)
        y += _ROW
    for sign, says in legend.signs:
        _text(group, _short(f"{sign}: {says}", _LEGEND), x, y, _GREY)
        y += _ROW
    return y


def _ramp(group: Any, legend: Legend, x: float, y: float) -> float:
    name = "ramp-" + str(group.get("id"))
    gradient = ET.SubElement(group, "linearGradient", id=name, x1="0", y1="0", x2="1", y2="0")
    for k, (r, g, b, _) in enumerate(np.asarray(colormap_of(legend.colormap or "viridis").map(np.linspace(0, 1, 33)))):
        colour = f"rgb({round(255 * r)},{round(255 * g)},{round(255 * b)})"
        ET.SubElement(gradient, "stop", {"offset": f"{k / 32:g}", "stop-color": colour})
    box = {"x": _n(x), "y": _n(y - _TEXT), "width": _n(_LEGEND), "height": _n(3.0)}
    ET.SubElement(group, "rect", {"id": f"colour-bar-{name[12:]}", **box, "fill": f"url(#{name})"})
    y += 3.6
    unit = f" {legend.unit}" if legend.unit else ""
    low, high = f"{_number(legend.low)} {legend.ends[0]}", f"{_number(legend.high)}{unit} {legend.ends[1]}"
    _text(group, low.strip(), x, y, _INK)
    _text(group, high.strip(), x + _LEGEND, y, _INK, anchor="end")
    return y + _ROW


def _text(
    group: Any, said: str, x: float, y: float, colour: str, *, anchor: str = "start", bold: bool = False,
    size: float = _TEXT,
) -> None:  # fmt: skip
    if not said:
        return
    look = {"x": _n(x), "y": _n(y), "fill": colour, "font-size": _n(size), "font-family": _FONT, "text-anchor": anchor}
    made = ET.SubElement(group, "text", look | ({"font-weight": "bold"} if bold else {}))
    made.text = said


def _short(said: str, mm: float) -> str:
    """Shorten a text in its middle to about a width."""
    most = max(int(mm / (_TEXT * 0.52)), 4)
    return said if len(said) <= most else said[: (most + 1) // 2 - 1] + "…" + said[-(most // 2) :]


def _number(value: float) -> str:
    if value != 0 and (abs(value) >= 1e5 or abs(value) < 1e-2):
        return f"{value:.1e}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
