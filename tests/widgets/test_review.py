"""The Review dock, driven by its keys and buttons; what counts is the document."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from qtpy.QtCore import QCoreApplication, QEvent, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLineEdit

from napari_spatialml.session import Session, correct
from napari_spatialml.session.reviewed import STATE
from napari_spatialml.views.tools import Pointer
from napari_spatialml.widgets.desk import desk_of
from napari_spatialml.widgets.review import ReviewDock
from tests.session.conftest import small_section
from tests.session.judged import Judge, judge  # noqa: F401  (a fixture)


@pytest.fixture
def dock(viewer, judge, show, qtbot):  # noqa: F811
    judge.places = [(4.0, 2.5, 30, 0.9), (92.0, 92.0, 60, 0.5)]
    desk = desk_of(viewer)
    desk.take(Session.start(small_section()))
    # one cell is cut in two, and one is a speck
    desk.correct("split-cell", labels="nuclei", cell=4, line=[[40, 0], [40, 40]])
    made = show(ReviewDock(viewer))
    made.refresh_now()
    yield made
    qtbot.waitUntil(lambda: desk.runner.state == "idle", timeout=60_000)


def test_where_nothing_can_be_pressed_the_reason_is_said(dock, monkeypatch):
    monkeypatch.setattr(dock.session, "recoverable", 3)
    dock.refresh_now()
    assert not dock.run_row.button.isEnabled() and "are to be restored" in dock.message_line().text()
    monkeypatch.undo()
    dock.refresh_now()
    assert dock.run_row.button.isEnabled() and dock.message_line().text() == ""


@pytest.fixture
def ranked(dock, qtbot):
    dock.run_row.button.click()
    qtbot.waitUntil(lambda: dock.review.table != "" and dock.run_row.runner.state == "idle", timeout=120_000)
    dock.queue.limit.setCurrentIndex(dock.queue.limit.findText("all cells"))
    dock.queue.start()
    dock.activateWindow()
    assert QTest.qWaitForWindowActive(dock, 5000), "keys go to the active window"
    return dock


def state(dock, cell):
    item = dock.review.item(cell)
    return None if item is None else item.state


def key(dock, text):
    """Press a key on the window, as a person does."""
    _, letter = ("", text) if "+" not in text else text.split("+")
    held = Qt.KeyboardModifier.ShiftModifier if "Shift" in text else Qt.KeyboardModifier.NoModifier
    QTest.keyClick(dock.windowHandle(), Qt.Key(ord(letter)), held)


def settle(qtbot, condition):
    qtbot.waitUntil(condition, timeout=60_000)


def test_before_the_cells_are_ranked_there_is_one_thing_to_do(dock):
    assert dock.run_row.button.isEnabled() and dock.run_row.button.text() == "Rank cells"
    assert not dock.queue.isVisibleTo(dock) and not dock.export.isVisibleTo(dock)


def test_accept_goes_on_to_the_next_most_suspicious_cell_and_the_camera_with_it(ranked):
    first = ranked.walk.current
    order = ranked.review.queue.open().tolist()
    assert first.cell == order[0] and f"Cell {first.cell}" in ranked.queue.card.head.text()
    camera = ranked.desk.viewer.scene.camera
    assert np.allclose(camera.center[-2:], np.array(first.centre) * 0.5)
    zoom = camera.zoom
    key(ranked, "A")
    assert state(ranked, first.cell) == "accepted" and ranked.walk.current.cell == order[1]
    assert np.allclose(camera.center[-2:], np.array(ranked.walk.current.centre) * 0.5) and camera.zoom == zoom
    assert "1 of 10 done, 9 left" in ranked.queue.count.text()


@pytest.mark.parametrize("decision", ["A", "W"])
def test_who_takes_a_decision_back_sees_its_cell_again(ranked, decision, qtbot):
    first = ranked.walk.current.cell
    key(ranked, decision)
    second = ranked.walk.current.cell
    key(ranked, decision)
    third = ranked.walk.current.cell
    assert len({first, second, third}) == 3
    for cell in (second, first):
        ranked.desk.undo()
        settle(qtbot, lambda wanted=cell: ranked.walk.current.cell == wanted)
        assert state(ranked, cell) == "pending" and f"Cell {cell}" in ranked.queue.card.head.text()
    key(ranked, decision)
    assert ranked.walk.current.cell == second, "and the queue goes on from there"


def test_who_takes_a_fix_back_sees_its_cell_again(ranked, qtbot):
    speck = ranked.walk.current.cell
    key(ranked, "F")
    settle(qtbot, lambda: ranked.walk.current.cell != speck)
    ranked.desk.undo()
    settle(qtbot, lambda: ranked.walk.current.cell == speck)
    assert ranked.walk.proposal is not None


def test_a_correction_that_was_no_decision_is_undone_where_one_is(ranked, qtbot):
    key(ranked, "A")
    here = ranked.walk.current.cell
    ranked.desk.correct("draw-cell", labels="nuclei", outline=[[90, 2], [90, 5], [93, 5], [93, 2]], new_id=990)
    ranked.desk.undo()
    qtbot.wait(50)
    assert ranked.walk.current.cell == here


def test_next_passes_over_a_cell_which_comes_again_at_the_end(ranked):
    first = ranked.walk.current.cell
    key(ranked, "N")
    assert ranked.walk.current.cell != first and state(ranked, first) == "pending"
    for _ in range(9):
        key(ranked, "A")
    assert ranked.walk.current.cell == first
    key(ranked, "Shift+N")
    assert ranked.walk.current.state == "accepted", "back shows what was decided"
    assert "Accepted" in ranked.queue.card.state.text()


def test_fix_does_what_is_drawn_and_said(ranked, qtbot):
    speck = ranked.walk.current.cell
    assert "F deletes it" in ranked.queue.card.what.text() and ranked.walk.proposal.lines is not None
    assert ranked.desk.presenter.tool == "" and state(ranked, speck) == "pending", "looking changes nothing"
    key(ranked, "F")
    settle(qtbot, lambda: ranked.walk.current.cell != speck)
    assert state(ranked, speck) is None and ranked.desk.presenter.tool == ""
    ranked.desk.undo()
    assert state(ranked, speck) == "pending"


def test_where_nothing_can_be_proposed_fix_takes_the_tool_in_the_hand(ranked, monkeypatch):
    monkeypatch.setattr("napari_spatialml.views.review.tool_for", lambda item, median: "redraw")
    key(ranked, "N")
    assert ranked.desk.presenter.tool == "" and "drag around it" in ranked.queue.card.what.text()
    key(ranked, "F")
    assert ranked.desk.presenter.tool == "redraw" and "Drag around the cell" in ranked.queue.card.what.text()


def test_the_hand_may_do_it_otherwise_and_the_queue_goes_on(ranked, qtbot):
    presenter, cell = ranked.desk.presenter, ranked.walk.current
    key(ranked, "G")
    assert presenter.tool == "merge" and presenter.selected_cells == (cell.cell,)
    other = ranked.review.item(5)
    um = np.array(other.centre) * 0.5
    presenter.current.press(Pointer(um))
    presenter.current.release(Pointer(um))
    settle(qtbot, lambda: ranked.walk.current is not None and ranked.walk.current.cell not in (cell.cell, 5))
    assert {state(ranked, cell.cell), state(ranked, 5)} == {None, "fixed"} and presenter.tool == ""


def test_halves_are_glued_by_the_proposal_and_undo_brings_both_back(ranked, qtbot):
    review = ranked.review
    cut = review.queue.cells[np.isin(review.queue.cells, [4, 10])].tolist()
    ranked.walk.current = review.item(cut[0])
    key(ranked, "G")
    assert f"merges it with cell {cut[1]}" in ranked.walk.proposal.words and state(ranked, cut[1]) == "pending"
    key(ranked, "G")
    settle(qtbot, lambda: ranked.walk.current.cell not in cut)
    assert [state(ranked, c) for c in (4, 10)] == ["fixed", None]
    ranked.desk.undo()
    assert [state(ranked, c) for c in (4, 10)] == ["pending", "pending"]


def test_a_redrawn_cell_keeps_its_id_and_is_fixed(ranked, qtbot):
    presenter, cell = ranked.desk.presenter, ranked.walk.current.cell
    key(ranked, "R")
    assert presenter.tool == "redraw"
    tool, where = presenter.current, np.array([[26.0, 3], [26, 14], [32, 14], [32, 3]]) * 0.5
    tool.press(Pointer(where[0]))
    for at in where[1:]:
        tool.move(Pointer(at))
    tool.release(Pointer(where[-1]))
    settle(qtbot, lambda: ranked.walk.current.cell != cell)
    assert state(ranked, cell) == "fixed" and (ranked.session.document.grid("nuclei").read() == cell).sum() == 66


def test_a_missing_cell_is_drawn_by_one_key_or_dismissed(ranked, qtbot):
    ranked.queue.queues["missing"].click()
    assert ranked.walk.current.where == (4.0, 2.5) and ranked.desk.presenter.tool == "draw"
    n = len(ranked.review.queue.cells)
    key(ranked, "F")
    settle(qtbot, lambda: ranked.walk.current.where == (92.0, 92.0))
    assert len(ranked.review.queue.cells) == n + 1
    key(ranked, "A")
    assert [p.state for p in ranked.review.places()] == ["drawn", "dismissed"]
    assert ranked.walk.current is None and "No place is left" in ranked.queue.count.text()
    assert ranked.desk.presenter.tool == ""


def test_the_sample_is_judged_blind_and_says_its_interval(ranked):
    ranked.queue.queues["sample"].click()
    drawn = ranked.review.sample().cells
    assert len(drawn) == 10 and ranked.walk.current.cell == drawn[0]
    assert "likely" not in ranked.queue.card.head.text() and not ranked.queue.buttons["fix"].isVisibleTo(ranked)
    key(ranked, "W")
    for _ in range(9):
        key(ranked, "A")
    assert "9 of 10 right: 90 % (90 to 90 %)" in ranked.queue.count.text(), "all ten cells were looked at"
    assert state(ranked, drawn[0]) == "wrong" and ranked.walk.current is None
    ranked.queue.again.click()
    assert ranked.review.sample().cells != drawn and not ranked.review.sample().right


def test_an_edit_scores_the_neighbours_again_beside_the_window(ranked, qtbot):
    before = ranked.review.item(5).score
    ranked.desk.correct("delete-cells", labels="nuclei", cells=[5])
    ranked.desk.undo()
    window = np.zeros((14, 24), np.int32)
    from napari_spatialml.session.corrections import packed

    ranked.desk.correct("paint-labels", labels="nuclei", offset=[36, 36], values=packed(window))
    settle(qtbot, lambda: ranked.review.item(5).score > before)
    assert ranked.review.scoring_job() is None


def test_another_section_begins_another_review(ranked, qtbot, viewer):
    former = ranked.walk
    ranked.desk.take(Session.start(small_section(1)))
    ranked.refresh_now()
    assert ranked.walk is not former and ranked.walk.current is None and not ranked.review.table
    assert not any(layer.name == "review" for layer in viewer.layers)


def test_a_dock_that_was_closed_does_not_answer_to_corrections(ranked, viewer):
    other = ReviewDock(viewer)
    other.refresh_now()
    other.queue.start()
    other.deleteLater()
    QCoreApplication.sendPostedEvents(other, QEvent.Type.DeferredDelete)
    assert ranked.desk.correct("delete-cells", labels="nuclei", cells=[5])
    other.walk.moved.emit()
    other.review.changed.emit()


def test_the_table_is_written(ranked, tmp_path):
    first = ranked.walk.current.cell
    key(ranked, "A")
    ranked.export_to(tmp_path / "review.csv")
    assert "10 cells written" in ranked.run_row.message.text()
    with (tmp_path / "review.csv").open(newline="") as file:
        rows = {int(row["cell"]): row["state"] for row in csv.DictReader(file)}
    assert rows.pop(first) == "accepted" and set(rows.values()) == {"pending"}


def test_a_section_without_cells_says_what_to_do_first(viewer, show, judge):  # noqa: F811
    desk = desk_of(viewer)
    section = small_section()
    del section.labels["nuclei"], section.labels["pixels"], section.tables["nuclei_table"]
    desk.take(Session.start(section))
    made = show(ReviewDock(viewer))
    made.refresh_now()
    assert not made.run_row.button.isEnabled() and "Segment an image first" in made.run_row.message.text()


def test_a_key_counts_however_fast_the_next_one_comes_and_is_text_where_text_is_typed(ranked):
    order = ranked.review.queue.open().tolist()
    for _ in range(4):
        key(ranked, "A")
    assert [state(ranked, c) for c in order[:5]] == ["accepted"] * 4 + ["pending"]
    line = QLineEdit(ranked)
    line.show()
    line.setFocus()
    key(ranked, "A")
    assert line.text().lower() == "a" and state(ranked, order[4]) == "pending"


def test_a_recovered_or_read_only_section_is_only_looked_at(ranked):
    assert STATE in ranked.session.document.table("nuclei_table").obs
    ranked.session.read_only = True
    ranked.refresh_now()
    assert not ranked.queue.isEnabled() and not ranked.run_row.button.isEnabled()
    ranked.session.read_only = False


def test_corrections_of_the_review_are_known_by_their_names(ranked):
    with pytest.raises(Exception, match="no cell"):
        correct(ranked.session.document, "accept-cells", labels="nuclei", cells=[999])


def test_the_marks_leave_the_canvas_with_the_dock_and_come_back_with_it(ranked):
    layer = next(one for one in ranked.desk.viewer.layers if one.name == "review")
    cells = ranked.desk.presenter.layer_of("nuclei")
    seen, outlined = layer.data.copy(), cells.contour
    assert len(seen) > 0 and outlined > 0
    ranked.hide()
    assert len(layer.data) == 0
    ranked.show()
    assert np.array_equal(layer.data, seen) and cells.contour == outlined
