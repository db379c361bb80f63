"""How many domains: the number at which parts of the tissue, divided by themselves, agree best."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import frozen, require
from .domains import DomainDetector, Embedded
from .method import parameters
from .metrics import adjusted_rand_index
from .report import Report, silent

__all__ = ["DomainNumber", "domain_number"]

Array = npt.NDArray[np.float64]

_SHARE = 0.8
_MOST_ROWS = 6000
_NEARLY = 0.03
_ROWS_EACH = 3
"""Maps in which nearly every row is a domain of its own agree whatever the tissue."""


@dataclass(frozen=True)
class DomainNumber:
    """How stable the map is at each number of domains.

    Parameters
    ----------
    numbers
        (m,) int, ascending: the numbers of domains that were tried.
    stability
        (m,) mean adjusted Rand index of two maps, each of another part of the rows, where both have them.
    spread
        (m,) standard deviation of it over the pairs.
    suggested
        One of ``numbers``.
    sentence
        What was found, in words.
    """

    numbers: npt.NDArray[np.int64]
    stability: Array
    spread: Array
    suggested: int
    sentence: str


def domain_number(
    method: DomainDetector,
    smoothed: Embedded,
    numbers: Iterable[int] = range(2, 16),
    ignored: npt.NDArray[np.bool_] | None = None,
    repeats: int = 6,
    report: Report = silent,
) -> DomainNumber:
    """Suggest the number of domains by the stability of the map.

    Parameters
    ----------
    method
        Divides; its `n_domains` and `seed` are set here, and its other starts are left out.
    smoothed
        As the method's `smoothed` returned it.
    numbers
        Numbers of domains, each >= 2; those above the number of different rows, and with fewer than three
        rows a domain, are left out.
    ignored
        (n,) rows that do not count; or None.
    repeats
        >= 2: so many random parts of four rows in five are divided for each number.

    Raises
    ------
    BadInput
        When the method has no number of domains to set, or no number is left to try.

    Notes
    -----
    As many fits as numbers times repeats, of one start each. More rows than 6,000 are compared on
    6,000 of them, and the sentence says so. Two domains are stable on nearly every tissue: of the
    numbers from 3 the most stable counts, and of two as stable the larger.

    References
    ----------
    Ben-Hur, Elisseeff & Guyon (2002), "A stability based method for discovering structure in clustered
    data"; Lange, Roth, Braun & Buhmann (2004), doi:10.1162/089976604773717621.
    """
    known = {parameter.name for parameter in parameters(type(method))}
    title = type(method).title
    require("n_domains" in known, f"{title} finds the number of domains by itself.", "Choose another method.")
    require(repeats >= 2, f"{repeats} part cannot be compared.", "Divide 2 or more.")
    pool = _pool(len(smoothed.values), ignored)
    parts = [_part(smoothed, pool, repeat) for repeat in range(repeats)]
    most = min(min(len(rows) for rows, _ in parts) // _ROWS_EACH, smoothed.different)
    tried = sorted({int(number) for number in numbers if 2 <= number <= most})
    require(bool(tried), f"{len(pool)} rows are too few to compare numbers of domains.", "Choose another table.")
    found = []
    for at, number in enumerate(tried):
        maps = []
        for repeat, (rows, alone) in enumerate(parts):
            report((at + repeat / repeats) / len(tried), f"Dividing parts of the tissue into {number} domains")
            settings = {"n_domains": number, "seed": repeat, "n_starts": 1}
            other: Any = replace(cast(Any, method), **{name: settings[name] for name in settings if name in known})
            labels = np.full(len(smoothed.values), -1)
            labels[rows] = other.divided(alone, None).labels
            maps.append(labels)
        found.append(_agreements(maps))
    report(1.0)
    stability, spread = np.array([f.mean() for f in found]), np.array([f.std() for f in found])
    suggested = _most_stable(np.array(tried), stability)
    sentence = _sentence(np.array(tried), stability, suggested, len(pool), len(smoothed.values))
    return DomainNumber(frozen(np.array(tried)), frozen(stability), frozen(spread), suggested, sentence)


def _pool(n: int, ignored: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.int64]:
    taught = np.arange(n) if ignored is None else np.flatnonzero(~ignored)
    if len(taught) <= _MOST_ROWS:
        return taught
    return np.sort(np.random.default_rng(0).choice(taught, _MOST_ROWS, replace=False))


def _part(smoothed: Embedded, pool: npt.NDArray[np.int64], repeat: int) -> tuple[npt.NDArray[np.int64], Embedded]:
    """Return four in five of the rows in the pool, and their part of the tissue."""
    size = max(1, round(_SHARE * len(pool)))
    rows = np.sort(np.random.default_rng(repeat).choice(pool, size, replace=False))
    return rows, Embedded(smoothed.values[rows], sp.csr_matrix(smoothed.graph[rows][:, rows]))


def _agreements(maps: list[npt.NDArray[np.int64]]) -> Array:
    """Return the adjusted Rand index of each two maps, on the rows that both have."""
    found = []
    for first, second in itertools.combinations(maps, 2):
        both = (first >= 0) & (second >= 0)
        found.append(adjusted_rand_index(first[both], second[both]) if both.any() else 0.0)
    return np.array(found)


def _most_stable(numbers: npt.NDArray[np.int64], stability: Array) -> int:
    allowed = numbers >= min(3, numbers.max())
    best = np.round(stability[allowed], 2)
    return int(numbers[allowed][np.flatnonzero(best == best.max())[-1]])


def _sentence(numbers: npt.NDArray[np.int64], stability: Array, suggested: int, rows: int, of: int) -> str:
    at = stability[numbers == suggested][0]
    said = f"{suggested} domains: maps of parts of the tissue agree best there (adjusted Rand index {at:.2f})"
    near = numbers[(stability >= at - _NEARLY) & (numbers >= 3) & (numbers != suggested)]
    if len(near):
        said += f"; {', '.join(map(str, near))} nearly as well"
    if rows == _MOST_ROWS < of:
        said += f"; compared on {rows:,} of {of:,} rows"
    return said + "."
