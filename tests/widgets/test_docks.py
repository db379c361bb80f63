"""Each dock, driven by its buttons and fields; what counts is the document."""

from __future__ import annotations

import json
import threading

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QPushButton, QToolButton

from napari_spatialml.errors import BadInput
from napari_spatialml.io.sample import sample_reference
from napari_spatialml.methods import method
from napari_spatialml.session import correct, read_recipe
from napari_spatialml.views.state import ColourBy
from napari_spatialml.views.tools import Pointer
from napari_spatialml.widgets.deconvolve import DeconvolveDock, possible_columns
from napari_spatialml.widgets.domains import DomainsDock
from napari_spatialml.widgets.history import HistoryDock
from napari_spatialml.widgets.landmark_table import judged
from napari_spatialml.widgets.name_box import NameBox
from napari_spatialml.widgets.register import RegisterDock
from napari_spatialml.widgets.section import SectionDock
from napari_spatialml.widgets.segment import SegmentDock
from napari_spatialml.widgets.workbench import Workbench

from .conftest import SMALL


def press(widget, text):
    button = next(b for b in widget.findChildren(QPushButton) if b.text() == text and b.isVisibleTo(widget))
    button.click()


def drag(presenter, *places):
    """Press at the first place in µm, move over the others, release at the last."""
    tool = presenter.current
    at = [Pointer(np.asarray(p, float)) for p in places]
    tool.press(at[0])
    for place in at[1:]:
        tool.move(place)
    tool.release(at[-1])


def names(desk):
    return [entry.label for entry in desk.session.history]


# section -------------------------------------------------------------------------------------


@pytest.fixture
def image_file(tmp_path):
    from imageio.v3 import imwrite

    path = tmp_path / "plain.png"
    imwrite(path, np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8))
    return path


def test_a_missing_unit_is_asked_for_inline_and_the_answer_sets_the_scale(viewer, show, qtbot, image_file):
    dock = show(SectionDock(viewer))
    opening = dock.desk.opening
    opening.open([image_file])
    qtbot.waitUntil(lambda: opening.question is not None, timeout=20_000)
    assert QApplication.activeModalWidget() is None
    panel = next(p for p in dock.findChildren(QPushButton) if p.text() == "Apply" and p.isVisibleTo(dock)).parent()
    panel = panel.parent()
    assert "pixel" in panel.message.text() and not panel.apply_button.isEnabled()
    assert dock.desk.session is None, "nothing is guessed"
    panel.value.setText("0.25")
    panel.apply_button.click()
    qtbot.waitUntil(lambda: dock.desk.session is not None, timeout=20_000)
    document = dock.desk.session.document
    assert document.affine(document.names("images")[0]).scale_factors == pytest.approx((0.25, 0.25))


@pytest.mark.parametrize("typed, meant", [("0,5", 0.5), ("0.2125", 0.2125), (" 0,123456 µm", 0.123456), ("1,5", 1.5)])
def test_a_pixel_size_is_typed_after_a_click_with_point_or_comma_and_enter_opens(
    viewer, show, qtbot, image_file, typed, meant
):
    from napari_spatialml.widgets.opening_panel import OpeningPanel

    dock = show(SectionDock(viewer))
    dock.desk.opening.open([image_file])
    qtbot.waitUntil(lambda: dock.desk.opening.question is not None, timeout=20_000)
    field = next(p for p in dock.findChildren(OpeningPanel) if p.isVisibleTo(dock)).value
    qtbot.mouseClick(field, Qt.MouseButton.LeftButton)
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert dock.desk.opening.question is not None, "nothing typed answers nothing"
    qtbot.keyClicks(field, typed)
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: dock.desk.session is not None, timeout=20_000)
    document = dock.desk.session.document
    assert document.affine(document.names("images")[0]).scale_factors == pytest.approx((meant, meant))


def test_a_unit_left_unanswered_opens_nothing(viewer, show, qtbot, image_file):
    dock = show(SectionDock(viewer))
    dock.desk.opening.open([image_file])
    qtbot.waitUntil(lambda: dock.desk.opening.question is not None, timeout=20_000)
    press(dock, "Cancel")
    assert dock.desk.opening.question is None and dock.desk.session is None


