"""How far a map of domains can be trusted: row by row, over seeds, and by strokes left out one at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import require
from .domains import Cells, DomainDetector, Embedded
from .report import Report, part, silent

__all__ = ["StrokeAccuracy", "boundary", "leave_one_stroke_out", "margin", "matched", "seed_stability"]

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def margin(probabilities: npt.ArrayLike) -> Array:
    """Return (n,) the largest minus the second probability of each row of (n, k): 0 is undecided, 1 is sure."""
    p = np.asarray(probabilities, dtype=np.float64)
    require(p.ndim == 2 and p.shape[1] > 0, f"The probabilities have the shape {p.shape}.", "Give (rows, domains).")
    if p.shape[1] == 1:
        return np.ones(len(p))
    two = np.partition(p, p.shape[1] - 2, axis=1)[:, -2:]
    return np.asarray(np.clip(two[:, 1] - two[:, 0], 0.0, 1.0))


def boundary(labels: npt.ArrayLike, graph: sp.csr_matrix) -> Array:
    """Return the share of each row's neighbours that lie in other domains.

    Parameters
    ----------
    labels
        (n,) int; below 0 without a domain.
    graph
        (n, n) neighbours, without the diagonal.

    Returns
    -------
    numpy.ndarray
        (n,) in 0..1: 0 inside a domain and for a row without neighbours; NaN for a row without a domain.
        Neighbours without a domain do not count.
    """
    own = np.asarray(labels)
    graph = sp.csr_matrix(graph)
    n = len(own)
    require(graph.shape == (n, n), f"The graph is {graph.shape} for {n} rows.", "Build it from the same rows.")
    row = np.repeat(np.arange(n), np.diff(graph.indptr))
    there = own[graph.indices] >= 0
    differ = there & (own[graph.indices] != own[row])
    total = np.bincount(row, weights=there, minlength=n)
    share = np.divide(np.bincount(row, weights=differ, minlength=n), total, out=np.zeros(n), where=total > 0)
    return np.where(own >= 0, share, np.nan)


def matched(labels: npt.ArrayLike, others: npt.ArrayLike) -> Ints:
    """Return ``others`` renumbered so that as many rows as possible have the same number as in ``labels``.

    Parameters
    ----------
    labels, others
        (n,) int >= 0. Domains of ``others`` that match none get numbers above those of ``labels``.

    References
    ----------
    Kuhn, Naval Research Logistics Quarterly 2, 83 (1955), doi:10.1002/nav.3800020109.
    """
    from scipy.optimize import linear_sum_assignment

    first, second = np.asarray(labels), np.asarray(others)
    k, m = int(first.max(initial=-1)) + 1, int(second.max(initial=-1)) + 1
    shared = np.zeros((k, m))
    np.add.at(shared, (first, second), 1)
    number = np.full(m, -1, dtype=np.int64)
    rows, columns = linear_sum_assignment(-shared)
    number[columns] = rows
    number[number < 0] = k + np.arange(int((number < 0).sum()))
    return np.asarray(number[second])


def seed_stability(
    method: DomainDetector,
    smoothed: Embedded,
    labels: npt.ArrayLike,
    seeds: Sequence[int],
    report: Report = silent,
    ignored: Bools | None = None,
    anchors: Ints | None = None,
    cells: Cells | None = None,
) -> Array:
    """Return the share of seeds whose map gives a row the domain that it has.

    Parameters
    ----------
    method
        With a field "seed".
    smoothed
        Its rows, as `DomainDetector.smoothed` returned them.
    labels
        (n,) int >= 0, the map to test: before the hand, or with ``anchors`` after it.
    seeds
        At least one; the method's own is left out, for it agrees with itself.
    ignored
        As in `Cells`; such rows get a share like the others, but do not help to match.
    anchors
        (n,) int, -1 where free: each map is fitted again from the same strokes.
    cells
        Needed for a method that reads its seed before it divides: its stages are then run again, which is slow.

    Returns
    -------
    numpy.ndarray
        (n,) in 0..1. Maps are matched to ``labels`` so that most rows agree (Hungarian assignment).

    Raises
    ------
    BadInput
        When the method has no seed, or no other seed is given.
    """
    require(
        hasattr(method, "seed"),
        f"{method.title} has no seed: it has one map only.",
        "Use the margin to see where it is unsure.",
    )
    like: Any = method
    others = [int(s) for s in dict.fromkeys(seeds) if s != like.seed]
    require(len(others) > 0, "There is no other seed to compare with.", "Give at least one more seed.")
    own = np.asarray(labels)
    counted = np.ones(len(own), bool) if ignored is None else ~ignored
    agreed = np.zeros(len(own))
    for done, seed in enumerate(others):
        step = part(report, done / len(others), (done + 1) / len(others))
        step(0.0, f"Seed {done + 1} of {len(others)}")
        found = _map_of(replace(like, seed=seed), smoothed, ignored, anchors, cells, step)
        agreed += _like(own, found, counted) == own
    report(1.0, f"Compared with {len(others)} seeds")
    return agreed / len(others)


def _like(own: Ints, found: Ints, counted: Bools) -> Ints:
    """Return the map ``found`` with the numbers of ``own``, matched on the counted rows only."""
    m = int(found.max()) + 1
    table = np.full(m, -1, dtype=np.int64)
    table[found[counted]] = matched(own[counted], found[counted])
    return np.asarray(table[found])


def _map_of(
    method: Any, smoothed: Embedded, ignored: Bools | None, anchors: Ints | None, cells: Cells | None, report: Report
) -> Ints:
    if "seed" in (*method.embeds, *method.smooths):
        require(
            cells is not None, f"{method.title} reads its seed before it divides.", "Give the cells, to run it again."
        )
        smoothed = method.smoothed(method.embedded(cells, part(report, 0.0, 0.8)), cells)
        report = part(report, 0.8, 1.0)
    found = method.divided(smoothed, ignored, report)
    if anchors is not None and (anchors >= 0).any():
        found = method.refitted(smoothed, found.probabilities, anchors, ignored)
    return np.asarray(found.labels)


@dataclass(frozen=True)
class StrokeAccuracy:
    """How well strokes predict each other.

    Parameters
    ----------
    right
        How many strokes lie, by most of their rows, in their domain on the map fitted to the other strokes.
    of
        How many could be predicted.
    per_stroke
        The share of each stroke's rows that is predicted; None where it cannot be: the stroke is the only one
        of a domain that the map before the hand does not have, other strokes cover it wholly, or it marks
        tissue to ignore.
    before
        How many of the same strokes the map before the hand has right.
    sentence
        All this in words.
    alone
        How many strokes are the only ones of their domain.
    covered
        How many lie wholly under later ones.
    """

    right: int
    of: int
    per_stroke: tuple[float | None, ...]
    before: int
    sentence: str
    alone: int = 0
    covered: int = 0


def leave_one_stroke_out(
    method: DomainDetector,
    smoothed: Embedded,
    computed: npt.ArrayLike,
    strokes: Sequence[tuple[Any, int]],
    ignored: Bools | None = None,
    report: Report = silent,
) -> StrokeAccuracy:
    """Fit the map without each stroke in turn, and see whether the others predict it.

    Parameters
    ----------
    method, smoothed
        As for `DomainDetector.refitted`.
    computed
        (n, k) probabilities before the hand.
    strokes
        (rows, domain) in the order in which they were laid: a later one wins where they overlap. A domain of k
        or more is new; below 0 marks tissue to ignore, which is not predicted.
    ignored
        (n,) rows that teach nothing; or None.

    Notes
    -----
    One re-fit a stroke. Strokes are laid where the map was wrong, so that the share is no estimate of how much
    of the whole section is right: it says whether the re-fit has understood what the hand meant.
    """
    before = np.asarray(computed, dtype=np.float64)
    laid = _laid(strokes, *before.shape)
    tried = laid.predictable if len(laid.seen) > 1 else []
    shares: dict[int, float] = {}
    for done, number in enumerate(tried):
        step = part(report, done / len(tried), (done + 1) / len(tried))
        step(0.0, f"Stroke {done + 1} of {len(tried)} left out")
        anchors = np.where(laid.owner == number, -1, laid.given)
        shares[number] = laid.share(number, method.refitted(smoothed, before, anchors, ignored, step).labels)
    free = before.argmax(1)
    right, was = sum(shares[n] > 0.5 for n in tried), sum(laid.share(n, free) > 0.5 for n in tried)
    alone = len(laid.seen) - len(laid.predictable)
    report(1.0, "Left out every stroke once")
    return StrokeAccuracy(
        right,
        len(tried),
        tuple(shares.get(n) for n in range(len(strokes))),
        was,
        _sentence(right, len(tried), was, len(laid.seen), alone, laid.covered),
        alone,
        laid.covered,
    )


@dataclass(frozen=True, eq=False)
class _Laid:
    """Strokes as they lie: the stroke of each row and the domain that it gives, -1 where free."""

    owner: Ints
    given: Ints
    domains: tuple[int, ...]
    seen: list[int]
    predictable: list[int]
    covered: int

    def share(self, stroke: int, labels: npt.NDArray[Any]) -> float:
        """Return the share of a stroke's rows that have its domain."""
        return float((labels[self.owner == stroke] == self.domains[stroke]).mean())


