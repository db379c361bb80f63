"""Cell types learnt from the spots alone: a topic model of their counts, begun at the most extreme spots."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.special import digamma

from .report import Report, part, silent

__all__ = ["Topics", "learn_topics", "overdispersed_genes", "suggested_number", "topic_names"]

Array = npt.NDArray[np.float64]
_SEEN = 0.01
"""Genes that fewer of the spots have say little of any mixture."""
_FEWEST_SEEN = 5
_ROUNDS = 150
_INNER = 3
_PRIOR = 0.1
"""Of a type's profile, a gene: a tenth of a count."""
_NUMBERS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 18, 22)
_FOLDS = 3
_QUICK_ROUNDS = 40
_UNSAFE = re.compile(r'[/\\:*?"<>|]')
"""What the name of a column, and so of a folder, should not hold."""


@dataclass(frozen=True)
class Topics:
    """Types and how much of each the spots hold.

    Parameters
    ----------
    profiles
        (t, g) > 0, rows sum to 1.
    shares
        (n, t) of the spots' counts; rows sum to 1.
    """

    profiles: Array
    shares: Array


def overdispersed_genes(counts: sp.csr_matrix, most: int) -> npt.NDArray[np.intp]:
    """Return the sorted columns of at most so many genes whose counts vary most beyond what the spots' totals explain.

    By Σ ((y − μ)² − μ) / Σ μ, with μ from the totals of spots and genes: 0 for a gene that varies as Poisson counts do.
    """
    rows = sp.csr_matrix(counts).astype(np.float64)
    totals, sums = np.asarray(rows.sum(1)).ravel(), np.asarray(rows.sum(0)).ravel()
    share = sums / max(sums.sum(), 1e-300)
    squares = (
        np.asarray(rows.multiply(rows).sum(0)).ravel() - 2 * share * (totals @ rows) + share**2 * (totals**2).sum()
    )
    excess = np.divide(squares - sums, sums, out=np.full(len(sums), -np.inf), where=sums > 0)
    seen = np.bincount(rows.indices[rows.data > 0], minlength=rows.shape[1])
    excess[seen < min(max(_FEWEST_SEEN, _SEEN * rows.shape[0]), rows.shape[0])] = -np.inf
    best = np.argsort(-excess, kind="stable")[:most]
    return np.sort(best[np.isfinite(excess[best])])


def learn_topics(counts: Array, n_types: int, report: Report = silent, rounds: int = _ROUNDS) -> Topics:
    """Learn types whose mixtures explain spots.

    Parameters
    ----------
    counts
        (n, g) ≥ 0, dense; no row is empty.
    n_types
        How many, at most n and g.

    Notes
    -----
    Latent Dirichlet allocation by variational Bayes, all spots at once, with a weak prior 1 / t on shares. It
    ends in one of many optima: what decides is where it begins, which is not at random but at the spots that are
    least mixed. O(n g t) a round.

    References
    ----------
    Blei, Ng & Jordan (2003), JMLR 3:993, section 5; Araújo et al. (2001), doi:10.1016/S0169-7439(01)00119-8, for
    the successive projection by which the least mixed rows are found.
    """
    n = len(counts)
    profiles = _PRIOR + _least_mixed(counts, n_types) * counts.sum() / n_types
    shares = np.full((n, n_types), 1 / n_types) + counts.sum(1, keepdims=True) / n_types
    for step in range(rounds):
        report(step / rounds, f"Learning {n_types} types")
        expected = _expected(profiles)
        shares = _posterior(counts, expected, shares, _INNER)
        held = _expected(shares)
        profiles = _PRIOR + expected * (held.T @ (counts / np.maximum(held @ expected, 1e-300)))
    order = np.argsort(-shares.sum(0), kind="stable")
    profiles, shares = profiles[order], shares[:, order]
    return Topics(profiles / profiles.sum(1, keepdims=True), shares / shares.sum(1, keepdims=True))


def _posterior(counts: Array, expected: Array, shares: Array, rounds: int) -> Array:
    """Return the (n, t) parameters of the Dirichlet of each spot's shares."""
    for _ in range(rounds):
        held = _expected(shares)
        shares = 1 / len(expected) + held * ((counts / np.maximum(held @ expected, 1e-300)) @ expected.T)
    return shares


def _expected(parameters: Array) -> Array:
    """Return exp(E log p) of the p that each row is the Dirichlet of."""
    return np.asarray(np.exp(digamma(parameters) - digamma(parameters.sum(1, keepdims=True))))


