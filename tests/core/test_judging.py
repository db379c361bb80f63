"""Judging without a truth: what is known of the cells of a drawn tissue is what the figures say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from napari_spatialml.core.depth import depths_of, overlaps
from napari_spatialml.core.judging import (
    agreement,
    contamination,
    exclusive_markers,
    geometry,
    mixing_rate,
    nuclei_held,
    outliers,
)

PAIRS = np.array([[0, 1], [2, 3]])


@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.integers(0, 10**6), st.integers(1, 9), st.sampled_from([np.int32, np.uint64]))
def test_the_depth_of_a_point_is_that_of_a_search_through_all_pixels(seed: int, reach: int, dtype: Any) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(1, 30, 2))
    labels = np.kron(rng.integers(0, 4, (6, 6)), np.ones((5, 5)))[: shape[0], : shape[1]].astype(dtype)
    y, x = (rng.integers(0, n, 40) for n in shape)
    found = depths_of(labels, y, x, reach)
    at, values = np.indices(shape).reshape(2, -1).T, labels.ravel()
    for k in range(40):
        own = labels[y[k], x[k]]
        foreign = values != own
        away = np.sqrt(((at[foreign] - (y[k], x[k])) ** 2).sum(1))
        nearest = away.min(initial=np.inf)
        if nearest > reach:
            assert np.isinf(found.distance[k]) and (found.distance[k] < 0) == (own != 0)
            assert found.cells[k] == own and found.neighbours[k] == 0
            continue
        near = values[foreign][away == nearest]
        named = near[near != 0].min() if (near != 0).any() else 0
        assert abs(found.distance[k]) == pytest.approx(nearest) and (found.distance[k] < 0) == (own != 0)
        assert found.cells[k] == (own or named) and found.neighbours[k] == (named if own else 0)


def cells_of(rng: Any, n: int, depth: float, share: float) -> sp.csr_matrix:
    """Return cells that express one gene of each pair, and of which a share of the transcripts is another cell's."""
    types = rng.integers(0, 2, (n, 2))
    own = np.zeros((n, 4))
    for k in range(2):
        own[np.arange(n), 2 * k + types[:, k]] = 1
    mixed = (1 - share) * own + share * own[rng.permutation(n)]
    return sp.csr_matrix(rng.poisson(depth * mixed))


def test_purity_does_not_depend_on_how_many_transcripts_a_cell_has() -> None:
    rng = np.random.default_rng(0)
    found = [agreement(cells_of(rng, 40_000, depth, 0.2), PAIRS) for depth in (1.0, 4.0, 16.0)]
    # of two transcripts of a cell of share s, both are its own or both are not, and half of the others are alike
    expected = 1 - 0.5 * 2 * 0.2 * 0.8
    assert found == pytest.approx([expected] * 3, abs=0.012)
    rates = [mixing_rate(cells_of(rng, 40_000, depth, 0.2), PAIRS) for depth in (1.0, 16.0)]
    assert rates[1] > 2 * rates[0], "the co-expression rate does"


def test_pure_cells_are_pure_and_mixed_ones_are_what_chance_gives() -> None:
    pure = sp.csr_matrix(np.array([[5, 0, 2, 0], [0, 3, 0, 4]]))
    assert agreement(pure, PAIRS) == 1 and mixing_rate(pure, PAIRS) == 0
    assert agreement(pure, PAIRS, pure) == 1 and agreement(pure, PAIRS, pure[::-1]) == 0
    assert np.isnan(agreement(sp.csr_matrix((3, 4)), PAIRS)) and np.isnan(mixing_rate(sp.csr_matrix((3, 4)), PAIRS))
    assert np.isnan(agreement(pure, PAIRS[:0]))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_what_a_rim_has_of_its_neighbours_is_recovered(share: float) -> None:
    rng = np.random.default_rng(1)
    n = 30_000
    types = rng.integers(0, 2, n)
    own, beside = np.eye(2)[types], np.eye(2)[types[rng.permutation(n)]]
    noisy = 0.95 * own + 0.05 * (1 - own)
    centre = sp.csr_matrix(rng.poisson(6 * noisy))
    partners = rng.permutation(n)
    rim = sp.csr_matrix(rng.poisson(4 * ((1 - share) * noisy + share * noisy[partners])))
    pair = PAIRS[:1]
    found = contamination(
        agreement(centre, pair), agreement(rim, pair, centre), agreement(centre, pair, centre[partners])
    )
    assert found == pytest.approx(share, abs=0.02)
    assert beside.shape == own.shape
    assert np.isnan(contamination(0.9, 0.9, 0.9))


def test_an_ellipse_is_full_and_a_cell_in_two_pieces_is_not() -> None:
    y, x = np.mgrid[-40:41, -40:41]
    shapes = [
        (y / 30) ** 2 + (x / 15) ** 2 <= 1,
        y**2 + x**2 <= 400,
        (y**2 + (x - 20) ** 2 <= 100) | (y**2 + (x + 20) ** 2 <= 100),
    ]
    at = [np.argwhere(s).astype(float) for s in shapes]
    spread = np.array([np.cov(a.T, ddof=0)[[0, 1, 0], [0, 1, 1]] for a in at])
    found = geometry(np.array([len(a) for a in at]), spread, 0.5)
    assert found.area == pytest.approx([0.25 * len(a) for a in at])
    assert found.fullness[:2] == pytest.approx([1, 1], abs=0.01) and found.fullness[2] < 0.6
    assert found.elongation[:2] == pytest.approx([2, 1], abs=0.03)


def test_outliers_are_far_on_both_sides_and_none_where_all_are_alike() -> None:
    rng = np.random.default_rng(2)
    areas = np.concatenate([np.exp(rng.normal(4, 0.2, 1000)), [1.0, 5000.0]])
    small, large = outliers(areas)
    assert small[-2] and large[-1] and small.sum() + large.sum() < 15
    assert not np.concatenate(outliers(np.full(9, 3.0))).any() and not np.concatenate(outliers(np.empty(0))).size


def test_nuclei_belong_to_the_cell_with_more_than_half_of_them() -> None:
    cells = np.zeros((8, 12), np.int32)
    cells[:, :4], cells[:, 4:8] = 5, 9
    nuclei = np.zeros((8, 12), np.uint16)
    nuclei[0:2, 1:3] = nuclei[5, 1] = 1  # in 5
    nuclei[3:5, 0:2] = 2  # in 5 too
    nuclei[6:8, 2:6] = 3  # half in each
    nuclei[0:2, 9:11] = 4  # in none
    held, loose = nuclei_held(*overlaps(nuclei, cells), np.array([5, 9]))
    assert held.tolist() == [2, 0] and loose == 2


def test_genes_that_no_cell_expresses_together_are_learned_from_few_transcripts_a_cell() -> None:
    rng = np.random.default_rng(4)
    n, genes = 4000, tuple("abcdefgh")
    types = rng.integers(0, 2, n)
    rate = np.full((n, 8), 1.0)
    rate[:, 0:2] *= np.where(types == 0, 1.0, 0.05)[:, None]
    rate[:, 2:4] *= np.where(types == 1, 1.0, 0.05)[:, None]
    counts = sp.csr_matrix(rng.poisson(rate * rng.gamma(2, 0.5, n)[:, None]))
    found = exclusive_markers(counts, genes)
    assert sorted(found) == [("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")]
    assert (
        exclusive_markers(counts[:, 4:], genes[4:]) == () and exclusive_markers(sp.csr_matrix((5, 2)), genes[:2]) == ()
    )
