"""How far a placement of one section on another can be believed: figures, a share, and a warning in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .affine import Affine
from .registration import Trust
from .section_evidence import WIDTH, Sections, block_sums, information
from .transform import Transform

__all__ = ["agreement", "lead", "permuted", "standing_out", "trust_of"]

Floats = npt.NDArray[np.float64]
_BLOCKS = 5
"""Blocks along the section: their means are taken for independent."""
_BELIEVED = 0.5
_CLEAR = 2.5
"""Standard errors by which the best has to be better than the best mirrored one to be free of a warning."""
_APART = 1.25
"""Times the information of the next turn, from which the best is free of a warning: of simulated pairs that share
rings but do not belong together, those that passed all else had 0.97 to 1.2, and right ones that did 1.33 or more,
but for one of 75, with hardly anything of its own beside the rings."""
_TURN, _NEAR = 15, 45
"""Steps of a turn, and turns that are near, in degrees."""
_CONSTANT, _AGREEMENT, _INFORMATION, _LEAD = -1.16, 2.3, 1.67, 0.93
"""Logistic regression of success on simulated pairs, related and unrelated, of 150 to 600 spots, 30 to 300
genes, 30 to 3,000 counts a spot and 50 to 100 % overlap. In ten-fold cross-validation 93 % of those above 0.8
were right, 71 % between 0.5 and 0.8, 25 % between 0.2 and 0.5 and 11 % below."""


def agreement(sections: Sections, transform: Transform) -> float:
    """Return how well the other section predicts a point, beside the point's own neighbours.

    The correlation of each moving point's components with the field of the fixed section at its place, over
    that with the mean of its neighbours on its own section. Noise lowers both alike: 1 means that the other
    section knows as much, 0 nothing.
    """
    um = WIDTH * sections.pitch
    field = sections.fields(WIDTH)[0]
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
    """Return by how many standard errors one placement has more information than another.

    Notes
    -----
    The standard error is a jackknife over blocks of the moving section, since neighbouring points are alike.

    References
    ----------
    Künsch (1989), doi:10.1214/aos/1176347265 (blocks); Efron and Stein (1981) (jackknife).
    """
    low, size = sections.moving.min(0), np.ptp(sections.moving, axis=0).max() / _BLOCKS + 1e-9
    cell = np.floor((sections.moving - low) / size).astype(np.int64)
    _, group = np.unique(cell @ np.array([_BLOCKS + 1, 1]), return_inverse=True)
    groups = group.ravel()
    ours, theirs = (block_sums(sections, one, groups) for one in (best, other))
    gain = ours.information(sections) - theirs.information(sections)
    n = len(ours.weight)
    if n < 3:
        return 0.0
    without = [ours.without(k).information(sections) - theirs.without(k).information(sections) for k in range(n)]
    error = float(np.sqrt((n - 1) / n * ((np.array(without) - np.mean(without)) ** 2).sum()))
    return gain / error if error > 0 else 0.0


def standing_out(sections: Sections, best: Affine, rivals: Sequence[Affine]) -> float:
    """Return how many times the information of the next best way to turn the section a placement has.

    Parameters
    ----------
    sections
        With components that were not fitted.
    best
        The placement.
    rivals
        Other placements that were fitted; beside them every turn of 15° about the middle is looked at, mirrored
        and not, but for those near the placement.

    Notes
    -----
    Sections of two animals share an anatomy, such as rings: then any turn has nearly as much.
    """
    middle = best.apply(sections.moving).mean(0)
    about, back = Affine.translation(*middle), Affine.translation(*-middle)
    steps = range(0, 360, _TURN)
    turned = [Affine.rotation(k, tuple(middle)) @ best for k in steps if _NEAR <= k <= 360 - _NEAR]
    over = about @ Affine.scale(1.0, -1.0) @ back @ best
    turned += [Affine.rotation(k, tuple(middle)) @ over for k in steps]
    next_best = max(information(sections, one)[0] for one in (*turned, *rivals))
    return float(information(sections, best)[0] / max(next_best, 1e-9))


def permuted(sections: Sections, transform: Transform, generator: np.random.Generator, times: int = 19) -> float:
    """Return the largest correlation at a placement after the moving points have swapped their expression."""
    field, _ = sections.fields(WIDTH)
    mean, weight = field.at(transform.apply(sections.moving))
    covered = weight > 0
    if covered.sum() < 4:
        return 0.0
    found = [_correlation(generator.permutation(sections.moving_values)[covered], mean[covered]) for _ in range(times)]
    return float(max(found))


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(0), b - b.mean(0)
    scale = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / scale) if scale > 0 else 0.0


def trust_of(figures: dict[str, float], least_rank: float = 3.0) -> Trust:
    """Return the share of placements with such figures that are right, and the warning where it is low.

    Parameters
    ----------
    figures
        "agreement", "information", "lead", "lead over mirrored" (absent where mirroring was ruled out),
        "times the next turn" (absent where it was not looked at) and "plan rank".
    least_rank
        Effective rank below which a plan says nothing.
    """
    mirrored = figures.get("lead over mirrored", np.inf)
    ahead = float(np.log1p(np.clip(min(figures["lead"], mirrored), 0.0, 20.0)))
    logit = _CONSTANT + _AGREEMENT * min(figures["agreement"], 1.0) + _LEAD * ahead
    logit += _INFORMATION * float(np.log(figures["information"] + 0.01))
    score = agreed = float(1 / (1 + np.exp(-logit)))
    if mirrored < _CLEAR:
        score = min(score, 0.49)  # a coin decides between the two
    turned = figures.get("times the next turn", np.inf)
    if turned < _APART:
        score = min(score, 0.49)
    uniform = figures["plan rank"] < least_rank
    if uniform:
        score = min(score, 0.1)
    return Trust(score, _warning(figures, agreed, uniform, mirrored, turned), figures)


def _warning(figures: dict[str, float], agreed: float, uniform: bool, mirrored: float, turned: float) -> str:
    if uniform:
        rank = figures["plan rank"]
        return f"The plan is all but uniform (effective rank {rank:.1f}): place landmarks, or choose other genes."
    if agreed < _BELIEVED and mirrored >= _CLEAR:
        return (
            f"The expression hardly agrees ({100 * figures['agreement']:.0f} % of what neighbours on one section "
            "share): check whether the sections belong together, or place landmarks."
        )
    if mirrored < _CLEAR:
        return (
            f"The mirrored placement fits almost as well ({mirrored:.1f} standard errors worse): "
            "compare both among the candidates."
        )
    if turned < _APART:
        return (
            f"Another turn says almost as much (the best {turned:.2f} times that): the sections may share an anatomy "
            "and not belong together, so compare the candidates, or place landmarks."
        )
    return ""
