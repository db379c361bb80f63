"""What lies on a slide besides tissue: ink, cover-slip edges, bubbles, dust, labels and the scanner's padding.

Drawn into real images, so that registration can be tested on them. Colours are transmittances; light falls off with
the thickness of the ink, as with a stain.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from .image_pairs import Array

__all__ = ["ARTEFACTS", "INKS", "bubbles", "coverslip", "dust", "label_end", "padding", "pen"]

INKS = {
    "black": (0.06, 0.06, 0.07),
    "blue": (0.10, 0.18, 0.62),
    "green": (0.06, 0.45, 0.25),
    "red": (0.80, 0.10, 0.14),
}
Rng = np.random.Generator


def pen(image: Array, rng: Rng, colour: str = "black") -> Array:
    """Draw with a marker over and around the tissue: an arc, a zigzag or a few dots, opaque or thin.

    Parameters
    ----------
    image
        (3, y, x) uint8.
    rng
        Draws the strokes, their width (1.2 to 3.5 % of the longer edge), their thickness and their shade.
    colour
        One of `INKS`.
    """
    shape = image.shape[1:]
    edge = max(shape)
    drawn = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        radius = rng.uniform(0.006, 0.0175) * edge
        inside = np.zeros(shape, bool)
        for at in _stroke(rng, shape):
            inside[tuple(np.clip(np.rint(at).astype(int).T, 0, np.array(shape)[:, None] - 1))] = True
        near = ndimage.distance_transform_edt(~inside)
        thick = rng.uniform(0.5, 1.3) * (1 + 0.15 * _noise(rng, shape, 2 * radius))
        drawn = np.maximum(drawn, thick * np.clip((radius - near) / (0.15 * radius) + 0.5, 0, 1))
    shade = -np.log(np.array(INKS[colour])) * rng.uniform(0.8, 1.1, 3)
    return _through(image, np.exp(-drawn * shade[:, None, None]))


def _stroke(rng: Rng, shape: tuple[int, ...]) -> list[Array]:
    size = np.array(shape, float)
    centre, t = rng.uniform(0.3, 0.7, 2) * size, np.linspace(0, 1, 4000)[:, None]
    kind = rng.integers(3)
    if kind == 0:  # around a region
        angle = rng.uniform(0, 6) + t * rng.uniform(3, 6.5)
        return [centre + rng.uniform(0.15, 0.4, 2) * size * np.hstack([np.sin(angle), np.cos(angle)])]
    if kind == 1:  # an arrow or a line that was drawn quickly
        to = rng.uniform(0.1, 0.9, 2) * size
        return [centre + t * (to - centre) + 0.02 * size * np.sin(9 * t + rng.uniform(0, 6))]
    at = rng.uniform(0.1, 0.9, (rng.integers(2, 7), 2)) * size
    return [place + 0.015 * size * np.hstack([np.sin(6.3 * t), np.cos(6.3 * t)]) for place in at]


def coverslip(image: Array, rng: Rng) -> Array:
    """Draw the cover slip's edge: a straight dark line beside a light one, and a slightly darker ground beyond."""
    _, height, width = image.shape
    angle = rng.normal(0, 0.05) + (np.pi / 2 if rng.random() < 0.5 else 0)
    y, x = np.mgrid[:height, :width]
    distance = (y - height / 2) * np.cos(angle) + (x - width / 2) * np.sin(angle)
    distance = distance - rng.uniform(0.25, 0.45) * (height if abs(np.cos(angle)) > 0.5 else width)
    thin = 0.002 * max(height, width) + 1
    line = 0.55 * np.exp(-((distance / thin) ** 2)) - 0.15 * np.exp(-(((distance - 2.5 * thin) / thin) ** 2))
    return _through(image, np.exp(-line - 0.08 * (distance > 0))[None])


