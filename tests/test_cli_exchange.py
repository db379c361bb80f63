"""Export and import from the command line: the same files as the window makes, one sentence where it is wrong."""

from __future__ import annotations

import json

import pytest

from napari_spatialml.cli import main
from napari_spatialml.io.geojson import read_geojson
from napari_spatialml.session import Session, correct
from napari_spatialml.session.annotating import frame_of

from .session.conftest import small_section

SQUARE = [[[[0.0, 0.0], [0.0, 20.0], [20.0, 20.0], [20.0, 0.0]]]]


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(tmp_path / "state"))
    session = Session.start(small_section())
    session.execute(
        correct(session.document, "add-annotation", annotations="seen", outlines=SQUARE, class_name="Tumour")
    )
    made = session.save(tmp_path / "s.zarr")
    session.close()
    return made


def test_annotations_go_out_and_come_back(store, tmp_path, capsys):
    out = tmp_path / "a.geojson"
    assert main(["export", str(store), "--annotations", "seen", "--as", "geojson", "--out", str(out)]) == 0
    assert read_geojson(out).geometry[0].area == 1600
    assert (
        main(["export", str(store), "--annotations", "seen", "--as", "explorer", "--out", str(tmp_path / "a.csv")]) == 0
    )
    assert main(["import", str(store), str(out), "--into", "again"]) == 0
    assert "Import 1 region of a.geojson into 'again' in pixels of 'he'." in capsys.readouterr().out
    session = Session.open_store(store)
    try:
        assert frame_of(session.document, "again").geometry.iloc[0].area == 400
    finally:
        session.close()


def test_cells_go_out_for_xenium_ranger_and_cellpose(store, tmp_path):
    cells, masks = tmp_path / "cells.geojson", tmp_path / "he_seg.npy"
    assert main(["export", str(store), "--labels", "nuclei", "--unit", "um", "--out", str(cells)]) == 0
    data = json.loads(cells.read_text())
    assert data["unit"] == "µm" and len(data["features"]) == 9
    assert main(["export", str(store), "--labels", "nuclei", "--as", "cellpose", "--out", str(masks)]) == 0
    assert main(["import", str(store), str(masks), "--into", "mine"]) == 0


@pytest.mark.parametrize(
    "words, said",
    [
        (["export", "STORE", "--out", "a.geojson"], "not said what to write"),
        (["export", "STORE", "--annotations", "none", "--out", "a.geojson"], "no annotations 'none'"),
        (
            ["export", "STORE", "--annotations", "seen", "--as", "explorer", "--out", "a.geojson"],
            "no name for explorer",
        ),
        (["import", "STORE", "gone.geojson"], "no file"),
    ],
)
def test_what_is_wrong_is_one_sentence(store, tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    assert main([str(store) if w == "STORE" else w for w in words]) == 2
    assert said in capsys.readouterr().err
