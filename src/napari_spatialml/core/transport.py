"""Fused Gromov–Wasserstein transport of points with features: balanced, unbalanced or partial.

With squared Euclidean distances the quadratic term has rank 4: one step needs a 4 × 4 statistic of the plan
and no n × n matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import as_coordinates, require
from .fused_cost import FusedCost
from .report import Report, silent
from .sinkhorn import Sinkhorn

__all__ = ["Plan", "effective_rank", "fused_gromov_wasserstein", "fused_objective"]

Floats = npt.NDArray[np.float64]
_LAST, _LAST_FREE = 40, 8
"""At most so many times the Sinkhorn rounds in the last step, until the marginals are met; fewer where
both are given, since what is missing is then mended."""


@dataclass(frozen=True)
class Plan:
    """A soft matching of moving with fixed points.

    Parameters
    ----------
    coupling
        (n, m) ≥ 0.
    objective
        What the plan costs, without the entropy.
    epsilon
        Weight of the entropy at the end.
    """

    coupling: Floats
    objective: float
    epsilon: float

    @property
    def mass(self) -> float:
        """How much is transported: 1 in a balanced plan."""
        return float(self.coupling.sum())


def fused_gromov_wasserstein(
    points: tuple[Any, Any],
    features: tuple[Any, Any],
    alpha: float = 0.5,
    share: float = 1.0,
    relaxation: float = np.inf,
    start: Any = None,
    epsilon: tuple[float, float] = (0.5, 0.002),
    steps: int = 8,
    inner: int = 15,
    report: Report = silent,
) -> Plan:
    """Minimise α ⟨C, P⟩ + (1 − α) Σ (|xᵢ − xₖ|² − |yⱼ − yₗ|²)² Pᵢⱼ Pₖₗ − ε H(P) while ε falls.

    Parameters
    ----------
    points
        (n, 2) moving and (m, 2) fixed, in any one unit; a common factor brings the mean squared distance
        between two points to 1.
    features
        (n, d) moving and (m, d) fixed; C is the squared distance, divided by its mean over all pairs.
    alpha
        Weight of the features, 0 ≤ alpha ≤ 1.
    share
        How much of the mass moves, 0 < share ≤ 1; below 1 the plan is partial: it leaves out what fits
        worst. No point ever gives or takes more than it has, so that a little less than the share may move.
    relaxation
        Weight of the Kullback–Leibler penalty by which marginals may differ; infinite: not at all.
    start
        (n, 2) where the moving points may lie on the fixed ones, such as one rotation of several; None
        starts from the features alone.
    epsilon
        First and last weight of the entropy.
    steps, inner
        Linearisations, and Sinkhorn rounds in each.

    Raises
    ------
    BadInput
        When the shapes do not fit, or all points of a side lie on one place.

    Notes
    -----
    O(n m) time a round and one (n, m) array of single precision. The quadratic term is concave, so each
    linearisation lowers the objective at its ε.

    References
    ----------
    Vayer et al. (2020), doi:10.3390/a13090212 (the objective); Peyré, Cuturi, Solomon (2016) (projected
    linearisation); Scetbon, Peyré, Cuturi (2022) (low-rank costs); Chizat et al. (2018),
    doi:10.1090/mcom/3303 (relaxed marginals); Benamou et al. (2015), doi:10.1137/141000439 (partial);
    Thibault et al. (2021), doi:10.3390/a14050143 (over-relaxation).
    """
    problem = FusedCost.of(points, features, alpha)
    require(0 < share <= 1, f"The share to be transported is {share}.", "Give more than 0 and at most 1.")
    require(relaxation > 0, f"The relaxation is {relaxation}.", "Give a number above 0.")
    solver = Sinkhorn(problem, share, relaxation)
    moments = problem.uniform() if start is None else problem.guess(as_coordinates(start, "The start", len(problem.x)))
    last = _LAST_FREE if solver.free else _LAST
    ladder = np.geomspace(epsilon[0], epsilon[1], steps)
    for k, weight in enumerate(ladder):
        report(k / steps, "Transporting")
        solver.step(moments, float(weight), inner * (last if k == steps - 1 else 1))
        moments = solver.moments()
    coupling = solver.coupling()
    report(1.0)
    return Plan(coupling, problem.objective(coupling), float(ladder[-1]))


def fused_objective(points: tuple[Any, Any], features: tuple[Any, Any], coupling: Any, alpha: float = 0.5) -> float:
    """Return what any plan costs under the objective of `fused_gromov_wasserstein`, without the entropy."""
    return FusedCost.of(points, features, alpha).objective(np.asarray(coupling, dtype=np.float64))


def effective_rank(coupling: Any) -> float:
    """Return Σ Pᵢⱼ² / (pᵢ qⱼ), the sum of the squared singular values of the plan scaled by its marginals.

    It is 1 where the plan says nothing (the product of its marginals), and n for a one-to-one matching of n.

    References
    ----------
    The chi-square dependence plus 1: Rényi (1959), doi:10.1007/BF02024507.
    """
    plan = np.asarray(coupling, dtype=np.float64)
    p, q = plan.sum(1), plan.sum(0)
    rows, columns = p > 0, q > 0
    if not rows.any():
        return 0.0
    inside = plan[np.ix_(rows, columns)]
    return float(((inside**2) / p[rows, None] / q[columns]).sum())
