"""Two readers of one section: who did what, comparison, and the way from two to one."""

from __future__ import annotations

import json
import shutil
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_spatialml.core.report import silent
from napari_spatialml.errors import BadInput, SpatialMLError
from napari_spatialml.session import Session, correct, recipe, replay, scratch
from napari_spatialml.session.changes import Put
from napari_spatialml.session.command import Command
from napari_spatialml.session.comparing import compare_areas, compare_cells, compare_columns
from napari_spatialml.session.history import readers_of
from napari_spatialml.session.other_section import open_other
from napari_spatialml.session.reader import READER, login_name, remember_reader, who
from napari_spatialml.session.settling import (
    cell_tasks,
    decided_cells,
    decided_rows,
    decisions,
    left_of,
    next_open,
    row_tasks,
)

from .conftest import small_section, state_of


def do(session, name, /, **arguments):
    session.execute(correct(session.document, name, **arguments))


def second_labels(session, name="nuclei_b"):
    """Reader B: nucleus 1 is missing, 2 is cut in two, 4 and 5 are one, 7 is smaller, and one is new."""
    old = session.document.grid("nuclei").read()
    new = np.where(old == 0, 0, old + 100).astype(np.int32)
    new[old == 1] = 0
    new[(old == 2) & (np.arange(96) < 48)[None, :]] = 202
    new[old == 5] = 104
    new[(old == 7) & (np.arange(96) >= 75)[:, None]] = 0
    new[90:95, 40:60] = 300
    do(session, "start-consensus", labels=name, labels_a="nuclei", labels_b="nuclei")
    do(session, "paint-labels", labels=name, offset=[0, 0], values=new.tolist())
    held = session.document.attribute("consensus")
    left = {k: v for k, v in held.items() if k != name}
    session.execute(Command("forget", (Put(("attrs", "consensus"), held, left or None),)))
    return new


@pytest.fixture
def two(session):
    second_labels(session)
    return session


def compared(session, a="nuclei", b="nuclei_b", **options):
    return compare_cells(session.document, a, session.document, b, **options)(silent)


def begun(session):
    do(session, "start-consensus", labels="consensus", labels_a="nuclei", labels_b="nuclei_b")
    return cell_tasks(compared(session).cells.groups)


def settle(session, task, keep):
    name, arguments = task.correction("consensus", keep)
    do(session, name, **arguments)


def decided(session):
    return decided_cells(session.document, "consensus", cell_tasks(compared(session).cells.groups))


# who ----------------------------------------------------------------------------------------------


def test_the_reader_is_the_login_name_until_somebody_says_another(state, monkeypatch):
    monkeypatch.delenv(READER, raising=False)
    assert who() == login_name()
    assert remember_reader("  Anna\tWeiß ") == "Anna Weiß" and who() == "Anna Weiß"
    monkeypatch.setenv(READER, "Ben")
    assert who() == "Ben"
    monkeypatch.setenv(READER, "x" * 500)
    assert who() == login_name()
    monkeypatch.delenv(READER)
    assert remember_reader("") == login_name()
    with pytest.raises(BadInput, match="name"):
        remember_reader("a\x00b")


def test_who_did_a_step_is_saved_with_the_section_and_in_its_recipe(session, tmp_path):
    session.reader = "Anna"
    do(session, "delete-cells", labels="nuclei", cells=[1])
    store = session.save(tmp_path / "one.zarr")
    session.reader = "Ben"
    do(session, "delete-cells", labels="nuclei", cells=[2])
    session.save()
    assert [s["who"] for s in recipe(session)["steps"]] == ["Anna", "Ben"]
    session.close()
    again = Session.open_store(store)
    try:
        assert [e.who for e in again.history] == ["Anna", "Ben"] and all(e.when for e in again.history)
        assert readers_of(again.history) == {"Anna": 1, "Ben": 1}
    finally:
        again.close()


# comparison ---------------------------------------------------------------------------------------


