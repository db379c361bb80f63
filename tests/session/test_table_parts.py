"""What we write of a table past zarr's event loop is what anndata reads, to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata.io import read_elem
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.session import table_parts
from napari_spatialml.session.blocks import Exchange, RowBlocks
from napari_spatialml.session.rows import places_of
from napari_spatialml.session.table_parts import write_part


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    import zarr

    monkeypatch.setattr(table_parts, "_LONG", 64)
    monkeypatch.setattr(table_parts, "_COUNTS", 100)
    return zarr.open_group(tmp_path / "g.zarr", mode="a", zarr_format=3)


@pytest.mark.parametrize("n", [3, 64, 65, 128, 200])
def test_a_frame_comes_back_with_its_names_in_any_script(group: Any, n: int) -> None:
    rng = np.random.default_rng(n)
    frame = pd.DataFrame(
        {
            "area": np.where(rng.random(n) < 0.1, np.nan, rng.random(n)),
            "id": np.arange(n),
            "small": rng.integers(-100, 100, n).astype(np.int8),
            "kind": pd.Categorical(rng.choice(["x", "ß"], n), categories=["ß", "x", "unused"]),
            "words": [f"Zelle 細胞 {i}" if i % 3 else "" for i in range(n)],
            "hand": rng.random(n) < 0.5,
        },
        index=pd.Index([f"c{i}" for i in range(n)], name="cell"),
    )
    write_part(group, "obs", frame)
    pd.testing.assert_frame_equal(read_elem(group["obs"]), frame)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint64"])
def test_rows_in_blocks_come_back_as_one_matrix(group: Any, dtype: str) -> None:
    whole = (sp.random(500, 9, 0.3, "csr", random_state=0) * 9).astype(dtype)
    rows = RowBlocks([whole[:0], whole[:7], whole[7:7], whole[7:300], whole[300:]])
    write_part(group, "X", rows.exchanged(Exchange(500, np.array([3, 299]), np.array([0])), whole[9:10]))
    expected = sp.vstack([whole[9:10], whole[np.delete(np.arange(500), [3, 299])]], "csr")
    found = read_elem(group["X"])
    assert found.shape == (499, 9)
    assert found.dtype == expected.dtype
    for part in ("data", "indices", "indptr"):
        assert np.array_equal(getattr(found, part), getattr(expected, part))


@pytest.mark.parametrize("values", [sp.csr_matrix((3, 4), dtype=np.float32), np.eye(70), sp.csc_matrix(np.eye(3))])
def test_what_is_short_dense_or_by_columns_comes_back_too(group: Any, values: Any) -> None:
    write_part(group, "part", values)
    found = read_elem(group["part"])
    assert type(found) is type(values)
    assert np.array_equal(sp.csr_matrix(found).toarray(), sp.csr_matrix(values).toarray())


@settings(max_examples=60, deadline=None)
@given(held=st.sets(st.integers(0, 30), min_size=1), gone=st.sets(st.integers(0, 30)), come=st.sets(st.integers(0, 30)))
def test_new_rows_stand_where_the_ids_go_on_ascending(held: set[int], gone: set[int], come: set[int]) -> None:
    instances = np.array(sorted(held))
    leaving = np.flatnonzero(np.isin(instances, sorted(gone)))
    ids = np.array(sorted(come - (held - gone)), dtype=np.int64)
    after = np.full(len(instances) - len(leaving) + len(ids), -1)
    places = places_of(instances, leaving, ids)
    after[places] = ids
    after[after < 0] = np.delete(instances, leaving)
    assert after.tolist() == sorted((held - gone) | set(ids.tolist()))
