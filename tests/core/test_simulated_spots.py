"""The simulated spots of the deconvolution benchmark: what is called true has to be."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.deconvolution.bounds import GIVEN, bound
from benchmarks.deconvolution.cells import atlas
from benchmarks.deconvolution.simulate import KINDS, Kind, simulate
from napari_spatialml.core.metrics import rmse
from napari_spatialml.core.signatures import signatures
from napari_spatialml.methods import method

SMALL = Kind("atlas", 300, 4, 0.5, n_spots=60)


@pytest.mark.parametrize("kind", [SMALL, replace(SMALL, missing=True), replace(SMALL, doublets=True, cells=15)])
def test_shares_sum_to_one_and_spots_and_reference_share_genes(kind):
    made = simulate(kind, 3)
    for shares in (made.cells, made.rna):
        assert shares.shape == (60, len(made.types))
        assert np.allclose(shares[np.isfinite(shares[:, 0])].sum(1), 1)
    assert made.types == tuple(sorted(set(made.reference.types)))
    shared = np.intersect1d(made.spots.genes, made.reference.genes)
    assert 0.9 * 300 < len(shared) < 300
    assert np.median(np.asarray(made.spots.counts.sum(1))) > 20


def test_a_seed_gives_the_same_again_and_another_seed_gives_another():
    first, again, other = simulate(SMALL, 1), simulate(SMALL, 1), simulate(SMALL, 2)
    assert (first.spots.counts != again.spots.counts).nnz == 0
    assert np.array_equal(first.cells, again.cells)
    assert not np.array_equal(first.cells, other.cells)


def test_no_cell_is_in_both_halves():
    cells = atlas(50, np.random.default_rng(0))
    one, two = cells.halves(np.random.default_rng(0))
    assert len(one.types) + len(two.types) == len(cells.types)
    assert set(one.types) == set(two.types)
    assert one.counts.sum() + two.counts.sum() == cells.counts.sum()


def test_a_missing_type_lives_in_one_domain_and_is_not_in_the_reference():
    made = simulate(replace(SMALL, missing=True, n_spots=150), 0)
    whole = simulate(replace(SMALL, n_spots=150), 0)
    assert len(made.types) == len(whole.types) - 1
    held = made.outside > 0
    assert 0.05 < held.mean() < 0.7
    assert len(np.unique(made.domains[held, 0])) == 1
    assert (whole.outside == 0).all()


def test_a_doublet_mixes_two_domains_and_a_third_of_the_spots_may_be_one():
    made = simulate(replace(SMALL, doublets=True, n_spots=400), 0)
    apart = made.domains[:, 0] != made.domains[:, 1]
    assert 0.15 < apart.mean() < 0.4
    assert (np.diff(simulate(SMALL, 0).domains) == 0).all()


def test_the_platform_is_in_the_counts():
    """What a gene gives over what the reference's profiles let expect follows its factor."""
    made = simulate(replace(SMALL, platform=1.0, cells=15), 5)
    profiles, types = signatures(made.reference.counts, made.reference.types)
    assert types == made.types
    _, here, there = np.intersect1d(made.spots.genes, made.reference.genes, return_indices=True)
    expected = (made.rna.mean(0) @ profiles)[there]
    seen = np.asarray(made.spots.counts.mean(0)).ravel()[here]
    often = seen > 2
    assert often.sum() > 50
    ratio = np.log(seen[often] / expected[often])
    assert np.corrcoef(ratio, np.log(made.platform[here][often]))[0, 1] > 0.9


def test_every_kind_has_its_own_name():
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_who_is_told_the_gene_factors_or_the_profiles_comes_nearer_to_the_truth():
    made = simulate(replace(SMALL, platform=1.0, cells=15, n_spots=150), 1)
    default = method("deconvolution", "negative-binomial")(intervals=False)(made.spots, made.reference)
    off = {name: rmse(made.cells, bound(made, *told)) for name, told in GIVEN.items()}
    assert max(off.values()) < rmse(made.cells, default.values)
    assert rmse(made.cells, bound(made, False, False)) == pytest.approx(rmse(made.cells, default.values))
