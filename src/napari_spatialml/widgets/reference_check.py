"""What a reference holds, said before anything is run: cells, types, genes, counts, and what is likely to go wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ..core.reference_checks import RARE, ReferenceReport
from ..core.report import Report
from ..session.references import check_reference
from .messages import Message, MessageLine, tell
from .progress_row import ProgressBar
from .runner import Runner
from .step import choose
from .style import SPACING, Quiet, quiet_button, tooltip

if TYPE_CHECKING:
    from ..session import Document

__all__ = ["Asked", "ReferenceCheck", "found_in_words"]

_MOST = 2
"""So many warnings are told at once; the others are counted."""
_WIDEST = 42
"""Letters of a line that does not wrap; the whole is in its tooltip."""
_COUNTS = {
    "raw": "Raw counts were found.",
    "normalised": "Normalised values were found, no raw counts.",
    "log-normalised": "Log-normalised values were found, and turned back.",
    "signatures": "It is a table of signatures: how alike its types are in single cells cannot be told.",
}


@dataclass(frozen=True)
class Asked:
    """What is checked: a table of spots, a reference, and the column of its types ("": found by its name)."""

    table: str
    reference: str
    column: str


def found_in_words(found: ReferenceReport) -> str:
    """Return what was found, in two or three sentences."""
    cells = f"{found.n_cells:,} cells of {len(found.types)} types" if found.counts != "signatures" else (
        f"{len(found.types)} types"
    )  # fmt: skip
    column = f", by the column '{found.column}'" if found.column else ""
    genes = f"{found.n_shared:,} of its {found.n_genes:,} genes are among those of the spots."
    return f"{cells}{column}. {genes} {_COUNTS[found.counts]}"


class ReferenceCheck(QWidget):
    """Checks a reference beside the window and offers to merge types that are rare or too alike."""

    changed = Signal()
    """The reference was checked, or other types are merged."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.found: ReferenceReport | None = None
        self._asked: Asked | None = None
        self._document: Document | None = None
        self._into: dict[str, str] = {}
        self._own: tuple[str, ...] = ()  # the types of the reference before any was merged
        self._all_shown = False
        self.runner = Runner(self)
        self.bar, self.facts, self.trouble = ProgressBar(), Quiet(), MessageLine()
        self.warnings = [MessageLine() for _ in range(12)]
        self.more, self.details = QPushButton(), Quiet()
        self.boxes: dict[str, QCheckBox] = {}
        self.one, self.other, self.merge_button = QComboBox(), QComboBox(), QPushButton("Merge")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._start)
        self._lay_out()
        self.runner.changed.connect(self._follow_state)
        self.clear()

    @property
    def merged(self) -> tuple[tuple[str, str], ...]:
        """Pairs of a type and the name that it is merged into."""
        return tuple(sorted(self._into.items()))

    def ask(self, document: Document, asked: Asked) -> None:
        """Check a reference, if it is another one than was asked for last."""
        if document is self._document and asked == self._asked:
            return
        if self._asked is None or asked.reference != self._asked.reference or asked.column != self._asked.column:
            self._into.clear()  # the types of another reference
        self._document, self._asked = document, asked
        self._again()

    def clear(self) -> None:
        """No reference is chosen."""
        self.runner.stop()
        self._asked = self._document = self.found = None
        self._into.clear()
        self._show()

    def merge(self, types: tuple[str, ...], name: str) -> None:
        """Take types as one, and check again."""
        self._into = {t: name if into in types else into for t, into in self._into.items()}
        self._into |= {t: name for t in types if t in self._own and t != name}
        self._again()

    def part(self, name: str) -> None:
        """Take the types that were merged into a name apart again."""
        self._into = {t: into for t, into in self._into.items() if into != name}
        self._again()

    def _again(self) -> None:
        self._timer.start(0)
        self.changed.emit()

    def _start(self) -> None:
        document, asked, merged = self._document, self._asked, self.merged
        if document is None or asked is None:
            return

        def work(report: Report) -> ReferenceReport:
            return check_reference(document, asked.table, asked.reference, asked.column, merged, report)

        self.runner.run(
            work,
            on_result=self._on_found,
            on_error=self._on_error,
            on_stopped=self._follow_state,
            title="Check the reference",
            key="reference",
            replace=True,
        )

    def _on_found(self, found: ReferenceReport) -> None:
        self.found = found
        if not self._into:
            self._own = found.types
        self._show()
        self.changed.emit()

    def _on_error(self, error: BaseException) -> None:
        self.found = None
        self._show()
        self.trouble.show_message(tell(error))
        if self._into:  # the way back: a merge that cannot be made must not lock the check
            self._show_merges({})
        self.changed.emit()

    # what is shown -------------------------------------------------------------------------------

    def _show(self) -> None:
        found = self.found
        self.trouble.show_message(None)
        self.facts.setText(found_in_words(found) if found is not None else "")
        self.details.setText(_details(found) if found is not None else "")
        self.facts.setToolTip("\n".join(found.notes) if found is not None else "")
        self._show_warnings()
        suggested = {} if found is None else {" or ".join(group): group for group in found.merges}
        self._show_merges(suggested)
        types = found.types if found is not None else ()
        choose(self.one, types, types[0] if types else "")
        typed = self.other.currentText()
        choose(self.other, types, types[1] if len(types) > 1 else "")
        if typed and typed in self._into.values():
            self.other.setEditText(typed)  # the next type may go there too
        self._follow_state()

    def _show_warnings(self) -> None:
        told = () if self.found is None else self.found.warnings
        shown = told if self._all_shown else told[:_MOST]
        for k, line in enumerate(self.warnings):
            line.show_message(Message("warning", shown[k]) if k < len(shown) else None)
        left = len(told) - _MOST
        others = f"{left} more, cells" if left > 0 else "Cells"
        self.more.setText("▾ Less" if self._all_shown else f"▸ {others} per type, merge by name")
        self.more.setVisible(self.found is not None)
        for part in (self.details, self._by_name):
            part.setVisible(self.found is not None and self._all_shown)

    def _show_merges(self, suggested: Mapping[str, tuple[str, ...]]) -> None:
        taken = {name: tuple(sorted(t for t, into in self._into.items() if into == name)) for name in
                 dict.fromkeys(self._into.values())}  # fmt: skip
        wanted = {**taken, **{n: g for n, g in suggested.items() if n not in taken}}
        for box in self.boxes.values():
            box.hide()
            box.deleteLater()
        self.boxes = {}
        for name, group in wanted.items():
            box = QCheckBox(_merge_text(group, name))
            box.setToolTip(tooltip(f"{', '.join(group)} are taken as one type, '{name}'. The reference itself stays "
                                   "as it is."))  # fmt: skip
            box.setChecked(name in taken)
            box.toggled.connect(self._caller(group, name))
            self.boxes[name] = box
            self._merges.addWidget(box)

    def _caller(self, group: tuple[str, ...], name: str) -> Callable[[bool], None]:
        def toggled(on: bool) -> None:
            self.merge(group, name) if on else self.part(name)

        return toggled

    def _follow_state(self) -> None:
        running = self.runner.state != "idle"
        self.bar.setVisible(running)
        if running and self.found is None:
            self.facts.setText("Reading and checking the reference …")
        self.facts.setVisible(bool(self.facts.text()))

    def _toggle(self) -> None:
        self._all_shown = not self._all_shown
        self._show_warnings()

    def _merge_by_name(self) -> None:
        one, other = str(self.one.currentData() or ""), self.other.currentText().strip()
        if one and other and one != other:
            self.merge((one,), other)

    def _lay_out(self) -> None:
        self.bar.wait()
        quiet_button(self.more)
        self.more.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.more.clicked.connect(lambda _checked=False: self._toggle())
        self.merge_button.clicked.connect(lambda _checked=False: self._merge_by_name())
        self.merge_button.setToolTip(tooltip("Take the first type as the second, or as the name that you type."))
        self.other.setEditable(True)
        holder, self._by_name = QWidget(), QWidget()
        self._merges = QVBoxLayout(holder)
        across = QHBoxLayout(self._by_name)
        for layout in (self._merges, across):
            layout.setContentsMargins(0, 0, 0, 0)
            layout.setSpacing(4)
        for box in (self.one, self.other):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(6)
            across.addWidget(box, 1)
        across.insertWidget(1, Quiet("into"))
        across.addWidget(self.merge_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        for part in (
            self.bar,
            self.facts,
            self.trouble,
            *self.warnings,
            holder,
            self.more,
            self.details,
            self._by_name,
        ):
            column.addWidget(part)


def _merge_text(group: tuple[str, ...], name: str) -> str:
    text = f"Merge {group[0]} into {name}" if len(group) == 1 else f"Merge {' and '.join(group)}"
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _details(found: ReferenceReport) -> str:
    """Return how many cells each type has, the rarest first."""
    if found.counts == "signatures":
        return "Types: " + ", ".join(found.types)
    order = sorted(zip(found.cells_per_type, found.types, strict=True))
    return "Cells: " + ", ".join(f"{name} {n:,}{' (rare)' if n < RARE else ''}" for n, name in order)
