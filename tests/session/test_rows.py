"""Rows of a table taken out and put in: the fast way equals the plain one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from napari_spatialml.session import changes


@given(data=st.data(), n=st.integers(0, 8), more=st.integers(0, 4), limit=st.sampled_from([0, 10_000]))
def test_sparse_rows_and_categories_are_put_in_order(data: st.DataObject, n: int, more: int, limit: int) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    top, bottom = (sp.csr_matrix(rng.poisson(0.7, (k, 3)).astype(np.float32)) for k in (n, more))
    order = np.array(data.draw(st.permutations(range(n + more))), dtype=np.int64)
    order = order[: data.draw(st.integers(0, n + more))]
    kept = changes._MOST_RUNS
    changes._MOST_RUNS = limit
    try:
        found = changes._below(top, bottom, order)
    finally:
        changes._MOST_RUNS = kept
    expected = np.vstack([top.toarray(), bottom.toarray()])[order]
    assert np.array_equal(found.toarray(), expected) and found.shape == expected.shape
    assert found.has_canonical_format or limit == 0
    names = pd.Series(pd.Categorical(rng.choice(["a", "b", None], n), categories=["b", "a"]))
    added = pd.Series(pd.Categorical(rng.choice(["a", "new"], more), categories=["new", "a"]))
    column = changes._column(names, added, order)
    assert list(column.astype(object)) == list(np.concatenate([names.astype(object), added.astype(object)])[order])
    assert list(column.categories[:2]) == ["b", "a"]
