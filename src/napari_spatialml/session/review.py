"""The review queue: which cell to look at next, what was decided, how long it will take, how many are right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from psygnal import Signal

from ..core.patch import Window
from ..core.report import Report
from ..core.sampling import wilson
from ..errors import Stale
from .cells import table_name
from .changes import Slot
from .command import Command
from .corrections import correct
from .document import Document
from .evidence import Sources, sources_of
from .gather import pixel_size
from .ranking import Ranking, rank, ranking_changes, score_again
from .reviewed import PENDING, REASON, REASONS, STATE, STATES, SUSPICION, WRONG, Reason, parted, states_of
from .session import Session

__all__ = ["Item", "Place", "Queue", "Review", "Sample", "rank_command"]
FAR = 256
"""Pixels from a place within which something written may have drawn a cell there."""


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
    def expected_wrong(self) -> float:
        """How many of the cells on which nobody has decided are wrong, if the probabilities are right."""
        return float(np.nansum(self.scores[self.states == STATES.index(PENDING)]))

    @property
    def _undecided(self) -> npt.NDArray[np.bool_]:
        return np.isin(self.states, [STATES.index(PENDING), STATES.index(WRONG)])

    def _chosen(self, at_least: float, kind: str) -> npt.NDArray[np.bool_]:
        decided = ~self._undecided  # a fixed cell is no longer suspicious, and still counts as done
        high = (self.scores >= at_least) | decided | (self.states == STATES.index(WRONG))
        return high & (self.kinds == kind) if kind else high


class Review:
    """The review of the cells of some labels. Whoever makes it must keep it, and close it.

    Scores follow the hand: what a correction, its undo or its redo touches is to be scored again, with its
    neighbours. The new scores are at once those of the queue, and reach the document with the next decision.

    Parameters
    ----------
    session
        The session.
    labels
        The cells.
    """

    changed: ClassVar[Signal] = Signal()
    """Emitted when the queue may have changed."""

    def __init__(self, session: Session, labels: str) -> None:
        self.session, self.labels = session, labels
        self._again: dict[int, tuple[float, str, str]] = {}
        self._seen = session.document.grid(labels)
        self._moment = self._looked = self._seen.moment
        self._queue: Queue | None = None
        self._cells: pd.Index[Any] | None = None
        self._labelled: dict[tuple[float, float], bool] = {}
        session.changed.connect(self._on_changed)

    def close(self) -> None:
        """Hear no more of the session."""
        self.session.changed.disconnect(self._on_changed)

    @property
    def document(self) -> Document:
        """The document."""
        return self.session.document

    @property
    def table(self) -> str:
        """The table that keeps the review; "" while the cells are not ranked."""
        name = table_name(self.labels)
        there = name in self.document.names("tables") and SUSPICION in self.document.table(name).obs
        return name if there else ""

    @property
    def sources(self) -> Sources:
        """What the cells were ranked by; what fits, while they are not ranked."""
        kept = self.document.attribute("reviews", {}).get(self.labels)
        if kept is None:
            return sources_of(self.document, self.labels)
        return Sources(self.labels, *(kept[k] for k in ("image", "nuclei", "points")))

    # the queue ---------------------------------------------------------------------------------

    @property
    def queue(self) -> Queue:
        """The cells now."""
        if self._queue is None:
            self._queue = self._read()
        return self._queue

    def item(self, cell: int) -> Item | None:
        """Return what is known of a cell; None where it is gone."""
        row = self._row(cell)
        if row is None:
            return None
        obs, size = self.document.table(self.table).obs, pixel_size(self.document, self.labels)
        kept = (float(obs[SUSPICION].iloc[row]), str(obs[REASON].iloc[row]), str(obs[REASONS].iloc[row]))
        score, kind, reasons = self._again.get(cell, kept)
        y, x, diameter = (float(obs[f"{c}_um"].iloc[row]) / size for c in ("centroid_y", "centroid_x", "diameter"))
        state = STATES[int(states_of(obs.iloc[row : row + 1])[0])]
        return Item(cell, score, kind, parted(reasons), state, (y, x), diameter)

    def rows(self) -> Iterator[tuple[int, float, str, str]]:
        """Yield each cell, its score, its reasons and what was decided, most suspicious first."""
        queue, obs = self.queue, self.document.table(self.table).obs
        at = self._index().get_indexer(pd.Index(queue.cells))
        reasons = obs[REASONS].astype(object).to_numpy()[at]
        for cell, score, words, state in zip(queue.cells.tolist(), queue.scores, reasons, queue.states, strict=True):
            now = self._again[cell][2] if cell in self._again else words
            yield cell, float(score), str(now), STATES[int(state)]

    def places(self) -> tuple[Place, ...]:
        """Return the places where a cell may be missing, most likely first."""
        held = self.document.attribute("missing", {}).get(self.labels)
        if held is None:
            return ()
        self._forget_written()
        dismissed = {tuple(p) for p in self.document.attribute("dismissed", {}).get(self.labels, [])}
        made: list[Place] = []
        for number, (y, x) in enumerate(held["where"]):
            diameter = 2 * float(np.sqrt(held["areas_px"][number] / np.pi))
            drawn = (y, x) not in dismissed and self._has_cell(y, x, diameter)
            state = "dismissed" if (y, x) in dismissed else "drawn" if drawn else PENDING
            made.append(Place(number, (y, x), diameter, held["scores"][number], held["words"][number], state))
        return tuple(made)

    def sample(self) -> Sample | None:
        """Return the cells drawn at random; None where none were."""
        held = self.document.attribute("inspections", {}).get(self.labels)
        if held is None:
            return None
        told = {*held["right"], *held["wrong"]}
        there = set(self.queue.cells.tolist())
        gone = tuple(c for c in held["cells"] if c not in told and c not in there)
        parts = (tuple(held[k]) for k in ("cells", "right", "wrong"))
        return Sample(*parts, int(held["population"]), gone)

    # deciding ----------------------------------------------------------------------------------

    def decide(self, name: str, **arguments: Any) -> None:
        """Execute a correction of the review, together with the scores that changed since the last one."""
        again = self._unsaved()
        takes = name in ("accept-cells", "flag-cells", "reopen-cells", "judge-cell") and again is not None
        more = {"again": again} if takes else {}
        self.session.execute(correct(self.document, name, labels=self.labels, **arguments, **more))

    def ranking_job(self, sources: Sources) -> tuple[Callable[[Report], Ranking], Callable[[Ranking], str]]:
        """Return what ranks the cells, on any thread, and what then puts the ranking into the document."""
        slots: tuple[Slot, ...] = (("labels", self.labels), ("tables", table_name(self.labels)))
        before = [self.document.revision(slot) for slot in slots]

        def done(ranking: Ranking) -> str:
            if [self.document.revision(slot) for slot in slots] != before:
                raise Stale(f"The cells of '{self.labels}' were corrected meanwhile.", "Rank them again.")
            self._again.clear()
            self.session.execute(rank_command(self.document, sources, ranking))
            return _told(ranking)

        return partial(rank, self.document, sources), done

    def scoring_job(self) -> tuple[Callable[[Report], Ranking], Callable[[Ranking], None]] | None:
        """Return what scores again what was touched, on any thread, and what takes the scores; None if nothing was."""
        windows = self._touched()
        if not windows or not self.table:
            return None
        moment = self.document.grid(self.labels).moment

        def done(ranking: Ranking) -> None:
            if self.document.grid(self.labels).moment != moment:
                return  # corrected again meanwhile: that is scored together with this
            self._moment = moment
            for cell, score, kind, reasons in zip(
                ranking.cells.tolist(), ranking.scores.tolist(), ranking.kinds, ranking.reasons, strict=True
            ):
                self._again[cell] = (score, kind, reasons)
            self._queue = None
            self.changed.emit()

        usual = self.document.attribute("reviews", {}).get(self.labels, {}).get("usual")
        return partial(score_again, self.document, self.sources, windows, usual), done

    # parts -------------------------------------------------------------------------------------

    def _on_changed(self, slots: frozenset[Slot]) -> None:
        self._queue = self._cells = None
        self.changed.emit()

    def _touched(self) -> tuple[Window, ...]:
        grid = self.document.grid(self.labels)
        if grid is not self._seen:  # the labels were replaced: their ranking went with their table
            self._seen, self._moment = grid, grid.moment
            self._again.clear()
        return tuple(dict.fromkeys(grid.written_since(self._moment)))

    def _read(self) -> Queue:
        if not self.table:
            none = np.empty(0, dtype=np.int64)
            return Queue(none, none.astype(float), none.astype(object), none)
        obs = self.document.table(self.table).obs
        cells = self._index().to_numpy().astype(np.int64)
        scores, kinds = obs[SUSPICION].to_numpy(dtype=float).copy(), obs[REASON].astype(object).to_numpy().copy()
        for row in np.flatnonzero(np.isin(cells, list(self._again))):
            scores[row], kinds[row] = self._again[int(cells[row])][:2]
        known = np.nan_to_num(scores, nan=-1.0)
        order = np.lexsort((cells, -known))
        return Queue(cells[order], scores[order], kinds[order], states_of(obs)[order])

    def _row(self, cell: int) -> int | None:
        if not self.table:
            return None
        row = int(self._index().get_indexer([cell])[0])
        return None if row < 0 else row

    def _index(self) -> pd.Index[Any]:
        if self._cells is None:
            self._cells = pd.Index(np.asarray(self.document.instances(self.table)))
        return self._cells

    def _has_cell(self, y: float, x: float, diameter: float) -> bool:
        """Return whether half of a place belongs to cells: of a cell that was drawn, its middle need not be there."""
        if (y, x) not in self._labelled:
            reach = max(0.4 * diameter, 0.5)
            grid, (i, j) = self.document.grid(self.labels), (int(y - reach), int(x - reach))
            part = grid.read((i, int(y + reach) + 1, j, int(x + reach) + 1))
            rows, columns = np.indices(part.shape) + 0.5
            inside = np.hypot(rows + max(i, 0) - y, columns + max(j, 0) - x) <= max(reach, 1.0)
            self._labelled[y, x] = bool(inside.any() and (part[inside] != 0).mean() >= 0.5)
        return self._labelled[y, x]

    def _forget_written(self) -> None:
        """Look again at places where something was written since the last look."""
        grid = self.document.grid(self.labels)
        if grid is not self._seen:
            self._labelled.clear()
            self._looked = 0
        written, self._looked = grid.written_since(self._looked), grid.moment
        for y0, y1, x0, x1 in written:
            hit = [p for p in self._labelled if y0 - FAR <= p[0] < y1 + FAR and x0 - FAR <= p[1] < x1 + FAR]
            for place in hit:
                del self._labelled[place]

    def _unsaved(self) -> dict[str, list[Any]] | None:
        """Return the scores that differ from those in the document."""
        made: dict[str, list[Any]] = {"cells": [], "scores": [], "kinds": [], "reasons": []}
        obs = self.document.table(self.table).obs if self.table else None
        for cell, (score, kind, reasons) in self._again.items():
            row = self._row(cell)
            if obs is not None and row is not None and float(obs[SUSPICION].iloc[row]) != score:
                for key, value in zip(made, (cell, score, kind, reasons), strict=True):
                    made[key].append(value)
        return made if made["cells"] else None


def rank_command(document: Document, sources: Sources, ranking: Ranking) -> Command:
    """Return the command that keeps a ranking; its record ranks again, so that it can be replayed."""
    arguments = {k: getattr(sources, k) for k in ("labels", "image", "nuclei", "points")}
    record = {"type": "correction", "name": "rank-cells", "arguments": arguments}
    return Command(f"rank the cells of {sources.labels}", tuple(ranking_changes(document, sources, ranking)), record)


def _told(ranking: Ranking) -> str:
    likely = int((ranking.scores >= 0.5).sum())
    line = f"{len(ranking.cells):,} cells ranked; {likely:,} are more likely wrong than right"
    if ranking.missing is None:
        return f"{line}."
    n = len(ranking.missing.words)
    return f"{line}; {n:,} {'place' if n == 1 else 'places'} where a cell may be missing."
