"""The count model: gene factors, what the hand teaches, warm starts, units of counts, profiles of few cells."""

import numpy as np
import pytest
import scipy.sparse as sp

from napari_spatialml.core import Constraints, Reference, Spots
from napari_spatialml.core.count_model import Options, fit
from napari_spatialml.core.count_units import count_units
from napari_spatialml.core.type_profiles import type_profiles
from napari_spatialml.methods import method

GENES, TYPES = np.array([f"g{i:04}" for i in range(400)]), np.array(["a", "b", "c", "d", "e"])


def section(seed, sigma=0.0, n=400, genes=400, depth=2000, twist=None):
    """Spots of five types in a reference's proportions, with log-normal gene factors between the platforms."""
    generator = np.random.default_rng(seed)
    profiles = generator.dirichlet(np.full(genes, 0.4), 5) + 1e-5
    truth = generator.dirichlet(np.full(5, 0.3), n)
    cells = generator.poisson(profiles[np.repeat(np.arange(5), 60)] * 3000 * generator.gamma(3, 1 / 3, (300, genes)))
    factors = np.exp(sigma * generator.normal(size=genes))
    if twist is not None:
        profiles = profiles.copy()
        profiles[twist] *= np.exp(0.8 * generator.normal(size=genes))
        profiles[twist] /= profiles[twist].sum()
    counts = generator.poisson(truth @ profiles * factors * depth * generator.gamma(20, 1 / 20, (n, genes)))
    reference = Reference(cells, GENES[:genes], np.repeat(TYPES, 60))
    return Spots(counts, GENES[:genes]), reference, truth, factors


def rmse(found, truth, rows=slice(None)):
    return np.sqrt(((found[rows] - truth[rows]) ** 2).mean())


@pytest.mark.parametrize("genes", [100, 400])
def test_gene_factors_are_recovered_and_pay(genes):
    spots, reference, truth, factors = section(1, 0.8, genes=genes)
    found = fit(spots, reference)
    wanted = np.log(factors[np.searchsorted(GENES, found.genes)])
    assert np.corrcoef(np.log(found.noise.platform), wanted)[0, 1] > 0.9
    assert 0.5 < found.noise.spread < 1.1
    without = fit(spots, reference, Options(platform=False))
    assert rmse(found.values, truth) < 0.9 * rmse(without.values, truth)


@pytest.mark.parametrize("genes", [100, 400])
def test_without_a_platform_effect_the_factors_stay_1(genes):
    spots, reference, truth, _ = section(2, genes=genes)
    found = fit(spots, reference)
    assert np.abs(np.log(found.noise.platform)).max() < 0.1
    assert rmse(found.values, truth) < 1.05 * rmse(fit(spots, reference, Options(platform=False)).values, truth)


def test_a_gene_that_the_reference_knows_nothing_of_does_not_decide():
    """Haemoglobin from a bleeding: one gene takes half of the counts of some spots."""
    spots, reference, truth, _ = section(3)
    counts = spots.counts.toarray()
    counts[::3, 7] += np.random.default_rng(0).poisson(2000, len(counts[::3]))
    bled = Spots(counts, spots.genes)
    found, plain = fit(bled, reference).values, method("deconvolution", "nnls")()(bled, reference).values
    assert rmse(found, truth) < 0.035
    assert rmse(found, truth) < 0.33 * rmse(plain, truth)


def hand_on(rows, truth, k, width=0.0, **more):
    lower, upper = np.zeros((len(rows), 5)), np.ones((len(rows), 5))
    lower[:, k] = np.maximum(truth[rows, k] - width, 0)
    upper[:, k] = np.minimum(truth[rows, k] + width, 1)
    return Constraints(tuple(TYPES), rows, lower, upper, **more)


def test_spots_of_a_known_share_teach_the_profile_of_their_type():
    """The tissue's own cells of a type differ from the reference's; twenty spots of about 80 % mend the others."""
    spots, reference, truth, _ = section(4, twist=2)
    rows = np.sort(np.argsort(-truth[:, 2])[:20])
    others = np.setdiff1d(np.arange(len(truth)), rows)
    before = fit(spots, reference).values
    after = fit(Spots(spots.counts, spots.genes, None, hand_on(rows, truth, 2, 0.02)), reference).values
    assert np.allclose(after[rows, 2], truth[rows, 2], atol=0.03)
    assert rmse(after, truth, others) < 0.95 * rmse(before, truth, others)


