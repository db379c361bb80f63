"""A registration from the click to the store: where tissue lies afterwards, undone, saved, killed, replayed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import spatialdata
from hypothesis import given, settings
from hypothesis import strategies as st
from spatialdata.transformations import get_transformation

from napari_spatialml.core import Affine, Alignment, Trust
from napari_spatialml.core.field import DisplacementField
from napari_spatialml.core.report import silent
from napari_spatialml.core.transform import ThinPlateSpline, Transform
from napari_spatialml.errors import BadInput, Stale
from napari_spatialml.session import RegistrationSelection, Session, correct, finish, outdated, prepare, provenance, run
from napari_spatialml.session.aligning import described
from napari_spatialml.session.alignments import present_transform
from napari_spatialml.session.fields import restored
from napari_spatialml.session.provenance import read_recipe, replay, scratch, write_recipe
from napari_spatialml.session.store import store
from tests.session.conftest import state_of
from tests.session.sections import MARKS_UM, PLAIN, TRUTH, Marks, started
from tests.session.test_sides import placements

IMAGES = RegistrationSelection("second", moving_image="dapi", fixed_image="he")
LANDMARKS = {"fixed": "global", "moving": "second", "fixed_um": MARKS_UM.tolist(),
             "moving_um": TRUTH.inverse().apply(MARKS_UM).tolist()}  # fmt: skip


@pytest.fixture
def session():
    made = started()
    yield made
    made.close()


def bent() -> Transform:
    moving = TRUTH.inverse().apply(MARKS_UM)
    return ThinPlateSpline(np.r_[moving, [[90.0, 100.0]]], np.r_[MARKS_UM, [TRUTH.apply([[90.0, 100.0]])[0] + 8]], 0.0)


def keep(session: Session, transform: Transform, **more: object) -> str:
    """Keep an alignment as a run would."""
    from napari_spatialml.session.command import Command

    changes, line = store(session.document, IMAGES, Alignment(transform, **more))  # type: ignore[arg-type]
    session.execute(Command(line, tuple(changes), {}))
    return line


@settings(max_examples=12, deadline=None)
@given(placements, placements, st.booleans())
def test_the_same_tissue_comes_to_the_same_place_however_either_image_is_placed(
    fixed: Affine, moving: Affine, mirrored: bool
) -> None:
    own = fixed.apply([[40, 42], [45, 72], [68, 45], [70, 74]])
    scale = 0.95 * np.sqrt(np.prod(fixed.scale_factors) / np.prod(moving.scale_factors))
    truth = Affine.similarity(scale, 35, (5e3, -2e3), reflect=mirrored)
    marks = truth.inverse().apply(own)
    there = Affine.translation(*(marks.mean(0) - moving.apply([[55, 57]])[0])) @ moving
    session = started(fixed=fixed, moving=there, truth=truth, seen=own)
    try:
        line = run(session, Marks(), IMAGES)
        assert ("mirrored" in line) == mirrored
        document = session.document
        found = document.affine("dapi", "global") @ document.affine("dapi", "second").inverse()
        assert np.linalg.norm(found.apply(marks) - own, axis=1).max() < 1.0, "µm, of pixels of 1.5 to 3 µm"
        for name in ("spots_b", "transcripts"):
            all_moved = document.affine(name, "global") @ document.affine(name, "second").inverse()
            assert np.allclose(all_moved.matrix, found.matrix, atol=1e-6)
        places = np.array(document.attribute("alignments")["second"]["certainty"]["points"])
        assert np.linalg.norm(places - own, axis=1).max() < 1.0, "certainty is in the fixed system's own µm"
    finally:
        session.close()


def test_the_entry_holds_all_that_a_person_can_go_back_to(session: Session) -> None:
    line = run(session, Marks(), IMAGES)
    held = session.document.attribute("alignments")["second"]
    assert held["fixed"] == "global" and held["images"] == ["he", "dapi"] and held["landmarks"] == ""
    assert held["chosen"] == 0 and held["pins"] == [] and held["accepted"] is False
    assert [c["score"] for c in held["candidates"]] == [0.9, 0.5, 0.2]
    assert held["trust"]["score"] == 0.97 and held["base"] == held["transform"]
    assert line.startswith("'second' lies on 'global' (affine)") and "2 other ways" in line
    for candidate in held["candidates"][:1]:
        found = restored(session.document, candidate["transform"])
        assert np.allclose(found.apply(TRUTH.inverse().apply(MARKS_UM)), MARKS_UM, atol=0.5)
    json.dumps(held)


def test_landmarks_placed_to_judge_what_images_gave_do_not_make_it_old(session: Session) -> None:
    run(session, Marks(), IMAGES)
    session.execute(correct(session.document, "add-landmark", landmarks="second", fixed_um=[1, 2], moving_um=[3, 4]))
    assert outdated(session) == ()


def test_a_failure_is_not_told_as_a_success(session: Session) -> None:
    line = run(session, Marks(warning="These sections do not belong together: choose others."), IMAGES)
    assert line.startswith("These sections do not belong together: choose others.")
    assert " lies on " not in line
    assert session.history[-1].label.startswith("Marks: These sections do not belong together")


def test_a_job_that_bends_tries_out_what_the_window_will_draw(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[tuple[str, int]] = []
    monkeypatch.setattr(
        "napari_spatialml.session.aligning.try_out",
        lambda way, dtype, order: tried.append((np.dtype(dtype).name, order)),
    )
    job = prepare(session, Marks(), IMAGES)
    job()
    assert tried == [], "an affine one resamples nothing"
    monkeypatch.setattr(Marks, "__call__", lambda self, pair, report=silent: Alignment(bent()))
    prepare(session, Marks(), IMAGES)()
    moved = session.document.element("dapi")
    assert (np.dtype(moved.dtype).name, 1) in tried


def test_undo_restores_every_bit_and_a_second_run_replaces_the_first(session: Session) -> None:
    before = state_of(session)
    run(session, Marks(), IMAGES)
    once = state_of(session)
    session.undo()
    assert state_of(session) == before
    session.redo()
    position = session.position
    run(session, Marks(), IMAGES)
    assert session.position == position + 1 and state_of(session) == once
    keep(session, bent())
    assert "dapi_warped" in session.document.names("images")
    run(session, Marks(), IMAGES)
    assert "dapi_warped" not in session.document.names("images"), "an affine one leaves no resampled copy behind"
    assert not session.document.attribute("warped_from")
    session.jump(0)
    assert state_of(session) == before


def test_refining_goes_on_from_where_the_sides_lie(session: Session) -> None:
    askew = Affine.translation(3, -4) @ TRUTH
    keep(session, askew)
    job = prepare(session, Marks(), RegistrationSelection("second", moving_image="dapi", fixed_image="he", refine=True))
    pair = job.plan.read()  # type: ignore[attr-defined]
    from tests.session.sections import centres

    seen = centres(pair.moving.image) * pair.moving.pixel_size_um + np.asarray(job.plan.moving.origin)  # type: ignore[attr-defined]
    assert np.abs(seen - (MARKS_UM + np.array([3, -4]))).max() < 0.3, "the moving image is seen where it lies now"
    finish(session, job, job())
    found = present_transform(session.document, IMAGES)
    assert np.allclose(found.apply(TRUTH.inverse().apply(MARKS_UM)), MARKS_UM, atol=0.4)
    assert isinstance(found, Affine), "affine steps stay one affine transform"


def test_refining_a_bent_one_reads_the_image_through_the_bend(session: Session) -> None:
    keep(session, bent())
    job = prepare(session, Marks(), RegistrationSelection("second", moving_image="dapi", fixed_image="he", refine=True))
    finish(session, job, job())
    found = present_transform(session.document, IMAGES)
    assert np.allclose(found.apply(TRUTH.inverse().apply(MARKS_UM)), MARKS_UM, atol=0.4)
    assert not isinstance(found, Affine)


def test_the_affine_part_is_that_over_the_elements_not_only_over_the_landmarks(session: Session) -> None:
    session.document.sdata.attrs["spatialml"]["landmarks"] = {"second": LANDMARKS}
    line = keep(session, bent())
    assert "elastic, bends by up to" in line and "4 landmarks, median residual 0.0 µm" in line
    document = session.document
    affine = document.affine("dapi", "global")
    h, w = 110, 115
    grid = np.stack(np.meshgrid(np.linspace(0, h, 23), np.linspace(0, w, 23), indexing="ij"), -1).reshape(-1, 2)
    own = document.affine("dapi", "second")
    off = bent().apply(own.apply(grid)) - affine.apply(grid)
    by_landmarks = bent().apply(own.apply(grid)) - TRUTH.apply(own.apply(grid))
    assert np.abs(off.mean(0)).max() < 0.5 < 2 < np.abs(by_landmarks.mean(0)).max()


def test_a_large_field_stays_out_of_the_attributes(session: Session, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    field = DisplacementField((-50.0, -50.0), 10.0, rng.normal(0, 1, (60, 60, 2)))
    keep(session, field)
    assert len(json.dumps(session.document.attribute("alignments"))) < 2000
    session.save(tmp_path / "section.zarr")
    again = Session.open_store(tmp_path / "section.zarr")
    try:
        found = restored(again.document, again.document.attribute("alignments")["second"]["transform"])
        places = rng.uniform(0, 300, (200, 2))
        assert np.array_equal(found.apply(places), field.apply(places))
    finally:
        again.close()


def test_saved_reopened_and_opened_by_plain_spatialdata(session: Session, tmp_path: Path) -> None:
    run(session, Marks(), IMAGES)
    path, kept = tmp_path / "section.zarr", session.document.attribute("alignments")
    session.save(path)
    state = state_of(session)
    matrix = session.document.affine("dapi", "global")
    plain = spatialdata.read_zarr(path)
    for name in ("dapi", "spots_b", "transcripts"):
        assert "global" in get_transformation(plain[name], get_all=True)
    told = get_transformation(plain["dapi"], "global").to_affine_matrix(("x", "y"), ("x", "y"))
    assert np.abs(Affine.from_xy(told).matrix - matrix.matrix).max() < 1e-9
    session.close()
    again = Session.open_store(path)
    try:
        assert state_of(again) == state and again.document.attribute("alignments") == kept
        again.undo()
        assert not again.document.attribute("alignments")
    finally:
        again.close()


def test_what_was_not_saved_is_there_after_the_program_was_killed(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "section.zarr"
    session.save(path)
    run(session, Marks(), IMAGES)
    session.execute(correct(session.document, "choose-candidate", moving="second", number=1))
    state = state_of(session)
    session._lock.release()  # as the system does when a process is killed
    again = Session.open_store(path)
    try:
        assert state_of(again) == state
    finally:
        again.close()


def test_a_recipe_with_images_is_replayed_to_the_same_transform(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "method", lambda kind, name: Marks)
    path = tmp_path / "section.zarr"
    session.save(path)
    run(session, Marks(), IMAGES)
    for name, more in (
        ("drag-pin", {"fixed_um": [90.0, 100.0], "to_um": [95.0, 97.0], "radius_um": 40.0}),
        ("move-pin", {"number": 1, "to_um": [94.0, 99.0]}),
        ("accept-alignment", {}),
        ("keep-alignment", {"name": "first"}),
        ("choose-candidate", {"number": 2}),
        ("use-alignment", {"name": "first"}),
    ):
        given = more if name == "use-alignment" else {"moving": "second", **more}
        session.execute(correct(session.document, name, **given))
    session.save()
    recipe = write_recipe(session, tmp_path / "recipe.json")
    state = state_of(session)
    session.close()
    with scratch(path) as again:
        steps = replay(read_recipe(recipe), again)
        assert [s.label for s in steps if not s.identical] == [] and len(steps) == 7
        assert state_of(again) == state


def test_a_result_of_changed_sides_asks(session: Session) -> None:
    job = prepare(session, Marks(), IMAGES)
    done = job()
    session.execute(correct(session.document, "set-unit", coordinate_system="second", um_per_unit=2.0))
    with pytest.raises(Stale, match="changed while"):
        finish(session, job, done)


def test_pins_make_a_registration_no_older_but_another_unit_does(session: Session) -> None:
    run(session, Marks(), IMAGES)
    session.execute(correct(session.document, "accept-alignment", moving="second"))
    pin = {"fixed_um": [90.0, 100.0], "to_um": [95.0, 97.0], "radius_um": 40.0}
    session.execute(correct(session.document, "drag-pin", moving="second", **pin))
    assert outdated(session) == ()
    session.execute(correct(session.document, "set-unit", coordinate_system="second", um_per_unit=2.0))
    assert [o.kind for o in outdated(session)] == ["registration"]


def test_the_same_pair_the_other_way_round_replaces_the_registration(session: Session) -> None:
    before = session.document.get(("transforms", "images", "he", "global"))
    run(session, Marks(), IMAGES)
    there = present_transform(session.document, IMAGES)
    swapped = RegistrationSelection("global", "second", moving_image="he", fixed_image="dapi")
    run(session, Marks(), swapped)
    document = session.document
    assert set(document.attribute("alignments")) == {"global"}
    assert document.placed("dapi") == ("second",) and document.placed("he") == ("global", "second")
    assert document.get(("transforms", "images", "he", "global")) == before, "where the data lay is never lost"
    back = present_transform(document, swapped)
    assert np.allclose(back.apply(there.apply(MARKS_UM)), MARKS_UM, atol=0.3)


def test_what_lies_on_a_moved_system_moves_along_and_a_ring_is_refused(session: Session) -> None:
    run(session, Marks(), IMAGES)
    sdata = session.document.sdata
    from tests.session.sections import image, marks

    sdata["atlas"] = image(marks(PLAIN, MARKS_UM + 5), PLAIN, "atlas_um")
    run(session, Marks(), RegistrationSelection("global", "atlas_um", moving_image="he", fixed_image="atlas"))
    document = session.document
    through = document.affine("dapi", "atlas_um").apply(document.affine("dapi", "second").inverse().apply(
        TRUTH.inverse().apply(MARKS_UM)))  # fmt: skip
    assert np.allclose(through, MARKS_UM + 5, atol=0.5)
    run(session, Marks(), IMAGES)
    document = session.document
    assert np.allclose(document.affine("dapi", "atlas_um").matrix[:2, 2],
                       (document.affine("dapi", "global").matrix[:2, 2] + 5), atol=0.5)  # fmt: skip
    with pytest.raises(BadInput, match="lies on 'second' already"):
        from napari_spatialml.session.laying import laid

        document.sdata.attrs["spatialml"]["alignments"]["atlas_um"] = {"fixed": "far", "transform": {}}
        document.sdata.attrs["spatialml"]["alignments"]["far"] = {"fixed": "second", "transform": {}}
        laid(document, "second", {"fixed": "global"}, TRUTH)


def test_trust_is_kept_as_the_method_said_it(session: Session) -> None:
    line = keep(session, TRUTH, trust=Trust(0.2, "Look at it first.", {"mutual information": 0.01}))
    assert line.startswith("Look at it first. For a look")
    held = session.document.attribute("alignments")["second"]["trust"]
    assert held == {"score": 0.2, "warning": "Look at it first.", "figures": {"mutual information": 0.01}}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Affine.similarity(1.0, 30, (4.0, 5.0)), "rigid"),
        (Affine.similarity(1.0, 30, reflect=True), "rigid, mirrored"),
        (Affine.similarity(1.1, 30), "similarity"),
        (Affine.similarity(1.1, 30) @ Affine.scale(1.0, 1.01), "affine"),
    ],
)
def test_a_movement_is_called_by_what_it_keeps(session: Session, found: Affine, words: str) -> None:
    assert described(session.document, "second", "global", found) == words
