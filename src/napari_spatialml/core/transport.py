"""Fused Gromov–Wasserstein transport of points with features: balanced, unbalanced or partial.

With squared Euclidean distances the quadratic term has rank 4: one step needs a 4 × 4 statistic of the plan
and no n × n matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import as_coordinates, as_finite, require
from .report import Report, silent

__all__ = ["Plan", "effective_rank", "fused_gromov_wasserstein", "fused_objective", "weighted_procrustes"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
_TINY = 1e-30
_LAST = 40
"""At most so many times the Sinkhorn rounds in the last step, until the marginals are met."""
_MET = 0.002
"""Share of the mass by which a marginal may be missed before it is mended."""


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
    epsilon: tuple[float, float] = (0.5, 0.005),
    steps: int = 40,
    inner: int = 10,
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
    doi:10.1090/mcom/3303 (relaxed marginals); Benamou et al. (2015), doi:10.1137/141000439 (partial).
    """
    problem = _Problem.of(points, features, alpha)
    require(0 < share <= 1, f"The share to be transported is {share}.", "Give more than 0 and at most 1.")
    require(relaxation > 0, f"The relaxation is {relaxation}.", "Give a number above 0.")
    solver = _Solver(problem, share, relaxation)
    moments = problem.uniform() if start is None else problem.guess(as_coordinates(start, "The start", len(problem.x)))
    ladder = np.geomspace(epsilon[0], epsilon[1], steps)
    for k, weight in enumerate(ladder):
        report(k / steps, "Transporting")
        solver.step(moments, float(weight), inner * (_LAST if k == steps - 1 else 1))
        moments = solver.moments()
    coupling = solver.coupling()
    if solver.free:
        coupling = _rounded(coupling, problem.a, problem.b)
    elif share < 1:
        coupling = _capped(coupling, problem.a, problem.b)
    report(1.0)
    return Plan(coupling, problem.objective(coupling), float(ladder[-1]))


def fused_objective(points: tuple[Any, Any], features: tuple[Any, Any], coupling: Any, alpha: float = 0.5) -> float:
    """Return what any plan costs under the objective of `fused_gromov_wasserstein`, without the entropy."""
    return _Problem.of(points, features, alpha).objective(np.asarray(coupling, dtype=np.float64))


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


def weighted_procrustes(
    source: Floats, target: Floats, weights: Floats, reflect: bool, scaled: bool = False
) -> tuple[Floats, Floats]:
    """Return the (2, 2) linear part and the shift that bring weighted points onto their targets.

    Parameters
    ----------
    source, target
        (n, 2).
    weights
        (n,) ≥ 0, not all 0.
    reflect
        Whether the section is turned over; it is or it is not, whatever fits better.
    scaled
        Whether one scale factor is fitted too.

    References
    ----------
    Umeyama (1991), doi:10.1109/34.88573.
    """
    share = weights / weights.sum()
    here, there = share @ source, share @ target
    spread = (source - here) * share[:, None]
    u, s, v = np.linalg.svd((target - there).T @ spread)
    sign = np.sign(np.linalg.det(u @ v)) * (-1 if reflect else 1)
    linear = u @ np.diag([1.0, sign]) @ v
    if scaled:
        linear = linear * ((s[0] + sign * s[1]) / max(float((spread * (source - here)).sum()), _TINY))
    return linear, there - linear @ here


