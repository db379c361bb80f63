"""Counting and judging, pressed as a person presses them; asserted on the document and on what is drawn."""

from __future__ import annotations

import json

import numpy as np
import pytest
from qtpy.QtCore import QPointF

from napari_spatialml.methods import method
from napari_spatialml.session import SegmentationSelection, correct, run
from napari_spatialml.session.counting import NUCLEAR, SUMS
from napari_spatialml.session.judgement import Judgement, Point
from napari_spatialml.views.loose import LOOSE
from napari_spatialml.widgets.compare import CompareDock
from napari_spatialml.widgets.correct import CorrectDock
from napari_spatialml.widgets.curve import CapturePlot


@pytest.fixture
def cells(desk):
    """Two segmentations of the small sample: nuclei grown by 1 and by 6 µm."""
    session = desk.session
    run(session, method("segmentation", "watershed")(), SegmentationSelection("dapi", ("DAPI",)))
    for name, um in (("small", 1.0), ("wide", 6.0)):
        session.execute(correct(session.document, "expand-nuclei", nuclei="nuclei", labels=name, distance_um=um))
    return session


def test_transcripts_are_counted_with_one_button_and_one_undo(viewer, desk, cells, show, qtbot):
    dock = show(CorrectDock(viewer))
    desk.presenter.hold(labels="wide")
    dock.refresh_now()
    box, before = dock.counting, cells.position
    assert box.isVisibleTo(dock) and not box.quality.isVisibleTo(dock), "these transcripts have no quality"
    box.image.setCurrentIndex(box.image.findData("dapi"))
    box.run_row.button.click()
    qtbot.waitUntil(lambda: box.run_row.state == "idle", timeout=60_000)
    table = cells.document.table("wide_table")
    assert cells.position == before + 1 and NUCLEAR in table.obs and SUMS in table.obsm
    held = int(table.obs["total_counts"].sum())
    loose = cells.document.attribute("segmentations")["wide"]["unassigned"]
    assert f"{loose:,} of {loose + held:,} transcripts lie in no cell" in box.loose.text()
    cells.undo()
    assert NUCLEAR not in cells.document.table("wide_table").obs


def test_those_in_no_cell_are_drawn_until_a_cell_changes(viewer, desk, cells, show, qtbot):
    dock = show(CorrectDock(viewer))
    desk.presenter.hold(labels="small")
    dock.refresh_now()
    dock.counting.see.button.click()
    qtbot.waitUntil(lambda: dock.counting.see.state == "idle", timeout=60_000)
    layer = next(layer for layer in viewer.layers if layer.name == LOOSE)
    (said,) = [legend for legend in desk.presenter.legends() if "in no cell" in legend.title]
    assert desk.visible(said.element), "or the legend is not drawn"
    labels = cells.document.grid("small").read()
    index = np.floor(cells.document.element("transcripts")[["y", "x"]].compute().to_numpy()
                     / np.sqrt(np.linalg.det(cells.document.affine("small").matrix))).astype(int)  # fmt: skip
    inside = (index >= 0).all(1) & (index < labels.shape).all(1)
    expected = int((labels[tuple(index[inside].T)] == 0).sum())
    assert np.nansum(layer.data) == expected
    assert any(f"{expected:,} transcripts in no cell" in legend.title for legend in desk.presenter.legends())
    first = int(cells.document.instances("small_table")[0])
    cells.execute(correct(cells.document, "delete-cells", labels="small", cells=[first]))
    qtbot.waitUntil(lambda: all(layer.name != LOOSE for layer in viewer.layers), timeout=5000)


def test_two_segmentations_are_judged_side_by_side(viewer, desk, cells, show, qtbot, tmp_path):
    dock = show(CompareDock(viewer))
    for box, name in ((dock.kind, "cells"), (dock.a, "small"), (dock.b, "wide")):
        box.setCurrentIndex(box.findData(name))
    dock.refresh_now()
    judging = dock.judging
    judging.run_row.button.click()
    qtbot.waitUntil(lambda: judging.run_row.state == "idle", timeout=60_000)
    figures = {f.name: f.values for f in judging.found.figures}
    assert judging.found.names == ("small", "wide")
    assert figures["Transcripts in cells"][1] > figures["Transcripts in cells"][0]
    assert figures["Cells with one nucleus"] == (1.0, 1.0)
    assert judging.figures.item(1, 0).text() == "Transcripts in cells"
    for curve in judging.found.curves:
        held = [p.assigned for p in curve]
        assert held == sorted(held), "larger cells hold more"
    assert "nothing can be said of purity" in judging.words.text(), "two hundred cells teach no pairs"
    judging.export_to(tmp_path / "judged.json")
    assert json.loads((tmp_path / "judged.json").read_text())["segmentations"] == ["small", "wide"]
    judging.export_to(tmp_path / "judged.csv")
    assert "Transcripts in cells,%" in (tmp_path / "judged.csv").read_text()
    cells.execute(correct(cells.document, "delete-cells", labels="wide",
                          cells=[int(cells.document.instances("wide_table")[0])]))  # fmt: skip
    dock.refresh_now()
    assert "was changed since" in judging.run_row.message.text()


def test_the_plot_tells_of_the_point_under_the_mouse(show):
    points = (Point(-1.0, 0.2, 0.99), Point(0.0, 0.5, 0.9), Point(5.0, 0.9, float("nan")))
    found = Judgement(("a", "b"), (), (points, ()), (("g", "h"),), True, ())
    plot = show(CapturePlot())
    plot.show_judgement(found)
    plot.grab()
    assert plot.words_at(plot._place(points[1])) == "a, as drawn: 50.0 % in cells, purity 90.0 %"
    assert plot.words_at(plot._place(points[0])) == "a, shrunk by 1 µm: 20.0 % in cells, purity 99.0 %"
    assert plot.words_at(QPointF(-50, -50)) == ""
