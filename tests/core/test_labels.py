"""Correcting labels: a patch can be undone, touches only what is named, and every level stays true."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from napari_spatialml.core import labels as edit
from napari_spatialml.core.pyramid import downsample, factor_between, patch_level
from napari_spatialml.errors import BadInput, Stale

SMALL = hnp.arrays(
    st.sampled_from([np.int32, np.uint64]),
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=24),
    elements=st.integers(0, 6),
)


def discs(dtype: type = np.int32, size: int = 64) -> np.ndarray:
    """Nine discs of radius 8 to 10, ids 1 to 9, apart from each other."""
    labels = np.zeros((size, size), dtype)
    y, x = np.mgrid[:size, :size] + 0.5
    for k in range(9):
        cy, cx = 11 + 21 * (k // 3), 11 + 21 * (k % 3)
        labels[(y - cy) ** 2 + (x - cx) ** 2 <= (8 + k / 4) ** 2] = k + 1
    return labels


def untouched(before: np.ndarray, after: np.ndarray, named: set[int]) -> bool:
    """Whether every cell that is not named keeps exactly its pixels."""
    others = [i for i in np.union1d(before, after) if i != 0 and int(i) not in named]
    return all(np.array_equal(before == i, after == i) for i in others)


def minimal(patch: edit.Patch) -> bool:
    """Whether no row or column at the patch's border is unchanged."""
    changed = patch.old != patch.new
    return bool(changed[[0, -1]].any(axis=1).all() and changed[:, [0, -1]].any(axis=0).all())


@given(SMALL, st.data())
def test_diff_then_apply_makes_the_new_labels_and_the_inverse_the_old(old: np.ndarray, data: st.DataObject) -> None:
    new = data.draw(hnp.arrays(old.dtype, old.shape, elements=st.integers(0, 6)))
    patch = edit.diff(old, new)
    if patch is None:
        assert np.array_equal(old, new)
        return
    assert np.array_equal(patch.applied_to(old), new)
    assert np.array_equal(patch.inverse().applied_to(new), old)
    assert minimal(patch)
    changed = old != new
    assert set(patch.touched) == set(np.union1d(old[changed], new[changed]).tolist()) - {0}


@given(SMALL, st.data())
def test_any_sequence_of_edits_is_undone_by_its_inverses(first: np.ndarray, data: st.DataObject) -> None:
    labels, done = first.copy(), []
    for _ in range(data.draw(st.integers(1, 5))):
        patch = draw_edit(labels, data)
        if patch is None:
            continue
        assert minimal(patch)
        patch.write_to(labels)
        done.append(patch)
    for patch in reversed(done):
        patch.inverse().write_to(labels)
    assert np.array_equal(labels, first)


def draw_edit(labels: np.ndarray, data: st.DataObject) -> edit.Patch | None:
    """Draw one correction of any sort and check that it leaves the cells that it does not name alone."""
    cells = [int(i) for i in np.unique(labels) if i]
    sort = data.draw(st.sampled_from(["merge", "delete", "paint", "fill", "expand", "small"]))
    named = (
        set(data.draw(st.lists(st.sampled_from(cells), min_size=2, max_size=3, unique=True)))
        if len(cells) >= 3
        else set(cells)
    )
    if sort in ("merge", "delete", "fill") and len(named) < 2:
        return None
    if sort == "merge":
        patch = edit.merge_cells(labels, named)
    elif sort == "delete":
        patch = edit.delete_cells(labels, named)
    elif sort == "fill":
        named = {min(named)}
        patch = edit.fill_holes(labels, min(named))
    elif sort == "paint":
        named = {7}
        at = data.draw(st.tuples(st.floats(-3, 27), st.floats(-3, 27)))
        patch = edit.paint_disc(labels, at, data.draw(st.floats(0.3, 9)), 7)
    elif sort == "expand":
        patch, named = edit.expand(labels, 1.5), set(cells)
    else:
        area = data.draw(st.integers(0, 9))
        patch = edit.remove_small(labels, area)
        named = {i for i in cells if (labels == i).sum() < area}
    if patch is not None:
        assert untouched(labels, patch.applied_to(labels), named)
        assert set(patch.touched) <= named
    return patch


@pytest.mark.parametrize("dtype", [np.int32, np.uint64])
def test_a_merge_keeps_the_larger_cells_id_and_the_area(dtype: type) -> None:
    labels = discs(dtype)
    if dtype is np.uint64:
        labels[labels == 9] = 2**63 + 12345  # ids of vendors do not fit in int64
    largest = int(labels.max())
    patch = edit.merge_cells(labels, [1, 5, largest])
    after = patch.applied_to(labels)
    assert (after == largest).sum() == np.isin(labels, np.array([1, 5, largest], dtype)).sum()
    assert untouched(labels, after, {1, 5, largest})
    assert patch.touched == (1, 5, largest)


