"""Laws of the place to look at next: unsure, connected, never laid already, and whole before small."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from napari_spatialml.core.graph import knn_graph
from napari_spatialml.core.uncertain_region import Region, uncertain_regions, view_around
from napari_spatialml.errors import BadInput

GRID = np.stack(np.meshgrid(np.arange(40.0), np.arange(30.0), indexing="ij"), -1).reshape(-1, 2) * 100
GRAPH = knn_graph(GRID, 4)
LARGE, SMALL = (5, 20, 5, 25), (27, 35, 18, 26)


def most_uncertain(*given: Any, **named: Any) -> Region | None:
    """The first region, as the button goes to it."""
    found = uncertain_regions(*given, **named, number=1)
    return found[0] if found else None


def box(y0, y1, x0, x1):
    y, x = GRID.T / 100
    return (y >= y0) & (y < y1) & (x >= x0) & (x < x1)


def map_with(*unsure, k=4):
    """A map wholly sure of domain 0, but for boxes (rows, first, second, largest probability)."""
    p = np.zeros((len(GRID), k))
    p[:, 0] = 1
    for rows, first, second, top in unsure:
        p[rows] = 0.0
        p[rows, first], p[rows, second] = top, 1 - top
    return p


def two_boxes():
    return map_with((box(*LARGE), 1, 2, 0.55), (box(*SMALL), 3, 0, 0.55))


def test_the_larger_of_two_unsure_pieces_comes_first_and_is_said_in_words():
    regions = uncertain_regions(two_boxes(), GRAPH, names=["L1", "L2", "L3", "WM"])
    assert [r.sentence for r in regions[:2]] == ["300 spots between L2 and L3", "64 spots between WM and L1"]
    assert set(regions[0].rows) == set(np.flatnonzero(box(*LARGE))) and regions[0].domains == (1, 2)
    assert regions[0].score > regions[1].score > 0 and regions[1].centre in np.flatnonzero(box(*SMALL))
    # deep in the piece, not at its rim
    assert box(8, 17, 8, 22)[regions[0].centre]


def test_where_strokes_lie_the_next_is_where_the_piece_is_least_sure_away_from_them():
    p = map_with((box(*LARGE), 1, 2, 0.8))
    for weak in (box(7, 10, 6, 9), box(15, 18, 20, 23)):
        p[weak, 1:3] = 0.55, 0.45
    found = most_uncertain(p, GRAPH, anchored=box(10, 13, 6, 10), names="ABCD")
    assert box(15, 18, 20, 23)[found.centre] and found.sentence.endswith("spots between B and C")


def test_one_unsure_row_is_said_in_the_singular():
    p = map_with((box(5, 6, 5, 6), 1, 2, 0.5))
    assert uncertain_regions(p, GRAPH, anchored=~box(5, 6, 5, 6))[0].sentence == "1 spot between D2 and D3"


def test_scattered_unsure_rows_teach_less_than_a_piece():
    rng = np.random.default_rng(0)
    scattered = np.zeros(len(GRID), bool)
    scattered[rng.choice(np.flatnonzero(box(0, 20, 0, 30)), 40, replace=False)] = True
    piece = box(28, 36, 10, 18)
    found = most_uncertain(map_with((scattered, 1, 2, 0.51), (piece, 2, 3, 0.6)), GRAPH)
    assert set(found.rows) == set(np.flatnonzero(piece))


def test_it_is_never_where_a_stroke_was_laid_or_tissue_is_ignored():
    anchored, ignored = box(5, 10, 5, 25), box(10, 15, 5, 25)
    for found in uncertain_regions(two_boxes(), GRAPH, anchored, ignored):
        assert not (anchored | ignored)[found.rows].any()
    assert set(most_uncertain(two_boxes(), GRAPH, box(*LARGE)).rows) == set(np.flatnonzero(box(*SMALL)))
    assert most_uncertain(two_boxes(), GRAPH, np.ones(len(GRID), bool)) is None


def test_a_piece_that_holds_a_stroke_comes_after_one_that_holds_none():
    halves = map_with((box(0, 20, 0, 30), 1, 2, 0.6), (box(20, 40, 0, 30), 2, 1, 0.6))
    stroke = box(8, 11, 10, 15)
    first = most_uncertain(halves, GRAPH, stroke)
    assert box(20, 40, 0, 30)[first.rows].all()
    other = most_uncertain(halves, GRAPH, box(28, 31, 10, 15))
    assert box(0, 20, 0, 30)[other.rows].all()


def test_a_map_of_zeros_and_ones_has_places_to_look_at_too():
    p = map_with((box(*LARGE), 1, 2, 1.0), (box(*SMALL), 3, 0, 1.0))
    regions = uncertain_regions(p, GRAPH, anchored=box(0, 3, 0, 30), number=3)
    assert len(regions) == 3 and {r.domains[0] for r in regions} == {0, 1, 3}
    assert all(len(r.rows) >= 15 for r in regions)
    # the rival is the domain around it
    assert next(r for r in regions if r.domains[0] == 1).domains[1] == 0


def test_a_piece_as_large_as_the_section_is_looked_at_part_by_part():
    regions = uncertain_regions(map_with(), GRAPH, number=3)
    assert [len(r.rows) for r in regions] == [300, 300, 300]


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
    assert np.concatenate([r.rows for r in regions]).size == np.unique(np.concatenate([r.rows for r in regions])).size
    for region in regions:
        assert not anchored[region.rows].any() and region.centre in region.rows
        assert connected_components(GRAPH[region.rows][:, region.rows])[0] == 1
        assert region.centre in region.line and np.isin(region.line, region.rows).all()
        assert len(set(region.line)) == len(region.line) == min(15, len(region.rows))
        assert region.domains[0] != region.domains[1] and p[region.centre].argmax() == region.domains[0]


def test_the_names_of_domains_and_the_order_of_rows_do_not_decide():
    found = most_uncertain(two_boxes(), GRAPH)
    renamed = most_uncertain(two_boxes()[:, [3, 2, 1, 0]], GRAPH)
    assert np.array_equal(found.rows, renamed.rows) and renamed.domains == tuple(3 - d for d in found.domains)
    order = np.random.default_rng(0).permutation(len(GRID))
    shuffled = most_uncertain(two_boxes()[order], GRAPH[order][:, order])
    assert set(order[shuffled.rows]) == set(found.rows) and np.isclose(shuffled.score, found.score)


def test_one_domain_asks_for_nothing_and_nonsense_is_refused():
    p = two_boxes()
    assert most_uncertain(np.ones((len(GRID), 1)), GRAPH) is None
    with pytest.raises(BadInput, match="graph"):
        most_uncertain(p[1:], GRAPH)
    with pytest.raises(BadInput, match="stroke of 0"):
        most_uncertain(p, GRAPH, size=0)
    with pytest.raises(BadInput, match="3 marks"):
        most_uncertain(p, GRAPH, [True, False, True])


def test_a_view_is_three_times_as_wide_as_its_region_and_never_less_than_a_few_rows():
    middle, extent = view_around(GRID[box(5, 25, 5, 25)], 100)
    assert np.allclose(middle, 1450) and np.allclose(extent, 5700)
    assert np.allclose(view_around(GRID[:1], 100)[1], 2400)
    with pytest.raises(BadInput, match="shape"):
        view_around(np.zeros((0, 2)), 100)
