"""The scatter plot: any two columns, genes or embeddings, coloured by any; a lasso selects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from ...core.inside import points_inside
from ...errors import BadInput
from ...session import Document
from ...views.columns import Axis, Colours, colours_of, named_choices
from ...views.state import TOTAL, ColourBy
from .board import Board
from .cloud import Cloud
from .embed import EmbedRow
from .numbers import is_measured, logarithms
from .pane import Fields, Pane, first_of

__all__ = ["ScatterPane"]


class ScatterPane(Pane):
    """Rows as points on two axes."""

    title = "Scatter"
    help = "Rows as points on two axes. Draw around points to select them; Shift adds, Alt takes away."

    def make(self) -> Board:
        """Make the fields and the board."""
        body = QVBoxLayout(self)
        body.setContentsMargins(0, 0, 0, 0)
        holder = QWidget()
        fields = Fields(holder)
        self.column(fields, "x", "Across", "What the horizontal axis shows: a column, a gene or an embedding.")
        self.column(fields, "y", "Upwards", "What the vertical axis shows: a column, a gene or an embedding.")
        self.column(fields, "colour", "Colour by", "What colours the points; as on the canvas.")
        self.log = {name: QCheckBox(text) for name, text in (("x", "across"), ("y", "upwards"))}
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        for box in self.log.values():
            box.toggled.connect(lambda _on: self.refresh(fit=True))
            row.addWidget(box)
        row.addStretch(1)
        fields.add("Log axis", line, "Draw an axis in powers of ten; values of 0 or less have no place on it.")
        self.embed = EmbedRow(self.desk, self)
        self.embed.done.connect(self._show_embedding)
        body.addWidget(holder)
        body.addWidget(self.embed)
        body.addStretch(1)
        board = Board(lasso=True)
        self.cloud = Cloud()
        board.addItem(self.cloud)
        board.lassoed.connect(self._on_lasso)
        board.clicked.connect(self._on_click)
        self.cloud.counting.connect(self._on_counting)
        self._at = np.empty((0, 2))
        self._there = np.empty(0, bool)
        self._canvas = ""
        return board

    def defaults(self) -> dict[str, str]:
        """Return an embedding where there is one, else the total and a measured column; coloured as the canvas."""
        assert self.rows is not None and self.desk.session is not None
        document = self.desk.session.document
        block = next((b for b in _embeddings(self.choices)), "")
        if block:
            x, y = (_of_block(self.choices, block, k) for k in (0, 1))
        else:
            numbers = [n for n, c in self.choices.items() if is_measured(document, c, telling=True)]
            total = first_of(self.choices, lambda _n, c: c.key == TOTAL)
            gene = _strongest(document, self.rows.table, self.choices)
            x, y = (*numbers[:2], total, gene, total)[:2] if len(numbers) > 1 else (total, (*numbers, gene)[0])
        now = self.presenter.colour_of(self.rows.element)
        return {"x": x, "y": y, "colour": first_of(self.choices, lambda _n, c: c == now)}

    def refresh(self, *, fit: bool = False) -> None:
        """Draw anew; the colours follow those of the canvas until others are chosen here."""
        if self.rows is not None and self.presenter is not None:
            now = self.presenter.colour_of(self.rows.element)
            name = first_of(self.choices, lambda _n, c: c == now)
            if name and self._wanted.get("colour", "") == self._canvas:
                self._wanted["colour"] = name
            self._canvas = name
        super().refresh(fit=fit)

    def draw(self) -> None:
        """Draw the points."""
        assert self.rows is not None and self.desk.session is not None
        self.embed.set_table(self.rows.table)
        x, y, colour = (self.axis(name) for name in ("x", "y", "colour"))
        self.axes = (x, y, colour)
        if x is None or y is None:
            self._at, self._there = np.empty((0, 2)), np.zeros(len(self.rows.places), bool)
            raise BadInput("There is nothing to plot these rows by.", "Choose two columns.")
        at = np.column_stack([self._placed("x", x), self._placed("y", y)])
        self._there = np.isfinite(at).all(axis=1)
        self._at = at[self._there]
        now = self.presenter.colour_of(self.rows.element)
        legend = next((g for g in self.presenter.legends() if g.element == self.rows.element), None)
        same = colour is not None and colour.colour == now
        self.colours = colours_of(self.desk.session.document, colour, self.rows, legend if same else None)
        self.cloud.set_points(self._at, replace(self.colours, codes=self.colours.codes[self._there]))
        self.board.label(x.label, y.label)
        if len(self._at):
            (x0, y0), (x1, y1) = self._at.min(axis=0), self._at.max(axis=0)
            self.board.span(_wide(x0, x1), _wide(y0, y1))
        for side, name in (("bottom", "x"), ("left", "y")):
            self.board.getAxis(side).setLogMode(self.log[name].isChecked())
        self._note()

    def mark(self) -> None:
        """Let the selected points stand out; leave out what a filter leaves out."""
        selected, left = self.marked(), self.limited()
        self.cloud.mark(
            None if selected is None else selected[self._there], None if left is None else left[self._there]
        )

    def keyed(self) -> tuple[Axis | None, Colours | None]:
        """Return what colours the points."""
        return (self.axes[2], self.colours) if len(self.axes) == 3 and self.axes[2] is not None else (None, None)

    def frame(self) -> pd.DataFrame:
        """Return the rows with both axes and the colour."""
        return self.listed(*self.axes)

    def _placed(self, name: str, axis: Axis) -> npt.NDArray[np.float64]:
        values = axis.numbers
        if values is None:
            assert axis.categories is not None
            return np.where(axis.categories.codes < 0, np.nan, axis.categories.codes.astype(float))
        if not self.log[name].isChecked():
            return values
        return logarithms(values)

    def _note(self) -> None:
        assert self.rows is not None
        missing = int((~self._there).sum())
        notes = []
        if missing:
            why = " or at 0 and below" if any(box.isChecked() for box in self.log.values()) else ""
            notes.append(f"{missing:,} {self.rows.word} without a value{why} are not drawn")
        if self.cloud.counts:
            notes.append("drawn as a picture of counts: the more rows a pixel holds, the more opaque; none is left out")
        self.notes = tuple(notes)
        self.noted.emit()

    def _on_counting(self, _counts: bool) -> None:
        self._note()

    def _on_lasso(self, corners: Any, how: str) -> None:
        if len(corners) < 3 or self.rows is None:
            return
        which = self._there.copy()
        which[self._there] = points_inside(self._at, corners)
        left = self.limited()
        if left is not None:
            which &= left  # what is not drawn cannot be meant
        x, y = (axis.title for axis in self.axes[:2] if axis is not None)
        self.select(which, f"lasso in {x} and {y}", how)

    def _on_click(self, _x: float, _y: float, how: str) -> None:
        if how == "new" and self.presenter is not None:
            self.presenter.selected.clear()

    def _show_embedding(self, output: str) -> None:
        assert self.rows is not None and self.desk.session is not None
        self.choices = named_choices(self.desk.session.document, self.rows)
        self.set_columns(**{n: _of_block(self.choices, output, k) for n, k in (("x", 0), ("y", 1))})


def _wide(low: float, high: float) -> tuple[float, float]:
    """Return the ends of an axis; a constant lies in its middle."""
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(high) + 0.5)


def _embeddings(choices: dict[str, ColourBy]) -> list[str]:
    """Return the blocks that look like a map of two axes, UMAP first."""
    blocks = dict.fromkeys(c.name.partition("/")[0] for c in choices.values() if c.part == "obsm")
    ranked = sorted(blocks, key=lambda b: ("umap" not in b.lower(), "tsne" not in b.lower(), "pca" not in b.lower()))
    return [b for b in ranked if any(w in b.lower() for w in ("umap", "tsne", "pca")) and _of_block(choices, b, 1)]


def _strongest(document: Document, table: str, choices: dict[str, ColourBy]) -> str:
    """Return the name of the feature with the largest total, or ""."""
    held = document.table(table)
    if held.X is None or not held.n_vars:
        return ""
    feature = str(held.var_names[int(np.asarray(held.X.sum(axis=0)).ravel().argmax())])
    return first_of(choices, lambda _n, c: c.key == f"X/{feature}")


def _of_block(choices: dict[str, ColourBy], block: str, k: int) -> str:
    return first_of(choices, lambda _n, c: c.key == f"obsm/{block}/{k}")
