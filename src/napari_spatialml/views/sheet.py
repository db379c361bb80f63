"""A sheet of the review queue: many cells at once, each mended by a click, all others accepted by one key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from psygnal import Signal

from ..core.patch import Window
from ..errors import BadInput, SpatialMLError
from ..session.gather import pixel_size
from ..session.queued import Item, Place
from .mending import Proposal, moved_to, propose
from .offers import Offer
from .review import Mode, Walk
from .stamps import Stamp, Stamps, State, Work, state_of

__all__ = ["SIZE", "Sheet"]

SIZE = 30
"""Cells on a sheet: five in a row, six rows."""


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
        self._ahead: tuple[int, ...] = ()
        self._former: list[tuple[int, ...]] = []
        self.stamps = Stamps(walk)
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
        self._former = []
        self.stamps.clear()
        self.walk.start(mode, at_least, kind, look=False)
        self._turn()

    def stop(self) -> None:
        """Show no sheet; the walk goes on from here."""
        self.keys, self._began = (), False

    def state(self, key: int) -> State:
        """Return what was decided of a cell or a place; "open" for nothing."""
        return state_of(self.walk.found(key))

    @property
    def open(self) -> tuple[int, ...]:
        """Those of the sheet on which nobody has decided."""
        return self._undecided(self.keys)

    def _undecided(self, keys: tuple[int, ...]) -> tuple[int, ...]:
        found = self.found(keys)
        return tuple(k for k in keys if state_of(found[k]) == "open" and not self.walk.passed(k))

    def found(self, keys: Iterable[int]) -> dict[int, Item | Place | None]:
        """Return what is known now of some of the sheet; None of what is gone."""
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
        coming = self.walk.upcoming()[: 2 * SIZE]
        self.keys, self._ahead = tuple(coming[:SIZE]), tuple(coming[SIZE:])
        if any(k in page for page in self._former for k in self.keys):
            self._former = []  # all was seen: what was passed over comes again
        kept = {*self.keys, *self._ahead, *(self._former[-1] if self._former else ())}
        self.stamps.keep(kept)
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
        proposal = self.proposal(key)
        if tool and (proposal is None or tool != proposal.tool):
            if self.stamps.choose(key, tool):
                self.changed.emit()
            else:
                self.visit(key, tool)
            return False
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
            found = self.found(rest).values()
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
        return self.stamps.offer(key)

    def proposal(self, key: int) -> Proposal | None:
        """Return what a click does."""
        return self.stamps.proposal(key)

    def stamp(self, key: int) -> Stamp:
        """Return what is drawn of a cell or a place."""
        return self.stamps.stamp(key)

    def window(self, key: int) -> Window:
        """Return what the picture of a cell or a place shows, in pixels of the labels."""
        return self.stamps.window(key)

    def job(self, only: Sequence[int] = ()) -> Work | None:
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
            return self.stamps.look(only, self.changed.emit)
        for keys in (self.keys, self._ahead):
            made = self.stamps.work(self.found(keys), self.changed.emit)
            if made is not None:
                return made
        return None

    def _on_changed(self) -> None:
        if not self._began:
            return
        while self._former and self._undecided(self._former[-1]):
            self.keys = self._former.pop()  # an undone sheet comes back
        if self.keys and not self.open and self.walk.waiting():
            self._turn()
        else:
            self.changed.emit()
