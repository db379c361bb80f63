"""Laws of agreement: known values, brute force, sides that may be swapped, windows that change nothing."""

from __future__ import annotations

from itertools import permutations
from math import isnan

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import directed_hausdorff

from napari_spatialml.core.agreement import cell_agreement
from napari_spatialml.core.disagreement import AGREED, KINDS, disagreements
from napari_spatialml.core.hausdorff import cell_distances, hausdorff, region_distance
from napari_spatialml.core.intervals import mean_of, proportion, quantile_of, ratio_of
from napari_spatialml.core.kappa import class_agreement, kappa
from napari_spatialml.core.overlap import matches, overlap
from napari_spatialml.core.region_agreement import region_agreement
from napari_spatialml.errors import BadInput

masks = hnp.arrays(np.int32, (6, 7), elements=st.integers(0, 4))
FEW = settings(max_examples=60, deadline=None)


def compared(a, b, **options):
    read = lambda w: (a[w[0] : w[1], w[2] : w[3]], b[w[0] : w[1], w[2] : w[3]])  # noqa: E731
    return cell_agreement(read, a.shape, **options)


def scattered_cells(seed: int, size: int = 120, n: int = 60, dtype=np.int32) -> np.ndarray:
    """Discs with sparse ids, some over others."""
    rng = np.random.default_rng(seed)
    out = np.zeros((size, size), dtype)
    y, x = np.mgrid[:size, :size]
    for number in range(n):
        cy, cx, r = rng.uniform((0, 0, 2), (size, size, 9))
        out[(y - cy) ** 2 + (x - cx) ** 2 <= r * r] = 1 + 37 * number
    return out


def second_reader(first: np.ndarray, seed: int) -> np.ndarray:
    """The same cells: some gone, some merged, some cut, some moved by a pixel, one new."""
    rng = np.random.default_rng(seed)
    out = first.copy()
    ids = [int(i) for i in np.unique(first) if i]
    for cell in ids[::7]:
        out[first == cell] = 0
    for one, other in zip(ids[1::9], ids[2::9], strict=False):
        out[first == other] = one
    for cell in ids[3::8]:
        rows = np.flatnonzero((first == cell).any(1))
        out[(first == cell) & (np.arange(len(first)) < rows.mean())[:, None]] = cell + 10_000
    shifted = np.roll(out, 1, axis=int(rng.integers(2)))
    free = shifted == 0
    shifted[2:7, 2:7] = np.where(free[2:7, 2:7], 99_999, shifted[2:7, 2:7])
    return shifted


def as_figures(found):
    return [(m.name, m.estimate.value, m.estimate.low, m.estimate.high) for m in found.measures]


# windows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.int32, np.uint64])
@pytest.mark.parametrize("step", [17, 50, 64, 120])
def test_windows_give_the_same_as_the_whole(step, dtype):
    a = scattered_cells(3, dtype=dtype)
    b = second_reader(a, 4)
    whole, pieces = compared(a, b, step=10_000), compared(a, b, step=step)
    assert np.allclose(
        np.array([f[1:] for f in as_figures(whole)]), [f[1:] for f in as_figures(pieces)], equal_nan=True
    )
    assert np.array_equal(whole.overlap.a.boxes, pieces.overlap.a.boxes)
    assert np.array_equal(whole.groups.kinds, pieces.groups.kinds)
    assert np.array_equal(whole.distances_um, pieces.distances_um)


@FEW
@given(masks, masks)
def test_areas_boxes_and_shared_pixels_are_counted(a, b):
    found = overlap([((10, 20), a[:2], b[:2]), ((12, 20), a[2:], b[2:])])
    for side, image in ((found.a, a), (found.b, b)):
        assert side.ids.tolist() == [i for i in np.unique(image) if i]
        for cell, area, box in zip(side.ids, side.areas, side.boxes, strict=True):
            y, x = np.nonzero(image == cell)
            assert area == len(y)
            assert box.tolist() == [y.min() + 10, y.max() + 11, x.min() + 20, x.max() + 21]
    for i, p in enumerate(found.a.ids):
        for j, q in enumerate(found.b.ids):
            assert found.shared[i, j] == ((a == p) & (b == q)).sum()


# matching -----------------------------------------------------------------------------------------


@FEW
@given(masks, masks, st.sampled_from([0.1, 0.2, 1 / 3, 0.5, 0.75]))
def test_partners_are_the_best_of_all_assignments(a, b, threshold):
    iou = overlap([((0, 0), a, b)]).iou
    rows, columns = matches(iou, threshold)
    assert len(set(rows)) == len(rows) == len(set(columns))
    dense = iou.toarray()
    dense = dense if dense.shape[0] <= dense.shape[1] else dense.T
    good = np.where(dense >= threshold - 1e-12, dense, 0)
    best = max(
        ((good[range(len(good)), list(p)] > 0).sum(), round(good[range(len(good)), list(p)].sum(), 9))
        for p in permutations(range(good.shape[1]), len(good))
    )
    assert (len(rows), round(float(np.asarray(iou[rows, columns]).sum()), 9) if len(rows) else 0.0) == best


