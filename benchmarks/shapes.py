"""Outlined cells and bins by the hundred thousand: the first picture, recolouring, moving, and whether all is kept.

``python -m benchmarks shapes --json OUT`` plants 100,000 and 500,000 cells of 25 corners, some with a hole or
two parts, and three million bins, and shows each in a real window in a process of its own. With the
environment variable ``NAPARI_SPATIALML_PEER_PYTHON`` naming a Python that has napari-spatialdata, that program
shows fewer cells and bins in the same run, and we the same ones beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .figures import Figure
from .planted_shapes import bins, cells
from .shapes_peer import peak_mb, timed, warm

SUBJECT = "shapes"
PEER = "NAPARI_SPATIALML_PEER_PYTHON"
PEER_NAME = "napari-spatialdata"
CELLS = (100_000, 500_000)
BINS = (2000, 1500)
PEER_CELLS, PEER_BINS = 10_000, (500, 500)
STEPS = (
    ("first", 3.0, "first picture"),
    ("recolour", 0.5, "recolour by another gene"),
    ("view", 0.3, "pan to a new view, close up"),
)
"""What is timed, the most seconds that it may take, and what it is called."""
SEED = 0


def show(store: Path, feature: str) -> dict[str, Any]:
    """Show what a store holds; return seconds to each picture, MB above the empty window, and what is kept."""
    import napari

    from napari_spatialml.session import Session
    from napari_spatialml.views import ColourBy, Presenter

    _compile()
    session = Session.open_store(store)
    viewer = napari.Viewer(show=True)
    presenter = Presenter(viewer, session)
    warm(viewer)
    before = peak_mb()
    presenter.state = presenter.state.__class__(colours={"cells": ColourBy("counts", "X/gene1")})
    found = {**timed(viewer, presenter.show, "first"), "memory": peak_mb() - before}
    colour = ColourBy("counts", f"X/{feature}")
    found |= timed(viewer, lambda: presenter.colour_by("cells", colour), "recolour")
    camera = viewer.scene.camera
    camera.zoom *= 30
    viewer.screenshot(flash=False)
    y, x = camera.center[-2:]
    step = 500 / camera.zoom
    views = [timed(viewer, lambda k=k: _move(camera, y + k * step, x), "view") for k in (2, 5, 9)]
    found |= {key: float(np.median([view[key] for view in views])) for key in views[0]}
    if session.document.type_of("cells") == "shapes":
        found |= _kept(presenter)
    viewer.close()
    return found


def _kept(presenter: Any) -> dict[str, float]:
    import shapely

    from napari_spatialml.views.outlines import shapes_of

    own = presenter.document.element("cells")
    start = time.perf_counter()
    back = shapes_of(presenter.layer_of("cells"), own)
    seconds = time.perf_counter() - start
    same = shapely.to_wkb(back.geometry.to_numpy()) == shapely.to_wkb(own.geometry.to_numpy())
    return {"equal": float(np.mean(same & (back.index == own.index))), "back": seconds}


def _compile() -> None:
    """Load the compiled loops, as a program that has run before has them."""
    from napari_spatialml.core.bin_levels import mean_levels
    from napari_spatialml.core.polygons import polygons_of
    from napari_spatialml.core.transform import Affine
    from napari_spatialml.views.shape_levels import levels_of
    from napari_spatialml.views.shape_tiles import Outlined

    from .planted_shapes import outlines

    tiles = Outlined(polygons_of(outlines(20, 0)), Affine.identity(), np.ones(20, bool))
    for lines in (False, True):
        for level in levels_of(tiles, np.full((20, 4), 255, np.uint8), lines=lines)[-4:]:
            level[:9, :9]
    mean_levels(np.zeros((1100, 1100), np.float32))


def _move(camera: Any, y: float, x: float) -> None:
    camera.center = (y, x)


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the figures. Needs a display, such as Xvfb."""
    with tempfile.TemporaryDirectory() as folder:
        for n in CELLS:
            store = Path(folder) / f"{n}.zarr"
            cells(n, SEED).write(store)
            yield from _figures(f"{n:,} cells", _apart(store), f"planted, {n:,} cells of 25 corners, ids in words")
        store = Path(folder) / "bins.zarr"
        bins(BINS, SEED).write(store)
        n_bins = BINS[0] * BINS[1]
        yield from _figures(f"{n_bins:,} bins", _apart(store), f"planted, {n_bins:,} bins × 100 genes")
        python = os.environ.get(PEER, "")
        if python:
            yield from _beside(python, Path(folder))


def _figures(what: str, found: dict[str, Any], data: str) -> Iterator[tuple[str, Figure]]:
    for key, floor, name in STEPS:
        yield f"{what}: {name}", Figure(found[key], "s", floor, data=data, seed=SEED)
        yield f"{what}: {name}, processor", Figure(found[f"{key}_cpu"], "s", data=data, seed=SEED)
    yield f"{what}: memory for the first picture", Figure(found["memory"], "MB", data=data, seed=SEED)
    if "equal" in found:
        name = f"{what}: element to layer to element, equal to the last bit"
        yield name, Figure(100 * found["equal"], "%", 100.0, lower_is_better=False, data=data, seed=SEED)


def _beside(python: str, folder: Path) -> Iterator[tuple[str, Figure]]:
    """Measure the other program and ours on the same cells and bins; its ids must be numbers."""
    made = {"cells": cells(PEER_CELLS, SEED, numbered=True), "bins": bins(PEER_BINS, SEED)}
    for kind, document in made.items():
        store = folder / f"peer_{kind}.zarr"
        document.write(store)
        own = _apart(store)
        script = str(Path(__file__).with_name("shapes_peer.py"))
        theirs = _run([python, script, str(store), "gene3"])
        n = PEER_CELLS if kind == "cells" else PEER_BINS[0] * PEER_BINS[1]
        data = f"planted, {n:,} {kind}"
        for key, _, name in STEPS[:2]:
            for of, clock in ((key, ""), (f"{key}_cpu", ", processor")):
                figure = Figure(own[of], "s", peer=PEER_NAME, peer_value=theirs[of], data=data, seed=SEED)
                yield f"{n:,} {kind} beside {PEER_NAME}: {name}{clock}", figure
        figure = Figure(own["memory"], "MB", peer=PEER_NAME, peer_value=theirs["memory"], data=data, seed=SEED)
        yield f"{n:,} {kind} beside {PEER_NAME}: memory for the first picture", figure
        if kind == "cells":
            name = f"{n:,} cells beside {PEER_NAME}: outlines that are drawn as they are stored"
            equal = 100 * theirs["equal"]
            yield name, Figure(100 * own["equal"], "%", 100.0, False, PEER_NAME, equal, data, SEED)
            name = f"{n:,} cells in {PEER_NAME}: overlap of what is drawn with what is stored, median"
            yield name, Figure(theirs["overlap"], "of 1", data=data, seed=SEED)


def _apart(store: Path) -> dict[str, Any]:
    return _run([sys.executable, "-m", "benchmarks.shapes", "--child", str(store)])


def _run(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    """Show one store, as one of the measured processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", type=Path, required=True)
    given = parser.parse_args()
    print(json.dumps(show(given.child, "gene3")))


if __name__ == "__main__":
    main()
