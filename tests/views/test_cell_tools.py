"""The hand's tools: what each gesture makes of the document. One gesture is one command, and Escape forgets it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatialml.session import correct
from napari_spatialml.views.hand import Pace

from .conftest import CELLS_UM

TOP = ((2, 2), (2, 22), (14, 36), (14, 2), (2, 2))
"""Around cells 1 and 2 of the first row, and a part of cell 3 (y 4 to 12, x 34 to 42) below half of it."""


def um(y, x):
    return ((y + 0.5) * CELLS_UM, (x + 0.5) * CELLS_UM)


def cells(presenter):
    return presenter.document.grid("cells").read()


def ids(presenter):
    return set(np.unique(cells(presenter)).tolist()) - {0}


def labels_of(presenter):
    return [entry.label for entry in presenter.session.history]


def agrees(presenter):
    assert np.array_equal(presenter.layer_of("cells").data, cells(presenter))


@pytest.fixture(autouse=True)
def close_up(presenter):
    """A pixel of the cells is twenty of the screen, so that two places of a test are two places for a hand."""
    presenter.viewer.scene.camera.zoom = 40.0


# lasso ---------------------------------------------------------------------------------------


def test_a_lasso_deletes_many_cells_in_one_command(presenter, mouse):
    presenter.use("delete", labels="cells")
    mouse.drag(*(um(*at) for at in TOP))
    assert labels_of(presenter) == ["delete cells 1 and 2 in cells"]
    assert ids(presenter) == set(range(3, 10))
    agrees(presenter)
    presenter.undo()
    assert ids(presenter) == set(range(1, 10))
    agrees(presenter)


def test_a_lasso_merges_what_it_holds(presenter, mouse):
    presenter.use("merge", labels="cells")
    mouse.drag(*(um(*at) for at in TOP))
    assert labels_of(presenter) == ["merge cells 1 and 2 in cells"]
    mouse.drag(um(20, 2), um(20, 14), um(32, 14), um(32, 2))
    assert len(labels_of(presenter)) == 1
    assert "merging takes two" in presenter.said[-1][1]


def test_while_a_lasso_is_drawn_it_says_and_outlines_what_it_holds(presenter, mouse):
    presenter.use("delete", labels="cells")
    presenter.current._count = Pace(0.0)
    mouse.press(um(*TOP[0]))
    mouse.move(*(um(*at) for at in TOP[1:]))
    assert presenter.hint == "The lasso holds cells 1, 2."
    assert len(presenter.marks.lines) > 4 + 2 * 8
    mouse.release(um(*TOP[-1]))


def test_a_lasso_around_nothing_says_so(presenter, mouse):
    presenter.use("delete", labels="cells")
    mouse.drag(um(13, 2), um(13, 12), um(20, 12), um(20, 2))
    assert labels_of(presenter) == []
    assert "holds no cell" in presenter.said[-1][1]


# escape --------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["delete", "merge", "split", "draw", "grow", "smooth"])
def test_escape_forgets_what_was_begun(presenter, mouse, tool):
    presenter.use(tool, labels="cells")
    mouse.press(um(20, 22))
    mouse.move(um(24, 22), um(32, 22), um(32, 30))
    presenter.cancel()
    mouse.release(um(32, 31))
    assert labels_of(presenter) == []
    assert presenter.tool == tool
    assert presenter.session.position == 0


def test_escape_forgets_a_polygon_and_an_outline_begun_by_a_right_click(presenter, mouse):
    presenter.use("draw", labels="cells")
    for at in ((48, 30), (48, 44), (56, 44)):
        mouse.click(um(*at))
    presenter.cancel()
    assert presenter.current.way == "" and len(presenter.marks.lines) == 0
    presenter.hold(preset="Cellpose")
    mouse.click(um(48, 30), button=2)
    mouse.hover(um(50, 40))
    presenter.cancel()
    mouse.hover(um(56, 40))
    assert labels_of(presenter) == [] and len(presenter.marks.lines) == 0


# draw ----------------------------------------------------------------------------------------

AROUND = ((50, 34), (50, 44), (57, 44), (57, 34))


def drawn(presenter):
    return (cells(presenter)[50:58, 34:45] == 10).sum()


def test_an_outline_closes_when_it_comes_back_to_its_start_while_the_button_is_still_down(presenter, mouse):
    presenter.use("draw", labels="cells")
    mouse.press(um(*AROUND[0]))
    mouse.move(*(um(*at) for at in (*AROUND[1:], (54, 34), AROUND[0])))
    assert labels_of(presenter) == ["draw cell 10 in cells"]
    mouse.move(um(40, 20), um(30, 20))
    mouse.release(um(30, 20))
    assert labels_of(presenter) == ["draw cell 10 in cells"]
    assert drawn(presenter) == 88
    agrees(presenter)


@pytest.mark.parametrize("end", ["double", "start", "enter"])
def test_a_cell_is_drawn_point_by_point(presenter, mouse, end):
    presenter.use("draw", labels="cells")
    for at in AROUND:
        mouse.click(um(*at))
        mouse.hover(um(30, 30))
    assert labels_of(presenter) == []
    if end == "double":
        mouse.double(um(*AROUND[-1]))
    elif end == "start":
        mouse.click(um(*AROUND[0]))
    else:
        presenter.act("finish")
    assert labels_of(presenter) == ["draw cell 10 in cells"]
    assert drawn(presenter) == 88
    presenter.undo()
    assert drawn(presenter) == 0


def test_the_delete_key_takes_back_the_last_point(presenter, mouse):
    presenter.use("draw", labels="cells")
    for at in (*AROUND, (20, 20)):
        mouse.click(um(*at))
    presenter.delete()
    presenter.act("finish")
    assert drawn(presenter) == 88


def test_a_drag_out_and_back_along_one_line_encloses_nothing(presenter, mouse):
    presenter.use("draw", labels="cells")
    mouse.drag(um(50, 34), um(50, 40), um(50, 44), um(50, 40), um(50, 34))
    assert labels_of(presenter) == []
    assert "holds nothing" in presenter.said[-1][1]


# split ---------------------------------------------------------------------------------------


def test_the_two_parts_are_seen_before_the_button_comes_up(presenter, mouse):
    presenter.use("split", labels="cells")
    presenter.current.pace = Pace(0.0)
    mouse.press(um(20, 24.5))
    mouse.move(um(25, 24.5), um(32, 24.5))
    assert labels_of(presenter) == [], "a preview changes nothing"
    edges = np.asarray(presenter.marks.lines)
    # the line itself; and a cut of 8 × 8 pixels doubles the edge along it
    assert len(edges) == 2 + 4 * 8 + 2 * 8
    assert len(np.unique(presenter.marks._layer.edge_color, axis=0)) == 3
    mouse.release(um(32, 24.5))
    assert labels_of(presenter) == ["split cell 5 in cells"]
    assert len(presenter.marks.lines) == 0
    agrees(presenter)


def test_the_key_of_split_takes_the_next_way(presenter):
    presenter.use("split", labels="cells")
    seen = [presenter.hand.how]
    for _ in range(4):
        presenter.take("split")
        seen.append(presenter.hand.how)
    assert seen == ["straight", "watershed", "membrane", "transcripts", "straight"]
    assert presenter.tool == "split" and labels_of(presenter) == []


def test_a_preview_is_made_at_most_so_often_and_the_last_one_comes(monkeypatch):
    now, queue, made = [0.0], [], []
    monkeypatch.setattr("napari_spatialml.views.hand.time.monotonic", lambda: now[0])
    pace = Pace(0.03, lambda ms, call: queue.append((ms, call)))
    for k in range(5):
        pace(lambda k=k: made.append(k))
        now[0] += 0.004
    assert made == [0] and len(queue) == 1
    now[0] += queue[0][0] / 1000
    queue.pop()[1]()
    assert made == [0, 4]
    pace(lambda: made.append(9))
    pace.forget()
    queue.pop()[1]()
    assert made == [0, 4]


# shape ---------------------------------------------------------------------------------------


def area(presenter, cell):
    return int((cells(presenter) == cell).sum())


def test_a_click_grows_a_cell_and_the_keys_grow_and_shrink_the_one_under_the_mouse(presenter, mouse):
    presenter.use("grow", labels="cells", by_um=1.0)
    mouse.hover(um(26, 24))
    before = len(presenter.marks.lines)
    assert before > 2 * 32, "under the mouse, what it is and what it becomes"
    mouse.click(um(26, 24))
    grown = area(presenter, 5)
    assert labels_of(presenter) == ["grow cell 5 by 1 µm in cells"] and grown > 64
    agrees(presenter)
    presenter.act("shrink")
    assert labels_of(presenter)[-1] == "shrink cell 5 by 1 µm in cells" and area(presenter, 5) < grown
    presenter.undo()
    presenter.act("grow")
    assert area(presenter, 5) > grown
    agrees(presenter)


def test_a_lasso_shrinks_many(presenter, mouse):
    presenter.use("shrink", labels="cells", by_um=0.5)
    mouse.drag(*(um(*at) for at in TOP))
    assert labels_of(presenter) == ["shrink cells 1 and 2 by 0.5 µm in cells"]
    assert area(presenter, 1) < 120 and area(presenter, 3) == 64
    agrees(presenter)


def test_holes_are_filled_and_outlines_smoothed(presenter, mouse):
    presenter.use("erase", labels="cells", size_um=0.5)
    mouse.click(um(26, 24))
    assert area(presenter, 5) == 63
    presenter.use("fill", labels="cells")
    mouse.click(um(24, 22))
    assert area(presenter, 5) == 64 and labels_of(presenter)[-1] == "fill holes of cell 5 in cells"
    presenter.use("paint", labels="cells", size_um=0.5)
    mouse.drag(um(26, 26), um(26, 28), um(26, 30))
    assert area(presenter, 5) == 68
    presenter.use("smooth", labels="cells", smooth_um=1.0)
    mouse.click(um(24, 22))
    assert cells(presenter)[26, 30] == 0, "the spike is gone"
    assert labels_of(presenter)[-1] == "smooth cell 5 by 1 µm in cells"
    agrees(presenter)


def test_a_nucleus_that_is_clicked_becomes_a_cell_of_other_labels(presenter, mouse):
    presenter.hold(nuclei="cells", limit_um=1.0)
    presenter.use("expand", labels="whole")
    mouse.click(um(26, 24))
    made = presenter.document.grid("whole").read()
    assert len(np.unique(made)) == 2 and (made > 0).sum() > 64
    assert area(presenter, 5) == 64, "the nuclei stay"
    presenter.undo()
    assert "whole" not in presenter.document.names("labels")


def test_what_a_click_cannot_do_is_told_with_a_way_out(presenter, mouse):
    presenter.use("expand", labels="whole")
    assert presenter.tool == "" and "Choose both" in presenter.said[-1][1]
    presenter.use("grow", labels="cells")
    presenter.act("grow")
    assert "over a cell" in presenter.said[-1][1] and labels_of(presenter) == []


# look ----------------------------------------------------------------------------------------


def test_looking_moves_the_view_and_a_click_chooses_a_cell_for_the_delete_key(presenter, mouse):
    presenter.use("choose", labels="cells")
    assert presenter.viewer.scene.camera.mouse_pan
    mouse.click(um(26, 24))
    assert presenter.selected_cells == (5,)
    mouse.hover(um(6, 6))
    presenter.delete()
    assert labels_of(presenter) == ["delete cell 5 in cells"] and presenter.selected_cells == ()
    mouse.press(um(6, 6))
    presenter.viewer.scene.camera.center = (0, 3, 3)
    mouse.release(um(6, 6))
    assert presenter.selected_cells == (), "the view was moved, nothing was clicked"


def test_the_tool_last_used_comes_back_with_the_key_for_correcting(presenter):
    presenter.use("merge", labels="cells")
    presenter.toggle_correcting()
    assert presenter.tool == ""
    presenter.toggle_correcting()
    assert presenter.tool == "merge" and presenter.hand.labels == "cells"


def test_other_labels_in_the_hand_go_to_the_tool_in_use(presenter):
    presenter.use("paint", labels="cells", size_um=2)
    presenter.hold(size_um=6)
    assert presenter.layer_of("cells").brush_size == 12
    presenter.session.execute(
        correct(presenter.document, "expand-nuclei", nuclei="cells", labels="whole", distance_um=1)
    )
    presenter.show(shown=("cells", "whole"))
    presenter.hold(labels="whole")
    assert presenter.tool == "paint" and presenter.current.labels == "whole"