def test_a_bad_file_is_told_in_one_sentence_with_its_name(viewer, show, qtbot, tmp_path):
    bad = tmp_path / "broken.tif"
    bad.write_bytes(b"no image at all")
    dock = show(SectionDock(viewer))
    with qtbot.waitSignal(dock.desk.opening.failed, timeout=20_000):
        dock.desk.opening.open([bad])
    from napari_spatialml.widgets.opening_panel import OpeningPanel

    panel = next(p for p in dock.findChildren(OpeningPanel) if p.isVisibleTo(dock))
    assert "broken.tif" in panel.message.text() and panel.message.message.level == "error"
    assert dock.desk.session is None and not dock.desk.opening.running


def test_a_section_that_cannot_be_drawn_leaves_nothing_of_itself_nor_of_the_former_one(viewer, desk, show, monkeypatch):
    from napari_spatialml.io.sample import sample_section
    from napari_spatialml.session import Session
    from napari_spatialml.views.presenter import Presenter

    dock = show(SectionDock(viewer))

    def fails(self, **_):
        raise BadInput("It cannot be drawn.", "Mend it.")

    monkeypatch.setattr(Presenter, "show", fails)
    with pytest.raises(BadInput, match="cannot be drawn"):
        desk.take(Session.start(sample_section(1, **SMALL), source="another"))
    assert desk.session is None and desk.presenter is None and not viewer.layers
    assert not dock.body.isVisibleTo(dock), "the fields of the former section are gone"
    monkeypatch.undo()
    desk.take(Session.start(sample_section(2, **SMALL), source="a third"))
    assert desk.session is not None and dock.body.isVisibleTo(dock) and len(viewer.layers) > 0


def test_ten_files_without_a_unit_are_asked_for_once_where_it_is_the_same(viewer, show, qtbot, tmp_path):
    from imageio.v3 import imwrite

    from napari_spatialml.widgets.opening_panel import OpeningPanel

    files = [tmp_path / f"core{k}.png" for k in range(10)]
    for file in files:
        imwrite(file, np.zeros((20, 30, 3), np.uint8))
    dock = show(SectionDock(viewer))
    opening = dock.desk.opening
    opening.open(files)
    qtbot.waitUntil(lambda: opening.question is not None, timeout=20_000)
    panel = next(p for p in dock.findChildren(OpeningPanel) if p.isVisibleTo(dock))
    assert "all 10 files" in panel.for_all.text() and not panel.for_all.isChecked()
    panel.for_all.setChecked(True)
    qtbot.keyClicks(panel.value, "0,25")
    qtbot.keyClick(panel.value, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not opening.running, timeout=30_000)
    assert opening.question is None
    document = dock.desk.session.document
    assert len(document.names("images")) == 10
    for name in document.names("images"):
        system = document.placed(name)[0]
        assert document.affine(name, system).scale_factors == pytest.approx((0.25, 0.25))


def test_two_files_that_state_no_unit_are_asked_for_one_by_one(viewer, qtbot, tmp_path, image_file):
    from imageio.v3 import imwrite

    other = tmp_path / "other.png"
    imwrite(other, np.zeros((20, 30, 3), np.uint8))
    opening = SectionDock(viewer).desk.opening
    opening.open([image_file, other])
    for value in (0.5, 2.0):
        qtbot.waitUntil(lambda: opening.question is not None, timeout=20_000)
        opening.answer(value)
    qtbot.waitUntil(lambda: not opening.running, timeout=20_000)
    document = opening._desk.session.document
    sizes = {n: document.affine(n, document.placed(n)[0]).scale_factors[0] for n in document.names("images")}
    assert sorted(sizes.values()) == pytest.approx([0.5, 2.0])


def test_the_list_shows_every_element_and_a_tick_hides_one(desk, show):
    dock = show(SectionDock(desk.viewer))
    dock.refresh_now()
    items = {dock.elements.topLevelItem(i).text(0): dock.elements.topLevelItem(i) for i in range(5)}
    assert set(items) == {"spots", "msi_pixels", "transcripts", "dapi", "he"}
    assert items["spots"].text(1) == "34 spots"
    assert not items["msi_pixels"].flags() & Qt.ItemFlag.ItemIsEnabled, "it lies in another coordinate system"
    items["spots"].setCheckState(0, Qt.CheckState.Unchecked)
    assert "spots" not in desk.presenter.state.shown and "he" in desk.presenter.state.shown
    assert desk.presenter.layer_of("spots") is None and desk.presenter.layer_of("he") is not None


