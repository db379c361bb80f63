"""How soon the moving side follows a landmark that is dragged: a spline of 30 landmarks, a view of 2,000 pixels.

A window of its own is opened, under Xvfb where there is no display. Two figures: until everything is handed to
OpenGL, and until the frame is painted, beside a frame in which nothing has moved. A graphics card paints in a few
milliseconds; where a processor does (Mesa's llvmpipe), the frame alone takes longer than the floor, and the
second figure has none.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np

from ..figures import Figure

N_LANDMARKS, VIEW, EDGE, MOVES, SEED = 30, 2_000, 4_000, 15, 0
FLOOR_MS = 100.0


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the time from a moved landmark to the moved overlay."""
    command = [sys.executable, "-m", "benchmarks.registration.overlay"]
    if not os.environ.get("DISPLAY"):
        if shutil.which("xvfb-run") is None:
            print("overlay: left out, there is no display and no xvfb-run", file=sys.stderr)
            return
        command = ["xvfb-run", "-a", "-s", f"-screen 0 {VIEW + 100}x{VIEW + 200}x24", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    data = (f"spline of {N_LANDMARKS} landmarks, image of {EDGE} × {EDGE} px on one of the same size, "
            f"canvas of {found['width']} × {found['height']} px, {found['renderer']}")  # fmt: skip
    yield "drag to overlay, handed to OpenGL", Figure(found["ready_ms"], "ms", FLOOR_MS, data=data, seed=SEED)
    floor = None if "llvmpipe" in found["renderer"] else FLOOR_MS
    still = {"peer": "the same frame, nothing moved", "peer_value": found["still_ms"]}
    yield "drag to overlay, painted", Figure(found["painted_ms"], "ms", floor, data=data, seed=SEED, **still)


def _section() -> object:
    from spatialdata import SpatialData
    from spatialdata.models import Image2DModel
    from spatialdata.transformations import Identity

    rng = np.random.default_rng(SEED)
    blocks = rng.integers(60, 240, (2, 3, EDGE // 40, EDGE // 40), dtype=np.uint8)
    images = {}
    for name, system, block in zip(("fixed", "moving"), ("global", "moving"), blocks, strict=True):
        pixels = np.kron(block, np.ones((1, 40, 40), np.uint8))
        images[name] = Image2DModel.parse(pixels, dims=("c", "y", "x"), c_coords=["r", "g", "b"],
                                          scale_factors=[2, 2], transformations={system: Identity()})  # fmt: skip
    section = SpatialData(images=images)
    moving = rng.uniform(0.05 * EDGE, 0.95 * EDGE, (N_LANDMARKS, 2))
    fixed = moving + rng.normal(0, 0.005 * EDGE, moving.shape)
    pairs = {"fixed": "global", "moving": "moving", "fixed_um": fixed.tolist(), "moving_um": moving.tolist()}
    section.attrs["spatialml"] = {"version": 1, "um_per_unit": {"global": 1.0, "moving": 1.0},
                                  "landmarks": {"moving": pairs}}  # fmt: skip
    return section


def _run() -> dict[str, float | int | str]:
    import napari
    from qtpy.QtWidgets import QApplication
    from vispy import gloo

    from napari_spatialml.core.transform import Affine
    from napari_spatialml.session import Session
    from napari_spatialml.views import Presenter
    from napari_spatialml.views.tools import Pointer

    viewer = napari.Viewer(show=False)
    window = viewer.window._qt_viewer
    for dock in (window.dockLayerList, window.dockLayerControls):
        dock.hide()
    viewer.window._qt_window.setMinimumSize(VIEW + 40, VIEW + 60)
    viewer.show()
    session = Session.start(_section())
    presenter = Presenter(viewer, session)
    presenter.show(shown=("fixed",))
    presenter.overlay.show("moving", "moving", Affine.identity())
    presenter.use("landmark", landmarks="moving", model="spline")
    canvas = window.canvas
    scene = canvas._scene_canvas
    for _ in range(5):
        QApplication.processEvents()
    start = np.asarray(session.document.attribute("landmarks")["moving"]["fixed_um"][4])
    tool = presenter.current
    assert tool is not None
    tool.press(Pointer(start))
    painted: list[float] = []

    def paint(_event: object) -> None:
        gloo.context.get_current_canvas().context.finish()
        painted.append(time.perf_counter())

    scene.events.draw.connect(paint, position="last")
    ready, frames, still = list[float](), list[float](), list[float]()
    for step in range(2 * MOVES + 6):
        begun, before, moves = time.perf_counter(), len(painted), step % 2 == 0
        if moves:
            tool.move(Pointer(start + np.array([3.0, 2.0]) * step))
            ready.append(time.perf_counter() - begun)
        scene.update()
        while len(painted) == before:
            QApplication.processEvents()
        (frames if moves else still).append(painted[-1] - begun)
    scene.set_current()
    renderer = gloo.gl.glGetParameter(gloo.gl.GL_RENDERER)
    found = {
        "ready_ms": 1e3 * statistics.median(ready[3:]),
        "painted_ms": 1e3 * statistics.median(frames[3:]),
        "still_ms": 1e3 * statistics.median(still[3:]),
        "width": canvas.native.width(),
        "height": canvas.native.height(),
        "renderer": str(renderer),
    }
    viewer.close()
    session.close()
    return found


if __name__ == "__main__":
    print(json.dumps(_run()))
