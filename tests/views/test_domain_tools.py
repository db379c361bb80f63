"""Strokes on a map of domains: by brush, lasso, polygon and fill, each one step that can be undone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel

from napari_spatialml.session import Session
from napari_spatialml.views import Presenter
from napari_spatialml.views.tools import Pointer

from ..session.divided import TABLE, banded, names, strokes
from .conftest import Mouse, section

SPOTS, PITCH, WIDE = f"{TABLE}_spots", 50.0, 20
COLUMN = np.arange(WIDE * WIDE) % WIDE
ROW = np.arange(WIDE * WIDE) // WIDE


def domains():
    """Two islands of "a" in "b": columns 2 to 5 and 12 to 15 of rows 4 to 9."""
    island = (ROW >= 4) & (ROW <= 9) & np.isin(COLUMN, [2, 3, 4, 5, 12, 13, 14, 15])
    return np.where(island, "a", "b")


def at(row, column):
    return PITCH * row, PITCH * column


def place(row, column):
    return row * WIDE + column


@pytest.fixture
def opened():
    sdata = banded(WIDE * WIDE)
    sdata.tables[TABLE].obs["domain"] = pd.Categorical(domains())
    session = Session.start(sdata)
    presenter = Presenter(ViewerModel(), session)
    presenter.taken, presenter.said = [], []
    presenter.rows_taken.connect(lambda table, rows: presenter.taken.append((table, rows.tolist())))
    presenter.told.connect(lambda level, sentence: presenter.said.append((level, sentence)))
    presenter.show()
    presenter.viewer.scene.camera.zoom = 2.0
    yield presenter, Mouse(presenter.viewer)
    presenter.close()
    session.close()


def test_a_stroke_of_the_brush_is_one_step_that_undo_takes_back(opened):
    presenter, mouse = opened
    before = names(presenter.session)
    presenter.use("domain-brush", table=TABLE, domain="a", radius_um=10.0)
    mouse.drag(at(0, 0), at(0, 2), at(0, 1))
    assert presenter.taken == [(TABLE, [0, 1, 2])]
    assert [(s["domain"], s["instances"]) for s in strokes(presenter.session)] == [("a", [100, 101, 102])]
    assert len(presenter.session.history) == 1
    assert (names(presenter.session)[:4] == ["a", "a", "a", "b"]).all()
    presenter.undo()
    assert (names(presenter.session) == before).all() and not strokes(presenter.session)


def test_spots_under_the_brush_have_the_colour_of_the_domain_while_the_mouse_moves_and_escape_gives_it_back(opened):
    presenter, mouse = opened
    presenter.use("domain-brush", table=TABLE, domain="a", radius_um=10.0)
    layer = presenter.layer_of(SPOTS)
    before = layer.face_color.copy()
    mouse.press(at(0, 0))
    mouse.move(at(0, 2))
    np.testing.assert_allclose(layer.face_color[:3], np.tile(before[place(4, 2)], (3, 1)), atol=1e-6)
    assert np.array_equal(layer.face_color[3:], before[3:])
    presenter.cancel()
    mouse.release(at(0, 2))
    assert np.array_equal(layer.face_color, before) and not presenter.taken and not len(presenter.marks.lines)


def test_spots_that_are_drawn_from_tiles_have_its_colour_too(opened, monkeypatch):
    from napari_spatialml.views import spots

    monkeypatch.setattr(spots, "_DOTS", 100)
    presenter, mouse = opened
    presenter.show()
    presenter.use("domain-brush", table=TABLE, domain="a", radius_um=10.0)
    level = presenter.layer_of(SPOTS).data[-3]
    before, shown = level.colours.copy(), level[:, :].copy()
    mouse.press(at(0, 0))
    mouse.move(at(0, 2))
    assert np.array_equal(level.colours[:3], before[[place(4, 2)] * 3]) and np.array_equal(
        level.colours[3:], before[3:]
    )
    assert (level[:, :] != shown).any()
    presenter.cancel()
    assert np.array_equal(level.colours, before) and np.array_equal(level[:, :], shown)
    mouse.release(at(0, 2))
    mouse.drag(at(0, 0), at(0, 2))
    now = presenter.layer_of(SPOTS).data[0].colours
    assert np.array_equal(now[:3], before[[place(4, 2)] * 3]) and np.array_equal(now[3:], before[3:])


def test_a_click_takes_what_is_under_the_brush_and_never_nothing_on_a_spot(opened):
    presenter, mouse = opened
    presenter.use("domain-brush", table=TABLE, domain="a", radius_um=3.0)
    mouse.click((0.0, 15.0))  # on the spot of 20 µm, farther from its centre than the brush is wide
    presenter.use("domain-brush", table=TABLE, domain="a", radius_um=60.0)
    mouse.click(at(0, 0))
    assert presenter.taken == [(TABLE, [0]), (TABLE, [0, 1, WIDE])]


@pytest.mark.parametrize("tool", ["domain-lasso", "domain-polygon"])
def test_an_outline_gives_what_it_holds_a_new_domain(opened, tool):
    presenter, mouse = opened
    corners = [(-20.0, -20.0), (-20.0, 80.0), (80.0, 80.0), (80.0, -20.0)]
    presenter.use(tool, table=TABLE, domain="fold line", radius_um=50.0, reason="seen in H&E")
    if tool.endswith("lasso"):
        mouse.drag(*corners)
    else:
        for corner in corners:
            mouse.click(corner)
        presenter.enter()
    assert presenter.taken == [(TABLE, [0, 1, WIDE, WIDE + 1])]
    found = names(presenter.session)
    assert set(found[[0, 1, WIDE, WIDE + 1]]) == {"fold line"} and "fold line" not in found[[2, WIDE + 2]]
    assert presenter.selected.now is None and strokes(presenter.session)[0]["reason"] == "seen in H&E"
    (legend,) = presenter.legends()
    assert {name: n for name, _, n in legend.categories}["fold line"] == 4


def test_without_a_domain_the_tissue_is_ignored(opened):
    presenter, mouse = opened
    presenter.use("domain-lasso", table=TABLE, domain="")
    assert "ignore them" in presenter.hint
    mouse.click(at(2, 2))
    assert presenter.taken == [(TABLE, [place(2, 2)])]
    assert presenter.document.table(TABLE).obs["domain"].isna().to_numpy().nonzero()[0].tolist() == [place(2, 2)]


def test_a_click_fills_the_island_and_not_its_twin(opened):
    presenter, mouse = opened
    presenter.use("domain-fill", table=TABLE, domain="c")
    mouse.hover(at(6, 3))
    assert "24 spots" in presenter.hint and len(presenter.marks.lines)
    mouse.click(at(6, 3))
    expected = np.flatnonzero((domains() == "a") & (COLUMN < 10))
    assert presenter.taken == [(TABLE, expected.tolist())]
    assert set(names(presenter.session)[expected]) == {"c"} and names(presenter.session)[place(6, 13)] == "a"
    # the map is another one now: b surrounds an island that is gone
    mouse.click(at(6, 13))
    assert presenter.taken[1][1] == np.flatnonzero((domains() == "a") & (COLUMN > 10)).tolist()


def test_beside_the_tissue_a_fill_takes_nothing_and_says_so(opened):
    presenter, mouse = opened
    presenter.use("domain-fill", table=TABLE, domain="c")
    mouse.click((-300.0, -300.0))
    assert not presenter.taken and presenter.said[-1] == ("info", "There are no spots under the mouse.")


def test_with_shift_a_fill_takes_what_looks_alike_whatever_it_is_called(opened):
    presenter, mouse = opened
    presenter.use("domain-fill", table=TABLE, domain="c")
    mouse.click(at(0, 0), modifiers=("Shift",))
    assert presenter.said[-1][0] == "error" and "no probabilities" in presenter.said[-1][1]
    table = presenter.document.table(TABLE)
    share = np.where(COLUMN < 6, 0.55, 0.95) - 0.1 * (ROW % 2)  # crosses one half: both names
    table.obsm["domain_probabilities"] = np.stack([share, 1 - share], 1).astype(np.float32)
    mouse.click(at(0, 0), modifiers=("Shift",))
    assert presenter.taken == [(TABLE, np.flatnonzero(COLUMN < 6).tolist())]


def test_a_map_that_is_looked_at_as_its_margin_stays_so_under_the_brush(opened):
    from napari_spatialml.views import ColourBy

    presenter, mouse = opened
    presenter.use("domain-lasso", table=TABLE, domain="a")
    mouse.click(at(0, 0))
    presenter.colour_by(SPOTS, ColourBy(TABLE, "obs/domain_margin"))
    presenter.use("domain-brush", table=TABLE, domain="a")
    assert presenter.colour_of(SPOTS) == ColourBy(TABLE, "obs/domain_margin")
    presenter.colour_by(SPOTS, ColourBy(TABLE, "X/gene0"))
    presenter.use("domain-brush", table=TABLE, domain="a")
    assert presenter.colour_of(SPOTS) == ColourBy(TABLE, "obs/domain")


@pytest.mark.parametrize("tool", ["domain-brush", "domain-lasso", "domain-fill"])
@pytest.mark.parametrize("element", ["pixels", "cells"])
def test_pixels_and_cells_are_taken_like_spots(tool, element):
    sdata = section()
    system, table = ("msi", "msi") if element == "pixels" else ("global", "cells_table")
    n = sdata.tables[table].n_obs
    kinds = np.array(["x", "y"])[(np.arange(n) >= n // 2).astype(int)]
    sdata.tables[table].obs["domain"] = pd.Categorical(kinds)
    session = Session.start(sdata)
    presenter = Presenter(ViewerModel(), session)
    taken = []
    presenter.rows_taken.connect(lambda _, rows: taken.append(rows.tolist()))
    presenter.show(coordinate_system=system)
    mouse = Mouse(presenter.viewer)
    affine = presenter.place_of(element).affine
    where = affine.apply(np.array([[0.5, 1.5]] if element == "pixels" else [[8.5, 6.5]]))[0]
    presenter.use(tool, table=table, domain="new", radius_um=0.1)
    mouse.hover(where)
    mouse.press(where)
    if tool == "domain-brush":  # what it takes is outlined, in the colour of the domain
        assert len(presenter.marks.lines) > 50
    mouse.release(where)
    if tool != "domain-fill":
        assert taken == [[0]]
    elif element == "cells":
        assert taken == [[0, 1, 2, 3]]
    else:
        assert taken == [list(range(n // 2))]
    assert set(session.document.table(table).obs["domain"].to_numpy()[taken[0]]) == {"new"}
    presenter.close()
    session.close()


def test_a_fill_under_the_mouse_follows_the_map(opened):
    presenter, mouse = opened
    presenter.use("domain-fill", table=TABLE, domain="a")
    mouse.hover(at(6, 3))
    first = presenter.hint
    presenter.correct("stroke-domain", table=TABLE, rows=[place(4, 2)], domain="b")
    presenter.current.hover(Pointer(np.array(at(6, 3))))
    assert "24 spots" in first and "23 spots" in presenter.hint


def test_the_graphics_card_gets_the_spots_once_for_each_new_colour_and_not_where_the_brush_has_been(opened):
    presenter, _ = opened
    layer, sent = presenter.layer_of(SPOTS), []
    for told in (layer.events.face_color, layer.events.border_color, layer._face.events.colors,
                 layer._border.events.colors):  # fmt: skip
        told.connect(lambda _event: sent.append(1))
    presenter.use("domain-brush", table=TABLE, domain="a", radius_um=10.0)
    sent.clear()
    tool = presenter.current
    tool.press(Pointer(np.array(at(0, 0), float)))
    assert len(sent) == 1
    tool.move(Pointer(np.array(at(0, 0), float) + 1))
    assert len(sent) == 1, "no other spot is under the brush"
    tool.move(Pointer(np.array(at(0, 1), float)))
    assert len(sent) == 2
    shown = layer.face_color[[0, 1, 2]]
    assert np.array_equal(shown[0], shown[1]) and not np.array_equal(shown[0], shown[2])
    assert np.array_equal(layer.border_color, layer.face_color)
    tool.release(Pointer(np.array(at(0, 1), float)))
    assert len(sent) == 2, "the document gives them what they have"
