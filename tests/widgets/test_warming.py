"""What a first run waits for is made ready beside the window, and nobody notices: neither the result nor a person."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest

from napari_spatialml.core.method import Interval, method
from napari_spatialml.core.report import Report, silent
from napari_spatialml.core.segmentation import Masks, Pixels, Segmenter
from napari_spatialml.widgets import segment, step
from napari_spatialml.widgets.segment import SegmentDock

WAIT = 20_000


@method(title="Slow to begin")
class SlowToBegin(Segmenter):
    """One cell; before its first run it has something to load."""

    level: Annotated[float, Interval(ge=0)] = 1.0
    """Nothing depends on it."""

    begun: ClassVar[list[Any]] = []
    may_go_on: ClassVar[threading.Event] = threading.Event()

    def warm(self, report: Report = silent) -> None:
        self.begun.append((self.level, threading.current_thread()))
        while not self.may_go_on.wait(0.01):
            report(0.5)

    def __call__(self, pixels: Pixels, report: Report = silent) -> Masks:
        labels = np.zeros(pixels.values.shape[1:], np.int32)
        labels[20:40, 30:50] = 1
        return Masks(labels)


@method(title="Cannot begin")
class CannotBegin(SlowToBegin):
    """Its making ready fails, its run does not."""

    def warm(self, report: Report = silent) -> None:
        self.begun.append((self.level, threading.current_thread()))
        raise OSError("no such library")


@method(title="Ready")
class Ready(Segmenter):
    """Has nothing to load."""

    def __call__(self, pixels: Pixels, report: Report = silent) -> Masks:
        return Masks(np.zeros(pixels.values.shape[1:], np.int32))


@pytest.fixture
def dock(desk, show, monkeypatch):
    """Return the step Segment with three methods of this test; the first is chosen."""
    offered = {cls.name: cls for cls in (SlowToBegin, CannotBegin, Ready)}
    for cls in (SlowToBegin, CannotBegin):
        monkeypatch.setattr(cls, "begun", [])
        monkeypatch.setattr(cls, "may_go_on", threading.Event())
    for module in (step, segment):
        monkeypatch.setattr(module, "methods", lambda kind: offered)
    made = show(SegmentDock(desk.viewer))
    made.panel.set_method(SlowToBegin())
    made.refresh_now()
    yield made
    SlowToBegin.may_go_on.set()


def test_the_method_chosen_is_made_ready_once_beside_the_window(dock, qtbot):
    SlowToBegin.may_go_on.set()
    assert not SlowToBegin.begun, "the section is drawn first"
    qtbot.waitUntil(lambda: len(SlowToBegin.begun) == 1, timeout=WAIT)
    assert SlowToBegin.begun[0][1] is not threading.current_thread()
    qtbot.waitUntil(lambda: dock.warming.runner.state == "idle", timeout=WAIT)
    for _ in range(3):
        dock.refresh_now()
        qtbot.wait(250)
    assert len(SlowToBegin.begun) == 1
    dock.panel.set_method(SlowToBegin(level=2.0))
    qtbot.waitUntil(lambda: [level for level, _ in SlowToBegin.begun] == [1.0, 2.0], timeout=WAIT)


def test_a_method_that_has_nothing_to_load_starts_no_thread(dock, qtbot):
    dock.panel.set_method(Ready())
    qtbot.wait(700)
    assert dock.warming.runner._count == 0 and not SlowToBegin.begun


def test_a_step_that_nobody_looks_at_makes_nothing_ready(dock, qtbot):
    dock.hide()
    dock.refresh_now()
    qtbot.wait(700)
    assert not SlowToBegin.begun


def test_run_does_not_wait_for_what_is_being_made_ready(dock, desk, qtbot, ran):
    qtbot.waitUntil(lambda: dock.warming.runner.state == "running", timeout=WAIT)
    assert "1 " in ran(dock) and not SlowToBegin.may_go_on.is_set()
    assert (desk.session.document.grid("nuclei").read() > 0).sum() == 400


def test_what_cannot_be_made_ready_is_told_by_nobody_and_the_run_goes_on(dock, qtbot, ran):
    dock.panel.set_method(CannotBegin())
    qtbot.waitUntil(lambda: len(CannotBegin.begun) == 1, timeout=WAIT)
    qtbot.waitUntil(lambda: dock.warming.runner.state == "idle", timeout=WAIT)
    assert dock.panel.message.message is None
    assert "1 " in ran(dock)


CLOSED = """
import faulthandler, sys
faulthandler.enable()
from pathlib import Path
from napari_spatialml.widgets.launch import open_window, wait_until
from napari_spatialml.widgets.segment import SegmentDock
viewer, bench = open_window(width=900, height=700)
opening = bench.desk.opening
opening.open([Path(sys.argv[1])])
wait_until(lambda: not opening.running, 60)
bench.desk.step_wanted.emit("Segment")
dock = bench.findChild(SegmentDock)
wait_until(lambda: dock.warming.runner.state == "running", 20)
print(dock.warming.runner.state, "torch" in sys.modules, flush=True)
viewer.close()
"""


@pytest.mark.slow
def test_a_window_that_is_closed_while_torch_is_imported_ends_well(desk, tmp_path):
    pytest.importorskip("torch")
    desk.session.document.sdata.write(tmp_path / "small.zarr")
    environment = {**os.environ, "NAPARI_SPATIALML_STATE": str(tmp_path / "of the window")}
    command = [sys.executable, "-c", CLOSED, str(tmp_path / "small.zarr")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=180, check=False)
    assert done.stdout.split()[-2:-1] == ["running"], done.stderr[-2000:]
    assert done.returncode == 0, done.stderr[-2000:]
