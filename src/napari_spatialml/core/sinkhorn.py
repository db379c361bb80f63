"""Sinkhorn's scaling for costs that change from step to step: balanced, relaxed or partial."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .fused_cost import FusedCost, factor

__all__ = ["Sinkhorn"]

Floats = npt.NDArray[np.float64]
_TINY, _ANY = 1e-30, 1e30
_MENDINGS, _MENDING_ROUNDS = 2, 15
_LOWEST = -70.0
"""Lowest exponent of the kernel: denormal numbers cost a processor a hundred times as much."""
_NOTHING = 1e-9
"""Mass that need not be placed."""
_MET = 0.0005
"""Share of the mass by which a marginal may be missed before it is mended."""


class Sinkhorn:
    """Sinkhorn on a kernel that has taken in the potentials of the step before."""

    def __init__(self, problem: FusedCost, share: float, relaxation: float) -> None:
        self.problem, self.share, self.relaxation = problem, share, relaxation
        n, m = len(problem.x), len(problem.y)
        self._padded = np.zeros((-(-n // 4) * 4, m), np.float32)
        self.kernel = self._padded[:n]
        self._here, self._there = factor(problem.x), factor(problem.y)
        self.phi, self.psi, self.level = np.zeros(n), np.zeros(m), 0.0
        self.p, self.q = problem.a.copy(), problem.b.copy()
        self.u, self.v = np.ones(n), np.ones(m)

    @property
    def free(self) -> bool:
        """Whether both marginals are given, so that terms of one side alone do not matter."""
        return self.share == 1 and np.isinf(self.relaxation)

    def step(self, moments: Floats, epsilon: float, inner: int) -> int:
        """Linearise at a plan's statistic and transport at ``epsilon``; return the rounds that this took."""
        left, right = self.problem.factors(moments)
        np.dot(left, right.T, out=self.kernel)
        here, there = (np.zeros(1), np.zeros(len(self.psi)))
        if not self.free:
            here, there = self.problem.sides(self.p, self.q)
        # potentials that fit this cost, so that no row and no column underflows
        self.kernel += (there - self.psi).astype(np.float32)
        base = self.kernel.min(1)
        self.kernel -= base[:, None]
        self.kernel *= np.float32(-1 / epsilon)
        np.maximum(self.kernel, np.float32(_LOWEST), out=self.kernel)
        np.exp(self.kernel, out=self.kernel)
        return self._scale(base + here, epsilon, inner)

    def _scale(self, base: Floats, epsilon: float, inner: int) -> int:
        """Run Sinkhorn; the kernel holds exp(−(cost − base − psi) / ε)."""
        from .transport_kernels import rounds

        old, a, b = self.psi, self.problem.a, self.problem.b
        power = self.relaxation / (self.relaxation + epsilon) if np.isfinite(self.relaxation) else 1.0
        row, column = (base - self.level) / epsilon, -old / epsilon
        bounded = self.share < 1
        # what a relaxed marginal draws towards potential 0, and how far a bounded one may rise: to 0
        sides = (
            _scaling((power - 1) * row),
            _scaling(-row) if bounded else np.full(len(a), _ANY),
            _scaling((power - 1) * -column),
            _scaling(column) if bounded else np.full(len(b), _ANY),
        )
        self.v = np.ones(len(b))
        total, taken = rounds(self._padded, a, b, self.u, self.v, sides, power, self.share, inner, _MET, self.free)
        self.level += epsilon * float(np.log(total))
        self.phi, self.psi = base - self.level + epsilon * np.log(self.u), old + epsilon * np.log(self.v)
        if not self.free:
            self.p = self.u * np.asarray(self.kernel @ self.v.astype(np.float32), dtype=np.float64)
            self.q = self.v * np.asarray(self.u.astype(np.float32) @ self.kernel, dtype=np.float64)
        return int(taken)

    def moments(self) -> Floats:
        """Return the 4 × 4 statistic of the present plan."""
        lifted = (self.v[:, None] * self._there).astype(np.float32)
        return np.asarray((self.u[:, None] * self._here).T @ (self.kernel @ lifted))

    def coupling(self) -> Floats:
        """Return the plan; unless marginals are relaxed it exceeds none of them and lacks nothing."""
        from .transport_kernels import plan_of

        plan = np.zeros(self.kernel.shape)
        relaxed = self.share == 1 and not self.free
        bounds = [np.full(len(side), _ANY) if relaxed else side for side in (self.problem.a, self.problem.b)]
        plan_of(self.kernel, self.u, self.v, *bounds, plan)
        if np.isinf(self.relaxation):
            self._complete(plan)
        return plan

    def _complete(self, plan: Floats) -> None:
        """Add what Sinkhorn has not placed yet, placed at a larger ε.

        Notes
        -----
        The kernel of 8 ε is the eighth root of that of ε, and Sinkhorn is quick there. What a balanced plan
        lacks in the end is spread as in Altschuler, Weed, Rigollet (2017), algorithm 2.
        """
        from .transport_kernels import plan_of, rooted, rounds

        a, b = self.problem.a, self.problem.b
        bound = _ANY if self.free else 1.0
        for _ in range(_MENDINGS):
            row, column = np.maximum(a - plan.sum(1), 0.0), np.maximum(b - plan.sum(0), 0.0)
            lacking = self.share - (1 - row.sum())
            if lacking < _NOTHING:
                return
            rooted(self.kernel, np.float32(1.001 * np.exp(_LOWEST)))
            u, v = np.ones(len(a)), np.ones(len(b))
            bounds = np.full(len(a), bound), np.full(len(b), bound)
            sides = bounds[0], bounds[0], bounds[1], bounds[1]
            total = 1.0 if self.free else lacking
            rounds(self._padded, row, column, u, v, sides, 1.0, total, _MENDING_ROUNDS, 0.0, False)
            plan_of(self.kernel, u, v, row, column, plan)
        if self.free:
            row, column = np.maximum(a - plan.sum(1), 0.0), np.maximum(b - plan.sum(0), 0.0)
            if row.sum() > _TINY:
                plan += np.outer(row, column) / row.sum()


def _scaling(exponent: Floats) -> Floats:
    return np.asarray(np.exp(np.clip(exponent, -60.0, 60.0)))
