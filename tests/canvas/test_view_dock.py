"""The View dock in a real window: the line that is dragged, the minimap, channels, bookmarks, the second view."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtTest import QTest

from napari_spatialml.session import Session
from napari_spatialml.session.bookmarks import bookmarks_of
from napari_spatialml.session.channels import channels_of
from napari_spatialml.widgets.desk import desk_of, release
from napari_spatialml.widgets.looking import LookDock

from ..views.conftest import own_state, section  # noqa: F401
from .conftest import Window, _moved
from .test_looking import BLUE, RED, two_images


def opened(make_napari_viewer, sdata):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1000, 700)
    desk = desk_of(viewer)
    desk.take(Session.start(sdata))
    made = Window(viewer, desk.presenter)
    made.desk, made.dock = desk, LookDock(viewer)
    made.dock.resize(400, 900)
    made.dock.show()
    made.dock.refresh_now()
    made.settle()
    return made


def let_go(window):
    release(window.viewer)
    window.dock.close()
    window.dock.deleteLater()
    vars(window).clear()  # what pytest keeps of a test must not keep its window


@pytest.fixture
def flat(make_napari_viewer):
    made = opened(make_napari_viewer, two_images())
    made.presenter.show(shown=("first", "second"))
    made.dock.refresh_now()
    made.settle()
    yield made
    let_go(made)


@pytest.fixture
def small(make_napari_viewer):
    made = opened(make_napari_viewer, section())
    yield made
    let_go(made)


def drag(widget, start, end):
    QTest.mousePress(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    _moved(widget, end)
    QTest.mouseRelease(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, end)


def test_the_line_is_dragged_with_the_mouse_and_the_minimap_moves_the_view(flat):
    dock, looking = flat.dock, flat.desk.looking
    assert {dock.compare.first.currentData(), dock.compare.second.currentData()} == {"first", "second"}
    dock.compare.first.setCurrentIndex(dock.compare.first.findData("first"))
    dock.compare.second.setCurrentIndex(dock.compare.second.findData("second"))
    dock.compare.press("swipe", True)
    flat.settle()
    line = looking._line
    assert line.isVisible()
    width = flat.canvas.native.width()
    middle = line.rect().center()
    drag(line, middle, middle + QPoint(width // 10, 0))
    assert looking.comparison.fraction == pytest.approx(0.6, abs=0.01)
    across = flat.canvas.view.scene.transform.imap([looking.comparison.fraction * width, 0, 0, 1])[0]
    assert flat.colours((50, across - 3), (50, across + 3)) == [RED, BLUE]
    dock.compare.press("swipe", False)
    flat.settle()
    assert not line.isVisible()
    # the minimap shows what is drawn, and a click in it moves the view there
    looking.show_map(True)
    flat.viewer.scene.camera.zoom *= 4
    flat.settle()
    minimap = looking.minimap
    assert minimap.isVisible()
    assert (minimap.picture.rgb[5:-5, 5:-5] == BLUE).all()
    frame = minimap.frame()
    assert minimap.place_of(frame.center().x(), frame.center().y()) == pytest.approx((50, 50), abs=0.5)
    at = QPointF(0.25 * minimap.width(), 0.75 * minimap.height())
    QTest.mousePress(minimap, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at.toPoint())
    assert tuple(flat.viewer.scene.camera.center[-2:]) == pytest.approx((75, 25), abs=1.5)


def test_channels_and_bookmarks_are_kept_and_there_again_after_saving(small, tmp_path):
    panel, viewer, desk = small.dock.channels, small.viewer, small.desk
    small.presenter.show(shown=("if",))
    small.dock.refresh_now()
    panel.list.setCurrentItem(panel.list.topLevelItem(1))
    layer = next(x for x in viewer.layers if x.name == "if: CD3")
    plot = panel.plot
    start = QPoint(round(plot.x_of(plot.limits[1])), plot.height() // 3)
    end = QPoint(plot.width() // 2, plot.height() // 3)
    drag(plot, start, end)
    low, high = layer.contrast_limits
    assert high == pytest.approx(plot.value_at(plot.width() // 2), rel=0.02)
    assert channels_of(desk.session.document, "if")["CD3"].limits == (low, high)
    panel.preset.setCurrentIndex(panel.preset.findData("Nuclei blue"))
    panel.preset.activated.emit(panel.preset.currentIndex())
    dapi = next(x for x in viewer.layers if x.name == "if: DAPI")
    assert np.allclose(dapi.colormap.map([1.0])[0][:3], np.array([0x44, 0x66, 0xFF]) / 255, atol=0.01)
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0.0, 11.0, 12.0), 33.0
    small.key(Qt.Key.Key_B, Qt.KeyboardModifier.AltModifier)
    (view,) = bookmarks_of(desk.session.document)
    assert view.centre_um == pytest.approx((11.0, 12.0))
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0.0, 1.0, 2.0), 3.0
    small.presenter.show(shown=("he",))
    small.key(Qt.Key.Key_1, Qt.KeyboardModifier.AltModifier)
    assert tuple(viewer.scene.camera.center[-2:]) == pytest.approx((11.0, 12.0))
    assert viewer.scene.camera.zoom == pytest.approx(33.0, rel=1e-6)
    assert small.presenter.state.shown == ("if",)
    desk.session.save(tmp_path / "kept.zarr")
    desk.take(lambda: Session.open_store(tmp_path / "kept.zarr"))
    again = next(x for x in viewer.layers if x.name == "if: CD3")
    assert tuple(again.contrast_limits) == (low, high)
    assert [b.name for b in desk.looking.bookmarks] == ["View 1"]


def test_the_second_view_moves_with_the_first_and_shows_other_elements(flat):
    flat.viewer.window._qt_window.resize(1500, 700)
    flat.settle()
    flat.desk.looking.show_second(True)
    flat.settle()
    second = flat.desk.looking.second
    second.show_elements(("first",))
    flat.presenter.show(shown=("second",))
    flat.viewer.scene.camera.center, flat.viewer.scene.camera.zoom = (0.0, 30.0, 70.0), 20.0
    flat.settle()
    assert tuple(second.model.scene.camera.center[-2:]) == pytest.approx((30, 70))
    assert second.model.scene.camera.zoom == pytest.approx(20)
    second.model.scene.camera.center = (0.0, 40.0, 60.0)
    assert tuple(flat.viewer.scene.camera.center[-2:]) == pytest.approx((40, 60))
    seen = np.asarray(second.canvas.screenshot(flash=False))
    h, w = seen.shape[:2]
    assert tuple(seen[h // 2, w // 2, :3]) == RED
    assert flat.colours((40, 60)) == [BLUE]
    second.linked.click()
    flat.viewer.scene.camera.center = (0.0, 10.0, 10.0)
    assert tuple(second.model.scene.camera.center[-2:]) == pytest.approx((40, 60))
    assert not any(layer.editable for layer in second.model.layers)
    flat.desk.looking.show_second(False)
    flat.settle()
    assert flat.desk.looking.second is None
