"""What training looks at: crops as the network meets them, borders that count more, steps that are orthogonal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("cv2")

import torch

from napari_spatialml.core.flow_crops import Crops
from napari_spatialml.core.flow_inference import working_scale
from napari_spatialml.core.flow_input import planes_of
from training.borders import importance_of
from training.folder import examples
from training.muon import Muon, optimisers

from .test_training import picture


def test_a_plain_crop_is_a_part_of_what_the_network_sees_when_it_runs() -> None:
    one = picture(3, edge=160)
    example = replace(examples([one])[0], diameter=24.0)
    assert working_scale(24 * 0.9) == working_scale(24 * 1.1) == 1
    planes, targets, counts = Crops([example], 64, 0, plain=1.0).batch(0, 5)
    seen = planes_of(one.values, "fluorescence")
    places = {seen[:, y : y + 64, x : x + 64].tobytes(): (y, x) for y in range(97) for x in range(97)}
    found = 0
    for crop, target in zip(planes, targets, strict=True):
        for k in range(8):
            turned, mask = (np.rot90(part, k % 4, (1, 2)) for part in (crop, target))
            turned, mask = (part[:, ::-1] if k > 3 else part for part in (turned, mask))
            at = places.get(np.ascontiguousarray(turned).tobytes())
            if at:
                y, x = at
                assert np.array_equal(mask[2] > 0, one.labels[y : y + 64, x : x + 64] > 0)
                found += 1
    assert found == len(planes)
    assert counts.min() > 0


def test_without_plain_crops_the_others_are_drawn_as_before() -> None:
    (example,) = examples([picture(1)])
    bare = replace(example, importance=None)
    a, b = (Crops([one], 96, 4).batch(2, 3) for one in (example, bare))
    assert np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1])
    assert set(np.unique(b[2])) <= {0, 1} and a[2].max() > 1


def test_where_nuclei_touch_counts_most_and_then_their_borders() -> None:
    labels = np.zeros((40, 60), np.int32)
    labels[10:30, 5:25], labels[10:30, 25:45] = 1, 2
    weight = importance_of(labels, 20.0)
    assert set(weight[14:26, 24:26].ravel()) == {5}
    assert set(weight[14:26, 5]) == {2} and set(weight[14:26, 4]) == {2}
    assert weight[20, 14] == weight[20, 34] == weight[2, 2] == 1
    apart = np.where(np.arange(60) == 25, 0, labels)
    assert (importance_of(apart, 20.0)[14:26, 25] == 5).all()
    assert (importance_of(np.zeros((5, 5), np.int32), 20.0) == 1).all()


@pytest.mark.parametrize("shape", [(4, 2, 3, 3), (64, 4, 1, 1)])
def test_a_step_is_orthogonal_however_unequal_the_gradient(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    weights = torch.nn.Parameter(torch.zeros(shape).to(memory_format=torch.channels_last))
    gradient = torch.randn(shape)
    gradient[0] *= 30
    weights.grad = gradient.to(memory_format=torch.channels_last)
    Muon([weights], lr=1.0).step()
    matrix = weights.detach().flatten(1)
    tall = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
    values = torch.linalg.svdvals(matrix) / tall
    assert values.min() > 0.5 and values.max() < 1.4
    # downhill
    assert float((matrix * gradient.flatten(1)).sum()) < 0


def test_every_weight_has_one_optimiser() -> None:
    from napari_spatialml.core.flow_network import made

    net = made("PackedFlowNetwork", (8, 8, 8))
    given = [p for optimiser, _ in optimisers(net, 1e-3) for group in optimiser.param_groups for p in group["params"]]
    assert len({id(p) for p in given}) == len(given) == len(list(net.parameters()))
    assert not any(p is net.head.weight for group in optimisers(net, 1e-3)[0][0].param_groups for p in group["params"])
