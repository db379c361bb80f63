"""The Deconvolve dock: what is shown of a result, what spots are made of, and what the hand lays down."""

from __future__ import annotations

import threading

import numpy as np
import pandas as pd
import pytest

from napari_spatialml.core.colocation import Colocation
from napari_spatialml.io.sample import sample_reference
from napari_spatialml.methods import method
from napari_spatialml.session.composition import composition, held_co_location
from napari_spatialml.session.gather import coordinates_of
from napari_spatialml.session.selected import Selected
from napari_spatialml.session.spot_proportions import SpotProportions, proportion_outputs, spot_proportions
from napari_spatialml.views.pointed import Pointing
from napari_spatialml.views.proportions_preview import NAME
from napari_spatialml.views.state import ColourBy
from napari_spatialml.widgets.colocation_window import ColocationWindow, pair_in_words, pairs_frame
from napari_spatialml.widgets.deconvolve import DeconvolveDock
from napari_spatialml.widgets.deconvolve_result import flags_in_words, usual_in_words
from napari_spatialml.widgets.deconvolve_say import ARTEFACT, LEAST, NONE, SET

from .conftest import SMALL

TYPES = ["acinar", "duct", "tumour"]


def put_result(document, table="spot_counts", seed=0, output="proportions"):
    """Lay a result into the document as a run stores it; return its values."""
    held, rng = document.table(table), np.random.default_rng(seed)
    n = held.n_obs
    values = rng.dirichlet([0.6, 0.6, 0.6], n)
    half = rng.uniform(0.02, 0.15, (n, 3))
    blocks = {"": values, "_lower": np.maximum(values - half, 0), "_upper": np.minimum(values + half, 1)}
    for end, block in blocks.items():
        held.obsm[output + end] = pd.DataFrame(block, index=held.obs_names, columns=TYPES)
    held.obs[f"{output}_dominant"] = pd.Categorical.from_codes(values.argmax(1), categories=TYPES)
    uncertainty = (values * (blocks["_upper"] - blocks["_lower"])).sum(1)
    uncertainty[3], uncertainty[7] = 0.9, 0.6
    held.obs[f"{output}_uncertainty"] = uncertainty
    held.obs[f"{output}_deviance"] = rng.uniform(0.5, 2.0, n)
    held.obs[f"{output}_empty"] = np.arange(n) == 5
    held.obs[f"{output}_outside"] = np.isin(np.arange(n), [2, 5])
    held.obs["domain"] = pd.Categorical(np.where(np.arange(n) < 10, "D1", "D2"))
    return values


@pytest.fixture
def dock(desk, show):
    put_result(desk.session.document)
    desk.presenter.show()
    made = show(DeconvolveDock(desk.viewer))
    made.refresh_now()
    return made


def bars(dock):
    return dock.result.composition.bars.shown


# what was found ------------------------------------------------------------------------------


def test_results_are_found_by_their_columns_and_read_whole(desk):
    values = put_result(desk.session.document)
    assert proportion_outputs(desk.session.document) == (("spot_counts", "proportions"),)
    held = spot_proportions(desk.session.document, "spot_counts")
    assert held.types == tuple(TYPES) and np.array_equal(held.values, values)
    found = held.flagged()
    assert found["empty"].tolist() == [5] and found["outside"].tolist() == [2] and found["unsure"].tolist() == [3, 7]
    assert flags_in_words(held) == (
        "4 of 34 spots to look at: 1 without counts, 1 with a type or state that is not in the reference, "
        "2 less certain than is usual here."
    )
    assert held.by_uncertainty()[0] == 3


def test_only_spots_less_certain_than_the_others_count_as_uncertain():
    def flagged(widths):
        held = SpotProportions("t", "p", ("a",), np.ones((len(widths), 1)), uncertainty=np.array(widths))
        return held.flagged()["unsure"].tolist(), usual_in_words(held)

    wide = np.linspace(0.6, 0.8, 40)
    found, said = flagged([*wide])
    assert found == [] and "70 percentage points" in said and "not single spots" in said
    sharp, said = flagged([*(wide - 0.5), 0.7, np.nan])
    assert sharp == [40] and "not single spots" not in said
    assert flagged([0.0] * 40 + [0.05]) == ([], "In a usual spot the 90 % intervals are 0 percentage points wide.")


