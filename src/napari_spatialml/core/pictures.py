"""What a picture of tissue shows, whatever its stain: signal above the background, on a common pixel, as a pyramid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .affine import Affine
from .arrays import require
from .slide_ink import foreign

__all__ = ["Picture", "check", "extent_of", "picture_of", "signal_of"]

Float = npt.NDArray[np.float32]
_CHANNELS = 4
"""An image of many channels is described by this many principal components."""
_SMALLEST = 12
"""An image with a shorter edge than this, in pixels, shows nothing that could be recognised."""


@dataclass(frozen=True)
class Picture:
    """Signal on square pixels.

    Parameters
    ----------
    values
        (f, h, w): each feature is 0 in the background and has a standard deviation of 1.
    known
        (h, w), 0 where the scan holds nothing (transparent, NaN, the fill of a turned frame) or ink, else 1.
    spacing
        Edge of a pixel in µm.
    origin
        (y, x) of the centre of pixel (0, 0) in µm.
    """

    values: Float
    known: Float
    spacing: float
    origin: tuple[float, float]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.known.shape
        return height, width

    @property
    def grid(self) -> Affine:
        """From pixels (row, column) to µm."""
        return Affine.translation(*self.origin) @ Affine.scale(self.spacing)

    @cached_property
    def halved(self) -> Picture:
        """The next level of the pyramid: every second pixel after smoothing."""
        weight = ndimage.gaussian_filter(self.known, 0.8, mode="nearest")
        smooth = [ndimage.gaussian_filter(v * self.known, 0.8, mode="nearest") for v in self.values]
        values = np.stack(smooth)[:, ::2, ::2] / np.maximum(weight[::2, ::2], 1e-3)
        known = (weight[::2, ::2] > 0.5).astype(np.float32)
        return Picture(values * known, known, 2 * self.spacing, self.origin)

    def at(self, spacing: float) -> Picture:
        """Return the picture on pixels of another size, smoothed where they are larger."""
        now = self
        while now.spacing * 2 <= spacing * 1.01 and min(now.shape) > 2:
            now = now.halved
        step = spacing / now.spacing
        if abs(step - 1) < 0.01:
            return now
        sigma = 0.5 * np.sqrt(max(step**2 - 1, 0))
        at = [np.arange(0, n - 1 + 1e-6, step) for n in now.shape]
        weight = _sampled(_smoothed(now.known, sigma), at)
        values = np.stack([_sampled(_smoothed(v * now.known, sigma), at) for v in now.values])
        known = (weight > 0.5).astype(np.float32)
        return Picture(values / np.maximum(weight, 1e-3) * known, known, spacing, now.origin)

    def stretched(self, factor: float) -> Picture:
        """Return the picture with rows pulled apart by ``factor`` and columns pressed together by it."""
        if factor == 1:
            return self
        steps = (1 / factor, factor)
        at = [np.arange(0, n - 1 + 1e-6, step) for n, step in zip(self.shape, steps, strict=True)]
        known = (_sampled(self.known, at) > 0.5).astype(np.float32)
        values = np.stack([_sampled(v, at) for v in self.values]) * known
        return Picture(values, known, self.spacing, (self.origin[0] * factor, self.origin[1] / factor))


def extent_of(image: npt.NDArray[Any], pixel_size_um: float) -> tuple[float, float]:
    """Return the height and width in µm of the part of an image in which something is to be seen."""
    small, known, step = _read(image, max(image.shape[1:]) / 256)
    rows, columns = _interesting(signal_of(small, known, image.dtype), known)
    size = pixel_size_um * step
    return (rows.stop - rows.start) * size, (columns.stop - columns.start) * size


def check(image: npt.NDArray[Any], name: str) -> None:
    """Raise `BadInput` for an image (c, y, x) in which nothing could be recognised: tiny, empty, or constant."""
    shape = image.shape[1:]
    require(
        min(shape) >= _SMALLEST,
        f"The {name} image has {shape[0]} × {shape[1]} pixels.",
        f"Choose an image, or a finer level, of at least {_SMALLEST} × {_SMALLEST} pixels.",
    )
    values, known = _as_float(image)
    seen = values[:, known > 0]
    require(seen.size > 0, f"The {name} image holds no number.", "Choose another image.")
    require(
        bool((np.ptp(seen, axis=1) > 1e-6 * np.abs(seen).max(axis=1)).any()),
        f"The {name} image is the same everywhere: {float(seen.ravel()[0]):g}.",
        "Choose an image, or a channel, that shows the tissue.",
    )


def picture_of(image: npt.NDArray[Any], pixel_size_um: float, spacing: float) -> Picture:
    """Read an image as signal above its background.

    Parameters
    ----------
    image
        (c, y, x) of any type; NaN, transparent pixels, the fill of a turned frame, and ink count as unknown.
    pixel_size_um
        Its pixel, in µm.
    spacing
        The wanted pixel, in µm.
    """
    values, known, step = _read(image, spacing / pixel_size_um)
    signal = signal_of(values, known, image.dtype)
    window = _interesting(signal, known)
    origin = tuple((part.start * step + (step - 1) / 2) * pixel_size_um for part in window)
    inside = Picture(signal[:, *window], known[window], pixel_size_um * step, (origin[0], origin[1]))
    found = inside.at(spacing)
    spread = np.sqrt([(v[found.known > 0] ** 2).mean() if (found.known > 0).any() else 1 for v in found.values])
    return Picture(found.values / max(float(spread.max()), 1e-9), found.known, found.spacing, found.origin)


def signal_of(values: Float, known: Float, dtype: Any) -> Float:
    """Return (f, h, w) signal above the background: optical density, or compressed intensity on a dark background.

    Notes
    -----
    Optical density is -log((I + 1) / (I0 + 1)), with I0 the background; the intensity of what shines is
    compressed by its square root. Many channels become their principal components that are smooth.
    """
    seen = known > 0
    low, high = np.percentile(values[:, seen], [0.5, 99.5], axis=1)
    span = np.maximum(high - low, 1e-9)
    unit = np.clip((values - low[:, None, None]) / span[:, None, None], 0, 1)
    if len(values) <= _CHANNELS:
        ground = _background(unit, seen)
        bright = float(np.mean(ground)) > 0.5
        level = ground[:, None, None]
        if bright:
            signal = np.log((level + 0.08) / (np.minimum(unit, level + 0.05) + 0.08))
        else:
            signal = np.sqrt(unit) - np.sqrt(level)
        return np.asarray(signal * known, np.float32)
    return _components(np.sqrt(unit), known)


def _components(unit: Float, known: Float) -> Float:
    """Return the first principal components that are smooth: noise between neighbours is no tissue."""
    seen = known > 0
    smooth = np.stack([ndimage.gaussian_filter(v, 0.7) for v in unit])
    centre = np.median(smooth[:, seen], axis=1)
    flat = (smooth - centre[:, None, None]) * known
    _, vectors = np.linalg.eigh(flat[:, seen] @ flat[:, seen].T)
    parts = np.tensordot(vectors[:, ::-1][:, :12].T, flat, 1)
    keep = [p for p in parts if _smoothness(p, seen) > 0.6][:_CHANNELS] or [parts[0]]
    return np.asarray(np.stack([p * known for p in keep]), np.float32)


def _smoothness(part: Float, seen: npt.NDArray[np.bool_]) -> float:
    """Return the correlation of a pixel with the second next one."""
    both = seen[:, 2:] & seen[:, :-2]
    return float(np.corrcoef(part[:, 2:][both], part[:, :-2][both])[0, 1]) if both.sum() > 2 else 0.0


def _as_float(image: npt.NDArray[Any]) -> tuple[Float, Float]:
    """Return channels as float32 and where they are known; an alpha channel is read as what is known."""
    values = np.asarray(image, np.float32)
    known = np.isfinite(values).all(0)
    if len(values) in (2, 4) and image.dtype.kind in "ub":
        top = np.iinfo(image.dtype).max if image.dtype.kind == "u" else 1
        opaque = values[-1] == top
        if (opaque | (values[-1] == 0)).mean() > 0.98 and opaque.mean() > 0.05:
            values, known = values[:-1], known & opaque
    values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    if len(values) > _CHANNELS:
        known &= (values != 0).any(0)  # a pixel without any ion or gene was not measured
    return values, (known & ~_fill(values, known)).astype(np.float32)


def _fill(values: Float, known: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return where a frame was filled with black or white beyond a scan whose background is another."""
    none = np.zeros(known.shape, bool)
    if not known.any():
        return none
    low, high = values[:, known].min(), values[:, known].max()
    for level, other in ((low, high), (high, low)):
        exact = (values == level).all(0)
        rim = np.concatenate([exact[0], exact[-1], exact[:, 0], exact[:, -1]])
        rest = known & ~exact
        if rim.mean() < 0.02 or not rest.any() or exact.mean() < 0.005:
            continue
        # the rest has a background of its own when much of it is near the other end
        near = np.abs(values.mean(0)[rest] - other) < 0.25 * (high - low)
        if near.mean() > 0.15:
            parts, _ = ndimage.label(exact)
            edge = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
            return np.asarray(ndimage.binary_dilation(np.isin(parts, edge[edge > 0]), iterations=2))
    return none


