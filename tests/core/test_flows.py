"""Flows lead from labels back to the same labels; turning the cells turns the flows."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatialml.core.flows import FlowField, decode, flow_errors, labels_to_flows, logit_of
from napari_spatialml.core.metrics import average_precision
from napari_spatialml.errors import BadInput


def ellipses(seed: int, n: int = 30, edge: int = 160) -> np.ndarray:
    """Cells of several sizes that touch and cover each other: (y, x) int32."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((edge, edge), np.int32)
    y, x = np.mgrid[:edge, :edge]
    for k in range(1, n + 1):
        cy, cx = rng.uniform(0, edge, 2)
        a, b, turn = rng.uniform(7, 14), rng.uniform(5, 9), rng.uniform(0, np.pi)
        u, v = (y - cy) * np.cos(turn) + (x - cx) * np.sin(turn), (x - cx) * np.cos(turn) - (y - cy) * np.sin(turn)
        labels[((u / a) ** 2 + (v / b) ** 2 < 1) & (labels == 0)] = k
    return labels


def perfect(labels: np.ndarray) -> FlowField:
    return FlowField(np.where(labels > 0, 8, -8).astype(np.float32), labels_to_flows(labels))


def largest_pieces(labels: np.ndarray, at_least: int) -> np.ndarray:
    """Keep the largest connected piece of each label, where it has so many pixels: only these can be found."""
    from scipy.ndimage import label

    kept = np.zeros_like(labels)
    for k in np.unique(labels[labels > 0]):
        pieces, _ = label(labels == k)
        area = np.bincount(pieces.ravel())[1:]
        if area.max() >= at_least:
            kept[pieces == area.argmax() + 1] = k
    return kept


@pytest.mark.parametrize("seed", range(4))
def test_labels_come_back_from_their_flows(seed: int) -> None:
    # cells that others cover to a crescent flow to more than one place: they are few
    labels = largest_pieces(ellipses(seed, 20), 60)
    found = decode(perfect(labels)).labels
    assert average_precision(labels, found, 0.75)[0] >= 0.9
    assert (found > 0)[labels > 0].mean() > 0.97 and not found[labels == 0].any()


@pytest.mark.parametrize(("seed", "quarters"), [(0, 1), (1, 2), (2, 3)])
def test_turning_the_cells_turns_the_flows(seed: int, quarters: int) -> None:
    labels = ellipses(seed)
    turned = labels_to_flows(np.rot90(labels, quarters))
    c, s = np.round([np.cos(quarters * np.pi / 2), np.sin(quarters * np.pi / 2)])
    fy, fx = np.rot90(labels_to_flows(labels), quarters, axes=(1, 2))
    # two pixels may be equally near to a centroid, and the first of them is taken: nearly all flows agree
    apart = np.hypot(turned[0] - (c * fy - s * fx), turned[1] - (s * fy + c * fx))
    assert np.quantile(apart[np.rot90(labels, quarters) > 0], 0.9) < 0.35


def test_a_disc_flows_straight_to_its_centre() -> None:
    y, x = np.mgrid[:41, :41] - 20
    disc = np.hypot(y, x) < 15
    flows = labels_to_flows(disc.astype(np.int32))
    ring = disc & (np.hypot(y, x) > 3)
    straight = -(flows[0] * y + flows[1] * x) / np.hypot(np.hypot(y, x), 1e-9)
    assert straight[ring].min() > 0.97
    assert np.allclose(np.hypot(*flows)[ring], 1, atol=1e-5)
    assert not flows[:, ~disc].any()


def test_flows_are_those_of_cellpose() -> None:
    dynamics = pytest.importorskip("cellpose.dynamics")
    labels = np.unique(ellipses(3), return_inverse=True)[1].reshape(160, 160).astype(np.int32)
    theirs = dynamics.masks_to_flows_cpu(labels)[0]
    assert np.abs(labels_to_flows(labels) - theirs).mean() < 1e-3


def noisy(seed: int) -> tuple[np.ndarray, FlowField]:
    from scipy.ndimage import gaussian_filter

    labels = largest_pieces(ellipses(seed, 40, 200), 30)
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(3, 200, 200)), (0, 2, 2))
    field = perfect(labels)
    flows = gaussian_filter(field.flows, (0, 0.7, 0.7)) + noise[:2]
    return labels, FlowField(field.logit + 15 * noise[2], flows)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("error", [0.0, 0.4])
