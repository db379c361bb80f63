"""Sheets of the review queue: one queue with the walk, one command for the rest, nothing but the windows read."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_spatialml.session import Session
from napari_spatialml.session.evidence import EvidenceReader
from napari_spatialml.session.review import Review
from napari_spatialml.views import sheet as sheets
from napari_spatialml.views.presenter import Presenter
from napari_spatialml.views.review import Walk
from napari_spatialml.views.sheet import Sheet
from tests.views.discs import HALVES, MISSING, SECOND_HALF, SHIFTED, SPECK, overlap, section, truth


def looked_at(session):
    """Return a sheet of a session, and the walk."""
    presenter = Presenter(ViewerModel(), session)
    presenter.show()
    review = Review(session, "cells")
    walk = Walk(presenter, review)
    made = Sheet(walk)
    made.kept = presenter
    return made, walk


@pytest.fixture
def session():
    made = Session.start(section())
    review = Review(made, "cells")
    job, store = review.ranking_job(review.sources)
    store(job(lambda *_: None))
    review.close()
    yield made
    made.close()


@pytest.fixture
def sheet(session, monkeypatch):
    monkeypatch.setattr(sheets, "SIZE", 10)
    made, _ = looked_at(session)
    made.start("cells", 0.0, "")
    return made


def settle(sheet):
    """Do what the dock does beside the window, until nothing is left."""
    while (made := sheet.job()) is not None:
        made[1](made[0](lambda *_: None))


def states(sheet):
    return dict(zip(sheet.review.queue.cells.tolist(), sheet.review.queue.states.tolist(), strict=True))


def test_the_sheet_shows_the_worst_first_and_its_pictures_come_beside_the_window(sheet):
    assert list(sheet.keys) == sheet.review.queue.open()[:10].tolist()
    assert sheet.stamp(sheet.keys[0]).picture is None and sheet.offer(sheet.keys[0]) is None
    settle(sheet)
    for key in sheet.keys:
        stamp = sheet.stamp(key)
        y0, y1, x0, x1 = stamp.picture.window
        assert stamp.picture.rgb.shape == (y1 - y0, x1 - x0, 3) and stamp.picture.rgb.dtype == np.uint8
        assert len(stamp.own) and sheet.offer(key) is not None
    wrong = {HALVES, SECOND_HALF, SHIFTED, SPECK}
    assert wrong <= set(sheet.keys) and all(sheet.proposal(k) is not None for k in wrong)


def test_only_windows_are_read_and_the_contrast_is_that_of_the_sheet(sheet, monkeypatch):
    read = []
    pixels = EvidenceReader.pixels
    monkeypatch.setattr(EvidenceReader, "pixels", lambda self, w: read.append(w) or pixels(self, w))
    job, take = sheet.job()
    take(job(lambda *_: None))
    assert len(read) == 10 and all((b - a) * (d - c) < 90**2 for a, b, c, d in read)
    image = np.asarray(sheet.review.document.element("image").data)[0]
    seen = [sheet.stamp(k).picture for k in sheet.keys]
    values = np.concatenate([image[a:b, c:d].ravel() for a, b, c, d in (p.window for p in seen)])
    grey = np.concatenate([p.rgb[..., 0].ravel() for p in seen]).astype(float)
    low, high = np.percentile(values, [1.0, 99.0])
    assert np.abs(grey - 255 * np.clip((values - low) / (high - low), 0, 1)).max() <= 1.0


def test_a_click_does_what_is_red_as_one_step_that_can_be_undone(sheet):
    settle(sheet)
    before, n = sheet.review.document.grid("cells").read().copy(), len(sheet.review.session.history)
    assert sheet.fix(SHIFTED) and len(sheet.review.session.history) == n + 1
    now = sheet.review.document.grid("cells").read()
    assert overlap(now == SHIFTED, truth() == SHIFTED) > 0.75 and sheet.state(SHIFTED) == "fixed"
    assert SHIFTED in sheet.keys, "the others stay where they are"
    assert not sheet.fix(SHIFTED), "a second click does nothing"
    sheet.review.session.undo()
    assert np.array_equal(sheet.review.document.grid("cells").read(), before) and sheet.state(SHIFTED) == "open"


def test_both_halves_go_with_one_click(sheet):
    settle(sheet)
    assert sheet.fix(SECOND_HALF)
    assert {sheet.state(HALVES), sheet.state(SECOND_HALF)} == {"fixed", "gone"}
    assert overlap(sheet.review.document.grid("cells").read() == HALVES, truth() == HALVES) > 0.95
    assert not {HALVES, SECOND_HALF} & set(sheet.open)


def test_all_others_are_right_is_one_step_and_its_undo_shows_the_sheet_again(sheet):
    settle(sheet)
    sheet.fix(SPECK)
    sheet.flag(SHIFTED)
    first, n = sheet.keys, len(sheet.review.session.history)
    rest = sheet.open
    sheet.accept_rest()
    assert len(sheet.review.session.history) == n + 1 and len(rest) == 8
    assert {states(sheet)[c] for c in rest} == {1} and states(sheet)[SHIFTED] == 3 and SPECK not in states(sheet)
    assert not set(sheet.keys) & set(first)
    sheet.review.session.undo()
    assert sheet.keys == first and sheet.open == rest and {states(sheet)[c] for c in rest} == {0}
    sheet.review.session.redo()
    assert {states(sheet)[c] for c in rest} == {1} and not set(sheet.keys) & set(first)


def test_sheets_and_walk_are_one_queue(sheet):
    accepted = sheet.open
    sheet.accept_rest()
    sheet.stop()
    walk = sheet.walk
    walk.start("cells", 0.0)
    assert walk.current.cell not in accepted
    decided = walk.current.cell
    walk.accept()
    sheet.start("cells", 0.0)
    assert decided not in sheet.keys and not set(accepted) & set(sheet.keys)
    done, every = sheet.review.queue.counts()
    assert (done, every) == (11, len(sheet.review.queue.cells))


def test_what_was_passed_over_or_flagged_comes_at_the_end(sheet):
    passed = sheet.open
    sheet.next()
    assert not set(passed) & set(sheet.keys)
    for _ in range(2):
        sheet.accept_rest()
    sheet.accept_rest()
    assert set(sheet.keys) <= set(passed) and len(sheet.keys)


def test_a_cell_is_opened_mended_by_hand_and_nothing_else_follows(sheet):
    settle(sheet)
    sheet.visit(SHIFTED)
    walk = sheet.walk
    assert walk.current.cell == SHIFTED and walk.proposal.correction == "redraw-cell"
    scale = np.linalg.norm(walk.proposal.lines[:, 1], axis=1).sum()
    own = np.linalg.norm(sheet.proposal(SHIFTED).lines[:, 1], axis=1).sum()
    assert scale == pytest.approx(own / 2), "in µm on the canvas, in pixels on the sheet"
    walk.fix()
    assert walk.current is None and sheet.state(SHIFTED) == "fixed"
    sheet.visit(HALVES, "redraw")
    assert walk.presenter.tool == "redraw"
    walk.visit(None)
    assert walk.presenter.tool == "" and sheet.state(HALVES) == "open"


def test_another_tool_is_first_drawn_then_carried_out(sheet):
    settle(sheet)
    assert sheet.proposal(SHIFTED).tool == "redraw"
    assert not sheet.fix(SHIFTED, "split") and sheet.proposal(SHIFTED).tool == "split"
    assert sheet.fix(SHIFTED, "split") and sheet.state(SHIFTED) == "fixed"


def test_what_was_found_before_an_edit_nearby_is_not_carried_out(sheet):
    settle(sheet)
    told = []
    sheet.walk.presenter.told.connect(lambda level, sentence: told.append(sentence))
    sheet.walk.presenter.correct("delete-cells", labels="cells", cells=[SECOND_HALF])
    n = len(sheet.review.session.history)
    assert sheet.offer(HALVES) is None and not sheet.fix(HALVES) and len(sheet.review.session.history) == n
    assert "still being looked at" in told[-1]
    settle(sheet)
    assert sheet.offer(HALVES) is not None and sheet.offer(HALVES).best != "merge"


def test_a_missing_cell_is_added_by_a_click_and_the_others_dismissed_in_one_step(sheet):
    sheet.start("missing", 0.0, "")
    settle(sheet)
    y, x = (int(v) for v in np.argwhere(truth() == MISSING).mean(0))
    where = {k: sheet.walk.found(k).where for k in sheet.keys}
    key = min(where, key=lambda k: np.hypot(where[k][0] - y, where[k][1] - x))
    assert sheet.proposal(key).correction == "draw-cell"
    top = sheet.review.document.grid("cells").read().max()
    assert sheet.fix(key) and sheet.state(key) == "drawn"
    assert overlap(sheet.review.document.grid("cells").read() == top + 1, truth() == MISSING) > 0.7
    rest, n = sheet.open, len(sheet.review.session.history)
    if rest:
        sheet.accept_rest()
        assert len(sheet.review.session.history) == n + 1
    assert not sheet.open and all(p.state in ("drawn", "dismissed") for p in sheet.review.places())


def test_sheets_survive_save_and_reopening(sheet, session, tmp_path):
    settle(sheet)
    sheet.fix(SPECK)
    sheet.accept_rest()
    expected = sheet.keys
    session.save(tmp_path / "s.zarr")
    again = Session.open_store(tmp_path / "s.zarr")
    other, _ = looked_at(again)
    other.start("cells", 0.0, "")
    assert other.keys == expected
    again.close()
