"""Open files beside the window: progress, Stop, the question for a unit, and several drops as one section."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from ..core.report import Report
from ..errors import UnitNeeded
from ..io import open_files, recognise
from ..session import Session
from ..views.first_layer import read_for_first_layer
from .runner import Progress
from .taking_in import belongs_beside, take_in

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["Opening", "is_store"]

_GATHER_MS = 400
"""napari hands over dropped files one by one; those that come within this time belong together."""
_SAME_DROP_S = 3.0
"""Files that follow within so many seconds, while the first are still being opened, were dropped with them."""


class Opening(QObject):
    """Everything that opens a section for one viewer goes through here.

    Parameters
    ----------
    desk
        Where the opened section is laid.
    """

    changed = Signal()
    """Opening started or ended, or a unit is asked for."""
    progressed = Signal(object)
    """A `Progress`."""
    failed = Signal(object)
    """The error because of which nothing was opened."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self.paths: tuple[Path, ...] = ()
        self.stated: dict[str, Any] = {}
        self.question: UnitNeeded | None = None
        self.running = False
        self._dropped: list[Path] = []
        self._dropped_at = -_SAME_DROP_S
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_GATHER_MS)
        self._timer.timeout.connect(self._open_dropped)

    def open(self, paths: Iterable[str | Path], **stated: Any) -> None:
        """Open files or folders as one section.

        Parameters
        ----------
        paths
            The files or folders.
        **stated
            ``pixel_size_um``, ``spot_pitch_um`` or ``um_per_unit``, for files that state no unit.
        """
        given = tuple(Path(p).expanduser() for p in paths)
        if belongs_beside(self._desk, given):
            for path in given:
                take_in(self._desk, path)
            return
        self.paths = given
        self.stated = {key: value for key, value in stated.items() if value is not None}
        self._run(_reading(self.paths, dict(self.stated)), " + ".join(p.name for p in self.paths))

    def open_sample(self, seed: int = 0, **settings: Any) -> None:
        """Open the embedded sample, a simulated section whose truth is known."""

        def work(report: Report) -> Callable[[], Session]:
            from ..io.sample import sample_section

            report(0.05, "Simulating a section of bowel wall")
            made = sample_section(seed, **settings)
            return lambda: Session.start(made, source=f"sample {seed} {sorted(settings.items())}")

        self.paths, self.stated = (), {}
        self._run(work, "the sample section")

    def drop(self, path: str | Path) -> None:
        """Open a file together with those that are dropped at the same moment."""
        self._dropped.append(Path(path))
        self._timer.start()

    @property
    def alike(self) -> int:
        """How many files are opened together: one answer may serve all that state no unit."""
        return len(self.paths)

    def answer(self, value: float, *, for_all: bool = False) -> None:
        """Answer the question for a unit, and go on.

        Parameters
        ----------
        value
            The number, in µm.
        for_all
            Whether it also answers the same question for the other files; one that states its own keeps that.
        """
        if self.question is None:
            return
        parameter = self.question.parameter
        if for_all:
            before = self.stated.get(parameter)
            stated = before if isinstance(before, dict) else {}
            self.open(self.paths, **{**self.stated, parameter: {**{p.name: value for p in self.paths}, **stated}})
            return
        named = [p for p in self.paths if f"'{p.name}'" in str(self.question)]
        if len(self.paths) > 1 and len(named) == 1:
            before = self.stated.get(parameter)
            several = dict(before) if isinstance(before, dict) else {}
            self.open(self.paths, **{**self.stated, parameter: {**several, named[0].name: value}})
        else:
            self.open(self.paths, **{**self.stated, parameter: value})

    def cancel(self) -> None:
        """Stop opening, or leave the question unanswered."""
        self.question = None
        self._desk.runner.stop()
        self.changed.emit()

    def _open_dropped(self) -> None:
        paths, self._dropped = self._dropped, []
        now = time.monotonic()
        # napari hands over one file after another; on a busy machine the first is being read by then
        if (self.running or self.question is not None) and now - self._dropped_at < _SAME_DROP_S:
            paths = [*self.paths, *paths]
        self._dropped_at = now
        self.open(dict.fromkeys(paths))

    def _run(self, work: Callable[[Report], Any], what: str) -> None:
        if self._desk.saving.first(lambda: self._run(work, what)):  # the store may be the one that is read
            self._desk.told.emit("info", f"The section is being saved; {what} is opened when that is done.")
            return
        self.question, self.running = None, True
        self._desk.runner.run(
            partial(_with_first_layer, work),
            on_result=self._on_result,
            on_error=self._on_error,
            on_progress=self._on_progress,
            on_stopped=self._on_stopped,
            title=f"Open {what}",
            key="opening",
            replace=True,
        )
        self.changed.emit()

    def _on_result(self, make: Callable[[], Session]) -> None:
        if not self._desk.saving.first(lambda: self._take_late(make)):
            self._take(make)

    def _take_late(self, make: Callable[[], Session]) -> None:
        try:
            self._take(make)
        except Exception as error:  # told where opening tells everything
            self._on_error(error)

    def _take(self, make: Callable[[], Session]) -> None:
        self._desk.take(make)
        self.running = False
        self.changed.emit()

    def _on_error(self, error: BaseException) -> None:
        self.running = False
        if isinstance(error, UnitNeeded):
            self.question = error
        else:
            self.failed.emit(error)
        self.changed.emit()

    def _on_stopped(self) -> None:
        self.running = False
        self.changed.emit()

    def _on_progress(self, progress: Progress) -> None:
        self.progressed.emit(progress)


def _with_first_layer(work: Callable[[Report], Callable[[], Session]], report: Report) -> Callable[[], Session]:
    """Do the work of the thread, and read there what napari needs for its first layer."""
    give, make = read_for_first_layer(), work(report)

    def made() -> Session:
        give()
        return make()

    return made


def is_store(path: Path) -> bool:
    """Return whether a path is a SpatialData store, which a session saves back into."""
    return path.is_dir() and recognise(path).name == "spatialdata"


def _reading(paths: tuple[Path, ...], stated: dict[str, Any]) -> Callable[[Report], Callable[[], Session]]:
    """Return the work of the thread. It gives what makes the session, since that belongs to the main thread."""

    def work(report: Report) -> Callable[[], Session]:
        report(0.02, "Recognising")
        if len(paths) == 1 and not stated and is_store(paths[0]):
            report(0.1, f"Reading {paths[0].name}")
            session = Session.open_store(paths[0], recover=False)
            return lambda: _writable(session, paths[0])
        opened = open_files(*paths, report=report, **stated)
        source = "\n".join(str(p.resolve()) for p in paths)
        return lambda: Session.start(opened, source=source)

    return work


def _writable(session: Session, store: Path) -> Session:
    """Open a store once more if its journal was held when the thread opened it: perhaps by the former session."""
    if not session.read_only:
        return session
    session.close()
    return Session.open_store(store, recover=False)
