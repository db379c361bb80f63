"""Counting again what a correction touched: transcripts in parquet files, labels in a zarr, both generated."""

from __future__ import annotations

import os
import resource
import statistics
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .figures import Figure, seconds

__all__ = ["SUBJECT", "measure"]

SUBJECT = "recount"
SEED = 0
PIXEL_UM, PITCH, RADIUS = 0.2125, 70, 30
"""Round cells of 30 pixels' radius, one every 70 pixels (15 µm)."""
GENES, TOUCHED_UM, TIMES = 400, 500.0, 7
RECOUNT_MS, COMMIT_MS, SAVE_S = 100.0, 100.0, 2.0
"""The recount alone, and all of a commit with journal, labels and table; aimed at half of it."""
SAVED = 100
LARGE = "NAPARI_SPATIALML_BENCHMARK_LARGE"
"""Set to 1, the slide of 50,000 × 50,000 pixels with 42 million transcripts is measured too (some minutes)."""


@dataclass(frozen=True)
class Slide:
    """A generated slide: its edge in pixels, and its transcripts."""

    edge: int
    transcripts: int

    @property
    def columns(self) -> int:
        """Cells in a row."""
        return self.edge // PITCH

    def cells_at(self, y: npt.NDArray[Any], x: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
        """Return the cell at pixel positions, 0 between cells."""
        row, column = y // PITCH, x // PITCH
        near = (y - row * PITCH - PITCH // 2) ** 2 + (x - column * PITCH - PITCH // 2) ** 2 <= RADIUS**2
        inside = near & (row < self.columns) & (column < self.columns)
        return np.where(inside, 1 + row * self.columns + column, 0).astype(np.int32)


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the figures of a slide of 3 million transcripts, and of 42 million if so asked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from _on(Slide(14_000, 3_000_000))
        if os.environ.get(LARGE) == "1":
            yield from _on(Slide(50_000, 42_000_000))


def _on(slide: Slide) -> Iterator[tuple[str, Figure]]:
    from napari_spatialml.session.transcript_index import TranscriptIndex
    from napari_spatialml.session.transcripts import index_of

    millions = f"{slide.transcripts // 1_000_000} M"
    data = f"simulated: {slide.columns**2:,} cells on {slide.edge:,} × {slide.edge:,} pixels, {GENES} genes"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        session = _section(slide, folder)
        try:
            document = session.document
            _forget_peak()
            base = _peak_mb()
            took = seconds(lambda: index_of(document, "rna"))
            yield f"{millions}: index, made once", Figure(took, "s", data=data, seed=SEED)
            added = Figure(_peak_mb() - base, "MB", data="peak added, mapped files not counted", seed=SEED)
            yield f"{millions}: index, memory", added
            took = seconds(lambda: TranscriptIndex.open_or_build(document, "rna", session.home))
            yield f"{millions}: index, opened and checked", Figure(took, "s", data=data, seed=SEED)
            _counted(session, slide)
            _forget_peak()
            yield from _recounts(session, slide, millions, data)
            whole = Figure(
                _peak_mb(),
                "MB",
                2000.0,
                data="peak of the process while correcting, mapped files not counted",
                seed=SEED,
            )
            yield f"{millions}: corrections, memory", whole
            yield from _saved(session, slide, folder, millions, data)
        finally:
            session.close()


def _recounts(session: Any, slide: Slide, millions: str, data: str) -> Iterator[tuple[str, Figure]]:
    rng = np.random.default_rng(SEED)
    edge = round(TOUCHED_UM / PIXEL_UM)
    wide = [_scratched(session, slide, rng, edge) for _ in range(TIMES)]
    n = len(np.unique(wide[0][0])) - 1
    about = f"{TOUCHED_UM:.0f} × {TOUCHED_UM:.0f} µm, about {n:,} cells touched at once"
    counted = [_recount(session, values, given["offset"]) for values, given in wide]
    name = f"{millions}: transcripts of 500 µm counted again"
    yield name, Figure(1000 * statistics.median(counted), "ms", RECOUNT_MS, data=about, seed=SEED)
    yield from _times(session, wide, f"{millions}: correction of 500 µm", None, about)
    one = [_scratched(session, slide, rng, PITCH) for _ in range(TIMES)]
    yield from _times(session, one, f"{millions}: a stroke", COMMIT_MS, f"a few cells touched; {data}")
    yield from _cells(session, slide, rng, millions, data)
    undo = [seconds(session.undo) for _ in range(TIMES)]
    yield f"{millions}: undo of a stroke", Figure(1000 * statistics.median(undo), "ms", COMMIT_MS, data=data, seed=SEED)


def _cells(session: Any, slide: Slide, rng: Any, millions: str, data: str) -> Iterator[tuple[str, Figure]]:
    """Measure corrections that take rows out of the table."""
    cells = [int(c) for c in rng.choice(slide.columns**2 - 1, 2 * TIMES, replace=False) + 1]
    for name, some in (("delete", [[c] for c in cells[:TIMES]]), ("merge", [[c, c + 1] for c in cells[TIMES:]])):
        took = [_correction(session, f"{name}-cells", cells=c, window=_around(slide, c[0])) for c in some]
        yield f"{millions}: {name}", Figure(1000 * statistics.median(took), "ms", COMMIT_MS, data=data, seed=SEED)


def _around(slide: Slide, cell: int) -> list[int]:
    y, x = (v * PITCH for v in divmod(cell - 1, slide.columns))
    return [max(y - 8, 0), min(y + PITCH + 8, slide.edge), max(x - 8, 0), min(x + 2 * PITCH + 8, slide.edge)]


def _correction(session: Any, name: str, **arguments: Any) -> float:
    from napari_spatialml.session import correct

    return seconds(lambda: session.execute(correct(session.document, name, labels="nuclei", **arguments)))


def _saved(session: Any, slide: Slide, folder: Path, millions: str, data: str) -> Iterator[tuple[str, Figure]]:
    """Measure a save into a store that has the table, after corrections all over the slide."""
    rng = np.random.default_rng(SEED + 1)
    session.save(folder / "saved.zarr")
    cells = [int(c) for c in rng.choice(slide.columns**2, SAVED, replace=False) + 1]
    for cell in cells:
        _correction(session, "delete-cells", cells=[cell], window=_around(slide, cell))
    name = f"{millions}: save of {SAVED} deletions with the table"
    yield name, Figure(seconds(session.save), "s", SAVE_S, data=data, seed=SEED)


def _recount(session: Any, window: npt.NDArray[Any], offset: list[int]) -> float:
    """Return the seconds in which the transcripts of the cells in a window are read, assigned and counted."""
    from napari_spatialml.session.counting import count_near

    document, cells = session.document, np.unique(window)[1:]
    to_um, (y, x) = document.affine("nuclei"), offset
    return seconds(lambda: count_near(document, "rna", window, (y, x), to_um, cells))


def _times(
    session: Any, strokes: list[tuple[Any, dict[str, Any]]], what: str, floor: float | None, data: str
) -> Iterator[tuple[str, Figure]]:
    """Measure the recount alone (making the command), and the commit with journal and table."""
    from napari_spatialml.session import correct

    made, done = [], []
    for _, arguments in strokes:
        commands: list[Any] = []
        made.append(seconds(lambda a=arguments, c=commands: c.append(correct(session.document, "paint-labels", **a))))
        done.append(made[-1] + seconds(lambda c=commands: session.execute(c[0])))
    yield f"{what}, made", Figure(1000 * statistics.median(made), "ms", floor, data=data, seed=SEED)
    yield f"{what}, committed", Figure(1000 * statistics.median(done), "ms", data=data, seed=SEED)


def _scratched(session: Any, slide: Slide, rng: Any, edge: int) -> tuple[Any, dict[str, Any]]:
    """Return a window somewhere on the slide with three rows of every cell in it erased."""
    from napari_spatialml.session.corrections import packed

    y, x = (int(v) for v in rng.integers(0, slide.edge - edge, 2))
    values = session.document.grid("nuclei").read((y, y + edge, x, x + edge))
    values[(np.arange(y, y + edge) - PITCH // 2) % PITCH < 3] = 0
    return values, {"labels": "nuclei", "offset": [y, x], "values": packed(values)}


def _section(slide: Slide, folder: Path) -> Any:
    """Return a session on the slide: lazy points, labels in a zarr, no table yet."""
    import dask.dataframe as dd
    from spatialdata import SpatialData
    from spatialdata.models import PointsModel
    from spatialdata.transformations import Identity

    from napari_spatialml.session import Session
    from napari_spatialml.session.elements import LabelsElement
    from napari_spatialml.session.grid import LabelGrid

    _write_transcripts(slide, folder / "rna")
    points = PointsModel.parse(
        dd.read_parquet(folder / "rna"),
        coordinates={"x": "x", "y": "y"},
        feature_key="gene",
        transformations={"global": Identity()},
    )
    os.environ["NAPARI_SPATIALML_STATE"] = str(folder / "state")
    session = Session.start(SpatialData(points={"rna": points}))
    placed = {"global": np.diag([PIXEL_UM, PIXEL_UM, 1.0]).tolist()}
    session.document.put(("labels", "nuclei"), LabelsElement(LabelGrid([_labels(slide, folder)]), placed))
    return session


def _labels(slide: Slide, folder: Path) -> Any:
    import zarr

    step = 1024
    shape = (slide.edge, slide.edge)
    labels: Any = zarr.create_array(str(folder / "labels.zarr"), shape=shape, chunks=(step, step), dtype="int32")
    for y in range(0, slide.edge, step):
        rows = np.arange(y, min(y + step, slide.edge))[:, None]
        labels[y : y + step] = slide.cells_at(rows, np.arange(slide.edge)[None])
    return labels


def _write_transcripts(slide: Slide, folder: Path, piece: int = 2_000_000) -> None:
    """Write transcripts around cell centres and between them; the genes' shares change from left to right."""
    import pandas as pd

    rng = np.random.default_rng(SEED)
    folder.mkdir()
    share = 1 / np.arange(1, GENES + 1)
    for number, start in enumerate(range(0, slide.transcripts, piece)):
        n = min(piece, slide.transcripts - start)
        at = rng.integers(0, slide.columns, (n, 2)) * PITCH + PITCH / 2 + rng.normal(0, RADIUS / 2, (n, 2))
        loose = rng.random(n) < 0.3
        at[loose] = rng.uniform(0, slide.edge, (int(loose.sum()), 2))
        codes = rng.choice(GENES, n, p=share / share.sum())
        codes = (codes + (at[:, 1] * 8 / slide.edge).astype(int)) % GENES
        gene = pd.Categorical.from_codes(codes, [f"gene{i:03d}" for i in range(GENES)])
        um = (at * PIXEL_UM).astype(np.float32)
        frame = pd.DataFrame({"x": um[:, 1], "y": um[:, 0], "gene": gene})
        frame.to_parquet(folder / f"part.{number}.parquet", index=False)


def _counted(session: Any, slide: Slide) -> None:
    """Give the labels their table: what a segmentation of this slide would have left."""
    import pandas as pd
    import scipy.sparse as sp
    from anndata import AnnData

    from napari_spatialml.core.assignment import count
    from napari_spatialml.session.counting import with_counts
    from napari_spatialml.session.transcripts import index_of

    index, n = index_of(session.document, "rna"), slide.columns**2
    values: Any = sp.csr_matrix((n, len(index.genes)), dtype=np.float32)
    for where, codes in index.blocks():
        y, x = np.floor(where.astype(float) / PIXEL_UM).astype(np.int64).T
        values = values + count(slide.cells_at(y, x) - 1, codes, n, len(index.genes))
    ids = np.arange(1, n + 1)
    pixels = int((slide.cells_at(*np.indices((PITCH, PITCH))) > 0).sum())
    centre = np.stack(np.divmod(ids - 1, slide.columns), 1) * PITCH + PITCH // 2 + 0.5
    obs = pd.DataFrame({"region": pd.Categorical(["nuclei"] * n), "instance_id": ids}, index=ids.astype(str))
    obs["area_um2"] = pixels * PIXEL_UM**2
    obs["centroid_y_um"], obs["centroid_x_um"] = (centre * PIXEL_UM).T
    obs["diameter_um"] = 2 * np.sqrt(pixels / np.pi) * PIXEL_UM
    table = AnnData(X=np.zeros((n, 0), np.float32), obs=obs)
    table.uns["spatialdata_attrs"] = {"region": "nuclei", "region_key": "region", "instance_key": "instance_id"}
    document = session.document
    document.put(("tables", "nuclei_table"), with_counts(table, values, index.genes))
    about = {"transcripts": "rna", "unassigned": index.total - int(values.sum(dtype=np.float64))}
    document.put(("attrs", "segmentations"), {"nuclei": about})


def _forget_peak() -> None:
    """Begin to measure the peak of memory anew, where the system can."""
    if Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> float:
    """Return the peak of memory since the last `_forget_peak`, without files that are mapped now."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    held = {line.split(":")[0]: line.split()[1] for line in status.read_text().splitlines() if line.endswith("kB")}
    return (float(held["VmHWM"]) - float(held["RssFile"])) / 1024
