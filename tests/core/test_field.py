"""Laws of displacement fields: they interpolate, follow what they sampled, can be undone, and are kept exactly."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core import Affine, Chain, DisplacementField, ThinPlateSpline, Transform
from napari_spatialml.core.transform import transform_from_dict
from napari_spatialml.errors import BadInput


def bend(seed: int = 0, size: float = 1000.0) -> ThinPlateSpline:
    """A spline through 25 landmarks that shift by about a fiftieth of the section."""
    generator = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.linspace(0, size, 5)] * 2), -1).reshape(-1, 2)
    return ThinPlateSpline(grid, grid + generator.normal(0, size / 50, grid.shape))


def rough(seed: int, shape=(12, 15), spacing=20.0, dtype=np.float64) -> DisplacementField:
    """A field whose nodes shift by a tenth of their distance, each on its own: it does not fold."""
    moved = np.random.default_rng(seed).normal(0, 0.1 * spacing, (*shape, 2))
    return DisplacementField((-30.0, 70.0), spacing, moved.astype(dtype))


def within(field: DisplacementField, n: int, seed: int, beyond: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(field.low - beyond, field.high + beyond, (n, 2))


@pytest.mark.parametrize("shape", [(2, 2), (2, 9), (3, 4), (12, 15), (60, 41)])
def test_a_field_moves_each_node_by_what_was_given(shape):
    field = rough(0, shape)
    nodes = field.origin + field.spacing_um * np.stack(np.mgrid[: shape[0], : shape[1]], -1).reshape(-1, 2)
    assert np.allclose(field.apply(nodes) - nodes, field.displacement_um.reshape(-1, 2), atol=1e-10)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_the_inverse_of_a_field_undoes_it_where_it_does_not_fold(seed):
    field = rough(seed)
    where = within(field, 400, seed, beyond=60.0)
    where = where[np.linalg.det(field.jacobian(where)) > 0.05]
    back = field.inverse().apply(field.apply(where))
    moved = np.linalg.norm(field.apply(back) - field.apply(where), axis=1)
    assert moved.max() < 1e-6
    assert np.median(np.abs(back - where)) < 1e-6
    assert np.abs(back - where).max() < 0.1 * field.spacing_um
    assert field.inverse().inverse() == field


def test_the_jacobian_of_a_field_is_its_derivative():
    field = rough(3)
    where = within(field, 200, 1)
    step = 1e-4
    columns = [(field.apply(where + one) - field.apply(where - one)) / (2 * step) for one in np.eye(2) * step]
    assert np.allclose(field.jacobian(where), np.stack(columns, -1), atol=1e-6)


@pytest.mark.parametrize("affine", [Affine.similarity(1.4, 50, (3, 9), True), Affine(np.diag([0.5, 3.0, 1.0]))])
def test_the_field_of_an_affine_is_that_affine_everywhere(affine):
    field = DisplacementField.of(affine, (0, 0), (100, 300), 25.0)
    where = np.random.default_rng(0).uniform(-1000, 1000, (200, 2))
    assert np.allclose(field.apply(where), affine.apply(where), atol=1e-9)
    assert np.allclose(field.inverse().apply(affine.apply(where)), where, atol=1e-8)
    assert field.reflects == affine.reflects


def test_a_field_goes_on_beyond_its_edge_without_a_jump():
    field = rough(5)
    for edge in (field.low, field.high):
        corner = np.linspace(0, 1, 50)[:, None] * (field.high - field.low) + field.low
        for k in (0, 1):
            at = corner.copy()
            at[:, k] = edge[k]
            near = at.copy()
            near[:, k] += np.where(edge[k] == field.low[k], -1e-9, 1e-9)
            assert np.allclose(field.apply(at), field.apply(near), atol=1e-6)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_field_of_a_spline_agrees_with_it_within_the_tolerance(seed):
    chain = Chain((Affine.similarity(0.5, 30, (900, 200), bool(seed)), bend(seed)))
    corners = np.array([[300.0, 300.0], [1500.0, 1300.0]])
    field = DisplacementField.of(chain, *corners, 100.0, tolerance_um=0.05)
    where = np.random.default_rng(2).uniform(*corners, (5000, 2))
    miss = np.linalg.norm(field.apply(where) - chain.apply(where), axis=1)
    assert miss.max() < 0.1
    assert miss.mean() < 0.01
    assert field.reflects == chain.reflects


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_saved_field_is_loaded_bit_for_bit(dtype):
    field = rough(7, dtype=dtype)
    again = transform_from_dict(json.loads(json.dumps(field.to_dict())))
    assert isinstance(again, Transform)
    assert again == field
    assert hash(again) == hash(field)
    where = within(field, 50, 0, beyond=100.0)
    assert np.array_equal(again.apply(where), field.apply(where))


@settings(max_examples=10, deadline=None)
@given(st.floats(1e-3, 1e3), st.integers(0, 100))
def test_units_do_not_change_a_field(unit, seed):
    field = rough(seed)
    other = DisplacementField(field.origin * unit, field.spacing_um * unit, field.displacement_um * unit)
    where = within(field, 50, seed, beyond=50.0)
    assert np.allclose(other.apply(where * unit), field.apply(where) * unit, rtol=1e-9, atol=1e-9 * unit)
    assert np.allclose(other.jacobian(where * unit), field.jacobian(where), atol=1e-7)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: DisplacementField((0, 0), 1.0, np.zeros((3, 3))), r"\(3, 3\)"),
        (lambda: DisplacementField((0, 0), 1.0, np.zeros((1, 3, 2))), r"\(1, 3, 2\)"),
        (lambda: DisplacementField((0, 0), 1.0, np.full((3, 3, 2), np.nan)), "18 values that are NaN"),
        (lambda: DisplacementField((0, 0), 0.0, np.zeros((3, 3, 2))), "spacing is 0"),
        (lambda: DisplacementField((np.nan, 0), 1.0, np.zeros((3, 3, 2))), "origin"),
        (lambda: DisplacementField.of(Affine.identity(), (0, 0), (0, 5), 1.0), "empty"),
        (lambda: DisplacementField.of(Affine.identity(), (0, 0), (1e6, 1e6), 1.0), "too large"),
        (lambda: transform_from_dict({**rough(0).to_dict(), "shape": [10**6, 10**6]}), "nodes"),
        (lambda: transform_from_dict({**rough(0).to_dict(), "displacement_um": "AAAA"}), "damaged"),
        (lambda: transform_from_dict({**rough(0).to_dict(), "dtype": "object"}), "damaged"),
        (lambda: rough(0).apply([[np.nan, 0.0]]), "NaN"),
    ],
)
def test_bad_fields_are_refused_in_words(make, says):
    with pytest.raises(BadInput, match=says):
        make()