def test_cells_of_two_readers_are_compared_in_um(two):
    found = compared(two)
    assert found.cells.groups.counts == {
        "agreed": 4, "only in A": 1, "only in B": 1, "split or merged": 2, "different outline": 1, "different class": 0,
    }  # fmt: skip
    figures = {m.name: m.estimate.value for m in found.measures}
    assert figures["Cells in A"] == 9 and figures["Cells in B"] == 9
    assert figures["Hausdorff, 95th percentile"] > 2  # pixels of half a micrometre
    report = json.loads(found.to_json())
    assert report["groups"]["agreed"] == 4 and {"measure", "value", "low", "high", "unit"} == set(report["measures"][0])
    assert found.to_csv().splitlines()[1].startswith("Cells in A,9")


def test_painting_while_a_comparison_runs_does_not_change_it(two):
    job = compare_cells(two.document, "nuclei", two.document, "nuclei_b")
    expected = compared(two).to_dict()
    do(two, "delete-cells", labels="nuclei_b", cells=[103, 106, 108])
    assert job(silent).to_dict() == expected != compared(two).to_dict()


def test_what_does_not_lie_alike_is_refused(session):
    with pytest.raises(BadInput, match="pixels"):
        compare_cells(session.document, "nuclei", session.document, "pixels")
    do(session, "start-consensus", labels="moved", labels_a="nuclei", labels_b="nuclei")
    slot = ("transforms", "labels", "moved", "global")
    old = session.document.get(slot)
    session.execute(Command("move", (Put(slot, old, (np.diag([2.0, 2, 1]) @ np.array(old)).tolist()),)))
    with pytest.raises(BadInput, match="same place"):
        compare_cells(session.document, "nuclei", session.document, "moved")


def test_classes_of_cells_are_compared_where_both_named_them(two):
    for labels, cells, value in (("nuclei", [3, 6], "tumour"), ("nuclei_b", [103, 106], "stroma")):
        table = f"{labels}_table"
        rows = np.flatnonzero(np.isin(two.document.instances(table), cells))
        do(two, "relabel", table=table, column="type", rows=rows.tolist(), value=value)
    assert compared(two, column="type").cells.groups.counts["different class"] == 2
    with pytest.raises(BadInput, match="column"):
        compared(two, column="nothing")


def test_columns_are_compared_and_measurements_refused(session):
    do(session, "relabel", table="counts", column="second", rows=list(range(12)), value="D1")
    do(session, "relabel", table="counts", column="second", rows=[6, 7, 8], value="D2")
    found = compare_columns(session.document, "counts", "domain", session.document, "counts", "second")(silent)
    assert found.names == ("D1", "D2") and found.confusion.tolist() == [[6, 0], [3, 3]]
    figures = {m.name: m.estimate.value for m in found.measures}
    assert figures["Cohen's kappa"] == pytest.approx(0.5) and figures["Agreement"] == 0.75
    assert (found.codes_a != found.codes_b).sum() == 3
    with pytest.raises(BadInput, match="measurements"):
        compare_columns(session.document, "counts", "total", session.document, "counts", "domain")
    with pytest.raises(BadInput, match="same rows"):
        do(session, "relabel", table="nuclei_table", column="x", rows=[0], value="D1")
        compare_columns(session.document, "counts", "domain", session.document, "nuclei_table", "x")


def test_areas_are_compared_in_um_of_the_section(session):
    from shapely import box
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import Scale

    geopandas = pytest.importorskip("geopandas")
    half = {"global": Scale([0.5, 0.5], ("x", "y"))}
    frame = geopandas.GeoDataFrame(
        {"class": ["tumour", "tumour", "tumour"], "annotator": ["Anna", "Ben", "Ben"]},
        geometry=[box(0, 0, 40, 96), box(0, 0, 30, 96), box(30, 0, 50, 96)],
    )
    areas = ShapesModel.parse(frame, transformations=half)
    session.execute(Command("draw", (Put(("shapes", "areas"), None, areas),)))
    found = compare_areas(session.document, "areas@Anna", session.document, "areas@Ben")(silent)
    figures = {m.name: m.estimate.value for m in found.measures}
    assert figures["Dice of tumour"] == pytest.approx(80 / 90)
    assert figures["Hausdorff distance of tumour"] == pytest.approx(5.0, abs=0.1)
    assert figures["Area of the section"] == pytest.approx(48 * 48 / 1e6)
    with pytest.raises(SpatialMLError, match="areas"):
        compare_areas(session.document, "spots", session.document, "areas")


