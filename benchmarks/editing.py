"""Correcting cells on a slide of 50,000 × 50,000 pixels with 500,000 cells: strokes, undo, saving, memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .editing_peers import PEER_EDGE, REWRITTEN, cellpose_deletion, napari_labels, rewriting
from .figures import Figure, seconds
from .slide import CHUNK, PITCH, Slide, write_slide

__all__ = ["SUBJECT", "measure"]

SUBJECT = "editing"
SEED = 0
EDGE, CELLS = 50_000, 500_000
EDITS, FIELDS = 1_000, 10
STEPS = 30
STROKE_MS, SAVE_S, MEMORY_GB = 50.0, 2.0, 2.0
"""The floors: what a hand does not feel; what nobody waits for; what a laptop has to spare."""
REACH = 24.0
"""Half the length in pixels of the lines that cut cells: beyond the largest cell."""
DATA = f"generated: {EDGE:,} × {EDGE:,} pixels int32, {CELLS:,} cells, chunks of {CHUNK}"


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the figures. Each part runs in a process of its own, so that the peak memory is its own."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "slide.zarr"
        yield "writing the slide", Figure(_write(store), "s", 120.0, data=DATA, seed=SEED)
        peer = {**_apart("napari", store), **_apart("cellpose", store)}
        found = _apart("correct", store)
        for name in ("commit of a stroke", "merge", "split", "delete", "undo", "redo"):
            yield name, _beside(name, found[name], peer)
        yield "a stroke with the mouse, layers and all", Figure(found["mouse"], "ms", data=DATA, seed=SEED)
        yield "moving the window by a view", Figure(found["pan"], "ms", data=DATA, seed=SEED)
        yield "looking for the largest id, once a slide", Figure(found["survey"], "s", data=DATA, seed=SEED)
        yield "peak memory of correcting", Figure(found["memory"], "GB", MEMORY_GB, data=DATA, seed=SEED)
        yield from _saves(store, _apart("rewrite", store)["rewrite"])
        edge = f"{PEER_EDGE:,} × {PEER_EDGE:,} pixels"
        yield f"napari's Labels on {edge}: adding the layer", Figure(peer["add"], "ms", seed=SEED)
        yield f"napari's Labels on {edge}: undo, seconds of the processor", Figure(peer["undo_cpu"], "ms", seed=SEED)


def _saves(store: Path, rewritten: float) -> Iterator[tuple[str, Figure]]:
    """Yield what saving takes where someone has worked in some fields of view, and all over the slide."""
    for part, where in (("fields", f"in {FIELDS} fields of view"), ("slide", "all over the slide")):
        saved, name = _apart(part, store), f"{EDITS:,} edits {where}"
        peer = f"SpatialData's rewriting of {REWRITTEN[1]:,} cells on {REWRITTEN[0]:,} × {REWRITTEN[0]:,} pixels"
        yield (
            f"save of {name}",
            Figure(saved["save"], "s", SAVE_S, peer=peer, peer_value=rewritten, data=DATA, seed=SEED),
        )
        yield f"save of {name}: processor", Figure(saved["cpu"], "s", data=DATA, seed=SEED)
        yield f"chunks written by {name}", Figure(saved["chunks"], "", saved["touched"], data=DATA, seed=SEED)
        yield f"peak memory of {name}", Figure(saved["memory"], "GB", MEMORY_GB, data=DATA, seed=SEED)


def _beside(name: str, value: float, peer: dict[str, float]) -> Figure:
    of = {"commit of a stroke": "stroke", "undo": "undo", "delete": "delete", "merge": "fill"}.get(name, "")
    whose = "Cellpose's GUI, its arrays" if of == "delete" else "napari's Labels"
    what = f"{whose} on {PEER_EDGE:,} × {PEER_EDGE:,} ({of})" if of else ""
    return Figure(value, "ms", STROKE_MS, peer=what, peer_value=peer.get(of), data=DATA, seed=SEED)


def _write(store: Path) -> float:
    def made() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            write_slide(Slide(EDGE, CELLS, SEED), store)

    return seconds(made)


def _apart(part: str, store: Path) -> dict[str, float]:
    """Measure a part in a fresh process, on a copy of the store where it saves."""
    with tempfile.TemporaryDirectory(dir=store.parent) as folder:
        where = store
        if part in ("fields", "slide"):
            where = Path(shutil.copytree(store, Path(folder) / "slide.zarr"))
        given = {**os.environ, "NAPARI_SPATIALML_STATE": folder}
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.editing", part, str(where)]
        done = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"The part '{part}' failed:\n{done.stderr[-2000:]}")
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return found


def _median(actions: list[Callable[[], Any]]) -> float:
    return 1000 * float(np.median([seconds(action) for action in actions]))


def _gb() -> float:
    import resource  # not on Windows, where the rest of the module can still be read

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)


def _doing(session: Any, name: str, **arguments: Any) -> Callable[[], None]:
    from napari_spatialml.session import correct

    return lambda: session.execute(correct(session.document, name, labels="cells", **arguments))


def _painted(session: Any, slide: Slide, cell: int) -> Callable[[], None]:
    """Return a stroke on a cell: a disc of 12 pixels beside its middle, as the brush's window hands it on."""
    from napari_spatialml.session.corrections import packed

    y, x = (int(v) for v in slide.centre_of(cell))
    values = session.document.grid("cells").read((y, y + 25, x, x + 25))
    values[np.hypot(*np.indices((25, 25)) - 12) <= 12] = cell
    return _doing(session, "paint-labels", offset=[y, x], values=packed(values))


