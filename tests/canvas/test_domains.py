"""Domains by hand in a real window: what the mouse does is what is seen, and what the document says."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

from napari_spatialml.session import Session, correct
from napari_spatialml.session.command import Command
from napari_spatialml.session.store import put
from napari_spatialml.views import Presenter
from napari_spatialml.views.uncertain import show_region

from ..session.divided import TABLE, banded, names
from ..views.conftest import table_of
from ..views.test_domain_tools import SPOTS, WIDE, at, domains, place
from .conftest import opened

COLOURS = {"a": "#d03030", "b": "#3060d0"}
RED, BLUE = (0xD0, 0x30, 0x30), (0x30, 0x60, 0xD0)


@pytest.fixture
def window(make_napari_viewer):
    sdata = banded(WIDE * WIDE)
    sdata.tables[TABLE].obs["domain"] = pd.Categorical(domains())
    sdata.attrs["spatialml"]["colours"] = {"domain": COLOURS}
    with opened(make_napari_viewer, Session.start(sdata)) as made:
        made.presenter.layer_of(SPOTS).opacity = 1.0
        made.settle()
        yield made


def near(seen, colour, within=3):
    return max(abs(a - b) for a, b in zip(seen, colour, strict=True)) <= within


def test_a_stroke_of_the_mouse_is_seen_at_once_and_outlined(window):
    presenter = window.presenter
    presenter.use("domain-brush", table=TABLE, domain="a", radius_um=20.0)
    assert near(window.colours(at(1, 2))[0], BLUE)
    window.drag(at(1, 0), at(1, 1), at(1, 2), at(1, 3))
    assert (names(presenter.session)[[place(1, c) for c in range(4)]] == "a").all()
    assert all(near(c, RED) for c in window.colours(*(at(1, c) for c in range(4))))
    assert near(window.colours(at(1, 6))[0], BLUE)
    lines = np.asarray(presenter.canvas.layer_of(SPOTS).data)
    assert len(lines) == WIDE * WIDE
    edge = next(layer for spec, layer in presenter.canvas.layers() if spec.key.part == "strokes").data
    middles = edge[:, 0] + 0.5 * edge[:, 1]
    seen = window.colours(*middles[:: max(len(middles) // 12, 1)])
    assert sum(min(c) > 150 for c in seen) > len(seen) / 2
    presenter.undo()
    assert near(window.colours(at(1, 2))[0], BLUE)


def test_a_click_fills_the_island_that_lies_under_the_mouse(window):
    presenter = window.presenter
    presenter.use("domain-fill", table=TABLE, domain="b")
    window.drag(at(6, 3))
    inside, twin = window.colours(at(6, 3), at(6, 13))
    assert near(inside, BLUE) and near(twin, RED)


def test_the_camera_goes_to_a_region_and_what_is_unsure_is_pale(window):
    presenter = window.presenter
    presenter.correct("stroke-domain", table=TABLE, rows=[0], domain="b")
    margin = np.ones(WIDE * WIDE)
    margin[place(15, 4)] = 0.0
    presenter.document.table(TABLE).obs["domain_margin"] = margin
    presenter.fade_unsure(SPOTS)
    sure, unsure = window.colours(at(15, 5), at(15, 4))
    assert near(sure, BLUE) and min(unsure) > 180
    show_region(presenter, TABLE, [place(15, 4), place(15, 5)])
    window.settle()
    x, y = window.at(at(15, 4.5))
    width, height = window.canvas.native.width(), window.canvas.native.height()
    assert abs(x - width / 2) < 3 and abs(y - height / 2) < 3


def test_ignored_tissue_is_grey_under_its_hatching(window):
    presenter = window.presenter
    presenter.use("domain-lasso", table=TABLE, domain="")
    window.drag(at(15, 5), at(15, 12), at(18, 12), at(18, 5), at(15.2, 4.8))
    assert presenter.document.table(TABLE).obs["domain"].isna().sum() > 12
    seen = np.array(window.colours(*(at(16, c) for c in range(7, 11))))
    assert np.ptp(seen, axis=1).max() < 25


def patches(n):
    """Return a section of spots on a hexagonal array with bands of seven domains."""
    from spatialdata import SpatialData
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import Identity

    side = int(n**0.5)
    y, x = np.mgrid[:side, :side]
    xy = np.column_stack([x.ravel() * 100.0 + 50 * (y.ravel() % 2), y.ravel() * 86.6])
    ids = np.arange(len(xy))
    spots = ShapesModel.parse(xy, geometry=0, radius=27.0, index=pd.Index(ids), transformations={"global": Identity()})
    bands = pd.Categorical.from_codes((7 * x.ravel()) // side, [f"D{k}" for k in range(7)])
    made = {"spots": spots, TABLE: table_of(np.ones((len(xy), 1)), ids, "spots", ["g"], domain=bands)}
    return SpatialData.init_from_elements(made, attrs={"spatialml": {"um_per_unit": {"global": 1.0}}}), xy[:, ::-1]


@pytest.mark.slow
@pytest.mark.parametrize("n, most", [(4_000, 0.1), (100_000, 0.4)])
def test_new_colours_reach_the_graphics_card_quickly_with_fifty_strokes_outlined(make_napari_viewer, n, most):
    """Seconds of CPU: measured 0.02 and 0.06 for a fit, 0.07 and 0.13 for a stroke."""
    sdata, where = patches(n)
    session, viewer = Session.start(sdata), make_napari_viewer(show=True)
    presenter = Presenter(viewer, session)
    presenter.show()
    tree, rng = cKDTree(where), np.random.default_rng(0)
    for _ in range(50):
        rows = tree.query(where[rng.integers(len(where))], k=15)[1]
        session.execute(correct(session.document, "stroke-domain", table=TABLE, rows=rows.tolist(), domain="D1"))
    layer, held = presenter.layer_of("spots"), session.document.table(TABLE).obs["domain"]
    outlines = next(layer for spec, layer in presenter.canvas.layers() if spec.key.part == "strokes")
    lines = outlines.data
    codes = np.where(rng.random(len(where)) < 0.05, 0, held.cat.codes)
    fitted = pd.Series(pd.Categorical.from_codes(codes, held.cat.categories), index=held.index)
    command = Command("fit again", (put(session.document, ("tables", TABLE, "obs", "domain"), fitted),))
    begun = time.process_time()
    session.execute(command)
    took = time.process_time() - begun
    begun = time.process_time()
    presenter.correct("stroke-domain", table=TABLE, rows=tree.query(where[0], k=15)[1].tolist(), domain="D1")
    stroke = time.process_time() - begun
    assert presenter.layer_of("spots") is layer and len(outlines.data) > len(lines) > 50
    assert took < most and stroke < 2 * most, (took, stroke)
    presenter.close()
    session.close()
