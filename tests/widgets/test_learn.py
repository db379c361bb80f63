"""The Learn dock: what is done is listed, what was learned is shown, accepted or thrown away."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import QPushButton

pytest.importorskip("torch")
pytest.importorskip("cv2")

from napari_spatialml.core import flow_training
from napari_spatialml.core.flow_models import models
from napari_spatialml.core.flow_training import Schedule
from napari_spatialml.core.learning import Judged, Lesson, Outcome
from napari_spatialml.core.segmentation import Pixels
from napari_spatialml.session import Session
from napari_spatialml.session.done import done_windows
from napari_spatialml.session.learning import Learnt
from napari_spatialml.widgets.correct import CorrectDock
from napari_spatialml.widgets.desk import desk_of
from napari_spatialml.widgets.learn import LearnDock
from napari_spatialml.widgets.segment import SegmentDock
from napari_spatialml.widgets.side_by_side import pictures
from tests.session.test_learning import WINDOWS, discs


@pytest.fixture
def desk(viewer):
    made = desk_of(viewer)
    made.take(Session.start(discs()))
    return made


@pytest.fixture
def dock(desk, viewer, show, monkeypatch):
    monkeypatch.setattr(flow_training, "SCHEDULE", Schedule(steps=(3, 0, 3), batch=1, size=64))
    made = show(LearnDock(viewer))
    made.refresh_now()
    return made


def learned(dock, qtbot):
    dock.run_row.button.click()
    qtbot.waitUntil(lambda: dock.run_row.state == "idle", timeout=120_000)


def test_without_a_window_there_is_nothing_to_press_and_the_way_is_said(dock):
    assert not dock.run_row.button.isEnabled() and "mark it as done" in dock.said.text()
    assert not dock.result.isVisibleTo(dock) and not dock.windows.isVisibleTo(dock)


def test_what_is_in_view_is_marked_under_correct_framed_listed_and_undone(desk, viewer, show, dock):
    correct = show(CorrectDock(viewer))
    correct.refresh_now()
    desk.presenter.fit()
    correct.done.mark()
    (done,) = done_windows(desk.session.document)
    y0, y1, x0, x1 = done.window
    assert min(y1 - y0, x1 - x0) > 32
    frame = next(layer for layer in viewer.layers if layer.name == "nuclei: done")
    assert frame.visible and len(frame.data) == 4
    assert np.allclose(frame.data[0, 0], np.array([y0, x0]) * 0.5)
    correct.refresh_now()
    dock.refresh_now()
    assert "1 window is done" in correct.done.said.text() and dock.windows.count() == 1
    desk.undo()
    dock.refresh_now()
    assert dock.windows.count() == 0 and not any(layer.name == "nuclei: done" for layer in viewer.layers)


def test_learning_shows_before_and_after_and_accepting_sets_segment_to_it(desk, dock, viewer, show, qtbot):
    for window in WINDOWS[:2]:
        desk.correct("mark-done", labels="nuclei", window=window)
    dock.refresh_now()
    assert "held out" in dock.windows.item(1).text() and "held out" not in dock.windows.item(0).text()
    segment = show(SegmentDock(viewer))
    learned(dock, qtbot)
    assert dock.result.isVisibleTo(dock) and "AP@0.5 goes from" in dock.message_line().text()
    assert "AP@0.75" in dock.figures.text() and "after:" in dock.pictures.words[3].text()
    dock.accept()
    (kept,) = models()
    assert segment.panel.method().weights == kept.name
    assert segment.panel.form.fields["weights"].currentText() == kept.title
    assert not dock.result.isVisibleTo(dock)


def test_what_it_was_learned_from_is_not_replaced_by_the_next_run(desk, dock, viewer, show, qtbot):
    for window in WINDOWS[:2]:
        desk.correct("mark-done", labels="nuclei", window=window)
    segment = show(SegmentDock(viewer))
    segment.refresh_now()
    segment.output.setText("nuclei")
    dock.refresh_now()
    learned(dock, qtbot)
    dock.accept()
    assert segment.output.text() not in desk.session.document.names("labels")
    assert len(done_windows(desk.session.document)) == 2


def test_a_network_that_got_worse_is_not_praised(desk, dock):
    lesson = Lesson(Pixels(np.zeros((1, 64, 64), np.uint8)), np.zeros((64, 64), np.int32), None)
    told = {}
    for before, after in ((0.93, 0.84), (0.84, 0.93)):
        judged = (Judged(lesson, lesson.labels, lesson.labels),)
        outcome = Outcome(None, (before, 0.5, 0.2), (after, 0.5, 0.2), judged)
        dock._for = desk.session
        told[after] = dock._done(Learnt(outcome, {}, None))
        dock._learnt = None
    assert told[0.84].level == "warning" and "reject" in told[0.84].hint and "from 0.93 to 0.84" in told[0.84].text
    assert isinstance(told[0.93], str)


def test_windows_that_all_overlap_are_said_to_be_one(desk, dock):
    not_done = next(b for b in dock.tools.findChildren(QPushButton) if b.text() == "Not done")
    assert not not_done.isEnabled()
    y0, y1, x0, x1 = WINDOWS[0]
    desk.correct("mark-done", labels="nuclei", window=WINDOWS[0])
    dock.refresh_now()
    assert "It is cut in two" in dock.said.text() and not_done.isEnabled()
    desk.correct("mark-done", labels="nuclei", window=(y0, y1 - 8, x0, x1 - 8))
    dock.refresh_now()
    assert "They overlap" in dock.said.text() and "held out" not in dock.windows.item(1).text()
    desk.correct("mark-done", labels="nuclei", window=WINDOWS[1])
    dock.refresh_now()
    assert "overlap" not in dock.said.text()


def test_rejecting_leaves_no_file_and_no_step(desk, dock, qtbot):
    desk.correct("mark-done", labels="nuclei", window=WINDOWS[0])
    dock.refresh_now()
    steps = len(desk.session.history)
    learned(dock, qtbot)
    dock.reject()
    assert models() == () and len(desk.session.history) == steps and not dock.result.isVisibleTo(dock)


def test_stop_ends_learning_and_keeps_nothing(desk, dock, qtbot, monkeypatch):
    monkeypatch.setattr(flow_training, "SCHEDULE", Schedule(steps=(5000, 0, 5000), batch=1, size=64))
    desk.correct("mark-done", labels="nuclei", window=WINDOWS[0])
    dock.refresh_now()
    dock.run_row.button.click()
    qtbot.waitUntil(lambda: "step" in dock.run_row.step.text(), timeout=120_000)
    dock.run_row.button.click()
    qtbot.waitUntil(lambda: dock.run_row.state == "idle", timeout=30_000)
    assert dock.message_line().text().startswith("Stopped") and not dock.result.isVisibleTo(dock) and models() == ()


def test_outlines_of_right_cells_are_green_and_those_of_others_orange():
    true, before = np.zeros((2, 64, 64), np.int32)
    true[8:24, 8:24], true[40:56, 40:56] = 1, 2
    before[8:24, 9:24], before[40:46, 40:46] = 5, 7
    pixels = Pixels(np.full((1, 64, 64), 9, np.uint8))
    image, corrected, first, last = pictures(Judged(Lesson(pixels, true, pixels), before, true))
    assert image.shape == corrected.shape == (352, 352, 3)
    scale = 352 / 64
    green, orange = ((first == colour).all(axis=2) for colour in ((90, 220, 120), (255, 120, 80)))
    for drawn, (y0, y1, x0, x1) in ((green, (8, 24, 9, 24)), (orange, (40, 46, 40, 46))):
        y, x = np.nonzero(drawn)
        assert np.abs(np.array([y.min(), y.max() + 1, x.min(), x.max() + 1]) / scale - (y0, y1, x0, x1)).max() < 0.5
    assert (last == (90, 220, 120)).all(axis=2).sum() == (corrected == 255).all(axis=2).sum() > 0
