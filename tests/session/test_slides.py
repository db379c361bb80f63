"""Slides in tiles: the cells of the whole, whatever the tiles and their order; stopped and gone on with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.ndimage import label

from napari_spatialml.core.flow_input import limits_of
from napari_spatialml.core.glass import is_glass
from napari_spatialml.core.report import silent
from napari_spatialml.errors import BadInput, Cancelled
from napari_spatialml.methods import method
from napari_spatialml.session import (
    Command,
    SegmentationSelection,
    Session,
    correct,
    finish,
    prepare,
    read_recipe,
    replay,
    run,
    scratch,
    write_recipe,
)
from napari_spatialml.session.evidence import Sources
from napari_spatialml.session.ranking import Ranking, ranking_changes
from napari_spatialml.session.reviewed import NOTHING
from napari_spatialml.session.slides import job as slide_job
from napari_spatialml.session.slides import source

from .slide_cells import AboveHalf, OfTwoMinds, nuclei, section, segmented

ROOT = Path(__file__).resolve().parents[2]
QUIET = settings(
    max_examples=4, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def started(image: Any, channels: tuple[str, ...] = ("dapi",)) -> Session:
    return Session.start(section(image, channels))


def found_again(whole: Any, tiled: Any) -> tuple[int, int, int]:
    """Return how many cells of the whole the tiles found with IoU > 0.9, and how many cells each has."""
    both, n = (whole > 0) & (tiled > 0), int(tiled.max()) + 1
    codes, shared = np.unique(whole[both].astype(np.int64) * n + tiled[both], return_counts=True)
    a, b = np.divmod(codes, n)
    area_a, area_b = np.bincount(whole.ravel()), np.bincount(tiled.ravel())
    iou = shared / (area_a[a] + area_b[b] - shared)
    return int((iou > 0.9).sum()), int((area_a[1:] > 0).sum()), int((area_b[1:] > 0).sum())


@QUIET
@given(tile=st.sampled_from([48, 64, 112, 160]), order=st.integers(0, 1000))
def test_tiles_of_any_size_in_any_order_find_the_cells_of_the_whole(tile: int, order: int) -> None:
    session = started(nuclei(190, 230, seed=tile)[None])
    watershed = method("segmentation", "watershed")()
    run(session, watershed, SegmentationSelection("dapi", output="whole"))
    segmented(session, watershed, tile, order=order)
    whole, tiled = (session.document.grid(name).read() for name in ("whole", "nuclei"))
    again, cells, found = found_again(whole, tiled)
    assert again == cells == found
    kept = session.document.table("whole_table")
    table = session.document.table("nuclei_table")
    assert sorted(table.obs["area_um2"]) == sorted(kept.obs["area_um2"])
    assert np.allclose(sorted(table.X[:, 0]), sorted(kept.X[:, 0]), rtol=1e-6)
    session.close()


def test_the_starter_finds_the_cells_of_the_whole_though_it_says_nothing_of_the_rims(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("torch")
    session = started(nuclei(352, 512, seed=3, spacing=30)[None])
    starter = method("segmentation", "starter")
    chosen = starter(diameter_um=10.0, device="cpu")
    run(session, chosen, SegmentationSelection("dapi", output="whole"))
    tiled, _ = segmented(session, chosen, 128, order=1)
    real = starter.on_slide
    monkeypatch.setattr(starter, "on_slide", lambda *given: replace(real(*given), within=None))
    rims, _ = segmented(session, chosen, 128, "rims", order=2)
    whole = session.document.grid("whole").read()
    for one in (tiled, rims):
        again, cells, found = found_again(whole, one.cells.grid.read())
        assert again == cells == found > 100
    session.close()


@QUIET
@given(seed=st.integers(0, 1000), tile=st.sampled_from([48, 80]))
def test_the_order_of_tiles_changes_no_bit_even_where_tiles_disagree(seed: int, tile: int) -> None:
    session = started(nuclei(150, 200, seed=seed, spacing=16)[None])
    outcomes = []
    for order in (None, 1, 2):
        result, seen = segmented(session, OfTwoMinds(), tile, output="nuclei", order=order)
        outcomes.append({k: v for k, v in session.document.fingerprints().items() if "nuclei" in k})
        labels = session.document.grid("nuclei").read()
        assert len(set(seen)) == len(seen) == result.tiles
        assert set(np.unique(labels)) - {0} == set(session.document.instances("nuclei_table").tolist())
    assert outcomes[0] == outcomes[1] == outcomes[2]
    session.close()


def run_review(session: Session) -> None:
    """Keep a ranking in which nothing speaks against any cell."""
    cells = session.document.instances("nuclei_table")
    nothing = Ranking(cells, np.full(len(cells), 0.1), (NOTHING,) * len(cells), ("",) * len(cells))
    changes = ranking_changes(session.document, Sources("nuclei"), nothing)
    session.execute(Command("rank", tuple(changes), {}))


def test_where_tiles_disagree_no_cell_is_there_twice_and_the_review_is_told(tmp_path: Path) -> None:
    session = started(nuclei(220, 300, seed=5, spacing=15)[None])
    result, _ = segmented(session, OfTwoMinds(), 48)
    labels = session.document.grid("nuclei").read()
    said = session.document.table("nuclei_table").obs["seam"]
    assert (said != "no").any()
    pieces = sum(label(labels == cell)[1] for cell in np.unique(labels[labels > 0]))
    assert pieces <= 1.03 * result.cells.table.n_obs, "cells were cut to pieces"
    run_review(session)
    obs = session.document.table("nuclei_table").obs
    queued = obs["suspicion"] >= 0.5
    assert queued[said != "no"].all() and (obs["reason"] == "seam").any()
    assert obs.loc[obs["reason"] == "seam", "reasons"].str.contains("tile").all()
    cells = [int(c) for c in obs["instance_id"].iloc[:2]]
    session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=cells[:1]))
    session.save(tmp_path / "s.zarr")
    session.close()


def test_a_cell_larger_than_the_halo_is_not_cut() -> None:
    image = np.full((1, 256, 256), 100, np.uint16)
    image[0, 20:28, 8:245] = 900  # as long as four tiles
    for y in range(60, 240, 20):
        for x in range(10, 240, 20):
            image[0, y : y + 8, x : x + 8] = 900
    session = started(image)
    segmented(session, AboveHalf(), 64)
    whole, tiled = label(image[0] > 500)[0], session.document.grid("nuclei").read()
    again, cells, found = found_again(whole, tiled)
    assert again == cells == found == 1 + 9 * 12
    assert len(np.unique(tiled[20:28, 8:245])) == 1
    session.close()


@pytest.mark.parametrize(
    "image",
    [
        np.full((1, 130, 170), 7, np.uint8),
        np.random.default_rng(0).normal(120, 6, (1, 130, 170)).clip(0).astype(np.uint16),
        np.zeros((1, 1, 200), np.uint16),
        nuclei(1, 200)[None],
        nuclei(65, 65)[None],
        np.full((3, 70, 70), 240, np.uint8),
    ],
    ids=["constant", "noise", "black row", "one pixel tall", "a tile of one pixel", "white glass"],
)
@pytest.mark.parametrize("name", ["watershed", "starter"])
def test_odd_slides_are_segmented_all_the_same(image: Any, name: str) -> None:
    if method("segmentation", name).missing():
        pytest.skip(f"{name} is not installed")
    session = started(image, tuple("abc")[: len(image)])
    line = run(session, method("segmentation", name)(diameter_um=8.0), SegmentationSelection("dapi", tile=64))
    labels = session.document.grid("nuclei").read()
    assert labels.shape == image.shape[1:]
    if np.ptp(image) == 0 or image.shape[1] == 130:
        assert labels.max() == 0 and "No cell was found" in line and "glass" in line
    session.close()


def test_an_image_with_holes_is_refused_in_one_sentence() -> None:
    image = nuclei(130, 130)[None].astype(np.float32)
    image[0, 100, 100] = np.nan
    session = started(image)
    with pytest.raises(BadInput, match="NaN"):
        run(session, AboveHalf(), SegmentationSelection("dapi", tile=64))
    session.close()


def test_glass_is_skipped_and_counted() -> None:
    image = np.random.default_rng(1).normal(100, 6, (1, 512, 512)).clip(0).astype(np.uint16)
    image[0, :128, :128] = nuclei(128, 128)
    session = started(image)
    line = run(session, AboveHalf(), SegmentationSelection("dapi", tile=64))
    assert "64 tiles" in line and "of them glass" in line
    assert int(line.split("64 tiles, ")[1].split(" ")[0]) >= 40
    labels = session.document.grid("nuclei").read()
    assert labels[:128, :128].any() and not labels[160:, 160:].any()
    session.close()


def test_stop_keeps_what_is_finished_and_the_same_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    session = started(nuclei(200, 260)[None])
    calls: list[int] = []
    real = AboveHalf.__call__
    monkeypatch.setattr(AboveHalf, "__call__", lambda *a: (calls.append(1), real(*a))[1])
    selection = SegmentationSelection("dapi", tile=64)
    once = prepare(session, AboveHalf(), selection, resume=False)
    expected, total = once(), len(calls)
    calls.clear()
    job, done = prepare(session, AboveHalf(), selection), []
    job.tile_done.connect(lambda *_: done.append(1))

    def stopping(fraction: float, message: str = "") -> None:
        if len(done) == 5:
            raise Cancelled

    with pytest.raises(Cancelled, match="5 of 20 tiles are kept"):
        job(stopping)
    again = prepare(session, AboveHalf(), selection)
    told: list[str] = []
    result = again(lambda _f, message="": told.append(message))
    assert len(calls) <= total + 2, "finished tiles were done again"
    assert finish(session, again, result) == finish(session, once, expected)
    a, b = (session.history[k].command.changes[0].new.grid.read() for k in (0, 1))
    assert np.array_equal(a, b) and result.inputs == expected.inputs
    assert any("tile 20 of 20" in m for m in told) and any("left" in m for m in told)
    assert not list((Path(os.environ["NAPARI_SPATIALML_STATE"]) / "slides").glob("*/tile-*")), "nothing is left behind"
    session.close()


def test_a_changed_image_is_not_taken_for_the_one_that_was_begun() -> None:
    first, second = nuclei(130, 130)[None], nuclei(130, 130)[None].copy()
    second[0, 90:, :] = second[0, 90:, ::-1]
    outcomes = []
    for begun in (first, None):
        if begun is not None:
            session = started(begun)
            prepare(session, AboveHalf(), SegmentationSelection("dapi", tile=64))()  # never finished
            session.close()
        session = started(second)
        job = prepare(session, AboveHalf(), SegmentationSelection("dapi", tile=64), resume=begun is not None)
        finish(session, job, job())
        outcomes.append(session.document.grid("nuclei").read())
        session.close()
    assert np.array_equal(*outcomes)


def test_a_run_in_tiles_is_undone_saved_and_replayed_to_the_same_bits(tmp_path: Path) -> None:
    session = started(nuclei(190, 230)[None])
    session.save(tmp_path / "s.zarr")
    run(
        session, method("segmentation", "watershed")(), SegmentationSelection("dapi", tile=64, region=(10, 180, 0, 200))
    )
    made = session.document.fingerprints()
    session.undo()
    assert "nuclei" not in session.document.names("labels")
    session.redo()
    assert session.document.fingerprints() == made
    assert session.history[0].record["slide"]["tiles"] == 12
    session.save()
    path = write_recipe(session, tmp_path / "recipe.json")
    session.close()
    reopened = Session.open_store(tmp_path / "s.zarr")
    assert reopened.document.fingerprints() == made
    reopened.close()
    with scratch(tmp_path / "s.zarr") as again:
        (step,) = replay(read_recipe(path), again)
    assert step.identical, step.different


def test_large_images_go_in_tiles_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slide_job, "ONE_PIECE", 10_000)
    session = started(nuclei(120, 120)[None])
    run(session, AboveHalf(level=0.5), SegmentationSelection("dapi"))
    assert session.history[0].record["selection"]["tile"] == 1024
    run(session, AboveHalf(level=0.5), SegmentationSelection("dapi", region=(0, 90, 0, 90)))
    assert session.history[1].record["selection"]["tile"] == 0
    session.close()


def test_cells_appear_as_they_are_found_and_the_document_can_be_edited_meanwhile() -> None:
    session = started(nuclei(150, 200)[None])
    job = prepare(session, AboveHalf(), SegmentationSelection("dapi", tile=64))
    live, filled = job.show().levels[0], []

    def look(offset: tuple[int, int], size: tuple[int, int]) -> None:
        (y, x), (h, w) = offset, size
        if (h, w) == (64, 64):  # the others are slivers
            filled.append(bool(np.asarray(live[y : y + h, x : x + w]).any()))

    job.look_at(140, 195)
    offsets: list[tuple[int, int]] = []
    job.tile_done.connect(lambda offset, size: (offsets.append(offset), look(offset, size)))
    finished = job(silent)
    session.execute(correct(session.document, "set-unit", coordinate_system="global", um_per_unit=1.0))
    finish(session, job, finished, stale=True)
    assert offsets[0] == (128, 192) and filled and all(filled)
    assert np.array_equal(np.asarray(live[:, :]) > 0, session.document.grid("nuclei").read() > 0)
    session.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_a_killed_run_repeats_only_the_tile_in_work_and_ends_in_the_same_bytes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.session.slide_killed", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["killed"] and told["same"]
    for begun, repeated in zip(told["finished"], told["then"], strict=True):
        assert 0 < begun < told["tiles"]
        assert repeated <= told["tiles"] - begun + 1, "finished tiles were done again"


def test_what_is_read_off_a_slide_as_a_whole_comes_from_all_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "SAMPLE", 64 * 64 * 16)
    monkeypatch.setattr(source, "_BLOCK", 64)
    image = nuclei(1024, 1024)
    fading = (image * np.linspace(1, 0.3, 1024)[:, None]).astype(np.uint16)
    for turned in (fading, fading.T.copy(), fading[::-1].copy()):
        session = started(turned[None])
        chosen = source.source_of(session.document, SegmentationSelection("dapi"))
        read: list[int] = []
        monkeypatch.setattr(source, "is_glass", lambda values, read=read: read.append(values.size) or is_glass(values))
        sample = chosen.sample().values
        assert sample.shape == (1, 256, 256) and len(read) == 16, "no more is read than is looked at"
        assert np.array_equal(sample, chosen.sample().values)
        ((low, high),), ((least, most),) = limits_of(sample), limits_of(turned[None])
        assert abs(low - least) < 0.02 * (most - least) and abs(high - most) < 0.1 * (most - least)
        session.close()


def test_the_bar_of_a_large_slide_tells_how_many_tiles_are_done() -> None:
    piece = da.from_array(nuclei(512, 512))
    session = started(da.block([[piece] * 40] * 40)[None])
    job = prepare(session, AboveHalf(), SegmentationSelection("dapi", tile=512), resume=False)
    stood: list[float] = []

    def report(fraction: float, message: str = "") -> None:
        if message.startswith("tile "):
            stood.append(fraction)
        if message.startswith("tile 3 "):
            raise Cancelled

    with pytest.raises(Cancelled):
        job(report)
    assert 0 < stood[0] < 0.001 and stood == sorted(stood) and 2 / 1600 * 0.8 < stood[-1] < 3.2 / 1600
    session.close()


def test_stop_is_heard_within_a_second() -> None:
    session = started(nuclei(400, 400)[None])
    job = prepare(session, method("segmentation", "watershed")(), SegmentationSelection("dapi", tile=256))
    pressed: list[float] = []

    def report(fraction: float, message: str = "") -> None:
        if pressed:
            raise Cancelled
        if fraction > 0.3:
            pressed.append(time.process_time())

    with pytest.raises(Cancelled):
        job(report)
    assert time.process_time() - pressed[0] < 1.0
    session.close()