def test_ap_and_f1_equal_brute_force():
    a = scattered_cells(6)
    b = second_reader(a, 7)
    figures = {m.name: m.estimate.value for m in compared(a, b).measures}
    ids_a, ids_b = ([i for i in np.unique(v) if i] for v in (a, b))
    iou = np.array([[((a == p) & (b == q)).sum() / ((a == p) | (b == q)).sum() for q in ids_b] for p in ids_a])
    for threshold, name in ((0.5, "AP at IoU 0.5"), (0.75, "AP at IoU 0.75")):
        hits = (iou > threshold).sum()  # above one half nobody has two partners
        assert (iou > 0.5).sum(0).max() == 1 and not (iou == threshold).any()
        assert np.isclose(figures[name], hits / (len(ids_a) + len(ids_b) - hits))
    hits = (iou > 0.5).sum()
    assert np.isclose(figures["F1 at IoU 0.5"], 2 * hits / (len(ids_a) + len(ids_b)))
    assert 0.3 < figures["AP at IoU 0.5"] < 0.95
    pixels = 2 * ((a > 0) & (b > 0)).sum() / ((a > 0).sum() + (b > 0).sum())
    assert np.isclose(figures["Dice of all pixels"], pixels)
    assert np.isclose(figures["IoU of all pixels"], ((a > 0) & (b > 0)).sum() / ((a > 0) | (b > 0)).sum())
    d = [2 * ((a == ids_a[i]) & (b == ids_b[j])).sum() / ((a == ids_a[i]).sum() + (b == ids_b[j]).sum())
         for i, j in np.argwhere(iou > 0.5)]  # fmt: skip
    assert np.isclose(figures["Dice of partners, mean"], np.mean(d))


def test_swapping_the_readers_changes_names_only():
    a = scattered_cells(5)
    b = second_reader(a, 6)
    one, other = compared(a, b), compared(b, a)
    assert np.allclose([f[1:] for f in as_figures(one)[2:]], [f[1:] for f in as_figures(other)[2:]], equal_nan=True)
    counts, swapped = one.groups.counts, other.groups.counts
    assert counts["only in A"] == swapped["only in B"] and counts["split or merged"] == swapped["split or merged"]
    same = compared(a, a)
    assert set(same.groups.kinds) == {AGREED} and not same.distances_um.any() and not len(same.groups.queue())


def test_nothing_and_nobody():
    empty = np.zeros((8, 8), np.int32)
    one = empty.copy()
    one[2:4, 2:4] = 5
    assert compared(empty, empty).groups.counts["agreed"] == 0
    figures = {m.name: m.estimate.value for m in compared(one, empty).measures}
    assert figures["AP at IoU 0.5"] == 0 and figures["Dice of all pixels"] == 0
    assert isnan(figures["Hausdorff, median"])


# Hausdorff ----------------------------------------------------------------------------------------

bools = hnp.arrays(bool, (9, 8))


@FEW
@given(bools, bools)
def test_hausdorff_of_masks_equals_scipy(a, b):
    if not (a.any() and b.any()):
        with pytest.raises(BadInput, match="empty"):
            hausdorff(a, b)
        return
    p, q = np.argwhere(a), np.argwhere(b)
    assert np.isclose(hausdorff(a, b), max(directed_hausdorff(p, q)[0], directed_hausdorff(q, p)[0]))


def test_hausdorff_of_partners_equals_scipy_in_um_wherever_their_parts_lie():
    a = scattered_cells(8, size=150)
    b = second_reader(a, 9)
    found = compared(a, b, pixel_size_um=0.4)
    assert len(found.rows) > 20 and (found.distances_um > 0).any()
    for i, j, far in zip(found.rows, found.columns, found.distances_um, strict=True):
        p, q = np.argwhere(a == found.overlap.a.ids[i]), np.argwhere(b == found.overlap.b.ids[j])
        assert np.isclose(far, 0.4 * max(directed_hausdorff(p, q)[0], directed_hausdorff(q, p)[0]))


def test_a_cell_in_two_far_parts_is_measured_without_reading_all_between(monkeypatch):
    from napari_spatialml.core import hausdorff as module

    a = np.zeros((60, 90), np.int32)
    a[2:6, 2:6] = a[50:56, 80:86] = 7
    b = a.copy()
    b[50:56, 84:86] = 0
    monkeypatch.setattr(module, "_TILE", 8)
    largest = []

    def read(w):
        largest.append((w[1] - w[0]) * (w[3] - w[2]))
        return a[w[0] : w[1], w[2] : w[3]], b[w[0] : w[1], w[2] : w[3]]

    found = overlap([((0, 0), a, b)])
    assert cell_distances(read, found, np.array([0]), np.array([0]))[0] == 2
    assert max(largest) <= 32 * 32 < a.size


