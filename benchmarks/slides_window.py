"""A real window: from Run to the first cells of a slide on the canvas, and how long the window stood still.

``python -m benchmarks.slides_window STORE`` opens a section, shows Segment, waits until nothing is being made ready
any more (``--at-once``: does not wait), presses Run, then Stop, and prints what it measured as one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from pathlib import Path

__all__ = ["measured"]

_FIRST_S = 300.0


class _Stalls:
    """Looks at the clock every 5 ms, whenever the window lets it."""

    def __init__(self) -> None:
        from qtpy.QtCore import QTimer

        self._last, self._longest = time.perf_counter(), 0.0
        self._timer = QTimer()
        self._timer.setInterval(5)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def _tick(self) -> None:
        now = time.perf_counter()
        self._longest, self._last = max(self._longest, now - self._last), now

    def longest(self) -> float:
        """Return the longest time without a look since this was asked last."""
        found, self._longest = self._longest, 0.0
        return found


def measured(store: Path, *, at_once: bool) -> dict[str, float]:
    """Return seconds: of making ready, from Run to the first tile drawn, to the end after Stop; stalls beside."""
    from napari_spatialml.widgets.launch import open_window, wait_until
    from napari_spatialml.widgets.segment import SegmentDock

    viewer, bench = open_window(width=1400, height=900)
    bench.desk.opening.open([store])
    wait_until(lambda: not bench.desk.opening.running and len(viewer.layers) > 0, _FIRST_S)
    wait_until(lambda: False, 2)
    stalls = _Stalls()
    bench.desk.step_wanted.emit("Segment")
    dock = bench.findChild(SegmentDock)
    told = {"shown_stall": stalls.longest()}
    if not at_once:
        begun, cpu = time.perf_counter(), time.process_time()
        wait_until(lambda: dock.warming.runner.state != "idle", 5)
        wait_until(lambda: dock.warming.runner.state == "idle", _FIRST_S)
        told |= {"ready": time.perf_counter() - begun, "ready_cpu": time.process_time() - cpu}
        told["ready_stall"] = stalls.longest()
    begun, cpu = time.perf_counter(), time.process_time()
    dock.panel.button.click()
    wait_until(lambda: dock.streamed.shown is not None and dock.streamed.shown.drawn > 0, _FIRST_S)
    viewer.window._qt_window.repaint()
    told |= {"first": time.perf_counter() - begun, "first_cpu": time.process_time() - cpu}
    told["first_stall"] = stalls.longest()
    begun = time.perf_counter()
    dock.panel.button.click()
    wait_until(lambda: dock.panel.state == "idle", _FIRST_S)
    return told | {"stop": time.perf_counter() - begun, "load": os.getloadavg()[0]}


def main() -> None:
    """Measure in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--at-once", action="store_true")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print(json.dumps(measured(given.store, at_once=given.at_once)), flush=True)
    os._exit(0)  # what was stopped may still be within a tile


if __name__ == "__main__":
    sys.exit(main())
