"""The workbench as a whole: one section a viewer, undo in the header, save, recovery, the tour, a real window."""

from __future__ import annotations

import gc
import threading
import weakref

import napari
import numpy as np
import pytest
from napari._qt.qt_viewer import QtViewer
from napari.components import ViewerModel
from PIL import Image
from qtpy.compat import isalive
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QApplication, QPushButton, QTabWidget, QVBoxLayout, QWidget

from napari_spatialml.core.report import silent
from napari_spatialml.errors import BadInput
from napari_spatialml.io.sample import sample_section
from napari_spatialml.session import Session, correct
from napari_spatialml.session.save import Save
from napari_spatialml.widgets.desk import desk_of, release
from napari_spatialml.widgets.domains import DomainsDock
from napari_spatialml.widgets.history import HistoryDock
from napari_spatialml.widgets.launch import dock
from napari_spatialml.widgets.opening_panel import OpeningPanel
from napari_spatialml.widgets.section import SectionDock
from napari_spatialml.widgets.shoot import grab
from napari_spatialml.widgets.step_bar import StepBar
from napari_spatialml.widgets.style import PANEL_WIDTH
from napari_spatialml.widgets.tour import STOPS, touching_cells
from napari_spatialml.widgets.workbench import STEPS, Header, Workbench

from .conftest import SMALL


def relabel(desk, row, value):
    assert desk.correct("relabel", table="spot_counts", column="area", rows=[row], value=value)


def saved(desk, qtbot):
    """Wait for the end of a save."""
    qtbot.waitUntil(lambda: not desk.saving.running, timeout=60_000)


@pytest.fixture
def slow(monkeypatch):
    """Saves that wait in their thread until the returned event is set."""
    go, write = threading.Event(), Save.write

    def waiting(self, report=silent):
        while not go.wait(0.01):
            report(0.1, "Writing")
        return write(self, report)

    monkeypatch.setattr(Save, "write", waiting)
    yield go
    go.set()


def test_the_window_goes_on_while_a_section_is_saved_and_what_is_done_meanwhile_is_unsaved(
    desk, show, qtbot, tmp_path, slow
):
    bench = show(Workbench(desk.viewer))
    section = bench.go_to("Section")
    relabel(desk, 0, "crypts")
    section.save_to(tmp_path / "mine.zarr")
    assert "saving…" in bench.header.saved.text() and section.saving.isVisibleTo(bench)
    qtbot.waitUntil(lambda: "Writing" in section.saving.step.text(), timeout=10_000)
    relabel(desk, 1, "muscle")
    assert bench.header.undo.isEnabled() and desk.session.position == 2
    section.save()  # nothing, while one runs
    slow.set()
    saved(desk, qtbot)
    assert section.message.text() == "" or "Saved in mine.zarr." in section.message.text()
    assert desk.session.unsaved and "unsaved" in bench.header.saved.text()
    section.save()
    saved(desk, qtbot)
    assert not desk.session.unsaved and ">saved<" in bench.header.saved.text()
    assert not section.saving.isVisibleTo(bench)
    desk.session.close()
    again = Session.open_store(tmp_path / "mine.zarr", recover=False)
    assert again.position == 2 and not again.recoverable
    again.close()


def test_a_save_that_is_stopped_says_so_and_stays_unsaved(desk, show, qtbot, tmp_path, slow):
    section = show(SectionDock(desk.viewer))
    relabel(desk, 0, "crypts")
    section.save_to(tmp_path / "mine.zarr")
    qtbot.waitUntil(lambda: section.saving.button.isEnabled(), timeout=10_000)
    section.saving.button.click()
    saved(desk, qtbot)
    assert section.message.text().startswith("Stopped") and desk.session.unsaved and desk.session.store is None
    assert list(tmp_path.glob("*mine.zarr*")) == []


def test_another_section_is_opened_when_the_save_has_ended(desk, show, qtbot, tmp_path, slow):
    show(Workbench(desk.viewer))
    relabel(desk, 0, "crypts")
    first = desk.session
    desk.saving.save(tmp_path / "mine.zarr")
    desk.opening.open_sample(1, **SMALL)
    qtbot.wait(200)
    assert desk.session is first and not desk.opening.running
    slow.set()
    qtbot.waitUntil(lambda: desk.session is not first and not desk.opening.running, timeout=60_000)
    again = Session.open_store(tmp_path / "mine.zarr", recover=False)
    assert again.position == 1 and not again.recoverable
    again.close()


