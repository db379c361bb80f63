"""The one place where threads start: run a function beside the window, stop it, hear of its end.

A running function knows only ``report(fraction, message)``. It writes there without waiting; the
window looks twenty times a second. So a method that reports a million times costs the window no
more than one that reports ten times.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

from qtpy.compat import isalive
from qtpy.QtCore import QCoreApplication, QObject, QTimer, Signal
from superqt.utils import FunctionWorker

from ..core.report import Report
from ..errors import BadInput, Cancelled
from .progress import Clock, Progress, TaskListEntry

__all__ = ["Job", "Progress", "Runner", "State"]

State = Literal["idle", "running", "stopping"]
_INTERVAL_MS = 50
_TASK_LIST_AFTER_S = 0.5


class _Task:
    """What the window and the thread share; no Qt object, so that neither can outlive it wrongly."""

    def __init__(self, function: Callable[[Report], Any]) -> None:
        self.function: Callable[[Report], Any] | None = function
        self.stop = threading.Event()
        self.aborted: Callable[[], bool] = lambda: False
        self.latest = (0.0, "")
        self.value: Any = None
        self.error: BaseException | None = None

    def report(self, fraction: float, message: str = "") -> None:
        if self.stop.is_set() or self.aborted():
            raise Cancelled
        known = fraction if fraction == fraction else self.latest[0]
        self.latest = (min(max(float(known), 0.0), 1.0), message)

    def __call__(self) -> None:
        try:
            self.report(0.0)
            assert self.function is not None
            self.value = self.function(self.report)
        except BaseException as error:  # an exception that left this thread would end the program
            self.error = error

    @property
    def cancelled(self) -> bool:
        """Whether it ended because of Stop, even where a library wrapped ``Cancelled`` in its own error."""
        if self.error is None:
            return self.stop.is_set() or self.aborted()
        link: BaseException | None = self.error
        while link is not None:
            if isinstance(link, Cancelled):
                return True
            link = link.__cause__ or link.__context__
        return False


class _Worker(FunctionWorker):
    """A function worker that leaves ``warnings`` alone.

    The inherited ``run`` swaps ``warnings.showwarning`` for the time of the work. That is global: of
    two workers that overlap, the later puts back what the earlier had put in, and from then on every
    warning of the program goes to a worker that is gone.
    """

    def run(self) -> None:
        self._running = True
        self.work()
        self._running = False
        # the program may have ended meanwhile, and its signals with it: an error here would abort the process
        with contextlib.suppress(RuntimeError):
            self.signals.finished.emit()
            self.signals._finished.emit(self)


class Job(QObject):
    """One run of a function beside the window. Made by `Runner.run`."""

    def __init__(
        self,
        function: Callable[[Report], Any],
        key: str,
        title: str,
        calls: dict[str, Any],
        runner: Runner,
        listed: bool = True,
    ) -> None:
        super().__init__(runner)
        self.key, self.title, self._listed = key, title, listed
        self._runner = runner
        self.state: State = "running"
        self.superseded = False
        self._task = _Task(function)
        self._calls = calls
        self._worker: _Worker | None = None
        self._clock = Clock()
        self._shown: tuple[float, str] | None = None
        self._entry: TaskListEntry | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.timeout.connect(self._look)

    def stop(self) -> None:
        """Ask the job to stop; it does at its next report."""
        if self.state == "idle":
            return
        self.state = "stopping"
        self._task.stop.set()
        if self._worker is None:  # it still waits for its turn
            self._settle()
        else:
            self._runner.changed.emit()

    def supersede(self) -> None:
        """Stop, and say nothing more: a newer job took over."""
        self.superseded = True
        self.stop()

    def start(self) -> None:
        """Start the thread; `Runner` calls this when it is the job's turn."""
        self._clock = Clock()
        self._worker = _Worker(self._task)
        self._task.aborted = _abandoned(self._worker, self._runner)
        self._worker.finished.connect(self._settle)
        self._timer.start()
        self._worker.start()

    def _look(self) -> None:
        if self.superseded:
            return
        latest = self._task.latest
        progress = self._clock.read(*latest)
        late = self._listed and progress.elapsed > _TASK_LIST_AFTER_S
        if self._entry is None and late and TaskListEntry.possible():
            self._entry = TaskListEntry(self.title or "SpatialML")
        if self._entry is not None:
            self._entry.update(latest[0])
            if self._entry.cancelled and self.state == "running":
                self.stop()
        on_progress = self._calls.get("progress")
        if on_progress is not None and self.state == "running":
            on_progress(progress)

    def _settle(self) -> None:
        if self.state == "idle":
            return
        self._timer.stop()
        self.state = "idle"
        if self._entry is not None:
            self._entry.close()
        task, calls, self._calls = self._task, self._calls, {}
        value, error, cancelled = task.value, task.error, task.cancelled
        task.value = task.function = task.error = None  # freed in this thread: they may hold widgets
        self._runner._forget(self)
        if not self.superseded:
            _deliver(calls, value, error, cancelled)


