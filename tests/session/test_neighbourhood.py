"""What a correction reads of the slide: all of the touched cells, and hardly anything else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_spatialml.core.patch import diff
from napari_spatialml.session import neighbourhood
from napari_spatialml.session.grid import LabelGrid
from napari_spatialml.session.neighbourhood import around

small = st.integers(0, 5)


@given(
    labels=hnp.arrays(st.sampled_from([np.int32, np.uint64]), (14, 11), elements=small),
    y=st.integers(0, 11),
    x=st.integers(0, 8),
    values=hnp.arrays(np.int32, (3, 3), elements=st.one_of(small, st.just(2**26))),
    at_once=st.sampled_from([20, 10_000]),
)
def test_the_touched_cells_are_found_whole_however_many_parts_they_have(
    labels: np.ndarray, y: int, x: int, values: np.ndarray, at_once: int
) -> None:
    new = labels[y : y + 3, x : x + 3].copy()
    new[...] = values
    patch = diff(labels[y : y + 3, x : x + 3], new, (y, x))
    if patch is None:
        return
    known = {cell: int((labels == cell).sum()) for cell in patch.touched}
    after = patch.applied_to(labels)
    expected = np.where(np.isin(after, np.array(patch.touched, labels.dtype)), after, 0)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(neighbourhood, "_MARGIN", 1)
        patched.setattr(neighbourhood, "_AT_ONCE", at_once)
        window, (top, left) = around(LabelGrid([labels]), patch, known)
    found = np.zeros_like(labels)
    found[top : top + window.shape[0], left : left + window.shape[1]] = window
    assert np.array_equal(found, expected)


class Slide:
    """A slide of 50,000 × 50,000 pixels that counts how many are read; square cells, one every 40 pixels."""

    shape, dtype, ndim = (50_000, 50_000), np.dtype(np.int32), 2
    read = 0

    def __getitem__(self, key: Any) -> np.ndarray:
        y, x = (np.arange(*part.indices(50_000)) for part in key)
        self.read += len(y) * len(x)
        inside = (y[:, None] % 40 < 30) & (x[None] % 40 < 30)
        return np.where(inside, 1 + y[:, None] // 40 * 1250 + x[None] // 40, 0).astype(np.int32)


@pytest.mark.parametrize("measured", [True, False])
def test_a_stroke_on_a_large_slide_reads_what_lies_around_it(measured: bool) -> None:
    slide = Slide()
    old = slide[slice(31_130, 31_140), slice(31_125, 31_165)]
    cells = np.unique(old)[1:]
    known = {int(cell): 900 for cell in cells} if measured else {}
    new = old.copy()
    new[:] = cells[0]
    patch = diff(old, new, (31_130, 31_125))
    assert patch is not None
    slide.read = 0
    window, offset = around(LabelGrid([slide]), patch, known)
    assert slide.read < 200_000
    for cell in cells:
        assert (window == cell).sum() > 400
    assert offset[0] // 40 == 31_130 // 40
