"""Slides in tiles: the same cells as the whole, in bounded memory, soon to be seen, stopped and gone on with.

Each figure that needs a process of its own starts one: memory at its peak, time to the first tile, Stop,
and a run that is killed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .figures import Figure

__all__ = ["SUBJECT", "field", "measure", "write_slide"]

SUBJECT = "slides"
SEED = 0
PATCH, UM = 1024, 0.5
LAW_EDGE, LAW_TILES = 1792, (256, 512, 768)
EDGE, TISSUE = 20_000, 0.06
RUNS = 5
SAME, MEMORY_GB, FIRST_S, STOP_S = 99.9, 3.0, 3.0, 1.0


def field(edge: int, seed: int = SEED, spacing: int = 26) -> np.ndarray:
    """Return (y, x) uint16: a field of fluorescent nuclei 7 to 24 pixels wide, some touching, blurred and noisy."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    n = (edge // spacing) ** 2
    centres, long = rng.uniform(0, edge, (n, 2)), rng.uniform(6, 12, n)
    short, turn, bright = long * rng.uniform(0.6, 1, n), rng.uniform(0, np.pi, n), rng.uniform(300, 1500, n)
    image, taken = np.full((edge, edge), 120.0, np.float32), np.zeros((edge, edge), bool)
    for (cy, cx), a, b, t, light in zip(centres, long, short, turn, bright, strict=True):
        y0, y1, x0, x1 = (int(np.clip(v, 0, edge)) for v in (cy - a - 1, cy + a + 2, cx - a - 1, cx + a + 2))
        dy, dx = np.mgrid[y0:y1, x0:x1] - np.array([cy, cx])[:, None, None]
        u, v = dy * np.cos(t) + dx * np.sin(t), dx * np.cos(t) - dy * np.sin(t)
        rho = (u / a) ** 2 + (v / b) ** 2
        inside = rho <= 1
        if inside.any() and taken[y0:y1, x0:x1][inside].mean() <= 0.02:
            taken[y0:y1, x0:x1] |= inside
            image[y0:y1, x0:x1] += inside * light * (1 - 0.3 * np.minimum(rho, 1))
    noisy = rng.poisson(gaussian_filter(image, 1.2)) + rng.normal(0, 8, image.shape)
    return noisy.clip(0, 65535).astype(np.uint16)


def write_slide(store: Path, edge: int, tissue: float, seed: int = SEED) -> None:
    """Write a section with one image: a square of tissue in the middle, fields side by side; the rest is glass."""
    import dask.array as da
    from spatialdata import SpatialData
    from spatialdata.models import Image2DModel
    from spatialdata.transformations import Scale

    patch = field(PATCH, seed)
    glass = np.random.default_rng(seed + 1).normal(120, 11, (PATCH, PATCH)).clip(0, 65535).astype(np.uint16)
    n = -(-edge // PATCH)
    across = max(round(n * tissue**0.5), 1)
    low = (n - across) // 2
    inside = range(low, low + across)
    lazily: Any = da.from_array
    rows = [[lazily(patch if i in inside and j in inside else glass) for j in range(n)] for i in range(n)]
    image = da.block(rows)[None, :edge, :edge].rechunk((1, PATCH, PATCH))
    place = {"global": Scale([UM, UM], ("x", "y"))}
    element = Image2DModel.parse(image, dims=("c", "y", "x"), c_coords=["dapi"], transformations=place)
    section = SpatialData.init_from_elements({"dapi": element})
    section.attrs["spatialml"] = {"version": 1, "um_per_unit": {"global": 1.0}}
    section.write(store)


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the figures."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NAPARI_SPATIALML_STATE"] = str(Path(folder) / "state")
        yield from _law(Path(folder))
        yield from _interrupted(Path(folder))
        yield from _large(Path(folder))


# the same cells --------------------------------------------------------------------------------


def _law(folder: Path) -> Iterator[tuple[str, Figure]]:
    """Yield which part of the whole's cells the tiles find, at three sizes, each in an order of its own."""
    from napari_spatialml.methods import method
    from napari_spatialml.session import SegmentationSelection, Session, run

    write_slide(folder / "law.zarr", LAW_EDGE, 1.0)
    session = Session.open_store(folder / "law.zarr")
    for name in ("watershed", "starter"):
        chosen: Any = method("segmentation", name)()
        run(session, chosen, SegmentationSelection("dapi", output="whole"))
        whole = session.document.grid("whole").read()
        bits = set()
        for tile, order in (*((t, t) for t in LAW_TILES), (LAW_TILES[1], 1)):
            labels, seconds = _shuffled(session, chosen, tile, order)
            if tile == LAW_TILES[1]:
                bits.add(labels.tobytes())
            if order == 1:
                continue
            again, cells, found = _compared(whole, labels)
            data = f"{LAW_EDGE}² field, tiles of {tile} in shuffled order, {cells:,} cells, {seconds:.0f} s"
            yield (
                f"{name}: cells of the whole at IoU > 0.9, tiles of {tile}",
                Figure(100 * again / cells, "%", SAME, False, data=data, seed=SEED),
            )
            yield (
                f"{name}: cells doubled or lost, tiles of {tile}",
                Figure(abs(found - cells), "cells", 0.001 * cells, data=data, seed=SEED),
            )
        yield (
            f"{name}: outcomes of two orders",
            Figure(len(bits), "outcomes", 1, data=f"tiles of {LAW_TILES[1]}, all bits", seed=SEED),
        )
    session.close()