def bubbles(image: Array, rng: Rng) -> Array:
    """Draw air bubbles: a dark rim that is lit on one side, and a slightly darker inside."""
    shape = image.shape[1:]
    y, x = np.mgrid[: shape[0], : shape[1]]
    out = image
    for _ in range(int(rng.integers(1, 4))):
        centre, radius = rng.uniform(0.1, 0.9, 2) * shape, rng.uniform(0.04, 0.12) * max(shape)
        dy, dx = y - centre[0], x - centre[1]
        away = np.hypot(dy, dx) * (1 + 0.05 * np.sin(3 * np.arctan2(dy, dx)))
        rim = np.exp(-(((away - radius) / (0.05 * radius + 1.5)) ** 2)) * (1 + 0.5 * dy / (away + 1))
        out = _through(out, np.exp(-0.9 * rim - 0.06 * (away < radius))[None])
    return out


def dust(image: Array, rng: Rng) -> Array:
    """Strew dark grains and a few hairs over the slide."""
    shape = image.shape[1:]
    grains = np.zeros(shape, np.float32)
    at = (rng.uniform(0, 1, (150, 2)) * shape).astype(int)
    grains[tuple(at.T)] = rng.uniform(5, 30, len(at))
    for _ in range(4):
        t = np.linspace(0, 1, 2000)[:, None]
        hair = rng.uniform(0.1, 0.9, 2) * shape + 0.1 * t * np.array(shape) * rng.normal(0, 1, 2)
        hair = hair + 0.02 * np.array(shape) * np.sin(4 * t + rng.uniform(0, 6, 2))
        grains[tuple(np.clip(hair.astype(int).T, 0, np.array(shape)[:, None] - 1))] = 4
    return _through(image, np.exp(-np.minimum(ndimage.gaussian_filter(grains, 0.9), 2.0))[None])


def label_end(image: Array, rng: Rng) -> Array:
    """Put the slide's label over one end: paper or a frosted, coloured field, with dark writing."""
    _, height, width = image.shape
    flip = bool(rng.random() < 0.5)
    out = (image[:, :, ::-1] if flip else image).copy()
    long = int(rng.uniform(0.06, 0.12) * width)
    paper = np.array([(250, 250, 246), (120, 160, 215), (235, 205, 90)][rng.integers(3)])
    field = paper[:, None, None] + rng.normal(0, 2, (3, height, long))
    for row in range(int(0.15 * height), int(0.85 * height), max(6, height // 14)):
        letters = np.repeat(rng.random(long // 3 + 1) < 0.6, 3)[:long]
        field[:, row : row + max(3, height // 40), letters] = 40
    out[:, :, :long] = np.clip(field, 0, 255)
    return np.ascontiguousarray(out[:, :, ::-1]) if flip else out


def padding(image: Array, rng: Rng) -> Array:
    """Blank two sides, and some of the scanner's tiles along a third, in black or white."""
    _, height, width = image.shape
    out, level = image.copy(), int(rng.choice([0, 255]))
    out[:, : int(rng.uniform(0.02, 0.06) * height)] = level
    out[:, :, int((1 - rng.uniform(0.02, 0.08)) * width) :] = level
    tile = max(16, height // 10)
    for row in range(0, height, tile):
        out[:, row : row + tile, : int(rng.integers(0, 3) * 0.02 * width)] = level
    return out


def _through(image: Array, passed: Array) -> Array:
    """Return the image as it is seen through what lets a share of the light pass."""
    return np.clip(image * np.maximum(passed, 0.03), 0, 255).astype(np.uint8)


def _noise(rng: Rng, shape: tuple[int, ...], scale: float) -> Array:
    from napari_spatialml.core.random_fields import smooth_field

    return np.clip(smooth_field(rng, shape, scale), -2, 2)


def _ink(colour: str) -> Callable[[Array, Rng], Array]:
    return lambda image, rng: pen(image, rng, colour)


ARTEFACTS: dict[str, Callable[[Array, Rng], Array]] = {
    **{f"{colour} pen": _ink(colour) for colour in INKS},
    "cover-slip edge": coverslip,
    "bubbles": bubbles,
    "dust": dust,
    "label": label_end,
    "padding": padding,
}
"""What may be drawn on an image (3, y, x) of 8 bit, by name."""