def test_a_merge_of_equal_cells_keeps_the_lower_id() -> None:
    labels = np.array([[3, 3, 0, 2, 2]], np.int32)
    assert edit.merge_cells(labels, [3, 2]).applied_to(labels).max() == 2


@pytest.mark.parametrize("ids", [[], [4], [4, 4], [4, 99], [0, 4]])
def test_a_merge_needs_two_cells_that_exist(ids: list[int]) -> None:
    with pytest.raises(BadInput):
        edit.merge_cells(discs(), ids)


def test_an_edit_in_a_window_is_the_edit_of_the_whole() -> None:
    labels = discs()
    window = (0, 32, 0, 64)
    for near, far in (
        (edit.merge_cells(labels, [1, 2], window=window), edit.merge_cells(labels, [1, 2])),
        (edit.delete_cells(labels, [3], window=window), edit.delete_cells(labels, [3])),
    ):
        assert near.offset == far.offset
        assert np.array_equal(near.new, far.new)


def test_a_window_that_cuts_a_cell_is_refused_instead_of_editing_half_of_it() -> None:
    with pytest.raises(BadInput, match="reaches the edge"):
        edit.delete_cells(discs(), [5], window=(0, 32, 0, 64))


def test_a_patch_is_not_written_over_labels_that_changed_meanwhile() -> None:
    labels = discs()
    patch = edit.delete_cells(labels, [5])
    labels[labels == 5] = 7
    with pytest.raises(Stale):
        patch.write_to(labels)


def ellipse(angle: float, a: float, b: float) -> np.ndarray:
    y, x = np.mgrid[:64, :64] + 0.5 - 32
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    labels = np.zeros((64, 64), np.int32)
    labels[(u / a) ** 2 + (v / b) ** 2 <= 1] = 4
    labels[:3] = 8
    return labels


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0, np.pi),
    st.floats(12, 26),
    st.floats(7, 12),
    st.floats(0, 2 * np.pi),
    st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    st.sampled_from(["straight", "watershed"]),
)
def test_a_split_conserves_area_and_makes_two_connected_parts(
    angle: float, a: float, b: float, turn: float, shift: tuple[float, float], how: str
) -> None:
    labels = ellipse(angle, a, b)
    step = np.array([np.sin(turn), np.cos(turn)])
    middle = np.array([32.0, 32.0]) + shift
    patch = edit.split_cell(labels, 4, [middle - step, middle + step], new_id=9, how=how)  # type: ignore[arg-type]
    after = patch.applied_to(labels)
    kept, made = after == 4, after == 9
    assert np.array_equal(kept | made, labels == 4)
    assert kept.sum() >= made.sum() > 0
    assert ndimage.label(kept)[1] == ndimage.label(made)[1] == 1
    assert untouched(labels, after, {4, 9})
    if how == "straight":
        y, x = np.nonzero(kept | made)
        side = step[0] * (x + 0.5 - middle[1]) - step[1] * (y + 0.5 - middle[0])
        clear = np.abs(side) > 1e-3
        wrong = int(((after[y, x] == 4) != (side > 0))[clear].sum())
        # splinters at a ragged border may lie on the other side, so that each part is of one piece
        assert min(wrong, int(clear.sum()) - wrong) <= max(3, 0.02 * len(y))


def test_a_cut_over_one_arm_of_a_cell_leaves_the_other_arm_alone() -> None:
    labels = np.zeros((40, 40), np.int32)
    labels[5:35, 5:35] = 1
    labels[5:25, 15:25] = 0  # a U, open at the top
    after = edit.split_cell(labels, 1, [[12.2, 7.0], [12.2, 11.0]], new_id=2).applied_to(labels)
    assert (after[5:12, 5:15] == 2).all()
    assert (after == 2).sum() == 70
    assert (after[5:25, 25:35] == 1).all()


def test_a_cut_through_a_ring_goes_through_both_its_walls() -> None:
    y, x = np.mgrid[:41, :41] - 20
    labels = ((y**2 + x**2 <= 18**2) & (y**2 + x**2 >= 9**2)).astype(np.int32)
    after = edit.split_cell(labels, 1, [[20.3, 4.0], [20.3, 9.0]], new_id=2).applied_to(labels)
    assert (after[:20][labels[:20] > 0] != after[21:][labels[21:] > 0]).all()


def test_a_polyline_cuts_along_its_bends() -> None:
    labels = np.ones((30, 30), np.int32)
    after = edit.split_cell(labels, 1, [[-1, 10.2], [15.2, 10.2], [15.2, 31]], new_id=2).applied_to(labels)
    assert (after[:15, 10:] == 2).all()
    assert (after == 2).sum() == 15 * 20


