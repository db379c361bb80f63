"""Suspicion: errors come first and are named, whichever way the window is turned, cut or numbered."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.ndimage import gaussian_filter

from napari_spatialml.core.suspicion import (
    KINDS,
    Evidence,
    Suspicions,
    exclusive_pairs,
    joined,
    judge,
    measure,
    missing,
    suspicions,
    usual_of,
)
from napari_spatialml.core.suspicion.trees import Trees
from napari_spatialml.errors import BadInput


@dataclass
class Field:
    logit: np.ndarray
    flows: np.ndarray


@dataclass
class Scene:
    labels: np.ndarray
    image: np.ndarray
    field: Field


def drawn(labels: np.ndarray, seed: int = 1) -> tuple[np.ndarray, Field]:
    """The image and a network's field of some true cells: bright, blurred, noisy; flows to the middle."""
    rng = np.random.default_rng(seed)
    light = gaussian_filter(900.0 * (labels > 0), 1.2) + 100
    image = rng.poisson(light).astype(np.uint16)[None]
    flows = np.zeros((2, *labels.shape), np.float32)
    for cell in np.unique(labels[labels > 0]):
        y, x = np.nonzero(labels == cell)
        away = np.stack([y.mean() - y, x.mean() - x])
        flows[:, y, x] = away / np.maximum(np.hypot(*away), 1)
    return image, Field((gaussian_filter(12.0 * (labels > 0), 1) - 6).astype(np.float32), flows)


