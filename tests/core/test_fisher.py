"""Fisher scoring of counts: against general solvers, within ranges, and for spots without counts."""

import numpy as np
import pytest
import scipy.optimize

from napari_spatialml.core.fisher import Design, information, pearson, shares, solve, standard_errors

GENERATOR = np.random.default_rng(0)
T, G, N = 5, 120, 30
PROFILES = GENERATOR.dirichlet(np.full(G, 0.3), T) + 1e-5
TRUTH = GENERATOR.dirichlet(np.full(T, 0.5), N)
DISPERSION = np.full(G, 0.1)
MEAN = TRUTH @ PROFILES * 800
COUNTS = GENERATOR.poisson(MEAN * GENERATOR.gamma(1 / 0.1, 0.1, MEAN.shape)).astype(float)
DESIGN = Design.of(PROFILES, DISPERSION)
START = np.full((N, T), 100.0)


def loss(abundance, counts):
    """The negative log-likelihood, and the weak prior of even shares at the size reached."""
    mean, size = abundance @ PROFILES + 1e-20, 1 / DISPERSION
    return ((counts + size) * np.log(size + mean) - counts * np.log(mean)).sum()


def test_abundances_are_the_likeliest():
    found = solve(COUNTS, DESIGN, START, tolerance=1e-10)
    for row in range(6):
        best = scipy.optimize.minimize(
            loss, START[row], (COUNTS[row],), "L-BFGS-B", bounds=[(0, None)] * T, options={"maxiter": 2000}
        )
        assert loss(found[row], COUNTS[row]) < best.fun + 0.01
        assert np.allclose(shares(found[row : row + 1])[0], best.x / best.x.sum(), atol=0.01)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_where_the_search_starts_and_how_precisely_it_counts_do_not_matter(dtype):
    exact = shares(solve(COUNTS, DESIGN, START, tolerance=1e-10))
    design, counts = Design.of(PROFILES, DISPERSION, dtype=dtype), COUNTS.astype(dtype)
    for start in (np.eye(T)[np.arange(N) % T] * 800, np.zeros((N, T)), TRUTH * 1e4):
        assert np.allclose(shares(solve(counts, design, start, tolerance=1e-5)), exact, atol=1e-3)


def test_a_spot_that_has_arrived_stays_however_many_steps_the_others_need():
    """Counts of few genes, where steps soon are rounding: a spot of 51 counts once went to 1e255."""
    generator = np.random.default_rng(1)
    counts = generator.poisson(TRUTH[np.arange(3000) % N] @ PROFILES * generator.gamma(0.5, 60, (3000, 1))).astype(
        float
    )
    found = solve(counts, DESIGN, np.full((3000, T), 10.0), tolerance=0.0, steps=60)
    near = solve(counts, DESIGN, np.full((3000, T), 10.0), tolerance=1e-6)
    full = counts.sum(1) > 0
    assert (found[full].sum(1) < 100 * counts[full].sum(1)).all()
    deep = counts.sum(1) >= 30
    assert np.allclose(shares(found)[deep], shares(near)[deep], atol=1e-3)


def test_ranges_bind_and_the_other_types_follow_the_likelihood():
    low, high = np.zeros((N, T)), np.ones((N, T))
    low[:, 0] = high[:, 0] = 0.4
    high[:, 1], low[:, 2] = 0.0, 0.1
    found = shares(solve(COUNTS, DESIGN, START, (low, high), tolerance=1e-10))
    assert np.allclose(found[:, 0], 0.4) and (found[:, 1] == 0).all() and (found[:, 2] >= 0.1 - 1e-12).all()
    inside = np.array([0.4, 0.0, 0.3, 0.15, 0.15])
    for row in range(4):
        best = scipy.optimize.minimize(
            lambda x, y=COUNTS[row]: loss(x[:-1] * np.exp(x[-1]), y), [*inside, 6.0], method="SLSQP",
            bounds=[*zip(low[row], high[row], strict=True), (0, 12)], options={"maxiter": 500, "ftol": 1e-12},
            constraints={"type": "eq", "fun": lambda x: x[:-1].sum() - 1},
        )  # fmt: skip
        assert np.allclose(found[row], best.x[:-1], atol=0.01)


def test_a_spot_without_counts_is_even_or_what_its_ranges_leave():
    low, high = np.zeros((2, T)), np.ones((2, T))
    high[1, 0] = 0.0
    found = shares(solve(np.zeros((2, G)), DESIGN, START[:2], (low, high)))
    assert np.allclose(found, [[0.2] * 5, [0, 0.25, 0.25, 0.25, 0.25]])


def test_standard_errors_are_the_spread_of_repeated_counts():
    inside = np.array([[0.3, 0.25, 0.2, 0.15, 0.1]])
    mean = np.repeat(inside @ PROFILES * 3000, 400, axis=0)
    drawn = GENERATOR.poisson(mean * GENERATOR.gamma(10, 0.1, mean.shape)).astype(float)
    found = solve(drawn, DESIGN, np.repeat(inside * 3000, 400, axis=0))
    said = standard_errors(information(drawn, found, DESIGN)[0], found)
    assert np.allclose(said.mean(0), shares(found).std(0), rtol=0.12)
    assert pearson(drawn, found, DESIGN).mean() == pytest.approx(1.0, abs=0.06)
