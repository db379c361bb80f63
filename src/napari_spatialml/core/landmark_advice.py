"""Where to place the next landmark, and how far the present ones can be trusted over the section."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import as_coordinates, as_finite, require
from .kriging import LEAST, MissField, matern
from .landmark_fits import fit_affine, fit_model, on_a_line
from .landmarks import choose_model
from .spline import spline_scale
from .transform import Transform

__all__ = ["expected_error", "next_landmark", "structure_of"]

Array = npt.NDArray[np.float64]

_SMOOTH, _REACH, _SLIP = 0.02, 0.8, 0.005
"""Before landmarks tell: the bend, how far it reaches and a slip of the hand, in the section's own extent."""
_MOST = 2500
"""Places that are weighed: more are nearer to each other than a hand can tell."""


def next_landmark(fixed_um: Any, moving_um: Any, places: Any, structure: Any | None = None) -> int:
    """Return which place most needs a landmark.

    Parameters
    ----------
    fixed_um, moving_um
        (k, 2) landmark pairs as (y, x) in µm, k >= 0. With fewer than five only where they lie counts.
    places
        (n, 2) places of the fixed side in tissue, n >= 1.
    structure
        (n,) how well each can be told from its surroundings, 0 to 1; None where that is not known.

    Returns
    -------
    The row of ``places`` where the expected error (the kriging standard deviation) times
    1 + structure is largest. A place that already has a landmark is never the answer while others are left.

    Raises
    ------
    BadInput
        When there is no place, or something is not finite.

    References
    ----------
    Universal kriging: Cressie (1993), *Statistics for Spatial Data*, section 3.4.
    """
    where = as_coordinates(places, "The places")
    require(len(where) > 0, "There is no place to choose from.", "Give places in tissue.")
    fixed = as_coordinates(fixed_um, "The fixed landmarks")
    moving = as_coordinates(moving_um, "The moving landmarks", len(fixed))
    worth = np.ones(len(where)) if structure is None else as_finite(structure, "The structure", 1)
    require(len(worth) == len(where), f"There are {len(worth)} values of structure for {len(where)} places.", "")
    # where it lies comes first: the flattest place counts half of the best one
    value = _deviations(fixed, moving, where) * (1 + worth) / 2
    if len(fixed):
        taken = np.sqrt(((where[:, None] - fixed[None]) ** 2).sum(2)).min(1) <= 1e-9 * max(spline_scale(where)[1], 1e-9)
        value = np.where(taken, -1.0, value)
    return int(np.argmax(value))


def expected_error(
    fixed_um: Any, moving_um: Any, model: Transform | str, places: Any, slip: bool = False
) -> npt.NDArray[np.float64]:
    """Return how far off a model of the landmarks is expected to be at places of the fixed side.

    Parameters
    ----------
    fixed_um, moving_um
        (k, 2) landmark pairs as (y, x) in µm, k >= 5 and not on one line.
    model
        The transform from moving to fixed, or "auto", "similarity", "affine" or "spline".
    places
        (n, 2) places of the fixed side as (y, x) in µm.
    slip
        Whether to count the slip of the hand with which a further landmark would measure it.

    Returns
    -------
    (n,) expected distances in µm between where tissue lands and where it should.

    Raises
    ------
    BadInput
        When there are too few landmarks to tell, or they do not carry the model.
    """
    where = as_coordinates(places, "The places")
    fixed = as_coordinates(fixed_um, "The fixed landmarks")
    moving = as_coordinates(moving_um, "The moving landmarks", len(fixed))
    need = f"Only {len(fixed)} landmarks are placed, too few to tell the error elsewhere."
    require(len(fixed) >= LEAST, need, f"Place at least {LEAST}.")
    transform = _fitted(moving, fixed, model) if isinstance(model, str) else model
    # what an affine transform leaves over is the field: what a bent model leaves over it has made small itself
    plane = fit_affine(moving, fixed)
    landed = plane.apply(moving)
    there = plane.apply(transform.inverse().apply(where))
    return MissField.of(landed, fixed - landed).expected(there, where - there, slip)


def _fitted(moving: Array, fixed: Array, model: Any) -> Transform:
    chosen = choose_model(moving, fixed) if model == "auto" else model
    return fit_model(chosen, moving, fixed)


def _deviations(fixed: Array, moving: Array, places: Array) -> Array:
    if len(fixed) >= LEAST and not on_a_line(moving) and not on_a_line(fixed):
        landed = fit_affine(moving, fixed).apply(moving)
        return MissField.of(landed, fixed - landed).deviations(places)
    centre, scale = spline_scale(places)
    return _first_deviations((fixed - centre) / max(scale, 1e-9), (places - centre) / max(scale, 1e-9))


