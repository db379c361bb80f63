"""Corrections of shape in the document: tables, pyramids and history follow; nuclei become cells."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from spatialdata import SpatialData
from spatialdata.models import Image2DModel, Labels2DModel, PointsModel
from spatialdata.transformations import Affine, Scale

from napari_spatialml.core.shaping import claimed
from napari_spatialml.errors import BadInput, DocumentError
from napari_spatialml.session import Session, correct, expansion
from napari_spatialml.session.command import Command
from napari_spatialml.session.corrections import packed
from napari_spatialml.session.corrections.cells import split_patch
from napari_spatialml.session.corrections.shaping import shape_patch
from napari_spatialml.session.cutting import image_near
from napari_spatialml.session.elements import new_labels
from napari_spatialml.session.store import put
from tests.core.test_shaping import planted, wrong

from .test_counts import check_from_scratch, section

warnings.simplefilter("ignore")
quiet = settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
EDGE = 200
ATTRS = {"spatialml": {"version": 1, "um_per_unit": {"global": 1.0}}}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(tmp_path / "state"))


def nuclei_of(dtype: Any, edge: int = EDGE, seed: int = 0, step: int = 25) -> Any:
    """Return slit discs on a jittered lattice; every other id is as large as the type allows."""
    rng = np.random.default_rng(seed)
    labels, top = np.zeros((edge, edge), dtype), int(np.iinfo(dtype).max) // 2
    y, x = np.mgrid[:step, :step]
    for n, (i, j) in enumerate(np.ndindex(edge // step, edge // step)):
        cy, cx, r = rng.uniform(8, step - 8), rng.uniform(8, step - 8), rng.uniform(3, 7)
        inside = (y - cy) ** 2 + (x - cx) ** 2 <= r * r
        inside &= (y != int(cy)) | (x < cx)  # with a slit, that smoothing closes
        labels[i * step : (i + 1) * step, j * step : (j + 1) * step][inside] = n + 1 if n % 2 else top - n
    return labels


def slide(dtype: Any = np.int32, levels: int = 2, pixel: float = 0.5, **more: Any) -> Session:
    """Return nuclei in a pyramid, with an image and transcripts."""
    rng, placed = np.random.default_rng(1), {"global": Scale([pixel, pixel], ("x", "y"))}
    image = rng.integers(0, 255, (1, EDGE, EDGE)).astype(np.uint8)
    um = rng.uniform(0, EDGE * pixel, (4000, 2))
    frame = pd.DataFrame({"x": um[:, 1], "y": um[:, 0], "gene": pd.Categorical(rng.choice(list("abcd"), 4000))})
    pyramid = Labels2DModel.parse(
        da.from_array(nuclei_of(dtype), chunks=128),
        dims=("y", "x"),
        scale_factors=[2] * levels or None,
        transformations=placed,
    )
    return Session.start(
        SpatialData(
            images={"dapi": Image2DModel.parse(image, dims=("c", "y", "x"), c_coords=["d"], transformations=placed)},
            labels={"nuclei": pyramid, **more},
            points={"rna": PointsModel.parse(frame, feature_key="gene", coordinates={"x": "x", "y": "y"})},
            attrs={"spatialml": dict(ATTRS["spatialml"])},
        )
    )


def do(session: Session, name: str, /, **arguments: Any) -> None:
    session.execute(correct(session.document, name, **arguments))


def check_levels(session: Session, labels: str, before: Any = None) -> None:
    """Every coarse pixel is the middle one of its block, or what it was if nothing there changed."""
    grid = session.document.grid(labels)
    fine = grid.read()
    old = [np.zeros_like(level) for level in grid.levels] if before is None else before
    for level, (fy, fx) in enumerate(grid.factors):
        coarse = grid.read(None, level)
        rows, columns = (np.arange(n) * f + f // 2 for n, f in zip(coarse.shape, (fy, fx), strict=True))
        middle = fine[np.ix_(rows, columns)]
        assert ((coarse == middle) | (coarse == old[level])).all()
        h, w = coarse.shape
        hit = (fine != old[0])[: h * fy, : w * fx].reshape(h, fy, w, fx).any((1, 3))
        assert np.array_equal(coarse[hit], middle[hit]), level


SHAPES = [
    ("grow-cells", {"distance_um": 2.0}),
    ("shrink-cells", {"distance_um": 0.6}),
    ("smooth-cells", {"radius_um": 1.5}),
    ("fill-holes", {}),
]


@pytest.mark.parametrize(("name", "by"), SHAPES)
def test_the_table_follows_a_shape_and_undo_gives_every_bit_back(name: str, by: dict[str, float]) -> None:
    session = section()
    do(session, "grow-cells", labels="nuclei", cells=[9], distance_um=1.0)  # two touch now, and one is larger
    do(session, "paint-labels", labels="nuclei", offset=[10, 10], values=packed(np.zeros((2, 2), np.int32)))
    start, position = session.document.fingerprints(), session.position
    before = session.document.grid("nuclei").read()
    preview = shape_patch(session.document, name, labels="nuclei", cells=[1, 9], **by)
    assert session.document.fingerprints() == start, "a preview changes nothing"
    do(session, name, labels="nuclei", cells=[1, 9], **by)
    after = session.document.grid("nuclei").read()
    assert np.array_equal(after, preview.applied_to(before))
    assert not np.array_equal(after, before)
    others = np.isin(before, [2, 3, 4, 5, 6, 7, 8])
    assert np.array_equal(after[others], before[others])
    check_from_scratch(session)
    assert session.history[-1].record["summary"]
    end = session.document.fingerprints()
    session.undo()
    assert session.position == position
    assert session.document.fingerprints() == start
    session.redo()
    assert session.document.fingerprints() == end
    session.close()


@pytest.mark.parametrize("dtype", [np.int32, np.uint64])
@pytest.mark.parametrize(("name", "by"), SHAPES[:3])
def test_pyramids_of_either_type_follow(dtype: Any, name: str, by: dict[str, float]) -> None:
    session = slide(dtype)
    start = session.document.fingerprints()
    levels = [np.array(level) for level in session.document.grid("nuclei").levels]
    ids = np.unique(nuclei_of(dtype))[1:]
    cells = [int(ids[3]), int(ids[-4])]
    do(session, name, labels="nuclei", cells=cells, **by)
    check_levels(session, "nuclei", levels)
    changed = session.document.grid("nuclei").read() != nuclei_of(dtype)
    assert changed.any()
    assert session.document.grid("nuclei").dtype == dtype
    session.undo()
    assert session.document.fingerprints() == start
    session.close()


def test_distances_are_in_um_where_pixels_are_not_square() -> None:
    values = np.zeros((60, 60), np.int32)
    values[28:32, 29:31] = 1
    wide = Labels2DModel.parse(values, dims=("y", "x"), transformations={"global": Scale([2.0, 0.5], ("x", "y"))})
    session = Session.start(SpatialData(labels={"wide": wide}, attrs=ATTRS))
    do(session, "grow-cells", labels="wide", cells=[1], distance_um=4.0)
    at = np.argwhere(session.document.grid("wide").read() == 1)
    assert at.min(0).tolist() == [20, 27]
    assert at.max(0).tolist() == [39, 32]
    session.close()


# nuclei to cells


@pytest.mark.parametrize("dtype", [np.int32, np.uint64])
def test_new_cells_hold_their_nuclei_under_their_ids(dtype: Any) -> None:
    session = slide(dtype)
    document = session.document
    start = document.fingerprints()
    do(session, "expand-nuclei", nuclei="nuclei", labels="cells", distance_um=3.0)
    nuclei, cells = document.grid("nuclei").read(), document.grid("cells").read()
    assert cells.dtype == nuclei.dtype
    assert (cells[nuclei != 0] == nuclei[nuclei != 0]).all()
    assert set(np.unique(cells)) == set(np.unique(nuclei))
    far, nearest = distance_transform_edt(nuclei == 0, sampling=0.5, return_indices=True)
    assert np.array_equal(cells != 0, far <= 3.0)
    gained = (cells != 0) & (nuclei == 0)
    owner = nuclei[tuple(nearest)]
    own = {int(i): distance_transform_edt(nuclei != i, sampling=0.5) for i in np.unique(cells[cells != owner])}
    for i, distance in own.items():  # where another was as near
        np.testing.assert_allclose(distance[gained & (cells == i)], far[gained & (cells == i)])
    assert [level.shape for level in document.grid("cells").levels] == [
        level.shape for level in document.grid("nuclei").levels
    ]
    check_levels(session, "cells")
    assert document.affine("cells") == document.affine("nuclei")
    assert document.attribute("segmentations")["cells"]["nuclei"] == "nuclei"
    check_table(session, cells)
    end = document.fingerprints()
    session.undo()
    assert document.fingerprints() == start
    session.redo()
    assert document.fingerprints() == end
    session.close()


def check_table(session: Session, cells: Any) -> None:
    """The table has a row a cell, its area, and every transcript in it."""
    table, ids = session.document.table("cells_table"), np.unique(cells)[1:]
    assert table.obs["instance_id"].tolist() == [int(i) for i in ids]
    areas = np.unique(cells, return_counts=True)[1][1:] * 0.25
    np.testing.assert_allclose(table.obs["area_um2"], areas)
    frame = session.document.element("rna").compute()
    at = cells[(frame["y"] / 0.5).astype(int), (frame["x"] / 0.5).astype(int)]
    expected = pd.crosstab(at, frame["gene"]).reindex(index=ids, columns=list("abcd"), fill_value=0)
    assert np.array_equal(table.X.toarray(), expected.to_numpy())
    about = session.document.attribute("segmentations")["cells"]
    assert about["unassigned"] + table.X.sum() == len(frame)


@quiet
@given(st.floats(0.5, 6), st.integers(20, 200), st.integers(1000, 20000))
def test_the_cells_do_not_depend_on_tiles_and_strips(um: float, tile: int, strip: int) -> None:
    nuclei = nuclei_of(np.int32)
    whole = claimed(nuclei, np.ones(nuclei.shape, bool), np.unique(nuclei)[1:], um, (0.5, 0.5))
    session = slide()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expansion, "_TILE", tile)
        patch.setattr(expansion, "_STRIP", strip)
        do(session, "expand-nuclei", nuclei="nuclei", labels="cells", distance_um=um)
    cells = session.document.grid("cells").read()
    assert np.array_equal(cells, whole)
    check_table(session, cells)
    session.close()


@quiet
@given(st.integers(0, 99), st.floats(1, 5))
def test_nuclei_expanded_in_any_order_make_the_same_cells(seed: int, um: float) -> None:
    session = slide()
    ids = np.unique(nuclei_of(np.int32))[1:]
    do(session, "expand-nuclei", nuclei="nuclei", labels="cells", distance_um=um)
    whole = session.document.grid("cells").read()
    session.undo()
    groups = np.array_split(np.random.default_rng(seed).permutation(ids), 4)
    for group in groups:
        do(session, "expand-nuclei", nuclei="nuclei", labels="cells", distance_um=um, cells=[int(i) for i in group])
    assert np.array_equal(session.document.grid("cells").read(), whole)
    check_table(session, whole)
    session.close()


def with_cells(session: Session) -> Any:
    """Add labels with a cell over one nucleus, a sliver over another, and one under a nucleus's id elsewhere."""
    nuclei = session.document.grid("nuclei").read()
    ids = np.unique(nuclei)[1:]
    covered, touched, taken = int(ids[0]), int(ids[1]), int(ids[2])
    cells = np.zeros_like(nuclei)
    cells[nuclei == covered] = 900
    at = np.argwhere(nuclei == touched)
    cells[at[:3, 0], at[:3, 1]] = 901
    cells[0:3, 0:3] = taken
    assert not (nuclei[0:3, 0:3] != 0).any()
    element = new_labels(cells, session.document.get(("labels", "nuclei")).transforms)
    session.execute(Command("cells", (put(session.document, ("labels", "cells"), element),), {}))
    return covered, touched, taken


