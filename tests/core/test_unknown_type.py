"""A type that the reference lacks has a part of its own: the others are found better, and nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from benchmarks.deconvolution.simulate import Kind, simulate
from napari_spatialml.core import Proportions, Spots
from napari_spatialml.core.count_model import fit
from napari_spatialml.core.deconvolution import Constraints
from napari_spatialml.core.metrics import rmse
from napari_spatialml.core.unknown_type import parted
from napari_spatialml.methods import method

KIND = Kind("atlas", 400, 15, 0.5, missing=True, n_spots=200)
MODEL = method("deconvolution", "negative-binomial")(intervals=False)


@pytest.fixture(scope="module")
def made():
    return simulate(KIND, 2)


@pytest.fixture(scope="module")
def flags(made):
    return made.outside >= 0.2


@pytest.fixture(scope="module")
def found(made):
    return fit(made.spots, made.reference)


def test_the_known_types_beside_it_are_found_better_and_other_spots_stay(made, flags, found):
    after = parted(found, flags)
    known = flags & np.isfinite(made.cells).all(1)
    assert rmse(made.cells[known], after.values[known]) < 0.9 * rmse(made.cells[known], found.values[known])
    assert np.allclose(after.values.sum(1), 1) and after.values.min() >= 0
    for name in ("values", "abundance", "errors"):
        assert np.array_equal(getattr(after, name)[~flags], getattr(found, name)[~flags]), name
    assert np.array_equal(after.deviance, found.deviance)


def test_a_domain_of_known_types_is_no_unknown_type():
    whole = simulate(replace(KIND, missing=False), 2)
    found = fit(whole.spots, whole.reference)
    assert parted(found, whole.domains[:, 0] == whole.domains[0, 0]) is found


def test_few_spots_teach_nothing_and_the_order_of_spots_is_irrelevant(made, flags, found):
    few = np.zeros(len(flags), bool)
    few[np.flatnonzero(flags)[:19]] = True
    assert parted(found, few) is found
    order = np.random.default_rng(0).permutation(len(flags))
    turned = fit(replace(made.spots, counts=made.spots.counts[order], coordinates=None), made.reference)
    assert np.allclose(parted(turned, flags[order]).values, parted(found, flags).values[order], atol=1e-4)


def test_so_few_of_many_spots_as_chance_lets_pass_teach_nothing(made, flags):
    """25 of 1,000 spots once were given a type that none of them held."""
    counts = sp.csr_matrix(sp.vstack([made.spots.counts] * 5))
    found = fit(Spots(counts, made.spots.genes), made.reference)
    true = np.flatnonzero(np.tile(flags, 5))
    for number, taught in ((25, False), (35, True)):
        few = np.zeros(counts.shape[0], bool)
        few[true[:number]] = True
        assert (parted(found, few) is not found) == taught


def test_what_the_hand_has_laid_down_is_kept_and_a_fit_again_parts_what_was_flagged(made, flags, found):
    row, t = int(np.flatnonzero(flags)[0]), len(made.types)
    half = np.where(np.arange(t) == 0, 0.5, 0.0)[None]
    hand = Constraints(made.types, np.array([row]), half, np.where(half > 0, 0.5, 1.0))
    before = parted(found, flags)
    start = Proportions(before.values, made.types, outside=flags)
    again = MODEL(Spots(made.spots.counts, made.spots.genes, None, hand, start), made.reference)
    assert again.values[row, 0] == pytest.approx(0.5)
    plain = MODEL(Spots(made.spots.counts, made.spots.genes, None, None, start), made.reference)
    assert np.allclose(plain.values, before.values, atol=1e-3)
