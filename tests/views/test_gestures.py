"""A gesture is one command; after it the layer shows what the document holds. So with undo and redo."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel

from napari_spatialml.session import Session, correct
from napari_spatialml.views import ColourBy, Presenter

from .conftest import CELLS_UM, Mouse, section


def um(y, x):
    """Where the centre of a cells' pixel lies."""
    return ((y + 0.5) * CELLS_UM, (x + 0.5) * CELLS_UM)


def cells(presenter):
    return presenter.document.grid("cells").read()


def agrees(presenter):
    layer = presenter.layer_of("cells")
    assert np.array_equal(layer.data, cells(presenter))
    colour = presenter.colour_of("cells")
    if colour is not None:
        raster = next(lay for s, lay in presenter.canvas.layers() if s.key.part == "colour")
        held = set(presenter.document.instances("cells_table").tolist())
        assert set(np.unique(cells(presenter)[raster.data > 0]).tolist()) <= held


def labels_of(presenter):
    return [entry.label for entry in presenter.session.history]


# painting ------------------------------------------------------------------------------------


def test_a_stroke_from_a_cell_enlarges_it_in_one_command(presenter, mouse):
    presenter.use("paint", labels="cells", size_um=2)
    before = (cells(presenter) == 5).sum()
    mouse.drag(um(25, 26), um(29, 26), um(33, 26))
    assert labels_of(presenter) == ["paint cell 5 in cells"]
    assert (cells(presenter) == 5).sum() > before
    agrees(presenter)


def test_a_stroke_from_background_is_a_new_cell(presenter, mouse):
    presenter.use("paint", labels="cells", size_um=2)
    mouse.drag(um(55, 45), um(56, 46))
    assert labels_of(presenter) == ["paint cell 10 in cells"]
    assert cells(presenter)[55, 45] == 10
    agrees(presenter)


def test_painting_leaves_neighbours_alone_unless_told_otherwise(presenter, mouse):
    presenter.use("paint", labels="cells", size_um=2)
    mouse.drag(um(6, 5), um(6, 22))
    assert cells(presenter)[6, 22] == 2
    presenter.use("paint", labels="cells", size_um=2, overwrite=True)
    mouse.drag(um(6, 5), um(6, 22))
    assert cells(presenter)[6, 22] == 1


def test_erasing_takes_pixels_away(presenter, mouse):
    presenter.use("erase", labels="cells", size_um=3)
    mouse.drag(um(26, 26), um(26, 27))
    assert cells(presenter)[26, 26] == 0
    assert len(labels_of(presenter)) == 1
    agrees(presenter)


def test_a_click_that_paints_nothing_new_is_no_command(presenter, mouse):
    presenter.use("paint", labels="cells", size_um=0.5)
    mouse.click(um(26, 26))
    assert labels_of(presenter) == []


def test_naparis_own_fill_reaches_the_document(presenter, mouse):
    layer = presenter.layer_of("cells")
    presenter.viewer.layers.selection.active = layer
    layer.mode, layer.selected_label = "fill", 77
    mouse.click(um(26, 26))
    assert (cells(presenter) == 77).sum() == 64
    agrees(presenter)


def test_painting_by_a_program_reaches_the_document_one_turn_later(session):
    queue = []
    presenter = Presenter(ViewerModel(), session, later=queue.append)
    presenter.show()
    layer = presenter.layer_of("cells")
    layer.fill((26, 26), 88)
    layer.paint((50, 40), 89)
    assert len(queue) == 1
    queue.pop()()
    assert {88, 89} <= set(np.unique(cells(presenter)).tolist())
    assert len(labels_of(presenter)) == 1
    agrees(presenter)


def test_undo_of_the_layer_is_undo_of_the_session(presenter, mouse):
    before = cells(presenter)
    presenter.use("paint", labels="cells", size_um=2)
    mouse.drag(um(55, 45), um(56, 46))
    presenter.layer_of("cells").undo()
    assert np.array_equal(cells(presenter), before)
    agrees(presenter)
    assert presenter.session.position == 0
    presenter.layer_of("cells").redo()
    assert cells(presenter)[55, 45] == 10
    agrees(presenter)


def test_the_viewers_undo_key_is_the_sessions(presenter, mouse):
    presenter.use("delete", labels="cells")
    mouse.click(um(26, 26))
    key = next(k for k in presenter.viewer.keymap if str(k) in ("Ctrl+Z", "Control-Z"))
    presenter.viewer.keymap[key](presenter.viewer)
    assert 5 in cells(presenter)


