"""Drawing, splitting and deleting cells with the mouse in a real window, down to the pixels and the store."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_spatialml.session import Session

from ..views.conftest import CELLS_UM, own_state, section  # noqa: F401
from .conftest import _moved, opened


def um(y, x):
    return ((y + 0.5) * CELLS_UM, (x + 0.5) * CELLS_UM)


@pytest.fixture
def window(make_napari_viewer, tmp_path):
    store = tmp_path / "section.zarr"
    section().write(store)
    session = Session.open_store(store)
    with opened(make_napari_viewer, session, shown=("cells",), colours={"cells": None}) as made:
        made.presenter.layer_of("cells").opacity = 1.0
        made.settle()
        yield made


def held(window):
    """What the store holds, opened anew."""
    import spatialdata

    window.presenter.session.save()
    return spatialdata.read_zarr(window.presenter.session.store)["cells"].to_numpy()


def names(window):
    return [e.label for e in window.presenter.session.history]


def parts(window, *places):
    """Press, and move through the other places, with the button still down."""
    native = window.canvas.native
    points = [QPoint(*window.at(p)) for p in places]
    QTest.mouseMove(native, points[0])
    QTest.mousePress(native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, points[0])
    window.settle()
    for point in points[1:]:
        _moved(native, point)
        QTest.qWait(40)  # a hand is no faster; napari drops moves that follow within 5 ms
    window.settle()


def up(window, place):
    point = QPoint(*window.at(place))
    QTest.mouseRelease(window.canvas.native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point)
    window.settle()


def right(window, place):
    point = QPoint(*window.at(place))
    for act in (QTest.mousePress, QTest.mouseRelease):
        act(window.canvas.native, Qt.MouseButton.RightButton, Qt.KeyboardModifier.NoModifier, point)
        window.settle()


def hover(window, *places):
    for place in places:
        QTest.mouseMove(window.canvas.native, QPoint(*window.at(place)))
        QTest.qWait(40)
    window.settle()


def bright(colour):
    return max(colour) > 60


def test_a_cell_drawn_with_the_mouse_is_seen_and_lies_in_the_store(window):
    presenter = window.presenter
    presenter.use("draw", labels="cells")
    ring = [um(*at) for at in ((48, 18), (48, 30), (57, 30), (57, 18))]
    parts(window, *ring)
    assert names(window) == []
    (line,) = window.colours(um(48, 24))
    assert bright(line), "the outline is seen while it is drawn"
    up(window, ring[-1])
    assert names(window) == ["draw cell 10 in cells"]
    inside, outside = window.colours(um(52, 24), um(53, 14))
    assert bright(inside) and not bright(outside)
    stored = held(window)
    assert stored[52, 24] == 10 and 80 < (stored == 10).sum() < 150
    window.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not bright(window.colours(um(52, 24))[0])
    assert not (held(window) == 10).any()


def test_the_two_parts_of_a_split_are_seen_before_and_after_the_button_comes_up(window):
    presenter = window.presenter
    presenter.use("split", labels="cells")
    before = held(window)
    places = [um(y, 23.6) for y in (20, 22, 25, 28, 32)]
    parts(window, *places)
    assert names(window) == [] and np.array_equal(held(window), before), "a preview changes nothing"
    one, other = window.colours((22 * CELLS_UM, 21 * CELLS_UM), (22 * CELLS_UM, 26 * CELLS_UM))
    assert one[0] > one[2] + 60, "the edge of one part is yellow"
    assert other[2] > other[0] + 60, "that of the other is blue"
    up(window, places[-1])
    assert names(window) == ["split cell 5 in cells"]
    stored = held(window)
    assert {int(v) for v in np.unique(stored[before == 5])} == {5, 10}
    first, second = window.colours(um(26, 20), um(26, 26))
    assert bright(first) and bright(second) and first != second


def test_a_lasso_with_the_mouse_deletes_many_and_escape_forgets_one(window):
    presenter = window.presenter
    presenter.use("delete", labels="cells")
    ring = [um(*at) for at in ((2, 2), (2, 26), (14, 26), (14, 2), (4, 2))]
    parts(window, *ring)
    QTest.keyClick(window.canvas.native, Qt.Key.Key_Escape)
    up(window, ring[-1])
    assert names(window) == [] and presenter.tool == "delete"
    parts(window, *ring)
    up(window, ring[-1])
    assert names(window) == ["delete cells 1 and 2 in cells"]
    assert set(np.unique(held(window)).tolist()) == {0, 3, 4, 5, 6, 7, 8, 9}
    assert not any(map(bright, window.colours(um(8, 8), um(8, 22))))


def test_as_in_cellpose_a_right_click_begins_an_outline_that_follows_the_mouse(window):
    presenter = window.presenter
    presenter.hold(preset="Cellpose")
    window.key(Qt.Key.Key_E, Qt.KeyboardModifier.NoModifier)
    assert presenter.tool == "choose"
    looked_at = tuple(presenter.viewer.scene.camera.center), presenter.viewer.scene.camera.zoom
    start = um(48, 18)
    right(window, start)
    hover(window, *(um(*at) for at in ((48, 24), (48, 30), (57, 30), (57, 18), (53, 18))), start)
    assert names(window) == ["draw cell 10 in cells"]
    assert held(window)[52, 24] == 10
    assert (tuple(presenter.viewer.scene.camera.center), presenter.viewer.scene.camera.zoom) == looked_at
    native, place = window.canvas.native, QPoint(*window.at(um(26, 24)))
    QTest.mouseClick(native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier, place)
    window.settle()
    assert names(window)[-1] == "delete cell 5 in cells"


def test_the_space_bar_moves_the_view_while_a_tool_is_in_the_hand(window):
    presenter = window.presenter
    presenter.use("delete", labels="cells")
    native, before = window.canvas.native, np.array(presenter.viewer.scene.camera.center)
    QTest.keyPress(native, Qt.Key.Key_Space)
    window.settle()
    parts(window, um(8, 8), um(12, 12), um(20, 20))
    up(window, um(20, 20))
    QTest.keyRelease(native, Qt.Key.Key_Space)
    window.settle()
    assert names(window) == []
    assert np.abs(np.array(presenter.viewer.scene.camera.center) - before).max() > 1
    assert not presenter.viewer.scene.camera.mouse_pan and presenter.tool == "delete"
