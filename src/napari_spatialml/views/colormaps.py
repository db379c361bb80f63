"""The colour maps of channels: napari's own by name, and those of any colour, on black or on white."""

from __future__ import annotations

from typing import Any

__all__ = ["DOUBT", "ERRORS", "PALE", "PALEST", "VEIL", "brightest", "code_of", "colormap_of", "inked"]

_INK = "ink "
ERRORS = "errors"
"""The map of expected errors: small ones let the tissue through, large ones cover it in red."""
DOUBT = "doubt"
"""From bright, where one has to look, to dark: plasma backwards, without its ends that black and white hide."""
VEIL = "veil"
"""White that becomes clear: what is sure is seen through it."""
PALE = (0.95, 0.95, 0.95)
"""Towards this colour fades what is unsure, by so much at most."""
PALEST = 0.88


def inked(name: str, ink: bool) -> str:
    """Return the name of the map that prints on white what another draws on black."""
    return f"{_INK}{code_of(brightest(name))}" if ink else name


def colormap_of(name: str) -> Any:
    """Return napari's colour map of a name, of "#rrggbb" from black, or of "ink #rrggbb" from white."""
    from napari.utils.colormaps import Colormap, ensure_colormap

    if name == ERRORS:
        return Colormap([[1, 0.93, 0.5, 0.1], [0.99, 0.62, 0.15, 0.55], [0.78, 0.06, 0.2, 0.95]], name=name)
    if name == DOUBT:
        return Colormap(ensure_colormap("plasma").map([0.95 - 0.75 * k / 63 for k in range(64)]), name=name)
    if name == VEIL:
        return Colormap([[*PALE, PALEST], [*PALE, 0.0]], name=name)
    if name.startswith((_INK, "#")):
        ground = 1.0 if name.startswith(_INK) else 0.0
        light = _parts(name.removeprefix(_INK))
        if name.startswith(_INK):
            # a bright colour has to darken white to be seen: grey and white become black
            light = tuple(v * 0.85 for v in light) if min(light) < 0.6 else tuple(1.0 - v for v in light)
        return Colormap([[ground] * 3, list(light)], name=name)
    return ensure_colormap(name)


def brightest(name: str) -> tuple[float, float, float]:
    """Return the colour, 0 to 1, of the brightest light of a map."""
    red, green, blue = (float(v) for v in colormap_of(name).map([1.0])[0][:3])
    return red, green, blue


def code_of(colour: tuple[float, float, float]) -> str:
    """Return a colour as "#rrggbb"."""
    return "#" + "".join(f"{round(255 * min(max(v, 0.0), 1.0)):02x}" for v in colour)


def _parts(code: str) -> tuple[float, ...]:
    return tuple(int(code[k : k + 2], 16) / 255 for k in (1, 3, 5))
