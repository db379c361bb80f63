"""The Segment dock: find cells or nuclei in an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtGui import QHideEvent
from qtpy.QtWidgets import QComboBox, QLineEdit, QMenu, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ..core.flow_segmenter import FlowSegmenter
from ..core.method import Method, parameters
from ..core.patch import Window
from ..core.report import Report
from ..errors import BadInput, SpatialMLError
from ..methods import methods
from ..session import SegmentationSelection, Selection
from ..session.done import done_of
from ..session.gather import full_resolution, pixel_size
from .also_cells import AlsoCells, name_of
from .form import MethodForm
from .preview import PreviewRow, Wanted
from .step import MethodStep, choose
from .streamed import Streamed
from .style import SPACING, Quiet, Rows, Tool, tool_row
from .tool_options import cells_of

__all__ = ["ChannelsField", "SegmentDock"]

_NUCLEI_VISIBLE_UM = 1.0
"""Pixels larger than this do not show where a nucleus ends."""


class ChannelsField(QPushButton):
    """Which channels of an image are used; none ticked means all."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setStyleSheet("QPushButton { text-align: left; padding: 3px 6px; }")
        self._menu = QMenu(self)
        self._names: tuple[str, ...] = ()
        self._show()

    def set_names(self, names: tuple[str, ...]) -> None:
        """Offer other channels; all are used until one is ticked."""
        if names == self._names:
            return
        self._names = names
        self._menu.clear()
        for name in names:
            action = self._menu.addAction(name)
            action.setCheckable(True)
            action.toggled.connect(lambda _on: self._show())
        self._show()

    @property
    def all(self) -> tuple[str, ...]:
        """The channels of the image."""
        return self._names

    def names(self) -> tuple[str, ...]:
        """Return the channels ticked; empty for all."""
        return tuple(a.text() for a in self._menu.actions() if a.isChecked())

    def tick(self, *names: str) -> None:
        """Tick these channels and no others."""
        for action in self._menu.actions():
            action.setChecked(action.text() in names)

    def _show(self) -> None:
        ticked = self.names()
        everything = "all: " + ", ".join(self._names) if len(self._names) > 1 else ", ".join(self._names)
        text = ", ".join(ticked) or everything or "–"
        self.setText(text if len(text) <= 30 else text[:29] + "…")
        self.setEnabled(len(self._names) > 1)
        self.setMenu(self._menu if len(self._names) > 1 else None)
        self.changed.emit()


