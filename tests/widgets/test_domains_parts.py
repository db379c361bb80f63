"""The parts of the Domains dock by themselves: the list of strokes, the plot of stability, what is folded away."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtCore import QPointF, Qt
from qtpy.QtWidgets import QLabel

from napari_spatialml.widgets.categories import CategoryList
from napari_spatialml.widgets.folded import Folded
from napari_spatialml.widgets.plots.stability import StabilityPlot
from napari_spatialml.widgets.stroke_list import IGNORED, StrokeList, stroke_in_words

STROKES = [
    {"domain": "crypts", "instances": [3, 4, 5], "reason": "glands", "by": "M. Ito", "when": "2026-05-04T10:11:12"},
    {"domain": "", "instances": [9], "reason": "", "by": "", "when": ""},
]
_LEFT, _NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
COLOURS = {"crypts": "#112233", "muscle": "#445566"}


@pytest.fixture
def strokes(show):
    made = show(StrokeList())
    made.set_strokes(STROKES, COLOURS)
    return made


def test_a_line_of_the_list_says_where_how_many_why_and_who(strokes):
    texts = [[strokes.topLevelItem(i).text(c) for c in range(4)] for i in range(2)]
    assert texts == [["crypts", "3", "glands", "M. Ito"], [IGNORED, "1", "", ""]]
    assert not strokes.topLevelItem(0).icon(0).isNull() and strokes.topLevelItem(1).icon(0).isNull()
    told = strokes.topLevelItem(0).toolTip(0)
    assert "Stroke 1: 3 rows, crypts" in told and "2026-05-04 10:11" in told
    assert stroke_in_words(STROKES[1]) == IGNORED


def test_a_reason_is_typed_in_its_place_and_the_rest_cannot_be_typed(strokes, qtbot):
    with qtbot.waitSignal(strokes.reason_given) as given:
        strokes.topLevelItem(1).setText(2, " fold ")
    assert given.args == [1, "fold"]
    with qtbot.assertNotEmitted(strokes.reason_given):
        strokes.topLevelItem(0).setText(2, "glands")
        strokes.set_strokes(STROKES, COLOURS)


def test_a_stroke_can_go_into_every_domain_but_its_own_and_be_taken_away(strokes, qtbot):
    strokes.mark(0)
    actions = {a.text(): a for a in strokes.menu().actions()}
    assert "Into muscle" in actions and "Into crypts" not in actions
    with qtbot.waitSignal(strokes.moved) as moved:
        actions["Into muscle"].trigger()
    with qtbot.waitSignal(strokes.removal_wanted) as removed:
        actions["Remove"].trigger()
    assert moved.args == [0, "muscle"] and removed.args == [0]


def test_the_list_goes_when_the_last_stroke_goes(strokes):
    assert strokes.isVisible()
    strokes.set_strokes([], COLOURS)
    assert not strokes.isVisible() and strokes.current() == -1


@pytest.fixture
def plot(show):
    made = show(StabilityPlot())
    found = SimpleNamespace(
        numbers=np.array([2, 3, 4, 5]),
        stability=np.array([0.7, 0.95, 0.6, 0.5]),
        spread=np.array([0.1, 0.02, 0.1, 0.2]),
        suggested=3,
        sentence="",
    )
    made.show_numbers(found, 7)
    return made


def test_a_click_takes_the_nearest_number_wherever_it_falls(plot, qtbot):
    for x, number in ((3.4, 3), (3.6, 4), (-10.0, 2), (99.0, 5)):
        with qtbot.waitSignal(plot.chosen) as told:
            plot.clicked.emit(x, 0.1, "new")
        assert told.args == [number]
    assert plot.words_at(2.9) == "3 domains: stability 0.95 ± 0.02"


def test_the_plot_marks_the_suggested_number_and_the_one_in_use(plot):
    assert plot.ring.data["x"].tolist() == [3.0] and not plot.here.isVisible()
    plot.set_current(4)
    assert plot.here.isVisible() and plot.here.value() == 4
    x, y = plot.box.viewRange()
    assert x[0] < 2 and x[1] > 5 and y[0] <= 0.3 and y[1] >= 1, "all points and their spread are in view"
    plot.show_numbers(None)
    assert not plot.isVisible()


def test_a_mouse_click_on_the_plot_is_a_click_on_its_numbers(plot, qtbot):
    where = plot.box.mapViewToScene(QPointF(4.1, 0.6))
    at = plot.box.mapSceneToView(where)
    assert at.x() == pytest.approx(4.1, abs=0.05)
    event = SimpleNamespace(button=lambda: _LEFT, accept=lambda: None, pos=lambda: plot.box.mapFromScene(where),
                            modifiers=lambda: _NONE)  # fmt: skip
    with qtbot.waitSignal(plot.chosen) as told:
        plot.box.mouseClickEvent(event)
    assert told.args == [4]


def test_a_part_is_folded_until_its_heading_is_pressed(show, qtbot):
    body = QLabel("how sure")
    folded = show(Folded("How sure is it", "More.", body))
    assert not body.isVisible() and not folded.is_open
    with qtbot.waitSignal(folded.opened):
        folded.button.click()
    assert body.isVisible() and folded.button.text().startswith("▾")
    folded.button.click()
    assert not body.isVisible() and folded.button.text().startswith("▸")


def test_a_new_domain_of_one_column_is_not_listed_with_another(show):
    names = show(CategoryList(ordering=True))
    names.set_rows([("D1", "#ff0000", 3)])
    names.add_row("D2")
    assert [r[0] for r in names.rows()] == ["D1", "D2"]
    names.forget()
    names.set_rows([("layer 1", "#00ff00", 5)])
    assert [r[0] for r in names.rows()] == ["layer 1"]
