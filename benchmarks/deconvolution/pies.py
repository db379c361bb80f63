"""How soon 50,000 pies follow the view and a change of all proportions, beside napari's own points.

A window of its own is opened, under Xvfb where there is no display. A frame is the time from a moved camera until
OpenGL has painted it. Three zooms: the whole section, where a spot is a few pixels; spots of about 20 pixels; and
of about 60. The peer is napari's layer of the same 50,000 points with a colour each, and beside both the same frame
without either. Where a processor paints (Mesa's llvmpipe) instead of a graphics card, the floor is the peer's time.
A change of proportions has two figures: what it takes of the window's thread until everything is handed to OpenGL,
and the time until it is painted, which has no floor where a processor paints.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..figures import Figure

N, TYPES, PITCH_UM, ACROSS_UM, SEED = 50_000, 15, 100.0, 55.0, 0
FRAME_MS, UPDATE_MS = 50.0, 500.0
FRAMES, WIDTH, HEIGHT = 9, 1_400, 950
LOOKS = ("nothing", "pies", "rings", "points")
ZOOMS = {"the whole section": 0.0, "spots of 20 px": 20.0, "spots of 60 px": 60.0}


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the time of a frame at each zoom, and that of a change."""
    command = [sys.executable, "-m", "benchmarks.deconvolution.pies"]
    if not os.environ.get("DISPLAY"):
        if shutil.which("xvfb-run") is None:
            print("pies: left out, there is no display and no xvfb-run", file=sys.stderr)
            return
        command = ["xvfb-run", "-a", "-s", f"-screen 0 {WIDTH + 100}x{HEIGHT + 100}x24", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    data = f"{N:,} spots, {TYPES} types, canvas of {found['width']} × {found['height']} px, {found['renderer']}"
    for name in ZOOMS:
        here = found["frames"][name]
        floor = here["points"] if "llvmpipe" in found["renderer"] else FRAME_MS
        peer = f"napari's points; the frame without either: {here['nothing']:.0f} ms"
        said = {"data": data, "seed": SEED, "peer": peer, "peer_value": here["points"]}
        yield f"a frame, {name}", Figure(here["pies"], "ms", floor, **said)
        yield f"a frame with rings, {name}", Figure(here["rings"], "ms", None, **said)
    for name, (ready, painted) in found["changes"].items():
        floor = None if "llvmpipe" in found["renderer"] else UPDATE_MS
        yield f"{name}, handed to OpenGL", Figure(ready, "ms", UPDATE_MS, data=data, seed=SEED)
        yield f"{name}, painted", Figure(painted, "ms", floor, data=data, seed=SEED)


def section() -> Any:
    """Return 50,000 spots on a hexagonal grid with proportions, and how unsure they are."""
    import pandas as pd
    from anndata import AnnData
    from spatialdata import SpatialData
    from spatialdata.models import ShapesModel, TableModel
    from spatialdata.transformations import Identity

    rng = np.random.default_rng(SEED)
    side = int(np.ceil(np.sqrt(N)))
    row, column = np.divmod(np.arange(N), side)
    xy = np.column_stack([(column + 0.5 * (row % 2)) * PITCH_UM, row * PITCH_UM * np.sqrt(0.75)])
    ids = np.arange(N)
    spots = ShapesModel.parse(
        xy, geometry=0, radius=ACROSS_UM / 2, index=pd.Index(ids), transformations={"global": Identity()}
    )
    obs = pd.DataFrame({"region": pd.Categorical(["spots"] * N), "instance_id": ids}, index=ids.astype(str))
    table = AnnData(np.ones((N, 1), np.float32), obs=obs)
    names = [f"type {k}" for k in range(TYPES)]
    shares = rng.dirichlet(np.full(TYPES, 0.3), N)
    table.obsm["proportions"] = pd.DataFrame(shares, index=obs.index, columns=names)
    table.obs["proportions_dominant"] = pd.Categorical.from_codes(shares.argmax(1), names)
    table.obs["proportions_uncertainty"] = rng.uniform(0, 0.3, N)
    table = TableModel.parse(table, region="spots", region_key="region", instance_key="instance_id")
    whole = SpatialData.init_from_elements({"spots": spots, "counts": table})
    whole.attrs["spatialml"] = {"version": 1, "um_per_unit": {"global": 1.0}}
    return whole


class _Frames:
    """Paints frames of a window and takes their times."""

    def __init__(self, viewer: Any) -> None:
        from qtpy.QtWidgets import QApplication
        from vispy import gloo

        self.viewer, self.process = viewer, QApplication.processEvents
        self.canvas = viewer.window._qt_viewer.canvas
        self.scene, self.painted = self.canvas._scene_canvas, list[float]()

        def paint(_event: object) -> None:
            gloo.context.get_current_canvas().context.finish()
            self.painted.append(time.perf_counter())

        self.scene.events.draw.connect(paint, position="last")
        self.settle()
        self.scene.set_current()
        self.renderer = str(gloo.gl.glGetParameter(gloo.gl.GL_RENDERER))

    def settle(self) -> None:
        for _ in range(10):
            self.process()

    def ms(self, act: Callable[[], Any]) -> float:
        """Return the time from an act until the next frame is painted."""
        self.settle()
        begun, before = time.perf_counter(), len(self.painted)
        act()
        self.scene.update()
        while len(self.painted) == before:
            self.process()
        return 1e3 * (self.painted[-1] - begun)

    def pan(self, zoom: float) -> float:
        """Return the median time of a frame while the view is moved and zoomed."""
        camera, taken = self.viewer.scene.camera, list[float]()
        if zoom:
            camera.zoom = zoom
        else:
            self.viewer.fit_to_view()
        y, x = camera.center[-2:]
        near = float(camera.zoom)
        for k in range(FRAMES + 2):

            def move(k: int = k) -> None:
                camera.center = (0.0, y + 7.0 * k / near, x + 11.0 * k / near)
                camera.zoom = near * (1 + 0.01 * (k % 3))

            taken.append(self.ms(move))
        camera.center, camera.zoom = (0.0, y, x), near
        return statistics.median(taken[2:])


def _run() -> dict[str, Any]:
    import napari

    from napari_spatialml.session import Session
    from napari_spatialml.views import Presenter

    viewer = napari.Viewer(show=False)
    window = viewer.window._qt_viewer
    for dock in (window.dockLayerList, window.dockLayerControls):
        dock.hide()
    viewer.window._qt_window.resize(WIDTH, HEIGHT)
    viewer.show()
    session = Session.start(section())
    presenter = Presenter(viewer, session)
    presenter.show()
    presenter.show_pies("spots", "counts", ring=False)
    frames = _Frames(viewer)
    shown = presenter.layer_of("spots")
    own = viewer.add_points(shown.data, size=ACROSS_UM, face_color=shown.face_color, border_width=0, visible=False)
    found: dict[str, dict[str, float]] = {name: {} for name in ZOOMS}
    for name, px in ZOOMS.items():
        for look in LOOKS:
            presenter.show_pies("spots", "counts", ring=look == "rings")
            shown.visible, own.visible = look in ("pies", "rings"), look == "points"
            found[name][look] = frames.pan(px / ACROSS_UM)
    own.visible, shown.visible = False, True
    result = {"frames": found, "changes": _changes(presenter, frames), "renderer": frames.renderer}
    result |= {"width": frames.canvas.native.width(), "height": frames.canvas.native.height()}
    viewer.close()
    session.close()
    return result


def _changes(presenter: Any, frames: _Frames) -> dict[str, tuple[float, float]]:
    """Return what a command takes of the window's thread, and the time until its picture is painted.

    The commands change the proportions of all spots and of ten, and undo the change of all; the journal is written.
    """
    from napari_spatialml.session.command import Command
    from napari_spatialml.session.store import put

    slot, session = ("tables", "counts", "obsm", "proportions"), presenter.session
    frames.viewer.fit_to_view()
    taken: dict[str, list[tuple[float, float]]] = {"all": [], "ten": [], "undo": []}

    def timed(name: str, act: Callable[[], Any]) -> None:
        mine: list[float] = []

        def run() -> None:
            begun = time.thread_time()
            act()
            mine.append(1e3 * (time.thread_time() - begun))

        painted = frames.ms(run)
        taken[name].append((mine[0], painted))

    for k in range(4):
        for name, rows in (("all", slice(None)), ("ten", slice(100 * k, 100 * k + 10))):
            frame = presenter.document.table("counts").obsm["proportions"].copy()
            frame.iloc[rows] = np.roll(frame.iloc[rows].to_numpy(), 1, 1)
            command = Command("other proportions", (put(presenter.document, slot, frame),))
            timed(name, lambda c=command: session.execute(c))  # type: ignore[misc]
        presenter.undo()
        timed("undo", presenter.undo)
    named = {"all": "other proportions of all spots", "ten": "other proportions of ten spots", "undo": "undo of all"}
    medians = {n: [statistics.median(part) for part in zip(*times[1:], strict=True)] for n, times in taken.items()}
    return {named[n]: (ready, painted) for n, (ready, painted) in medians.items()}


if __name__ == "__main__":
    print(json.dumps(_run()))