def test_cells_are_those_that_cellpose_finds_in_the_same_output(seed: int, error: float) -> None:
    torch, dynamics = pytest.importorskip("torch"), pytest.importorskip("cellpose.dynamics")
    _, field = noisy(seed)
    theirs = dynamics.resize_and_compute_masks(
        5 * field.flows, field.logit, flow_threshold=error, min_size=15, device=torch.device("cpu")
    )
    ours = decode(field, flow_error=error).labels
    assert ours.max() > 15
    assert average_precision(theirs.astype(np.int32), ours, 0.5)[0] >= 0.99


def test_the_flow_of_a_whole_cell_is_right_and_that_of_two_taken_for_one_is_not() -> None:
    labels = np.zeros((30, 60), np.int32)
    y, x = np.mgrid[:30, :60]
    labels[np.hypot(y - 15, x - 18) < 10] = 1
    labels[np.hypot(y - 15, x - 38) < 10] = 2
    flows = labels_to_flows(labels)
    assert flow_errors(labels, flows).max() < 1e-6
    assert flow_errors((labels > 0).astype(np.int32), flows)[0] > 0.4


def test_a_stricter_threshold_finds_a_part_of_what_a_lax_one_finds() -> None:
    _, field = noisy(5)
    lax, strict = (decode(field, p, 0.0, 1).labels > 0 for p in (0.2, 0.9))
    assert strict.sum() < lax.sum()
    assert lax[strict].mean() > 0.99
    most, fewer = (decode(field, 0.5, error).labels.max() for error in (0.0, 0.25))
    assert fewer < most


def test_small_cells_are_dropped_and_holes_are_filled() -> None:
    y, x = np.mgrid[:60, :60]
    labels = np.zeros((60, 60), np.int32)
    labels[np.hypot(y - 25, x - 25) < 14] = 1
    labels[np.hypot(y - 50, x - 50) < 4] = 2
    field = perfect(labels)
    logit = field.logit.copy()
    logit[20, 30] = -8
    holed = FlowField(logit, field.flows)
    assert decode(holed).labels.max() == 2
    found = decode(holed, min_area=100)
    assert found.labels.max() == 1 and found.labels[20, 30] == 1
    assert found.scores is not None and found.scores.shape == (1,)
    assert 0.95 < found.scores[0] <= 1


def test_a_window_of_a_field_decodes_to_what_lies_whole_in_it() -> None:
    _, field = noisy(2)
    whole, part = decode(field).labels, decode(field.window(40, 200, 0, 160)).labels
    area, inside = (np.bincount(a.ravel(), minlength=whole.max() + 1) for a in (whole, whole[50:190, 10:150]))
    ids = 1 + np.flatnonzero(area[1:] == inside[1:])
    assert len(ids) > 5
    shared = [np.bincount(part[whole[40:, :160] == k]).max() / area[k] for k in ids]
    assert np.median(shared) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (3, 2)])
def test_a_field_of_one_row_or_column_decodes(shape: tuple[int, int]) -> None:
    for logit in (-5, 5):
        field = FlowField(np.full(shape, logit), np.zeros((2, *shape)))
        assert decode(field).labels.shape == shape


def test_fields_and_thresholds_that_make_no_sense() -> None:
    with pytest.raises(BadInput, match="flows have the shape"):
        FlowField(np.zeros((4, 5)), np.zeros((2, 5, 4)))
    assert logit_of(0.5) == 0 and logit_of(0.0) == -np.inf and logit_of(1.0) == np.inf
    labels, field = noisy(1)
    assert not decode(field, 1.0).labels.any()
    assert labels.any()


def test_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_spatialml.core import flows as module

    y, x = np.mgrid[:150, :170]
    labels = np.zeros((150, 170), np.int32)
    for n, (cy, cx) in enumerate((cy, cx) for cy in range(9, 150, 17) for cx in range(9, 170, 16)):
        labels[np.hypot(y - cy, x - cx) < 6 + n % 3] = n + 1
    found = []
    for threads, worth in ((1, 1), (7, 100)):
        monkeypatch.setattr(module, "_THREADS", threads)
        monkeypatch.setattr(module, "_WORTH_IT", worth)
        own = labels_to_flows(labels)
        noisy = own + np.random.default_rng(1).normal(0, 0.2, own.shape).astype(np.float32)
        logit = np.where(labels > 0, 3.0, -3.0)
        found.append((own, decode(FlowField(logit, noisy), 0.5, 0.4, 15)))
    assert found[0][0].tobytes() == found[1][0].tobytes() and found[0][1].labels.max() > 50
    assert np.array_equal(found[0][1].labels, found[1][1].labels)
    assert np.array_equal(found[0][1].scores, found[1][1].scores)