def test_a_part_of_a_gene_s_name_colours_the_spots(desk, show, qtbot):
    dock = show(SectionDock(desk.viewer))
    dock.refresh_now()
    gene = str(desk.session.document.table("spot_counts").var_names[7])
    dock.elements.choose("spots")
    dock.colour.line.setText(gene[:-1].lower() + gene[-1].lower())
    qtbot.keyClick(dock.colour.line, Qt.Key.Key_Return)
    assert desk.presenter.colour_of("spots") == ColourBy("spot_counts", f"X/{gene}")
    dock.colour.plain.click()
    assert desk.presenter.colour_of("spots") is None


def test_another_coordinate_system_is_shown_when_it_is_chosen(desk, show):
    dock = show(SectionDock(desk.viewer))
    dock.refresh_now()
    dock.systems.setCurrentIndex(dock.systems.findData("msi"))
    assert desk.presenter.state.coordinate_system == "msi"
    assert desk.presenter.layer_of("msi_pixels") is not None and desk.presenter.layer_of("he") is None


# segment -------------------------------------------------------------------------------------


@pytest.fixture
def segmented(desk, show, ran):
    dock = show(SegmentDock(desk.viewer))
    dock.panel.set_method(method("segmentation", "watershed")())
    assert "cells" in ran(dock)
    return dock


def test_a_run_adds_labels_and_their_table_as_one_step(desk, segmented):
    document = desk.session.document
    labels = document.grid("nuclei").read()
    assert document.attribute("segmentations")["nuclei"]["image"] == "dapi"
    assert len(np.unique(labels)) - 1 == document.table("nuclei_table").n_obs > 20
    assert len(desk.session.history) == 1 and segmented.panel.message.message.level == "ok"
    assert desk.presenter.layer_of("nuclei") is not None
    assert desk.presenter.hand.labels == "nuclei"
    desk.undo()
    assert "nuclei" not in document.names("labels")


def test_what_is_in_view_alone_is_segmented(desk, show, ran):
    dock = show(SegmentDock(desk.viewer))
    dock.panel.set_method(method("segmentation", "watershed")())
    dock.refresh_now()
    desk.presenter.show(shown=("dapi",))
    dock.region.setCurrentIndex(dock.region.findData("view"))
    layer = desk.presenter.layer_of("dapi")
    layer.corner_pixels = np.array([[100, 50], [199, 179]])
    assert dock.selection().region == (100, 200, 50, 180)
    ran(dock)
    assert desk.session.document.grid("nuclei").shape == (100, 130)


def test_segment_leads_to_the_step_that_corrects_its_cells(desk, segmented, show):
    bench = show(Workbench(desk.viewer))
    bench.go_to("Segment")
    press(bench.steps["Segment"], "Correct cells by hand")
    assert bench.tabs.tabText(bench.tabs.currentIndex()) == "Correct"
    assert bench.steps["Correct"].labels.currentData() == "nuclei"


def test_without_an_image_segment_says_what_to_open(desk, show):
    for name in ("he", "dapi"):
        desk.correct("remove-element", name=name)
    dock = show(SegmentDock(desk.viewer))
    dock.refresh_now()
    assert not dock.panel.button.isEnabled() and "no image" in dock.panel.message.text()


# register ------------------------------------------------------------------------------------


def test_the_table_has_a_row_for_each_landmark_and_deletes_one(desk, show):
    dock = show(RegisterDock(desk.viewer))
    dock.refresh_now()
    k = len(desk.session.document.attribute("landmarks")["msi"]["fixed_um"])
    assert dock.table.rowCount() == k > 4 and dock.table.item(0, 1).text().endswith("µm")
    dock.table.cellWidget(2, 4).click()
    assert len(desk.session.document.attribute("landmarks")["msi"]["fixed_um"]) == k - 1
    dock.refresh_now()
    assert dock.table.rowCount() == k - 1
    assert isinstance(dock.table.cellWidget(0, 4), QToolButton)


def test_a_click_on_a_landmark_moves_the_camera_there(desk, show):
    dock = show(RegisterDock(desk.viewer))
    dock.refresh_now()
    dock.table.cellClicked.emit(3, 1)
    wanted = desk.session.document.attribute("landmarks")["msi"]["fixed_um"][3]
    assert desk.viewer.scene.camera.center[-2:] == pytest.approx(wanted)