def test_cells_that_are_there_keep_every_pixel_and_their_ids() -> None:
    session = slide()
    covered, touched, taken = with_cells(session)
    nuclei, before = session.document.grid("nuclei").read(), session.document.grid("cells").read()
    start = session.document.fingerprints()
    command = correct(session.document, "expand-nuclei", nuclei="nuclei", labels="cells", distance_um=3.0)
    fresh = command.record["arguments"]["new_id"]
    assert fresh > max(nuclei.max(), before.max())
    session.execute(command)
    after = session.document.grid("cells").read()
    assert np.array_equal(after[before != 0], before[before != 0])
    assert (after == taken).sum() == 9
    assert (after[(nuclei == taken) & (before == 0)] == fresh).all()
    assert (after[(nuclei == touched) & (before == 0)] == touched).all()
    assert covered not in after
    assert session.document.attribute("segmentations")["cells"] == {"nuclei": "nuclei"}
    session.undo()
    assert session.document.fingerprints() == start
    with pytest.raises(BadInput, match="lacks a cell"):
        do(session, "expand-nuclei", nuclei="nuclei", labels="cells", distance_um=3.0, cells=[covered])
    session.close()


def test_a_window_takes_the_nuclei_that_lie_in_it_wholly() -> None:
    session = slide()
    nuclei = session.document.grid("nuclei").read()
    window = (40, 160, 0, 111)
    do(session, "expand-nuclei", nuclei="nuclei", labels="cells", distance_um=2.0, window=window)
    inside = nuclei[40:160, 0:111]
    cut = set(np.unique(inside)) & set(np.unique(np.concatenate([nuclei[39], nuclei[160], nuclei[:, 111]])))
    wanted = {int(i) for i in np.unique(inside) if i} - {
        int(i) for i in cut if (nuclei == i).sum() != (inside == i).sum()
    }
    found = set(np.unique(session.document.grid("cells").read()).tolist()) - {0}
    assert found <= wanted
    assert len(wanted - found) <= len(cut), "one that ends at the window's edge may go on behind it"
    session.close()


