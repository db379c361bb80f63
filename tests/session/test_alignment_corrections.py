"""Correcting a registration: candidates, pins, acceptance, keeping; one command each, one undo each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core import Affine
from napari_spatialml.errors import BadInput, SpatialMLError
from napari_spatialml.session import RegistrationSelection, Session, correct, run
from napari_spatialml.session.fields import restored
from tests.session.conftest import state_of
from tests.session.sections import MARKS_UM, TRUTH, Marks, started

IMAGES = RegistrationSelection("second", moving_image="dapi", fixed_image="he")


@pytest.fixture
def session():
    made = started()
    run(made, Marks(), IMAGES)
    yield made
    made.close()


def do(session: Session, name: str, /, **given: Any) -> None:
    """Do a correction, and check that one undo takes all of it back and one redo brings it again."""
    before, position = state_of(session), session.position
    session.execute(correct(session.document, name, **given))
    after = state_of(session)
    assert session.position == position + 1
    session.undo()
    assert state_of(session) == before
    session.redo()
    assert state_of(session) == after


def entry(session: Session) -> dict[str, Any]:
    return dict(session.document.attribute("alignments")["second"])


def now(session: Session) -> Any:
    return restored(session.document, entry(session)["transform"])


def test_another_candidate_lays_the_elements_and_the_best_one_comes_back(session: Session) -> None:
    start = entry(session)
    do(session, "choose-candidate", moving="second", number=2)
    held = entry(session)
    assert held["chosen"] == 2 and held["trust"] is None and held["certainty"] is None
    assert held["transform"] == start["candidates"][2]["transform"]
    found = session.document.affine("dapi", "global") @ session.document.affine("dapi", "second").inverse()
    assert found.reflects and np.allclose(found.matrix, now(session).matrix)
    do(session, "choose-candidate", moving="second", number=1)
    do(session, "choose-candidate", moving="second", number=0)
    assert entry(session) == start
    with pytest.raises(BadInput, match="no candidate number 3"):
        correct(session.document, "choose-candidate", moving="second", number=3)


def test_a_pin_moves_only_its_neighbourhood_and_the_resampled_image_follows(session: Session) -> None:
    base = now(session)
    here, there = np.array([90.0, 100.0]), np.array([97.0, 95.0])
    do(session, "drag-pin", moving="second", fixed_um=here.tolist(), to_um=there.tolist(), radius_um=60.0)
    bent, back = now(session), base.inverse()
    assert np.allclose(bent.apply(back.apply([here]))[0], there, atol=1e-6)
    far = here + 61 * np.array([[0, 1], [1, 0], [0, -1]])
    assert np.allclose(bent.apply(back.apply(far)), far, atol=1e-9)
    assert "dapi_warped" in session.document.names("images")
    assert entry(session)["pins"][0]["radius_um"] == 60.0


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000))
def test_several_pins_each_hold_what_was_dragged_there(seed: int) -> None:
    rng = np.random.default_rng(seed)
    session = started()
    try:
        run(session, Marks(), IMAGES)
        tissue = []
        for place in ([60.0, 60.0], [80.0, 110.0], [120.0, 70.0]):
            to = (np.array(place) + rng.uniform(-9, 9, 2)).tolist()
            tissue.append((now(session).inverse().apply([place])[0], to))
            given_ = {"moving": "second", "fixed_um": place, "to_um": to, "radius_um": 50.0}
            session.execute(correct(session.document, "drag-pin", **given_))
        for where, to in tissue:
            assert np.allclose(now(session).apply([where])[0], to, atol=1e-3)
        grid = rng.uniform(0, 180, (300, 2))
        assert (np.linalg.det(now(session).jacobian(grid)) > 0).all(), "pins never fold"
    finally:
        session.close()


def test_a_pin_is_moved_and_deleted_and_without_pins_all_is_as_it_was(session: Session) -> None:
    start = entry(session)
    do(session, "drag-pin", moving="second", fixed_um=[60, 60], to_um=[66, 60], radius_um=40)
    do(session, "drag-pin", moving="second", fixed_um=[120, 120], to_um=[120, 110], radius_um=40)
    do(session, "move-pin", moving="second", number=1, to_um=[60, 52])
    assert entry(session)["pins"][0]["to_um"] == [60.0, 52.0]
    do(session, "delete-pin", moving="second", number=1)
    assert len(entry(session)["pins"]) == 1
    do(session, "delete-pin", moving="second", number=1)
    assert entry(session) == start
    assert "dapi_warped" not in session.document.names("images")


def test_a_drag_too_far_for_its_radius_takes_a_larger_one_and_says_so(session: Session) -> None:
    do(session, "drag-pin", moving="second", fixed_um=[90, 100], to_um=[90, 160], radius_um=10)
    assert entry(session)["pins"][0]["radius_um"] > 60
    do(session, "move-pin", moving="second", number=1, to_um=[90, 102])
    assert entry(session)["pins"][0]["radius_um"] == 10, "a small drag gets the radius that was asked for"


def test_accepting_is_undone_by_a_later_change(session: Session) -> None:
    do(session, "accept-alignment", moving="second")
    assert entry(session)["accepted"] is True
    do(session, "drag-pin", moving="second", fixed_um=[60, 60], to_um=[61, 60], radius_um=20)
    assert entry(session)["accepted"] is False


def test_removing_leaves_the_document_as_it_was_before_the_run(session: Session) -> None:
    session.undo()
    before = state_of(session)
    session.redo()
    do(session, "drag-pin", moving="second", fixed_um=[60, 60], to_um=[66, 60], radius_um=40)
    do(session, "remove-alignment", moving="second")
    assert {k: v for k, v in state_of(session).items() if not k.startswith("attrs")} == {
        k: v for k, v in before.items() if not k.startswith("attrs")
    }
    assert session.document.placed("dapi") == ("second",)
    assert not session.document.attribute("alignments")


def test_where_another_program_had_laid_it_comes_back() -> None:
    session = started()
    try:
        from napari_spatialml.session.changes import Put
        from napari_spatialml.session.command import Command

        foreign = Affine.translation(7, 9)
        laid = []
        for kind, name in (("images", "dapi"), ("shapes", "spots_b"), ("points", "transcripts")):
            matrix = (foreign @ session.document.affine(name, "second")).to_xy().tolist()
            laid.append(Put(("transforms", kind, name, "global"), None, matrix))
        session.execute(Command("laid elsewhere", tuple(laid), {}))
        before = {n: session.document.affine(n).matrix.tolist() for n in ("dapi", "spots_b", "transcripts")}
        for _ in range(2):
            run(session, Marks(), IMAGES)
        session.execute(correct(session.document, "remove-alignment", moving="second"))
        assert {n: session.document.affine(n).matrix.tolist() for n in before} == before
    finally:
        session.close()


def test_one_is_kept_another_is_tried_and_the_kept_one_is_used_again(session: Session) -> None:
    do(session, "drag-pin", moving="second", fixed_um=[60, 60], to_um=[66, 60], radius_um=40)
    kept = entry(session)
    do(session, "keep-alignment", moving="second", name="by hand")
    do(session, "choose-candidate", moving="second", number=1)
    do(session, "use-alignment", name="by hand")
    assert entry(session) == kept
    assert session.document.attribute("alignments_kept")["by hand"]["moving"] == "second"
    do(session, "forget-alignment", name="by hand")
    with pytest.raises(BadInput, match="kept as 'by hand'"):
        correct(session.document, "use-alignment", name="by hand")


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("accept-alignment", {"moving": "ghost"}, "'ghost' is not registered"),
        ("move-pin", {"moving": "second", "number": 1, "to_um": [0, 0]}, "0 pins, but no number 1"),
        ("drag-pin", {"moving": "second", "fixed_um": [0, 0], "to_um": [1, 1], "radius_um": 0}, "not a radius"),
        ("drag-pin", {"moving": "second", "fixed_um": [0, 0], "to_um": [1, np.nan], "radius_um": 9}, "not a place"),
        ("keep-alignment", {"moving": "second", "name": " "}, "no name"),
    ],
)
def test_what_cannot_be_is_told_in_words(session: Session, name: str, given: dict[str, Any], says: str) -> None:
    with pytest.raises(SpatialMLError, match=says):
        correct(session.document, name, **given)


def test_tissue_that_is_pinned_is_drawn_there() -> None:
    """The resampled image shows a mark where the pin has put it."""
    session = started()
    try:
        run(session, Marks(), IMAGES)
        to = (MARKS_UM[0] + [6.0, -5.0]).tolist()
        pin = {"fixed_um": MARKS_UM[0].tolist(), "to_um": to, "radius_um": 60.0}
        session.execute(correct(session.document, "drag-pin", moving="second", **pin))
        document = session.document
        values = np.asarray(document.element("dapi_warped").data)[0]
        peak = np.unravel_index(np.argmax(values), values.shape)
        seen = document.affine("dapi_warped", "global").apply([[peak[0] + 0.5, peak[1] + 0.5]])[0]
        assert np.linalg.norm(seen - to) < 2.5, "a pixel of 2 µm"
        assert np.linalg.norm(TRUTH.apply(TRUTH.inverse().apply(MARKS_UM))[0] - seen) > 5
    finally:
        session.close()
