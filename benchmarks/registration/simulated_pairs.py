"""Pairs made of one real image: stained or measured otherwise, bent, cropped, turned, and with a slide's artefacts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_spatialml.core import Affine, Pair, Side
from napari_spatialml.core.random_fields import smooth_field

from .image_pairs import DATA, Array, Known, picture, turned

__all__ = ["CHOSEN", "HELD_OUT", "MODALITIES", "Recipe", "histology", "made"]

CHOSEN = ("bulb 1", "slide", "he", "bladder")
"""Images on which settings were chosen."""
HELD_OUT = ("bulb 2", "cytokeratin", "instanseg")
"""Images on which nothing was chosen."""
_HAEMATOXYLIN = np.array([0.65, 0.70, 0.29])[:, None, None]
_DAB = np.array([0.27, 0.57, 0.78])[:, None, None]
Rng = np.random.Generator


@dataclass(frozen=True)
class Recipe:
    """What is done to an image to make the moving side of a pair.

    Parameters
    ----------
    image
        A name of `histology`.
    modality
        A name of `MODALITIES`.
    seed
        Of everything that is random: the turn, the side, the bend, the noise.
    overlap
        Share of the image's longer axis that both sides show.
    shrunk
        Pixels of the moving side, of the fixed one's.
    told
        Whether the pixel size is said.
    fixed_by, moving_by
        What is drawn on either side.
    """

    image: str
    modality: str = "restained"
    seed: int = 0
    overlap: float = 1.0
    shrunk: float = 1.0
    told: bool = True
    fixed_by: Callable[[Array, Rng], Array] | None = None
    moving_by: Callable[[Array, Rng], Array] | None = None


def histology(name: str) -> Array:
    """Return a real image (3, y, x) of 8 bit in bright-field, its longer edge at most 1,200 pixels."""
    import tifffile

    if name == "instanseg":
        image = np.moveaxis(tifffile.imread(DATA / "instanseg_examples" / "HE_example.tif")[..., :3], -1, 0)
    else:
        image = picture(name)
    step = 2 if max(image.shape) > 1200 else 1
    height, width = (n // step * step for n in image.shape[1:])
    blocks = image[:, :height, :width].reshape(3, height // step, step, width // step, step)
    return np.asarray(blocks.mean((2, 4)).astype(np.uint8))


def stains(image: Array) -> Array:
    """Return (2, y, x): the two stains of an image, the bluer first, 0 on glass and 1 where there is much.

    References
    ----------
    Macenko et al. 2009, A method for normalizing histology slides, doi:10.1109/ISBI.2009.5193250.
    """
    density = -np.log((image.astype(np.float32) + 1) / (np.percentile(image, 98, axis=(1, 2))[:, None, None] + 1))
    flat = density.reshape(3, -1)
    dense = flat[:, flat.sum(0) > max(0.3, float(np.percentile(flat.sum(0), 60)))]
    plane = np.linalg.svd(dense @ dense.T)[0][:, :2]
    plane *= np.sign(plane.sum(0))[None] + (plane.sum(0) == 0)
    angle = np.arctan2(*(plane.T @ dense)[::-1])
    ends = [plane @ np.array([np.cos(a), np.sin(a)]) for a in np.percentile(angle, [2, 98])]
    ends.sort(key=lambda end: -float(end[0] / np.linalg.norm(end)))
    amounts = np.maximum(np.linalg.pinv(np.column_stack(ends)) @ flat, 0).reshape(2, *image.shape[1:])
    return np.asarray(np.clip(amounts / np.percentile(amounts, 98, axis=(1, 2))[:, None, None], 0, 1.3))


def restained(image: Array, rng: Rng) -> Array:
    """Return brown where eosin was, and a pale counterstain of nuclei."""
    h, e = stains(image)
    return _lit(1.1 * e * _DAB + 0.35 * h**0.7 * _HAEMATOXYLIN, rng)


def _lit(density: Array, rng: Rng) -> Array:
    """Return the light that passes, 8 bit."""
    light = 245 * np.exp(-density)
    return np.asarray(np.clip(light + rng.normal(0, 3, light.shape), 0, 255).astype(np.uint8))


def immunostained(image: Array, rng: Rng) -> Array:
    """Return haematoxylin, and DAB over the nuclei of regions that hold a third of the tissue."""
    h, _ = stains(image)
    shape = h.shape
    positive = ndimage.gaussian_filter((smooth_field(rng, shape, 0.08 * max(shape)) > 0.4).astype(np.float32), 2)
    return _lit(
        0.7 * h * _HAEMATOXYLIN + 2.2 * positive * np.maximum(ndimage.gaussian_filter(h, 1) - 0.2, 0) * _DAB, rng
    )


def fluorescent(image: Array, rng: Rng) -> Array:
    """Return nuclei that shine on black, (1, y, x) of 16 bit, with shot noise and uneven light."""
    h, _ = stains(image)
    light = 1 + 0.2 * smooth_field(rng, h.shape, 0.4 * max(h.shape))
    photons = rng.poisson(np.clip(150 * light * ndimage.gaussian_filter(h, 1.0) ** 1.5, 0, None) + 6)
    return np.asarray(np.clip(photons * 100, 0, 65535).astype(np.uint16)[None])


def counted(image: Array, rng: Rng) -> Array:
    """Return the density of cells found by a machine that misses a fifth of them, (1, y, x)."""
    h, _ = stains(image)
    smooth = ndimage.gaussian_filter(h, 1.5)
    peak = (smooth == ndimage.maximum_filter(smooth, 7)) & (smooth > 0.35)
    seen = peak & (rng.random(h.shape) > 0.2)
    return np.asarray(ndimage.gaussian_filter(seen.astype(np.float32), 5.0)[None])


def same(image: Array, rng: Rng) -> Array:
    """Return the image, noisier."""
    return np.asarray(np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8))


MODALITIES: dict[str, Callable[[Array, Rng], Array]] = {
    "H&E": same,
    "restained": restained,
    "immunohistochemistry": immunostained,
    "fluorescence of nuclei": fluorescent,
    "density of cells": counted,
}


def made(recipe: Recipe) -> Known:
    """Return the pair: the real image, and what the recipe makes of it, turned and perhaps turned over."""
    rng = np.random.default_rng([recipe.seed, sum(map(ord, recipe.image + recipe.modality))])
    fixed = histology(recipe.image)
    moving, bend = _bent(MODALITIES[recipe.modality](fixed, rng), rng)
    places = _places(fixed)
    seen = places - np.stack([ndimage.map_coordinates(d, places.T, order=1) for d in bend], -1)
    for part, draw in ((0, recipe.fixed_by), (1, recipe.moving_by)):
        if draw is not None and part == 0:
            fixed = draw(fixed, rng)
        elif draw is not None:
            moving = draw(moving, rng)
    fixed, moving, places, seen = _cropped(fixed, moving, places, seen, recipe.overlap)
    degrees, mirror = float(rng.uniform(0, 360)), bool(rng.random() < 0.5)
    if recipe.shrunk != 1:
        smooth = ndimage.gaussian_filter(moving.astype(np.float32), (0, 0.4 * recipe.shrunk, 0.4 * recipe.shrunk))
        zoom = tuple(int(n / recipe.shrunk) / n for n in moving.shape[1:])
        grown = ndimage.zoom(smooth, (1, *zoom), order=1, grid_mode=True, mode="nearest")
        moving = np.clip(grown, 0, 255).astype(np.uint8) if moving.dtype == np.uint8 else grown
        seen = (seen + 0.5) * zoom - 0.5
    dark = moving.dtype != np.uint8
    image, change = turned(moving, degrees, mirror, fill=0.0 if dark else None)
    size = recipe.shrunk if recipe.told else 1.0
    pair = Pair(Side(image=fixed), Side(image=image, pixel_size_um=size))
    return Known(pair, change.apply(seen) * size, places)


def _bent(image: Array, rng: Rng) -> tuple[Array, Array]:
    """Return the image moved by a smooth field of 0.6 % of its edge, and the field."""
    shape = image.shape[1:]
    edge = max(shape)
    bend = 0.006 * edge * np.stack([smooth_field(rng, shape, 0.2 * edge) for _ in range(2)])
    at = np.indices(shape) + bend
    planes = [ndimage.map_coordinates(v.astype(np.float32), at, order=1, mode="nearest") for v in image]
    return np.stack(planes).astype(image.dtype), bend


def _places(image: Array) -> Array:
    """Return (k, 2) places in tissue."""
    signal = ndimage.gaussian_filter(stains(image).sum(0), 3)
    at = np.argwhere(signal > 0.3 * np.percentile(signal, 95))
    return np.asarray(at[np.random.default_rng(0).permutation(len(at))[:400]], float)


def _cropped(
    fixed: Array, moving: Array, places: Array, seen: Array, overlap: float
) -> tuple[Array, Array, Array, Array]:
    """Cut the end of one side and the start of the other along the longer axis; keep places that both show."""
    if overlap == 1:
        return fixed, moving, places, seen
    axis = 1 + int(np.argmax(fixed.shape[1:]))
    long = fixed.shape[axis]
    part = int(long / (2 - overlap))
    start = long - part
    fixed, moving = np.take(fixed, range(part), axis), np.take(moving, range(start, long), axis)
    shift = Affine.translation(*(-start * (np.arange(2) == axis - 1)))
    kept = (places[:, axis - 1] > start) & (places[:, axis - 1] < part)
    return fixed, moving, places[kept], shift.apply(seen[kept])
