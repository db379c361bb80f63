"""Non-negative least squares for many right-hand sides at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .report import Report, silent

__all__ = ["batched_nnls"]

Array = npt.NDArray[np.float64]
_BATCH = 1 << 22
"""Numbers in one batch of Gram matrices (32 MB)."""


def batched_nnls(gram: Array, right: Array, report: Report = silent) -> Array:
    """Minimise ½ xᵀGx − bᵀx over x >= 0 for each row b.

    Parameters
    ----------
    gram
        (t, t), AᵀA, positive definite.
    right
        (n, t), rows Aᵀy.

    Returns
    -------
    (n, t) solutions, exact to rounding.

    Notes
    -----
    Block principal pivoting: every row exchanges all its wrong variables at once, and one at a time
    when that does not lessen their number, which ends in finitely many steps. O(n t³) a round, and
    few rounds.

    References
    ----------
    Kim & Park (2011), doi:10.1137/110821172, algorithm 2; Portugal, Júdice & Vicente (1994).
    """
    n, t = right.shape
    out = np.zeros((n, t))
    size = max(1, _BATCH // (t * t))
    # unit diagonal: one tolerance then fits all variables
    unit = 1 / np.sqrt(np.diag(gram))
    scaled = gram * unit[:, None] * unit
    for start in range(0, n, size):
        report(start / n, "Solving")
        rows = slice(start, start + size)
        out[rows] = _pivot(scaled, right[rows] * unit) * unit
    report(1.0)
    return out


def _pivot(gram: Array, right: Array) -> Array:
    n, t = right.shape
    scale = np.maximum(np.abs(right).max(1, keepdims=True, initial=0.0), 1e-300)
    right = right / scale
    passive = np.zeros((n, t), bool)
    solution = np.zeros((n, t))
    fewest = np.full(n, t + 1)
    patience = np.full(n, 3)
    active = np.arange(n)
    while len(active):
        x, slope = _solve(gram, right[active], passive[active])
        wrong = (passive[active] & (x < -1e-12)) | (~passive[active] & (slope < -1e-12))
        count = wrong.sum(1)
        done = count == 0
        solution[active[done]] = np.maximum(x[done], 0)
        active, wrong, count = active[~done], wrong[~done], count[~done]
        fewer = count < fewest[active]
        fewest[active] = np.minimum(fewest[active], count)
        patience[active] = np.where(fewer, 3, patience[active] - 1)
        # Murty's rule: only the last wrong variable, where exchanging all has not helped
        single = patience[active] < 0
        last = t - 1 - wrong[:, ::-1].argmax(1)
        wrong[single] = np.eye(t, dtype=bool)[last[single]]
        passive[active] ^= wrong
    return np.asarray(solution * scale)


def _solve(gram: Array, right: Array, passive: npt.NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return the least-squares solution on the passive variables, and the slope on the others."""
    both = passive[:, :, None] & passive[:, None, :]
    matrix = np.where(both, gram, 0.0)
    matrix[:, np.arange(len(gram)), np.arange(len(gram))] = 1.0  # the unit diagonal, and 1 for what is left out
    x = np.linalg.solve(matrix, np.where(passive, right, 0.0)[..., None])[..., 0]
    slope = x @ gram - right
    return x, np.where(passive, 0.0, slope)
