"""Outlines that vendors have drawn: kept to the last corner, drawn over their true area, found under the mouse."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely

from napari_spatialml.io import open_files
from napari_spatialml.session import Session
from napari_spatialml.views import ViewState
from napari_spatialml.views.memory import Memory
from napari_spatialml.views.outlines import shapes_of
from napari_spatialml.views.plan import plan
from napari_spatialml.views.shape_picking import shape_at


def merscope(vendor: Path):
    frame = geopandas.read_parquet(vendor / "merscope" / "cells_cellpose.parquet")
    middle = frame[frame["ZIndex"] == frame["ZIndex"].median()]
    frame = (middle if len(middle) else frame).drop_duplicates("EntityID").set_index("EntityID")
    return geopandas.GeoDataFrame({"geometry": frame.geometry})


def xenium(vendor: Path):
    corners = pd.read_csv(vendor / "xenium_outs" / "cell_boundaries.csv")
    rings = corners.groupby("cell_id")[["vertex_x", "vertex_y"]]
    cells = {f"cell-{i}": shapely.Polygon(ring.to_numpy()) for i, ring in rings}
    return geopandas.GeoDataFrame({"geometry": list(cells.values())}, index=list(cells))


def session_of(frame):
    from spatialdata import SpatialData
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import Identity

    shapes = ShapesModel.parse(frame, transformations={"global": Identity()})
    whole = SpatialData.init_from_elements({"cells": shapes})
    whole.attrs["spatialml"] = {"um_per_unit": {"global": 1.0}}
    return Session.start(whole)


@pytest.mark.parametrize("vendor", [merscope, xenium])
def test_a_vendors_outlines_are_kept_drawn_and_found(data: Path, tmp_path: Path, vendor) -> None:
    frame = vendor(data / "vendor")
    assert len(frame) >= 5
    session = session_of(frame)
    session.save(tmp_path / "cells.zarr")
    session.close()
    session = Session.open_store(tmp_path / "cells.zarr")
    check(session.document, "cells", frame.geometry.to_numpy(), list(frame.index))
    session.close()


@pytest.mark.parametrize("element", ["cell_boundaries", "nucleus_boundaries"])
def test_outlines_of_a_stored_region_are_kept_drawn_and_found(data: Path, element) -> None:
    session = Session.start(open_files(data / "vendor" / "xenium_spatialdata.zarr", um_per_unit=1.0))
    own = session.document.element(element)
    check(session.document, element, own.geometry.to_numpy(), list(own.index))
    session.close()


class Shown:
    """What `shapes_of` takes of a layer."""

    def __init__(self, spec):
        self.data = spec.make()


def check(document, element, geometry, ids):
    memory, (system, *_) = Memory(), document.placed(element)
    specs = plan(document, ViewState(coordinate_system=system, shown=(element,), colours={element: None}), memory)
    (spec,) = (s for s in specs if s.key.element == element)
    layer = Shown(spec)
    back = shapes_of(layer, document.element(element))
    assert list(back.index) == ids
    assert (shapely.to_wkb(back.geometry.to_numpy()) == shapely.to_wkb(geometry)).all()
    tiles = layer.data[0].tiles
    fine = [k for k in range(tiles.n_levels) if tiles.edge_um * 2**k * 40 <= tiles.size_um]
    level = fine[-1]  # forty pixels across a cell, or more
    h, w, _ = layer.data[level].shape
    drawn = (tiles.read(level, (0, h, 0, w))[0] >= 0).sum() * (tiles.edge_um * 2**level) ** 2
    stretch = abs(np.linalg.det(tiles.affine.matrix[:2, :2]))
    assert np.isclose(drawn, shapely.union_all(shapely.make_valid(geometry)).area * stretch, rtol=0.01)
    inside = shapely.point_on_surface(geometry)
    places = tiles.affine.apply(shapely.get_coordinates(inside)[:, ::-1])
    for k, at in enumerate(places[:50]):
        found = shape_at(document, element, system, at, memory)
        assert found == k or (found > k and geometry[found].intersects(inside[k]))
