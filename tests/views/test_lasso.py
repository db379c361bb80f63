"""Which cells a lasso means, compared with the rule spelt out on the whole array."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import draw

from napari_spatialml.views.lasso import cells_in_lasso

SHAPE = (420, 400)
WHOLE = (0, SHAPE[0], 0, SHAPE[1])


def by_the_rule(labels, outline):
    inside = draw.polygon2mask(labels.shape, outline - 0.5)
    kept = []
    for cell in np.unique(labels[labels > 0]):
        at = np.argwhere(labels == cell)
        y, x = np.floor(at.mean(0) + 0.5).astype(int)
        # a cell of which the lasso's box holds nothing is not looked at
        if inside[tuple(at.T)].mean() >= 0.5 or inside[y, x]:
            kept.append(int(cell))
    return kept


class Counted:
    """Labels that count the pixels read of them."""

    def __init__(self, labels):
        self._labels, self.read = labels, 0
        self.shape, self.dtype = labels.shape, labels.dtype

    def __getitem__(self, key):
        found = self._labels[key]
        self.read += found.size
        return found


@pytest.fixture(scope="module")
def labels():
    rng = np.random.default_rng(3)
    made = np.zeros(SHAPE, np.uint64)
    for cell in range(1, 160):
        y, x, a, b = *rng.uniform(0, SHAPE), *rng.uniform(3, 14, 2)
        made[draw.ellipse(y, x, a, b, shape=SHAPE, rotation=rng.uniform(0, 3))] = cell * (1 << 40)
    made[180:184, 10:390] = 7  # one that is longer than every margin
    return made


CORNERS = st.lists(st.tuples(st.integers(-20, 430), st.integers(-20, 420)), min_size=3, max_size=7)


@settings(max_examples=25, deadline=None)
@given(corners=CORNERS)
def test_a_lasso_holds_what_the_rule_says(labels, corners):
    outline = np.array(corners, float)
    held = cells_in_lasso(labels, outline, WHOLE)
    assert [int(c) for c in held.cells] == by_the_rule(labels, outline)
    if held.box is not None:
        y0, y1, x0, x1 = held.box
        there = np.isin(labels, held.cells)
        assert there[y0:y1, x0:x1].sum() == there.sum()
        assert there[y0].any() and there[y1 - 1].any() and there[:, x0].any() and there[:, x1 - 1].any()


def test_only_what_lies_around_the_lasso_is_read():
    labels = np.zeros((4000, 4000), np.int32)
    labels[1000:1010, 1000:1010] = 5
    counted = Counted(labels)
    held = cells_in_lasso(counted, np.array([[995, 995], [995, 1015], [1015, 1015], [1015, 995.0]]), (0, 4000, 0, 4000))
    assert held.cells.tolist() == [5] and held.box == (1000, 1010, 1000, 1010)
    assert counted.read < 2000


def test_nothing_outside_the_bounds_is_looked_at(labels):
    outline = np.array([[0, 0], [0, 400], [420, 400], [420, 0.0]])
    held = cells_in_lasso(labels, outline, (100, 200, 100, 200))
    assert held.box is not None
    y0, y1, x0, x1 = held.box
    assert y0 >= 100 and y1 <= 200 and x0 >= 100 and x1 <= 200
