"""Soft partners of points: the expectation step of robust point matching, and the bending that follows from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .density_images import Points
from .movements import Movement, fit_movement
from .placement import Placement
from .report import Report, silent

__all__ = ["Partners", "coupling_of", "paired"]

Array = npt.NDArray[np.float64]
_ROUNDS = 10
_CUT = 3.0
"""Partners farther than so many standard deviations count as none."""
_ASIDE, _SHIFTS = 4.3, 6
"""What is matched by chance is seen with the points laid so many neighbours aside, in so many directions."""


@dataclass(frozen=True)
class Partners:
    """Where the moving points lie at the end, and who has a partner there.

    Parameters
    ----------
    placement
        Where they lie.
    matched
        (m,) how surely each moving point has a partner, 0 to 1.
    pull
        (m, 2) the way in µm that is left to it.
    sigma
        Standard deviation of these ways in µm, a direction.
    chance
        The mean of ``matched`` with the moving points laid a few neighbours aside.
    odds
        (k, k) how much likelier each pair of codes is among partners than by chance.
    stray
        The weight of having no partner, beside a partner at the very place with odds of 1.
    """

    placement: Placement
    matched: Array
    pull: Array
    sigma: float
    chance: float
    odds: Array
    stray: float


@dataclass(frozen=True)
class _Bins:
    """The fixed points sorted into square bins."""

    where: Array
    codes: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    corner: Array
    edge: float
    shape: tuple[int, int]

    @classmethod
    def of(cls, points: Points, edge: float) -> _Bins:
        from .matching_kernels import sorted_into_bins

        low, high = points.where.min(0), points.where.max(0)
        # not more bins than points by far, however thin the points lie
        thin = float(np.sqrt((high - low).prod() / (8 * len(points.where) + 64)))
        edge = max(edge, thin, float((high - low).max()) / 1e5)
        shape = (int((high[0] - low[0]) / edge) + 1, int((high[1] - low[1]) / edge) + 1)
        starts, order = sorted_into_bins(points.where, low, edge, shape)
        return cls(points.where[order], points.codes[order], starts, low, edge, shape)


def paired(
    fixed: Points,
    moving: Points,
    placement: Placement,
    spacing: float,
    n_codes: int,
    stiffness_um: float | None,
    movement: Movement,
    report: Report = silent,
) -> Partners:
    """Find partners and follow them, in rounds.

    Parameters
    ----------
    placement
        Where the moving points lie at first: off by less than the distance of neighbours at most places.
    spacing
        Distance of neighbouring fixed points in µm.
    stiffness_um
        Over which distance the bending is one; None lets the whole move only.
    """
    sigma, stray = 0.75 * spacing, 0.4
    odds = np.ones((n_codes, n_codes))
    for number in range(_ROUNDS):
        report(number / _ROUNDS, f"Matching points within {_CUT * sigma:.3g} µm")
        bins = _Bins.of(fixed, _CUT * sigma)
        moved = placement.apply(moving.where)
        odds = _odds(moved, moving.codes, bins, n_codes, 0.75 * spacing)
        matched, pull, far = _expected(moved, moving.codes, bins, sigma, stray, spacing, odds)
        if number == _ROUNDS - 1:
            break
        placement = _followed(placement, moving, moved, matched, pull, stiffness_um, movement)
        stray = float(np.clip(1 - matched.mean(), 0.05, 0.95))
        seen = float(np.sqrt(far / max(2 * matched.sum(), 1e-12)))
        sigma = float(np.clip(seen, max(0.7 * sigma, 0.1 * spacing), sigma))
    aside = [_ASIDE * spacing * np.array([np.sin(a), np.cos(a)]) for a in np.arange(_SHIFTS) * (2 * np.pi / _SHIFTS)]
    laid = [_expected(moved + way, moving.codes, bins, sigma, stray, spacing, odds)[0].mean() for way in aside]
    chance = float(np.mean(laid))
    weight = 2 * np.pi * (sigma / spacing) ** 2 * stray / (1 - stray)
    return Partners(placement, matched, pull, sigma, chance, odds, weight)


def _expected(
    moved: Array, codes: Any, bins: _Bins, sigma: float, stray: float, spacing: float, odds: Array
) -> tuple[Array, Array, float]:
    """Return the matched mass, the ways to the partners, and the summed mass times squared way."""
    from .matching_kernels import partners

    matched, pull = np.empty(len(moved)), np.empty((len(moved), 2))
    # a partner's chance density is that of the fixed points around: one in the square of the spacing
    weight = 2 * np.pi * (sigma / spacing) ** 2 * stray / (1 - stray)
    reach = min(bins.edge, _CUT * sigma)
    far = partners(
        moved, codes, bins.where, bins.codes, bins.starts, bins.corner, bins.edge, bins.shape, sigma, weight, odds,
        reach, matched, pull,
    )  # fmt: skip
    return matched, pull, float(far)


def _odds(moved: Array, codes: Any, bins: _Bins, n_codes: int, reach: float) -> Array:
    """Return how much likelier each pair of codes is among nearest neighbours than by chance, kept from extremes."""
    from .matching_kernels import nearest

    if n_codes == 1:
        return np.ones((1, 1))
    found = np.empty(len(moved), np.int64)
    nearest(moved, bins.where, bins.starts, bins.corner, bins.edge, bins.shape, found)
    has = found >= 0
    pairs = np.bincount(codes[has] * n_codes + bins.codes[found[has]], minlength=n_codes**2).reshape(n_codes, n_codes)
    seen = pairs + 0.5
    chance = np.outer(seen.sum(1), seen.sum(0)) / seen.sum()
    # ten pairs' worth of chance, so that a pair of rare codes is not judged by what happened once
    prior = 10 * chance / chance.max()
    return np.asarray(np.clip((seen + prior) / (chance + prior), 0.02, 50))


def _followed(
    placement: Placement, moving: Points, moved: Array, matched: Array, pull: Array,
    stiffness_um: float | None, movement: Movement,
) -> Placement:  # fmt: skip
    """Return the placement after going where the partners are."""
    if stiffness_um is None:
        if np.count_nonzero(matched > 1e-3) < 3:
            return placement
        return placement.moved(fit_movement(movement, moved, moved + pull, matched, reflect=False))
    return _bent(placement, moved, matched, pull, stiffness_um)


def _bent(placement: Placement, moved: Array, matched: Array, pull: Array, stiffness_um: float) -> Placement:
    """Smooth the ways to the partners over the stiffness, and add them to the bending; two points' worth hold still."""
    from .matching_kernels import splatted

    sums = np.zeros((*placement.field.shape[:2], 3), np.float32)
    for k, weights in enumerate((matched, matched * pull[:, 0], matched * pull[:, 1])):
        splatted(moved, np.full(len(moved), k), weights, placement.corner, placement.spacing, sums)
    width = stiffness_um / placement.spacing / 2
    smooth = np.stack([ndimage.gaussian_filter(sums[..., k].astype(np.float64), width) for k in range(3)], -1)
    step = smooth[..., 1:] / (smooth[..., :1] + 2.0 / (2 * np.pi * width**2))
    nodes = placement.nodes().reshape(-1, 2)
    now = placement.bent(nodes)
    at = ((now - placement.corner) / placement.spacing).T
    more = np.stack([ndimage.map_coordinates(step[..., k], at, order=1, mode="nearest") for k in range(2)], -1)
    return replace(placement, field=(now + more - nodes).reshape(placement.field.shape))


def coupling_of(partners: Partners, fixed: Array, moved: Array, fixed_codes: Any, moving_codes: Any) -> Any:
    """Return sparse (m, n) weights: row i says on which fixed points moving point i lies, its sum how surely on any.

    Parameters
    ----------
    fixed, moved
        (n, 2) and (m, 2), the moving points where they lie at the end.
    """
    import scipy.sparse as sp
    from scipy.spatial import KDTree

    distance, at = KDTree(fixed).query(moved, k=min(8, len(fixed)), distance_upper_bound=_CUT * partners.sigma)
    row, rank = np.nonzero(np.isfinite(distance))
    column = at[row, rank]
    weight = np.exp(-0.5 * (distance[row, rank] / partners.sigma) ** 2)
    weight = weight * partners.odds[moving_codes[row], fixed_codes[column]]
    total = np.bincount(row, weight, minlength=len(moved)) + partners.stray
    return sp.csr_matrix((weight / total[row], (row, column)), shape=(len(moved), len(fixed)))
