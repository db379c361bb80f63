"""A tally by blocks is the one of a loop over every pixel and point, however the labels are cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from napari_spatialml.core.assignment import assign, count, moved, rows_of
from napari_spatialml.core.tally import Blocks, Totals, placed, put_together, tallied
from napari_spatialml.errors import BadInput

TURNED = np.array([[0.8, -0.7, 3.25], [0.5, 1.3, -2.5], [0, 0, 1.0]])


def tally(
    labels: Any, pieces: list[tuple[Any, Any]], matrix: Any, edge: tuple[int, int], n_genes: int, **more: Any
) -> Totals:
    """Tally whole labels block by block, the points in one round for each list of pieces."""
    blocks = Blocks(labels.shape, edge)
    held = [placed(where, genes, matrix, blocks) for where, genes in pieces]
    made = []
    for b in range(blocks.n):
        y0, y1, x0, x1 = blocks.window(b)
        cut = {k: v[..., y0:y1, x0:x1] for k, v in more.items()}
        points = [p.of(b) for p in held]
        made.append(tallied(labels[y0:y1, x0:x1], (y0, x0), edge[1], points, n_genes, **cut))
    return put_together([made], labels.dtype, np.arange(max(n_genes, 1)), n_genes)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(
    st.integers(0, 10**6),
    st.sampled_from([np.int32, np.uint64]),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from([np.eye(3), np.diag([2.0, 0.5, 1.0]), TURNED]),
    st.sampled_from([np.float32, np.float64]),
)
def test_a_tally_equals_a_loop_over_pixels_and_points(
    seed: int, dtype: Any, edge: tuple[int, int], matrix: Any, kind: Any
) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(1, 50, 2))
    ids = np.array([0, 1, 7, 300, 2**31 - 1 if dtype is np.int32 else 2**63 + 11], dtype)
    labels = ids[rng.integers(0, len(ids), shape)]
    n = int(rng.integers(0, 400))
    where = rng.uniform(-10, 60, (n, 2)).astype(kind)
    where[::3] = np.round(where[::3])  # on the borders of pixels
    where[::17] = np.nan
    genes, n_genes = rng.integers(0, 5, n).astype(np.uint16), 5
    nuclei, image = rng.integers(0, 2, shape), rng.integers(0, 60_000, (2, *shape)).astype(np.uint16)
    cut = int(rng.integers(0, n + 1))
    pieces = [(where[:cut], genes[:cut]), (where[cut:], genes[cut:])]
    found = tally(labels, pieces, matrix, edge, n_genes, nuclei=nuclei, image=image)

    cells = np.unique(labels[labels != 0])
    own = moved(matrix, where)
    rows = rows_of(assign(labels, (0, 0), own), cells)
    expected = count(rows, genes, len(cells), n_genes)
    assert np.array_equal(found.ids, cells) and found.counts.dtype == np.int32
    assert found.counts.has_sorted_indices and np.array_equal(found.counts.toarray(), expected.toarray())
    for k, cell in enumerate(cells):
        at = np.argwhere(labels == cell)
        assert found.pixels[k] == len(at)
        np.testing.assert_allclose(found.centre[k], at.mean(0))
        spread = np.cov(at.T, ddof=0)[[0, 1, 0], [0, 1, 1]] if len(at) > 1 else np.zeros(3)
        np.testing.assert_allclose(found.spread[k], spread, atol=1e-9)
        np.testing.assert_array_equal(found.channels[k], image[:, labels == cell].sum(1))
        assert found.nuclear[k] == (assign(nuclei, (0, 0), own)[rows == k] != 0).sum()


def test_cells_of_every_pixel_their_own_overflow_no_table() -> None:
    labels = np.arange(1, 90 * 90 + 1, dtype=np.int32).reshape(90, 90)
    where = np.argwhere(labels) + 0.5
    found = tally(labels, [(where, np.zeros(len(where), np.uint16))], np.eye(3), (64, 64), 1)
    assert len(found.ids) == 8100 and (found.pixels == 1).all()
    assert np.array_equal(found.counts.toarray().ravel(), np.ones(8100))


def test_several_rounds_of_points_count_like_one_and_measure_once() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, (30, 30)).astype(np.int32)
    where, genes = rng.uniform(0, 30, (500, 2)), rng.integers(0, 3, 500).astype(np.int32)
    blocks, rounds = Blocks((30, 30), (16, 16)), []
    for cut in (slice(0, 200), slice(200, 500)):
        held = placed(where[cut], genes[cut], np.eye(3), blocks)
        windows = [blocks.window(b) for b in range(blocks.n)]
        rounds.append([
            tallied(labels[w[0] : w[1], w[2] : w[3]], (w[0], w[2]), 16, [held.of(b)], 3) for b, w in enumerate(windows)
        ])  # fmt: skip
    rank = np.array([2, 0, 1])  # columns are in another order than the genes were met
    found = put_together(rounds, labels.dtype, rank, 3)
    once = tally(labels, [(where, rank[genes])], np.eye(3), (16, 16), 3)
    assert np.array_equal(found.counts.toarray(), once.counts.toarray()) and found.counts.has_sorted_indices
    assert np.array_equal(found.pixels, once.pixels) and np.array_equal(found.centre, once.centre)


def test_points_that_are_not_pairs_are_refused() -> None:
    with pytest.raises(BadInput, match=r"shape \(3, 3\)"):
        placed(np.zeros((3, 3)), np.zeros(3, np.int32), np.eye(3), Blocks((4, 4), (4, 4)))
