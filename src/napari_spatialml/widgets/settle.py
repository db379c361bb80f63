"""The queue of disagreements: one after the other, one key a decision, each one step of the history."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QLineEdit, QPushButton, QVBoxLayout, QWidget

from ..session.comparing import Comparison
from ..session.settling import (
    RowTask,
    Task,
    cell_tasks,
    consensus_of,
    decided_cells,
    decided_rows,
    left_of,
    next_open,
    row_tasks,
)
from .messages import Message, MessageLine
from .progress_row import ProgressBar
from .style import SPACING, Quiet, Rows, Tool, accent, tool_row

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["SettleBox"]

_BUTTONS = (
    ("A", "Keep A", "Make the consensus here what reader A has.", "1"),
    ("B", "Keep B", "Make the consensus here what reader B has; where B has nothing, nothing.", "2"),
    ("both", "Keep both", "Keep A's cells, and B's on what they leave free.", "3"),
    ("none", "Keep none", "Keep what neither of them has: no cell, or no class.", "4"),
    ("skip", "Skip", "Leave it for later; it comes again when the others are settled.", "5"),
)
_IN_VIEW = 200.0
"""Pixels of the screen from corner to corner of what is to be settled; a crumb is seen with its surroundings."""
_SMALLEST = 20.0


class SettleBox(QWidget):
    """Settle what two readers disagree on.

    Parameters
    ----------
    desk
        The desk.
    show
        Called with whether the disagreement is to be shown.
    """

    stepped = Signal()
    """Another disagreement waits, by the person's own doing: what is said of it and the buttons are to be seen."""

    def __init__(self, desk: Desk, show: Callable[[bool], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._found: Comparison | None = None
        self._tasks: list[Any] = []
        self._decided: list[str] = []
        self.at = -1
        self.name = QLineEdit()
        self.name.editingFinished.connect(self.refresh)
        self.begin = QPushButton("Begin to settle")
        accent(self.begin)
        self.begin.clicked.connect(lambda _checked=False: self._begin())
        self.shown = QCheckBox("Show disagreement")
        self.shown.toggled.connect(show)
        self.alike = QCheckBox()
        self.bar, self.left, self.now, self.message = ProgressBar(), Quiet(), Quiet(), MessageLine()
        self._make_buttons()
        self._rows = Rows()
        self._rows.add("Consensus", self.name, "The name of what both agree on; it begins as a copy of A.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        self.nothing = Quiet("Compare first: each disagreement then waits here for a decision.")
        for part in (self.nothing, self.shown, self._rows, self.begin, self.bar, self.left, self.now, self.alike,
                     self.row, self.message):  # fmt: skip
            layout.addWidget(part)
        self.refresh()

    def _make_buttons(self) -> None:
        tools = [
            Tool(text, f"{help} ({key})", lambda keep=keep: self.decide(keep)) for keep, text, help, key in _BUTTONS
        ]
        go = [Tool("Next", "Go to the next one and decide nothing. (N)", self.next),
              Tool("Back", "Go to the one before. (Shift+N)", self.back)]  # fmt: skip
        self.row = tool_row([*tools, *go])
        self.buttons: dict[str, QPushButton] = {}
        keys = [(keep, text, key) for keep, text, _, key in _BUTTONS]
        for keep, text, key in (*keys, ("next", "Next", "N"), ("back", "Back", "Shift+N")):
            button = self.row.findChild(QPushButton, text)
            assert button is not None
            button.setShortcut(key)
            self.buttons[keep] = button

    # the queue ---------------------------------------------------------------------------------

    @property
    def tasks(self) -> list[Any]:
        """Every disagreement, in the order of the queue."""
        return self._tasks

    @property
    def task(self) -> Task | RowTask | None:
        """The disagreement that waits for a decision."""
        return self._tasks[self.at] if 0 <= self.at < len(self._tasks) else None

    def set_comparison(self, found: Comparison | None) -> None:
        """Take the disagreements of a comparison; None for none."""
        self._found, self.at = (found if found is not None and found.kind != "areas" else None), -1
        self._tasks, self._decided = [], []
        if self._found is not None:
            self._tasks = self._made(self._found)
            self.name.setText(self._known_name() or self._fresh_name())
        self.message.show_message(None)
        self.refresh()
        if self.running:
            self.at = next_open(self._decided)
            self._follow_task()

    @property
    def running(self) -> bool:
        """Whether the consensus was begun."""
        readers = self._readers()
        return self._found is not None and bool(readers) and (readers["a"], readers["b"]) == self._pair()

    def refresh(self) -> None:
        """Show what is settled and what is left."""
        if self._desk.session is None:
            return
        before, self._decided = self._decided, self._decisions()
        # undone, or done again: that is where the person wants to look
        changed = [k for k, (old, new) in enumerate(zip(before, self._decided, strict=False)) if old != new]
        if changed:
            self.at = changed[0]
        there, running = self._found is not None and bool(self._tasks), self.running
        self.nothing.setVisible(self._found is None)
        self.shown.setVisible(self._found is not None)
        self._check(self._presenter().state.compared is not None)
        for part in (self._rows, self.begin):
            part.setVisible(there and not running)
        for part in (self.bar, self.left, self.row):
            part.setVisible(there and running)
        self.begin.setEnabled(self._desk.session is not None and not self._desk.session.read_only)
        self._tell_left()
        self._follow_task(look=bool(changed))
        if before != self._decided and self._presenter().state.compared is not None:
            self.show_disagreement(True)

    def decide(self, keep: str) -> None:
        """Decide on the disagreement that waits, and go to the next."""
        task, session = self.task, self._desk.session
        if task is None or session is None:
            return
        name, arguments = task.correction(self._target(), keep)
        if isinstance(task, RowTask) and self.alike.isChecked():
            arguments["rows"] = [t.row for t in self._alike(task)]
        here = self.at
        if self._desk.correct(name, **arguments):
            self._decided = self._decisions()
            self.at = next_open(self._decided, here)
            self.refresh()
            self._follow_task(look=True)
            if self._presenter().state.compared is not None:
                self.show_disagreement(True)

    def next(self) -> None:
        """Go to the next one that is open."""
        self.at = next_open(self._decided, self.at)
        self._follow_task(look=True)

    def back(self) -> None:
        """Go to the one before, decided or not."""
        if self._tasks:
            self.at = (self.at - 1) % len(self._tasks)
            self._follow_task(look=True)

    def show_disagreement(self, shown: bool) -> None:
        """Draw where A and B disagree, or no longer."""
        self._check(shown)
        presenter = self._presenter()
        if not shown or self._found is None:
            presenter.marks.remove()
            presenter.show(compared=None, shown=None)
            return
        from ..views.comparing import compared_cells, compared_rows

        found, document = self._found, presenter.document
        done = np.array([d not in ("", "skip") for d in self._decided], dtype=bool)
        if found.cells is not None:
            settled = np.array([t.group for t in self._tasks], dtype=np.int64)[done]
            compared = compared_cells(found.a, found.b, found.cells.groups, settled)
            images = self._desk.images_in(presenter.state.coordinate_system)
            about = document.attribute("segmentations", {}).get(found.a, {}).get("image")
            behind = tuple(n for n in (about, *images) if n in images)[:1]
            presenter.show(compared=compared, shown=behind, beside="")
        else:
            table = found.a.partition("/")[0]
            differ = found.codes_a != found.codes_b
            settled = np.zeros(len(differ), dtype=bool)
            settled[np.array([t.row for t in self._tasks], dtype=np.int64)[done]] = True
            element = document.annotated(table)
            self._desk.show_over_histology(element)
            presenter.show(compared=compared_rows(element, found.ids, differ, settled))
        self._follow_task()

    def _check(self, shown: bool) -> None:
        blocked = self.shown.blockSignals(True)
        self.shown.setChecked(shown)
        self.shown.blockSignals(blocked)

    # the document ------------------------------------------------------------------------------

    def _presenter(self) -> Any:
        assert self._desk.presenter is not None
        return self._desk.presenter

    def _pair(self) -> tuple[str, str]:
        assert self._found is not None
        a, b = self._found.a, self._found.b
        return (a, b) if self._found.kind == "cells" else (a.partition("/")[2], b.partition("/")[2])

    def _table(self) -> str:
        return "" if self._found is None or self._found.kind == "cells" else self._found.a.partition("/")[0]

    def _made(self, found: Comparison) -> list[Any]:
        if found.cells is not None:
            return list(cell_tasks(found.cells.groups))
        (table_a, _, a), (table_b, _, b) = found.a.partition("/"), found.b.partition("/")
        return list(row_tasks(self._presenter().document, table_a, a, b)) if table_a == table_b else []

    def _target(self) -> str:
        return _spelt(self.name.text()) or "consensus"

    def _readers(self) -> dict[str, Any]:
        if self._desk.session is None:
            return {}
        table, document = self._table(), self._desk.session.document
        name = self._target()
        there = name in document.table(table).obs if table else name in document.names("labels")
        return consensus_of(document, f"{table}/{name}" if table else name) if there else {}

    def _known_name(self) -> str:
        """Return the consensus that was begun for these two readers, if there is one."""
        document, table = self._presenter().document, self._table()
        for name, readers in document.attribute("consensus", {}).items():
            of, _, column = name.rpartition("/")
            if of == table and (readers["a"], readers["b"]) == self._pair():
                return str(column)
        return ""

    def _fresh_name(self) -> str:
        document, table = self._presenter().document, self._table()
        taken = set(document.table(table).obs.columns) if table else set(document.names("labels"))
        base = f"{_spelt(self._pair()[0])}_consensus"
        return next(n for n in (base, *(f"{base}_{k}" for k in range(2, 1000))) if n not in taken)

    def _decisions(self) -> list[str]:
        if self._found is None or self._desk.session is None or not self._tasks:
            return []
        document = self._desk.session.document
        if not self.running:
            return [""] * len(self._tasks)
        if self._found.kind == "cells":
            return decided_cells(document, self._target(), self._tasks)
        return decided_rows(document, self._target(), self._tasks)

    def _begin(self) -> None:
        a, b = self._pair()
        if self._found is not None and self._found.kind == "cells":
            begun = self._desk.correct("start-consensus", labels=self._target(), labels_a=a, labels_b=b)
        else:
            told = {"table": self._table(), "column": self._target(), "column_a": a, "column_b": b}
            begun = self._desk.correct("start-consensus-column", **told)
        if begun:
            self.refresh()
            self.at = next_open(self._decided)
            self._follow_task(look=True)

    # what the person sees ----------------------------------------------------------------------

    def _tell_left(self) -> None:
        left = left_of(self._decided)
        self.bar.setRange(0, max(left.total, 1))
        self.bar.setValue(left.settled)
        skipped = f", {left.skipped:,} of them skipped" if left.skipped else ""
        self.left.setText(f"{left.settled:,} of {left.total:,} settled, {left.open:,} left{skipped}")
        if self._found is not None and not self._tasks:
            self.message.show_message(Message("ok", "There is nothing to settle."))
        elif self.running and left.open == 0:
            self.message.show_message(Message("ok", f"Everything is settled, in '{self._target()}'."))
        else:
            self.message.show_message(None)

    def _alike(self, task: RowTask) -> list[RowTask]:
        alike = [t for t, d in zip(self._tasks, self._decided, strict=True) if d in ("", "skip")]
        return [t for t in alike if (t.class_a, t.class_b) == (task.class_a, task.class_b)] or [task]

    def _follow_task(self, *, look: bool = False) -> None:
        task = self.task if self.running else None
        self.now.setVisible(task is not None)
        self.alike.setVisible(isinstance(task, RowTask))
        for keep, button in self.buttons.items():
            button.setEnabled(keep in ("next", "back") or (task is not None and keep in task.keeps))
        if task is None:
            if self._desk.presenter is not None and not self._desk.presenter.tool:
                self._desk.presenter.marks.clear()
            return
        decided = self._decided[self.at] if self.at < len(self._decided) else ""
        said = f" (now: {'skipped' if decided == 'skip' else f'keep {decided}'})" if decided else ""
        self.now.setText(f"{self.at + 1} · {task.kind}: {task.words}{said}")
        if isinstance(task, RowTask):
            n = len(self._alike(task))
            self.alike.setText(f"All {n:,} that A calls {task.class_a or 'nothing'} and B {task.class_b or 'nothing'}")
        if self.isVisible() or look:
            self._mark(task, look)

    def _mark(self, task: Task | RowTask, look: bool) -> None:
        """Draw the outlines of the cells in question over everything, and go there."""
        from ..views.comparing import mark_cells, mark_row

        presenter = self._presenter()
        if isinstance(task, RowTask):
            draw = partial(mark_row, presenter, task.table, task.row)
        else:
            draw = partial(mark_cells, presenter, *self._pair(), task.cells_a, task.cells_b, task.window)
        try:
            centre, size = draw()
        except LookupError:  # it does not lie in the coordinate system that is shown
            return
        if look:
            self.stepped.emit()
            self._desk.look_at(float(centre[0]), float(centre[1]), _IN_VIEW / max(size, _SMALLEST))
            draw()  # lines are as wide as the zoom asks for


def _spelt(name: str) -> str:
    """Return a name as a store takes it."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name.strip()).strip("_.-")
