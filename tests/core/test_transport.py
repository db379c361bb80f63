"""Fused Gromov–Wasserstein transport: the plan is feasible, finds a turned or mirrored copy and hides no ignorance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from napari_spatialml.core.affine import Affine
from napari_spatialml.core.movements import fit_movement
from napari_spatialml.core.transport import (
    effective_rank,
    fused_gromov_wasserstein,
    fused_objective,
)
from napari_spatialml.errors import BadInput


def section(seed: int, n: int = 60, d: int = 3):
    generator = np.random.default_rng(seed)
    points = generator.uniform(0, 1000, (n, 2))
    waves = generator.normal(0, 1 / 250, (2, d))
    return points, np.sin(points @ waves) + 0.05 * generator.normal(size=(n, d))


def by_hand(x, y, f, g, plan, alpha):
    """The objective as it is written, with every quadruple."""
    x, y = x - x.mean(0), y - y.mean(0)
    spread = (x**2).sum(1).mean() + (y**2).sum(1).mean()
    here, there = (((p[:, None] - p[None]) ** 2).sum(2) / spread for p in (x, y))
    cost = ((f[:, None] - g[None]) ** 2).sum(2)
    bent = ((here[:, None, :, None] - there[None, :, None, :]) ** 2 * plan[:, :, None, None] * plan[None, None]).sum()
    return alpha * (cost / cost.mean() * plan).sum() + (1 - alpha) * bent


@given(st.integers(0, 1000), st.floats(0, 1))
@settings(max_examples=10)
def test_the_factored_objective_is_the_one_that_is_written(seed, alpha):
    (x, f), (y, g) = section(seed, 9), section(seed + 1, 7)
    plan = np.random.default_rng(seed).random((9, 7)) / 63
    assert np.isclose(fused_objective((x, y), (f, g), plan, alpha), by_hand(x, y, f, g, plan, alpha))


@pytest.mark.parametrize("reflect", [False, True])
def test_a_turned_copy_is_matched_one_to_one(reflect):
    points, features = section(3)
    truth = Affine.similarity(1.0, 131, (500, -70), reflect)
    plan = fused_gromov_wasserstein((points, truth.apply(points)), (features, features), epsilon=(0.5, 0.001))
    assert (plan.coupling.argmax(1) == np.arange(60)).all()
    assert effective_rank(plan.coupling) > 50
    found = fit_movement("rigid", points, truth.apply(points), plan.coupling.sum(1), reflect)
    assert np.allclose(found.apply(points), truth.apply(points), atol=1e-6)


@given(st.integers(0, 1000))
@settings(max_examples=8)
def test_marginals_are_kept_exactly_and_the_order_of_points_does_not_matter(seed):
    (x, f), (y, g) = section(seed, 40), section(seed, 30)
    plan = fused_gromov_wasserstein((x, y), (f, g)).coupling
    assert (plan >= 0).all()
    assert np.allclose(plan.sum(1), 1 / 40) and np.allclose(plan.sum(0), 1 / 30)
    order = np.random.default_rng(seed).permutation(40)
    again = fused_gromov_wasserstein((x[order], y), (f[order], g)).coupling
    assert np.abs(again - plan[order]).sum() < 0.05


@given(st.integers(0, 1000))
@settings(max_examples=8)
def test_by_features_alone_the_plan_costs_little_more_than_the_best_assignment(seed):
    (x, f), (y, g) = section(seed, 60), section(seed + 1, 60)
    plan = fused_gromov_wasserstein((x, y), (f, g), alpha=1.0)
    cost = ((f[:, None] - g[None]) ** 2).sum(2)
    best = cost[linear_sum_assignment(cost)].mean() / cost.mean()
    assert best - 1e-6 < plan.objective < 1.03 * best + 0.002


@given(st.integers(0, 1000), st.floats(0.3, 0.95))
@settings(max_examples=8)
def test_a_partial_plan_moves_its_share_and_no_more_than_there_is(seed, share):
    (x, f), (y, g) = section(seed, 40), section(seed, 30)
    plan = fused_gromov_wasserstein((x, y), (f, g), share=share, epsilon=(0.5, 0.005))
    assert 0.85 * share < plan.mass < 1.001 * share
    assert plan.coupling.sum(1).max() <= 1.001 / 40 and plan.coupling.sum(0).max() <= 1.001 / 30


def test_a_partial_plan_leaves_out_what_the_other_section_lacks():
    points, features = section(5, 120)
    kept = points[:, 0] < 600
    plan = fused_gromov_wasserstein(
        (points, points[kept]), (features, features[kept]), share=float(kept.mean()), epsilon=(0.5, 0.002)
    )
    given_away = plan.coupling.sum(1) * 120
    assert given_away[kept].mean() > 0.85 and given_away[~kept].mean() < 0.3


def test_relaxed_marginals_come_nearer_to_the_given_ones_the_more_they_cost():
    (x, f), (y, g) = section(1, 40), section(2, 30)
    misses = []
    for relaxation in (0.05, 0.5, 50.0):
        plan = fused_gromov_wasserstein((x, y), (f, g), relaxation=relaxation, epsilon=(0.5, 0.005)).coupling
        misses.append(np.abs(plan.sum(1) - 1 / 40).sum())
    assert misses[0] > misses[1] > misses[2] and misses[2] < 0.05


def test_a_plan_that_says_nothing_has_rank_one():
    assert np.isclose(effective_rank(np.full((8, 5), 1 / 40)), 1)
    assert np.isclose(effective_rank(np.eye(8) / 8), 8)
    assert np.isclose(effective_rank(np.eye(8) * 3), 8)
    assert effective_rank(np.zeros((3, 3))) == 0


def test_duplicates_and_constant_features_give_a_plan():
    points = np.repeat(section(0, 20)[0], 3, axis=0)
    plan = fused_gromov_wasserstein((points, points), (np.ones((60, 2)), np.ones((60, 2))))
    assert np.isfinite(plan.coupling).all() and np.isclose(plan.mass, 1)


def test_what_cannot_be_transported_is_refused_in_words():
    points, features = section(0, 20)
    with pytest.raises(BadInput, match="one place"):
        fused_gromov_wasserstein((np.ones((5, 2)), points), (features[:5], features))
    with pytest.raises(BadInput, match="two or more"):
        fused_gromov_wasserstein((points[:1], points), (features[:1], features))
    with pytest.raises(BadInput, match="one row a point"):
        fused_gromov_wasserstein((points, points), (features[:4], features))
    with pytest.raises(BadInput, match="share"):
        fused_gromov_wasserstein((points, points), (features, features), share=0)
    with pytest.raises(BadInput, match="NaN"):
        fused_gromov_wasserstein((points, points), (features * np.nan, features))
