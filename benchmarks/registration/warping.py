"""Moving what lies on a section: pixels a second, a million points, whole slides within little memory, and back.

With the environment variable ``NAPARI_SPATIALML_PEER_REGISTRATION`` naming a Python that has SimpleITK and
scikit-image, these move the same pixels and points in the same run. A slide of 40,000 by 40,000 pixels is
moved when ``NAPARI_SPATIALML_BENCHMARK_LARGE`` is 1: that takes some minutes and 5 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_spatialml.core import Affine, Chain, DisplacementField, LocalWarp, ThinPlateSpline, Transform
from napari_spatialml.core.folding import inverse_consistency
from napari_spatialml.core.transform import warp_image
from napari_spatialml.core.warp import move_points

from ..figures import Figure

PEER = "NAPARI_SPATIALML_PEER_REGISTRATION"
LARGE = "NAPARI_SPATIALML_BENCHMARK_LARGE"
SEED = 0
EDGE = 4000
PEER_EDGE = 1000
PIXEL_UM = 0.5
SLIDE = 40_000
TIMES = 3


def bend(landmarks: int, edge_um: float, seed: int = SEED) -> ThinPlateSpline:
    """Return a spline like a section's: it waves by 1 % of its edge, and each landmark slips by a tenth of that."""
    generator = np.random.default_rng(seed)
    source = generator.uniform(0, edge_um, (landmarks, 2))
    waves = 0.01 * edge_um * np.sin(5 * source[:, ::-1] / edge_um + 1)
    return ThinPlateSpline(source, source + waves + generator.normal(0, 0.001 * edge_um, (landmarks, 2)))