def test_empty_spots_and_artefacts_are_in_no_mean():
    values = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    marks = np.array(["", "artefact", ""], object)
    held = SpotProportions("t", "p", ("a", "b"), values, empty=np.array([False, False, True]), by_hand=marks)
    assert held.section.tolist() == [1.0, 0.0]


# on the canvas -------------------------------------------------------------------------------


def test_what_is_chosen_colours_the_spots_and_the_choice_follows_the_canvas(dock, desk):
    shown = dock.result.shown
    assert [shown.how.itemText(i) for i in range(3)] == ["pies", "bars", "dominant type"]

    def choose(way):
        shown.how.setCurrentIndex(shown.how.findData(way))
        shown.how.activated.emit(shown.how.currentIndex())

    for way, mode in {"bars": "bars", "pies": "pies", "dominant type": "dominant"}.items():
        choose(way)
        assert desk.presenter.state.pies["spots"].mode == mode and shown.ring.isVisible()
    shown.ring.click()
    assert not desk.presenter.state.pies["spots"].ring
    for way, column in {"uncertainty": "uncertainty", "types not in the reference": "outside"}.items():
        choose(way)
        assert desk.presenter.colour_of("spots").key == f"obs/proportions_{column}" and not shown.ring.isVisible()
    shown.show_type("duct")
    assert desk.presenter.colour_of("spots").key == "obsm/proportions/duct" and shown.type.isVisible()
    desk.presenter.colour_by("spots", ColourBy("spot_counts", "obs/proportions_deviance"))
    dock.refresh_now()
    assert shown.how.currentData() == "deviance" and not shown.type.isVisible()
    desk.presenter.show_pies("spots", "spot_counts", mode="bars", ring=True)
    dock.refresh_now()
    assert shown.how.currentData() == "bars" and shown.ring.isChecked()


def test_each_type_has_a_layer_of_its_own_in_one_range_of_colours(dock, desk):
    shown, layers = dock.result.shown, desk.viewer.layers
    before = len(layers)
    shown.layers.click()
    own = [layers[f"spots: {name}"] for name in TYPES]
    assert len(layers) == before + 3 and not any(layer.visible for layer in own)
    values = dock.result.held.values
    sums = {name: layer.face_color[:, :3].sum(1) for name, layer in zip(TYPES, own, strict=True)}
    a, b = np.concatenate([sums[t] for t in TYPES]), np.concatenate([values[:, k] for k in range(3)])
    order = np.argsort(b)
    assert (np.diff(a[order]) > -0.05).all()  # one range: a larger share of whatever type is brighter
    assert desk.presenter.element_of(own[0]) == "spots" and desk.presenter.layer_of("spots") is layers["spots"]
    shown.layers.click()
    assert len(layers) == before and len(desk.session.history) == 0


def test_next_flagged_walks_through_all_flagged_spots_and_begins_anew(dock, desk):
    seen = []
    for _ in range(5):
        dock.result.button("Next flagged").click()
        seen.append(int(desk.presenter.selected.now.rows[0]))
    assert sorted(seen[:4]) == [2, 3, 5, 7] and seen[4] == seen[0]
    dock.result.button("Most uncertain").click()
    where = coordinates_of(desk.session.document, "spot_counts")[3]
    assert np.allclose(desk.viewer.scene.camera.center[-2:], where)
    dock.result.button("Select flagged").click()
    assert desk.presenter.selected.now.rows.tolist() == [2, 3, 5, 7]
    assert len(desk.session.history) == 0


# what spots are made of ----------------------------------------------------------------------


