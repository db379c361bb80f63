"""The Segment dock: find cells or nuclei in an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from qtpy.QtGui import QHideEvent
from qtpy.QtWidgets import QComboBox, QLineEdit, QVBoxLayout, QWidget

from ..core.flow_segmenter import FlowSegmenter
from ..core.method import Method, parameters
from ..core.patch import Window
from ..core.report import Report
from ..errors import BadInput, SpatialMLError, Stale, WouldReplace
from ..methods import methods
from ..session import SegmentationSelection, Selection
from ..session.gather import full_resolution, pixel_size
from ..session.handwork import free_name, hand_work
from .also_cells import AlsoCells, name_of
from .channels_field import ChannelsField
from .form import MethodForm
from .preview import PreviewRow, Wanted
from .step import MethodStep, choose
from .streamed import Streamed
from .style import SPACING, Quiet, Rows, Tool, tool_row
from .tool_options import cells_of

__all__ = ["SegmentDock"]

_NUCLEI_VISIBLE_UM = 1.0
"""Pixels larger than this do not show where a nucleus ends."""


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
        rows.add("Name of labels", self.output, "The labels that result; those of a former run are replaced.")
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
        self._agreed = self._over = ""  # hand work that may be replaced, and that a run has found
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
        """Set the form; a run with it is to be compared with the very labels that it was learned from."""
        super()._take_method(wanted)
        if wanted.kind == self.kind and self.desk.session is not None and self._held():
            self._name_anew()

    def _held(self) -> str:
        """Return what the hand has put into the labels that a run would replace."""
        found = [hand_work(self.session, n) for n in (name_of(self.output.text(), "labels"), *self.also.names())]
        return " ".join(filter(None, found))

    def _name_anew(self) -> None:
        document = self.session.document
        self.output.setText(free_name(document, name_of(self.output.text(), "labels")))
        for name in self.also.names():
            if name in document.names("labels"):
                self.also.name.setText(free_name(document, name))

    def _ways_out(self, error: BaseException) -> dict[str, Callable[[], object]]:
        """Hand work is kept under its name, or replaced when the person says so."""
        if not isinstance(error, WouldReplace):
            return super()._ways_out(error)
        free = free_name(self.session.document, name_of(self.output.text(), "labels"))
        return {f"Run as '{free}'": self._run_beside, "Replace": partial(self._run_over, error.message)}

    def _run_beside(self) -> None:
        self._name_anew()
        self.panel.run()

    def _run_over(self, agreed: str) -> None:
        self._agreed = agreed
        self.panel.run()

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
        self._over = self._held()
        if self._over and self._over != self._agreed:
            raise WouldReplace(self._over, "Keep it and run under another name, or replace it.")
        job = super()._job(chosen)
        self.streamed.follow(self.desk.presenter, job)
        return job

    def _store(self, *, stale: bool) -> str:
        """Store the result, unless the hand has worked meanwhile on what it would replace."""
        assert self._kept is not None
        session, job, _ = self._kept
        name = job.selection.output if isinstance(job.selection, SegmentationSelection) else ""
        now = hand_work(session, name)
        if not stale and now and now not in self._over:
            hint = "Keep the result all the same, or run again under another name."
            raise Stale(f"{now} It would be replaced.", hint)
        self._agreed = ""
        return super()._store(stale=stale)

    def _lead(self) -> None:
        if hasattr(self.desk.viewer, "window"):
            from .launch import dock

            dock(self.desk.viewer)  # this step may stand alone
        self.desk.step_wanted.emit("Correct")

    def _on_opened(self) -> None:
        if hasattr(self, "preview"):
            self.preview.forget()
            self._agreed = ""
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
