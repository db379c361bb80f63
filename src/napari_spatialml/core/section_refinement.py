"""The placement of one section on another, improved until the expression fits: soft correspondences, Newton steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.spatial import cKDTree

from .affine import Affine
from .movements import Unsheared
from .report import Report, silent
from .section_evidence import WIDTH, Sections, information
from .smoothed import Smoothed, pitch
from .transform import Transform

__all__ = ["Fit", "match_points", "refine_placement"]

Floats = npt.NDArray[np.float64]
_WIDTHS = (3.0, 2.0, WIDTH)
"""Widths of the fields in pitches, one after the other: far pulls first."""
_OUTLIERS = 0.05
"""Likelihood of a point without a counterpart, beside that of a perfect match."""
_ROUNDS = 8
_EDGE, _RIM = 0.4, 0.4
"""A point on the edge has half of the usual evidence, all from one side: it weighs little."""
_WORSE = 0.85
"""Share of the best information so far below which a section is sliding off the other."""
_NOISY = 6.0
"""Times the usual smallest mismatch that still counts as noise."""
_ALONE = 0.01
"""Kernel that stands for having no partner, beside the usual sum of a row."""
_MOST = 400
"""Points looked at for one mean."""


@dataclass(frozen=True)
class Fit:
    """How the moving points lie in the field of the fixed side.

    Parameters
    ----------
    wrong
        (m, d) what the field lacks at each point to be as the moving side is.
    slope
        (m, d, 2) of the field.
    weight
        (m,) 0 ≤ weight ≤ 1: covered by the fixed side, and no outlier.
    variance
        Of one component's mismatch where it fits.
    """

    wrong: Floats
    slope: Floats
    weight: Floats
    variance: float

    @classmethod
    def at(cls, still: Smoothed, values: Floats, where: Floats) -> Fit:
        """Compare at ``where`` (m, 2); points that the fixed side does not cover weigh nothing."""
        mean, slope, evidence = still.slope(where)
        covered = np.clip((evidence / still.usual - _EDGE) / _RIM, 0.0, 1.0)
        if covered.sum() <= 0:
            return cls(values - mean, slope, covered, 1.0)
        wrong = values - mean
        wrong = wrong - covered @ wrong / covered.sum()
        squared = (wrong**2).sum(1)
        variance = max(float(covered @ squared / covered.sum()), 1e-12)
        weight = covered
        for _ in range(3):
            inlier = np.exp(-0.5 * squared / variance)
            weight = covered * inlier / (inlier + _OUTLIERS)
            variance = max(float(weight @ squared / weight.sum()), 1e-12)
        return cls(wrong, slope, weight, variance)


def refine_placement(
    sections: Sections, start: Affine, movement: Unsheared = "rigid", report: Report = silent
) -> Affine:
    """Return the placement at which the expression of both sides fits best, near ``start``.

    Parameters
    ----------
    sections
        Points and components.
    start
        Within some pitches of the answer.
    movement
        "rigid" turns and shifts; "similarity" scales too. Neither turns the section over: ``start`` does.

    Notes
    -----
    Expectation: each moving point is compared with the mean of its nearest fixed ones (soft, truncated
    correspondences), and is an outlier where it is not covered or does not fit. Maximisation: a
    Gauss–Newton step on turn, shift and scale. The correspondences pull by expression alone, so that
    neither the lattice of the spots nor the edge of the tissue holds the section back; what a step is
    worth is said by the information that the sections then have of each other, so that none slides off the
    other. O(n k d) a round.
    """
    best, reached = start, information(sections, start)[0]
    for number, width in enumerate(_WIDTHS):
        still, values = sections.fields(width)
        placed = best
        for _ in range(_ROUNDS):
            report(number / len(_WIDTHS), "Fitting the expression")
            where = placed.apply(sections.moving)
            fit = Fit.at(still, values, where)
            if fit.weight.sum() < 3:
                break
            step, size = _newton(fit, where, movement, width * sections.pitch)
            tried = step @ placed
            gained = information(sections, tried)[0]
            if gained < _WORSE * reached:
                break
            placed, reached = tried, max(reached, gained)
            if size < 0.01 * sections.pitch:
                break
        best = placed
    report(1.0)
    return best


def _newton(fit: Fit, where: Floats, movement: Unsheared, longest: float) -> tuple[Affine, float]:
    """Return the step, and how far it moves the points, in µm."""
    weight = fit.weight
    centre = weight @ where / weight.sum()
    away = where - centre
    reach = float(np.sqrt(weight @ (away**2).sum(1) / weight.sum())) + 1e-12
    ways = np.zeros((len(where), 2, 4 if movement == "similarity" else 3))
    ways[:, 0, 0], ways[:, 1, 0] = -away[:, 1] / reach, away[:, 0] / reach
    ways[:, 0, 1] = ways[:, 1, 2] = 1.0
    if movement == "similarity":
        ways[:, :, 3] = away / reach
    change = np.einsum("ida,iak->idk", fit.slope, ways)
    change = change - np.einsum("i,idk->dk", weight, change) / weight.sum()
    normal = np.einsum("i,idk,idl->kl", weight, change, change)
    pull = np.einsum("i,idk,id->k", weight, change, fit.wrong)
    ridge = 1e-3 * np.trace(normal) / len(normal) + 1e-300
    move = np.linalg.solve(normal + ridge * np.eye(len(normal)), pull)
    move *= min(1.0, longest / max(float(np.abs(move).max()), 1e-300))
    turn = move[0] / reach
    grow = 1 + (move[3] / reach if movement == "similarity" else 0.0)
    linear = grow * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = linear, centre + move[1:3] - linear @ centre
    return Affine(matrix), float(np.abs(move).max())


def match_points(sections: Sections, transform: Transform, reach: float = 2.0, alpha: float = 0.5) -> sp.csr_matrix:
    """Return the coupling of near points whose expression is alike.

    Parameters
    ----------
    sections
        Points and components.
    transform
        Maps the moving points onto the fixed ones.
    reach
        Standard deviation of the distance between partners, in pitches; none is farther than 2.5 of it.
    alpha
        Weight of the expression, 0 ≤ alpha < 1; at a half, a mismatch as large as the usual smallest one
        counts as much as a distance of one standard deviation.

    Returns
    -------
    sp.csr_matrix
        (m, n): a row sums to at most 1 / m, and to less where the point has no counterpart.

    Notes
    -----
    Partial transport by truncated nearest neighbours: rounds of scaling in which no row gives more than it
    has and no column takes more than the area that it stands for.
    """
    where = transform.apply(sections.moving)
    um = reach * sections.pitch
    still, values = sections.fields(1.5)
    held = still.at(sections.fixed)[0]
    k = min(len(held), max(8, round(16 * (um / sections.pitches[0]) ** 2)), _MOST)
    distance, index = (a.reshape(len(where), -1) for a in cKDTree(sections.fixed).query(where, k=k))
    unlike = np.stack([((values - held[index[:, j]]) ** 2).sum(1) for j in range(k)], axis=1)
    inside = distance < 2.5 * um
    # beyond the other section's edge there is no partner, however near that edge may be
    on_fixed = still.coverage(still.at(where)[1]) ** 2
    on_moving = Smoothed(where, values, still.width, still.most)
    covered = on_moving.coverage(on_moving.at(sections.fixed)[1]) ** 2
    least = np.where(inside, unlike, np.inf).min(1, keepdims=True)
    some = inside.any(1)
    usual = float(np.median(least[some])) if some.any() else 1.0
    weight = alpha / (1 - alpha) / max(usual, 1e-12)
    # a noisy point is not alone for its noise: only beyond a multiple of the usual mismatch
    unlike = unlike - np.where(some[:, None], np.minimum(least, _NOISY * usual), 0.0)
    lowest = np.full(len(held), np.inf)
    np.minimum.at(lowest, index[inside], unlike[inside])
    unlike = unlike - np.minimum(lowest, _NOISY * usual)[index]
    fit = np.exp(-0.5 * (distance / um) ** 2 - 0.5 * weight * unlike) * inside
    fit *= on_fixed[:, None] * covered[index]
    rows = np.repeat(np.arange(len(where)), k)
    kernel = sp.csr_matrix((fit.ravel(), (rows, index.ravel())), shape=(len(where), len(held)))
    kernel.eliminate_zeros()
    return _partial(kernel, (sections.pitches[0] / pitch(where)) ** 2)


def _partial(kernel: sp.csr_matrix, capacity: float, rounds: int = 30) -> sp.csr_matrix:
    """Scale a kernel until no row gives more than 1 / m and no column takes more than ``capacity`` / m."""
    m = kernel.shape[0]
    sums = np.asarray(kernel.sum(1)).ravel()
    # what it costs to have no partner, beside the usual row
    alone = _ALONE * float(np.median(sums[sums > 0])) if (sums > 0).any() else 1.0
    turned = kernel.T.tocsr()
    rows, columns = np.ones(m), np.ones(kernel.shape[1])
    for _ in range(rounds):
        rows = 1 / (kernel @ columns + alone)
        columns = np.minimum(1.0, capacity / np.maximum(turned @ rows, 1e-300))
    rows = np.minimum(rows, 1 / np.maximum(kernel @ columns, 1e-300))
    return sp.csr_matrix(sp.diags(rows / m) @ kernel @ sp.diags(columns))
