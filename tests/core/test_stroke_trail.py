"""Laws of the line along a region: it stays inside, hangs together, and reaches farther than a heap."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from napari_spatialml.core.graph import knn_graph
from napari_spatialml.core.stroke_trail import trail
from napari_spatialml.errors import BadInput

GRID = np.stack(np.meshgrid(np.arange(40.0), np.arange(30.0), indexing="ij"), -1).reshape(-1, 2)
GRAPH = knn_graph(GRID, 4)
GRAPH = ((GRAPH + GRAPH.T) > 0).astype(float).tocsr()


def box(y0, y1, x0, x1):
    y, x = GRID.T
    return np.flatnonzero((y >= y0) & (y < y1) & (x >= x0) & (x < x1))


def test_in_a_band_the_line_runs_along_its_middle():
    line = GRID[trail(GRAPH, box(5, 35, 10, 15), 15)]
    assert (line[:, 1] == 12).all() and np.ptp(line[:, 0]) == 14
    assert (np.abs(np.diff(line, axis=0)).sum(1) == 1).all(), "in order, step by step"


def test_a_start_lies_on_the_line_and_the_rows_around_it_come_from_both_sides():
    rows = box(5, 35, 10, 15)
    start = int(box(20, 21, 12, 13)[0])
    line = trail(GRAPH, rows, 9, start)
    assert line[4] == start and set(GRID[line, 0]) == set(range(16, 25))


def test_a_region_no_longer_than_the_line_is_filled_beside_it():
    rows = box(10, 14, 10, 14)
    assert len(trail(GRAPH, rows, 15)) == 15 and set(trail(GRAPH, rows, 16)) == set(rows) == set(trail(GRAPH, rows, 99))
    assert list(trail(GRAPH, rows[:1], 15)) == [rows[0]] and len(trail(GRAPH, rows, 1)) == 1


def test_a_region_with_nothing_around_it_has_a_line_too():
    line = trail(GRAPH, np.arange(len(GRID)))
    assert len(line) == 15 and connected_components(GRAPH[line][:, line])[0] == 1


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 30))
def test_the_line_is_in_the_region_hangs_together_and_no_row_comes_twice(seed, size):
    rng = np.random.default_rng(seed)
    field = rng.normal(size=len(GRID))
    for _ in range(4):
        field = GRAPH @ field
    inside = np.flatnonzero(field > 0)
    piece = connected_components(GRAPH[inside][:, inside])[1]
    rows = inside[piece == np.bincount(piece).argmax()]
    line = trail(GRAPH, rng.permutation(rows), size)
    assert len(set(line)) == len(line) == min(size, len(rows)) and np.isin(line, rows).all()
    assert connected_components(GRAPH[line][:, line])[0] == 1


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(BadInput, match="no row"):
        trail(GRAPH, [])
    with pytest.raises(BadInput, match="stroke of 0"):
        trail(GRAPH, [1, 2], 0)
    with pytest.raises(BadInput, match="Row 7 is not in the region"):
        trail(GRAPH, [1, 2], 15, start=7)