def test_a_landmark_with_the_wrong_partner_looks_wrong():
    rng = np.random.default_rng(1)
    moving = rng.uniform(0, 1000, (9, 2))
    fixed = moving * 1.1 + 30
    wrong = fixed.copy()
    wrong[4] += 120
    rows, _ = judged({"moving_um": moving.tolist(), "fixed_um": wrong.tolist()}, "affine")
    assert [row.number for row in rows if row.suspect] == [5]
    rows, _ = judged({"moving_um": moving.tolist(), "fixed_um": fixed.tolist()}, "affine")
    assert not any(row.suspect for row in rows) and max(row.residual for row in rows) < 1e-6


def test_a_run_places_the_metabolite_pixels_in_the_section_s_frame(desk, show, ran):
    dock = show(RegisterDock(desk.viewer))
    dock.panel.set_method(method("registration", "landmarks")(model="affine"))
    assert "'msi' lies on 'global'" in ran(dock)
    document = desk.session.document
    held = document.attribute("landmarks")["msi"]
    to_own = document.affine("msi_pixels", "msi").inverse()
    landed = document.affine("msi_pixels", "global").apply(to_own.apply(np.array(held["moving_um"])))
    assert np.abs(landed - held["fixed_um"]).max() < 1.0
    assert desk.presenter.layer_of("msi_pixels").visible, "overlaid at once"


def test_side_by_side_draws_both_systems_and_the_tool_adds_a_pair(desk, show):
    dock = show(RegisterDock(desk.viewer))
    dock.refresh_now()
    press(dock, "Place landmarks")
    presenter = desk.presenter
    assert presenter.state.beside == "msi" and presenter.tool == "landmark"
    k = len(desk.session.document.attribute("landmarks")["msi"]["fixed_um"])
    moving_on_canvas = np.array([100.0, 100.0]) + presenter.offset
    drag(presenter, (90.0, 95.0))
    drag(presenter, moving_on_canvas)
    held = desk.session.document.attribute("landmarks")["msi"]
    assert held["fixed_um"][k] == pytest.approx([90, 95]) and held["moving_um"][k] == pytest.approx([100, 100])


def test_one_coordinate_system_leaves_nothing_to_register(desk, show):
    desk.correct("remove-element", name="msi_pixels")
    dock = show(RegisterDock(desk.viewer))
    dock.refresh_now()
    assert "nothing to register" in dock.panel.message.text() and not dock.panel.button.isEnabled()


# domains -------------------------------------------------------------------------------------


def column(desk):
    return desk.session.document.table("spot_counts").obs["domain"]


def test_a_result_whose_inputs_changed_can_be_kept_all_the_same(desk, show, qtbot):
    dock = show(DomainsDock(desk.viewer))
    dock.panel.set_method(method("domains", "low-pass-mixture")(n_domains=3))
    dock.refresh_now()
    gate, inner = threading.Event(), dock.panel._job

    def held(chosen):
        job = inner(chosen)
        return lambda report: (gate.wait(20), job(report))[1]

    dock.panel._job = held
    dock.panel.button.click()
    desk.session.execute(correct(desk.session.document, "relabel", table="spot_counts", column="domain",
                                 rows=[0, 1], value="D1"))  # fmt: skip
    gate.set()
    qtbot.waitUntil(lambda: dock.panel.state == "idle", timeout=30_000)
    assert set(dock.panel.message.buttons()) == {"Keep it all the same", "Run again"}
    assert column(desk).isna().sum() == 32, "nothing is stored before the person has said so"
    dock.panel.message.buttons()["Keep it all the same"].click()
    assert column(desk).nunique() == 3 and dock.panel.message.message.level == "ok"


def test_a_run_of_a_section_that_is_no_longer_open_changes_nothing(desk, show, qtbot):
    from napari_spatialml.io.sample import sample_section
    from napari_spatialml.session import Session

    dock = show(DomainsDock(desk.viewer))
    dock.refresh_now()
    gate, inner = threading.Event(), dock.panel._job
    dock.panel._job = lambda chosen: (lambda job: lambda report: (gate.wait(20), job(report))[1])(inner(chosen))
    dock.panel.button.click()
    desk.take(Session.start(sample_section(1, **SMALL), source="another"))
    gate.set()
    qtbot.waitUntil(lambda: dock.panel.state == "idle", timeout=30_000)
    assert len(desk.session.history) == 0 and "domain" not in desk.session.document.table("spot_counts").obs


