"""What a tester broke once: each named after what the person would have seen."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from spatialdata.models import Labels2DModel

from napari_spatialml.errors import BadInput, DocumentError, Stale, UnitNeeded
from napari_spatialml.methods import method
from napari_spatialml.session import (
    DomainsSelection,
    SegmentationSelection,
    Session,
    correct,
    finish,
    prepare,
    read_recipe,
    replay,
    run,
    scratch,
)
from napari_spatialml.session.changes import Put
from napari_spatialml.session.command import Command
from napari_spatialml.session.corrections import packed

from .conftest import small_section, state_of

WATERSHED, MIXTURE = method("segmentation", "watershed"), method("domains", "low-pass-mixture")


@pytest.fixture
def saved(tmp_path: Path) -> Session:
    session = Session.start(small_section())
    session.save(tmp_path / "s.zarr")
    return session


@pytest.mark.parametrize("name", ["he", "nuclei", "transcripts", "counts", "spots"])
def test_undoing_a_removal_after_a_save_brings_the_bits_back(saved: Session, name: str) -> None:
    before = state_of(saved)
    saved.close()
    again = Session.open_store(saved.store or "")
    again.execute(correct(again.document, "remove-element", **{"name": name}))
    again.save()
    again.undo()
    assert state_of(again) == before
    again.save()
    again.close()
    third = Session.open_store(saved.store or "")
    assert state_of(third) == before
    third.close()


def test_undoing_a_second_segmentation_after_a_save_brings_the_first_back(saved: Session) -> None:
    before = state_of(saved)
    saved.close()
    again = Session.open_store(saved.store or "")
    run(again, WATERSHED(), SegmentationSelection("he", channels=("dapi",), output="nuclei"))
    again.save()
    again.undo()
    assert state_of(again) == before
    again.save()
    again.close()
    third = Session.open_store(saved.store or "")
    assert state_of(third) == before
    third.close()


def test_saving_elsewhere_leaves_the_first_place_as_it_was_saved(saved: Session, tmp_path: Path) -> None:
    first, before = saved.store, state_of(saved)
    saved.execute(correct(saved.document, "delete-cells", labels="nuclei", cells=[5]))
    after = state_of(saved)
    saved.save(tmp_path / "copy.zarr")
    saved.close()
    old = Session.open_store(first or "")
    assert (state_of(old), old.position, old.recoverable) == (before, 0, 0)
    old.close()
    new = Session.open_store(tmp_path / "copy.zarr")
    assert (state_of(new), new.position, new.unsaved) == (after, 1, False)
    new.undo()
    assert state_of(new) == before
    new.close()


def test_saving_elsewhere_that_fails_loses_nothing(saved: Session, tmp_path: Path) -> None:
    saved.execute(correct(saved.document, "delete-cells", labels="nuclei", cells=[5]))
    after = state_of(saved)
    (tmp_path / "taken.zarr").mkdir()
    with pytest.raises(DocumentError, match="is there already"):
        saved.save(tmp_path / "taken.zarr")
    with pytest.raises(DocumentError, match="would lie inside"):
        saved.save((saved.store or tmp_path) / "in.zarr")
    assert saved.unsaved
    saved.close()
    again = Session.open_store(saved.store or "")
    assert state_of(again) == after
    again.close()


@pytest.mark.parametrize(
    ("output", "told"),
    [("my nuclei", "cannot be a name"), ("spots", "named 'spots' already"), ("Nuclei", "named 'nuclei' already")],
)
def test_a_name_that_cannot_be_saved_is_refused_and_nothing_changes(saved: Session, output: str, told: str) -> None:
    before = state_of(saved)
    with pytest.raises(BadInput, match=told):
        run(saved, WATERSHED(), SegmentationSelection("he", channels=("dapi",), output=output))
    assert (state_of(saved), saved.position) == (before, 0)
    saved.close()
    again = Session.open_store(saved.store or "")
    assert state_of(again) == before
    again.close()


@pytest.mark.parametrize("column", ["my domain", "a/b", "region", "instance_id", "Domain"])
def test_a_column_that_cannot_be_saved_is_refused(saved: Session, column: str) -> None:
    before = state_of(saved)
    with pytest.raises(BadInput):
        saved.execute(correct(saved.document, "relabel", table="counts", column=column, rows=[0], value="x"))
    with pytest.raises(BadInput):
        run(saved, MIXTURE(n_domains=2), DomainsSelection("counts", column=column))
    assert state_of(saved) == before
    saved.close()


def test_a_command_that_fails_halfway_changes_neither_document_nor_journal(saved: Session) -> None:
    before = state_of(saved)

    class Odd:
        """A value that can be journalled but not applied."""

        touched = ("attrs", "odd")

        def apply(self, _: Any) -> None:
            raise ValueError("halfway")

        def inverse(self) -> Odd:
            return self

        def encode(self, _: Any) -> dict[str, Any]:
            return {"c": "put", "slot": ["attrs", "odd"], "old": {"t": "json", "v": None}, "new": {"t": "json", "v": 1}}

    good = Put(("attrs", "fine"), None, 1)
    with pytest.raises(DocumentError, match="halfway"):
        saved.execute(Command("odd", (good, Odd())))  # type: ignore[arg-type]
    assert (state_of(saved), saved.position) == (before, 0)
    saved.execute(Command("fine", (good,)))
    saved.close()
    again = Session.open_store(saved.store or "")
    assert [e.label for e in again.history] == ["fine"]
    again.close()


def test_integer_categories_survive_the_brush() -> None:
    sdata = small_section()
    sdata.tables["counts"].obs["leiden"] = pd.Categorical([1, 2, 3] * 4)
    session = Session.start(sdata)
    before = state_of(session)
    session.execute(correct(session.document, "relabel", table="counts", column="leiden", rows=[0], value="2"))
    assert list(session.document.table("counts").obs["leiden"][:4]) == ["2", "2", "3", "1"]
    session.undo()
    assert state_of(session) == before
    session.close()


def test_an_element_that_vanished_is_told_and_the_section_can_be_saved_elsewhere(
    saved: Session, tmp_path: Path
) -> None:
    saved.execute(correct(saved.document, "delete-cells", labels="nuclei", cells=[5]))
    shutil.rmtree((saved.store or tmp_path) / "tables" / "nuclei_table")
    shutil.move((saved.store or tmp_path) / "labels" / "nuclei", tmp_path / "gone")
    with pytest.raises(DocumentError, match="has vanished"):
        saved.save()
    assert not ((saved.store or tmp_path) / "spatialml" / "intent.json").exists()
    saved.close()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"swaps": [{"target": "../../x", "staged": ""}]}'])
def test_a_damaged_intent_is_put_aside(saved: Session, text: str) -> None:
    before = state_of(saved)
    saved.close()
    ((saved.store or Path()) / "spatialml" / "intent.json").write_text(text)
    again = Session.open_store(saved.store or "")
    assert "could not be completed" in again.trouble
    assert state_of(again) == before
    again.close()


def test_a_second_window_on_a_foreign_store_leaves_the_first_ones_journal(tmp_path: Path) -> None:
    path = tmp_path / "theirs.zarr"
    small_section().write(path)
    first, second = Session.open_store(path), Session.open_store(path)
    assert second.read_only
    second.save(tmp_path / "copy.zarr")
    second.close()
    first.execute(correct(first.document, "delete-cells", labels="nuclei", cells=[6]))
    first.save()
    first.close()
    again = Session.open_store(path)
    assert [e.label for e in again.history] == ["delete cell 6 in nuclei"]
    again.close()


def test_unsaved_steps_on_another_store_that_lay_here_are_not_done_on_this_one(tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    small_section().write(path)
    session = Session.open_store(path)
    session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=[5]))
    session.close()
    shutil.rmtree(path)
    small_section(seed=1).write(path)
    again = Session.open_store(path)
    assert again.position == 0
    assert "put aside" in again.trouble
    assert 5 in again.document.grid("nuclei").read()
    again.close()


def test_a_damaged_record_in_the_middle_is_told_and_the_rest_kept(saved: Session) -> None:
    for cell in (5, 6, 7):
        saved.execute(correct(saved.document, "delete-cells", labels="nuclei", cells=[cell]))
    at = saved._journal.lines[2].start - 5
    saved.close()
    path = saved.home / "journal.log"
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    again = Session.open_store(saved.store or "")
    assert "damaged" in again.trouble
    assert (saved.home / "journal.damaged-2").exists()
    assert again.position == 1
    again.close()


def test_undo_gives_back_every_level_of_a_pyramid_that_others_sampled() -> None:
    sdata = small_section()
    labels = np.kron(np.arange(1, 1001, dtype=np.int32).reshape(25, 40), np.ones((40, 19), np.int32))
    sdata.labels["odd"] = Labels2DModel.parse(labels[:997, :757], dims=("y", "x"), scale_factors=[2, 2, 2])
    session = Session.start(sdata)
    before = state_of(session)
    session.execute(correct(session.document, "delete-cells", labels="odd", cells=[1, 77, 431]))
    grid = session.document.grid("odd")
    assert all(not np.isin(grid.read(None, k), [77, 431]).any() for k in range(4)), "a deleted cell is still seen"
    session.execute(correct(session.document, "merge-cells", labels="odd", cells=[500, 501]))
    session.jump(0)
    assert state_of(session) == before
    session.close()


@pytest.mark.parametrize(("dtype", "value"), [(np.uint16, 70000), (np.uint8, 300), (np.int32, -1)])
def test_an_id_that_does_not_fit_is_refused_not_wrapped(dtype: type, value: int) -> None:
    sdata = small_section()
    sdata.labels["small"] = Labels2DModel.parse(np.zeros((20, 20), dtype), dims=("y", "x"))
    session = Session.start(sdata)
    stroke = packed(np.full((3, 3), value, np.int64))
    with pytest.raises(BadInput, match=f"cannot hold the cell id {value}"):
        correct(session.document, "paint-labels", labels="small", offset=[0, 0], values=stroke)
    session.close()


def test_measurements_follow_the_unit(session: Session) -> None:
    area = session.document.table("nuclei_table").obs["area_um2"].to_numpy()
    session.execute(correct(session.document, "set-unit", coordinate_system="global", um_per_unit=2.0))
    table = session.document.table("nuclei_table").obs
    np.testing.assert_allclose(table["area_um2"], area * 4)
    session.execute(correct(session.document, "merge-cells", labels="nuclei", cells=[1, 2]))
    merged = session.document.table("nuclei_table").obs.loc["1", "area_um2"]
    assert merged == pytest.approx(4 * (area[0] + area[1]))


def test_a_result_on_moved_spots_is_stale(session: Session) -> None:
    job = prepare(session, MIXTURE(n_domains=2), DomainsSelection("counts"))
    done = job()
    session.execute(correct(session.document, "set-unit", coordinate_system="global", um_per_unit=2.0))
    with pytest.raises(Stale):
        finish(session, job, done)


def test_missing_text_and_times_survive_a_save(tmp_path: Path) -> None:
    sdata = small_section()
    obs = sdata.tables["counts"].obs
    obs["note"] = np.array(["x", None, *["y"] * 10], dtype=object)
    obs["nullable"] = pd.array(["x", None, *["y"] * 10], dtype="string")
    obs["when"] = pd.to_datetime(["2026-01-01", None, *["2026-01-02"] * 10])
    session = Session.start(sdata)
    session.save(tmp_path / "s.zarr")
    kept = state_of(session)
    session.close()
    again = Session.open_store(tmp_path / "s.zarr")
    assert state_of(again) == kept
    read = again.document.table("counts").obs
    assert read["note"].isna().tolist()[:3] == [False, True, False]
    assert read["when"].isna().sum() == 1
    again.close()


def test_a_renamed_domain_keeps_its_colour(session: Session) -> None:
    session.execute(correct(session.document, "set-colour", column="domain", category="D1", colour="#ff0000"))
    rename = {"table": "counts", "column": "domain", "old": "D1", "new": "Cortex"}
    session.execute(correct(session.document, "rename-category", **rename))
    assert session.document.attribute("colours")["domain"] == {"Cortex": "#ff0000"}


@pytest.mark.parametrize("place", [[float("nan"), 0.0], [0.0], [1.0, 2.0, 3.0]])
def test_a_landmark_that_is_no_place_is_refused(session: Session, place: list[float]) -> None:
    with pytest.raises(BadInput, match="is not a place"):
        correct(session.document, "add-landmark", landmarks="msi", fixed_um=place, moving_um=[0.0, 0.0])


def test_after_the_unit_was_asked_for_the_section_can_be_corrected(tmp_path: Path) -> None:
    path = tmp_path / "theirs.zarr"
    sdata = small_section()
    del sdata.attrs["spatialml"]
    sdata.write(path)
    try:
        Session.open_store(path)
        raise AssertionError("no unit was asked for")
    except UnitNeeded as error:
        held = error
        session = Session.open_store(path, um_per_unit=0.5)
    assert not session.read_only, held
    placed = session.document.affine("nuclei", "global").scale_factors
    session.save()
    session.close()
    again = Session.open_store(path)
    assert again.document.affine("nuclei", "global").scale_factors == pytest.approx(placed) == (0.25, 0.25)
    again.close()


def test_a_recipe_from_a_stranger_is_refused_in_words(saved: Session, tmp_path: Path) -> None:
    saved.close()
    recipe = tmp_path / "recipe.json"
    for text, told in (
        ('{"recipe": 1, "steps": [{}]}', "is not a step"),
        ('{"recipe": 1, "steps": [1]}', "is not a step"),
        ("{", "not JSON"),
    ):
        recipe.write_text(text)
        with pytest.raises(BadInput, match=told):
            read_recipe(recipe)
    for step in (
        {"label": "x", "type": "correction", "name": "merge-cells", "arguments": {"odd": 1}},
        {"label": "x", "type": "correction", "name": "merge-cells"},
        {"label": "x", "type": "run", "kind": "domains"},
        {"label": "x", "type": "correction", "name": "paint-labels",
         "arguments": {"labels": "nuclei", "offset": [0, 0], "values": {"meta": {"t": "array", "dtype": "<i4",
                       "shape": [2, 2], "b": 0}, "data": ["AAAA"]}}},
    ):  # fmt: skip
        with scratch(saved.store or "") as session, pytest.raises(BadInput):
            replay({"recipe": 1, "steps": [step]}, session)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_in_a_read_only_folder_can_be_looked_at(saved: Session, tmp_path: Path) -> None:
    saved.close()
    home = (saved.store or tmp_path) / "spatialml"
    home.chmod(0o555)
    session = Session.open_store(saved.store or "")
    assert session.read_only
    session.close()
    home.chmod(0o755)


def test_a_copy_from_a_second_window_is_refused_once_the_first_has_saved(tmp_path, session):
    session.save(tmp_path / "one.zarr")
    second = Session.open_store(tmp_path / "one.zarr")
    assert second.read_only
    second.save(tmp_path / "copy.zarr")
    third = Session.open_store(tmp_path / "one.zarr")
    session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=[1]))
    session.save()
    with pytest.raises(DocumentError, match="another window"):
        third.save(tmp_path / "other.zarr")
    assert not (tmp_path / "other.zarr").exists()
    third.close()
    second.close()
