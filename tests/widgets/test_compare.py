"""The Compare dock, driven as a person drives it; asserted on the document."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_spatialml.session import Session, correct
from napari_spatialml.views.comparing import COLOURS, NAMES
from napari_spatialml.widgets.compare import CompareDock
from napari_spatialml.widgets.desk import desk_of
from napari_spatialml.widgets.history import HistoryDock

from ..session.conftest import small_section


@pytest.fixture
def desk(viewer):
    """A desk with a section in which B lacks nucleus 1, has 4 and 5 as one, and names two spots otherwise."""
    made = desk_of(viewer)
    made.take(Session.start(small_section(), source="two readers"))
    session = made.session
    labels = session.document.grid("nuclei").read()
    labels[labels == 1] = 0
    labels[labels == 5] = 4

    def do(name, **arguments):
        session.execute(correct(session.document, name, **arguments))

    do("start-consensus", labels="second", labels_a="nuclei", labels_b="nuclei")
    do("paint-labels", labels="second", offset=[0, 0], values=labels.tolist())
    session.document.sdata.attrs["spatialml"].pop("consensus")
    do("relabel", table="counts", column="other", rows=list(range(12)), value="D1")
    do("relabel", table="counts", column="other", rows=[8, 9, 10, 11], value="D2")
    return made


@pytest.fixture
def dock(desk, show, viewer):
    made = show(CompareDock(viewer))
    made.refresh_now()
    return made


def pick(box, value):
    box.setCurrentIndex(box.findData(value))
    assert box.currentData() == value


def compare(dock, qtbot, kind, a, b):
    pick(dock.kind, kind)
    pick(dock.a, a)
    pick(dock.b, b)
    dock.run_row.button.click()
    qtbot.waitUntil(lambda: dock.run_row.state == "idle", timeout=20_000)
    return dock.run_row.message.text()


def press(dock, keep):
    assert dock.settle.buttons[keep].isEnabled()
    dock.settle.buttons[keep].click()


def shown(table):
    return {table.item(i, 0).text(): table.item(i, 1).text() for i in range(table.rowCount())}


def test_two_segmentations_are_compared_drawn_and_settled(dock, desk, qtbot, viewer):
    said = compare(dock, qtbot, "cells", "nuclei", "second")
    assert "6 cells agree" in said and "1 only in A" in said and "1 split or merged" in said
    figures = shown(dock.figures)
    assert figures["Cells in A"] == "9" and figures["Cells in B"] == "7" and figures["AP at IoU 0.5"] == "0.778"
    layers = {layer.name: layer for layer in viewer.layers}
    raster = np.asarray(layers["disagreement"].data)
    a = desk.session.document.grid("nuclei").read()
    assert set(np.unique(raster[a == 1])) == {NAMES.index("only in A") + 1}
    assert set(np.unique(raster[a == 9])) == {NAMES.index("agreed") + 1} and raster[0, 0] == 0
    legend = desk.presenter.legends()[0]
    assert {name: n for name, _, n in legend.categories} == {"agreed": 6, "only in A": 1, "split or merged": 1}

    box = dock.settle
    assert box.begin.isVisible() and not box.row.isVisible()
    box.begin.click()
    assert box.row.isVisible() and "0 of 2 settled, 2 left" in box.left.text()
    assert not box.buttons["both"].isEnabled() or box.task.cells_b
    while box.task is not None and box.task.kind != "only in A":
        box.buttons["next"].click()
    press(dock, "B")
    made = desk.session.document.grid("nuclei_consensus").read()
    assert not (made == 1).any() and (made == 5).any() and "1 of 2 settled, 1 left" in box.left.text()
    assert box.task.kind == "split or merged"
    press(dock, "skip")
    assert "1 of 2 settled, 1 left, 1 of them skipped" in box.left.text() and box.task is not None
    press(dock, "B")
    made = desk.session.document.grid("nuclei_consensus").read()
    assert np.array_equal(made > 0, desk.session.document.grid("second").read() > 0)
    assert "Everything is settled" in box.message.text()
    raster = np.asarray(next(layer for layer in viewer.layers if layer.name == "disagreement").data)
    assert set(np.unique(raster[a == 1])) == {NAMES.index("settled") + 1}
    desk.undo()
    dock.refresh_now()
    assert box.task.kind == "split or merged" and "1 left" in box.left.text()


def test_the_buttons_that_settle_are_in_sight_of_a_low_window(dock, qtbot):
    dock.resize(400, 360)
    compare(dock, qtbot, "cells", "nuclei", "second")
    box = dock.settle
    assert box.begin.visibleRegion().isEmpty()  # else the figures would be too few to need it
    box.begin.click()
    qtbot.waitUntil(lambda: box.buttons["A"].visibleRegion().boundingRect() == box.buttons["A"].rect())
    dock._area.verticalScrollBar().setValue(0)
    box.buttons["next"].click()
    qtbot.waitUntil(lambda: not box.buttons["A"].visibleRegion().isEmpty() and not box.now.visibleRegion().isEmpty())


def test_a_second_segmentation_is_what_the_only_one_is_compared_with(viewer, show):
    desk = desk_of(viewer)
    desk.take(Session.start(small_section(), source="one"))
    desk.correct("remove-element", name="pixels")
    dock = show(CompareDock(viewer))
    dock.refresh_now()
    assert dock.a.currentData() == dock.b.currentData() == "nuclei"
    desk.correct("start-consensus", labels="second", labels_a="nuclei", labels_b="nuclei")
    desk.session.document.sdata.attrs["spatialml"].pop("consensus")
    dock.refresh_now()
    assert (dock.a.currentData(), dock.b.currentData()) == ("nuclei", "second")
    pick(dock.b, "nuclei")  # one alone can be judged by its transcripts: what is chosen stays
    dock.refresh_now()
    assert dock.b.currentData() == "nuclei"


def test_the_queue_goes_on_after_a_restart(dock, desk, qtbot, show, viewer, tmp_path):
    compare(dock, qtbot, "cells", "nuclei", "second")
    dock.settle.begin.click()
    press(dock, "A")
    store = desk.session.save(tmp_path / "settling.zarr")
    desk.take(lambda: Session.open_store(store))
    again = show(CompareDock(viewer))
    again.refresh_now()
    assert (again.a.currentData(), again.b.currentData()) == ("nuclei", "second")
    again.run_row.button.click()
    qtbot.waitUntil(lambda: again.run_row.state == "idle" and again.found is not None, timeout=20_000)
    assert "1 of 2 settled, 1 left" in again.settle.left.text() and again.settle.task is not None


def test_classes_are_settled_with_all_that_are_alike(dock, desk, qtbot):
    assert "kappa" in compare(dock, qtbot, "classes", "counts/domain", "counts/other")
    assert desk.presenter.state.compared.a == "spots"
    dock.settle.begin.click()
    assert "0 of 2 settled" in dock.settle.left.text() and "A says D2, B says D1" in dock.settle.now.text()
    dock.settle.alike.setChecked(True)
    press(dock, "B")
    obs = desk.session.document.table("counts").obs
    assert obs["domain_consensus"].astype(str).tolist() == obs["other"].astype(str).tolist()
    assert "Everything is settled" in dock.settle.message.text()
    desk.undo()
    assert desk.session.document.table("counts").obs["domain_consensus"].iloc[6] == "D2"


def test_a_result_of_other_cells_says_so_and_one_of_others_is_forgotten(dock, desk, qtbot):
    compare(dock, qtbot, "cells", "nuclei", "second")
    desk.correct("delete-cells", labels="second", cells=[9])
    dock.refresh_now()
    assert "Compare again" in dock.message.text()
    pick(dock.b, "nuclei")
    assert dock.found is None and not dock.results.isVisible() and desk.presenter.state.compared is None
    assert "same" in compare(dock, qtbot, "cells", "nuclei", "nuclei")
    pick(dock.kind, "areas")
    assert "no drawn areas" in dock.message.text() and not dock.run_row.button.isEnabled()


def test_the_report_is_exported(dock, desk, qtbot, tmp_path):
    compare(dock, qtbot, "cells", "nuclei", "second")
    dock.export_to(tmp_path / "agreement.json")
    dock.export_to(tmp_path / "agreement.csv")
    assert json.loads((tmp_path / "agreement.json").read_text())["groups"]["only in A"] == 1
    assert (tmp_path / "agreement.csv").read_text().startswith("measure,value,low,high,unit")
    dock.export_to(tmp_path / "nowhere" / "x.json")
    assert dock.message.message.level == "error"


def test_another_readers_section_is_brought_in_and_compared(dock, desk, qtbot, tmp_path):
    mine = desk.session.save(tmp_path / "anna.zarr")
    shutil.copytree(mine, tmp_path / "ben.zarr")
    ben = Session.open_store(tmp_path / "ben.zarr")
    ben.reader = "Ben"
    ben.execute(correct(ben.document, "delete-cells", labels="nuclei", cells=[3, 4]))
    ben.save()
    ben.close()
    dock.bring.open(mine)
    qtbot.waitUntil(lambda: dock.bring.opening.state == "idle")
    assert "the section that is open" in dock.bring.opening.message.text()
    dock.bring.open(tmp_path / "ben.zarr")
    qtbot.waitUntil(lambda: dock.bring.other is not None, timeout=20_000)
    assert dock.bring.reader.text() == "Ben" and dock.bring.tools.isVisible()
    dock.bring.what.setCurrentIndex(dock.bring.what.findText("cells: nuclei"))
    dock.bring.bring()
    assert "nuclei_Ben" in desk.session.document.names("labels")
    dock.refresh_now()
    assert "2 only in A" in compare(dock, qtbot, "cells", "nuclei", "nuclei_Ben")


def test_the_name_said_in_the_history_stands_with_the_next_steps(desk, show, viewer, qtbot):
    dock = show(HistoryDock(viewer))
    dock.refresh_now()
    assert dock.reader.text() == desk.session.reader
    dock.reader.setText("  Anna ")
    qtbot.keyClick(dock.reader, Qt.Key.Key_Return)
    desk.correct("delete-cells", labels="nuclei", cells=[2])
    assert desk.session.history[-1].who == "Anna"
    dock.refresh_now()
    last = dock.steps.topLevelItem(dock.steps.topLevelItemCount() - 1)
    assert last.text(2).startswith("Anna · ")
    desk.take(Session.start(small_section(), source="another"))
    assert desk.session.reader == "Anna"


def test_the_colours_stay_apart_for_the_colour_blind():
    from napari_spatialml.core.colours import _as_deuteranope, _oklab

    rgb = np.array([[int(c[k : k + 2], 16) for k in (1, 3, 5)] for c in COLOURS]) / 255
    for seen in (rgb, _as_deuteranope(rgb)):
        lab = _oklab(seen)
        apart = np.linalg.norm(lab[:, None] - lab[None], axis=2) + np.eye(len(lab))
        assert apart.min() > 0.07