@pytest.mark.parametrize("open_already", [False, True])
def test_what_opening_asks_and_what_goes_wrong_is_seen_from_every_step(viewer, show, qtbot, tmp_path, open_already):
    bench = show(Workbench(viewer))
    if open_already:
        bench.desk.take(Session.start(sample_section(0, **SMALL), source="first"))
    picture = tmp_path / "a.png"
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(picture)
    for paths, done in (
        ([picture], lambda: bench.desk.opening.question is not None),
        ([tmp_path / "nothing.h5ad"], lambda: not bench.desk.opening.running and bench.desk.opening.question is None),
    ):
        bench.go_to("Domains")
        bench.desk.opening.open(paths)
        qtbot.waitUntil(done, timeout=30_000)
        panels = bench.findChildren(OpeningPanel)
        assert any(p.message.text() and p.message.isVisibleTo(bench) for p in panels), paths


def test_an_empty_workbench_says_the_next_step(viewer, show):
    bench = show(Workbench(viewer))
    assert bench.header.name.text() == "No section is open"
    for title, step in bench.steps.items():
        bench.tabs.setCurrentWidget(step)
        shown = [b.text() for b in step.findChildren(QPushButton) if b.isVisibleTo(bench)]
        assert any(text.startswith("Open") for text in shown), title
        assert "Run" not in shown, title


def test_the_steps_stand_in_the_order_of_work_and_fit_the_dock(viewer, show):
    bench = show(Workbench(viewer))
    titles = [bench.tabs.tabText(i) for i in range(bench.tabs.count())]
    assert titles == [cls.title for cls in STEPS]
    assert titles == [
        "Section", "View", "Transcripts", "Segment", "Correct", "Review", "Learn",
        "Annotate", "Register", "Domains", "Deconvolve", "Compare", "History",
    ]  # fmt: skip
    assert bench.width() <= PANEL_WIDTH
    assert [b.text() for b in bench.bar.buttons] == titles and not bench.tabs.tabBar().isVisible()
    in_sight(bench.bar)


def in_sight(bar):
    """Every step's word has its place, and none lies over another."""
    places = [b.geometry() for b in bar.buttons]
    for k, (place, button) in enumerate(zip(places, bar.buttons, strict=True)):
        assert button.isVisible() and bar.rect().contains(place), button.text()
        assert place.width() >= button.fontMetrics().horizontalAdvance(button.text())
        assert not any(place.intersects(other) for other in places[k + 1 :])


def test_eleven_steps_fit_within_400_pixels(show):
    titles = ["Section", "Segment", "Correct", "Review", "Learn", "Annotate"]
    titles += ["Register", "Domains", "Deconvolve", "Compare", "History"]
    pages, holder = QTabWidget(), QWidget()
    for title in titles:
        pages.addTab(QWidget(), title)
    layout = QVBoxLayout(holder)
    layout.setContentsMargins(0, 0, 0, 0)
    bar = StepBar(pages)
    layout.addWidget(bar)
    layout.addWidget(pages)
    shown = show(holder)
    shown.setFixedWidth(PANEL_WIDTH)
    QApplication.processEvents()
    assert bar.minimumSizeHint().width() <= PANEL_WIDTH - 20
    in_sight(bar)
    assert len({b.y() for b in bar.buttons}) == 2
    bar.buttons[7].click()
    assert pages.currentIndex() == 7
    pages.setCurrentIndex(2)
    assert [b.isChecked() for b in bar.buttons].index(True) == 2 and sum(b.isChecked() for b in bar.buttons) == 1


def test_all_docks_of_a_viewer_share_one_session_and_two_viewers_do_not(viewer, qtbot):
    docks = [cls(viewer) for cls in (SectionDock, HistoryDock, Workbench)]
    other = ViewerModel()
    try:
        assert len({id(d.desk) for d in docks}) == 1
        docks[0].desk.take(Session.start(sample_section(0, **SMALL)))
        assert docks[1].session is docks[2].desk.session
        assert desk_of(other).session is None and desk_of(other) is not docks[0].desk
    finally:
        release(other)


def test_a_proxy_of_the_viewer_shares_the_desk_too(viewer):
    from napari.utils._proxies import PublicOnlyProxy

    assert desk_of(PublicOnlyProxy(viewer)) is desk_of(viewer)


