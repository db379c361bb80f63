"""Strokes on a map of domains as they are drawn, how far to trust it as colours, and the way to a region."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel

from napari_spatialml.session import Session
from napari_spatialml.session.command import Command
from napari_spatialml.session.store import put
from napari_spatialml.views import ColourBy, Presenter
from napari_spatialml.views.annotation_specs import CASING, HATCH, STROKE, STROKES
from napari_spatialml.views.domain_fading import FADED
from napari_spatialml.views.row_layout import RowLayout, layout_of
from napari_spatialml.views.specs import Key
from napari_spatialml.views.uncertain import show_region

from ..session.divided import TABLE, banded
from .conftest import section
from .test_domain_regions import enclosed
from .test_domain_tools import COLUMN, PITCH, ROW, SPOTS, WIDE, domains, place

WHERE = PITCH * np.column_stack([ROW, COLUMN]).astype(float)
MARGIN = np.linspace(0, 1, WIDE * WIDE)


def of_rows(values):
    return pd.Series(values, index=[f"{TABLE}{i}" for i in range(WIDE * WIDE)])


@pytest.fixture
def presenter():
    sdata = banded(WIDE * WIDE)
    sdata.tables[TABLE].obs["domain"] = pd.Categorical(domains())
    session = Session.start(sdata)
    made = Presenter(ViewerModel(), session)
    made.show()
    made.correct("stroke-domain", table=TABLE, rows=[place(r, c) for r in (1, 2) for c in range(8)], domain="a")
    made.correct("stroke-domain", table=TABLE, rows=[place(2, c) for c in range(4, 12)], domain="b")
    yield made
    made.close()
    session.close()


def lines(presenter, part, element=SPOTS):
    layer = presenter.canvas.layer(Key(element, part))
    return None if layer is None else np.asarray(layer.data)


def colours(presenter):
    return presenter.layer_of(SPOTS).face_color.copy()


def test_a_stroke_is_outlined_where_it_counts(presenter):
    inside = enclosed(WHERE, lines(presenter, STROKES))
    assert np.array_equal(inside, ((ROW == 1) & (COLUMN < 8)) | ((ROW == 2) & (COLUMN < 12)))
    assert np.array_equal(lines(presenter, STROKES), lines(presenter, CASING))
    # the second stroke took its rows from the first: each has a ring of its own
    second = np.flatnonzero((ROW == 2) & (COLUMN >= 4) & (COLUMN < 12))
    layout = layout_of(presenter.document, TABLE, SPOTS, "global", presenter.memory)
    drawn, own = lines(presenter, STROKES), layout.outline(second)
    assert np.array_equal(drawn[-len(own) :], own)
    rest = enclosed(WHERE, drawn[: -len(own)])
    assert np.array_equal(rest, np.isin(ROW, [1, 2]) & (COLUMN < 8) & ~np.isin(np.arange(WIDE * WIDE), second))


def test_undo_takes_its_outline_away_and_redo_brings_it_back(presenter):
    before = lines(presenter, STROKES)
    presenter.undo()
    assert np.array_equal(enclosed(WHERE, lines(presenter, STROKES)), np.isin(ROW, [1, 2]) & (COLUMN < 8))
    presenter.undo()
    assert lines(presenter, STROKES) is None
    presenter.redo()
    presenter.redo()
    assert np.array_equal(lines(presenter, STROKES), before)


def test_a_new_stroke_costs_its_own_outline_alone(presenter, monkeypatch):
    made = []
    plain = RowLayout._outline
    monkeypatch.setattr(RowLayout, "_outline", lambda self, rows: made.append(len(rows)) or plain(self, rows))
    presenter.correct("stroke-domain", table=TABLE, rows=[place(12, 3)], domain="a")
    assert made == [1]
    values = presenter.document.table(TABLE).obs["domain"].astype(str).to_numpy().copy()
    values[300:] = "a"
    slot = ("tables", TABLE, "obs", "domain")
    presenter.session.execute(Command("fit again", (put(presenter.document, slot, of_rows(pd.Categorical(values))),)))
    assert made == [1]


def test_one_stroke_is_looked_at_with_all_its_rows(presenter):
    presenter.show_stroke(TABLE, "domain", 0)
    assert np.array_equal(enclosed(WHERE, lines(presenter, STROKE)), np.isin(ROW, [1, 2]) & (COLUMN < 8))
    presenter.show_stroke(TABLE, "domain", 7)  # there is none
    assert not len(lines(presenter, STROKE))
    presenter.show_stroke()
    assert lines(presenter, STROKE) is None


def test_strokes_are_drawn_on_their_map_alone_and_can_be_left_out(presenter):
    presenter.colour_by(SPOTS, ColourBy(TABLE, "X/gene0"))
    assert lines(presenter, STROKES) is None
    presenter.colour_by(SPOTS, ColourBy(TABLE, "obs/domain_margin"))
    assert lines(presenter, STROKES) is not None
    presenter.colour_by(SPOTS, ColourBy(TABLE, "obs/domain"))
    assert ("outline", "set by hand (20)") in presenter.legends()[0].signs
    presenter.show(strokes=False)
    assert lines(presenter, STROKES) is None and not presenter.legends()[0].signs


def test_ignored_tissue_is_hatched_and_the_legend_says_so(presenter):
    assert lines(presenter, HATCH) is None
    ignored = (ROW > 12) & (COLUMN > 12)
    presenter.correct("ignore-tissue", table=TABLE, rows=np.flatnonzero(ignored).tolist())
    (legend,) = presenter.legends()
    assert ("hatch", f"ignored ({ignored.sum()})") in legend.signs
    drawn = lines(presenter, HATCH)
    middles = drawn[:, 0] + 0.5 * drawn[:, 1]
    assert len(drawn) > 5 and (middles > 12.3 * PITCH).all()
    assert sum(n for _, _, n in legend.categories) == WIDE * WIDE - ignored.sum()


def test_a_fit_changes_colours_alone_and_what_is_hidden_stays_hidden(presenter):
    layer = presenter.layer_of(SPOTS)
    presenter.hide_categories(SPOTS, frozenset({"b"}))
    data, shown = layer.data, layer.shown.copy()
    sent = []
    layer.events.border_color.connect(lambda: sent.append("colours"))
    layer.events.size.connect(lambda: sent.append("sizes"))
    values = presenter.document.table(TABLE).obs["domain"].astype(str).to_numpy().copy()
    values[200:] = "a"
    slot = ("tables", TABLE, "obs", "domain")
    presenter.session.execute(Command("fit again", (put(presenter.document, slot, of_rows(pd.Categorical(values))),)))
    assert presenter.layer_of(SPOTS) is layer and layer.data is data and sent == ["colours"]
    assert np.array_equal(layer.shown, values == "a") and not np.array_equal(layer.shown, shown)
    (legend,) = presenter.legends()
    assert {name: n for name, _, n in legend.categories} == {"a": (values == "a").sum(), "b": (values == "b").sum()}
    assert legend.hidden == {"b"}
    np.testing.assert_allclose(layer.face_color, layer.border_color)


def test_trust_runs_from_0_to_1_in_words_whatever_the_values_are(presenter):
    margins = put(presenter.document, ("tables", TABLE, "obs", "domain_margin"), of_rows(0.4 + 0.1 * MARGIN))
    presenter.session.execute(Command("margins", (margins,)))
    ends = {"margin": ("unsure", "sure"), "boundary": ("inside", "at a border")}
    for name, words in ends.items():
        presenter.colour_by(SPOTS, ColourBy(TABLE, f"obs/domain_{name}"))
        (legend,) = presenter.legends()
        assert (legend.low, legend.high) == (0.0, 1.0) and legend.ends == words and legend.note
    # a column of the same kind that belongs to no map is a measurement like others
    presenter.session.execute(Command("other", (put(presenter.document, ("tables", TABLE, "obs", "my_margin"),
                                                    of_rows(0.4 + 0.1 * MARGIN)),)))  # fmt: skip
    presenter.colour_by(SPOTS, ColourBy(TABLE, "obs/my_margin"))
    (legend,) = presenter.legends()
    assert legend.ends == ("", "") and legend.high < 0.6


def test_domains_are_the_paler_the_less_sure_the_map_is(presenter):
    plain = colours(presenter)
    margins = put(presenter.document, ("tables", TABLE, "obs", "domain_margin"), of_rows(MARGIN))
    presenter.session.execute(Command("margins", (margins,)))
    assert np.array_equal(colours(presenter), plain)
    presenter.fade_unsure(SPOTS)
    faded = colours(presenter)
    same = np.flatnonzero((domains() == "b") & (ROW > 2))
    assert (np.diff(faded[same].min(1)) < 1e-6).all()  # less white as the margin grows
    np.testing.assert_allclose(faded[-1], plain[-1], atol=1 / 255)
    assert faded[0, :3].min() > 0.8
    assert ("fade", "paler: less sure") in presenter.legends()[0].signs
    presenter.fade_unsure(SPOTS, False)
    assert np.array_equal(colours(presenter), plain)


@pytest.mark.parametrize("element", ["pixels", "cells"])
def test_a_veil_lies_over_pixels_and_cells_of_which_the_map_is_unsure(element):
    sdata = section()
    system, table = ("msi", "msi") if element == "pixels" else ("global", "cells_table")
    n = sdata.tables[table].n_obs
    sdata.tables[table].obs["domain"] = pd.Categorical(np.array(["x", "y"])[np.arange(n) % 2])
    session = Session.start(sdata)
    presenter = Presenter(ViewerModel(), session)
    presenter.show(coordinate_system=system)
    presenter.correct("stroke-domain", table=table, rows=[0, 1], domain="x")
    assert len(presenter.canvas.layer(Key(element, STROKES)).data)
    presenter.colour_by(element, ColourBy(table, "obs/domain"))
    presenter.fade_unsure(element)
    veil = presenter.canvas.layer(Key(element, FADED))
    sure = veil.colormap.map(np.array([0.0, 1.0]))[:, 3]
    assert tuple(veil.contrast_limits) == (0, 1) and sure[0] > 0.8 and sure[1] == 0
    kept = session.document.table(table).obs["domain_margin"].to_numpy()
    assert set(np.unique(veil.data[np.isfinite(veil.data)])) <= set(np.float32(kept))
    presenter.fade_unsure(element, False)
    assert presenter.canvas.layer(Key(element, FADED)) is None
    presenter.close()
    session.close()


def test_a_region_comes_into_the_middle_and_fills_a_third_of_the_view(presenter):
    presenter.viewer.canvas.size = (600, 900)
    rows = np.flatnonzero((ROW >= 6) & (ROW < 19) & (COLUMN >= 3) & (COLUMN < 15))
    show_region(presenter, TABLE, rows)
    camera = presenter.viewer.scene.camera
    np.testing.assert_allclose(camera.center[-2:], WHERE[rows].mean(0))
    share = np.ptp(WHERE[rows], axis=0) * camera.zoom / np.array([600, 900])
    assert share.max() == pytest.approx(1 / 3)
    assert np.array_equal(enclosed(WHERE, presenter.flash.marks.lines), np.isin(np.arange(WIDE * WIDE), rows))
    show_region(presenter, TABLE, rows[:1])  # its neighbours are seen too
    assert 600 / camera.zoom > 8 * PITCH


def test_the_outline_of_a_region_flashes_and_goes(presenter):
    waiting = []
    presenter.flash._after = lambda ms, call: waiting.append(call)
    show_region(presenter, TABLE, [5, 6])
    seen = [len(presenter.flash.marks.lines) > 0]
    show_region(presenter, TABLE, [90])  # the first one is forgotten
    for _ in range(40):
        if waiting:
            waiting.pop(0)()
            seen.append(len(presenter.flash.marks.lines) > 0)
    assert not waiting and seen[0] and seen[-1] is False and seen.count(True) > 3 and not presenter.flash.marks.there


def test_a_line_stays_when_the_outline_of_its_region_has_flashed_and_goes_when_told(presenter):
    waiting = []
    presenter.flash._after = lambda ms, call: waiting.append(call)
    rows = np.flatnonzero((ROW >= 6) & (ROW < 19) & (COLUMN >= 3) & (COLUMN < 15))
    line = [place(10, column) for column in range(5, 12)]
    show_region(presenter, TABLE, rows, line)
    while waiting:
        waiting.pop(0)()
    assert np.array_equal(np.flatnonzero(enclosed(WHERE, presenter.flash.marks.lines)), np.sort(line))
    presenter.flash.stop()
    assert not presenter.flash.marks.there


def test_how_rows_lie_is_found_once(presenter):
    place_of = presenter.place_of(SPOTS)
    first = layout_of(presenter.document, TABLE, SPOTS, place_of.system, presenter.memory)
    presenter.correct("stroke-domain", table=TABLE, rows=[3], domain="a")
    assert layout_of(presenter.document, TABLE, SPOTS, place_of.system, presenter.memory) is first
