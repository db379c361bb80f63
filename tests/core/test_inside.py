"""Points within an outline are those that shapely finds, whatever the outline; NaN lies nowhere."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core.inside import points_inside


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 40), st.integers(0, 10_000), st.booleans())
def test_what_is_inside_is_what_shapely_says(k, seed, on_a_grid):
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi, k))
    ring = np.column_stack([np.sin(angle), np.cos(angle)]) * rng.uniform(0.2, 10, (k, 1))
    ring = np.round(ring) if on_a_grid else ring  # level edges, corners at one height
    points = rng.uniform(-11, 11, (500, 2))
    polygon = shapely.make_valid(shapely.Polygon(ring))
    if not shapely.Polygon(ring).is_valid:
        return  # even-odd and make_valid agree there too, but nobody promises it
    assert np.array_equal(points_inside(points, ring), shapely.contains_xy(polygon, points))


def test_even_odd_nan_and_too_few_corners():
    star = [[0, 0], [4, 4], [4, 0], [0, 4]]  # crosses itself: a bow tie
    points = [[3.5, 2], [0.5, 2], [2, 0.5], [2, 3.5], [np.nan, 1]]
    assert points_inside(points, star).tolist() == [True, True, False, False, False]
    assert not points_inside(points, star[:2]).any()
    assert not points_inside(np.zeros((0, 2)), star).size
    assert not points_inside(points, [[0, 0], [0, 5], [0, 9]]).any()