def test_a_stroke_that_cannot_be_kept_is_taken_off_the_layer_and_told(presenter, mouse):
    presenter.session.read_only = True
    before = cells(presenter)
    presenter.use("paint", labels="cells", size_um=2)
    mouse.drag(um(55, 45), um(56, 46))
    assert np.array_equal(cells(presenter), before)
    agrees(presenter)
    assert presenter.said[-1][0] == "error"
    presenter.session.read_only = False


def test_the_table_and_the_colours_follow_the_pencil(presenter, mouse):
    presenter.colour_by("cells", ColourBy("cells_table", "obs/kind"))
    presenter.use("delete", labels="cells")
    mouse.click(um(26, 26))
    assert 5 not in presenter.document.instances("cells_table")
    agrees(presenter)
    presenter.undo()
    assert 5 in presenter.document.instances("cells_table")
    agrees(presenter)


# merge, split, draw --------------------------------------------------------------------------


def test_two_clicks_merge_two_cells(presenter, mouse):
    presenter.use("merge", labels="cells")
    mouse.click(um(6, 6))
    assert presenter.selected_cells == (1,)
    assert len(presenter.marks.lines)  # the chosen cell is outlined
    mouse.click(um(6, 22))
    assert labels_of(presenter) == ["merge cells 1 and 2 in cells"]
    assert presenter.selected_cells == ()
    assert len(presenter.marks.lines) == 0
    agrees(presenter)


def test_with_shift_more_than_two_cells_are_merged(presenter, mouse):
    presenter.use("merge", labels="cells")
    mouse.click(um(6, 6))
    mouse.click(um(6, 22), modifiers=("Shift",))
    mouse.click(um(26, 26))
    assert labels_of(presenter) == ["merge cells 1, 2 and 5 in cells"]


def test_escape_and_a_second_click_forget_a_chosen_cell(presenter, mouse):
    presenter.use("merge", labels="cells")
    mouse.click(um(6, 6))
    presenter.cancel()
    assert presenter.selected_cells == ()
    mouse.click(um(6, 6))
    mouse.click(um(6, 7))
    assert presenter.selected_cells == ()
    assert labels_of(presenter) == []


def test_an_undone_cell_is_no_longer_chosen(presenter, mouse):
    presenter.use("draw", labels="cells")
    mouse.drag(um(50, 40), um(50, 46), um(56, 46), um(56, 40))
    presenter.use("merge", labels="cells")
    mouse.click(um(53, 43))
    assert presenter.selected_cells == (10,)
    presenter.undo()
    assert presenter.selected_cells == ()


def test_a_line_across_a_cell_splits_it_and_is_seen_while_it_is_drawn(presenter, mouse):
    presenter.use("split", labels="cells")
    seen = []
    presenter.marks.draw, draw = lambda *parts: (seen.append(len(parts)), draw(*parts)), presenter.marks.draw
    mouse.drag(um(20, 22), um(28, 22), um(32, 23))
    assert labels_of(presenter) == ["split cell 5 in cells"]
    assert sum(seen) >= 2
    assert {5, 10} <= set(np.unique(cells(presenter)).tolist())
    agrees(presenter)


def test_a_line_beside_all_cells_is_told_and_changes_nothing(presenter, mouse):
    presenter.use("split", labels="cells")
    mouse.drag(um(58, 1), um(58, 40))
    assert labels_of(presenter) == []
    assert "crosses no cell" in presenter.said[-1][1]


def test_a_line_that_does_not_cross_its_cell_is_an_error_that_is_told(presenter, mouse):
    presenter.use("split", labels="cells")
    mouse.drag(um(40.2, 4.1), um(40.2, 4.1))
    assert labels_of(presenter) == []


def test_an_outline_becomes_a_cell(presenter, mouse):
    presenter.use("draw", labels="cells")
    mouse.drag(um(50, 40), um(50, 46), um(56, 46), um(56, 40))
    assert labels_of(presenter) == ["draw cell 10 in cells"]
    assert cells(presenter)[53, 43] == 10
    agrees(presenter)


def test_a_tool_for_what_is_not_there_says_so(presenter):
    presenter.use("merge", labels="spots")
    assert presenter.tool == ""
    assert "no cells" in presenter.said[-1][1]
    presenter.use("saw")
    assert "no tool 'saw'" in presenter.said[-1][1]


