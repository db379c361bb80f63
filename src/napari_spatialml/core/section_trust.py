"""How far a placement of one section on another can be believed: figures, a share, and a warning in words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .registration import Trust
from .section_refinement import Fit, Sections
from .transform import Transform

__all__ = ["agreement", "information", "lead", "permuted", "trust_of"]

Floats = npt.NDArray[np.float64]
_WIDTH = 1.3
_INSIDE = 0.9
"""Coverage of a point that lies on the tissue: it is 1 from the edge inwards, and falls off outside."""
_BLOCKS = 5
"""Blocks along the section: their means are taken for independent."""
_BELIEVED = 0.5
_CLEAR = 2.0
"""Standard errors by which the best has to be better than the best mirrored one."""
_COEFFICIENTS = {"constant": -4.0, "agreement": 6.0, "lead": 1.0, "mirrored": 1.0}


def information(sections: Sections, transform: Transform) -> tuple[float, float, float]:
    """Return what one section says of the other at a placement, with the correlation and the overlap.

    Returns
    -------
    tuple[float, float, float]
        −½ log(1 − r²) times the overlap, at least 0; the correlation r of the smoothed components where
        the sections overlap; the share of the smaller section that overlaps.
    """
    field, values = sections.fields(_WIDTH)
    where = transform.apply(sections.moving)
    mean, weight = field.at(where)
    covered = field.coverage(weight)
    if covered.sum() < 3:
        return 0.0, 0.0, 0.0
    here, there = (one - covered @ one / covered.sum() for one in (values, mean))
    scale = np.sqrt((covered @ here**2).sum() * (covered @ there**2).sum())
    r = float((covered @ (here * there)).sum() / scale) if scale > 0 else 0.0
    area = min(len(sections.moving), len(sections.fixed) * (sections.pitches[0] / sections.pitches[1]) ** 2)
    overlap = min(float((covered > _INSIDE).sum()) / area, 1.0)
    return max(-0.5 * float(np.log1p(-(min(abs(r), 0.9999) ** 2))) * overlap * np.sign(r), 0.0), r, overlap


def agreement(sections: Sections, transform: Transform) -> float:
    """Return how well the other section predicts a point, beside the point's own neighbours.

    The correlation of each moving point's components with the field of the fixed section at its place, over
    that with the mean of its neighbours on its own section. Noise lowers both alike: 1 means that the other
    section knows as much, 0 nothing.
    """
    um = _WIDTH * sections.pitch
    field = sections.fields(_WIDTH)[0]
    own = type(field)(sections.moving, sections.moving_values, um, field.most)
    across, evidence = field.at(transform.apply(sections.moving))
    covered = field.coverage(evidence) >= 0.5
    if covered.sum() < 4:
        return 0.0
    beside = own.at(sections.moving, skip_self=True)[0]
    values = sections.moving_values
    there, at_home = (_correlation(values[covered], one[covered]) for one in (across, beside))
    return float(np.clip(there / at_home, -1, 1.5)) if at_home > 0.02 else 0.0


def lead(sections: Sections, best: Transform, other: Transform) -> float:
    """Return by how many standard errors, over blocks of tissue, one placement fits better than another.

    Notes
    -----
    The mismatch of every moving point under both; a point that is not covered has the mismatch of the mean.
    Neighbouring points are alike, so the standard error is taken over blocks.
    """
    gain = _mismatch(sections, other) - _mismatch(sections, best)
    low, size = sections.moving.min(0), np.ptp(sections.moving, axis=0).max() / _BLOCKS + 1e-9
    cell = np.floor((sections.moving - low) / size).astype(np.int64)
    _, group = np.unique(cell @ np.array([_BLOCKS + 1, 1]), return_inverse=True)
    sums = np.bincount(group.ravel(), gain)
    if len(sums) < 3:
        return 0.0
    error = np.sqrt(len(sums)) * sums.std(ddof=1)
    return float(sums.sum() / error) if error > 0 else 0.0


def permuted(sections: Sections, transform: Transform, generator: np.random.Generator, times: int = 19) -> float:
    """Return the largest correlation at a placement after the moving points have swapped their expression."""
    field, _ = sections.fields(_WIDTH)
    mean, weight = field.at(transform.apply(sections.moving))
    covered = weight > 0
    if covered.sum() < 4:
        return 0.0
    found = [_correlation(generator.permutation(sections.moving_values)[covered], mean[covered]) for _ in range(times)]
    return float(max(found))


def _mismatch(sections: Sections, transform: Transform) -> Floats:
    field, values = sections.fields(_WIDTH)
    fit = Fit.at(field, values, transform.apply(sections.moving))
    covered = np.clip(fit.weight * 2, 0, 1)
    nothing = ((values - values.mean(0)) ** 2).sum(1)
    return np.asarray(covered * np.minimum((fit.wrong**2).sum(1), nothing) + (1 - covered) * nothing)


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(0), b - b.mean(0)
    scale = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / scale) if scale > 0 else 0.0


def trust_of(figures: dict[str, float], least_rank: float = 3.0) -> Trust:
    """Return the share of placements with such figures that are right, and the warning where it is low.

    Parameters
    ----------
    figures
        "agreement", "lead" and "lead over mirrored" (absent where mirroring was ruled out), "plan rank".
    least_rank
        Effective rank below which a plan says nothing.
    """
    mirrored = figures.get("lead over mirrored", 4.0)
    logit = _COEFFICIENTS["constant"] + _COEFFICIENTS["agreement"] * figures["agreement"]
    logit += _COEFFICIENTS["lead"] * float(np.log1p(max(figures["lead"], 0)))
    logit += _COEFFICIENTS["mirrored"] * float(np.log1p(max(mirrored, 0)))
    score = float(1 / (1 + np.exp(-logit)))
    uniform = figures["plan rank"] < least_rank
    if mirrored < _CLEAR:
        score = min(score, 0.49)  # a coin decides between the two
    if uniform:
        score = min(score, 0.1)
    return Trust(score, _warning(figures, score, uniform, mirrored), figures)


def _warning(figures: dict[str, float], score: float, uniform: bool, mirrored: float) -> str:
    if uniform:
        rank = figures["plan rank"]
        return f"The plan is all but uniform (effective rank {rank:.1f}): place landmarks, or choose other genes."
    if mirrored < _CLEAR:
        return (
            f"The mirrored placement fits almost as well ({mirrored:.1f} standard errors worse): "
            "compare both among the candidates."
        )
    if score < _BELIEVED:
        return (
            f"The expression hardly agrees ({100 * figures['agreement']:.0f} % of what neighbours on one section "
            "share): check whether the sections belong together, or place landmarks."
        )
    return ""
