"""Laws of the shapes of cells: one cell a pixel, only the named change, no farther than said."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt, gaussian_filter, label

from napari_spatialml.core import shaping
from napari_spatialml.core.boxes import boxes_in, boxes_of, grouped
from napari_spatialml.core.labels import Transcripts, split_cell
from napari_spatialml.core.mincut import cheapest_cut
from napari_spatialml.errors import BadInput

quiet = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
TYPES = (np.int32, np.uint64)
SIZES = ((1.0, 1.0), (0.5, 0.5), (0.5, 0.8))


def blobs(seed: int, dtype: Any = np.int32, n: int = 6, edge: int = 60) -> Any:
    """Ragged cells, some touching, some with holes; ids far apart."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:edge, :edge]
    labels = np.zeros((edge, edge), dtype)
    large = int(np.iinfo(dtype).max) - 100
    for k in range(n):
        cy, cx, r = rng.uniform(5, edge - 5), rng.uniform(5, edge - 5), rng.uniform(4, 10)
        wave = 1 + 0.25 * np.sin(rng.integers(3, 8) * np.arctan2(y - cy, x - cx))
        mask = (np.hypot(y - cy, x - cx) <= r * wave) & (labels == 0)
        mask &= rng.random(mask.shape) > 0.03
        pieces, count = label(mask)
        if count:
            labels[pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])] = (large + k) if k % 2 else k + 1
    return labels


def some_of(labels: Any, seed: int) -> list[int]:
    ids = np.unique(labels[labels != 0])
    keep = np.random.default_rng(seed).random(len(ids)) < 0.6
    keep[0] = True
    return [int(i) for i in ids[keep]]


def pieces_of(labels: Any, cell: int) -> int:
    return int(label(labels == cell)[1])


SHAPES = {
    "grow": lambda labels, cells, um, **k: shaping.grow_cells(labels, cells, um, **k),
    "shrink": lambda labels, cells, um, **k: shaping.shrink_cells(labels, cells, um, **k),
    "smooth": lambda labels, cells, um, **k: shaping.smooth_cells(labels, cells, um, **k),
    "fill": lambda labels, cells, um, pixel_um, **k: shaping.fill_cells(labels, cells, **k),
}


def after(name: str, labels: Any, cells: list[int], um: float, **given_: Any) -> Any:
    try:
        return SHAPES[name](labels, cells, um, **given_).applied_to(labels)
    except BadInput:
        return labels


@quiet
@given(
    st.integers(0, 999), st.sampled_from(list(SHAPES)), st.sampled_from(TYPES), st.sampled_from(SIZES), st.floats(1, 4)
)
def test_only_named_cells_change_and_only_background_is_taken(
    seed: int, name: str, dtype: Any, size: tuple[float, float], um: float
) -> None:
    labels = blobs(seed, dtype)
    cells = some_of(labels, seed)
    made = after(name, labels, cells, um, pixel_um=size)
    assert made.dtype == labels.dtype
    changed = made != labels
    assert np.isin(made[changed], [0, *cells]).all(), "only a named cell gains"
    assert np.isin(labels[changed & (labels != 0)], cells).all(), "only named cells lose pixels"
    if name != "smooth" or len(cells) == 1:  # of two that touch, one may take what the other gave up
        assert (made[changed & (labels != 0)] == 0).all(), "a pixel of one cell never becomes another's"
    if name in ("grow", "fill"):
        assert not (changed & (labels != 0)).any()
    if name == "shrink":
        assert not (changed & (labels == 0)).any()
    assert set(np.unique(made)) == set(np.unique(labels)), "no cell is lost or made"


@quiet
@given(st.integers(0, 999), st.sampled_from(list(SHAPES)), st.floats(1, 4))
def test_the_window_does_not_change_the_result(seed: int, name: str, um: float) -> None:
    labels = blobs(seed)
    cells = some_of(labels, seed)
    y0, y1, x0, x1 = boxes_of(labels, cells, None).around()
    window = (max(y0 - 1, 0), min(y1 + 1, 60), max(x0 - 1, 0), min(x1 + 1, 60))
    whole = after(name, labels, cells, um, pixel_um=(1.0, 1.0))
    assert np.array_equal(after(name, labels, cells, um, pixel_um=(1.0, 1.0), window=window), whole)
    if name in ("shrink", "fill"):  # cells that do not compete are the same one by one
        one = labels
        for cell in cells:
            one = after(name, one, [cell], um, pixel_um=(1.0, 1.0))
        assert np.array_equal(one, whole) or name == "shrink"


