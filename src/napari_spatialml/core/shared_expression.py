"""Expression of two sections in one frame: components that vary in space on both, free of batch offsets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh

from .arrays import require
from .graph import knn_graph
from .lowpass import morans_i, normalised
from .report import Report, part, silent

__all__ = ["SharedExpression", "shared_expression"]

Floats = npt.NDArray[np.float64]
_NEIGHBOURS = 6
_CONSTANT = 1e-9


@dataclass(frozen=True)
class SharedExpression:
    """Components of the features that both sections have.

    Parameters
    ----------
    fixed, moving
        (n, d) and (m, d) scores, each of mean 0 on its side, weighted by how clear its pattern in space is on
        both: a component of noise has no say.
    others_fixed, others_moving
        The same of the other half of the features: a second opinion whose noise is its own.
    used
        How many features vary on both sides.
    """

    fixed: Floats
    moving: Floats
    others_fixed: Floats
    others_moving: Floats
    used: int


def shared_expression(
    fixed: Any,
    moving: Any,
    fixed_points: Floats,
    moving_points: Floats,
    n_components: int = 12,
    n_features: int = 1000,
    report: Report = silent,
) -> SharedExpression:
    """Normalise, scale each feature on its own side, choose those with a pattern in space, take components.

    Parameters
    ----------
    fixed, moving
        (n, p) and (m, p) counts or intensities of the same p features.
    fixed_points, moving_points
        (n, 2) and (m, 2) in µm.
    n_components
        Of each half of the features.
    n_features
        At most this many features, those whose Moran's I is highest on both sides.

    Raises
    ------
    BadInput
        When the sides have different numbers of features, or no feature varies on both.

    Notes
    -----
    A factor that one section puts on a gene (chemistry, depth, permeabilisation) is an offset of its
    logarithm, and scaling each side by itself takes it away.
    """
    require(
        fixed.shape[1] == moving.shape[1],
        f"The fixed side has {fixed.shape[1]} features and the moving side {moving.shape[1]}.",
        "Give both sides the same genes in the same order.",
    )
    sides = []
    for share, (values, points) in enumerate(((fixed, fixed_points), (moving, moving_points))):
        inner = part(report, 0.4 * share, 0.4 * share + 0.4)
        table = np.asarray(normalised(values), dtype=np.float64)
        sides.append((table, morans_i(table, knn_graph(points, _NEIGHBOURS), inner)))
    varies = np.logical_and(
        *(table.std(0) > _CONSTANT * np.maximum(np.abs(table).max(0), 1e-300) for table, _ in sides)
    )
    require(
        bool(varies.any()),
        f"None of the {len(varies)} features varies on both sections.",
        "Choose tables that share genes, with counts above 0.",
    )
    pattern = np.minimum(sides[0][1], sides[1][1])
    pattern[~varies] = -np.inf
    chosen = np.argsort(-pattern, kind="stable")[: min(n_features, int(varies.sum()))]
    scaled = [_scaled(table[:, chosen]) for table, _ in sides]
    halves = [slice(0, None, 2), slice(1, None, 2)] if len(chosen) > 1 else [slice(None), slice(None)]
    both = []
    for half in halves:
        scores = _components(scaled[0][:, half], scaled[1][:, half], n_components)
        both.append(_weighted(*scores, fixed_points, moving_points))
    report(1.0)
    return SharedExpression(*both[0], *both[1], used=len(chosen))


def _scaled(table: Floats) -> Floats:
    return np.asarray((table - table.mean(0)) / table.std(0))


def _components(fixed: Floats, moving: Floats, d: int) -> tuple[Floats, Floats]:
    """Return both sides on the leading directions of their mean correlation matrix: each side counts the same."""
    n, m, p = len(fixed), len(moving), fixed.shape[1]
    d = min(d, p, n + m - 1)
    rows = np.vstack([fixed / np.sqrt(2 * n), moving / np.sqrt(2 * m)])
    if p <= n + m:
        values, loadings = eigh(rows.T @ rows, subset_by_index=(p - d, p - 1))
    else:
        values, left = eigh(rows @ rows.T, subset_by_index=(n + m - d, n + m - 1))
        loadings = rows.T @ left / np.sqrt(np.maximum(values, 1e-300))
    values, loadings = values[::-1], loadings[:, ::-1]
    loadings = loadings[:, values > 1e-9 * values[0]]
    loadings = loadings * np.sign(loadings[np.abs(loadings).argmax(0), np.arange(loadings.shape[1])])
    return fixed @ loadings, moving @ loadings


def _weighted(fixed: Floats, moving: Floats, fixed_points: Floats, moving_points: Floats) -> tuple[Floats, Floats]:
    """Weight components by their Moran's I on both sides; the largest are brought nearer to the others."""
    clear = np.ones(fixed.shape[1])
    for values, points in ((fixed, fixed_points), (moving, moving_points)):
        clear = clear * np.clip(morans_i(values, knn_graph(points, _NEIGHBOURS)), 0.0, 1.0)
    spread = np.sqrt((fixed.var(0) + moving.var(0)) / 2)
    weight = np.sqrt(clear) / np.sqrt(np.maximum(spread, 1e-12))
    return fixed * weight, moving * weight
