"""What the spots under the cursor, selected, or in a domain or region are made of, beside the whole section."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.compat import isalive
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from ..core.colours import category_colours
from ..core.composition import Composition
from ..session import correct
from ..session.composition import composition
from ..session.selection_files import cell_ids
from ..session.spot_proportions import MeanShares, SpotProportions
from .composition_bars import CompositionBars
from .runner import Runner
from .style import SPACING, Quiet, Rows

if TYPE_CHECKING:
    from ..session import Document
    from ..views.pointed import Pointed
    from ..views.presenter import Presenter
    from .desk import Desk

__all__ = ["CompositionPanel", "groups_of"]

_MOST_GROUPS = 30
HERE = "cursor or selection"
RowNumbers = npt.NDArray[np.int64]


def groups_of(document: Document, table: str, output: str) -> dict[str, tuple[str, str, str]]:
    """Return the groups of rows that can be looked at, by what they are called.

    Returns
    -------
    dict
        ("obs", column, category) or ("regions", annotations, class) by name; domains first.
    """
    from ..io.regions_file import CLASS
    from ..session.annotating import annotation_names, frame_of

    found: dict[str, tuple[str, str, str]] = {}
    obs = document.table(table).obs
    columns = [str(c) for c in obs if isinstance(obs[c].dtype, pd.CategoricalDtype) and not str(c).startswith(output)]
    for column in sorted(columns, key=lambda c: "domain" not in c):
        names = [str(v) for v in obs[column].cat.categories]
        if 2 <= len(names) <= _MOST_GROUPS:
            found |= {f"{column}: {name}": ("obs", column, name) for name in names}
    for name in annotation_names(document):
        frame = frame_of(document, name)
        classes = [] if frame is None else [c for c in dict.fromkeys(map(str, frame[CLASS])) if c]
        found |= {f"{name}: {c}": ("regions", name, c) for c in classes}
    return found


class CompositionPanel(QWidget):
    """Bars that follow the mouse over the canvas and the selection; or a domain or a region, while one is chosen.

    Parameters
    ----------
    desk
        The desk.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.held: SpotProportions | None = None
        self._heard: Presenter | None = None
        self._under, self._asked = -1, 0
        self._places: dict[tuple[str, str, str], RowNumbers] = {}
        self.runner = Runner(self)
        self.groups, self.about, self.bars = QComboBox(), Quiet(), CompositionBars()
        self.groups.activated.connect(lambda _i: self._draw())
        self.groups.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        rows = Rows()
        rows.add("Composition of", self.groups, "Which spots the bars are about: point at one, select some, or choose.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (rows, self.about, self.bars):
            layout.addWidget(part)
        desk.opened.connect(self.forget)

    def set_result(self, held: SpotProportions | None) -> None:
        """Show another result, or the same one after a change of the document."""
        self.held = held
        self._places.clear()
        self.setVisible(held is not None)
        if held is None or self.desk.session is None:
            return
        if self._under >= len(held.values):
            self._under = -1
        presenter = self.desk.presenter
        if presenter is not None and presenter is not self._heard:
            self._heard = presenter
            presenter.selected.changed.connect(self._on_selected)
            presenter.pointed.connect(self._on_pointed)
        found = groups_of(self.desk.session.document, held.table, held.output)
        kept = self.groups.currentText()
        self.groups.clear()
        self.groups.addItem(HERE, None)
        for name, group in found.items():
            self.groups.addItem(name, group)
        self.groups.setCurrentIndex(max(self.groups.findText(kept), 0))
        self._draw()

    def forget(self) -> None:
        """Let go of the section."""
        self._heard, self._under = None, -1
        self.set_result(None)

    def _on_pointed(self, found: Pointed | None) -> None:
        if not isalive(self) or not self.isVisible():
            return
        mine = found is not None and self.held is not None and found.table == self.held.table
        row = found.row if mine and found is not None else -1
        if row != self._under:
            self._under = row
            self._draw()

    def _on_selected(self) -> None:
        if isalive(self) and self.isVisible():
            self._draw()

    def keep(self) -> None:
        """Keep the composition of all groups of what is chosen, with intervals, as a table of the section."""
        group, held, session = self.groups.currentData(), self.held, self.desk.session
        if group is None or held is None or session is None:
            self.desk.told.emit("info", "Choose a domain or a region under 'Composition of' first.")
            return
        place = {"table": held.table, "by": group[1], "output": held.output}

        def store(command: Any) -> None:
            if session is self.desk.session:
                session.execute(command)
                self.desk.told.emit("ok", f"Kept: {command.label}.")

        self.runner.run(
            lambda _report: correct(session.document, "keep-composition", **place),
            on_result=store,
            on_error=lambda error: self.desk.told.emit("error", str(error)),
            title="Composition",
        )

    def _draw(self) -> None:
        held, session = self.held, self.desk.session
        if held is None or session is None:
            return
        rows, said = self._chosen(held)
        found = held.means(rows if len(rows) else np.arange(len(held.values)))
        self.bars.set_composition(found, self._colours(held))
        self.about.setText(said)
        self._asked += 1
        if len(rows) > 1:
            self._bound(held, rows, found, said)

    def _bound(self, held: SpotProportions, rows: RowNumbers, found: MeanShares, said: str) -> None:
        """Give the means of several spots their intervals, which take a moment."""
        assert self.desk.session is not None
        document, asked = self.desk.session.document, self._asked

        def show(made: Composition) -> None:
            if asked != self._asked or self.held is not held:
                return  # the mouse is elsewhere by now
            lower, upper = made.mean_lower[0], made.mean_upper[0]
            if np.isfinite(lower).all():
                n = int(made.sizes[0])
                with_ends = replace(found, here=made.mean[0], section=made.section, lower=lower, upper=upper, n=n)
                self.bars.set_composition(with_ends, self._colours(held))
            else:
                self.about.setText(f"{said} They lie in one patch of the tissue, so there is no interval.")

        self.runner.run(
            lambda _report: composition(document, held.table, rows, held.output),
            on_result=show,
            on_error=lambda error: self.about.setText(f"{said} {error}"),
            key="intervals",
            replace=True,
            listed=False,
        )

    def _chosen(self, held: SpotProportions) -> tuple[RowNumbers, str]:
        """Return the rows that the bars are about, and what is said of them."""
        assert self.desk.session is not None
        document, group = self.desk.session.document, self.groups.currentData()
        if group is not None:
            rows = self._rows_of(group, held.table)
            return rows, f"{len(rows):,} spots in {self.groups.currentText()}." if len(rows) else "No spot lies there."
        selected = self.desk.presenter.selected.now if self.desk.presenter is not None else None
        if self._under >= 0:
            name = cell_ids(document, held.table)[self._under]  # as the canvas calls it
            return np.array([self._under]), f"Spot {name}{_said(held, self._under)}"
        if selected is not None and selected.table == held.table and len(selected):
            return selected.rows, f"{len(selected):,} spots are selected."
        return np.empty(0, np.int64), "The whole section. Point at a spot, or select some."

    def _rows_of(self, group: tuple[str, str, str], table: str) -> RowNumbers:
        from ..io.regions_file import CLASS
        from ..session.annotating import frame_of, rows_inside

        assert self.desk.session is not None
        document = self.desk.session.document
        if group not in self._places:
            kind, column, name = group
            if kind == "obs":
                self._places[group] = np.flatnonzero((document.table(table).obs[column].astype(str) == name).to_numpy())
            else:
                frame, inside = frame_of(document, column), rows_inside(document, column, table)
                own = [inside[str(i)] for i, c in zip(frame.index, frame[CLASS], strict=True) if str(c) == name]
                self._places[group] = np.unique(np.concatenate(own)) if own else np.empty(0, np.int64)
        return self._places[group]

    def _colours(self, held: SpotProportions) -> dict[str, str]:
        assert self.desk.session is not None
        stored = self.desk.session.document.colours(f"{held.output}_dominant")
        return category_colours(list(held.types), stored)


_BY_HAND = {
    "override": "a share was set by hand",
    "forbidden": "a type was ruled out by hand",
    "minimum": "a least share was set by hand",
    "artefact": "marked as an artefact",
}


def _said(held: SpotProportions, row: int) -> str:
    """Return what is to be known of one spot, beside its shares."""
    notes = []
    if held.empty is not None and held.empty[row]:
        notes.append("no counts")
    if held.outside is not None and held.outside[row]:
        notes.append("holds a type or state that is not in the reference")
    if held.uncertainty is not None and np.isfinite(held.uncertainty[row]):
        notes.append(f"uncertainty {held.uncertainty[row]:.2f}")
    if held.deviance is not None and np.isfinite(held.deviance[row]):
        notes.append(f"deviance {held.deviance[row]:.2f}")
    if held.by_hand is not None and held.by_hand[row] in _BY_HAND:
        notes.append(_BY_HAND[str(held.by_hand[row])])
    return f": {', '.join(notes)}." if notes else "."
