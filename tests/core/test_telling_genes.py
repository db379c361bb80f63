"""Which genes tell a cell type: by how far they are apart, over how much they vary."""

import numpy as np
import scipy.sparse as sp

from napari_spatialml.core.type_profiles import TypeProfiles, telling_genes, type_profiles

TYPES = ("a", "b", "c")


def known(profiles, shape=1e6):
    profiles = np.asarray(profiles, dtype=float)
    profiles = profiles / profiles.sum(1, keepdims=True)
    return TypeProfiles(TYPES, profiles, np.broadcast_to(shape, profiles.shape), np.ones(len(TYPES)))


def test_a_gene_that_all_types_share_is_never_chosen():
    rest = np.full(3, 100.0) - np.array([4.0, 8.0, 6.0])
    profiles = known(np.stack([[5, 5, 5], [4, 8, 6], [7, 7, 7], rest], 1))
    assert telling_genes(profiles, 4).tolist() == [1, 3]


def test_a_gene_that_is_hardly_seen_tells_less_than_one_that_is_seen():
    seldom, often = [3e-4, 1e-5, 1e-5], [60, 20, 20]
    # thirty times as much against three times as much
    assert telling_genes(known(np.stack([seldom, often, [40, 80, 80]], 1)), 1).tolist()[0] == 1


def test_a_gene_that_is_known_from_few_cells_tells_less():
    profiles = known(np.stack([[40, 10, 10], [42, 10, 10], [18, 80, 80]], 1))
    assert 1 in telling_genes(profiles, 1)
    unsure = np.full((3, 3), 1e6)
    unsure[:, 1] = 0.5
    assert 1 not in telling_genes(known(profiles.profiles, unsure), 1)


def test_the_order_of_genes_changes_nothing():
    rng = np.random.default_rng(0)
    rates = rng.gamma(0.5, 2, (3, 200))
    number = np.repeat(np.arange(3), 40)
    counts = sp.csr_matrix(rng.poisson(rates[number]).astype(float))
    order = rng.permutation(200)
    types = np.array(TYPES)[number]
    chosen = telling_genes(type_profiles(counts, types), 20)
    again = telling_genes(type_profiles(counts[:, order], types), 20)
    assert 20 <= len(chosen) <= 60
    assert np.array_equal(np.sort(order[again]), chosen)
