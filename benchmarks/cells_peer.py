"""What napari-spatialdata takes for the same: run by `cells` with that program's own Python, never imported."""

from __future__ import annotations

import json
import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np


def main(path: str) -> None:
    """Print the seconds to recolour by a gene and by a category, and the milliseconds of a lasso, as JSON."""
    held = np.load(path)
    model, viewer = _model(held)
    found = {
        "gene": _seconds(lambda: _press(viewer, model, "var", "G1")),
        "category": _seconds(lambda: _press(viewer, model, "obs", "domain")),
        "lasso": 1000 * _lasso(held),
    }
    print(json.dumps(found))


def _seconds(action: Any) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _model(held: Any) -> tuple[Any, Any]:
    """Return its model of a labels layer with a table, as its own viewer would have made it."""
    import anndata as ad
    import pandas as pd
    import scipy.sparse as sp
    from napari.components import ViewerModel
    from napari_spatialdata._model import DataModel

    n = int(held["shape"][0])
    counts = sp.csr_matrix((held["data"], held["indices"], held["indptr"]), shape=tuple(held["shape"]))
    obs = pd.DataFrame(
        {
            "region": pd.Categorical(["cells"] * n),
            "instance_id": np.arange(1, n + 1),
            "domain": pd.Categorical([f"L{k}" for k in held["kinds"]]),
        },
        index=[str(k + 1) for k in range(n)],
    )
    table = ad.AnnData(counts, obs=obs, var=pd.DataFrame(index=[f"G{k}" for k in range(counts.shape[1])]))
    keys = {"region": "cells", "region_key": "region", "instance_key": "instance_id"}
    table.uns["spatialdata_attrs"] = keys
    viewer = ViewerModel()
    indices = [0, *range(1, n + 1)]
    layer = viewer.add_labels(held["labels"], metadata={"adata": table, "indices": indices})
    model = DataModel()
    model.adata, model.layer, model.system_name = table, layer, "global"
    return model, viewer


def _press(viewer: Any, model: Any, part: str, name: str) -> None:
    """Do what a double click on a name in its list does."""
    from napari_spatialdata._widgets import AListWidget
    from qtpy.QtWidgets import QApplication

    application = QApplication.instance() or QApplication(["peer", "-platform", "minimal"])
    widget = AListWidget(viewer, model, part)
    widget._onAction([name])
    del widget, application


def _lasso(held: Any) -> float:
    """Return the seconds of its own test of every point against a polygon."""
    from napari_spatialdata._scatterwidgets import PlotWidget
    from shapely import Polygon

    labels = held["labels"]
    at = np.flatnonzero(labels)
    ids, (y, x) = labels.ravel()[at], np.divmod(at, labels.shape[1])
    n = np.bincount(ids)
    there = n > 0
    centres = np.column_stack([np.bincount(ids, v)[there] / n[there] + 0.5 for v in (x, y)])
    polygon = Polygon(held["ring"][:, ::-1])
    scatter = SimpleNamespace(xData=centres[:, 0], yData=centres[:, 1])
    plot = SimpleNamespace(scatter=scatter, rois_to_polygons=lambda: [polygon])
    return _seconds(lambda: PlotWidget.get_selection(plot))


if __name__ == "__main__":
    main(sys.argv[1])
