"""The small quadratic problems of `quadratic_kernels`, all spots at once in torch. Import late: this imports torch.

Spots come last, (t, t, n), so that every operation runs over neighbours in memory, and each problem
is solved as the kernels do: the same pivoting, and a Cholesky factor with the same least pivot.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["drawn", "errors_of_shares", "nonnegative", "unpacked"]

_WORTH = 0.75
"""Part of the spots that are left at which the others are dropped: that copies."""


def unpacked(pairs: Tensor, ridge: Tensor, t: int) -> Tensor:
    """Return the (t, t, n) matrices whose upper triangles are ``pairs``, with ``ridge`` (n,) on their diagonal."""
    first, second = torch.triu_indices(t, t, device=pairs.device)
    place = torch.empty((t, t), dtype=torch.long, device=pairs.device)
    place[first, second] = place[second, first] = torch.arange(len(first), device=pairs.device)
    gram = pairs[place]
    torch.diagonal(gram).add_(ridge[:, None])
    return gram


def _factored(gram: Tensor) -> Tensor:
    lower = torch.zeros_like(gram)
    for j in range(len(gram)):
        column = gram[j:, j] - (lower[j:, :j] * lower[j, :j]).sum(1)
        pivot = torch.maximum(column[0], 1e-12 * gram[j, j] + 1e-300).sqrt()
        lower[j, j] = pivot
        lower[j + 1 :, j] = column[1:] / pivot
    return lower


def _substituted(lower: Tensor, right: Tensor) -> Tensor:
    """Solve the factored systems for (t, n) right hand sides."""
    x = right.clone()
    for i in range(len(x)):
        x[i] = (x[i] - (lower[i, :i] * x[:i]).sum(0)) / lower[i, i]
    for i in reversed(range(len(x))):
        x[i] = (x[i] - (lower[i + 1 :, i] * x[i + 1 :]).sum(0)) / lower[i, i]
    return x


def _kept(gram: Tensor, right: Tensor, kept: Tensor) -> Tensor:
    """Solve for the kept variables (t, n); the others are 0."""
    system = torch.where(kept[:, None] & kept[None], gram, 0.0)
    torch.diagonal(system).add_((~kept).T.to(gram.dtype))
    return _substituted(_factored(system), torch.where(kept, right, 0.0))


def nonnegative(gram: Tensor, right: Tensor, start: Tensor, forbidden: Tensor) -> Tensor:
    """Return (t, n) b ≥ 0 that minimise ½ bᵀGb − rᵀb: block principal pivoting from the support of ``start``.

    Parameters
    ----------
    gram
        (t, t, n) positive definite.
    right, start, forbidden
        (t, n).
    """
    t, n = right.shape
    allowed, free = ~forbidden, (start > 0) & ~forbidden
    unit = torch.diagonal(gram).T.sqrt()
    scale = torch.amax(right.abs() / unit, 0)
    rows, order = torch.arange(n, device=gram.device), torch.arange(t, device=gram.device)[:, None]
    fewest, patience = torch.full_like(rows, t + 1), torch.full_like(rows, 3)
    out = torch.zeros_like(right)
    for _ in range(20 * t):
        b = _kept(gram, right, free)
        out[:, rows] = torch.where(free, b.clamp(min=0), 0.0)
        slope = right - (gram * b).sum(1)
        wrong = torch.where(free, b * unit < -1e-12 * scale, allowed & (slope > 1e-12 * scale * unit))
        count = wrong.sum(0)
        left = count > 0
        remaining = int(left.sum())
        if not remaining:
            break
        patience = torch.where(count < fewest, 3, patience - 1)
        fewest = torch.minimum(fewest, count)
        # Murty's rule: only the last wrong variable, where exchanging all has not helped
        last = torch.amax(torch.where(wrong, order, -1), 0)
        free = free ^ (wrong & ((patience >= 0) | (order == last)))
        if remaining < _WORTH * len(rows):
            gram = gram[..., left]
            right, allowed, free, unit = right[:, left], allowed[:, left], free[:, left], unit[:, left]
            scale, rows, fewest, patience = scale[left], rows[left], fewest[left], patience[left]
    return out


def errors_of_shares(gram: Tensor, abundance: Tensor) -> Tensor:
    """Return the (t, n) standard error of each share of ``abundance``, from the inverse of the information."""
    lower = _factored(gram)
    total = abundance.sum(0)
    own, sums = torch.empty_like(abundance), torch.empty_like(abundance)
    for k in range(len(abundance)):
        unit = torch.zeros_like(abundance)
        unit[k] = 1.0
        column = _substituted(lower, unit)
        own[k], sums[k] = column[k], column.sum(0)
    share = abundance / total
    return (own - 2 * share * sums + share**2 * sums.sum(0)).clamp(min=0).sqrt() / total


def drawn(gram: Tensor, abundance: Tensor, strength: Tensor) -> Tensor:
    """Minimise (b − a)ᵀI(b − a) + strength · Σ (b_k / a_k)² over b, the zeros of a kept; return (t, n) b ≥ 0."""
    kept = abundance > 1e-140  # whose square is not 0
    right = (gram * abundance).sum(1)
    system = gram.clone()
    torch.diagonal(system).add_(torch.where(kept, strength / abundance**2, 0.0).T)
    return _kept(system, right, kept).clamp(min=0)
