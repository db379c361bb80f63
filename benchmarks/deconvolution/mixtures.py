"""Two sets of spots whose proportions are known: profiles learnt from one, given to all methods for the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from napari_spatialml.core import Reference, Spots
from tests.acceptance.test_mixtures import profiles_from, read

from ..figures import Figure
from . import peers
from .cells import DATA
from .measures import measures
from .simulated import Scores, answers, compared

__all__ = ["measure"]


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the figures of both ways, and the floors that peers set."""
    if not DATA.is_dir():
        print(f"NOT MEASURED ON MIXTURES: there is no folder {DATA}.")
        return
    given = {f"profiles of {learn}, spots of {test}": _given(learn, test) for learn, test in ((1, 2), (2, 1))}
    theirs = peers.others({name: (spots, reference) for name, (spots, reference, _) in given.items()})
    for way, (spots, reference, truth) in given.items():
        plain = peers.nnls(spots, reference)
        better = min(plain.values(), key=lambda answer: measures(truth, answer.values)["RMSE"])
        scores: Scores = defaultdict(dict)
        for name, answer in {**answers(spots, reference), **theirs[way], "NNLS": better}.items():
            found = {**measures(truth, answer.values), "seconds": answer.seconds}
            scores[name] = {what: [value] for what, value in found.items()}
        for name, figure in compared(scores, f"mixtures, {way}", 0):
            yield f"{way}: {name}", figure


def _given(learn: int, test: int) -> tuple[Spots, Reference, npt.NDArray[np.float64]]:
    """Return spots, reference and truth; the columns of the truth sorted by name."""
    counts, genes, truth = read(DATA, learn)
    reference = Reference(profiles_from(counts, truth.to_numpy()) * 1e4, genes, truth.columns.to_numpy())
    counts, genes, truth = read(DATA, test)
    return Spots(counts, genes), reference, truth[sorted(truth.columns)].to_numpy()
