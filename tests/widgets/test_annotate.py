"""The Annotate dock: what is pressed, written and dropped is in the document, and the dock shows what is there."""

from __future__ import annotations

import json

import pytest

from napari_spatialml.session.annotating import class_colours, frame_of
from napari_spatialml.widgets.annotate import AnnotateDock
from napari_spatialml.widgets.region_table import area_text
from napari_spatialml.widgets.workbench import Workbench

SQUARE = [[[[20.0, 20.0], [20.0, 120.0], [120.0, 120.0], [120.0, 20.0]]]]
NEXT = [[[[20.0, 110.0], [20.0, 180.0], [120.0, 180.0], [120.0, 110.0]]]]


@pytest.fixture
def dock(viewer, desk, show):
    made = show(AnnotateDock(viewer))
    made.refresh_now()
    return made


def drawn(desk, outlines=SQUARE, class_name="Tumour", **more):
    assert desk.correct("add-annotation", annotations="annotations", outlines=outlines, class_name=class_name, **more)
    return str(frame(desk).index[-1])


def frame(desk):
    return frame_of(desk.session.document, "annotations")


def test_a_class_is_written_and_drawn_with_its_name_note_and_annotator(dock, desk):
    dock.new_class.setText("Necrosis")
    dock.add_class()
    dock.annotator.setText("Ada")
    dock.note.setText("left edge")
    dock.tools.buttons["region"].click()
    tool = desk.presenter.current
    assert (tool.class_name, tool.note, tool.annotator) == ("Necrosis", "left edge", "Ada")
    assert dock.classes.rows()[0][0] == "Necrosis" and "Click around" in dock.tools.hint.text()


def test_the_table_shows_class_area_note_and_what_is_inside(dock, desk, qtbot):
    drawn(desk, note="odd")
    dock.refresh_now()
    (row,) = dock.table.rows
    assert (row.class_name, row.area_um2, row.note) == ("Tumour", 10_000.0, "odd")
    qtbot.waitUntil(lambda: dock.table.rows and dock.table.rows[0].inside is not None, timeout=20_000)
    assert dock.table.rows[0].inside > 0 and dock.table._model.heads[2] == "Spots"
    assert "1 region, 0.01 mm²" in dock.summary.text()


def test_marking_in_the_table_marks_on_the_canvas_and_back(dock, desk):
    a, b = drawn(desk), drawn(desk, NEXT, "Stroma")
    dock.refresh_now()
    dock.table.selectRow(1)
    assert desk.presenter.state.regions == (b,)
    desk.presenter.show(regions=(a,))
    dock.refresh_now()
    assert dock.table.ids() == (a,)


def test_notes_classes_join_and_delete_act_on_what_is_marked(dock, desk):
    a, b = drawn(desk), drawn(desk, NEXT, "Stroma")
    desk.presenter.show(regions=(a, b))
    dock.refresh_now()
    dock.note.setText("both")
    dock._write_note()
    assert list(frame(desk)["note"]) == ["both", "both"]
    dock.classes._set_current("Stroma")
    dock._classify()
    assert list(frame(desk)["class"]) == ["Stroma", "Stroma"]
    dock._join()
    assert frame(desk).geometry.iloc[0].area == 16_000
    dock._delete()
    assert frame(desk) is None
    for _ in range(4):
        desk.undo()
    assert list(frame(desk)["class"]) == ["Tumour", "Stroma"]


def test_a_class_is_renamed_recoloured_and_hidden(dock, desk):
    drawn(desk)
    dock.refresh_now()
    dock.classes.recoloured.emit("Tumour", "#123456")
    dock.classes.renamed.emit("Tumour", "Cancer")
    assert class_colours(desk.session.document, "annotations") == {"Cancer": "#123456"}
    dock.classes.hidden_changed.emit(frozenset({"Cancer"}))
    assert desk.presenter.state.hidden_categories["annotations"] == {"Cancer"}


def test_export_and_import_go_through_the_dock(dock, desk, qtbot, tmp_path):
    drawn(desk)
    dock.refresh_now()
    dock.write(tmp_path / "mine.geojson", "regions", "geojson")
    qtbot.waitUntil(lambda: "Written" in dock.message.text(), timeout=20_000)
    dock.take(tmp_path / "mine.geojson")
    qtbot.waitUntil(lambda: "mine" in desk.session.document.names("shapes"), timeout=20_000)
    made = frame_of(desk.session.document, "mine")
    assert made.geometry.iloc[0].area == pytest.approx(10_000)
    qtbot.waitUntil(lambda: "Import 1 region" in dock.message.text(), timeout=5_000)


def test_a_file_that_is_dropped_beside_a_section_is_added_to_it(dock, desk, qtbot, tmp_path):
    ring = [[20, 20], [60, 20], [60, 60], [20, 60], [20, 20]]
    path = tmp_path / "dropped.geojson"
    path.write_text(json.dumps({"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}}))
    session = desk.session
    desk.opening.drop(path)
    qtbot.waitUntil(lambda: "dropped" in desk.session.document.names("shapes"), timeout=20_000)
    assert desk.session is session


def test_a_file_that_is_damaged_is_told_under_the_buttons(dock, desk, qtbot, tmp_path):
    path = tmp_path / "torn.geojson"
    path.write_text('{"type": "FeatureCollection", "features": [{"typ')
    dock.take(path)
    qtbot.waitUntil(lambda: "cut short" in dock.message.text(), timeout=20_000)
    assert desk.session.position == 0


@pytest.mark.parametrize(
    "um2, text", [(12.4, "12 µm²"), (9_999, "9,999 µm²"), (53_912, "0.0539 mm²"), (2.5e6, "2.5 mm²")]
)
def test_areas_are_told_in_the_unit_that_fits(um2, text):
    assert area_text(um2) == text


@pytest.mark.parametrize("step", ["Domains", "Segment"])
def test_a_result_that_arrives_leaves_the_drawn_regions_in_sight(viewer, desk, show, ran, step):
    from napari_spatialml.methods import method

    bench = show(Workbench(viewer))
    drawn(desk)
    assert desk.visible("annotations")
    dock = bench.go_to(step)
    if step == "Segment":
        dock.panel.set_method(method("segmentation", "watershed")())
    else:
        dock.panel.set_method(method("domains", "low-pass-mixture")(n_domains=3))
    ran(dock)
    result = "nuclei" if step == "Segment" else "spots"
    assert desk.visible(result) and desk.visible("annotations")
    layer = desk.presenter.layer_of("annotations")
    layer.visible = False  # a person hid them: then they stay hidden
    ran(dock)
    assert not desk.visible("annotations")
