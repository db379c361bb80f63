"""Sinkhorn's scaling for costs that change from step to step: balanced, relaxed or partial."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .fused_cost import FusedCost, factor

__all__ = ["Sinkhorn", "capped"]

Floats = npt.NDArray[np.float64]
_TINY = 1e-30
_RELAXED = 1.8
"""Over-relaxation of the potentials: above 1 and below 2, Sinkhorn needs a fraction of the rounds."""
_MENDINGS, _MENDING_ROUNDS = 2, 15
_MET = 0.002
"""Share of the mass by which a marginal may be missed before it is mended."""


class Sinkhorn:
    """Sinkhorn on a kernel that has taken in the potentials of the step before."""

    def __init__(self, problem: FusedCost, share: float, relaxation: float) -> None:
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
        relaxed = _RELAXED if self.free else 1.0  # bounds and relaxed marginals do not bear it
        v, level = np.ones(len(old)), self.level
        phi, psi, u, before = base, old, self.u, np.zeros(len(base))
        for k in range(inner):
            row = self.kernel @ v.astype(np.float32)
            if k % 10 == 9:
                if np.abs(u * row - before).sum() < _MET * self.share:
                    break
                before = u * row
            target = self._potential(base - level + epsilon * _log(self.problem.a, row), epsilon)
            phi = target if k == 0 or k == inner - 1 else phi + relaxed * (target - phi)
            u = _scaling(phi - base + level, epsilon)
            column = u.astype(np.float32) @ self.kernel
            target = self._potential(old + epsilon * _log(self.problem.b, column), epsilon)
            psi = target if k in (0, inner - 1) else psi + relaxed * (target - psi)
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
        lifted = (self.v[:, None] * factor(self.problem.y)).astype(np.float32)
        return np.asarray((self.u[:, None] * factor(self.problem.x)).T @ (self.kernel @ lifted))

    def coupling(self) -> Floats:
        return np.asarray(self.kernel * self.u[:, None] * self.v, dtype=np.float64)

    def completed(self, plan: Floats) -> Floats:
        """Return the plan with exact marginals: what Sinkhorn has not placed yet is placed at a larger ε.

        Notes
        -----
        The kernel of 8 ε is the eighth root of that of ε, and Sinkhorn is quick there. What is left in the
        end is spread as in Altschuler, Weed, Rigollet (2017), algorithm 2.
        """
        a, b = self.problem.a, self.problem.b
        plan = capped(plan, a, b)
        for _ in range(_MENDINGS):
            row, column = np.maximum(a - plan.sum(1), 0.0), np.maximum(b - plan.sum(0), 0.0)
            self.kernel = np.sqrt(np.sqrt(np.sqrt(self.kernel)))
            v = np.ones(len(b))
            for _ in range(_MENDING_ROUNDS):
                u = row / np.maximum(self.kernel @ v.astype(np.float32), _TINY)
                v = column / np.maximum(u.astype(np.float32) @ self.kernel, _TINY)
            plan = plan + capped(self.kernel * u[:, None] * v, row, column)
        row, column = np.maximum(a - plan.sum(1), 0.0), np.maximum(b - plan.sum(0), 0.0)
        lacking = float(row.sum())
        return np.asarray(plan + np.outer(row, column) / lacking) if lacking > _TINY else plan


def _log(target: Floats, reached: npt.NDArray[Any]) -> Floats:
    return np.asarray(np.log(target) - np.log(np.maximum(np.asarray(reached, dtype=np.float64), _TINY)))


def _scaling(difference: Floats, epsilon: float) -> Floats:
    return np.asarray(np.exp(np.clip(difference / epsilon, -60.0, 60.0)))


def capped(plan: Floats, a: Floats, b: Floats) -> Floats:
    """Return the plan with what exceeds a marginal taken away."""
    plan = plan * np.minimum(a / np.maximum(plan.sum(1), _TINY), 1.0)[:, None]
    return np.asarray(plan * np.minimum(b / np.maximum(plan.sum(0), _TINY), 1.0))
