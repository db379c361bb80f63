"""Colours of cells at known places of a real window: however many categories, whatever the table lacks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from spatialdata import SpatialData
from spatialdata.models import Labels2DModel, TableModel

from napari_spatialml.core.colours import category_colours
from napari_spatialml.session import Session, correct
from napari_spatialml.session.selected import Selected
from napari_spatialml.views import ColourBy, Presenter

from .conftest import Window

SIDE, PITCH = 18, 10
N = SIDE * SIDE
"""More cells than a byte has numbers; each is 8 × 8 pixels, in a grid."""


def centre(cell):
    """Return the middle (y, x) of a cell in µm: pixels of 1 µm."""
    y, x = divmod(cell - 1, SIDE)
    return (y * PITCH + 4.5, x * PITCH + 4.5)


def many_cells(ids, **obs):
    labels = np.zeros((SIDE * PITCH, SIDE * PITCH), np.int32)
    for k in range(N):
        y, x = divmod(k, SIDE)
        labels[y * PITCH : y * PITCH + 8, x * PITCH : x * PITCH + 8] = k + 1
    frame = pd.DataFrame({"region": pd.Categorical(["cells"] * len(ids)), "instance_id": ids, **obs})
    frame.index = [f"r{i}" for i in range(len(ids))]
    table = TableModel.parse(AnnData(obs=frame), region="cells", region_key="region", instance_key="instance_id")
    return SpatialData(labels={"cells": Labels2DModel.parse(labels, dims=("y", "x"))}, tables={"t": table})


@pytest.fixture
def shown(make_napari_viewer):
    opened = []

    def show(sdata, key):
        sdata.attrs["spatialml"] = {"version": 1, "um_per_unit": {"global": 1.0}}
        session = Session.start(sdata)
        viewer = make_napari_viewer(show=True)
        viewer.window._qt_window.resize(1200, 800)
        presenter = Presenter(viewer, session)
        presenter.said = []
        presenter.told.connect(lambda level, sentence: presenter.said.append(sentence))
        window = Window(viewer, presenter)
        window.settle()
        presenter.show(colours={"cells": ColourBy("t", key)})
        window.settle()
        viewer.canvas.overlays["scale_bar"].visible = False  # it lies over the last cell
        for _, layer in presenter.canvas.layers():
            layer.opacity = 1.0
            layer.visible = layer.name != "cells"  # the outlines alone
        opened.append((presenter, session))
        return window

    yield show
    for presenter, session in opened:
        presenter.close()
        session.close()


def rgb(code):
    return tuple(int(code[k : k + 2], 16) for k in (1, 3, 5))


def near(seen, wanted, tolerance=4):
    return max(abs(a - b) for a, b in zip(seen, wanted, strict=True)) <= tolerance


@pytest.mark.parametrize("n", [2, 255, N])
def test_each_of_many_categories_is_seen_in_its_own_colour(shown, n):
    names = [f"c{k:03d}" for k in range(n)]
    kinds = pd.Categorical([names[k % n] for k in range(N)], categories=[*names, "unused"])
    window = shown(many_cells(np.arange(1, N + 1), kind=kinds), "obs/kind")
    colours = category_colours([*names, "unused"])
    seen = window.colours(*map(centre, range(1, N + 1)))
    assert [k for k in range(N) if not near(seen[k], rgb(colours[kinds[k]]))] == []
    (legend,) = window.presenter.legends()
    assert len(legend.categories) == n  # the unused one needs no place


def test_what_the_table_does_not_know_is_not_coloured(shown):
    known = np.arange(N, 0, -3)  # not in the order of the labels either
    window = shown(many_cells(known, score=known.astype(float)), "obs/score")
    seen = window.colours(*map(centre, range(1, N + 1)))
    from napari.utils.colormaps import ensure_colormap

    (legend,) = window.presenter.legends()
    for cell in range(1, N + 1):
        share = np.clip((cell - legend.low) / (legend.high - legend.low), 0, 1)
        wanted = 255 * ensure_colormap("viridis").map([share])[0][:3] if cell in known else (0, 0, 0)
        assert near(seen[cell - 1], wanted, 6), cell


def test_cells_that_stand_twice_in_the_table_are_shown_plain_and_it_is_said(shown):
    sdata = many_cells(np.arange(1, 5), score=np.arange(4.0))
    sdata["t"].obs["instance_id"] = [1, 2, 2, 3]
    window = shown(sdata, "obs/score")
    assert any("twice" in sentence for sentence in window.presenter.said)
    assert window.presenter.legends() == ()


def test_categories_turn_into_measurements_and_back_on_one_layer(shown):
    kinds = pd.Categorical(["a", "b"] * (N // 2))
    window = shown(many_cells(np.arange(1, N + 1), kind=kinds, score=np.arange(N) * 1.0), "obs/kind")
    presenter = window.presenter
    layer = next(lay for s, lay in presenter.canvas.layers() if s.key.part == "colour")
    first = window.colours(centre(1), centre(2))
    presenter.colour_by("cells", ColourBy("t", "obs/score"))
    low, high = window.colours(centre(1), centre(N))
    assert near(low, (68, 1, 84), 6) and near(high, (253, 231, 37), 6)
    presenter.session.execute(correct(presenter.document, "set-scale", table="t", key="obs/score", colormap="magma"))
    assert near(window.colours(centre(N))[0], (252, 253, 191), 6)
    presenter.colour_by("cells", ColourBy("t", "obs/kind"))
    assert window.colours(centre(1), centre(2)) == first
    assert layer in presenter.viewer.layers


def test_what_is_selected_stays_bright_and_the_rest_is_dimmed(shown):
    window = shown(many_cells(np.arange(1, N + 1), kind=pd.Categorical(["a"] * N)), "obs/kind")
    before, *_ = window.colours(centre(5), centre(6))
    window.presenter.selected.take(Selected("t", np.array([4])))
    bright, dim, outside = window.colours(centre(5), centre(6), (centre(5)[0] + 5, centre(5)[1] + 5))
    assert bright == before
    assert max(dim) < 0.5 * max(before)
    assert near(outside, (0, 0, 0))
    window.presenter.selected.filter(Selected("t", np.array([5])))
    gone, left = window.colours(centre(5), centre(6))
    assert near(gone, (0, 0, 0)) and max(left) > 10