def _abandoned(worker: FunctionWorker, runner: QObject) -> Callable[[], bool]:
    """Return a check whether the job's runner is gone, or napari asked its workers to quit.

    The signal ``destroyed`` would tell of the former, but PyQt may call its slot after Python's
    garbage collector has emptied it, and the program dies.
    """
    worker_of, runner_of = weakref.ref(worker), weakref.ref(runner)

    def check() -> bool:
        worker, runner = worker_of(), runner_of()
        return worker is None or worker.abort_requested or runner is None or not isalive(runner)

    return check


def _deliver(calls: dict[str, Any], value: Any, error: BaseException | None, cancelled: bool) -> None:
    if cancelled:
        if calls["stopped"] is not None:
            calls["stopped"]()
    elif error is not None:
        calls["error"](error)
    else:
        try:
            calls["result"](value)
        except Exception as problem:  # storing a result can fail as well, and is told in the same place
            calls["error"](problem)


class Runner(QObject):
    """Run functions in threads and call back in the window's thread.

    Deleting the runner, or the widget that is its parent, asks its jobs to stop and silences them.
    """

    changed = Signal()
    """A job started, is stopping, or ended."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs: dict[str, Job] = {}
        self._waiting: dict[str, Job] = {}
        # The Qt side of an ended worker must not die in the worker's thread, so it stays for a while.
        self._ended: deque[QObject] = deque(maxlen=8)
        self._count = 0
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.stop)

    @property
    def state(self) -> State:
        """Return "running" while a job runs, "stopping" while all that run were asked to stop, else "idle"."""
        states = {job.state for job in (*self._jobs.values(), *self._waiting.values())}
        return "running" if "running" in states else "stopping" if "stopping" in states else "idle"

    def run(
        self,
        job: Callable[[Report], Any],
        *,
        on_result: Callable[[Any], object],
        on_error: Callable[[BaseException], object],
        on_progress: Callable[[Progress], object] | None = None,
        on_stopped: Callable[[], object] | None = None,
        title: str = "",
        key: str = "",
        replace: bool = False,
        listed: bool = True,
    ) -> Job:
        """Run ``job(report)`` in a thread.

        Exactly one of ``on_result``, ``on_error`` and ``on_stopped`` is called, in the window's
        thread, unless the job is superseded. An exception of ``on_result`` goes to ``on_error``.

        Parameters
        ----------
        job
            What to run. It calls its argument, the report, often, and lets ``Cancelled`` pass.
        on_result, on_error, on_progress, on_stopped
            Called back; kept alive until the job ends.
        title
            The name in napari's activity list.
        key
            Jobs of one key run one at a time; without a key nothing is in the way of a job.
        replace
            Let this job take the place of the one of its key that runs; else that is an error.
        listed
            Whether it stands in napari's activity list when it takes longer.

        Raises
        ------
        BadInput
            When a job of this key runs and ``replace`` is not set.
        """
        self._count += 1
        key = key or f"job {self._count}"
        if key in self._jobs and not replace:
            raise BadInput(f"'{self._jobs[key].title or key}' is still running.", "Stop it first, or wait for its end.")
        calls = {"result": on_result, "error": on_error, "progress": on_progress, "stopped": on_stopped}
        new = Job(job, key, title, calls, self, listed)
        if key in self._jobs:
            self._wait(new)
        else:
            self._start(new)
        self.changed.emit()
        return new

    def stop(self) -> None:
        """Ask every job to stop."""
        for job in (*self._waiting.values(), *self._jobs.values()):
            job.stop()

    def _wait(self, new: Job) -> None:
        # Only the newest waits; those between it and the running one are never started.
        former = self._waiting.pop(new.key, None)
        if former is not None:
            former.supersede()
        self._waiting[new.key] = new
        self._jobs[new.key].supersede()

    def _start(self, job: Job) -> None:
        self._jobs[job.key] = job
        job.start()

    def _forget(self, job: Job) -> None:
        if job._worker is not None:
            self._ended.append(job._worker.signals)
        if self._waiting.get(job.key) is job:
            del self._waiting[job.key]
        elif self._jobs.get(job.key) is job:
            del self._jobs[job.key]
            following = self._waiting.pop(job.key, None)
            if following is not None:
                self._start(following)
        job.deleteLater()
        self.changed.emit()
