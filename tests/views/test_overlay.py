"""The moving side over the fixed one: its own pixels on a mesh that a transform moves."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatialml.core.landmarks import fit_spline
from napari_spatialml.core.transform import Affine
from napari_spatialml.session import correct
from napari_spatialml.views.candidate_pictures import in_words, one_picture
from napari_spatialml.views.memory import Memory
from napari_spatialml.views.next_landmark import snapped
from napari_spatialml.views.overlay_picture import drawn_specs, edges_of, picture_of
from napari_spatialml.views.state import ViewState

TURN = Affine(np.array([[0.0, 1.0, 5.0], [-1.0, 0.0, 40.0], [0.0, 0.0, 1.0]]))


def _picture(document, element, system, **asked):
    return picture_of(drawn_specs(document, ViewState(), Memory(), element, system), **asked)


def test_a_picture_shows_the_pixels_where_they_lie(session):
    document = session.document
    found = _picture(document, "he", "global")
    pixels = np.asarray(document.element("he").data).transpose(1, 2, 0)
    assert np.array_equal(found.rgba[..., :3], pixels)
    assert np.allclose(found.affine.apply([[0, 0], [60, 50]]), [[0, 0], [30, 25]])


def test_a_picture_of_a_box_lies_where_the_whole_has_it(session):
    document = session.document
    whole, part = (_picture(document, "he", "global", box=b) for b in (None, [[5.0, 6.0], [12.0, 20.0]]))
    y, x = np.round(whole.affine.inverse().apply(part.affine.apply([[0.0, 0.0]]))[0]).astype(int)
    h, w = part.rgba.shape[:2]
    assert np.array_equal(part.rgba, whole.rgba[y : y + h, x : x + w]) and h < 20


def test_a_picture_is_never_longer_than_the_screen(session):
    small = _picture(session.document, "if", "global", longest=16)
    assert max(small.rgba.shape[:2]) <= 16
    assert np.allclose(small.affine.apply([small.rgba.shape[:2]]), [[32, 32]])


def test_pixels_of_a_turned_grid_keep_their_frame(session):
    found = _picture(session.document, "pixels", "msi")
    own = session.document.affine("pixels", "msi")
    assert np.allclose(found.affine.apply([[0, 0], [6, 8]]), own.apply([[0, 0], [6, 8]]))
    assert found.rgba[0, 0, 3] == 0 and found.rgba[3, 3, 3] == 255  # the first pixel is background


def test_edges_are_lines_where_the_picture_changes(session):
    found = _picture(session.document, "he", "global")
    half = found.rgba.copy()
    half[:, :25, :3], half[:, 25:, :3] = 30, 220
    drawn = edges_of(type(found)(half, found.affine))
    h, w = drawn.rgba.shape[:2]
    assert np.allclose(drawn.affine.apply([[h, w]]), found.affine.apply([half.shape[:2]]))
    lines = (drawn.rgba[..., 3] > 0)[h // 8 : -h // 8]
    at = 25 * w // half.shape[1]
    near = w // half.shape[1]
    assert lines[:, at - near : at + near].any(1).all()
    assert not lines[:, : at - 7 * near].any() and not lines[:, at + 7 * near :].any()


def test_edges_of_coarse_pixels_are_thinner_than_a_pixel(session):
    """Contours of ions of 10 µm would else be 30 µm wide."""
    found = _picture(session.document, "he", "global")
    coarse = np.full((20, 30, 4), 255, np.uint8)
    coarse[:, :15, :3] = 30
    drawn = edges_of(type(found)(coarse, found.affine))
    width = (drawn.rgba[drawn.rgba.shape[0] // 2, :, 3] > 0).sum() * drawn.pixel_um
    assert 0 < width < 0.5 * found.pixel_um


def test_the_corners_of_the_mesh_lie_where_the_transform_puts_them(presenter):
    overlay, document = presenter.overlay, presenter.document
    assert overlay.show("pixels", "msi", TURN)
    own = document.affine("pixels", "msi")
    wanted = TURN.apply(own.apply([[0, 0], [0, 8], [6, 0], [6, 8]]))
    assert np.allclose(np.asarray(overlay.layer.data[0])[:, -2:], wanted)
    fixed, moving = (np.asarray(document.attribute("landmarks")["msi"][k]) for k in ("fixed_um", "moving_um"))
    spline = fit_spline(np.vstack([moving, [[45.0, 378.0]]]), np.vstack([fixed, [[14.0, 12.0]]]), ridge=0.0)
    overlay.move(spline)
    corners = np.asarray(overlay.layer.data[0])[:, -2:]
    assert len(corners) > 1000
    assert np.allclose(corners[[0, -1]], spline.apply(own.apply([[0, 0], [6, 8]])))


def test_hiding_takes_the_layer_away_and_leaves_the_others(presenter):
    before = list(presenter.viewer.layers)
    presenter.overlay.show("pixels", "msi", TURN)
    assert len(presenter.viewer.layers) == len(before) + 1
    presenter.overlay.hide()
    assert list(presenter.viewer.layers) == before and not presenter.overlay.on


def test_a_close_look_reads_a_finer_picture(presenter):
    camera = presenter.viewer.scene.camera
    presenter.overlay.longest = 16
    presenter.overlay.show("if", "global", Affine.identity())
    coarse = presenter.overlay._picture.pixel_um
    camera.center, camera.zoom = (0.0, 10.0, 10.0), 200.0
    presenter.overlay.sharpen()
    assert presenter.overlay._picture.pixel_um < coarse
    corners = np.asarray(presenter.overlay.layer.data[0])[:, -2:]
    assert corners.min() > 0 and corners.max() < 32


def test_dragging_a_landmark_over_the_other_side_moves_it_at_once(presenter, mouse):
    presenter.overlay.show("pixels", "msi", Affine.identity())
    presenter.use("landmark", landmarks="msi", model="affine")
    assert presenter.state.beside == ""
    before = np.array(presenter.overlay.layer.data[0])
    mouse.press((25.0, 6.0))
    mouse.move((26.0, 7.0), (28.0, 9.0))
    assert not np.allclose(presenter.overlay.layer.data[0], before)
    assert presenter.session.position == 0, "nothing is in the document yet"
    during = np.array(presenter.overlay.layer.data[0])
    mouse.release((28.0, 9.0))
    assert presenter.session.history[-1].label == "move landmark 2 of msi"
    assert np.allclose(presenter.overlay.layer.data[0], during)
    presenter.undo()
    assert np.allclose(presenter.overlay.layer.data[0], before)


def test_dragging_what_lies_wrong_to_where_it_belongs_makes_a_pair(presenter, mouse):
    presenter.overlay.show("pixels", "msi", Affine.identity())
    presenter.use("landmark", landmarks="msi", model="affine")
    fit = presenter.landmark_fit()
    mouse.drag((12.0, 12.0), (13.0, 13.0), (14.0, 15.0))
    held = presenter.document.attribute("landmarks")["msi"]
    assert held["fixed_um"][-1] == pytest.approx([14.0, 15.0])
    assert fit.transform.apply([held["moving_um"][-1]])[0] == pytest.approx([12.0, 12.0], abs=0.01)


def test_a_locked_landmark_stays(presenter, mouse):
    held = presenter.document.attribute("landmarks")["msi"]
    presenter.use("landmark", landmarks="msi")
    presenter.session.execute(correct(presenter.document, "lock-landmark", landmarks="msi", number=2, locked=True))
    mouse.drag((25.0, 6.0), (28.0, 9.0))
    assert presenter.document.attribute("landmarks")["msi"]["fixed_um"] == held["fixed_um"]
    assert "locked" in presenter.said[-1][1]


def test_a_click_near_a_round_mark_snaps_to_its_middle(presenter, mouse):
    from spatialdata.models import Image2DModel
    from spatialdata.transformations import Identity

    y, x = np.mgrid[0:120, 0:120]
    disc = np.where(np.hypot(y - 60, x - 70) < 9, 40, 230).astype(np.uint8)
    image = Image2DModel.parse(np.stack([disc] * 3), dims=("c", "y", "x"), c_coords=["r", "g", "b"],
                               transformations={"global": Identity()})  # fmt: skip
    presenter.document.sdata.images["marked"] = image
    found = snapped(presenter.document, "marked", "global", (57.0, 73.5), 12.0)
    assert found == pytest.approx([60.5, 70.5], abs=0.6)
    assert snapped(presenter.document, "marked", "global", (20.0, 20.0), 5.0) == pytest.approx([20.0, 20.0])


@pytest.mark.parametrize(("degrees", "mirror", "words"), [
    (30.0, False, "turned 30° clockwise"), (-90.0, True, "turned 90° anticlockwise, mirrored"),
    (0.0, False, "not turned"),
])  # fmt: skip
def test_a_candidate_is_said_in_words(degrees, mirror, words):
    a = np.radians(degrees)
    turn = np.array([[np.cos(a), np.sin(a), 3.0], [-np.sin(a), np.cos(a), 7.0], [0.0, 0.0, 1.0]])
    turn[:, 1] *= -1 if mirror else 1
    # clockwise: what lay to the right (x) comes to lie below (y)
    assert in_words(Affine(turn), (0.0, 0.0)) == words
    doubled = Affine(np.diag([2.0, 2.0, 1.0]) @ turn)
    assert (
        in_words(doubled, (0.0, 0.0))
        == words.split(",")[0] + (", mirrored" if mirror else "") + ", 2.00 times as large"
    )


def test_what_matches_is_grey_in_a_candidate_s_picture(session):
    document = session.document
    whole = _picture(document, "he", "global")
    same, away = (one_picture(whole, whole, t, 48) for t in (Affine.identity(), Affine.translation(500.0, 0.0)))
    assert np.array_equal(same[..., 0], same[..., 1]) and np.array_equal(same[..., 0], same[..., 2])
    assert max(same.shape[:2]) == 48
    assert (away[..., 1] == 255).all() and away[..., 0].min() < 128, "what has no partner keeps its colour"
