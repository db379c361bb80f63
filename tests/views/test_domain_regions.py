"""What rows cover together, and which of them hang together: laws of the outlines and of the fill."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core.connected_rows import lattice_graph, near_graph, pieces
from napari_spatialml.core.row_outlines import area_of, hatching, mask_edges


def array(kind, side=12):
    y, x = np.mgrid[:side, :side].astype(float)
    if kind == "hexagonal":
        return np.column_stack([y.ravel() * 86.6, x.ravel() * 100 + 50 * (y.ravel() % 2)])
    return np.column_stack([y.ravel(), x.ravel()]) * 100


def enclosed(points, lines):
    """Return which points lie within closed lines, by the crossings of a ray."""
    (y, x), (dy, dx) = np.moveaxis(lines, (1, 2), (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        crossed = [
            (((y > p) != (y + dy > p)) & (x + (p - y) / dy * dx > q)).sum() % 2 == 1 for p, q in points
        ]  # fmt: skip
    return np.array(crossed)


@pytest.mark.parametrize("kind", ["hexagonal", "square"])
@given(seed=st.integers(0, 1000), share=st.sampled_from([0.02, 0.3, 0.8]), turn=st.floats(0, 6))
@settings(max_examples=12, deadline=None)
def test_an_outline_goes_around_its_spots_and_around_no_other(kind, seed, share, turn):
    way = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    where = array(kind) @ way.T
    rng = np.random.default_rng(seed)
    mine = rng.random(len(where)) < share
    mine[rng.integers(len(where))] = True
    lines = area_of(where[mine], 100.0).lines
    assert np.array_equal(enclosed(where, lines), mine)


def test_an_outline_is_closed_and_hatching_stays_within_it():
    where = array("hexagonal")[20:90]
    area = area_of(where, 100.0)
    starts, ends = area.lines[:, 0], area.lines.sum(1)
    order = [np.lexsort(np.round(e, 6).T) for e in (starts, ends)]
    np.testing.assert_allclose(starts[order[0]], ends[order[1]], atol=1e-6)
    lines = hatching(area.mask, 4)
    middles = (lines[:, 0] + 0.5 * lines[:, 1]) * area.step + area.origin
    assert len(lines) > 10 and enclosed(middles, area.lines).all()


@given(seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_the_edges_of_a_mask_are_its_border_in_straight_pieces(seed):
    mask = np.random.default_rng(seed).random((7, 9)) < 0.5
    lines = mask_edges(mask)
    assert np.array_equal(enclosed(np.argwhere(np.ones_like(mask)) + 0.5, lines), mask.ravel())
    padded = np.pad(mask, 1)
    border = (padded[1:] != padded[:-1]).sum() + (padded[:, 1:] != padded[:, :-1]).sum()
    assert np.linalg.norm(lines[:, 1], axis=1).sum() == border > len(lines)


def test_cells_that_lie_unevenly_have_one_outline_without_gaps():
    rng = np.random.default_rng(3)
    where = array("square", 10) + rng.uniform(-30, 30, (100, 2))
    lines = area_of(where, 110.0, even=False).lines
    ends = {tuple(np.round(e, 6)) for e in lines.sum(1)}
    assert len(ends) == len(lines) and enclosed(where, lines).all()
    # one ring: who walks from piece to piece comes back to the first after all of them
    following = {tuple(np.round(s, 6)): tuple(np.round(s + d, 6)) for s, d in lines}
    first = at = next(iter(following))
    steps = 0
    while steps == 0 or at != first:
        at, steps = following[at], steps + 1
    assert steps == len(lines)


def test_a_gap_in_the_tissue_divides_and_the_order_of_rows_does_not_matter():
    where = array("hexagonal")
    apart = where[:, 1] > 600
    where[apart, 1] += 150
    graph = near_graph(where)
    assert (graph != graph.T).nnz == 0 and graph.diagonal().sum() == 0
    found = pieces(graph, np.zeros(len(where)))
    assert len(set(found)) == 2 and len(set(found[apart])) == 1
    shuffled = np.random.default_rng(0).permutation(len(where))
    again = pieces(near_graph(where[shuffled]), np.zeros(len(where)))
    assert len(set(zip(found[shuffled].tolist(), again.tolist(), strict=True))) == 2


def test_a_single_row_and_rows_on_one_place_are_no_error():
    assert near_graph(np.zeros((1, 2))).nnz == 0
    assert len(set(pieces(near_graph(np.zeros((5, 2))), np.zeros(5)))) == 1
    assert len(area_of(np.zeros((3, 2)), 10.0).lines)


def test_pixels_touch_along_edges_and_not_across_corners():
    rows = np.array([[0, -1, 3], [1, -1, 4], [-1, 2, -1]])
    found = pieces(lattice_graph(rows, 5), np.array([7, 7, 7, 7, 8]))
    assert found[0] == found[1] and len(set(found.tolist())) == 4
