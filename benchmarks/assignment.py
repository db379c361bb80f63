"""Transcripts into cells: all of a slide counted from parquet files against labels in a zarr, both generated."""

from __future__ import annotations

import os
import resource
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .figures import Figure, seconds
from .recount import GENES, LARGE, PITCH, PIXEL_UM, RADIUS, SEED, Slide, _forget_peak, _peak_mb, _section

__all__ = ["SUBJECT", "measure"]

SUBJECT = "assignment"
WALL_S, MEMORY_MB = 20.0, 2000.0
"""For 42 million transcripts and half a million cells on two cores that nothing else uses."""
SMALL = Slide(3500, 200_000)
"""What is counted beside a spatial join, which takes a minute for a million."""
MANY = 3_000_000


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the figures of a slide of 3 million transcripts, of 42 million if so asked, and beside a spatial join."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from _beside_a_join(SMALL)  # and the loops are compiled by then
        yield from _on(Slide(14_000, MANY))
        if os.environ.get(LARGE) == "1":
            yield from _on(Slide(50_000, 42_000_000))


def _on(slide: Slide) -> Iterator[tuple[str, Figure]]:
    from napari_spatialml.session import correct
    from napari_spatialml.session.assigning import Task, assign_all

    millions = f"{slide.transcripts // 1_000_000} M"
    data = f"simulated: {slide.columns**2:,} cells on {slide.edge:,} × {slide.edge:,} pixels, {GENES} genes; no index"
    large = slide.transcripts > MANY
    with tempfile.TemporaryDirectory() as name:
        session = _section(slide, Path(name))
        try:
            document = session.document
            _forget_peak()
            base, used, begun = _peak_mb(), _cpu(), time.perf_counter()
            found = assign_all(document, Task("nuclei", "rna"))
            wall, used = time.perf_counter() - begun, _cpu() - used
            yield (
                f"{millions}: assigned, counted and measured",
                Figure(wall, "s", WALL_S if large else None, data=data, seed=SEED),
            )
            said = "processor seconds, half of it the wall on two free cores"
            yield f"{millions}: the same, work", Figure(used, "CPU s", data=said, seed=SEED)
            yield (
                f"{millions}: memory",
                Figure(_peak_mb(), "MB", MEMORY_MB, data=f"peak of the process, {base:.0f} MB of it before", seed=SEED),
            )
            right = _right(slide, document, found)
            yield f"{millions}: counts that differ from the truth", Figure(right, "counts", 0.0, data=data, seed=SEED)
            del found
            took = seconds(lambda: correct(document, "count-transcripts", labels="nuclei"))
            yield f"{millions}: the command with its table", Figure(took, "s", data=data, seed=SEED)
        finally:
            session.close()


def _right(slide: Slide, document: Any, found: Any) -> float:
    """Return how many totals of cells and genes are not those that the formula of the cells gives."""
    cells, genes = np.zeros(slide.columns**2 + 1, np.int64), np.zeros(len(found.genes), np.int64)
    place = {g: k for k, g in enumerate(found.genes)}
    for part in document.element("rna")[["y", "x", "gene"]].to_delayed():
        frame = part.compute()
        y, x = (np.floor(frame[c].to_numpy().astype(float) / PIXEL_UM).astype(np.int64) for c in ("y", "x"))
        at = slide.cells_at(y, x)
        at[(y < 0) | (x < 0) | (y >= slide.edge) | (x >= slide.edge)] = 0
        cells += np.bincount(at, minlength=len(cells))
        named = frame["gene"].astype("category").cat
        code = np.array([place[g] for g in named.categories])[named.codes]
        genes += np.bincount(code[at > 0], minlength=len(genes))
    counts = found.cells.counts
    wrong = int((np.asarray(counts.sum(axis=1)).ravel() != cells[1:]).sum())
    return float(wrong + int((np.asarray(counts.sum(axis=0)).ravel() != genes).sum()))


def _beside_a_join(slide: Slide) -> Iterator[tuple[str, Figure]]:
    """Measure the usual way on the same points: polygons of the cells, a spatial join, and a table of pairs."""
    import geopandas as gpd
    import pandas as pd
    import shapely

    from napari_spatialml.session.assigning import Task, assign_all

    with tempfile.TemporaryDirectory() as name:
        session = _section(slide, Path(name))
        try:
            document = session.document
            assign_all(document, Task("nuclei", "rna"))  # compiles
            own = min(seconds(lambda: assign_all(document, Task("nuclei", "rna"))) for _ in range(3))
            centre = (np.stack(np.divmod(np.arange(slide.columns**2), slide.columns), 1) + 0.5) * PITCH * PIXEL_UM
            circles = shapely.buffer(shapely.points(centre[:, ::-1]), RADIUS * PIXEL_UM)
            polygons = gpd.GeoDataFrame({"cell": np.arange(len(circles))}, geometry=circles)

            def join() -> None:
                frame = document.element("rna")[["y", "x", "gene"]].compute()
                points = gpd.GeoDataFrame(frame[["gene"]], geometry=gpd.points_from_xy(frame["x"], frame["y"]))
                joined = gpd.sjoin(points, polygons, predicate="within")
                pd.crosstab(joined["cell"], joined["gene"])

            theirs = seconds(join)
        finally:
            session.close()
    data = f"{slide.transcripts:,} transcripts, {slide.columns**2:,} cells; the polygons are there before"
    yield (
        "assigned and counted",
        Figure(own, "s", peer="geopandas sjoin and crosstab", peer_value=theirs, data=data, seed=SEED),
    )
    yield (
        "times faster than a spatial join",
        Figure(theirs / own, "×", 5.0, lower_is_better=False, data=data, seed=SEED),
    )


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
