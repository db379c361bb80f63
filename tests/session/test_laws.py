"""Laws of the document: undo, journal, save, reopen."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from napari_spatialml.errors import BadInput, DocumentError
from napari_spatialml.session import Session, correct
from napari_spatialml.session.corrections import packed

from .conftest import small_section, state_of

warnings.simplefilter("ignore")
cells = st.integers(1, 9)
numbers = st.floats(0, 48, allow_nan=False)
points = st.tuples(numbers, numbers).map(list)
line = st.lists(st.tuples(st.floats(0, 96), st.floats(0, 96)).map(list), min_size=2, max_size=3)
rows = st.lists(st.integers(0, 11), min_size=1, max_size=5)
domains = st.sampled_from(["D1", "D2", "D3", "tumour"])
elements = st.sampled_from(["he", "transcripts", "counts", "pixels"])


def some(low: int, high: int) -> st.SearchStrategy[list[int]]:
    return st.lists(cells, min_size=low, max_size=high, unique=True)


def edit(correction: str, fixed: dict[str, Any], /, **drawn: Any) -> st.SearchStrategy[tuple[str, Any]]:
    """One correction with drawn arguments."""
    return st.fixed_dictionaries(drawn).map(lambda arguments: (correction, {**fixed, **arguments}))


NUCLEI, COUNTS, MSI = {"labels": "nuclei"}, {"table": "counts"}, {"landmarks": "msi"}
steps = st.one_of(
    edit("merge-cells", NUCLEI, cells=some(2, 3)),
    edit("delete-cells", NUCLEI, cells=some(1, 9)),
    edit("split-cell", NUCLEI, cell=cells, line=line),
    st.tuples(st.just("paint"), st.tuples(*(st.integers(a, b) for a, b in ((0, 80), (0, 80), (1, 16), (0, 14))))),
    edit("relabel", COUNTS, column=st.sampled_from(["domain", "new"]), rows=rows, value=domains),
    edit("release", COUNTS, column=st.just("domain"), rows=rows),
    edit("rename-category", COUNTS, column=st.just("domain"), old=domains, new=st.sampled_from(["D1", "rim"])),
    edit("set-colour", {"column": "domain"}, category=domains, colour=st.sampled_from(["#ff0000", "00ff00"])),
    edit("add-landmark", MSI, fixed_um=points, moving_um=points),
    edit("move-landmark", MSI, number=st.integers(1, 3), side=st.just("fixed"), to_um=points),
    edit("delete-landmark", MSI, number=st.integers(1, 3)),
    edit("set-unit", {}, coordinate_system=st.sampled_from(["msi", "global"]), um_per_unit=st.floats(0.1, 9)),
    edit("remove-element", {}, name=elements),
    st.tuples(st.sampled_from(["undo", "redo", "save"]), st.just({})),
)


def do(session: Session, name: str, arguments: Any) -> None:
    """One step; what cannot be done in this state is refused in words and changes nothing."""
    if name == "undo":
        session.undo()
    elif name == "redo":
        session.redo()
    elif name == "save":
        if session.store is not None:
            session.save()
    else:
        if name == "paint":
            y, x, size, value = arguments
            window = np.full((size, size), value, np.int32)
            name, arguments = "paint-labels", {"labels": "nuclei", "offset": [y, x], "values": packed(window)}
        before = session.position
        try:
            session.execute(correct(session.document, name, **arguments))
        except (BadInput, DocumentError):
            assert session.position == before


def section_at(folder: Path) -> Session:
    session = Session.start(small_section())
    session.save(folder / "section.zarr")
    return session


quiet = settings(
    max_examples=10,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@quiet
@given(sequence=st.lists(steps, max_size=12))
def test_undoing_everything_gives_the_start(state: Path, sequence: list[tuple[str, Any]]) -> None:
    session = Session.start(small_section())
    start = state_of(session)
    for name, arguments in sequence:
        do(session, name, arguments)
    end, position = state_of(session), session.position
    session.jump(0)
    assert state_of(session) == start
    session.jump(position)
    assert state_of(session) == end
    session.close()


@quiet
@given(sequence=st.lists(steps, min_size=1, max_size=10))
def test_save_and_reopen_gives_the_same_document_and_the_same_history(
    tmp_path_factory: pytest.TempPathFactory, sequence: list[tuple[str, Any]]
) -> None:
    session = section_at(tmp_path_factory.mktemp("s"))
    for name, arguments in sequence:
        do(session, name, arguments)
    session.save()
    kept, history, position = state_of(session), [e.label for e in session.history], session.position
    store = session.store
    session.close()
    assert store is not None
    again = Session.open_store(store)
    assert state_of(again) == kept
    assert ([e.label for e in again.history], again.position) == (history, position)
    assert not again.unsaved
    start = state_of(Session.start(small_section()))
    again.jump(0)
    assert state_of(again) == start
    again.close()


@quiet
@given(sequence=st.lists(steps, min_size=1, max_size=10))
def test_the_journal_replays_to_the_same_document(
    tmp_path_factory: pytest.TempPathFactory, sequence: list[tuple[str, Any]]
) -> None:
    session = section_at(tmp_path_factory.mktemp("s"))
    for name, arguments in sequence:
        do(session, name, arguments)
    kept, history, position = state_of(session), [e.label for e in session.history], session.position
    store, unsaved = session.store, session.unsaved
    session.close()  # as a crash would: nothing after the last save has reached the elements
    assert store is not None
    again = Session.open_store(store)
    assert state_of(again) == kept
    assert ([e.label for e in again.history], again.position, again.unsaved) == (history, position, unsaved)
    again.close()


def test_one_command_is_undone_in_one_step_with_its_table(session: Session) -> None:
    table = session.document.table("nuclei_table")
    area = dict(zip(table.obs_names, table.obs["area_um2"], strict=True))
    before = state_of(session)
    session.execute(correct(session.document, "merge-cells", labels="nuclei", cells=[1, 2]))
    after = session.document.table("nuclei_table")
    assert "2" not in after.obs_names
    assert after.obs.loc["1", "area_um2"] == pytest.approx(area["1"] + area["2"])
    assert session.undo() == "merge cells 1 and 2 in nuclei"
    assert state_of(session) == before


def test_deleting_every_cell_leaves_an_empty_table_and_undo_brings_all_back(tmp_path: Path) -> None:
    session = section_at(tmp_path)
    before = state_of(session)
    session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=list(range(1, 10))))
    assert session.document.table("nuclei_table").n_obs == 0
    session.save()
    corner = [[2.0, 2.0], [2.0, 20.0], [20.0, 20.0], [20.0, 2.0]]
    session.execute(correct(session.document, "draw-cell", labels="nuclei", outline=corner))
    assert list(session.document.instances("nuclei_table")) == [10], "the id of a deleted cell was given again"
    session.save()
    session.jump(0)
    assert state_of(session) == before
    session.close()


def test_two_windows_on_one_section_the_second_only_reads(tmp_path: Path) -> None:
    first = section_at(tmp_path)
    assert first.store is not None
    second = Session.open_store(first.store)
    assert second.read_only
    with pytest.raises(Exception, match="open in another window"):
        second.execute(correct(second.document, "delete-cells", labels="nuclei", cells=[1]))
    first.execute(correct(first.document, "delete-cells", labels="nuclei", cells=[1]))
    first.save()
    second.close()
    first.close()
    again = Session.open_store(first.store)
    assert not again.read_only
    assert 1 not in again.document.grid("nuclei").read()
    again.close()


def test_a_store_opened_by_others_is_not_touched_before_save(tmp_path: Path) -> None:
    path = tmp_path / "theirs.zarr"
    small_section().write(path)
    before = {p: p.stat().st_mtime_ns for p in path.rglob("*")}
    session = Session.open_store(path)
    session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=[1]))
    assert {p: p.stat().st_mtime_ns for p in path.rglob("*")} == before
    session.save()
    session.close()
    again = Session.open_store(path)
    assert [e.label for e in again.history] == ["delete cell 1 in nuclei"]
    again.close()


def test_unsaved_work_on_raw_files_is_found_again() -> None:
    session = Session.start(small_section(), source="a.png")
    session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=[4]))
    kept = state_of(session)
    session.close()
    again = Session.start(small_section(), source="a.png")
    assert again.recoverable == 1
    assert again.recover() == 1
    assert state_of(again) == kept
    again.close()
    third = Session.start(small_section(), source="a.png")
    third.discard()
    assert third.recoverable == 0 and third.position == 0
    third.close()