def test_bars_follow_the_cursor_then_the_selection_then_the_section(dock, desk):
    held = dock.result.held
    panel = dock.result.composition
    assert bars(dock).n == len(held.values) and "whole section" in panel.about.text()
    desk.presenter.selected.take(Selected("spot_counts", np.array([0, 1, 4])))
    assert bars(dock).n == 3 and np.allclose(bars(dock).here, held.values[[0, 1, 4]].mean(0))
    where = coordinates_of(desk.session.document, "spot_counts")
    pointing = Pointing(desk.presenter)
    desk.presenter.pointed.emit(pointing.at(where[8]))
    assert bars(dock).n == 1 and np.allclose(bars(dock).here, held.values[8])
    assert "uncertainty" in panel.about.text()
    assert pointing.at(where[8]).lines[0].lower() in panel.about.text().lower()  # both call it by one name
    desk.presenter.pointed.emit(pointing.at(where[8] + 1e5))
    assert bars(dock).n == 3 and "3 spots are selected" in panel.about.text()


def test_a_domain_is_compared_with_the_section(dock, desk, qtbot):
    panel, held = dock.result.composition, dock.result.held
    panel.groups.setCurrentIndex(panel.groups.findText("domain: D1"))
    panel.groups.activated.emit(panel.groups.currentIndex())
    assert bars(dock).n == 10 and np.allclose(bars(dock).here, held.values[:10].mean(0))
    assert "10 spots in domain: D1" in panel.about.text() and "section's mean" in panel.bars.lines()[0]
    qtbot.waitUntil(lambda: panel.runner.state == "idle", timeout=20_000)
    found = composition(desk.session.document, "spot_counts", np.arange(10))
    if np.isfinite(found.mean_lower).all():
        assert np.allclose(bars(dock).lower, found.mean_lower[0]) and "90 % interval" in panel.bars.lines()[0]
    else:
        assert "no interval" in panel.about.text()


def test_the_composition_of_domains_is_kept_as_a_table(dock, desk, qtbot):
    panel = dock.result.composition
    panel.groups.setCurrentIndex(panel.groups.findText("domain: D1"))
    panel.keep()
    qtbot.waitUntil(lambda: len(desk.session.history) == 1, timeout=20_000)
    table = desk.session.document.table("spot_counts_proportions_by_domain")
    assert table.obs_names.tolist() == ["D1", "D2"] and table.var_names.tolist() == TYPES


# the reference -------------------------------------------------------------------------------


@pytest.fixture
def cells(tmp_path):
    """Return where a reference lies in which the types "crypt" and "crypt 2" are one, and "rare" has three cells."""
    table = sample_reference(0, **SMALL)
    types = table.obs["cell_type"].astype(str).to_numpy()
    first = sorted(set(types))[0]
    own = np.flatnonzero(types == first)
    types[own[::2]] = f"{first} 2"
    types[np.flatnonzero(types == sorted(set(types))[-1])[:3]] = "rare"
    table.obs["cell_type"] = pd.Categorical(types)
    path = tmp_path / "cells.h5ad"
    table.write_h5ad(path)
    return path, first


def checked(dock, qtbot):
    """Wait for the end of the check."""
    check = dock.inputs.check
    qtbot.waitUntil(lambda: check.runner.state == "idle" and not check._timer.isActive(), timeout=30_000)
    return check