def test_what_cannot_be_expanded_is_said() -> None:
    session = slide()
    for arguments, words in (
        ({"nuclei": "nuclei", "labels": "nuclei"}, "into itself"),
        ({"nuclei": "nuclei", "labels": "cells", "cells": [5_000]}, "no nucleus 5000"),
        ({"nuclei": "nuclei", "labels": "cells", "cells": []}, "No nucleus is selected"),
        ({"nuclei": "nuclei", "labels": "cells", "distance_um": -1.0}, "no distance"),
    ):
        with pytest.raises(BadInput, match=words):
            do(session, "expand-nuclei", **{"distance_um": 2.0, **arguments})
    with pytest.raises(DocumentError, match="no labels 'none'"):
        do(session, "expand-nuclei", nuclei="none", labels="cells", distance_um=2.0)
    session.close()
    other = Labels2DModel.parse(np.ones((9, 9), np.int32), dims=("y", "x"))
    session = slide(cells=other)
    with pytest.raises(BadInput, match="same pixels"):
        do(session, "expand-nuclei", nuclei="nuclei", labels="cells", distance_um=2.0)
    session.close()


def test_cells_of_nuclei_are_saved_reopened_undone_and_corrected(tmp_path: Path) -> None:
    session = slide(np.uint64)
    session.save(tmp_path / "section.zarr")
    start = session.document.fingerprints()
    do(session, "expand-nuclei", nuclei="nuclei", labels="cells", distance_um=3.0)
    kept = session.document.fingerprints()
    session.close()  # not saved: from the journal
    again = Session.open_store(tmp_path / "section.zarr")
    assert again.document.fingerprints() == kept
    cell = int(again.document.instances("cells_table")[3])
    do(again, "shrink-cells", labels="cells", cells=[cell], distance_um=1.0)
    check_table(again, again.document.grid("cells").read())
    again.save()
    saved = again.document.fingerprints()
    again.close()
    last = Session.open_store(tmp_path / "section.zarr")
    assert last.document.fingerprints() == saved
    last.undo()
    assert last.document.fingerprints() == kept
    last.undo()
    assert last.document.fingerprints() == start
    last.redo()
    last.redo()
    assert last.document.fingerprints() == saved
    last.close()


