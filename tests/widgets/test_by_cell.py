"""A person is told that a result is old, and presses one button."""

from __future__ import annotations

import numpy as np

from napari_spatialml.methods import method
from napari_spatialml.session import DomainsSelection, SegmentationSelection, correct, outdated, run
from napari_spatialml.widgets.correct import CorrectDock
from napari_spatialml.widgets.domains import DomainsDock


def test_old_domains_are_made_again_with_the_settings_they_had(viewer, desk, show, qtbot):
    session = desk.session
    run(session, method("segmentation", "watershed")(), SegmentationSelection("dapi", ("DAPI",)))
    mixture = method("domains", "low-pass-mixture")(n_domains=3)
    run(session, mixture, DomainsSelection("nuclei_table", column="niche"))
    dock = show(DomainsDock(viewer))
    dock.refresh_now()
    assert dock.panel.notice.text() == ""
    first = int(session.document.instances("nuclei_table")[0])
    session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=[first]))
    dock.refresh_now()
    assert "The domains in 'niche' are older than this step: delete cell" in dock.panel.notice.text()
    dock.panel.notice.buttons()["Run again"].click()
    qtbot.waitUntil(lambda: dock.panel.state == "idle", timeout=30_000)
    assert outdated(session) == ()
    again = session.history[-1].record
    assert again["selection"]["column"] == "niche" and again["settings"]["n_domains"] == 3
    assert dock.panel.notice.text() == ""


def test_spots_are_averaged_by_cell_with_one_button_and_one_undo(viewer, desk, show, qtbot):
    session = desk.session
    run(session, method("segmentation", "watershed")(), SegmentationSelection("dapi", ("DAPI",)))
    dock = show(CorrectDock(viewer))
    dock.refresh_now()
    held = [dock.by_cell.tables.itemData(i) for i in range(dock.by_cell.tables.count())]
    assert held == ["spot_counts"]  # the pixels of mass spectrometry are not registered yet
    dock.by_cell.average.button.click()
    qtbot.waitUntil(lambda: dock.by_cell.average.state == "idle", timeout=30_000)
    assert "Average spot_counts by cell" in dock.by_cell.average.message.text()
    table = session.document.table("nuclei_spot_counts")
    assert 0 < np.isfinite(np.asarray(table.X)).mean() <= 1
    session.undo()
    assert "nuclei_spot_counts" not in session.document.names("tables")
