"""What a review shows at one moment: a cell, a place, a sample, and the queue of all cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..core.sampling import wilson
from .reviewed import PENDING, STATES, WRONG, Reason

__all__ = ["Item", "Place", "Queue", "Sample"]


@dataclass(frozen=True)
class Item:
    """A cell of the queue.

    Parameters
    ----------
    cell, score, kind, reasons, state
        Its id, its probability of being wrong, the kind of the strongest reason, all of them, and what was decided.
    centre, diameter
        (y, x) and size in pixels of the labels.
    """

    cell: int
    score: float
    kind: str
    reasons: tuple[Reason, ...]
    state: str
    centre: tuple[float, float]
    diameter: float


@dataclass(frozen=True)
class Place:
    """A place where a cell may be missing, (y, x) in pixels of the labels; state "pending", "drawn" or "dismissed"."""

    number: int
    where: tuple[float, float]
    diameter: float
    score: float
    words: str
    state: str


@dataclass(frozen=True)
class Sample:
    """Cells drawn at random, and what was said of them."""

    cells: tuple[int, ...]
    right: tuple[int, ...]
    wrong: tuple[int, ...]
    population: int
    gone: tuple[int, ...] = ()
    """Cells that were deleted or merged before anyone judged them."""

    @property
    def left(self) -> tuple[int, ...]:
        """Cells that nobody has judged yet."""
        told = {*self.right, *self.wrong, *self.gone}
        return tuple(c for c in self.cells if c not in told)

    @property
    def words(self) -> str:
        """The accuracy in words: "46 of 50 right: 92 % (81 to 97 %)"."""
        n = len(self.right) + len(self.wrong)
        if n == 0:
            return f"{len(self.cells)} cells drawn, none judged yet"
        found = wilson(len(self.right), n, self.population)
        share, low, high = (f"{100 * v:.0f}" for v in (found.share, found.low, found.high))
        left = f"; {len(self.left)} left" if self.left else ""
        return f"{len(self.right)} of {n} right: {share} % ({low} to {high} %){left}"


@dataclass(frozen=True, eq=False)
class Queue:
    """The cells of labels as a review sees them at one moment, most suspicious first.

    Parameters
    ----------
    cells, scores, kinds, states
        (n,) ids, probabilities of being wrong, names of the strongest reason's kind, places in ``STATES``.
    """

    cells: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    kinds: npt.NDArray[np.object_]
    states: npt.NDArray[np.int64]

    def open(self, at_least: float = 0.0, kind: str = "") -> npt.NDArray[np.int64]:
        """Return the cells on which nobody has decided, and those flagged as wrong, that are at least so suspicious."""
        return self.cells[self._chosen(at_least, kind) & self._undecided]

    def counts(self, at_least: float = 0.0, kind: str = "") -> tuple[int, int]:
        """Return how many cells of that suspicion are done, and how many there are."""
        chosen = self._chosen(at_least, kind)
        return int((chosen & ~self._undecided).sum()), int(chosen.sum())

    @property
    def _undecided(self) -> npt.NDArray[np.bool_]:
        return np.asarray(np.isin(self.states, [STATES.index(PENDING), STATES.index(WRONG)]))

    def _chosen(self, at_least: float, kind: str) -> npt.NDArray[np.bool_]:
        decided = ~self._undecided  # a fixed cell is no longer suspicious, and still counts as done
        high = (self.scores >= at_least) | decided | (self.states == STATES.index(WRONG))
        return np.asarray(high & (self.kinds == kind)) if kind else np.asarray(high)