def _laid(strokes: Sequence[tuple[Any, int]], n: int, k: int) -> _Laid:
    owner = np.full(n, -1, dtype=np.int64)
    for number, (rows, _) in enumerate(strokes):
        owner[np.asarray(rows, dtype=np.int64)] = number
    domains = tuple(int(domain) for _, domain in strokes)
    given = np.asarray((*domains, -1), dtype=np.int64)[owner]
    left = np.bincount(owner[owner >= 0], minlength=len(domains))
    painted = [number for number, domain in enumerate(domains) if domain >= 0]
    seen = [number for number in painted if left[number]]
    like = Counter(domains[number] for number in seen)
    predictable = [number for number in seen if domains[number] < k or like[domains[number]] > 1]
    return _Laid(owner, np.maximum(given, -1), domains, seen, predictable, len(painted) - len(seen))


def _sentence(right: int, of: int, before: int, seen: int, alone: int, covered: int) -> str:
    if seen == 0:
        said = "No stroke has been laid yet."
    elif seen == 1:
        said = "There is one stroke: lay another, and each tests the other."
    elif of == 0:
        said = "No stroke can be predicted by the others."
    elif of == 1:
        said = f"The one stroke that can be left out is {'' if right else 'not '}predicted by the others."
    else:
        said = (
            f"Left out one at a time, {right} of {of} strokes {'is' if right == 1 else 'are'} predicted by the others"
            f" (before the hand: {before} of {of})."
        )
    if alone and seen > 1:
        said += f" {_strokes(alone)} of a new domain and cannot be predicted."
    if covered:
        said += f" {covered} {'lies' if covered == 1 else 'lie'} wholly under later strokes."
    return said


def _strokes(alone: int) -> str:
    return "1 stroke is the only one" if alone == 1 else f"{alone} strokes are each the only one"
