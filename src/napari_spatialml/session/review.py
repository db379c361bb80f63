"""The review queue: which cell to look at next, what was decided, how long it will take, how many are right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from psygnal import Signal

from ..core.patch import Window
from ..core.report import Report
from ..errors import Stale
from .cells import table_name
from .changes import Slot
from .command import Command
from .corrections import correct
from .document import Document
from .evidence import Sources, sources_of
from .gather import pixel_size
from .queued import Item, Place, Queue, Sample
from .ranking import Ranking, score_again
from .reviewed import PENDING, REASON, REASONS, STATES, SUSPICION, parted, states_of
from .session import Session

__all__ = ["Review"]
FAR = 256
"""Pixels from a place within which something written may have drawn a cell there."""


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
        self._items: dict[int, Item | None] = {}  # a sheet asks for each of its cells whenever one is looked at
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
        return Sources(self.labels, *(kept.get(k, "") for k in ("image", "nuclei", "points", "network")))

    # the queue ---------------------------------------------------------------------------------

    @property
    def queue(self) -> Queue:
        """The cells now."""
        if self._queue is None:
            self._queue = self._read()
        return self._queue

    def item(self, cell: int) -> Item | None:
        """Return what is known of a cell; None where it is gone."""
        if cell not in self._items:
            self._items[cell] = self._read_item(cell)
        return self._items[cell]

    def _read_item(self, cell: int) -> Item | None:
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
        cells, right, wrong = (tuple(held[k]) for k in ("cells", "right", "wrong"))
        return Sample(cells, right, wrong, int(held["population"]), gone)

    # deciding ----------------------------------------------------------------------------------

    def decide(self, name: str, **arguments: Any) -> None:
        """Execute a correction of the review, together with the scores that changed since the last one."""
        again = self._unsaved()
        takes = name in ("accept-cells", "flag-cells", "reopen-cells", "judge-cell") and again is not None
        more: dict[str, Any] = {"again": again} if takes else {}
        self.session.execute(correct(self.document, name, labels=self.labels, **arguments, **more))

    def ranking_job(self, sources: Sources) -> tuple[Callable[[Report], Command], Callable[[Command], str]]:
        """Return what ranks the cells, on any thread, and what then puts the ranking into the document."""
        slots: tuple[Slot, ...] = (("labels", self.labels), ("tables", table_name(self.labels)))
        before = [self.document.revision(slot) for slot in slots]
        arguments = {k: getattr(sources, k) for k in ("labels", "image", "nuclei", "points", "network")}

        def job(report: Report) -> Command:
            return correct(self.document, "rank-cells", report=report, **arguments)

        def done(command: Command) -> str:
            if [self.document.revision(slot) for slot in slots] != before:
                raise Stale(f"The cells of '{self.labels}' were corrected meanwhile.", "Rank them again.")
            self._again.clear()
            self.session.execute(command)
            return self._told()

        return job, done

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
            self._items.clear()
            self.changed.emit()

        usual = self.document.attribute("reviews", {}).get(self.labels, {}).get("usual")
        return partial(score_again, self.document, self.sources, windows, usual), done

    # parts -------------------------------------------------------------------------------------

    def _on_changed(self, slots: frozenset[Slot]) -> None:
        self._queue = self._cells = None
        self._items.clear()
        self.changed.emit()

    def _touched(self) -> tuple[Window, ...]:
        grid = self.document.grid(self.labels)
        if grid is not self._seen:  # the labels were replaced: their ranking went with their table
            self._seen, self._moment = grid, grid.moment
            self._again.clear()
            self._items.clear()
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

    def _told(self) -> str:
        queue, places = self.queue, len(self.places())
        likely = int((queue.scores >= 0.5).sum())
        line = f"{len(queue.cells):,} cells ranked; {likely:,} are more likely wrong than right"
        return f"{line}; {places:,} {'place' if places == 1 else 'places'} where a cell may be missing."

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
