"""Tiles cover a slide once; what they disagree about is decided by what they saw, not by their order."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core.segmentation import Masks
from napari_spatialml.core.slide_tiles import TilePlan, halo_for
from napari_spatialml.core.stitching import overlaps, seen, settle, whole_in

PLANS = st.builds(
    TilePlan,
    st.tuples(st.integers(1, 200), st.integers(1, 200)),
    st.sampled_from([16, 48, 64]),
    st.integers(0, 90),
    st.sampled_from([1, 8, 12]),
)


@settings(max_examples=40, deadline=None)
@given(plan=PLANS, at=st.tuples(st.floats(-50, 250), st.floats(-50, 250)))
def test_cores_cover_a_slide_once_and_windows_hold_their_halo(plan: TilePlan, at: tuple[float, float]) -> None:
    covered = np.zeros(plan.shape, int)
    for number in range(len(plan)):
        tile = plan.tile(number)
        (y0, y1, x0, x1), (a, b, c, d) = tile.core, tile.window
        covered[y0:y1, x0:x1] += 1
        assert a <= max(y0 - plan.halo, 0) and b >= min(y1 + plan.halo, plan.shape[0])
        assert c <= max(x0 - plan.halo, 0) and d >= min(x1 + plan.halo, plan.shape[1])
        assert all(v % plan.align == 0 or v == n for v, n in ((a, 0), (b, plan.shape[0]), (c, 0), (d, plan.shape[1])))
        assert plan.owners(np.array([[y0 + 0.5, x1 - 0.5]])) == [number]
    assert (covered == 1).all()
    left, gaps = set(range(len(plan))), []
    while left:
        number = plan.nearest(at, left)
        y0, x0 = (v * plan.edge for v in divmod(number, plan.columns))
        gaps.append(np.hypot(*(max(v - p, p - v - plan.edge, 0) for v, p in zip((y0, x0), at, strict=True))))
        left.remove(number)
    assert all(a <= b + 1e-3 for a, b in itertools.pairwise(gaps)), "tiles go from the point outwards"


@settings(max_examples=40, deadline=None)
@given(plan=PLANS, reach=st.integers(0, 90))
def test_a_window_ends_earlier_only_where_the_slide_goes_on(plan: TilePlan, reach: int) -> None:
    for number in range(len(plan)):
        tile = plan.tile(number)
        less, spare = tile.less(reach, plan.shape)
        a, b, c, d = tile.window
        at_border = (a == 0, b == plan.shape[0], c == 0, d == plan.shape[1])
        assert spare == tuple(0 if border else reach for border in at_border)
        assert less.window == (a + spare[0], b - spare[1], c + spare[2], d - spare[3])
        assert (less.number, less.core) == (tile.number, tile.core)


def test_the_halo_is_at_least_twice_a_large_cell() -> None:
    assert halo_for(30, 0) == 60 and halo_for(30, 96) == 126


def test_a_tile_keeps_whole_the_cells_whose_centroid_is_its_own() -> None:
    labels = np.zeros((64, 128), np.int32)
    labels[10:20, 58:68] = 7  # centroid at x = 63: the left tile's
    labels[30:40, 61:71] = 9  # at x = 66: the right one's
    plan = TilePlan((64, 128), 64, 32)
    left, right = (plan.tile(k) for k in (0, 1))
    a, b = (seen(Masks(labels[:, t.window[2] : t.window[3]]), t, plan.shape) for t in (left, right))
    assert a.kept.tolist() == [True, False] and b.kept.tolist() == [False, True]
    assert a.areas.tolist() == [100, 100] == b.areas.tolist()
    assert overlaps(a, b).pixels.tolist() == [100, 100]
    assert whole_in(Masks(labels[:, :96]), left, plan.shape)
    labels[50:52, 20:128] = 11  # reaches out of the window: cut, unless the halo grows
    assert not whole_in(Masks(labels[:, 32:]), right, plan.shape)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_what_stays_does_not_depend_on_the_order_of_pairs_and_no_two_are_one_cell(seed: int) -> None:
    rng, n = np.random.default_rng(seed), 14
    tiles = np.sort(rng.integers(0, 4, n))
    owners = np.where(rng.random(n) < 0.6, tiles, rng.integers(0, 4, n))
    areas, depths = rng.integers(20, 60, n), rng.integers(0, 5, n).astype(float)
    pairs = np.array([(i, j, rng.integers(1, 50)) for i in range(n) for j in range(i) if tiles[i] != tiles[j]])
    pairs = pairs[rng.random(len(pairs)) < 0.3]
    found = settle(tiles, owners, owners == tiles, areas, depths, pairs)
    again = settle(tiles, owners, owners == tiles, areas, depths, pairs[rng.permutation(len(pairs))][:, [1, 0, 2]])
    assert np.array_equal(found.stays, again.stays) and np.array_equal(found.rank, again.rank)
    assert found.conflicts == again.conflicts
    for i, j, pixels in pairs.tolist():
        assert not (found.stays[i] and found.stays[j] and pixels * 3 > min(areas[i], areas[j])), "doubled"
    for i in np.flatnonzero((owners == tiles) & ~found.stays):
        assert any(i in (c.cell, c.other) for c in found.conflicts), "lost in silence"


def test_a_cell_on_the_line_that_both_tiles_leave_to_the_other_is_not_lost() -> None:
    tiles, owners = np.array([0, 1]), np.array([1, 0])
    found = settle(tiles, owners, owners == tiles, np.array([80, 78]), np.array([31.8, 31.9]), [(0, 1, 75)])
    assert found.stays.tolist() == [False, True] and [c.kind for c in found.conflicts] == ["between"]
    alone = settle(tiles[:1], owners[:1], np.array([False]), np.array([80]), np.array([31.8]), [])
    assert not alone.stays.any(), "the tile whose core it is saw nothing there"
