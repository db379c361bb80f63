"""Rows of a table taken out and put in: the fast way equals the plain one."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from napari_spatialml.session import rows
from napari_spatialml.session.values import encode


@given(data=st.data(), n=st.integers(0, 8), more=st.integers(0, 4), limit=st.sampled_from([0, 10_000]))
def test_sparse_rows_and_categories_are_put_in_order(data: st.DataObject, n: int, more: int, limit: int) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    top, bottom = (sp.csr_matrix(rng.poisson(0.7, (k, 3)).astype(np.float32)) for k in (n, more))
    order = np.array(data.draw(st.permutations(range(n + more))), dtype=np.int64)
    order = order[: data.draw(st.integers(0, n + more))]
    kept = rows._MOST_RUNS
    rows._MOST_RUNS = limit
    try:
        found = rows._below(top, bottom, order)
    finally:
        rows._MOST_RUNS = kept
    expected = np.vstack([top.toarray(), bottom.toarray()])[order]
    assert np.array_equal(found.toarray(), expected) and found.shape == expected.shape
    assert found.has_canonical_format or limit == 0
    names = pd.Series(pd.Categorical(rng.choice(["a", "b", None], n), categories=["b", "a"]))
    added = pd.Series(pd.Categorical(rng.choice(["a", "new"], more), categories=["new", "a"]))
    column = rows._column(names, added, order)
    assert list(column.astype(object)) == list(np.concatenate([names.astype(object), added.astype(object)])[order])
    assert list(column.categories[:2]) == ["b", "a"]


def table_of(names: list[str], seed: int) -> ad.AnnData:
    """Return a table with a part of every kind."""
    rng, n = np.random.default_rng(seed), len(names)
    obs = pd.DataFrame(
        {
            "area": rng.random(n).astype(np.float32),
            "n": rng.integers(0, 9, n),
            "kind": pd.Categorical(rng.choice(["a", "b"], n), categories=["b", "a"]),
            "note": rng.choice(["x", "y"], n),
            "good": rng.random(n) < 0.5,
        },
        index=names,
    )
    table = ad.AnnData(sp.csr_matrix(rng.poisson(1.0, (n, 3)).astype(np.float32)), obs=obs)
    table.obsm["frame"] = pd.DataFrame(rng.random((n, 2)), index=names, columns=["c0", "c1"])
    table.obsm["array"] = rng.random((n, 2))
    table.layers["more"] = rng.random((n, 3))
    return table


@given(n=st.integers(1, 7), chosen=st.sets(st.integers(0, 6)), seed=st.integers(0, 99))
def test_rows_replaced_in_place_are_those_taken_out_and_put_in(n: int, chosen: set[int], seed: int) -> None:
    positions = np.array(sorted(i for i in chosen if i < n), dtype=np.int64)
    names = [f"cell{i}" for i in range(n)]
    whole, fresh = table_of(names, seed), table_of([names[i] for i in positions], seed + 1)
    order = np.arange(n)
    order[positions] = n + np.arange(len(positions))
    expected = encode(rows.picked(whole, fresh, order), compress=False)
    before, old, x = encode(whole, compress=False), whole[positions].copy(), whole.X
    rows.replace(whole, positions, fresh)
    found = encode(whole, compress=False)
    assert (found.meta, found.buffers) == (expected.meta, expected.buffers)
    assert len(positions) == 0 or whole.X is not x, "whoever holds the matrix would see it change"
    rows.replace(whole, positions, old)
    back = encode(whole, compress=False)
    assert (back.meta, back.buffers) == (before.meta, before.buffers)
