"""Transcripts in cells: the fast way equals the plain one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_spatialml.core.assignment import assign, count, moved, rows_of
from napari_spatialml.errors import BadInput

windows = hnp.arrays(
    st.sampled_from([np.int32, np.uint64]),
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    elements=st.integers(0, 4),
)
places = st.one_of(st.floats(-4, 14), st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 1e300]))
points = st.lists(st.tuples(places, places), max_size=20).map(lambda p: np.array(p, float).reshape(-1, 2))


@given(labels=windows, offset=st.tuples(st.integers(0, 5), st.integers(0, 5)), where=points)
def test_a_point_lies_in_the_cell_of_the_pixel_that_holds_it(
    labels: np.ndarray, offset: tuple[int, int], where: np.ndarray
) -> None:
    found = assign(labels, offset, where)
    assert found.dtype == labels.dtype
    for (y, x), cell in zip(where, found, strict=True):
        held = 0
        for i in range(labels.shape[0]):
            for j in range(labels.shape[1]):
                if offset[0] + i <= y < offset[0] + i + 1 and offset[1] + j <= x < offset[1] + j + 1:
                    held = int(labels[i, j])
        assert int(cell) == held


@given(data=st.data(), n_cells=st.integers(1, 5), n_genes=st.integers(1, 4), n=st.integers(0, 40))
def test_counts_equal_those_of_a_loop_and_sum_to_what_is_assigned(
    data: st.DataObject, n_cells: int, n_genes: int, n: int
) -> None:
    rows = data.draw(hnp.arrays(np.int64, n, elements=st.integers(-1, n_cells - 1)))
    genes = data.draw(hnp.arrays(np.uint16, n, elements=st.integers(0, n_genes - 1)))
    expected = np.zeros((n_cells, n_genes), np.float32)
    for row, gene in zip(rows, genes, strict=True):
        if row >= 0:
            expected[row, gene] += 1
    found = count(rows, genes, n_cells, n_genes)
    assert found.dtype == np.float32 and found.has_canonical_format
    assert np.array_equal(found.toarray(), expected)
    assert found.sum() + np.count_nonzero(rows < 0) == n
    shuffled = np.random.default_rng(0).permutation(n)
    again = count(rows[shuffled], genes[shuffled], n_cells, n_genes)
    for part in ("data", "indices", "indptr"):
        assert np.array_equal(getattr(found, part), getattr(again, part)), "the order of the transcripts shows"


@given(assigned=st.lists(st.integers(0, 9)), cells=st.sets(st.integers(1, 9)))
def test_ids_that_are_not_asked_for_are_in_no_row(assigned: list[int], cells: set[int]) -> None:
    ordered = sorted(cells)
    expected = [ordered.index(a) if a in cells else -1 for a in assigned]
    assert rows_of(np.array(assigned, int), np.array(ordered, int)).tolist() == expected


@given(where=points, matrix=hnp.arrays(float, (2, 3), elements=st.floats(-3, 3)))
def test_a_point_is_moved_to_the_same_bits_alone_and_among_others(where: np.ndarray, matrix: np.ndarray) -> None:
    whole = np.vstack([matrix, [0, 0, 1]])
    with np.errstate(all="ignore"):
        together = moved(whole, where)
        for i in range(len(where)):
            alone = moved(whole, where[i : i + 1])[0]
            place = np.isfinite(together[i])  # a NaN may carry any sign; it is no place either way
            assert np.array_equal(place, np.isfinite(alone))
            assert alone[place].tobytes() == together[i][place].tobytes()


def test_a_gene_that_is_not_in_the_table_is_refused_in_words() -> None:
    with pytest.raises(BadInput, match="A gene lies outside the table of 2 genes"):
        count(np.array([0]), np.array([2]), 1, 2)
