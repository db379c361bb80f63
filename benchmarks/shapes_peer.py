"""What napari-spatialdata does with the same shapes; run by its own Python, see `shapes`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def peak_mb() -> float:
    """Return the most memory that this process has held, in MB."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1000
    raise SystemExit("The system does not say how much memory a process has held.")


def warm(viewer: Any) -> None:
    """Let napari do once what it does for the first layer of a window, whatever that holds."""
    import numpy as np

    layer = viewer.add_image(np.zeros((9, 9), np.float32), units=("µm", "µm"))
    viewer.screenshot(flash=False)
    viewer.layers.remove(layer)


def timed(viewer: Any, action: Callable[[], Any], name: str) -> dict[str, float]:
    """Return the seconds that an action takes until it is seen, and those of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    viewer.screenshot(flash=False)
    return {name: time.perf_counter() - wall, f"{name}_cpu": time.process_time() - cpu}


def measure(store: str, feature: str) -> dict[str, Any]:
    """Show the cells of a store, colour them, and say what became of their outlines."""
    import napari
    import spatialdata
    from napari_spatialdata import Interactive
    from napari_spatialdata._view import QtAdataViewWidget

    section = spatialdata.read_zarr(store)
    outlined = "cells" in section.shapes
    viewer = napari.Viewer(show=True)
    model = Interactive(section, headless=True)._sdata_widget.viewer_model
    warm(viewer)
    before = peak_mb()
    get = model.get_sdata_shapes if outlined else model.get_sdata_labels
    made: list[Any] = []

    def add() -> None:
        made.append(get(section, "cells", "global", False))
        model.add_layer(made[0])

    found: dict[str, Any] = {**timed(viewer, add, "first"), "memory": peak_mb() - before}
    layer = made[0]
    if outlined:
        layer.metadata["_columns_df"] = None  # of multi-polygons a frame, at which its own widget fails
    viewer.layers.selection.active = layer
    view = QtAdataViewWidget(viewer)
    found |= timed(viewer, lambda: view.var_widget._onAction((feature,)), "recolour")
    if outlined:
        found |= _kept(layer, section.shapes["cells"].geometry.to_numpy())
    viewer.close()
    return found


def _kept(layer: Any, own: Any) -> dict[str, float]:
    """Return the share of outlines that are drawn as they are stored, and by how much the drawn ones overlap them."""
    import numpy as np
    import shapely

    drawn = [shapely.Polygon(np.asarray(ring)[:, -2:][:, ::-1]) for ring in layer.data]
    equal = sum(bool(d.equals(o)) for d, o in zip(drawn, own, strict=True)) / len(own)
    a, b = shapely.make_valid(drawn), shapely.make_valid(own)
    shared = shapely.area(shapely.intersection(a, b)) / shapely.area(shapely.union(a, b))
    return {"equal": equal, "overlap": float(np.median(shared))}


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:3])))
