"""The Segment dock: what it starts with, its preview, and the cells that it makes of nuclei."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

from napari_spatialml.core.method import Means, Parameter
from napari_spatialml.methods.segmentation.starter import Starter
from napari_spatialml.methods.segmentation.watershed import Watershed
from napari_spatialml.session import correct
from napari_spatialml.widgets.form import field_for
from napari_spatialml.widgets.number import NumberField
from napari_spatialml.widgets.segment import SegmentDock

pytest.importorskip("torch")
WAIT = 60_000


@pytest.fixture
def dock(desk, show):
    made = show(SegmentDock(desk.viewer))
    made.refresh_now()
    desk.presenter.show(shown=("dapi",))
    desk.presenter.layer_of("dapi").corner_pixels = np.array([[20, 30], [179, 199]])
    made.panel.set_method(Starter(device="cpu", diameter_um=7.0))
    return made


@pytest.fixture
def previewed(dock, qtbot):
    """Return a function that does something and waits for the preview that follows."""

    def wait(what):
        with qtbot.waitSignal(dock.preview.made, timeout=WAIT) as seen:
            what()
        return seen.args[0]

    return wait


@pytest.fixture
def ran_by(qtbot):
    """Return a function that presses a way out of what the dock tells, and waits for the end of the run."""

    def press(dock, text):
        dock.panel.message.buttons()[text].click()
        qtbot.waitUntil(lambda: dock.panel.state == "idle", timeout=WAIT)

    return press


def test_segment_starts_with_the_network_that_comes_along(desk, show):
    dock = show(SegmentDock(desk.viewer))
    assert isinstance(dock.panel.method(), Starter) and not dock.caution.isVisibleTo(dock)


def test_without_torch_segment_starts_with_watershed_and_says_why(desk, show, monkeypatch):
    monkeypatch.setattr(Starter, "requires", ("no_such_package",))
    dock = show(SegmentDock(desk.viewer))
    assert isinstance(dock.panel.method(), Watershed)
    assert "no_such_package" in dock.caution.text() and "pip install" in dock.caution.text()


def test_a_preview_is_drawn_and_stored_nowhere(desk, dock, previewed):
    found = previewed(dock.preview.button.click)
    layer = desk.viewer.layers["preview"]
    assert found.cells > 5 and f"{found.cells} cells" in dock.preview.message.text()
    assert layer.data.shape == (160, 170) and layer.data.any()
    corner = layer.data_to_world((0, 0)) - np.asarray(desk.presenter.layer_of("dapi").data_to_world((20, 30)))
    assert np.allclose(corner, 0), "it lies on what was segmented"
    assert desk.viewer.layers.selection.active is not layer
    assert not desk.session.history and "nuclei" not in desk.session.document.names("labels")
    dock.preview.hide_button.click()
    assert "preview" not in desk.viewer.layers and dock.preview.message.message is None


def test_a_preview_leaves_the_canvas_with_its_step(desk, dock, previewed):
    previewed(dock.preview.button.click)
    dock.hide()
    assert "preview" not in desk.viewer.layers


def test_a_preview_shows_the_image_that_it_segments(desk, dock, previewed):
    desk.presenter.layer_of("dapi").visible = False
    previewed(dock.preview.button.click)
    assert desk.presenter.layer_of("dapi").visible


def test_nuclei_that_are_enlarged_for_the_network_are_previewed_in_the_middle_of_the_view(dock, previewed, monkeypatch):
    monkeypatch.setattr("napari_spatialml.session.previewing.NETWORK", 40_000)
    found = previewed(dock.preview.button.click)
    y0, y1, x0, x1 = found.window
    scale = Starter(diameter_um=7.0).scale_on(0.5)
    assert scale > 1 and (y1 - y0) * (x1 - x0) * scale**2 <= 40_000 and 20 < y0 < y1 < 180
    assert found.labels.shape == (y1 - y0, x1 - x0) and "Only the middle of the view" in dock.preview.message.text()


def test_a_threshold_moves_the_preview_without_the_network(dock, previewed, monkeypatch):
    first = previewed(dock.preview.button.click)
    probability = dock.panel.form.fields["cell_probability"]
    assert "0.5" in probability.automatic.text()
    previewed(lambda: probability.automatic.setChecked(False))
    assert probability.inner.value() == 0.5, "it begins where the method was"

    def refuse(*_):
        raise AssertionError("the network ran again")

    monkeypatch.setattr(Starter, "field", refuse)
    moved = previewed(lambda: probability.inner.slider.setValue(95))
    assert moved.window == first.window and not moved.from_network
    assert (moved.labels > 0).sum() < (first.labels > 0).sum()
    assert "by the thresholds alone" in dock.preview.message.text()


def test_a_threshold_that_is_taken_over_before_a_preview_begins_at_a_likely_value(dock):
    probability = dock.panel.form.fields["cell_probability"]
    assert probability.automatic.text() == "automatic"
    probability.automatic.setChecked(False)
    assert dock.panel.method().cell_probability == 0.5


def test_of_many_moves_the_last_one_is_shown(dock, previewed, qtbot):
    previewed(dock.preview.button.click)
    seen = []
    dock.preview.made.connect(seen.append)
    area = dock.panel.form.fields["min_area_um2"]
    for value in range(8, 28, 2):
        area.set_value(value)
    qtbot.waitUntil(lambda: dock.preview.runner.state == "idle", timeout=WAIT)
    assert 0 < len(seen) < 10
    last = np.bincount(seen[-1].labels.ravel())[1:] * 0.25
    assert last.min() >= 26


def test_without_the_tick_the_preview_waits_for_the_button(dock, previewed):
    previewed(dock.preview.button.click)
    dock.preview.follows.setChecked(False)
    dock.panel.form.fields["min_area_um2"].set_value(30.0)
    assert dock.preview.runner.state == "idle"


def test_what_a_preview_lacks_is_told_under_its_button(desk, dock):
    desk.presenter.show(shown=("he",))
    dock.preview.button.click()
    assert "'dapi' is not shown" in dock.preview.message.text()


def test_a_run_makes_cells_of_its_nuclei_that_have_their_ids(desk, dock, ran, qtbot):
    dock.panel.set_method(Watershed())
    dock.also.tick.setChecked(True)
    for distance, steps in ((2.0, 2), (3.0, 4)):
        dock.also.limit.setValue(distance)
        with qtbot.waitSignal(dock.also.made, timeout=WAIT):
            ran(dock)
        document = desk.session.document
        nuclei, cells = (document.grid(n).read() for n in ("nuclei", "cells"))
        assert np.array_equal(np.unique(nuclei), np.unique(cells))
        assert np.array_equal(cells[nuclei > 0], nuclei[nuclei > 0])
        assert f"Each has a cell in 'cells', expanded by at most {distance:g} µm" in dock.panel.message.text()
        assert document.table("cells_table").n_obs == nuclei.max() and len(desk.session.history) == steps
    about = document.attribute("segmentations")["cells"]
    assert about["nuclei"] == "nuclei" and about["linked_by"] == "id" and about["image"] == "dapi"
    desk.undo()
    assert (document.grid("cells").read() > 0).sum() < (cells > 0).sum(), "those of the first run are back"
    made = correct(document, "draw-cell", labels="cells", outline=[[1, 1], [1, 3], [3, 3], [3, 1]])
    assert made.record["arguments"]["new_id"] > nuclei.max(), "an id that links to no nucleus"


def test_cells_that_were_not_made_of_these_nuclei_are_not_replaced(desk, dock, ran):
    dock.panel.set_method(Watershed())
    dock.output.setText("cells")
    ran(dock)
    dock.output.setText("nuclei")
    dock.also.tick.setChecked(True)
    assert "'cells' was not made of 'nuclei'" in ran(dock)
    dock.output.setText("cells")
    assert "are the nuclei themselves" in ran(dock)


def test_channels_are_chosen_by_name_where_the_method_asks_for_them(desk, dock):
    dock.images.setCurrentIndex(dock.images.findData("he"))
    channel = dock.panel.form.fields["channel"]
    names = [channel.itemText(i) for i in range(channel.count())]
    assert names[0] == "by its name" and len(names) > 3
    assert not dock.channels.isVisibleTo(dock)
    channel.set_value(names[2])
    assert dock.panel.method().channel == names[2]
    dock.images.setCurrentIndex(dock.images.findData("dapi"))
    assert dock.panel.method().channel == names[2], "what was chosen stays until a run says that it is not there"


def test_the_form_says_what_nought_means():
    field = field_for(Parameter("diameter_um", float, 0.0, "Help.", 0, 100, unit="µm", means=Means(0, "estimate", 8.0)))
    assert isinstance(field, NumberField) and field.lineEdit().text() == "estimate" and field.value() == 0
    field.stepBy(1)
    assert field.value() == 8.0 and field.lineEdit().text() == "8 µm"
    field.lineEdit().setText("estimate")
    assert field.value() == 0
    field.set_value(0.0)
    field.set_word("estimate: 6.2 µm")
    assert field.lineEdit().text() == "estimate: 6.2 µm" and field.value() == 0


def test_a_threshold_has_a_slider_and_its_number_is_not_rounded():
    field = field_for(Parameter("p", float, 0.4, "Help.", 0, 3, decoding=True))
    field.set_value(0.12345)
    assert field.value() == 0.12345 and field.slider.value() == 4
    field.slider.setValue(50)
    assert field.value() == 1.5


def test_pixels_too_coarse_for_nuclei_are_said_before_a_run_and_refused_by_it(viewer, show, ran):
    from spatialdata import SpatialData
    from spatialdata.models import Image2DModel
    from spatialdata.transformations import Scale

    from napari_spatialml.session import Session
    from napari_spatialml.widgets.desk import desk_of

    pixels = np.random.default_rng(0).integers(0, 255, (3, 1905, 1905), np.uint8)
    placed = {"global": Scale([4.73, 4.73], axes=("x", "y"))}
    image = Image2DModel.parse(pixels, dims=("c", "y", "x"), transformations=placed)
    desk_of(viewer).take(Session.start(SpatialData(images={"he": image}), source="coarse"))
    dock = show(SegmentDock(viewer))
    dock.refresh_now()
    assert "too coarse" in dock.about.text() and "1 µm" in dock.about.text()
    told = ran(dock)  # of 1,905 × 1,905 pixels, enlarged for the network, the memory would be full
    assert "10 µm have no outline in pixels of 4.73 µm" in told and "3.3 µm" in told
    dock.panel.set_method(Starter(device="cpu", diameter_um=12.0))
    assert "12 µm have no outline" in ran(dock)


def whole(widget, dock) -> bool:
    """Return whether a person sees all of a widget within its dock."""
    return widget.isVisible() and widget.visibleRegion().boundingRect() == widget.rect()


def test_run_and_its_outcome_are_in_sight_however_low_the_window_is(desk, show, qtbot):
    dock = show(SegmentDock(desk.viewer))
    for height in (1200, 480, 1200, 300, 480):
        dock.resize(400, height)
        qtbot.waitUntil(lambda: whole(dock.panel.button, dock), timeout=5_000)
    button, bar = dock.panel.button, dock._area.verticalScrollBar()
    assert bar.maximum() > 0, "the form is longer than the window"
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: button.text() == "Stop" and whole(button, dock), timeout=5_000)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dock.panel.state == "idle", timeout=60_000)
    qtbot.waitUntil(lambda: whole(dock.panel.message, dock) and whole(button, dock), timeout=5_000)


def test_scrolling_down_puts_run_back_into_its_place_between_form_and_result(desk, show, qtbot):
    dock = show(SegmentDock(desk.viewer))
    dock.resize(400, 480)
    bar, panel = dock._area.verticalScrollBar(), dock.panel
    below = lambda: panel.outcome.mapTo(dock, QPoint(0, 0)).y() > dock._area.height() - 2  # noqa: E731
    qtbot.waitUntil(below, timeout=5_000)
    bar.setValue(bar.maximum())
    qtbot.waitUntil(lambda: dock._area.widget().isAncestorOf(panel.outcome), timeout=5_000)
    qtbot.wait(200)
    assert dock._area.widget().isAncestorOf(panel.outcome), "it stays there"
    assert panel._correct_heading.mapTo(dock, QPoint(0, 0)).y() > panel.button.mapTo(dock, QPoint(0, 0)).y()
    bar.setValue(0)
    qtbot.waitUntil(below, timeout=5_000)


def test_labels_that_hold_hand_work_are_not_replaced_unasked(desk, dock, ran, ran_by):
    dock.panel.set_method(Watershed())
    ran(dock)
    assert ran(dock).endswith(".") and len(desk.session.history) == 2, "what a run made, a run replaces"
    desk.correct("delete-cells", labels="nuclei", cells=[3, 4])
    desk.correct("delete-cells", labels="nuclei", cells=[5])
    desk.correct("mark-done", labels="nuclei", window=[0, 60, 0, 60])
    by_hand, steps = desk.session.document.grid("nuclei").read(), len(desk.session.history)
    told = ran(dock)
    assert told.startswith("'nuclei' holds 2 corrections by hand and 1 window that is done.")
    assert dock.panel.message.message.level == "warning" and len(desk.session.history) == steps
    assert list(dock.panel.message.buttons()) == ["Run as 'nuclei_2'", "Replace"]
    ran_by(dock, "Run as 'nuclei_2'")
    assert np.array_equal(desk.session.document.grid("nuclei").read(), by_hand)
    assert desk.session.document.grid("nuclei_2").read().max() > by_hand.max() - 1
    assert dock.output.text() == "nuclei_2", "and the next run goes there too"
    dock.output.setText("nuclei")
    ran(dock)
    ran_by(dock, "Replace")
    assert 3 in desk.session.document.grid("nuclei").read() and 3 not in by_hand
    assert dock.panel.message.message.level == "ok"
    ran(dock)
    assert dock.panel.message.message.level == "ok", "nothing of the hand is left in them"


def test_corrections_that_were_undone_hold_no_run_up(desk, dock, ran):
    dock.panel.set_method(Watershed())
    ran(dock)
    desk.correct("delete-cells", labels="nuclei", cells=[3])
    desk.undo()
    ran(dock)
    assert dock.panel.message.message.level == "ok"


def test_cells_made_of_nuclei_that_hold_hand_work_are_not_replaced_unasked(desk, dock, ran, ran_by, qtbot):
    dock.panel.set_method(Watershed())
    dock.also.tick.setChecked(True)
    with qtbot.waitSignal(dock.also.made, timeout=WAIT):
        ran(dock)
    desk.correct("delete-cells", labels="cells", cells=[3])
    assert ran(dock).startswith("'cells' holds 1 correction by hand.")
    with qtbot.waitSignal(dock.also.made, timeout=WAIT):
        ran_by(dock, "Run as 'nuclei_2'")
    document = desk.session.document
    assert 3 not in document.grid("cells").read() and document.attribute("segmentations")["cells_2"]["nuclei"]


def test_what_the_hand_did_while_a_run_was_on_its_way_is_not_replaced_unasked(desk, dock, ran, qtbot):
    dock.panel.set_method(Watershed())
    ran(dock)
    dock.panel.button.click()
    desk.correct("delete-cells", labels="nuclei", cells=[3])
    qtbot.waitUntil(lambda: dock.panel.state == "idle", timeout=WAIT)
    assert dock.panel.message.text().startswith("'nuclei' holds 1 correction by hand. It would be replaced.")
    assert 3 not in desk.session.document.grid("nuclei").read()
    dock.panel.message.buttons()["Keep it all the same"].click()
    assert 3 in desk.session.document.grid("nuclei").read()


def test_a_method_learned_from_corrections_gets_a_name_of_its_own(desk, dock, ran):
    dock.panel.set_method(Watershed())
    ran(dock)
    desk.correct("delete-cells", labels="nuclei", cells=[3])
    desk.method_wanted.emit(Watershed())
    assert dock.output.text() == "nuclei_2"
