"""The Learn dock: fine-tune a network with what was corrected, see before and after, accept or reject."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QLabel, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from ..core.learning import AT
from ..core.report import Report
from ..errors import DocumentError, SpatialMLError
from ..methods import method, methods
from ..session import Session
from ..session.done import Done, done_windows
from ..session.gather import full_resolution
from ..session.learning import Learnt, accept, prepare_learning, reject
from ..session.lesson_files import export_lessons
from ..session.lessons import Chosen, choose_windows
from .done import by_reader, mark_in_view
from .file_dialogs import ask_for_folder
from .messages import Message, MessageLine, tell
from .offer_field import OfferField
from .run_row import RunRow
from .side_by_side import SideBySide
from .step import StepDock, choose, title_label
from .style import MARGIN, SPACING, Heading, Quiet, Rows, Tool, accent, tool_row

__all__ = ["LearnDock"]

_LEARNERS = {"starter": "weights", "cellpose": "model"}
"""The methods that can learn, and the parameter that names their weights."""
_EVERYBODY, _AUTOMATIC = "all readers", "automatic"
_ROWS = 6


class LearnDock(StepDock):
    """Learn from what was corrected."""

    title = "Learn"
    sentence = (
        "Fine-tune the network with the windows that you marked as done: every cell in them is right. "
        "Some are held out, to show before and after; nothing is kept until you accept it."
    )

    def make(self) -> QWidget:
        """Make the list of windows, the run, and what came out."""
        self._learnt: Learnt | None = None
        self._chosen: tuple[Chosen, ...] = ()
        self._for: Session | None = None
        self.windows = QListWidget()
        self.windows.setAccessibleName("Windows that are done")
        self.windows.setToolTip("Windows that are done. A click goes there.")
        self.windows.itemClicked.connect(lambda item: self._visit(item))
        self.said = Quiet()
        self.tools = tool_row([
            Tool("Mark what is in view as done", "Every cell in view is right, and where there is none, there is none.",
                 self._mark),
            Tool("Not done", "Take the window chosen in the list off it.", self._unmark),
        ])  # fmt: skip
        self.whose, self.learner, self.channel = QComboBox(), QComboBox(), QComboBox()
        self.begin: dict[str, OfferField] = {}
        self.run_row = RunRow("Learn", "Fine-tune beside the window; you can go on working.", self._job, self._done)
        accent(self.run_row.button)
        self._make_result()
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(SPACING + 2)
        export = tool_row([Tool("Export windows for Cellpose…", "Write them as cellpose --train reads them, to be "
                                "trained anywhere.", self.ask_folder)])  # fmt: skip
        self.export, self.exported = export, MessageLine()
        parts = (title_label(self.title), Quiet(self.sentence), self.said, self.windows, self.tools, self._inputs(),
                 self.run_row, self.result, export, self.exported)  # fmt: skip
        for part in parts:
            column.addWidget(part)
        column.addStretch(1)
        return body

    def message_line(self) -> MessageLine:
        """Return the line under the button."""
        return self.run_row.message

    def refresh(self) -> None:
        """Show the windows that are done, and which of them are held out."""
        document = self.session.document
        found = done_windows(document)
        choose(self.whose, [_EVERYBODY, *dict.fromkeys(d.labels for d in found)], _EVERYBODY)
        mine = self._mine(found)
        self._list(mine)
        self.said.setText(
            f"{by_reader(mine)} {self._halved(mine)}".strip()
            if mine
            else "No window is done yet. Correct every cell in view, then mark it as done, here or under Correct."
        )
        self.tools.setEnabled(not self.session.read_only)
        self.tools.findChild(QPushButton, "Not done").setEnabled(bool(mine))
        self.run_row.set_ready(bool(found))
        self.export.setEnabled(bool(found))

    def export_to(self, folder: Path) -> None:
        """Write the windows as training data for Cellpose."""
        try:
            line = export_lessons(self.session.document, folder, self._labels())
        except SpatialMLError as error:
            self.exported.show_message(tell(error))
        else:
            self.exported.show_message(Message("ok", line))

    def ask_folder(self) -> None:
        """Ask for an empty folder, and write the windows there."""
        ask_for_folder(self, lambda paths: self.export_to(Path(paths[0])))

    def accept(self) -> None:
        """Keep what was learned, and let Segment use it."""
        if self._learnt is None:
            return
        try:
            kept = accept(self._learnt)
        except SpatialMLError as error:
            self.message_line().show_message(tell(error))
            return
        title = self._learnt.about["title"]
        self._learnt = None
        self.result.hide()
        self.desk.method_wanted.emit(kept)
        self.begin[kept.name].set_value(getattr(kept, _LEARNERS[kept.name]))
        told = Message("ok", f"Kept as 'mine: {title}'. Segment is set to it.")
        self.message_line().show_message(told, {"Segment": lambda: self.desk.step_wanted.emit("Segment")})

    def reject(self) -> None:
        """Throw away what was learned."""
        if self._learnt is not None:
            reject(self._learnt)
            self._learnt = None
            self.message_line().show_message(Message("info", "Rejected: nothing of it is kept."))
        self.result.hide()

    # parts -------------------------------------------------------------------------------------

    def _inputs(self) -> QWidget:
        there = methods("segmentation")
        rows = Rows()
        rows.add("Windows of", self.whose, "Labels whose windows are used; those of both readers, where two have some.")
        self.whose.activated.connect(lambda _i: self.refresh_now())
        for name, parameter in _LEARNERS.items():
            if name in there and not (name != "starter" and there[name].missing()):
                self.learner.addItem(there[name].title, name)
                self.begin[name] = OfferField(_offered(there[name], parameter))
        rows.add("Network", self.learner, "What learns.")
        rows.add("Channel", self.channel, "The channel that shows the cells; automatic takes it by its name.")
        self._rows = {
            name: (rows.add("Begin with", field, "The weights from which learning goes on."), field)
            for name, field in self.begin.items()
        }
        self.learner.currentIndexChanged.connect(lambda _i: self._follow_learner())
        self._follow_learner()
        return rows

    def _follow_learner(self) -> None:
        for name, parts in self._rows.items():
            for part in parts:
                part.setVisible(name == self.learner.currentData())

    def _make_result(self) -> None:
        self.result, self.figures, self.pictures = QWidget(), QLabel(), SideBySide()
        self.decide = tool_row([
            Tool("Accept", "Keep what was learned under a name of its own, with its lineage.", self.accept),
            Tool("Reject", "Throw it away.", self.reject),
        ])  # fmt: skip
        accent(self.decide.findChild(QPushButton, "Accept"))
        column = QVBoxLayout(self.result)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        meaning = Quiet(
            "AP, average precision: right / (right + wrong + missed) cells. Right is a cell that shares 0.5, 0.75 or "
            "0.9 of the area that it and the corrected one cover together."
        )
        heading = Heading("Before and after, on windows held out")
        for part in (heading, self.figures, meaning, self.pictures, self.decide):
            column.addWidget(part)
        self.result.hide()

    def _labels(self) -> tuple[str, ...]:
        chosen = str(self.whose.currentData() or _EVERYBODY)
        return () if chosen == _EVERYBODY else (chosen,)

    def _mine(self, windows: tuple[Done, ...]) -> tuple[Done, ...]:
        wanted = self._labels()
        return tuple(d for d in windows if not wanted or d.labels in wanted)

    def _halved(self, windows: tuple[Done, ...]) -> str:
        """Say that one half judges the other, where no whole window can be held out."""
        if not self._chosen or any(c.done in windows for c in self._chosen):
            return ""
        what = "It is" if len(windows) == 1 else "They overlap: the largest alone is"
        return f"{what} cut in two, one half to learn from and one to judge by. Mark one that lies apart."

    def _list(self, windows: tuple[Done, ...]) -> None:
        document = self.session.document
        try:
            chosen = choose_windows(document, self._labels())
        except SpatialMLError:  # said when Learn is pressed
            chosen = ()
        self._chosen = chosen
        out = {c.done for c in chosen if c.held_out}
        channels = full_resolution(document, chosen[0].image).coords["c"].to_numpy() if chosen else ()
        choose(self.channel, [_AUTOMATIC, *map(str, channels)], _AUTOMATIC)
        row = self.windows.currentRow()
        self.windows.clear()
        for done in windows:
            y0, y1, x0, x1 = done.window
            words = [f"{done.labels}: {x1 - x0} × {y1 - y0} px", done.who, "held out" if done in out else ""]
            item = QListWidgetItem("  ·  ".join(w for w in words if w))
            item.setData(Qt.ItemDataRole.UserRole, done)
            self.windows.addItem(item)
        if windows:
            self.windows.setCurrentRow(min(max(row, 0), len(windows) - 1))
        self.windows.setVisible(bool(windows))
        height = self.windows.sizeHintForRow(0) if windows else 0
        self.windows.setFixedHeight(max(1, min(len(windows), _ROWS)) * height + 6)

    def _visit(self, item: Any) -> None:
        done: Done = item.data(Qt.ItemDataRole.UserRole)
        presenter = self.desk.presenter
        assert presenter is not None
        (y0, y1, x0, x1), place = done.window, presenter.place_of(done.labels)
        corners = place.affine.apply([[y0, x0], [y1, x1]])
        height, width = abs(corners[1] - corners[0])
        canvas = self.desk.viewer.canvas.size
        self.desk.look_at(*corners.mean(0), 0.9 * min(canvas[0] / max(height, 1e-9), canvas[1] / max(width, 1e-9)))

    def _mark(self) -> None:
        presenter = self.desk.presenter
        wanted = self._labels()
        labels = wanted[0] if wanted else (presenter.hand.labels if presenter is not None else "")
        if labels not in self.session.document.names("labels"):
            self.message_line().show_message(Message("info", "It is not said of which labels.", "Choose them below."))
            return
        mark_in_view(self.desk, labels)

    def _unmark(self) -> None:
        item = self.windows.currentItem()
        if item is not None:
            done: Done = item.data(Qt.ItemDataRole.UserRole)
            self.desk.correct("unmark-done", labels=done.labels, window=list(done.window))

    def _job(self) -> Callable[[Report], Learnt]:
        self.reject()
        self.message_line().show_message(None)
        name = str(self.learner.currentData())
        channel = str(self.channel.currentData() or _AUTOMATIC)
        given = {_LEARNERS[name]: self.begin[name].value(), "channel": "" if channel == _AUTOMATIC else channel}
        learner: Any = method("segmentation", name)(**given)
        self._for = self.session
        return prepare_learning(self.session, learner, self._labels())

    def _done(self, learnt: Learnt) -> str | Message:
        if self._for is not self.desk.session:
            reject(learnt)
            raise DocumentError("The section was closed while this ran.", "Open it again and learn there.")
        self._learnt = learnt
        self.figures.setText(_table(learnt))
        self.pictures.take(learnt.outcome.judged)
        self.result.show()
        if learnt.outcome.after[0] < learnt.outcome.before[0]:
            hint = "It finds fewer of the corrected cells than before: reject it, and learn from more windows."
            return Message("warning", learnt.line, hint)
        return learnt.line

    def _on_opened(self) -> None:
        if hasattr(self, "run_row"):
            self.run_row.runner.stop()
            self.reject()
            self.message_line().show_message(None)
        super()._on_opened()


def _offered(cls: Any, name: str) -> Callable[[], Any]:
    from ..core.method import parameters

    return next(p.offered for p in parameters(cls) if p.name == name and p.offered is not None)


def _table(learnt: Learnt) -> str:
    """Return the precisions before and after as a table."""
    heads = "".join(f"<td align='right' width='76'>AP@{t:g}</td>" for t in AT)
    lines = [f"<tr><td width='60'></td>{heads}</tr>"]
    for side, values in (("before", learnt.outcome.before), ("after", learnt.outcome.after)):
        cells = "".join(f"<td align='right'>{'<b>' if side == 'after' else ''}{v:.2f}</td>" for v in values)
        lines.append(f"<tr><td>{side}</td>{cells}</tr>")
    return f"<table>{''.join(lines)}</table>"
