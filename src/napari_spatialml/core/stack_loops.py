"""Loops of links between sections: three links that lead back to where they began tell which of them is wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .affine import Affine

__all__ = ["best_tree", "loop_errors"]

Array = npt.NDArray[np.float64]
Link = tuple[int, int]


def loop_errors(links: Sequence[Link], steps: Sequence[Affine], places: Sequence[Array]) -> Array:
    """Return for each link the smallest root mean square miss of the triangles that it closes.

    Parameters
    ----------
    links
        Pairs (moving, fixed) of section numbers.
    steps
        For each link the transform from the one onto the other.
    places
        For each link (k, 2) places of its moving section in µm.

    Returns
    -------
    (number of links,) in µm; infinite for a link that is part of no triangle. A right link has one
    small triangle as soon as two right links join it; a wrong one has none, unless two err alike.
    """
    ways: dict[Link, list[Affine]] = {}
    for (i, j), step in zip(links, steps, strict=True):
        ways.setdefault((i, j), []).append(step)
        ways.setdefault((j, i), []).append(step.inverse())
    beside: dict[int, set[int]] = {}
    for i, j in ways:
        beside.setdefault(i, set()).add(j)
    found = np.full(len(links), np.inf)
    for number, ((i, j), step) in enumerate(zip(links, steps, strict=True)):
        landed = step.apply(places[number])
        others = [b @ a for k in beside[i] & beside[j] for a in ways[i, k] for b in ways[k, j]]
        # the same two sections linked the other way round close a loop of two
        others += [one for one in ways[i, j] if one is not step]
        for other in others:
            miss = float(np.sqrt(((other.apply(places[number]) - landed) ** 2).sum(1).mean()))
            found[number] = min(found[number], miss)
    return found


def best_tree(links: Sequence[Link], errors: Array, weights: Array, n: int, root: int) -> list[int]:
    """Return the numbers of the links of the tree with the smallest errors, from the root outwards.

    Links without a loop come after those that close one within ten times the typical error, and before
    those that do not; among equals the heavier comes first. Sections that no link reaches are left out.
    """
    closed = errors[np.isfinite(errors)]
    limit = 10 * float(np.median(closed)) if len(closed) else 0.0
    cost = np.where(np.isfinite(errors), errors, limit)
    reached, tree = {root}, list[int]()
    while len(reached) < n:
        rim = [k for k, (i, j) in enumerate(links) if (i in reached) != (j in reached)]
        if not rim:
            break
        best = min(rim, key=lambda k: (cost[k], -weights[k], k))
        tree.append(best)
        reached |= set(links[best])
    return tree