def test_a_reference_is_checked_as_soon_as_it_is_chosen_and_types_alike_can_be_merged(desk, show, qtbot, cells, ran):
    path, first = cells
    dock = show(DeconvolveDock(desk.viewer))
    dock.refresh_now()
    dock.inputs.reference.set_value(str(path))
    check = checked(dock, qtbot)
    text = check.facts.text()
    n = len(check.found.types)
    assert f"of {n} types" in text and "by the column 'cell_type'" in text and "Raw counts were found" in text
    told = " ".join(w.text() for w in check.warnings if w.message is not None)
    assert all(w.message is None or w.message.level == "warning" for w in check.warnings) and "'rare'" in told
    box = next(b for name, b in check.boxes.items() if first in name)
    box.click()
    check = checked(dock, qtbot)
    assert len(check.found.types) < n and any(b.isChecked() for b in check.boxes.values())
    merged = dict(check.merged)
    assert {first, f"{first} 2"} <= merged.keys() and dock.selection().merged == check.merged
    ran(dock)
    columns = desk.session.document.table("spot_counts").obsm["proportions"].columns
    assert merged[first] in columns and first not in columns
    next(b for b in check.boxes.values() if b.isChecked()).click()
    assert len(checked(dock, qtbot).found.types) == n and dock.selection().merged == ()


def test_types_can_be_merged_by_name_and_the_others_go_with_them(desk, show, qtbot, cells):
    dock = show(DeconvolveDock(desk.viewer))
    dock.refresh_now()
    dock.inputs.reference.set_value(str(cells[0]))
    check = checked(dock, qtbot)
    a, b, c = check.found.types[:3]
    check.more.click()
    check.one.setCurrentIndex(check.one.findData(a))
    check.other.setCurrentIndex(check.other.findData(b))
    check.merge_button.click()
    assert dict(checked(dock, qtbot).merged) == {a: b}
    check.merge((b,), c)
    found = checked(dock, qtbot)
    assert found.trouble.message is None and dict(found.merged) == {a: c, b: c}
    assert a not in found.found.types and b not in found.found.types


def test_a_reference_without_shared_genes_is_told_under_its_field(desk, show, qtbot, tmp_path):
    table = sample_reference(0, **SMALL)
    table.var_names = [f"other{i}" for i in range(table.n_vars)]
    table.write_h5ad(tmp_path / "other.h5ad")
    dock = show(DeconvolveDock(desk.viewer))
    dock.refresh_now()
    dock.inputs.reference.set_value(str(tmp_path / "other.h5ad"))
    check = checked(dock, qtbot)
    assert check.trouble.message.level == "error" and "share" in check.trouble.text() and check.found is None


def test_only_a_method_that_learns_types_runs_without_a_reference_and_its_form_says_so(desk, show, ran, qtbot):
    pytest.importorskip("torch")
    dock = show(DeconvolveDock(desk.viewer))
    dock.refresh_now()
    assert "Choose a reference" in dock.waiting_for() and not dock.inputs.free.isVisible()
    dock.panel.set_method(method("deconvolution", "autoencoder")(n_types=3))
    dock.refresh_now()
    assert dock.waiting_for() == "" and dock.inputs.free.isVisible()
    assert dock.panel.button.isEnabled()
    ran(dock)
    columns = list(desk.session.document.table("spot_counts").obsm["proportions"].columns)
    assert len(columns) == 3 and all(name.startswith("Type ") for name in columns)
    assert dock.result.held.types == tuple(columns)
    shown = dock.result.shown
    shown.show_type(columns[1])
    shown.layers.click()
    assert shown.name.isVisible() and shown.name.text() == columns[1]
    shown.name.setText("duct")
    shown.name.editingFinished.emit()
    qtbot.waitUntil(lambda: dock.result.held.types == (columns[0], "duct", columns[2]))
    dock.refresh_now()
    assert desk.presenter.colour_of("spots").key == "obsm/proportions/duct" and shown.type.currentData() == "duct"
    assert "spots: duct" in desk.viewer.layers and f"spots: {columns[1]}" not in desk.viewer.layers
    shown.name.setText(columns[0])
    shown.name.editingFinished.emit()
    assert shown.name.text() == "duct", "a name that is taken is refused, and said"
    desk.session.undo()
    dock.refresh_now()
    assert dock.result.held.types == tuple(columns) and shown.name.text() in columns
    dock.panel.set_method(method("deconvolution", "nnls")())
    dock.refresh_now()
    assert "Choose a reference" in dock.waiting_for() and not dock.inputs.free.isVisible()


