"""Proposals to mend a cell: where it is narrowest, whom it touches, what is bright."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatialml.core.labels import draw_outline, split_cell
from napari_spatialml.core.proposals import outline_at, partner_of, shortest_cut


def disc(shape, centre, radius):
    y, x = np.indices(shape) + 0.5
    return np.hypot(y - centre[0], x - centre[1]) <= radius


@pytest.mark.parametrize("angle", np.linspace(0, np.pi, 7)[:-1])
def test_two_discs_that_touch_are_cut_apart_whatever_their_direction(angle: float) -> None:
    step = 9.0 * np.array([np.sin(angle), np.cos(angle)])
    a, b = (disc((60, 60), (30 + s * step[0], 30 + s * step[1]), 10.5) for s in (-1, 1))
    labels = (a | b).astype(np.int32)
    cut = split_cell(labels, 1, shortest_cut(a | b), new_id=2).applied_to(labels)
    for whole in (a, b):
        best = max(((cut == k) & whole).sum() / ((cut == k) | whole).sum() for k in (1, 2))
        assert best > 0.85


def test_a_round_cell_is_cut_near_its_middle_and_a_speck_not_at_all() -> None:
    mask = disc((40, 40), (20, 20), 12)
    parts = split_cell(mask.astype(np.int32), 1, shortest_cut(mask), new_id=2).applied_to(mask.astype(np.int32))
    assert (parts == 2).sum() > 0.2 * mask.sum() - 24
    assert shortest_cut(np.ones((1, 3), bool)) is None


def test_the_partner_is_the_neighbour_with_the_longest_border() -> None:
    labels = np.zeros((20, 20), np.int32)
    labels[5:15, 5:10], labels[5:8, 10:14], labels[8:15, 10:14], labels[0:3, 0:3] = 1, 2, 3, 4
    assert partner_of(labels, 1) == 3 and partner_of(labels, 3) == 1 and partner_of(labels, 4) == 0


def test_a_bright_place_is_outlined_and_an_even_one_is_a_circle() -> None:
    true = disc((50, 50), (22, 27), 8)
    rng = np.random.default_rng(0)
    signal = 200.0 * true + rng.normal(0, 10, true.shape)
    empty = np.zeros(true.shape, np.int32)
    drawn = draw_outline(empty, outline_at(signal, empty, (21.0, 28.0), 15.0), 1).applied_to(empty) == 1
    assert (drawn & true).sum() / (drawn | true).sum() > 0.9
    for nothing in (None, np.zeros(true.shape)):
        drawn = draw_outline(empty, outline_at(nothing, empty, (21.0, 28.0), 16.0), 1).applied_to(empty) == 1
        assert abs(drawn.sum() - np.pi * 64) < 20


def test_a_place_that_a_neighbour_covers_is_not_taken_from_it() -> None:
    signal = np.where(disc((50, 50), (25, 25), 15), 200.0, 0.0)
    labels = np.zeros((50, 50), np.int32)
    labels[:, 25:] = 7
    drawn = draw_outline(labels, outline_at(signal, labels, (25.0, 18.0), 18.0), 1).applied_to(labels)
    assert (drawn[:, 25:] == 7).all() and (drawn == 1).sum() > 250