# settling -----------------------------------------------------------------------------------------


def test_keeping_one_reader_everywhere_gives_that_reader(two):
    tasks = begun(two)
    assert len(tasks) == 5 and set(decided(two)) == {""}
    start = two.document.grid("consensus").read()
    assert np.array_equal(start, two.document.grid("nuclei").read())
    for task in tasks:
        settle(two, task, "A")
    assert np.array_equal(two.document.grid("consensus").read(), start)
    for task in tasks:
        settle(two, task, "B")
    made, b = two.document.grid("consensus").read(), two.document.grid("nuclei_b").read()
    own = compare_cells(two.document, "consensus", two.document, "nuclei_b")(silent).cells
    assert np.array_equal(made > 0, b > 0) and own.groups.counts["agreed"] == 9 and (own.groups.iou == 1).all()
    # ids are stable: 7 keeps its id with B's outline, halves and wholes keep A's, only what is new has a new id
    ids = set(np.unique(made)) - {0}
    assert {2, 3, 6, 7, 8, 9} <= ids and 1 not in ids and len(ids & {4, 5}) == 1 and sum(i > 9 for i in ids) == 2
    table = two.document.table("consensus_table")
    assert set(table.obs["instance_id"]) == ids
    areas = dict(zip(table.obs["instance_id"], table.obs["area_um2"], strict=True))
    assert all(np.isclose(areas[i], (made == i).sum() * 0.25) for i in ids)


def test_none_both_and_skip(two):
    tasks = {(t.cells_a, t.cells_b): t for t in begun(two)}
    split, missed = tasks[(2,), (102, 202)], tasks[(1,), ()]
    settle(two, split, "none")
    assert not np.isin(two.document.grid("consensus").read(), [2]).any()
    settle(two, split, "A")
    assert (two.document.grid("consensus").read() == 2).sum() == (two.document.grid("nuclei").read() == 2).sum()
    with pytest.raises(BadInput, match="free pixel"):
        settle(two, split, "both")
    outline = tasks[(7,), (107,)]
    before = two.document.grid("consensus").read()
    settle(two, missed, "skip")
    assert np.array_equal(two.document.grid("consensus").read(), before)
    left = left_of(decided(two))
    assert (left.total, left.settled, left.skipped, left.open) == (5, 1, 1, 4)
    with pytest.raises(BadInput, match="decision"):
        settle(two, outline, "C")


def test_a_cell_that_the_hand_changed_meanwhile_is_replaced_whole_and_others_keep_their_pixels(two):
    tasks = {(t.cells_a, t.cells_b): t for t in begun(two)}
    grown = two.document.grid("consensus").read()
    grown[(grown == 0) & (np.arange(96) > 84)[:, None]] = 7  # nucleus 7 now has a part along the lower border
    do(two, "paint-labels", labels="consensus", offset=[0, 0], values=grown.tolist())
    settle(two, tasks[(7,), (107,)], "B")
    made, b = two.document.grid("consensus").read(), two.document.grid("nuclei_b").read()
    assert np.array_equal(made == 7, b == 107)
    assert np.array_equal(made == 8, grown == 8) and np.array_equal(made == 9, grown == 9)


def test_no_pixel_is_taken_from_another_cell(two):
    tasks = {(t.cells_a, t.cells_b): t for t in begun(two)}
    do(two, "draw-cell", labels="consensus", outline=[[88, 38], [88, 50], [96, 50], [96, 38]])
    drawn = two.document.grid("consensus").read() == 10
    settle(two, tasks[(), (300,)], "B")
    made = two.document.grid("consensus").read()
    assert np.array_equal(made == 10, drawn)
    assert np.array_equal(made == 11, (two.document.grid("nuclei_b").read() == 300) & ~drawn)