def test_a_table_of_this_section_can_be_the_reference(desk, show, qtbot):
    from anndata import AnnData

    cells = sample_reference(0, **SMALL)
    desk.session.document.sdata.tables["labelled"] = AnnData(cells.X, obs=cells.obs, var=cells.var)
    dock = show(DeconvolveDock(desk.viewer))
    dock.refresh_now()
    field = dock.inputs.reference
    field.sources.setCurrentIndex(field.sources.findData("labelled"))
    field.sources.activated.emit(field.sources.currentIndex())
    assert field.value() == "table:labelled" and not field.file.isVisible()
    assert "of" in checked(dock, qtbot).facts.text() and checked(dock, qtbot).found is not None


def test_a_run_before_the_check_reads_the_reference_beside_the_window(desk, show, cells, ran, monkeypatch):
    from napari_spatialml.session import references

    readers, read = [], references.read_reference

    def heard(*given):
        readers.append(threading.current_thread())
        return read(*given)

    monkeypatch.setattr(references, "read_reference", heard)
    monkeypatch.setattr(references, "kept", lambda *_: None)
    dock = show(DeconvolveDock(desk.viewer))
    dock.refresh_now()
    dock.inputs.reference.set_value(str(cells[0]))
    ran(dock)  # the check has not even begun
    assert len(readers) == 1 and threading.main_thread() not in readers
    assert "proportions" in desk.session.document.table("spot_counts").obsm


def test_the_reference_of_the_last_result_is_offered_and_read_only_after_a_click(desk, show, qtbot, cells):
    path, _ = cells
    entry = {"table": "spot_counts", "output": "proportions", "reference": str(path), "column": "cell_type"}
    desk.session.document.sdata.attrs.setdefault("spatialml", {})["deconvolutions"] = {"spot_counts/proportions": entry}
    dock = show(DeconvolveDock(desk.viewer))
    dock.refresh_now()
    button = dock.inputs.former
    assert button.isVisible() and button.text() == f"Take {path.name} again" and dock.inputs.reference.value() == ""
    assert dock.inputs.check.found is None and dock.inputs.check.runner.state == "idle"
    button.click()
    assert dock.selection().reference == str(path) and dock.selection().column == "cell_type"
    assert checked(dock, qtbot).found is not None and not button.isVisible()


# the preview ---------------------------------------------------------------------------------


def previewed(dock, qtbot):
    row = dock.preview
    qtbot.waitUntil(lambda: row.runner.state == "idle" and not row._timer.isActive(), timeout=30_000)
    return row


def test_a_preview_is_drawn_and_changes_nothing_in_the_document(desk, show, qtbot, cells):
    dock = show(DeconvolveDock(desk.viewer))
    dock.refresh_now()
    dock.inputs.reference.set_value(str(cells[0]))
    checked(dock, qtbot)
    names = lambda: [layer.name for layer in desk.viewer.layers]  # noqa: E731
    before = set(desk.session.document.table("spot_counts").obsm)
    with qtbot.waitSignal(dock.preview.made, timeout=30_000) as told:
        dock.preview.button.click()
    row = previewed(dock, qtbot)
    assert row.shown and "not stored" in row.message.text() and NAME in names()
    types = told.args[0].result.types
    group = next(iter(dock.inputs.check.boxes))
    with qtbot.waitSignal(dock.preview.made, timeout=30_000) as told:
        dock.inputs.check.boxes[group].click()  # the preview follows
    assert len(told.args[0].result.types) < len(types)
    checked(dock, qtbot), previewed(dock, qtbot)
    assert set(desk.session.document.table("spot_counts").obsm) == before and len(desk.session.history) == 0
    assert names().count(NAME) == 1
    row.hide_button.click()
    assert not row.shown and NAME not in names() and row.message.message is None