def test_the_view_stays_still_under_a_tool_and_moves_without(presenter):
    presenter.use("split", labels="cells")
    presenter.viewer.layers.selection.active = presenter.layer_of("he")
    assert not presenter.viewer.scene.camera.mouse_pan
    presenter.use("")
    assert presenter.viewer.scene.camera.mouse_pan


# brush ---------------------------------------------------------------------------------------


def test_the_brush_puts_the_spots_under_it_into_a_category_in_one_command(presenter, mouse):
    presenter.use("brush", table="counts", column="domain", value="c", radius_um=1.0)
    mouse.drag((3, 1), (3, 5), (3, 21))  # the first row of spots, y = 3 µm
    assert labels_of(presenter) == ["4 spots of counts into c"]
    table = presenter.document.table("counts")
    hit = np.isin(presenter.document.instances("counts"), [100, 101, 102, 103])
    assert (table.obs["domain"][hit] == "c").all()
    assert table.obs["domain_by_hand"].to_numpy()[hit].all()
    assert not table.obs["domain_by_hand"].to_numpy()[~hit].any()


def test_the_spots_show_their_new_colour_while_the_mouse_still_moves_and_lose_it_on_escape(presenter, mouse):
    presenter.use("brush", table="counts", column="domain", value="c", radius_um=1.0)
    layer = presenter.layer_of("spots")
    before = layer.face_color.copy()
    tool = presenter.current
    from napari_spatialml.views.tools import Pointer

    tool.press(Pointer(np.array([3.0, 1.0])))
    tool.move(Pointer(np.array([3.0, 21.0])))
    assert (layer.face_color != before).any()
    presenter.cancel()
    assert np.array_equal(layer.face_color, before)
    assert labels_of(presenter) == []


def test_the_brush_makes_a_column_that_is_not_there_yet_and_shows_it(presenter, mouse):
    presenter.use("brush", table="counts", column="region_of_interest", value="tumour", radius_um=1.0)
    mouse.drag((3, 1), (3, 21))
    assert presenter.document.table("counts").obs["region_of_interest"].value_counts()["tumour"] == 4
    assert next(g for g in presenter.legends() if g.element == "spots").title == "region_of_interest"