@lru_cache(maxsize=1)
def scene() -> Scene:
    """Fifty ellipses of radius 8 to 11 that do not touch, and the pairs 1-2 and 3-4 that do; ids from 1."""
    rng = np.random.default_rng(0)
    labels = np.zeros((240, 240), np.int32)
    y, x = np.mgrid[:240, :240] + 0.5
    for k in range(49):
        cy, cx = 20 + 33 * (k // 7) + rng.uniform(-2, 2), 20 + 33 * (k % 7) + rng.uniform(-2, 2)
        a, b, turn = rng.uniform(8.5, 11), rng.uniform(8.5, 11), rng.uniform(0, np.pi)
        v = (y - cy) * np.cos(turn) + (x - cx) * np.sin(turn)
        u = (x - cx) * np.cos(turn) - (y - cy) * np.sin(turn)
        labels[(v / a) ** 2 + (u / b) ** 2 <= 1] = k + 10
    return Scene(labels, *drawn(labels))


def evidence(labels: np.ndarray, with_field: bool = True) -> Evidence:
    """The scene's image and field, with labels that may hold errors."""
    return Evidence(labels, 0.5, image=scene().image, field=scene().field if with_field else None)


def by_cell(found: Suspicions) -> dict[int, float]:
    return dict(zip(found.cells.tolist(), found.scores.tolist(), strict=True))


def planted() -> dict[str, tuple[np.ndarray, tuple[int, ...], set[str]]]:
    """One error each: the labels, the cells that are wrong, and the kinds that may be named first."""
    true = scene().labels
    merged, half, hole, speck = (true.copy() for _ in range(4))
    # two cells and the gap between them become one
    y, x = np.nonzero((true == 31) | (true == 32))
    band = slice(int(y.mean()) - 4, int(y.mean()) + 4), slice(int(x.min()) + 8, int(x.max()) - 8)
    merged[band] = np.where(merged[band] == 0, 31, merged[band])
    merged[merged == 32] = 31
    y, x = np.nonzero(true == 34)
    half[y[x > x.mean()], x[x > x.mean()]] = 90
    y, x = np.nonzero(true == 25)
    ring = np.hypot(y - y.mean(), x - x.mean()) < 6
    hole[y[ring], x[ring]] = 0
    speck[3:6, 100:103] = 91
    return {
        "merge": (merged, (31,), {"merged"}),
        "half": (half, (34, 90), {"halves"}),
        "hole": (hole, (25,), {"shape"}),
        "speck": (speck, (91,), {"area"}),
    }


@pytest.mark.parametrize("with_field", [True, False])
@pytest.mark.parametrize("kind", ["merge", "half", "hole", "speck"])
def test_a_planted_error_comes_first_and_is_named(kind: str, with_field: bool) -> None:
    labels, wrong, named = planted()[kind]
    found = suspicions(evidence(labels, with_field))
    assert set(found.queue[: len(wrong)].tolist()) == set(wrong)
    for cell in wrong:
        reasons = found.reasons[int(np.flatnonzero(found.cells == cell)[0])]
        assert reasons[0].kind in named, reasons
        assert any(character.isdigit() for character in reasons[0].words)


def test_right_cells_are_not_suspected() -> None:
    found = suspicions(evidence(scene().labels))
    assert found.scores.max() < 0.3
    assert sum(len(reasons) for reasons in found.reasons) < 0.3 * len(found.cells)


TURNS = [(0, True), (1, False), (2, False), (3, True)]


def turned(array: np.ndarray, turns: int, mirror: bool) -> np.ndarray:
    out = np.rot90(array, turns, axes=(-2, -1))
    return np.ascontiguousarray(out[..., ::-1] if mirror else out)


def turned_flows(flows: np.ndarray, turns: int, mirror: bool) -> np.ndarray:
    y, x = (turned(plane, turns, mirror) for plane in flows)
    for _ in range(turns):  # rot90 takes x to -y
        y, x = -x, y
    return np.stack([y, -x if mirror else x])


@pytest.mark.parametrize(("turns", "mirror"), TURNS)
def test_turning_the_window_changes_no_score(turns: int, mirror: bool) -> None:
    labels = np.array(planted()["merge"][0])
    labels[planted()["half"][0] == 90] = 90
    before = suspicions(evidence(labels))
    field = Field(turned(scene().field.logit, turns, mirror), turned_flows(scene().field.flows, turns, mirror))
    after = suspicions(
        Evidence(turned(labels, turns, mirror), 0.5, image=turned(scene().image, turns, mirror), field=field)
    )
    assert np.allclose(before.scores, after.scores, atol=1e-3)
    assert [[r.kind for r in one] for one in before.reasons] == [[r.kind for r in one] for one in after.reasons]


def test_numbering_the_cells_otherwise_changes_no_score() -> None:
    labels = planted()["half"][0]
    ids = np.unique(labels[labels > 0])
    other = np.random.default_rng(3).permutation(ids) * 1_000_003
    table = np.zeros(int(ids.max()) + 1, np.uint64)
    table[ids] = other
    before, after = by_cell(suspicions(evidence(labels))), by_cell(suspicions(evidence(table[labels])))
    assert {int(table[cell]): score for cell, score in before.items()} == pytest.approx(after)


def test_windows_that_overlap_give_the_scores_of_the_whole() -> None:
    labels, wrong, _ = planted()["merge"]
    s = scene()
    whole = by_cell(suspicions(evidence(labels)))
    windows = []
    for x0, x1 in ((0, 160), (80, 240)):
        field = Field(s.field.logit[:, x0:x1], s.field.flows[:, :, x0:x1])
        part = Evidence(
            labels[:, x0:x1], 0.5, offset=(0, x0), section=labels.shape, image=s.image[..., x0:x1], field=field
        )
        windows.append(measure(part))
    assert wrong[0] in by_cell(judge(windows))
    assert by_cell(judge(windows)) == pytest.approx(whole, abs=0.02)
    # one window alone, compared with the section
    inner = by_cell(judge(windows[:1], usual_of(joined(windows))))
    x = [np.argwhere(labels == cell).mean(0)[1] for cell in inner]
    assert {c: v for c, v, at in zip(inner, inner.values(), x, strict=True) if at < 90} == pytest.approx(
        {c: whole[c] for c, at in zip(inner, x, strict=True) if at < 90}, abs=0.02
    )


def test_a_cell_that_goes_on_behind_the_window_is_not_judged() -> None:
    labels = scene().labels
    cut = Evidence(labels[:120, :120], 0.5, section=labels.shape)
    assert not set(suspicions(cut).cells) & set(np.unique(labels[120]))
    assert set(np.unique(labels[0, :120])) - {0} <= set(suspicions(cut).cells)


def test_a_window_beyond_the_image_is_judged_by_its_outlines() -> None:
    s = scene()
    left = measure(Evidence(s.labels[:, :160], 0.5, section=s.labels.shape, image=s.image[..., :160]))
    right = measure(Evidence(s.labels[:, 80:], 0.5, offset=(0, 80), section=s.labels.shape))
    found = judge([left, right])
    assert len(found.cells) == 49 and np.isfinite(found.scores).all()
    assert found.scores.max() < 0.3


def test_constants_one_cell_and_no_cell() -> None:
    labels = np.zeros((30, 40), np.int32)
    image = np.full((1, 30, 40), 7, np.uint16)
    empty = suspicions(Evidence(labels, image=image))
    assert len(empty.cells) == len(empty.reasons) == len(empty.queue) == 0
    labels[10:20, 10:20] = 5
    one = suspicions(Evidence(labels, image=image))
    assert one.cells.tolist() == [5] and 0 <= one.scores[0] <= 1
    full = suspicions(Evidence(np.ones((9, 9), np.int64)))
    assert full.cells.tolist() == [1] and np.isfinite(full.scores).all()
    assert len(missing(Evidence(labels, image=image)).places) == 0
    nothing = Evidence(np.zeros((0, 0), np.int32))
    assert len(suspicions(nothing).cells) == 0


@pytest.mark.parametrize(
    "bad",
    [
        {"image": np.full((1, 30, 40), np.nan)},
        {"image": np.zeros((1, 30, 41))},
        {"image": np.zeros((1, 30, 40)), "nuclear": "DAPI"},
        {"field": Field(np.full((30, 40), np.inf), np.zeros((2, 30, 40)))},
        {"field": Field(np.zeros((30, 40)), np.zeros((30, 40)))},
        {"nuclei": np.zeros((30, 40))},
        {"pixel_size_um": 0.0},
        {"counts": sp.csr_matrix((3, 2)), "genes": ("A",), "ids": np.arange(3)},
        {"points": np.zeros((3, 2))},
    ],
)
def test_evidence_that_does_not_fit_is_refused(bad: dict) -> None:
    with pytest.raises(BadInput) as refused:
        Evidence(np.zeros((30, 40), np.int32), **bad)
    assert refused.value.message and refused.value.hint


def test_a_network_that_hesitates_is_named() -> None:
    s = scene()
    weak = Field(s.field.logit.copy(), s.field.flows.copy())
    inside = s.labels == 25
    weak.logit[inside] = 0.2
    weak.flows[:, inside] *= 0.15
    found = suspicions(Evidence(s.labels, 0.5, image=s.image, field=weak))
    assert found.queue[0] == 25
    assert found.reasons[int(np.flatnonzero(found.cells == 25)[0])][0].kind == "confidence"


def test_a_second_look_that_differs_raises_the_score() -> None:
    s = scene()
    other = s.labels.copy()
    other[other == 25] = 0
    same = by_cell(suspicions(Evidence(s.labels, 0.5, image=s.image, field=s.field, second=s.labels)))
    differs = by_cell(suspicions(Evidence(s.labels, 0.5, image=s.image, field=s.field, second=other)))
    assert differs[25] > 2 * same[25]
    assert max(abs(differs[c] - same[c]) for c in same if c != 25) < 1e-9


def reasons_of(found: Suspicions, cell: int, kind: str) -> list[str]:
    return [r.words for r in found.reasons[int(np.flatnonzero(found.cells == cell)[0])] if r.kind == kind]


def test_cells_with_two_nuclei_or_none_are_named() -> None:
    labels, nuclei = scene().labels, np.zeros_like(scene().labels)
    for number, cell in enumerate(np.unique(labels[labels > 0])[1:]):
        y, x = np.nonzero(labels == cell)
        nuclei[int(y.mean()) - 2 : int(y.mean()) + 2, int(x.mean()) - 4 : int(x.mean()) - 1] = 2 * number + 1
        if cell == 25:
            nuclei[int(y.mean()) - 2 : int(y.mean()) + 2, int(x.mean()) + 1 : int(x.mean()) + 4] = 2 * number + 2
    found = suspicions(Evidence(labels, 0.5, nuclei=nuclei))
    assert found.queue[:2].tolist() == [25, 10]
    assert reasons_of(found, 25, "nuclei") == ["It holds 2 nuclei."]
    assert reasons_of(found, 10, "nuclei") == ["It holds no nucleus."]
    assert not reasons_of(found, 30, "nuclei")


def counted(n: int = 600, seed: int = 5) -> tuple[sp.csr_matrix, tuple[str, ...]]:
    """Two types of cells with five markers each, beside five genes that all express."""
    rng = np.random.default_rng(seed)
    kind = np.arange(n) % 2
    mean = np.where(np.arange(15) // 5 == kind[:, None], 8.0, 0.1)
    mean[:, 10:] = 5
    return sp.csr_matrix(rng.poisson(mean * rng.uniform(0.5, 2, (n, 1)))), tuple(f"G{i}" for i in range(15))


def test_exclusive_pairs_are_learned_and_no_others() -> None:
    counts, genes = counted()
    pairs = {frozenset(pair) for pair in exclusive_pairs(counts, genes)}
    assert pairs == {frozenset((f"G{a}", f"G{b}")) for a in range(5) for b in range(5, 10)}
    shuffled = counts.toarray()
    for column in shuffled.T:
        np.random.default_rng(0).shuffle(column)
    independent = np.stack([np.random.default_rng(i).permutation(c) for i, c in enumerate(counts.toarray().T)], 1)
    assert exclusive_pairs(sp.csr_matrix(independent), genes) == ()


def test_a_cell_with_markers_of_two_types_is_named() -> None:
    counts, genes = counted()
    labels = scene().labels
    ids = np.arange(len(np.unique(labels)) - 1) + 10
    table = counts.toarray()[:, :]
    table[25 - 10] = table[0] + table[1]
    ids = np.arange(len(table)) + 10
    found = suspicions(Evidence(labels, 0.5, counts=sp.csr_matrix(table), genes=genes, ids=ids[::1]))
    assert found.queue[0] == 25
    assert "exclude each other" in reasons_of(found, 25, "markers")[0]
    given = Evidence(labels, counts=sp.csr_matrix(table), genes=genes, ids=ids, markers=(("G10", "absent"),))
    assert not reasons_of(suspicions(given), 25, "markers")
    order = np.random.default_rng(1).permutation(len(ids))
    again = suspicions(Evidence(labels, 0.5, counts=sp.csr_matrix(table[order]), genes=genes, ids=ids[order]))
    assert np.allclose(found.scores, again.scores)


def test_transcripts_at_the_rim_that_belong_to_the_neighbour_are_named() -> None:
    rng = np.random.default_rng(2)
    labels = np.zeros((30, 60), np.int32)
    labels[5:25, 5:30], labels[5:25, 30:55] = 1, 2
    genes = np.concatenate([rng.integers(0, 5, 60), rng.integers(5, 10, 60), rng.integers(5, 10, 12)])
    x = np.concatenate([rng.uniform(5, 27, 60), rng.uniform(31, 55, 60), rng.uniform(28, 30, 12)])
    points = np.stack([rng.uniform(5, 25, len(x)), x], 1)
    counts = np.stack([np.bincount(genes[x < 30], minlength=10), np.bincount(genes[x >= 30], minlength=10)])
    many = sp.csr_matrix(np.vstack([counts, counts[::-1]]))
    found = suspicions(
        Evidence(
            labels, 0.5, counts=many, genes=tuple("ABCDEFGHIJ"), ids=np.arange(1, 5), points=points, point_genes=genes
        )
    )
    assert reasons_of(found, 1, "rim") and "cell 2" in reasons_of(found, 1, "rim")[0]
    assert not reasons_of(found, 2, "rim")


def test_a_membrane_through_a_cell_is_named() -> None:
    labels = scene().labels
    border = (np.roll(labels, 1, 0) != labels) | (np.roll(labels, 1, 1) != labels)
    y, x = np.nonzero(labels == 25)
    border[y[np.abs(x - int(x.mean())) < 1], x[np.abs(x - int(x.mean())) < 1]] = True
    image = gaussian_filter(border.astype(np.float32) * 100, 1.0)[None]
    found = suspicions(Evidence(labels, 0.5, image=image, channels=("membrane",), membrane="membrane"))
    named = [
        int(c)
        for c, reasons in zip(found.cells, found.reasons, strict=True)
        if any(r.kind == "membrane" for r in reasons)
    ]
    assert named == [25]


@pytest.mark.parametrize("witness", ["field", "image", "points"])
def test_a_removed_cell_is_found_missing(witness: str) -> None:
    s, rng = scene(), np.random.default_rng(0)
    labels = s.labels.copy()
    gone = [25, 33]
    labels[np.isin(labels, gone)] = 0
    inside = np.argwhere(s.labels > 0)
    points = inside[rng.choice(len(inside), 6000)] + rng.random((6000, 2))
    given = {
        "field": {"field": s.field},
        "image": {"image": s.image},
        "points": {"points": points, "point_genes": np.zeros(6000, int)},
    }[witness]
    found = missing(Evidence(labels, 0.5, **given))
    assert len(found.places) == 2
    assert {int(s.labels[tuple(place.astype(int))]) for place in found.places} == set(gone)
    assert all(any(character.isdigit() for character in words) for words in found.words)
    assert len(missing(Evidence(s.labels, 0.5, **given)).places) == 0


def test_trees_follow_their_thresholds_and_send_what_is_unknown_where_they_learned_to() -> None:
    leaf = np.array([0.0, 0.0, 1.0, 2.0, 4.0], np.float32)
    trees = Trees(
        feature=np.array([0, 1, -1, -1, -1], np.int16),
        threshold=np.array([0.5, -1, 0, 0, 0], np.float32),
        left=np.array([1, 2, 0, 0, 0], np.int32),
        right=np.array([4, 3, 0, 0, 0], np.int32),
        missing_left=np.array([False, True, False, False, False]),
        value=leaf,
        roots=np.array([0], np.int32),
        start=10.0,
    )
    rows = np.array([[0.5, -1.0], [0.5, 0.0], [0.6, 0.0], [np.nan, 0.0], [0.0, np.nan]])
    assert trees(rows).tolist() == [11, 12, 14, 14, 11]


def test_kinds_have_titles() -> None:
    labels, _, _ = planted()["half"]
    found = suspicions(evidence(labels))
    assert {reason.kind for reasons in found.reasons for reason in reasons} <= set(KINDS)