def test_a_run_takes_the_preview_away(desk, show, qtbot, cells, ran):
    dock = show(DeconvolveDock(desk.viewer))
    dock.refresh_now()
    dock.inputs.reference.set_value(str(cells[0]))
    checked(dock, qtbot)
    with qtbot.waitSignal(dock.preview.made, timeout=30_000):
        dock.preview.button.click()
    ran(dock)
    assert not dock.preview.shown and "proportions" in desk.session.document.table("spot_counts").obsm
    assert desk.presenter.state.pies["spots"].mode == "pies"


# by hand -------------------------------------------------------------------------------------


def take(desk, *rows):
    desk.presenter.selected.take(Selected("spot_counts", np.array(rows)))


def say(hand, what, name="", percent=None, reason=""):
    hand.say.what.setCurrentIndex(hand.say.what.findData(what))
    if name:
        hand.say.type.setCurrentIndex(hand.say.type.findData(name))
    if percent is not None:
        hand.say.share.setValue(percent)
    hand.say.reason.setText(reason)
    hand.apply_button.click()


def test_what_the_hand_says_is_in_the_document_in_the_list_and_undone_in_one_step(dock, desk):
    hand = dock.by_hand
    assert not hand.apply_button.isEnabled() and "Select spots" in hand.count.text()
    take(desk, 0, 1)
    assert hand.apply_button.text() == "Apply to 2 spots"
    say(hand, SET, "tumour", 80, "seen in H&E")
    frame = desk.session.document.table("spot_counts").obsm["proportions"]
    assert np.allclose(frame["tumour"].iloc[[0, 1]], 0.8)
    dock.refresh_now()
    item = hand.list.topLevelItem(0)
    assert (item.text(0), item.text(1), item.text(2)) == ("tumour = 80 %", "2", "seen in H&E")
    assert "2 spots are held by hand" in hand.about.text()
    take(desk, 4)
    say(hand, NONE, "acinar")
    take(desk, 6)
    say(hand, LEAST, "duct", 30)
    take(desk, 8, 9, 10)
    say(hand, ARTEFACT)
    dock.refresh_now()
    said = [hand.list.topLevelItem(k).text(0) for k in range(4)]
    assert said == ["tumour = 80 %", "no acinar", "duct ≥ 30 %", "artefact"]
    held = dock.result.held
    assert held.values[4, 0] == 0 and held.values[6, 1] >= 0.3 - 1e-9
    assert held.by_hand[[0, 4, 6, 8]].tolist() == ["override", "forbidden", "minimum", "artefact"]
    hand.list.itemClicked.emit(hand.list.topLevelItem(3), 0)
    assert desk.presenter.selected.now.rows.tolist() == [8, 9, 10]
    desk.undo()
    dock.refresh_now()
    assert hand.list.topLevelItemCount() == 3


def test_a_constraint_can_be_changed_and_removed(dock, desk):
    hand = dock.by_hand
    take(desk, 3)
    say(hand, SET, "duct", 60, "guess")
    dock.refresh_now()
    hand.list.mark(0)
    hand.edit_button.click()
    assert hand.say.share.value() == 60 and hand.say.reason.text() == "guess" and hand.apply_button.text() == "Change"
    hand.say.share.setValue(40)
    hand.say.reason.setText("second look")
    hand.apply_button.click()
    dock.refresh_now()
    assert dock.result.held.values[3, 1] == pytest.approx(0.4)
    assert hand.entries()[0]["reason"] == "second look" and hand.apply_button.text() != "Change"
    take(desk, 5)
    say(hand, ARTEFACT, reason="bubble")
    dock.refresh_now()
    hand.list.mark(1)
    hand.edit_button.click()
    hand.say.reason.setText("fold")
    hand.apply_button.click()
    dock.refresh_now()
    assert hand.entries()[1]["reason"] == "fold" and hand.entries()[1]["what"] == "artefact"
    for _ in range(2):
        hand.list.mark(0)
        hand.remove_button.click()
        dock.refresh_now()
    assert hand.entries() == [] and not hand.list.isVisible()


