"""Labels and values carried through a registration, either way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core.neighbour_coupling import neighbour_coupling
from napari_spatialml.errors import BadInput
from napari_spatialml.session import Session, correct
from napari_spatialml.session.alignments import present_transform
from napari_spatialml.session.gather import rows_in
from tests.session.conftest import state_of
from tests.session.sections import TRUTH, started
from tests.session.test_aligning import IMAGES, keep


@pytest.fixture
def session():
    made = started()
    keep(made, TRUTH)
    yield made
    made.close()


def places(session: Session) -> tuple[np.ndarray, np.ndarray]:
    """Return where the rows of both tables lie in the fixed section."""
    transform = present_transform(session.document, IMAGES)
    _, a = rows_in(session.document, "counts_a", "global")
    _, b = rows_in(session.document, "counts_b", "second")
    return a, transform.apply(b)


@pytest.mark.parametrize(("source", "target"), [("counts_a", "counts_b"), ("counts_b", "counts_a")])
def test_the_nearest_row_gives_its_label_either_way(session: Session, source: str, target: str) -> None:
    before = state_of(session)
    given_ = {"moving": "second", "source": source, "target": target, "column": "type", "neighbours": 1}
    session.execute(correct(session.document, "transfer-column", radius_um=500.0, output="told", **given_))
    a, b = places(session)
    gives, takes = (a, b) if source == "counts_a" else (b, a)
    nearest = np.linalg.norm(takes[:, None] - gives[None], axis=2).argmin(1)
    wanted = session.document.table(source).obs["type"].astype(str).to_numpy()[nearest]
    obs = session.document.table(target).obs
    assert np.array_equal(obs["told"].astype(str).to_numpy(), wanted)
    assert (obs["told_probability"] == 1).all()
    session.undo()
    assert state_of(session) == before


def test_probabilities_are_shares_and_what_has_no_partner_stays_unknown(session: Session) -> None:
    given_ = {"moving": "second", "source": "counts_a", "target": "counts_b", "column": "type"}
    session.execute(correct(session.document, "transfer-column", radius_um=15.0, **given_))
    obs = session.document.table("counts_b").obs
    a, b = places(session)
    near = np.linalg.norm(b[:, None] - a[None], axis=2).min(1) <= 15
    assert near.any() and not near.all()
    assert np.array_equal(obs["type_transferred"].notna().to_numpy(), near)
    sure = obs["type_transferred_probability"]
    assert (sure[near] >= 0.5 - 1e-9).all() and (sure[near] <= 1 + 1e-9).all() and (sure[~near] == 0).all()


def test_numbers_and_genes_are_means_of_the_partners(session: Session) -> None:
    rng = np.random.default_rng(0)
    table = session.document.table("counts_a")
    table.obs["depth"] = pd.Series(rng.normal(size=table.n_obs), index=table.obs.index)
    shared = {"moving": "second", "source": "counts_a", "target": "counts_b", "radius_um": 40.0}
    session.execute(correct(session.document, "transfer-column", column="depth", **shared))
    session.execute(correct(session.document, "transfer-layer", **shared))
    a, b = places(session)
    weights = neighbour_coupling(a, b, 6, 40.0)
    met = np.asarray(weights.sum(1)).ravel() > 0
    target = session.document.table("counts_b")
    assert np.allclose(target.obs["depth"][met], (weights @ table.obs["depth"].to_numpy())[met])
    layer = target.layers["transferred"]
    assert np.allclose(layer[met, 0], (weights @ table[:, "Gapdh"].X.ravel())[met], rtol=1e-5)
    assert np.isnan(layer[:, 2]).all(), "counts_a has no Cd3e"


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 8), st.floats(1, 50))
def test_partners_weigh_one_in_all_and_lie_within_the_radius(seed: int, k: int, radius: float) -> None:
    rng = np.random.default_rng(seed)
    gives, takes = rng.uniform(0, 100, (40, 2)), rng.uniform(0, 100, (30, 2))
    found = neighbour_coupling(gives, takes, k, radius)
    sums = np.asarray(found.sum(1)).ravel()
    near = np.linalg.norm(takes[:, None] - gives[None], axis=2) <= radius
    assert np.allclose(sums, near.any(1)) and (np.diff(found.indptr) <= k).all()
    assert not (found.toarray() > 0)[~near].any()


def test_tables_that_are_not_of_the_pair_are_refused_in_words(session: Session) -> None:
    for given_, says in (
        ({"source": "counts_a", "target": "counts_a"}, "on both sides"),
        ({"source": "counts_a", "target": "counts_b", "column": "ghost"}, "no column 'ghost'"),
        ({"source": "counts_a", "target": "counts_b", "moving": "global"}, "'global' is not registered"),
    ):
        with pytest.raises(BadInput, match=says):
            correct(session.document, "transfer-column", **{"moving": "second", "column": "type", **given_})
