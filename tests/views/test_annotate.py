"""Regions by hand: what was drawn is in the document, and the layers show exactly that."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_spatialml.session.annotating import frame_of
from napari_spatialml.views.annotation_specs import UNCLASSIFIED
from napari_spatialml.views.specs import Key

LEFT = [(2.0, 2.0), (2.0, 12.0), (20.0, 12.0), (20.0, 2.0)]


@pytest.fixture
def tool(presenter):
    presenter.viewer.scene.camera.zoom = 20.0
    presenter.use("region", annotations="seen", class_name="Tumour", note="n", snap=True)
    return presenter


def frame(presenter):
    return frame_of(presenter.document, "seen")


def click_around(mouse, corners, end=True):
    for corner in corners:
        mouse.click(corner)
    if end:
        mouse.click(corners[0])


def drawn_area(presenter, name="seen"):
    layer = presenter.canvas.layer(Key(name, "fill"))
    a, b, c = (layer.vertices[layer.faces[:, k]] for k in range(3))
    (y, x), (v, u) = (b - a).T, (c - a).T
    return float(np.abs(y * u - x * v).sum()) / 2


def drawn_lines(presenter, part="outline"):
    layer = presenter.canvas.layer(Key("seen", part))
    return {tuple(np.round(row, 6)) for row in layer.data[:, 0]}


def test_clicks_around_and_back_to_the_start_make_one_region_in_one_command(tool, mouse):
    click_around(mouse, LEFT)
    assert [e.label for e in tool.session.history] == ["draw Tumour in seen"]
    assert frame(tool).geometry.iloc[0].area == 180 and frame(tool)["note"].iloc[0] == "n"
    assert drawn_area(tool) == pytest.approx(180) and drawn_lines(tool) == set(LEFT)
    (legend,) = [x for x in tool.legends() if x.element == "seen"]
    assert [(name, n) for name, _, n in legend.categories] == [("Tumour", 1)]


def test_an_outline_that_crosses_itself_says_that_it_became_two_parts(tool, mouse):
    said = []
    tool.told.connect(lambda level, sentence: said.append((level, sentence)))
    click_around(mouse, [(2, 2), (12, 22), (12, 2), (2, 22)])
    assert frame(tool).geometry.iloc[0].geom_type == "MultiPolygon"
    assert ("warning", "The outline crosses itself: it became 2 parts. Undo if that is not meant.") in said


def test_enter_closes_escape_forgets_and_delete_takes_a_corner_back(tool, mouse):
    click_around(mouse, [*LEFT[:3], (28, 24)], end=False)
    tool.delete()
    tool.enter()
    assert frame(tool).geometry.iloc[0].area == 90
    click_around(mouse, LEFT[:2], end=False)
    tool.enter()
    assert "three corners" in tool.said[-1][1]
    tool.cancel()
    tool.enter()
    assert len(frame(tool)) == 1


def test_a_double_click_closes_too(tool, mouse):
    click_around(mouse, LEFT, end=False)
    mouse.double(LEFT[-1])
    assert frame(tool).geometry.iloc[0].area == 180


def test_dragging_around_draws_freehand(tool, mouse):
    turn = np.linspace(0, 2 * np.pi, 90)
    mouse.drag(*np.column_stack([15 + 8 * np.sin(turn), 12 + 8 * np.cos(turn)]).tolist())
    assert frame(tool).geometry.iloc[0].area == pytest.approx(np.pi * 64, rel=0.02)


def test_alt_cuts_a_hole_and_undo_fills_it(tool, mouse):
    click_around(mouse, LEFT)
    hole = [(5, 5), (5, 9), (9, 9)]
    mouse.click(hole[0], modifiers=("Alt",))
    for corner in hole[1:]:
        mouse.click(corner)
    tool.enter()
    assert len(frame(tool).geometry.iloc[0].interiors) == 1 and drawn_area(tool) == pytest.approx(172)
    tool.undo()
    assert drawn_area(tool) == pytest.approx(180)


def test_neighbours_share_their_border_without_gap_or_overlap(tool, mouse):
    click_around(mouse, LEFT)
    tool.use("region", annotations="seen", class_name="Stroma", snap=True)
    beside = [(1.9, 12.2), (1.0, 20.0), (21.0, 20.0), (20.2, 11.8)]  # within nine pixels of the corners
    click_around(mouse, beside)
    a, b = frame(tool).geometry
    assert a.intersection(b).area == 0
    assert {(12.0, 2.0), (12.0, 20.0)} <= set(map(tuple, shapely.get_coordinates(b)))
    assert a.union(b).area == pytest.approx(a.area + b.area) and a.union(b).geom_type == "Polygon"


def test_a_border_that_is_followed_is_followed_corner_by_corner(tool, mouse):
    wave = [(float(y), 12 + 2 * np.sin(y)) for y in np.linspace(2, 20, 30)]
    tool.use("region", annotations="seen", class_name="Tumour", snap=False)
    click_around(mouse, [*wave, (20, 2), (2, 2)])
    tool.use("region", annotations="seen", class_name="Stroma", snap=True)
    click_around(mouse, [wave[0], (2, 22), (20, 22), wave[-1]])
    a, b = frame(tool).geometry
    corners = set(map(tuple, shapely.get_coordinates(b)))
    assert {(round(x, 6), round(y, 6)) for y, x in wave} <= {(round(x, 6), round(y, 6)) for x, y in corners}
    assert a.intersection(b).area == 0 and len(a.union(b).interiors) == 0


def test_a_corner_snaps_to_a_cells_outline(tool, mouse):
    click_around(mouse, [(2.2, 2.2), (2.1, 5.9), (6.2, 2.1)])  # cell 1 begins at 2 µm
    assert (2.0, 2.0) in set(map(tuple, shapely.get_coordinates(frame(tool).geometry.iloc[0])))


def edit(presenter):
    presenter.use("region-edit", annotations="seen")


def test_a_region_is_chosen_a_corner_moved_added_and_removed(tool, mouse):
    click_around(mouse, LEFT)
    edit(tool)
    mouse.click((10, 7))
    assert tool.state.regions == (frame(tool).index[0],) and drawn_lines(tool, "marked") == set(LEFT)
    mouse.drag((20.0, 12.0), (22, 13), (24.0, 14.0))
    assert (14.0, 24.0) in set(map(tuple, shapely.get_coordinates(frame(tool).geometry.iloc[0])))
    mouse.click((2.0, 7.0), modifiers=("Alt",))
    assert shapely.get_num_coordinates(frame(tool).geometry.iloc[0]) == 6
    mouse.click((2.0, 7.0), modifiers=("Alt",))
    assert shapely.get_num_coordinates(frame(tool).geometry.iloc[0]) == 5
    tool.delete()
    assert frame(tool) is None and tool.canvas.layer(Key("seen", "fill")) is None
    tool.undo()
    assert len(frame(tool)) == 1


def test_a_small_region_within_a_large_one_is_chosen_first(tool, mouse):
    click_around(mouse, LEFT)
    tool.use("region", annotations="seen", class_name="Gland", snap=False)
    click_around(mouse, [(8, 5), (8, 9), (12, 9)])
    edit(tool)
    mouse.click((8.5, 8.0))
    assert tool.state.regions == (frame(tool).index[1],)
    mouse.click((3.0, 3.0), modifiers=("Shift",))
    assert set(tool.state.regions) == set(frame(tool).index)


def test_a_class_that_is_hidden_is_not_drawn(tool, mouse):
    click_around(mouse, LEFT)
    tool.use("region", annotations="seen", class_name="")
    click_around(mouse, [(24, 2), (24, 12), (28, 12)])
    tool.hide_categories("seen", frozenset({"Tumour"}))
    assert drawn_area(tool) == pytest.approx(20)
    tool.hide_categories("seen", frozenset({"Tumour", UNCLASSIFIED}))
    assert drawn_area(tool) == 0


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10_000))
def test_the_layers_show_the_elements_geometry_and_no_other(presenter, seed):
    """Element to layer and back: holes, parts and string ids are what they were."""
    rng = np.random.default_rng(seed)
    from napari_spatialml.session import correct

    name = f"e{seed}"
    for k in range(int(rng.integers(1, 4))):
        x, y = rng.uniform(0, 20, 2)
        part = [[[y, x], [y, x + 9], [y + 9, x + 9], [y + 9, x]], [[y + 2, x + 2], [y + 4, x + 2], [y + 4, x + 4]]]
        far = [[[y + 30, x], [y + 30, x + 3], [y + 33, x + rng.uniform(0, 3)]]]
        outlines = [part, far] if rng.random() < 0.5 else [part]
        presenter.session.execute(
            correct(
                presenter.document,
                "add-annotation",
                annotations=name,
                outlines=outlines,
                class_name=f"c{k}",
                region=f"r {k}",
            )
        )
    element = frame_of(presenter.document, name)
    lines = presenter.canvas.layer(Key(name, "outline"))
    starts = lines.data[:, 0]
    assert drawn_area(presenter, name) == pytest.approx(element.geometry.area.sum())
    loops = np.flatnonzero(~np.isclose(starts[1:], (starts + lines.data[:, 1])[:-1]).all(axis=1)) + 1
    again = [np.vstack([p, p[:1]])[:, ::-1] for p in np.split(starts, loops)]
    rings = [np.asarray(r.coords) for r in shapely.get_rings(shapely.get_parts(element.geometry.to_numpy()))]
    assert len(again) == len(rings) and all(np.array_equal(a, b) for a, b in zip(again, rings, strict=True))
    presenter.session.undo()


def test_outlines_stay_as_wide_on_the_screen(tool, mouse):
    click_around(mouse, LEFT)
    layer = tool.canvas.layer(Key("seen", "outline"))
    tool.viewer.scene.camera.zoom = 200.0
    near = layer.edge_width
    tool.viewer.scene.camera.zoom = 2.0
    assert layer.edge_width == pytest.approx(100 * near)
