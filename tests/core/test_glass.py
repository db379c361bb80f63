"""Glass is skipped, and no nucleus with it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core.glass import is_glass


def glass(shape: tuple[int, int] = (200, 230), level: float = 120.0, noise: float = 6.0, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(level, noise, shape)
    return drawn.clip(0, 65535).astype(np.uint16)[None]


@pytest.mark.parametrize("noise", [0.0, 2.0, 30.0])
def test_noise_alone_is_glass(noise: float) -> None:
    assert all(is_glass(glass((1024, 1000), 400.0, noise, seed)) for seed in range(3))
    assert is_glass(np.full((3, 50, 50), 245, np.uint8)) and is_glass(np.zeros((1, 1, 9), np.float32))


@settings(max_examples=30, deadline=None)
@given(y=st.integers(0, 191), x=st.integers(0, 221), noise=st.sampled_from([0.0, 4.0, 20.0]))
def test_one_dim_nucleus_anywhere_is_enough_not_to_be_glass(y: int, x: int, noise: float) -> None:
    image = glass(noise=noise)
    image[0, y : y + 9, x : x + 9] += np.uint16(10 + 5 * noise)
    assert not is_glass(image)


def test_tissue_beside_glass_and_pale_histology_are_not_glass() -> None:
    image = glass()
    image[:, :, 115:] += 400
    assert not is_glass(image)
    pale = np.full((3, 100, 100), 240, np.uint8)
    pale[:, 40:49, 40:49] = 215
    assert not is_glass(pale)
