"""Least squares on a graph: the exact minimum, and what the method does with neighbours."""

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp

from napari_spatialml.core import Constraints, Reference, Spots
from napari_spatialml.core.graph import knn_graph
from napari_spatialml.core.graph_nnls import leverage, smoothed_nnls, symmetric
from napari_spatialml.errors import BadInput
from napari_spatialml.methods import method

GENERATOR = np.random.default_rng(3)
GENES = np.array([f"g{i}" for i in range(150)])
PROFILES = GENERATOR.dirichlet(np.full(150, 0.4), 5)
TYPES = np.repeat(list("abcde"), 30)
REFERENCE = Reference(GENERATOR.poisson(PROFILES[np.repeat(np.arange(5), 30)] * 3000), GENES, TYPES)
GraphNnls = method("deconvolution", "graph-nnls")


def tissue(side=14, depth=60):
    """Two halves of one composition each, shallow spots 100 µm apart."""
    y, x = np.mgrid[:side, :side]
    where = np.c_[y.ravel(), x.ravel()] * 100.0
    truth = np.where((x.ravel() < side // 2)[:, None], [0.6, 0.3, 0.1, 0, 0], [0, 0, 0.2, 0.3, 0.5])
    return Spots(np.random.default_rng(1).poisson(truth @ PROFILES * depth), GENES, where), truth


def test_it_is_the_minimum_that_a_general_solver_finds():
    """Against Lawson and Hanson on the stacked problem; one row has no neighbour."""
    generator = np.random.default_rng(0)
    n, t, smoothing = 12, 3, 0.7
    design = generator.normal(size=(20, t)) + 0.5
    values = generator.normal(size=(n, 20))
    edges = sp.csr_matrix(np.triu(generator.random((n, n)) < 0.3, 1).astype(float))
    edges = edges.tolil()
    edges[5, :] = 0
    edges[:, 5] = 0
    graph = symmetric(sp.csr_matrix(edges))
    gram = design.T @ design
    found = smoothed_nnls(gram, values @ design, graph, smoothing)
    laplacian = np.diag(np.asarray(graph.sum(1)).ravel()) - graph.toarray()
    size, vectors = np.linalg.eigh(laplacian)
    root = (vectors * np.sqrt(np.maximum(size, 0))).T * np.sqrt(smoothing * np.diag(gram).mean())
    stacked = np.vstack([np.kron(np.eye(n), design), np.kron(root, np.eye(t))])
    exact = scipy.optimize.nnls(stacked, np.concatenate([values.ravel(), np.zeros(n * t)]))[0]
    assert np.allclose(found.ravel(), exact, atol=1e-4)
    alone = scipy.optimize.nnls(design, values[5])[0]
    assert np.allclose(found[5], alone, atol=1e-8)


def test_without_smoothing_it_is_weighted_least_squares():
    spots, _ = tissue()
    weighted = next(method("deconvolution", name) for name in ("weighted-nnls", "nnls") if name in _names())
    assert np.allclose(GraphNnls()(spots, REFERENCE).values, weighted()(spots, REFERENCE).values, atol=1e-9)


def _names():
    from napari_spatialml.methods import methods

    return methods("deconvolution")


def test_smoothing_helps_where_neighbours_are_alike_and_order_does_not_matter():
    spots, truth = tissue()
    errors = [
        np.sqrt(((GraphNnls(smoothing=amount)(spots, REFERENCE).values - truth) ** 2).mean()) for amount in (0, 0.3)
    ]
    assert errors[1] < 0.8 * errors[0]
    order = np.random.default_rng(0).permutation(len(truth))
    here = GraphNnls(smoothing=0.3)(spots, REFERENCE)
    there = GraphNnls(smoothing=0.3)(Spots(spots.counts[order], GENES, spots.coordinates[order]), REFERENCE)
    assert np.allclose(there.values, here.values[order], atol=1e-3)


def test_artefacts_and_empty_spots_teach_their_neighbours_nothing():
    spots, _ = tissue()
    counts = spots.counts.toarray()
    other = counts.copy()
    other[40] = GENERATOR.poisson(PROFILES[4] * 5000)
    artefacts = np.zeros(len(counts), bool)
    artefacts[40] = True
    hand = Constraints(tuple("abcde"), np.array([], int), np.zeros((0, 5)), np.zeros((0, 5)), artefacts)
    found = [
        GraphNnls(smoothing=0.3)(Spots(given, GENES, spots.coordinates, hand), REFERENCE).values
        for given in (counts, other)
    ]
    keep = np.arange(len(counts)) != 40
    assert np.allclose(found[0][keep], found[1][keep], atol=1e-12)
    assert not np.allclose(found[0][40], found[1][40], atol=0.1)
    counts[40] = 0
    empty = GraphNnls(smoothing=0.3)(Spots(counts, GENES, spots.coordinates), REFERENCE)
    assert np.allclose(empty.values[40], 0.2) and empty.empty.sum() == 1 and empty.empty[40]
    assert np.allclose(empty.values[keep], found[0][keep], atol=1e-12)


def test_smoothing_without_coordinates_is_refused_and_without_smoothing_none_are_needed():
    spots, _ = tissue()
    bare = Spots(spots.counts, GENES)
    assert GraphNnls()(bare, REFERENCE).values.shape == (196, 5)
    with pytest.raises(BadInput, match=r"no coordinates.*Set smoothing to 0"):
        GraphNnls(smoothing=0.1)(bare, REFERENCE)


def test_the_genes_of_highest_leverage_do_nearly_as_well_and_abundance_adds_up():
    spots, truth = tissue(depth=2000)
    some, everything = (GraphNnls(n_genes=n)(spots, REFERENCE) for n in (60, 0))
    error = [np.sqrt(((found.values - truth) ** 2).mean()) for found in (some, everything)]
    assert error[0] < 2 * error[1]
    assert np.allclose(everything.abundance / everything.abundance.sum(1, keepdims=True), everything.values)
    assert leverage(np.sqrt(PROFILES)).sum() == pytest.approx(5)


def test_the_graph_is_symmetric_and_weighs_one_on_average():
    graph = symmetric(knn_graph(GENERATOR.uniform(size=(50, 2)), 4))
    assert (graph != graph.T).nnz == 0 and graph.diagonal().sum() == 0
    assert graph.sum() == pytest.approx(50)
