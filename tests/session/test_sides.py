"""What a registration is given: both sides in µm, whatever lies in them and however it lies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spatialdata import SpatialData

from napari_spatialml.core import Affine
from napari_spatialml.errors import BadInput
from napari_spatialml.session import Document, RegistrationSelection, prepare, side_images
from napari_spatialml.session.side_images import side_image
from napari_spatialml.session.sides import pair_plan
from tests.session.sections import MARKS_UM, PLAIN, TRUTH, Marks, centres, image, marks, started, two_sections

IMAGES = RegistrationSelection("second", moving_image="dapi", fixed_image="he")

placements = st.builds(
    lambda sy, sx, turn, mirror, y, x: (
        Affine.translation(y, x)
        @ Affine.rotation(turn, (100.0, 110.0))
        @ Affine.translation(0.0, 230.0 if mirror else 0.0)
        @ Affine.scale(sy, -sx if mirror else sx)
    ),
    st.floats(1.5, 3.0),
    st.floats(1.5, 3.0),
    st.sampled_from([0, 90, 180, 17, -64]),
    st.booleans(),
    st.floats(-5e4, 5e4),
    st.floats(-5e4, 5e4),
)


def document(place: Affine, where: np.ndarray, **more: Any) -> Document:
    made = image(marks(place, where), place, "global", **more)
    return Document(SpatialData.init_from_elements({"he": made}))


@settings(max_examples=25, deadline=None)
@given(placements)
def test_tissue_lies_where_the_document_has_it_however_the_image_is_placed(place: Affine) -> None:
    where = place.apply([[30, 30], [40, 80], [70, 35], [80, 75]])
    found = side_image(document(place, where), "he", "global")
    values = found.read()
    assert values.dtype == np.float32 and values.shape[1:] == found.shape
    seen = centres(values) * found.pixel_size_um + np.asarray(found.origin)
    assert np.abs(seen - where).max() < 0.15, "µm, of pixels of 1.5 to 3 µm"
    assert found.pixel_size_um <= min(np.linalg.norm(place.matrix[:2, :2], axis=0)) * 1.001, "no detail is lost"


def test_a_straight_image_is_given_bit_for_bit() -> None:
    place = Affine.translation(7.0, -3.0) @ PLAIN
    held = document(place, MARKS_UM)
    found = side_image(held, "he", "global")
    assert found.as_it_is and found.pixel_size_um == 2.0 and found.origin == (8.0, -2.0)
    assert np.array_equal(found.read(), held.element("he").data.compute())


def test_the_level_that_fits_is_read_and_a_lone_large_one_is_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_images, "EDGE", 60)
    for more in ({"scale_factors": [2, 2]}, {}):
        found = side_image(document(PLAIN, MARKS_UM, **more), "he", "global")
        values = found.read()
        assert max(values.shape[1:]) <= 60 and found.pixel_size_um == pytest.approx(4.0)
        seen = centres(values) * found.pixel_size_um + np.asarray(found.origin)
        assert np.abs(seen - MARKS_UM).max() < 0.3


def test_outside_a_turned_image_lies_glass_and_not_black() -> None:
    place = Affine.rotation(30) @ PLAIN
    bright = image(np.full((1, 40, 40), 240, np.uint8), place, "global")
    values = side_image(Document(SpatialData.init_from_elements({"he": bright})), "he", "global").read()
    assert values.dtype == np.uint8 and values.shape[1] > 40
    assert (values == 240).all()


def test_points_landmarks_and_image_of_a_side_are_in_one_frame() -> None:
    session = started(moving=Affine.translation(500, 900) @ PLAIN)
    try:
        chosen = RegistrationSelection(
            "second", moving_image="dapi", fixed_image="he", moving_points="counts_b", fixed_points="counts_a"
        )
        plan = pair_plan(session.document, chosen)
        pair = plan.read()
        assert pair.moving.points is not None and pair.moving.image is not None
        back = pair.moving.points + np.asarray(plan.moving.origin)
        own = session.document.element("spots_b").geometry
        xy = np.c_[own.y, own.x] * 2 + [500, 900]
        assert np.allclose(back, xy)
        assert plan.moving.origin == (501.0, 901.0)
        assert pair.moving.features is not None and pair.fixed.features is not None
        assert pair.moving.features.shape == (20, 2) and pair.fixed.features.shape == (30, 2), "Actb and Gapdh"
        counts = session.document.table("counts_b")
        assert np.array_equal(pair.moving.features[:, 0], counts[:, "Actb"].X.ravel()), "in one order"
    finally:
        session.close()


def test_types_become_one_column_each() -> None:
    session = started()
    try:
        chosen = RegistrationSelection("second", moving_points="counts_b", fixed_points="counts_a", features="obs/type")
        pair = pair_plan(session.document, chosen, frozenset({"points", "features"})).read()
        for side, table in ((pair.moving, "counts_b"), (pair.fixed, "counts_a")):
            told = session.document.table(table).obs["type"].astype(str).to_numpy()
            assert side.features is not None and np.array_equal(side.features.sum(1), np.ones(len(told)))
            assert np.array_equal(side.features[:, 1] == 1, told == "tumour")
    finally:
        session.close()


def test_sections_of_different_species_are_told_in_one_sentence() -> None:
    session = started()
    try:
        table = session.document.table("counts_b")
        table.var_names = [name.upper() for name in table.var_names]
        chosen = RegistrationSelection("second", moving_points="counts_b", fixed_points="counts_a")
        with pytest.raises(BadInput, match="different species"):
            pair_plan(session.document, chosen, frozenset({"points", "features"}))
        assert pair_plan(session.document, chosen, frozenset({"points"})).read().moving.features is None
    finally:
        session.close()


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({}, "compares images, but no image of either side is chosen"),
        ({"moving_image": "dapi"}, "no image of the fixed side is chosen"),
        ({"moving_image": "dapi", "fixed_image": "dapi"}, "on both sides"),
        ({"moving_image": "he", "fixed_image": "dapi"}, "does not lie in the coordinate system 'global'"),
        ({"moving_image": "dapi", "fixed_image": "spots_a"}, "is not an image"),
        ({"moving_image": "dapi", "fixed_image": "he", "moving_points": "counts_b"}, "no partner on the fixed side"),
        (
            {"moving_image": "dapi", "fixed_image": "he", "moving_points": "counts_b", "fixed_points": "counts_b"},
            "does not lie in the coordinate system 'global'",
        ),
        ({"moving_image": "dapi", "fixed_image": "he", "refine": True}, "nothing to refine"),
        ({"fixed": "second"}, "Both sides are the coordinate system 'second'"),
        ({"moving_image": "dapi", "fixed_image": "he", "landmarks": "ghost"}, "no landmarks 'ghost'"),
    ],
)
def test_what_is_missing_or_wrong_is_told_in_words(chosen: dict[str, Any], says: str) -> None:
    session = started()
    try:
        with pytest.raises(BadInput, match=says):
            prepare(session, Marks(), RegistrationSelection("second", **chosen))
    finally:
        session.close()


def test_everything_that_was_read_makes_a_result_old_when_it_changes() -> None:
    session = started()
    try:
        chosen = RegistrationSelection(
            "second", moving_image="dapi", fixed_image="he", moving_points="counts_b", fixed_points="counts_a",
            refine=True,
        )  # fmt: skip
        slots = set(chosen.slots(session.document))
        assert {
            ("images", "he"), ("images", "dapi"), ("transforms", "images", "dapi", "second"),
            ("tables", "counts_a", "X"), ("tables", "counts_b", "X"), ("shapes", "spots_b"),
            ("transforms", "shapes", "spots_b", "second"), ("attrs", "alignments"),
        } <= slots  # fmt: skip
        assert ("transforms", "images", "dapi", "global") not in slots, "that is what the result writes"
    finally:
        session.close()


def test_a_landmark_set_serves_the_pair_the_other_way_round() -> None:
    sdata = two_sections()
    pairs = {"fixed": "global", "moving": "second", "fixed_um": MARKS_UM.tolist(),
             "moving_um": TRUTH.inverse().apply(MARKS_UM).tolist()}  # fmt: skip
    sdata.attrs["spatialml"]["landmarks"] = {"second": pairs}
    held = Document(sdata)
    there = pair_plan(held, RegistrationSelection("second"), frozenset({"landmarks"})).read()
    back = pair_plan(held, RegistrationSelection("global", "second", "second"), frozenset({"landmarks"})).read()
    assert np.array_equal(np.asarray(there.fixed.landmarks), np.asarray(back.moving.landmarks))