@quiet
@given(st.integers(0, 999), st.sampled_from(SIZES), st.floats(1, 5))
def test_growing_reaches_the_distance_and_no_farther(seed: int, size: tuple[float, float], um: float) -> None:
    labels = blobs(seed, n=4)
    cell = some_of(labels, seed)[0]
    made = after("grow", labels, [cell], um, pixel_um=size)
    far = distance_transform_edt(labels != cell, sampling=size)
    gained = (made == cell) & (labels != cell)
    assert (far[gained] <= um * (1 + 1e-6)).all()
    free = (labels == 0) & (far <= um * (1 - 1e-6)) | (labels == cell)
    of, _ = label(free)
    reachable = np.isin(of, np.unique(of[labels == cell]))
    assert np.array_equal(made == cell, free & reachable | gained), "all that can be reached is taken"
    assert pieces_of(made, cell) <= pieces_of(labels, cell)


@quiet
@given(st.integers(0, 999), st.floats(1, 4))
def test_the_nearer_cell_takes_a_contested_pixel(seed: int, um: float) -> None:
    labels = blobs(seed, n=5)
    cells = [int(i) for i in np.unique(labels[labels != 0])]
    made = after("grow", labels, cells, um, pixel_um=(1.0, 1.0))
    far = {cell: distance_transform_edt(labels != cell) for cell in cells}
    nearest = np.min([far[cell] for cell in cells], axis=0)
    for cell in cells:
        gained = (made == cell) & (labels == 0)
        np.testing.assert_allclose(far[cell][gained], nearest[gained])


@quiet
@given(st.integers(0, 999), st.floats(1, 6), st.sampled_from([(1.0, 1.0), (0.5, 0.8)]))
def test_shrinking_never_deletes_and_says_the_largest_distance(seed: int, um: float, size: Any) -> None:
    labels = blobs(seed, n=3)
    cells = some_of(labels, seed)
    try:
        made = shaping.shrink_cells(labels, cells, um, pixel_um=size).applied_to(labels)
    except BadInput as error:
        if "Nothing would be left" not in str(error):
            return
        limit = float(error.hint.split("at most ")[1].split(" µm")[0])
        assert limit < um
        if limit >= min(size):
            left = shaping.shrink_cells(labels, cells, limit, pixel_um=size).applied_to(labels)
            assert set(cells) <= set(np.unique(left).tolist())
            with pytest.raises(BadInput, match="Nothing would be left"):
                shaping.shrink_cells(labels, cells, limit + 0.02, pixel_um=size)
        return
    for cell in cells:
        depth = distance_transform_edt(np.pad(labels == cell, 1), sampling=size)[1:-1, 1:-1]
        assert np.array_equal(made == cell, (labels == cell) & (depth > um * (1 + 1e-9)))


def test_a_disc_that_grows_and_shrinks_is_the_disc_again() -> None:
    y, x = np.mgrid[:80, :80]
    labels = (np.hypot(y - 40, x - 40) <= 15).astype(np.int32)
    grown = shaping.grow_cells(labels, [1], 3.0, pixel_um=(0.5, 0.5)).applied_to(labels)
    assert abs(np.sqrt(grown.sum() / np.pi) - 21) < 0.3
    back = shaping.shrink_cells(grown, [1], 3.0, pixel_um=(0.5, 0.5)).applied_to(grown)
    assert (labels <= back).all(), "a closing takes nothing away"
    assert back.sum() - labels.sum() <= 0.03 * labels.sum()


def test_a_cell_does_not_grow_through_its_neighbour() -> None:
    labels = np.zeros((20, 30), np.int32)
    labels[5:15, 5:10] = 1
    labels[:, 11:13] = 2  # a wall from edge to edge
    made = shaping.grow_cells(labels, [1], 6.0).applied_to(labels)
    assert (made[:, 13:] == 0).all()
    assert (made[5:15, 10] == 1).all()


