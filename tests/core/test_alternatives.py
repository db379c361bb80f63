"""What else a cell could be: the image decides between gone, cut, merged and outlined anew."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatialml.core.alternatives import alternatives
from napari_spatialml.core.cutting import split_cell
from napari_spatialml.core.labels import draw_outline
from napari_spatialml.core.retracing import cut_between, trimmed
from napari_spatialml.core.suspicion import Evidence, measure, usual_of
from tests.views.discs import HALVES, MERGED, SECOND_HALF, SHIFTED, SPECK, overlap, picture, planted, truth


@pytest.fixture(scope="module")
def seen():
    true = truth()
    return Evidence(planted(true), 0.5, image=picture(true), channels=("DAPI",))


@pytest.fixture(scope="module")
def usual(seen):
    return usual_of(measure(seen))


def window(seen, cell, margin=24):
    """Return a window around a cell, as a sheet reads it."""
    y, x = np.nonzero(seen.labels == cell)
    (h, w) = seen.labels.shape
    y0, y1 = max(y.min() - margin, 0), min(y.max() + margin + 1, h)
    x0, x1 = max(x.min() - margin, 0), min(x.max() + margin + 1, w)
    image = seen.image[:, y0:y1, x0:x1]
    part = Evidence(
        seen.labels[y0:y1, x0:x1], 0.5, (int(y0), int(x0)), (h, w), np.ascontiguousarray(image), seen.channels
    )
    return part, cell


def test_each_kind_of_error_is_mended_by_its_tool(seen, usual) -> None:
    wanted = {SPECK: "delete", HALVES: "merge", SECOND_HALF: "merge", MERGED: "split", SHIFTED: "redraw"}
    judged = alternatives([window(seen, cell) for cell in wanted], usual)
    assert [one.ways[0].tool for one in judged] == list(wanted.values())
    assert all(one.ways[0].wrong < one.wrong - 0.05 for one in judged), "each is better than what is there"


def test_what_is_proposed_makes_the_true_cells(seen, usual) -> None:
    true = truth()
    cut, drawn, half = (
        one.ways[0] for one in alternatives([window(seen, c) for c in (MERGED, SHIFTED, HALVES)], usual)
    )
    parts = split_cell(seen.labels, MERGED, cut.points, new_id=500).applied_to(seen.labels)
    for whole in (15, 16):
        assert max(overlap(parts == k, true == whole) for k in (MERGED, 500)) > 0.85
    gone = np.where(seen.labels == SHIFTED, 0, seen.labels)
    anew = draw_outline(gone, drawn.points, SHIFTED).applied_to(gone)
    assert overlap(seen.labels == SHIFTED, true == SHIFTED) < 0.5 < 0.8 < overlap(anew == SHIFTED, true == SHIFTED)
    assert half.partner == SECOND_HALF


def test_a_right_cell_has_nothing_better(seen, usual) -> None:
    right = [c for c in range(1, 37) if c not in (HALVES, MERGED, 16, SHIFTED, 29)][::4]
    for one in alternatives([window(seen, c) for c in right], usual):
        assert one.ways[0].wrong > one.wrong - 0.05


def test_a_new_outline_that_leaves_half_of_a_merged_cell_out_is_not_the_best(seen, usual) -> None:
    (judged,) = alternatives([window(seen, MERGED)], usual)
    assert all(way.wrong > judged.ways[0].wrong for way in judged.ways if way.tool in ("redraw", "delete"))


def test_nothing_is_asked_and_labels_alone_are_enough(seen) -> None:
    assert alternatives([]) == []
    bare = Evidence(seen.labels, 0.5)
    (judged,) = alternatives([(bare, HALVES)])
    assert {way.tool for way in judged.ways} >= {"delete", "merge"}


@pytest.mark.parametrize("seed", range(3))
def test_a_cut_parts_two_clouds_and_ends_where_the_cell_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    turn = rng.uniform(0, np.pi)
    step = 9 * np.array([np.sin(turn), np.cos(turn)])
    y, x = np.indices((70, 70)) + 0.5
    a, b = (np.hypot(y - 35 - s * step[0], x - 35 - s * step[1]) <= 11 for s in (-1, 1))
    line = cut_between(np.argwhere(a & ~b) + 0.5, np.argwhere(b & ~a) + 0.5)
    labels = (a | b).astype(np.int32)
    short = trimmed(line, a | b)
    parts = split_cell(labels, 1, short, new_id=2).applied_to(labels)
    assert min(max(overlap(parts == k, one) for k in (1, 2)) for one in (a, b)) > 0.9
    assert np.linalg.norm(short[1] - short[0]) < np.linalg.norm(line[1] - line[0])
    inside = [(a | b)[int(p[0]), int(p[1])] for p in (short[0], short[1])]
    assert not any(inside), "it begins and ends on the ground"