def test_a_watershed_split_finds_the_neck_that_a_crooked_line_misses() -> None:
    y, x = np.mgrid[:40, :60] + 0.5
    labels = ((y - 20) ** 2 + (x - 19) ** 2 <= 144).astype(np.int32)
    labels[(y - 20) ** 2 + (x - 41) ** 2 <= 144] = 1
    after = edit.split_cell(labels, 1, [[5, 27], [35, 33]], new_id=2, how="watershed").applied_to(labels)
    column = x[after == 2]
    assert column.min() > 29 or column.max() < 31


def test_a_watershed_split_follows_the_dark_seam_of_an_image() -> None:
    labels = np.ones((30, 60), np.int32)
    image = np.full((30, 60), 100.0)
    image[:, 40] = 0.0
    after = edit.split_cell(labels, 1, [[-1, 33], [31, 33]], new_id=2, how="watershed", image=image).applied_to(labels)
    assert (after[:, :39] == 1).all() and (after[:, 42:] == 2).all()


@pytest.mark.parametrize(
    ("line", "new_id", "says"),
    [
        ([[1, 1], [2, 2]], 50, "does not cross"),
        ([[11, 11]], 50, "single point"),
        ([[11, 2], [11, 20]], 3, "already a cell 3"),
        ([[np.nan, 2], [11, 20]], 50, "NaN"),
    ],
)
def test_a_split_says_what_is_wrong_with_its_line(line: list[list[float]], new_id: int, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        edit.split_cell(discs(), 1, line, new_id=new_id)


@given(st.floats(2, 40), st.floats(2, 40), st.floats(0.6, 15), st.booleans())
def test_paint_takes_the_disc_and_from_others_only_when_asked(y: float, x: float, r: float, over: bool) -> None:
    labels = discs()
    patch = edit.paint_disc(labels, (y, x), r, 20, overwrite=over)
    after = labels if patch is None else patch.applied_to(labels)
    i, j = np.mgrid[:64, :64] + 0.5
    inside = (i - y) ** 2 + (j - x) ** 2 <= r**2
    assert np.array_equal(after == 20, inside if over else inside & (labels == 0))
    assert np.array_equal(after[~inside], labels[~inside])


def test_an_outline_takes_the_pixels_whose_centres_it_holds_and_is_cut_at_the_border() -> None:
    labels = np.zeros((10, 10), np.int32)
    labels[4, 4] = 1
    after = edit.draw_outline(labels, [[2, 3], [2, 6], [6, 6], [6, 3]], 2).applied_to(labels)
    expected = np.zeros_like(labels)
    expected[2:6, 3:6] = 2
    expected[4, 4] = 1
    assert np.array_equal(after, expected)
    beyond = edit.draw_outline(labels, [[-5, -5], [-5, 2], [2, 2], [2, -5]], 3).applied_to(labels)
    assert (beyond == 3).sum() == 4


def test_an_outline_without_a_free_pixel_is_refused() -> None:
    with pytest.raises(BadInput, match="no free pixel"):
        edit.draw_outline(np.ones((10, 10), np.int32), [[2, 3], [2, 6], [6, 6]], 2)
    with pytest.raises(BadInput, match="three points"):
        edit.draw_outline(np.ones((10, 10), np.int32), [[2, 3], [2, 6]], 2)


def test_holes_are_filled_but_cells_inside_stay() -> None:
    labels = np.zeros((12, 12), np.uint64)
    labels[1:11, 1:11] = 5
    labels[3:9, 3:9] = 0
    labels[5, 5] = 8
    patch = edit.fill_holes(labels, 5)
    assert patch is not None
    after = patch.applied_to(labels)
    assert (after == 5).sum() == 99 and after[5, 5] == 8
    assert edit.fill_holes(after, 5) is None


def test_expand_grows_into_background_only_and_the_nearest_cell_wins() -> None:
    labels = np.zeros((1, 12), np.uint64)
    labels[0, 0], labels[0, 7] = 2**62, 3
    patch = edit.expand(labels, 10)
    assert patch is not None
    assert patch.applied_to(labels)[0].tolist() == [2**62] * 4 + [3] * 8


def test_next_id_says_when_the_type_is_full() -> None:
    assert edit.next_id(discs()) == 10
    assert edit.next_id(discs(), at_least=100) == 100
    with pytest.raises(BadInput, match="wider type"):
        edit.next_id(np.array([[255]], np.uint8))


@given(SMALL, st.floats(0.1, 3))
def test_the_table_measures_each_cell(labels: np.ndarray, size: float) -> None:
    table = edit.cell_table(labels, size)
    cells = [i for i in np.unique(labels) if i]
    assert table.index.tolist() == cells
    for cell in cells:
        y, x = np.nonzero(labels == cell)
        row = table.loc[cell]
        assert row["area_um2"] == pytest.approx(len(y) * size**2)
        assert row["centroid_y_um"] == pytest.approx((y.mean() + 0.5) * size)
        assert row["centroid_x_um"] == pytest.approx((x.mean() + 0.5) * size)
        assert np.pi * row["diameter_um"] ** 2 / 4 == pytest.approx(row["area_um2"])


@given(SMALL, st.sampled_from([2, 3, 4, (2, 3)]), st.data())
def test_a_patched_level_is_the_level_of_the_patched_labels(
    labels: np.ndarray, factor: int | tuple[int, int], data: st.DataObject
) -> None:
    new = data.draw(hnp.arrays(labels.dtype, labels.shape, elements=st.integers(0, 6)))
    y0, x0 = (data.draw(st.integers(0, n - 1)) for n in labels.shape)
    y1, x1 = data.draw(st.integers(y0 + 1, labels.shape[0])), data.draw(st.integers(x0 + 1, labels.shape[1]))
    after = labels.copy()
    after[y0:y1, x0:x1] = new[y0:y1, x0:x1]
    pair = (factor, factor) if isinstance(factor, int) else factor
    if labels.shape[0] < pair[0] or labels.shape[1] < pair[1]:
        return
    level = downsample(labels, factor)
    patch = patch_level(level, (y0, x0), after[y0:y1, x0:x1], factor)
    if patch is not None:
        patch.write_to(level)
    assert np.array_equal(level, downsample(after, factor))


@pytest.mark.parametrize("size", [(63, 64), (65, 129), (128, 97)])
def test_levels_are_those_that_spatialdata_makes(size: tuple[int, int]) -> None:
    from spatialdata.models import Labels2DModel

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 1000, size, dtype=np.int32)
    tree = Labels2DModel.parse(labels, dims=("y", "x"), scale_factors=[2, 2])
    level1 = downsample(labels, 2)
    assert np.array_equal(tree["scale1"]["image"].values, level1)
    assert np.array_equal(tree["scale2"]["image"].values, downsample(level1, 2))
    assert factor_between(size, level1.shape) == (2, 2)