def test_the_sample_opens_with_progress_and_is_unsaved(viewer, show, qtbot):
    bench = show(Workbench(viewer))
    bench.desk.opening.open_sample(**SMALL)
    assert bench.desk.opening.running
    qtbot.waitUntil(lambda: bench.desk.session is not None, timeout=30_000)
    assert bench.header.name.text() == "Sample section" and "unsaved" in bench.header.saved.text()
    assert bench.desk.presenter.layer_of("he") is not None
    qtbot.waitUntil(lambda: not bench.desk.opening.running)


def test_opening_can_be_stopped(viewer, show, qtbot, monkeypatch):
    started, go = threading.Event(), threading.Event()

    def slow(*paths, report, **_):
        started.set()
        while not go.wait(0.01):
            report(0.5, "reading")
        raise AssertionError("it was not stopped")

    monkeypatch.setattr("napari_spatialml.widgets.opening.open_files", slow)
    bench = show(Workbench(viewer))
    bench.desk.opening.open(["a.tif"], pixel_size_um=1.0)
    qtbot.waitUntil(started.is_set, timeout=10_000)
    button = next(b for b in bench.findChildren(QPushButton) if b.text() == "Stop" and b.isVisibleTo(bench))
    button.click()
    qtbot.waitUntil(lambda: not bench.desk.opening.running, timeout=10_000)
    assert bench.desk.session is None


def test_the_header_undoes_and_names_what_it_undoes(desk, show):
    bench = show(Workbench(desk.viewer))
    assert not bench.header.undo.isEnabled()
    relabel(desk, 0, "crypts")
    relabel(desk, 1, "muscle")
    assert "muscle" in bench.header.undo.toolTip() and not bench.header.redo.isEnabled()
    bench.header.undo.click()
    assert desk.session.position == 1 and "crypts" in bench.header.undo.toolTip()
    assert "muscle" in bench.header.redo.toolTip()
    bench.header.redo.click()
    assert desk.session.position == 2


def test_saved_work_opens_again_with_its_history(desk, show, qtbot, tmp_path):
    bench = show(Workbench(desk.viewer))
    relabel(desk, 0, "crypts")
    store = tmp_path / "mine.zarr"
    bench.steps["Section"].save_to(store)
    saved(bench.desk, qtbot)
    assert ">saved<" in bench.header.saved.text() and bench.header.name.text() == "mine"
    relabel(desk, 1, "muscle")
    assert "unsaved" in bench.header.saved.text()
    bench.steps["Section"].save()  # what is opened next waits for its end
    desk.opening.open([store])
    first = desk.session
    qtbot.waitUntil(lambda: desk.session is not first, timeout=30_000)
    labels = [entry.label for entry in desk.session.history]
    assert labels == ["1 spot of spot_counts into crypts", "1 spot of spot_counts into muscle"]
    assert not desk.session.read_only, "the lock of the first was let go, though a thread opened the second"
    bench.header.undo.click()
    assert desk.session.position == 1


def test_a_place_that_is_taken_is_told_and_nothing_is_lost(desk, show, tmp_path):
    (tmp_path / "taken.zarr").mkdir()
    (tmp_path / "taken.zarr" / "x").write_text("mine")
    dock = show(SectionDock(desk.viewer))
    dock.save_to(tmp_path / "taken.zarr")
    assert dock.message.message.level == "error" and (tmp_path / "taken.zarr" / "x").read_text() == "mine"
    assert desk.session.unsaved


def test_unsaved_steps_are_offered_and_restored(viewer, show):
    desk = desk_of(viewer)
    desk.take(lambda: Session.start(sample_section(0, **SMALL), source="kept"))
    relabel(desk, 0, "crypts")
    relabel(desk, 3, "muscle")
    desk.take(lambda: Session.start(sample_section(0, **SMALL), source="kept"))
    bench = show(Workbench(viewer))
    section = bench.go_to("Section")
    assert section.recovery.text() == "2 steps were not saved the last time."
    domains = bench.go_to("Domains")
    assert not domains.panel.button.isEnabled(), "a run before the answer would drop the steps"
    section.recovery.buttons()["Restore"].click()
    assert desk.session.position == 2
    assert set(desk.session.document.table("spot_counts").obs["area"].dropna()) == {"crypts", "muscle"}
    domains.refresh_now()
    assert domains.panel.button.isEnabled()
    bench.go_to("Section")
    assert section.recovery.text() == ""


