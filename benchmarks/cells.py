"""Half a million cells: their colours, and a lasso around a third of them, beside napari-spatialdata.

The peer runs in the same run, in its own environment: name its Python in NAPARI_SPATIALML_PEER_PYTHON. Both
sides are timed without a window, from the choice of a column to the array that napari hands to the screen.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .figures import Figure, median_ms, seconds

__all__ = ["SUBJECT", "measure"]

SUBJECT = "cells"
PEER_PYTHON = "NAPARI_SPATIALML_PEER_PYTHON"
CELLS, EDGE, LARGE_EDGE, GENES, SEED = 500_000, 4096, 8192, 200, 0
RECOLOUR_S, LASSO_MS = 0.2, 50.0
"""The floors: seconds to recolour, milliseconds to find what a lasso holds."""
FASTER = {"recolour": 50.0, "lasso": 100.0}
PEER = "napari-spatialdata"
_CORNERS = 400


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the figures of 500,000 cells on one array and on a pyramid, then beside the peer where it is there."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as name:
        warnings.simplefilter("ignore")
        folder = Path(name)
        data = f"planted: {CELLS:,} cells on {EDGE:,} × {EDGE:,} pixels, {GENES} genes"
        peer = _peer(folder)
        ours = _on_one_array(folder)
        for what, said in (("gene", "by a gene"), ("category", "by a category")):
            theirs = peer.get(what)
            at = {"peer": PEER if theirs else "", "peer_value": theirs, "data": data, "seed": SEED}
            yield f"recolour {said}", Figure(ours[what], "s", RECOLOUR_S, **at)
            if theirs:
                faster = Figure(theirs / ours[what], "times", FASTER["recolour"], lower_is_better=False, **at)
                yield f"recolour {said}: faster", faster
        theirs = peer.get("lasso")
        at = {"peer": PEER if theirs else "", "peer_value": theirs, "data": f"{data}; {_CORNERS} corners", "seed": SEED}
        yield "lasso", Figure(ours["lasso"], "ms", LASSO_MS, **at)
        if theirs:
            faster = Figure(theirs / ours["lasso"], "times", FASTER["lasso"], lower_is_better=False, **at)
            yield "lasso: faster", faster
        yield "lasso, told and drawn", Figure(ours["drawn"], "ms", data=data, seed=SEED)
        yield "query of a category and a gene", Figure(ours["query"], "ms", data=data, seed=SEED)
        yield "centres of the cells, once", Figure(ours["centres"], "s", data=data, seed=SEED)
        large = f"planted: {CELLS:,} cells on a stored pyramid of {LARGE_EDGE:,} × {LARGE_EDGE:,} pixels"
        yield "recolour a pyramid by a gene", Figure(_on_a_pyramid(folder), "s", RECOLOUR_S, data=large, seed=SEED)


def planted_labels(edge: int) -> np.ndarray:
    """Return (edge, edge) square cells with gaps between them, numbered from 1."""
    side = int(np.ceil(np.sqrt(CELLS)))
    at = np.arange(edge) * side // edge
    labels = (at[:, None] * side + at[None, :] + 1).astype(np.int32)
    gap = np.append(np.diff(at) > 0, True)
    labels[gap], labels[:, gap] = 0, 0
    labels[labels > CELLS] = 0
    return labels


def planted_counts() -> tuple[Any, np.ndarray]:
    """Return (cells, genes) sparse counts, and a category a cell."""
    import scipy.sparse as sp

    rng = np.random.default_rng(SEED)
    counts = sp.random(CELLS, GENES, density=0.1, format="csr", dtype=np.float32, random_state=SEED)
    counts.data = np.ceil(counts.data * 5)
    return counts, rng.integers(0, 12, CELLS)


def planted_lasso(edge: float) -> np.ndarray:
    """Return the corners of an uneven ring around the middle, (k, 2)."""
    rng, turn = np.random.default_rng(SEED), np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    reach = edge * (0.33 + rng.normal(0, 0.007, _CORNERS))
    return edge / 2 + np.column_stack([np.sin(turn), np.cos(turn)]) * reach[:, None]


def _section(edge: int, *, pyramid: bool) -> Any:
    import anndata as ad
    import pandas as pd
    from spatialdata import SpatialData
    from spatialdata.models import Labels2DModel, TableModel

    counts, kinds = planted_counts()
    obs = pd.DataFrame(
        {
            "region": pd.Categorical(["cells"] * CELLS),
            "instance_id": np.arange(1, CELLS + 1),
            "domain": pd.Categorical([f"L{k}" for k in kinds]),
        },
        index=[str(k + 1) for k in range(CELLS)],
    )
    table = ad.AnnData(counts, obs=obs, var=pd.DataFrame(index=[f"G{k}" for k in range(GENES)]))
    parsed = TableModel.parse(table, region="cells", region_key="region", instance_key="instance_id")
    scales = [2, 2, 2] if pyramid else None
    labels = Labels2DModel.parse(planted_labels(edge), dims=("y", "x"), scale_factors=scales)
    about = {"spatialml": {"version": 1, "um_per_unit": {"global": 1.0}}}
    return SpatialData(labels={"cells": labels}, tables={"cells_table": parsed}, attrs=about)


def _presenter(session: Any) -> Any:
    from napari.components import ViewerModel

    from napari_spatialml.views import Presenter

    made = Presenter(ViewerModel(), session)
    made.show()
    return made


def _recolour(presenter: Any, key: str) -> None:
    from napari_spatialml.views import ColourBy

    presenter.colour_by("cells", ColourBy("cells_table", key))


def _on_one_array(folder: Path) -> dict[str, float]:
    """Return seconds to recolour and to find the centres, milliseconds of the lasso."""
    from napari_spatialml.session import Session
    from napari_spatialml.session.query import query_rows
    from napari_spatialml.views.selecting import rows_inside

    os.environ.setdefault("NAPARI_SPATIALML_STATE", str(folder / "state"))
    session = Session.start(_section(EDGE, pyramid=False))
    try:
        presenter = _presenter(session)
        for key in ("X/G0", "obs/domain"):  # the loops are compiled by then
            _recolour(presenter, key)
        found = {"gene": median_ms([lambda k=k: _recolour(presenter, f"X/G{k}") for k in range(1, 8)]) / 1000}
        again = [
            seconds(lambda: _recolour(presenter, "obs/domain")) for k in range(5) if not _recolour(presenter, f"X/G{k}")
        ]
        found["category"] = statistics.median(again)
        presenter.use("select", element="cells", table="cells_table")
        tool, ring = presenter.current, planted_lasso(EDGE)
        found["centres"] = seconds(lambda: presenter.selected.places("cells_table", "cells"))
        places, place = presenter.selected.places("cells_table", "cells"), presenter.place_of("cells")
        rows_inside(places, place, ring)
        found["lasso"] = median_ms([lambda: rows_inside(places, place, ring)] * 7)
        tool.within(ring, ())
        found["drawn"] = median_ms([lambda: tool.within(ring, ())] * 5)
        text = "domain == 'L4' and G1 > 2"
        found["query"] = median_ms([lambda: query_rows(session.document, "cells_table", text)] * 5)
        presenter.close()
        return found
    finally:
        session.close()


def _on_a_pyramid(folder: Path) -> float:
    from napari_spatialml.session import Session

    _section(LARGE_EDGE, pyramid=True).write(folder / "large.zarr")
    session = Session.open_store(folder / "large.zarr")
    try:
        presenter = _presenter(session)
        _recolour(presenter, "X/G0")
        return median_ms([lambda k=k: _recolour(presenter, f"X/G{k}") for k in range(1, 6)]) / 1000
    finally:
        session.close()


def _peer(folder: Path) -> dict[str, float]:
    """Return the same of napari-spatialdata, on the same arrays; nothing where its Python is not named."""
    python = os.environ.get(PEER_PYTHON, "")
    if not python:
        return {}
    counts, kinds = planted_counts()
    np.savez(
        folder / "peer.npz", labels=planted_labels(EDGE), kinds=kinds, ring=planted_lasso(EDGE),
        data=counts.data, indices=counts.indices, indptr=counts.indptr, shape=np.array(counts.shape),
    )  # fmt: skip
    script = Path(__file__).with_name("cells_peer.py")
    told = subprocess.run(
        [python, str(script), str(folder / "peer.npz")], capture_output=True, text=True, timeout=900, check=False
    )
    if told.returncode:
        raise RuntimeError(f"The peer failed:\n{told.stderr[-2000:]}")
    found: dict[str, float] = json.loads(told.stdout.splitlines()[-1])
    return found
