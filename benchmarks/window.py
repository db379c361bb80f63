"""How long the first window takes: from the start of the process to a painted canvas with the section on it.

``python -m benchmarks window --json OUT`` makes a section of 5,000 spots × 1,000 genes over a
histology image of 2,000 × 2,000 pixels, opens it in fresh processes, and writes the figure.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure

SUBJECT = "window"
N_SPOTS, N_GENES, EDGE = 5_000, 1_000, 2_000
FLOOR_S = 8.0
SEED = 0


def make_section(path: Path) -> None:
    """Write a simulated section as a SpatialData store: blobs of stain, and spots whose counts follow them."""
    import pandas as pd
    from anndata import AnnData
    from scipy.ndimage import gaussian_filter
    from scipy.sparse import csr_matrix
    from spatialdata import SpatialData
    from spatialdata.models import Image2DModel, ShapesModel, TableModel
    from spatialdata.transformations import Identity, Scale

    rng = np.random.default_rng(SEED)
    stain = gaussian_filter(rng.normal(size=(EDGE // 8, EDGE // 8)), 8)
    stain = np.kron((stain - stain.min()) / np.ptp(stain), np.ones((8, 8)))
    tint = np.array([0.25, 0.6, 0.3])[:, None, None]
    image = (255 * (1 - tint * stain) - rng.integers(0, 12, (3, EDGE, EDGE))).astype(np.uint8)
    side = int(np.ceil(np.sqrt(N_SPOTS)))
    at = (np.stack(np.divmod(np.arange(N_SPOTS), side), 1) + 0.5) * EDGE / side
    rate = 0.2 + stain[at[:, 0].astype(int), at[:, 1].astype(int)][:, None] * rng.gamma(0.3, 2.0, N_GENES)
    counts = csr_matrix(rng.poisson(rate).astype(np.float32))
    ids = np.arange(1, N_SPOTS + 1)
    obs = pd.DataFrame({"region": pd.Categorical(["spots"] * N_SPOTS), "instance_id": ids}, index=ids.astype(str))
    table = AnnData(counts, obs=obs, var=pd.DataFrame(index=[f"gene{k}" for k in range(N_GENES)]))
    he = Image2DModel.parse(image, dims=("c", "y", "x"), c_coords=["r", "g", "b"], scale_factors=[2, 2],
                            transformations={"global": Scale([1.0, 1.0], axes=("x", "y"))})  # fmt: skip
    circles = ShapesModel.parse(at[:, ::-1].copy(), geometry=0, radius=0.27 * EDGE / side, index=pd.Index(ids),
                                transformations={"global": Identity()})  # fmt: skip
    annotated = TableModel.parse(table, region="spots", region_key="region", instance_key="instance_id")
    section = SpatialData(images={"he": he}, shapes={"spots": circles}, tables={"counts": annotated})
    section.attrs["spatialml"] = {"version": 1, "um_per_unit": {"global": 1.0}}
    section.write(path)


def open_and_wait(store: Path, started: float) -> None:
    """Open the section in this process; print the seconds from ``started`` until it is painted."""
    from napari_spatialml.widgets.launch import open_window, wait_until

    viewer, bench = open_window()
    bench.desk.opening.open([store], um_per_unit=1.0)
    if not wait_until(lambda: bench.desk.presenter is not None and len(viewer.layers) >= 2, 120):
        raise SystemExit("The section did not open.")
    canvas = viewer.window._qt_viewer.canvas
    painted: list[float] = []
    canvas._scene_canvas.events.draw.connect(lambda _event: painted.append(time.time()), position="last")
    canvas.native.update()
    wait_until(lambda: len(painted) > 0, 60)
    picture = viewer.screenshot(canvas_only=True, flash=False)
    colours = len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0))
    print(json.dumps({"seconds": painted[0] - started, "cpu": time.process_time(), "colours": colours}))
    viewer.close()


def measure(runs: int = 3) -> Iterator[tuple[str, Figure]]:
    """Yield the figure: the median over fresh processes. Needs a display, such as Xvfb."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "section.zarr"
        make_section(store)
        found = []
        for _ in range(runs):
            command = [sys.executable, "-m", "benchmarks.window", "--child", str(store), "--started", repr(time.time())]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found.append(json.loads(done.stdout.strip().splitlines()[-1]))
    if min(run["colours"] for run in found) < 100:
        raise SystemExit("The canvas was painted, but not with the section.")
    data = f"simulated, {N_SPOTS:,} spots × {N_GENES:,} genes, image {EDGE:,} × {EDGE:,}"
    seconds = statistics.median(run["seconds"] for run in found)
    yield "first window", Figure(seconds, "s", floor=FLOOR_S, data=data, seed=SEED)
    yield "first window, processor time", Figure(statistics.median(run["cpu"] for run in found), "s", data=data)


def main() -> None:
    """Open the window once, as one of the measured processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", type=Path, required=True)
    parser.add_argument("--started", type=float, required=True)
    given = parser.parse_args()
    open_and_wait(given.child, given.started)


if __name__ == "__main__":
    main()