def test_unsaved_steps_can_be_discarded(viewer, show):
    desk = desk_of(viewer)
    desk.take(lambda: Session.start(sample_section(0, **SMALL), source="dropped"))
    relabel(desk, 0, "crypts")
    desk.take(lambda: Session.start(sample_section(0, **SMALL), source="dropped"))
    section = show(SectionDock(viewer))
    section.refresh_now()
    section.recovery.buttons()["Discard…"].click()
    assert desk.session.recoverable == 1, "one click beside Restore loses nothing"
    section.refresh_now()
    assert "cannot be undone" in section.recovery.text() and "Restore" in section.recovery.buttons()
    section.recovery.buttons()["Discard for good"].click()
    assert desk.session.recoverable == 0 and desk.session.position == 0
    section.refresh_now()
    assert section.recovery.text() == ""
    desk.take(lambda: Session.start(sample_section(0, **SMALL), source="dropped"))
    assert desk.session.recoverable == 0


def test_steps_that_could_not_be_restored_are_told(viewer, show, monkeypatch):
    desk = desk_of(viewer)
    desk.take(lambda: Session.start(sample_section(0, **SMALL), source="dropped"))
    relabel(desk, 0, "crypts")
    relabel(desk, 1, "muscle")
    desk.take(lambda: Session.start(sample_section(0, **SMALL), source="dropped"))
    section = show(SectionDock(viewer))
    section.refresh_now()
    apply, done = type(desk.session)._apply, []

    def fails_at_the_second(self, command):
        done.append(command)
        if len(done) == 2:
            raise BadInput("The column is gone.", "")
        return apply(self, command)

    monkeypatch.setattr(type(desk.session), "_apply", fails_at_the_second)
    section.recovery.buttons()["Restore"].click()
    section.refresh_now()
    assert desk.session.position == 1
    assert "1 of 2 unsaved steps could not be restored" in section.recovery.text()
    assert section.recovery.message.level == "error"


def test_the_unsaved_work_of_another_window_is_shown_but_not_offered_for_discarding(viewer, show, tmp_path):
    there = Session.start(sample_section(0, **SMALL), source="dropped")
    there.save(tmp_path / "mine.zarr")
    there.execute(correct(there.document, "relabel", table="spot_counts", column="area", rows=[0], value="crypts"))
    desk = desk_of(viewer)
    desk.take(lambda: Session.open_store(tmp_path / "mine.zarr", recover=False))
    section = show(SectionDock(viewer))
    section.refresh_now()
    assert desk.session.read_only and "open in another window" in section.recovery.text()
    assert set(section.recovery.buttons()) == {"Show unsaved steps"}
    section.recovery.buttons()["Show unsaved steps"].click()
    assert desk.session.position == 1
    section.refresh_now()
    assert not section.recovery.buttons() and "another window" in section.recovery.text()
    there.close()


def test_another_step_puts_the_tool_down_but_the_history_does_not(desk, show):
    bench = show(Workbench(desk.viewer))
    domains = bench.go_to("Domains")
    domains.by_hand.tools.buttons["domain-brush"].click()
    bench.go_to("History")
    assert desk.presenter.tool == "domain-brush"
    bench.go_to("Segment")
    assert desk.presenter.tool == ""


def test_a_dock_that_is_closed_while_it_runs_ends_its_run(desk, show, qtbot):
    dock = DomainsDock(desk.viewer)
    dock.refresh_now()
    stopped, running = threading.Event(), threading.Event()

    def endless(report):
        try:
            while True:
                running.set()
                report(0.1, "running")
        except BaseException:
            stopped.set()
            raise

    dock.panel._job = lambda chosen: endless
    dock.panel.run()
    qtbot.waitUntil(running.is_set, timeout=10_000)
    gone = weakref.ref(dock)
    dock.deleteLater()
    del dock
    qtbot.waitUntil(stopped.is_set, timeout=10_000)
    for _ in range(3):
        QApplication.processEvents()
    gc.collect()
    relabel(desk, 0, "crypts")  # news for a dock that is gone
    QApplication.processEvents()
    assert gone() is None or desk.session.position == 1


def test_an_unfit_correction_is_told_in_the_dock_that_is_seen(desk, show):
    bench = show(Workbench(desk.viewer))
    domains = bench.go_to("Domains")
    assert not desk.correct("rename-category", table="spot_counts", column="domain", old="D1", new="x")
    assert domains.panel.message.message.level == "error" and "D1" in domains.panel.message.text()
    assert bench.steps["Section"].message.text() == ""


# the tour ------------------------------------------------------------------------------------


