"""The moving side over the fixed one in a real window."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatialml.core.transform import Affine
from napari_spatialml.views.overlay_picture import Picture

# from "msi" to "global": the pixels lie over the histology
LAID = Affine(np.array([[0.0, -1.0, 405.0], [1.0, 0.0, -28.0], [0.0, 0.0, 1.0]]))


def _plain(overlay, rgb):
    """Show one colour instead of the ions, so that it is known what is to be seen."""
    read = overlay._read

    def one(box):
        found = read(box)
        flat = np.zeros_like(found.rgba)
        flat[...] = (*rgb, 255)
        return Picture(flat, found.affine)

    overlay._read = one


@pytest.fixture
def overlay(window):
    presenter = window.presenter
    presenter.show(shown=("he",))
    presenter.viewer.canvas.overlays["scale_bar"].visible = False
    _plain(presenter.overlay, (255, 0, 0))
    presenter.overlay.opacity = 1.0
    presenter.overlay.show("pixels", "msi", LAID, "whole")
    presenter.fit()
    return presenter.overlay


def test_the_moving_side_is_seen_where_the_transform_lays_it(window, overlay):
    own = window.presenter.document.affine("pixels", "msi")
    inside, outside = LAID.apply(own.apply([[3.0, 4.0], [-1.5, 4.0]]))
    assert window.colours(inside) == [(255, 0, 0)]
    assert window.colours(outside) != [(255, 0, 0)]


def test_while_a_landmark_is_dragged_it_is_seen_to_move(window, overlay):
    presenter = window.presenter
    presenter.use("landmark", landmarks="msi", model="similarity")
    for layer in presenter.viewer.layers:
        layer.visible = "landmarks" not in layer.name  # they are as large as the small section
    window.settle()
    tool, own = presenter.current, presenter.document.affine("pixels", "msi")
    before = overlay.transform.apply(own.apply([[3.0, 4.0]]))[0]
    start = np.asarray(presenter.document.attribute("landmarks")["msi"]["fixed_um"][0])
    from napari_spatialml.views.tools import Pointer

    tool.press(Pointer(start))
    tool.move(Pointer(start + np.array([8.0, 3.0])))
    moved = overlay.transform.apply(own.apply([[3.0, 4.0]]))[0]
    assert np.linalg.norm(moved - before) > 1.0
    assert window.colours(moved) == [(255, 0, 0)]
    assert presenter.session.position == 0


def test_a_swipe_shows_the_moving_side_left_of_the_line_only(window, overlay):
    from napari_spatialml.views.looking import Comparison

    comparison = Comparison(window.viewer, window.presenter.canvas)
    own = window.presenter.document.affine("pixels", "msi")
    corners = LAID.apply(own.apply([[1.0, 1.0], [5.0, 7.0]]))
    left, right = corners[np.argsort(corners[:, 1])]
    comparison.begin("swipe", overlay.name, "he")
    middle = window.at((left + right) / 2)[0]
    comparison.move(middle / window.canvas.native.width())
    assert window.colours(left, right)[0] == (255, 0, 0)
    assert window.colours(left, right)[1] != (255, 0, 0)
    comparison.end()
    assert window.colours(right) == [(255, 0, 0)]
