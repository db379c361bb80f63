"""The channels of a fluorescence image: colour, limits, gamma, and which of them are seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ..session.channels import BLENDINGS, blending_of
from ..views.channels import COLOURS, as_shown, auto_limits, brightest_of, colours_by, histogram, light_images
from ..views.channels import of_channel as layer_of
from ..views.colormaps import code_of
from ..views.images import channels_of
from ..views.memory import Memory
from ..views.plan import elements_shown
from .limits_plot import LimitsPlot
from .number import DecimalField
from .step import choose
from .style import SPACING, Rows, Tool, swatch, tool_row

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["ChannelPanel"]

_MOST_ROWS, _ROW = 8, 22
_NARROW = "QDoubleSpinBox { min-width: 40px; max-width: 62px; }"
_GROUNDS = {"added": "Light on black", "on white": "Ink on white"}


class ChannelPanel(QWidget):
    """Every channel of one image; what is changed here is kept in the document and can be undone.

    Parameters
    ----------
    desk
        The desk.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk, self._memory, self._filling = desk, Memory(24), False
        self.images, self.preset, self.ground = QComboBox(), QComboBox(), QComboBox()
        self.list = self._list()
        self.plot = LimitsPlot()
        self.low, self.high, self.gamma, self.share = (DecimalField() for _ in range(4))
        self._set_up()
        rows = Rows()
        self._image_label = rows.add("Image", self.images)
        rows.add("Colours", self.preset, "Give all channels the colours of a preset.")
        rows.add("Together", self.ground, "Channels add up as light on black, or as ink on white for print.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (rows, self.list, self.plot, self._numbers(), self._tools()):
            layout.addWidget(part)

    @property
    def image(self) -> str:
        """The image whose channels are listed."""
        return str(self.images.currentData() or "")

    @property
    def channel(self) -> str:
        """The channel whose histogram is shown."""
        item = self.list.currentItem()
        return item.text(1) if item is not None else ""

    def refresh(self) -> bool:
        """Show what is drawn now; return whether there is an image of light."""
        session, presenter = self._desk.session, self._desk.presenter
        if session is None or presenter is None:
            return False
        document = session.document
        drawn = elements_shown(document, presenter.state, presenter.state.coordinate_system)
        here = [n for n in light_images(document) if n in drawn]
        with self._quiet():
            choose(self.images, here)
            for part in (self.images, self._image_label):
                part.setVisible(len(here) > 1)
            if here:
                self.ground.setCurrentIndex(self.ground.findData(blending_of(document, self.image)))
                self._fill(channels_of(document, self.image))
                self._show_channel()
        return bool(here)

    def set(self, channels: dict[str, dict[str, Any]], blending: str | None = None) -> bool:
        """Keep how some channels are drawn."""
        return self._desk.correct("set-channels", image=self.image, channels=channels, blending=blending)

    def auto(self) -> None:
        """Set the limits of the channel by percentile."""
        if self.channel and self._desk.session is not None:
            document = self._desk.session.document
            low, high = auto_limits(document, self.image, self.channel, self.share.value(), self._memory)
            self.set({self.channel: {"low": low, "high": high}})

    def auto_all(self) -> None:
        """Set the limits of all channels by percentile."""
        if self._desk.session is not None and self.image:
            document, share = self._desk.session.document, self.share.value()
            made = {}
            for channel in channels_of(document, self.image):
                low, high = auto_limits(document, self.image, channel, share, self._memory)
                made[channel] = {"low": low, "high": high}
            self.set(made)

    def only(self) -> None:
        """Show the channel alone; again, show those that are shown by default."""
        layers = {name: self._layer(name) for name in self._names()}
        drawn = [name for name, layer in layers.items() if layer is not None and layer.visible]
        alone = drawn == [self.channel]
        for k, (name, layer) in enumerate(layers.items()):
            if layer is not None:
                layer.visible = k < 4 if alone else name == self.channel

    def keep(self) -> None:
        """Keep all channels as they are drawn now."""
        presenter = self._desk.presenter
        if presenter is not None and self.image:
            self.set(as_shown(presenter.canvas, presenter.document, self.image))

    def reset(self) -> None:
        """Draw all channels by default again."""
        self._desk.correct("reset-channels", image=self.image)

    def recolour(self, channel: str, colour: str) -> None:
        """Give a channel a colour."""
        self.set({channel: {"colour": colour}})

    # making ------------------------------------------------------------------------------------

    def _list(self) -> QTreeWidget:
        made = QTreeWidget()
        made.setColumnCount(3)
        made.setHeaderHidden(True)
        made.setRootIsDecorated(False)
        made.setIndentation(0)
        made.setUniformRowHeights(True)
        made.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        made.setAccessibleName("Channels")
        made.setStyleSheet(f"QTreeView::item {{ height: {_ROW}px; }}")
        made.header().setStretchLastSection(False)
        made.header().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        for column in (0, 2):
            made.header().setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        made.itemChanged.connect(self._ticked)
        made.currentItemChanged.connect(lambda *_: self._chosen())
        made.itemDoubleClicked.connect(self._ask_colour)
        made.setToolTip("Tick what is seen. Double-click to choose a colour.")
        return made

    def _set_up(self) -> None:
        self.images.currentIndexChanged.connect(self._unless_filling(self.refresh))
        self.preset.addItem("as they are", "")
        for name in COLOURS:
            self.preset.addItem(name, name)
        self.preset.activated.connect(lambda _i: self._by_preset())
        for kind in BLENDINGS:
            self.ground.addItem(_GROUNDS[kind], kind)
        self.ground.activated.connect(lambda _i: self.set({}, str(self.ground.currentData())))
        for field, name in ((self.low, "Dark at"), (self.high, "Bright at"), (self.gamma, "Gamma")):
            field.setAccessibleName(name)
            field.setKeyboardTracking(False)
            field.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
            field.setStyleSheet(_NARROW)
        for field in (self.low, self.high):
            field.setRange(-1e12, 1e12)
            field.valueChanged.connect(self._unless_filling(self._typed))
        self.gamma.setRange(0.1, 10.0)
        self.gamma.setSingleStep(0.1)
        self.gamma.valueChanged.connect(self._unless_filling(self._bent))
        self.share.setRange(0.0, 20.0)
        self.share.setDecimals(2)
        self.share.setValue(0.5)
        self.share.setSuffix(" %")
        self.share.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.share.setAccessibleName("Share of the pixels beyond either limit")
        self.plot.moved.connect(self._drag)
        self.plot.settled.connect(lambda low, high: self.set({self.channel: {"low": low, "high": high}}))

    def _numbers(self) -> QWidget:
        made = QWidget()
        row = QHBoxLayout(made)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for text, field, help in (
            ("Dark", self.low, "Values up to this one are drawn dark."),
            ("Bright", self.high, "Values from this one on are drawn in full colour."),
            ("Gamma", self.gamma, "Below 1 faint structures become brighter."),
        ):
            label = QLabel(text)
            for part in (label, field):
                part.setToolTip(help)
            row.addWidget(label)
            row.addWidget(field)
        row.addStretch(1)
        return made

    def _tools(self) -> QWidget:
        made = tool_row(
            [
                Tool("Auto", "Limits so that the share on the right lies beyond either of them.", self.auto),
                Tool("Auto, all", "The same for all channels.", self.auto_all),
                Tool("Only this", "Show this channel alone; press again for the first four.", self.only),
                Tool("Keep as shown", "Keep colours, limits and ticks in the section.", self.keep),
                Tool("Default", "Draw all channels by default again.", self.reset),
            ]
        )
        layout = made.layout()
        assert layout is not None
        self.share.setToolTip("This share of the pixels lies below the dark limit, and as much above the bright one.")
        self.share.setStyleSheet(_NARROW)
        layout.addWidget(self.share)
        return made

    # following ---------------------------------------------------------------------------------

    def _fill(self, names: list[str]) -> None:
        if self._names() != names:
            kept = self.channel
            self.list.clear()
            for name in names:
                self.list.addTopLevelItem(QTreeWidgetItem(["", name, ""]))
            self.list.setCurrentItem(self.list.topLevelItem(names.index(kept) if kept in names else 0))
            self.list.setFixedHeight(min(len(names), _MOST_ROWS) * _ROW + 6)
        for k, name in enumerate(names):
            item, layer = self.list.topLevelItem(k), self._layer(name)
            if item is None:
                continue
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable)
            seen = layer is not None and layer.visible
            item.setCheckState(0, Qt.CheckState.Checked if seen else Qt.CheckState.Unchecked)
            if layer is not None:
                item.setIcon(1, swatch(code_of(brightest_of(layer))))
                low, high = layer.contrast_limits
                item.setText(2, f"{_said(low)} – {_said(high)}")

    def _show_channel(self) -> None:
        session, layer = self._desk.session, self._layer(self.channel)
        if session is None or layer is None:
            self.plot.show_values(None, (0.0, 1.0), "#ffffff")
            return
        found = histogram(session.document, self.image, self.channel, self._memory)
        low, high = (float(v) for v in layer.contrast_limits)
        self.plot.show_values(found, (low, high), code_of(brightest_of(layer)))
        sampled = f" One of {found.every:.0f} × {found.every:.0f} pixels is counted." if found.every >= 1.5 else ""
        self.plot.setToolTip("Drag a limit. The height is the logarithm of the number of pixels." + sampled)
        decimals = 0 if found.high - found.low >= 100 else 3
        for field, value in ((self.low, low), (self.high, high), (self.gamma, float(layer.gamma))):
            field.setDecimals(2 if field is self.gamma else decimals)
            field.setValue(value)

    def _names(self) -> list[str]:
        items = (self.list.topLevelItem(i) for i in range(self.list.topLevelItemCount()))
        return [item.text(1) for item in items if item is not None]

    def _layer(self, channel: str) -> Any:
        presenter = self._desk.presenter
        return layer_of(presenter.canvas, self.image, channel) if presenter is not None and channel else None

    def _ticked(self, item: QTreeWidgetItem, column: int) -> None:
        layer = self._layer(item.text(1))
        if not self._filling and column == 0 and layer is not None:
            layer.visible = item.checkState(0) == Qt.CheckState.Checked

    def _chosen(self) -> None:
        if not self._filling:
            with self._quiet():
                self._show_channel()

    def _by_preset(self) -> None:
        if self.preset.currentData() and self._names():
            self.set(colours_by(str(self.preset.currentData()), self._names()))
        self.preset.setCurrentIndex(0)

    def _drag(self, low: float, high: float) -> None:
        layer = self._layer(self.channel)
        if layer is not None:
            layer.contrast_limits = (low, high)

    def _typed(self) -> None:
        self.set({self.channel: {"low": self.low.value(), "high": self.high.value()}})

    def _bent(self) -> None:
        self.set({self.channel: {"gamma": self.gamma.value()}})

    def _ask_colour(self, item: QTreeWidgetItem, column: int) -> None:
        channel, layer = item.text(1), self._layer(item.text(1))
        if layer is None:
            return
        dialog = QColorDialog(QColor(code_of(brightest_of(layer))), self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.colorSelected.connect(lambda colour: self.recolour(channel, colour.name()))
        dialog.open()

    def _unless_filling(self, call: Callable[[], object]) -> Callable[..., None]:
        def changed(*_: object) -> None:
            if not self._filling:
                call()

        return changed

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        before, self._filling = self._filling, True
        try:
            yield
        finally:
            self._filling = before


def _said(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