def test_a_warm_start_gives_the_answer_of_a_cold_one():
    spots, reference, truth, _ = section(5, 0.5)
    negative_binomial = method("deconvolution", "negative-binomial")()
    first = negative_binomial(spots, reference)
    hand = hand_on(np.arange(0, 60, 3), truth, 1)
    cold = negative_binomial(Spots(spots.counts, spots.genes, None, hand), reference)
    warm = negative_binomial(Spots(spots.counts, spots.genes, None, hand, first), reference)
    assert np.allclose(warm.values, cold.values, atol=1e-3)
    assert np.allclose(warm.fitted.platform, cold.fitted.platform)


def test_nothing_is_learnt_from_artefacts():
    """A fold over a third of the section, with counts that no tissue has, changes no other spot."""
    spots, reference, _, _ = section(6)
    fold = np.zeros(400, bool)
    fold[:130] = True
    counts = spots.counts.toarray()
    counts[fold] = np.random.default_rng(0).poisson(30 * np.random.default_rng(1).gamma(0.2, 5, 400), (130, 400))
    none = [np.empty(0, int), np.empty((0, 5)), np.empty((0, 5))]
    found = fit(Spots(counts, spots.genes, None, Constraints(tuple(TYPES), *none, fold)), reference)
    alone = fit(Spots(counts[~fold], spots.genes), reference)
    assert np.allclose(found.values[~fold], alone.values, atol=1e-6)


def test_an_empty_spot_is_told_and_even():
    spots, reference, _, _ = section(7, n=50)
    counts = spots.counts.toarray()
    counts[3] = 0
    found = method("deconvolution", "negative-binomial")()(Spots(counts, spots.genes), reference)
    assert np.flatnonzero(found.empty).tolist() == [3]
    assert np.allclose(found.values[3], 0.2) and found.deviance[3] == 0 and (found.abundance[3] < 1e-6).all()
    assert found.deviance[found.deviance > 0].mean() == pytest.approx(1, abs=0.25)


def test_the_unit_of_counts_is_read_from_the_counts():
    counts = sp.csr_matrix(np.array([[2, 4, 0, 7], [0.5, 1.0, 1.5, 0], [6, 9, 0, 0], [0, 0, 0, 0]]))
    assert np.allclose(count_units(counts), [1, 0.5, 3, 1])
    assert np.allclose(count_units(counts.astype(np.int64) * 10)[0], 10)
    odd = np.random.default_rng(0).gamma(2, 1, (3, 50))
    assert np.allclose(count_units(sp.csr_matrix(odd * 7)), 7 * count_units(sp.csr_matrix(odd)))


def test_the_profile_of_few_cells_is_drawn_to_the_mean_and_that_of_many_is_not():
    generator = np.random.default_rng(0)
    profiles = generator.dirichlet(np.full(300, 0.8)) * np.exp(0.5 * generator.normal(size=(4, 300)))
    profiles /= profiles.sum(1, keepdims=True)
    number = np.repeat(np.arange(4), [3, 500, 500, 500])
    counts = sp.csr_matrix(generator.poisson(profiles[number] * 500))
    found = type_profiles(counts, np.array(list("abcd"))[number])
    raw = np.asarray(counts[:3].sum(0)).ravel() / counts[:3].sum()
    assert np.abs(found.profiles[0] - profiles[0]).sum() < 0.9 * np.abs(raw - profiles[0]).sum()
    assert np.abs(found.profiles[1] - profiles[1]).sum() < 0.06
    assert (found.profiles > 0).all() and np.allclose(found.profiles.sum(1), 1)
    assert np.median(found.shape[0]) < np.median(found.shape[1])


def test_a_table_of_signatures_says_itself_how_large_a_cell_of_each_type_is():
    """A type whose signature sums to four times as much explains four times the counts with as many cells."""
    generator = np.random.default_rng(5)
    signatures = generator.dirichlet(np.full(300, 0.2), 3) * np.array([[1.0], [4.0], [2.0]]) * 1e4
    truth = generator.dirichlet(np.ones(3), 300)
    genes = np.array([f"g{i:03}" for i in range(300)])
    spots = Spots(generator.poisson(truth @ signatures * 0.3), genes)
    found = fit(spots, Reference(signatures, genes, np.array(["a", "b", "c"])))
    assert rmse(found.values, truth) < 0.02
