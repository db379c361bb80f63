"""Resample an image or labels through a transform, by inverse mapping, one block at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .affine import Affine
from .arrays import require
from .report import Report, silent

if TYPE_CHECKING:
    from .transform import Transform

__all__ = ["warp_image", "warp_labels"]

_BLOCK = 1024
_GRID = 8
"""A non-linear inverse is solved at every eighth output pixel and interpolated by a cubic between."""


def warp_image(
    image: Any,
    transform: Transform,
    output_shape: tuple[int, int],
    output_pixel_size_um: float = 1.0,
    input_pixel_size_um: float = 1.0,
    order: int = 1,
    fill: float = 0.0,
    report: Report = silent,
) -> npt.NDArray[Any]:
    """Resample a moving image on the fixed side's pixels.

    Parameters
    ----------
    image
        (c, y, x), NumPy or lazy; the centre of pixel (i, j) lies at (i, j) · ``input_pixel_size_um``.
        Only the windows that a block needs are read.
    transform
        From moving to fixed, in µm.
    output_shape
        (y, x) of the result; the centre of pixel (i, j) lies at (i, j) · ``output_pixel_size_um``.
    output_pixel_size_um, input_pixel_size_um
        Edges of the square pixels in µm, above 0.
    order
        0 (nearest) to 5 of the interpolating spline; 1 is linear.
    fill
        Value outside the moving image.
    report
        Told once a block.

    Returns
    -------
    (c, ) + ``output_shape``, of the image's dtype.

    Notes
    -----
    An image that is much finer than the output should be read from a coarser pyramid level first:
    nothing is averaged here.
    """
    require(image.ndim == 3, f"The image has the shape {image.shape}.", "Give (channels, height, width).")
    require(0 <= order <= 5, f"The interpolation order is {order}.", "Give a whole number from 0 to 5.")
    for size in (output_pixel_size_um, input_pixel_size_um):
        require(0 < size < np.inf, f"A pixel size is {size} µm.", "Give a number above 0.")
    require(min(output_shape) > 0, f"The output's shape is {output_shape}.", "Give a height and width above 0.")
    out = np.full((image.shape[0], *output_shape), fill, dtype=image.dtype)
    backwards = transform.inverse()
    blocks = [(y, x) for y in range(0, output_shape[0], _BLOCK) for x in range(0, output_shape[1], _BLOCK)]
    for done, (y, x) in enumerate(blocks):
        report(done / len(blocks), "Resampling")
        window = (slice(y, min(y + _BLOCK, output_shape[0])), slice(x, min(x + _BLOCK, output_shape[1])))
        where = _source_pixels(backwards, window, output_pixel_size_um) / input_pixel_size_um
        _fill_block(out[(slice(None), *window)], image, where, order)
    report(1.0, "Resampled")
    return out


def warp_labels(
    labels: Any,
    transform: Transform,
    output_shape: tuple[int, int],
    output_pixel_size_um: float = 1.0,
    input_pixel_size_um: float = 1.0,
    report: Report = silent,
) -> npt.NDArray[Any]:
    """Resample moving labels (y, x) on the fixed side's pixels: nearest pixel, so no label is invented.

    Parameters are those of `warp_image`.
    """
    require(labels.ndim == 2, f"The labels have the shape {labels.shape}.", "Give (height, width).")
    return np.asarray(
        warp_image(
            labels[None], transform, output_shape, output_pixel_size_um, input_pixel_size_um, order=0, report=report
        )[0]
    )


def _source_pixels(backwards: Transform, window: tuple[slice, slice], pixel_size_um: float) -> npt.NDArray[np.float64]:
    """Return (2, h, w): where each output pixel comes from, in µm of the moving side."""
    rows, columns = (np.arange(part.start, part.stop, dtype=np.float64) for part in window)
    if isinstance(backwards, Affine) or min(len(rows), len(columns)) <= 2 * _GRID:
        grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2)
        return backwards.apply(grid * pixel_size_um).T.reshape(2, len(rows), len(columns))
    # two knots beyond each edge: the cubic's boundary condition then stays outside the block
    knots = [np.arange(part.start - 2 * _GRID, part.stop + 3 * _GRID, _GRID, dtype=np.float64) for part in window]
    coarse = np.stack(np.meshgrid(*knots, indexing="ij"), -1)
    moved = backwards.apply(coarse.reshape(-1, 2) * pixel_size_um).T.reshape(2, *coarse.shape[:2])
    at = [(fine - knot[0]) / _GRID for fine, knot in zip((rows, columns), knots, strict=True)]
    return np.stack([_separable_cubic(part, at[0], at[1]) for part in moved])


def _separable_cubic(
    values: npt.NDArray[np.float64], rows: npt.NDArray[np.float64], columns: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    from scipy.interpolate import CubicSpline

    along = CubicSpline(np.arange(values.shape[0]), values, axis=0)(rows)
    return np.asarray(CubicSpline(np.arange(values.shape[1]), along, axis=1)(columns))


def _fill_block(out: npt.NDArray[Any], image: Any, where: npt.NDArray[np.float64], order: int) -> None:
    """Interpolate into ``out`` (a view of the result) what lies inside the image, borders included."""
    height, width = image.shape[1:]
    # a pixel reaches half its edge beyond its centre
    inside = (where[0] >= -0.5) & (where[0] < height - 0.5) & (where[1] >= -0.5) & (where[1] < width - 0.5)
    if not inside.any():
        return
    at = where[:, inside]
    margin = 1 if order <= 1 else 16  # the recursive prefilter of a spline forgets within 16 pixels
    low = np.maximum(np.floor(at.min(1)).astype(int) - margin, 0)
    high = np.minimum(np.ceil(at.max(1)).astype(int) + margin + 1, (height, width))
    source = np.asarray(image[:, low[0] : high[0], low[1] : high[1]])
    at = at - low[:, None]
    if order == 0:
        nearest = np.floor(at + 0.5).astype(int)
        out[:, inside] = source[:, nearest[0], nearest[1]]
        return
    for channel, plane in enumerate(source):
        values = ndimage.map_coordinates(plane.astype(np.float64), at, order=order, mode="nearest")
        out[channel, inside] = _as_dtype(values, out.dtype)


def _as_dtype(values: npt.NDArray[np.float64], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)
    return values.astype(dtype)
