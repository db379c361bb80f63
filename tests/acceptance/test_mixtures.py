"""Two sets of simulated spots with known proportions of five types."""

import numpy as np
import pytest
import scipy.optimize

from napari_spatialml.core import Reference, Spots
from napari_spatialml.methods import methods

pytestmark = pytest.mark.acceptance


def read(folder, number):
    import anndata

    table = anndata.read_h5ad(folder / "mixtures" / f"mixtures{number}.h5ad")
    return table.X.tocsr(), table.var_names.to_numpy(), table.obsm["proportions"]


def profiles_from(counts, proportions):
    """Return the profile of each type that explains spots of known proportions best, one row a type."""
    dense = counts.toarray()
    shares = dense / np.maximum(dense.sum(1, keepdims=True), 1)
    return np.stack([scipy.optimize.nnls(proportions, gene)[0] for gene in shares.T], axis=1)


@pytest.mark.parametrize(("learn", "test"), [(1, 2), (2, 1)])
@pytest.mark.parametrize(
    "name", [n for n, cls in methods("deconvolution").items() if cls.mixtures and not cls.missing()]
)
def test_proportions_of_one_set_are_told_with_profiles_of_the_other(data, name, learn, test):
    """There is no single-cell reference: profiles come from the other set, whose proportions are known."""
    counts, genes, truth = read(data, learn)
    reference = Reference(profiles_from(counts, truth.to_numpy()) * 1e4, genes, truth.columns.to_numpy())
    counts, genes, truth = read(data, test)
    found = methods("deconvolution")[name]()(Spots(counts, genes), reference)
    wanted = truth[list(found.types)].to_numpy()
    rmse = np.sqrt(((found.values - wanted) ** 2).mean())
    guess = np.sqrt(((wanted.mean(0) - wanted) ** 2).mean())
    print(f"{name}: profiles of {learn}, spots of {test}: RMSE {rmse:.4f}, always the mean {guess:.4f}")
    assert rmse < 0.10
    assert rmse < 0.6 * guess