# deconvolve ----------------------------------------------------------------------------------


@pytest.fixture
def reference(tmp_path):
    path = tmp_path / "cells.h5ad"
    table = sample_reference(0, **SMALL)
    table.obs["batch"] = pd.Categorical(["a", "b"] * (table.n_obs // 2))
    table.obs["depth"] = np.arange(table.n_obs, dtype=float)
    table.write_h5ad(path)
    return path


def test_columns_that_name_types_are_offered_and_numbers_are_not(reference, tmp_path):
    assert possible_columns(reference) == ("cell_type", "batch")
    assert possible_columns(tmp_path / "absent.h5ad") == ()


def test_deconvolution_waits_for_a_reference_then_shows_types(desk, show, ran, reference):
    dock = show(DeconvolveDock(desk.viewer))
    dock.refresh_now()
    assert not dock.panel.button.isEnabled() and "reference" in dock.panel.message.text()
    dock.inputs.reference.set_value(str(reference))
    assert dock.inputs.reference.columns.findData("cell_type") > 0
    assert "cell types in 34 spots" in ran(dock)
    frame = desk.session.document.table("spot_counts").obsm["proportions"]
    assert np.allclose(frame.sum(1), 1)
    assert desk.presenter.colour_of("spots").key == "obs/proportions_dominant"
    dock.result.shown.show_type(frame.columns[1])
    assert desk.presenter.colour_of("spots").key == f"obsm/proportions/{frame.columns[1]}"
    dock.refresh_now()
    assert dock.result.shown.type.currentData() == frame.columns[1]


def test_a_reference_that_is_not_there_is_told_under_the_button(desk, show, ran, tmp_path):
    dock = show(DeconvolveDock(desk.viewer))
    dock.inputs.reference.set_value(str(tmp_path / "gone.h5ad"))
    assert "gone.h5ad" in ran(dock) and len(desk.session.history) == 0


# history -------------------------------------------------------------------------------------


def test_a_click_on_a_step_goes_back_to_it_and_forward_again(desk, show):
    for number, value in enumerate(("A", "B", "C")):
        desk.correct("relabel", table="spot_counts", column="area", rows=[number], value=value)
    dock = show(HistoryDock(desk.viewer))
    dock.refresh_now()
    assert dock.steps.topLevelItemCount() == 4 and dock.steps.topLevelItem(3).text(0) == "▸"
    dock.steps.itemClicked.emit(dock.steps.topLevelItem(1), 1)
    assert desk.session.position == 1
    dock.refresh_now()
    assert [dock.steps.topLevelItem(i).text(0) for i in range(4)] == ["", "▸", "", ""]
    dock.steps.itemClicked.emit(dock.steps.topLevelItem(0), 1)
    assert desk.session.position == 0 and "area" not in desk.session.document.table("spot_counts").obs
    dock.steps.itemClicked.emit(dock.steps.topLevelItem(3), 1)
    assert set(desk.session.document.table("spot_counts").obs["area"].dropna()) == {"A", "B", "C"}


def test_the_recipe_holds_the_steps_that_are_done(desk, show, tmp_path):
    desk.correct("relabel", table="spot_counts", column="area", rows=[0], value="A")
    desk.correct("relabel", table="spot_counts", column="area", rows=[1], value="B")
    desk.undo()
    dock = show(HistoryDock(desk.viewer))
    dock.export_to(tmp_path / "recipe.json")
    found = read_recipe(tmp_path / "recipe.json")
    assert [s["name"] for s in found["steps"]] == ["relabel"] and "1 step" in dock.message.text()
    assert json.loads((tmp_path / "recipe.json").read_text())["recipe"] == 1


def test_a_recipe_that_cannot_be_written_is_told(desk, show, tmp_path):
    dock = show(HistoryDock(desk.viewer))
    dock.export_to(tmp_path / "no folder" / "recipe.json")
    assert dock.message.message.level == "error"


@pytest.mark.parametrize("width", [90, 160, 400])
def test_a_name_too_long_for_its_box_loses_its_middle_and_never_its_end(show, width):
    box = show(NameBox())
    box.addItem("Rat-Kidney_PanCytokeratin", "x")
    box.resize(width, 28)
    text = box.shown()
    assert box.fontMetrics().horizontalAdvance(text) <= width
    assert text.endswith("n") and text.startswith("R") and ("…" in text) == (width < 400)
