"""The transcripts of a window are those of the whole table, whatever the index was made from."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from spatialdata import SpatialData, read_zarr
from spatialdata.models import PointsModel
from spatialdata.transformations import Affine

from napari_spatialml.errors import DocumentError
from napari_spatialml.session import transcript_index
from napari_spatialml.session.document import Document
from napari_spatialml.session.index_files import FOLDER
from napari_spatialml.session.transcript_index import TranscriptIndex
from napari_spatialml.session.transcripts import index_of, index_to_see

warnings.simplefilter("ignore")
GENES = ["EPCAM", "PTPRC", "VIM", "never seen"]
TURNED = [[0.0, 2.0, 30.0], [-2.0, 0.0, 500.0], [0, 0, 1]]


def molecules(n: int, seed: int = 0, dtype: Any = np.float64) -> pd.DataFrame:
    """Return transcripts; some without a place, some without a gene."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(-1, 3, n)
    frame = pd.DataFrame(
        {"x": rng.uniform(0, 400, n), "y": rng.uniform(-50, 200, n), "gene": pd.Categorical.from_codes(codes, GENES)}
    ).astype({"x": dtype, "y": dtype})
    frame.loc[::17, "x"] = np.nan
    return frame


def document_of(frame: pd.DataFrame, npartitions: int = 3, matrix: Any = TURNED) -> Document:
    import dask.dataframe as dd

    lazy = dd.from_pandas(frame, npartitions=npartitions)
    placed = {"global": Affine(matrix, ("x", "y"), ("x", "y"))}
    axes = {axis: axis for axis in ("x", "y", "z") if axis in frame}
    points = PointsModel.parse(lazy, coordinates=axes, feature_key="gene", transformations=placed)
    return Document(SpatialData(points={"rna": points}))


def on_disk(frame: pd.DataFrame, folder: Path) -> Document:
    """Return a document whose points lie in parquet files."""
    document_of(frame).sdata.write(folder / "points.zarr")
    return Document(read_zarr(folder / "points.zarr"))


def brute(frame: pd.DataFrame, document: Document, box: tuple[float, ...]) -> list[tuple[float, float, str]]:
    """Return the transcripts of a window by looking at every one."""
    frame = frame[np.isfinite(frame["x"]) & frame["gene"].notna()]
    own = frame[["y", "x"]].to_numpy(float)
    m = document.affine("rna").matrix
    y, x = ((m[r, 0] * own[:, 0] + m[r, 1] * own[:, 1]) + m[r, 2] for r in (0, 1))
    inside = (y >= box[0]) & (y < box[1]) & (x >= box[2]) & (x < box[3])
    return sorted(zip(y[inside], x[inside], frame["gene"].astype(str)[inside], strict=True))


def found(index: TranscriptIndex, box: tuple[float, ...]) -> list[tuple[float, float, str]]:
    where, codes = index.window(*box)
    return sorted(zip(where[:, 0], where[:, 1], (index.genes[c] for c in codes), strict=True))


