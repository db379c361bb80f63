"""Co-location of cell types and composition of regions: no false alarm by smoothness or closure, and no miss."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import gamma, norm

from napari_spatialml.core.colocation import benjamini_hochberg, colocation
from napari_spatialml.core.composition import composition, composition_of
from napari_spatialml.core.tissue_blocks import blocks_of
from napari_spatialml.errors import BadInput, Cancelled

TYPES = tuple("abcdef")
SIDE = 34
Y, X = np.mgrid[:SIDE, :SIDE]
ALL = np.c_[(Y * 86.6).ravel(), ((X + 0.5 * (Y % 2)) * 100).ravel()]
# a round tissue on a hexagonal lattice, 100 µm apart
INSIDE = (((ALL - ALL.mean(0)) / (np.ptp(ALL, axis=0) / 2)) ** 2).sum(1) < 1
WHERE = ALL[INSIDE]


def field(generator, width=3.0):
    noise = gaussian_filter(generator.normal(size=(3 * SIDE, 3 * SIDE)), width)[SIDE:-SIDE, SIDE:-SIDE]
    return (noise * 2 * np.sqrt(np.pi) * width).ravel()[INSIDE]


def closed(fields, shape=0.7):
    amounts = gamma.ppf(norm.cdf(np.stack(fields, 1)), shape) + 1e-9
    return amounts / amounts.sum(1, keepdims=True)


def independent(generator, width=3.0):
    return closed([field(generator, width) for _ in TYPES])


def test_independent_smooth_types_are_not_found_more_often_than_by_chance():
    """Closure makes plain correlations negative and smoothness makes plain p-values small: neither does it here."""
    p, values, plain = [], [], []
    upper = np.triu_indices(6, 1)
    for seed in range(24):
        proportions = independent(np.random.default_rng(seed))
        found = colocation(proportions, TYPES, WHERE, n_permutations=99, seed=seed)
        p.append(found.p[upper])
        values.append(found.values[upper])
        plain.append(np.corrcoef(proportions.T)[upper])
    assert np.mean(plain) < -0.15
    assert abs(np.mean(values)) < 0.02
    assert np.mean(np.concatenate(p) <= 0.05) <= 0.07
    assert 0.35 < np.median(np.concatenate(p)) < 0.65


@pytest.mark.parametrize("distance_um", [0.0, 150.0])
def test_planted_neighbours_are_found_and_those_that_shun_each_other_too(distance_um):
    generator = np.random.default_rng(5)
    fields = [field(generator, 2.0) for _ in TYPES]
    fields[1] = 0.9 * fields[0] + np.sqrt(1 - 0.81) * fields[1]
    fields[3] = -0.9 * fields[2] + np.sqrt(1 - 0.81) * fields[3]
    found = colocation(closed(fields), TYPES, WHERE, distance_um=distance_um, n_permutations=499)
    assert found.values[0, 1] > 0.3 and found.q[0, 1] < 0.05
    assert found.values[2, 3] < -0.1
    assert found.values[0, 1] == found.values[1, 0] and found.q[0, 1] == found.q[1, 0]
    assert np.isnan(np.diag(found.p)).all()
    assert np.isnan(np.diag(found.values)).all() if distance_um == 0 else (np.diag(found.values) > 0.5).all()


def test_types_that_lie_side_by_side_are_found_at_a_distance_only():
    """Stripes: a beside b, never in one spot."""
    generator = np.random.default_rng(1)
    stripe = (WHERE[:, 1] // 300).astype(int) % 12
    amounts = generator.gamma(1.0, size=(len(WHERE), 6)) * 0.2
    amounts[stripe == 0, 0] += 5
    amounts[stripe == 1, 1] += 5
    proportions = amounts / amounts.sum(1, keepdims=True)
    near = colocation(proportions, TYPES, WHERE, n_permutations=49).values[0, 1]
    far = colocation(proportions, TYPES, WHERE, distance_um=400, n_permutations=49).values[0, 1]
    assert near < 0.05 < far


def test_order_does_not_matter_and_a_type_that_is_nowhere_is_left_out():
    proportions = independent(np.random.default_rng(2))
    proportions[:, 4] = 0
    proportions /= proportions.sum(1, keepdims=True)
    found = colocation(proportions, TYPES, WHERE, n_permutations=19)
    again = colocation(proportions, TYPES, WHERE, n_permutations=19)
    assert np.array_equal(found.p, again.p, equal_nan=True)
    assert np.isnan(found.values[4]).all() and np.isnan(found.q[:, 4]).all()
    assert np.isfinite(found.q[0, 1])
    order = np.random.default_rng(0).permutation(len(WHERE))
    shuffled = colocation(proportions[order], TYPES, WHERE[order], n_permutations=19)
    assert np.allclose(shuffled.values, found.values, equal_nan=True)


def test_what_cannot_be_judged_is_said():
    proportions = independent(np.random.default_rng(2))
    with pytest.raises(BadInput, match="Co-location needs three"):
        colocation(np.full((len(WHERE), 2), 0.5), ("a", "b"), WHERE)
    with pytest.raises(BadInput, match="Choose smaller ones"):
        colocation(proportions, TYPES, WHERE, block_um=2000)

    def stop(fraction, message=""):
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        colocation(proportions, TYPES, WHERE, n_permutations=19, report=stop)


def test_adjusted_p_values_agree_with_the_textbook():
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.9])
    assert np.allclose(benjamini_hochberg(p), [0.04, np.nan, 0.04 * 4 / 3, 0.04 * 4 / 3, 0.9], equal_nan=True)


def test_blocks_hold_every_row_and_counterparts_lie_at_the_same_place():
    blocks = blocks_of(WHERE, 500.0)
    size = np.bincount(blocks.number)
    assert size.min() >= 0.25 * np.median(size) * 0.8
    nearest, place = blocks.counterparts(50.0)
    assert (blocks.number[nearest] == np.arange(blocks.n_blocks)[:, None]).all()
    own = nearest[blocks.number, place]
    assert np.median(np.linalg.norm(WHERE[own] - WHERE, axis=1)) < 50


def test_the_composition_of_a_region_and_its_interval():
    """Means by hand; and over sections without any difference the 90 % interval holds 0 about that often."""
    holds = []
    left = np.where(WHERE[:, 1] < np.median(WHERE[:, 1]), "left", "right").astype(object)
    for seed in range(40):
        proportions = independent(np.random.default_rng(100 + seed), 1.0)
        found = composition(proportions, TYPES, WHERE, left, block_um=500, n_resamples=199)
        holds.append((found.lower[0] <= 0) & (found.upper[0] >= 0))
    assert found.groups == ("left", "right")
    assert np.allclose(found.mean[0], proportions[left == "left"].mean(0))
    assert np.allclose(found.difference[1], proportions[left == "right"].mean(0) - proportions.mean(0))
    assert 0.84 <= np.mean(holds) <= 0.97
    proportions[left == "left", 0] += 1
    proportions /= proportions.sum(1, keepdims=True)
    one = composition_of(proportions, TYPES, WHERE, left == "left")
    assert one.lower[0, 0] > 0 and (one.mean_lower <= one.mean).all() and (one.mean <= one.mean_upper).all()


def test_rows_without_category_count_for_the_section_only_and_one_spot_has_no_interval():
    proportions = independent(np.random.default_rng(1))
    names = np.full(len(WHERE), None, dtype=object)
    names[7] = "follicle"
    found = composition(proportions, TYPES, WHERE, names)
    assert found.sizes.tolist() == [1] and np.allclose(found.mean[0], proportions[7])
    assert np.isnan(found.lower).all() and np.allclose(found.section, proportions.mean(0))
    with pytest.raises(BadInput, match="No spot has a category"):
        composition(proportions, TYPES, WHERE, np.full(len(WHERE), np.nan))


def test_a_pair_far_from_chance_is_not_lost_among_many_for_want_of_permutations():
    """Of 190 pairs one is planted: with 999 permutations no q-value could fall below 0.19."""
    generator = np.random.default_rng(3)
    fields = [field(generator, 1.5) for _ in range(20)]
    fields[1] = 0.95 * fields[0] + np.sqrt(1 - 0.95**2) * fields[1]
    found = colocation(closed(fields), tuple(f"type {k}" for k in range(20)), WHERE)
    assert found.n_permutations > 3800
    assert found.q[0, 1] < 0.05
