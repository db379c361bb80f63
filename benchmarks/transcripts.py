"""Millions of transcripts in a real window: the first picture, a gene switch, a move at point level, a box query.

``xvfb-run -a python -m benchmarks transcripts``. Each size is measured in a process of its own, on files that are
generated; where `KEPT` names a folder, they are kept there with their indexes and used again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .figures import Figure
from .generated_points import Tissue, write_points
from .recount import LARGE

__all__ = ["SUBJECT", "measure"]

SUBJECT = "transcripts"
KEPT = "NAPARI_SPATIALML_BENCHMARK_DATA"
PEER = "NAPARI_SPATIALML_PEER_PYTHON"
"""An interpreter of an environment with napari-spatialdata: it opens the same store, beside ours."""
FIRST_S, GENE_MS, PAN_MS, BOX_S, BOX_MB, TIMES_LESS = 3.0, 150.0, 300.0, 0.3, 500.0, 50.0
FLAT_MB = 300.0
"""The index of the largest section may take so much more memory than that of the smallest."""
SMALL = (Tissue(1_000_000, 300), Tissue(1_000_000, 5_000))
MANY = (Tissue(10_000_000, 300), Tissue(42_000_000, 300))
MOST = (Tissue(100_000_000, 300),)


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the figures of 1 million; with `LARGE` set to 1, of 10 and 42 million; set to 2, of 100 million too."""
    chosen = {"1": SMALL + MANY, "2": SMALL + MANY + MOST}.get(os.environ.get(LARGE, ""), SMALL)
    added: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(os.environ.get(KEPT, "") or name)
        for tissue in chosen:
            yield from _of(tissue, _store(tissue, folder), folder, added)
    grown = max(added) - added[0]
    said = f"{chosen[0].transcripts:,} to {chosen[-1].transcripts:,} transcripts"
    yield "index: memory that grows with them", Figure(grown, "MB", FLAT_MB, data=said, seed=0)


def _of(tissue: Tissue, store: Path, folder: Path, added: list[float]) -> Iterator[tuple[str, Figure]]:
    begin = f"{tissue.transcripts // 1_000_000} M, {tissue.genes:,} genes"
    data = (
        f"simulated: {tissue.transcripts:,} transcripts in {tissue.edge_um / 1000:.1f} × {tissue.edge_um / 1000:.1f} mm"
    )

    def figure(value: float, unit: str, floor: float | None = None, **more: Any) -> Figure:
        return Figure(value, unit, floor, data=more.pop("data", data), seed=tissue.seed, **more)

    index = _child("index", store, folder)
    added.append(index["memory_mb"])
    yield f"{begin}: first picture without an index", figure(index["first_s"], "s", data=f"of what was read; {data}")
    yield f"{begin}: index, made once beside the window", figure(index["seconds"], "s")
    yield f"{begin}: index, memory added", figure(index["memory_mb"], "MB")
    found, theirs = _child("look", store, folder), _peer(store)
    yield f"{begin}: index, opened and checked", figure(found["checked_s"], "s")
    said = f"{data}; {found['first_work']:.1f} s of the processor"
    beside: dict[str, Any] = {"peer": "napari-spatialdata", "peer_value": theirs.get("first_s")} if theirs else {}
    yield f"{begin}: first picture", figure(found["first_s"], "s", FIRST_S, data=said, **beside)
    beside = {"peer": "napari-spatialdata", "peer_value": theirs.get("memory_mb")} if theirs else {}
    yield f"{begin}: first picture, memory added", figure(found["first_mb"], "MB", **beside)
    if theirs:
        less = theirs["memory_mb"] / max(found["first_mb"], 1.0)
        floor = TIMES_LESS if tissue.transcripts >= 42_000_000 else None
        yield f"{begin}: times less memory", figure(less, "×", floor, lower_is_better=False, data=theirs["said"])
    yield f"{begin}: gene switch, whole section", figure(found["gene_ms"], "ms", GENE_MS, data=_work(found, "gene"))
    yield (
        f"{begin}: gene switch, at point level",
        figure(found["gene_near_ms"], "ms", GENE_MS, data=_work(found, "gene_near")),
    )
    said = f"{found['points']:,} points in view; {_work(found, 'pan')}"
    yield f"{begin}: move to a new view at point level", figure(found["pan_ms"], "ms", PAN_MS, data=said)
    said = f"{found['three']:,} points of three genes in view; {_work(found, 'pan_three')}"
    yield f"{begin}: the same with three genes", figure(found["pan_three_ms"], "ms", PAN_MS, data=said)
    said = f"{found['box_n']:,} transcripts in 1 × 1 mm"
    yield f"{begin}: box query", figure(found["box_s"], "s", BOX_S, data=said)
    yield f"{begin}: box query, memory added", figure(found["box_mb"], "MB", BOX_MB, data=said)
    yield f"{begin}: looking, memory added in all", figure(found["memory_mb"], "MB")


def _work(found: dict[str, Any], name: str) -> str:
    """Return how much of the time was work: the rest was waiting, for a processor that others use as well."""
    return f"{found[f'{name}_work']:.0f} ms of the processor"


def _store(tissue: Tissue, folder: Path) -> Path:
    """Return a SpatialData store of the section; its points are files that were written piece by piece."""
    import shutil

    import pandas as pd
    from spatialdata import SpatialData
    from spatialdata.models import PointsModel
    from spatialdata.transformations import Identity

    store = folder / f"{tissue.transcripts // 1_000_000}M_{tissue.genes}.zarr"
    if store.exists():
        return store
    files, making = folder / f"{store.stem}.making", folder / f"{store.stem}.making.zarr"
    for left in (files, making):
        shutil.rmtree(left, ignore_errors=True)
    write_points(tissue, files)
    some = pd.read_parquet(files / "part.000.parquet").iloc[:1000]
    axes = {axis: axis for axis in "xyz"}
    points = PointsModel.parse(
        some, coordinates=axes, feature_key="feature_name", transformations={"global": Identity()}
    )
    section = SpatialData(points={"rna": points})
    section.attrs["spatialml"] = {"version": 1, "um_per_unit": {"global": 1.0}}
    section.write(making)
    held = making / "points" / "rna" / "points.parquet"
    shutil.rmtree(held)
    files.rename(held)
    making.rename(store)
    return store


def _child(what: str, store: Path, folder: Path) -> dict[str, Any]:
    env = {**os.environ, "NAPARI_SPATIALML_STATE": str(folder / f"{store.stem}.state")}
    command = [sys.executable, "-m", "benchmarks.transcripts_window", what, str(store)]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _peer(store: Path) -> dict[str, Any]:
    """Open the store with napari-spatialdata, where there is an interpreter for it."""
    python = os.environ.get(PEER, "")
    if not python or not Path(python).exists():
        return {}
    script = Path(__file__).with_name("transcripts_peer.py")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([python, str(script), str(store)], capture_output=True, text=True, env=env, timeout=1800)
    if done.returncode:
        print(f"napari-spatialdata failed:\n{done.stderr[-1500:]}", file=sys.stderr)
        return {}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    """Write the files of one section, to be kept."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("transcripts", type=float)
    parser.add_argument("genes", type=int)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    print(_store(Tissue(int(given.transcripts), given.genes), given.folder))


if __name__ == "__main__":
    main()
