"""Laws of the fit that follows a stroke: one step with it, the same bits again, and never an old one over a new one."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_spatialml.core import Proportions
from napari_spatialml.errors import BadInput, Stale
from napari_spatialml.methods import method
from napari_spatialml.session import (
    Session,
    correct,
    finish_refit,
    outdated,
    read_recipe,
    refit,
    refit_now,
    replay,
    run,
    scratch,
    write_recipe,
)
from napari_spatialml.session.proportions import held_proportions
from napari_spatialml.session.refitting import moved

from .conftest import state_of
from .deconvolved import TABLE, Learning, selected, started, write_reference

warnings.simplefilter("ignore")
MODEL = method("deconvolution", "negative-binomial")


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return write_reference(tmp_path / "reference.h5ad")


@pytest.fixture
def section(reference: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setattr("napari_spatialml.session.refitting.method", lambda kind, name: Learning)
    made = started()
    run(made, Learning(), selected(reference))
    yield made
    made.close()


def values(session: Session, part: str = "proportions") -> np.ndarray:
    return session.document.table(TABLE).obsm[part].to_numpy()


def stroke(session: Session, row: int = 3, value: float = 0.8) -> None:
    session.execute(
        correct(session.document, "override-proportion", table=TABLE, rows=[row], cell_type="tumour", value=value)
    )


def test_one_undo_takes_a_stroke_and_its_fit_back(section):
    before, free = state_of(section), values(section).copy()
    stroke(section)
    shown = values(section).copy()
    steps = section.position
    refit_now(section, TABLE)
    assert section.position == steps
    assert section.history[-1].label == "tumour is 80% in 1 spot of counts"
    after = state_of(section)
    others = np.arange(len(free)) != 3
    assert np.array_equal(shown[others], free[others])
    assert not np.array_equal(values(section)[others], free[others])  # the fit learnt from the spot
    assert values(section)[3, 3] == 0.8
    assert values(section, "proportions_computed")[3, 3] == free[3, 3]
    assert np.array_equal(values(section, "proportions_computed")[others], values(section)[others])
    section.undo()
    assert state_of(section) == before
    section.redo()
    assert state_of(section) == after


def test_a_fit_starts_from_what_is_stored(section):
    Learning.started_from.clear()
    stroke(section)
    refit_now(section, TABLE)
    start = Learning.started_from[-1]
    assert start is not None and start.fitted is not None and start.values[3, 3] == 0.8


def test_the_second_of_two_strokes_makes_the_fit_of_the_first_too_old(section):
    stroke(section)
    job = refit(section, TABLE)
    finished = job()
    stroke(section, row=5, value=0.1)
    with pytest.raises(Stale):
        finish_refit(section, job, finished)
    last = refit(section, TABLE)
    finish_refit(section, last, last())
    assert values(section)[3, 3] == 0.8 and values(section)[5, 3] == 0.1
    section.undo()
    assert values(section)[3, 3] == 0.8 and values(section)[5, 3] != 0.1


def test_a_fit_whose_stroke_is_not_the_last_step_is_a_step_of_its_own(section):
    stroke(section)
    job = refit(section, TABLE)
    finished = job()
    section.execute(correct(section.document, "set-colour", column="domain", category="stroma", colour="#ff0000"))
    steps = section.position
    finish_refit(section, job, finished)
    assert section.position == steps + 1
    assert section.history[-1].label.startswith("fit again: 4 cell types")
    stroke(section, row=9)
    for expected in (steps + 2, steps + 3):  # a stroke that has its fit gets no second one
        refit_now(section, TABLE)
        assert section.position == expected


def test_proportions_are_old_until_the_fit_and_then_no_more(section):
    assert not outdated(section)
    stroke(section)
    (old,) = outdated(section)
    assert old.kind == "deconvolution" and old.since == "tumour is 80% in 1 spot of counts"
    refit_now(section, TABLE)
    assert not outdated(section)
    section.undo()
    assert not outdated(section)


def test_what_is_not_known_cannot_be_fitted_again(section):
    section.document.sdata.attrs["spatialml"].pop("deconvolutions")
    stroke(section)
    with pytest.raises(BadInput, match="not known how"):
        refit(section, TABLE)


def test_a_replay_gives_the_same_bits_whether_the_section_was_opened_again_or_not(reference, tmp_path):
    store = tmp_path / "section.zarr"
    session = started()
    run(session, MODEL(), selected(reference))
    stroke(session)
    refit_now(session, TABLE)
    session.save(store)
    session.close()
    session = Session.open_store(store)
    stroke(session, row=5, value=0.3)
    refit_now(session, TABLE)
    session.execute(correct(session.document, "mark-spots-artefact", table=TABLE, rows=[7, 8]))
    refit_now(session, TABLE)
    session.undo()
    session.execute(correct(session.document, "forbid-cell-type", table=TABLE, rows=[7], cell_type="B cell"))
    refit_now(session, TABLE)
    session.save()
    written = write_recipe(session, tmp_path / "recipe.json")
    state = state_of(session)
    session.close()
    with scratch(store) as again:
        steps = replay(read_recipe(written), again)
        assert [step.identical for step in steps] == [True] * 4, steps
        assert {k: v for k, v in state_of(again).items() if "/" in k} == {k: v for k, v in state.items() if "/" in k}


def test_a_kill_after_the_fit_loses_nothing_and_one_undo_still_takes_both_back(reference, tmp_path):
    store = tmp_path / "section.zarr"
    session = started()
    run(session, MODEL(), selected(reference))
    session.save(store)
    before = state_of(session)
    stroke(session)
    shown = state_of(session)
    refit_now(session, TABLE)
    fitted = state_of(session)
    left, cut = tmp_path / "left.zarr", tmp_path / "cut.zarr"  # what a process that is killed here leaves on the disk
    for place in (left, cut):
        shutil.copytree(store, place)
    journal = cut / "spatialml" / "journal.log"
    journal.write_bytes(journal.read_bytes()[:-100])  # killed while the fit was written
    session.close()
    for place, expected in ((cut, shown), (left, fitted)):
        again = Session.open_store(place)
        assert state_of(again) == expected
        again.undo()
        assert state_of(again) == before
        again.redo()
        assert state_of(again) == expected
        again.close()


def test_intervals_move_with_the_proportions_and_are_found_anew_where_one_is_unknown(reference):
    session = started()
    run(session, MODEL(), selected(reference))
    before = held_proportions(session.document, TABLE, "proportions")
    stroke(session)
    refit_now(session, TABLE)
    after = held_proportions(session.document, TABLE, "proportions")
    others = np.arange(len(before.values)) != 3
    inside = (before.lower > 1e-3) & (before.upper < 1 - 1e-3) & others[:, None]
    for end in ("lower", "upper"):
        width = np.abs(getattr(before, end) - before.values)
        assert np.allclose(np.abs(getattr(after, end) - after.values)[inside], width[inside], atol=1e-3)
    assert after.lower[3, 3] == pytest.approx(0.8) and after.upper[3, 3] == pytest.approx(0.8)
    session.execute(correct(session.document, "remove-proportion-constraint", table=TABLE, number=0))
    assert np.isnan(session.document.table(TABLE).obsm["proportions_lower"].to_numpy()[3]).all()
    refit_now(session, TABLE)
    again = held_proportions(session.document, TABLE, "proportions")
    assert np.isfinite(again.lower).all() and again.upper[3, 3] > again.lower[3, 3]
    assert np.allclose(again.values, before.values, atol=0.02)
    session.close()


def test_an_interval_that_ends_at_0_or_1_still_does_when_the_proportion_moves():
    ends = {"lower": np.array([[0.0, 0.9]]), "upper": np.array([[0.1, 1.0]])}
    start = Proportions(np.array([[0.02, 0.98]]), ("a", "b"), **ends)
    told = moved(Proportions(np.array([[0.05, 0.95]]), ("a", "b")), start)
    assert told.lower.tolist() == [[0.0, pytest.approx(0.87)]]
    assert told.upper.tolist() == [[pytest.approx(0.13), 1.0]]
