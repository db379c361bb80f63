"""Spots taken by a gesture for a correction of their proportions."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_spatialml.session import Session
from napari_spatialml.views import Presenter

from ..canvas.test_pies import SPAN, made
from .conftest import Mouse


@pytest.fixture
def opened():
    session = Session.start(made())
    presenter = Presenter(ViewerModel(), session)
    presenter.show()
    presenter.show_pies("spots", "counts")
    presenter.viewer.scene.camera.zoom = 2.0
    taken = []
    # the table's rows run the other way: row 3 is the first spot
    presenter.rows_taken.connect(lambda table, rows: taken.append((table, rows.tolist())))
    yield presenter, Mouse(presenter.viewer), taken
    presenter.close()
    session.close()


def test_a_click_takes_one_spot_however_wide_the_brush_is(opened):
    presenter, mouse, taken = opened
    presenter.use("proportions", table="counts", radius_um=150.0)
    mouse.click((5.0, SPAN - 3.0))
    assert taken == [("counts", [2])]


def test_a_stroke_takes_what_it_crosses_once(opened):
    presenter, mouse, taken = opened
    presenter.use("proportions", table="counts", radius_um=10.0)
    mouse.drag((0.0, 0.0), (0.0, SPAN), (0.0, 2 * SPAN), (0.0, SPAN))
    assert taken == [("counts", [1, 2, 3])]


@pytest.mark.parametrize("tool", ["proportions-lasso", "proportions-polygon"])
def test_an_outline_takes_what_lies_within(opened, tool):
    presenter, mouse, taken = opened
    corners = [(-40.0, -40.0), (-40.0, 1.4 * SPAN), (40.0, 1.4 * SPAN), (40.0, -40.0)]
    presenter.use(tool, table="counts")
    if tool.endswith("lasso"):
        mouse.drag(*corners)
    else:
        for at in corners:
            mouse.click(at)
        presenter.enter()
    assert taken == [("counts", [2, 3])]
    assert presenter.selected.now is None


def test_a_stroke_is_one_step_that_undo_takes_back(opened):
    presenter, mouse, _taken = opened
    before = presenter.document.table("counts").obs["proportions_dominant"].tolist()
    arguments = {"column": "proportions_dominant", "value": "stroma"}
    presenter.use("proportions-lasso", table="counts", correction="relabel", arguments=arguments)
    mouse.drag((-40.0, -40.0), (-40.0, 1.4 * SPAN), (40.0, 1.4 * SPAN), (40.0, -40.0))
    assert len(presenter.session.history) == 1
    held = presenter.document.table("counts").obs["proportions_dominant"]
    assert held.tolist()[2:] == ["stroma", "stroma"] and held.tolist()[:2] == before[:2]
    presenter.undo()
    assert presenter.document.table("counts").obs["proportions_dominant"].tolist() == before


def test_escape_forgets_a_stroke(opened):
    presenter, mouse, taken = opened
    presenter.use("proportions", table="counts", radius_um=10.0)
    mouse.press((0.0, 0.0))
    mouse.move((0.0, SPAN))
    presenter.cancel()
    mouse.release((0.0, SPAN))
    assert not taken and not len(presenter.marks.lines)


def test_what_lies_under_the_mouse_names_its_row(opened):
    from napari_spatialml.views.pointed import Pointing

    presenter, _, _ = opened
    found = Pointing(presenter).at(np.array([0.0, SPAN]))
    assert (found.table, found.row) == ("counts", 2)
