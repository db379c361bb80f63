"""Partners by nearness: which points of one section the points of another receive from, once both lie in one frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from .arrays import as_coordinates, require
from .graph import spacing

__all__ = ["neighbour_coupling"]


def neighbour_coupling(gives: Any, takes: Any, neighbours: int = 6, radius_um: float | None = None) -> sp.csr_matrix:
    """Return how much each receiving point takes from the nearest giving ones.

    Parameters
    ----------
    gives, takes
        (n, 2) and (m, 2) as (y, x) in µm of one frame.
    neighbours
        From so many at most, >= 1; 1 takes the nearest one alone.
    radius_um
        A point farther away is no partner; None is one and a half times the pitch of the giving points.

    Returns
    -------
    sp.csr_matrix
        (m, n): a row sums to 1, or to 0 where there is no partner. Weights fall with the distance as a Gaussian
        of half the radius.

    Raises
    ------
    BadInput
        When there are no points, or the radius is no distance.
    """
    source, sink = as_coordinates(gives, "The giving points"), as_coordinates(takes, "The receiving points")
    require(len(source) > 0 and len(sink) > 0, "There are no points on one side.", "Choose another table.")
    require(neighbours >= 1, f"{neighbours} neighbours are asked for.", "Give 1 or more.")
    radius = 1.5 * spacing(source) if radius_um is None else float(radius_um)
    require(radius > 0 and np.isfinite(radius), f"The radius is {radius:g} µm.", "Give a number above 0.")
    k = min(neighbours, len(source))
    distance, partner = (np.asarray(a).reshape(len(sink), k) for a in cKDTree(source).query(sink, k=k))
    near = distance <= radius
    weight = np.where(near, np.exp(-2 * (distance / radius) ** 2), 0.0)
    total = weight.sum(1, keepdims=True)
    weight = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
    rows = np.repeat(np.arange(len(sink)), near.sum(1))
    return sp.csr_matrix((weight[near], (rows, partner[near])), shape=(len(sink), len(source)))
