"""Laws of the windows of image registration: they are SciPy's, and a stain follows itself whatever its depth."""

import numpy as np
import pytest
from scipy import ndimage

from napari_spatialml.core.gaussian import gaussian
from napari_spatialml.core.image_affine import Windows
from napari_spatialml.core.random_fields import smooth_field


@pytest.mark.parametrize("sigma", [0.5, 2.8, 9.0])
@pytest.mark.parametrize("shape", [(1, 40, 57), (3, 5, 64), (2, 33, 2)])
def test_planes_are_smoothed_as_by_scipy_even_where_the_window_is_wider(shape, sigma):
    planes = np.random.default_rng(1).normal(0, 3, shape).astype(np.float32)
    wanted = [ndimage.gaussian_filter(p.astype(float), sigma, truncate=2.5) for p in planes]
    assert np.abs(gaussian(planes, sigma) - wanted).max() < 1e-5


@pytest.mark.parametrize("both", [False, True])
def test_a_stain_that_is_inverted_and_deeper_is_wholly_correlated_and_leaves_no_rest(both):
    rng = np.random.default_rng(2)
    plane = np.asarray(3 * smooth_field(rng, (80, 90), 3.0), np.float32)
    weight = np.ones(plane.shape, np.float32)
    weight[:, 60:] = 0
    other = np.where(weight > 0, 5 - 2 * plane, 7).astype(np.float32)
    terms = Windows(weight, 5, both).terms(plane, other)
    assert np.median(terms.squared[:, :60]) > 0.95
    assert np.abs(terms.rest[:, 60:]).max() == 0 == np.abs(terms.slope[:, :, 59:]).max()
    assert np.abs(terms.rest[:, :60]).mean() < 0.05
    # it falls where the plane rises: by the plane's own slope in its own standard deviations
    own = Windows(weight, 5, both).terms(plane, plane)
    inner = (slice(None), slice(1, -1), slice(1, 58))
    assert np.abs(terms.slope - own.slope)[inner].mean() < 0.05 * np.abs(own.slope[inner]).mean()
    assert np.abs(own.rest[:, :60]).mean() < 0.05
