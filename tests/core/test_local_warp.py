"""Laws of pins: exact where they are, nothing moves far from them, and nothing folds however they are dragged."""

import json

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from napari_spatialml.core import LocalWarp, Transform
from napari_spatialml.core.transform import transform_from_dict
from napari_spatialml.errors import BadInput


def pinned(seed: int, k: int, drag: float, radius: float) -> LocalWarp:
    """Pins anywhere in a square of 1000 µm, each dragged in its own direction."""
    generator = np.random.default_rng(seed)
    source = generator.uniform(0, 1000, (k, 2))
    return LocalWarp(source, source + generator.normal(0, drag, (k, 2)), generator.uniform(0.5, 1.5, k) * radius)


def fine_grid(warp: LocalWarp, n: int = 150) -> np.ndarray:
    low, high = (warp.source - warp.radius_um[:, None]).min(0), (warp.source + warp.radius_um[:, None]).max(0)
    sides = [np.linspace(low[k], high[k], n) for k in (0, 1)]
    whole = np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 2)
    near = np.random.default_rng(0).normal(0, 0.25, (len(warp.source), 100, 2)) * warp.radius_um[:, None, None]
    return np.vstack([whole, (warp.source[:, None] + near).reshape(-1, 2)])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 25), st.floats(1, 150), st.floats(20, 600))
def test_pins_reach_their_targets_and_nothing_folds(seed, k, drag, radius):
    try:
        warp = pinned(seed, k, drag, radius)
    except BadInput as error:
        assert "through one another" in str(error)
        assume(False)
    assert np.allclose(warp.apply(warp.source), warp.target, atol=1e-7)
    assert np.linalg.det(warp.jacobian(fine_grid(warp))).min() > 0


def test_pins_that_change_neighbours_are_rarely_refused():
    refused = 0
    for seed in range(40):
        try:
            pinned(seed, 15, 60.0, 200.0)
        except BadInput:
            refused += 1
    assert refused <= 2


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 8), st.floats(1, 100), st.floats(20, 300))
def test_what_is_beyond_every_radius_stays_bit_for_bit(seed, k, drag, radius):
    warp = pinned(seed, k, drag, radius)
    where = np.random.default_rng(seed).uniform(-1500, 2500, (3000, 2))
    far = (np.linalg.norm(where[:, None] - warp.source[None], axis=2) >= warp.radius_um).all(1)
    assert np.array_equal(warp.apply(where)[far], where[far])
    assert np.array_equal(warp.jacobian(where)[far], np.tile(np.eye(2), (far.sum(), 1, 1)))


def test_a_radius_that_is_large_enough_is_kept_and_a_smaller_one_is_enlarged_just_enough():
    wide = LocalWarp([[0.0, 0.0]], [[10.0, 0.0]], [80.0])
    assert wide.radius_um.tolist() == [80.0]
    tight = LocalWarp([[0.0, 0.0]], [[0.0, 100.0]], [5.0])
    assert 211 < tight.radius_um[0] < 270  # at 210.9 the determinant reaches 0
    assert np.linalg.det(tight.jacobian(fine_grid(tight))).min() == pytest.approx(0.2, abs=0.02)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 12), st.floats(1, 80), st.floats(50, 400))
def test_the_inverse_of_pins_undoes_them(seed, k, drag, radius):
    try:
        warp = pinned(seed, k, drag, radius)
    except BadInput:
        assume(False)
    where = np.random.default_rng(seed).uniform(-200, 1200, (500, 2))
    moved = warp.apply(where)
    back = warp.inverse().apply(moved)
    assert np.abs(warp.apply(back) - moved).max() < 1e-6
    clear = np.linalg.det(warp.jacobian(where)) > 1e-3
    assert np.abs(back - where)[clear].max(initial=0) < 1e-3


def test_the_jacobian_of_pins_is_the_derivative():
    warp = pinned(3, 10, 60.0, 250.0)
    where = np.random.default_rng(1).uniform(0, 1000, (300, 2))
    step = 1e-4
    columns = [(warp.apply(where + one) - warp.apply(where - one)) / (2 * step) for one in np.eye(2) * step]
    assert np.allclose(warp.jacobian(where), np.stack(columns, -1), atol=1e-5)


def test_saved_pins_are_loaded_bit_for_bit():
    for warp in (pinned(5, 7, 40.0, 60.0), LocalWarp(np.empty((0, 2)), np.empty((0, 2)), [])):
        again = transform_from_dict(json.loads(json.dumps(warp.to_dict())))
        assert isinstance(again, Transform)
        assert again == warp
        assert hash(again) == hash(warp)
        where = np.random.default_rng(0).uniform(0, 1000, (50, 2))
        assert np.array_equal(again.apply(where), warp.apply(where))


@settings(max_examples=10, deadline=None)
@given(st.floats(1e-3, 1e3), st.integers(0, 100))
def test_units_do_not_change_what_pins_do(unit, seed):
    warp = pinned(seed, 5, 30.0, 200.0)
    other = LocalWarp(warp.source * unit, warp.target * unit, warp.radius_um * unit)
    where = np.random.default_rng(seed).uniform(0, 1000, (50, 2))
    assert np.allclose(other.apply(where * unit), warp.apply(where) * unit, rtol=1e-7, atol=1e-7 * unit)


@pytest.mark.parametrize(
    ("source", "target", "radius", "says"),
    [
        ([[0, 0], [0, 0]], [[1, 1], [2, 2]], [9, 9], "start at one place"),
        ([[0, 0], [5, 0]], [[1, 1], [1, 1]], [9, 9], "end at one place"),
        ([[0, 0], [5, 0]], [[5, 0], [0, 0]], [9, 9], "through one another"),
        ([[0, 0]], [[1, 1]], [0], "radius 0"),
        ([[0, 0]], [[np.nan, 1]], [5], "NaN"),
        ([[0, 0]], [[1, 1], [2, 2]], [5], "2 rows for 1"),
    ],
)
def test_bad_pins_are_refused_in_words(source, target, radius, says):
    with pytest.raises(BadInput, match=says):
        LocalWarp(np.array(source, float), np.array(target, float), np.array(radius, float))
