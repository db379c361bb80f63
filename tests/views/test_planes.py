"""A stack is looked at and corrected one plane at a time, with the layers the person has set up."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from spatialdata import SpatialData
from spatialdata.models import Image3DModel, Labels3DModel
from spatialdata.transformations import Scale

from napari_spatialml.session import Session
from napari_spatialml.views import Presenter

from .conftest import Mouse


def stack():
    labels = np.zeros((5, 40, 40), np.int32)
    for k in range(5):
        labels[k, 5 + 2 * k : 15 + 2 * k, 10:20] = 3
    return labels


@pytest.fixture
def presenter(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(tmp_path / "state"))
    scale = {"global": Scale([0.5, 0.5, 1.5], axes=("x", "y", "z"))}
    image = np.random.default_rng(0).integers(0, 4000, (2, 5, 40, 40), np.uint16)
    sdata = SpatialData(
        images={
            "stain": Image3DModel.parse(
                da.from_array(image), dims=("c", "z", "y", "x"), c_coords=["DAPI", "CD3"], transformations=scale
            )
        },
        labels={"cells": Labels3DModel.parse(stack(), dims=("z", "y", "x"), transformations=scale)},
    )
    sdata.attrs["spatialml"] = {"version": 1, "um_per_unit": {"global": 1.0}}
    made = Presenter(ViewerModel(), Session.start(sdata))
    made.viewer.canvas.size = (400, 400)
    made.show()
    yield made
    made.close()


def test_the_layers_stay_and_show_the_other_plane(presenter):
    before = list(presenter.viewer.layers)
    stain = presenter.layer_of("stain[0]")
    stain.contrast_limits = (10, 99)
    stain.visible = False
    presenter.to_plane(3)
    assert list(presenter.viewer.layers) == before
    assert presenter.layer_of("stain[3]") is stain and presenter.layer_of("stain[0]") is None
    assert tuple(stain.contrast_limits) == (10, 99) and not stain.visible
    assert np.array_equal(presenter.layer_of("cells[3]").data, stack()[3])
    assert presenter.element_of(presenter.layer_of("cells[3]")) == "cells[3]"


def test_what_is_painted_lies_in_the_plane_that_was_in_view(presenter):
    mouse = Mouse(presenter.viewer)
    presenter.use("paint", labels="cells[0]", size_um=2)
    presenter.to_plane(2)
    assert presenter.tool == "paint"
    mouse.drag((6.25, 7.25), (14.0, 7.25))
    presenter.to_plane(4)
    mouse.drag((9.25, 7.25), (15.0, 7.25))
    made = ["paint cell 3 in cells, plane 3", "paint cell 3 in cells, plane 5"]  # planes are counted from 1
    assert [e.label for e in presenter.session.history] == made
    for k in range(5):
        held = presenter.document.grid(f"cells[{k}]").read()
        assert np.array_equal(held, stack()[k]) == (k not in (2, 4))
    told = []
    presenter.told.connect(lambda _level, sentence: told.append(sentence))
    presenter.to_plane(0)
    presenter.undo()
    assert "in plane 5" in told[-1]
    presenter.to_plane(4)
    assert np.array_equal(presenter.layer_of("cells[4]").data, stack()[4])


def test_there_is_no_plane_beyond_the_ends(presenter):
    presenter.to_plane(99)
    assert presenter.document.plane == 4
    presenter.to_plane(-3)
    assert presenter.document.plane == 0