BOXES = [(0, 1e4, -1e4, 1e4), (100, 164, 64, 128), (250.5, 251, 0, 900), (-9e3, -8e3, 0, 10), (430, 1e4, 300, 1e4)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("where", ["memory", "disk"])
def test_a_window_holds_the_transcripts_that_lie_in_it(
    where: str, dtype: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_spatialml.session.tiling._STEP", 700)  # several pieces, several groups of tiles
    frame = molecules(5_000, dtype=dtype)
    document = document_of(frame) if where == "memory" else on_disk(frame, tmp_path)
    index = TranscriptIndex.open_or_build(document, "rna", tmp_path / "home")
    assert (tmp_path / "home" / FOLDER / "rna" / "head.json").exists() == (where == "disk")
    assert index.genes == ("EPCAM", "PTPRC", "VIM"), "sorted, and only those that occur"
    assert index.total == 5_000
    assert index.placed == int((np.isfinite(frame["x"]) & frame["gene"].notna()).sum())
    for box in BOXES:
        assert found(index, box) == brute(frame, document, box)
    assert sum(len(codes) for _, codes in index.blocks(999)) == index.placed


def test_the_order_on_disk_is_by_tile_and_then_by_gene_as_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_spatialml.session.tiling._STEP", 500)
    document = document_of(molecules(4_000))
    small = TranscriptIndex.open_or_build(document, "rna", tmp_path)
    monkeypatch.setattr(transcript_index, "IN_MEMORY", 0)
    large = TranscriptIndex.open_or_build(document, "rna", tmp_path)
    assert (tmp_path / FOLDER / "rna").is_dir()
    for part in ("coordinates", "codes", "starts"):
        assert np.array_equal(getattr(small._arrays, part), getattr(large._arrays, part)), part
    tile = np.repeat(np.arange(small._tiling.n), np.diff(small._arrays.starts))
    assert (np.diff(tile * 3 + small._arrays.codes) >= 0).all()


def made_at(folder: Path) -> int:
    return (folder / FOLDER / "rna" / "head.json").stat().st_mtime_ns


def test_the_index_is_made_once_and_again_when_it_is_stale_or_damaged(tmp_path: Path) -> None:
    document, home = on_disk(molecules(3_000), tmp_path), tmp_path / "home"
    first = TranscriptIndex.open_or_build(document, "rna", home)
    expected, made = found(first, BOXES[1]), made_at(home)
    TranscriptIndex.open_or_build(document, "rna", home)
    assert made_at(home) == made, "it was made twice"
    folder = home / FOLDER / "rna"
    for harm in (_cut, _flipped, _other_version, _no_head, _lying_head):
        harm(folder)
        again = TranscriptIndex.open_or_build(document, "rna", home)
        assert made_at(home) != made, harm.__name__
        assert found(again, BOXES[1]) == expected, harm.__name__
        made = made_at(home)
    assert sorted(p.name for p in folder.parent.iterdir()) == [".making.lock", "rna"], "something was left behind"
    frame = molecules(3_000, seed=1)
    other = on_disk(frame, tmp_path / "other")
    again = TranscriptIndex.open_or_build(other, "rna", home)
    assert found(again, BOXES[1]) == brute(frame, other, BOXES[1]), "the index of other points was used"


def _cut(folder: Path) -> None:
    data = (folder / "coordinates.npy").read_bytes()
    (folder / "coordinates.npy").write_bytes(data[:-100])


def _flipped(folder: Path) -> None:
    data = bytearray((folder / "codes.npy").read_bytes())
    data[-1] ^= 1
    (folder / "codes.npy").write_bytes(bytes(data))


def _other_version(folder: Path) -> None:
    head = json.loads((folder / "head.json").read_text())
    (folder / "head.json").write_text(json.dumps({**head, "version": 0}))


def _no_head(folder: Path) -> None:
    (folder / "head.json").write_text("{")


def _lying_head(folder: Path) -> None:
    head = json.loads((folder / "head.json").read_text())
    (folder / "head.json").write_text(json.dumps({**head, "tiles": [1, 2]}))


def test_points_without_a_place_or_without_genes_are_told_in_words(tmp_path: Path) -> None:
    empty = document_of(molecules(40).assign(x=np.nan), 1)
    index = TranscriptIndex.open_or_build(empty, "rna", tmp_path)
    assert (index.placed, index.total, index.genes) == (0, 40, ())
    assert len(index.window(0, 10, 0, 10)[0]) == 0
    bare = Document(SpatialData(points={"rna": PointsModel.parse(molecules(9).drop(columns="gene"))}))
    with pytest.raises(DocumentError, match="not in the section"):
        index_of(bare, "rna")


@pytest.mark.parametrize("partitions", [1, 3])
@pytest.mark.parametrize("sorted_on_disk", [False, True])
def test_points_that_name_no_gene_can_be_looked_at_but_not_counted(monkeypatch, sorted_on_disk, partitions) -> None:
    import dask.dataframe as dd

    if sorted_on_disk:
        monkeypatch.setattr(transcript_index, "IN_MEMORY", 0)
    frame = molecules(900).drop(columns="gene")
    elsewhere = {"slide": Affine([[0.5, 0, 3], [0, 0.5, 4], [0, 0, 1]], ("x", "y"), ("x", "y"))}
    parsed = PointsModel.parse(dd.from_pandas(frame, npartitions=partitions), transformations=elsewhere)
    document = Document(SpatialData(points={"dots": parsed}))
    index = index_to_see(document, "dots")
    placed = frame.dropna()
    assert (index.placed, index.total, index.genes) == (len(placed), 900, ("",))
    found = index.window(-1e6, 1e6, -1e6, 1e6)[0]
    expected = placed[["y", "x"]].to_numpy() * 0.5 + [4, 3]
    assert np.allclose(found[np.lexsort(found.T)], expected[np.lexsort(expected.T)])
    with pytest.raises(DocumentError, match="not in the section"):
        index_of(document, "dots")


def test_the_index_follows_its_points_when_they_are_moved() -> None:
    document = document_of(molecules(500))
    y = index_of(document, "rna").window(-1e6, 1e6, -1e6, 1e6)[0][:, 0]
    document.put(("transforms", "points", "rna", "global"), [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    assert index_of(document, "rna")._arrays is index_of(document, "rna")._arrays, "it was sorted again"
    now = index_of(document, "rna").window(-1e6, 1e6, -1e6, 1e6)[0][:, 0]
    assert len(now) == len(y) and not np.allclose(now, y)
