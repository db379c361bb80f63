"""The queue itself: which one, how far, the card of what is looked at, and the buttons that decide."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from qtpy.compat import isalive
from qtpy.QtCore import Signal
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ..session.decisions import pace
from ..session.queued import Item, Sample
from ..session.ranking import titles
from ..session.reviewed import NOTHING
from ..views.review import LIKELY, Mode, Walk
from ..views.sheet import Sheet
from .progress import time_left
from .progress_row import ProgressBar
from .review_card import Card
from .review_sheet import SheetPanel
from .runner import Runner
from .style import SPACING, Quiet, Rows, Tool, tool_row, tooltip

__all__ = ["QueuePanel"]

Named = tuple[str, str, str, str]
QUEUES: tuple[Named, ...] = (
    ("cells", "Wrong?", "The cells that look wrong, the worst first.", "Alt+1"),
    ("missing", "Missing?", "Places that look like a cell and carry no label.", "Alt+2"),
    ("sample", "Inspect 50 at random", "Cells at random, to measure how many are right.", "Alt+3"),
)
DECIDE: tuple[Named, ...] = (
    ("accept", "Accept", "It is right. Of a place where a cell may be missing: nothing is.", "A"),
    ("fix", "Fix", "Do what is proposed in red; where nothing is, take the right tool in the hand.", "F"),
    ("wrong", "Wrong", "It is wrong, and will be fixed later.", "W"),
    ("next", "Next", "Pass over it; it comes again at the end.", "N"),
    ("back", "Back", "Look again at the one before.", "Shift+N"),
)
MEND: tuple[Named, ...] = (
    ("split", "Cut", "Drag a line across it to cut it in two; a second time, cut along the red one.", "C"),
    ("merge", "Glue", "Click the cell to merge it with; a second time, merge with the one in red.", "G"),
    ("redraw", "Redraw", "Drag around it: this becomes its outline.", "R"),
    ("delete", "Delete", "Delete it at once.", "D"),
)
_LIMITS = (("likely wrong, ≥ 50 %", LIKELY), ("possibly wrong, ≥ 20 %", 0.2), ("all cells", 0.0))
_EMPTY = {
    "cells": "No cell of this kind is left. Show less likely ones, or inspect 50 at random.",
    "missing": "No place is left where a cell may be missing.",
    "sample": "",
}


class QueuePanel(QWidget):
    """Shows one walk at a time.

    Parameters
    ----------
    runner
        Makes what the sheets show, beside the window.
    parent
        The dock.
    """

    among = Signal(bool)
    """Whether a sheet is shown: it needs the room."""

    def __init__(self, runner: Runner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.walk: Walk | None = None
        self.sheets = SheetPanel(runner)
        self._make_choice()
        self.done, self.count, self.card = ProgressBar(), Quiet(), Card()
        self._decide, decide = _buttons(DECIDE, self._act)
        self._mend, mend = _buttons(MEND, self._act)
        self.buttons: dict[str, QPushButton] = {**decide, **mend}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING + 2)
        counted = QHBoxLayout()
        counted.addWidget(self.count, 1)
        counted.addWidget(self.as_sheet)
        for part in (
            self._choice,
            self.filters,
            self.again,
            counted,
            self.done,
            self.sheets,
            self.to_sheet,
            self.card,
            self._decide,
            self._mend,
        ):
            column.addLayout(part) if isinstance(part, QHBoxLayout) else column.addWidget(part)

    def _make_choice(self) -> None:
        self._choice, self.queues = _buttons(QUEUES, self._chosen, stay_down=True)
        group = QButtonGroup(self)
        for button in self.queues.values():
            group.addButton(button)
        self.queues["cells"].setChecked(True)
        self.as_sheet = QPushButton("Sheet  S")
        self.as_sheet.setCheckable(True)
        self.as_sheet.setToolTip(tooltip("Look at 30 at once: click those that are wrong, accept all others. (S)"))
        self.as_sheet.setStyleSheet("QPushButton { padding: 3px 8px; }")
        self.as_sheet.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.as_sheet.clicked.connect(lambda _checked=False: self.start())
        QShortcut(QKeySequence("S"), self._choice).activated.connect(partial(_press, self.as_sheet))
        self.to_sheet = QPushButton("Back to the sheet  Esc")
        self.to_sheet.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.to_sheet.setToolTip(tooltip("Leave this one as it is, and look at the sheet again. (Esc)"))
        self.to_sheet.clicked.connect(lambda _checked=False: self._leave())
        QShortcut(QKeySequence("Esc"), self.to_sheet).activated.connect(partial(_press, self.to_sheet))
        self.limit, self.kind, self.filters = QComboBox(), QComboBox(), Rows()
        for text, value in _LIMITS:
            self.limit.addItem(text, value)
        self.filters.add("Show", self.limit, "Down to which suspicion cells are shown.")
        self.filters.add("Reason", self.kind, "Only cells that are suspected for this reason above all.")
        for box in (self.limit, self.kind):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(12)
            box.activated.connect(lambda _i: self.start())
        self.again = QPushButton("Draw other 50 cells")
        self.again.setToolTip(tooltip("Give up this sample and draw another one."))
        self.again.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.again.clicked.connect(lambda _checked=False: self.draw_sample())

    # what is done ------------------------------------------------------------------------------

    @property
    def mode(self) -> Mode:
        """The queue that is chosen."""
        modes: tuple[Mode, ...] = ("cells", "missing", "sample")
        return next((m for m in modes if self.queues[m].isChecked()), "cells")

    def take(self, walk: Walk | None) -> None:
        """Show another walk."""
        if self.walk is not None:
            self.walk.moved.disconnect(self.show_walk)
        self.walk = walk
        self.sheets.take(None if walk is None else Sheet(walk))
        if walk is not None:
            walk.moved.connect(self.show_walk)
        self.show_walk()

    def start(self) -> None:
        """Begin the chosen queue, with the cells that the filters leave."""
        if self.walk is None:
            return
        narrowed = float(self.limit.currentData()), str(self.kind.currentData() or "")
        sheet = self.sheets.sheet
        if self._in_sheets and sheet is not None:
            sheet.start(self.mode, *narrowed)
            self.show_walk()
            self.sheets.renew()
            self.sheets.grid.setFocus()
            return
        if sheet is not None:
            sheet.stop()
        if self.mode == "sample" and self.walk.review.sample() is None:
            self.draw_sample()
        else:
            self.walk.start(self.mode, *narrowed)

    @property
    def _in_sheets(self) -> bool:
        return self.as_sheet.isChecked() and self.mode != "sample"  # a sample is judged blind, one by one

    def _leave(self) -> None:
        """Look at the sheet again; a gesture that was begun is forgotten first."""
        if self.walk is None:
            return
        tool = self.walk.presenter.current
        if tool is not None and tool.begun:
            self.walk.presenter.cancel()
        else:
            self.walk.visit(None)

    def draw_sample(self) -> None:
        """Draw cells at random: other ones than the last time."""
        if self.walk is not None:
            self.walk.draw(50)

    def _chosen(self, name: str, *_: object) -> None:
        self.queues[name].setChecked(True)
        self.start()

    def _act(self, name: str, *_: object) -> None:
        walk = self.walk
        if walk is None:
            return
        calls = {"accept": walk.accept, "wrong": walk.wrong, "next": walk.next, "back": walk.back, "fix": walk.fix}
        calls["delete"] = walk.delete
        calls.get(name, partial(walk.fix, name))()

    # what is shown -----------------------------------------------------------------------------

    def show_walk(self) -> None:
        """Show the cell in hand, and how far the queue is."""
        if not isalive(self):  # closed, and still told by the walk until Python lets go of it
            return
        walk, mode = self.walk, self.mode
        if walk is None or not walk.review.table:
            self.hide()
            self.among.emit(False)
            return
        self.show()
        self._offer_kinds(walk)
        self.filters.setVisible(mode == "cells")
        sample = walk.review.sample() if mode == "sample" else None
        self.again.setVisible(sample is not None)
        self.card.show_item(walk.current, blind=mode == "sample")
        among = self._in_sheets and walk.current is None
        self.as_sheet.setVisible(mode != "sample")
        self.to_sheet.setVisible(self._in_sheets and not among)
        for part, shown in ((self.sheets, among), (self._decide, not among)):
            part.setVisible(shown)
        self.among.emit(self._in_sheets)
        if among:
            self.sheets.renew()
        said = "" if walk.proposal is None else walk.proposal.words
        self.card.say(walk.presenter.hint if walk.in_hand and walk.mode == "cells" else said)
        self._show_count(walk, sample)
        self._enable(walk)

    def _offer_kinds(self, walk: Walk) -> None:
        kept = self.kind.currentData() or ""
        there = set(walk.review.queue.kinds.tolist()) - {NOTHING}
        wanted = [("any", ""), *((title, kind) for kind, title in titles().items() if kind in there)]
        if [self.kind.itemData(i) for i in range(self.kind.count())] != [k for _, k in wanted]:
            self.kind.clear()
            for title, kind in wanted:
                self.kind.addItem(title, kind)
            self.kind.setCurrentIndex(max(self.kind.findData(kept), 0))

    def _show_count(self, walk: Walk, sample: Sample | None) -> None:
        done, every = self._counted(walk, sample)
        self.done.setRange(0, max(every, 1))
        self.done.setValue(done)
        self.done.setVisible(every > 0)
        if every - done == 0 and walk.current is None:
            said = _EMPTY[walk.mode]
        else:
            seconds = pace(walk.review.session, walk.review.labels)
            left = time_left(None if seconds is None else seconds * (every - done))
            said = f"{done:,} of {every:,} done, {every - done:,} left" + (f" · {left}" if left else "")
        told = [sample.words] if sample is not None else [] if every == done and said == "" else [said]
        if sample is not None and sample.gone:
            told.append(f"{len(sample.gone)} of the sample are gone and were not judged")
        self.count.setText(". ".join(t.rstrip(".") for t in told if t) + "." if any(told) else "")

    def _counted(self, walk: Walk, sample: Sample | None) -> tuple[int, int]:
        if walk.mode == "missing":
            states = [p.state for p in walk.review.places()]
            return len(states) - states.count("pending"), len(states)
        if sample is not None:
            return len(sample.right) + len(sample.wrong), len(sample.cells) - len(sample.gone)
        return walk.review.queue.counts(walk.at_least, walk.kind)

    def _enable(self, walk: Walk) -> None:
        there, cell = walk.current is not None, isinstance(walk.current, Item)
        self._mend.setVisible(walk.mode == "cells" and not (self._in_sheets and walk.current is None))
        self.buttons["fix"].setVisible(walk.mode != "sample")
        self.buttons["wrong"].setVisible(walk.mode != "missing")
        words = {"cells": "Accept  A", "missing": "Nothing here  A", "sample": "Right  A"}
        self.buttons["accept"].setText(words[walk.mode])
        self.buttons["fix"].setText("Add  F" if walk.mode == "missing" else "Fix  F")
        for name, button in self.buttons.items():
            button.setEnabled(there and (cell or name not in ("wrong", *(m[0] for m in MEND))))
        self.buttons["next"].setEnabled(bool(walk.waiting()))
        for name in ("next", "back"):
            self.buttons[name].setVisible(not self._in_sheets)


def _buttons(
    tools: Sequence[Named], call: object, *, stay_down: bool = False
) -> tuple[QWidget, dict[str, QPushButton]]:
    """Return a row of buttons with their keys on them, and the buttons by name."""
    row = tool_row([Tool(text, f"{help} ({key})", partial(call, name), stay_down) for name, text, help, key in tools])  # type: ignore[arg-type]
    made: dict[str, QPushButton] = {}
    for name, text, _, key in tools:
        button = row.findChild(QPushButton, text)
        assert button is not None
        if len(key) == 1:
            button.setText(f"{text}  {key}")
        # not the button's own shortcut: that waits for a tenth of a second, and loses a key that comes sooner
        QShortcut(QKeySequence(key), row).activated.connect(partial(_press, button))
        made[name] = button
    return row, made


def _press(button: QPushButton) -> None:
    if button.isVisible() and button.isEnabled():
        button.click()
