"""An unbiased sample of cells: the interval against published values, the draw against its law."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatialml.core.sampling import sample, wilson
from napari_spatialml.errors import BadInput


# Newcombe, Statistics in Medicine 17, 857 (1998), table I, method 3 (the score method without correction)
@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_that_of_the_published_table(right: int, n: int, low: float, high: float) -> None:
    found = wilson(right, n)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    other = wilson(n - right, n)
    assert other.low == pytest.approx(1 - found.high) and other.high == pytest.approx(1 - found.low)


def test_looking_at_every_cell_leaves_no_doubt_and_a_small_population_less_than_a_large_one() -> None:
    every = wilson(7, 10, population=10)
    assert (every.low, every.share, every.high) == (0.7, 0.7, 0.7)
    widths = [wilson(45, 50, population=n) for n in (60, 200, 10_000)]
    widths = [w.high - w.low for w in widths]
    assert widths == sorted(widths)
    endless = wilson(45, 50)
    assert widths[-1] == pytest.approx(endless.high - endless.low, rel=0.01)


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    population = np.zeros(300, bool)
    population[:270] = True
    covered = 0
    for _ in range(2000):
        found = wilson(int(rng.permutation(population)[:50].sum()), 50, 300)
        covered += found.low <= 0.9 <= found.high
    assert 0.92 <= covered / 2000 <= 0.985


def test_every_cell_is_drawn_as_often_as_any_other() -> None:
    ids = np.array([7, 3, 90, 12, 5, 44])
    drawn = np.concatenate([sample(ids, 2, seed) for seed in range(3000)])
    n = np.bincount(drawn, minlength=91)[ids]
    assert n.sum() == 6000 and n.min() > 880 and n.max() < 1120
    assert sample(ids, 50, 0).tolist() != ids.tolist() and set(sample(ids, 50, 0)) == set(ids.tolist())
    np.testing.assert_array_equal(sample(ids, 4, 9), sample(ids[::-1], 4, 9))


def test_numbers_that_do_not_fit_are_refused() -> None:
    for right, n, population in ((1, 0, None), (5, 4, None), (-1, 4, None), (3, 4, 3)):
        with pytest.raises(BadInput):
            wilson(right, n, population)
