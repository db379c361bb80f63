"""The skeleton of a step: run, stop, read the result, read what went wrong; on both of napari's themes."""

from __future__ import annotations

import threading
import time
from typing import Annotated

import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication, QPalette
from qtpy.QtWidgets import QLabel, QPushButton, QWidget

from napari_spatialml.core.method import Interval, Method, method
from napari_spatialml.errors import BadInput, MissingWeights, Stale
from napari_spatialml.methods import kinds, methods
from napari_spatialml.widgets.categories import CategoryList
from napari_spatialml.widgets.messages import Message, MessageLine
from napari_spatialml.widgets.panel import MethodPanel
from napari_spatialml.widgets.progress import time_left
from napari_spatialml.widgets.style import (
    PANEL_WIDTH,
    Quiet,
    Rows,
    Tool,
    level_colour,
    mix,
    scrollable,
    swatch,
    tool_row,
)


class Probe(Method):
    """The kind of the methods of these tests."""

    kind = "probe"


@method(title="Doubling", citation="Nobody et al., 2020. doi:10.1000/xyz123")
class Doubling(Probe):
    """Multiply the number by two.

    Notes
    -----
    Costs ``O(1)``.
    """

    number: Annotated[int, Interval(ge=0, le=50)] = 4
    """What is doubled."""


@method(title="Tripling")
class Tripling(Probe):
    """Multiply the number by three."""

    low: float = 0.0
    """Below ``high``."""
    high: float = 1.0
    """Above ``low``."""

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise BadInput(f"'low' is {self.low:g}, not below 'high'.", "Make 'low' smaller.")


@method(title="Absent", requires=("a_package_that_is_not_there",), extra="absent")
class Absent(Probe):
    """Needs what is not there."""


class Bench:
    """A panel, with a job that a test can hold back."""

    def __init__(self, qtbot) -> None:
        self.go, self.stored, self.error = threading.Event(), [], None
        self.go.set()
        self.panel = MethodPanel(
            "probe", [Absent, Doubling, Tripling], job=self.job, done=self.done,
            title="Probe", sentence="Multiply a number.",
        )  # fmt: skip
        qtbot.addWidget(self.panel)
        self.panel.resize(PANEL_WIDTH, 500)
        self.panel.show()

    def job(self, chosen):
        def work(report):
            while not self.go.is_set():
                report(0.5, "holding")
                time.sleep(0.005)
            if self.error is not None:
                raise self.error
            return 2 * chosen.number

        return work

    def done(self, result) -> str:
        self.stored.append(result)
        return f"The number is {result}."

    def click(self, qtbot) -> None:
        qtbot.mouseClick(self.panel.button, Qt.MouseButton.LeftButton)


@pytest.fixture
def bench(qtbot):
    made = Bench(qtbot)
    yield made
    made.go.set()
    qtbot.waitUntil(lambda: made.panel.state == "idle")


def test_run_shows_the_result_in_one_line(bench, qtbot):
    bench.panel.form.fields["number"].set_value(21)
    with qtbot.waitSignal(bench.panel.finished) as told:
        bench.click(qtbot)
    assert told.args == [42]
    assert bench.stored == [42]
    assert bench.panel.message.message == Message("ok", "The number is 42.")
    assert bench.panel.message.isVisible()


def test_run_becomes_stop_and_stop_is_quiet(bench, qtbot):
    bench.go.clear()
    bench.click(qtbot)
    assert bench.panel.button.text() == "Stop"
    qtbot.waitUntil(lambda: "50 %" in bench.panel._share.text())
    assert bench.panel._step.text() == "holding"
    assert bench.panel._bar.isVisible()
    bench.click(qtbot)
    assert bench.panel.button.text() == "Stopping…"
    assert not bench.panel.button.isEnabled()
    qtbot.waitUntil(lambda: bench.panel.state == "idle")
    assert bench.panel.button.text() == "Run"
    assert bench.panel.button.isEnabled()
    assert bench.panel.message.text() == "Stopped."
    assert not bench.panel._bar.isVisible()
    assert bench.stored == []


def test_an_expected_error_is_one_sentence_and_the_way_out(bench, qtbot):
    bench.error = MissingWeights("The network's weights are not here.", "Put them into the folder 'weights'.")
    bench.click(qtbot)
    qtbot.waitUntil(lambda: bench.panel.message.message is not None)
    assert bench.panel.message.text() == "The network's weights are not here. Put them into the folder 'weights'."
    assert bench.panel.message.message.level == "error"
    assert bench.panel.message.buttons() == {}