def test_settling_survives_saving_a_restart_and_a_replay(two, tmp_path):
    tasks = begun(two)
    for task, keep in zip(tasks, ("B", "A", "skip"), strict=False):
        settle(two, task, keep)
    store = two.save(tmp_path / "settled.zarr")
    settle(two, tasks[3], "B")
    before = state_of(two)
    two.close()  # without saving the last one: the journal has it
    again = Session.open_store(store)
    try:
        assert state_of(again) == before
        kept = decided(again)
        assert kept == ["B", "A", "skip", "B", ""]
        found = recipe(again)
    finally:
        again.save()
        again.close()
    last = [s for s in found["steps"] if s.get("name") == "settle-cells"]
    assert len(last) == 4 and all("new_id" in s["arguments"] for s in last)


KEEP = st.sampled_from(["A", "B", "none", "skip", "undo", "redo"])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 4), KEEP), min_size=1, max_size=8))
def test_any_order_of_decisions_undone_is_the_beginning_and_the_last_one_counts(state, steps):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = Session.start(small_section())
    try:
        second_labels(session)
        tasks = begun(session)
        at, start = session.position, state_of(session)
        for number, keep in steps:
            getattr(session, keep)() if keep in ("undo", "redo") else settle(session, tasks[number], keep)
            if session.position < at:
                session.redo()
        made = decisions(session.document, "consensus")
        pixels = session.document.grid("consensus").read()
        for task in tasks:
            key = f"a{min(task.cells_a)}" if task.cells_a else f"b{min(task.cells_b)}"
            keep = made.get(key, {}).get("keep", "A")
            if keep in ("A", "B"):
                name, cells = {"A": ("nuclei", task.cells_a), "B": ("nuclei_b", task.cells_b)}[keep]
                wanted = np.isin(session.document.grid(name).read(), cells)
                y0, y1, x0, x1 = task.window
                assert np.array_equal(pixels[y0:y1, x0:x1] > 0, wanted[y0:y1, x0:x1])
        session.jump(at)
        assert state_of(session) == start
    finally:
        session.close()


def test_a_consensus_needs_a_name_of_its_own(two):
    for name in ("nuclei", "nuclei_b", "pixels"):
        with pytest.raises(BadInput, match="new name"):
            do(two, "start-consensus", labels=name, labels_a="nuclei", labels_b="nuclei_b")
    task = begun(two)[0]
    settle(two, task, "B")
    begun(two)  # once more: the former decisions are forgotten
    assert decisions(two.document, "consensus") == {}
    with pytest.raises(BadInput, match="consensus"):
        do(two, "settle-cells", labels="nuclei", cells_a=[1], cells_b=[], keep="A", window=[0, 96, 0, 96])


def test_classes_are_settled_row_by_row(session):
    do(session, "relabel", table="counts", column="second", rows=list(range(12)), value="D1")
    do(session, "relabel", table="counts", column="second", rows=[8], value="D3")
    start = session.position
    do(session, "start-consensus-column", table="counts", column="agreed", column_a="domain", column_b="second")
    obs = session.document.table("counts").obs
    assert obs["agreed"].astype(str).tolist() == obs["domain"].astype(str).tolist()
    do(session, "settle-rows", table="counts", column="agreed", rows=[6, 8], keep="B")
    do(session, "settle-rows", table="counts", column="agreed", rows=[7], keep="none")
    do(session, "settle-rows", table="counts", column="agreed", rows=[9], keep="skip")
    obs = session.document.table("counts").obs
    assert obs["agreed"].iloc[[6, 8]].tolist() == ["D1", "D3"] and pd.isna(obs["agreed"].iloc[7])
    assert obs["agreed"].iloc[9] == "D2" and obs["agreed_settled"].iloc[6:10].tolist() == ["B", "none", "B", "skip"]
    for bad in ({"keep": "both", "rows": [1]}, {"keep": "A", "rows": [99]}):
        with pytest.raises(BadInput):
            do(session, "settle-rows", table="counts", column="agreed", **bad)
    tasks = row_tasks(session.document, "counts", "domain", "second")
    assert sorted(t.row for t in tasks) == [6, 7, 8, 9, 10, 11]
    assert [t.words for t in tasks if t.row == 8] == ["8: A says D2, B says D3"]
    made = dict(zip([t.row for t in tasks], decided_rows(session.document, "agreed", tasks), strict=True))
    assert made == {6: "B", 7: "none", 8: "B", 9: "skip", 10: "", 11: ""}
    session.jump(start)
    assert "agreed" not in session.document.table("counts").obs