class SegmentDock(MethodStep):
    """Segment cells or nuclei."""

    kind = "segmentation"
    title = "Segment"
    sentence = "Find cells or nuclei in an image. Each becomes a label that can be corrected by hand."

    def make_inputs(self) -> QWidget:
        """Make the fields for image, channels, region and the name of the labels."""
        self.images, self.channels, self.region = QComboBox(), ChannelsField(), QComboBox()
        self.region.addItem("the whole image", "whole")
        self.region.addItem("what is in view", "view")
        self.output, self.about = QLineEdit("nuclei"), Quiet()
        self.images.currentIndexChanged.connect(lambda _i: self._follow_image())
        rows = Rows()
        rows.add("Image", self.images, "The image in which cells are found.")
        rows.span(self.about)
        self._channels_label = rows.add("Channels", self.channels, "The channels used; of none ticked, all.")
        rows.add("Region", self.region, "What a run works on. Preview here tries a method on what is in view first.")
        rows.add("Name of labels", self.output, "The name of the labels that result; an equal name is replaced.")
        return rows

    def make_correct(self) -> QWidget:
        """Make the line that leads to the tools of the hand."""
        help = "Draw, paint, merge, split …: the step Correct."
        self.correct = tool_row([Tool("Correct cells by hand", help, self._lead)])
        return self.correct

    def make(self) -> QWidget:
        """Make the panel; it starts with the network that comes along, or where that cannot run with watershed."""
        panel = super().make()
        self.streamed = Streamed(self.panel)
        self.caution, self.also, self.preview = Quiet(), AlsoCells(self.desk), PreviewRow(self.desk, self._wanted)
        self.without, self._begun = "", []
        self.panel.set_before_run(self._before_run())
        self.panel.method_changed.connect(self._follow_method)
        self.panel.method_changed.connect(self.preview.follow)
        self.also.changed.connect(self.preview.follow)
        self.also.made.connect(self._show_cells)
        self.preview.made.connect(self._on_preview)
        self.without = _start(self.panel)
        self._follow_method()
        return panel

    def _before_run(self) -> QWidget:
        widget = QWidget()
        column = QVBoxLayout(widget)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING + 2)
        for part in (self.caution, self.also, self.preview):
            column.addWidget(part)
        return widget

    def fill(self) -> None:
        """Offer the images and labels of the section."""
        document = self.session.document
        images = document.names("images")
        choose(self.images, sorted(images, key=_likely, reverse=True))
        self._follow_image()
        self.correct.setEnabled(bool(cells_of(document)))

    def waiting_for(self) -> str:
        """Return what is missing."""
        if not self.session.document.names("images"):
            return "This section has no image. Open one together with it: choose both files in Open files…"
        return ""

    def selection(self) -> Selection:
        """Return the image, the channels and the region chosen."""
        found = self._chosen()
        if found.output in self.session.document.names("labels"):
            ours = self.session.document.attribute("segmentations", {})
            if found.output not in ours:
                raise BadInput(f"'{found.output}' is not a segmentation of this program.", "Choose another name.")
        self.also.check(found.output)
        return found

    def show_result(self, selection: Selection) -> None:
        """Show the new labels over their image, and make cells of them where that is asked for."""
        assert isinstance(selection, SegmentationSelection)
        presenter = self.desk.presenter
        assert presenter is not None
        self.preview.clear()
        presenter.hold(labels=selection.output)
        presenter.show(shown=(selection.image, selection.output, *self.desk.regions_seen()), beside="")
        self.also.expand(selection.output)

    def _chosen(self) -> SegmentationSelection:
        image = str(self.images.currentData())
        channels = () if self._names_channels else self.channels.names()
        region = self._in_view(image) if self.region.currentData() == "view" else None
        return SegmentationSelection(image, channels, region, name_of(self.output.text(), "labels"))

    def _take_method(self, wanted: Method) -> None:
        """Set the form; a run with it must not replace, unasked, the very labels that it was learned from."""
        super()._take_method(wanted)
        if wanted.kind != self.kind or self.desk.session is None:
            return
        document, name = self.session.document, name_of(self.output.text(), "labels")
        if done_of(document, name):
            self.output.setText(next(n for k in count(2) if (n := f"{name}_{k}") not in document.sdata))

    def hideEvent(self, event: QHideEvent) -> None:
        """Leave the canvas to the other steps."""
        super().hideEvent(event)
        if not event.spontaneous():  # the window may be put away for a moment
            self.preview.clear()

    def _show_image(self, image: str) -> None:
        """Show the image that is previewed, if it is hidden: outlines over another picture say nothing."""
        presenter = self.desk.presenter
        layer = presenter.layer_of(image) if presenter is not None else None
        if presenter is not None and layer is not None and not layer.visible:
            presenter.show(shown=(image,), beside="")
            presenter.layer_of(image).visible = True  # where a person had hidden it

    def _wanted(self, window: Window | None) -> Wanted:
        """Return what is to be previewed: the window of the last preview, or what is in view."""
        method: Any = self.panel.method()
        selection = self._chosen()
        where = self._in_view(selection.image) if window is None else window
        if selection.region is not None:
            selection = replace(selection, region=where)
        if window is None:
            self._show_image(selection.image)
        return Wanted(method, selection, where, self.also.distance_um)

    @property
    def _names_channels(self) -> bool:
        """Whether the method's own form says which channels it takes."""
        form = self.panel.form
        return form is not None and any(p.channel for p in parameters(form.cls))

    def _follow_method(self) -> None:
        form = self.panel.form
        for part in (self._channels_label, self.channels):
            part.setVisible(not self._names_channels)
        if form is not None:
            form.set_channels(self.channels.all)
            self._begin(form)
        try:
            caution = self.panel.method().caution() or self.without
        except SpatialMLError:
            caution = ""  # a value that is not possible yet is told when it is used
        self.caution.setText(caution)
        self.caution.setVisible(bool(caution))

    def _begin(self, form: MethodForm) -> None:
        """Let a threshold that is left to the method begin at a likely value, not at nought, when it is taken over."""
        if form not in self._begun and issubclass(form.cls, FlowSegmenter):
            self._begun.append(form)
            form.stands_for(form.cls().stands_for(None, 1.0), said=False)

    def _on_preview(self, found: Any) -> None:
        if self.panel.form is not None and found.stands_for:
            self.panel.form.stands_for(found.stands_for)

    def _show_cells(self, nuclei: str, cells: str, distance_um: float) -> None:
        line, presenter = self.panel.message, self.desk.presenter
        if line.message is not None:
            added = f" Each has a cell in '{cells}', expanded by at most {distance_um:g} µm."
            line.show_message(replace(line.message, text=line.message.text + added))
        if presenter is not None:
            image = presenter.document.attribute("segmentations", {}).get(nuclei, {}).get("image")
            elements = (image, nuclei, cells, *self.desk.regions_seen())
            presenter.show(shown=tuple(n for n in elements if n), beside="")

    def _job(self, chosen: Method) -> Callable[[Report], Any]:
        job = super()._job(chosen)
        self.streamed.follow(self.desk.presenter, job)
        return job

    def _lead(self) -> None:
        if hasattr(self.desk.viewer, "window"):
            from .launch import dock

            dock(self.desk.viewer)  # this step may stand alone
        self.desk.step_wanted.emit("Correct")

    def _on_opened(self) -> None:
        if hasattr(self, "preview"):
            self.preview.forget()
        super()._on_opened()

    def _follow_image(self) -> None:
        image = self.images.currentData()
        if not image or self.desk.session is None or image not in self.session.document.names("images"):
            return
        pixels = full_resolution(self.session.document, image)
        self.channels.set_names(tuple(str(c) for c in pixels.coords["c"].to_numpy()))
        self.about.setText(_size(self.session.document, image, pixels.sizes))
        if hasattr(self, "preview"):
            self._follow_method()

    def _in_view(self, image: str) -> tuple[int, int, int, int]:
        presenter = self.desk.presenter
        layer = presenter.layer_of(image) if presenter is not None else None
        if layer is None:
            raise BadInput(f"'{image}' is not shown.", "Show it under Section, or choose the whole image.")
        corners = np.asarray(layer.corner_pixels, dtype=float)[:, -2:]
        if layer.multiscale:
            corners = corners * np.asarray(layer.downsample_factors[layer.data_level], dtype=float)[-2:]
        sizes = full_resolution(self.session.document, image).sizes
        low = np.clip(np.floor(corners[0]), 0, [sizes["y"], sizes["x"]]).astype(int)
        high = np.clip(np.ceil(corners[1]) + 1, 0, [sizes["y"], sizes["x"]]).astype(int)
        if (high - low).min() < 8:
            raise BadInput(f"Hardly anything of '{image}' is in view.", "Move there, or choose the whole image.")
        return int(low[0]), int(high[0]), int(low[1]), int(high[1])