def test_an_unexpected_error_offers_its_details(bench, qtbot):
    bench.error = RuntimeError("device-side assert triggered")
    bench.click(qtbot)
    qtbot.waitUntil(lambda: bench.panel.message.message is not None)
    assert "device-side assert triggered" in bench.panel.message.text()
    qtbot.mouseClick(bench.panel.message.buttons()["Copy details"], Qt.MouseButton.LeftButton)
    assert "Traceback" in QGuiApplication.clipboard().text()
    assert bench.panel.state == "idle"
    assert bench.panel.button.isEnabled()


def test_memory_that_runs_out_on_the_graphics_card_is_told(bench, qtbot):
    bench.error = RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
    bench.click(qtbot)
    qtbot.waitUntil(lambda: bench.panel.message.message is not None)
    assert "not enough memory" in bench.panel.message.text()


def test_parameters_that_do_not_go_together_are_told_without_a_run(bench, qtbot):
    bench.panel.methods.setCurrentIndex(2)
    bench.panel.form.fields["low"].set_value(3.0)
    bench.click(qtbot)
    assert bench.panel.state == "idle"
    assert bench.panel.message.text() == "'low' is 3, not below 'high'. Make 'low' smaller."


def test_inputs_that_cannot_be_gathered_are_told(qtbot):
    def job(chosen):
        raise BadInput("The table annotates 'spots' but you chose 'cells'.", "Choose the table 'cell_counts'.")

    panel = MethodPanel("probe", [Doubling], job=job, done=str)
    qtbot.addWidget(panel)
    panel.run()
    assert panel.message.text().endswith("Choose the table 'cell_counts'.")


def test_a_method_whose_package_is_missing_is_listed_but_cannot_be_chosen(bench):
    combo = bench.panel.methods
    assert combo.itemText(0) == "Absent – needs a_package_that_is_not_there"
    assert not combo.model().item(0).isEnabled()
    assert "napari-spatialml[absent]" in combo.model().item(0).toolTip()
    assert combo.currentText() == "Doubling"


def test_without_any_method_the_panel_says_so(qtbot):
    panel = MethodPanel("probe", [Absent], job=lambda m: lambda r: 0, done=str)
    qtbot.addWidget(panel)
    panel.show()
    assert not panel.button.isEnabled()
    with pytest.raises(BadInput, match="No probe method is installed"):
        panel.method()


def test_what_was_typed_for_a_method_survives_choosing_another(bench):
    bench.panel.form.fields["number"].set_value(9)
    bench.panel.set_method(Tripling(low=-1.0))
    assert bench.panel.method() == Tripling(low=-1.0)
    bench.panel.methods.setCurrentIndex(1)
    assert bench.panel.method() == Doubling(number=9)


def test_the_help_shows_what_the_method_does_and_its_paper(bench, qtbot):
    assert not bench.panel.help.isVisible()
    qtbot.mouseClick(bench.panel.help_button, Qt.MouseButton.LeftButton)
    assert bench.panel.help.isVisible()
    assert "Multiply the number by two." in bench.panel.help.text()
    assert "https://doi.org/10.1000/xyz123" in bench.panel.help.text()
    bench.panel.methods.setCurrentIndex(2)
    assert "by three" in bench.panel.help.text()


def test_a_panel_that_waits_says_the_next_step_and_does_not_run(bench, qtbot):
    bench.panel.set_waiting_for("Open a section first.")
    assert not bench.panel.button.isEnabled()
    assert bench.panel.message.text() == "Open a section first."
    bench.panel.run()
    assert bench.panel.state == "idle"
    bench.panel.set_waiting_for("")
    assert bench.panel.button.isEnabled()
    assert not bench.panel.message.isVisible()


def test_inputs_and_tools_take_their_places(bench, qtbot):
    first, second = QLabel("first"), QLabel("second")
    bench.panel.set_inputs(first)
    bench.panel.set_inputs(second)
    assert first.parent() is None
    qtbot.waitUntil(second.isVisible)
    assert not bench.panel._correct_heading.isVisible()
    bench.panel.set_correct(QLabel("brush"))
    assert bench.panel._correct_heading.isVisible()


