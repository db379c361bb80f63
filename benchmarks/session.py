"""The session: undo, the commit of a stroke, saving what changed, the journal, the replay."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .figures import Figure, median_ms, seconds

__all__ = ["SUBJECT", "measure"]

SUBJECT = "session"
SEED = 0
STROKES = 20
UNDO_MS, STROKE_MS = 50.0, 50.0
"""The floors: what a hand does not feel."""


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the figures on the embedded sample, and on a section of 5,000 spots and 2,000 × 2,000 pixels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from _on("sample", _sample())
        yield from _on("large", _large())
        yield "journal append", _journal()
        yield "recipe replay", _replay()


def _sample() -> Any:
    from napari_spatialml.io.sample import sample_section

    return sample_section(SEED)


def _large() -> Any:
    """Return the sample of 1,000 µm with a spot every 12.5 µm: more than 5,000 of them on tissue."""
    from napari_spatialml.io.sample import sample_section

    return sample_section(SEED, size_um=1000.0, spot_pitch_um=12.5, spot_diameter_um=10.0)


def _on(name: str, section: Any) -> Iterator[tuple[str, Figure]]:
    from napari_spatialml.methods import method
    from napari_spatialml.session import SegmentationSelection, Session, run

    n_spots, width = section.tables["spot_counts"].n_obs, section["dapi"]["scale0"].sizes["x"]
    data = f"simulated: {n_spots:,} spots, {width:,} × {width:,} pixels"
    with tempfile.TemporaryDirectory() as folder:
        session = Session.start(section)
        try:
            session.save(Path(folder) / "section.zarr")
            run(session, method("segmentation", "watershed")(), SegmentationSelection("dapi"))
            session.save()
            yield f"{name}: commit of a stroke", Figure(_strokes(session), "ms", STROKE_MS, data=data, seed=SEED)
            rows = Figure(_brushes(session), "ms", STROKE_MS, data=data, seed=SEED)
            yield f"{name}: commit of a brush over spots", rows
            yield f"{name}: save of what changed", Figure(seconds(session.save), "s", data=data, seed=SEED)
            undo = median_ms([session.undo] * (2 * STROKES))
            yield f"{name}: undo", Figure(undo, "ms", UNDO_MS, data=data, seed=SEED)
            redo = median_ms([session.redo] * (2 * STROKES))
            yield f"{name}: redo", Figure(redo, "ms", UNDO_MS, data=data, seed=SEED)
            run_undo = 1000 * seconds(lambda: session.jump(0)) / session_steps(session)
            yield f"{name}: undo of everything, a step", Figure(run_undo, "ms", UNDO_MS, data=data, seed=SEED)
        finally:
            session.close()


def session_steps(session: Any) -> int:
    """Return the number of steps, done and undone."""
    return len(session.history)


def _strokes(session: Any) -> float:
    """Paint discs on nuclei, each with its row of the table measured again; return the median in ms."""
    from napari_spatialml.session import correct
    from napari_spatialml.session.corrections import packed

    rng = np.random.default_rng(SEED)
    grid = session.document.grid("nuclei")
    ids = rng.choice(np.unique(grid.read())[1:], STROKES, replace=False)
    disc = np.hypot(*np.indices((25, 25)) - 12) <= 12

    def stroke(cell: int) -> None:
        y, x = (int(v) for v in np.argwhere(grid.read() == cell)[0])
        y, x = min(max(y - 12, 0), grid.shape[0] - 25), min(max(x - 12, 0), grid.shape[1] - 25)
        values = grid.read((y, y + 25, x, x + 25))
        values[disc] = cell
        painted.append({"labels": "nuclei", "offset": [y, x], "values": packed(values)})

    painted: list[dict[str, Any]] = []
    times = []
    for cell in ids:
        stroke(int(cell))
        arguments = painted[-1]
        times.append(
            seconds(lambda given=arguments: session.execute(correct(session.document, "paint-labels", **given)))
        )
    return 1000 * float(np.median(times))


def _brushes(session: Any) -> float:
    """Brush over spots; return the median in ms."""
    from napari_spatialml.session import correct

    rng = np.random.default_rng(SEED)
    n = session.document.table("spot_counts").n_obs

    def brush() -> None:
        rows = np.unique(rng.integers(0, n, 30)).tolist()
        given = {"table": "spot_counts", "column": "domain", "rows": rows, "value": f"D{rng.integers(1, 6)}"}
        session.execute(correct(session.document, "relabel", **given))

    return median_ms([brush] * STROKES)


def _journal() -> Figure:
    """Append a stroke of 64 × 64 pixels, written through to the disk."""
    from napari_spatialml.session.changes import EditLabels
    from napari_spatialml.session.command import Command
    from napari_spatialml.session.journal import Journal

    rng = np.random.default_rng(SEED)
    old, new = (rng.integers(0, 500, (64, 64)).astype(np.int32) for _ in range(2))
    packed = Command("paint", (EditLabels("nuclei", (0, 0), old, new),), {}).encode()
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.log")
        value = median_ms([lambda: journal.append({"op": "do", **packed.meta}, packed.buffers)] * 50)
        journal.close()
    return Figure(value, "ms", data="a stroke of 64 × 64 random pixels, with fsync", seed=SEED)


def _replay() -> Figure:
    """Replay the recipe of a segmentation, a domain run and a merge on the sample, from a saved section."""
    from napari_spatialml.methods import method
    from napari_spatialml.session import (
        DomainsSelection,
        SegmentationSelection,
        Session,
        correct,
        recipe,
        replay,
        run,
        scratch,
    )

    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "section.zarr"
        session = Session.start(_sample())
        session.save(store)
        run(session, method("segmentation", "watershed")(), SegmentationSelection("dapi"))
        run(session, method("domains", "low-pass-mixture")(n_domains=5), DomainsSelection("spot_counts"))
        cells = np.unique(session.document.grid("nuclei").read())[1:3].tolist()
        session.execute(correct(session.document, "merge-cells", labels="nuclei", cells=cells))
        session.save()
        found = recipe(session)
        session.close()
        with scratch(store) as again:
            steps: list[Any] = []
            value = seconds(lambda: steps.extend(replay(found, again)))
    if not all(step.identical for step in steps):
        raise AssertionError(f"The replay differs: {[s for s in steps if not s.identical]}")
    return Figure(value, "s", data="the embedded sample: 3 steps, all bit-identical", seed=SEED)
