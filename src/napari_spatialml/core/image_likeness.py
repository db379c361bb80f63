"""How alike two pictures of tissue are, whatever their stains: mutual information of classes, local correlation."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .affine import Affine
from .pictures import Picture

__all__ = ["classes_of", "information", "joint_of"]

Float = npt.NDArray[np.float32]


def classes_of(picture: Picture, n: int) -> npt.NDArray[np.int8]:
    """Divide a picture into ``n`` classes of similar signal; -1 where nothing is known.

    Notes
    -----
    k-means on the signal, started at evenly spaced quantiles of its sum. Common levels are counted less, by the
    square root of how common they are: else a large background would be divided and the tissue not.
    """
    seen = picture.known > 0
    labels = np.full(picture.shape, -1, np.int8)
    features = picture.values[:, seen].T
    if len(features) <= n:
        return labels
    order = features @ _axis(features)
    counts, edges = np.histogram(order, bins=32)
    where = np.clip(np.digitize(order, edges) - 1, 0, 31)
    weight = 1 / np.sqrt(np.maximum(counts, 1))[where]
    ranked = np.argsort(order, kind="stable")
    mass = np.cumsum(weight[ranked])
    at = ranked[np.searchsorted(mass, (np.arange(n) + 0.5) / n * mass[-1])]
    centres = features[at]
    for _ in range(12):
        nearest = _nearest(features, centres)
        total = np.bincount(nearest, weight, minlength=n)
        for k in np.flatnonzero(total > 0):
            mine = nearest == k
            centres[k] = (weight[mine, None] * features[mine]).sum(0) / total[k]
    labels[seen] = _nearest(features, centres)
    return labels


def _axis(features: Float) -> Float:
    _, vectors = np.linalg.eigh(np.cov(features.T).reshape(features.shape[1], -1))
    first = vectors[:, -1]
    return np.asarray(first * (1 if first.sum() >= 0 else -1), np.float32)


def _nearest(features: Float, centres: Float) -> npt.NDArray[np.intp]:
    distance = (centres**2).sum(1) - 2 * features @ centres.T
    return np.asarray(distance.argmin(1))


def information(joint: Any) -> Any:
    """Return the mutual information in nats of joint counts (a, b, ...) over the first two axes."""
    total = np.maximum(joint.sum((0, 1)), 1e-9)
    share = np.maximum(joint / total, 1e-9)
    rows, columns = share.sum(1), share.sum(0)
    entropy = (share * np.log(share)).sum((0, 1))
    return entropy - (rows * np.log(rows)).sum(0) - (columns * np.log(columns)).sum(0)


def joint_of(
    fixed: npt.NDArray[np.int8], moving: npt.NDArray[np.int8], fixed_to_moving: Affine
) -> npt.NDArray[np.float64]:
    """Return the joint counts of classes where a map of pixels puts the pictures on each other."""
    from .likeness_kernels import joint_counts

    out = np.zeros((max(int(fixed.max()) + 1, 1), max(int(moving.max()) + 1, 1)))
    joint_counts(fixed, moving, np.ascontiguousarray(fixed_to_moving.matrix[:2]), out)
    return out
