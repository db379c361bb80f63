"""Boosted trees as plain arrays, evaluated without the library that grew them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Trees"]


@dataclass(frozen=True, eq=False)
class Trees:
    """Trees whose leaves are summed. All arrays are (nodes,), save ``roots`` (trees,).

    Parameters
    ----------
    feature, threshold
        A row goes to the left where its feature is at most the threshold; -1 is a leaf.
    left, right
        The nodes that follow.
    missing_left
        Whether a NaN goes to the left.
    value
        The leaf's value.
    roots
        The first node of each tree.
    start
        What is added to the sum.
    """

    feature: npt.NDArray[np.int16]
    threshold: npt.NDArray[np.float32]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    missing_left: npt.NDArray[np.bool_]
    value: npt.NDArray[np.float32]
    roots: npt.NDArray[np.int32]
    start: float

    def __call__(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the sum over the trees for (n, features) rows."""
        total = np.full(len(rows), self.start)
        index = np.arange(len(rows))
        for root in self.roots:
            node = np.full(len(rows), root, dtype=np.int32)
            while True:
                feature = self.feature[node]
                if (feature < 0).all():
                    break
                x = rows[index, np.maximum(feature, 0)]
                left = np.where(np.isnan(x), self.missing_left[node], x <= self.threshold[node])
                follow = np.where(left, self.left[node], self.right[node])
                node = np.where(feature < 0, node, follow)
            total += self.value[node]
        return total
