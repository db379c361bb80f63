"""Tables larger than memory should hold: their counts stay in the store, and nothing else notices."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core.count_rows import CountRows, HeldRows, row_blocks
from napari_spatialml.errors import BadInput
from napari_spatialml.io import stored_counts
from napari_spatialml.io.stored_counts import StoredRows
from napari_spatialml.methods import method
from napari_spatialml.session import DeconvolutionSelection, Session, run
from napari_spatialml.session.spot_counts import spot_counts

from .conftest import small_section

GENERATOR = np.random.default_rng(8)
PROFILES = GENERATOR.dirichlet(np.full(60, 0.3), 3)
COUNTS = sp.csr_matrix(GENERATOR.poisson(GENERATOR.dirichlet(np.ones(3), 12) @ PROFILES * 800).astype(np.float32))
GENES = [f"Gene{i}" for i in range(60)]
NNLS = method("deconvolution", "nnls")


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_counts, "LARGE", 300)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A section whose table of spots has 12 rows and 60 genes, and a reference beside it."""
    made = small_section()
    old = made.tables["counts"]
    table = ad.AnnData(COUNTS, obs=old.obs, uns=old.uns)
    table.var_names = GENES
    del made.tables["counts"]
    made.tables["counts"] = table
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.write(tmp_path / "section.zarr")
    types = np.repeat(["B", "T", "tumour"], 15)
    cells = ad.AnnData(
        sp.csr_matrix(GENERATOR.poisson(np.repeat(PROFILES, 15, axis=0) * 900)), obs={"cell_type": types}
    )
    cells.var_names = GENES
    cells.write_h5ad(tmp_path / "reference.h5ad")
    return tmp_path / "section.zarr"


@pytest.fixture
def opened(store: Path) -> Iterator[Session]:
    session = Session.open_store(store)
    yield session
    session.close()


@pytest.mark.parametrize("form", ["csr", "csr64", "dense"])
@pytest.mark.parametrize("chunk", [7, 500])
def test_rows_from_a_store_are_those_that_were_written(tmp_path: Path, form: str, chunk: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(stored_counts, "_SLAB", 90)
    group = zarr.open_group(str(tmp_path / "t.zarr"), mode="w")
    counts = COUNTS.copy()
    if form == "csr64":
        counts.indices, counts.indptr = counts.indices.astype(np.int64), counts.indptr.astype(np.int64)
    ad.io.write_elem(
        group,
        "X",
        counts.toarray() if form == "dense" else counts,
        dataset_kwargs={"chunks": chunk} if form != "dense" else {},
    )
    rows = StoredRows(tmp_path / "t.zarr" / "X")
    assert rows.shape == COUNTS.shape
    for size in (1, 5, 12, 40):
        blocks = list(row_blocks(rows, size))
        assert all(block.shape == (part.stop - part.start, 60) for part, block in blocks)
        assert (sp.vstack([block for _, block in blocks]) != COUNTS).nnz == 0
    for start, stop in ((8, 12), (0, 3), (4, 4), (2, 11)):
        assert (rows.rows(start, stop).toarray() == COUNTS[start:stop].toarray()).all()


@given(st.integers(0, 12), st.integers(0, 12))
@settings(max_examples=10, deadline=None)
def test_rows_in_memory_are_the_same_rows(a: int, b: int) -> None:
    start, stop = sorted((a, b))
    assert (HeldRows(COUNTS).rows(start, stop).toarray() == COUNTS[start:stop].toarray()).all()


def test_counts_that_are_none_are_refused_when_they_are_read(tmp_path: Path) -> None:
    for value, words in ((-1.0, "negative"), (np.nan, "NaN")):
        wrong = COUNTS.copy()
        wrong.data[3] = value
        group = zarr.open_group(str(tmp_path / f"{words}.zarr"), mode="w")
        ad.io.write_elem(group, "X", wrong)
        with pytest.raises(BadInput, match=words):
            StoredRows(tmp_path / f"{words}.zarr" / "X").rows(0, 12)
        with pytest.raises(BadInput, match="NaN, infinite or negative"):
            HeldRows(wrong)
    ad.io.write_elem(group, "X", sp.csc_matrix(COUNTS))
    with pytest.raises(BadInput, match=r"stored by genes \(csc_matrix\).*as CSR"):
        StoredRows(tmp_path / "NaN.zarr" / "X")


def test_a_damaged_store_is_told_in_words(tmp_path: Path) -> None:
    group = zarr.open_group(str(tmp_path / "t.zarr"), mode="w")
    ad.io.write_elem(group, "X", COUNTS)
    group["X/indices"][5] = 60
    with pytest.raises(BadInput, match="names a gene that is not there"):
        StoredRows(tmp_path / "t.zarr" / "X").rows(0, 12)
    group["X/indptr"][3] = 100_000
    with pytest.raises(BadInput, match="rows do not fit its values"):
        StoredRows(tmp_path / "t.zarr" / "X")
    next((tmp_path / "t.zarr" / "X" / "indptr" / "c").rglob("0")).write_bytes(b"?")
    with pytest.raises(BadInput, match="damaged"):
        StoredRows(tmp_path / "t.zarr" / "X")


def test_a_run_from_the_store_never_reads_the_matrix_and_gives_the_same(store: Path, monkeypatch: Any) -> None:
    """Opened, deconvolved and saved without the matrix; to the bit what a run in memory gives."""
    found = []
    for large in (300, 10**9):
        monkeypatch.setattr(stored_counts, "LARGE", large)
        session = Session.open_store(store)
        run(session, NNLS(), DeconvolutionSelection("counts", str(store.parent / "reference.h5ad"), output=f"p{large}"))
        session.save()
        table = session.document.table("counts")
        assert (getattr(table, "stored", None) is not None) == (large == 300)
        assert session.history[-1].record["inputs"]
        found.append(table.obsm[f"p{large}"].to_numpy())
        session.close()
    assert np.array_equal(*found)
    again = Session.open_store(store)
    assert np.array_equal(again.document.table("counts").obsm["p300"].to_numpy(), found[0])
    assert (again.document.table("counts").X != COUNTS).nnz == 0
    again.close()


def test_whoever_asks_for_the_matrix_gets_it(opened: Session) -> None:
    table = opened.document.table("counts")
    assert table.stored is not None and table.shape == (12, 60)
    assert isinstance(spot_counts(opened.document, "counts").values, StoredRows)
    some = table[[3, 1]].copy()
    assert type(some) is ad.AnnData and (COUNTS[[3, 1]] != some.X).nnz == 0
    assert table.stored is None and (table.X != COUNTS).nnz == 0
    held = spot_counts(opened.document, "counts").values
    assert isinstance(held, HeldRows) and isinstance(held, CountRows)
    assert opened.document.regions("counts") == ("spots",)


def test_a_section_saved_elsewhere_takes_its_matrix_along(opened: Session, tmp_path: Path) -> None:
    opened.save(tmp_path / "copy.zarr")
    other = Session.open_store(tmp_path / "copy.zarr")
    assert (other.document.table("counts").X != COUNTS).nnz == 0
    other.close()


def test_a_matrix_that_was_replaced_behind_the_window_is_not_taken_for_the_old_one(
    opened: Session, store: Path
) -> None:
    table = opened.document.table("counts")
    group = zarr.open_group(str(store / "tables" / "counts"), mode="r+")
    ad.io.write_elem(group, "X", COUNTS * 2)
    assert table.stored is None
    with pytest.raises(BadInput, match="replaced in its store since it was opened"):
        _ = table.X
