"""The Correct dock: cells are drawn, painted, merged, split and shaped by hand, where one looks."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QHideEvent, QKeySequence, QShortcut, QShowEvent
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ..session.corrections import corrections
from ..session.preferences import prefer, preference
from ..views.cell_tools import CellTool
from ..views.presets import PRESETS, key_words
from .by_cell import ByCell
from .counting import CountBox
from .done import DoneLine
from .expanding import Expanding
from .messages import Message, MessageLine
from .step import StepDock, choose, title_label
from .style import MARGIN, SPACING, Heading, Quiet, Rows, accent
from .tool_grid import ToolGrid
from .tool_options import ToolOptions, cells_of

__all__ = ["CorrectDock"]

_COLUMNS = 6
_TOOLS = {
    "choose": ("Look", "Move the view by dragging; click a cell to choose it."),
    "draw": ("Draw", "Draw around a cell that was missed, or click point by point."),
    "paint": ("Paint", "Enlarge the cell in which the stroke starts; from background, paint a new one."),
    "erase": ("Erase", "Turn parts of cells into background."),
    "delete": ("Delete", "Click a cell to take it away, or drag around many."),
    "merge": ("Merge", "Click two cells to make one of them, or drag around all that are one."),
    "split": ("Split", "Drag a line across a cell to cut it in two; pressed again, it cuts in another way."),
    "grow": (
        "Grow",
        "Click a cell to move its outline out, or drag around many. + grows it under the mouse.",
    ),
    "shrink": (
        "Shrink",
        "Click a cell to move its outline in, or drag around many. − shrinks it under the mouse.",
    ),
    "smooth": ("Smooth", "Click a cell to take notches and spikes off its outline, or drag around many."),
    "fill": ("Fill holes", "Click a cell to fill the holes in it, or drag around many."),
    "accept": ("Accept", "Click a cell that is right: a person has looked at it. Or drag around many."),
}
_NEEDS = {
    "grow": "grow-cells",
    "shrink": "shrink-cells",
    "smooth": "smooth-cells",
    "fill": "fill-holes",
    "accept": "accept-cells",
}
_PRESET = "keys"


class CorrectDock(StepDock):
    """Correct cells by hand."""

    title = "Correct"
    sentence = "Correct cells by hand, where you look. What was counted and measured in them follows at once."

    def make(self) -> QWidget:
        """Make the tools and their fields."""
        self.preset = QComboBox()
        for preset in PRESETS.values():
            self.preset.addItem(f"Keys: {preset.name}", preset.name)
        self.labels = QComboBox()
        self.here = QPushButton()
        self.here.setCheckable(True)
        self.here.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        accent(self.here)
        self.grid = ToolGrid([(name, word) for name, (word, _) in _TOOLS.items()], _COLUMNS)
        self.grid.offer([n for n in _TOOLS if n not in _NEEDS or _NEEDS[n] in corrections()])
        self.options = ToolOptions(self.desk)
        self.hint, self.became, self.message = Quiet(), MessageLine(), MessageLine()
        self.counting = CountBox(self.desk, lambda: str(self.labels.currentData() or ""))
        self.by_cell = ByCell(self.desk, lambda: str(self.labels.currentData() or ""))
        self.done = DoneLine(self.desk, lambda: str(self.labels.currentData() or ""))
        self.values = Heading("Values of the cells")
        self.expanding = Expanding(self.desk)
        self.expanding.setVisible("expand-nuclei" in corrections())
        self._connect()
        return self._laid_out()

    def message_line(self) -> MessageLine:
        """Return the line under the tools."""
        return self.message

    def refresh(self) -> None:
        """Offer what the section has, and say what the last correction did."""
        document, presenter = self.session.document, self.desk.presenter
        assert presenter is not None
        wanted = presenter.hand.labels
        choose(self.labels, cells_of(document), wanted)
        if wanted in document.names("labels") and self.labels.findData(wanted) >= 0:
            blocked = self.labels.blockSignals(True)
            self.labels.setCurrentIndex(self.labels.findData(wanted))
            self.labels.blockSignals(blocked)
        able = self.labels.count() > 0 and not self.session.read_only
        for part in (self.here, self.grid, self.options):
            part.setEnabled(able)
        if able:
            self.options.fill()
            presenter.hold(labels=str(self.labels.currentData()))
        self.counting.refresh()
        self.by_cell.refresh()
        self.done.refresh()
        self.values.setVisible(self.by_cell.tables.count() > 0 or not self.counting.isHidden())
        self.expanding.fill()
        self.became.show_message(self._what_happened())
        self.follow()

    def follow(self, *_: object) -> None:
        """Show which tool is in the hand, what it needs to know, and what to do with it."""
        presenter = self.desk.presenter
        if presenter is None:
            return
        mine = isinstance(presenter.current, CellTool)
        self.grid.show_down(presenter.tool if mine else "")
        self.here.setChecked(mine)
        self.here.setText("Stop correcting (E)" if mine else "Correct here (E)")
        self.here.setToolTip(
            "Puts the tool down; what you corrected stays." if mine else
            "Takes the tool last used in the hand. Of a large slide, what is in view can then be corrected."
        )  # fmt: skip
        self.options.follow()
        self.hint.setText(presenter.hint if mine else self._before())
        self.hint.setVisible(bool(self.hint.text()))

    def showEvent(self, event: QShowEvent) -> None:
        """Take the keys of the tools while the dock is seen."""
        super().showEvent(event)
        self._listen(True)

    def hideEvent(self, event: QHideEvent) -> None:
        """Leave the keys to napari."""
        super().hideEvent(event)
        self._listen(False)

    def _on_opened(self) -> None:
        super()._on_opened()
        if hasattr(self, "preset"):
            kept = preference(_PRESET, next(iter(PRESETS)))
            self.preset.setCurrentIndex(max(self.preset.findData(kept), 0))
            self._take_preset()
            self._listen(self.isVisible())
            self.message.show_message(None)

    def _listen(self, on: bool) -> None:
        if self.desk.presenter is not None:
            self.desk.presenter.listen(on)

    def _connect(self) -> None:
        self.here.clicked.connect(lambda _down=False: self._toggle())
        self.grid.pressed.connect(self._press)
        self.preset.activated.connect(lambda _i: self._choose_preset())
        self.labels.activated.connect(lambda _i: self._choose_labels())
        plus = QShortcut(QKeySequence("+"), self)  # a key of its own on some keyboards, and none that napari knows
        plus.activated.connect(lambda: self.desk.presenter and self.desk.presenter.act("grow"))
        self.desk.tool_changed.connect(self.follow)
        self.desk.hint_changed.connect(self.follow)

    def _laid_out(self) -> QWidget:
        body, top, rows = QWidget(), QHBoxLayout(), Rows()
        top.addWidget(title_label(self.title), 1)
        top.addWidget(self.preset)
        rows.add("Labels", self.labels, "The labels whose cells the tools correct.")
        layout = QVBoxLayout(body)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(SPACING)
        layout.addLayout(top)
        parts = (Quiet(self.sentence), rows, self.here, self.grid, self.options, self.hint, self.became, self.message)
        for part in (*parts, self.done, self.values, self.counting, self.by_cell, self.expanding):
            layout.addWidget(part)
        return body

    def _toggle(self) -> None:
        presenter = self.desk.presenter
        assert presenter is not None
        if not isinstance(presenter.current, CellTool):
            self._show_labels()
        presenter.toggle_correcting()
        self._look_at_canvas()
        self.follow()

    def _press(self, tool: str, down: bool) -> None:
        presenter = self.desk.presenter
        assert presenter is not None
        if down:
            self._show_labels()
        presenter.use(*([tool] if down else [""]), **({"labels": str(self.labels.currentData())} if down else {}))
        self._look_at_canvas()
        self.follow()

    def _choose_labels(self) -> None:
        presenter = self.desk.presenter
        assert presenter is not None
        presenter.hold(labels=str(self.labels.currentData()))
        self._show_labels()

    def _choose_preset(self) -> None:
        prefer(_PRESET, str(self.preset.currentData()))
        self._take_preset()
        self._look_at_canvas()

    def _take_preset(self) -> None:
        preset = PRESETS[str(self.preset.currentData())]
        if self.desk.presenter is not None:
            self.desk.presenter.hold(preset=preset.name)
        self.preset.setToolTip(f"Keys and mouse as in {preset.name}. {preset.sentence}")
        keys = {name: ", ".join(map(key_words, preset.tools.get(name, ()))) for name in _TOOLS}
        self.grid.explain({n: f"{help} ({keys[n]})" if keys[n] else help for n, (_, help) in _TOOLS.items()})

    def _show_labels(self) -> None:
        """Show the labels over their image, and let their layer be the one that is worked on."""
        labels, presenter = str(self.labels.currentData()), self.desk.presenter
        assert presenter is not None
        if not self.desk.visible(labels):
            image = self.session.document.attribute("segmentations", {}).get(labels, {}).get("image", "")
            presenter.show(shown=tuple(n for n in (image, labels) if n), beside="")
        layer = presenter.layer_of(labels)
        if layer is not None:
            self.desk.viewer.layers.selection.active = layer

    def _look_at_canvas(self) -> None:
        """Give the keys back to the canvas."""
        window = getattr(self.desk.viewer, "window", None)
        if window is not None:
            window._qt_viewer.canvas.native.setFocus()

    def _before(self) -> str:
        if not self.labels.count():
            return "This section has no cells yet: segment an image first, or open labels."
        return PRESETS[str(self.preset.currentData())].sentence

    def _what_happened(self) -> Message | None:
        """Return what the last step did to the cells, if it was a correction of them and is not undone."""
        position = self.session.position
        if not position:
            return None
        entry = self.session.history[position - 1]
        if entry.record.get("type") != "correction" or "labels" not in entry.record.get("arguments", {}):
            return None
        said = str(entry.record.get("summary", "")) or entry.label
        return Message("ok", f"{said[0].upper()}{said[1:]}.")
