"""Cells as vendors outline them, and the bins of a grid, planted with what can be checked: holes, parts, string ids."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["bins", "cells", "names", "outlines"]

CORNERS = 25
PITCH_UM = 12.0
_GENES = 20
_BIN_GENES = 100


def outlines(n: int, seed: int) -> npt.NDArray[np.object_]:
    """Return n outlines of 25 corners on a jittered grid; of every hundred one has a hole, one has two parts."""
    import shapely

    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(n)))
    at = np.stack(np.divmod(np.arange(n), side), 1) * PITCH_UM + rng.uniform(0, 3, (n, 2)) + PITCH_UM
    angle = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    waves = rng.normal(0, 0.07, (n, 3, 2))
    turn = np.stack([[np.cos(k * angle), np.sin(k * angle)] for k in (2, 3, 4)])
    radius = rng.uniform(3.5, 5.5, (n, 1)) * (1 + np.einsum("nkc,kca->na", waves, turn))
    rings = at[:, None] + radius[..., None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    made = shapely.polygons(rings)
    holed = np.arange(n) % 100 == 7
    inner = at[holed, None] + 0.4 * (rings[holed] - at[holed, None])
    made[holed] = shapely.polygons(shapely.linearrings(rings[holed]), holes=shapely.linearrings(inner)[:, None])
    for k in np.flatnonzero(np.arange(n) % 100 == 13):
        made[k] = shapely.MultiPolygon(
            [made[k], shapely.affinity.translate(shapely.Polygon(inner[0]), *_gap(at, k, inner))]
        )
    return np.asarray(made)


def _gap(at: Any, k: int, inner: Any) -> tuple[float, float]:
    x, y = at[k] + 8.0 - inner[0].mean(0)
    return float(x), float(y)


def names(n: int) -> npt.NDArray[np.object_]:
    """Return ids as one vendor writes them: eight letters, a hyphen, a number."""
    letters = np.array(list("abcdefghijklmnop"))
    digits = (np.arange(n)[:, None] >> (4 * np.arange(7, -1, -1))) & 15
    return np.array(["".join(row) + "-1" for row in letters[digits]], dtype=object)


def cells(n: int, seed: int, *, numbered: bool = False) -> Any:
    """Return a document of n outlined cells, named or numbered, and a table of their counts and kinds."""
    import geopandas
    import pandas as pd
    from anndata import AnnData
    from scipy.sparse import random as sparse
    from spatialdata import SpatialData
    from spatialdata.models import ShapesModel, TableModel
    from spatialdata.transformations import Identity

    rng = np.random.default_rng(seed)
    frame = geopandas.GeoDataFrame({"geometry": outlines(n, seed)}, index=np.arange(n) if numbered else names(n))
    shapes = ShapesModel.parse(frame, transformations={"global": Identity()})
    kinds = pd.Categorical.from_codes(rng.integers(0, 8, n), [f"kind {k}" for k in range(8)])
    obs = pd.DataFrame({"region": pd.Categorical(["cells"] * n), "cell_id": frame.index.to_numpy(), "kind": kinds})
    obs.index = [str(i) for i in range(n)]
    counts = sparse(n, _GENES, 0.3, "csr", np.float32, rng, lambda size: rng.poisson(3, size) + 1)
    table = AnnData(counts, obs=obs, var=pd.DataFrame(index=[f"gene{k}" for k in range(_GENES)]))
    parsed = TableModel.parse(table, region="cells", region_key="region", instance_key="cell_id")
    made = SpatialData.init_from_elements({"cells": shapes, "counts": parsed})
    made.attrs["spatialml"] = {"version": 1, "um_per_unit": {"global": 1.0}}
    return made


def bins(shape: tuple[int, int], seed: int) -> Any:
    """Return a document of bins of 2 µm, turned by five degrees, and the counts of 100 genes that follow a pattern."""
    import pandas as pd
    from anndata import AnnData
    from scipy.sparse import csc_matrix
    from spatialdata import SpatialData
    from spatialdata.models import Labels2DModel, TableModel
    from spatialdata.transformations import Affine

    rng, n = np.random.default_rng(seed), shape[0] * shape[1]
    c, s = 2 * np.cos(np.radians(5)), 2 * np.sin(np.radians(5))
    place = Affine([[c, -s, 0], [s, c, 0], [0, 0, 1]], ("x", "y"), ("x", "y"))
    raster = np.arange(1, n + 1, dtype=np.int32).reshape(shape)
    labels = Labels2DModel.parse(raster, dims=("y", "x"), transformations={"global": place})
    wave = 0.03 * (1 + np.sin(np.arange(n) % shape[1] / 60) * np.sin(np.arange(n) // shape[1] / 45))
    held = [np.flatnonzero(rng.random(n, np.float32) < wave) for _ in range(_BIN_GENES)]
    starts = np.concatenate([[0], np.cumsum([len(h) for h in held])])
    values = rng.poisson(1.5, starts[-1]).astype(np.float32) + 1
    counts = csc_matrix((values, np.concatenate(held).astype(np.int32), starts), (n, _BIN_GENES)).tocsr()
    obs = pd.DataFrame({"region": pd.Categorical(["cells"] * n), "cell_id": np.arange(1, n + 1)})
    obs.index = obs.index.astype(str)
    table = AnnData(counts, obs=obs, var=pd.DataFrame(index=[f"gene{k}" for k in range(_BIN_GENES)]))
    parsed = TableModel.parse(table, region="cells", region_key="region", instance_key="cell_id")
    made = SpatialData.init_from_elements({"cells": labels, "counts": parsed})
    made.attrs["spatialml"] = {"version": 1, "um_per_unit": {"global": 1.0}}
    return made
