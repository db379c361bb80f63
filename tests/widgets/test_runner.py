"""Jobs run beside the window, end in one of three ways, and can always be stopped."""

from __future__ import annotations

import gc
import threading
import time
import warnings
from itertools import pairwise

import pytest
from qtpy.QtCore import QThread, QTimer
from qtpy.QtWidgets import QApplication, QWidget
from superqt.utils import FunctionWorker

from napari_spatialml.errors import BadInput, Cancelled, DocumentError, MissingWeights, Stale
from napari_spatialml.widgets.messages import tell
from napari_spatialml.widgets.progress import Clock
from napari_spatialml.widgets.runner import Runner


class Heard:
    """What a runner calls back, and in which thread."""

    def __init__(self) -> None:
        self.results, self.errors, self.progress, self.stops, self.threads = [], [], [], 0, set()

    def _note(self) -> None:
        self.threads.add(QThread.currentThread())

    def result(self, value) -> None:
        self._note()
        self.results.append(value)

    def error(self, error) -> None:
        self._note()
        self.errors.append(error)

    def step(self, progress) -> None:
        self._note()
        self.progress.append(progress)

    def stopped(self) -> None:
        self._note()
        self.stops += 1

    @property
    def ended(self) -> int:
        return len(self.results) + len(self.errors) + self.stops

    def calls(self) -> dict:
        return {
            "on_result": self.result, "on_error": self.error, "on_progress": self.step, "on_stopped": self.stopped,
        }  # fmt: skip


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def runner(qtbot):
    made = Runner()
    yield made
    made.stop()
    qtbot.waitUntil(lambda: made.state == "idle", timeout=5000)


def until_stopped(report) -> None:
    while True:
        report(0.5, "waiting")
        time.sleep(0.005)


def test_a_result_arrives_in_the_thread_of_the_window(runner, heard, qtbot):
    where = []

    def job(report):
        where.append(threading.current_thread())
        return 42

    runner.run(job, **heard.calls())
    assert runner.state == "running"
    qtbot.waitUntil(lambda: heard.ended == 1)
    assert heard.results == [42]
    assert where[0] is not threading.main_thread()
    assert heard.threads == {QApplication.instance().thread()}
    assert runner.state == "idle"


def test_the_window_ticks_on_while_a_job_runs(runner, heard, qtbot):
    ticks = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(time.monotonic()))
    timer.start(10)

    def busy(report):
        end = time.monotonic() + 0.8
        while time.monotonic() < end:
            report(0.5)
            sum(range(2000))

    runner.run(busy, **heard.calls())
    qtbot.waitUntil(lambda: heard.ended == 1)
    longest = max(b - a for a, b in pairwise(ticks))
    assert len(ticks) > 20
    assert longest < 0.3


def test_a_million_reports_cost_the_window_twenty_a_second(runner, heard, qtbot):
    def chatty(report):
        end, n = time.monotonic() + 0.7, 0
        while time.monotonic() < end:
            n += 1
            report(min(n / 1e7, 1.0), f"step {n}")
        return n

    runner.run(chatty, **heard.calls())
    qtbot.waitUntil(lambda: heard.ended == 1)
    assert heard.results[0] > 10_000
    assert 3 <= len(heard.progress) <= 20
    fractions = [p.fraction for p in heard.progress]
    assert fractions == sorted(fractions)


@pytest.mark.parametrize("fraction", [float("nan"), -3.0, 7.0])
def test_a_fraction_out_of_range_is_held_in_it(runner, heard, qtbot, fraction):
    def job(report):
        report(0.25)
        report(fraction, "odd")
        time.sleep(0.2)

    runner.run(job, **heard.calls())
    qtbot.waitUntil(lambda: heard.ended == 1)
    assert heard.progress
    assert all(0 <= p.fraction <= 1 for p in heard.progress)


def test_stop_is_quiet_and_leads_back_to_idle(runner, heard, qtbot):
    states = []
    runner.changed.connect(lambda: states.append(runner.state))
    job = runner.run(until_stopped, **heard.calls())
    qtbot.waitUntil(lambda: len(heard.progress) > 1)
    job.stop()
    assert runner.state == "stopping"
    qtbot.waitUntil(lambda: heard.ended == 1)
    assert (heard.stops, heard.results, heard.errors) == (1, [], [])
    assert states == ["running", "stopping", "idle"]


def test_a_result_that_arrives_after_stop_is_dropped(runner, heard, qtbot):
    go = threading.Event()
    job = runner.run(lambda report: go.wait(5), **heard.calls())
    job.stop()
    go.set()
    qtbot.waitUntil(lambda: heard.ended == 1)
    assert (heard.stops, heard.results) == (1, [])


def test_stop_is_known_even_where_a_library_wraps_it(runner, heard, qtbot):
    def wrapping(report):
        try:
            until_stopped(report)
        except Cancelled as error:
            raise RuntimeError("callback failed") from error

    job = runner.run(wrapping, **heard.calls())
    qtbot.waitUntil(lambda: len(heard.progress) > 0)
    job.stop()
    qtbot.waitUntil(lambda: heard.ended == 1)
    assert (heard.stops, heard.errors) == (1, [])