def _first_deviations(have: Array, places: Array) -> Array:
    """Return (n,) standard deviations where nothing is known but where the landmarks lie."""

    def covariance(a: Array, b: Array) -> Array:
        return np.asarray(1 + a @ b.T + _SMOOTH**2 * matern(a, b, _REACH))

    own = 1 + (places**2).sum(1) + _SMOOTH**2
    if not len(have):
        return np.asarray(np.sqrt(own))
    outer = covariance(places, have)
    inner = covariance(have, have) + _SLIP**2 * np.eye(len(have))
    return np.asarray(np.sqrt(np.maximum(own - (outer * np.linalg.solve(inner, outer.T).T).sum(1), 0)))


def structure_of(image: Any, pixel_size_um: float, scale_um: float | None = None) -> tuple[Array, Array]:
    """Return places in tissue that can be told from their surroundings, and how well.

    Parameters
    ----------
    image
        (c, y, x); the centre of pixel (i, j) lies at (i, j) · ``pixel_size_um``.
    pixel_size_um
        Edge of the square pixel in µm, > 0.
    scale_um
        The size of what is told apart; None: a hundredth of the image's diagonal, at least 3 pixels.

    Returns
    -------
    (n, 2) places as (y, x) in µm, at most one a scale and at most some 2,500, and (n,) values from 0 to 1.

    Raises
    ------
    BadInput
        When the image is no image, or shows nothing.

    Notes
    -----
    The smaller eigenvalue of the structure tensor: how much the image changes in the direction in
    which it changes least. Tissue is where it changes at all (Otsu's threshold). O(pixels).

    References
    ----------
    Shi and Tomasi (1994), doi:10.1109/CVPR.1994.323794.
    """
    pixels = np.asarray(image)
    require(pixels.ndim == 3, f"The image has the shape {pixels.shape}.", "Give (channels, height, width).")
    require(pixel_size_um > 0, f"The pixel size is {pixel_size_um} µm.", "Give a number above 0.")
    require(min(pixels.shape[1:]) >= 8, f"The image has only {pixels.shape[1]} × {pixels.shape[2]} pixels.", "")
    sigma = max(
        3.0, float(np.hypot(pixels.shape[1], pixels.shape[2])) / 100 if scale_um is None else scale_um / pixel_size_um
    )
    least, energy = _corners(pixels, sigma)
    require(float(energy.max()) > 0, "The image is the same everywhere.", "Choose an image that shows tissue.")
    tissue = _tissue(energy)
    cell = max(round(2 * sigma), int(np.ceil(np.sqrt(tissue.sum() / _MOST))))
    rows, columns = _peaks(np.where(tissue, least, -1.0), cell)
    # the square root of an eigenvalue is a contrast
    value = np.sqrt(np.maximum(least[rows, columns], 0))
    return np.stack([rows, columns], 1) * float(pixel_size_um), np.minimum(
        value / max(np.quantile(value, 0.9), 1e-300), 1
    )


def _corners(pixels: npt.NDArray[Any], sigma: float) -> tuple[Array, Array]:
    """Return the smaller eigenvalue of the structure tensor, and the tensor's trace, over all channels."""
    from scipy.ndimage import gaussian_filter

    shape = pixels.shape[1:]
    yy, yx, xx = np.zeros((3, *shape))
    for channel in pixels:
        plane = np.nan_to_num(np.asarray(channel, dtype=np.float64))
        spread = float(plane.std())
        if spread == 0:
            continue
        dy, dx = (gaussian_filter(plane, sigma / 3, order=order) / spread for order in ((1, 0), (0, 1)))
        yy, yx, xx = yy + dy * dy, yx + dy * dx, xx + dx * dx
    yy, yx, xx = (gaussian_filter(part, sigma) for part in (yy, yx, xx))
    half = (yy + xx) / 2
    return half - np.sqrt(((yy - xx) / 2) ** 2 + yx**2), 2 * half


def _tissue(energy: Array) -> npt.NDArray[np.bool_]:
    """Split where the image changes from where it does not, on a scale of contrasts."""
    from skimage.filters import threshold_otsu

    contrast = np.sqrt(np.maximum(energy, 0))
    threshold: float = threshold_otsu(contrast)  # type: ignore[no-untyped-call]
    return np.asarray(contrast > 0.5 * threshold)


def _peaks(values: Array, cell: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return rows and columns of the largest value in each square cell that holds one above 0."""
    height, width = (-(-n // cell) * cell for n in values.shape)
    padded = np.full((height, width), -1.0)
    padded[: values.shape[0], : values.shape[1]] = values
    cells = padded.reshape(height // cell, cell, width // cell, cell).swapaxes(1, 2).reshape(-1, cell * cell)
    inside = cells.argmax(1)
    top = np.arange(len(cells)) // (width // cell) * cell
    left = np.arange(len(cells)) % (width // cell) * cell
    kept = cells.max(1) > 0
    return (top + inside // cell)[kept], (left + inside % cell)[kept]
