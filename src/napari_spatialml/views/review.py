"""A walk through the review queue: the camera goes to the cell, the cell is outlined, a key decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
from psygnal import Signal

from ..errors import BadInput, SpatialMLError
from ..session.gather import pixel_size
from ..session.queued import Item, Place
from ..session.review import Review
from .cell_tools import CHOSEN, CUT
from .marks import Marks, circle, outline_of
from .mending import Proposal, mask_near, propose, propose_drawing, tool_for
from .presenter import Presenter
from .review_trail import Trail

__all__ = ["LIKELY", "Mode", "Walk"]

Mode = Literal["cells", "missing", "sample"]
_DONE = ("fixed", "drawn")
LIKELY = 0.5
"""A cell is likely wrong from this probability on."""
_MARGIN = 3.0
"""Diameters of an ordinary cell that are seen on each side of the one under review."""


class Walk:
    """Goes through a queue, one cell or place after the other. Whoever makes it must keep it, and close it.

    Parameters
    ----------
    presenter
        Shows the document.
    review
        The queue.
    later
        Calls a function one turn of the event loop later: a gesture that has just mended the cell must end before
        the tool is put down. Without it, that happens at once.
    """

    moved: ClassVar[Signal] = Signal()
    """Emitted when another cell or place is looked at, or the proposal for it has changed."""

    def __init__(
        self, presenter: Presenter, review: Review, later: Callable[[Callable[[], None]], Any] | None = None
    ) -> None:
        self.presenter, self.review, self._later = presenter, review, later
        self.mode: Mode = "cells"
        self.at_least, self.kind = LIKELY, ""
        self.current: Item | Place | None = None
        self.proposal: Proposal | None = None
        """How what is looked at would be mended; None where nothing is to be mended."""
        self.in_hand = False
        """Whether the proposal's tool is in the hand, to do it otherwise."""
        self._marks = Marks(presenter.viewer, "review")
        self._trail = Trail(presenter.session)
        self._passed: list[int] = []
        self._shown: list[int] = []
        self._median = 0.0
        self._closed = self._filled = self._resting = self._visiting = False
        presenter.session.changed.connect(self._on_changed)

    def close(self) -> None:
        """Take the marks away and hear no more."""
        self._closed = True
        self._fill_again()
        self.presenter.session.changed.disconnect(self._on_changed)
        self._marks.remove()

    def rest(self, resting: bool) -> None:
        """Take the marks off the canvas while something else is done, or put them back."""
        if resting == self._resting or self._closed:
            return
        self._resting = resting
        if resting:
            self._fill_again()
            self._marks.clear()
        elif self.current is not None:
            self._show_labels()
            self._mark()

    # where to go -------------------------------------------------------------------------------

    def start(self, mode: Mode, at_least: float | None = None, kind: str | None = None, *, look: bool = True) -> None:
        """Begin with the first of a queue; without ``look`` with none of them, until one is visited."""
        self.at_least = self.at_least if at_least is None else at_least
        self.kind = self.kind if kind is None else kind
        self.mode, self._passed, self._shown, self._visiting = mode, [], [], not look
        self._trail.clear()
        self._go(self._following())

    def visit(self, key: int | None, proposal: Proposal | None = None) -> None:
        """Look at one cell or place alone: when it is decided, no other follows. None looks at nothing.

        Parameters
        ----------
        key
            The id of a cell, or the number of a place.
        proposal
            How it would be mended, where that is known.
        """
        self._visiting = True
        self._look_at(key, proposal)

    def waiting(self) -> list[int]:
        """Return what the queue still holds: ids of cells, or numbers of places."""
        if self.mode == "missing":
            return [p.number for p in self.review.places() if p.state == "pending"]
        if self.mode == "sample":
            sample = self.review.sample()
            return [] if sample is None else list(sample.left)
        return [int(c) for c in self.review.queue.open(self.at_least, self.kind)]

    def next(self) -> None:
        """Pass over this one: it comes again when all others are done."""
        if self.current is not None:
            self._passed.append(_key(self.current))
        self._go(self._following())

    def back(self) -> None:
        """Look again at the one before, whatever was decided on it."""
        if len(self._shown) < 2:
            return
        self._shown.pop()
        self._look_at(self._shown[-1])

    def upcoming(self) -> list[int]:
        """Return what is still to be looked at; what was passed over, when nothing else is left."""
        waiting, passed = self.waiting(), set(self._passed)
        fresh = [k for k in waiting if k not in passed]
        if not fresh:
            self._passed = []
        return fresh or waiting

    def pass_over(self, keys: Iterable[int]) -> None:
        """Leave these for the end."""
        self._passed += keys

    def passed(self, key: int) -> bool:
        """Whether something was left for the end."""
        return key in self._passed

    def _following(self) -> int | None:
        return None if self._visiting else next(iter(self.upcoming()), None)

    def _go(self, key: int | None) -> None:
        if key is not None:
            self._shown.append(key)
        self._look_at(key)

    def draw(self, n: int) -> None:
        """Draw a sample, another one than the last, and begin with its first cell."""
        seeds = [e.record["arguments"].get("seed", 0) for e in self.review.session.history if _is_draw(e.record)]
        self.mode = "sample"
        try:
            self.review.decide("draw-sample", n=n, seed=max(seeds, default=-1) + 1)
        except SpatialMLError as error:
            self.presenter.tell("error", str(error))
            return
        self.start("sample")

    # what to decide ----------------------------------------------------------------------------

    def accept(self) -> None:
        """Say that the cell is right, or that nothing is missing here; go on."""
        if isinstance(self.current, Place):
            self._decide("dismiss-missing", place=list(self.current.where))
        elif self.current is not None and self.mode == "sample":
            self._decide("judge-cell", cell=self.current.cell, right=True)
        elif self.current is not None:
            self._decide("accept-cells", cells=[self.current.cell])

    def wrong(self, note: str = "") -> None:
        """Say that the cell is wrong, and go on; it stays in the queue until it is fixed."""
        if not isinstance(self.current, Item):
            return
        self._passed.append(self.current.cell)
        if self.mode == "sample":
            self._decide("judge-cell", cell=self.current.cell, right=False)
        else:
            self._decide("flag-cells", cells=[self.current.cell], note=note)

    def fix(self, tool: str = "") -> None:
        """Do what is proposed; or take a tool in the hand, with what it would do, which a second time is done.

        Parameters
        ----------
        tool
            "delete", "split", "merge" or "redraw"; the one that the reason calls for, if empty.
        """
        if self.current is None or self.mode == "sample":
            return
        proposed = self.proposal is not None and self.proposal.correction != ""
        if proposed and (tool == "" or (self.in_hand and tool == self.proposal.tool)):  # type: ignore[union-attr]
            self._carry_out()
            return
        self._propose(tool)
        self._take_up()
        self.moved.emit()

    def delete(self) -> None:
        """Delete the cell at once."""
        if isinstance(self.current, Item) and self.mode == "cells":
            self._propose("delete")
            self._carry_out()

    def _carry_out(self) -> None:
        if self.proposal is not None:
            self.in_hand = True
            self.presenter.correct(self.proposal.correction, labels=self.review.labels, **self.proposal.arguments)

    def _decide(self, name: str, **arguments: Any) -> None:
        try:
            self.review.decide(name, **arguments)
        except SpatialMLError as error:
            self.presenter.tell("error", str(error))
            return
        if self.current is not None:
            self._trail.keep(_key(self.current))
        self._go(self._following())

    def _propose(self, tool: str) -> None:
        document, labels, current = self.presenter.document, self.review.labels, self.current
        affine = self.presenter.place_of(labels).affine
        try:
            if isinstance(current, Item):
                tool = tool or tool_for(current, self.median_diameter())
                self.proposal = propose(document, labels, current, tool, affine)
            elif current is not None:
                self.proposal = propose_drawing(document, self.review.sources, current, affine)
        except SpatialMLError as error:
            self.presenter.tell("error", str(error))
            return
        self._mark()

    def _take_up(self) -> None:
        """Put the proposal's tool in the hand."""
        if self.proposal is None:
            return
        self.in_hand = True
        options: dict[str, Any] = {"labels": self.review.labels}
        if self.proposal.tool == "redraw" and isinstance(self.current, Item):
            options.update(cell=self.current.cell, window=self.proposal.arguments["window"])
        self.presenter.use(self.proposal.tool, **options)
        tool = self.presenter.current
        if self.proposal.tool == "merge" and tool is not None and isinstance(self.current, Item):
            tool.chosen = [self.current.cell]  # type: ignore[attr-defined]
            tool.refresh()

    # what follows ------------------------------------------------------------------------------

    def _on_changed(self, slots: frozenset[Any]) -> None:
        """Go on when the cell in hand was fixed, back to one of which the decision was undone; else show it anew."""
        undone = self._trail.taken_back()
        if undone is not None and not self._visiting:
            self._median = 0.0
            (self._later or _at_once)(partial(self._return_to, undone))
            return
        if not any(slot[:2] == ("labels", self.review.labels) for slot in slots):
            return
        self._median = 0.0
        if self.current is None:
            return
        now = self.found(_key(self.current))
        fixed = now is None or now.state in _DONE
        if fixed and (self.in_hand or self.current.state not in _DONE):
            self._trail.keep(_key(self.current))
            (self._later or _at_once)(self._go_on)
        elif now is not None:
            self.current = now
            self._mark()
            self.moved.emit()

    def _return_to(self, key: int) -> None:
        if not self._closed and self.found(key) is not None:
            self._passed = [k for k in self._passed if k != key]
            self._go(key)

    def _go_on(self) -> None:
        if not self._closed:
            self._go(self._following())

    def found(self, key: int) -> Item | Place | None:
        """Return what is known of a cell or a place now; None where it is gone."""
        if self.mode != "missing":
            return self.review.item(key)
        return next((p for p in self.review.places() if p.number == key), None)

    def _look_at(self, key: int | None, proposal: Proposal | None = None) -> None:
        self.current, self.proposal = None if key is None else self.found(key), proposal
        if self.in_hand or self.presenter.tool:
            self.presenter.use("")
        self.in_hand = False
        if self.current is None:
            self._fill_again()
        else:
            self._show_labels()
            self._aim(self.current)
            if proposal is None and self.mode != "sample" and self.current.state in ("pending", "wrong"):
                self._propose("")
        if isinstance(self.current, Place) and self.proposal is not None:
            self._take_up()  # a missing cell is drawn as often as not
        self._mark()
        self.moved.emit()

    def _show_labels(self) -> None:
        presenter, labels = self.presenter, self.review.labels
        if presenter.layer_of(labels) is None:
            presenter.show(shown=tuple(n for n in (self.review.sources.image, labels) if n), beside="")
        layer = presenter.layer_of(labels)
        if getattr(layer, "contour", 1) == 0:  # who judges a border must see the image on both sides of it
            layer.contour, self._filled = 2, True

    def _fill_again(self) -> None:
        """Show the cells as they were shown before the walk."""
        layer = self.presenter.layer_of(self.review.labels) if self._filled else None
        self._filled = False
        if layer is not None:
            layer.contour = 0

    def _aim(self, current: Item | Place) -> None:
        """Move the camera so that the cell lies in the middle, among its neighbours; always as close, if it fits."""
        try:
            affine = self.presenter.place_of(self.review.labels).affine
        except BadInput as error:
            self.presenter.tell("warning", str(error))
            return
        centre = current.centre if isinstance(current, Item) else current.where
        scale = pixel_size(self.presenter.document, self.review.labels)
        across = (2 * _MARGIN * self.median_diameter() + max(current.diameter, self.median_diameter())) * scale
        camera, size = self.presenter.viewer.scene.camera, self.presenter.viewer.canvas.size
        camera.zoom = min(size) / across
        camera.center = (0.0, *(float(v) for v in affine.apply(np.array([centre]))[0]))

    def median_diameter(self) -> float:
        """Return the diameter of an ordinary cell in pixels."""
        if self._median == 0.0:
            review = self.review
            obs = review.document.table(review.table).obs if review.table else None
            known = obs is not None and len(obs) > 0
            held = float(np.nanmedian(obs["diameter_um"])) if known and obs is not None else 0.0
            self._median = held / pixel_size(review.document, review.labels) or 16.0
        return self._median

    def _mark(self) -> None:
        """Outline the cell or the place, and draw the proposal."""
        current = self.current
        if current is None or self._resting:
            self._marks.clear()
            return
        try:
            affine = self.presenter.place_of(self.review.labels).affine
            if isinstance(current, Item):
                mask = mask_near(
                    self.presenter.document, self.review.labels, current.cell, current.centre, current.diameter
                )
                lines = outline_of(*mask, affine)
            else:
                lines = circle(affine.apply(np.array([current.where]))[0], self._radius_um(current))
        except BadInput:  # it is gone, or not in view
            self._marks.clear()
            return
        proposed = None if self.proposal is None else self.proposal.lines
        parts = [(lines, CHOSEN)] + ([] if proposed is None else [(proposed, CUT)])
        self._marks.draw(*parts)

    def _radius_um(self, place: Place) -> float:
        return 0.9 * max(place.diameter, 4.0) * pixel_size(self.presenter.document, self.review.labels)


def _is_draw(record: dict[str, Any]) -> bool:
    return record.get("name") == "draw-sample"


def _at_once(call: Callable[[], None]) -> None:
    call()


def _key(current: Item | Place) -> int:
    return current.cell if isinstance(current, Item) else current.number
