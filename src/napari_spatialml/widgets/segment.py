"""The Segment dock: find cells or nuclei in an image."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QLineEdit, QMenu, QPushButton, QSizePolicy, QWidget

from ..core.method import Method
from ..core.report import Report
from ..errors import BadInput
from ..methods import methods
from ..session import SegmentationSelection, Selection
from ..session.gather import full_resolution
from .step import MethodStep, choose
from .streamed import Streamed
from .style import Rows, Tool, tool_row
from .tool_options import cells_of

__all__ = ["ChannelsField", "SegmentDock"]


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
        self.output = QLineEdit("nuclei")
        self.images.currentIndexChanged.connect(lambda _i: self._follow_image())
        rows = Rows()
        rows.add("Image", self.images, "The image in which cells are found.")
        rows.add("Channels", self.channels, "The channels used; of none ticked, all.")
        rows.add("Region", self.region, "Try a method on what is in view first: it is quicker.")
        rows.add("Name of labels", self.output, "The name of the labels that result; an equal name is replaced.")
        return rows

    def make_correct(self) -> QWidget:
        """Make the line that leads to the tools of the hand."""
        help = "Draw, paint, merge, split …: the step Correct."
        self.correct = tool_row([Tool("Correct cells by hand", help, self._lead)])
        return self.correct

    def make(self) -> QWidget:
        """Make the panel; it starts with the method that needs no weights."""
        panel = super().make()
        self.streamed = Streamed(self.panel)
        offered = methods(self.kind)
        if "watershed" in offered:
            self.panel.set_method(offered["watershed"]())
        return panel

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
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", self.output.text().strip()).strip("_-")
        if not name:
            raise BadInput("The labels have no name.", "Give them one, such as nuclei.")
        image = str(self.images.currentData())
        if name in self.session.document.names("labels"):
            found = self.session.document.attribute("segmentations", {})
            if name not in found:
                raise BadInput(f"'{name}' is not a segmentation of this program.", "Choose another name.")
        region = self._in_view(image) if self.region.currentData() == "view" else None
        return SegmentationSelection(image, self.channels.names(), region, name)

    def show_result(self, selection: Selection) -> None:
        """Show the new labels over their image."""
        assert isinstance(selection, SegmentationSelection)
        presenter = self.desk.presenter
        assert presenter is not None
        presenter.hold(labels=selection.output)
        presenter.show(shown=(selection.image, selection.output), beside="")

    def _job(self, chosen: Method) -> Callable[[Report], Any]:
        job = super()._job(chosen)
        self.streamed.follow(self.desk.presenter, job)
        return job

    def _lead(self) -> None:
        if hasattr(self.desk.viewer, "window"):
            from .launch import dock

            dock(self.desk.viewer)  # this step may stand alone
        self.desk.step_wanted.emit("Correct")

    def _follow_image(self) -> None:
        image = self.images.currentData()
        if image and self.desk.session is not None and image in self.session.document.names("images"):
            pixels = full_resolution(self.session.document, image)
            self.channels.set_names(tuple(str(c) for c in pixels.coords["c"].to_numpy()))

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


def _likely(name: str) -> int:
    """Return how likely an image shows nuclei, by its name."""
    words = ("dapi", "hoechst", "nuclei", "nuclear")
    return sum(word in name.lower() for word in words)