def _size(document: Any, image: str, sizes: Any) -> str:
    """Return how large an image is, in pixels and µm."""
    pixels = f"{sizes['x']:,} × {sizes['y']:,} pixels"
    try:
        size = pixel_size(document, image)
        coarse = f": too coarse for the outlines of nuclei, which need {_NUCLEI_VISIBLE_UM:g} µm or less."
        return f"{pixels} of {size:.3g} µm{coarse if size > _NUCLEI_VISIBLE_UM else ''}"
    except SpatialMLError as error:
        return f"{pixels}. {error.message}"


def _start(panel: Any) -> str:
    """Choose the method to begin with; return in one sentence why it is not the better one, or ""."""
    offered = methods(panel.kind)
    first, second = offered.get("starter"), offered.get("watershed")
    if first is not None and not first.missing():
        panel.set_method(first())
        return ""
    if second is not None:
        panel.set_method(second())
    if first is None:
        return ""
    return (
        f"{first.title} finds more, but needs the package '{first.missing()}': pip install "
        f'"napari-spatialml[{first.extra}]".'
    )


def _likely(name: str) -> int:
    """Return how likely an image shows nuclei, by its name."""
    words = ("dapi", "hoechst", "nuclei", "nuclear")
    return sum(word in name.lower() for word in words)