def test_a_replay_makes_the_same_bits(tmp_path: Path) -> None:
    session = slide()
    session.save(tmp_path / "start.zarr")
    with_ids = [int(i) for i in np.unique(nuclei_of(np.int32))[1:6]]
    do(session, "expand-nuclei", nuclei="nuclei", labels="cells", distance_um=2.0, cells=with_ids[:3])
    do(session, "expand-nuclei", nuclei="nuclei", labels="cells", distance_um=3.0)
    do(session, "delete-cells", labels="cells", cells=[with_ids[4]])
    do(session, "grow-cells", labels="cells", cells=with_ids[:3], distance_um=2.0)
    do(session, "smooth-cells", labels="cells", cells=with_ids[:3], radius_um=1.0)
    do(session, "expand-nuclei", nuclei="nuclei", labels="cells", distance_um=3.0, cells=[with_ids[4]])
    end, steps = session.document.fingerprints(), [dict(e.record) for e in session.history]
    session.close()
    fresh = Session.open_store(tmp_path / "start.zarr", recover=False)
    fresh.discard()
    for record in steps:
        fresh.execute(correct(fresh.document, record["name"], **record["arguments"]))
    assert fresh.document.fingerprints() == end
    fresh.close()


def test_a_whole_slide_is_expanded_without_being_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slide of which only pieces may be read: every read is a small part of it."""
    session = slide()
    grid = session.document.grid("nuclei")
    largest, read = [0], type(grid).read

    def watched(self: Any, window: Any = None, level: int = 0) -> Any:
        out = read(self, window, level)
        largest[0] = max(largest[0], out.size)
        return out

    monkeypatch.setattr(expansion, "_TILE", 50)
    monkeypatch.setattr(expansion, "_STRIP", 3000)
    monkeypatch.setattr(type(grid), "read", watched)
    command = correct(session.document, "expand-nuclei", nuclei="nuclei", labels="cells", distance_um=2.0)
    assert largest[0] < EDGE * EDGE / 4
    session.execute(command)
    assert largest[0] < EDGE * EDGE / 4
    session.close()


# cuts


def cut_section(seed: int, turned: bool = False, transcripts_: int = 200) -> tuple[Session, Any, Any]:
    """Return two neighbours in one cell; the image has other pixels than the labels, and may lie turned."""
    labels, truth, line, points, image = planted(seed, transcripts=transcripts_)
    pixel = 0.25
    placed = Scale([pixel, pixel], ("x", "y"))
    to_um: Any = placed
    if turned:  # the image is stored transposed, with pixels of half the size
        image = np.kron(image, np.ones((2, 2))).T
        to_um = Affine([[0, pixel / 2, 0], [pixel / 2, 0, 0], [0, 0, 1]], ("x", "y"), ("x", "y"))
    um = points.coordinates_px * pixel
    frame = pd.DataFrame({"x": um[:, 1], "y": um[:, 0], "gene": pd.Categorical([f"g{g}" for g in points.genes])})
    two = np.stack([np.zeros_like(image), image])
    made = Image2DModel.parse(two, dims=("c", "y", "x"), c_coords=["dapi", "wga"], transformations={"global": to_um})
    cells = Labels2DModel.parse(labels, dims=("y", "x"), transformations={"global": placed})
    rna = PointsModel.parse(frame, feature_key="gene", coordinates={"x": "x", "y": "y"})
    parts = {"images": {"stain": made}, "labels": {"cells": cells}, "points": {"rna": rna}}
    return Session.start(SpatialData(**parts, attrs=ATTRS)), truth, line


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("how", ["membrane", "transcripts"])
def test_a_cut_reads_image_and_transcripts_of_the_document(how: str, turned: bool) -> None:
    shares = []
    for seed in range(4):
        session, truth, line = cut_section(seed, turned)
        before = session.document.grid("cells").read()
        given_ = {"labels": "cells", "cell": 1, "line": line, "how": how, "image": "stain", "channel": "wga"}
        start = session.document.fingerprints()
        preview = split_patch(session.document, **given_)
        straight = split_patch(session.document, **{**given_, "how": "straight"})
        shares.append((wrong(truth, before, preview), wrong(truth, before, straight)))
        assert session.document.fingerprints() == start
        do(session, "split-cell", **given_)
        assert np.array_equal(session.document.grid("cells").read(), preview.applied_to(before))
        record = session.history[-1].record["arguments"]
        end = session.document.fingerprints()
        session.undo()
        assert session.document.fingerprints() == start
        session.execute(correct(session.document, "split-cell", **record))
        assert session.document.fingerprints() == end
        session.close()
    mine, theirs = np.mean(shares, axis=0)
    assert mine < 0.7 * theirs, shares


def test_an_image_is_read_only_around_the_cell() -> None:
    session, _, _ = cut_section(0)
    document, read = session.document, []
    values = document.element("stain").data.compute()

    def block(block_info: Any = None) -> Any:
        (c, (y0, y1), (x0, x1)) = block_info[None]["array-location"]
        read.append((y0, x0))
        return values[c[0] : c[1], y0:y1, x0:x1]

    chunks = tuple(da.core.normalize_chunks((1, 16, 16), values.shape))
    document.sdata.images["stain"].data = da.map_blocks(block, chunks=chunks, dtype=values.dtype, meta=values[:0])
    found = image_near(document, "cells", (40, 60, 30, 55), "stain", "wga")
    np.testing.assert_allclose(found, values[1, 40:60, 30:55])
    assert 0 < len(read) <= 12
    session.close()


def test_an_image_that_does_not_cover_the_cell_is_refused() -> None:
    session, _, _ = cut_section(0)
    with pytest.raises(BadInput, match="covers 50 % of the cell"):
        image_near(session.document, "cells", (134, 154, 30, 40), "stain", "wga")
    session.close()


def test_what_a_cut_cannot_find_is_said() -> None:
    session, _, line = cut_section(0, transcripts_=15)
    given_: dict[str, Any] = {"labels": "cells", "cell": 1, "line": line}
    for more, words in (
        ({"how": "membrane"}, "No channel of 'stain' is chosen"),
        ({"how": "membrane", "channel": "red"}, "no channel 'red'"),
        ({"how": "membrane", "image": "none"}, "no image 'none'"),
        ({"how": "transcripts"}, "holds 15 transcripts"),
    ):
        with pytest.raises(BadInput, match=words):
            split_patch(session.document, **given_, **more)
    with pytest.raises(DocumentError, match="'none'"):
        split_patch(session.document, **given_, how="transcripts", points="none")
    do(session, "remove-element", name="rna")
    with pytest.raises(BadInput, match="no transcripts where"):
        split_patch(session.document, **given_, how="transcripts")
    session.close()
