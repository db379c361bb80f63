"""Going on from weights that exist: the loss falls, and nothing but the weights moves."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("cv2")

from napari_spatialml.core.flow_crops import Crops, example_of
from napari_spatialml.core.flow_training import Schedule, fine_tune
from napari_spatialml.core.flow_weights import EMBEDDED, read


def example(seed: int = 0, edge: int = 96):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:edge, :edge]
    labels = np.zeros((edge, edge), np.int32)
    for k, (cy, cx) in enumerate(rng.uniform(10, edge - 10, (8, 2)), start=1):
        labels[(np.hypot(y - cy, x - cx) < 9) & (labels == 0)] = k
    edges = (labels > 0) & (np.roll(labels, 2, 0) != labels)
    planes = (0.2 + 0.8 * edges + rng.normal(0, 0.03, labels.shape)).astype(np.float32)[None]
    return example_of("fluorescence", planes, labels, 18.0)


def test_two_small_windows_change_the_weights_and_lower_the_loss():
    plan = Schedule(steps=(24, 0, 24), batch=2, size=64, rate=1e-3)
    weights, losses = fine_tune(EMBEDDED, [example(0), example(1)], 20.0, 0, schedule=plan)
    before, _ = read(EMBEDDED)
    assert np.mean(losses[-6:]) < 0.8 * np.mean(losses[:3])
    assert set(weights) == set(before)
    changed = {name for name in weights if not np.array_equal(weights[name], before[name])}
    assert changed and not any("running" in name for name in changed)
    assert all(weights[n].shape == before[n].shape and weights[n].dtype == before[n].dtype for n in weights)


def test_the_more_it_is_pulled_back_the_nearer_it_stays():
    before, _ = read(EMBEDDED)

    def away(pull):
        plan = Schedule(steps=(6, 0, 6), batch=1, size=64, rate=1e-3, pull=pull)
        made, _ = fine_tune(EMBEDDED, [example()], 20.0, 0, schedule=plan)
        return sum(float(np.square(made[n].astype(float) - before[n].astype(float)).sum()) for n in made)

    assert away(500.0) < 0.6 * away(0.0)


def test_crops_of_fine_tuning_are_scaled_within_their_octaves_and_repeat():
    crops = Crops([example()], 64, 5, octaves=0.2, nominal=22.0)
    scales = [
        1 / np.sqrt(abs(np.linalg.det(crops._placement(crops.by_kind["fluorescence"][0], np.random.default_rng(i))[1])))
        for i in range(40)
    ]
    assert 22 / 18 * 2**-0.2 <= min(scales) <= max(scales) <= 22 / 18 * 2**0.2
    assert all(np.array_equal(a, b) for a, b in zip(crops.batch(3, 2), crops.batch(3, 2), strict=True))
