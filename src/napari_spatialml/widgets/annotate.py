"""The Annotate dock: draw regions by class, note what they are, and exchange them with other programs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtWidgets import QCheckBox, QComboBox, QLineEdit, QMenu, QPushButton, QVBoxLayout, QWidget

from ..errors import SpatialMLError
from ..io.regions_file import CLASS
from ..session.annotating import annotation_names, class_colours, classes_of, frame_of, in_um, units_inside
from ..session.exchange import export_annotations, export_cells
from ..session.history import who
from ..views.annotation_specs import UNCLASSIFIED
from ..views.rasters import is_pixel_grid
from .categories import CategoryList
from .file_dialogs import ask_for_files, ask_where_to_save
from .hand import HandTools
from .messages import Message, MessageLine, tell
from .region_table import RegionRow, RegionTable, area_text
from .step import StepDock, choose, title_label
from .style import MARGIN, SPACING, Quiet, Rows, Tool, tool_row
from .taking_in import take_in

__all__ = ["AnnotateDock"]

_TOOLS = (
    ("region", "Draw", "Click around a region and press Enter, or hold the button and drag around it. "
     "With Alt, a hole is cut.", "Shift+R"),
    ("region-edit", "Reshape", "Click a region to choose it; drag its corners.", "Shift+V"),
)  # fmt: skip
_FORMS = (
    ("Regions for QuPath (GeoJSON)…", "regions", "geojson", ".geojson"),
    ("Regions for Xenium Explorer (CSV)…", "regions", "explorer", ".csv"),
    ("Cells for QuPath or Xenium Ranger (GeoJSON, pixels)…", "cells", "geojson", ".geojson"),
    ("Cells for Xenium Ranger (GeoJSON, µm)…", "cells", "µm", ".geojson"),
    ("Cells for Cellpose (_seg.npy)…", "cells", "cellpose", "_seg.npy"),
)
_PLAIN = "#ffd24d"


class AnnotateDock(StepDock):
    """Draw regions, give them a class and a note, and count what is inside."""

    title = "Annotate"
    sentence = "Draw regions and say what they are. Tissue, lesions, artefacts: each with its class, colour and note."

    def make(self) -> QWidget:
        """Make the classes, the tools, the table and the exchange."""
        self._inside: tuple[Any, dict[str, int], str] = (None, {}, "")
        self.message = MessageLine()
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
        for part in (*parts, *self._make_regions(), *self._make_exchange(), self.message):
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

    def _make_exchange(self) -> tuple[QWidget, ...]:
        self.unit = QComboBox()
        self.unit.setToolTip("What the coordinates of a file count, where it does not say so itself.")
        rows = Rows()
        rows.add("Units of files", self.unit, self.unit.toolTip())
        importing = Tool("Import…", "Add regions or cells of a file: GeoJSON, Xenium Explorer, Cellpose.", self._import)
        self.exchange = tool_row(
            [importing, Tool("Export…", "Write regions or cells for another program.", self._export)]
        )
        return rows, self.exchange

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
        images = [n for n in document.names("images")]
        self._choose_units(images)
        self.body.setEnabled(not self.session.read_only)

    def _choose_units(self, images: list[str]) -> None:
        choose(self.unit, ["", *(f"px {n}" for n in images), "µm"])
        for k in range(self.unit.count()):
            kind, _, image = str(self.unit.itemData(k)).partition(" ")
            self.unit.setItemText(k, {"": "as the file says, or pixels", "µm": "µm"}.get(kind, f"pixels of {image}"))

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
        counts, unit = self._counted(name)
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

    def _counted(self, name: str) -> tuple[dict[str, int], str]:
        """Return how many cells, spots or pixels lie in each region; a count that is due runs beside the window."""
        document = self.session.document
        table = next((t for t in _tables(document, document.placed(name)[0])), "")
        if not table:
            return {}, ""
        unit = _unit(document, table)
        token = (name, table, document.revision(("shapes", name)), document.revision(("tables", table)))
        if self._inside[0] == token:
            return self._inside[1], unit
        self.desk.runner.run(
            lambda report: units_inside(document, name, table),
            on_result=partial(self._take_counts, token, unit),
            on_error=lambda error: self.message.show_message(tell(error)),
            title="Count what is inside",
            key=f"inside {id(self)}",
            replace=True,
        )
        return (self._inside[1] if self._inside[0] and self._inside[0][:2] == token[:2] else {}), unit

    def _take_counts(self, token: Any, unit: str, counts: dict[str, int]) -> None:
        self._inside = (token, counts, unit)
        self.mark_stale()

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
        kind, _, image = str(self.unit.currentData() or "").partition(" ")
        self.message.show_message(Message("info", f"Reading {path.name} …"))
        take_in(self.desk, path, lambda _incoming: self.refresh_now(), image=image, unit=kind)

    def write(self, path: Path, what: str, form: str) -> None:
        """Write regions or cells to a file, beside the window."""
        document, name = self.session.document, self.annotations
        cells = [n for n in document.names("labels") if not is_pixel_grid(document, n)]
        labels = min(cells, key=lambda n: n not in document.attribute("segmentations", {}), default="")
        if what == "regions":
            work = partial(export_annotations, document, name, path, form)
        else:
            shape, unit = ("geojson", "µm") if form == "µm" else (form, "px")
            work = partial(export_cells, document, labels, path, shape, unit=unit)

        def wrote(said: tuple[str, ...]) -> None:
            text = " ".join([f"Written to {path.name}.", *said])
            self.message.show_message(Message("warning" if said else "ok", text))

        self.desk.runner.run(
            lambda report: work(),
            on_result=wrote,
            on_error=lambda error: self.message.show_message(tell(error)),
            title=f"Write {path.name}",
        )

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

    def _import(self) -> None:
        ask_for_files(self, lambda paths: [self.take(Path(p)) for p in paths])

    def _export(self) -> None:
        menu = QMenu(self)
        for text, what, form, suffix in _FORMS:
            stem = self.annotations if what == "regions" else "cells"
            start = partial(self._ask_and_write, f"{stem}{suffix}", suffix, what, form)
            menu.addAction(text).triggered.connect(lambda _checked=False, s=start: s())
        button = self.exchange.findChild(QPushButton, "Export…")
        menu.popup(
            button.mapToGlobal(button.rect().bottomLeft()) if button is not None else self.mapToGlobal(self.pos())
        )

    def _ask_and_write(self, name: str, suffix: str, what: str, form: str) -> None:
        ask_where_to_save(self, "Export", name, suffix, lambda path: self.write(path, what, form))


def _stored(class_name: str) -> str:
    return "" if class_name == UNCLASSIFIED else class_name


def _unit(document: Any, table: str) -> str:
    element = document.annotated(table)
    if element not in document.names("labels"):
        return "Spots"
    return "Pixels" if is_pixel_grid(document, element) else "Cells"


def _tables(document: Any, system: str) -> list[str]:
    """Return the tables whose rows lie in a coordinate system, those of cells first."""
    there = {n for t in ("labels", "shapes") for n in document.names(t) if system in document.placed(n)}
    there -= set(annotation_names(document))
    found = [t for t in document.names("tables") if document.annotated(t) in there]
    order = ("Cells", "Spots", "Pixels")
    return sorted(found, key=lambda t: (order.index(_unit(document, t)), t))