@dataclass(frozen=True)
class _Problem:
    """Points and features as factors: |xᵢ − xₖ|² = U Vᵀ with U = (|x|², 1, −2x), V = (1, |x|², x)."""

    x: Floats
    y: Floats
    f: Floats
    g: Floats
    alpha: float
    a: Floats
    b: Floats

    @classmethod
    def of(cls, points: tuple[Any, Any], features: tuple[Any, Any], alpha: float) -> _Problem:
        x, y = (as_coordinates(p, "The points") for p in points)
        f, g = (as_finite(v, "The features", 2) for v in features)
        fits = len(f) == len(x) and len(g) == len(y) and f.shape[1] == g.shape[1]
        require(fits, f"Features {f.shape} and {g.shape} for {len(x)} and {len(y)} points.", "Give one row a point.")
        require(0 <= alpha <= 1, f"The weight of expression is {alpha}.", "Give a number from 0 to 1.")
        require(min(len(x), len(y)) > 1, f"There are {len(x)} and {len(y)} points.", "Give two or more a side.")
        x, y = x - x.mean(0), y - y.mean(0)
        spread = float((x**2).sum(1).mean() + (y**2).sum(1).mean())
        require(x.any() and y.any(), "All points of a side lie on one place.", "Choose another table.")
        middle = (f.mean(0) + g.mean(0)) / 2
        f, g = f - middle, g - middle
        apart = float((f**2).sum(1).mean() + (g**2).sum(1).mean() - 2 * f.mean(0) @ g.mean(0))
        scale = np.sqrt(apart) if apart > 0 else 1.0
        n, m = len(x), len(y)
        a, b = np.full(n, 1.0 / n), np.full(m, 1.0 / m)
        return cls(x / np.sqrt(spread), y / np.sqrt(spread), f / scale, g / scale, alpha, a, b)

    def uniform(self) -> Floats:
        return np.asarray(_factor(self.x).T @ self.a[:, None] @ (self.b[None] @ _factor(self.y)))

    def guess(self, placed: Floats) -> Floats:
        """Return the statistic of the plan in which every point lies where ``placed`` says."""
        middle = placed - placed.mean(0)
        size = np.sqrt((self.x**2).sum() / max(float((middle**2).sum()), _TINY))
        return np.asarray(_factor(self.x).T @ (self.a[:, None] * _factor(middle * size)))

    def factors(self, moments: Floats) -> tuple[Singles, Singles]:
        """Return L and R with cost = L Rᵀ: the linearised cost without what depends on one side alone."""
        left = np.hstack([-2 * self.alpha * self.f, -4 * (1 - self.alpha) * _lift(self.x) @ moments])
        right = np.hstack([self.g, _lift(self.y)])
        return left.astype(np.float32), right.astype(np.float32)

    def sides(self, p: Floats, q: Floats) -> tuple[Floats, Floats]:
        """Return the parts of the linearised cost that depend on the moving and on the fixed point alone."""
        rest = 2 * (1 - self.alpha)
        here = self.alpha * (self.f**2).sum(1) + rest * _fourth(self.x, p)
        there = self.alpha * (self.g**2).sum(1) + rest * _fourth(self.y, q)
        return here, there

    def objective(self, plan: Floats) -> float:
        p, q = plan.sum(1), plan.sum(0)
        cost = p @ (self.f**2).sum(1) + q @ (self.g**2).sum(1) - 2 * float((self.f * (plan @ self.g)).sum())
        moments = _factor(self.x).T @ plan @ _factor(self.y)
        ends = float(np.sum((_lift(self.x).T @ plan @ _lift(self.y)) * moments))
        bent = p @ _fourth(self.x, p) + q @ _fourth(self.y, q) - 2 * ends
        return float(self.alpha * cost + (1 - self.alpha) * bent)


def _lift(x: Floats) -> Floats:
    squared = (x**2).sum(1, keepdims=True)
    return np.hstack([squared, np.ones_like(squared), -2 * x])


def _factor(x: Floats) -> Floats:
    squared = (x**2).sum(1, keepdims=True)
    return np.hstack([np.ones_like(squared), squared, x])


def _fourth(x: Floats, p: Floats) -> Floats:
    """Return Σₖ |xᵢ − xₖ|⁴ pₖ from moments."""
    r = (x**2).sum(1)
    second = (x * p[:, None]).T @ x
    first, third = p @ x, (p * r) @ x
    return np.asarray(
        r**2 * p.sum()
        + p @ r**2
        + 4 * np.einsum("ia,ab,ib->i", x, second, x)
        + 2 * r * (p @ r)
        - 4 * r * (x @ first)
        - 4 * x @ third
    )


