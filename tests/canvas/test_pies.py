"""Proportions of spots on a real canvas: what a pathologist reads off a pie is what the table says."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pandas as pd
import pytest

from napari_spatialml.session import Session
from napari_spatialml.session.command import Command
from napari_spatialml.session.store import put
from napari_spatialml.views import ColourBy, Presenter

from ..views.conftest import section, table_of
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

    def show(zoom=2.0, whole=None, system="global", element="spots", table="counts", **look):
        session = Session.start(made() if whole is None else whole)
        viewer = make_napari_viewer(show=True)
        viewer.window._qt_window.resize(1200, 700)
        presenter = Presenter(viewer, session)
        window = Window(viewer, presenter)
        opened.append((presenter, session))
        window.settle()
        presenter.show(coordinate_system=system)
        presenter.show_pies(element, table, **look)
        presenter.layer_of(element).opacity = 1.0
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


def test_areas_are_the_proportions(shown):
    window = shown(ring=False)
    for mode in ("pies", "bars"):
        window.presenter.show_pies("spots", "counts", mode=mode, ring=False)
        for spot, shares in enumerate(SHARES):
            part, _ = pictured(window, spot)
            np.testing.assert_allclose(areas(part), shares, atol=0.012, err_msg=f"{mode}, spot {spot}")


def test_sectors_run_clockwise_from_twelve_within_the_spot_in_the_colours_of_the_legend(shown):
    window = shown(ring=False)
    (legend,) = window.presenter.legends()
    assert {name: colour for name, colour, _ in legend.categories} == COLOURS
    np.testing.assert_allclose(legend.shares, np.sort(SHARES.mean(0))[::-1], atol=1e-6)
    part, at = pictured(window, 0)
    away = np.hypot(at[..., 0], at[..., 1])
    turn = (np.arctan2(at[..., 1], -at[..., 0]) / (2 * np.pi)) % 1
    ends = np.cumsum([0, *SHARES[0]])
    for k, name in enumerate(TYPES):
        middle = (away > 0.2) & (away < 0.95) & (turn > ends[k] + 0.02) & (turn < ends[k + 1] - 0.02)
        assert (np.abs(part[middle] - rgb(name)).max(-1) <= 2).all()
    part, at = pictured(window, 1)
    drawn = np.abs(part - rgb("cancer")).max(-1) <= 2
    away = np.hypot(at[..., 0], at[..., 1])
    assert drawn[away < 0.97].all() and not drawn[away > 1.03].any()


def test_a_ring_is_the_thicker_the_less_is_known_and_leaves_the_areas_as_they_are(shown):
    window = shown(whole=made(proportions_uncertainty=UNSURE))
    assert ("ring", "unsure: 90 % interval up to 20 %") in window.presenter.legends()[0].signs
    for mode in ("pies", "bars"):
        window.presenter.show_pies("spots", "counts", mode=mode)
        coloured = []
        for spot, shares in enumerate(SHARES):
            part, _ = pictured(window, spot)
            np.testing.assert_allclose(areas(part), shares, atol=0.015, err_msg=f"{mode}, spot {spot}")
            coloured.append((np.ptp(part, axis=-1) > 60).sum())
        sure, some, most, unknown = np.array(coloured) / coloured[0]
        # the ring takes 0.12 and 0.24 of the radius; where nothing is known nothing is drawn
        assert some == pytest.approx(0.88**2, abs=0.03) and most == pytest.approx(0.76**2, abs=0.03)
        assert sure == 1 and unknown == pytest.approx(1, abs=0.02)


def test_small_pies_are_drawn_in_their_dominant_colour_and_so_is_that_mode(shown):
    section = made(np.roll(SHARES, 1, 1)[[0, 0, 2, 2]])  # 0.4 of acinar; 0.55 of cancer
    window = shown(zoom=5.5 / 60, whole=section)  # 5.5 pixels
    for _ in range(2):
        for spot, name in ((0, "acinar"), (3, "cancer")):
            assert window.colours((0.0, spot * SPAN))[0] == pytest.approx(rgb(name), abs=2)
        window.viewer.scene.camera.zoom = 2.0
        window.presenter.show_pies("spots", "counts", mode="dominant")
    part, at = pictured(window, 3)
    assert (np.abs(part[np.hypot(*at.T).T < 0.95] - rgb("cancer")).max(-1) <= 2).all()


def test_what_the_hand_has_set_is_outlined_and_what_cannot_be_trusted_is_crossed_or_hatched(shown):
    section = made(
        proportions_by_hand=pd.Categorical(["override", "", "artefact", ""]),
        proportions_outside=[False, True, False, False],
        proportions_empty=[False, False, False, False],
    )
    window = shown(whole=section, ring=False)
    said = dict(window.presenter.legends()[0].signs)
    assert said == {
        "outline": "set by hand (1)",
        "hatch": "not in the reference (1)",
        "cross": "artefact or empty (1)",
    }
    around, hatched, crossed, plain = (pictured(window, spot) for spot in range(4))

    def brightest(found, low, high):
        part, at = found
        away = np.hypot(at[..., 0], at[..., 1])
        return part[(away > low) & (away < high)].min(-1).max()

    assert brightest(around, 1.0, 1.1) > 230 and brightest(plain, 1.01, 1.1) < 30
    dark = (hatched[0].max(-1) < 60) & (np.hypot(*np.moveaxis(hatched[1], -1, 0)) < 0.9)
    assert 0.2 < dark.sum() / (np.hypot(*np.moveaxis(hatched[1], -1, 0)) < 0.9).sum() < 0.6
    assert np.ptp(crossed[0], axis=-1)[np.hypot(*np.moveaxis(crossed[1], -1, 0)) < 0.9].max() < 30


def test_one_changed_spot_sends_one_line_and_undo_brings_its_picture_back(shown):
    window = shown(ring=False)
    presenter, session = window.presenter, window.presenter.session
    visual = next(v for v in node_of(window)._subvisuals if type(v).__name__ == "PiesVisual")
    before = pictured(window, 1)[0]
    frame = presenter.document.table("counts").obsm["proportions"].copy()
    frame.iloc[2] = [0.5, 0.0, 0.0, 0.5]
    slot = ("tables", "counts", "obsm", "proportions")
    session.execute(Command("share of stroma", (put(presenter.document, slot, frame),)))
    np.testing.assert_allclose(areas(pictured(window, 1)[0]), [0.5, 0, 0, 0.5], atol=0.012)
    assert 0 < visual.uploaded <= 2 * 4 * 4 * 4
    presenter.undo()
    assert np.array_equal(pictured(window, 1)[0], before)
    # opacity, visibility and another colour are those of the layer
    layer = presenter.layer_of("spots")
    layer.opacity = 0.5
    assert window.colours((0.0, SPAN))[0] == pytest.approx(rgb("cancer") / 2, abs=3)
    layer.visible = False
    assert window.colours((0.0, SPAN))[0] == (0, 0, 0)
    layer.visible, layer.opacity = True, 1.0
    presenter.colour_by("spots", ColourBy("counts", "obsm/proportions/cancer"))
    yes, no = window.colours((0.0, SPAN), (0.0, 2 * SPAN))
    assert yes != pytest.approx(rgb("cancer"), abs=40) and yes != no
    assert [type(v).__name__ for v in node_of(window)._subvisuals].count("PiesVisual") == 0
    layer.selected_data = set()


def test_bins_are_bars_close_up_and_their_dominant_type_farther_out(shown):
    whole = section()
    table = whole.tables["msi"]
    values = np.tile([0.25, 0.0, 0.75, 0.0], (47, 1))
    table.obsm["proportions"] = pd.DataFrame(values, index=table.obs_names, columns=TYPES)
    table.obs["proportions_dominant"] = pd.Categorical.from_codes(values.argmax(1), TYPES)
    whole.attrs["spatialml"]["colours"] = {"proportions_dominant": COLOURS}
    window = shown(whole=whole, system="msi", element="pixels", table="msi", ring=False)
    presenter = window.presenter
    presenter.layer_of("pixels").opacity = 1.0

    def seen(zoom):
        """Return the colours along the fourth column of the pixel in row 3 and column 4."""
        window.viewer.scene.camera.zoom = zoom
        column, row = 4 + np.array([0.1, 0.4, 0.9]), np.full(3, 3.5)
        ours = presenter.place_of("pixels").affine.apply(np.column_stack([row, column]))
        window.viewer.scene.camera.center = (0.0, *ours[1])
        return [np.array(c) for c in window.colours(*ours)]

    first, *rest = seen(20.0)
    assert first == pytest.approx(rgb("acinar"), abs=2)
    assert all(c == pytest.approx(rgb("ductal"), abs=2) for c in rest)
    assert all(c == pytest.approx(rgb("ductal"), abs=2) for c in seen(1.5))
    presenter.show_pies("pixels", "msi", mode="dominant")
    assert all(c == pytest.approx(rgb("ductal"), abs=2) for c in seen(20.0))


def node_of(window):
    return window.canvas.layer_to_visual[window.presenter.layer_of("spots")].node


def test_sixty_four_types_take_the_place_of_four_and_undo_brings_those_back(shown):
    window = shown(ring=False)
    presenter, document = window.presenter, window.presenter.document
    before = pictured(window, 0)[0]
    rng = np.random.default_rng(0)
    names, shares = [f"t{k:02}" for k in range(64)], rng.dirichlet(np.ones(64), 4)
    frame = pd.DataFrame(shares[::-1], index=document.table("counts").obs_names, columns=names)
    dominant = pd.Series(pd.Categorical.from_codes(shares[::-1].argmax(1), names), index=frame.index)
    slots = [("tables", "counts", *end) for end in (("obsm", "proportions"), ("obs", "proportions_dominant"))]
    changes = tuple(put(document, slot, value) for slot, value in zip(slots, (frame, dominant), strict=True))
    presenter.session.execute(Command("another reference", changes))
    (legend,) = presenter.legends()
    colours = {name: [int(code[k : k + 2], 16) for k in (1, 3, 5)] for name, code, _ in legend.categories}
    part, at = pictured(window, 0)
    away, turn = np.hypot(at[..., 0], at[..., 1]), (np.arctan2(at[..., 1], -at[..., 0]) / (2 * np.pi)) % 1
    ends = np.cumsum(shares[0])
    place = np.minimum(np.searchsorted(ends, turn), 63)
    apart = np.minimum(np.abs(ends[place] - turn), np.abs(np.append(0, ends)[place] - turn)) * 2 * np.pi * away
    sure = (away > 0.3) & (away < 0.95) & (apart > 1.5 / 60)  # not beside a border, at 60 pixels a radius
    assert sure.sum() > 3000
    expected = np.array([colours[name] for name in names])[place]
    assert (np.abs(part - expected).max(-1)[sure] <= 2).mean() > 0.999
    presenter.undo()
    assert np.array_equal(pictured(window, 0)[0], before)


def test_pies_hold_neither_the_window_nor_the_layer(shown):
    """The fixture of the window itself looks whether napari's window has gone at the end."""
    window = shown(whole=made(proportions_uncertainty=UNSURE))
    held = [node_of(window), next(v for v in node_of(window)._subvisuals if type(v).__name__ == "PiesVisual")]
    held = [weakref.ref(part) for part in held]
    window.presenter.use("proportions", table="counts")
    window.settle()
    window.presenter.close()
    window.settle()
    gc.collect()
    assert [part() for part in held] == [None, None]
