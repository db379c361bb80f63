"""Composition bars: which share of each region, domain or other group is of which category."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyqtgraph as pg
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ...core.distributions import shares
from ...errors import BadInput
from ...io.regions_file import CLASS
from ...session.annotating import annotation_names, frame_of, rows_inside
from ...views.columns import Axis, Colours
from ...views.state import ColourBy
from .board import Board
from .numbers import is_grouping
from .pane import Fields, Pane, first_of
from .violin import MOST, more_than_shown, most_numerous

__all__ = ["CompositionPane"]

_HALF = 0.4
_REGIONS, _CLASSES = "regions of ", "classes of "
_SELECTED = "selected"


@dataclass(frozen=True, eq=False)
class _Groups:
    """The bars: their names, and the places of their rows among those plotted."""

    title: str
    names: tuple[str, ...]
    members: tuple[npt.NDArray[np.int64], ...]
    left_out: tuple[str, ...] = ()


class CompositionPane(Pane):
    """A bar a group, divided by category; a bar of the selected rows beside them."""

    title = "Composition"
    help = "Which share of each region or domain is of which category. Click a part to select its rows."

    def make(self) -> Board:
        """Make the fields and the board."""
        body = QVBoxLayout(self)
        body.setContentsMargins(0, 0, 0, 0)
        holder = QWidget()
        fields = Fields(holder)
        self.column(fields, "of", "Of", "The categories that divide each bar: cell types, clusters, domains.")
        self.column(fields, "by", "In", "The bars: annotated regions, their classes, domains or any other category.")
        body.addWidget(holder)
        body.addStretch(1)
        self._bars: list[Any] = []
        self._groups = _Groups("", (), ())
        self._inside: tuple[Any, dict[str, npt.NDArray[np.int64]]] = (None, {})
        self.counts, self.shares = np.zeros((0, 0), np.int64), np.zeros((0, 0))
        board = Board(names=True)
        board.box.setMouseEnabled(x=True, y=False)
        board.clicked.connect(self._on_click)
        return board

    def offered(self, field: str) -> dict[str, ColourBy]:
        """Return the categories, and for the bars also what was annotated."""
        assert self.desk.session is not None and self.rows is not None
        document = self.desk.session.document
        found = {n: c for n, c in self.choices.items() if is_grouping(document, c)}
        if field != "by":
            return found
        drawn = {f"{kind}{n}" for n in annotation_names(document) for kind in (_REGIONS, _CLASSES)}
        return {**{n: ColourBy(self.rows.table, "") for n in sorted(drawn)}, **found}

    def defaults(self) -> dict[str, str]:
        """Return what the canvas shows, in annotated regions, else in the first other category."""
        assert self.rows is not None and self.desk.session is not None
        document, now = self.desk.session.document, self.presenter.colour_of(self.rows.element)
        groupings, bars = self.offered("of"), self.offered("by")

        def divides(choice: ColourBy) -> bool:
            return not choice.key or is_grouping(document, choice, telling=True)  # what was annotated has no key

        of = first_of(groupings, lambda _n, c: c == now, lambda _n, c: divides(c), lambda _n, _c: True)
        by = first_of(bars, lambda n, c: n != of and divides(c), lambda n, _c: n != of, lambda _n, _c: True)
        return {"of": of, "by": by}

    def draw(self) -> None:
        """Draw the bars."""
        of = self.axis("of")
        self.axes = (of,)
        if of is None or of.categories is None:
            self._clear()
            raise BadInput("These rows have no categories.", "Find domains, or name cell types first.")
        self._groups = self._grouped()
        self._draw_bars(of)

    def mark(self) -> None:
        """Show what the selected rows are composed of, as one more bar."""
        of = self.axes[0] if self.axes else None
        if of is not None and of.categories is not None:
            self._draw_bars(of)

    def keyed(self) -> tuple[Axis | None, Colours | None]:
        """Return what divides the bars."""
        return (self.axes[0] if self.axes else None), None

    def frame(self) -> pd.DataFrame:
        """Return a row for each part of each bar."""
        of = self.axes[0]
        assert of is not None and of.categories is not None
        g, c = np.indices(self.counts.shape).reshape(2, -1)
        names = np.array(of.categories.names, object)
        return pd.DataFrame(
            {
                self._groups.title or "group": np.array(self._named(), object)[g],
                of.title: names[c],
                "rows": self.counts.ravel(),
                "share": self.shares.ravel(),
            }
        )

    def axis(self, name: str) -> Axis | None:
        """Return a column; what was annotated is none."""
        return None if self._wanted.get(name, "").startswith((_REGIONS, _CLASSES)) else super().axis(name)

    def _grouped(self) -> _Groups:
        said = self._wanted.get("by", "")
        if said.startswith((_REGIONS, _CLASSES)):
            return self._annotated(said)
        by = self.axis("by")
        if by is None or by.categories is None:
            raise BadInput("Nothing is chosen for the bars.", "Choose annotated regions, or a category.")
        codes, names = by.categories.codes, by.categories.names
        shown = most_numerous(codes, len(names))
        members = tuple(np.flatnonzero(codes == c) for c in shown)
        assert self.rows is not None
        left = tuple(more_than_shown(by, shown, self.rows.word))
        none = int((codes < 0).sum())
        left += (f"{none:,} {self.rows.word} without {by.title} are in no bar",) if none else ()
        return _Groups(by.title, tuple(names[c] for c in shown), members, left)

    def _annotated(self, said: str) -> _Groups:
        assert self.rows is not None and self.desk.session is not None
        document, classes = self.desk.session.document, said.startswith(_CLASSES)
        name = said.removeprefix(_CLASSES if classes else _REGIONS)
        frame = frame_of(document, name)
        if frame is None or not len(frame):
            raise BadInput(f"'{name}' has no region.", "Draw one under Annotate.")
        inside = self._rows_inside(name)
        labels = [str(c) for c in frame[CLASS]]
        regions = [str(i) for i in frame.index]
        if not classes:
            order = regions[:MOST]
            left = (f"the first {MOST} of {len(regions)} regions are shown",) if len(regions) > MOST else ()
            named = tuple(f"{c} {n}" for n, c in zip(order, labels, strict=False))
            return _Groups(name, named, tuple(inside[n] for n in order), left)
        held: dict[str, list[npt.NDArray[np.int64]]] = {}
        for region, label in zip(regions, labels, strict=True):
            held.setdefault(label, []).append(inside[region])
        return _Groups(name, tuple(held), tuple(np.unique(np.concatenate(v)) for v in held.values()))

    def _rows_inside(self, annotations: str) -> dict[str, npt.NDArray[np.int64]]:
        """Return the places among the plotted rows; kept until the regions, the rows or where they lie change."""
        assert self.rows is not None and self.desk.session is not None
        document, rows = self.desk.session.document, self.rows
        slots = (("shapes", annotations), ("transforms",), ("tables", rows.table), ("labels", rows.element))
        key = (annotations, rows.table, rows.element, tuple(document.revision(s) for s in slots))
        if self._inside[0] != key:
            found = rows_inside(document, annotations, rows.table)
            place = np.full(document.table(rows.table).n_obs, -1)
            place[rows.places] = np.arange(len(rows.places))
            self._inside = (key, {n: place[at][place[at] >= 0] for n, at in found.items()})
        return self._inside[1]

    def _named(self) -> tuple[str, ...]:
        return self._groups.names + ((_SELECTED,) if len(self.counts) > len(self._groups.names) else ())

    def _draw_bars(self, of: Axis) -> None:
        assert of.categories is not None and self.rows is not None
        selected, members = self.marked(), self._groups.members
        if selected is not None and selected.any():
            members = (*members, np.flatnonzero(selected))
        self._clear()
        n = len(of.categories.names)
        self.counts, self.shares = shares(members, of.categories.codes, n)
        below = np.cumsum(self.shares, axis=1) - self.shares
        x = self._places(len(members))
        for code in np.flatnonzero(self.counts.sum(axis=0)):
            at = np.flatnonzero(self.counts[:, code])
            bars = pg.BarGraphItem(
                x0=x[at] - _HALF, width=2 * _HALF, y0=below[at, code], height=self.shares[at, code],
                brush=QColor(of.categories.colours[code]), pen=pg.mkPen(None),
            )  # fmt: skip
            self.board.addItem(bars)
            self._bars.append(bars)
        assert self.board.names is not None
        names, below = np.full((2, int(x[-1]) + 1 if len(x) else 0), "", dtype=object)
        names[x], below[x] = self._named(), [f"{int(t):,}" for t in self.counts.sum(axis=1)]
        self.board.names.set_names(list(names), list(below))
        self.board.span((-0.5, len(names) - 0.5), (0.0, 1.0))
        self.board.label(f"{self._groups.title} (number of {self.rows.word} below)", f"share of {self.rows.word}")
        none = int((of.categories.codes < 0).sum())
        without = (f"{none:,} {self.rows.word} without {of.title} are not counted",) if none else ()
        self.notes = (*self._groups.left_out, *without)
        self.noted.emit()

    def _places(self, n: int) -> npt.NDArray[np.int64]:
        """Return where the bars stand: that of the selected rows after a gap."""
        return np.arange(n) + (np.arange(n) >= len(self._groups.names))

    def _clear(self) -> None:
        for bars in self._bars:
            self.board.removeItem(bars)
        self._bars.clear()

    def tip(self, x: float, y: float) -> str:
        """Return the part under the mouse, with its rows and its share."""
        found, of = self._part_at(x, y), self.axes[0] if self.axes else None
        if found is None or of is None or of.categories is None or self.rows is None:
            return ""
        bar, code = found
        n, share = self.counts[bar, code], 100 * self.shares[bar, code]
        return f"{of.categories.names[code]} in {self._named()[bar]}: {n:,} {self.rows.word}, {share:.1f} %"

    def _on_click(self, x: float, y: float, how: str) -> None:
        found, of = self._part_at(x, y), self.axes[0] if self.axes else None
        if found is None or of is None or of.categories is None or found[0] >= len(self._groups.members):
            return
        bar, code = found
        rows = self._groups.members[bar]
        which = np.zeros(len(of.categories.codes), bool)
        which[rows[of.categories.codes[rows] == code]] = True
        self.select(which, f"{of.title} is {of.categories.names[code]} in {self._groups.names[bar]}", how)

    def _part_at(self, x: float, y: float) -> tuple[int, int] | None:
        """Return the bar and the category at a place; None where no part is."""
        bars = np.flatnonzero(np.abs(self._places(len(self.counts)) - x) <= _HALF)
        if not self.drawn or not len(bars) or not 0 <= y <= 1 or not self.counts[bars[0]].any():
            return None
        code = np.searchsorted(np.cumsum(self.shares[bars[0]]), y)
        return int(bars[0]), int(min(code, self.shares.shape[1] - 1))
