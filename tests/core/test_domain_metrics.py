"""Laws of the comparison of labellings: names and order do not matter, and the published definitions hold."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core.domain_metrics import (
    adjusted_rand_index,
    chaos,
    compared_labellings,
    normalised_mutual_information,
    numbered,
    pas,
)
from napari_spatialml.errors import BadInput


def blobs(seed=0, n=300, k=4):
    rng = np.random.default_rng(seed)
    where = rng.random((n, 2)) * [1000, 400]
    labels = np.floor(where[:, 0] / 1000 * k).astype(int)
    wrong = rng.random(n) < 0.2
    return np.where(wrong, rng.integers(0, k, n), labels), where


def published_chaos(labels, where):
    scaled = (where - where.mean(0)) / where.std(0)
    total = 0.0
    for k in np.unique(labels):
        own = scaled[labels == k]
        if len(own) > 2:
            apart = np.linalg.norm(own[:, None] - own[None], axis=2)
            np.fill_diagonal(apart, np.inf)
            total += apart.min(1).sum()
    return total / len(labels)


def published_pas(labels, where):
    apart = np.linalg.norm(where[:, None] - where[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    near = np.argsort(apart, axis=1)[:, :10]
    return float(((labels[near] != labels[:, None]).sum(1) >= 6).mean())


@pytest.mark.parametrize("seed", range(3))
def test_chaos_and_pas_are_those_of_the_benchmark(seed):
    labels, where = blobs(seed)
    labels[:2] = 77  # a domain of two rows adds nothing
    assert np.isclose(chaos(labels, where), published_chaos(labels, where))
    assert np.isclose(pas(labels, where), published_pas(labels, where))


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=2, max_size=60))
def test_the_agreement_is_that_of_scikit_learn(pairs):
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    a, b = (np.array(side) for side in zip(*pairs, strict=True))
    assert np.isclose(adjusted_rand_index(a, b), adjusted_rand_score(a, b))
    expected = normalized_mutual_info_score(a, b, average_method="arithmetic")
    assert np.isclose(normalised_mutual_information(a, b), expected, atol=1e-9)


def test_a_perfect_partition_agrees_wholly_and_has_no_row_among_others():
    _, where = blobs()
    halves = np.where(where[:, 0] > 500, "cortex", "medulla")
    apart = where + np.where(halves == "cortex", 5000, 0)[:, None]
    found = compared_labellings(halves, np.where(halves == "cortex", 4, 2), apart)
    assert found.adjusted_rand_index == 1 and np.isclose(found.normalised_mutual_information, 1)
    assert found.pas == (0, 0) and found.names_a == ("cortex", "medulla") and found.names_b == ("2", "4")
    assert found.confusion[0, 0] == 0 and found.confusion[0, 1] == (halves == "cortex").sum()


def test_names_and_the_order_of_rows_change_nothing_on_a_grid_either():
    rng = np.random.default_rng(1)
    where = np.stack(np.meshgrid(np.arange(20.0), np.arange(15.0)), -1).reshape(-1, 2)
    labels, other = rng.integers(0, 3, (2, len(where)))
    found = compared_labellings(labels, other, where)
    order = rng.permutation(len(where))
    renamed = np.array(["z", "m", "a"])[labels[order]]
    again = compared_labellings(renamed, other[order], where[order])
    for name in ("adjusted_rand_index", "normalised_mutual_information", "chaos", "pas"):
        assert np.allclose(getattr(found, name), getattr(again, name)), name
    assert np.array_equal(found.confusion[::-1], again.confusion)


def test_a_unit_of_length_changes_nothing_and_noise_makes_it_rougher():
    labels, where = blobs()
    assert np.isclose(chaos(labels, where), chaos(labels, where * 1e4)) and pas(labels, where) == pas(labels, 7 * where)
    shuffled = np.random.default_rng(0).permutation(labels)
    assert chaos(shuffled, where) > chaos(labels, where) and pas(shuffled, where) > pas(labels, where)


def test_rows_without_a_label_are_left_out_and_counted():
    labels, where = blobs()
    some = pd.Series(labels.astype(float))
    some[::5] = np.nan
    names = pd.Series(np.array(["I", "II", "III", "IV"])[labels], dtype="category")
    names[1::10] = None
    found = compared_labellings(some, names, where)
    both = (some.notna() & names.notna()).to_numpy()
    assert found.left_out == (~both).sum() and found.compared == both.sum() == found.confusion.sum()
    assert found.adjusted_rand_index == 1 and np.isclose(found.chaos[0], chaos(labels[both], where[both]))
    assert compared_labellings(np.where(both, labels, -1), labels).left_out == found.left_out


def test_sections_do_not_see_each_other():
    labels, where = blobs()
    twice, sections = np.concatenate([where, where + 0.5]), np.repeat([0, 1], len(where))
    both = np.concatenate([labels, labels])
    assert np.isclose(chaos(both, twice, sections), chaos(labels, where))
    assert np.isclose(pas(both, twice, sections), pas(labels, where))


def test_numbers_are_in_the_order_of_categories_and_used_only():
    layers = pd.Categorical(["L6", "L1", None, "L1"], categories=["WM", "L6", "L1"], ordered=True)
    codes, names = numbered(layers)
    assert names == ("L6", "L1") and codes.tolist() == [0, 1, -1, 1]
    assert numbered(np.array([3.0, np.nan, 10.0]))[1] == ("3", "10")
    assert numbered(["b", "", "a"])[0].tolist() == [1, -1, 0]


def test_labellings_that_do_not_fit_are_refused():
    with pytest.raises(BadInput, match="3 and 2 labels"):
        compared_labellings([0, 1, 2], [0, 1])
    with pytest.raises(BadInput, match="No row"):
        compared_labellings([0, -1], [-1, 0])


def test_a_hundred_thousand_rows_take_no_more_than_two_seconds():
    rng = np.random.default_rng(0)
    where = rng.random((100_000, 2))
    labels = np.floor(where * 5).astype(int)
    began = time.process_time()
    compared_labellings(labels[:, 0], labels[:, 1], where)
    assert time.process_time() - began < 2 * 2  # two labellings
