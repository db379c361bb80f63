"""Two sets of spots whose proportions are known: profiles learnt from one, given to all methods for the other.

A spot is the sum of log-normalised expression in 1 to 10 cells, 500 genes: no counts. The sets have no single cells
beside them. So a table of signatures is learnt from the spots of one set and their truth, by regression of their
shares, which is what every method is given. Plain NNLS is that of raw values on this table, nearer by a third than
that of normalised ones; both stand there. Least squares that are told the noise say how far anything can come with
such a table (`bounds`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from napari_spatialml.core import Reference, Spots
from napari_spatialml.core.metrics import rmse
from tests.acceptance.test_mixtures import profiles_from, read

from ..figures import Figure
from . import peers
from .bounds import spread_around, weighted_by
from .cells import DATA
from .measures import measures
from .simulated import Scores, answers, compared

__all__ = ["measure"]

Array = npt.NDArray[np.float64]


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the figures of both ways, and the floors that peers set."""
    if not DATA.is_dir():
        print(f"NOT MEASURED ON MIXTURES: there is no folder {DATA}.")
        return
    given = {f"profiles of {learn}, spots of {test}": _given(learn, test) for learn, test in ((1, 2), (2, 1))}
    theirs = peers.others({name: (spots, reference) for name, (spots, reference, _) in given.items()})
    for (way, (spots, reference, truth)), told in zip(given.items(), (_told(1, 2), _told(2, 1)), strict=True):
        plain = peers.nnls(spots, reference)
        better = min(plain.values(), key=lambda answer: measures(truth, answer.values)["RMSE"])
        scores: Scores = defaultdict(dict)
        every = {**answers(spots, reference), **theirs[way], "NNLS": better, "NNLS, normalised": plain["normalised"]}
        for name, answer in every.items():
            found = {**measures(truth, answer.values), "seconds": answer.seconds}
            scores[name] = {what: [value] for what, value in found.items()}
        for name, values in told.items():
            scores[name]["RMSE"] = [rmse(truth, values)]
        for name, figure in compared(scores, f"mixtures, {way}", 0):
            yield f"{way}: {name}", figure


def _given(learn: int, test: int) -> tuple[Spots, Reference, npt.NDArray[np.float64]]:
    """Return spots, reference and truth; the columns of the truth sorted by name."""
    counts, genes, truth = read(DATA, learn)
    reference = Reference(profiles_from(counts, truth.to_numpy()) * 1e4, genes, truth.columns.to_numpy())
    counts, genes, truth = read(DATA, test)
    return Spots(counts, genes), reference, truth[sorted(truth.columns)].to_numpy()


def _told(learn: int, test: int) -> dict[str, Array]:
    """Return the proportions of least squares that are told the noise of the spots themselves, from their truth.

    How genes vary together is that of the other set's truth: of their own spots it would be learnt by heart.
    """
    (taught, _, shares), (counts, _, truth) = (read(DATA, number) for number in (learn, test))
    names = sorted(truth.columns)
    known, true = shares[names].to_numpy(), truth[names].to_numpy()
    profiles = profiles_from(taught, known)
    own = spread_around(counts.toarray().astype(float), true, profiles)
    other = spread_around(taught.toarray().astype(float), known, profiles)
    spots = counts.toarray().astype(float)
    return {
        "least squares, told each gene's variance in each type": weighted_by(spots, profiles, own.variances),
        "least squares, told also how genes vary together": weighted_by(spots, profiles, own.variances, other.together),
    }
