"""Plots of 500,000 cells linked with the canvas: drawing, lasso, selecting, filtering by thresholds."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from .figures import Figure

__all__ = ["SUBJECT", "measure"]

SUBJECT = "plots"
SEED = 0
CELLS, FEW = 500_000, 100_000
PITCH, EDGE = 6, 4
ROUNDS = 7
DRAW_MS, LASSO_MS, FILTER_MS = 100.0, 50.0, 100.0
"""The floors, in time of the processor: a view that follows the hand, a lasso without a wait, thresholds that filter
while they are dragged."""


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the figures, in a real window: it needs a display."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NAPARI_SPATIALML_STATE"] = folder
        for n in (CELLS, FEW):
            yield from _of(n)


def section(n: int, seed: int = SEED) -> Any:
    """Return a section of square cells with an embedding, an area and 12 domains, one tenth without an area."""
    from anndata import AnnData
    from spatialdata import SpatialData
    from spatialdata.models import Labels2DModel, TableModel

    generator = np.random.default_rng(seed)
    across = int(np.ceil(np.sqrt(n)))
    numbers = np.arange(1, across * across + 1, dtype=np.int32).reshape(across, across)
    numbers[numbers > n] = 0
    cell = np.zeros((PITCH, PITCH), np.int32)
    cell[:EDGE, :EDGE] = 1
    labels = np.kron(numbers, cell)
    domain = generator.integers(0, 12, n)
    area = generator.gamma(4, 20, n)
    area[::10] = np.nan
    obs = pd.DataFrame(
        {"area_um2": area, "domain": pd.Categorical.from_codes(domain, [f"D{k + 1}" for k in range(12)])},
        index=[f"c{k}" for k in range(n)],
    )
    obs["region"], obs["instance_id"] = pd.Categorical(["cells"] * n), np.arange(1, n + 1)
    table = AnnData(generator.poisson(1.0, (n, 5)).astype(np.float32), obs=obs)
    table.obsm["X_umap"] = generator.normal(size=(12, 2))[domain] * 8 + generator.normal(size=(n, 2))
    made = TableModel.parse(table, region="cells", region_key="region", instance_key="instance_id")
    return SpatialData(labels={"cells": Labels2DModel.parse(labels, dims=("y", "x"))}, tables={"cell_counts": made})


def _of(n: int) -> Iterator[tuple[str, Figure]]:
    from napari_spatialml.session import Session
    from napari_spatialml.widgets.launch import open_window, wait_until
    from napari_spatialml.widgets.plots.dock import open_plots

    data = f"generated: {n:,} cells, 12 domains"
    viewer, bench = open_window(width=1400, height=900)
    try:
        bench.desk.take(Session.start(section(n), source=f"plots {n}"))
        dock = open_plots(viewer)
        wait_until(lambda: False, 2.0)
        if n == CELLS:
            yield from _scatter(dock, data)
        yield from _thresholds(dock, data, n)
    finally:
        viewer.close()


def _scatter(dock: Any, data: str) -> Iterator[tuple[str, Figure]]:
    from napari_spatialml.core.inside import points_inside

    scatter = dock.show_kind("Scatter")
    first = _median([lambda: scatter.set_columns(x="UMAP 1", y="UMAP 2", colour="domain")] * 3)
    yield "choosing the columns of a scatter", Figure(first, "ms", data=data, seed=SEED)
    box = scatter.board.box

    def zoomed(k: int) -> Any:
        box.scaleBy((0.97, 0.97))
        return scatter.board.grab()

    draw = _median([lambda k=k: zoomed(k) for k in range(ROUNDS)])
    yield "a new view of the scatter", Figure(draw, "ms", DRAW_MS, data=data, seed=SEED)
    turn = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = np.column_stack([np.cos(turn), np.sin(turn)]) * 8
    points_inside(scatter._at, circle)
    lasso = _median([lambda: points_inside(scatter._at, circle) for _ in range(ROUNDS)])
    yield "which points a lasso of 200 corners holds", Figure(lasso, "ms", LASSO_MS, data=data, seed=SEED)
    whole = _median([lambda k=k: _drawn(dock, lambda: scatter._on_lasso(circle + k / 9, "new")) for k in range(5)])
    yield "a lasso, until plot and canvas show it", Figure(whole, "ms", data=data, seed=SEED)
    dock.desk.presenter.selected.clear()


def _thresholds(dock: Any, data: str, n: int) -> Iterator[tuple[str, Figure]]:
    histogram = dock.show_kind("Histogram")
    histogram.set_columns(x="area_um2")
    _drawn(dock, lambda: histogram.set_thresholds(20, 200))
    _drawn(dock, lambda: histogram.set_thresholds(21, 200))

    def moved(k: int) -> Any:
        return _drawn(dock, lambda: histogram.set_thresholds(25 + 5 * k, 190 - 5 * k))

    found = _median([lambda k=k: moved(k) for k in range(ROUNDS)])
    floor = FILTER_MS if n == FEW else None
    yield (
        f"a threshold is dragged over {n:,} cells, until the canvas is filtered",
        Figure(found, "ms", floor, data=data, seed=SEED),
    )


def _median(actions: list[Callable[[], Any]]) -> float:
    """Return the median time of the processor in milliseconds: what else runs on the machine does not count."""
    taken = []
    for action in actions:
        start = time.process_time()
        action()
        taken.append(time.process_time() - start)
    return 1000 * statistics.median(taken)


def _drawn(dock: Any, action: Any) -> None:
    """Do something, and let the window draw it."""
    from qtpy.QtWidgets import QApplication

    action()
    QApplication.processEvents()