@pytest.mark.parametrize(
    "error",
    [
        BadInput("The image is empty.", "Choose another."),
        ValueError("odd"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("wrapped C/C++ object has been deleted"),
        StopIteration(),
        SystemExit(3),
        KeyboardInterrupt(),
    ],
    ids=lambda error: f"{type(error).__name__}-{error}"[:30],
)
def test_every_exception_reaches_the_user(runner, heard, qtbot, error):
    def failing(report):
        raise error

    runner.run(failing, **heard.calls())
    qtbot.waitUntil(lambda: heard.ended == 1)
    assert heard.errors == [error]
    assert runner.state == "idle"


def test_an_exception_that_is_returned_is_a_result(runner, heard, qtbot):
    value = RuntimeError("a value")
    runner.run(lambda report: value, **heard.calls())
    qtbot.waitUntil(lambda: heard.ended == 1)
    assert heard.results == [value]


def test_a_result_that_cannot_be_stored_is_told(runner, heard, qtbot):
    def store(value):
        raise Stale("The spots changed.", "Run again.")

    runner.run(lambda report: 1, **{**heard.calls(), "on_result": store})
    qtbot.waitUntil(lambda: heard.ended == 1)
    assert isinstance(heard.errors[0], Stale)


def test_the_latest_job_wins_and_those_between_never_start(runner, heard, qtbot):
    started = []

    def job(number):
        def work(report):
            started.append(number)
            for _ in range(20):
                report(0.5)
                time.sleep(0.005)
            return number

        return work

    for number in range(30):
        runner.run(job(number), **heard.calls(), key="live", replace=True)
        qtbot.wait(1)
    qtbot.waitUntil(lambda: heard.ended >= 1)
    qtbot.waitUntil(lambda: runner.state == "idle")
    assert heard.results == [29]
    assert (heard.stops, heard.errors) == (0, [])
    assert started[0] == 0
    assert started[-1] == 29
    assert len(started) < 30


def test_two_jobs_of_one_key_do_not_run_at_once_by_accident(runner, heard, qtbot):
    runner.run(until_stopped, **heard.calls(), key="domains", title="Domains")
    with pytest.raises(BadInput, match="Domains"):
        runner.run(until_stopped, **heard.calls(), key="domains")


def test_a_waiting_job_can_be_stopped(runner, heard, qtbot):
    go = threading.Event()
    runner.run(lambda report: go.wait(5), **heard.calls(), key="live")
    waiting = runner.run(until_stopped, **heard.calls(), key="live", replace=True)
    waiting.stop()
    assert heard.stops == 1
    go.set()
    qtbot.waitUntil(lambda: runner.state == "idle")
    assert heard.ended == 1


def test_closing_the_window_stops_its_job_and_calls_nothing_back(heard, qtbot):
    ended = threading.Event()

    def job(report):
        try:
            until_stopped(report)
        finally:
            ended.set()

    window = QWidget()
    runner = Runner(window)
    runner.run(job, **heard.calls())
    qtbot.waitUntil(lambda: len(heard.progress) > 0)
    window.deleteLater()
    qtbot.waitUntil(ended.is_set, timeout=3000)
    del window, runner
    gc.collect()
    qtbot.wait(100)
    assert heard.ended == 0


def test_a_callback_is_kept_alive_though_nobody_else_holds_it(runner, qtbot):
    results = []

    class Presenter:
        def show(self, value):
            results.append(value)

    runner.run(lambda report: time.sleep(0.1) or 5, on_result=Presenter().show, on_error=results.append)
    gc.collect()
    qtbot.waitUntil(lambda: results == [5])


def test_napari_that_closes_stops_the_job(runner, heard, qtbot):
    runner.run(until_stopped, **heard.calls())
    qtbot.waitUntil(lambda: len(heard.progress) > 0)
    FunctionWorker.await_workers(3000)  # what napari does when it quits
    qtbot.waitUntil(lambda: heard.ended == 1)
    assert heard.stops == 1


def test_ended_workers_are_let_go(runner, heard, qtbot):
    for _ in range(3):
        runner.run(lambda report: 1, **heard.calls())
    qtbot.waitUntil(lambda: heard.ended == 3)
    qtbot.waitUntil(lambda: not FunctionWorker._worker_set)
    assert not runner._jobs


def test_overlapping_jobs_leave_warnings_as_they_were(runner, heard, qtbot):
    before = warnings.showwarning
    first, second = threading.Event(), threading.Event()
    runner.run(lambda report: first.wait(5), **heard.calls())
    runner.run(lambda report: second.wait(5), **heard.calls())
    qtbot.wait(50)
    first.set()
    qtbot.waitUntil(lambda: heard.ended == 1)
    second.set()
    qtbot.waitUntil(lambda: heard.ended == 2)
    assert warnings.showwarning is before


def test_the_time_left_comes_from_the_pace(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("napari_spatialml.widgets.progress.time.monotonic", lambda: now[0])
    clock = Clock()
    assert clock.read(0.0, "").remaining is None
    for second in range(1, 9):
        now[0] = float(second)
        progress = clock.read(second / 10, "")
        assert progress.remaining == pytest.approx(10 - second)
    now[0] = 8.5  # no news since: it counts down
    assert clock.read(0.8, "").remaining == pytest.approx(1.5)


def test_any_exception_becomes_a_sentence():
    told = tell(DocumentError("There is no table 'counts'.", "Choose another."))
    assert (told.level, told.text, told.hint, told.details) == (
        "error", "There is no table 'counts'.", "Choose another.", "",
    )  # fmt: skip
    assert tell(Cancelled()).level == "info"
    assert tell(Stale("a", "b")).level == "warning"
    assert "memory" in tell(RuntimeError("CUDA out of memory.")).text
    assert "memory" in tell(MemoryError()).text
    assert "'a.zarr' does not exist" in tell(FileNotFoundError(2, "No such file", "a.zarr")).text
    try:
        raise KeyError("gene")
    except KeyError as error:
        told = tell(error)
    assert told.text == "Something unexpected happened: KeyError: 'gene'."
    assert "raise KeyError" in told.details
    assert "Python" in told.details
    caused = MissingWeights("No weights.", "Put them there.")
    caused.__cause__ = OSError("disk")
    assert "disk" in tell(caused).details
