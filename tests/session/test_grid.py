"""A label pyramid with changed tiles behaves as the arrays would."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core.pyramid import downsample
from napari_spatialml.errors import DocumentError
from napari_spatialml.session.grid import LabelGrid

SHAPE = (517, 603)


def pyramid(rng: np.random.Generator) -> list[np.ndarray]:
    full = rng.integers(0, 50, SHAPE).astype(np.int32)
    return [full, downsample(full, 2), downsample(full, 4)]


@settings(max_examples=25)
@given(
    windows=st.lists(
        st.tuples(st.integers(0, SHAPE[0] - 1), st.integers(0, SHAPE[1] - 1), st.integers(1, 300), st.integers(1, 300)),
        max_size=6,
    ),
    seed=st.integers(0, 1000),
)
def test_any_sequence_of_writes_equals_writing_into_the_arrays(
    windows: list[tuple[int, int, int, int]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    levels = pyramid(rng)
    untouched = [level.copy() for level in levels]
    grid, expected = LabelGrid(levels), levels[0].copy()
    for y, x, h, w in windows:
        h, w = min(h, SHAPE[0] - y), min(w, SHAPE[1] - x)
        values = rng.integers(0, 99, (h, w)).astype(np.int32)
        grid.write((y, x), values)
        expected[y : y + h, x : x + w] = values
    assert np.array_equal(grid.read(), expected)
    assert np.array_equal(grid.read(None, 1), downsample(expected, 2))
    assert np.array_equal(grid.read(None, 2), downsample(expected, 4))
    assert np.array_equal(grid.levels[1][10:200:3, 7], downsample(expected, 2)[10:200:3, 7])
    assert grid.maximum() >= expected.max(), "a new cell may get the id of an old one"
    for level, before in zip(levels, untouched, strict=True):
        assert np.array_equal(level, before), "what lies below was written"


def test_what_is_unsaved_is_what_was_touched_and_nothing_more() -> None:
    grid = LabelGrid([np.zeros((2048, 2048), np.int32)])
    grid.write((300, 300), np.ones((10, 10), np.int32))
    assert grid.unsaved_chunks(0, (256, 256)) == [(1, 1)]
    stored = np.full((512, 1024), 7, np.int32)
    grid.put_unsaved(0, (0, 0), stored)
    assert np.array_equal(stored[256:, 256:512], grid.read((256, 512, 256, 512)))
    stored[256:, 256:512] = 7
    assert (stored == 7).all()
    grid.mark_saved()
    assert grid.unsaved_chunks(0, (256, 256)) == []
    assert grid.read((300, 310, 300, 310)).all()


def test_a_stroke_outside_the_image_is_refused_in_words() -> None:
    grid = LabelGrid([np.zeros((10, 10), np.int32)])
    with pytest.raises(DocumentError, match="reaches outside"):
        grid.write((5, 5), np.ones((9, 9), np.int32))


@pytest.mark.parametrize("dtype", [np.int32, np.uint64])
def test_labels_keep_their_type(dtype: type) -> None:
    grid = LabelGrid([np.zeros((20, 20), dtype)])
    grid.write((2, 2), np.full((3, 3), np.iinfo(dtype).max, dtype))
    assert grid.dtype == dtype
    assert grid.read()[2, 2] == np.iinfo(dtype).max
