"""Polygons as flat arrays: nothing is lost on the way there and back, and what is drawn is what they hold."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core.polygons import polygons_of
from napari_spatialml.core.shape_kernels import draw_outlines, fill_ellipses, fill_polygons, polygon_boxes
from napari_spatialml.core.transform import Affine
from napari_spatialml.errors import BadInput

few = settings(max_examples=12, deadline=None)
numbers = st.floats(-40, 40, allow_nan=False, width=32)


@st.composite
def polygon(draw, *, deep=False):
    """A star with corners anywhere, often with a hole, sometimes crossing itself."""
    n = draw(st.integers(3, 9))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi, n)) if draw(st.booleans()) else rng.uniform(0, 2 * np.pi, n)
    edge = rng.uniform(2, 20, (n, 1)) * np.column_stack([np.cos(angle), np.sin(angle)]) + [draw(numbers), draw(numbers)]
    if deep:
        edge = np.column_stack([edge, rng.uniform(0, 9, n)])
    holes = [edge.mean(0) + 0.3 * (edge - edge.mean(0))] if draw(st.booleans()) else []
    return shapely.Polygon(edge, holes)


def rows(*, deep=False):
    several = st.lists(polygon(deep=deep), max_size=3).map(shapely.MultiPolygon)
    empty = st.sampled_from([None, shapely.Polygon(), shapely.MultiPolygon()])
    return st.lists(st.one_of(polygon(deep=deep), several, empty), min_size=1, max_size=8)


def same(a, b):
    """Whether shapes are equal to the last bit: kind, parts, holes, corners and their order."""
    return all(
        (p is None and q is None) or (p is not None and q is not None and shapely.to_wkb(p) == shapely.to_wkb(q))
        for p, q in zip(a, b, strict=True)
    )


def array(shapes):
    made = np.empty(len(shapes), dtype=object)
    made[:] = shapes
    return made


@few
@given(st.one_of(rows(), rows(deep=True)))
def test_flat_and_back_is_the_same_to_the_last_bit(shapes):
    flat = polygons_of(array(shapes))
    assert len(flat) == len(shapes)
    assert same(flat.geometry(), shapes)
    assert flat.has_holes == any(
        len(part.interiors) > 0 for s in shapes if s is not None for part in shapely.get_parts(s)
    )


def test_what_is_no_polygon_is_refused_in_words():
    with pytest.raises(BadInput, match=r"1 of 2 shapes are neither polygons.*Point"):
        polygons_of(array([shapely.box(0, 0, 1, 1), shapely.Point(1, 2)]))


def flat_boxes(flat, matrix):
    boxes = np.empty((len(flat), 4))
    polygon_boxes(flat.corners, flat.rings, flat.rings_of_rows, matrix, boxes)
    return boxes


def moved(shapes, matrix):
    """Return shapes in µm as (x, y), moved by a matrix on (y, x)."""
    (a, b, c), (d, e, f) = matrix
    return [shapely.affinity.affine_transform(s, [e, d, b, a, f, c]) for s in shapes]


placings = st.sampled_from(
    [
        Affine.identity(),
        Affine.scale(2.0, 0.5),
        Affine.rotation(30.0) @ Affine.scale(1.5, 0.7) @ Affine.translation(3.0, -5.0),
    ]
)


@few
@given(st.lists(polygon(), min_size=1, max_size=3), placings, st.sampled_from([0.5, 1.0]))
def test_a_pixel_belongs_to_the_last_shape_that_holds_its_centre(shapes, place, edge):
    flat, matrix = polygons_of(array(shapes)), np.ascontiguousarray(place.matrix[:2])
    owner, top, left = np.full((90, 110), -1, np.int32), -40, -60
    boxes = flat_boxes(flat, matrix)
    drawn = np.ones(len(flat), bool)
    fill_polygons(flat.corners, flat.rings, flat.rings_of_rows, matrix, boxes, drawn, top, left, edge, owner)
    y, x = np.meshgrid((np.arange(90) + top + 0.5) * edge, (np.arange(110) + left + 0.5) * edge, indexing="ij")
    wanted, near = np.full(owner.shape, -1), np.zeros(owner.shape, bool)
    for k, shape in enumerate(moved(shapes, matrix)):
        rings = [shapely.Polygon(r) for r in shapely.get_rings(shape)]
        odd = np.zeros(owner.shape, bool)
        for ring in rings:
            odd ^= even_odd(shapely.get_coordinates(ring), y, x)
        wanted[odd] = k
        near |= (
            shapely.distance(shapely.get_rings(shape)[:, None], shapely.points(x, y).ravel())
            .min(0)
            .reshape(owner.shape)
            < 1e-6
        )
    assert np.array_equal(owner[~near], wanted[~near])


def even_odd(ring, y, x):
    """Whether each place lies inside a ring, crossing by crossing."""
    inside = np.zeros(y.shape, bool)
    for (x0, y0), (x1, y1) in pairwise(ring):
        crosses = (y0 <= y) != (y1 <= y)
        with np.errstate(divide="ignore", invalid="ignore"):
            at = x0 + (x1 - x0) * (y - y0) / (y1 - y0)
        inside ^= crosses & (x < at)
    return inside


@few
@given(st.integers(0, 10_000), placings)
def test_a_circle_under_an_uneven_transformation_is_an_ellipse(seed, place):
    rng = np.random.default_rng(seed)
    own, radii = rng.uniform(-15, 15, (3, 2)), rng.uniform(2, 12, 3)
    centres, matrix = place.apply(own), np.ascontiguousarray(place.matrix[:2])
    reach = radii[:, None] * np.linalg.norm(matrix[:, :2], axis=1)
    boxes = np.column_stack([centres - reach, centres + reach])
    owner = np.full((120, 120), -1, np.int32)
    fill_ellipses(centres, radii, matrix, boxes, np.ones(3, bool), -60, -60, 1.0, owner)
    where = np.stack(np.meshgrid(np.arange(120) - 59.5, np.arange(120) - 59.5, indexing="ij"), -1)
    gap = np.linalg.norm(place.inverse().apply(where.reshape(-1, 2))[:, None] - own, axis=2) - radii
    wanted = np.where((gap <= 0).any(1), 2 - np.argmax((gap <= 0)[:, ::-1], axis=1), -1).reshape(owner.shape)
    sure = (np.abs(gap) > 1e-9).all(1).reshape(owner.shape)
    assert np.array_equal(owner[sure], wanted[sure])


@few
@given(polygon())
def test_an_outline_covers_the_pixels_along_every_ring_and_no_others(shape):
    flat = polygons_of(array([shape]))
    matrix = np.eye(3)[:2]
    owner, cover = np.full((100, 100), -1, np.int32), np.zeros((100, 100), np.uint8)
    boxes = flat_boxes(flat, matrix)
    draw_outlines(
        flat.corners, flat.rings, flat.rings_of_rows, matrix, boxes, np.ones(1, bool), -50, -50, 1.0, 0.9, owner, cover
    )
    y, x = np.meshgrid(np.arange(100) - 49.5, np.arange(100) - 49.5, indexing="ij")
    rings = shapely.get_rings(shape)
    gap = shapely.distance(rings[:, None], shapely.points(x, y).ravel()).min(0).reshape(owner.shape)
    share = np.clip(1.4 - gap, 0, 1) * 255
    assert np.abs(cover - share).max() <= 1.01
    assert np.array_equal(owner >= 0, cover > 0)


def test_shapes_thinner_than_a_pixel_are_seen():
    flat = polygons_of(array([shapely.box(k * 4 + 0.1, 0.1, k * 4 + 0.3, 0.3) for k in range(5)]))
    matrix, owner = np.eye(3)[:2], np.full((4, 24), -1, np.int32)
    boxes = flat_boxes(flat, matrix)
    fill_polygons(flat.corners, flat.rings, flat.rings_of_rows, matrix, boxes, np.ones(5, bool), 0, 0, 1.0, owner)
    assert np.array_equal(owner[0, ::4][:5], np.arange(5))
    assert (owner >= 0).sum() == 5