class _Solver:
    """Sinkhorn on a kernel that has taken in the potentials of the step before."""

    def __init__(self, problem: _Problem, share: float, relaxation: float) -> None:
        self.problem, self.share, self.relaxation = problem, share, relaxation
        n, m = len(problem.x), len(problem.y)
        self.kernel = np.empty((n, m), np.float32)
        self.phi, self.psi, self.level = np.zeros(n), np.zeros(m), 0.0
        self.p, self.q = problem.a.copy(), problem.b.copy()
        self.u, self.v = np.ones(n), np.ones(m)

    @property
    def free(self) -> bool:
        """Whether both marginals are given, so that terms of one side alone do not matter."""
        return self.share == 1 and np.isinf(self.relaxation)

    def step(self, moments: Floats, epsilon: float, inner: int) -> None:
        """Linearise at a plan's statistic and transport at ``epsilon``."""
        left, right = self.problem.factors(moments)
        np.dot(left, right.T, out=self.kernel)
        here, there = (np.zeros(1), np.zeros(1)) if self.free else self.problem.sides(self.p, self.q)
        # potentials that fit this cost, so that no row and no column underflows
        self.kernel += (there - self.psi).astype(np.float32)
        base = np.asarray(self.kernel.min(1), dtype=np.float64)
        self.kernel -= base.astype(np.float32)[:, None]
        self.kernel *= np.float32(-1 / epsilon)
        np.exp(self.kernel, out=self.kernel)
        self._scale(base + here, epsilon, inner)

    def _scale(self, base: Floats, epsilon: float, inner: int) -> None:
        """Run Sinkhorn; the kernel holds exp(−(cost − base − psi) / ε)."""
        old = self.psi.copy()
        v, level = np.ones(len(old)), self.level
        phi, psi, u, before = base, old, self.u, np.zeros(len(base))
        for k in range(inner):
            row = self.kernel @ v.astype(np.float32)
            if k % 10 == 9:
                if np.abs(u * row - before).sum() < _MET * self.share:
                    break
                before = u * row
            phi = self._potential(base - level + epsilon * _log(self.problem.a, row), epsilon)
            u = _scaling(phi - base + level, epsilon)
            column = u.astype(np.float32) @ self.kernel
            psi = self._potential(old + epsilon * _log(self.problem.b, column), epsilon)
            v = _scaling(psi - old, epsilon)
            if self.share < 1:
                mass = float(v @ column)
                level += epsilon * float(np.log(self.share / max(mass, _TINY)))
                u = _scaling(phi - base + level, epsilon)
        self.phi, self.psi, self.level, self.u, self.v = phi, psi, level, u, v
        self.p = u * np.asarray(self.kernel @ v.astype(np.float32), dtype=np.float64)
        self.q = v * np.asarray(u.astype(np.float32) @ self.kernel, dtype=np.float64)

    def _potential(self, exact: Floats, epsilon: float) -> Floats:
        if np.isfinite(self.relaxation):
            exact = exact * (self.relaxation / (self.relaxation + epsilon))
        return np.minimum(exact, 0.0) if self.share < 1 else exact

    def moments(self) -> Floats:
        """Return the 4 × 4 statistic of the present plan."""
        lifted = (self.v[:, None] * _factor(self.problem.y)).astype(np.float32)
        return np.asarray((self.u[:, None] * _factor(self.problem.x)).T @ (self.kernel @ lifted))

    def coupling(self) -> Floats:
        return np.asarray(self.kernel * self.u[:, None] * self.v, dtype=np.float64)


def _log(target: Floats, reached: npt.NDArray[Any]) -> Floats:
    return np.asarray(np.log(target) - np.log(np.maximum(np.asarray(reached, dtype=np.float64), _TINY)))


def _scaling(difference: Floats, epsilon: float) -> Floats:
    return np.asarray(np.exp(np.clip(difference / epsilon, -60.0, 60.0)))


def _capped(plan: Floats, a: Floats, b: Floats) -> Floats:
    """Return the plan with what exceeds a marginal taken away."""
    plan = plan * np.minimum(a / np.maximum(plan.sum(1), _TINY), 1.0)[:, None]
    return np.asarray(plan * np.minimum(b / np.maximum(plan.sum(0), _TINY), 1.0))


def _rounded(plan: Floats, a: Floats, b: Floats) -> Floats:
    """Return the plan with exact marginals (Altschuler, Weed, Rigollet 2017, algorithm 2)."""
    plan = _capped(plan, a, b)
    row, column = np.maximum(a - plan.sum(1), 0.0), np.maximum(b - plan.sum(0), 0.0)
    lacking = float(row.sum())
    return np.asarray(plan + np.outer(row, column) / lacking) if lacking > _TINY else plan