@quiet
@given(st.integers(0, 999), st.sampled_from(TYPES), st.floats(1, 4))
def test_smoothing_keeps_one_piece_the_area_and_the_place(seed: int, dtype: Any, um: float) -> None:
    labels = blobs(seed, dtype)
    cells = some_of(labels, seed)
    made = after("smooth", labels, cells, um, pixel_um=(1.0, 1.0))
    for cell in cells:
        old, new = labels == cell, made == cell
        assert pieces_of(made, cell) <= pieces_of(labels, cell)
        assert max((new & ~old).sum(), (old & ~new).sum()) <= shaping.AREA_SHARE * old.sum()
        assert (distance_transform_edt(~old)[new] <= um + 1e-6).all()
        deep = distance_transform_edt(np.pad(old, um_pad := 1, mode="edge"))[um_pad:-um_pad, um_pad:-um_pad]
        assert new[deep > um + 1e-6].all()


def test_smoothing_rounds_a_ragged_outline_off() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:80, :80]
    disc = np.hypot(y - 40, x - 40) <= 20
    ragged = disc ^ ((np.abs(np.hypot(y - 40, x - 40) - 20) < 2) & (rng.random(disc.shape) < 0.3))
    of, _ = label(ragged)
    labels = (of == of[40, 40]).astype(np.int32)
    made = shaping.smooth_cells(labels, [1], 2.0).applied_to(labels).astype(bool)
    assert (made != disc).sum() < 0.4 * (labels.astype(bool) != disc).sum()
    assert _edge(made) < 0.8 * _edge(labels.astype(bool))


def _edge(mask: Any) -> int:
    return int((mask[1:] != mask[:-1]).sum() + (mask[:, 1:] != mask[:, :-1]).sum())


def test_smoothing_spares_a_thin_arm() -> None:
    labels = np.zeros((40, 80), np.int32)
    labels[10:30, 5:25] = 1
    labels[19:21, 25:75] = 1  # a fifth of the cell
    made = shaping.smooth_cells(labels, [1], 6.0).applied_to(labels)
    assert (made == 1).sum() >= 0.9 * labels.sum()
    assert (made[:, 60:] == 1).any()


def test_only_enclosed_background_is_filled() -> None:
    labels = np.zeros((20, 40), np.int32)
    labels[2:18, 2:18] = 1
    labels[5:8, 5:8] = 0
    labels[10:14, 10:14] = 2
    labels[11, 11] = 0
    labels[2:18, 22:38] = 3
    labels[2:9, 30] = 0  # open to the outside
    made = shaping.fill_cells(labels, [1, 3]).applied_to(labels)
    assert (made[5:8, 5:8] == 1).all()
    assert made[11, 11] == 1, "a hole in another cell within is enclosed too"
    assert (made[10:14, 10:14] == 2).sum() == 15
    assert np.array_equal(made[:, 20:], labels[:, 20:])
    with pytest.raises(BadInput, match="no hole"):
        shaping.fill_cells(labels, [3])


@pytest.mark.parametrize("name", ["grow", "shrink", "smooth"])
def test_what_cannot_be_done_is_said(name: str) -> None:
    labels = blobs(1)
    cell = some_of(labels, 1)[0]
    for um in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(BadInput, match="no distance"):
            SHAPES[name](labels, [cell], um, pixel_um=(1.0, 1.0))
    with pytest.raises(BadInput, match="less than a pixel"):
        SHAPES[name](labels, [cell], 0.2, pixel_um=(1.0, 1.0))
    with pytest.raises(BadInput, match="no cell 77"):
        SHAPES[name](labels, [cell, 77], 2.0, pixel_um=(1.0, 1.0))
    with pytest.raises(BadInput, match="No cell is selected"):
        SHAPES[name](labels, [], 2.0, pixel_um=(1.0, 1.0))
    with pytest.raises(BadInput, match="edge of the window"):
        y0, y1, x0, x1 = boxes_of(labels, [cell], None).around()
        SHAPES[name](labels, [cell], 2.0, pixel_um=(1.0, 1.0), window=(y0, max(y0 + 1, y1 - 1), x0, x1))


@quiet
@given(st.integers(0, 999), st.sampled_from(TYPES), st.integers(8, 64))
def test_boxes_are_those_of_a_loop_and_groups_are_all(seed: int, dtype: Any, tile: int) -> None:
    labels = blobs(seed, dtype)
    found = boxes_in(labels, (3, 5))
    assert found.ids.tolist() == np.unique(labels[labels != 0]).tolist()
    for cell, box, n in zip(found.ids, found.corners, found.pixels, strict=True):
        at = np.argwhere(labels == cell) + np.array([3, 5])
        assert box.tolist() == [at[:, 0].min(), at[:, 0].max() + 1, at[:, 1].min(), at[:, 1].max() + 1]
        assert n == len(at)
    assert sorted(np.concatenate(list(grouped(found, tile))).tolist()) == list(range(len(found.ids)))


