"""Labels and values carried over: means of the partners, and nothing where there is no partner."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core.affine import Affine
from napari_spatialml.core.neighbour_coupling import neighbour_coupling
from napari_spatialml.core.transfer import pull, pull_labels, push, push_labels
from napari_spatialml.errors import BadInput


def plan(seed: int, shape=(7, 5)) -> sp.csr_matrix:
    generator = np.random.default_rng(seed)
    return sp.csr_matrix(generator.random(shape) * (generator.random(shape) < 0.4))


@given(st.integers(0, 1000))
@settings(max_examples=25)
def test_what_arrives_lies_between_what_was_sent_and_nothing_is_invented(seed):
    coupling = plan(seed)
    sent = np.random.default_rng(seed + 1).normal(size=(7, 3))
    got = push(sent, coupling)
    mass = np.asarray(coupling.sum(0)).ravel()
    assert np.array_equal(np.isnan(got.values).all(1), mass == 0)
    assert (got.known[mass == 0] == 0).all() and (got.known <= 1).all()
    there = mass > 0
    assert (got.values[there] <= sent.max(0) + 1e-9).all() and (got.values[there] >= sent.min(0) - 1e-9).all()


@given(st.integers(0, 1000))
@settings(max_examples=25)
def test_labels_and_the_unknown_share_make_a_whole(seed):
    coupling = plan(seed)
    codes = np.random.default_rng(seed + 2).integers(-1, 4, 7)
    got = push_labels(codes, 4, coupling)
    assert (got.shares >= 0).all() and (got.shares.sum(1) <= 1 + 1e-12).all()
    assert np.allclose(got.known + (1 - got.shares.sum(1)), 1)
    certain = got.known > 1e-6
    assert np.allclose(got.probabilities[certain].sum(1), 1)
    assert (got.labels()[~certain] == -1).all()


@given(st.integers(0, 1000))
@settings(max_examples=10)
def test_push_and_pull_are_one_thing_seen_from_two_sides(seed):
    coupling = plan(seed)
    values, codes = np.arange(5.0), np.arange(5) % 3
    assert np.allclose(pull(values, coupling).values, push(values, coupling.T).values, equal_nan=True)
    assert np.allclose(pull_labels(codes, 3, coupling).shares, push_labels(codes, 3, coupling.T).shares)


def test_a_permutation_carries_everything_unchanged():
    order = np.random.default_rng(0).permutation(9)
    coupling = sp.csr_matrix((np.full(9, 0.1), (np.arange(9), order)), shape=(9, 9))
    values = np.arange(9.0)
    assert np.allclose(push(values, coupling).values[order], values)
    assert np.allclose(pull(push(values, coupling).values, coupling).values, values)
    assert (push_labels(order, 9, coupling).labels()[order] == order).all()


def test_a_value_that_is_missing_is_left_out_and_lowers_what_is_known():
    coupling = sp.csr_matrix([[0.5, 0.0], [0.5, 1.0]])
    got = push(np.array([np.nan, 4.0]), coupling)
    assert got.values.tolist() == [4, 4]
    assert got.known.tolist() == [0.5, 1]
    assert push_labels(np.array([-1, 0]), 1, coupling).shares.tolist() == [[0.5], [1]]


def test_beyond_the_other_section_nothing_is_known():
    fixed = np.array([[0.0, 0.0], [10.0, 0.0], [500.0, 0.0]])
    moving = np.array([[100.0, 0.0], [110.0, 0.0]])
    moved = Affine.translation(-100, 0).apply(moving)
    coupling = neighbour_coupling(moved, fixed, 1).T
    got = push_labels(np.array([0, 1]), 2, coupling)
    assert got.labels().tolist() == [0, 1, -1]
    back = neighbour_coupling(fixed, moved, 1)
    assert pull(np.array([1.0, 2.0, 3.0]), back).values.tolist() == [1, 2]


def test_what_does_not_fit_is_refused_in_words():
    with pytest.raises(BadInput, match="3 values for 7 points"):
        push(np.zeros(3), plan(0))
    with pytest.raises(BadInput, match="negative"):
        push(np.zeros(1), np.array([[-1.0]]))
    with pytest.raises(BadInput, match="label 4 is not among the 4"):
        push_labels(np.array([4]), 4, np.ones((1, 1)))
