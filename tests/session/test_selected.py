"""The selection of rows: joining is set algebra; a kept one is a column, undone, journalled, saved."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.errors import BadInput, DocumentError
from napari_spatialml.session import Session, correct
from napari_spatialml.session.corrections import packed
from napari_spatialml.session.selected import Selected, column_for, kept_selections, selected_rows

from .conftest import state_of

ROWS = st.lists(st.integers(0, 30), max_size=12)


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS)
def test_joining_is_set_algebra_sorted_and_without_doubles(a, b):
    first, second = Selected("t", np.array(a, int), "a"), Selected("t", np.array(b, int), "b")
    wanted = {"new": set(b), "add": {*a, *b}, "take away": {*a} - {*b}, "both": {*a} & {*b}}
    for how, rows in wanted.items():
        assert first.joined(second, how).rows.tolist() == sorted(rows)


def test_selections_of_two_tables_do_not_mix():
    a, b = Selected("t", np.array([1, 2]), "a"), Selected("u", np.array([2, 3]), "b")
    assert (a.joined(b, "add").table, a.joined(b, "add").rows.tolist()) == ("u", [2, 3])
    assert a.joined(b, "both").rows.size == a.joined(b, "take away").rows.size == 0
    with pytest.raises(BadInput, match="no way to join"):
        a.joined(b, "xor")


def test_a_kept_selection_is_undone_redone_renamed_and_dropped(session):
    start = state_of(session)
    for rows in ([3, 1, 3], [2, 7]):  # the second replaces the first
        kept = {"table": "counts", "name": "tumour rim", "rows": rows, "said": "lasso"}
        session.execute(correct(session.document, "keep-selection", **kept))
    kept = kept_selections(session.document)
    assert [(k.table, k.name, k.column, k.said) for k in kept] == [
        ("counts", "tumour rim", "selection_tumour_rim", "lasso")
    ]
    assert selected_rows(session.document, kept[0]).rows.tolist() == [2, 7]
    session.execute(correct(session.document, "rename-selection", table="counts", old="tumour rim", new="core"))
    (kept,) = kept_selections(session.document)
    assert (kept.name, kept.column) == ("core", "selection_core")
    assert selected_rows(session.document, kept).rows.tolist() == [2, 7]
    session.execute(correct(session.document, "drop-selection", table="counts", name="core"))
    dropped = state_of(session)
    assert dropped == start
    for _ in range(4):
        session.undo()
    assert state_of(session) == start
    for _ in range(3):
        session.redo()
    assert [k.name for k in kept_selections(session.document)] == ["core"]


def test_a_kept_selection_survives_save_and_restart(session, tmp_path):
    rows = packed(np.array([0, 5]))
    session.execute(correct(session.document, "keep-selection", table="nuclei_table", name="a/b ä", rows=rows))
    session.save(tmp_path / "s.zarr")
    session.close()
    again = Session.open_store(tmp_path / "s.zarr")
    (kept,) = kept_selections(again.document, "nuclei_table")
    assert kept.name == "a/b ä"
    assert selected_rows(again.document, kept).rows.tolist() == [0, 5]
    again.undo()
    assert kept_selections(again.document) == ()
    again.close()


def test_a_cell_that_is_deleted_leaves_the_kept_selection_and_comes_back_with_undo(session):
    session.execute(correct(session.document, "keep-selection", table="nuclei_table", name="s", rows=[1, 4, 8]))
    session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=[5]))
    (kept,) = kept_selections(session.document)
    ids = session.document.instances("nuclei_table")
    assert ids[selected_rows(session.document, kept).rows].tolist() == [2, 9]
    session.undo()
    ids = session.document.instances("nuclei_table")
    assert ids[selected_rows(session.document, kept).rows].tolist() == [2, 5, 9]


def test_what_cannot_be_kept_is_said(session):
    keep = {"table": "counts", "name": "s", "rows": [1]}
    for wrong, said in (({"rows": []}, "Nothing"), ({"rows": [99]}, "12 rows"), ({"name": " "}, "no name")):
        with pytest.raises(BadInput, match=said):
            correct(session.document, "keep-selection", **{**keep, **wrong})
    for name in ("s", "t"):
        session.execute(correct(session.document, "keep-selection", **{**keep, "name": name}))
    with pytest.raises(BadInput, match="already"):
        correct(session.document, "rename-selection", table="counts", old="s", new="t")
    with pytest.raises(DocumentError, match="no selection 'x'"):
        correct(session.document, "drop-selection", table="counts", name="x")


def test_columns_of_selections_never_meet():
    assert column_for("L4 / rim", ["a"]) == "selection_L4_rim"
    assert column_for("l4 rim", ["selection_L4_rim"]) == "selection_l4_rim_2"
    assert column_for("///", []) == "selection_rows"
