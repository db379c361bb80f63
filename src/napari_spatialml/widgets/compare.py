"""The Compare dock: two readers or two segmentations, how far they agree, and the way from two to one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QVBoxLayout,
    QWidget,
)

from ..core.report import Report
from ..errors import BadInput
from ..session.areas import area_sets
from ..session.comparing import GROUPS, Comparison, compare_areas, compare_cells, compare_columns
from ..session.history import readers_of
from ..session.settling import CONSENSUS
from .bring_in import BringIn
from .figure_table import FigureTable, export_row
from .judging import JudgeBox
from .messages import Message, MessageLine, tell
from .name_box import NameBox
from .number import DecimalField
from .run_row import RunRow
from .settle import SettleBox
from .step import StepDock, choose, title_label
from .style import MARGIN, SPACING, Heading, Quiet, Rows, accent

__all__ = ["CompareDock"]

KINDS = {"cells": "Segmentations", "classes": "Classes of rows", "areas": "Drawn areas"}
_MOST_ROWS = 18


class CompareDock(StepDock):
    """Compare two readers, show where they disagree, and settle it one by one."""

    title = "Compare"
    sentence = "Compare two readers or two segmentations of this section, and settle where they disagree."

    def make(self) -> QWidget:
        """Make the choices, the figures and the queue."""
        self.found: Comparison | None = None
        self._moment: tuple[int, ...] = ()
        self._asked: tuple[str, str, str] = ("", "", "")
        self.kind, self.a, self.b, self.classes = NameBox(), NameBox(), NameBox(), NameBox()
        for name, text in KINDS.items():
            self.kind.addItem(text, name)
        self.outline = DecimalField()
        self.outline.setRange(0.3, 0.99)
        self.outline.setSingleStep(0.05)
        self.outline.setValue(0.7)
        for box in (self.kind, self.a, self.b):
            box.currentIndexChanged.connect(lambda _i: self.refresh_now())
        self.message, self.who = MessageLine(), Quiet()
        self.bring = BringIn(self.desk)
        self.run_row = RunRow("Compare", "Count where A and B agree, and measure how far.", self._job, self._done)
        accent(self.run_row.button)
        self.figures = FigureTable("Figures")
        self.figures.set_heads("value", "95 % interval")
        self.results = self._results()
        self.settle = SettleBox(self.desk, self._show)
        self.settle.stepped.connect(self._keep_in_sight)
        self.judging = JudgeBox(self.desk, lambda: (str(self.a.currentData() or ""), str(self.b.currentData() or "")))
        return self._laid_out()

    def message_line(self) -> MessageLine:
        """Return the line under the buttons."""
        return self.message

    def refresh(self) -> None:
        """Offer what can be compared, and follow what was settled."""
        kind = str(self.kind.currentData())
        offered = self._offered(kind)
        first, second = self._preferred(offered)
        alone = self.b.count() < 2
        choose(self.a, offered, first)
        choose(self.b, offered, second)
        if alone and len(offered) > 1 and self.a.currentData() == self.b.currentData():
            # there was only one to choose: that it is in both boxes was nobody's choice
            self.b.setCurrentIndex(next(i for i, n in enumerate(offered) if n != self.a.currentData()))
        for row in self._cell_rows:
            row.setVisible(kind == "cells")
        if kind == "cells":
            choose(self.classes, ["", *self._common_columns()])
            self.classes.setItemText(0, "not compared")
        names = readers_of(self.session.history[: self.session.position])
        steps = ", ".join(f"{name} {n}" for name, n in names.items())
        self.who.setText(f"Steps by reader: {steps}." if steps else "")
        self.who.setVisible(bool(steps))
        self.run_row.set_ready(len(offered) > 0)
        self.bring.refresh()
        self.judging.refresh() if kind == "cells" else self.judging.hide()
        self._follow_result(kind, offered)

    def _follow_result(self, kind: str, offered: list[str]) -> None:
        """Say what is missing, or that the result is older than what it is of."""
        if self.found is not None and self._asked[1:] != tuple(str(b.currentData()) for b in (self.a, self.b)):
            self._forget()
        if self.found is not None and self._moments() != self._moment:
            self.message.show_message(Message("warning", "A or B was changed since.", "Compare again."))
        elif not offered:
            self.message.show_message(Message("info", _MISSING[kind]))
        elif self.message.message is not None and self.message.message.text in (*_MISSING.values(), _CHANGED):
            self.message.show_message(None)
        self.results.setVisible(self.found is not None)
        self.settle.refresh()

    def export_to(self, path: Path) -> None:
        """Write the report as JSON, or its figures as CSV, by the name of the file."""
        assert self.found is not None
        try:
            path.write_text(self.found.to_csv() if path.suffix == ".csv" else self.found.to_json(), encoding="utf-8")
        except OSError as error:
            self.message.show_message(tell(error))
        else:
            self.message.show_message(Message("ok", f"Written to {path.name}."))

    # what is compared --------------------------------------------------------------------------

    def _offered(self, kind: str) -> list[str]:
        document = self.session.document
        if kind == "cells":
            return list(document.names("labels"))
        if kind == "areas":
            return list(area_sets(document))
        return [
            f"{t}/{c}" for t in document.names("tables") if document.annotated(t) for c in _classes(document.table(t))
        ]

    def _preferred(self, offered: list[str]) -> tuple[str, str]:
        """Return what is compared at first: the two readers of a consensus, else the first two."""
        for name, readers in self.session.document.attribute(CONSENSUS, {}).items():
            part = f"{name.partition('/')[0]}/" if "/" in name else ""
            pair = part + readers["a"], part + readers["b"]
            if set(pair) <= set(offered):
                return pair
        return (offered[0], offered[min(1, len(offered) - 1)]) if offered else ("", "")

    def _common_columns(self) -> list[str]:
        document = self.session.document
        found = []
        for box in (self.a, self.b):
            tables = document.tables_of(str(box.currentData())) if box.currentData() else ()
            found.append({c for t in tables for c in _classes(document.table(t))})
        return sorted(found[0] & found[1])

    def _moments(self) -> tuple[int, ...]:
        kind, *names = self._asked
        document = self.session.document
        slots: list[tuple[str, ...]] = [("labels", n) for n in names]
        if kind == "classes":
            slots = [("tables", n.partition("/")[0], "obs", n.partition("/")[2]) for n in names]
        elif kind == "areas":
            slots = [("shapes", n.partition("@")[0]) for n in names]
        return tuple(document.revision(slot) for slot in slots)

    def _job(self) -> Callable[[Report], Comparison]:
        kind, a, b = (str(box.currentData() or "") for box in (self.kind, self.a, self.b))
        if a == b:
            raise BadInput("A and B are the same.", "Choose two, or bring in another reader's section.")
        document = self.session.document
        self._forget()
        self._asked = (kind, a, b)
        self._moment = self._moments()
        if kind == "cells":
            column = str(self.classes.currentData() or "")
            return compare_cells(document, a, document, b, outline=self.outline.value(), column=column)
        if kind == "areas":
            return compare_areas(document, a, document, b)
        (table_a, _, column_a), (table_b, _, column_b) = a.partition("/"), b.partition("/")
        return compare_columns(document, table_a, column_a, document, table_b, column_b)

    def _done(self, found: Comparison) -> str:
        self.found = found
        self.figures.show_rows(_rows(found), _MOST_ROWS)
        self.settle.set_comparison(found)
        self.refresh_now()
        if found.kind != "areas":
            self._show(True)
        return _outcome(found)

    def _forget(self) -> None:
        self.found = None
        self.settle.set_comparison(None)
        self.results.hide()
        if self.desk.presenter is not None and self.desk.presenter.state.compared is not None:
            self.desk.presenter.show(compared=None)

    def _show(self, shown: bool) -> None:
        self.settle.show_disagreement(shown)

    def _keep_in_sight(self) -> None:
        """Scroll to what is decided on and the buttons that decide; figures of many rows stand above them."""
        QTimer.singleShot(0, self._scroll)  # once the texts have taken their room

    def _scroll(self) -> None:
        self._area.ensureWidgetVisible(self.settle, 0, MARGIN)

    def _on_opened(self) -> None:
        if hasattr(self, "run_row"):
            self.run_row.runner.stop()
            self.found = None
            self.settle.set_comparison(None)
            self.results.hide()
            self.run_row.message.show_message(None)
        super()._on_opened()

    # layout ------------------------------------------------------------------------------------

    def _results(self) -> QWidget:
        box = QWidget()
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        exports = export_row(self, "every figure with its interval", "agreement", self.export_to)
        layout.addWidget(self.figures)
        layout.addWidget(exports)
        box.hide()
        return box

    def _laid_out(self) -> QWidget:
        rows = Rows()
        rows.add("Compare", self.kind, "What the two readers made.")
        rows.add("Reader A", self.a, "The consensus begins as a copy of this one.")
        rows.add("Reader B", self.b, "What A is compared with.")
        labels = (
            rows.add("Same outline from", self.outline, "Partners with a smaller intersection over union (IoU) are "
                     "drawn differently."),
            rows.add("Classes", self.classes, "A column of both tables: partners that are named otherwise are shown."),
        )  # fmt: skip
        self._cell_rows = (*labels, self.outline, self.classes)
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(SPACING + 2)
        parts = (title_label(self.title), Quiet(self.sentence), self.who, rows, self.bring, self.run_row, self.message,
                 self.results, self.judging, Heading("Settle"), self.settle)  # fmt: skip
        for part in parts:
            layout.addWidget(part)
        layout.addStretch(1)
        return body


_CHANGED = "A or B was changed since."
_MISSING = {
    "cells": "There is no segmentation yet. Segment cells, or bring in another reader's section.",
    "classes": "There is no column of classes yet. Find domains, or bring in another reader's section.",
    "areas": "There are no drawn areas yet. Draw some, or bring in another reader's section.",
}


def _classes(table: Any) -> list[str]:
    """Return the columns of a table that hold classes."""
    ties = set(map(str, (table.uns.get("spatialdata_attrs") or {}).values()))
    found = (str(c) for c in table.obs.columns if str(c) not in ties)
    return [c for c in found if isinstance(table.obs[c].dtype, pd.CategoricalDtype) and not c.endswith("_settled")]


def _outcome(found: Comparison) -> str:
    if found.cells is not None:
        counts = dict(found.cells.groups.counts)
        agreed = counts.pop("agreed")
        said = ", ".join(f"{n:,} {kind}" for kind, n in counts.items() if n)
        return f"{agreed:,} cells agree; {said}." if said else f"All {agreed:,} cells agree."
    if found.kind == "classes":
        kappa = next(m for m in found.measures if m.name == "Cohen's kappa").row()
        return f"Cohen's kappa {kappa[1]}" + (f" ({kappa[2]})." if kappa[2] else ".")
    return f"Kappa by area {next(m for m in found.measures if m.name == 'Kappa by area').row()[1]}."


def _rows(found: Comparison) -> list[tuple[tuple[str, ...], str]]:
    rows = [m.row() for m in found.measures if m.unit != GROUPS]  # those stand in the sentence and in the legend
    made = []
    for name, value, interval, unit in rows:
        shown = f"{value} {unit}" if unit in ("µm", "mm²") else value
        made.append(((name, shown, interval), f"{name}: {shown}" + (f" ({interval})" if interval else "")))
    return made