def _least_mixed(counts: Array, n_types: int) -> Array:
    """Return (t, g) profiles of the spots at the corners of all: mixtures lie between them; rows sum to 1.

    Each corner is the sum of the hundredth of the spots next to it, lest it be noise.
    """
    shares = counts / counts.sum(1, keepdims=True)
    scaled = shares / np.sqrt(np.maximum(shares.mean(0), 1e-12))
    _, turned = np.linalg.eigh(scaled.T @ scaled)
    places = scaled @ turned[:, ::-1][:, :n_types]
    left, corners = places.copy(), []
    for _ in range(n_types):
        farthest = int((left**2).sum(1).argmax())
        near = np.argsort(((places - places[farthest]) ** 2).sum(1), kind="stable")
        corners.append(counts[near[: max(5, len(counts) // 100)]].sum(0))
        along = left[farthest] / max(float(np.linalg.norm(left[farthest])), 1e-300)
        left = left - np.outer(left @ along, along)
    found = np.stack(corners) + 0.5 * counts.sum(0) / counts.sum()
    return np.asarray(found / found.sum(1, keepdims=True))


def suggested_number(counts: Array, generator: np.random.Generator, report: Report = silent) -> int:
    """Return the number of types that explains held-out counts: the smallest within a standard error of the best.

    Spots are held out in thirds, of types that the other two thirds have taught. One half of a spot's genes says its
    shares, by which the other half is explained, and the other way round. So neither more types pay by themselves,
    nor what is particular to one spot, nor to one gene in it.

    Parameters
    ----------
    counts
        (n, g) ≥ 0; at least 12 rows, none empty.

    References
    ----------
    Owen & Perry (2009), doi:10.1214/08-AOAS227: rows and columns are held out together.
    """
    n, g = counts.shape
    fold, half = generator.permutation(np.arange(n) % _FOLDS), generator.permutation(np.arange(g) % 2) == 0
    told = [number for number in _NUMBERS if 4 * number <= n and 2 * number <= g]
    gained: list[Array] = []
    for place, number in enumerate(told):
        at = part(report, place / len(told), (place + 1) / len(told))
        gained.append(_held_out(counts, fold, half, number, at))
        means = [float(one.mean()) for one in gained]
        if len(means) > 3 and max(means) > max(means[-3:]):
            break  # three numbers more have gained nothing
    best = int(np.argmax([one.mean() for one in gained]))
    for place in range(best):
        lost = gained[best] - gained[place]
        if lost.mean() <= lost.std() / np.sqrt(n):
            return told[place]
    return told[best]


def _held_out(counts: Array, fold: npt.NDArray[Any], half: npt.NDArray[Any], number: int, report: Report) -> Array:
    """Return (n,) the mean log-likelihood of a spot's counts, each half of the genes by shares from the other."""
    out = np.zeros(len(counts))
    for k in range(_FOLDS):
        rows = fold == k
        taught = learn_topics(counts[~rows], number, part(report, k / _FOLDS, (k + 1) / _FOLDS), _QUICK_ROUNDS)
        for here, there in ((half, ~half), (~half, half)):
            mass = taught.profiles[:, here].sum(1)
            seen, known = counts[rows][:, here], taught.profiles[:, here] / mass[:, None]
            start = np.full((len(seen), number), 1 / number) + seen.sum(1, keepdims=True) / number
            shares = _posterior(seen, known, start, _QUICK_ROUNDS) / mass
            mean = shares @ taught.profiles[:, there]
            rest, mean = counts[rows][:, there], mean / mean.sum(1, keepdims=True)
            out[rows] += (rest * np.log(np.maximum(mean, 1e-300))).sum(1) / counts[rows].sum(1)
    return out


def topic_names(profiles: Array, genes: npt.NDArray[Any], n_genes: int = 3) -> tuple[str, ...]:
    """Return a name for each type that tells its genes: "Type 1 (KRT19, KRT7, MMP7)".

    Its genes are those of the largest p log (p / q), with p their share in the type and q the largest share in
    another one.
    """
    others = np.stack([np.delete(profiles, k, axis=0).max(0) for k in range(len(profiles))])
    score = profiles * np.log(np.maximum(profiles, 1e-300) / np.maximum(others, 1e-300))
    best = np.argsort(-score, axis=1, kind="stable")[:, :n_genes]
    wide = len(str(len(profiles)))
    safe = [_UNSAFE.sub("-", str(gene)) for gene in genes]
    return tuple(f"Type {k:0{wide}d} ({', '.join(safe[i] for i in row)})" for k, row in enumerate(best, 1))
