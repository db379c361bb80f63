"""Laws of neighbour graphs: turning and shuffling change nothing, pieces and doubles are no trouble."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from napari_spatialml.core import Affine
from napari_spatialml.core.graph import averaging, knn_graph, radius_graph, spacing
from napari_spatialml.core.lowpass import components, low_pass, morans_i, normalised, rounds_for
from napari_spatialml.errors import BadInput

SQUARE = np.stack(np.meshgrid(np.arange(12.0), np.arange(9.0)), -1).reshape(-1, 2) * 100


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(-180, 180), st.integers(1, 12))
def test_turning_and_shuffling_a_square_grid_keeps_its_graph(seed, degrees, k):
    graph = knn_graph(SQUARE, k)
    assert (knn_graph(Affine.similarity(1, degrees, (3e4, -7e3), True).apply(SQUARE), k) != graph).nnz == 0
    order = np.random.default_rng(seed).permutation(len(SQUARE))
    assert (knn_graph(SQUARE[order], k) != graph[order][:, order]).nnz == 0
    assert (np.asarray(graph.sum(1)) >= k).all()
    assert graph.diagonal().sum() == 0


def test_neighbours_are_those_that_brute_force_finds():
    where = np.random.default_rng(0).uniform(0, 1, (60, 2))
    distance = np.linalg.norm(where[:, None] - where[None], axis=2) + np.diag(np.full(60, np.inf))
    expected = distance <= np.sort(distance, axis=1)[:, 4:5]
    assert np.array_equal(knn_graph(where, 5).toarray() > 0, expected)
    assert np.array_equal(radius_graph(where, 0.2).toarray() > 0, distance <= 0.2)


def test_pieces_stay_apart_and_doubles_are_neighbours():
    pieces = np.vstack([SQUARE, SQUARE + 1e6])
    assert connected_components(knn_graph(pieces, 6))[0] == 2
    doubled = np.vstack([SQUARE, SQUARE[:1]])
    graph = knn_graph(doubled, 6)
    assert graph[0, len(SQUARE)] == graph[len(SQUARE), 0] == 1
    assert spacing(doubled) == 100
    assert spacing(np.zeros((5, 2))) == 0
    assert knn_graph(np.zeros((30, 2)), 3).diagonal().sum() == 0


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful_of_rows_has_the_neighbours_that_there_are(n):
    graph = knn_graph(SQUARE[:n], 6)
    assert graph.shape == (n, n)
    assert (np.asarray(graph.sum(1)).ravel() == n - 1).all()


def test_averaging_keeps_constants():
    mean = averaging(knn_graph(SQUARE, 6))
    assert np.allclose(mean @ np.ones(len(SQUARE)), 1)


def test_the_low_pass_blurs_by_the_distance_that_was_asked_for():
    """A single bright row spreads with the standard deviation asked for, measured on a big grid."""
    grid = np.stack(np.meshgrid(np.arange(61.0), np.arange(61.0)), -1).reshape(-1, 2) * 50
    graph = knn_graph(grid, 6)
    impulse = np.zeros((len(grid), 1))
    impulse[61 * 30 + 30] = 1
    blurred = low_pass(impulse, graph, rounds_for(200.0, grid, graph))[:, 0]
    variance = (blurred[:, None] * (grid - [1500, 1500]) ** 2).sum(0) / blurred.sum()
    assert np.sqrt(variance) == pytest.approx([200, 200], rel=0.05)


def test_morans_i_of_a_ramp_is_high_of_noise_low_of_a_checkerboard_negative():
    graph = radius_graph(SQUARE, 101)
    checker = (SQUARE.sum(1) / 100) % 2
    noise = np.random.default_rng(0).normal(size=len(SQUARE))
    ramp, random, board, constant = morans_i(
        np.column_stack([SQUARE[:, 0], noise, checker, np.full(len(SQUARE), 0.1)]), graph
    )
    assert ramp > 0.8 and abs(random) < 0.2 and board == pytest.approx(-1) and constant == 0


def test_components_are_those_of_the_standardised_table_sparse_or_dense():
    import scipy.sparse as sp

    generator = np.random.default_rng(1)
    table = generator.poisson(1.0, (80, 15)).astype(float)
    table[:, 3] = 2.0
    scores = components(table, 5)
    assert np.allclose(components(sp.csr_matrix(table), 5), scores, atol=1e-8)
    standard = np.delete((table - table.mean(0)), 3, axis=1)
    standard /= standard.std(0)
    assert np.allclose((scores**2).sum(0), np.linalg.svd(standard, compute_uv=False)[:5] ** 2)
    assert components(np.full((10, 4), 0.1), 3).shape == (10, 0)


def test_normalising_knows_counts_intensities_and_logarithms():
    counts = np.random.default_rng(2).poisson(3.0, (20, 6)) + 1
    depth = np.arange(1, 21)[:, None]
    assert np.allclose(np.expm1(normalised(counts * depth)).sum(1), np.median((counts * depth).sum(1)))
    logarithms = np.log1p(counts) + 0.5
    assert normalised(logarithms) is logarithms
    intensities = counts * np.pi * 1000
    assert np.allclose(normalised(intensities), normalised(intensities * 1e5 / np.e))
    with pytest.raises(BadInput, match="negative"):
        normalised(-logarithms, "log")
