"""Which cell types lie together: a matrix of all pairs, against chance that keeps the tissue's smoothness."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QHBoxLayout, QMenu, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ..core.colocation import Colocation
from ..core.report import Report
from ..errors import BadInput, SpatialMLError
from ..session import correct
from ..session.composition import co_location, held_co_location
from ..session.spot_proportions import SpotProportions
from .hand import length_field
from .matrix_map import MatrixMap
from .messages import Message, MessageLine, tell
from .progress import Progress
from .progress_row import ProgressBar
from .runner import Runner
from .style import MARGIN, SPACING, Quiet, Rows, accent, tooltip

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["ColocationWindow", "open_colocation", "pair_in_words", "pairs_frame", "tree_order"]

_LEVELS = ((0.001, "★★★"), (0.01, "★★"), (0.05, "★"))
_STEPS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)


def pairs_frame(found: Colocation) -> pd.DataFrame:
    """Return a row for each pair of types, the surest first, with how it was found."""
    i, j = np.triu_indices(len(found.types), 1)
    names = np.array(found.types, dtype=object)
    frame = pd.DataFrame(
        {"type_a": names[i], "type_b": names[j], "value": found.values[i, j], "p": found.p[i, j], "q": found.q[i, j]}
    )
    about = {"distance_um": found.distance_um, "block_um": found.block_um}
    frame = frame.assign(**about, blocks=found.n_blocks, permutations=found.n_permutations)
    return frame.sort_values(["q", "p"], kind="stable", ignore_index=True)


def pair_in_words(found: Colocation, a: int, b: int) -> str:
    """Return what the numbers of a pair of types say."""
    value = found.values[a, b]
    if a == b:
        said = (
            "how alike its share is at neighbours" if np.isfinite(value) else "choose a distance to compare neighbours"
        )
        return f"{found.types[a]} with itself: {_number(value)}, {said}."
    pair, q = f"{found.types[a]} and {found.types[b]}", found.q[a, b]
    if not np.isfinite(q):
        return f"{pair}: nothing can be told, one of them is everywhere the same."
    sure = "they lie together" if value > 0 else "they shun each other"
    said = sure if q < _LEVELS[-1][0] else "no more than chance explains"
    return f"{pair}: {_number(value)}, p {found.p[a, b]:.2g}, q {q:.2g}: {said}."


def tree_order(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return an order of the types in which those that lie together stand together."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    rows = np.nan_to_num(np.where(np.eye(len(values), dtype=bool), 1.0, values))
    return np.asarray(leaves_list(linkage(rows, "average")), np.int64) if len(rows) > 2 else np.arange(len(rows))


def _number(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−") if np.isfinite(value) else "–"


class ColocationWindow(QDialog):
    """The matrix of a result, in a window of its own that blocks nothing.

    Parameters
    ----------
    desk
        The desk.
    held
        The proportions.
    """

    def __init__(self, desk: Desk, held: SpotProportions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk, self.held = desk, held
        self.found: Colocation | None = None
        self.order: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self.runner = Runner(self)
        self.setWindowTitle(f"Co-location of cell types: {held.table}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setModal(False)
        self.matrix, self.about, self.pair, self.message = MatrixMap(), Quiet(), Quiet(), MessageLine()
        self.distance, self.bar = length_field(0.0, 0.0, 5000.0), ProgressBar()
        self.run_button, self.export_button = QPushButton("Compute"), QPushButton("Export")
        self.keep_button = QPushButton("Keep")
        self._set_up()
        self._lay_out()
        self.matrix.pointed.connect(self._tell_pair)
        self.runner.changed.connect(self._follow_state)
        desk.opened.connect(self.close)
        self._follow_state()

    def compute(self) -> None:
        """Compute the matrix beside the window, or stop."""
        if self.runner.state != "idle":
            self.runner.stop()
            return
        held, session = self.held, self.desk.session
        if session is None:
            return
        document, distance = session.document, self.distance.value()
        self.message.show_message(None)
        self._run(
            lambda report: co_location(document, held.table, held.output, report, distance_um=distance), self._show
        )

    def keep(self) -> None:
        """Keep the co-location with the section: one step, which can be undone and is proved as all others."""
        found, session = self.found, self.desk.session
        if found is None or session is None:
            return
        place = {"table": self.held.table, "output": self.held.output, "distance_um": found.distance_um}

        def store(command: Any) -> None:
            if session is self.desk.session:
                session.execute(command)
                self.message.show_message(Message("ok", f"Kept: {command.label}."))

        self._run(lambda report: correct(session.document, "keep-co-location", **place), store)

    def show_kept(self) -> bool:
        """Show what was kept with the section; return whether there was something."""
        session = self.desk.session
        kept = held_co_location(session.document, self.held.table, self.held.output) if session is not None else None
        if kept is None or kept.types != self.held.types:
            return False
        self.distance.setValue(kept.distance_um)
        self._show(kept)
        return True

    def _run(self, job: Callable[[Report], Any], on_result: Callable[[Any], object]) -> None:
        self.runner.run(
            job,
            on_result=on_result,
            on_error=lambda error: self.message.show_message(tell(error)),
            on_progress=self._on_progress,
            on_stopped=self._follow_state,
            title="Co-location",
            key="colocation",
            replace=True,
        )

    def export(self, path: Path) -> None:
        """Write the pairs as CSV, or the matrix as PNG."""
        try:
            self.message.show_message(Message("ok", self._write(path)))
        except (SpatialMLError, OSError) as error:
            self.message.show_message(tell(error))

    def _write(self, path: Path) -> str:
        if self.found is None:
            raise BadInput("There is no matrix yet.", "Press Compute first.")
        if path.suffix == ".csv":
            frame = pairs_frame(self.found)
            frame.to_csv(path, index=False)
            return f"{len(frame):,} pairs are in '{path.name}'."
        if not self.matrix.picture().save(str(path)):
            raise BadInput(f"'{path}' could not be written.", "Choose another place.")
        return f"The matrix is in '{path.name}'."

    def _show(self, found: Colocation) -> None:
        self.found, self.order = found, tree_order(found.values)
        values = found.values[np.ix_(self.order, self.order)]
        off = np.abs(values[~np.eye(len(values), dtype=bool)])
        most = float(np.nanmax(off)) if np.isfinite(off).any() else 1.0
        limit = next((step for step in _STEPS if step >= most), 1.0)
        self.matrix.set_matrix([found.types[k] for k in self.order], values, self._stars, limit)
        near = f"within {found.distance_um:g} µm" if found.distance_um > 0 else "in the same spot"
        self.about.setText(
            f"Red: two types lie together {near} more than their room allows for; blue: they shun each other. "
            f"Chance is by block permutation: the tissue is cut into {found.n_blocks} blocks of "
            f"{found.block_um:,.0f} µm, which change places as wholes {found.n_permutations:,} times, so that patches "
            "alone make no pair look linked. Stars: q below 0.05, 0.01 and 0.001, over all pairs."
        )
        self._tell_pair(-1, -1)
        self._follow_state()

    def _stars(self, row: int, column: int) -> str:
        found = self.found
        if found is None or row == column:
            return ""
        q = found.q[self.order[row], self.order[column]]
        return next((stars for level, stars in _LEVELS if q < level), "")

    def _tell_pair(self, row: int, column: int) -> None:
        found = self.found
        if found is None or row < 0:
            self.pair.setText("Point at a square to read its numbers." if found is not None else "")
            return
        self.pair.setText(pair_in_words(found, int(self.order[row]), int(self.order[column])))

    def _on_progress(self, progress: Progress) -> None:
        self.bar.follow(progress)

    def _follow_state(self) -> None:
        idle = self.runner.state == "idle"
        self.bar.setVisible(not idle)
        self.run_button.setText("Compute" if idle else "Stop")
        for button in (self.export_button, self.keep_button):
            button.setEnabled(idle and self.found is not None)

    def _ask_where(self, suffix: str) -> None:
        from .file_dialogs import ask_where_to_save

        name = f"{self.desk.name} co-location{suffix}".replace("/", "-")
        ask_where_to_save(self, "Export the co-location", name, suffix, self.export)

    def _set_up(self) -> None:
        accent(self.run_button)
        self.run_button.clicked.connect(lambda _checked=False: self.compute())
        self.distance.setSpecialValueText("the same spot")
        self.export_button.setToolTip(tooltip("Write all pairs as CSV, or the matrix as a picture."))
        menu = QMenu(self.export_button)
        for suffix, text in ((".csv", "CSV, all pairs…"), (".png", "PNG…")):
            menu.addAction(text).triggered.connect(lambda _checked=False, s=suffix: self._ask_where(s))
        self.export_button.setMenu(menu)
        self.keep_button.setToolTip(tooltip("Keep the matrix with the section, as a step that can be undone."))
        self.keep_button.clicked.connect(lambda _checked=False: self.keep())
        for button in (self.run_button, self.keep_button, self.export_button):
            button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def _lay_out(self) -> None:
        rows, below = Rows(), QHBoxLayout()
        rows.add(
            "Together within", self.distance, "A type is looked for in the spot and in all spots within so many µm."
        )
        for part in (self.run_button, self.bar):
            below.addWidget(part)
        below.addStretch(1)
        for button in (self.keep_button, self.export_button):
            below.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(SPACING)
        column.addWidget(rows)
        column.addLayout(below)
        for widget, stretch in ((self.message, 0), (self.matrix, 1), (self.pair, 0), (self.about, 0)):
            column.addWidget(widget, stretch)


def open_colocation(desk: Desk, held: SpotProportions, parent: QWidget) -> ColocationWindow:
    """Return a new window with the matrix of a result, on its way."""
    window = ColocationWindow(desk, held, parent)
    room = window.screen().availableSize()
    window.resize(min(760, room.width()), min(860, room.height() - 60))
    window.show()
    if not window.show_kept():
        window.compute()
    return window
