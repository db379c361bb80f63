"""What plots draw and say: every point counts, bins hold every row, shares sum to 1."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_spatialml.core.clouds import counted, discs, most_frequent
from napari_spatialml.core.distributions import bin_edges, densities, shares

few = settings(max_examples=30, deadline=None)
PALETTE = np.array([[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255], [128, 128, 128, 110]], np.uint8)
seeds = st.integers(0, 2**32 - 1)


def points(seed, n=40):
    generator = np.random.default_rng(seed)
    return generator.uniform(-3, 33, (n, 2)), generator.integers(0, 4, n)


@few
@given(seeds)
def test_a_pixel_of_the_counting_picture_is_drawn_exactly_where_a_point_is(seed):
    at, codes = points(seed)
    picture = counted(at, codes, PALETTE, (30, 20), mean=False)
    held = np.zeros((30, 20), bool)
    inside = (at >= 0).all(axis=1) & (at[:, 0] < 30) & (at[:, 1] < 20)
    cells = np.floor(at[inside]).astype(int)
    held[cells[:, 0], cells[:, 1]] = True
    assert np.array_equal(picture[..., 3] > 0, held)
    lonely = [k for k, c in enumerate(cells) if (cells == c).all(axis=1).sum() == 1]
    for k in lonely:
        assert np.array_equal(picture[tuple(cells[k])][:3], PALETTE[codes[inside][k]][:3])


def test_more_points_in_a_pixel_are_more_opaque_and_the_mean_of_numbers_is_drawn():
    ramp = np.column_stack([np.arange(256)] * 3 + [np.full(256, 255)]).astype(np.uint8)
    at = np.array([[0.5, 0.5]] * 9 + [[0.5, 1.5]])
    picture = counted(at, np.array([10, 20, 30] * 3 + [7]), ramp, (1, 3), mean=True)
    assert picture[0, 0, 3] == 255 > picture[0, 1, 3] > 0 == picture[0, 2, 3]
    assert picture[0, 0, 0] == 20 and picture[0, 1, 0] == 7


@few
@given(seeds, st.sampled_from([1.0, 3.0, 7.0]))
def test_every_point_is_under_a_disc_of_some_points_colour(seed, diameter):
    at, codes = points(seed)
    picture = discs(at, PALETTE[codes], (30, 20), diameter)
    inside = (at >= 0).all(axis=1) & (at[:, 0] < 30) & (at[:, 1] < 20)
    cells = np.floor(at[inside]).astype(int)
    drawn = picture[cells[:, 0], cells[:, 1]]
    assert (drawn[:, 3] > 0).all()
    assert all(any((row[:3] == colour[:3]).all() for colour in PALETTE) for row in drawn)
    assert not discs(at + 1000, PALETTE[codes], (30, 20), diameter).any()


def test_the_order_of_the_rows_does_not_bring_one_category_to_the_top():
    at = np.full((1000, 2), 5.0) + np.random.default_rng(0).uniform(0, 20, (1000, 2))
    codes = np.repeat([0, 1], 500)  # the second comes last
    shown = discs(at, PALETTE[codes], (30, 30), 5.0)
    red, green = ((shown[..., k] == 255).sum() for k in (0, 1))
    assert 0.6 < red / green < 1.6


@few
@given(seeds, st.integers(1, 6), st.integers(1, 9))
def test_the_most_frequent_code_of_each_group(seed, n_groups, n_codes):
    generator = np.random.default_rng(seed)
    groups, codes = generator.integers(0, n_groups, 30), generator.integers(0, n_codes, 30)
    found = most_frequent(groups, codes, n_groups, n_codes)
    wanted = [np.bincount(codes[groups == g], minlength=n_codes).argmax() for g in range(n_groups)]
    assert found.tolist() == wanted
    assert most_frequent(groups, codes, n_groups, 10**7).tolist() == wanted  # too many for a table: by sorting


@few
@given(arrays(float, st.integers(1, 60), elements=st.floats(-1e6, 1e6, width=32)))
def test_bins_hold_every_value(values):
    edges = bin_edges(values)
    assert (np.diff(edges) > 0).all()
    assert np.histogram(values, edges)[0].sum() == len(values)


@few
@given(arrays(np.int64, st.integers(1, 60), elements=st.integers(-1000, 5000)))
def test_each_bin_of_whole_numbers_holds_equally_many_of_them(values):
    edges = bin_edges(values.astype(float))
    whole = np.arange(int(np.ceil(edges[0])), int(np.floor(edges[-1])) + 1)
    held = np.histogram(whole, edges)[0]
    assert len(set(held.tolist())) == 1
    assert np.histogram(values, edges)[0].sum() == len(values)


@few
@given(seeds)
def test_densities_have_the_quartiles_of_their_category_and_ignore_what_has_none(seed):
    generator = np.random.default_rng(seed)
    values, codes = generator.gamma(2, 3, 200), generator.integers(-1, 3, 200)
    values[::7] = np.nan
    found = densities(values, codes, 4)
    for k, density in enumerate(found):
        held = values[(codes == k) & np.isfinite(values)]
        assert density.n == len(held)
        if density.n > 1:
            assert np.allclose(density.quartiles, np.percentile(held, [25, 50, 75]))
            assert density.height.max() == 1 and (density.at[0], density.at[-1]) == pytest.approx(
                (held.min(), held.max())
            )
    assert found[3].n == 0 and np.isnan(found[3].quartiles).all()


def test_a_constant_category_has_one_place():
    (found,) = densities(np.full(5, 2.5), np.zeros(5, int), 1)
    assert found.at.tolist() == [2.5] and found.quartiles == (2.5, 2.5, 2.5)


@few
@given(seeds)
def test_the_shares_of_every_group_sum_to_one(seed):
    generator = np.random.default_rng(seed)
    codes = generator.integers(-1, 5, 80)
    members = [np.flatnonzero(generator.random(80) < p) for p in (0.02, 0.5, 0.9)] + [np.empty(0, np.int64)]
    counts, share = shares(members, codes, 5)
    for k, rows in enumerate(members):
        held = codes[rows][codes[rows] >= 0]
        assert counts[k].tolist() == np.bincount(held, minlength=5).tolist()
        assert share[k].sum() == pytest.approx(1.0 if len(held) else 0.0)