def _read(image: npt.NDArray[Any], ratio: float) -> tuple[Float, Float, int]:
    """Return channels averaged over blocks of pixels, where they are known, and the blocks' edge."""
    values, known, step = _reduced(_as_float(image), ratio)
    if len(values) == 3 and image.dtype.kind == "u":
        known = known * ~foreign(values, known)
    return values, known, step


def _reduced(image: tuple[Float, Float], ratio: float) -> tuple[Float, Float, int]:
    """Average whole blocks of pixels, as large as ``ratio`` allows."""
    values, known = image
    step = int(max(1, np.floor(ratio * 1.01)))
    step = max(1, min(step, min(known.shape) // _SMALLEST))
    if step == 1:
        return values, known, 1
    height, width = (n // step for n in known.shape)

    def blocks(plane: Float) -> Float:
        cut = plane[: height * step, : width * step].reshape(height, step, width, step)
        return np.asarray(cut.mean((1, 3)))

    weight = blocks(known)
    reduced = np.stack([blocks(v * known) for v in values]) / np.maximum(weight, 1e-6)
    whole = (weight > 0.5).astype(np.float32)
    return reduced * whole, whole, step


def _background(unit: Float, seen: npt.NDArray[np.bool_]) -> Float:
    """Return each channel's commonest level among the quietest quarter of the pixels."""
    mean = unit.mean(0)
    rough = np.hypot(ndimage.gaussian_filter(mean, 1.5, order=(1, 0)), ndimage.gaussian_filter(mean, 1.5, order=(0, 1)))
    quiet = seen & (rough <= np.percentile(rough[seen], 25))
    levels = []
    for channel in unit:
        counts, edges = np.histogram(channel[quiet], bins=40, range=(0, 1))
        best = int(np.argmax(ndimage.gaussian_filter1d(counts.astype(float), 1.5)))
        levels.append((edges[best] + edges[best + 1]) / 2)
    return np.asarray(levels, np.float32)


def _interesting(signal: Float, known: Float) -> tuple[slice, slice]:
    """Return the rows and columns that hold all but a little of the texture."""
    step = max(1, max(known.shape) // 256)
    texture = np.zeros(known.shape, np.float32)
    inner = ndimage.minimum_filter(known, 5)
    for part in signal:
        mean = ndimage.uniform_filter(part, 5)
        texture += np.maximum(ndimage.uniform_filter(part**2, 5) - mean**2, 0) * inner
    texture = np.sqrt(np.maximum(ndimage.uniform_filter(texture, 2 * step + 3), 0))
    floor = np.percentile(texture[known > 0], 20)
    excess = np.maximum(texture - 3 * floor, 0) if (texture > 3 * floor).mean() > 0.02 else texture
    window = []
    for axis in (1, 0):
        mass = np.cumsum(excess.sum(axis))
        n = len(mass)
        if mass[-1] <= 0:
            window.append(slice(0, n))
            continue
        low, high = np.searchsorted(mass, [0.005 * mass[-1], 0.995 * mass[-1]])
        margin = int(0.06 * (high - low)) + 2
        window.append(slice(max(0, int(low) - margin), min(n, int(high) + margin + 1)))
    return window[0], window[1]


def _smoothed(plane: Float, sigma: float) -> Float:
    return np.asarray(ndimage.gaussian_filter(plane, sigma, mode="nearest")) if sigma > 0.05 else plane


def _sampled(plane: Float, at: list[npt.NDArray[np.float64]]) -> Float:
    for axis, where in enumerate(at):
        low = np.minimum(where.astype(np.intp), plane.shape[axis] - 1)
        high = np.minimum(low + 1, plane.shape[axis] - 1)
        part = (where - low).astype(np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
        plane = np.take(plane, low, axis) * (1 - part) + np.take(plane, high, axis) * part
    return plane
