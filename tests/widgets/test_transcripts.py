"""The person types a gene, moves the view, and sees on the canvas and in the dock what is there."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from qtpy.QtWidgets import QPushButton
from spatialdata import SpatialData
from spatialdata.models import PointsModel
from spatialdata.transformations import Identity

from napari_spatialml.io.sample import sample_section
from napari_spatialml.session import Session, index_files, transcript_index, transcripts
from napari_spatialml.session.growing import Growing
from napari_spatialml.views.transcript_looks import TranscriptLook
from napari_spatialml.views.transcripts import picture_now
from napari_spatialml.widgets.desk import desk_of
from napari_spatialml.widgets.transcripts import TranscriptsDock

from .conftest import SMALL

warnings.simplefilter("ignore")


def points(n=4000, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({a: rng.uniform(0, 300, n) for a in "xyz"})
    frame["gene"] = pd.Categorical(rng.choice(["EPCAM", "EPHA2", "VIM", "MYH11"], n, p=[0.4, 0.3, 0.2, 0.1]))
    frame["qv"] = rng.uniform(0, 40, n).astype(np.float32)
    axes = {a: a for a in "xyz"}
    return PointsModel.parse(frame, coordinates=axes, feature_key="gene", transformations={"global": Identity()})


@pytest.fixture
def desk(viewer):
    made = desk_of(viewer)
    made.take(Session.start(SpatialData(points={"rna": points()}), source="points alone"))
    return made


@pytest.fixture
def dock(viewer, desk, show, qtbot):
    made = show(TranscriptsDock(viewer))
    settled(desk, qtbot)
    return made


def now(desk):
    return picture_now(desk.session.document, desk.presenter.state, "rna")


def settled(desk, qtbot):
    """Wait until nothing is looked for any more."""
    following = desk.following
    qtbot.waitUntil(lambda: following.index("rna") is not None and now(desk) is not None, timeout=20_000)
    qtbot.waitUntil(lambda: not following._soon.isActive() and desk.runner.state == "idle", timeout=20_000)
    return now(desk)


def table(desk):
    return desk.session.document.element("rna").compute()


def test_a_section_of_transcripts_alone_is_drawn_and_fits_the_view(desk, qtbot):
    picture = settled(desk, qtbot)
    assert picture.in_view == 4000 and picture.of_points
    assert desk.presenter.layer_of("rna").visible and picture.view is not None
    y0, y1, x0, x1 = picture.view.box
    assert y0 <= 0 and x0 <= 0 and y1 >= 300 and x1 >= 300


@pytest.mark.parametrize("moved", [False, True])
def test_a_view_fitted_to_what_was_read_at_first_follows_until_the_person_moves_it(desk, moved, monkeypatch):
    monkeypatch.setattr("napari_spatialml.views.density.is_quick", lambda document, points: False)  # as if in a file
    desk.take(Session.start(SpatialData(points={"rna": points()})))
    following, growing = desk.following, Growing()
    following._soon.stop()
    monkeypatch.setattr("napari_spatialml.widgets.following.growing_of", lambda document, points: growing)
    places = np.random.default_rng(0).uniform(0, 300, (20_000, 2))
    growing.add(places[places[:, 0] < 60])  # the first piece of a file that is sorted by place
    following._show_growing()
    assert desk.viewer.scene.camera.center[-2] == pytest.approx(30, abs=5)
    if moved:
        desk.look_at(20, 20)
    growing.add(places[places[:, 0] >= 60])
    following._show_growing()
    assert desk.viewer.scene.camera.center[-2] == pytest.approx(20 if moved else 150, abs=5)


def test_nothing_is_offered_for_genes_before_one_is_chosen(dock, desk, qtbot):
    buttons = [dock.tools.findChild(QPushButton, name) for name in ("All genes", "Colour…")]
    assert not any(button.isEnabled() for button in buttons)
    dock.add("VIM")
    qtbot.waitUntil(lambda: all(button.isEnabled() for button in buttons), timeout=5000)


def test_a_gene_is_found_by_a_part_of_its_name_and_taken_away_again(dock, desk, qtbot):
    frame = table(desk)
    dock.add("vim")
    assert settled(desk, qtbot).counts == {"VIM": int((frame["gene"] == "VIM").sum())}
    dock.add("EPH, myh")
    qtbot.waitUntil(lambda: dock.genes.topLevelItemCount() == 3, timeout=5000)
    assert settled(desk, qtbot).counts == frame["gene"].value_counts()[["VIM", "EPHA2", "MYH11"]].to_dict()
    dock.refresh_now()
    row = dock.genes.topLevelItem(1)
    assert [row.text(0), row.text(1)] == ["EPHA2", f"{(frame['gene'] == 'EPHA2').sum():,}"]
    dock.genes.ticked.emit("EPHA2", False)
    assert list(settled(desk, qtbot).counts) == ["VIM", "MYH11"]
    dock.genes.removed.emit("VIM")
    dock.genes.reshaped.emit("MYH11", "star")
    dock.genes.recoloured.emit("MYH11", "#123456")
    settled(desk, qtbot)
    look = desk.presenter.state.transcripts["rna"]
    assert [(g.gene, g.symbol, g.colour) for g in look.shown] == [("MYH11", "star", "#123456")]
    dock.add("XIST")
    assert dock.message.text() == "There is no gene 'XIST' among 4."
    assert desk.presenter.state.transcripts["rna"] is look


def test_the_view_that_came_last_is_the_one_that_is_drawn(dock, desk, qtbot):
    frame = table(desk)
    for y in (20.0, 80.0, 150.0):
        desk.look_at(y, 150.0, 20.0)
        qtbot.wait(15)
    picture = settled(desk, qtbot)
    y0, y1, x0, x1 = picture.view.box
    assert (y0 + y1) / 2 == pytest.approx(150.0)
    there = frame["y"].ge(y0) & frame["y"].lt(y1) & frame["x"].ge(x0) & frame["x"].lt(x1)
    assert picture.in_view == int(there.sum()) > 0
    dock.refresh_now()
    assert dock.status.text().startswith(f"all {picture.in_view:,} in view drawn · 4,000 transcripts of 4 genes")


def test_quality_height_and_cap_change_what_is_drawn(dock, desk, qtbot):
    frame = table(desk)
    dock.refresh_now()
    dock.filters.quality.number.setValue(30.0)
    assert settled(desk, qtbot).in_view == int((frame["qv"] >= 30).sum())
    dock.filters.sliced.setChecked(True)
    dock.filters.height_z.number.setValue(100.0)
    dock.filters.thick.number.setValue(50.0)
    z = desk.presenter.state.transcripts["rna"].z
    kept = frame[(frame["qv"] >= 30) & (frame["z"] >= z[0]) & (frame["z"] < z[1])]
    assert settled(desk, qtbot).in_view == len(kept) and z == pytest.approx((75.0, 125.0))
    dock.filters.sliced.setChecked(False)
    dock.filters.quality.number.setValue(0.0)
    dock.filters.draw.setCurrentIndex(1)
    dock.filters.most.setValue(1000)
    picture = settled(desk, qtbot)
    assert (picture.drawn, picture.in_view) == (1000, 4000)
    legend = next(g for g in desk.presenter.legends() if g.element == "rna")
    assert legend.title == "1,000 of 4,000 in view drawn"
    dock.filters.draw.setCurrentIndex(2)
    assert not settled(desk, qtbot).of_points


def test_points_that_change_are_indexed_and_drawn_again(dock, desk, qtbot):
    settled(desk, qtbot)
    desk.session.document.put(("points", "rna"), points(500, seed=1))
    desk.document_changed.emit(frozenset({("points", "rna")}))
    qtbot.waitUntil(lambda: now(desk) is not None and now(desk).in_view == 500, timeout=20_000)
    desk.session.document.put(("points", "rna"), None)
    desk.document_changed.emit(frozenset({("points", "rna")}))
    assert desk.following.elements() == () and desk.following.index("rna") is None


def test_while_the_index_is_made_what_was_read_is_drawn(viewer, states, tmp_path, qtbot, monkeypatch):
    import threading

    going, read = threading.Event(), threading.Event()
    real = index_files.sorted_on_disk

    def slow(source, edge, folder, report, *, by_gene, seen):
        assert threading.current_thread() is not threading.main_thread(), "the window stood still"

        def some(where):
            seen(where)
            read.set()
            assert going.wait(20)

        return real(source, edge, folder, report, by_gene=by_gene, seen=some)

    monkeypatch.setattr(index_files, "sorted_on_disk", slow)
    monkeypatch.setattr(transcripts, "QUICK_BYTES", 0)
    SpatialData(points={"rna": points()}).write(tmp_path / "s.zarr")
    desk = desk_of(viewer)
    desk.take(lambda: Session.open_store(tmp_path / "s.zarr", um_per_unit=1.0))
    qtbot.waitUntil(lambda: now(desk) is not None, timeout=20_000)
    assert read.is_set() and 0 < now(desk).reading <= 4000 and desk.presenter.layer_of("rna") is not None
    going.set()
    assert settled(desk, qtbot).in_view == 4000
    assert list((desk.session.document.home / "transcripts" / "rna").glob("head.json")), "it is kept for the next time"


def test_transcripts_under_cells_are_hidden_until_they_are_ticked(viewer, states, qtbot):
    desk = desk_of(viewer)
    desk.take(Session.start(sample_section(0, **SMALL), source="small sample"))
    following = desk.following
    qtbot.waitUntil(lambda: "transcripts" in desk.presenter.state.pictures, timeout=20_000)
    assert not desk.presenter.layer_of("transcripts").visible
    before = desk.presenter.state.pictures["transcripts"]
    desk.look_at(100.0, 100.0, 8.0)
    qtbot.wait(100)
    assert desk.presenter.state.pictures["transcripts"] is before, "nobody sees it"
    desk.presenter.show(shown=("he", "transcripts"))
    desk.look_at(50.0, 50.0, 8.0)
    qtbot.waitUntil(lambda: desk.presenter.state.pictures["transcripts"] is not before, timeout=20_000)
    following.change("transcripts", lambda look: look.with_gene(following.index("transcripts").genes[0]))
    assert isinstance(desk.presenter.state.transcripts["transcripts"], TranscriptLook)


def nameless(n=5000, system="slide"):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({a: rng.uniform(0, 300, n) for a in "xy"})
    return PointsModel.parse(frame, transformations={system: Identity()})


def test_points_that_name_no_gene_are_drawn_view_by_view(viewer, show, qtbot):
    desk = desk_of(viewer)
    desk.take(Session.start(SpatialData(points={"rna": nameless(system="global")}), source="dots"))
    dock = show(TranscriptsDock(viewer))
    picture = settled(desk, qtbot)
    assert picture.in_view == 5000 and picture.of_points
    dock.refresh_now()
    assert "5,000 points" in dock.status.text() and "gene" not in dock.status.text()
    assert not dock.search.isEnabled() and dock.genes.topLevelItemCount() == 0
    desk.look_at(150.0, 150.0, 20.0)
    y0, y1, x0, x1 = settled(desk, qtbot).view.box
    frame = table(desk)
    inside = frame["y"].ge(y0) & frame["y"].lt(y1) & frame["x"].ge(x0) & frame["x"].lt(x1)
    qtbot.waitUntil(lambda: now(desk).in_view == int(inside.sum()), timeout=5000)


@pytest.mark.parametrize("indexed", [False, True])
def test_points_beside_are_drawn_as_a_density_of_every_point_without_a_pass_on_the_window(
    viewer, qtbot, monkeypatch, indexed
):
    if indexed:
        monkeypatch.setattr(transcript_index, "IN_MEMORY", 0)
        monkeypatch.setattr(transcripts, "QUICK_BYTES", 0)
        monkeypatch.setattr("napari_spatialml.views.density._counts", lambda *_: pytest.fail("every point was read"))
    desk = desk_of(viewer)
    both = SpatialData(points={"rna": points(), "dots": nameless()})
    desk.take(Session.start(both, source="two"))
    settled(desk, qtbot)
    desk.presenter.show(beside="slide")

    def drawn():
        return [layer for spec, layer in desk.presenter.canvas.layers() if spec.key.element == "dots"]

    qtbot.waitUntil(lambda: len(drawn()) == 1 and desk.runner.state == "idle", timeout=20_000)
    assert np.nansum(drawn()[0].data) == 5000
