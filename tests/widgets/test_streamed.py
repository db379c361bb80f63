"""A slide on the dock: cells appear tile by tile from the view outwards, Stop keeps them, Run goes on."""

from __future__ import annotations

import time

import numpy as np
import pytest

from napari_spatialml.core.report import silent
from napari_spatialml.core.segmentation import Masks, Pixels
from napari_spatialml.methods import method
from napari_spatialml.session.slides import job as slide_job
from napari_spatialml.widgets.segment import SegmentDock


@pytest.fixture
def slow(desk, show, monkeypatch):
    """A dock on a section whose image counts as large, with a method that takes its time."""
    watershed = method("segmentation", "watershed")
    monkeypatch.setattr(slide_job, "ONE_PIECE", 10_000)
    monkeypatch.setattr(slide_job, "_EDGE", 64)
    monkeypatch.setattr(slide_job, "level_shapes", lambda shape: [shape, (shape[0] // 2, shape[1] // 2)])
    real = watershed.on_slide

    def on_slide(self, sample, report=silent):
        ready = real(self, sample, report)

        def segment(pixels: Pixels, report=silent) -> Masks:
            for _ in range(10):
                report(0.1)
                time.sleep(0.01)
            return ready.segment(pixels, report)

        return slide_job.OnSlide(segment, ready.diameter, 16)

    monkeypatch.setattr(watershed, "on_slide", on_slide)
    dock = show(SegmentDock(desk.viewer))
    dock.refresh_now()
    dock.panel.set_method(watershed(diameter_um=6.0))
    return dock


def streamed_layer(desk):
    return next((layer for layer in desk.viewer.layers if "tile by tile" in layer.name), None)


def test_cells_are_seen_before_the_run_ends_and_stop_keeps_them(desk, slow, qtbot) -> None:
    document = desk.session.document
    desk.viewer.scene.camera.center = (0, 190.0, 190.0)
    slow.panel.button.click()
    qtbot.waitUntil(lambda: slow.streamed.shown is not None and slow.streamed.shown.tiles >= 4, timeout=30_000)
    layer = streamed_layer(desk)
    qtbot.waitUntil(lambda: layer.thumbnail[..., :3].any())
    seen = np.argwhere(np.asarray(layer.data[0][:, :]))
    assert seen.mean(0).min() > 200, "tiles came from elsewhere than the view"
    assert "tile" in slow.panel._step.text()
    slow.panel.button.click()
    qtbot.waitUntil(lambda: "tiles are kept" in slow.panel.message.text(), timeout=30_000)
    assert streamed_layer(desk) is None and "nuclei" not in document.names("labels")
    slow.panel.button.click()
    qtbot.waitUntil(lambda: "nuclei" in document.names("labels"), timeout=60_000)
    assert "49 tiles" in slow.panel.message.text()
    qtbot.waitUntil(lambda: streamed_layer(desk) is None)
    assert desk.presenter.layer_of("nuclei") is not None and len(desk.session.history) == 1
