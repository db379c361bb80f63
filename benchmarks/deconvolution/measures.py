"""How near proportions are to the truth: what the benchmark's tables show."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_spatialml.core.metrics import jensen_shannon, rmse

__all__ = ["LOWER_IS_BETTER", "measures"]

Array = npt.NDArray[np.float64]
LOWER_IS_BETTER = {"RMSE": True, "JSD": True, "correlation": False, "AUPR": False}


def measures(truth: Array, values: Array) -> dict[str, float]:
    """Return RMSE, mean Jensen–Shannon divergence, mean correlation of a spot, and area under precision and recall.

    Parameters
    ----------
    truth
        (n, t); rows of NaN, spots that hold no type of the reference, are left out.
    values
        (n, t) proportions.
    """
    there = np.isfinite(truth).all(1)
    truth, values = truth[there], values[there]
    return {
        "RMSE": rmse(truth, values),
        "JSD": float(jensen_shannon(truth, values).mean()),
        "correlation": float(_correlations(truth, values).mean()),
        "AUPR": average_precision(truth.ravel() > 0, values.ravel()),
    }


def _correlations(truth: Array, values: Array) -> Array:
    """Return Pearson's correlation of each row; 0 where one is constant."""
    a, b = (rows - rows.mean(1, keepdims=True) for rows in (truth, values))
    size = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return np.asarray(np.divide((a * b).sum(1), size, out=np.zeros(len(a)), where=size > 1e-12))


def average_precision(present: npt.NDArray[np.bool_], score: Array) -> float:
    """Return the area under precision against recall, in steps, over all spots and types; equal scores are one step."""
    order = np.argsort(-score, kind="stable")
    hits, ranked = present[order].cumsum(), score[order]
    last = np.flatnonzero(np.append(np.diff(ranked) != 0, True))
    recall = hits[last] / max(int(hits[-1]), 1)
    return float((np.diff(recall, prepend=0.0) * hits[last] / (last + 1)).sum())
