"""A sheet of the review queue: many cells at once, each mended by a click, all others accepted by one key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from psygnal import Signal

from ..core.patch import Window
from ..core.report import Report, silent
from ..errors import BadInput, SpatialMLError
from ..session.gather import pixel_size
from ..session.queued import Item, Place
from .marks import Lines
from .mending import Proposal, moved_to, propose
from .offers import NOTHING, Offer, offers
from .review import Mode, Walk
from .thumbnails import Limits, Thumbnail, borders, thumbnails

__all__ = ["SIZE", "Sheet", "Stamp", "State"]

SIZE = 30
"""Cells on a sheet: five in a row, six rows."""
_ACROSS = 3.0
"""Diameters of an ordinary cell along the side of a picture."""
_SPARE = 1.7
"""Of a cell that is larger, the picture holds so many of its own diameters."""
_BATCH = 6
"""Cells that are looked at before the sheet shows what was found."""
State = Literal["open", "wrong", "accepted", "fixed", "drawn", "dismissed", "gone"]


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


class Sheet:
    """Shows the queue of a walk sheet by sheet. Whoever makes it must keep it, and close it.

    Walk and sheets are two ways through one queue: what either decides the other does not show again.

    Parameters
    ----------
    walk
        Its mode, its filters and what it passed over are those of the sheets. A cell that is opened is visited
        by it.
    """

    changed: ClassVar[Signal] = Signal()
    """Emitted when the sheet is to be drawn again."""

    def __init__(self, walk: Walk) -> None:
        self.walk, self.review = walk, walk.review
        self.keys: tuple[int, ...] = ()
        """Cells, or numbers of places, in order of suspicion."""
        self._former: list[tuple[int, ...]] = []
        self._known: dict[int, _Known] = {}
        self._contrast: Limits | None = None
        self._began = False
        self.review.changed.connect(self._on_changed)

    def close(self) -> None:
        """Hear no more of the review."""
        self.review.changed.disconnect(self._on_changed)
        self.keys, self._began = (), False

    @property
    def pixel_size_um(self) -> float:
        """The edge of a pixel."""
        return pixel_size(self.review.document, self.review.labels)

    # which cells -------------------------------------------------------------------------------

    def start(self, mode: Mode, at_least: float | None = None, kind: str | None = None) -> None:
        """Begin with the first sheet of a queue."""
        self._began = True
        self._former, self._contrast = [], None
        self._known.clear()
        self.walk.start(mode, at_least, kind, look=False)
        self._turn()

    def stop(self) -> None:
        """Show no sheet; the walk goes on from here."""
        self.keys, self._began = (), False

    def state(self, key: int) -> State:
        """Return what was decided of a cell or a place; "open" for nothing."""
        return _state_of(self.walk.found(key))

    def states(self) -> dict[int, State]:
        """Return what was decided of each on the sheet."""
        return {k: _state_of(one) for k, one in self._all_found(self.keys).items()}

    @property
    def open(self) -> tuple[int, ...]:
        """Those of the sheet on which nobody has decided."""
        return tuple(k for k, state in self.states().items() if state == "open" and not self.walk.passed(k))

    def _all_found(self, keys: Iterable[int]) -> dict[int, Item | Place | None]:
        if self.walk.mode != "missing":
            return {k: self.walk.found(k) for k in keys}
        places = {p.number: p for p in self.review.places()}
        return {k: places.get(k) for k in keys}

    def next(self) -> None:
        """Pass over what is left of this sheet; it comes again at the end."""
        self.walk.pass_over(self.open)
        self._turn()

    def back(self) -> None:
        """Show the sheet before, whatever was decided on it."""
        if self._former:
            self.keys = self._former.pop()
            self.changed.emit()

    def _turn(self) -> None:
        if self.keys:
            self._former.append(self.keys)
        self.keys = tuple(self.walk.upcoming()[:SIZE])
        if any(k in page for page in self._former for k in self.keys):
            self._former = []  # all was seen: what was passed over comes again
        self.changed.emit()

    # what to decide ----------------------------------------------------------------------------

    def fix(self, key: int, tool: str = "") -> bool:
        """Carry out what is drawn in red; with another tool, draw what that one would do.

        Where nothing is drawn, the cell is opened. Return whether the document changed.
        """
        if self.state(key) not in ("open", "wrong"):
            return False
        offer = self.offer(key)
        if offer is None:
            self.walk.presenter.tell("info", "This cell is still being looked at. Try again in a moment.")
            return False
        if tool and tool != self._shown(key, offer):
            if tool in offer.ways and offer.ways[tool].correction:
                self._known[key].chosen = tool
                self.changed.emit()
            else:
                self.visit(key, tool)
            return False
        proposal = self.proposal(key)
        if proposal is None or not proposal.correction:
            self.visit(key)
            return False
        return self._carry_out(proposal)

    def delete(self, key: int) -> bool:
        """Delete a cell at once."""
        item = self.walk.found(key)
        if not isinstance(item, Item):
            return False
        try:
            affine = self.walk.presenter.place_of(self.review.labels).affine
            return self._carry_out(propose(self.review.document, self.review.labels, item, "delete", affine))
        except SpatialMLError as error:
            self.walk.presenter.tell("error", str(error))
            return False

    def flag(self, key: int) -> None:
        """Say that a cell is wrong; it stays in the queue until it is fixed, and comes again at the end."""
        if isinstance(self.walk.found(key), Item):
            self.walk.pass_over([key])
            self._decide("flag-cells", cells=[key])

    def visit(self, key: int, tool: str = "") -> None:
        """Open a cell on the canvas, to mend it by hand; with a tool in the hand, if one is named."""
        proposal = self.proposal(key)
        if proposal is not None:
            try:
                proposal = moved_to(proposal, self.walk.presenter.place_of(self.review.labels).affine)
            except BadInput as error:
                self.walk.presenter.tell("warning", str(error))
                return
        self.walk.visit(key, proposal)
        if tool:
            self.walk.fix(tool)

    def accept_rest(self) -> None:
        """Say in one step that all others of this sheet are right, or that no cell is missing there; turn it."""
        rest = self.open
        if not rest:
            self._turn()
        elif self.walk.mode == "missing":
            found = self._all_found(rest).values()
            self._decide("dismiss-missing", places=[list(p.where) for p in found if isinstance(p, Place)])
        else:
            self._decide("accept-cells", cells=list(rest))

    def _decide(self, name: str, **arguments: Any) -> None:
        try:
            self.review.decide(name, **arguments)
        except SpatialMLError as error:
            self.walk.presenter.tell("error", str(error))

    def _carry_out(self, proposal: Proposal) -> bool:
        return self.walk.presenter.correct(proposal.correction, labels=self.review.labels, **proposal.arguments)

    # what is drawn -----------------------------------------------------------------------------

    def offer(self, key: int) -> Offer | None:
        """Return how a cell could be mended; None while that is being found out."""
        known = self._known.get(key)
        return known.offer if known is not None and self._fresh(known) else None

    def proposal(self, key: int) -> Proposal | None:
        """Return what a click does."""
        offer = self.offer(key)
        return None if offer is None else offer.ways.get(self._shown(key, offer))

    def _shown(self, key: int, offer: Offer) -> str:
        return self._known[key].chosen or offer.best

    def window(self, key: int) -> Window:
        """Return what the picture of a cell or a place shows, in pixels of the labels."""
        self._meet(key)
        return self._known[key].window

    def stamp(self, key: int) -> Stamp:
        """Return what is drawn of a cell or a place."""
        known = self._known.get(key)
        if known is None:
            return Stamp()
        grid = self.review.document.grid(self.review.labels)
        if known.lines is None or not _same(grid, known.window, *known.traced):
            cell = 0 if self.walk.mode == "missing" else key
            known.lines, known.traced = borders(grid, cell, known.window), (grid, grid.moment)
        return Stamp(known.picture, *known.lines, self.proposal(key))

    def job(self, only: Sequence[int] = ()) -> tuple[Callable[[Report], Any], Callable[[Any], None]] | None:
        """Return what makes pictures and finds what would mend the cells, on any thread, and what takes it.

        The sheet in view comes first, a few cells at a time, then the next one. None where nothing is to be done.

        Parameters
        ----------
        only
            Find what would mend these, and nothing else.
        """
        if not self._began:
            return None
        if only:
            for key in only:
                self._meet(key)
            return self._job({}, [k for k in only if k in self._known])
        for keys in (self.keys, tuple(k for k in self.walk.upcoming() if k not in self.keys)[:SIZE]):
            for key in keys:
                self._meet(key)
            known = {k: self._known[k] for k in keys if k in self._known}
            unseen = {k: one.window for k, one in known.items() if one.picture is None}
            stale = [k for k, one in known.items() if not self._fresh(one)]
            stale = [k for k, now in self._all_found(stale).items() if _state_of(now) in ("open", "wrong")]
            if unseen or stale:
                # those without a picture wait for theirs: a picture is soon there
                return self._job(unseen, [] if unseen else stale[:_BATCH])
        return None

    def _job(
        self, unseen: dict[int, Window], stale: list[int]
    ) -> tuple[Callable[[Report], Any], Callable[[Any], None]]:
        review, grid = self.review, self.review.document.grid(self.review.labels)
        moment, asked = grid.moment, [one for one in self._all_found(stale).values() if one is not None]
        diameter, sources = self.walk.median_diameter(), review.sources
        contrast = self._contrast if len(unseen) < SIZE // 2 else None  # a few more have that of the sheet

        def job(report: Report = silent) -> Any:
            if unseen:
                return thumbnails(review.document, sources, unseen, contrast, report)
            return offers(review.document, sources, asked, diameter, report)

        def take(made: Any) -> None:
            if unseen:
                pictures, self._contrast = made
                for key, picture in pictures.items():
                    if key in self._known:
                        self._known[key].picture = picture
            else:
                for key in stale:
                    if key in self._known:
                        known = self._known[key]
                        known.offer, known.grid, known.moment = made.get(key, NOTHING), grid, moment
                        known.chosen = ""
            self.changed.emit()

        return job, take

    def _meet(self, key: int) -> None:
        """Choose what is shown around a cell or a place."""
        if key in self._known:
            return
        now = self.walk.found(key)
        if now is None:
            return
        y, x = now.centre if isinstance(now, Item) else now.where
        side = 2 * int(max(_ACROSS * self.walk.median_diameter(), _SPARE * now.diameter) / 2) + 2
        (h, w), half = self.review.document.grid(self.review.labels).shape, side // 2
        top, left = (min(max(int(v) - half, 0), max(n - side, 0)) for v, n in ((y, h), (x, w)))
        self._known[key] = _Known((top, min(top + side, h), left, min(left + side, w)))

    def _fresh(self, known: _Known) -> bool:
        """Whether nothing near was written since a cell was looked at."""
        grid = self.review.document.grid(self.review.labels)
        return known.offer is not None and _same(grid, known.window, known.grid, known.moment)

    def _on_changed(self) -> None:
        if not self._began:
            return
        waiting = {k for k in self.walk.waiting() if not self.walk.passed(k)}
        while self._former and any(k in waiting for k in self._former[-1]):
            self.keys = self._former.pop()  # an undone sheet comes back
        if self.keys and not self.open and self.walk.waiting():
            self._turn()
        else:
            self.changed.emit()


def _state_of(now: Item | Place | None) -> State:
    if now is None:
        return "gone"
    return "open" if now.state == "pending" else now.state  # type: ignore[return-value]


def _same(grid: Any, window: Window, seen: Any, moment: int) -> bool:
    """Whether a window holds what it held when it was seen."""
    y0, y1, x0, x1 = window
    return grid is seen and not any(
        a < y1 and b > y0 and c < x1 and d > x0 for a, b, c, d in grid.written_since(moment)
    )
