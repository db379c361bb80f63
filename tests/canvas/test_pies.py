"""Proportions of spots on a real canvas: what a pathologist reads off a pie is what the table says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_spatialml.session import Session
from napari_spatialml.views import Presenter

from ..views.conftest import table_of
from .conftest import Window

TYPES = ["acinar", "cancer", "ductal", "stroma"]
COLOURS = {"acinar": "#2060ff", "cancer": "#ff2020", "ductal": "#20c040", "stroma": "#ffd000"}
SHARES = np.array([[0.1, 0.2, 0.3, 0.4], [0.0, 1.0, 0.0, 0.0], [0.55, 0.0, 0.45, 0.0], [0.25, 0.25, 0.25, 0.25]])
UNSURE = [0.0, 0.1, 0.2, np.nan]
SPAN = 100.0


def made(shares=SHARES, **obs):
    """Four spots of 60 µm in a row, 100 µm apart; the table's rows run the other way."""
    from spatialdata import SpatialData
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import Identity

    xy = np.column_stack([np.arange(4) * SPAN, np.zeros(4)])
    spots = ShapesModel.parse(
        xy, geometry=0, radius=30.0, index=pd.Index([10, 11, 12, 13]), transformations={"global": Identity()}
    )
    turned = {k: np.asarray(v)[::-1] for k, v in obs.items()}
    table = table_of(np.ones((4, 1)), [13, 12, 11, 10], "spots", ["g"], **turned)
    values = np.asarray(shares, float)[::-1]
    table.obsm["proportions"] = pd.DataFrame(values, index=table.obs_names, columns=TYPES)
    table.obs["proportions_dominant"] = pd.Categorical.from_codes(values.argmax(1), TYPES)
    whole = SpatialData.init_from_elements({"spots": spots, "counts": table})
    whole.attrs["spatialml"] = {"um_per_unit": {"global": 1.0}, "colours": {"proportions_dominant": COLOURS}}
    return whole


@pytest.fixture
def shown(make_napari_viewer):
    opened = []

    def show(zoom=2.0, section=None, **look):
        session = Session.start(made() if section is None else section)
        viewer = make_napari_viewer(show=True)
        viewer.window._qt_window.resize(1200, 700)
        presenter = Presenter(viewer, session)
        window = Window(viewer, presenter)
        opened.append((presenter, session))
        window.settle()
        presenter.show()
        presenter.show_pies("spots", "counts", **look)
        presenter.layer_of("spots").opacity = 1.0
        viewer.scene.camera.center, viewer.scene.camera.zoom = (0.0, 1.5 * SPAN), zoom
        window.settle()
        return window

    yield show
    for presenter, session in opened:
        presenter.close()
        session.close()


def pictured(window, spot):
    """Return the pixels (h, w, 3) around a spot, and where each lies from its middle, (y, x) in radii."""
    window.settle()
    picture = window.viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    ratio = picture.shape[1] / window.canvas.native.width()
    x, y = window.canvas.view.scene.transform.map([spot * SPAN, 0.0, 0, 1])[:2] * ratio
    radius = 30.0 * float(window.viewer.scene.camera.zoom) * ratio
    reach = int(np.ceil(1.3 * radius)) + 4
    top, left = int(y) - reach, int(x) - reach
    part = picture[top : top + 2 * reach, left : left + 2 * reach]
    rows, columns = np.mgrid[top : top + 2 * reach, left : left + 2 * reach] + 0.5
    return part, np.stack([(rows - y) / radius, (columns - x) / radius], -1)


def rgb(name):
    return np.array([int(COLOURS[name][k : k + 2], 16) for k in (1, 3, 5)])


def areas(part):
    """Return the share of the coloured pixels that each type has."""
    found = np.array([(np.abs(part - rgb(t)).max(-1) <= 2).sum() for t in TYPES], float)
    return found / found.sum()


@pytest.mark.parametrize("mode", ["pies", "bars"])
def test_areas_are_the_proportions(shown, mode):
    window = shown(mode=mode, ring=False)
    for spot, shares in enumerate(SHARES):
        part, _ = pictured(window, spot)
        np.testing.assert_allclose(areas(part), shares, atol=0.012)


def test_the_first_sector_begins_at_twelve_and_they_run_clockwise(shown):
    window = shown(ring=False)
    part, at = pictured(window, 0)
    turn = (np.arctan2(at[..., 1], -at[..., 0]) / (2 * np.pi)) % 1
    inside = np.hypot(at[..., 0], at[..., 1]) < 0.9
    ends = np.cumsum([0, *SHARES[0]])
    for k, name in enumerate(TYPES):
        middle = inside & (turn > ends[k] + 0.02) & (turn < ends[k + 1] - 0.02)
        middle &= np.hypot(at[..., 0], at[..., 1]) > 0.2
        assert (np.abs(part[middle] - rgb(name)).max(-1) <= 2).mean() > 0.99


def test_a_pie_has_the_size_of_its_spot(shown):
    window = shown(ring=False)
    part, at = pictured(window, 1)
    drawn = np.abs(part - rgb("cancer")).max(-1) <= 2
    away = np.hypot(at[..., 0], at[..., 1])
    assert drawn[away < 0.97].all() and not drawn[away > 1.03].any()
