"""A drift of the totals over a section is no domain."""

import numpy as np
import pytest
import scipy.sparse as sp

from napari_spatialml.core import Cells
from napari_spatialml.core.graph import knn_graph
from napari_spatialml.core.lowpass import normalised
from napari_spatialml.core.metrics import adjusted_rand_index
from napari_spatialml.core.total_drift import capped_shares, share_of_totals
from napari_spatialml.methods import method

LowPassMixture = method("domains", "low-pass-mixture")


def drifting(seed: int, drift: float, side: int = 40):
    """Four bands of spots along x; the totals rise along y by e**drift."""
    rng = np.random.default_rng(seed)
    where = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2) * 100.0
    truth = (where[:, 1] // (25.0 * side)).astype(int)
    profile = rng.gamma(0.5, 1.0, 200) * np.exp(rng.normal(0, 0.15, (4, 200)))
    depth = 300 * np.exp(drift * (where[:, 0] / where[:, 0].max() - 0.5))
    rate = profile[truth] / profile[truth].sum(1, keepdims=True) * depth[:, None]
    return Cells(sp.csr_matrix(rng.poisson(rate)), where), truth


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_domains_are_found_where_the_totals_drift_across_them(seed):
    cells, truth = drifting(seed, 3.0)
    found = LowPassMixture(n_domains=4)(cells)
    assert adjusted_rand_index(truth, found.labels) > 0.9
    logarithms = LowPassMixture(n_domains=4, normalise="log")(cells)
    assert adjusted_rand_index(truth, logarithms.labels) < 0.6


def test_what_follows_the_totals_is_told_from_what_does_not():
    for drift, low, high in ((0.0, 0.0, 0.3), (3.0, 0.5, 1.0)):
        cells, _ = drifting(3, drift)
        totals = np.asarray(cells.features.sum(1), dtype=float).ravel()
        graph = knn_graph(cells.coordinates, 6)
        assert low <= share_of_totals(normalised(cells.features, "log"), totals, graph) <= high


def test_without_a_drift_the_logarithms_stay():
    cells, _ = drifting(4, 0.0)
    auto, log = (LowPassMixture(n_domains=4, normalise=how)(cells) for how in ("auto", "log"))
    assert auto.probabilities.tobytes() == log.probabilities.tobytes()


def test_shares_do_not_depend_on_the_totals_nor_on_how_the_table_is_kept():
    counts = np.random.default_rng(0).poisson(1.0, (50, 30)).astype(float)
    scale = np.random.default_rng(1).uniform(0.1, 10, (50, 1))
    here, there = capped_shares(counts), capped_shares(counts * scale)
    assert np.allclose(here / np.median(counts.sum(1)), there / np.median((counts * scale).sum(1)))
    assert np.allclose(capped_shares(sp.csr_matrix(counts)).toarray(), here)
    empty = np.vstack([counts, np.zeros((1, 30))])
    assert (capped_shares(empty)[-1] == 0).all() and np.isfinite(capped_shares(empty)).all()


def test_one_row_far_above_all_others_is_capped():
    counts = np.random.default_rng(0).poisson(1.0, (4000, 30)).astype(float)
    counts[7, 3] = 1e6
    assert capped_shares(counts)[7, 3] < counts.sum(1)[8]


def test_constant_totals_and_few_rows_have_no_drift():
    graph = knn_graph(np.arange(24.0).reshape(12, 2), 6)
    values = np.random.default_rng(0).random((12, 5))
    assert share_of_totals(values, np.ones(12), graph) == 0
    where = np.random.default_rng(1).random((300, 2))
    assert share_of_totals(np.random.default_rng(2).random((300, 8)), np.ones(300), knn_graph(where, 6)) == 0
