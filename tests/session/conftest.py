"""Small sections with everything in them, for the laws of the document."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from spatialdata import SpatialData
from spatialdata.models import Image2DModel, Labels2DModel, PointsModel, ShapesModel, TableModel
from spatialdata.transformations import Affine, Scale

from napari_spatialml.session import Session
from napari_spatialml.session.cells import measure


def small_section(seed: int = 0, size: int = 96) -> SpatialData:
    """An image, labels with their table, spots with counts and a domain column, transcripts, landmarks."""
    rng = np.random.default_rng(seed)
    half_um = Scale([0.5, 0.5], ("x", "y"))
    labels = np.zeros((size, size), np.int32)
    for number in range(9):
        y, x = divmod(number, 3)
        labels[8 + 28 * y : 26 + 28 * y, 6 + 30 * x : 30 + 30 * x] = number + 1
    image = rng.integers(0, 255, (2, size, size)).astype(np.uint8)
    he = Image2DModel.parse(
        image, dims=("c", "y", "x"), c_coords=["dapi", "membrane"], transformations={"global": half_um}
    )
    table = measure(labels, he, name="nuclei", pixel_size_um=0.5)
    n = 12
    xy = np.stack([np.arange(n) % 4 * 12.0 + 6, np.arange(n) // 4 * 12.0 + 6], 1)
    spots = ShapesModel.parse(xy, geometry=0, radius=5.0, index=pd.Index(np.arange(n)))
    obs = pd.DataFrame(
        {
            "region": pd.Categorical(["spots"] * n),
            "instance_id": np.arange(n),
            "domain": pd.Categorical(np.where(np.arange(n) < 6, "D1", "D2")),
            "total": np.arange(n, dtype=float),
        },
        index=[f"spot{i}" for i in range(n)],
    )
    counts = ad.AnnData(sp.csr_matrix(rng.poisson(2.0, (n, 5)).astype(np.float32)), obs=obs)
    counts.var_names = [f"gene{i}" for i in range(5)]
    parsed = TableModel.parse(counts, region="spots", region_key="region", instance_key="instance_id")
    where = pd.DataFrame({"x": rng.uniform(0, 48, 40), "y": rng.uniform(0, 48, 40), "gene": rng.choice(["a", "b"], 40)})
    turned = Affine([[0.0, 2.0, 5.0], [2.0, 0.0, 1.0], [0, 0, 1]], ("x", "y"), ("x", "y"))
    grid = np.arange(1, 37, dtype=np.int32).reshape(6, 6)
    return SpatialData.init_from_elements(
        {
            "he": he,
            "nuclei": Labels2DModel.parse(labels, dims=("y", "x"), transformations={"global": half_um}),
            "pixels": Labels2DModel.parse(grid, dims=("y", "x"), transformations={"msi": turned}),
            "nuclei_table": TableModel.parse(table),
            "spots": spots,
            "counts": parsed,
            "transcripts": PointsModel.parse(where, feature_key="gene"),
        },
        attrs={"spatialml": {"version": 1, "um_per_unit": {"global": 1.0, "msi": 1.0}}},
    )


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the journals of unsaved sections out of the person's own folder."""
    folder = tmp_path / "state"
    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(folder))
    return folder


@pytest.fixture
def session() -> Iterator[Session]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Session.start(small_section())
    yield made
    made.close()


@pytest.fixture
def section() -> Iterator[Session]:
    """A section of spots with its map of three bands."""
    from .divided import divided  # not at the top: it is needed by few

    made = divided()
    yield made
    made.close()


def state_of(session: Session) -> dict[str, Any]:
    """Everything the document holds, as hashes."""
    return session.document.fingerprints()
