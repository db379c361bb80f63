"""Regions and cells to and from the files of other programs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QComboBox, QMenu, QPushButton, QVBoxLayout, QWidget

from ..session.exchange import export_annotations, export_cells
from ..views.rasters import is_pixel_grid
from .file_dialogs import ask_for_files, ask_where_to_save
from .messages import Message, MessageLine, tell
from .step import choose
from .style import SPACING, Rows, Tool, tool_row
from .taking_in import take_in

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["RegionExchange"]

_FORMS = (
    ("Regions for QuPath (GeoJSON)…", "regions", "geojson", ".geojson"),
    ("Regions for Xenium Explorer (CSV)…", "regions", "explorer", ".csv"),
    ("Cells for QuPath or Xenium Ranger (GeoJSON, pixels)…", "cells", "geojson", ".geojson"),
    ("Cells for Xenium Ranger (GeoJSON, µm)…", "cells", "µm", ".geojson"),
    ("Cells for Cellpose (_seg.npy)…", "cells", "cellpose", "_seg.npy"),
)


class RegionExchange(QWidget):
    """What the coordinates of files count, and the buttons that take files in and write them.

    Parameters
    ----------
    desk
        The desk.
    annotations
        Returns the set of regions in hand.
    message
        Where it is told how it went.
    taken
        Called when something was taken in.
    """

    def __init__(
        self,
        desk: Desk,
        annotations: Callable[[], str],
        message: MessageLine,
        taken: Callable[[], object],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._desk, self._annotations, self._message, self._taken = desk, annotations, message, taken
        self.unit = QComboBox()
        self.unit.setToolTip("What the coordinates of a file count, where it does not say so itself.")
        rows = Rows()
        rows.add("Units of files", self.unit, self.unit.toolTip())
        self.buttons = tool_row(
            [
                Tool("Import…", "Add regions or cells of a file: GeoJSON, Xenium Explorer, Cellpose.", self._import),
                Tool("Export…", "Write regions or cells for another program.", self._export),
            ]
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING + 2)
        for part in (rows, self.buttons):
            column.addWidget(part)

    def offer_units(self, images: tuple[str, ...]) -> None:
        """Offer the pixels of these images as units."""
        choose(self.unit, ["", *(f"px {n}" for n in images), "µm"])
        for k in range(self.unit.count()):
            kind, _, image = str(self.unit.itemData(k)).partition(" ")
            self.unit.setItemText(k, {"": "as the file says, or pixels", "µm": "µm"}.get(kind, f"pixels of {image}"))

    def take(self, path: Path) -> None:
        """Add the regions or cells of a file."""
        kind, _, image = str(self.unit.currentData() or "").partition(" ")
        self._message.show_message(Message("info", f"Reading {path.name} …"))
        take_in(self._desk, path, lambda _incoming: self._taken(), image=image, unit=kind)

    def write(self, path: Path, what: str, form: str) -> None:
        """Write regions or cells to a file, beside the window."""
        session = self._desk.session
        assert session is not None
        document, name = session.document, self._annotations()
        cells = [n for n in document.names("labels") if not is_pixel_grid(document, n)]
        labels = min(cells, key=lambda n: n not in document.attribute("segmentations", {}), default="")
        if what == "regions":
            work = partial(export_annotations, document, name, path, form)
        else:
            shape, unit = ("geojson", "µm") if form == "µm" else (form, "px")
            work = partial(export_cells, document, labels, path, shape, unit=unit)

        def wrote(said: tuple[str, ...]) -> None:
            text = " ".join([f"Written to {path.name}.", *said])
            self._message.show_message(Message("warning" if said else "ok", text))

        self._desk.runner.run(
            lambda report: work(),
            on_result=wrote,
            on_error=lambda error: self._message.show_message(tell(error)),
            title=f"Write {path.name}",
        )

    def _import(self) -> None:
        ask_for_files(self, lambda paths: [self.take(Path(p)) for p in paths])

    def _export(self) -> None:
        menu = QMenu(self)
        for text, what, form, suffix in _FORMS:
            stem = self._annotations() if what == "regions" else "cells"
            start = partial(self._ask_and_write, f"{stem}{suffix}", suffix, what, form)
            menu.addAction(text).triggered.connect(lambda _checked=False, s=start: s())
        button = self.buttons.findChild(QPushButton, "Export…")
        menu.popup(
            button.mapToGlobal(button.rect().bottomLeft()) if button is not None else self.mapToGlobal(self.pos())
        )

    def _ask_and_write(self, name: str, suffix: str, what: str, form: str) -> None:
        ask_where_to_save(self, "Export", name, suffix, lambda path: self.write(path, what, form))