def test_a_run_can_start_another_from_its_end(bench, qtbot):
    bench.panel.finished.connect(lambda result: bench.panel.run() if len(bench.stored) < 3 else None)
    bench.click(qtbot)
    qtbot.waitUntil(lambda: bench.stored == [8, 8, 8])


def test_a_run_after_each_correction_takes_the_place_of_the_one_before(bench, qtbot):
    bench.go.clear()
    bench.click(qtbot)
    for number in (5, 6, 7):
        bench.panel.form.fields["number"].set_value(number)
        bench.panel.run()  # without replace nothing happens while one runs
        bench.panel.run(replace=True)
    assert bench.panel.button.text() == "Stop"
    bench.go.set()
    qtbot.waitUntil(lambda: bench.panel.state == "idle")
    assert bench.stored == [14]


def test_closing_the_panel_while_it_runs_stops_the_run(bench, qtbot):
    bench.go.clear()
    bench.click(qtbot)
    qtbot.waitUntil(lambda: bench.panel._share.text() != "")
    bench.panel.close()
    qtbot.waitUntil(lambda: bench.panel.state == "idle")
    assert bench.stored == []


def test_a_result_that_is_stale_is_a_warning(bench, qtbot):
    def done(result):
        raise Stale("The spots changed since this run started.", "Run again.")

    bench.panel._done = done
    bench.click(qtbot)
    qtbot.waitUntil(lambda: bench.panel.message.message is not None)
    assert bench.panel.message.message.level == "warning"


def test_ways_out_are_buttons_that_act(qtbot):
    line = MessageLine()
    qtbot.addWidget(line)
    chosen = []
    line.show_message(Message("warning", "The spots changed.", "Keep it?"), {"Keep it": lambda: chosen.append(1)})
    qtbot.mouseClick(line.buttons()["Keep it"], Qt.MouseButton.LeftButton)
    assert chosen == [1]
    line.show_message(None)
    assert not line.isVisible()
    assert line.buttons() == {}


def test_markup_in_a_message_is_text(qtbot):
    line = MessageLine()
    qtbot.addWidget(line)
    line.show_message(Message("error", "The name '<img src=x>' is taken.", "Choose another."))
    assert "<img" not in line._text.text()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, ""), (0.2, "1 s left"), (42.4, "42 s left"), (90, "2 min left"), (7200, "2.0 h left")],
)
def test_the_time_left_in_words(seconds, words):
    assert time_left(seconds) == words


def _contrast(one, other) -> float:
    """The contrast ratio of WCAG 2.1, equation under "contrast ratio"."""

    def luminance(colour) -> float:
        parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colour.getRgbF()[:3]]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_all_text_is_readable_on_napari_themes_also_after_a_change(qtbot, theme):
    from napari.qt import get_stylesheet

    window = QWidget()
    quiet = Quiet("quiet", window)
    qtbot.addWidget(window)
    window.setStyleSheet(get_stylesheet("light" if theme == "dark" else "dark"))
    window.show()
    window.setStyleSheet(get_stylesheet(theme))
    quiet.ensurePolished()
    ground = window.palette().color(QPalette.ColorRole.Window)
    assert (ground.lightness() < 128) == (theme == "dark")
    for level in ("info", "ok", "warning", "error"):
        assert _contrast(level_colour(window, level), ground) >= 4.5
    assert _contrast(quiet.palette().color(QPalette.ColorRole.WindowText), ground) >= 4.5
    assert _contrast(mix(window, 0.8), ground) >= 4.5


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("kind", kinds())
def test_no_word_is_clipped_in_a_dock_of_400_pixels(qtbot, kind, theme):
    from napari.qt import get_stylesheet

    if not methods(kind):
        pytest.skip(f"the registry has no {kind} method yet")
    window = QWidget()
    window.setStyleSheet(get_stylesheet(theme))
    tools = tool_row([Tool(text, text, lambda: 0) for text in ("brush", "polygon", "merge", "split", "next")])
    panel = MethodPanel(
        kind, list(methods(kind).values()), job=lambda m: lambda r: 0, done=str, sentence="What it does in a sentence.",
        inputs=Rows(), correct=tools, parent=window,
    )  # fmt: skip
    qtbot.addWidget(window)
    panel.help_button.setChecked(True)
    for row in range(panel.methods.count()):
        panel.methods.setCurrentIndex(row)
        panel.form.more.setChecked(True)
        assert panel.minimumSizeHint().width() <= PANEL_WIDTH - 14  # beside a scroll bar
        panel.resize(PANEL_WIDTH - 14, 3000)
        window.resize(PANEL_WIDTH, 3000)
        window.show()
        qtbot.wait(20)
        for part in panel.findChildren(QLabel) + panel.findChildren(QPushButton):
            if part.isVisible() and part.text():
                assert part.width() >= part.minimumSizeHint().width(), f"'{part.text()}' is clipped"
                right = part.mapTo(panel, part.rect().topRight()).x()
                assert right <= panel.width(), f"'{part.text()}' is outside"
                if isinstance(part, QLabel) and part.wordWrap():
                    assert part.height() >= part.heightForWidth(part.width()) - 2, f"'{part.text()}' is clipped"