def test_the_brush_takes_the_turned_and_mirrored_pixels_under_it(presenter, mouse):
    presenter.show(coordinate_system="msi")
    document = presenter.document
    presenter.use("brush", table="msi", column="domain", value="D1", radius_um=4.0)
    affine, grid = document.affine("pixels", "msi"), document.grid("pixels").read()
    a, b = affine.apply([[2.5, 1.5], [2.5, 6.5]])
    mouse.drag(a, b)
    centres = affine.apply(np.argwhere(grid > 0) + 0.5)
    share = np.clip((centres - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    under = np.linalg.norm(centres - a - share[:, None] * (b - a), axis=1) <= 4
    wanted = set(grid[grid > 0][under].tolist())
    chosen = document.table("msi").obs["domain"].notna().to_numpy()
    assert set(document.instances("msi")[chosen].tolist()) == wanted - {1}  # pixel 1 has no row
    assert len(labels_of(presenter)) == 1


def test_the_brush_takes_the_cells_it_touches(presenter, mouse):
    presenter.use("brush", table="cells_table", column="kind", value="z", radius_um=1.0)
    mouse.drag(um(8, 6), um(8, 22))
    kinds = presenter.document.table("cells_table").obs["kind"]
    assert list(kinds[kinds == "z"].index) == ["cells_1", "cells_2"]


# landmarks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("moving_first", [False, True])
def test_a_click_on_either_side_adds_a_pair(presenter, mouse, moving_first):
    presenter.use("landmark", landmarks="msi")
    fixed, moving = np.array([20.0, 10.0]), np.array([45.0, 385.0])
    clicks = [fixed, moving + presenter.offset]
    for at in clicks[::-1] if moving_first else clicks:
        mouse.click(at)
    held = presenter.document.attribute("landmarks")["msi"]
    assert np.allclose(held["fixed_um"][-1], fixed)
    assert np.allclose(held["moving_um"][-1], moving, atol=1e-3)
    assert labels_of(presenter) == ["add landmark 4 of msi"]
    layer = next(lay for s, lay in presenter.canvas.layers() if s.key.part == "moving")
    assert np.allclose(layer.data_to_world(layer.data[-1]), moving + presenter.offset, atol=1e-3)
    assert list(layer.features["number"]) == ["1", "2", "3", "4"]


def test_a_second_click_on_the_same_side_moves_the_first_click(presenter, mouse):
    presenter.use("landmark", landmarks="msi")
    mouse.click((20.0, 10.0))
    mouse.click((21.0, 11.0))
    mouse.click(np.array([45.0, 385.0]) + presenter.offset)
    assert np.allclose(presenter.document.attribute("landmarks")["msi"]["fixed_um"][-1], [21, 11])


def test_a_landmark_is_dragged_and_deleted(presenter, mouse):
    presenter.use("landmark", landmarks="msi")
    presenter.viewer.scene.camera.zoom = 20.0
    mouse.drag((25.0, 6.0), (24.0, 8.0), (23.0, 9.0))
    assert np.allclose(presenter.document.attribute("landmarks")["msi"]["fixed_um"][1], [23, 9])
    mouse.click((23.0, 9.0), modifiers=("Alt",))
    assert labels_of(presenter) == ["move landmark 2 of msi", "delete landmark 2 of msi"]
    assert len(presenter.document.attribute("landmarks")["msi"]["fixed_um"]) == 2


def test_the_misses_follow_every_correction(presenter, mouse):
    presenter.use("landmark", landmarks="msi")
    lines = next(lay for s, lay in presenter.canvas.layers() if s.key.part == "misses")
    before = np.array(lines.data)
    fit = presenter.landmark_fit()
    assert np.allclose(np.linalg.norm(before[:, 1], axis=1), fit.residuals_um)
    presenter.session.execute(
        correct(presenter.document, "move-landmark", landmarks="msi", number=1, side="fixed", to_um=[9.0, 2.0])
    )
    assert not np.allclose(lines.data, before)
    assert np.allclose(np.linalg.norm(lines.data[:, 1], axis=1), presenter.landmark_fit().residuals_um)


def test_putting_the_landmarks_down_brings_the_view_back(presenter):
    before = presenter.state
    presenter.use("landmark", landmarks="msi")
    assert presenter.state.beside == "msi"
    presenter.use("")
    assert (presenter.state.beside, presenter.state.landmarks) == (before.beside, "")


def test_the_delete_key_removes_the_landmark_under_the_mouse(presenter, mouse):
    presenter.use("landmark", landmarks="msi")
    presenter.viewer.scene.camera.zoom = 20.0
    mouse.hover((15.2, 22.0))
    presenter.delete()
    assert labels_of(presenter) == ["delete landmark 3 of msi"]


def test_two_quick_clicks_are_two_clicks_and_do_not_zoom(presenter, mouse):
    zoom = presenter.viewer.scene.camera.zoom
    presenter.use("merge", labels="cells")
    mouse.click(um(6, 6))
    mouse.double(um(6, 22))
    assert labels_of(presenter) == ["merge cells 1 and 2 in cells"]
    assert presenter.viewer.scene.camera.zoom == zoom
    presenter.use("")
    mouse.double(um(6, 22))
    assert presenter.viewer.scene.camera.zoom != zoom


# any sequence --------------------------------------------------------------------------------

PLACES = st.tuples(st.integers(1, 58), st.integers(1, 48))
STEPS = st.one_of(
    st.tuples(st.sampled_from(["paint", "erase", "split", "merge", "draw"]), st.lists(PLACES, min_size=2, max_size=4)),
    st.tuples(st.just("delete"), st.lists(PLACES, min_size=1, max_size=1)),
    st.tuples(st.sampled_from(["undo", "redo"]), st.just([])),
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(STEPS, min_size=1, max_size=8), coloured=st.booleans())
def test_after_any_sequence_of_gestures_the_layers_show_the_document(steps, coloured):
    session = Session.start(section())
    presenter = Presenter(ViewerModel(), session)
    presenter.show(colours={"cells": ColourBy("cells_table", "obs/kind") if coloured else None})
    mouse, start = Mouse(presenter.viewer), cells(presenter)
    for step, places in steps:
        before = len(session.history)
        if step in ("undo", "redo"):
            getattr(presenter, step)()
        else:
            presenter.use(step, labels="cells")
            if step == "merge":
                for at in places[:2]:
                    mouse.click(um(*at))
            else:
                mouse.drag(*(um(*at) for at in places))
            assert session.position <= before + 1
        agrees(presenter)
    while session.position:
        presenter.undo()
        agrees(presenter)
    assert np.array_equal(cells(presenter), start)
    presenter.close()
    session.close()
