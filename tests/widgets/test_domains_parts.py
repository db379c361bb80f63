"""The parts of the Domains dock by themselves: the list of strokes, the plot of stability, what is folded away."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtCore import QPointF, Qt
from qtpy.QtWidgets import QLabel

from napari_spatialml.methods import method
from napari_spatialml.session import DomainsSelection, correct, run
from napari_spatialml.views.annotation_specs import STROKES as OUTLINES
from napari_spatialml.views.row_layout import layout_of
from napari_spatialml.widgets.categories import CategoryList
from napari_spatialml.widgets.domains import DomainsDock
from napari_spatialml.widgets.domains_strokes import KeptStrokes
from napari_spatialml.widgets.domains_trust import TrustPart
from napari_spatialml.widgets.folded import Folded
from napari_spatialml.widgets.plots.stability import StabilityPlot
from napari_spatialml.widgets.progress import Progress
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


TABLE = "spot_counts"


@pytest.fixture
def divided(desk):
    """Return a desk whose section has a map of domains and a stroke on it, and shows both."""
    run(desk.session, method("domains", "low-pass-mixture")(n_domains=3, n_starts=3), DomainsSelection(TABLE))
    desk.session.execute(correct(desk.session.document, "stroke-domain", table=TABLE, rows=[0, 1, 2], domain="D9"))
    desk.presenter.show()
    return desk


def colours(desk):
    return np.asarray(desk.presenter.layer_of("spots").face_color, float)[:, :3].copy()


def drawn(desk):
    return any(OUTLINES in layer.name for layer in desk.viewer.layers)


def test_a_tick_fades_what_is_unsure_and_follows_what_is_drawn(divided, show):
    trust = show(TrustPart(divided, lambda: "D1"))
    divided.state_changed.connect(lambda: trust.set_place(TABLE, "domain"))
    trust.show_domains(TABLE, "domain")
    document = divided.session.document
    held = document.table(TABLE).obs["domain_margin"]
    assert trust.fades.isEnabled() and not trust.fades.isChecked()
    full = colours(divided)
    trust.fades.click()
    assert divided.presenter.state.faded == {"spots"} and trust.fades.isChecked()
    moved = np.abs(colours(divided) - full).max(1)
    assert (moved[held < 0.9] > 0.01).all() and (moved[held == 1] == 0).all(), "the less sure, the paler"
    divided.presenter.fade_unsure("spots", False)
    assert not trust.fades.isChecked() and np.array_equal(colours(divided), full)
    picture = divided.presenter.layer_of("spots").thumbnail.copy()
    trust.how.setCurrentIndex(trust.how.findData("margin"))
    trust.draw()
    assert not np.array_equal(divided.presenter.layer_of("spots").thumbnail, picture), "the list of layers follows"
    assert not trust.fades.isEnabled() and "Colour by domain" in trust.fades.toolTip()


def test_a_tick_hides_the_strokes_and_a_click_in_their_list_shows_them_again(divided, show):
    kept = show(KeptStrokes(divided))
    divided.state_changed.connect(lambda: kept.set_place(TABLE, "domain", {}))
    TrustPart(divided, lambda: "D1", kept).show_domains(TABLE, "domain")
    assert kept.shown.isVisible() and kept.shown.isChecked() and drawn(divided)
    kept.shown.click()
    assert not drawn(divided) and not kept.shown.isChecked()
    kept.go_to(0)
    assert drawn(divided) and kept.shown.isChecked(), "a stroke that is asked for is seen"
    divided.presenter.show(strokes=False)
    assert not kept.shown.isChecked()
    divided.session.execute(correct(divided.session.document, "remove-domain-stroke", table=TABLE, number=0))
    kept.set_place(TABLE, "domain", {})
    assert not kept.shown.isVisible(), "there is nothing to show"


def test_the_first_stroke_finds_how_rows_lie_once_the_map_was_looked_at(divided, show, qtbot):
    session, memory = divided.session, divided.presenter.memory
    session.execute(correct(session.document, "remove-domain-stroke", table=TABLE, number=0))
    memory._held.clear()  # as after the section was opened again
    steps = session.position
    dock = show(DomainsDock(divided.viewer))
    dock.refresh_now()
    place = ("row layout", TABLE, "spots", divided.presenter.state.coordinate_system)
    qtbot.waitUntil(lambda: place in memory._held, timeout=20_000)
    qtbot.waitUntil(lambda: dock.map_warming.runner.state == "idle", timeout=20_000)
    made = next(iter(memory._held[place]._held.values()))
    assert layout_of(session.document, *place[1:], memory) is made and session.position == steps
    dock.refresh_now()
    qtbot.wait(700)
    assert dock.map_warming.runner._count == 1, "once for a map"


def test_what_is_done_at_once_shows_no_bar_and_what_takes_longer_does(divided, show):
    dock = show(DomainsDock(divided.viewer))
    for part in (dock.preview, dock.by_hand.refitting):
        part._on_progress(Progress(0.4, "", 0.1, None))
        assert not part.bar.isVisible()
        part._on_progress(Progress(0.4, "", 1.0, 1.5))
        assert part.bar.isVisible() and part.bar.value() == 400
        part._follow_state()
        assert not part.bar.isVisible(), "nothing runs"
