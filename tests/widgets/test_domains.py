"""The Domains dock: strokes that the map follows, their list, what is merged and split, and what is told."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton

from napari_spatialml.io.sample import sample_section
from napari_spatialml.methods import method
from napari_spatialml.session import DomainsSelection, Session, correct, run
from napari_spatialml.session.contents import ATTRS as _ATTRS
from napari_spatialml.session.domain_strokes import held_strokes
from napari_spatialml.session.gather import coordinates_of
from napari_spatialml.views.domains_preview import NAME
from napari_spatialml.views.state import ColourBy
from napari_spatialml.views.tools import Pointer
from napari_spatialml.widgets.categories import CategoryList
from napari_spatialml.widgets.deconvolve import DeconvolveDock
from napari_spatialml.widgets.desk import desk_of
from napari_spatialml.widgets.domains import DomainsDock

from .conftest import SMALL

TABLE = "spot_counts"


def mixture(**settings):
    return method("domains", "low-pass-mixture")(**{"n_domains": 3, "n_starts": 3, **settings})


@pytest.fixture
def dock(desk, show):
    """Return a dock whose section has a map of three domains."""
    run(desk.session, mixture(), DomainsSelection(TABLE))
    desk.presenter.show()
    made = show(DomainsDock(desk.viewer))
    made.panel.set_method(mixture())
    made.trust.show_domains(TABLE, "domain")
    made.refresh_now()
    return made


def column(desk, name="domain"):
    return desk.session.document.table(TABLE).obs[name]


def as_text(desk):
    return column(desk).astype(object).where(column(desk).notna(), "").tolist()


def press(dock, text):
    found = [b for b in dock.findChildren(QPushButton) if b.text() == text and b.isVisibleTo(dock)]
    assert len(found) == 1 and found[0].isEnabled(), f"{text}: {[b.toolTip() for b in found]}"
    found[0].click()


def choose(dock, name):
    items = [dock.map.categories.topLevelItem(i) for i in range(dock.map.categories.topLevelItemCount())]
    dock.map.categories.setCurrentItem(next(i for i in items if i.text(0) == name))


def fitted(dock, qtbot):
    """Wait until nothing is fitted any more."""
    runner = dock.by_hand.refitting.runner
    qtbot.waitUntil(lambda: runner.state == "idle", timeout=30_000)
    dock.refresh_now()


def paint(dock, at):
    """Brush over one row with the tool in the hand."""
    tool, where = dock.desk.presenter.current, coordinates_of(dock.desk.session.document, TABLE)[at]
    tool.press(Pointer(where))
    tool.release(Pointer(where + 0.5))


def stroke(dock, qtbot, at=0, domain=None):
    """Brush over a row into another domain than its own, wait for the fit, and return the domain."""
    now = str(column(dock.desk).iloc[at])
    domain = domain or next(name for name, _, _ in dock.map.categories.rows() if name != now)
    choose(dock, domain)
    dock.by_hand.radius.setValue(5.0)
    if not dock.by_hand.tools.tool:
        press(dock, "Brush")
    paint(dock, at)
    fitted(dock, qtbot)
    return domain


# the map -------------------------------------------------------------------------------------


def test_domains_are_listed_with_their_counts_and_colour_the_spots(desk, dock):
    counts = column(desk).value_counts()
    assert {name: n for name, _, n in dock.map.categories.rows()} == {str(k): int(v) for k, v in counts.items()}
    assert desk.presenter.colour_of("spots") == ColourBy(TABLE, "obs/domain")
    legend = desk.presenter.legends()[0]
    assert [c[1].lower() for c in legend.categories] == [c.lower() for _, c, _ in dock.map.categories.rows()]


def test_a_domain_is_renamed_recoloured_hidden_and_moved_in_the_list(desk, dock):
    categories = dock.map.categories
    old = categories.topLevelItem(0).text(0)
    categories.topLevelItem(0).setText(0, "crypts")
    assert "crypts" in column(desk).cat.categories and old not in column(desk).cat.categories
    categories.recoloured.emit("crypts", "#123456")
    assert desk.session.document.attribute("colours")["domain"]["crypts"] == "#123456"
    dock.refresh_now()
    categories.topLevelItem(1).setCheckState(0, Qt.CheckState.Unchecked)
    assert desk.presenter.state.hidden_categories["spots"] == {categories.rows()[1][0]}
    choose(dock, "crypts")
    before = [str(c) for c in column(desk).cat.categories]
    press(dock, "Down")
    assert list(column(desk).cat.categories) == [before[1], before[0], *before[2:]]
    dock.refresh_now()
    assert [r[0] for r in categories.rows()] == [str(c) for c in column(desk).cat.categories]
    assert categories.current() == "crypts", "it goes on with the one that was moved"


def test_marked_domains_are_merged_and_one_is_split_each_in_one_step(desk, dock, qtbot):
    categories, before = dock.map.categories, as_text(desk)
    assert not dock.map.button("Merge").isEnabled() and "Ctrl+click" in dock.map.button("Merge").toolTip()
    for i in (0, 1):
        categories.topLevelItem(i).setSelected(True)
    largest = max(categories.rows()[:2], key=lambda row: row[2])[0]
    steps = desk.session.position
    press(dock, "Merge")
    dock.refresh_now()
    assert largest in {r[0] for r in categories.rows()}
    assert len(categories.rows()) == 2 and desk.session.position == steps + 1
    choose(dock, largest)
    press(dock, "Split in 2")
    qtbot.waitUntil(lambda: dock.map.splitting.state == "idle", timeout=30_000)
    dock.refresh_now()
    assert len(categories.rows()) == 3 and desk.session.position == steps + 2
    desk.undo()
    desk.undo()
    assert as_text(desk) == before


def test_a_new_domain_is_in_the_list_before_its_first_stroke_and_in_the_document_after(desk, dock, qtbot):
    press(dock, "New domain")
    assert dock.map.categories.current() == "D4" and desk.presenter.tool == "domain-brush"
    assert "D4" not in column(desk).cat.categories
    dock.by_hand.radius.setValue(5.0)
    paint(dock, 0)
    fitted(dock, qtbot)
    assert column(desk).iloc[0] == "D4" and dict((r[0], r[2]) for r in dock.map.categories.rows())["D4"] >= 1


# by hand -------------------------------------------------------------------------------------


def test_a_stroke_is_followed_by_a_fit_listed_and_one_undo_takes_both_back(desk, dock, qtbot):
    before, steps = as_text(desk), desk.session.position
    into = stroke(dock, qtbot)
    assert desk.session.position == steps + 1, "the stroke and its fit are one step"
    assert column(desk).iloc[0] == into and desk.session.document.table(TABLE).obs["domain_by_hand"].iloc[0]
    assert "Fitted again in" in dock.by_hand.refitting.message.text()
    assert [dock.by_hand.list.topLevelItem(0).text(c) for c in (0, 1)] == [into, "1"]
    assert "1 spot corrected by hand" in dock.by_hand.about.text()
    desk.undo()
    dock.refresh_now()
    assert as_text(desk) == before and dock.by_hand.list.topLevelItemCount() == 0
    assert held_strokes(desk.session.document, TABLE) == []


def test_a_stroke_taken_out_of_the_list_gives_the_map_back(desk, dock, qtbot):
    before = as_text(desk)
    stroke(dock, qtbot)
    dock.by_hand.list.itemClicked.emit(dock.by_hand.list.topLevelItem(0), 0)
    assert dock.by_hand.list.current() == 0
    press(dock, "Remove")
    fitted(dock, qtbot)
    assert as_text(desk) == before and dock.by_hand.list.topLevelItemCount() == 0
    assert not dock.by_hand.list.isVisible() and not dock.by_hand.about.isVisible()


def test_all_that_the_hand_gave_is_released_at_once(desk, dock, qtbot):
    before = as_text(desk)
    stroke(dock, qtbot)
    stroke(dock, qtbot, at=9)
    press(dock, "Remove all")
    fitted(dock, qtbot)
    assert as_text(desk) == before and held_strokes(desk.session.document, TABLE) == []


def test_a_later_stroke_wins_and_one_that_is_moved_takes_its_rows_along(desk, dock, qtbot):
    first = stroke(dock, qtbot)
    other = next(n for n, _, _ in dock.map.categories.rows() if n != first)
    stroke(dock, qtbot, domain=other)
    assert column(desk).iloc[0] == other and dock.by_hand.list.topLevelItemCount() == 2
    dock.by_hand.list.moved.emit(1, first)
    fitted(dock, qtbot)
    assert column(desk).iloc[0] == first
    assert [e["domain"] for e in held_strokes(desk.session.document, TABLE)] == [first, first]


def test_a_reason_goes_with_the_strokes_and_is_edited_in_the_list_without_a_fit(desk, dock, qtbot):
    dock.by_hand.reason.setText("mucin")
    dock.by_hand.reason.editingFinished.emit()
    stroke(dock, qtbot)
    assert held_strokes(desk.session.document, TABLE)[0]["reason"] == "mucin"
    steps = desk.session.position
    dock.by_hand.list.topLevelItem(0).setText(2, "goblet cells")
    fitted(dock, qtbot)
    assert held_strokes(desk.session.document, TABLE)[0]["reason"] == "goblet cells"
    assert desk.session.position == steps + 1 and "then" not in desk.session.history[-1].record


def test_ignored_tissue_has_no_domain_and_no_part_in_the_fit(desk, dock, qtbot):
    press(dock, "Ignore tissue")
    assert desk.presenter.tool == "domain-brush" and "ignored" in dock.by_hand.into.text()
    dock.by_hand.radius.setValue(5.0)
    paint(dock, 0)
    fitted(dock, qtbot)
    assert as_text(desk)[0] == "" and held_strokes(desk.session.document, TABLE)[0]["domain"] == ""
    assert dock.by_hand.list.topLevelItem(0).text(0) == "ignored"
    press(dock, "New domain")
    assert not dock.by_hand.ignore.isChecked(), "who begins a domain wants to fill it"


def test_strokes_are_followed_later_where_the_tick_is_off(desk, dock, qtbot):
    dock.by_hand.follows.setChecked(False)
    stroke(dock, qtbot)
    assert "then" not in desk.session.history[-1].record and dock.by_hand.refitting.message.text() == ""
    press(dock, "Fit again")
    fitted(dock, qtbot)
    assert "Fitted again in" in dock.by_hand.refitting.message.text()


def test_a_stroke_while_a_fit_runs_is_in_the_fit_that_counts(desk, dock, qtbot, monkeypatch):
    gate, gather = threading.Event(), dock.by_hand.refitting._gather

    def held(*place):
        return _Held(gather(*place), gate)

    monkeypatch.setattr(dock.by_hand.refitting, "_gather", held)
    rows = [name for name, _, _ in dock.map.categories.rows()]
    choose(dock, rows[0])
    dock.by_hand.radius.setValue(5.0)
    press(dock, "Brush")
    paint(dock, 0)
    paint(dock, 5)
    gate.set()
    fitted(dock, qtbot)
    assert set(column(desk).iloc[[0, 5]]) == {rows[0]}
    assert len(held_strokes(desk.session.document, TABLE)) == 2
    assert dock.by_hand.refitting.message.message.level == "ok"


class _Held:
    """A job that waits before it runs."""

    def __init__(self, job, gate):
        self._job, self._gate = job, gate

    def __getattr__(self, name):
        return getattr(self._job, name)

    def __call__(self, report):
        self._gate.wait(20)
        return self._job(report)


def test_a_domain_with_strokes_can_be_renamed(desk, dock, qtbot):
    into = stroke(dock, qtbot)
    items = [dock.map.categories.topLevelItem(i) for i in range(3)]
    next(i for i in items if i.text(0) == into).setText(0, "muscle")
    dock.refresh_now()
    assert held_strokes(desk.session.document, TABLE)[0]["domain"] == "muscle"
    assert dock.by_hand.list.topLevelItem(0).text(0) == "muscle" and column(desk).iloc[0] == "muscle"
    stroke(dock, qtbot, at=7, domain="muscle")
    assert {"muscle"} == set(column(desk).iloc[[0, 7]]) and "D4" not in column(desk).cat.categories


def test_a_click_in_the_list_shows_the_stroke_on_the_canvas(desk, dock, qtbot):
    stroke(dock, qtbot)
    dock.by_hand.list.itemClicked.emit(dock.by_hand.list.topLevelItem(0), 0)
    assert desk.presenter.state.stroke == (TABLE, "domain", 0)


def test_a_stroke_on_the_map_selects_no_spots_for_a_constraint_of_proportions(desk, dock, show, qtbot):
    other = show(DeconvolveDock(desk.viewer))
    other.refresh_now()
    stroke(dock, qtbot)
    assert desk.presenter.selected.now is None


def test_a_section_open_elsewhere_can_be_looked_at_and_says_why_not_more(viewer, desk, show, tmp_path):
    run(desk.session, mixture(), DomainsSelection(TABLE))
    store = tmp_path / "section.zarr"
    desk.session.save(store)
    desk.take(Session.start(sample_section(1, **SMALL), source="another"))
    elsewhere = Session.open_store(store)
    desk.take(lambda: Session.open_store(store))
    dock = show(DomainsDock(viewer))
    dock.refresh_now()
    elsewhere.close()
    assert desk.session.read_only and not dock.map.button("New domain").isEnabled()
    assert "reading only" in dock.map.button("New domain").toolTip()
    assert not dock.by_hand.tools.buttons["domain-brush"].isEnabled()
    assert "reading only" in dock.by_hand.tools.buttons["domain-brush"].toolTip()


# what is missing -----------------------------------------------------------------------------


def test_a_section_without_a_table_says_the_next_step(viewer, desk, show):
    document = desk.session.document
    for name in [*document.names("tables")]:
        desk.correct("remove-element", name=name)
    dock = show(DomainsDock(viewer))
    dock.refresh_now()
    assert "no table" in dock.panel.message.text() and not dock.panel.button.isEnabled()
    assert not dock.by_hand.isVisible() and not dock.map.isVisible() and not dock.preview.isVisible()


def test_a_table_of_one_row_is_told_that_it_cannot_be_divided(viewer, show, ran, desk):
    section = sample_section(0, **SMALL)
    section.tables[TABLE] = section.tables[TABLE][:1].copy()
    desk.take(Session.start(section, source="one spot"))
    dock = show(DomainsDock(viewer))
    dock.refresh_now()
    dock.inputs.tables.setCurrentIndex(dock.inputs.tables.findData(TABLE))
    assert "1 row" in ran(dock) and "domain" not in desk.session.document.table(TABLE).obs
    assert dock.map.nothing.isVisible() and "Run" in dock.map.nothing.text()


def test_before_a_run_the_hand_may_begin_and_nothing_is_fitted(viewer, desk, show, qtbot):
    dock = show(DomainsDock(viewer))
    dock.refresh_now()
    assert not dock.trust_fold.isVisible() and not dock.by_hand.follows.isVisible()
    press(dock, "New domain")
    dock.by_hand.radius.setValue(5.0)
    paint(dock, 0)
    fitted(dock, qtbot)
    assert column(desk).iloc[0] == "D1" and column(desk).isna().sum() == len(column(desk)) - 1
    assert dock.by_hand.refitting.message.text() == "" and "next run" in dock.by_hand.about.text()


# number, preview, trust ----------------------------------------------------------------------


def test_a_suggested_number_goes_into_the_form_and_a_click_takes_another(desk, dock, qtbot):
    steps = desk.session.position
    dock.number.suggest.button.click()
    qtbot.waitUntil(lambda: dock.number.suggest.state == "idle", timeout=60_000)
    assert dock.number.plot.isVisible(), dock.number.suggest.message.text()
    found = dock.number.plot.found
    assert dock.panel.method().n_domains == found.suggested and found.sentence in dock.number.about.text()
    other = next(int(n) for n in found.numbers if n != found.suggested)
    dock.number.plot.clicked.emit(float(other), 0.5, "new")
    assert dock.panel.method().n_domains == other and dock.number.plot.here.value() == other
    assert desk.session.position == steps


def test_a_search_for_the_number_can_be_stopped(desk, dock, qtbot, monkeypatch):
    begun = threading.Event()

    def endless(report):
        while True:
            begun.set()
            report(0.1, "searching")

    monkeypatch.setattr(dock.number.suggest, "_job", lambda: endless)
    dock.number.suggest.button.click()
    qtbot.waitUntil(begun.is_set, timeout=5_000)
    assert dock.number.suggest.button.text() == "Stop"
    dock.number.suggest.button.click()
    qtbot.waitUntil(lambda: dock.number.suggest.state == "idle", timeout=5_000)
    assert "Stopped" in dock.number.suggest.message.text() and not dock.number.plot.isVisible()


def test_a_preview_follows_the_number_of_domains_and_stores_nothing(desk, dock, qtbot):
    before, steps = as_text(desk), desk.session.position
    with qtbot.waitSignal(dock.preview.made, timeout=30_000) as told:
        dock.preview.button.click()
    assert told.args[0].names == tuple(column(desk).cat.categories) and told.args[0].changed == 0
    assert NAME in [layer.name for layer in desk.viewer.layers]
    with qtbot.waitSignal(dock.preview.made, timeout=30_000) as told:
        dock.panel.form.fields["n_domains"].set_value(4)
    assert len(told.args[0].names) == 4 and "4 domains" in dock.preview.message.text()
    assert as_text(desk) == before and desk.session.position == steps
    dock.preview.hide_button.click()
    assert NAME not in [layer.name for layer in desk.viewer.layers]


def test_a_preview_keeps_to_the_strokes(desk, dock, qtbot):
    into = stroke(dock, qtbot)
    with qtbot.waitSignal(dock.preview.made, timeout=30_000) as told:
        dock.preview.button.click()
    found = told.args[0]
    assert found.names[found.codes[0]] == into


def test_the_way_to_the_most_uncertain_goes_on_with_each_press_and_begins_anew_after_a_stroke(desk, dock, qtbot):
    def led():
        lead(dock, qtbot)
        return dock.trust.leading.about.text(), tuple(desk.viewer.scene.camera.center)

    dock.trust_fold.button.click()
    (first, camera), n = led(), len(dock.trust.leading.regions)
    assert first.startswith(f"1 of {n}: ") and "spots" in first and n > 1
    second, moved = led()
    assert second.startswith("2 of") and moved != camera
    assert all(led()[0] for _ in range(n - 2)) and led()[0] == first, "after the last comes the first"
    painted = int(dock.trust.leading.regions[0].rows[0])
    stroke(dock, qtbot, at=painted)
    again, _ = led()
    assert again.startswith("1 of") or "sure everywhere" in again
    assert painted not in {int(r) for region in dock.trust.leading.regions for r in region.rows}


def lead(dock, qtbot):
    """Press the button, and return the region that is shown, or None."""
    press(dock, "Most uncertain")
    part = dock.trust.leading
    qtbot.waitUntil(lambda: part.runner.state == "idle", timeout=10_000)
    return part.regions[int(part.about.text().split()[0]) - 1] if part.regions else None


def test_what_is_outlined_is_painted_as_one_stroke_that_the_map_follows(desk, dock, qtbot):
    dock.trust_fold.button.click()
    part, marks = dock.trust.leading, desk.presenter.flash.marks
    assert not part.painting.isEnabled() and "Most uncertain" in part.painting.toolTip()
    line = lead(dock, qtbot).line
    assert part.painting.isEnabled() and marks.there
    into = next(name for name, _, _ in dock.map.categories.rows() if name != str(column(desk).iloc[line[0]]))
    choose(dock, into)
    before = as_text(desk)
    press(dock, "Paint here")
    fitted(dock, qtbot)
    assert [s["domain"] for s in held_strokes(desk.session.document, TABLE)] == [into]
    assert {as_text(desk)[row] for row in line} == {into}
    assert set(np.flatnonzero(column(desk, "domain_by_hand"))) == set(line)
    dock.refresh_now()
    assert not marks.there and not part.painting.isEnabled(), "it was about the map before"
    desk.undo()
    assert as_text(desk) == before


def test_an_outline_that_something_else_hides_is_shown_again_before_it_is_painted(desk, dock, qtbot):
    dock.trust_fold.button.click()
    lead(dock, qtbot)
    desk.presenter.flash.stop()
    press(dock, "Paint here")
    assert held_strokes(desk.session.document, TABLE) == [] and desk.presenter.flash.marks.there
    press(dock, "Paint here")
    assert len(held_strokes(desk.session.document, TABLE)) == 1


def test_a_region_that_was_left_is_shown_again_only_where_it_has_changed(desk, dock, qtbot):
    dock.trust_fold.button.click()
    first = lead(dock, qtbot)
    lead(dock, qtbot)
    was = column(desk).astype(object).to_numpy().copy()
    press(dock, "Paint here")
    fitted(dock, qtbot)
    lead(dock, qtbot)
    same = was == column(desk).astype(object).to_numpy()
    shown = np.concatenate([region.rows for region in dock.trust.leading.regions])
    assert same[first.rows].any() and not np.isin(first.rows[same[first.rows]], shown).any()


def test_the_strokes_are_checked_in_plain_words(desk, dock, qtbot):
    dock.trust_fold.button.click()
    assert not dock.trust.strokes.button.isEnabled() and "Brush" in dock.trust.strokes.button.toolTip()
    into = stroke(dock, qtbot)
    stroke(dock, qtbot, at=9, domain=into)
    press(dock, "Check the strokes")
    qtbot.waitUntil(lambda: dock.trust.strokes.state == "idle", timeout=30_000)
    dock.refresh_now()
    assert "predicted by the others" in dock.trust.accuracy.text(), dock.trust.strokes.message.text()
    stroke(dock, qtbot, at=20)
    assert not dock.trust.accuracy.isVisible(), "what was found is about other strokes"


def test_other_seeds_say_where_the_map_is_stable_and_colour_it(desk, dock, qtbot):
    dock.trust_fold.button.click()
    assert dock.trust.how.findData("stability") < 0
    press(dock, "Try other seeds")
    qtbot.waitUntil(lambda: dock.trust.seeds.state == "idle", timeout=60_000)
    values = column(desk, "domain_stability")
    assert ((values >= 0) & (values <= 1)).all(), dock.trust.seeds.message.text()
    assert desk.presenter.colour_of("spots") == ColourBy(TABLE, "obs/domain_stability")
    for way, key in (("margin", "obs/domain_margin"), ("boundary", "obs/domain_boundary"), ("domain", "obs/domain")):
        dock.trust.how.setCurrentIndex(dock.trust.how.findData(way))
        dock.trust.how.activated.emit(dock.trust.how.currentIndex())
        assert desk.presenter.colour_of("spots").key == key


def test_relabelled_rows_without_a_run_are_a_map_too(viewer, desk, show):
    desk.session.execute(
        correct(desk.session.document, "relabel", table=TABLE, column="domain", rows=[0, 1], value="crypts")
    )
    dock = show(DomainsDock(viewer))
    dock.refresh_now()
    assert [(n, c) for n, _, c in dock.map.categories.rows()] == [("crypts", 2)]
    assert not dock.map.button("Split in 2").isEnabled()
    assert "Run a method first" in dock.map.button("Split in 2").toolTip()


def test_windows_of_markers_and_comparison_open_on_the_map(dock):
    dock.further_fold.button.click()
    for text, open_one in (("Markers…", dock.further.open_markers), ("Compare…", dock.further.open_compare)):
        assert any(b.text() == text and b.isEnabled() for b in dock.further.findChildren(QPushButton))
        window = open_one()
        assert window.isVisible() and (window.table, window.column) == (TABLE, "domain")
        window.close()


# several sections ----------------------------------------------------------------------------


@pytest.fixture
def two(viewer):
    """Return a desk with two sections whose spots have the same genes, beside each other."""
    first, second = (sample_section(seed, **SMALL) for seed in (0, 1))
    shapes, table = second.shapes["spots"], second.tables[TABLE].copy()
    first.shapes["spots_2"] = shapes
    table.obs["region"] = "spots_2"
    table.obs["region"] = table.obs["region"].astype("category")
    table.uns["spatialdata_attrs"] = {**table.uns["spatialdata_attrs"], "region": "spots_2"}
    first.tables["second"] = table
    made = desk_of(viewer)
    made.take(Session.start(first, source="two sections"))
    return made


def test_a_map_is_used_on_another_section_and_shown_there(two, show, qtbot):
    run(two.session, mixture(), DomainsSelection(TABLE))
    dock = show(DomainsDock(two.viewer))
    dock.refresh_now()
    dock.further_fold.button.click()
    assert dock.further.targets.currentData() == "second"
    press(dock, "Use on another section…")
    qtbot.waitUntil(lambda: dock.further.use.state == "idle", timeout=30_000)
    there = two.session.document.table("second").obs
    assert "domain" in there, dock.further.use.message.text()
    assert set(there["domain"].dropna()) <= set(column(two).cat.categories)
    assert dock.inputs.table == "second" and two.presenter.colour_of("spots_2").table == "second"


def test_further_sections_are_divided_together_with_the_same_names(two, show, ran):
    dock = show(DomainsDock(two.viewer))
    dock.panel.set_method(mixture())
    dock.refresh_now()
    dock.inputs.tables.setCurrentIndex(dock.inputs.tables.findData(TABLE))
    others = dock.inputs.others
    assert others.text() == "this one alone"
    words = others.fontMetrics().horizontalAdvance(others.text())
    assert others.width() >= words + 20, "the arrow of the menu is drawn over the words"
    dock.inputs.others.tick(("second",))
    assert dock.inputs.others.text() == "second"
    ran(dock)
    both = [two.session.document.table(t).obs["domain"] for t in (TABLE, "second")]
    assert list(both[0].cat.categories) == list(both[1].cat.categories) and both[1].notna().all()
    dock.inputs.tables.setCurrentIndex(dock.inputs.tables.findData("second"))
    assert dock.inputs.others.ticked() == (TABLE,), "a map of two sections stays one of two"


def test_a_map_is_taken_from_a_saved_section(desk, dock, show, qtbot, tmp_path):
    store = tmp_path / "first.zarr"
    desk.session.save(store)
    names = set(column(desk).cat.categories)
    desk.take(Session.start(sample_section(1, **SMALL), source="second"))
    dock.refresh_now()
    dock.further.take_from(store)
    qtbot.waitUntil(lambda: dock.further.take.state == "idle", timeout=60_000)
    assert "domain" in desk.session.document.table(TABLE).obs, dock.further.take.message.text()
    assert set(column(desk).dropna()) <= names
    assert [e for e in desk.session.history][-1].record["name"] == "transfer-domains"


def test_what_describes_rows_is_named_and_found_columns_are_not_offered(desk, dock):
    keys = [dock.inputs.features.itemData(i) for i in range(dock.inputs.features.count())]
    words = [dock.inputs.features.itemText(i) for i in range(dock.inputs.features.count())]
    assert keys[0] == "X" and words[0].endswith("features of the table")
    assert not [k for k in keys if "domain_" in k or k in ("obsm/spatial", "obs/domain", "obs/region")]


def test_strokes_that_cannot_be_read_are_told_and_the_dock_stays(viewer, desk, show):
    document = desk.session.document
    document.sdata.attrs[_ATTRS]["domain_strokes"] = {f"{TABLE}/domain": [{"rows": 3}]}
    told = []
    desk.told.connect(lambda level, sentence: told.append((level, sentence)))
    dock = show(DomainsDock(viewer))
    dock.refresh_now()
    assert any("cannot be read" in sentence for _, sentence in told), document.attribute("domain_strokes")
    assert dock.inputs.table and dock.panel.button.isEnabled()


def test_a_method_that_finds_the_number_by_itself_has_nothing_to_suggest(dock):
    dock.number.follow(object())
    assert not dock.number.isVisible()
    dock.number.follow(mixture(n_domains=5))
    assert dock.number.isVisible() and dock.number.plot.current == 5


def test_a_slow_preview_can_be_stopped(desk, dock, qtbot, monkeypatch):
    begun = threading.Event()

    def endless(report):
        while True:
            begun.set()
            report(0.1, "training")

    monkeypatch.setattr(dock.preview, "wanted", lambda: (object(), endless))
    dock.preview.button.click()
    qtbot.waitUntil(begun.is_set, timeout=5_000)
    assert dock.preview.hide_button.isVisible() and dock.preview.hide_button.text() == "Stop"
    dock.preview.hide_button.click()
    qtbot.waitUntil(lambda: dock.preview.runner.state == "idle", timeout=5_000)
    assert not dock.preview.shown and not dock.preview.hide_button.isVisible()


def test_a_colour_is_asked_for_without_blocking(desk, dock):
    from qtpy.QtGui import QColor
    from qtpy.QtWidgets import QColorDialog

    press(dock, "Colour…")
    dialog = dock.findChild(QColorDialog)
    dialog.colorSelected.emit(QColor("#0a0b0c"))
    dialog.close()
    named = dock.findChild(CategoryList).rows()[0][0]
    assert desk.session.document.attribute("colours")["domain"][named] == "#0a0b0c"
