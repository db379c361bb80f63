"""What the rows of a table are called: the word that a biologist has for them."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from spatialdata.models import Labels2DModel, TableModel

from napari_spatialml.session import Session
from napari_spatialml.session.row_words import rows_are, word_for
from tests.session.conftest import small_section


@pytest.fixture
def document(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(tmp_path / "states"))
    sdata = small_section()
    grid = np.arange(1, 43, dtype=np.int32).reshape(6, 7)
    obs = pd.DataFrame(
        {"region": pd.Categorical(["squares"] * 42), "instance_id": grid.ravel()}, index=map(str, range(42))
    )
    table = ad.AnnData(np.ones((42, 2), np.float32), obs=obs)
    sdata["squares"] = Labels2DModel.parse(grid, dims=("y", "x"))
    sdata["of_squares"] = TableModel.parse(table, region="squares", region_key="region", instance_key="instance_id")
    session = Session.start(sdata)
    yield session.document
    session.close()


def test_squares_on_an_array_are_bins_and_other_squares_are_pixels(document):
    assert rows_are(document, "of_squares") == "pixels" and word_for(document, "squares", 1) == "pixel"
    obs = document.table("of_squares").obs
    obs["array_row"], obs["array_col"] = np.arange(len(obs)), 0
    assert rows_are(document, "of_squares") == "bins" and word_for(document, "squares", 1) == "bin"


def test_circles_each_of_its_own_size_are_cells(document):
    spots = document.element("spots")
    spots["radius"] = np.linspace(3.0, 8.0, len(spots))
    assert rows_are(document, "counts") == "cells" and word_for(document, "spots", 1) == "cell"


def test_circles_are_spots_outlined_labels_are_cells_and_a_table_of_nothing_has_rows(document):
    assert rows_are(document, "counts") == "spots" and rows_are(document, "counts", 1) == "spot"
    assert word_for(document, "nuclei") == "cells"
    assert rows_are(document, "") == "rows" and rows_are(document, "", 1) == "row"
