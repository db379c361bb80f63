"""The plots dock on real sections: what is drawn, and how a plot and the canvas select for each other."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QImage, QMouseEvent
from qtpy.QtWidgets import QApplication, QDockWidget

from napari_spatialml.io.sample import sample_section
from napari_spatialml.session import Session
from napari_spatialml.session.changes import Put
from napari_spatialml.session.command import Command
from napari_spatialml.session.selected import Selected
from napari_spatialml.widgets.desk import desk_of, release
from napari_spatialml.widgets.launch import PLUGIN
from napari_spatialml.widgets.plots.cloud import MANY, Cloud
from napari_spatialml.widgets.plots.dock import PlotsDock, open_plots
from napari_spatialml.widgets.workbench import Workbench

from .conftest import SMALL

TABLE = "spot_counts"


def put(desk, **columns):
    """Add columns to the table of spots, as a run would."""
    obs = desk.session.document.table(TABLE).obs
    series = {name: pd.Series(values, index=obs.index) for name, values in columns.items()}
    slots = {name: ("tables", TABLE, "obs", name) for name in columns}
    desk.session.execute(
        Command("columns", tuple(Put(slots[n], desk.session.document.get(slots[n]), s) for n, s in series.items()))
    )


@pytest.fixture
def n(desk):
    """Return the number of spots, with two numbers and two categories each; some have none."""
    n = desk.session.document.table(TABLE).n_obs
    generator = np.random.default_rng(0)
    width = generator.uniform(1, 90, n)
    width[:3] = np.nan
    kinds = pd.Categorical.from_codes(generator.integers(-1, 3, n), ["stroma", "tumour", "immune"])
    domains = pd.Categorical.from_codes(generator.integers(0, 4, n), ["D1", "D2", "D3", "D4"])
    put(desk, width_um=width, area_um2=generator.gamma(3, 20, n), kind=kinds, domain=domains)
    return n


@pytest.fixture
def dock(viewer, desk, n, show, qtbot):
    """Return the plots dock on the spots."""
    made = show(PlotsDock(viewer))
    made.resize(1000, 320)
    made.show_rows(TABLE, "spots")
    qtbot.wait(20)
    return made


def obs(desk, column):
    return desk.session.document.table(TABLE).obs[column]


def selected(desk):
    now = desk.presenter.selected.now
    return None if now is None else now.rows.tolist()


def test_a_plot_says_which_rows_it_shows_and_which_have_no_value(dock, n):
    scatter = dock.show_kind("Scatter")
    scatter.set_columns(x="width_um", y="area_um2")
    assert f"{n:,} spots of 'spots' (table '{TABLE}')" in dock.note.text()
    assert "3 spots without a value are not drawn" in dock.note.text()
    assert scatter.axes[0].label == "width (µm)" and scatter.axes[1].label == "area (µm²)"
    assert scatter.board.getAxis("bottom").labelText == "width (µm)"


def test_a_lasso_selects_exactly_the_points_inside_and_a_click_nothing(dock, desk):
    scatter = dock.show_kind("Scatter")
    scatter.set_columns(x="width_um", y="area_um2")
    x, y = obs(desk, "width_um").to_numpy(), obs(desk, "area_um2").to_numpy()
    scatter.board.lassoed.emit(np.array([(10, 20), (60, 20), (60, 80), (10, 80)]), "new")
    inside = (x > 10) & (x < 60) & (y > 20) & (y < 80)
    assert 0 < inside.sum() < len(x) and selected(desk) == np.flatnonzero(inside).tolist()
    assert desk.presenter.selected.now.said == "lasso in width and area"
    scatter.board.lassoed.emit(np.array([(10, 20), (30, 20), (30, 80), (10, 80)]), "take away")
    assert selected(desk) == np.flatnonzero(inside & (x > 30)).tolist()
    scatter.board.clicked.emit(-5.0, -5.0, "new")
    assert selected(desk) is None


def test_the_hand_draws_the_lasso_with_the_mouse(dock, desk, qtbot):
    scatter = dock.show_kind("Scatter")
    scatter.set_columns(x="width_um", y="area_um2")
    qtbot.wait(50)
    view, box = scatter.board.viewport(), scatter.board.box
    corners = [(10, 20), (60, 20), (60, 80), (10, 80)]
    path = [scatter.board.mapFromScene(box.mapViewToScene(QPointF(*c))) for c in corners]
    # from corner to corner in small steps, as a hand does
    steps = [QPointF(a + (b - a) * t) for a, b in itertools.pairwise(path) for t in np.linspace(0, 1, 12)]
    send(view, QEvent.Type.MouseButtonPress, steps[0], Qt.MouseButton.LeftButton)
    for at in steps[1:]:
        qtbot.wait(12)  # moves that follow faster are left out
        send(view, QEvent.Type.MouseMove, at, Qt.MouseButton.NoButton)
    send(view, QEvent.Type.MouseButtonRelease, steps[-1], Qt.MouseButton.LeftButton)
    x, y = obs(desk, "width_um").to_numpy(), obs(desk, "area_um2").to_numpy()
    pixel = box.viewPixelSize()
    off = np.minimum.reduce(
        [np.abs(x - 10) / pixel[0], np.abs(x - 60) / pixel[0], np.abs(y - 20) / pixel[1], np.abs(y - 80) / pixel[1]]
    )
    inside = (x > 10) & (x < 60) & (y > 20) & (y < 80)
    found = np.isin(np.arange(len(x)), selected(desk))
    assert found.any() and np.array_equal(found[off > 2], inside[off > 2])  # a mouse hits whole pixels


def send(view, kind, at, button):
    held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else Qt.MouseButton.LeftButton
    globally = QPointF(view.mapToGlobal(at.toPoint()))
    QApplication.sendEvent(view, QMouseEvent(kind, at, globally, button, held, Qt.KeyboardModifier.NoModifier))


def test_what_the_canvas_selects_stands_out_in_every_plot(dock, desk):
    rows = np.array([4, 9, 17])
    for title, columns in (("Scatter", {"x": "width_um", "y": "area_um2"}), ("Histogram", {"x": "area_um2"})):
        pane = dock.show_kind(title)
        pane.set_columns(**columns)
        desk.presenter.selected.take(Selected(TABLE, rows, "lasso on the canvas"))
        assert "3 selected" in dock.note.text()
        assert np.flatnonzero(pane.marked()).tolist() == rows.tolist()
        desk.presenter.selected.clear()
        assert "selected" not in dock.note.text()
    histogram = pane
    desk.presenter.selected.take(Selected(TABLE, rows, ""))
    assert histogram.frame()["selected"].sum() == 3
    desk.presenter.selected.take(Selected(TABLE, np.empty(0, np.int64), "nothing"))
    assert "0 selected" in dock.note.text() and not histogram.marks.isVisible()
    dock.show_kind("Scatter")
    assert dock.pane.frame()["selected"].sum() == 0


def test_thresholds_leave_exactly_the_rows_between_them_on_the_canvas(dock, desk, qtbot):
    histogram = dock.show_kind("Histogram")
    histogram.set_columns(x="area_um2")
    area = obs(desk, "area_um2").to_numpy()
    low, high = np.sort(area)[[5, -9]]
    histogram.set_thresholds(low, high)
    qtbot.waitUntil(lambda: desk.presenter.selected.limit is not None, timeout=2000)
    held = (area >= low) & (area <= high)
    assert held[area == low].all() and desk.presenter.selected.limit.rows.tolist() == np.flatnonzero(held).tolist()
    assert f"{held.sum():,} spots from" in dock.note.text() and "µm²" in dock.note.text()
    histogram.select_them.click()
    assert selected(desk) == np.flatnonzero(held).tolist()
    # what is filtered out cannot be meant by a lasso in another plot
    desk.presenter.selected.clear()
    scatter = dock.show_kind("Scatter")
    scatter.set_columns(x="area_um2", y="total counts")
    scatter.board.lassoed.emit(np.array([(-1e4, -1e6), (1e4, -1e6), (1e4, 1e6), (-1e4, 1e6)]), "new")
    assert selected(desk) == np.flatnonzero(held).tolist()
    dock.draw_all.click()
    assert desk.presenter.selected.limit is None
    qtbot.wait(30)
    assert desk.presenter.selected.limit is None and not dock.draw_all.isVisible()


def test_closing_the_dock_draws_everything_again(dock, desk, qtbot):
    histogram = dock.show_kind("Histogram")
    histogram.set_columns(x="area_um2")
    histogram.set_thresholds(10, 50)
    qtbot.waitUntil(lambda: desk.presenter.selected.limit is not None, timeout=2000)
    dock.hide()
    assert desk.presenter.selected.limit is None
    dock.show()
    qtbot.waitUntil(lambda: desk.presenter.selected.limit is not None, timeout=2000)


def test_a_logarithmic_axis_keeps_the_thresholds_in_the_units_of_the_column(dock, desk, qtbot):
    histogram = dock.show_kind("Histogram")
    histogram.set_columns(x="width_um")
    histogram.log["x"].setChecked(True)
    histogram.set_thresholds(5, 40)
    assert histogram.thresholds() == pytest.approx((5, 40))
    qtbot.waitUntil(lambda: desk.presenter.selected.limit is not None, timeout=2000)
    width = obs(desk, "width_um").to_numpy()
    assert desk.presenter.selected.limit.rows.tolist() == np.flatnonzero((width >= 5) & (width <= 40)).tolist()


def test_composition_bars_sum_to_one_and_their_parts_select_their_rows(dock, desk):
    bars = dock.show_kind("Composition")
    bars.set_columns(of="kind", by="domain")
    kind, domain = obs(desk, "kind"), obs(desk, "domain")
    assert np.allclose(bars.shares.sum(axis=1), 1)
    wanted = pd.crosstab(domain, kind)
    assert np.array_equal(bars.counts, wanted.to_numpy())
    missing = int(kind.isna().sum())
    assert missing and f"{missing:,} spots without kind are not counted" in dock.note.text()
    middle = bars.shares[2, 0] + bars.shares[2, 1] / 2
    assert bars.tip(2.1, middle).startswith(f"tumour in D3: {bars.counts[2, 1]:,} spots")
    assert bars.tip(2.1, 1.2) == bars.tip(2.5, middle) == ""
    bars.board.clicked.emit(2.1, middle, "new")
    assert selected(desk) == np.flatnonzero((kind == "tumour") & (domain == "D3")).tolist()
    assert desk.presenter.selected.now.said == "kind is tumour in D3"
    assert len(bars.counts) == 5 and bars.counts[4].tolist() == [0, len(selected(desk)), 0]  # the bar of the selection
    frame = bars.frame()
    assert frame.groupby("domain")["share"].sum().to_numpy() == pytest.approx(np.ones(5))


def test_bars_of_annotated_regions_hold_the_rows_inside(dock, desk):
    from napari_spatialml.session.annotating import rows_inside
    from napari_spatialml.session.gather import coordinates_of

    where = coordinates_of(desk.session.document, TABLE)
    middle = np.median(where, axis=0)
    box = [[0, 0], [0, float(middle[1])], [1e4, float(middle[1])], [1e4, 0]]
    assert desk.correct("add-annotation", annotations="areas", outlines=[[box]], class_name="left", region="1")
    bars = dock.show_kind("Composition")
    dock.refresh_now()
    for by, name in (("regions of areas", "left 1"), ("classes of areas", "left")):
        bars.set_columns(of="kind", by=by)
        assert bars.frame()["areas"].unique().tolist() == [name]
        held = np.flatnonzero(where[:, 1] < middle[1])
        assert bars.counts.sum() == obs(desk, "kind").iloc[held].notna().sum()
    (rows,) = rows_inside(desk.session.document, "areas", TABLE).values()
    assert rows.tolist() == held.tolist()


def test_a_click_on_a_violin_selects_its_rows(dock, desk):
    violin = dock.show_kind("Violin")
    violin.set_columns(value="area_um2", by="domain")
    assert [d.n for d in violin.found] == obs(desk, "domain").value_counts(sort=False).tolist()
    assert violin.tip(1.05, 40.0).startswith(f"D2: {violin.found[1].n:,} spots, median")
    violin.board.clicked.emit(1.05, 40.0, "new")
    assert selected(desk) == np.flatnonzero(obs(desk, "domain") == "D2").tolist()
    violin.board.clicked.emit(0.0, 40.0, "add")
    assert selected(desk) == np.flatnonzero(obs(desk, "domain").isin(["D1", "D2"])).tolist()
    assert len(violin._marks) == 2  # the violins of the selected rows, over the others
    violin.log.setChecked(True)
    assert violin.drawn


def test_points_have_the_colours_of_the_canvas(dock, desk):
    desk.correct("set-colour", column="domain", category="D2", colour="#12ab34")
    scatter = dock.show_kind("Scatter")
    scatter.set_columns(x="width_um", y="area_um2", colour="domain")
    picture = QImage(900, 300, QImage.Format.Format_RGB888)
    picture.fill(0)
    assert len(scatter.cloud._at) == 0 or not scatter.board.isHidden()
    found = colours(scatter)
    legend = {r.category: r.colour for r in canvas_colours(desk).itertuples()}
    assert legend["D2"] == "#12ab34" and set(legend.values()) <= found
    desk.presenter.colour_by("spots", named(dock, "area_um2"))
    scatter.set_columns(colour="area_um2")
    (shown,) = [g for g in desk.presenter.legends() if g.element == "spots"]
    assert scatter.colours.ends == (shown.low, shown.high)


def test_the_colours_follow_the_canvas_until_others_are_chosen(dock, desk, qtbot):
    scatter = dock.show_kind("Scatter")
    for key in ("obs/kind", "obs/area_um2"):
        desk.presenter.colour_by("spots", next(c for c in desk.presenter.choices("spots") if c.key == key))
        qtbot.waitUntil(lambda k=key: scatter.axes[2].colour.key == k, timeout=2000)
    scatter.set_columns(colour="domain")
    desk.presenter.colour_by("spots", next(c for c in desk.presenter.choices("spots") if c.key == "obs/kind"))
    qtbot.wait(50)
    assert scatter.axes[2].colour.key == "obs/domain"


def colours(scatter):
    """Return the colours in the middle of the drawn points, as "#rrggbb"."""
    picture = scatter.board.grab().toImage()
    ratio = picture.devicePixelRatio()
    box, at = scatter.board.box, scatter.cloud._at
    places = [scatter.board.mapFromScene(box.mapViewToScene(QPointF(*p))) for p in at]
    return {picture.pixelColor(round(p.x() * ratio), round(p.y() * ratio)).name() for p in places}


def named(dock, name):
    return dock.pane.choices[name]


def canvas_colours(desk):
    desk.presenter.colour_by("spots", None)
    desk.presenter.colour_by("spots", next(c for c in desk.presenter.choices("spots") if c.key == "obs/domain"))
    (legend,) = [g for g in desk.presenter.legends() if g.element == "spots"]
    return pd.DataFrame(legend.categories, columns=["category", "colour", "rows"])


def test_a_constant_column_and_a_single_row_are_drawn(dock, desk, n):
    one = np.full(n, np.nan)
    one[5] = 3.0
    put(desk, same=np.full(n, 7.0), one=one)
    dock.refresh_now()
    histogram = dock.show_kind("Histogram")
    for column, rows in (("same", n), ("one", 1)):
        histogram.set_columns(x=column)
        assert histogram.frame()["rows"].sum() == rows and dock.message.isHidden()
    scatter = dock.show_kind("Scatter")
    scatter.set_columns(x="same", y="one")
    assert len(scatter.cloud._at) == 1 and f"{n - 1:,} spots without a value" in dock.note.text()
    violin = dock.show_kind("Violin")
    violin.set_columns(value="one", by="domain")
    assert sum(d.n for d in violin.found) == 1


def test_a_column_without_any_value_is_refused_in_words(dock, desk, n):
    put(desk, nothing=np.full(n, np.nan))
    histogram = dock.show_kind("Histogram")
    dock.refresh_now()
    histogram.set_columns(x="nothing")
    assert "No row has a value of nothing" in dock.message.text()
    histogram.set_columns(x="kind")
    assert "categories, not numbers" in dock.message.text()
    histogram.select_them.click()
    assert selected(desk) is None  # nothing is in sight that could be meant
    histogram.set_columns(x="area_um2")
    assert dock.message.isHidden()


def test_more_categories_than_fit_are_said(dock, desk):
    obs = desk.session.document.table("msi").obs
    names = pd.Series(pd.Categorical([f"c{k % 300:03d}" for k in range(len(obs))]), index=obs.index)
    desk.session.execute(Command("names", (Put(("tables", "msi", "obs", "many"), None, names),)))
    dock.show_rows("msi", "msi_pixels")
    for title, columns in (("Violin", {"by": "many"}), ("Composition", {"of": "many", "by": "many"})):
        dock.show_kind(title).set_columns(**columns)
        assert "many has 300 categories: the 60 with most pixels are shown" in dock.note.text()
        shown = sum(names.value_counts().to_numpy()[:60])
        assert f"{len(obs) - shown:,} pixels are not" in dock.note.text()
    scatter = dock.show_kind("Scatter")
    scatter.set_columns(colour="many")
    assert scatter.drawn and len(np.unique(scatter.colours.codes)) == 300


def test_very_many_points_are_counted_and_none_is_left_out(qtbot, dock, desk):
    from napari_spatialml.core.clouds import counted
    from napari_spatialml.views.columns import Colours

    assert MANY < 60_000
    scatter = dock.show_kind("Scatter")
    cloud: Cloud = scatter.cloud
    at = np.random.default_rng(0).normal(size=(60_000, 2))
    codes = np.zeros(len(at), np.int64)
    palette = np.array([[255, 0, 0, 255], [128, 128, 128, 110]], np.uint8)
    cloud.set_points(at, Colours(codes, palette, False))
    scatter.board.span((at[:, 0].min(), at[:, 0].max()), (at[:, 1].min(), at[:, 1].max()))
    scatter.board.fit()
    scatter.board.grab()
    assert cloud.counts and "none is left out" in " ".join(scatter.notes)
    seen = counted(np.array([[0.5, 0.5]] * 3), codes[:3], palette, (2, 2), mean=False)
    assert (seen[..., 3] > 0).sum() == 1


def test_a_plot_is_written_as_picture_drawing_and_rows(dock, desk, n, tmp_path):
    for title in ("Scatter", "Histogram", "Violin", "Composition"):
        dock.show_kind(title)
        for suffix in (".png", ".svg", ".csv"):
            path = tmp_path / f"{title}{suffix}"
            dock.export(path)
            assert path.name in dock.message.text() and path.stat().st_size > 200
        picture = QImage(str(tmp_path / f"{title}.png"))
        assert picture.dotsPerMeterX() == pytest.approx(300 / 0.0254, abs=1)
        assert len({picture.pixelColor(x, y).name() for x in range(0, picture.width(), 7) for y in (100, 200, 300)}) > 1
    rows = pd.read_csv(tmp_path / "Scatter.csv")
    assert len(rows) == n and rows["row"].tolist() == desk.session.document.table(TABLE).obs_names.tolist()
    dock.export(tmp_path / "plot.txt")
    assert "is no PNG, SVG or CSV" in dock.message.text()


def test_a_key_entry_selects_its_category(dock, desk):
    scatter = dock.show_kind("Scatter")
    scatter.set_columns(x="width_um", y="area_um2", colour="domain")
    dock.refresh_now()
    assert [dock.key.names.item(i).text().split()[0] for i in range(dock.key.names.count())] == ["D1", "D2", "D3", "D4"]
    dock.key.chosen.emit(3)
    assert selected(desk) == np.flatnonzero(obs(desk, "domain") == "D4").tolist()


def test_pixels_are_plotted_as_pixels_and_another_section_replaces_the_first(dock, desk):
    dock.show_rows("msi", "msi_pixels")
    assert "pixels of 'msi_pixels' (table 'msi')" in dock.note.text()
    former = dock.pane.rows
    desk.take(Session.start(sample_section(1, **SMALL), source="another"))
    dock.refresh_now()
    assert dock.pane.rows is not former and dock.pane.drawn
    desk.presenter.selected.take(Selected(dock.pane.rows.table, np.array([1]), ""))
    assert "1 selected" in dock.note.text()


def test_the_workbench_opens_the_plots(viewer, desk, show, monkeypatch):
    bench = show(Workbench(viewer))
    opened = []
    monkeypatch.setattr("napari_spatialml.widgets.plots.dock.open_plots", opened.append)
    bench.header.plots.click()
    assert opened == [viewer]
    assert "Ctrl+Alt+P" in bench.header.plots.toolTip()


def test_without_rows_the_dock_says_the_next_step(viewer, show):
    made = show(open_plots(viewer))
    assert made._pages.currentIndex() == 0 and "No section is open" in made._empty.text()
    desk_of(viewer)


@pytest.fixture
def window(states, make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    yield viewer
    release(viewer)


def test_a_threshold_takes_spots_off_a_real_canvas_and_closing_the_dock_brings_them_back(window, qtbot):
    desk = desk_of(window)
    desk.take(Session.start(sample_section(0, **SMALL)))
    dock = open_plots(window)
    assert open_plots(window) is dock and window.window.add_plugin_dock_widget(PLUGIN, "Plots")[1] is dock
    frame = dock.parentWidget()
    while frame is not None and not isinstance(frame, QDockWidget):
        frame = frame.parentWidget()
    assert window.window._qt_window.dockWidgetArea(frame) == Qt.DockWidgetArea.BottomDockWidgetArea
    dock.show_rows(TABLE, "spots")
    histogram = dock.show_kind("Histogram")
    histogram.set_columns(x="total counts")
    totals = np.asarray(desk.session.document.table(TABLE).X.sum(axis=1)).ravel()
    before, middle = colours_on_canvas(desk), float(np.median(totals))
    histogram.set_thresholds(middle, histogram.thresholds()[1])

    def as_before():
        return (colours_on_canvas(desk) == before).all(axis=1).tolist()

    qtbot.waitUntil(lambda: as_before() == (totals >= middle).tolist(), timeout=5000)
    frame.close()
    qtbot.waitUntil(lambda: all(as_before()), timeout=5000)
    assert desk.presenter.selected.limit is None


def colours_on_canvas(desk):
    """Return the colour of every spot, as the canvas draws it."""
    return desk.presenter.layer_of("spots").face_color.copy()


@pytest.mark.slow
def test_a_umap_is_a_step_that_can_be_undone_and_replayed(dock, desk, qtbot):
    from napari_spatialml.session import recipe, replay

    scatter = dock.show_kind("Scatter")
    before = desk.session.position
    scatter.embed.neighbours.setValue(5)
    scatter.embed.run_row.run()
    qtbot.waitUntil(lambda: scatter.embed.run_row.state == "idle", timeout=300_000)
    assert "rows laid out" in scatter.embed.run_row.message.text()
    places = desk.session.document.table(TABLE).obsm["X_umap"].copy()
    assert scatter.axes[0].title == "UMAP 1" and np.array_equal(scatter.axes[1].numbers, places[:, 1])
    written = recipe(desk.session)
    assert written["steps"][-1]["settings"]["n_neighbours"] == 5 and written["steps"][-1]["kind"] == "embedding"
    desk.undo()
    assert desk.session.position == before and "X_umap" not in desk.session.document.table(TABLE).obsm
    dock.refresh_now()
    assert scatter.drawn
    (step,) = replay({**written, "steps": written["steps"][-1:]}, desk.session)
    assert step.identical and np.array_equal(desk.session.document.table(TABLE).obsm["X_umap"], places)