def test_the_queue_goes_round_and_comes_to_the_skipped_last():
    assert next_open(["", "A", "", "skip"]) == 0 and next_open(["", "A", "", "skip"], 0) == 2
    assert next_open(["", "A", "B", "skip"], 2) == 0 and next_open(["A", "skip", "B"], 2) == 1
    assert next_open(["A", "B"]) == next_open([]) == -1


# another store ------------------------------------------------------------------------------------


@pytest.fixture
def copies(session, tmp_path):
    """The section as Anna saved it, and Ben's copy, in which he worked on."""
    session.reader = "Anna"
    do(session, "delete-cells", labels="nuclei", cells=[9])
    mine = session.save(tmp_path / "anna.zarr")
    shutil.copytree(mine, tmp_path / "ben.zarr")
    ben = Session.open_store(tmp_path / "ben.zarr")
    ben.reader = "Ben"
    do(ben, "delete-cells", labels="nuclei", cells=[1, 2])
    do(ben, "relabel", table="counts", column="domain", rows=[0], value="D2")
    ben.save()
    ben.close()
    return session, tmp_path / "ben.zarr"


def test_two_saved_copies_are_compared_without_copying(copies):
    session, store = copies
    other = open_other(store)
    assert other.readers == {"Ben": 2, "Anna": 1}
    found = compare_cells(session.document, "nuclei", other.document, "nuclei")(silent)
    assert found.cells.groups.counts["only in A"] == 2 and found.cells.groups.counts["agreed"] == 6
    rows = compare_columns(session.document, "counts", "domain", other.document, "counts", "domain")(silent)
    assert (rows.codes_a != rows.codes_b).sum() == 1


def test_what_another_reader_made_is_brought_in_under_his_name(copies, tmp_path):
    session, store = copies
    offers = {(o.kind, o.name) for o in open_other(store).offers(session.document)}
    assert {("labels", "nuclei"), ("column", "counts/domain")} <= offers and ("column", "counts/total") not in offers
    for kind, name in (("labels", "nuclei"), ("column", "counts/domain")):
        do(session, "bring-in", path=str(store), kind=kind, name=name, reader="Ben")
    assert compared(session, b="nuclei_Ben").cells.groups.counts["only in A"] == 2
    assert session.document.table("nuclei_Ben_table").n_obs == 6
    assert session.document.table("counts").obs["domain_Ben"].iloc[0] == "D2"
    with pytest.raises(BadInput, match="already"):
        do(session, "bring-in", path=str(store), kind="labels", name="nuclei", reader="Ben")
    with pytest.raises(BadInput, match="letter"):
        do(session, "bring-in", path=str(store), kind="labels", name="nuclei", reader="?!")
    session.save()
    with scratch(session.store) as again:
        assert all(step.identical for step in replay(recipe(session), again))


def test_a_section_of_another_shape_is_not_brought_in(copies, tmp_path):
    session, _ = copies
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        small = Session.start(small_section(size=97))
    store = small.save(tmp_path / "other.zarr")
    small.close()
    with pytest.raises(BadInput, match="97 × 97"):
        do(session, "bring-in", path=str(store), kind="labels", name="nuclei", reader="Cleo")
    with pytest.raises(BadInput, match="not a saved section"):
        open_other(tmp_path / "nowhere.zarr")
