"""Laws of the metrics: identity is best, names do not matter, and brute force agrees."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_spatialml.core.metrics import (
    adjusted_rand_index,
    average_precision,
    dice,
    intersection_over_union,
    jensen_shannon,
    morans_i,
    normalised_mutual_information,
    rmse,
    target_registration_error,
)
from napari_spatialml.errors import BadInput

masks = hnp.arrays(np.int32, (5, 6), elements=st.integers(0, 4))
labels = hnp.arrays(np.int64, 12, elements=st.integers(0, 3))
thresholds = st.sampled_from([0.1, 0.25, 1 / 3, 0.5, 0.6, 0.75, 1.0])


def brute_force_precision(true, predicted, threshold):
    a, b = [k for k in np.unique(true) if k], [k for k in np.unique(predicted) if k]
    iou = np.zeros((len(a), len(b)))
    for i, p in enumerate(a):
        for j, q in enumerate(b):
            iou[i, j] = np.sum((true == p) & (predicted == q)) / np.sum((true == p) | (predicted == q))
    good = iou >= threshold - 1e-12
    if len(a) > len(b):
        good = good.T
    best = max(sum(good[i, j] for i, j in enumerate(order)) for order in permutations(range(good.shape[1]), len(good)))
    total = len(a) + len(b) - best
    return best / total if total else 1.0


@settings(max_examples=150, deadline=None)
@given(masks, masks, thresholds)
def test_average_precision_equals_brute_force(true, predicted, threshold):
    expected = brute_force_precision(true, predicted, threshold)
    assert np.isclose(average_precision(true, predicted, threshold)[0], expected)


@settings(max_examples=50, deadline=None)
@given(masks, masks)
def test_average_precision_is_symmetric_falls_with_the_threshold_and_ignores_names(true, predicted):
    steps = [0.1, 0.3, 0.5, 0.7, 0.9]
    values = average_precision(true, predicted, steps)
    assert np.allclose(values, average_precision(predicted, true, steps))
    assert np.all(np.diff(values) <= 1e-12)
    renamed = np.array([0, 900_000_001, 7, 3, 12])[true]
    assert np.allclose(values, average_precision(renamed, predicted, steps))
    assert np.all(average_precision(true, true, steps) == 1)


def test_the_overlap_table_is_small_for_many_objects():
    true = np.arange(1, 40_001).reshape(200, 200)
    overlap = intersection_over_union(true, np.roll(true, 1, 1))
    assert overlap.shape == (40_000, 40_000) and overlap.nnz == 40_000
    assert average_precision(true, true, [0.5, 0.9]).tolist() == [1, 1]


def test_masks_of_other_shapes_and_thresholds_out_of_range_are_refused():
    with pytest.raises(BadInput, match="shapes"):
        average_precision(np.zeros((2, 2), int), np.zeros((2, 3), int))
    with pytest.raises(BadInput, match="threshold"):
        average_precision(np.zeros((2, 2), int), np.zeros((2, 2), int), 0.0)


@given(masks, masks)
def test_dice_is_symmetric_bounded_and_counts_pixels(true, predicted):
    value = dice(true, predicted)
    assert value == dice(predicted, true) and 0 <= value <= 1 and dice(true, true) == 1
    inner = np.sum((true > 0) & (predicted > 0))
    assert np.isclose(value * (np.sum(true > 0) + np.sum(predicted > 0)), 2 * inner) or not (
        true.any() or predicted.any()
    )


@settings(max_examples=100, deadline=None)
@given(labels, labels)
def test_partitions_agree_with_scikit_learn(true, found):
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    assert np.isclose(adjusted_rand_index(true, found), adjusted_rand_score(true, found))
    assert np.isclose(normalised_mutual_information(true, found), normalized_mutual_info_score(true, found), atol=1e-7)


@given(labels, labels, st.permutations(range(4)))
def test_partition_scores_are_symmetric_and_ignore_names(true, found, names):
    for score in (adjusted_rand_index, normalised_mutual_information):
        assert np.isclose(score(true, found), score(found, true))
        assert np.isclose(score(true, found), score(np.array(list("abcd"))[np.array(names)][true], found))
        assert np.isclose(score(true, true), 1)


def test_chance_has_an_adjusted_rand_index_of_about_zero():
    rng = np.random.default_rng(0)
    assert abs(adjusted_rand_index(rng.integers(0, 5, 20_000), rng.integers(0, 7, 20_000))) < 0.01


def test_registration_error_of_a_known_shift():
    fixed = np.random.default_rng(0).random((7, 2)) * 100
    error = target_registration_error(fixed, np.add(fixed, [3, 4]), extent_um=(300, 400))
    assert np.allclose(error.distances_um, 5)
    assert (
        np.isclose(error.median_um, 5) and np.isclose(error.largest_um, 5) and np.isclose(error.median_relative, 0.01)
    )
    assert target_registration_error(fixed, fixed).mean_um == 0
    with pytest.raises(BadInput, match="7 observations"):
        target_registration_error(fixed, fixed[:3])


shares = hnp.arrays(np.float64, (4, 3), elements=st.floats(0.01, 1))


@given(shares, shares)
def test_divergence_is_symmetric_bounded_and_zero_for_itself(p, q):
    value = jensen_shannon(p, q)
    assert np.allclose(value, jensen_shannon(q, p)) and np.all((value >= 0) & (value <= 1))
    assert np.allclose(jensen_shannon(p, p), 0, atol=1e-9)
    assert np.isclose(rmse(p, q), np.linalg.norm(p - q) / np.sqrt(p.size))


def test_divergence_agrees_with_scipy_and_is_one_where_nothing_is_shared():
    from scipy.spatial.distance import jensenshannon

    rng = np.random.default_rng(1)
    p, q = rng.dirichlet([0.4] * 5, 20), rng.dirichlet([1] * 5, 20)
    assert np.allclose(jensen_shannon(p, q), [jensenshannon(a, b, 2) ** 2 for a, b in zip(p, q, strict=True)])
    assert np.allclose(jensen_shannon(np.eye(2), np.eye(2)[::-1]), 1)
    with pytest.raises(BadInput, match="sums to 0"):
        jensen_shannon(np.zeros((1, 2)), np.ones((1, 2)))


def grid_graph(n: int) -> sp.csr_matrix:
    path = sp.diags([np.ones(n - 1), np.ones(n - 1)], [-1, 1])
    return sp.csr_matrix(sp.kron(path, sp.eye(n)) + sp.kron(sp.eye(n), path))


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.float64, (9, 2), elements=st.integers(0, 9)), st.integers(0, 999))
def test_morans_i_equals_its_double_sum_dense_and_sparse(values, seed):
    rng = np.random.default_rng(seed)
    weights = rng.random((9, 9)) * (rng.random((9, 9)) < 0.5) + np.eye(9, k=1)
    np.fill_diagonal(weights, 0)
    z = values - values.mean(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = 9 / weights.sum() * np.einsum("ij,ik,jk->k", weights, z, z) / (z**2).sum(0)
    expected[np.ptp(values, axis=0) == 0] = np.nan
    assert np.allclose(morans_i(values, weights), expected, equal_nan=True)
    assert np.allclose(morans_i(sp.csr_matrix(values), sp.csr_matrix(weights)), expected, equal_nan=True)


def test_morans_i_knows_gradients_chance_and_chequerboards():
    graph, (i, j) = grid_graph(30), np.indices((30, 30)).reshape(2, -1)
    noise = np.random.default_rng(0).normal(size=900)
    smooth, chance, board = morans_i(np.stack([i + j, noise, (i + j) % 2], 1), graph)
    assert smooth > 0.9 and abs(chance) < 0.1 and np.isclose(board, -1)
    with pytest.raises(BadInput, match="no edge"):
        morans_i(noise, sp.csr_matrix((900, 900)))
