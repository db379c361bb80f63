"""One table whose rows annotate several elements holds as many sections as they were pieces of glass."""

from __future__ import annotations

import warnings
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData
from spatialdata import SpatialData
from spatialdata.models import ShapesModel, TableModel

from napari_spatialml.core.metrics import adjusted_rand_index
from napari_spatialml.session import DomainsSelection, Session, run
from napari_spatialml.session.domain_cache import domain_inputs
from napari_spatialml.session.domain_maps import neighbours
from napari_spatialml.session.tissue_rows import sections_of

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
    place = np.stack([np.arange(n) % WIDE, np.arange(n) // WIDE], 1) * 50.0
    return Session.start(_section({"left": place, "right": place + np.array([apart, 0])}, counts)), truth


def _section(places: dict[str, np.ndarray], counts: np.ndarray) -> SpatialData:
    """Elements of spots at (x, y), and one table of all of them."""
    sizes = [len(xy) for xy in places.values()]
    of = pd.Categorical(np.repeat(list(places), sizes))
    obs = pd.DataFrame({"region": of, "instance_id": np.concatenate([np.arange(n) for n in sizes])})
    obs.index = [f"spot{i}" for i in range(len(obs))]
    table = TableModel.parse(
        AnnData(sp.csr_matrix(counts.astype(np.float32)), obs=obs),
        region=list(places), region_key="region", instance_key="instance_id",
    )  # fmt: skip
    parts = {name: ShapesModel.parse(xy, geometry=0, radius=20.0) for name, xy in places.items()} | {"counts": table}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SpatialData.init_from_elements(
            parts, attrs={"spatialml": {"version": 1, "um_per_unit": {"global": 1.0}}}
        )


@pytest.mark.parametrize("apart", [0.0, 5000.0])
def test_a_table_of_two_slides_is_divided_as_two_sections(apart):
    session, truth = two_slides(0.6, apart)
    inputs = domain_inputs(session.document, DomainsSelection("counts"))
    assert inputs.cells.sections is not None and inputs.sizes == (len(truth),)
    labels = MIXTURE(n_domains=3)(inputs.cells).labels
    assert adjusted_rand_index(truth, labels) > 0.9
    assert adjusted_rand_index(inputs.cells.sections, labels) < 0.05


def test_the_boundary_of_a_domain_is_not_seen_across_slides_that_lie_on_each_other():
    session, _ = two_slides(0.6, 0.0)
    with closing(session):
        run(session, MIXTURE(n_domains=3), DomainsSelection("counts"))
        graph = neighbours(session.document, "counts").tocoo()
        slide = np.repeat([0, 1], WIDE**2)
        assert graph.nnz and (slide[graph.row] == slide[graph.col]).all()
        table = session.document.table("counts")
        domain = table.obs["domain"].cat.codes.to_numpy()
        # a row in the middle of a band of seven has neighbours of its own domain alone
        inner = np.flatnonzero(table.obs["domain_boundary"].to_numpy()[slide == 0] == 0)
        assert len(inner) > WIDE**2 / 2 and len(np.unique(domain[inner])) == 3


@pytest.mark.parametrize("gap", [0.0, -20.0, 300.0])
def test_fields_of_view_are_one_section(gap):
    """Four tiles, beside each other, a little over each other, or like the cores of an array."""
    tile = np.stack([np.arange(100) % 10, np.arange(100) // 10], 1) * 50.0
    places = {f"field{k}": tile + np.array([k % 2, k // 2]) * (500.0 + gap) for k in range(4)}
    with closing(Session.start(_section(places, np.full((400, 3), 2.0)))) as session:
        assert sections_of(session.document, "counts") is None
        assert domain_inputs(session.document, DomainsSelection("counts")).cells.sections is None


def test_two_slides_of_fields_in_one_place_are_as_many_sections_as_fields():
    """Nothing says which fields belong together, so none is joined with one of the other slide."""
    tile = np.stack([np.arange(100) % 10, np.arange(100) // 10], 1) * 50.0
    places = {f"field{k}": tile + np.array([k % 2, 0]) * 500.0 for k in range(4)}
    with closing(Session.start(_section(places, np.full((400, 3), 2.0)))) as session:
        found = sections_of(session.document, "counts")
    assert found is not None and found.tolist() == np.repeat(range(4), 100).tolist()
