"""Where a cut that was drawn roughly belongs: on a membrane, or between two expression profiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .arrays import frozen, require
from .mincut import cheapest_cut

__all__ = ["FEWEST", "Transcripts", "along_membrane", "between_profiles"]

Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]
Parts = npt.NDArray[np.int64]
Sampling = tuple[float, float]
FEWEST = 20
"""Fewer transcripts than these tell no two profiles apart."""
_ROUNDS = 8
_BLUR_UM = 0.25
_WIDE_UM = 2.0
_BRIGHTEST = 8.0
"""So many times the spread of the image counts as membrane for sure."""
_SEEN_UM = 1.5
"""A pixel is judged by the transcripts around it: Gaussian weights of this sigma."""
_HALF = 0.5
"""How much the transcripts around a pixel count: two that are near each other say half of it twice."""
_TRUST = 0.05
"""How much the drawn line says to transcripts, in log-likelihood a µm² for each µm of distance from it."""
_PULL = 0.02
"""The same against a membrane, in µm of cut."""
_FARTHEST_UM = 4.0
_SURE = 50.0


@dataclass(frozen=True)
class Transcripts:
    """Transcripts around a cell.

    Parameters
    ----------
    coordinates_px
        (n, 2) as (y, x) in pixels of the whole labels; pixel (i, j) covers [i, i + 1) × [j, j + 1).
    genes
        (n,) codes from 0.
    """

    coordinates_px: npt.NDArray[Any]
    genes: npt.NDArray[Any]

    def __post_init__(self) -> None:
        where, genes = np.asarray(self.coordinates_px, np.float64), np.asarray(self.genes)
        fits = where.ndim == 2 and where.shape[1] == 2 and genes.shape == where.shape[:1]
        require(fits, f"There are {genes.shape} genes for the transcripts {where.shape}.", "Give one gene for each.")
        object.__setattr__(self, "coordinates_px", frozen(where))
        object.__setattr__(self, "genes", frozen(genes.astype(np.int64)))


def along_membrane(mask: Mask, parts: Parts, image: Array, pixel_um: Sampling) -> Parts:
    """Move a cut onto the bright ridge between its two sides.

    Parameters
    ----------
    mask
        (h, w) the cell.
    parts
        (h, w) 1 and 2 on the two sides of the line that was drawn.
    image
        (h, w) signal, bright on membranes.
    pixel_um
        (y, x) size of a pixel in µm.

    Returns
    -------
    ndarray
        (h, w) 1 and 2 on the two sides of the cheapest cut: where the ridge is bright a cut costs little.
        The half of each side that is farthest from the line stays on its side.
    """
    from scipy.ndimage import gaussian_filter

    # thin against wide: a bright cell beside a dim one is no ridge
    blurred = gaussian_filter(image, [max(_BLUR_UM / size, 0.5) for size in pixel_um])
    blurred = blurred - gaussian_filter(image, [_WIDE_UM / size for size in pixel_um])
    inside = blurred[mask]
    middle = float(np.median(inside))
    spread = 1.4826 * float(np.median(np.abs(inside - middle)))
    top = float(inside.max()) - middle  # of a flat image nothing stands out; the line alone decides then
    unit = max(spread, top / _BRIGHTEST, 1e-9 * float(np.abs(image).max()), 1e-300)
    bright = np.clip((blurred - middle) / unit, 0, _BRIGHTEST)
    depth = _depth(parts, pixel_um)
    evidence = _held(depth, parts, _PULL * pixel_um[0] * pixel_um[1] * np.clip(depth, -_FARTHEST_UM, _FARTHEST_UM))
    side = cheapest_cut(mask, evidence, 0.02 + np.exp(-bright), pixel_um)
    return _one_piece_each(mask, side)


def between_profiles(
    mask: Mask, parts: Parts, offset: tuple[int, int], transcripts: Transcripts, pixel_um: Sampling, cell: int
) -> Parts:
    """Move a cut to where the expression changes.

    A mixture of two multinomial profiles, fitted by expectation and maximisation. It starts from the
    half of each side that is farthest from the line. A transcript speaks for the side whose profile it fits,
    itself left out of both; a pixel is judged by what is said around it, and by the line, which
    decides where few transcripts are or the profiles are alike.

    Parameters
    ----------
    mask, parts, pixel_um
        As in `along_membrane`.
    offset
        (y, x) of the mask's first pixel in the labels.
    transcripts
        Those in and around the cell.
    cell
        Its id, for the message.

    Raises
    ------
    BadInput
        When the cell holds fewer than `FEWEST` transcripts.
    """
    from scipy.ndimage import gaussian_filter

    at = np.floor(transcripts.coordinates_px - np.array(offset))
    near = ((at >= 0) & (at < mask.shape)).all(axis=1)  # False at NaN
    at, genes = at[near].astype(np.int64), transcripts.genes[near]
    inside = mask[tuple(at.T)]
    at, genes = at[inside], np.unique(genes[inside], return_inverse=True)[1]
    if len(genes) < FEWEST:
        raise BadInput(
            f"Cell {cell} holds {len(genes)} transcripts, and {FEWEST} are needed to tell two profiles apart.",
            "Cut it straight, or along the membrane.",
        )
    depth = _depth(parts, pixel_um)
    high, low = depth.max() / 2, depth.min() / 2
    around = 4 * np.pi * _SEEN_UM**2 * _HALF  # µm² that a pixel sees
    drawn = around * _TRUST * np.clip(depth, -_FARTHEST_UM, _FARTHEST_UM)
    where = depth[tuple(at.T)]
    belongs = np.where(where >= high, 1.0, np.where(where <= low, 0.0, 0.5))
    for _ in range(_ROUNDS):
        says = np.zeros(mask.shape)
        np.add.at(says, tuple(at.T), _fit(genes, belongs))
        says = gaussian_filter(says, [_SEEN_UM / size for size in pixel_um], mode="constant")
        field = np.clip(around * says / (pixel_um[0] * pixel_um[1]) + drawn, -_SURE, _SURE)
        field[depth >= high], field[(depth <= low) & mask] = _SURE, -_SURE
        belongs = 1 / (1 + np.exp(-field[tuple(at.T)]))
    return _one_piece_each(mask, np.round(field, 6) > 0)


def _fit(genes: npt.NDArray[Any], belongs: Array) -> Array:
    """Return how much better each transcript fits the first profile, in log-likelihood, itself left out.

    ``belongs`` is the probability with which each transcript belongs to the first.
    """
    n, total = int(genes.max()) + 1, len(genes)
    weights = np.stack([belongs, 1 - belongs])
    counts = np.stack([np.bincount(genes, weight, n) for weight in weights])
    whole = counts.sum(0)[genes] / (total - 1 + n)  # the others of the cell, and one more of every gene
    prior = np.sqrt(total)  # so many transcripts of a profile are those of the whole cell
    rates = (counts[:, genes] - weights + prior * whole) / (counts.sum(1)[:, None] - weights + prior)
    return np.asarray(np.log(rates[0]) - np.log(rates[1]))


def _depth(parts: Parts, pixel_um: Sampling) -> Array:
    """Return the distance to the other side in µm, negative on side 2, 0 outside the cell."""
    from scipy.ndimage import distance_transform_edt

    to_second = distance_transform_edt(parts != 2, sampling=pixel_um)
    to_first = distance_transform_edt(parts != 1, sampling=pixel_um)
    return np.asarray(np.where(parts == 1, to_second, np.where(parts == 2, -to_first, 0.0)))


def _held(depth: Array, parts: Parts, evidence: Array) -> Array:
    """Keep the half of each side that is farthest from the line on its side."""
    out = evidence.copy()
    out[(parts == 1) & (depth >= depth.max() / 2)] = np.inf
    out[(parts == 2) & (depth <= depth.min() / 2)] = -np.inf
    return out


def _one_piece_each(mask: Mask, first: Mask) -> Parts:
    """Give what a cut left apart from the body of its side to the other one, where it touches that."""
    from scipy.ndimage import label

    out = np.where(mask, np.where(first, 1, 2), 0)
    for k in (1, 2):
        of, n = label(out == k)
        if n > 1:
            sizes = np.bincount(of.ravel(), minlength=n + 1)[1:]
            of_other, _ = label((out == 3 - k) | ((of > 0) & (of != 1 + int(np.argmax(sizes)))))
            body = np.unique(of_other[out == 3 - k])
            stray = (of > 0) & (of != 1 + int(np.argmax(sizes))) & np.isin(of_other, body)
            out[stray] = 3 - k
    return out
