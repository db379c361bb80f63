"""The sheet in the Review dock, driven by mouse and keys; what counts is the document."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_spatialml.session import Session
from napari_spatialml.views import sheet as sheets
from napari_spatialml.widgets.desk import desk_of
from napari_spatialml.widgets.review import ReviewDock
from napari_spatialml.widgets.review_grid import COLUMNS, described
from tests.views.discs import MISSING, SECOND_HALF, SHIFTED, SPECK, overlap, section, truth


@pytest.fixture
def dock(viewer, show, qtbot, monkeypatch):
    monkeypatch.setattr(sheets, "SIZE", 10)
    desk = desk_of(viewer)
    desk.take(Session.start(section()))
    made = show(ReviewDock(viewer))
    made.refresh_now()
    made.network.setChecked(False)
    made.run_row.button.click()
    qtbot.waitUntil(lambda: made.review.table != "" and made.run_row.runner.state == "idle", timeout=120_000)
    made.queue.limit.setCurrentIndex(made.queue.limit.findText("all cells"))
    made.activateWindow()
    assert QTest.qWaitForWindowActive(made, 5000), "keys go to the active window"
    yield made
    qtbot.waitUntil(lambda: desk.runner.state == "idle", timeout=60_000)


@pytest.fixture
def sheet(dock, qtbot):
    """Return the dock with its first sheet, on which all is found out."""
    press(dock, "S")
    seen(dock, qtbot)
    return dock


def seen(dock, qtbot):
    made = dock.queue.sheets.sheet
    qtbot.waitUntil(lambda: made.keys != () and all(made.offer(k) is not None for k in made.open), timeout=120_000)


def press(dock, letter):
    QTest.keyClick(dock.windowHandle(), Qt.Key(ord(letter)))


def middle(dock, key):
    grid = dock.queue.sheets.grid
    return grid.box(grid.keys.index(key)).center()


def state(dock, cell):
    item = dock.review.item(cell)
    return None if item is None else item.state


def cells(dock):
    return dock.session.document.grid("cells").read()


def test_a_sheet_takes_the_place_of_the_card_and_gives_it_back(sheet):
    queue = sheet.queue
    assert queue.sheets.isVisibleTo(sheet) and not queue.card.isVisibleTo(sheet) and not sheet.inputs.isVisibleTo(sheet)
    assert sheet.walk.current is None and "All 10 others are right" in queue.sheets.accept.text()
    press(sheet, "S")
    assert not queue.sheets.isVisibleTo(sheet) and queue.card.isVisibleTo(sheet) and sheet.inputs.isVisibleTo(sheet)
    assert sheet.walk.current is not None


def test_a_sheet_says_for_how_many_cells_red_lines_may_yet_come(dock, qtbot):
    press(dock, "S")
    sheets_of = dock.queue.sheets
    qtbot.waitUntil(lambda: len(sheets_of.grid.keys) == 10)
    unknown = sum(sheets_of.sheet.offer(k) is None for k in sheets_of.sheet.open)
    assert unknown == 10 and "10 of 10 are still being looked at" in sheets_of.hint.text()
    seen(dock, qtbot)
    assert "looked at" not in sheets_of.hint.text() and sheets_of.hint.text().startswith("Click")


def test_a_click_mends_and_a_key_accepts_the_rest_in_one_step(sheet, qtbot):
    grid, first = sheet.queue.sheets.grid, sheet.queue.sheets.sheet.keys
    QTest.mouseClick(grid, Qt.MouseButton.LeftButton, pos=middle(sheet, SHIFTED))
    assert overlap(cells(sheet) == SHIFTED, truth() == SHIFTED) > 0.75 and state(sheet, SHIFTED) == "fixed"
    QTest.mouseMove(grid, middle(sheet, SPECK))
    press(sheet, "D")
    assert state(sheet, SPECK) is None
    n = len(sheet.session.history)
    press(sheet, "A")
    assert len(sheet.session.history) == n + 1 and not set(grid.keys) & set(first)
    assert all(state(sheet, c) == "accepted" for c in first if c not in (SHIFTED, SPECK))
    sheet.refresh_now()
    done, every = sheet.review.queue.counts()
    assert f"{done} of {every} done" in sheet.queue.count.text() and done == 9
    sheet.desk.undo()
    assert grid.keys == first and state(sheet, first[-1]) == "pending"


def test_arrows_and_enter_do_what_the_mouse_does(sheet, qtbot):
    grid = sheet.queue.sheets.grid
    assert grid.hasFocus()
    target = grid.keys.index(SECOND_HALF)
    grid.at = 0
    for _ in range(target // COLUMNS):
        QTest.keyClick(grid, Qt.Key.Key_Down)
    for _ in range(target % COLUMNS):
        QTest.keyClick(grid, Qt.Key.Key_Right)
    assert grid.key == SECOND_HALF
    QTest.keyClick(grid, Qt.Key.Key_Return)
    assert state(sheet, SECOND_HALF) is None


def test_a_right_click_opens_the_cell_and_escape_goes_back(sheet):
    grid, zoom = sheet.queue.sheets.grid, sheet.desk.viewer.scene.camera.zoom
    QTest.mouseClick(grid, Qt.MouseButton.RightButton, pos=middle(sheet, SHIFTED))
    assert sheet.walk.current.cell == SHIFTED and sheet.queue.card.isVisibleTo(sheet)
    assert not sheet.queue.sheets.isVisibleTo(sheet) and sheet.desk.viewer.scene.camera.zoom != zoom
    QTest.keyClick(sheet.windowHandle(), Qt.Key.Key_Escape)
    assert sheet.walk.current is None and sheet.queue.sheets.isVisibleTo(sheet) and state(sheet, SHIFTED) == "pending"
    QTest.mouseClick(grid, Qt.MouseButton.RightButton, pos=middle(sheet, SHIFTED))
    press(sheet, "F")
    assert state(sheet, SHIFTED) == "fixed"


def test_the_tip_says_all_reasons_the_size_and_what_a_click_does(sheet):
    made = sheet.queue.sheets.sheet
    said = described(made, SHIFTED)
    item = sheet.review.item(SHIFTED)
    assert all(words[:20] in said for words, _ in item.reasons) and item.reasons
    assert f"{item.diameter * 0.5:.3g} µm across" in said and "A click gives it the red outline" in said


def test_a_missing_cell_is_added_by_a_click(sheet, qtbot):
    sheet.queue.queues["missing"].click()
    seen(sheet, qtbot)
    made, (y, x) = sheet.queue.sheets.sheet, np.argwhere(truth() == MISSING).mean(0)
    near = min(made.keys, key=lambda k: np.hypot(*np.subtract(made.walk.found(k).where, (y, x))))
    QTest.mouseClick(sheet.queue.sheets.grid, Qt.MouseButton.LeftButton, pos=middle(sheet, near))
    assert overlap(cells(sheet) == cells(sheet).max(), truth() == MISSING) > 0.7
    assert "Nothing missing" in sheet.queue.sheets.accept.text() or not made.open


def test_nothing_lies_between_the_thumbnails(sheet):
    grid = sheet.queue.sheets.grid
    assert all(grid.index_at(*point(grid.box(i).center())) == i for i in range(len(grid.keys)))
    assert grid.index_at(5, grid.height() + 50) == -1 and grid.side * COLUMNS <= grid.width()
    picture = grid.grab().toImage()
    assert any(picture.pixelColor(x, grid.box(0).center().y()).lightness() > 60 for x in range(grid.side))


def point(at: QPoint) -> tuple[int, int]:
    return at.x(), at.y()
