"""The windows about a map of domains: what defines them, and how they compare."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QApplication

from napari_spatialml.io.sample import sample_section
from napari_spatialml.session import Session
from napari_spatialml.views.state import ColourBy
from napari_spatialml.widgets.domain_compare_window import CompareDomainsWindow
from napari_spatialml.widgets.domain_markers_window import MarkersWindow
from napari_spatialml.widgets.feature_table import FeatureTable

from .conftest import SMALL

TABLE = "spot_counts"


@pytest.fixture
def mapped(desk):
    """Return the desk with three domains, one without rows, and two rows of ignored tissue."""
    held = desk.session.document.table(TABLE)
    codes = np.where(np.arange(held.n_obs) < held.n_obs // 2, 0, 1)
    codes[:2] = -1
    held.obs["domain"] = pd.Categorical.from_codes(codes, ["D1", "D2", "D3"])
    held.obs["layer"] = pd.Categorical(np.where(np.arange(held.n_obs) % 3 == 0, "mucosa", "muscle"))
    desk.presenter.show()
    return desk


def opened(kind, desk, show, qtbot):
    window = show(kind(desk, TABLE, "domain"))
    window.resize(1000, 760)
    settle(window, qtbot)
    return window


def settle(window, qtbot):
    qtbot.waitUntil(lambda: window.runner.state == "idle", timeout=60_000)


def element(desk):
    return desk.session.document.annotated(TABLE)


# the table of features -----------------------------------------------------------------------


def effects(n=40):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"feature": [f"G{k}" for k in range(n)], "auroc": rng.random(n), "cohens_d": rng.normal(size=n)}
    )


def test_a_click_on_a_head_sorts_and_another_one_turns_it_around(show):
    table, frame = show(FeatureTable()), effects()
    frame.loc[3, "auroc"] = np.nan
    table.set_frame(frame, "gene")
    assert table.names() == list(frame["feature"])
    table.horizontalHeader().sectionClicked.emit(1)
    assert table.names()[:-1] == list(frame.dropna().sort_values("auroc", ascending=False)["feature"])
    table.horizontalHeader().sectionClicked.emit(1)
    assert table.names()[:-1] == list(frame.dropna().sort_values("auroc")["feature"])
    assert table.names()[-1] == "G3", "what is not known stands last"
    table.sort_by("feature", descending=False)
    assert table.names()[:3] == sorted(frame["feature"])[:3]


def test_a_search_leaves_what_holds_the_text_and_keeps_the_mark(show):
    table = show(FeatureTable())
    table.set_frame(effects(), "gene")
    table.mark("G12")
    table.search("g1")
    assert table.names() == ["G1", *(f"G{k}" for k in range(10, 20))] and table.current() == "G12"
    table.search("nothing")
    assert table.names() == [] and table.copy() == 0


def test_thirty_thousand_genes_are_sorted_and_searched_without_a_copy(show):
    table, frame = show(FeatureTable()), effects(30_000)
    table.set_frame(frame, "gene")
    table.sort_by("auroc")
    table.search("99")
    left = frame[frame["feature"].str.contains("99")].sort_values("auroc", ascending=False)
    assert table.names() == list(left["feature"])
    assert table.copy() == len(left)
    assert QGuiApplication.clipboard().text().splitlines()[1].split("\t")[0] == left["feature"].iloc[0]


# markers -------------------------------------------------------------------------------------


def test_the_markers_of_a_domain_are_listed_and_a_click_colours_the_section(mapped, show, qtbot):
    window = opened(MarkersWindow, mapped, show, qtbot)
    assert window.found is not None, window.message.text()
    assert [window.names.itemData(i) for i in range(window.names.count())] == ["D1", "D2"]
    best = window.found.frame("D1").iloc[0]["feature"]
    assert window.features.names()[0] == best
    qtbot.mouseClick(
        window.features.viewport(), Qt.MouseButton.LeftButton,
        pos=window.features.visualRect(window.features.model().index(0, 0)).center(),
    )  # fmt: skip
    assert mapped.presenter.colour_of(element(mapped)) == ColourBy(TABLE, f"X/{best}")
    window.names.setCurrentIndex(1)
    assert window.features.names()[0] == window.found.frame("D2").iloc[0]["feature"]
    window.back_button.click()
    assert mapped.presenter.colour_of(element(mapped)) == ColourBy(TABLE, "obs/domain")


def test_a_click_on_a_dot_chooses_the_feature_in_its_domain(mapped, show, qtbot):
    window = opened(MarkersWindow, mapped, show, qtbot)
    window.each.setValue(3)
    dots = window.plot.dots
    assert len(dots.features) == 6 and list(dots.domains) == ["D1", "D2"]
    at = window.plot.place_of(dots.features[4], "D2")
    assert dots.features[4] in window.plot.tip(at) and "D2" in window.plot.tip(at)
    qtbot.mouseClick(window.plot, Qt.MouseButton.LeftButton, pos=at.toPoint())
    assert window.names.currentData() == "D2" and window.features.current() == dots.features[4]
    assert mapped.presenter.colour_of(element(mapped)).name == dots.features[4]
    assert window.plot.tip(QPointF(1, 1)) == ""


def test_markers_go_to_a_file_whole(mapped, show, qtbot, tmp_path):
    window = opened(MarkersWindow, mapped, show, qtbot)
    window.search.setText("A")
    window.export(tmp_path / "markers.csv")
    frame = pd.read_csv(tmp_path / "markers.csv")
    assert len(frame) == 2 * mapped.session.document.table(TABLE).n_vars
    window.export(tmp_path / "dots.png")
    assert (tmp_path / "dots.png").stat().st_size > 3000 and window.message.message.level == "ok"
    window.export(tmp_path / "nowhere" / "dots.png")
    assert window.message.message.level == "error"


def test_a_map_that_changes_makes_the_markers_old_until_update(mapped, show, qtbot):
    window = opened(MarkersWindow, mapped, show, qtbot)
    assert not window.update_button.isVisible()
    assert mapped.correct("rename-category", table=TABLE, column="domain", old="D2", new="stroma")
    assert window.update_button.isVisible() and "changed" in window.changed.text()
    mapped.undo()
    assert not window.update_button.isVisible(), "an undone step gives the former map back"
    mapped.redo()
    window.update_button.click()
    settle(window, qtbot)
    assert not window.update_button.isVisible()
    assert [window.names.itemData(i) for i in range(window.names.count())] == ["D1", "stroma"]


def test_markers_found_before_are_there_at_once(mapped, show, qtbot):
    first = opened(MarkersWindow, mapped, show, qtbot)
    second = show(MarkersWindow(mapped, TABLE, "domain"))
    assert second.runner.state == "idle" and second.found is first.found


def test_one_domain_is_told_in_one_sentence(mapped, show, qtbot):
    held = mapped.session.document.table(TABLE)
    held.obs["domain"] = pd.Categorical(["D1"] * held.n_obs)
    window = opened(MarkersWindow, mapped, show, qtbot)
    assert window.found is None and window.message.message.level == "error"
    assert "1 domain with rows" in window.message.text()
    assert not window.export_button.isEnabled()


@pytest.mark.parametrize("kind", [MarkersWindow, CompareDomainsWindow])
def test_a_column_that_is_not_there_is_told(kind, mapped, show):
    window = show(kind(mapped, TABLE, "gone"))
    assert "no column 'gone'" in window.message.text() and window.message.message.level == "error"


# comparing -----------------------------------------------------------------------------------


def test_two_domains_are_compared_and_what_they_are_made_of(mapped, show, qtbot):
    window = opened(CompareDomainsWindow, mapped, show, qtbot)
    page = window.pair
    assert page.found is not None, window.message.text()
    assert (page.found.one, page.found.other) == (("D1",), ("D2",))
    best = page.found.frame().iloc[0]["feature"]
    assert page.features.names()[0] == best and best in page.volcano.names
    at = page.volcano.at[list(page.volcano.names).index(best)]
    assert page.volcano.nearest(*at)
    page.volcano.clicked.emit(*at, "new")
    assert mapped.presenter.colour_of(element(mapped)).part == "X"
    assert page.bars.frame is not None and "layer" in page.by.currentText()
    qtbot.waitUntil(lambda: page.intervals.state == "idle", timeout=60_000)
    assert "D1" in page.bars.line(0) and "%" in page.bars.line(0)
    page.select_button.click()
    assert len(mapped.presenter.selected.now) == mapped.session.document.table(TABLE).n_obs - 2


def test_no_domain_on_the_right_stands_for_all_others(mapped, show, qtbot):
    window = opened(CompareDomainsWindow, mapped, show, qtbot)
    for action in window.pair.other.menu().actions():
        action.setChecked(False)
    window.pair.run_button.click()
    settle(window, qtbot)
    assert window.pair.found.other == ("D2",), "D3 has no rows"
    for action in window.pair.one.menu().actions():
        action.setChecked(False)
    window.pair.run_button.click()
    assert window.pair.one.names() == ("D1",), "none ticked on the left: the first again"


def test_sizes_and_borders_select_on_the_canvas(mapped, show, qtbot):
    window = opened(CompareDomainsWindow, mapped, show, qtbot)
    window.tabs.setCurrentIndex(1)
    settle(window, qtbot)
    page = window.sizes
    assert page.found is not None, window.message.text()
    assert page.table.rowCount() == 2 and page.table.item(0, 0).text() == "D1"
    window.sizes.matrix.pointed.emit(0, 1)
    assert "D1 and D2" in page.pair.text() and "100 %" in page.pair.text()
    at = page.matrix.middle_of(0, 1).toPoint()
    qtbot.mouseClick(page.matrix, Qt.MouseButton.LeftButton, pos=at)
    rows = mapped.presenter.selected.now.rows
    assert len(rows) and set(rows) == set(page.found.touching("D1", "D2"))
    page.table.cellClicked.emit(1, 0)
    assert set(mapped.presenter.selected.now.rows) == set(page.found.domains.rows("D2"))


def test_a_square_of_the_agreement_selects_its_rows(mapped, show, qtbot, tmp_path):
    window = opened(CompareDomainsWindow, mapped, show, qtbot)
    window.tabs.setCurrentIndex(2)
    settle(window, qtbot)
    page = window.agreement
    assert page.other.currentData() == "layer"
    assert page.figures[0][0].text() == "ARI" and "2 spots lack" in page.about.text()
    page.matrix.clicked.emit(0, 1)
    a, b = page.found.rows_named[0], page.found.columns_named[1]
    obs = mapped.session.document.table(TABLE).obs
    expected = np.flatnonzero(((obs["domain"] == a) & (obs["layer"] == b)).to_numpy())
    assert (mapped.presenter.selected.now.rows == expected).all()
    window.export(tmp_path / "agreement.csv")
    assert pd.read_csv(tmp_path / "agreement.csv", index_col=0).to_numpy().sum() == len(obs) - 2


def test_each_page_is_computed_when_it_is_looked_at_and_again_when_it_is_old(mapped, show, qtbot):
    window = opened(CompareDomainsWindow, mapped, show, qtbot)
    assert window.sizes.found is None and window.agreement.found is None
    window.tabs.setCurrentIndex(1)
    settle(window, qtbot)
    assert mapped.correct("rename-category", table=TABLE, column="domain", old="D2", new="stroma")
    assert window.update_button.isVisible()
    window.update_button.click()
    settle(window, qtbot)
    assert "stroma" in window.sizes.matrix.names and not window.update_button.isVisible()
    window.tabs.setCurrentIndex(0)
    settle(window, qtbot)
    assert "stroma" in window.pair.found.domains.names


# lives ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [MarkersWindow, CompareDomainsWindow])
def test_a_window_closes_with_its_section_and_leaves_nothing(kind, mapped, qtbot):
    window = kind(mapped, TABLE, "domain")
    window.show()
    settle(window, qtbot)
    gone = weakref.ref(window)
    mapped.take(Session.start(sample_section(1, **SMALL), source="another sample"))
    assert not window.isVisible()
    del window
    for _ in range(3):
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)  # what an event loop does by itself
        QApplication.processEvents()
    gc.collect()
    assert gone() is None
    mapped.document_changed.emit(frozenset({("tables", TABLE)}))  # news for a window that is gone