def test_tools_wrap_and_keep_their_state(qtbot):
    called = []
    row = tool_row(
        [Tool("brush", "Paint.", lambda on: called.append(("brush", on)), stays_down=True)]
        + [Tool(f"tool number {i}", "Act.", lambda i=i: called.append(i)) for i in range(6)]
    )
    qtbot.addWidget(row)
    row.resize(300, row.heightForWidth(300))
    row.show()
    buttons = row.findChildren(QPushButton)
    assert all(button.geometry().right() <= 300 for button in buttons)
    assert len({button.y() for button in buttons}) > 1
    for button in buttons[:2]:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert called == [("brush", True), 0]
    assert buttons[0].isChecked()


def test_a_swatch_has_the_colour_of_its_category(qtbot):
    for colour in ("#e69f00", (230, 159, 0)):
        image = swatch(colour).pixmap(12, 12).toImage()
        assert image.pixelColor(image.width() // 2, image.height() // 2).getRgb()[:3] == (230, 159, 0)


def test_a_scrollable_panel_never_scrolls_sideways(qtbot):
    panel = MethodPanel("probe", [Doubling], job=lambda m: lambda r: 0, done=str, sentence="A sentence. " * 9)
    area = scrollable(panel)
    qtbot.addWidget(area)
    area.resize(PANEL_WIDTH, 120)
    area.show()
    qtbot.wait(20)
    assert area.verticalScrollBar().maximum() > 0
    assert area.minimumSizeHint().width() >= panel.minimumSizeHint().width()
    assert area.horizontalScrollBar().maximum() == 0


def test_a_run_is_in_napari_activity_list_and_can_be_cancelled_there(make_napari_viewer, bench, qtbot):
    from napari.utils.progress import progress

    make_napari_viewer()
    bench.go.clear()
    bench.click(qtbot)
    qtbot.waitUntil(lambda: len(progress._all_instances) == 1, timeout=3000)
    entry = next(iter(progress._all_instances))
    assert entry.desc.startswith("Probe: Doubling")
    entry.cancel()
    qtbot.waitUntil(lambda: bench.panel.state == "idle")
    assert bench.panel.message.text() == "Stopped."
    assert len(progress._all_instances) == 0


def test_counts_in_a_list_follow_a_change_of_the_theme(qtbot):
    from napari.qt import get_stylesheet

    window = QWidget()
    qtbot.addWidget(window)
    rows = CategoryList(window)
    rows.resize(300, 100)

    def ground_and_ink(theme):
        window.setStyleSheet(get_stylesheet(theme))
        picture = rows.viewport().grab().toImage()
        right = [
            picture.pixelColor(x, y)
            for x in range(picture.width() - 60, picture.width() - 2)
            for y in range(2, rows.visualItemRect(rows.topLevelItem(0)).bottom() - 1)
        ]
        ground = max(set(c.rgb() for c in right), key=[c.rgb() for c in right].count)
        ground = next(c for c in right if c.rgb() == ground)
        return ground, max(right, key=lambda c: _contrast(c, ground))

    window.setStyleSheet(get_stylesheet("dark"))
    window.resize(320, 120)
    window.show()
    qtbot.waitExposed(window)
    rows.set_rows([("first", "#ff0000", 8_888_888)])
    for theme in ("dark", "light", "dark"):
        ground, ink = ground_and_ink(theme)
        assert (ground.lightness() < 128) == (theme == "dark") and _contrast(ink, ground) >= 4.5, theme
