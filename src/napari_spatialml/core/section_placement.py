"""Place one section on another by expression: rotations and reflections, transport, refinement, candidates."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .affine import Affine
from .movements import Unsheared, fit_movement
from .report import Report, part, silent
from .section_evidence import Sections, information
from .section_refinement import refine_placement
from .section_search import Pose, search_poses
from .transport import Plan, effective_rank, fused_gromov_wasserstein

__all__ = ["Placement", "place_section"]

Floats = npt.NDArray[np.float64]
_APART_DEGREES = 20.0
_PER_SIDE = 2
"""Rotations that are followed up, of the mirrored and of the unmirrored each."""
_NODES = 600
"""Places of a side while rotations are compared; more are averaged on a grid."""


@dataclass(frozen=True)
class Placement:
    """One way in which the moving section may lie.

    Parameters
    ----------
    transform
        Moving to fixed, in µm.
    score
        Information per point that one section has of the other, in nats, on genes that were not fitted too.
    correlation, overlap
        Of the sections there.
    rank
        Effective rank of the plan of transport that led here, or 0 where none did.
    residual_um
        Root mean square distance of the plan's matches from the map fitted to them.
    """

    transform: Affine
    score: float
    correlation: float
    overlap: float
    rank: float = 0.0
    residual_um: float = 0.0


def place_section(
    seen: Sections,
    unseen: Sections,
    n_starts: int = 36,
    least_overlap: float = 0.5,
    alpha: float = 0.5,
    movement: Unsheared = "rigid",
    reflection: bool = True,
    report: Report = silent,
) -> list[Placement]:
    """Return the ways in which the moving section may lie, the best first.

    Parameters
    ----------
    seen
        Points with the components that are fitted.
    unseen
        The same points with components of other genes, which take part in the score.
    n_starts
        Rotations tried, each mirrored and not.
    least_overlap
        Share of the smaller section that has to lie on the other.
    alpha
        Weight of the expression in the plans.
    movement
        Whether the section may scale.
    reflection
        Whether it may be turned over.
    """
    inner = part(report, 0.0, 0.4)
    whole = seen
    seen, unseen = seen.fewer(_NODES), unseen.fewer(_NODES)
    values = (seen.fixed, seen.moving, seen.fixed_values, seen.moving_values)
    poses = search_poses(*values, n_starts, least_overlap, reflection, inner)
    starts = [_affine(pose.linear, pose.shift) for pose in _peaks(poses)]
    found = []
    for k, start in enumerate(starts):
        inner = part(report, 0.4 + 0.6 * k / len(starts), 0.4 + 0.6 * (k + 1) / len(starts))
        found.append(_follow(seen, unseen, start, poses, alpha, movement, inner))
    kept = _distinct(sorted(found, key=lambda one: -one.score), seen)
    finest = refine_placement(whole, kept[0].transform, movement) if whole is not seen else kept[0].transform
    return [replace(kept[0], transform=finest), *kept[1:]]


def _follow(
    seen: Sections,
    unseen: Sections,
    start: Affine,
    poses: list[Pose],
    alpha: float,
    movement: Unsheared,
    report: Report,
) -> Placement:
    """Refine a start directly and by a plan of transport from there; keep what fits better."""
    straight = refine_placement(seen, start, movement, part(report, 0.0, 0.4))
    share = float(np.clip(information(seen, straight)[2], 0.2, 1.0))
    plan = transport_from(seen, straight, alpha, share, part(report, 0.4, 0.7))
    carried, residual = _fitted(plan, seen.moving, seen.fixed, start.reflects, movement)
    by_plan = refine_placement(seen, carried, movement, part(report, 0.7, 1.0))
    rank = effective_rank(plan.coupling)
    placements = []
    for transform in (straight, by_plan):
        one, other = information(seen, transform), information(unseen, transform)
        mean = [(a + b) / 2 for a, b in zip(one, other, strict=True)]
        placements.append(Placement(transform, mean[0], mean[1], mean[2], rank, residual))
    return max(placements, key=lambda one: one.score)


def transport_from(sections: Sections, start: Affine, alpha: float, share: float, report: Report = silent) -> Plan:
    """Return a partial plan that starts at a placement."""
    field, values = sections.fields(1.3)
    features = (values, field.at(sections.fixed)[0])
    points = (sections.moving, sections.fixed)
    placed = start.apply(sections.moving)
    return fused_gromov_wasserstein(
        points, features, alpha, share, start=placed, epsilon=(0.05, 0.004), steps=8, report=report
    )


def _fitted(plan: Plan, moving: Floats, fixed: Floats, reflect: bool, movement: Unsheared) -> tuple[Affine, float]:
    """Fit a rigid map or a similarity to a plan: weighted Procrustes on the means of the partners."""
    weight = plan.coupling.sum(1)
    target = plan.coupling @ fixed / np.maximum(weight, 1e-300)[:, None]
    there = weight > 1e-6 * weight.max()
    found = fit_movement(movement, moving[there], target[there], weight[there], reflect)
    miss = ((found.apply(moving[there]) - target[there]) ** 2).sum(1)
    return found, float(np.sqrt(weight[there] @ miss / weight[there].sum()))


def _affine(linear: Floats, shift: Floats) -> Affine:
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = linear, shift
    return Affine(matrix)


def _peaks(poses: list[Pose]) -> list[Pose]:
    """Return the best rotations that are apart from one another, of each reflection."""
    kept: list[Pose] = []
    for reflects in (False, True):
        mine: list[Pose] = []
        for pose in sorted((p for p in poses if p.reflects == reflects), key=lambda p: -p.score):
            apart = all(_degrees(pose.linear, other.linear) >= _APART_DEGREES for other in mine)
            if apart and len(mine) < _PER_SIDE:
                mine.append(pose)
        kept += mine
    return kept


def _degrees(a: Floats, b: Floats) -> float:
    turn = a @ b.T
    return float(abs(np.degrees(np.arctan2(turn[1, 0] - turn[0, 1], turn[0, 0] + turn[1, 1]))))


def _distinct(placements: list[Placement], sections: Sections) -> list[Placement]:
    """Drop those that lie as a better one does."""
    kept: list[Placement] = []
    for one in placements:
        here = one.transform.apply(sections.moving)
        near = (np.linalg.norm(here - other.transform.apply(sections.moving), axis=1).mean() for other in kept)
        if all(distance > 2 * sections.pitch for distance in near):
            kept.append(one)
    return kept
