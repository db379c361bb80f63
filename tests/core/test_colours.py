"""Laws of colours: stable, distinct, and a table that agrees with a dictionary."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_spatialml.core.colours import (
    OKABE_ITO,
    PERCEPTUAL_MAPS,
    _as_deuteranope,
    _oklab,
    category_colours,
    limits,
    lookup_table,
    match_labels,
    palette,
)
from napari_spatialml.errors import BadInput


@given(st.integers(0, 90), st.integers(0, 90))
def test_the_first_colours_of_a_longer_palette_are_the_same(a, b):
    k = min(a, b)
    assert palette(a).shape == (a, 3)
    assert np.array_equal(palette(a)[:k], palette(b)[:k])


def test_the_palette_starts_with_okabe_and_ito():
    assert list(category_colours([f"c{k}" for k in range(7)]).values()) == list(OKABE_ITO)


def test_sixty_colours_are_distinct_coloured_and_neither_black_nor_white():
    lab = _oklab(palette(60))
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=2) + np.eye(60)
    assert apart.min() > 0.05, "two colours cannot be told apart"
    assert lab[:, 0].min() > 0.3 and lab[:, 0].max() < 0.95
    assert np.hypot(lab[:, 1], lab[:, 2]).min() > 0.04


def test_a_dozen_colours_stay_apart_without_green_cones():
    lab = _oklab(_as_deuteranope(palette(12)))
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=2) + np.eye(12)
    assert apart.min() > 0.05


def test_a_palette_beyond_every_colour_repeats_instead_of_failing():
    assert palette(2000).shape == (2000, 3)
    with pytest.raises(BadInput, match="-1"):
        palette(-1)


names = st.lists(st.text("abcdef", min_size=1, max_size=2), max_size=20)


@given(names, names)
def test_stored_colours_win_and_new_names_never_take_them(first, second):
    before = category_colours(first)
    after = category_colours(second, before)
    assert list(after) == list(dict.fromkeys(second))
    assert all(after[name] == before[name] for name in after if name in before)
    together = {**before, **after}
    assert len(set(together.values())) == len(together)
    assert category_colours(second, after) == after


@given(hnp.arrays(np.int64, 40, elements=st.integers(0, 5)), st.permutations(range(6)))
def test_renumbered_clusters_get_their_old_numbers_back(old, order):
    order = np.array(order)
    new = order[old]
    matched = match_labels(old, new)
    assert np.array_equal(matched[new], old)
    assert len(set(matched)) == len(matched)


def test_a_new_cluster_gets_a_number_that_no_old_one_has():
    old, new = np.array([0, 0, 1, 1, 1, 1]), np.array([1, 1, 0, 0, 0, 2])
    assert match_labels(old, new).tolist() == [1, 0, 2]
    assert match_labels([], []).tolist() == []
    with pytest.raises(BadInput, match="3 new"):
        match_labels([0, 1], [0, 1, 2])


ids = st.lists(st.integers(0, 2**40), unique=True, max_size=12)


@given(ids, st.booleans(), st.lists(st.integers(0, 2**40), max_size=8))
def test_a_table_agrees_with_a_dictionary(keys, small, other):
    keys = [k % 10_007 for k in keys] if small else keys
    keys = list(dict.fromkeys(keys))
    values = np.arange(len(keys)) * 3 + 1
    asked = np.array(keys + other, dtype=np.int64)
    known = dict(zip(keys, values.tolist(), strict=True))
    table = lookup_table(max(keys, default=0), keys, values, fill=-7)
    assert table[asked].tolist() == [known.get(int(k), -7) for k in asked]


def test_labels_beyond_the_table_and_colours_of_four_channels():
    table = lookup_table(3, [1, 2], np.array([[1, 0, 0, 1], [0, 1, 0, 1]], float), fill=0)
    shown = table[np.array([[0, 1], [2, 99]], dtype=np.uint32)]
    assert shown.shape == (2, 2, 4)
    assert np.array_equal(shown[0, 1], [1, 0, 0, 1]) and not shown[1, 1].any() and not shown[0, 0].any()
    assert table[-1].tolist() == [0, 0, 0, 0]
    for wrong in ([1, 1], [-1, 2]):
        with pytest.raises(BadInput):
            lookup_table(3, wrong, [1, 2], fill=0)
    with pytest.raises(BadInput, match="3 ids"):
        lookup_table(3, [1, 2, 3], [1, 2], fill=0)


def test_a_table_of_half_a_million_labels_takes_milliseconds_and_huge_ids_no_huge_table():
    keys = np.arange(1, 500_001)
    start = time.process_time()
    table = lookup_table(500_000, keys, keys.astype(np.uint16), fill=0)
    shown = table[np.arange(1_000_000).reshape(1000, 1000)]
    assert time.process_time() - start < 0.5
    assert shown[0, 5] == 5 and shown[-1, -1] == 0
    sparse = lookup_table(0, keys * 10**9, keys, fill=0)
    assert sparse.table is None and sparse[np.array([3 * 10**9, 5])].tolist() == [3, 0]


numbers = hnp.arrays(np.float64, st.integers(0, 30), elements=st.floats(-1e6, 1e6) | st.just(np.nan))


@given(numbers)
def test_limits_are_ordered_finite_and_inside_the_values(values):
    low, high = limits(values)
    assert np.isfinite(low) and np.isfinite(high) and low < high
    finite = values[np.isfinite(values)]
    if finite.size and np.ptp(finite) > 0:
        assert finite.min() <= low and high <= finite.max()


def test_limits_of_nothing_constants_and_rare_genes():
    assert limits([]) == (0, 1) and limits([np.nan, np.inf]) == (0, 1)
    assert limits([3, 3, 3]) == (3, 4)
    rare = np.zeros(1000)
    rare[0] = 8
    assert limits(rare) == (0, 8)
    assert limits(np.arange(101), 10, 90) == (10, 90)
    with pytest.raises(BadInput, match="99"):
        limits([1, 2], 99, 1)


def test_the_maps_offered_exist_and_grow_in_lightness():
    import matplotlib

    for name in PERCEPTUAL_MAPS:
        ramp = _oklab(matplotlib.colormaps[name](np.linspace(0, 1, 50))[:, :3])[:, 0]
        assert np.all(np.diff(ramp) > -1e-3), name