def test_hausdorff_of_outlines_equals_scipy_on_dense_outlines():
    a = shapely.Point(0, 0).buffer(10)
    b = shapely.Point(3, 0).buffer(8).difference(shapely.Point(3, 0).buffer(2))
    p, q = (shapely.get_coordinates(shapely.segmentize(g.boundary, 0.01)) for g in (a, b))
    expected = max(directed_hausdorff(p, q)[0], directed_hausdorff(q, p)[0])
    assert abs(region_distance(a, b) - expected) < max(a.length, b.length) / 1000
    assert isnan(region_distance(a, shapely.Polygon()))


# kappa --------------------------------------------------------------------------------------------

columns = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=4, max_size=40)


@FEW
@given(columns)
def test_kappa_equals_scikit_learn_overall_and_of_each_class(rows):
    from sklearn.metrics import cohen_kappa_score, confusion_matrix

    a, b = (np.array(side) for side in zip(*rows, strict=True))
    found = class_agreement(a, b)
    assert np.array_equal(found.confusion, confusion_matrix(a, b, labels=list(found.names)))
    assert np.isclose(found.agreement.value, np.mean(a == b))
    if len({*a, *b}) > 1:
        assert np.isclose(found.kappa.value, cohen_kappa_score(a, b))
        for name, one in zip(found.names, found.per_class, strict=True):
            assert np.isclose(one.value, cohen_kappa_score(a == name, b == name))
            assert -1 <= one.low <= one.value <= one.high <= 1
    else:
        assert isnan(found.kappa.value)


def test_the_interval_of_kappa_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    joint = np.array([[0.35, 0.08, 0.02], [0.05, 0.20, 0.05], [0.03, 0.02, 0.20]])
    true = kappa(joint, counted=False).value
    samples = rng.multinomial(300, joint.ravel(), 2000).reshape(-1, 3, 3)
    hits = [found.low <= true <= found.high for found in map(kappa, samples)]
    assert 0.93 < np.mean(hits) < 0.97


def test_the_interval_of_kappa_equals_statsmodels():
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    rng = np.random.default_rng(2)
    for k in (2, 3, 6):
        table = rng.integers(0, 40, (k, k)) + np.diag(rng.integers(20, 90, k))
        found, expected = kappa(table), inter_rater.cohens_kappa(table)
        assert np.allclose(
            (found.value, found.low, found.high), (expected.kappa, expected.kappa_low, expected.kappa_upp)
        )


def test_rows_without_a_class_are_left_out_and_counted():
    found = class_agreement(["a", None, "b", "b"], ["a", "a", np.nan, "b"])
    assert found.left_out == 2 and found.kappa.value == 1 and found.names == ("a", "b")
    with pytest.raises(BadInput, match="No row"):
        class_agreement([None, "a"], ["a", None])
    with pytest.raises(BadInput, match="rows"):
        class_agreement(["a"], ["a", "b"])


# intervals ----------------------------------------------------------------------------------------


def test_intervals_equal_statsmodels_and_hold_the_truth():
    from scipy.stats import binomtest

    for hits, n in ((0, 10), (3, 10), (40, 41), (7, 7)):
        expected = binomtest(hits, n).proportion_ci(method="wilson")
        found = proportion(hits, n)
        assert np.allclose((found.low, found.high), (expected.low, expected.high), atol=1e-12)
    rng = np.random.default_rng(1)
    draws = rng.exponential(2.0, (1500, 60))
    truth = {0.5: 2 * np.log(2), 0.9: 2 * np.log(10)}
    for share, value in truth.items():
        found = [quantile_of(row, share) for row in draws]
        assert np.mean([not (f.low > value or f.high < value) for f in found]) > 0.94
    assert np.mean([(f := mean_of(row)).low <= 2 <= f.high for row in draws]) > 0.91
    sizes = rng.uniform(1, 5, (1500, 60))
    ratios = [ratio_of(0.6 * s * rng.uniform(0.5, 1.5, 60), s) for s in sizes]
    assert 0.92 < np.mean([r.low <= 0.6 <= r.high for r in ratios]) < 0.98


# disagreement -------------------------------------------------------------------------------------