def test_comparing_a_viewport_costs_little_more_than_looking_at_its_pixels() -> None:
    old = np.arange(4096 * 4096, dtype=np.int32).reshape(4096, 4096)
    new = old.copy()
    new[2000:2050, 1000:1060] = 0

    def spent(call: Callable[[], object]) -> float:
        start = time.process_time()
        call()
        return time.process_time() - start

    patch = edit.diff(old, new)
    assert patch is not None and patch.shape == (50, 60)
    ours = min(spent(lambda: edit.diff(old, new)) for _ in range(5))
    assert ours < 4 * min(spent(lambda: np.flatnonzero(old != new)) for _ in range(5))


class Slide:
    """Labels in a store, which remembers how many pixels were read from it."""

    def __init__(self, labels: np.ndarray) -> None:
        self.labels, self.shape, self.dtype, self.read = labels, labels.shape, labels.dtype, 0

    def __getitem__(self, window: tuple[slice, slice]) -> np.ndarray:
        values = self.labels[window].copy()
        self.read += values.size
        return values

    def __setitem__(self, window: tuple[slice, slice], values: np.ndarray) -> None:
        self.labels[window] = values


@pytest.mark.parametrize("sort", ["merge", "delete", "split", "fill", "paint", "outline"])
def test_an_edit_of_a_slide_reads_no_more_than_its_window(sort: str) -> None:
    slide = Slide(np.pad(discs(), (0, 500)))
    before, window = slide.labels.copy(), (0, 66, 0, 66)
    slide.labels[11, 11] = before[11, 11] = 0  # a hole in cell 1
    patch = {
        "merge": lambda: edit.merge_cells(slide, [1, 2], window=window),
        "delete": lambda: edit.delete_cells(slide, [1, 2], window=window),
        "split": lambda: edit.split_cell(slide, 5, [[32, 20], [32, 44]], new_id=77, window=window),
        "fill": lambda: edit.fill_holes(slide, 1, window=window),
        "paint": lambda: edit.paint_disc(slide, (300, 300), 5, 77),
        "outline": lambda: edit.draw_outline(slide, [[300, 300], [300, 310], [310, 310]], 77),
    }[sort]()
    assert slide.read <= 4 * 66 * 66
    assert patch is not None
    patch.write_to(slide)
    assert not np.array_equal(slide.labels, before)
    patch.inverse().write_to(slide)
    assert np.array_equal(slide.labels, before)


def test_a_zarr_array_is_edited_in_place() -> None:
    import zarr

    store = zarr.create_array(store={}, shape=(200, 200), chunks=(64, 64), dtype="int32")
    store[:64, :64] = discs()
    edit.merge_cells(store, [1, 9], window=(0, 100, 0, 100)).write_to(store)
    assert np.unique(store[:]).tolist() == [0, 2, 3, 4, 5, 6, 7, 8, 9]
