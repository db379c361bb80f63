"""Transcripts of real Xenium runs: counted as the instrument counted them, and as a plain look-up does."""

from __future__ import annotations

import warnings
from pathlib import Path

import dask.dataframe as dd
import numpy as np
import pytest
from spatialdata import SpatialData
from spatialdata.models import Labels2DModel, PointsModel
from spatialdata.transformations import Identity, Scale

from napari_spatialml.io import open_files
from napari_spatialml.session import Session
from napari_spatialml.session.assigning import Task, assign_all
from napari_spatialml.session.document import Document
from napari_spatialml.session.transcript_source import Choice

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
warnings.simplefilter("ignore")


def data(name: str) -> Path:
    """Return the place of real data, or skip the test."""
    if not (DATA / name).exists():
        pytest.skip(f"the real data '{name}' is absent")
    return DATA / name


def test_a_xenium_region_is_counted_as_the_instrument_counted_it() -> None:
    document = Document(open_files(data("vendor/xenium_spatialdata.zarr"), um_per_unit=0.2125))
    found = assign_all(document, Task("cell_labels", "transcripts", Choice(20.0, False), "nucleus_labels"))
    table = document.table("table")
    theirs = np.asarray(table.X.sum(1)).ravel()[np.argsort(table.obs["cell_labels"].to_numpy())]
    ours = np.asarray(found.cells.counts.sum(1)).ravel()
    assert found.cells.ids.tolist() == sorted(table.obs["cell_labels"])
    # the instrument asks the polygon and we the pixel: one transcript may lie on the border
    assert np.abs(ours - theirs).max() <= 1 and abs(ours.sum() - theirs.sum()) <= 2
    area = found.cells.pixels * 0.2125**2
    np.testing.assert_allclose(area, table.obs.sort_values("cell_labels")["cell_area"], rtol=0.02, atol=1)
    points = document.element("transcripts").compute()
    assert set(found.genes) <= set(points["feature_name"][points["is_gene"].astype(bool)]), "controls do not count"
    assert found.left_out["chosen otherwise"] > found.total, "most of this region is of low quality"


def test_two_hundred_thousand_transcripts_are_counted_as_a_look_up_does(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(tmp_path))
    frame = dd.read_parquet(data("transcripts_xenium"))
    pixel, edge = 5.0, 24
    labels = np.zeros((1100, 1500), np.int32)
    rows, columns = (np.arange(n) // edge for n in labels.shape)
    inside = (np.arange(1100) % edge > 3)[:, None] & (np.arange(1500) % edge > 3)
    labels[...] = np.where(inside, 1 + rows[:, None] * (columns[-1] + 1) + columns, 0)
    sdata = SpatialData(
        labels={
            "cells": Labels2DModel.parse(
                labels, dims=("y", "x"), transformations={"global": Scale([pixel, pixel], ("x", "y"))}
            )
        },
        points={
            "rna": PointsModel.parse(
                frame, coordinates={"x": "x", "y": "y"}, feature_key="feature_name",
                transformations={"global": Identity()},
            )
        },
    )  # fmt: skip
    session = Session.start(sdata)
    found = assign_all(session.document, Task("cells", "rna"))
    whole = frame.compute()
    y, x = (np.floor(whole[c].to_numpy().astype(float) / pixel).astype(int) for c in ("y", "x"))
    within = (y >= 0) & (y < 1100) & (x >= 0) & (x < 1500)
    at = np.zeros(len(whole), int)
    at[within] = labels[y[within], x[within]]
    assert found.total == len(whole) == 213_191 and found.unassigned == (at == 0).sum()
    assert np.array_equal(
        np.asarray(found.cells.counts.sum(1)).ravel(), np.bincount(at, minlength=labels.max() + 1)[1:]
    )
    genes = whole["feature_name"][at > 0].value_counts()
    held = dict(zip(found.genes, np.asarray(found.cells.counts.sum(0)).ravel(), strict=True))
    assert {g: n for g, n in held.items() if n} == {g: n for g, n in genes.items() if n}
    session.close()
