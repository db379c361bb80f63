"""What a sheet shows of each cell, found out beside the window: its picture, its outline, what would mend it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..core.patch import Window
from ..core.report import Report, silent
from ..session.grid import LabelGrid
from ..session.queued import Item, Place
from .marks import Lines
from .mending import Proposal
from .offers import NOTHING, Offer, offers
from .review import Walk
from .thumbnails import Limits, Thumbnail, borders, thumbnails

__all__ = ["Stamp", "Stamps", "State", "Work", "state_of"]

_ACROSS = 3.0
"""Diameters of an ordinary cell along the side of a picture."""
_SPARE = 1.7
"""Of a cell that is larger, the picture holds so many of its own diameters."""
_BATCH = 6
"""Cells that are looked at before the sheet shows what was found."""
_FEW = 15
"""So many new pictures do not change the contrast."""
State = Literal["open", "wrong", "accepted", "fixed", "drawn", "dismissed", "gone"]
Work = tuple[Callable[[Report], Any], Callable[[Any], None]]
"""What runs on any thread, and what then takes its result."""


@dataclass(frozen=True, eq=False)
class Stamp:
    """What a sheet shows of one cell or place; lines are in pixels of the labels.

    Parameters
    ----------
    picture
        The image around it; None while it is being read.
    own, others
        Its outline, and those of the other cells.
    proposed
        What a click does.
    """

    picture: Thumbnail | None = None
    own: Lines | None = None
    others: Lines | None = None
    proposed: Proposal | None = None


@dataclass
class _Known:
    """What was found out about a cell or a place."""

    window: Window
    picture: Thumbnail | None = None
    offer: Offer | None = None
    grid: Any = None
    moment: int = -1
    chosen: str = ""
    lines: tuple[Lines, Lines] | None = None
    traced: tuple[Any, int] = (None, -1)


class Stamps:
    """What is known of the cells of a sheet.

    Parameters
    ----------
    walk
        Whose queue it is.
    """

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self._known: dict[int, _Known] = {}
        self._contrast: Limits | None = None

    def clear(self) -> None:
        """Forget all."""
        self._known, self._contrast = {}, None

    def keep(self, keys: Collection[int]) -> None:
        """Forget all others."""
        self._known = {k: one for k, one in self._known.items() if k in keys}

    @property
    def _grid(self) -> LabelGrid:
        return self.walk.review.document.grid(self.walk.review.labels)

    def offer(self, key: int) -> Offer | None:
        """Return how a cell could be mended; None while that is being found out."""
        known = self._known.get(key)
        return known.offer if known is not None and self._fresh(known) else None

    def proposal(self, key: int) -> Proposal | None:
        """Return what a click does."""
        offer = self.offer(key)
        return None if offer is None else offer.ways.get(self._known[key].chosen or offer.best)

    def choose(self, key: int, tool: str) -> bool:
        """Draw what another tool would do; return whether it would do anything."""
        offer = self.offer(key)
        if offer is None or tool not in offer.ways or not offer.ways[tool].correction:
            return False
        self._known[key].chosen = tool
        return True

    def window(self, key: int) -> Window:
        """Return what the picture of a cell or a place shows, in pixels of the labels."""
        self._meet(key, self.walk.found(key))
        return self._known[key].window

    def stamp(self, key: int) -> Stamp:
        """Return what is drawn of a cell or a place."""
        known = self._known.get(key)
        if known is None:
            return Stamp()
        grid = self._grid
        if known.lines is None or not _same(grid, known.window, *known.traced):
            cell = 0 if self.walk.mode == "missing" else key
            known.lines, known.traced = borders(grid, cell, known.window), (grid, grid.moment)
        return Stamp(known.picture, *known.lines, self.proposal(key))

    def work(self, found: Mapping[int, Item | Place | None], done: Callable[[], object]) -> Work | None:
        """Return what is still to be found out of some cells: first all pictures, then the offers, a few at a time.

        Parameters
        ----------
        found
            The cells or places, None of those that are gone.
        done
            Called when it was taken.
        """
        for key, now in found.items():
            self._meet(key, now)
        known = {k: self._known[k] for k in found if k in self._known}
        unseen = {k: one.window for k, one in known.items() if one.picture is None}
        if unseen:
            return self._seeing(unseen, done)
        waiting = (k for k, one in known.items() if not self._fresh(one))
        stale = [k for k in waiting if state_of(found[k]) in ("open", "wrong")][:_BATCH]
        return self._offering({k: found[k] for k in stale}, done) if stale else None

    def look(self, keys: Sequence[int], done: Callable[[], object]) -> Work:
        """Return what finds out how some cells would be mended."""
        found = {k: self.walk.found(k) for k in keys}
        for key, now in found.items():
            self._meet(key, now)
        return self._offering(found, done)

    def _seeing(self, windows: Mapping[int, Window], done: Callable[[], object]) -> Work:
        review = self.walk.review
        contrast = self._contrast if len(windows) < _FEW else None  # a few more have that of the sheet

        def job(report: Report = silent) -> Any:
            return thumbnails(review.document, review.sources, windows, contrast, report)

        def take(made: Any) -> None:
            pictures, self._contrast = made
            for key in pictures.keys() & self._known.keys():
                self._known[key].picture = pictures[key]
            done()

        return job, take

    def _offering(self, found: Mapping[int, Item | Place | None], done: Callable[[], object]) -> Work:
        review, grid = self.walk.review, self._grid
        moment, asked = grid.moment, [one for one in found.values() if one is not None]
        diameter = self.walk.median_diameter()

        def job(report: Report = silent) -> Any:
            return offers(review.document, review.sources, asked, diameter, report)

        def take(made: Any) -> None:
            for key in found.keys() & self._known.keys():
                known = self._known[key]
                known.offer, known.grid, known.moment, known.chosen = made.get(key, NOTHING), grid, moment, ""
            done()

        return job, take

    def _meet(self, key: int, now: Item | Place | None) -> None:
        """Choose what is shown around a cell or a place."""
        if key in self._known or now is None:
            return
        y, x = now.centre if isinstance(now, Item) else now.where
        side = 2 * int(max(_ACROSS * self.walk.median_diameter(), _SPARE * now.diameter) / 2) + 2
        (h, w), half = self._grid.shape, side // 2
        top, left = (min(max(int(v) - half, 0), max(n - side, 0)) for v, n in ((y, h), (x, w)))
        self._known[key] = _Known((top, min(top + side, h), left, min(left + side, w)))

    def _fresh(self, known: _Known) -> bool:
        """Whether nothing near was written since a cell was looked at."""
        return known.offer is not None and _same(self._grid, known.window, known.grid, known.moment)


def state_of(now: Item | Place | None) -> State:
    """Return what was decided of a cell or a place; "open" for nothing."""
    if now is None:
        return "gone"
    return "open" if now.state == "pending" else now.state  # type: ignore[return-value]


def _same(grid: Any, window: Window, seen: Any, moment: int) -> bool:
    """Whether a window holds what it held when it was seen."""
    y0, y1, x0, x1 = window
    return grid is seen and not any(
        a < y1 and b > y0 and c < x1 and d > x0 for a, b, c, d in grid.written_since(moment)
    )
