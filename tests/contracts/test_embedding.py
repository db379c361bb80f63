"""What every embedding method promises, and that UMAP is scanpy's."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp

from napari_spatialml.core import Features
from napari_spatialml.errors import BadInput, Cancelled
from napari_spatialml.methods import method, methods

each = pytest.mark.parametrize(
    "cls", [cls for cls in methods("embedding").values() if not cls.missing()], ids=lambda cls: cls.name
)


def counts(n=90, seed=0):
    """Three groups of rows that differ in a third of 30 genes."""
    generator = np.random.default_rng(seed)
    rate = np.ones((3, 30))
    for k in range(3):
        rate[k, 10 * k : 10 * k + 10] = 12
    return generator.poisson(rate[np.arange(n) % 3]).astype(float)


@each
def test_what_cannot_be_laid_out_is_refused_in_words(cls):
    with pytest.raises(BadInput, match="4 rows for 15"):
        cls()(Features(counts(4)))
    with pytest.raises(BadInput, match="NaN"):
        Features(np.full((30, 4), np.nan))
    with pytest.raises(BadInput, match="empty"):
        Features(np.zeros((0, 4)))


@each
def test_a_stop_before_the_layout_stops(cls):
    def stop(fraction, message=""):
        raise Cancelled

    with pytest.raises(Cancelled):
        cls()(Features(counts()), stop)


@pytest.mark.slow
@each
def test_rows_of_a_group_lie_closer_than_others_and_the_seed_decides(cls):
    told = []
    found = cls()(Features(sp.csr_matrix(counts())), lambda f, m="": told.append(f)).values
    again = cls()(Features(sp.csr_matrix(counts()))).values
    assert found.tobytes() == again.tobytes() and found.shape == (90, 2)
    assert told == sorted(told) and told[-1] == 1.0 and len(told) > 10
    group = np.arange(90) % 3
    apart = np.linalg.norm(found[:, None] - found[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (group[apart.argmin(axis=1)] == group).mean() > 0.95

    def stop(fraction, message=""):
        if fraction > 0.7:
            raise Cancelled

    with pytest.raises(Cancelled):
        cls()(Features(counts()), stop)


@pytest.mark.slow
def test_umap_has_the_bits_of_scanpy():
    sc, anndata = pytest.importorskip("scanpy"), pytest.importorskip("anndata")
    values = np.log1p(counts()).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = anndata.AnnData(values)
        sc.pp.pca(table, n_comps=29, random_state=0)
        sc.pp.neighbors(table, n_neighbors=15, use_rep="X_pca", random_state=0)
        sc.tl.umap(table, random_state=0)
    found = method("embedding", "umap")(normalise="none")(Features(values)).values
    assert np.array_equal(found.astype(np.float32), table.obsm["X_umap"])
