"""Label transfer to cells: right types, honest probabilities, and what fits no type is flagged."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import nbinom

from napari_spatialml.core import Constraints, Reference, Spots
from napari_spatialml.core.cell_calibration import calibrated
from napari_spatialml.core.cell_likelihood import CellModel, log_likelihoods
from napari_spatialml.errors import BadInput
from napari_spatialml.methods import method

CellTypes = method("deconvolution", "cell-types")
GENES = np.array([f"g{i:03}" for i in range(150)])
NAMES = np.array(list("abcdefgh"))
GENERATOR = np.random.default_rng(0)
MEAN = GENERATOR.dirichlet(np.full(150, 0.6))
# four families of two types that differ in a third of their genes
FAMILIES = MEAN * np.exp(GENERATOR.normal(0, 1.5, (4, 150)))
PROFILES = np.repeat(FAMILIES, 2, axis=0) * np.exp(
    GENERATOR.normal(0, 0.8, (8, 150)) * (GENERATOR.random((8, 150)) < 1 / 3)
)
PROFILES /= PROFILES.sum(1, keepdims=True)


def cells(types, depth, generator, factors=1.0, dispersion=0.3):
    share = PROFILES[types] * factors
    totals = depth * np.exp(generator.normal(0, 0.4, len(types)))
    rate = generator.gamma(1 / dispersion, dispersion * totals[:, None] * share / share.sum(1, keepdims=True))
    return generator.poisson(rate).astype(float)


def simulated(seed=1, n=1500, depth=60, present=8):
    generator = np.random.default_rng(seed)
    known = np.repeat(np.arange(present), 60)
    truth = generator.integers(0, 8, n)
    factors = np.exp(generator.normal(0, 0.5, 150))
    reference = Reference(cells(known, 400, generator), GENES, NAMES[known])
    return Spots(cells(truth, depth, generator, factors), GENES), reference, truth


def test_the_likelihood_agrees_with_the_textbook_one():
    """Against scipy's negative binomial, up to what a perfect fit has; a cell without counts tells nothing."""
    generator = np.random.default_rng(0)
    counts = generator.poisson(4, (6, 150)).astype(float)
    counts[2] = 0
    dispersion = generator.uniform(0.05, 1, 150)
    found = log_likelihoods(sp.csr_matrix(counts), CellModel(PROFILES, np.ones(150), dispersion))
    size = 1 / dispersion

    def exact(mean):
        return nbinom.logpmf(counts[:, None], size, size / (size + mean)).sum(2)

    wanted = exact(counts.sum(1)[:, None, None] * PROFILES) - exact(np.maximum(counts, 1e-12)[:, None])
    wanted[2] = 0
    assert np.allclose(found, wanted, atol=0.05)
    differences = wanted - wanted[:, :1]
    assert np.allclose(found - found[:, :1], differences, atol=0.02, rtol=1e-3)


def test_types_are_found_across_platforms_and_factors_help():
    spots, reference, truth = simulated()
    right = [
        (CellTypes(platform_factors=learn)(spots, reference).values.argmax(1) == truth).mean()
        for learn in (True, False)
    ]
    assert right[0] > 0.85 and right[0] > right[1] + 0.008
    found = CellTypes()(spots, reference)
    assert found.fitted is not None and (found.fitted.platform > 0).all()


def test_probabilities_mean_what_they_say():
    """Of cells whose type has a probability of about p, about p have that type, shallow and deep."""
    for depth in (20, 60):
        spots, reference, truth = simulated(3, 3000, depth)
        found = CellTypes()(spots, reference)
        sure = found.values.max(1)
        right = found.values.argmax(1) == truth
        edges = [0, 0.5, 0.7, 0.9, 0.99, 1.01]
        bins = [(sure >= low) & (sure < high) for low, high in pairwise(edges)]
        error = sum(own.mean() * abs(sure[own].mean() - right[own].mean()) for own in bins if own.any())
        assert error < 0.06
        assert 0.5 < right.mean() < 0.99


def test_a_type_that_is_not_in_the_reference_is_flagged_and_others_are_not():
    spots, reference, truth = simulated(5, 1500, 400, present=6)
    found = CellTypes()(spots, reference)
    unknown = truth >= 6
    assert found.outside[unknown].mean() > 0.8
    assert found.outside[~unknown].mean() < 0.03
    assert np.median(found.deviance[~unknown]) == pytest.approx(1, abs=0.5)


def test_blocks_and_the_order_of_cells_do_not_matter(monkeypatch):
    spots, reference, _ = simulated(7, 300)
    here = CellTypes()(spots, reference)
    from napari_spatialml.methods.deconvolution import cell_types

    monkeypatch.setattr(cell_types, "_BLOCK", 37)
    order = np.random.default_rng(0).permutation(300)
    turned = np.random.default_rng(1).permutation(len(reference.types))
    there = CellTypes()(
        Spots(spots.counts[order], GENES), Reference(reference.counts[turned], GENES, reference.types[turned])
    )
    assert np.allclose(there.values, here.values[order], atol=1e-7)
    assert np.array_equal(there.outside, here.outside[order])


def test_artefacts_teach_nothing_and_empty_cells_are_even():
    spots, reference, _ = simulated(8, 300)
    counts = spots.counts.toarray()
    counts[5] = 0
    strange = counts.copy()
    strange[7] = GENERATOR.permutation(counts[7]) * 30
    artefacts = np.zeros(300, bool)
    artefacts[7] = True
    hand = Constraints(("a",), np.array([], int), np.zeros((0, 1)), np.zeros((0, 1)), artefacts)
    found = [CellTypes()(Spots(given, GENES, None, hand), reference) for given in (counts, strange)]
    others = np.arange(300) != 7
    assert np.allclose(found[0].values[others], found[1].values[others], atol=1e-12)
    assert np.allclose(found[0].values[5], 1 / 8) and found[0].empty[5] and not found[0].outside[5]


def test_a_small_reference_has_no_held_out_cells_and_still_does():
    spots, reference, truth = simulated(9, 200)
    few = np.concatenate([np.flatnonzero(reference.types == name)[:3] for name in NAMES])
    small = Reference(reference.counts[few], GENES, reference.types[few])
    assert calibrated(small.counts, small.types, np.ones(3)).temperature == 1
    assert (CellTypes()(spots, small).values.argmax(1) == truth).mean() > 0.5
    with pytest.raises(BadInput, match="share 0"):
        CellTypes()(Spots(spots.counts, np.char.add("x", GENES)), reference)
