"""What is seen in a real window, and what a mouse does there."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_spatialml.session import Session, correct
from napari_spatialml.views import ColourBy
from napari_spatialml.widgets.desk import desk_of, release

from ..views.conftest import CELLS_UM, section


def um(y, x):
    return ((y + 0.5) * CELLS_UM, (x + 0.5) * CELLS_UM)


def rgb(code):
    return tuple(int(code[k : k + 2], 16) for k in (1, 3, 5))


def near(seen, wanted, tolerance=6):
    return max(abs(a - b) for a, b in zip(seen, wanted, strict=True)) <= tolerance


def test_the_whole_section_is_in_view_with_a_scale_bar(window):
    width, height = window.canvas.native.width(), window.canvas.native.height()
    for corner in ((0, 0), (32, 32)):
        x, y = window.at(corner)
        assert 0 <= x < width
        assert 0 <= y < height
    assert window.viewer.canvas.overlays["scale_bar"].visible


def test_spots_are_seen_in_their_categories_colours_where_they_lie(window):
    presenter = window.presenter
    presenter.show(shown=("spots",))
    presenter.layer_of("spots").opacity = 1.0
    legend = next(g for g in presenter.legends() if g.element == "spots")
    colours = {name: rgb(code) for name, code, _ in legend.categories}
    table = presenter.document.table("counts")
    circles = presenter.document.element("spots").geometry[presenter.document.instances("counts")]
    # beside the centre, still inside the circle of 2 µm; and just outside it
    inside = window.colours(*((c.y, c.x + 1.5) for c in circles))
    outside = window.colours(*((c.y, c.x + 2.6) for c in circles))
    assert all(near(seen, colours[name]) for seen, name in zip(inside, table.obs["domain"], strict=True))
    assert all(near(seen, (0, 0, 0)) for seen in outside)


def test_turned_and_mirrored_pixels_are_seen_where_they_lie(window):
    presenter = window.presenter
    document = presenter.document
    rows = np.flatnonzero(document.instances("msi") % 3 == 0)
    window.presenter.session.execute(
        correct(document, "relabel", table="msi", column="domain", rows=rows.tolist(), value="D1")
    )
    presenter.show(coordinate_system="msi", colours={"pixels": ColourBy("msi", "obs/domain")})
    presenter.layer_of("pixels").opacity = 1.0
    (name, code, n), *_ = next(g for g in presenter.legends() if g.element == "pixels").categories
    assert (name, n) == ("D1", len(rows))
    grid, affine = document.grid("pixels").read(), document.affine("pixels", "msi")
    pixels = np.argwhere(grid >= 0)
    seen = window.colours(*affine.apply(pixels + 0.5))
    for (i, j), colour in zip(pixels, seen, strict=True):
        assert near(colour, rgb(code) if grid[i, j] % 3 == 0 and grid[i, j] else (0, 0, 0)), (i, j)


def test_cells_are_seen_in_the_colour_of_their_kind_and_background_is_not(window):
    presenter = window.presenter
    presenter.show(shown=("cells",), colours={"cells": ColourBy("cells_table", "obs/kind")})
    raster = next(lay for s, lay in presenter.canvas.layers() if s.key.part == "colour")
    raster.opacity = 1.0
    colours = {n: rgb(c) for n, c, _ in next(g for g in presenter.legends() if g.element == "cells").categories}
    fifth, second, background = window.colours(um(26, 22), um(8, 22), um(16, 16))
    assert near(fifth, colours["x"])
    assert near(second, colours["y"])
    assert near(background, (0, 0, 0))


def test_a_stroke_of_the_mouse_ends_in_the_document_and_ctrl_z_takes_it_back(window):
    presenter = window.presenter
    before = presenter.document.grid("cells").read()
    presenter.use("paint", labels="cells", size_um=2)
    window.drag(um(55, 40), um(55, 44), um(52, 46))
    assert [e.label for e in presenter.session.history] == ["paint cell 10 in cells"]
    assert presenter.document.grid("cells").read()[55, 42] == 10
    window.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert presenter.session.position == 0
    assert np.array_equal(presenter.document.grid("cells").read(), before)
    assert np.array_equal(presenter.layer_of("cells").data, before)
    window.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert presenter.session.position == 1


def test_ctrl_z_is_the_sessions_whatever_layer_is_active(window):
    presenter = window.presenter
    presenter.session.execute(correct(presenter.document, "delete-cells", labels="cells", cells=[5]))
    presenter.viewer.layers.selection.active = presenter.layer_of("he")
    window.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert presenter.session.position == 0


def test_a_line_across_a_cell_and_two_clicks_reach_the_document(window):
    presenter = window.presenter
    centre = presenter.viewer.scene.camera.center
    presenter.use("split", labels="cells")
    window.drag(um(19, 21), um(26, 21), um(33, 22))
    presenter.use("merge", labels="cells")
    window.drag(um(26, 19.5))
    window.drag(um(26, 25))
    labels = [e.label for e in presenter.session.history]
    assert labels[0] == "split cell 5 in cells"
    assert labels[1].startswith("merge cells")
    assert np.allclose(presenter.viewer.scene.camera.center, centre)  # the view did not pan


def test_selected_spots_that_go_and_come_back_do_not_bring_the_window_down(window):
    presenter = window.presenter
    for _ in range(3):
        presenter.layer_of("spots").selected_data = {0, 1, 2}
        window.settle()
        presenter.show(shown=("he", "cells"))
        presenter.show(shown=None)
        presenter.viewer.scene.camera.zoom *= 1.5
        window.settle()
    assert len(presenter.layer_of("spots").data) == 12


def test_layers_that_are_replaced_together_cost_the_scene_one_tidying(window, monkeypatch):
    """Each tidying of napari's collects all garbage of the program: views of many layers changed for seconds."""
    presenter, times = window.presenter, []
    before = {layer.name for layer in window.viewer.layers}
    assert len(before) > 2
    with monkeypatch.context() as patch:
        patch.setattr("napari._vispy.canvas.gc.collect", lambda *_: times.append(1))
        presenter.show(shown=("spots",))
        window.settle()
    assert len(before - {layer.name for layer in window.viewer.layers}) > 1 and len(times) == 1
    presenter.show(shown=None)
    window.settle()
    assert {layer.name for layer in window.viewer.layers} == before
    assert presenter.layer_of("spots") is not None


def test_a_section_is_drawn_a_turn_after_it_is_laid_on_the_desk_and_only_then(make_napari_viewer, monkeypatch):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1200, 800)
    canvas, drawn = viewer.window._qt_viewer.canvas, []
    native = canvas.native
    QApplication.processEvents()
    canvas._scene_canvas.events.draw.connect(drawn.append)
    desk = desk_of(viewer)
    desk.take(Session.start(section()))
    assert len(viewer.layers) and not drawn and native.updatesEnabled()
    for _ in range(3):
        QApplication.processEvents()
    assert drawn
    monkeypatch.setattr("napari_spatialml.views.presenter.Presenter.show", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        desk.take(Session.start(section()))
    assert native.updatesEnabled()
    release(viewer)
