"""What is seen when two layers are compared, and that leaving brings back what was."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatialml.errors import BadInput
from napari_spatialml.session import Session
from napari_spatialml.views import Presenter
from napari_spatialml.views.looking import Comparison, comparable

from .conftest import Window

RED, BLUE = (255, 0, 0), (0, 0, 255)
SIZE_UM = 100.0


def two_images():
    """Return a red and a blue photograph of 100 µm, a pyramid of light, and labels of one large cell."""
    from spatialdata import SpatialData
    from spatialdata.models import Image2DModel, Labels2DModel
    from spatialdata.transformations import Identity, Scale

    def flat(colour, n):
        return np.broadcast_to(np.array(colour, np.uint8)[:, None, None], (3, n, n)).copy()

    half = {"global": Scale([0.5, 0.5], axes=("x", "y"))}
    whole = {"global": Identity()}
    ramp = np.broadcast_to(np.arange(512, dtype=np.uint16) * 8, (2, 512, 512)).copy()
    return SpatialData(
        images={
            "first": Image2DModel.parse(
                flat(RED, 200), dims=("c", "y", "x"), c_coords=["r", "g", "b"], transformations=half
            ),
            "second": Image2DModel.parse(
                flat(BLUE, 100), dims=("c", "y", "x"), c_coords=["r", "g", "b"], transformations=whole
            ),
            "light": Image2DModel.parse(
                ramp, dims=("c", "y", "x"), c_coords=["DAPI", "CD3"], scale_factors=[2, 2],
                transformations={"global": Scale([100 / 512, 100 / 512], axes=("x", "y"))},
            ),
        },
        labels={"cells": Labels2DModel.parse(np.ones((100, 100), np.int32), dims=("y", "x"), transformations=whole)},
    )  # fmt: skip


@pytest.fixture
def images(make_napari_viewer):
    session = Session.start(two_images())
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1000, 700)
    made = Window(viewer, Presenter(viewer, session))
    made.settle()
    made.presenter.show(shown=("first", "second"))
    viewer.canvas.overlays["scale_bar"].visible = False
    made.comparison = Comparison(viewer, made.presenter.canvas)
    made.settle()
    yield made
    made.comparison.end()
    made.presenter.close()
    session.close()


def picture(window):
    window.settle()
    return np.asarray(window.viewer.screenshot(canvas_only=True, flash=False))[..., :3]


def test_either_side_of_the_line_shows_its_own(images):
    images.comparison.begin("swipe", "first", "second")
    for fraction in (0.5, 0.42, 0.6):
        images.comparison.move(fraction)
        images.settle()
        line = images.comparison.fraction * images.canvas.native.width()
        across = images.canvas.view.scene.transform.imap([line, 0, 0, 1])[0]
        assert images.colours((50, across - 2), (50, across + 2), (3, across - 2), (97, across + 2)) == [
            RED, BLUE, RED, BLUE,
        ]  # fmt: skip
    # the line stays on the canvas when the view moves
    images.comparison.move(0.5)
    images.viewer.scene.camera.center = (0.0, 40.0, 30.0)
    images.viewer.scene.camera.zoom *= 3
    assert images.colours((40, 28), (40, 32)) == [RED, BLUE]
    # and it may lie across
    images.comparison.begin("swipe down", "second", "first")
    images.settle()
    middle = images.canvas.view.scene.transform.imap([0, images.canvas.native.height() / 2, 0, 1])[1]
    assert images.colours((middle - 3, 35), (middle + 3, 35)) == [BLUE, RED]


def test_squares_alternate_at_their_size_and_blinking_shows_one_and_then_the_other(images):
    images.comparison.begin("checkerboard", "first", "second")
    images.comparison.squares(10.0)
    places = [(5 + 10 * i, 5 + 10 * j) for i in range(9) for j in range(9)]
    seen = images.colours(*places)
    assert seen == [RED if (i + j) % 2 == 0 else BLUE for i in range(9) for j in range(9)]
    assert images.colours((5, 9.2), (5, 10.8), (9.2, 5), (10.8, 5)) == [RED, BLUE, RED, BLUE]
    # blinking shows one and then the other
    images.comparison.begin("blink", "first", "second")
    seen = []
    for _ in range(4):
        seen.append(images.colours((50, 50))[0])
        images.comparison.turn()
    assert seen == [RED, BLUE, RED, BLUE]


def test_leaving_brings_back_every_pixel(images):
    layers = images.viewer.layers
    images.presenter.layer_of("first").visible = False
    images.presenter.layer_of("second").opacity = 0.5
    before = picture(images)
    state = [(layer.visible, layer.opacity) for layer in layers]
    for mode in ("swipe", "checkerboard", "blink"):
        images.comparison.begin(mode, "first", "second")
        assert (picture(images) != before).any(), mode
        images.comparison.end()
        assert (picture(images) == before).all(), mode
        assert state == [(layer.visible, layer.opacity) for layer in layers], mode


def test_cells_and_channels_of_pyramids_are_compared_too(images):
    images.presenter.show(shown=("light", "cells"))
    images.comparison.begin("swipe", "light: DAPI", "light: CD3")
    images.presenter.layer_of("cells").visible = False
    left, right = images.colours((50, 40), (50, 60))
    images.comparison.begin("swipe", "light: CD3", "cells")
    images.presenter.layer_of("cells").contour = 0
    other, cell = images.colours((50, 40), (50, 60))
    assert left != right
    assert other != left
    assert cell != right
    # moving to another level of the pyramid keeps the sides
    images.viewer.scene.camera.zoom *= 8
    images.viewer.scene.camera.center = (0.0, 50.0, 50.0)
    near, far = images.colours((50, 49), (50, 51))
    assert near != far
    # moving the line reads no data
    images.presenter.show(shown=("light", "first"))
    images.comparison.begin("swipe", "light", "first")
    images.settle()
    told = []
    for layer in images.viewer.layers:
        layer.events.set_data.connect(lambda event: told.append(event))
    for fraction in np.linspace(0.2, 0.8, 9):
        images.comparison.move(float(fraction))
        images.settle()
    assert told == []


def test_a_layer_that_goes_ends_the_comparison_and_what_cannot_be_compared_is_said(images):
    images.comparison.begin("swipe", "first", "second")
    images.presenter.show(shown=("first", "second", "cells"))
    assert images.comparison.on
    images.presenter.show(shown=("first",))
    assert not images.comparison.on
    assert images.colours((50, 10), (50, 90)) == [RED, RED]
    images.presenter.show(shown=("first", "second"))
    with pytest.raises(BadInput, match="cannot be compared"):
        images.comparison.begin("swipe", "first", "first")
    with pytest.raises(BadInput, match="cannot be compared"):
        images.comparison.begin("swipe", "first", "nothing")
    assert {s.name for s in comparable(images.presenter.canvas)} == {"first", "second"}
