"""The autoencoder: better than where it starts, the same every time, and only from what it may learn from."""

import time

import numpy as np
import pytest
import scipy.sparse as sp

from napari_spatialml.core import Constraints, Reference, Spots
from napari_spatialml.core.simulated_mixtures import Recipe
from napari_spatialml.core.type_profiles import type_profiles
from napari_spatialml.errors import Cancelled
from napari_spatialml.methods import method

torch = pytest.importorskip("torch")
Autoencoder = method("deconvolution", "autoencoder")
WeightedNnls = method("deconvolution", "weighted-nnls")
GENES = np.array([f"g{i:03}" for i in range(100)])
NAMES = np.array(list("abcdefg"))
QUICK = {"n_simulated": 1500, "n_steps": 150}


def simulated(seed=0, n=200, depth=150):
    """Shallow spots of four overdispersed cells, on another platform than the reference."""
    generator = np.random.default_rng(seed)
    profiles = generator.dirichlet(np.full(100, 2.0)) * np.exp(generator.normal(0, 0.8, (7, 100)))
    profiles /= profiles.sum(1, keepdims=True)
    known = np.repeat(np.arange(7), 40)

    def cells(types):
        return generator.poisson(generator.gamma(1 / 0.5, 0.5 * profiles[types] * 800))

    truth = generator.dirichlet(np.full(7, 0.4), n)
    kinds = np.array([generator.choice(7, 4, p=row) for row in truth])
    pooled = sum(cells(kinds[:, k]) for k in range(4)) * np.exp(generator.normal(0, 0.5, 100))
    counts = generator.poisson(pooled * (depth / pooled.sum(1, keepdims=True)))
    shares = np.stack([np.bincount(row, minlength=7) for row in kinds]) / 4
    return Spots(counts, GENES), Reference(cells(known), GENES, NAMES[known]), shares


def error(found, truth):
    return float(np.sqrt(((found.values - truth) ** 2).mean()))


def test_it_beats_the_mean_by_far_and_least_squares_from_which_it_starts():
    spots, reference, truth = simulated()
    found = Autoencoder()(spots, reference)
    assert error(found, truth) < 0.6 * float(np.sqrt(((truth.mean(0) - truth) ** 2).mean()))
    assert error(found, truth) < 0.9 * error(WeightedNnls()(spots, reference), truth)
    assert np.allclose(found.abundance.sum(1), np.asarray(spots.counts.sum(1)).ravel())
    assert found.fitted is not None and (found.fitted.platform > 0).all()


def test_the_same_seed_gives_the_same_answer_and_another_one_nearly():
    spots, reference, _ = simulated()
    first, again, other = (Autoencoder(**QUICK, seed=seed)(spots, reference).values for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.sqrt(((first - other) ** 2).mean()) < 0.09


@pytest.mark.skipif(not torch.cuda.is_available(), reason="NO CUDA: that it gives the same there is not tested")
def test_a_graphics_card_gives_the_same():
    spots, reference, _ = simulated()
    here, there = (Autoencoder(device=device)(spots, reference).values for device in ("cpu", "cuda"))
    assert np.allclose(here, there, atol=1e-3)


def test_artefacts_teach_nothing_and_empty_spots_are_even():
    spots, reference, _ = simulated(n=60)
    counts = spots.counts.toarray()
    counts[4] = 0
    strange = counts.copy()
    strange[9] = 1000
    artefacts = np.zeros(60, bool)
    artefacts[9] = True
    hand = Constraints(("a",), np.array([], int), np.zeros((0, 1)), np.zeros((0, 1)), artefacts)
    found = [Autoencoder(**QUICK)(Spots(given, GENES, None, hand), reference) for given in (counts, strange)]
    others = np.arange(60) != 9
    assert np.allclose(found[0].values[others], found[1].values[others], atol=1e-12)
    assert np.allclose(found[0].values[4], 1 / 7) and found[0].empty.sum() == 1
    nothing = Autoencoder(**QUICK)(Spots(np.zeros((3, 100)), GENES), reference)
    assert np.allclose(nothing.values, 1 / 7) and nothing.empty.all()


def test_stop_is_heard_within_a_second():
    spots, reference, _ = simulated()
    at = [time.process_time()]
    gaps = []

    def told(fraction, message=""):
        gaps.append(time.process_time() - at[0])
        at[0] = time.process_time()
        if fraction > 0.6:
            raise Cancelled

    with pytest.raises(Cancelled):
        Autoencoder()(spots, reference, told)
    assert max(gaps[2:]) < 1


def test_simulated_spots_hold_what_they_say():
    """Their counts point to their truth, half the time as whole cells; all types appear as often."""
    _, reference, _ = simulated()
    order = np.argsort(reference.types, kind="stable")
    profiles = type_profiles(reference.counts, reference.types)
    number = np.searchsorted(profiles.types, reference.types[order])
    cells = sp.csr_matrix(reference.counts[order])
    factors = np.exp(np.random.default_rng(1).normal(0, 0.3, 100))
    recipe = Recipe(cells, number, profiles, factors, np.array([5000.0]), "cells", 0.0)
    made = recipe.make(1200, np.random.default_rng(0))
    assert np.allclose(made.truth.sum(1), 1) and (made.truth >= 0).all()
    assert np.allclose(made.truth.mean(0), 1 / 7, atol=0.03)
    assert made.counts.sum(1).mean() == pytest.approx(5000, rel=0.02)
    corrected = Spots(made.counts / factors, GENES)
    assert error(WeightedNnls()(corrected, reference), made.truth) < 0.1
