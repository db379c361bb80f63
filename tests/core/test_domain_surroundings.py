"""What domain methods see around a row: rings, Gabor magnitudes, attention, communities, votes."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core.affine import Affine
from napari_spatialml.core.azimuthal import around, weighted_components
from napari_spatialml.core.consensus import vote_shares
from napari_spatialml.core.graph import knn_graph
from napari_spatialml.core.hops import ring_means
from napari_spatialml.core.leiden import communities, communities_at, likeness_graph, memberships

ROW, COLUMN = np.mgrid[:12, :14]
WHERE = np.column_stack([ROW.ravel() * 86.6, (COLUMN + (ROW % 2) / 2).ravel() * 100.0])
N = len(WHERE)


def plainly(where, values, k_mean, k_wide):
    """Return means and magnitudes by the formulas, row by row."""
    means, magnitudes = [], []
    for i in range(len(where)):
        step = where - where[i]
        square = (step**2).sum(1)
        square[i] = np.inf
        out = []
        for k in (k_mean, k_wide):
            near = np.flatnonzero(square <= np.sort(square)[k - 1] * (1 + 1e-6))
            width = np.sort(square[near])[(len(near) - 1) // 2]
            weight = np.exp(-square[near] / width)
            out.append((near, weight / weight.sum()))
        (near, weight), (wide, wide_weight) = out
        means.append(weight @ values[near])
        turn = np.exp(1j * np.arctan2(step[wide, 0], step[wide, 1]))
        magnitudes.append(np.abs((wide_weight * turn) @ (values[wide] - wide_weight @ values[wide])))
    return np.array(means), np.array(magnitudes)


@pytest.mark.parametrize("sparse", [True, False])
def test_the_components_are_those_of_the_dense_table_that_is_never_made(sparse):
    generator = np.random.default_rng(0)
    values = generator.poisson(1.0, (N, 6)).astype(float)
    mean, magnitude = plainly(WHERE, values, 7, 15)
    dense = np.hstack([values, mean, magnitude])
    dense = (dense - dense.mean(0)) / dense.std(0) * np.repeat(np.sqrt([0.2, 0.8 * 2 / 3, 0.8 / 3]), 6)
    left, size, _ = np.linalg.svd(dense, full_matrices=False)
    found = weighted_components(
        sp.csr_matrix(values) if sparse else values, around(WHERE, 7, 15), (0.2, 0.8 * 2 / 3, 0.8 / 3), 5
    )
    assert np.allclose(np.abs(found), np.abs(left[:, :5] * size[:5]), atol=1e-8)


def test_many_features_give_the_same_components_as_the_whole_decomposition(monkeypatch):
    values = sp.csr_matrix(np.random.default_rng(0).poisson(0.5, (N, 200)).astype(float))
    operators = around(WHERE, 6, 12)
    fast = weighted_components(values, operators, (0.2, 0.5, 0.3), 8)
    monkeypatch.setattr("napari_spatialml.core.azimuthal._SMALL", 10**9)
    assert np.allclose(fast, weighted_components(values, operators, (0.2, 0.5, 0.3), 8), atol=1e-7)


@given(st.floats(0, 360), st.booleans())
@settings(max_examples=10, deadline=None)
def test_turning_the_section_changes_no_magnitude(degrees, reflect):
    moved = Affine.similarity(1, degrees, (1e4, -3e4), reflect=reflect).apply(WHERE)
    values = np.random.default_rng(0).normal(size=(N, 4))
    here, there = (weighted_components(values, around(w, 7, 15), (0.2, 0.3, 0.5), 12) for w in (WHERE, moved))
    assert np.allclose(here, there, atol=1e-6)


def test_a_constant_has_no_surroundings_and_a_slope_has_the_same_magnitude_everywhere_inside():
    operators = around(WHERE, 6, 18)
    ones = np.ones(N)
    assert np.allclose(operators.operator(0) @ ones, 1)
    assert np.allclose([operators.operator(1) @ ones, operators.operator(2) @ ones], 0)
    slope = WHERE @ [0.6, 0.8]
    magnitude = np.hypot(operators.operator(1) @ slope, operators.operator(2) @ slope)
    inside = ((WHERE > [250, 250]) & (WHERE.max(0) - 250 > WHERE)).all(1)
    assert np.ptp(magnitude[inside]) < 1e-6 * magnitude[inside].mean()


def test_rows_on_one_place_and_a_row_alone_have_surroundings():
    one_place = around(np.zeros((40, 2)), 5, 10)
    assert np.allclose(one_place.operator(0).sum(1), 1) and not one_place.weight[:, 1:].any()
    assert around(np.zeros((1, 2)), 5, 10).operator(0).toarray() == [[1.0]]


def test_each_ring_is_the_mean_over_the_rows_exactly_so_many_hops_away():
    graph = knn_graph(WHERE, 6)
    values = np.random.default_rng(0).normal(size=(N, 3))
    hops = sp.csgraph.shortest_path(graph + graph.T, unweighted=True)
    expected = [values] + [(hops == h) @ values / (hops == h).sum(1)[:, None] for h in (1, 2, 3)]
    assert np.allclose(ring_means(values, graph, 3), np.hstack(expected))


def test_where_a_ring_is_empty_the_ring_inside_it_counts():
    graph = sp.csr_matrix(([1.0], ([0], [1])), shape=(3, 3))
    found = ring_means(np.array([[1.0], [5.0], [9.0]]), graph, 2)
    assert np.array_equal(found, [[1, 5, 5], [5, 1, 1], [9, 9, 9]])


def cliques(sizes=(9, 7, 5, 4)):
    return sp.csr_matrix(sp.block_diag([np.ones((s, s)) - np.eye(s) for s in sizes])), np.repeat(range(4), sizes)


@pytest.mark.parametrize("wanted", range(1, 9))
def test_exactly_so_many_communities_are_found(wanted):
    pytest.importorskip("igraph")
    graph, truth = cliques()
    found = communities(graph, wanted, 0)
    assert len(np.unique(found)) == found.max() + 1 == wanted
    if wanted == 4:
        assert all(len(np.unique(found[truth == t])) == 1 for t in range(4))
    if wanted < 4:  # no community is cut before two are merged
        assert all(len(np.unique(found[truth == t])) == 1 for t in range(4))


def test_a_higher_resolution_makes_no_fewer_communities():
    pytest.importorskip("igraph")
    generator = np.random.default_rng(0)
    graph = likeness_graph(generator.normal(size=(150, 3)), 8)
    found = [communities_at(graph, r, 0).max() + 1 for r in (0.05, 1.0, 20.0)]
    assert found == sorted(found) and found[0] < found[-1]


def test_likeness_is_symmetric_at_most_one_and_keeps_separate_clouds_apart():
    generator = np.random.default_rng(0)
    values = np.vstack([generator.normal(size=(40, 5)), generator.normal(50, 1, (40, 5))])
    graph = likeness_graph(values, 10)
    assert (graph != graph.T).nnz == 0 and 0 < graph.data.min() <= graph.data.max() <= 1
    assert graph[:40, 40:].nnz == 0 and not graph.diagonal().any()
    assert likeness_graph(values[:1], 10).nnz == 0 and likeness_graph(np.ones((3, 2)), 10).nnz == 6


def test_memberships_are_shares_of_neighbours_in_which_the_own_community_leads():
    graph, truth = cliques()
    graph = graph + sp.csr_matrix(np.random.default_rng(0).random(graph.shape) < 0.1)
    labels = np.where(np.arange(25) % 6 == 0, -1, truth)
    shares = memberships(graph, labels)
    assert np.allclose(shares.sum(1), 1)
    assert np.array_equal(shares.argmax(1)[labels >= 0], labels[labels >= 0])


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_maps_that_differ_only_in_numbers_vote_as_one(seed):
    generator = np.random.default_rng(seed)
    one = generator.dirichlet(np.full(5, 0.1), 60)
    voted = vote_shares([one, *(one[:, generator.permutation(5)] for _ in range(3))])
    assert np.allclose(voted, one)


def test_two_maps_outvote_one():
    generator = np.random.default_rng(0)
    right = np.eye(3)[np.repeat([0, 1, 2], 20)]
    wrong = np.eye(3)[generator.integers(0, 3, 60)]
    voted = vote_shares([wrong, right, right[:, [2, 0, 1]]])
    assert len({tuple(row) for row in zip(voted.argmax(1), right.argmax(1), strict=True)}) == 3


def test_a_network_learns_and_its_gradient_is_that_of_the_dense_formula():
    torch = pytest.importorskip("torch")
    from napari_spatialml.core import attention_network as an

    wiring = an.Wiring.of(knn_graph(WHERE[:30], 3), "cpu")
    generator = np.random.default_rng(0)
    attention = torch.from_numpy(generator.random(len(wiring.sender)).astype(np.float32)).requires_grad_()
    values = torch.from_numpy(generator.normal(size=(30, 4)).astype(np.float32)).requires_grad_()
    aim = torch.from_numpy(generator.normal(size=(30, 4)).astype(np.float32))
    found = torch.autograd.grad((an._mean(attention, values, wiring) * aim).sum(), (attention, values))
    dense = torch.zeros(30, 30).index_put((wiring.receiver, wiring.sender), attention)
    expected = torch.autograd.grad(((dense @ values) * aim).sum(), (attention, values))
    assert all(torch.allclose(f, e, atol=1e-5) for f, e in zip(found, expected, strict=True))

    features = np.column_stack([np.sin(WHERE / 300), np.cos(WHERE / 300)])[:30]
    errors = [
        an.AttentionAutoencoder(4, 16, 3, np.random.default_rng(0), "cpu").learn(features, wiring, e) for e in (1, 80)
    ]
    assert errors[1] < errors[0] / 2