def cpu_seconds(action: Callable[[], Any], times: int = TIMES) -> float:
    """Return the fewest processor seconds of several times; the first, which loads compiled loops, is not counted."""
    action()
    found = []
    for _ in range(times):
        start = time.process_time()
        action()
        found.append(time.process_time() - start)
    return min(found)


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the figures."""
    peers = _peers()
    for landmarks in (30, 100):
        yield from _pixels(landmarks, peers)
        yield from _points(landmarks, peers)
    yield from _back()
    yield from _reopened()
    if os.environ.get(LARGE) == "1":
        yield from _slide(SLIDE)


def _pixels(landmarks: int, peers: dict[str, Any]) -> Iterator[tuple[str, Figure]]:
    spline = bend(landmarks, EDGE * PIXEL_UM)
    for channels, what in ((1, "grey"), (3, "RGB")):
        image = np.random.default_rng(SEED).integers(0, 255, (channels, EDGE, EDGE)).astype(np.uint8)
        took = cpu_seconds(lambda image=image: warp_image(image, spline, (EDGE, EDGE), PIXEL_UM, PIXEL_UM))
        data = f"{what}, 8 bit, {EDGE}², thin-plate spline of {landmarks} landmarks"
        floor = 30.0 if channels == 1 else None
        for peer, found in peers.get(str(landmarks), {}).items() if channels == 1 else [("", {})]:
            name = f"pixels moved by {landmarks} landmarks, {what}" + (f", beside {peer}" if peer else "")
            theirs = found.get("mpx")
            yield name, Figure(EDGE**2 / took / 1e6, "Mpx/s", floor, False, peer, theirs, data, SEED)
        if channels == 1 and not peers:
            yield (
                f"pixels moved by {landmarks} landmarks, {what}",
                Figure(EDGE**2 / took / 1e6, "Mpx/s", floor, False, data=data, seed=SEED),
            )
    yield from _off(spline, landmarks)


def _off(spline: ThinPlateSpline, landmarks: int) -> Iterator[tuple[str, Figure]]:
    """Say how far off a pixel may be: a ramp shows where each came from."""
    ramp = np.stack(np.mgrid[:EDGE, :EDGE]).astype(np.float32)
    warped = warp_image(ramp, spline, (EDGE, EDGE), PIXEL_UM, PIXEL_UM, fill=np.nan)
    generator = np.random.default_rng(SEED)
    near = np.repeat(spline.target / PIXEL_UM, 60, 0) + generator.normal(0, 10, (60 * landmarks, 2))
    at = np.rint(np.vstack([generator.uniform(0, EDGE, (20_000, 2)), near])).astype(int)
    at = at[((at >= 0) & (at < EDGE)).all(1)]
    exact = spline.inverse().apply(at * PIXEL_UM) / PIXEL_UM
    inside = ((exact > 0) & (exact < EDGE - 1)).all(1)
    apart = np.linalg.norm(warped[:, at[:, 0], at[:, 1]].T - exact, axis=1)[inside]
    data = f"{inside.sum():,} pixels, a quarter next to landmarks or more"
    yield f"pixels moved by {landmarks} landmarks: farthest off", Figure(float(apart.max()), "px", 0.05, data=data)


def _points(landmarks: int, peers: dict[str, Any]) -> Iterator[tuple[str, Figure]]:
    edge = 10_000.0
    spline, pixel = bend(landmarks, edge), 1.0
    points = np.random.default_rng(SEED).uniform(0, edge, (1_000_000, 2))
    took = cpu_seconds(lambda: move_points(spline, points, 0.05 * pixel))
    data = f"1,000,000 points over 10 mm, {landmarks} landmarks, tolerance 0.05 µm"
    theirs = peers.get(str(landmarks), {}).get("scikit-image", {}).get("points")
    peer = "scikit-image" if theirs is not None else ""
    yield (
        f"a million points moved by {landmarks} landmarks",
        Figure(took, "s", 0.2, peer=peer, peer_value=theirs, data=data, seed=SEED),
    )
    some = np.random.default_rng(1).choice(len(points), 50_000, replace=False)
    apart = np.linalg.norm(move_points(spline, points, 0.05)[some] - spline.apply(points[some]), axis=1)
    name = f"a million points moved by {landmarks} landmarks: farthest off"
    yield name, Figure(float(apart.max()), "µm", 0.05, data=data, seed=SEED)


def _back() -> Iterator[tuple[str, Figure]]:
    edge = EDGE * PIXEL_UM
    spline = bend(50, edge)
    waves = np.stack(np.mgrid[:60, :60], -1)[..., ::-1]
    field = DisplacementField((0, 0), edge / 59, 0.01 * edge * np.sin(waves / 6.0))
    pins = LocalWarp(spline.source[:5], spline.source[:5] + 0.01 * edge, 0.1 * edge)
    where = np.random.default_rng(SEED).uniform(0, edge, (50_000, 2))
    for name, transform in {"spline": spline, "field": field, "pins": pins, "chain": Chain((spline, pins))}.items():
        clear = where[np.linalg.det(transform.jacobian(where)) > 0]
        found = inverse_consistency(transform, clear)
        data = f"50,000 points where it does not fold, {name}"
        for what, value, floor in (("median", found.median_um, 0.05), ("largest", found.largest_um, 0.1)):
            yield f"there and back, {name}: {what}", Figure(value / PIXEL_UM, "px", floor, data=data, seed=SEED)


def _reopened() -> Iterator[tuple[str, Figure]]:
    """Keep a chain of everything in a store, reopen it, and look where it sends points."""
    from napari_spatialml.session import Session
    from napari_spatialml.session.changes import Put
    from napari_spatialml.session.command import Command
    from napari_spatialml.session.fields import restored, stored

    edge = EDGE * PIXEL_UM
    field = DisplacementField.of(bend(60, edge, 1), (0, 0), (edge, edge), edge / 200)
    transform: Transform = Chain((Affine.similarity(1.1, 30, (5, 9), True), field, bend(30, edge).inverse()))
    where = np.random.default_rng(SEED).uniform(-0.1 * edge, 1.1 * edge, (20_000, 2))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.environ["NAPARI_SPATIALML_STATE"] = str(Path(folder) / "state")
        session = Session.start(_section(np.zeros((1, 64, 64), np.uint8), []))
        values, changes = stored(session.document, transform)
        session.execute(Command("keep", (*changes, Put(("attrs", "alignments"), None, {"moving": values}))))
        session.save(Path(folder) / "kept.zarr")
        session.close()
        again = Session.open_store(Path(folder) / "kept.zarr")
        back = restored(again.document, again.document.attribute("alignments")["moving"])
        again.close()
    apart = np.linalg.norm(back.apply(where) - transform.apply(where), axis=1).max() / PIXEL_UM
    data = "affine, field of 205² nodes, inverse spline of 30 landmarks"
    yield "saved and reopened: farthest off", Figure(float(apart), "px", 0.01, data=data, seed=SEED)


def _section(image: Any, factors: list[int]) -> Any:
    from spatialdata import SpatialData
    from spatialdata.models import Image2DModel
    from spatialdata.transformations import Scale

    lies = {"moving": Scale([PIXEL_UM, PIXEL_UM], ("x", "y"))}
    made = Image2DModel.parse(image, dims=("c", "y", "x"), transformations=lies, scale_factors=factors or None)
    attrs = {"spatialml": {"version": 1, "um_per_unit": {"moving": 1.0, "global": 1.0}}}
    return SpatialData.init_from_elements({"slide": made}, attrs=attrs)


# a whole slide, in processes of its own -----------------------------------------------------------


def _slide(edge: int) -> Iterator[tuple[str, Figure]]:
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        store = Path(folder) / "slide.zarr"
        _child("plant", store, edge)
        found = _child("move", store, edge)
    data = f"grey, 8 bit, {edge:,}² and its pyramid, 50 landmarks, from store to store"
    yield "a slide moved and saved: memory at its peak", Figure(found["peak_mb"], "MB", 2000.0, data=data, seed=SEED)
    yield (
        "a slide moved and saved: speed, disk and packing included",
        Figure(edge**2 / found["seconds"] / 1e6, "Mpx/s", data=data, seed=SEED),
    )
    yield "a slide moved, before anyone looks", Figure(1000 * found["made"], "ms", data=data, seed=SEED)


def _child(what: str, store: Path, edge: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.registration.warping", what, str(store), str(edge)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def plant(store: Path, edge: int) -> dict[str, Any]:
    """Write a slide of waves and grain, tile by tile."""
    import dask.array as da

    def tile(block_info: Any = None) -> Any:
        (_, _), (y0, y1), (x0, x1) = block_info[None]["array-location"]
        y, x = np.arange(y0, y1)[:, None], np.arange(x0, x1)[None]
        grain = np.random.default_rng([SEED, y0, x0]).integers(0, 20, (y1 - y0, x1 - x0))
        return (110 + 90 * np.sin(y / 97) * np.cos(x / 131) + grain).astype(np.uint8)[None]

    chunks = ((1,), *[tuple(np.diff([*range(0, edge, 1024), edge]).tolist())] * 2)
    _section(da.map_blocks(tile, chunks=chunks, dtype=np.uint8), [2, 2, 2, 2]).write(store)
    return {}


def move(store: Path, edge: int) -> dict[str, Any]:
    """Move a slide by a spline the way accepting an alignment does, save it, and say what that took."""
    import resource

    import dask

    from napari_spatialml.session import Session
    from napari_spatialml.session.command import Command
    from napari_spatialml.session.warping import warped_elements

    dask.config.set(num_workers=1)
    session = Session.open_store(store)
    start = time.perf_counter()
    spline = bend(50, edge * PIXEL_UM)
    changes = warped_elements(session.document, ["slide"], "moving", "global", spline)
    session.execute(Command("register", tuple(changes)))
    made, cpu = time.perf_counter() - start, time.process_time()
    session.save()
    seconds = time.process_time() - cpu
    session.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return {"peak_mb": peak, "seconds": seconds, "made": made}


# other programs ------------------------------------------------------------------------------------


def _peers() -> dict[str, Any]:
    """Return what other programs take: by the number of landmarks, then by program."""
    python = os.environ.get(PEER, "")
    if not python:
        print(f"{PEER} names no Python: SimpleITK and scikit-image are left out.", file=sys.stderr)
        return {}
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for landmarks in (30, 100):
            file = Path(folder) / f"{landmarks}.npz"
            spline = bend(landmarks, PEER_EDGE * PIXEL_UM)
            field = DisplacementField.of(
                spline.inverse(), (0, 0), (PEER_EDGE * PIXEL_UM,) * 2, 8 * PIXEL_UM
            )  # what resampling needs: from the output to the image
            np.savez(file, source=spline.source, target=spline.target, pixel_um=PIXEL_UM, edge=PEER_EDGE,
                     origin=field.origin, spacing=field.spacing_um, moved=field.displacement_um)  # fmt: skip
            script = str(Path(__file__).with_name("warping_peer.py"))
            done = subprocess.run([python, script, str(file)], capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"{script} failed:\n{done.stderr[-2000:]}")
            found[str(landmarks)] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    """Do what one of the measured processes does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["plant", "move"])
    parser.add_argument("store", type=Path)
    parser.add_argument("edge", type=int)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print(json.dumps((plant if given.what == "plant" else move)(given.store, given.edge)))


if __name__ == "__main__":
    main()
