"""What a table may hold survives the journal, to the bit and to the type."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from napari_spatialml.errors import DocumentError
from napari_spatialml.session import Session, correct
from napari_spatialml.session.changes import Put
from napari_spatialml.session.command import Command
from napari_spatialml.session.values import decode, encode

from .conftest import small_section, state_of

N = 5
COLUMNS = {
    "category": pd.Categorical(["a", None, "b", "a", "a"], categories=["b", "a", "unused"], ordered=True),
    "numbers_as_categories": pd.Categorical([3, 1, 3, 1, 1]),
    "float": np.array([1.5, np.nan, -0.0, np.inf, 2]),
    "int8": np.arange(N, dtype=np.int8),
    "uint64": np.array([0, 1, 2, 3, 2**64 - 1], dtype=np.uint64),
    "bool": np.array([True, False, True, True, False]),
    "text": np.array(["ä", "", "c", None, "e"], dtype=object),
    "nullable_int": pd.array([1, None, 3, 4, 5], dtype="Int64"),
    "nullable_bool": pd.array([True, None, False, True, True], dtype="boolean"),
    "string": pd.array(["x", None, "z", "z", "z"], dtype="string"),
    "time": pd.to_datetime(["2026-01-01", None, "2026-01-03", "2026-01-04", "2026-01-05"]),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_any_type_comes_back_as_it_was(name: str) -> None:
    series = pd.Series(COLUMNS[name])
    packed = encode(series)
    again = decode(packed.meta, packed.buffers)
    if name == "text":
        series = series.where(series.notna(), None)
    pd.testing.assert_series_equal(again, series)


def full_table() -> ad.AnnData:
    rng = np.random.default_rng(0)
    table = ad.AnnData(sp.csr_matrix(rng.poisson(1, (N, 3)).astype(np.float32)), obs=pd.DataFrame(COLUMNS))
    table.obs_names = [f"cell{i}" for i in range(N)]
    table.obs = table.obs.drop(columns="time")  # anndata cannot write times
    table.raw = table.copy()
    table.layers["log"] = np.log1p(table.X.toarray())
    table.obsm["pca"] = rng.normal(size=(N, 2))
    table.obsm["frame"] = pd.DataFrame({"a": np.arange(N), "b": list("vwxyz")}, index=table.obs_names)
    table.obsp["distances"] = sp.csr_matrix(rng.random((N, N)))
    table.varm["loadings"] = rng.normal(size=(3, 2))
    table.uns["colours"] = np.array(["#ff0000", "#00ff00"])
    table.uns["deep"] = {"parameters": {"k": 5, "name": "x", "tolerance": 0.5}, "values": np.arange(4)}
    table.uns["ranked"] = np.array([("g1", 1.0), ("g2", 2.0)], dtype=[("names", "U5"), ("scores", "f4")])
    return table


def test_a_table_comes_back_with_everything_it_held() -> None:
    table = full_table()
    packed = encode(table)
    again = decode(packed.meta, packed.buffers)
    assert encode(again, compress=False).meta == encode(table, compress=False).meta
    assert encode(again, compress=False).buffers == encode(table, compress=False).buffers
    assert again.uns["deep"]["parameters"] == {"k": 5, "name": "x", "tolerance": 0.5}
    assert list(again.uns["ranked"]["names"]) == ["g1", "g2"]
    assert np.array_equal(again.raw.X.toarray(), table.raw.X.toarray())


def test_deleting_a_cell_and_undoing_keeps_pairs_raw_and_the_rest() -> None:
    sdata = small_section()
    table = full_table()
    table.obs["region"] = pd.Categorical(["nuclei"] * N)
    table.obs["instance_id"] = np.arange(1, N + 1)
    table.uns["spatialdata_attrs"] = {"region": "nuclei", "region_key": "region", "instance_key": "instance_id"}
    sdata.tables["theirs"] = table
    session = Session.start(sdata)
    before = state_of(session)
    session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=[2]))
    theirs: Any = session.document.table("theirs")
    assert list(theirs.obs_names) == ["cell0", "cell2", "cell3", "cell4"]
    assert theirs.obsp["distances"].shape == (4, 4)
    session.undo()
    assert state_of(session) == before
    session.close()


def test_a_table_of_two_elements_loses_only_the_rows_of_the_edited_one() -> None:
    sdata = small_section()
    obs = pd.DataFrame(
        {
            "region": pd.Categorical(["nuclei"] * 3 + ["pixels"] * 3),
            "instance_id": [1, 2, 3, 1, 2, 3],
        },
        index=list("abcdef"),
    )
    table = ad.AnnData(np.ones((6, 1), np.float32), obs=obs)
    attrs = {"region": ["nuclei", "pixels"], "region_key": "region", "instance_key": "instance_id"}
    table.uns["spatialdata_attrs"] = attrs
    sdata.tables["both"] = table
    session = Session.start(sdata)
    session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=[2]))
    assert list(session.document.table("both").obs_names) == ["a", "c", "d", "e", "f"]
    session.close()


def test_what_cannot_be_kept_is_refused_before_anything_changes(session: Session) -> None:
    before = state_of(session)
    with pytest.raises(DocumentError, match="cannot be kept"):
        session.execute(Command("odd", (Put(("attrs", "odd"), None, object()),)))
    assert state_of(session) == before
    assert session.position == 0


def test_rows_that_name_their_cells_by_text_follow_too() -> None:
    sdata = small_section()
    obs = pd.DataFrame({"region": pd.Categorical(["nuclei"] * 3), "instance_id": ["1", "2", "3"]}, index=list("abc"))
    table = ad.AnnData(np.ones((3, 1), np.float32), obs=obs)
    table.uns["spatialdata_attrs"] = {"region": "nuclei", "region_key": "region", "instance_key": "instance_id"}
    sdata.tables["named"] = table
    session = Session.start(sdata)
    before = state_of(session)
    session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=[2]))
    assert list(session.document.table("named").obs_names) == ["a", "c"]
    session.undo()
    assert state_of(session) == before
    session.close()
