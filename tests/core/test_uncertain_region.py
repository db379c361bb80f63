"""Laws of the place to look at next: unsure, connected, never laid already, and whole before small."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from napari_spatialml.core.graph import knn_graph
from napari_spatialml.core.uncertain_region import most_uncertain, uncertain_regions
from napari_spatialml.errors import BadInput

GRID = np.stack(np.meshgrid(np.arange(40.0), np.arange(30.0), indexing="ij"), -1).reshape(-1, 2) * 100
GRAPH = knn_graph(GRID, 4)


def box(y0, y1, x0, x1):
    y, x = GRID.T / 100
    return (y >= y0) & (y < y1) & (x >= x0) & (x < x1)


def map_with(*unsure, k=4):
    """A map sure of domain 0, but for boxes (rows, first, second, largest probability)."""
    p = np.full((len(GRID), k), 0.001)
    p[:, 0] = 1 - 0.001 * (k - 1)
    for rows, first, second, top in unsure:
        p[rows] = 0.0
        p[rows, first], p[rows, second] = top, 1 - top
    return p


def test_the_larger_of_two_unsure_pieces_comes_first_and_is_said_in_words():
    large, small = box(5, 15, 5, 15), box(25, 30, 20, 25)
    p = map_with((large, 1, 2, 0.6), (small, 0, 3, 0.6))
    regions = uncertain_regions(p, GRAPH, names=["L1", "L2", "L3", "WM"])
    assert [r.sentence for r in regions[:2]] == ["100 spots between L2 and L3", "25 spots between L1 and WM"]
    assert set(regions[0].rows) == set(np.flatnonzero(large)) and regions[0].domains == (1, 2)
    assert regions[0].score > regions[1].score > 0
    assert tuple(GRID[regions[0].centre] // 100) in {(9, 9), (9, 10), (10, 9), (10, 10)}


def test_scattered_unsure_rows_teach_less_than_a_piece():
    rng = np.random.default_rng(0)
    scattered = np.zeros(len(GRID), bool)
    scattered[rng.choice(np.flatnonzero(box(0, 20, 0, 30)), 40, replace=False)] = True
    piece = box(30, 36, 10, 16)
    found = most_uncertain(map_with((scattered, 1, 2, 0.51), (piece, 2, 3, 0.7)), GRAPH)
    assert set(found.rows) == set(np.flatnonzero(piece))


def test_it_is_never_where_a_stroke_was_laid_or_tissue_is_ignored():
    large, small = box(5, 15, 5, 15), box(25, 30, 20, 25)
    p = map_with((large, 1, 2, 0.6), (small, 0, 3, 0.6))
    anchored, ignored = box(5, 10, 5, 15), box(10, 15, 5, 15)
    for found in uncertain_regions(p, GRAPH, anchored, ignored):
        assert not (anchored | ignored)[found.rows].any()
    assert set(most_uncertain(p, GRAPH, anchored | ignored).rows) == set(np.flatnonzero(small))
    assert most_uncertain(p, GRAPH, np.ones(len(GRID), bool)) is None


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_regions_are_connected_and_apart_whatever_the_map(seed):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([0.3] * 4, len(GRID))
    for _ in range(3):
        p = (p + np.asarray(GRAPH @ p)) / (1 + np.diff(GRAPH.indptr))[:, None]
    p /= p.sum(1, keepdims=True)
    anchored = rng.random(len(GRID)) < 0.2
    regions = uncertain_regions(p, GRAPH, anchored, number=5)
    scores = [r.score for r in regions]
    assert 0 < len(regions) <= 5 and scores == sorted(scores, reverse=True)
    for region in regions:
        assert not anchored[region.rows].any() and region.centre in region.rows
        assert connected_components(GRAPH[region.rows][:, region.rows])[0] == 1
        assert region.domains[0] != region.domains[1]


def test_the_names_of_domains_and_the_order_of_rows_do_not_decide():
    p = map_with((box(5, 15, 5, 15), 1, 2, 0.6), (box(25, 30, 20, 25), 0, 3, 0.6))
    found = most_uncertain(p, GRAPH)
    renamed = most_uncertain(p[:, [3, 2, 1, 0]], GRAPH)
    assert np.array_equal(found.rows, renamed.rows) and renamed.domains == tuple(3 - d for d in found.domains)
    order = np.random.default_rng(0).permutation(len(GRID))
    shuffled = most_uncertain(p[order], GRAPH[order][:, order])
    assert set(order[shuffled.rows]) == set(found.rows) and np.isclose(shuffled.score, found.score)


def test_a_map_that_is_sure_everywhere_asks_for_nothing_and_nonsense_is_refused():
    p = np.eye(3)[np.zeros(len(GRID), int)]
    assert most_uncertain(p, GRAPH) is None and most_uncertain(p[:, :1], GRAPH) is None
    with pytest.raises(BadInput, match="graph"):
        most_uncertain(p[1:], GRAPH)
    with pytest.raises(BadInput, match="stroke of 0"):
        most_uncertain(p, GRAPH, size=0)
