"""A query gives what NumPy gives, says what is wrong in one sentence, and evaluates nothing."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.errors import BadInput
from napari_spatialml.session.document import Document
from napari_spatialml.session.features import feature
from napari_spatialml.session.named_values import names_in
from napari_spatialml.session.query import query_mask, query_rows

N = 200


@pytest.fixture(scope="module")
def document():
    from spatialdata import SpatialData

    rng = np.random.default_rng(0)
    obs = pd.DataFrame(
        {
            "domain": pd.Categorical(rng.choice(["L1", "L2", "L4"], N), categories=["L1", "L2", "L4", "empty"]),
            "other": rng.choice(["L4", "L2", "x"], N).astype(object),
            "area": rng.normal(50, 20, N),
            "cluster": pd.Categorical(rng.integers(0, 5, N).astype(str)),
            "stage": pd.Categorical(rng.choice(["I", "II", "III"], N), categories=["I", "II", "III"], ordered=True),
            "flag": rng.random(N) < 0.3,
            "n": rng.integers(0, 9, N),
            "a.name": rng.random(N),
        },
        index=[f"c{i}" for i in range(N)],
    )
    obs.loc[obs.index[:20], "domain"] = np.nan
    obs.loc[obs.index[10:30], "area"] = np.nan
    table = ad.AnnData(sp.csr_matrix(rng.poisson(1.0, (N, 3)).astype(np.float32)), obs=obs)
    table.var_names = ["EPCAM", "HLA-A", "MT-CO1"]
    table.obsm["X_umap"] = rng.normal(size=(N, 2))
    table.obsm["proportions"] = pd.DataFrame({"T cells": rng.random(N), "B": rng.random(N)}, index=obs.index)
    return Document(SpatialData(tables={"cells": table}))


def frame(document):
    table = document.table("cells")
    made = table.obs.copy()
    for k, gene in enumerate(table.var_names):
        made[gene] = table.X[:, k].toarray().ravel()
    return made, table


QUERIES = {
    "domain == 'L4' and EPCAM > 2": lambda f, t: (f["domain"] == "L4") & (f["EPCAM"] > 2),
    'domain != "L4"': lambda f, t: f["domain"].astype(object).ne("L4"),
    "not (flag or area < 40)": lambda f, t: ~(f["flag"] | (f["area"] < 40)),
    "20 < area <= 60": lambda f, t: (f["area"] > 20) & (f["area"] <= 60),
    "domain in ['L1', 'L2'] or n in (3, 4)": lambda f, t: f["domain"].isin(["L1", "L2"]) | f["n"].isin([3, 4]),
    "domain not in ['L1']": lambda f, t: ~f["domain"].isin(["L1"]),
    "domain == other": lambda f, t: f["domain"].astype(object) == f["other"],
    "cluster == 3": lambda f, t: f["cluster"] == "3",
    "stage >= 'II'": lambda f, t: f["stage"] >= "II",
    "'II' < stage": lambda f, t: f["stage"] > "II",
    "(`HLA-A` + EPCAM) / 2 - 1 > -n % 3": lambda f, t: (f["HLA-A"] + f["EPCAM"]) / 2 - 1 > -f["n"] % 3,
    "'HLA-A' > 1": lambda f, t: f["HLA-A"] > 1,
    "`a.name` > 0.5": lambda f, t: f["a.name"] > 0.5,
    "`X_umap/0` > 0 and `T cells` < 0.5": lambda f, t: (
        (t.obsm["X_umap"][:, 0] > 0) & (t.obsm["proportions"]["T cells"] < 0.5)
    ),
    "B < 0.2": lambda f, t: t.obsm["proportions"]["B"] < 0.2,
    "flag == True": lambda f, t: f["flag"],
    "domain == 'empty'": lambda f, t: np.zeros(N, bool),
    "other == '`x`' or other == 'x'": None,
}


@pytest.mark.parametrize("text", QUERIES)
def test_a_query_is_what_pandas_gives(document, text):
    if QUERIES[text] is None:
        with pytest.raises(BadInput, match="has no '`x`'"):  # backticks in quotes stay text
            query_mask(document, "cells", text)
        return
    wanted = np.asarray(QUERIES[text](*frame(document)), dtype=bool)
    assert np.array_equal(query_mask(document, "cells", text), wanted)
    assert query_rows(document, "cells", text).rows.tolist() == np.flatnonzero(wanted).tolist()


COMPARISONS = st.tuples(
    st.sampled_from(["area", "n", "EPCAM", "`HLA-A`", "`X_umap/1`"]),
    st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    st.integers(-3, 60).map(lambda v: v / 2),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(COMPARISONS, st.sampled_from(["and", "or"]), st.booleans()), min_size=1, max_size=5))
def test_any_chain_of_comparisons_is_what_numpy_gives(document, parts):
    made, table = frame(document)
    values = {"`HLA-A`": made["HLA-A"], "`X_umap/1`": table.obsm["X_umap"][:, 1]}
    text, plain = "", ""
    for k, ((name, op, number), join, turned) in enumerate(parts):
        before = f" {join} " if k else ""
        text += f"{before}{'not ' if turned else ''}{name} {op} {number}"
        plain += f"{before}{'not ' if turned else ''}v[{name!r}] {op} {number}"
    rows = [
        eval(plain, {"v": {n: np.asarray(values.get(n, made.get(n)))[i] for n in ("area", "n", "EPCAM", *values)}})
        for i in range(N)
    ]
    assert query_mask(document, "cells", text).tolist() == [bool(r) for r in rows]


WRONG = {
    "EPCAN > 2": ("EPCAN", "Did you mean 'EPCAM'"),
    "Domain == 'L4'": ("Domain", "Did you mean 'domain'"),
    "domain == 'L5'": ("has no 'L5'", "Did you mean 'L"),
    "area == 'big'": ("holds numbers", "number"),
    "domain > 'L1'": ("no order", "=="),
    "area": ("neither true nor false", "Compare"),
    "area = 3": ("no query", "=="),
    "area > 3 & n > 2": ("", ""),
    "(area > 3) & (n > 2)": ("'&'", "and"),
    "__import__('os').system('true')": ("cannot hold", "backticks"),
    "area.max() > 1": ("cannot hold", "backticks"),
    "(lambda: 1)()": ("cannot hold", ""),
    "[x for x in n]": ("", ""),
    "area > 9**9**9**9": ("cannot hold **", ""),
    "n in 3": ("stands a list", "in"),
    "area > 1e999999 or n is 2": ("'is'", "=="),
    "area > '": ("no query", ""),
    " ": ("empty", ""),
    "area > " + "9" * 5000: ("characters", ""),
    "n > " + "9" * 1500: ("too large", ""),
    "domain + 1 > 2": ("text", "numbers"),
    "(" * 900 + "n" + ")" * 900 + " > 1": ("", ""),
    "not " * 480 + "flag": None,
}


@pytest.mark.parametrize("text", WRONG, ids=lambda t: t[:20])
def test_what_is_no_query_is_said_in_one_sentence(document, text):
    if WRONG[text] is None:
        assert np.array_equal(query_mask(document, "cells", text), document.table("cells").obs["flag"])
        return
    with pytest.raises(BadInput) as caught:
        query_mask(document, "cells", text)
    said, hint = WRONG[text]
    assert said in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.message.count(". ") == 0


def test_names_are_offered_with_genes_last(document):
    names = names_in(document, "cells")
    assert names[0] == "domain"
    assert names[-3:] == ("EPCAM", "HLA-A", "MT-CO1")
    assert "obsm/proportions/T cells" in names


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 5))
def test_a_column_found_by_search_is_the_column(n, genes, seed):
    made = sp.random(n, genes, 0.4, format="csr", random_state=seed, dtype=np.float32)
    doubled = sp.csr_matrix((np.ones(4, np.float32), [0, 0, 0, 0], [0, 2, *[4] * (n - 1)]), shape=(n, genes))
    for matrix in (made, sp.csr_array(made), made.tocsc(), made.toarray(), doubled):
        dense = np.asarray(matrix.todense() if sp.issparse(matrix) else matrix)
        for k in range(genes):
            assert np.array_equal(feature(matrix, k), dense[:, k])
