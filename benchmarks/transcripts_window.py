"""One of the processes that `transcripts` measures: a window in which a section is opened and looked at."""

from __future__ import annotations

import argparse
import json
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

TIMES = 9
BOX_UM = 1000.0


class Memory:
    """Looks a hundred times a second at how much memory is taken that no file stands behind."""

    def __init__(self) -> None:
        self.base = self.peak = _anonymous_mb()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def forget(self) -> None:
        self.base = self.peak = _anonymous_mb()

    @property
    def added(self) -> float:
        self.peak = max(self.peak, _anonymous_mb())
        return self.peak - self.base

    def _watch(self) -> None:
        while not self._end.wait(0.01):
            self.peak = max(self.peak, _anonymous_mb())


def _anonymous_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return float(line.split()[1]) / 1024
    raise SystemExit("This system does not say how much memory is taken.")


class Window:
    """A window with a section, and when its canvas was last painted with what was asked for."""

    def __init__(self, store: Path) -> None:
        import dask.dataframe  # noqa: F401  # warm: the libraries are loaded, as they are for a second section
        import spatialdata  # noqa: F401

        from napari_spatialml.widgets.launch import open_window, wait_until

        self.wait = wait_until
        self.viewer, bench = open_window(width=1400, height=900)
        self.desk, self.store = bench.desk, store
        self.following = self.desk.following
        canvas = self.viewer.window._qt_viewer.canvas
        self.painted = 0
        canvas._scene_canvas.events.draw.connect(self._paint, position="last")
        self.memory = Memory()

    def _paint(self, _event: Any) -> None:
        self.painted += 1

    def picture(self) -> Any:
        presenter = self.desk.presenter
        return presenter.state.pictures.get("rna") if presenter is not None else None

    def until_painted(self, act: Callable[[], Any], limit: float = 600.0) -> float:
        """Return the seconds until another picture is on the canvas."""
        before, begun = self.picture(), time.perf_counter()
        act()
        if not self.wait(lambda: self.picture() is not before and self.picture() is not None, limit):
            raise SystemExit("No picture came.")
        n = self.painted
        self.viewer.window._qt_viewer.canvas.native.update()
        self.wait(lambda: self.painted > n, 30)
        return time.perf_counter() - begun

    def rest(self) -> None:
        """Wait until nothing is going on."""
        self.wait(lambda: self.desk.runner.state == "idle" and not self.following._soon.isActive(), 600)

    def median(self, name: str, acts: list[Callable[[], Any]]) -> dict[str, float]:
        """Return the median milliseconds until each act is on the canvas, and those of the processor."""
        took, work = [], []
        for act in acts:
            begun = time.process_time()
            took.append(1000 * self.until_painted(act))
            work.append(1000 * (time.process_time() - begun))
            self.rest()
        return {f"{name}_ms": statistics.median(took), f"{name}_work": statistics.median(work)}

    def open(self) -> float:
        return self.until_painted(lambda: self.desk.opening.open([self.store], um_per_unit=1.0))

    def indexed(self) -> None:
        self.wait(lambda: self.following.index("rna") is not None and not self.desk.indexing.running, 3000)
        self.rest()


def index(store: Path) -> dict[str, Any]:
    """Open a section whose transcripts are not indexed yet, and wait until they are."""
    import shutil

    from napari_spatialml.session.homes import state_folder

    for sidecar in state_folder().glob("*/transcripts"):
        shutil.rmtree(sidecar)
    window = Window(store)
    begun = time.perf_counter()
    first = window.open()
    window.indexed()
    return {"first_s": first, "seconds": time.perf_counter() - begun, "memory_mb": window.memory.added}


def look(store: Path) -> dict[str, Any]:
    """Open a section whose transcripts are indexed, and look at them."""
    from napari_spatialml.session.transcript_index import TranscriptIndex

    window = Window(store)
    work = time.process_time()
    first = window.open()
    work = time.process_time() - work
    found: dict[str, Any] = {"first_s": first, "first_work": work, "first_mb": window.memory.added}
    window.indexed()
    session, held = window.desk.session, window.following.index("rna")
    begun = time.perf_counter()
    TranscriptIndex.open_or_build(session.document, "rna", session.home)
    found["checked_s"] = time.perf_counter() - begun
    often = [held.genes[k] for k in np.argsort(-held.of_each)]
    far = [often[k] for k in np.linspace(0, len(often) - 1, TIMES + 1).astype(int)]
    _one(window, far[-1])
    found |= window.median("gene", [lambda g=gene: _one(window, g) for gene in far[:-1]])
    found |= _near(window, often)
    found |= _box(window, held)
    found["memory_mb"] = window.memory.added + found.pop("before_mb")
    return found


def _one(window: Window, gene: str) -> None:
    window.following.change("rna", lambda look: replace(look, genes=()).with_gene(gene))


def _near(window: Window, often: list[str]) -> dict[str, Any]:
    """Move at a zoom at which each point is drawn, with all genes and with three; and switch genes there."""
    y0, y1, x0, x1 = window.picture().reach
    rng = np.random.default_rng(0)
    at = rng.uniform(
        (y0 + 0.2 * (y1 - y0), x0 + 0.2 * (x1 - x0)), (y1 - 0.2 * (y1 - y0), x1 - 0.2 * (x1 - x0)), (64, 2)
    )
    moves = iter([tuple(map(float, place)) for place in at])

    def move(zoom: float) -> Callable[[], Any]:
        return lambda: window.desk.look_at(*next(moves), zoom)

    window.following.change("rna", lambda look: replace(look, genes=()))
    window.rest()
    window.median("", [move(2.0)])
    found: dict[str, Any] = window.median("pan", [move(2.0) for _ in range(TIMES)])
    found["points"] = window.picture().in_view
    assert window.picture().of_points, "a density is no point level"
    window.following.change("rna", lambda look: look.with_gene(often[0]).with_gene(often[50]).with_gene(often[150]))
    window.rest()
    found |= window.median("pan_three", [move(1.5) for _ in range(TIMES)])
    found["three"] = window.picture().in_view
    genes = often[10 : 10 + TIMES]
    return found | window.median("gene_near", [lambda g=gene: _one(window, g) for gene in genes])


def _box(window: Window, held: Any) -> dict[str, Any]:
    """Ask for the transcripts of a square millimetre."""
    y0, y1, x0, x1 = window.picture().reach
    before = window.memory.added
    window.memory.forget()
    took, n = [], 0
    for share in np.linspace(0.2, 0.6, TIMES):
        y, x = y0 + share * (y1 - y0), x0 + share * (x1 - x0)
        begun = time.perf_counter()
        where, _ = held.window(y, y + BOX_UM, x, x + BOX_UM)
        took.append(time.perf_counter() - begun)
        n = max(n, len(where))
        del where
    return {"box_s": statistics.median(took), "box_n": n, "box_mb": window.memory.added, "before_mb": before}


def main() -> None:
    """Measure, and print what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["index", "look"])
    parser.add_argument("store", type=Path)
    given = parser.parse_args()
    found = {"index": index, "look": look}[given.what](given.store)
    print(json.dumps(found), flush=True)
    import os

    os._exit(0)  # what is measured is measured: no window needs to be put away in order


if __name__ == "__main__":
    main()