def _shuffled(session: Any, chosen: Any, tile: int, order: int) -> tuple[np.ndarray, float]:
    from napari_spatialml.session import SegmentationSelection, prepare

    job = prepare(session, chosen, SegmentationSelection("dapi", tile=tile), resume=False)
    rng = np.random.default_rng(order)
    job.tile_done.connect(lambda *_: job.look_at(*rng.uniform(0, LAW_EDGE, 2)), check_nargs=False)
    finished = job()
    job.forget()
    return finished.result.cells.grid.read(), finished.seconds


def _compared(whole: np.ndarray, tiled: np.ndarray) -> tuple[int, int, int]:
    both, n = (whole > 0) & (tiled > 0), int(tiled.max()) + 1
    codes, shared = np.unique(whole[both].astype(np.int64) * n + tiled[both], return_counts=True)
    a, b = np.divmod(codes, n)
    area_a, area_b = np.bincount(whole.ravel()), np.bincount(tiled.ravel())
    iou = shared / (area_a[a] + area_b[b] - shared)
    return int((iou > 0.9).sum()), int((area_a[1:] > 0).sum()), int((area_b[1:] > 0).sum())


# processes of their own ------------------------------------------------------------------------


def _child(store: Path, **given: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.slides", "--child", str(store), "--given", json.dumps(given)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _told(child: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = child.communicate()
    if child.returncode:
        raise SystemExit(f"The run failed with {child.returncode}.")
    return dict(json.loads(out.strip().splitlines()[-1]))


def _interrupted(folder: Path) -> Iterator[tuple[str, Figure]]:
    """Yield how soon a run shows something and stops, and what a kill costs."""
    write_slide(folder / "soon.zarr", 6144, 1.0)
    data = f"6144² field, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    for name, ready in (("watershed", True), ("starter", True), ("starter", False)):
        runs = [_told(_child(folder / "soon.zarr", name=name, stop=True, ready=ready)) for _ in range(RUNS)]
        told = {part: statistics.median(one[part] for one in runs) for part in runs[0]}
        how = name if ready else f"{name}, nothing made ready"
        parts = ", ".join(f"{part} {told[part]:.2f} s" for part in ("sample", "slide"))
        said = f"{data}, median of {RUNS}, processor time of {parts}"
        yield f"{how}: first tile", Figure(told["first"], "s", FIRST_S if ready else None, data=said, seed=SEED)
        yield f"{how}: first tile, processor time", Figure(told["first_cpu"], "s", data=said, seed=SEED)
        yield f"{how}: Stop", Figure(told["stop"], "s", STOP_S, data=data, seed=SEED)
    yield from _on_screen(folder / "soon.zarr", data)
    write_slide(folder / "cut.zarr", 2048, 1.0)
    killed = _child(folder / "cut.zarr", name="watershed", tile=512)
    assert killed.stdout is not None
    begun = sum(1 for _ in zip(range(7), killed.stdout, strict=False))
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    again = _told(_child(folder / "cut.zarr", name="watershed", tile=512))
    whole = _told(_child(folder / "cut.zarr", name="watershed", tile=512, resume=False))
    repeated = again["segmented"] - (whole["segmented"] - begun)
    words = f"2048² field, {whole['segmented']} tiles, SIGKILL after {begun}"
    yield "killed: tiles repeated, at most", Figure(max(repeated, 0), "tiles", 1, data=words, seed=SEED)
    same = float(again["labels"] == whole["labels"])
    yield "killed: ends in the same bytes", Figure(same, "", 1, False, data=words, seed=SEED)


def _on_screen(store: Path, data: str) -> Iterator[tuple[str, Figure]]:
    """Yield how soon a window with `starter` shows the first tile, and how long it stands still, where there is one."""
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        return
    for at_once in (False, True):
        command = [sys.executable, "-m", "benchmarks.slides_window", str(store), *["--at-once"] * at_once]
        runs = [json.loads(subprocess.check_output(command, text=True).splitlines()[-1]) for _ in range(RUNS)]
        told = {part: statistics.median(one[part] for one in runs) for part in runs[0]}
        how = "window, Run at once" if at_once else "window, starter made ready"
        said = f"{data}, median of {RUNS}, {told['first_cpu']:.1f} s of the processor with the drawing"
        yield f"{how}: first tile on screen", Figure(told["first"], "s", None if at_once else FIRST_S, data=said)
        if not at_once:
            ready = f"{data}, {told['ready']:.1f} s, {told['ready_cpu']:.1f} s of the processor"
            yield f"{how}: the window stands still", Figure(told["ready_stall"], "s", data=ready)


def _large(folder: Path) -> Iterator[tuple[str, Figure]]:
    """Yield what a large slide takes."""
    write_slide(folder / "large.zarr", EDGE, TISSUE)
    start = time.perf_counter()
    told = _told(_child(folder / "large.zarr", name="watershed", save=True))
    seconds = time.perf_counter() - start
    data = (
        f"{EDGE:,}² slide, {100 * TISSUE:.0f} % tissue, watershed, {told['cells']:,} cells, "
        f"{told['glass']} of {told['tiles']} tiles glass"
    )
    yield "20,000²: peak memory", Figure(told["peak_gb"], "GB", MEMORY_GB, data=data, seed=SEED)
    yield "20,000²: whole run, saved", Figure(seconds, "s", data=data, seed=SEED)


def _run(store: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Run in this process; write a line a tile, so that whoever waits can count them."""
    from napari_spatialml.errors import Cancelled
    from napari_spatialml.methods import method
    from napari_spatialml.session import SegmentationSelection, Session, finish, prepare
    from napari_spatialml.session.slides.source import Source

    session = Session.open_store(store)
    chosen: Any = method("segmentation", given["name"])(**given.get("settings", {}))
    if given.get("ready", True):
        chosen.warm()
    selection = SegmentationSelection("dapi", tile=given.get("tile", 0))
    job = prepare(session, chosen, selection, resume=given.get("resume", True) and "stop" not in given)
    start, cpu, at = time.perf_counter(), time.process_time(), list[tuple[float, float]]()

    def tile_done(*_: Any) -> None:
        at.append((time.perf_counter() - start, time.process_time() - cpu))
        print(f"tile {len(at)}", flush=True)

    pressed: list[float] = []

    def report(fraction: float, message: str = "") -> None:
        if "stop" in given and len(at) == 1 and not pressed:
            pressed.append(time.perf_counter() + 0.3)  # in the midst of the second tile
        if pressed and time.perf_counter() > pressed[0]:
            raise Cancelled

    job.tile_done.connect(tile_done)
    told: dict[str, Any] = {}
    segmented = _count_segmented(job)
    _time(Source, "sample", told, "sample")
    _time(type(chosen), "on_slide", told, "slide")
    try:
        finished = job(report)
    except Cancelled:
        told["stop"] = time.perf_counter() - pressed[0]
    else:
        result = finished.result
        told |= {"tiles": result.tiles, "glass": result.glass, "cells": result.cells.table.n_obs}
        told["segmented"] = len(segmented)
        if given.get("save"):
            finish(session, job, finished)
            session.save()
        told["labels"] = _hash_of(result.cells.grid)
    told |= {"first": at[0][0], "first_cpu": at[0][1]}
    told["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    session.close()
    return told


def _time(cls: Any, name: str, told: dict[str, Any], part: str) -> None:
    """Note the processor time of a method's calls."""
    real = getattr(cls, name)

    def timed(*given: Any) -> Any:
        begun = time.process_time()
        try:
            return real(*given)
        finally:
            told[part] = told.get(part, 0.0) + time.process_time() - begun

    setattr(cls, name, timed)


def _count_segmented(job: Any) -> list[int]:
    """Note every tile that is written."""
    from napari_spatialml.session.slides.folder import Folder

    written: list[int] = []
    real = Folder.write

    def write(self: Any, number: int, record: Any) -> None:
        real(self, number, record)
        written.append(number)

    Folder.write = write  # type: ignore[method-assign]
    return written


def _hash_of(grid: Any) -> str:
    import hashlib

    found = hashlib.blake2b(digest_size=16)
    for _, _, values in grid.changed():
        found.update(np.ascontiguousarray(values).data)
    return found.hexdigest()


def main() -> None:
    """Run as one of the measured processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", type=Path, required=True)
    parser.add_argument("--given", type=json.loads, required=True)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print(json.dumps(_run(given.child, given.given)))


if __name__ == "__main__":
    main()
