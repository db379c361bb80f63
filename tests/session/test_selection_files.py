"""What is selected comes back from the files that it was written to."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_spatialml.core.inside import points_inside
from napari_spatialml.errors import BadInput
from napari_spatialml.io.explorer import read_explorer
from napari_spatialml.session.selected import Selected
from napari_spatialml.session.selection_files import export_cells, export_outline, export_rows, import_cells


def test_cells_come_back_from_the_ids_that_xenium_explorer_writes(session, tmp_path):
    chosen = Selected("nuclei_table", np.array([1, 4, 8]), "lasso\non the canvas")
    path = tmp_path / "cells.csv"
    assert "3 rows" in export_cells(session.document, chosen, path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#Selection name: lasso on the canvas"
    assert lines[1].startswith("#Area (µm^2): ")
    assert pd.read_csv(path, skiprows=2)["Cell ID"].tolist() == [2, 5, 9]
    back, said = import_cells(session.document, "nuclei_table", path)
    assert (back.rows.tolist(), back.said, said) == ([1, 4, 8], "lasso on the canvas", "3 rows selected.")
    path.write_text("#Selection name: mine\n#Area (µm^2): 3\nCell ID,Cluster\n5,1\n77,2\n", encoding="utf-8")
    back, said = import_cells(session.document, "nuclei_table", path)
    assert (back.rows.tolist(), back.said) == ([4], "mine")
    assert "1 of the file are not" in said


def test_the_vendors_names_are_written_where_the_table_keeps_them(session, tmp_path):
    obs = session.document.table("counts").obs
    obs["cell_id"] = [f"aaaabc{k:02d}-1" for k in range(len(obs))]
    export_cells(session.document, Selected("counts", np.array([3])), tmp_path / "a.csv")
    assert pd.read_csv(tmp_path / "a.csv", skiprows=2)["Cell ID"].tolist() == ["aaaabc03-1"]
    assert import_cells(session.document, "counts", tmp_path / "a.csv")[0].rows.tolist() == [3]


@pytest.mark.parametrize("rows", [[5], [0, 1, 4, 5], [0, 11], list(range(12)), [1, 2, 3, 5, 7, 9, 10, 11]])
def test_the_outline_holds_the_centres_of_the_selected_rows_and_of_no_others(session, tmp_path, rows):
    said = export_outline(session.document, Selected("counts", np.array(rows)), tmp_path / "o.csv", "rim")
    spots = session.document.element("spots").geometry
    where = np.column_stack([spots.y, spots.x])
    found = np.zeros(len(where), bool)
    for polygon in read_explorer(tmp_path / "o.csv").geometry:
        found |= points_inside(where, np.array(polygon.exterior.coords)[:, ::-1])
    extra = set(np.flatnonzero(found)) - set(rows)
    assert set(rows) <= set(np.flatnonzero(found))
    assert not extra or "no holes" in said  # the file has none, and the sentence says so


def test_rows_are_written_with_their_places_and_columns(session, tmp_path):
    export_rows(session.document, Selected("counts", np.array([2, 7])), tmp_path / "rows.csv")
    frame = pd.read_csv(tmp_path / "rows.csv", index_col="row")
    spots = session.document.element("spots").geometry
    assert frame.index.tolist() == ["spot2", "spot7"]
    assert np.allclose(frame[["x_um", "y_um"]], [[spots[k].x, spots[k].y] for k in (2, 7)])
    assert frame["domain"].tolist() == ["D1", "D2"]


def test_files_that_name_no_cells_are_said(session, tmp_path):
    path = tmp_path / "x.csv"
    for text, said in (("X,Y\n1,2\n", "not Cell ID"), ("#\n#\nCell ID\n", "no cell"), ("Cell ID\nzzz\n", "None of")):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(BadInput, match=said):
            import_cells(session.document, "nuclei_table", path)
    with pytest.raises(BadInput, match="Nothing"):
        export_rows(session.document, Selected("counts", np.array([], int)), path)
