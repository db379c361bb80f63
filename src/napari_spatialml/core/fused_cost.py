"""The cost of a fused Gromov–Wasserstein plan in factors of few columns: no n × n matrix is ever made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import as_coordinates, as_finite, require

__all__ = ["FusedCost", "factor"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
_TINY = 1e-30


@dataclass(frozen=True)
class FusedCost:
    """Points and features as factors: |xᵢ − xₖ|² = U Vᵀ with U = (|x|², 1, −2x), V = (1, |x|², x)."""

    x: Floats
    y: Floats
    f: Floats
    g: Floats
    alpha: float
    a: Floats
    b: Floats

    @classmethod
    def of(cls, points: tuple[Any, Any], features: tuple[Any, Any], alpha: float) -> FusedCost:
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
        return np.asarray(factor(self.x).T @ self.a[:, None] @ (self.b[None] @ factor(self.y)))

    def guess(self, placed: Floats) -> Floats:
        """Return the statistic of the plan in which every point lies where ``placed`` says."""
        middle = placed - placed.mean(0)
        size = np.sqrt((self.x**2).sum() / max(float((middle**2).sum()), _TINY))
        return np.asarray(factor(self.x).T @ (self.a[:, None] * factor(middle * size)))

    def factors(self, moments: Floats) -> tuple[Singles, Singles]:
        """Return L and R with cost = L Rᵀ: the linearised cost without what depends on one side alone."""
        left = np.hstack([-2 * self.alpha * self.f, -4 * (1 - self.alpha) * self._ends @ moments])
        return left.astype(np.float32), self._right

    @cached_property
    def _ends(self) -> Floats:
        return _lift(self.x)

    @cached_property
    def _right(self) -> Singles:
        return np.hstack([self.g, _lift(self.y)]).astype(np.float32)

    def sides(self, p: Floats, q: Floats) -> tuple[Floats, Floats]:
        """Return the parts of the linearised cost that depend on the moving and on the fixed point alone."""
        rest = 2 * (1 - self.alpha)
        here = self.alpha * (self.f**2).sum(1) + rest * _fourth(self.x, p)
        there = self.alpha * (self.g**2).sum(1) + rest * _fourth(self.y, q)
        return here, there

    def objective(self, plan: Floats) -> float:
        p, q = plan.sum(1), plan.sum(0)
        cost = p @ (self.f**2).sum(1) + q @ (self.g**2).sum(1) - 2 * float((self.f * (plan @ self.g)).sum())
        moments = factor(self.x).T @ plan @ factor(self.y)
        ends = float(np.sum((_lift(self.x).T @ plan @ _lift(self.y)) * moments))
        bent = p @ _fourth(self.x, p) + q @ _fourth(self.y, q) - 2 * ends
        return float(self.alpha * cost + (1 - self.alpha) * bent)


def _lift(x: Floats) -> Floats:
    squared = (x**2).sum(1, keepdims=True)
    return np.hstack([squared, np.ones_like(squared), -2 * x])


def factor(x: Floats) -> Floats:
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
