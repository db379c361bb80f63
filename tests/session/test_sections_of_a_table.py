"""One table whose rows annotate two elements holds two sections: their batch is no domain."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData
from spatialdata import SpatialData
from spatialdata.models import ShapesModel, TableModel

from napari_spatialml.core.metrics import adjusted_rand_index
from napari_spatialml.session import DomainsSelection, Session
from napari_spatialml.session.domain_cache import domain_inputs

from .divided import MIXTURE, bands

WIDE = 20


def two_slides(shift: float, apart: float) -> tuple[Session, np.ndarray]:
    """A table of two slides, three bands each, the second turned; chance says how well it sees each gene."""
    rng = np.random.default_rng(0)
    n = WIDE**2
    # the second slide is turned by a quarter: across slides, neighbours say nothing of each other
    truth = np.concatenate([bands(n, WIDE), bands(n, WIDE).reshape(WIDE, WIDE).T.ravel()])
    rates = np.full((3, 60), 2.0)
    for band in range(3):
        rates[band, band::3] = 5.0
    seen = np.stack([np.ones(60), np.exp(rng.normal(0, shift, 60))])
    slide = np.repeat([0, 1], n)
    counts = rng.poisson(rates[truth] * seen[slide]).astype(np.float32)
    names = np.array(["left", "right"])[slide]
    obs = pd.DataFrame({"region": pd.Categorical(names), "instance_id": np.tile(np.arange(n), 2)})
    obs.index = [f"spot{i}" for i in range(2 * n)]
    table = TableModel.parse(
        AnnData(sp.csr_matrix(counts), obs=obs),
        region=["left", "right"], region_key="region", instance_key="instance_id",
    )  # fmt: skip
    place = np.stack([np.arange(n) % WIDE, np.arange(n) // WIDE], 1) * 50.0
    places = {"left": place, "right": place + np.array([apart, 0])}
    parts = {name: ShapesModel.parse(xy, geometry=0, radius=20.0) for name, xy in places.items()} | {"counts": table}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = SpatialData.init_from_elements(
            parts, attrs={"spatialml": {"version": 1, "um_per_unit": {"global": 1.0}}}
        )
        return Session.start(made), truth


@pytest.mark.parametrize("apart", [0.0, 5000.0])
def test_a_table_of_two_slides_is_divided_as_two_sections(apart):
    session, truth = two_slides(0.6, apart)
    inputs = domain_inputs(session.document, DomainsSelection("counts"))
    assert inputs.cells.sections is not None and inputs.sizes == (len(truth),)
    labels = MIXTURE(n_domains=3)(inputs.cells).labels
    assert adjusted_rand_index(truth, labels) > 0.9
    assert adjusted_rand_index(inputs.cells.sections, labels) < 0.05
