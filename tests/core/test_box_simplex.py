"""The nearest proportions within ranges."""

import numpy as np

from napari_spatialml.core.box_simplex import nearest_within


def test_rounding_carries_no_share_out_of_its_range():
    rng = np.random.default_rng(0)
    values = rng.dirichlet(np.full(6, 0.3), 2000)
    lower, upper = np.zeros(values.shape), np.ones(values.shape)
    place = np.arange(len(values)), rng.integers(0, 6, len(values))
    lower[place] = upper[place] = rng.choice([1 / 3, 0.5, 0.75, 1.0], len(values))
    found = nearest_within(values, lower, upper)
    assert (found >= lower).all() and (found <= upper).all()
    assert np.abs(found.sum(1) - 1).max() < 1e-12
