"""The selection in the Section dock: what is asked, kept, set and exported is what the document then holds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_spatialml.session.selected import kept_selections, selected_rows
from napari_spatialml.widgets.section import SectionDock


@pytest.fixture
def part(viewer, desk, show):
    dock = show(SectionDock(viewer))
    dock.refresh_now()
    dock.elements.choose("spots")
    return dock.selection


def gene(desk):
    table = desk.session.document.table("spot_counts")
    return str(table.var_names[0]), table.X[:, 0].toarray().ravel()


def press(part, text):
    from qtpy.QtWidgets import QPushButton

    part.findChild(QPushButton, text).click()


def test_a_query_selects_and_its_count_is_said(part, desk):
    name, counts = gene(desk)
    part.query.setText(f"`{name}` > 1")
    press(part, "Select")
    wanted = np.flatnonzero(counts > 1)
    assert desk.presenter.selected.now.rows.tolist() == wanted.tolist()
    assert part.count.text() == f"{len(wanted):,} of {len(counts):,} spots"
    press(part, "Take away")
    part.query.setText(f"`{name}` > 2")
    part.ask()
    assert desk.presenter.selected.now.rows.tolist() == np.flatnonzero(counts == 2).tolist()
    press(part, "Invert")
    assert desk.presenter.selected.now.rows.tolist() == np.flatnonzero(counts != 2).tolist()
    press(part, "Clear")
    assert desk.presenter.selected.now is None and part.count.text() == f"none of {len(counts):,} spots"


def test_what_is_wrong_with_a_query_is_said_under_it(part, desk):
    name, _ = gene(desk)
    part.query.setText(f"`{name}x` > 1")
    part.ask()
    assert f"Did you mean '{name}'?" in part.message.text()
    assert desk.presenter.selected.now is None


def test_names_and_categories_are_offered_where_the_cursor_stands(part, desk):
    name, _ = gene(desk)
    part.query.setText(name[:3])
    assert name in part.query.offered()
    part.query.insert_offered("a-b")
    assert part.query.text() == "`a-b`"
    desk.correct("relabel", table="spot_counts", column="kind", rows=[0], value="rim")
    part.refresh()
    part.query.setText("kind == 'r")
    assert part.query.offered() == ["rim"]
    part.query.insert_offered("rim")
    assert part.query.text() == "kind == 'rim'"


def test_a_selection_is_kept_taken_again_renamed_and_dropped_in_one_step_each(part, desk, qtbot):
    part.query.setText("instance_id >= 0")
    part.query.setText(f"`{gene(desk)[0]}` > 1")
    part.ask()
    rows = desk.presenter.selected.now.rows.tolist()
    part.name.setText("rim")
    press(part, "Keep")
    part.refresh()
    assert part.kept.names() == ("rim",)
    part.clear()
    (kept,) = kept_selections(desk.session.document)
    part.kept.wanted.emit(kept)
    assert desk.presenter.selected.now.rows.tolist() == rows
    part.kept.topLevelItem(0).setText(0, "core")
    (kept,) = kept_selections(desk.session.document)
    assert kept.name == "core" and selected_rows(desk.session.document, kept).rows.tolist() == rows
    part.kept.dropped.emit(kept)
    part.refresh()
    assert part.kept.names() == () and len(desk.session.history) == 3


def test_the_selected_rows_are_put_into_a_category(part, desk):
    part.query.setText(f"`{gene(desk)[0]}` > 1")
    part.ask()
    part.column.setEditText("region_by_me")
    part.value.setEditText("rim")
    press(part, "Set")
    values = desk.session.document.table("spot_counts").obs["region_by_me"]
    assert np.flatnonzero(values == "rim").tolist() == desk.presenter.selected.now.rows.tolist()


def test_a_selection_is_exported_and_read_again(part, desk, qtbot, tmp_path):
    part.query.setText(f"`{gene(desk)[0]}` > 1")
    part.ask()
    rows = desk.presenter.selected.now.rows.tolist()
    part.export_to("Cells for Xenium Explorer…", tmp_path / "cells.csv")
    qtbot.waitUntil((tmp_path / "cells.csv").exists, timeout=10_000)
    qtbot.waitUntil(lambda: "written" in part.message.text(), timeout=10_000)
    assert len(pd.read_csv(tmp_path / "cells.csv", skiprows=2)) == len(rows)
    part.clear()
    part.import_from([str(tmp_path / "cells.csv")])
    assert desk.presenter.selected.now.rows.tolist() == rows


def test_the_tools_go_into_the_hand_and_out_and_say_what_to_do(part, desk):
    press(part, "Lasso")
    assert desk.presenter.tool == "select" and "Drag around spots" in part.hint.text()
    press(part, "Add")
    assert desk.presenter.current.how == "add"
    press(part, "Polygon")
    assert desk.presenter.tool == "select-polygon" and not part.tools["select"].isChecked()
    press(part, "Polygon")
    assert desk.presenter.tool == "" and not part.hint.isVisible()
