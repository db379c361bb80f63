"""Drawn regions: exact where valid, mended where they cross themselves, and without gap beside neighbours."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core.regions import joined, kept_clear, outlines_of, region_of, shared_border, subtracted
from napari_spatialml.errors import BadInput


def star(seed: int, centre=(0.0, 0.0), n: int = 14) -> shapely.Polygon:
    rng = np.random.default_rng(seed)
    turn = np.sort(rng.uniform(0, 2 * np.pi, n))
    far = rng.uniform(30, 100, n)
    return region_of([[np.column_stack([centre[0] + far * np.sin(turn), centre[1] + far * np.cos(turn)]).tolist()]])


def test_corners_holes_and_parts_are_kept_as_drawn():
    drawn = [
        [[[0, 0], [0, 10], [10, 10], [10, 0]], [[2, 2], [2, 4], [4, 4]]],
        [[[20.5, 0], [20.5, 1 / 3], [30, 0.1]]],
    ]
    region = region_of(drawn)
    assert region.geom_type == "MultiPolygon" and len(region.geoms[0].interiors) == 1
    assert [[ring[:-1] for ring in part] for part in outlines_of(region)] == drawn
    assert region_of(outlines_of(region)).equals_exact(region, 0)


def test_an_outline_that_crosses_itself_keeps_both_lobes():
    bow = region_of([[[[0, 0], [10, 10], [10, 0], [0, 10]]]])
    assert bow.is_valid and bow.area == 50.0


@pytest.mark.parametrize(
    "ring", [[[0, 0], [1, 1]], [[0, 0], [1, 1], [2, 2]], [[0, 0], [1, np.nan], [2, 0]], [[0, 0]] * 4]
)
def test_an_outline_around_nothing_is_refused(ring):
    with pytest.raises(BadInput):
        region_of([[ring]])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(-150, 150), st.floats(-150, 150))
def test_a_region_drawn_over_a_neighbour_ends_at_its_border(seed, y, x):
    neighbour, drawn = star(seed), star(seed + 1, (y, x))
    if neighbour.covers(drawn) or drawn.covers(neighbour):
        return
    try:
        clear, beside = shared_border(kept_clear(drawn, [neighbour]), neighbour)
    except BadInput:
        assert drawn.difference(neighbour).area < 1e-6
        return
    assert clear.is_valid and beside.is_valid
    assert clear.intersection(beside).area == 0.0
    assert clear.union(beside).area == pytest.approx(drawn.union(neighbour).area, abs=1e-6)
    assert beside.symmetric_difference(neighbour).area < 1e-4
    common = {tuple(c) for c in shapely.get_coordinates(clear)} & {tuple(c) for c in shapely.get_coordinates(beside)}
    border = clear.boundary.intersection(beside.boundary)
    if border.length > 1:
        assert len(common) >= 2


def test_join_and_subtract():
    a, b = shapely.box(0, 0, 10, 10), shapely.box(5, 0, 15, 10)
    assert joined([a, b]).area == 150 and subtracted(a, [b]).area == 50
    with pytest.raises(BadInput, match="Nothing would be left"):
        subtracted(a, [a])
    with pytest.raises(BadInput, match="do not overlap"):
        subtracted(a, [shapely.box(50, 50, 51, 51)])