def test_touching_cells_are_the_two_halves_of_one():
    labels = np.zeros((60, 60), int)
    labels[5:15, 5:15] = 1
    labels[5:15, 15:25] = 2  # two halves of a square
    labels[40:50, 5:25] = 3
    labels[20:40, 22:26] = 4  # touches 3 at an angle
    labels[40:44, 25:40] = 5
    assert touching_cells(labels) == (1, 2)
    assert touching_cells(np.where(labels == 1, 1, 0)) is None


def test_the_tour_has_a_sentence_for_each_step_and_needs_the_section_first(viewer, show):
    bench = show(Workbench(viewer))
    bench.tour.start()
    assert bench.tour.isVisible() and "1 of 7" in bench.tour.head.text()
    for stop in STOPS:
        assert bench.tabs.tabText(bench.tabs.currentIndex()) == stop.dock
        assert 1 <= stop.text.rstrip(".").count(". ") + 1 <= 3
        if stop is not STOPS[0] and stop.title != "Save":
            bench.tour.act()
            assert bench.desk.session is None
        bench.tour.next_button.click()
    assert not bench.tour.isVisible()


@pytest.mark.slow
def test_the_tour_walks_the_whole_way_by_its_buttons(viewer, show, qtbot, tmp_path):
    bench = show(Workbench(viewer))
    desk = bench.desk
    bench.tour.start()
    done = []
    for number in range(1, 7):
        bench.tour.do_button.click()
        qtbot.waitUntil(
            lambda: (
                not desk.opening.running
                and all(d.panel.state == "idle" for d in bench.steps.values() if hasattr(d, "panel"))
            ),
            timeout=120_000,
        )
        done.append(0 if desk.session is None else desk.session.position)
        if number == 6:
            assert bench.tour.do_button.text() == "Undo it"
            bench.tour.do_button.click()
        bench.tour.next_button.click()
    assert done == [0, 1, 2, 3, 4, 5] and desk.session.position == 4
    bench.steps["Section"].save_to(tmp_path / "tour.zarr")
    saved(desk, qtbot)
    assert not desk.session.unsaved


# a real window -------------------------------------------------------------------------------