def test_a_stroke_of_the_brush_adds_to_what_is_selected(dock, desk):
    hand = dock.by_hand
    hand.tools.buttons["proportions"].click()
    assert desk.presenter.tool == "proportions"
    desk.presenter.rows_taken.emit("spot_counts", np.array([2, 3]))
    desk.presenter.rows_taken.emit("spot_counts", np.array([7]))
    assert hand.rows().tolist() == [2, 3, 7] and "3 spots" in hand.apply_button.text()
    assert len(desk.session.history) == 0


def test_a_stroke_is_followed_by_a_fit_of_all_spots_and_one_undo_takes_both_back(desk, show, qtbot, cells, ran):
    dock = show(DeconvolveDock(desk.viewer))
    dock.refresh_now()
    dock.inputs.reference.set_value(str(cells[0]))
    checked(dock, qtbot)
    ran(dock)
    free = dock.result.held.values.copy()
    hand, name = dock.by_hand, dock.result.held.types[0]
    take(desk, 0, 1, 2)
    with qtbot.waitSignal(hand.refitting.done, timeout=60_000):
        say(hand, SET, name, 90, "pathologist")
    dock.refresh_now()
    assert "Fitted again" in hand.refitting.message.text() and "34 spots" in hand.refitting.message.text()
    assert len(desk.session.history) == 2
    assert np.allclose(dock.result.held.values[:3, 0], 0.9)
    assert not np.array_equal(dock.result.held.values[3:], free[3:])
    desk.undo()
    dock.refresh_now()
    assert np.array_equal(dock.result.held.values, free) and hand.entries() == []


# co-location ---------------------------------------------------------------------------------


def test_the_matrix_tells_pairs_goes_to_a_file_whole_and_is_kept(dock, desk, qtbot, tmp_path):
    dock.result.open_colocation()
    window = dock.findChild(ColocationWindow)
    qtbot.waitUntil(lambda: window.runner.state == "idle", timeout=30_000)
    found = window.found
    assert found is not None, window.message.text()
    assert "block permutation" in window.about.text() and f"{found.n_blocks} blocks" in window.about.text()
    at = window.matrix.middle_of(0, 2)
    assert window.matrix.pair_at(at.x(), at.y()) == (0, 2)
    window.matrix.pointed.emit(0, 2)
    a, b = int(window.order[0]), int(window.order[2])
    assert TYPES[a] in window.pair.text() and f"q {found.q[a, b]:.2g}" in window.pair.text()
    window.export(tmp_path / "pairs.csv")
    frame = pd.read_csv(tmp_path / "pairs.csv")
    assert len(frame) == 3 and set(frame["blocks"]) == {found.n_blocks}
    i, j = (TYPES.index(frame.loc[0, c]) for c in ("type_a", "type_b"))
    assert frame.loc[0, "value"] == pytest.approx(found.values[i, j])
    window.export(tmp_path / "matrix.png")
    assert (tmp_path / "matrix.png").stat().st_size > 5_000 and window.message.message.level == "ok"
    window.keep_button.click()
    qtbot.waitUntil(lambda: len(desk.session.history) == 1, timeout=30_000)
    assert np.allclose(held_co_location(desk.session.document, "spot_counts").q, found.q, equal_nan=True)
    window.close()


def test_pairs_are_told_in_words():
    values = np.array([[np.nan, 0.4, -0.3], [0.4, np.nan, 0.0], [-0.3, 0.0, np.nan]])
    q = np.array([[np.nan, 0.004, 0.03], [0.004, np.nan, 0.8], [0.03, 0.8, np.nan]])
    found = Colocation(tuple(TYPES), values, q / 3, q, 0.0, 500.0, 12, 999)
    assert "they lie together" in pair_in_words(found, 0, 1) and "+0.40" in pair_in_words(found, 0, 1)
    assert "they shun each other" in pair_in_words(found, 0, 2)
    assert "no more than chance explains" in pair_in_words(found, 1, 2)
    assert pairs_frame(found)["q"].is_monotonic_increasing