def _around(slide: Slide, *cells: int) -> tuple[int, int, int, int]:
    boxes = np.array([slide.box_of(c) for c in cells])
    low, high = boxes[:, ::2].min(0), boxes[:, 1::2].max(0)
    return int(low[0]) - 8, int(high[0]) + 8, int(low[1]) - 8, int(high[1]) + 8


def _correct(store: Path) -> dict[str, float]:
    from napari.components import ViewerModel

    from napari_spatialml.session import Session
    from napari_spatialml.views import Presenter

    slide, rng = Slide(EDGE, CELLS, SEED), np.random.default_rng(SEED)
    session = Session.open_store(store)
    presenter = Presenter(ViewerModel(), session)
    presenter.show()
    found = {"survey": seconds(session.document.grid("cells").maximum)}
    _look(presenter, EDGE // 2, EDGE // 2)
    presenter.use("paint", labels="cells")
    cells = _in_window(slide, presenter.state.correcting[1], rng, 5 * STEPS)
    groups = [cells[k * STEPS : (k + 1) * STEPS] for k in range(5)]
    found["commit of a stroke"] = _median([_painted(session, slide, c) for c in groups[0]])
    pairs = [(c, c + 1) for c in groups[1]]
    found["merge"] = _median([_doing(session, "merge-cells", cells=p, window=_around(slide, *p)) for p in pairs])
    found["split"] = _median([_split(session, slide, c) for c in groups[2]])
    found["delete"] = _median([_doing(session, "delete-cells", cells=[c], window=_around(slide, c)) for c in groups[3]])
    found["undo"] = _median([presenter.undo] * STEPS)
    found["redo"] = _median([presenter.redo] * STEPS)
    found["mouse"] = _median([_drag(presenter, slide, c) for c in groups[4]])
    found["pan"] = _median([lambda k=k: _look(presenter, EDGE // 2, EDGE // 2 + 1500 * k) for k in range(1, 8)])
    found["memory"] = _gb()
    presenter.close()
    session.close()
    return found


def _split(session: Any, slide: Slide, cell: int) -> Callable[[], None]:
    y, x = slide.centre_of(cell)
    line = [[y - REACH, x - 1.3], [y + REACH, x + 1.7]]
    return _doing(session, "split-cell", cell=cell, line=line, window=_around(slide, cell))


def _in_window(slide: Slide, window: tuple[int, int, int, int], rng: np.random.Generator, n: int) -> list[int]:
    """Return cells well within a window, each with its right neighbour free for a merge."""
    y0, y1, x0, x1 = (v // PITCH for v in window)
    inside = slide.ids[y0 + 3 : y1 - 3, x0 + 3 : x1 - 3 : 2].ravel()
    return [int(c) for c in rng.choice(inside[inside > 0], n, replace=False)]


def _look(presenter: Any, y: float, x: float, pixels: int = 1500) -> None:
    """Put so many pixels across the view, around a pixel."""
    viewer = presenter.viewer
    edge = float(presenter.document.affine("cells").scale_factors[0])
    viewer.scene.camera.zoom = viewer.canvas.size[0] / (pixels * edge)
    viewer.scene.camera.center = (y * edge, x * edge)


def _drag(presenter: Any, slide: Slide, cell: int) -> Callable[[], None]:
    """Return a stroke of three places on napari's own layer, flushed as at the release of the button."""
    layer, (oy, ox) = presenter.buffer_of("cells").layer, presenter.buffer_of("cells").offset
    y, x = slide.centre_of(cell)

    def stroke() -> None:
        for k in range(3):
            layer.paint((y - oy + 8 * k, x - ox + 4 * k), cell)
        presenter.flush()

    return stroke


def _saved(store: Path, scattered: bool) -> dict[str, float]:
    """Make the edits, half strokes and half deletions, then save them."""
    from napari_spatialml.session import Session

    slide, rng = Slide(EDGE, CELLS, SEED), np.random.default_rng(SEED)
    session = Session.open_store(store)
    _painted(session, slide, 1)()
    session.save()  # the first save into a store of another program writes its places too, once
    everywhere = rng.choice(np.arange(1, CELLS + 1), EDITS, replace=False).tolist()
    cells = everywhere if scattered else _of_fields(slide, rng)
    for k, cell in enumerate(cells):
        if k % 2:
            _painted(session, slide, cell)()
        else:
            _doing(session, "delete-cells", cells=[cell], window=_around(slide, cell))()
    grid = session.document.grid("cells")
    touched = [chunk for level in range(len(grid.levels)) for chunk in grid.unsaved_chunks(level, (CHUNK, CHUNK))]
    start = time.process_time()
    found = {"save": seconds(session.save), "chunks": session.chunks_written, "touched": len(touched)}
    found["cpu"] = time.process_time() - start
    found["memory"] = _gb()
    session.close()
    return found


def _of_fields(slide: Slide, rng: np.random.Generator) -> list[int]:
    """Return the same number of cells in each of several fields of 2,000 pixels."""
    found: list[int] = []
    for centre in rng.choice(np.arange(1, CELLS + 1), FIELDS, replace=False):
        y0, _, x0, _ = slide.box_of(int(centre))
        window = (max(y0 - 1000, 0), min(y0 + 1000, EDGE), max(x0 - 1000, 0), min(x0 + 1000, EDGE))
        found += [c for c in _in_window(slide, window, rng, 2 * EDITS // FIELDS) if c not in found][: EDITS // FIELDS]
    return found


def _main() -> None:
    part, store = sys.argv[1], Path(sys.argv[2])
    parts: dict[str, Callable[[Path], dict[str, float]]] = {
        "correct": _correct,
        "fields": lambda where: _saved(where, scattered=False),
        "slide": lambda where: _saved(where, scattered=True),
        "napari": lambda _: napari_labels(Slide(EDGE, CELLS, SEED)),
        "cellpose": lambda _: cellpose_deletion(Slide(EDGE, CELLS, SEED)),
        "rewrite": lambda where: rewriting(Path(tempfile.mkdtemp(dir=where.parent))),
    }
    print(json.dumps(parts[part](store)))


if __name__ == "__main__":
    _main()