@pytest.fixture
def window(states, make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    yield viewer
    release(viewer)


def test_a_window_that_is_closed_during_a_save_waits_for_its_end(states, qtbot, tmp_path, slow):
    window = napari.Viewer(show=True)  # closed by the person: nobody closes it a second time
    desk = dock(window).desk
    desk.take(Session.start(sample_section(0, **SMALL)))
    relabel(desk, 0, "crypts")
    desk.saving.save(tmp_path / "mine.zarr")
    frame = window.window._qt_window
    frame.close()
    qtbot.wait(100)
    assert frame.isVisible() and desk.saving.running
    slow.set()
    qtbot.waitUntil(lambda: not isalive(frame) or not frame.isVisible(), timeout=60_000)
    release(window)
    again = Session.open_store(tmp_path / "mine.zarr", recover=False)
    assert again.position == 1 and not again.recoverable
    again.close()
    QtViewer._instances.clear()  # napari keeps what a person has closed, with our docks or without; the next test asks


def test_the_legend_shows_on_the_canvas_and_lets_the_mouse_through(window, qtbot):
    bench = dock(window)
    window.window.resize(1300, 800)
    bench.desk.take(Session.start(sample_section(0, **SMALL)))
    bench.desk.correct("relabel", table="spot_counts", column="domain", rows=list(range(20)), value="crypts")
    legend = bench.desk.legend
    qtbot.waitUntil(lambda: any(one.title == "domain" for one in legend.shown), timeout=5_000)
    assert legend.testAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    colour = next(one for one in legend.shown if one.title == "domain").categories[0][1]
    qtbot.wait(200)
    picture = grab(window)
    corner = legend.mapTo(window.window._qt_window, legend.rect().topLeft())
    pixels = {
        picture.pixelColor(corner.x() + x, corner.y() + y).name()
        for x in range(legend.width()) for y in range(legend.height())
    }  # fmt: skip
    assert QColor(colour).name() in pixels, "the swatch is not in the picture of the window"
    bench.desk.presenter.show(shown=("he",))
    qtbot.waitUntil(lambda: not legend.isVisible(), timeout=5_000)


def test_the_workbench_is_docked_once_and_the_menu_shows_the_same(window):
    bench = dock(window)
    assert dock(window) is bench
    from napari_spatialml.widgets.launch import PLUGIN, WIDGET

    _, again = window.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    assert again is bench


def test_every_dock_of_the_manifest_opens_in_a_window(window):
    dock_of = {cls.title: cls for cls in STEPS}
    for title, cls in dock_of.items():
        _, inner = window.window.add_plugin_dock_widget("napari-spatialml", title)
        assert type(inner) is cls and inner.desk is desk_of(window)


def test_the_desk_lets_go_when_the_window_is_deleted(states, make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=False)
    desk = desk_of(viewer)
    desk.take(Session.start(sample_section(0, **SMALL), source="closed"))
    dock(viewer)
    viewer.close()
    qtbot.waitUntil(lambda: desk.session is None, timeout=5_000)
    second = Session.start(sample_section(0, **SMALL), source="closed")
    assert not second.read_only, "the journal's lock was not let go"
    second.close()


def test_the_keys_take_up_tools_and_the_brush_paints_with_a_real_mouse(window, qtbot):
    bench = dock(window)
    desk = bench.desk
    window.window.resize(1300, 800)
    desk.take(Session.start(sample_section(0, **SMALL)))
    main = window.window._qt_window
    with qtbot.waitActive(main, timeout=5_000):
        main.activateWindow()
    canvas = window.window._qt_viewer.canvas
    bench.go_to("Domains")
    canvas.native.setFocus()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is main and canvas.native.hasFocus(), timeout=5_000)
    qtbot.keyClick(canvas.native, Qt.Key.Key_B, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: desk.presenter.tool == "domain-brush", timeout=2_000)
    qtbot.wait(200)
    x, y = canvas.view.scene.transform.map([100.0, 100.0, 0, 1])[:2]
    at = QPoint(round(x), round(y))
    qtbot.mouseMove(canvas.native, at)
    qtbot.mousePress(canvas.native, Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseMove(canvas.native, at + QPoint(12, 0))
    qtbot.mouseRelease(canvas.native, Qt.MouseButton.LeftButton, pos=at + QPoint(12, 0))
    assert len(desk.session.history) == 1
    assert desk.session.document.table("spot_counts").obs["domain_by_hand"].sum() > 0
    qtbot.keyClick(canvas.native, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert desk.session.position == 0


def test_leaving_register_takes_the_second_system_off_the_canvas(desk, show):
    bench = show(Workbench(desk.viewer))
    bench.go_to("Register").show_beside(True)
    assert desk.presenter.state.beside == "msi"
    bench.go_to("History")
    assert desk.presenter.state.beside == "msi"
    bench.go_to("Domains")
    assert desk.presenter.state.beside == "" and desk.presenter.layer_of("spots") is not None


def test_a_store_of_another_program_is_written_only_after_a_yes(viewer, show, qtbot, tmp_path):
    store = tmp_path / "theirs.zarr"
    sample_section(0, **SMALL).write(store)
    bench = show(Workbench(viewer))
    bench.desk.opening.open([store])
    qtbot.waitUntil(lambda: bench.desk.session is not None, timeout=30_000)
    relabel(bench.desk, 0, "crypts")
    section = bench.go_to("Section")
    section.save()
    assert "another program" in section.message.text() and bench.desk.session.unsaved
    section.message.buttons()["Save into it"].click()
    saved(bench.desk, qtbot)
    assert not bench.desk.session.unsaved and section.message.message.level == "ok"
    relabel(bench.desk, 1, "crypts")
    section.save()
    saved(bench.desk, qtbot)
    assert not bench.desk.session.unsaved, "the second time it is ours"


@pytest.mark.parametrize("width", [340, 400])
def test_a_long_name_is_shortened_to_the_room_there_is_and_never_cut(viewer, show, qtbot, width, tmp_path):
    header = show(Header(desk_of(viewer)))
    header.name.set_whole("Rat-Kidney_HE + Rat-Kidney_PanCytokeratin")
    for wide in (width, 900, width):
        header.resize(wide, 40)
        qtbot.wait(20)
        text = header.name.text()
        assert header.name.fontMetrics().horizontalAdvance(text) <= header.name.width()
        assert ("…" in text) == (wide < 900) and text.endswith("n")


def test_what_was_told_about_one_section_is_not_said_of_the_next(desk, show):
    bench = show(Workbench(desk.viewer))
    for title, step in bench.steps.items():
        bench.go_to(title)
        desk.told.emit("error", "This section is open in another window.")
        line = step.message_line()
        assert line is None or line.text(), title
    desk.take(Session.start(sample_section(1, **SMALL), source="another"))
    for title, step in bench.steps.items():
        bench.go_to(title)
        line = step.message_line()
        assert line is None or "another window" not in line.text(), title
