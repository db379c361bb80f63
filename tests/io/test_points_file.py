"""Transcripts in parquet files open lazily, in µm, whoever wrote them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_spatialml.errors import BadInput, UnitNeeded
from napari_spatialml.io import open_files
from napari_spatialml.io.opening import recognise
from napari_spatialml.session.document import Document
from napari_spatialml.session.transcript_index import TranscriptIndex, transcript_source

warnings.simplefilter("ignore")
REAL = Path(__file__).parents[3] / "shared" / "data" / "transcripts_xenium"
NAMES = {
    "xenium": ("x_location", "y_location", "z_location", "feature_name"),
    "merscope": ("global_x", "global_y", "global_z", "gene"),
    "cosmx": ("x_global_px", "y_global_px", "z", "target"),
    "points": ("x", "y", "z", "gene"),
}


def rows(n: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.uniform(0, 50, (n, 3)), columns=["x", "y", "z"])
    frame["gene"] = rng.choice(["EPCAM", "VIM"], n)
    return frame.assign(qv=rng.uniform(0, 40, n).astype(np.float32))


@pytest.mark.parametrize("vendor", NAMES)
@pytest.mark.parametrize("binary", [False, True])
def test_each_vendor_s_columns_become_places_in_um(vendor: str, binary: bool, tmp_path: Path):
    frame = rows()
    held = frame.rename(columns=dict(zip(["x", "y", "z", "gene"], NAMES[vendor], strict=True)))
    if binary:
        held[NAMES[vendor][3]] = held[NAMES[vendor][3]].str.encode("ascii")
    if vendor == "merscope":
        held = held.assign(x=0.0, y=0.0)  # pixels of one field of view
    held.to_parquet(tmp_path / "transcripts.parquet")
    stated = {} if vendor in ("xenium", "merscope") else {"um_per_unit": 0.5}
    document = Document(open_files(tmp_path / "transcripts.parquet", **stated))
    index = TranscriptIndex.open_or_build(document, "transcripts", tmp_path / "home")
    where, codes = index.window(-1, 100, -1, 100)
    factor = stated.get("um_per_unit", 1.0)
    found = sorted((*place, index.genes[code]) for place, code in zip(where.tolist(), codes, strict=True))
    assert np.allclose([f[:2] for f in found], sorted((frame[["y", "x"]] * factor).to_numpy().tolist()))
    assert index.genes == ("EPCAM", "VIM") and index.measures == ("quality", "z")
    assert transcript_source(document, "transcripts").files, "it lies on disk, and is read piece by piece"


def test_a_unit_that_is_not_said_is_asked_for(tmp_path: Path):
    rows().to_parquet(tmp_path / "t.parquet")
    with pytest.raises(UnitNeeded):
        open_files(tmp_path / "t.parquet")


def test_a_folder_of_pieces_is_one_and_other_tables_are_none(tmp_path: Path):
    (tmp_path / "parts").mkdir()
    for k in range(12):
        rows(10, k).to_parquet(tmp_path / "parts" / f"part.{k}.parquet")
    document = Document(open_files(tmp_path / "parts", um_per_unit=1.0))
    held = document.element("transcripts").compute()
    assert np.array_equal(held["x"], pd.concat([rows(10, k) for k in range(12)])["x"]), "in the order of their numbers"
    pd.DataFrame({"barcode": ["a"], "x": [1.0]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(BadInput, match="not a format"):
        recognise(tmp_path / "other.parquet")
    (tmp_path / "parts" / "notes.txt").write_text("no parquet")
    with pytest.raises(BadInput):
        recognise(tmp_path / "parts")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(BadInput):
        recognise(tmp_path / "cut.parquet")


def test_real_transcripts_open_without_being_read():
    if not REAL.exists():
        pytest.skip(f"the real transcripts are not at {REAL}")
    document = Document(open_files(REAL, um_per_unit=1.0))
    source = transcript_source(document, "transcripts", measured=True)
    assert len(source.files) == 8 and source.kinds() == {"z": np.dtype(np.float32)}
    assert sum(len(where) for where, _, _ in source.pieces()) == 213_191