@quiet
@given(st.integers(0, 999), st.floats(0, 6), st.sampled_from([(1.0, 1.0), (1.0, 1.6)]))
def test_a_cell_of_a_nucleus_depends_on_twice_the_distance_around_it(seed: int, um: float, size: Any) -> None:
    nuclei = blobs(seed)
    rng = np.random.default_rng(seed)
    free = gaussian_filter(rng.normal(size=nuclei.shape), 3) < 0.15
    boxes = boxes_in(nuclei)
    whole = shaping.claimed(nuclei, free, boxes.ids, um, size)
    assert (whole[free & (nuclei != 0)] == nuclei[free & (nuclei != 0)]).all(), "the nucleus is in its cell"
    assert not whole[~free].any()
    reach = (2 * int(um / size[0]), 2 * int(um / size[1]))
    for cell, (y0, y1, x0, x1) in zip(boxes.ids, boxes.corners, strict=True):
        view = (slice(max(y0 - reach[0], 0), y1 + reach[0]), slice(max(x0 - reach[1], 0), x1 + reach[1]))
        alone = shaping.claimed(nuclei[view], free[view], np.array([cell]), um, size)
        assert np.array_equal(alone == cell, whole[view] == cell)
        assert (alone == cell).sum() == (whole == cell).sum()


# cuts that go by evidence


def planted(seed: int, off_um: float = 3.0, pixel: float = 0.25, transcripts: int = 200) -> Any:
    """Two neighbours in one cell: their true border is curved, the line is straight and so much off."""
    rng = np.random.default_rng(seed)
    edge = int(36 / pixel)
    y, x = (np.mgrid[:edge, :edge] + 0.5) * pixel
    tilt, phase, side = rng.uniform(-0.3, 0.3), rng.uniform(0, 6), rng.choice([-1, 1])
    border = 18 + np.tan(tilt) * (y - 18) + np.sin((y - 18) / 3 + phase)
    labels = (((y - 18) / 7) ** 2 + ((x - 18) / 12) ** 2 < 1).astype(np.int32)
    truth = np.where(labels == 1, np.where(x < border, 1, 2), 0)
    profiles = rng.dirichlet(np.full(200, 0.3), 2)
    profiles[1] = 0.3 * profiles[0] + 0.7 * profiles[1]
    pixels = np.argwhere(labels)
    at = pixels[rng.integers(0, len(pixels), transcripts)] + rng.random((transcripts, 2))
    first = truth[tuple(at.astype(int).T)] == 1
    genes = np.where(first, *(rng.choice(200, transcripts, p=p) for p in profiles))
    ridge = 100 * np.exp(-(((x - border) * np.cos(tilt)) ** 2) / 2 / 0.35**2)
    image = ridge + rng.normal(0, 40, x.shape)
    line = [[2 / pixel, (18 + off_um * side) / pixel], [34 / pixel, (18 + off_um * side) / pixel]]
    return labels, truth, line, Transcripts(at, genes), image


def wrong(truth: Any, labels: Any, patch: Any) -> float:
    """The share of the cell's pixels on the wrong side."""
    made = patch.applied_to(labels)[truth > 0] == 1
    share = float(np.mean(made != (truth[truth > 0] == 1)))
    return min(share, 1 - share)


def test_the_transcripts_and_the_membrane_beat_a_line_drawn_3_um_off() -> None:
    missed: dict[str, list[float]] = {"straight": [], "membrane": [], "transcripts": []}
    for seed in range(12):
        labels, truth, line, points, image = planted(seed)
        for how, shares in missed.items():
            given_: dict[str, Any] = {"image": image} if how == "membrane" else {"transcripts": points}
            patch = split_cell(labels, 1, line, new_id=2, how=how, pixel_um=(0.25, 0.25), **given_)  # type: ignore[arg-type]
            shares.append(wrong(truth, labels, patch))
    mean = {how: np.mean(shares) for how, shares in missed.items()}
    assert mean["membrane"] < 0.02
    assert mean["transcripts"] < 0.65 * mean["straight"], mean
    better = np.array(missed["transcripts"]) < np.array(missed["straight"])
    assert better.sum() >= 10


