"""Rows of a table taken out and put in, in blocks: the table that plain AnnData would give."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.errors import DocumentError
from napari_spatialml.session import Session, blocks, correct, rows
from napari_spatialml.session.blocks import Exchange, RowBlocks, woven
from napari_spatialml.session.changes import EditRows, Rows
from napari_spatialml.session.command import Command
from napari_spatialml.session.document import Document
from napari_spatialml.session.hand_table import HandTable
from napari_spatialml.session.values import encode

from .conftest import small_section


@pytest.fixture(autouse=True, scope="module")
def _small_blocks() -> Any:
    kept, blocks.ROWS = blocks.ROWS, 3
    yield
    blocks.ROWS = kept


@st.composite
def exchanges(draw: st.DrawFn, n: int) -> Exchange:
    gone = draw(st.permutations(range(n)))[: draw(st.integers(0, n))]
    after = draw(st.integers(n - len(gone), n - len(gone) + 4))
    come = draw(st.permutations(range(after)))[: after - n + len(gone)]
    return Exchange(n, np.array(gone, np.int64), np.array(come, np.int64))


def order_of(exchange: Exchange) -> np.ndarray:
    """The rows afterwards, by number: new ones count on from n."""
    kept = [i for i in range(exchange.n) if i not in set(exchange.gone.tolist())]
    made = np.full(len(kept) + len(exchange.come), -1)
    made[exchange.come] = exchange.n + np.arange(len(exchange.come))
    made[made < 0] = kept
    return made


@settings(max_examples=60, deadline=None)
@given(data=st.data(), n=st.integers(0, 12), seed=st.integers(0, 9))
def test_blocks_equal_the_plain_matrix_after_any_exchanges(data: st.DataObject, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    plain = sp.csr_matrix(rng.poisson(0.7, (n, 4)).astype(np.float32))
    held = RowBlocks.of(plain)
    states = []
    for _ in range(3):
        exchange = data.draw(exchanges(held.shape[0]))
        fresh = sp.csr_matrix(rng.poisson(0.7, (len(exchange.come), 4)).astype(np.float32))
        states.append((held, plain.toarray()))
        order = order_of(exchange)
        plain = sp.csr_matrix(np.vstack([plain.toarray(), fresh.toarray()])[order])
        assert np.array_equal(
            woven(exchange, np.arange(exchange.n), exchange.n + np.arange(len(fresh.indptr) - 1)), order
        )
        held = held.exchanged(exchange, fresh)
        some = rng.integers(0, max(plain.shape[0], 1), 5 if plain.shape[0] else 0)
        assert np.array_equal(held.taken(some).toarray(), plain[some].toarray())
        if data.draw(st.booleans()):
            assert np.array_equal(held.whole().toarray(), plain.toarray())
            assert held.whole().has_canonical_format and held.shape == plain.shape
    assert np.array_equal(held.whole().toarray(), plain.toarray())
    for before, values in states:
        assert np.array_equal(before.whole().toarray(), values), "who held the matrix saw it change"


def table_of(names: list[str], seed: int) -> ad.AnnData:
    """Return a table with a part of every kind."""
    rng, n = np.random.default_rng(seed), len(names)
    obs = pd.DataFrame(
        {
            "area": rng.random(n).astype(np.float32),
            "n": rng.integers(0, 9, n),
            "kind": pd.Categorical(rng.choice(["a", "b", None], n), categories=["b", "a"]),
            "note": rng.choice(["x", "y"], n),
            "good": rng.random(n) < 0.5,
        },
        index=names,
    )
    table = ad.AnnData(sp.csr_matrix(rng.poisson(1.0, (n, 3)).astype(np.float32)), obs=obs)
    table.obsm["frame"] = pd.DataFrame(rng.random((n, 2)), index=names, columns=["c0", "c1"])
    table.obsm["array"] = rng.random((n, 2))
    table.layers["more"] = sp.csr_matrix(rng.poisson(1.0, (n, 3)).astype(np.float32))
    return table


@settings(max_examples=40, deadline=None)
@given(data=st.data(), n=st.integers(1, 9), seed=st.integers(0, 99))
def test_a_table_that_the_hand_changes_equals_the_plain_one(data: st.DataObject, n: int, seed: int) -> None:
    exchange = data.draw(exchanges(n))
    whole = table_of([f"cell{i}" for i in range(n)], seed)
    fresh = table_of([f"cell{i}" if data.draw(st.booleans()) else f"new{i}" for i in exchange.come], seed + 1)
    hand = HandTable.of(whole)
    before, x, area = encode(hand, compress=False), hand.X, hand.obs["area"].to_numpy()
    values, numbers = x.toarray(), area.copy()
    old = hand.taken(np.sort(exchange.gone))
    hand.exchange(exchange, fresh)
    order = order_of(exchange)
    expected = ad.concat([whole, fresh])[order]
    assert np.array_equal(hand.X.toarray(), expected.X.toarray())
    assert np.array_equal(hand.layers["more"].toarray(), expected.layers["more"].toarray())
    assert np.array_equal(hand.obsm["array"], expected.obsm["array"])
    assert list(hand.obs_names) == list(expected.obs_names) and hand.shape == expected.shape
    for column in whole.obs.columns:
        assert hand.obs[column].astype(object).tolist() == pytest.approx(
            expected.obs[column].astype(object).tolist(), nan_ok=True
        )
        assert hand.obs[column].dtype == whole.obs[column].dtype
    pd.testing.assert_frame_equal(hand.obsm["frame"], pd.concat([whole.obsm["frame"], fresh.obsm["frame"]]).iloc[order])
    assert np.array_equal(x.toarray(), values) and np.array_equal(area, numbers), "who held a part saw it change"
    hand.exchange(Exchange(hand.n_obs, exchange.come, np.sort(exchange.gone)), old)
    after = encode(hand, compress=False)
    assert (after.meta, after.buffers) == (before.meta, before.buffers), "undo gives back every bit"
    assert type(hand.copy()) is ad.AnnData and type(hand.plain()) is ad.AnnData


def test_rows_that_are_not_there_change_nothing(session: Session) -> None:
    document: Document = session.document
    table = document.table("counts")
    before = document.fingerprint(("tables", "counts"))
    for gone, come in (([40], [0]), ([1, 1], [0]), ([0], [12]), ([0], [3, 3])):
        sides = [Rows(np.array(side), table[np.zeros(len(side), int)].copy()) for side in (gone, come)]
        with pytest.raises(DocumentError):
            session.execute(Command("edit", (EditRows("counts", *sides),)))
        assert document.fingerprint(("tables", "counts")) == before


@settings(max_examples=25, deadline=None)
@given(ids=st.lists(st.integers(0, 30), unique=True, max_size=12), wanted=st.lists(st.integers(0, 40), max_size=5))
@pytest.mark.parametrize("ascending", [True, False])
def test_rows_are_found_by_what_they_annotate(ascending: bool, ids: list[int], wanted: list[int]) -> None:
    instances = np.array(sorted(ids) if ascending else ids, np.int64)
    assert rows.rows_with(instances, wanted).tolist() == [k for k, i in enumerate(instances) if i in wanted]


def test_what_is_saved_is_what_plain_anndata_reads(tmp_path: Path) -> None:
    """Deleted, merged, painted and undone cells; then spatialdata alone opens the store."""
    from spatialdata import read_zarr

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = Session.start(small_section())
        session.save(tmp_path / "s.zarr")
        files = {p: p.stat().st_mtime_ns for p in (tmp_path / "s.zarr/tables").rglob("*") if p.is_file()}
        for name, cells in (
            ("merge-cells", [1, 2]),
            ("delete-cells", [5]),
            ("delete-cells", [7]),
            ("delete-cells", [8]),
        ):
            session.execute(correct(session.document, name, labels="nuclei", cells=cells))
        session.undo()
        session.save()
        kept = {p for p, when in files.items() if p.exists() and p.stat().st_mtime_ns == when}
        assert any("nuclei_table/var" in str(p) for p in kept) and any("tables/counts/" in str(p) for p in kept)
        for _ in range(2):
            found, held = read_zarr(tmp_path / "s.zarr").tables["nuclei_table"], session.document.table("nuclei_table")
            assert np.array_equal(np.asarray(found.X), np.asarray(held.X))
            pd.testing.assert_frame_equal(found.obs, held.obs, check_categorical=False, check_names=False)
            session.execute(
                correct(session.document, "delete-cells", labels="nuclei", cells=list(held.obs["instance_id"]))
            )
            assert session.document.table("nuclei_table").n_obs == 0
            session.save()
            assert read_zarr(tmp_path / "s.zarr").tables["nuclei_table"].n_obs == 0
            session.undo()
            session.save()
        session.close()