def two_readers():
    a, b = np.zeros((60, 60), np.int32), np.zeros((60, 60), np.int32)
    a[2:10, 2:10], b[2:10, 2:10] = 1, 11  # agreed
    a[2:10, 20:28] = 2  # only A
    b[2:10, 40:48] = 12  # only B
    a[20:28, 2:14], b[20:28, 2:8], b[20:28, 8:14] = 3, 13, 14  # split by B
    a[20:28, 20:26], a[20:28, 26:32], b[20:28, 20:32] = 4, 5, 15  # merged by B
    a[20:28, 40:48], b[22:29, 42:50] = 6, 16  # another outline, IoU 36 / 84
    a[40:48, 2:10], b[40:48, 2:10] = 7, 17  # another class
    a[40:48, 20:28], b[40:48, 20:28], b[40:42, 20:22] = 8, 18, 19  # a crumb in an agreed cell
    return a, b


def test_every_kind_of_disagreement_is_found():
    a, b = two_readers()
    named = ({7: "tumour", 1: "stroma"}, {17: "stroma", 11: "stroma"})
    groups = compared(a, b, classes=named).groups
    kinds = {groups.cells(g): KINDS[groups.kinds[g]] for g in range(len(groups.kinds))}
    assert kinds == {
        ((1,), (11,)): "agreed",
        ((2,), ()): "only in A",
        ((), (12,)): "only in B",
        ((3,), (13, 14)): "split or merged",
        ((4, 5), (15,)): "split or merged",
        ((6,), (16,)): "different outline",
        ((7,), (17,)): "different class",
        ((8,), (18,)): "agreed",
        ((), (19,)): "only in B",
    }
    queue = [groups.cells(g) for g in groups.queue()]
    assert len(queue) == 7 and ((1,), (11,)) not in queue
    assert groups.box(int(groups.group_a[groups.ids_a.tolist().index(6)])) == (20, 29, 40, 50)


def test_the_outline_threshold_is_settable():
    a, b = np.zeros((20, 20), int), np.zeros((20, 20), int)
    a[2:12, 2:12], b[2:12, 2:10] = 1, 1  # 0.8
    found = overlap([((0, 0), a, b)])
    assert disagreements(found, 0.8).counts["agreed"] == 1
    assert disagreements(found, 0.81).counts["different outline"] == 1
    with pytest.raises(BadInput, match="threshold"):
        disagreements(found, 0.0)


@FEW
@given(masks, masks, st.sampled_from([0.5, 0.7, 0.9]))
def test_each_cell_is_in_one_group_and_kinds_follow_from_its_members(a, b, outline):
    groups = compared(a, b, outline=outline).groups
    seen_a, seen_b = [], []
    for g, kind in enumerate(groups.kinds):
        cells_a, cells_b = groups.cells(g)
        seen_a += cells_a
        seen_b += cells_b
        n = (len(cells_a), len(cells_b))
        if n == (1, 1):
            p, q = a == cells_a[0], b == cells_b[0]
            iou = (p & q).sum() / (p | q).sum()
            assert np.isclose(groups.iou[g], iou) and iou >= 0.2 - 1e-9
            assert KINDS[kind] == ("agreed" if iou >= outline - 1e-9 else "different outline")
        else:
            assert isnan(groups.iou[g])
            assert KINDS[kind] == {(1, 0): "only in A", (0, 1): "only in B"}.get(n, "split or merged")
    assert sorted(seen_a) == [i for i in np.unique(a) if i] and sorted(seen_b) == [i for i in np.unique(b) if i]


# areas --------------------------------------------------------------------------------------------


def test_areas_of_two_readers():
    section = shapely.box(0, 0, 100, 100)
    a = {"tumour": shapely.box(0, 0, 40, 100)}
    b = {"tumour": shapely.box(0, 0, 50, 100), "necrosis": shapely.box(60, 0, 80, 50)}
    found = region_agreement(a, b, section)
    assert found.names == ("tumour", "necrosis", "nothing") and np.isclose(found.confusion.sum(), 10_000)
    assert np.isclose(found.dice[0], 2 * 4000 / 9000) and found.dice[1] == 0
    # kappa of pixels drawn from these areas
    assert np.isclose(found.per_class[0], kappa([[4000, 0], [1000, 5000]]).value)
    assert np.isclose(found.hausdorff[0], 10, atol=0.1)
    same = region_agreement(a, a, section)
    assert np.isclose(same.kappa, 1) and np.isclose(same.dice[0], 1) and same.hausdorff[0] == 0


def test_a_focus_drawn_in_a_larger_area_counts_once():
    section = shapely.box(0, 0, 10, 10)
    side = {"tissue": section, "focus": shapely.box(2, 2, 4, 4)}
    found = region_agreement(side, side, section)
    assert np.allclose(np.diag(found.confusion), [96, 4, 0]) and np.isclose(found.kappa, 1)
    with pytest.raises(BadInput, match="Neither"):
        region_agreement({}, {"x": shapely.box(20, 20, 30, 30)}, section)
