"""The Annotate dock: draw regions by class, note what they are, and exchange them with other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtWidgets import QCheckBox, QComboBox, QLineEdit, QVBoxLayout, QWidget

from ..errors import SpatialMLError
from ..io.regions_file import CLASS
from ..session.annotating import annotation_names, class_colours, classes_of, frame_of, in_um
from ..session.history import who
from ..views.annotation_specs import UNCLASSIFIED
from .categories import CategoryList
from .hand import HandTools
from .inside_counts import CountsInside
from .messages import MessageLine, tell
from .region_exchange import RegionExchange
from .region_table import RegionRow, RegionTable, area_text
from .step import StepDock, title_label
from .style import MARGIN, SPACING, Quiet, Rows, Tool, tool_row

__all__ = ["AnnotateDock"]

_TOOLS = (
    ("region", "Draw", "Click around a region and press Enter, or hold the button and drag around it. "
     "With Alt, a hole is cut.", "Shift+R"),
    ("region-edit", "Reshape", "Click a region to choose it; drag its corners.", "Shift+V"),
)  # fmt: skip
_PLAIN = "#ffd24d"


class AnnotateDock(StepDock):
    """Draw regions, give them a class and a note, and count what is inside."""

    title = "Annotate"
    sentence = "Draw regions and say what they are. Tissue, lesions, artefacts: each with its class, colour and note."

    def make(self) -> QWidget:
        """Make the classes, the tools, the table and the exchange."""
        self.message = MessageLine()
        self._inside = CountsInside(self.desk, self.mark_stale, lambda error: self.message.show_message(tell(error)))
        self.exchange = RegionExchange(self.desk, lambda: self.annotations, self.message, self.refresh_now)
        self.names = QComboBox()
        self.names.setEditable(True)
        self.names.currentTextChanged.connect(lambda _t: self._other_set())
        self.annotator = QLineEdit(who())
        self.annotator.editingFinished.connect(lambda: self.tools.options_changed())
        rows = Rows()
        rows.add("Annotations", self.names, "The set of regions. Write another name to begin a new set.")
        rows.add("Annotator", self.annotator, "Who draws: kept with every region.")
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(SPACING + 2)
        parts = (title_label(self.title), Quiet(self.sentence), rows, *self._make_classes(), *self._make_tools())
        for part in (*parts, *self._make_regions(), self.exchange, self.message):
            layout.addWidget(part)
        return body

    def message_line(self) -> MessageLine:
        """Return the line at the end."""
        return self.message

    @property
    def annotations(self) -> str:
        """The set of regions in hand."""
        return self.names.currentText().strip() or "annotations"

    # making --------------------------------------------------------------------------------------

    def _make_classes(self) -> tuple[QWidget, ...]:
        self.classes = CategoryList()
        self.classes.setAccessibleName("Classes")
        self.classes.renamed.connect(lambda old, new: self._do("rename-class", old=_stored(old), new=new))
        self.classes.recoloured.connect(
            lambda name, colour: self._do("set-colour", column=CLASS, category=name, colour=colour)
        )
        self.classes.hidden_changed.connect(self._hide)
        self.classes.chosen.connect(lambda _name: self.tools.options_changed())
        self.new_class = QLineEdit()
        self.new_class.setPlaceholderText("New class, then Enter: tumour, stroma, necrosis …")
        self.new_class.setAccessibleName("New class")
        self.new_class.returnPressed.connect(self.add_class)
        buttons = tool_row(
            [
                Tool("Rename", "Rename the class marked in the list.", self.classes.edit_name),
                Tool("Colour…", "Choose a colour for the class marked in the list.", self.classes.ask_for_colour),
                Tool("Remove", "Take a class without regions out of the list.", self._remove_class),
                Tool("Give to marked", "Give the marked regions the class marked in the list.", self._classify),
            ]
        )
        return self.classes, self.new_class, buttons

    def _make_tools(self) -> tuple[QWidget, ...]:
        self.snap = QCheckBox("Share borders with neighbours and cells")
        self.snap.setChecked(True)
        self.snap.setToolTip(
            "Corners snap to regions and cells nearby, and a new region ends where its neighbours begin: no gap, "
            "no overlap."
        )
        self.snap.toggled.connect(lambda _on: self.tools.options_changed())
        others = [
            Tool("Join", "Make one region of the marked ones.", self._join),
            Tool("Subtract", "Take the other marked regions out of the first one.", self._subtract),
            Tool("Delete", "Delete the marked regions.", self._delete),
        ]
        self.tools = HandTools(self.desk, _TOOLS, self._options, others)
        return self.tools, self.snap

    def _make_regions(self) -> tuple[QWidget, ...]:
        self.table = RegionTable()
        self.table.marked.connect(self._mark)
        self.table.visited.connect(self._visit)
        self.summary = Quiet()
        self.note = QLineEdit()
        self.note.setPlaceholderText("Note of the marked regions, else of the next one")
        self.note.setAccessibleName("Note")
        self.note.editingFinished.connect(self._write_note)
        return self.summary, self.table, self.note

    # showing -------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the classes, the regions and what is inside them."""
        document = self.session.document
        here = annotation_names(document)
        text = self.names.currentText().strip()
        blocked = self.names.blockSignals(True)
        if [self.names.itemText(i) for i in range(self.names.count())] != list(here):
            self.names.clear()
            self.names.addItems(here)
            self.names.setCurrentText(text if text else (here[0] if here else "annotations"))
        elif not text:
            self.names.setCurrentText(here[0] if here else "annotations")
        self.names.blockSignals(blocked)
        self._show_classes()
        self._show_regions()
        self.exchange.offer_units(document.names("images"))
        self.body.setEnabled(not self.session.read_only)

    def _show_classes(self) -> None:
        document, name = self.session.document, self.annotations
        try:
            frame = frame_of(document, name)
        except SpatialMLError as error:
            self.message.show_message(tell(error))
            frame = None
        counts = {} if frame is None else frame[CLASS].value_counts().to_dict()
        colours = class_colours(document, name) if frame is not None or counts else dict(
            document.colours(CLASS)
        )  # fmt: skip
        known = classes_of(document, name) if frame is not None else tuple(colours)
        rows = [(c or UNCLASSIFIED, colours.get(c, _PLAIN) if c else _PLAIN, int(counts.get(c, 0))) for c in known]
        presenter = self.desk.presenter
        hidden = frozenset() if presenter is None else presenter.state.hidden_categories.get(name, frozenset())
        self.classes.set_rows(rows, hidden)

    def _show_regions(self) -> None:
        document, name, presenter = self.session.document, self.annotations, self.desk.presenter
        frame = frame_of(document, name) if name in annotation_names(document) else None
        if frame is None or presenter is None:
            self.table.set_rows((), ())
            self.summary.setText(
                "No regions yet. Choose or write a class, press Draw, and click or drag on the canvas."
            )
            return
        counts, unit = self._inside.of(document, name)
        areas = np.array([g.area for g in in_um(document, name, document.placed(name)[0])])
        colours = {**class_colours(document, name), "": _PLAIN}
        notes = frame["note"] if "note" in frame else [""] * len(frame)
        rows = [
            RegionRow(str(i), str(c), colours.get(c, _PLAIN), float(a), counts.get(str(i)), str(n))
            for i, c, a, n in zip(frame.index, frame[CLASS], areas, notes, strict=True)
        ]
        self.table.set_rows(rows, presenter.state.regions, unit)
        n = "1 region" if len(rows) == 1 else f"{len(rows):,} regions"
        self.summary.setText(f"{n}, {area_text(float(areas.sum()))} in all.")
        if not self.note.hasFocus():
            marked = {r.note for r in rows if r.id in self.marked()}
            self.note.setText(next(iter(marked)) if len(marked) == 1 else "")

    # doing ---------------------------------------------------------------------------------------

    def add_class(self) -> None:
        """Add the class that is written in the field, with a colour of its own."""
        name = self.new_class.text().strip()
        if not name:
            return
        from ..core.colours import category_colours

        known = self.session.document.colours(CLASS)
        if name not in known:
            self._do("set-colour", column=CLASS, category=name, colour=category_colours([name], known)[name])
        self.new_class.clear()
        self.refresh_now()
        self.classes._set_current(name)

    def marked(self) -> list[str]:
        """Return the ids of the marked regions of this set, the one marked first in front."""
        presenter = self.desk.presenter
        names = annotation_names(self.session.document)
        if presenter is None or self.annotations not in names:
            return []
        frame = frame_of(self.session.document, self.annotations)
        return [r for r in presenter.state.regions if r in frame.index]

    def take(self, path: Path) -> None:
        """Add the regions or cells of a file."""
        self.exchange.take(path)

    def write(self, path: Path, what: str, form: str) -> None:
        """Write regions or cells to a file, beside the window."""
        self.exchange.write(path, what, form)

    def _options(self, tool: str) -> dict[str, Any]:
        options: dict[str, Any] = {"annotations": self.annotations, "snap": self.snap.isChecked()}
        if tool == "region":
            note = "" if self.marked() else self.note.text().strip()
            said = {"class_name": _stored(self.classes.current()), "note": note, "annotator": self.annotator.text()}
            return {**options, **said}
        return options

    def _do(self, name: str, **arguments: Any) -> None:
        if not self.desk.correct(name, **arguments):
            self.refresh_now()

    def _other_set(self) -> None:
        if self.desk.session is not None:
            self.mark_stale()
            self.tools.options_changed()

    def _hide(self, hidden: frozenset[str]) -> None:
        presenter = self.desk.presenter
        if presenter is not None:
            kept = {**presenter.state.hidden_categories, self.annotations: hidden}
            presenter.show(hidden_categories=kept)

    def _remove_class(self) -> None:
        self._do("remove-class", class_name=_stored(self.classes.current()))

    def _classify(self) -> None:
        self._do(
            "set-annotation",
            annotations=self.annotations,
            regions=self.marked(),
            class_name=_stored(self.classes.current()),
        )

    def _join(self) -> None:
        self._do("join-annotations", annotations=self.annotations, regions=self.marked())

    def _subtract(self) -> None:
        first, *others = self.marked() or [""]
        self._do("subtract-annotations", annotations=self.annotations, region=first, others=others)

    def _delete(self) -> None:
        self._do("delete-annotation", annotations=self.annotations, regions=self.marked())

    def _mark(self, ids: tuple[str, ...]) -> None:
        presenter = self.desk.presenter
        if presenter is not None:
            kept = [r for r in presenter.state.regions if r in ids]
            presenter.show(regions=tuple(dict.fromkeys([*kept, *ids])))
            if presenter.current is not None:
                presenter.current.refresh()

    def _visit(self, number: str) -> None:
        document, name = self.session.document, self.annotations
        k = list(frame_of(document, name).index).index(number)
        x0, y0, x1, y1 = in_um(document, name, document.placed(name)[0])[k].bounds
        canvas = min(self.desk.viewer.canvas.size)
        self.desk.look_at((y0 + y1) / 2, (x0 + x1) / 2, 0.5 * canvas / max(x1 - x0, y1 - y0))

    def _write_note(self) -> None:
        marked, note = self.marked(), self.note.text().strip()
        if not marked:
            self.tools.options_changed()
            return
        frame = frame_of(self.session.document, self.annotations)
        before = {str(frame.loc[r].get("note", "")) for r in marked}
        if before != {note}:
            self._do("set-annotation", annotations=self.annotations, regions=marked, note=note)


def _stored(class_name: str) -> str:
    return "" if class_name == UNCLASSIFIED else class_name