@quiet
@given(st.integers(0, 999), st.sampled_from(["membrane", "transcripts"]), st.floats(0, 4))
def test_a_cut_by_evidence_makes_two_pieces_of_the_cell_and_touches_nothing_else(
    seed: int, how: Any, off: float
) -> None:
    labels, _, line, points, image = planted(seed, off, 0.5, 60)
    labels[0, :5] = 9
    patch = split_cell(labels, 1, line, new_id=2, how=how, pixel_um=(0.5, 0.5), image=image, transcripts=points)
    made = patch.applied_to(labels)
    assert np.array_equal(made[labels != 1], labels[labels != 1])
    assert pieces_of(made, 1) == pieces_of(made, 2) == 1
    assert set(np.unique(made[labels == 1])) == {1, 2}
    assert (made == 1).sum() >= (made == 2).sum(), "the larger keeps the id"


def test_without_evidence_the_line_decides() -> None:
    labels, _, line, _, _ = planted(3, 1.0, 0.5)
    straight = split_cell(labels, 1, line, new_id=2).applied_to(labels)
    rng = np.random.default_rng(0)
    pixels = np.argwhere(labels)
    alike = Transcripts(pixels[rng.integers(0, len(pixels), 80)] + 0.5, np.zeros(80, int))  # one gene everywhere
    flat = np.full(labels.shape, 7.0)
    for how, given_ in (("membrane", {"image": flat}), ("transcripts", {"transcripts": alike})):
        made = split_cell(labels, 1, line, new_id=2, how=how, pixel_um=(0.5, 0.5), **given_).applied_to(labels)  # type: ignore[arg-type]
        assert (made != straight)[labels == 1].mean() < 0.03, how


def test_what_a_cut_needs_is_said() -> None:
    labels, _, line, points, image = planted(0, pixel=0.5)
    few = Transcripts(points.coordinates_px[:19], points.genes[:19])
    with pytest.raises(BadInput, match="holds 19 transcripts, and 20 are needed"):
        split_cell(labels, 1, line, new_id=2, how="transcripts", transcripts=few)
    with pytest.raises(BadInput, match="no transcripts"):
        split_cell(labels, 1, line, new_id=2, how="transcripts")
    with pytest.raises(BadInput, match="no image of membranes"):
        split_cell(labels, 1, line, new_id=2, how="membrane")
    with pytest.raises(BadInput, match="does not cover"):
        split_cell(labels, 1, line, new_id=2, how="membrane", image=image[:20], image_offset=(5, 5))
    with pytest.raises(BadInput, match="no way to cut"):
        split_cell(labels, 1, line, new_id=2, how="magic")  # type: ignore[arg-type]


def test_the_cut_is_the_cheapest_of_all() -> None:
    rng = np.random.default_rng(0)
    mask = np.ones((3, 3), bool)
    for _ in range(10):
        evidence, price = rng.normal(0, 1, mask.shape), rng.uniform(0.1, 2, mask.shape)

        def cost(side: Any, evidence: Any = evidence, price: Any = price) -> float:
            total = float(np.abs(evidence)[(evidence > 0) != side].sum())
            for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
                for i in range(3 - dy):
                    for j in range(max(-dx, 0), 3 - max(dx, 0)):
                        if side[i, j] != side[i + dy, j + dx]:
                            total += np.pi / 8 / np.hypot(dy, dx) * (price[i, j] + price[i + dy, j + dx]) / 2
            return total

        best = min(cost(np.array([n >> k & 1 for k in range(9)], bool).reshape(3, 3)) for n in range(512))
        assert cost(cheapest_cut(mask, evidence, price, (1.0, 1.0))) <= best + 0.02


def test_a_preview_is_quick() -> None:
    """An ordinary cell of 260 µm² at 0.25 µm: the least of several runs, as the machine may be busy."""
    labels, _, line, points, image = planted(1)
    given_: dict[str, Any] = {"pixel_um": (0.25, 0.25), "transcripts": points, "image": image}
    jobs: dict[str, Any] = {
        how: lambda how=how: split_cell(labels, 1, line, new_id=2, how=how, **given_)
        for how in ("membrane", "transcripts")
    }
    jobs |= {name: lambda name=name: after(name, labels, [1], 2.0, pixel_um=(0.25, 0.25)) for name in SHAPES}
    for name, job in jobs.items():
        spent = []
        for _ in range(6):
            start = time.process_time()
            job()
            spent.append(time.process_time() - start)
        assert min(spent) < 0.05, (name, min(spent))
