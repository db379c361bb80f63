"""Regions and cells to files of other programs and back, through the document: nothing moves, nothing is lost."""

from __future__ import annotations

import json

import numpy as np
import pytest
import shapely

from napari_spatialml.core.rasterise import rasterised
from napari_spatialml.errors import BadInput
from napari_spatialml.io.cellpose_seg import write_cellpose
from napari_spatialml.io.geojson import read_geojson
from napari_spatialml.session import correct
from napari_spatialml.session import exchange as files
from napari_spatialml.session.annotating import class_colours, frame_of
from napari_spatialml.session.cell_outlines import cell_outlines

from .conftest import state_of
from .test_annotations import HOLED, RIGHT, drawn


def taken_in(session, path, **how):
    incoming = files.read_incoming(session.document, path, **how)
    session.execute(incoming.command(session.document))
    return incoming


@pytest.mark.parametrize("name", ["a.geojson", "a.geojson.gz"])
def test_regions_go_to_qupath_and_back_in_pixels_of_the_image(session, tmp_path, name):
    drawn(session, HOLED, "Tumour", note="left")
    drawn(session, RIGHT, "Stroma")
    before = frame_of(session.document, "regions")
    assert files.export_annotations(session.document, "regions", tmp_path / name) == ()
    assert read_geojson(tmp_path / name).geometry[1].area == 400 / 0.25  # pixels of half a µm
    taken_in(session, tmp_path / name, into="again")
    after = frame_of(session.document, "again")
    assert list(after.index) == list(before.index)
    assert after.drop(columns="geometry").equals(before.drop(columns="geometry"))
    assert shapely.equals_exact(after.geometry.to_numpy(), before.geometry.to_numpy(), 1e-9).all()


def test_an_import_is_one_step_that_is_undone_and_recovered_without_the_file(session, tmp_path):
    drawn(session, HOLED)
    files.export_annotations(session.document, "regions", tmp_path / "a.geojson")
    before = state_of(session)
    taken_in(session, tmp_path / "a.geojson", into="regions")
    after = state_of(session)
    assert len(frame_of(session.document, "regions")) == 2 and after != before
    assert session.history[-1].label == "import 1 region of a.geojson"
    (tmp_path / "a.geojson").unlink()
    session.undo()
    assert state_of(session) == before
    session.redo()
    assert state_of(session) == after


def test_a_selection_of_xenium_explorer_goes_out_and_comes_back(session, tmp_path):
    drawn(session, RIGHT, "Stroma", note="r")
    drawn(session, HOLED, "Tumour")
    said = files.export_annotations(session.document, "regions", tmp_path / "s.csv", "explorer")
    assert len(said) == 2
    taken_in(session, tmp_path / "s.csv", into="again")
    again = frame_of(session.document, "again")
    assert again.geometry.iloc[0].area == 400 and again["class"].iloc[0] == "Stroma"
    assert class_colours(session.document, "again")["Stroma"] == class_colours(session.document, "regions")["Stroma"]


def test_regions_far_from_the_section_are_refused_and_a_few_are_told(session, tmp_path):
    far = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [[[9e4, 9e4], [9.1e4, 9e4], [9e4, 9.1e4]]]},
    }
    near = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[[2, 2], [9, 2], [9, 9]]]}}
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps([far]))
    with pytest.raises(BadInput, match=r"lies on the section.*90000.*another unit"):
        files.read_incoming(session.document, path)
    path.write_text(json.dumps([far, near]))
    assert "1 of 2 regions lie outside" in " ".join(files.read_incoming(session.document, path).said)


def test_the_same_file_means_other_places_in_micrometres(session, tmp_path):
    near = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [10, 0], [10, 10], [0, 10]]]}}
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(near))
    for unit, area in (("", 25.0), ("px", 25.0), ("µm", 100.0)):
        found = files.read_incoming(session.document, path, unit=unit)
        assert found.found.geometry[0].area == area
        assert found.image == ("" if unit == "µm" else "he")


def test_cells_go_to_xenium_ranger_along_their_pixels(session, tmp_path):
    labels = session.document.grid("nuclei").read()
    path = tmp_path / "cells.geojson"
    assert files.export_cells(session.document, "nuclei", path, nuclei="nuclei") == ()
    found = read_geojson(path)
    assert set(found.kinds) == {"cell"} and shapely.equals(found.geometry, found.nuclei).all()
    assert np.array_equal(rasterised(found.geometry, [int(i) for i in found.ids], labels.shape), labels)
    files.export_cells(session.document, "nuclei", path, unit="µm")
    assert read_geojson(path).unit == "µm"
    assert shapely.area(read_geojson(path).geometry).sum() == (labels > 0).sum() * 0.25


def test_tiles_of_a_slide_give_the_outlines_of_the_whole(session, monkeypatch):
    whole = cell_outlines(session.document, "nuclei")
    monkeypatch.setattr("napari_spatialml.session.cell_outlines.WHOLE", 10)
    monkeypatch.setattr("napari_spatialml.session.cell_outlines.TILE", 17)
    ids, outlines = cell_outlines(session.document, "nuclei")
    assert np.array_equal(ids, whole[0]) and shapely.equals(outlines, whole[1]).all()
    assert (shapely.get_num_coordinates(outlines) <= shapely.get_num_coordinates(whole[1]) + 1).all()


def test_masks_of_cellpose_become_labels_with_a_table_and_go_back(session, tmp_path):
    labels = session.document.grid("nuclei").read()
    files.export_cells(session.document, "nuclei", tmp_path / "he_seg.npy", "cellpose")
    taken_in(session, tmp_path / "he_seg.npy", into="cellpose")
    assert np.array_equal(session.document.grid("cellpose").read(), labels)
    assert session.document.table("cellpose_table").n_obs == 9
    session.undo()
    assert "cellpose" not in session.document.names("labels")
    write_cellpose(tmp_path / "he_seg.npy", np.zeros((5, 5), int))
    with pytest.raises(BadInput, match="as no image has"):
        files.read_incoming(session.document, tmp_path / "he_seg.npy")


def test_a_table_gives_cells_their_class(session, tmp_path):
    at = list(range(9))
    session.execute(correct(session.document, "relabel", table="nuclei_table", column="type", rows=at, value="T cell"))
    files.export_cells(session.document, "nuclei", tmp_path / "c.geojson", colour="type")
    assert set(read_geojson(tmp_path / "c.geojson").classes) == {"T cell"}
    with pytest.raises(BadInput, match="column of categories 'area_um2'"):
        files.export_cells(session.document, "nuclei", tmp_path / "c.geojson", colour="area_um2")
