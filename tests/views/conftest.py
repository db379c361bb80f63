"""A small section with everything that can be shown, and a mouse for a viewer without a window."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import ReadOnlyWrapper
from napari.utils.interactions import (
    mouse_double_click_callbacks,
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)

from napari_spatialml.session import Session
from napari_spatialml.views import Presenter

TURNED = [[0.0, -3.0, 400.0], [2.0, 0.0, 30.0], [0.0, 0.0, 1.0]]
"""(x, y, 1): a quarter turn, mirrored, with pixels of 2 × 3 µm."""
CELLS_UM = 0.5


def table_of(counts, ids, region, features, **obs):
    from anndata import AnnData
    from spatialdata.models import TableModel

    frame = pd.DataFrame({"region": pd.Categorical([region] * len(ids)), "instance_id": np.asarray(ids), **obs})
    frame.index = [f"{region}_{i}" for i in ids]
    made = AnnData(np.asarray(counts, np.float32), obs=frame, var=pd.DataFrame(index=list(features)))
    return TableModel.parse(made, region=region, region_key="region", instance_key="instance_id")


def cells_array():
    """Nine square cells of 8 × 8 pixels in 60 × 50; 1 and 2 touch."""
    labels = np.zeros((60, 50), np.int32)
    for k in range(9):
        y, x = 4 + 18 * (k // 3), 4 + 15 * (k % 3)
        labels[y : y + 8, x : x + 8] = k + 1
    labels[4:12, 12:19] = 1
    return labels


def section():
    """Return images, cells, spots and points in "global", and a turned and mirrored grid of pixels in "msi"."""
    from spatialdata import SpatialData
    from spatialdata.models import Image2DModel, Labels2DModel, PointsModel, ShapesModel
    from spatialdata.transformations import Affine, Identity, Scale

    rng = np.random.default_rng(0)
    fine = {"global": Scale([CELLS_UM, CELLS_UM], axes=("x", "y"))}
    he = Image2DModel.parse(
        rng.integers(0, 255, (3, 60, 50), np.uint8), dims=("c", "y", "x"), c_coords=["r", "g", "b"],
        transformations=fine,
    )  # fmt: skip
    fluorescence = Image2DModel.parse(
        rng.integers(0, 4000, (2, 64, 64), np.uint16), dims=("c", "y", "x"), c_coords=["DAPI", "CD3"],
        scale_factors=[2], transformations=fine,
    )  # fmt: skip
    cells = Labels2DModel.parse(cells_array(), dims=("y", "x"), transformations=fine)
    grid = np.arange(1, 49, dtype=np.int32).reshape(6, 8)
    grid[0, 0] = 0
    pixels = Labels2DModel.parse(grid, dims=("y", "x"), transformations={"msi": Affine(TURNED, ("x", "y"), ("x", "y"))})
    xy = np.column_stack([np.arange(12) % 4 * 6.0 + 2, np.arange(12) // 4 * 9.0 + 3])
    ids = np.arange(100, 112)
    spots = ShapesModel.parse(xy, geometry=0, radius=2.0, index=pd.Index(ids), transformations={"global": Identity()})
    points = PointsModel.parse(
        pd.DataFrame({"x": rng.uniform(0, 25, 500), "y": rng.uniform(0, 30, 500)}),
        coordinates={"x": "x", "y": "y"},
        transformations={"global": Identity()},
    )
    domain = pd.Categorical(["a", "b", "c"] * 4)
    sdata = SpatialData(
        images={"he": he, "if": fluorescence},
        labels={"cells": cells, "pixels": pixels},
        shapes={"spots": spots},
        points={"transcripts": points},
        tables={
            # the table's rows are not in the order of the spots
            "counts": table_of(
                rng.poisson(5, (12, 3)), ids[::-1], "spots", ["A", "B", "C"], domain=domain, size=np.arange(12.0)
            ),
            "cells_table": table_of(rng.poisson(5, (9, 2)), range(1, 10), "cells", ["m", "n"], kind=pd.Categorical(
                ["x", "y", "x", "y", "x", "y", "x", "y", "x"])),
            "msi": table_of(rng.gamma(2, 5, (47, 2)), range(2, 49), "pixels", ["500.1", "700.2"]),
        },
    )  # fmt: skip
    pairs = {"fixed": "global", "moving": "msi", "fixed_um": [[5.0, 5.0], [25.0, 6.0], [15.0, 22.0]]}
    pairs["moving_um"] = [[60.0, 380.0], [40.0, 390.0], [50.0, 370.0]]
    sdata.attrs["spatialml"] = {
        "version": 1, "um_per_unit": {"global": 1.0, "msi": 1.0}, "landmarks": {"msi": pairs},
    }  # fmt: skip
    return sdata


class Mouse:
    """Presses, moves and releases at places in µm, as napari's canvas would hand them on."""

    def __init__(self, viewer):
        self.viewer = viewer

    def _send(self, callbacks, kind, where, modifiers, dragging, button=1):
        event = SimpleNamespace(
            type=kind, position=tuple(float(v) for v in where), modifiers=modifiers, button=button,
            is_dragging=dragging, view_direction=None, up_direction=None,
            dims_displayed=[0, 1], pos=(0, 0), handled=False,
            camera_zoom=self.viewer.scene.camera.zoom, dims_point=(0.0, 0.0), inverted=False,
        )  # fmt: skip
        wrapped = ReadOnlyWrapper(event)
        callbacks(self.viewer, wrapped)
        active = self.viewer.layers.selection.active
        if active is not None:
            callbacks(active, wrapped)

    def hover(self, at):
        self._send(mouse_move_callbacks, "mouse_move", at, (), False)

    def press(self, at, modifiers=(), button=1):
        self._send(mouse_press_callbacks, "mouse_press", at, modifiers, False, button)

    def move(self, *path, modifiers=(), button=1):
        for at in path:
            self._send(mouse_move_callbacks, "mouse_move", at, modifiers, True, button)

    def release(self, at, modifiers=(), button=1):
        self._send(mouse_release_callbacks, "mouse_release", at, modifiers, False, button)

    def drag(self, *path, modifiers=(), button=1):
        """Press at the first place, move through the others, release at the last."""
        self.press(path[0], modifiers, button)
        self.move(*path[1:], modifiers=modifiers, button=button)
        self.release(path[-1], modifiers, button)

    def double(self, at):
        """What a window sends for the second of two quick clicks."""
        self._send(mouse_double_click_callbacks, "mouse_double_click", at, (), False)

    def click(self, at, modifiers=(), button=1):
        self.drag(at, modifiers=modifiers, button=button)


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    """Keep the journals of the tests out of the person's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def session():
    made = Session.start(section())
    yield made
    made.close()


@pytest.fixture
def presenter(session):
    made = Presenter(ViewerModel(), session)
    made.said = []
    made.told.connect(lambda level, sentence: made.said.append((level, sentence)))
    made.show()
    yield made
    made.close()


@pytest.fixture
def mouse(presenter):
    return Mouse(presenter.viewer)
