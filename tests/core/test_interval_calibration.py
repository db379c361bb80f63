"""90 % intervals of proportions: as often right as they say, and no wider than they need to be."""

import numpy as np
import pytest
import scipy.sparse as sp

from benchmarks.deconvolution.simulate import Kind, simulate
from napari_spatialml.core import Reference, Spots
from napari_spatialml.core.deconvolution import Constraints
from napari_spatialml.core.interval_calibration import Calibration
from napari_spatialml.core.rehearsal import Rehearsal
from napari_spatialml.methods import method

SMALL = Kind("atlas", 300, 8, 0.5, n_spots=120)


@pytest.fixture(scope="module")
def made():
    return simulate(SMALL, 0)


@pytest.fixture(scope="module")
def found(made):
    return method("deconvolution", "negative-binomial")()(made.spots, made.reference)


def test_the_truth_lies_within_nine_times_of_ten_also_of_types_that_are_there(made, found):
    inside, there = [(made.cells >= found.lower - 1e-9) & (made.cells <= found.upper + 1e-9)], [made.cells > 0]
    for seed in (1, 2):
        other = simulate(SMALL, seed)
        again = method("deconvolution", "negative-binomial")()(other.spots, other.reference)
        inside.append((other.cells >= again.lower - 1e-9) & (other.cells <= again.upper + 1e-9))
        there.append(other.cells > 0)
    assert 0.85 <= np.mean(inside) <= 0.96
    # who looks at a section looks at what is there: of most spots most types are not
    assert 0.88 <= np.concatenate(inside)[np.concatenate(there)].mean() <= 0.96
    # and is told: as wide as always the same would have to be, at most
    wide = np.quantile(np.abs(found.values - made.cells), 0.9)
    assert (found.upper - found.lower).mean() < 2 * wide


def test_ends_hold_the_value_and_lie_between_0_and_1(found):
    assert (found.lower <= found.values + 1e-9).all() and (found.values <= found.upper + 1e-9).all()
    assert found.lower.min() >= 0 and found.upper.max() <= 1
    assert (found.standard_errors > 0).all()


def test_a_seed_gives_the_same_intervals_again_and_without_them_the_shares_are_the_same(made, found):
    deconvolve = method("deconvolution", "negative-binomial")
    again = deconvolve()(made.spots, made.reference)
    assert np.array_equal(found.lower, again.lower) and np.array_equal(found.upper, again.upper)
    plain = deconvolve(intervals=False)(made.spots, made.reference)
    assert plain.lower is None and np.array_equal(plain.values, found.values)


def test_what_was_laid_down_bounds_the_interval_and_an_empty_spot_has_none(made):
    types = made.types
    lower, upper = np.zeros((2, len(types))), np.ones((2, len(types)))
    lower[0, 0] = upper[0, 0] = 0.8  # an override
    upper[1, 1] = 0.0  # a type forbidden
    counts = made.spots.counts.tolil()
    counts[5] = 0
    spots = Spots(counts.tocsr(), made.spots.genes, None, Constraints(types, np.array([2, 4]), lower, upper))
    found = method("deconvolution", "negative-binomial")()(spots, made.reference)
    assert found.lower[2, 0] == found.upper[2, 0] == pytest.approx(0.8)
    assert found.standard_errors[2, 0] == 0
    assert found.upper[4, 1] == 0
    assert found.empty[5] and np.isnan(found.lower[5]).all() and np.isnan(found.upper[5]).all()
    assert np.isfinite(found.lower[~found.empty]).all()


def test_a_table_of_signatures_gives_intervals_too(made):
    names = np.array(made.types)
    rows = [np.asarray(made.reference.counts[made.reference.types == name].mean(0)).ravel() for name in names]
    table = Reference(sp.csr_matrix(np.stack(rows) * 100), made.reference.genes, names)
    found = method("deconvolution", "negative-binomial")()(made.spots, table)
    inside = (made.cells >= found.lower - 1e-9) & (made.cells <= found.upper + 1e-9)
    assert inside.mean() > 0.75


def test_the_less_is_sure_the_wider():
    """In a rehearsal whose errors grow with the model's, so do the intervals; without errors they have no width."""
    rng = np.random.default_rng(0)
    truth = rng.dirichlet(np.full(6, 0.5), 400)
    errors = np.exp(rng.uniform(np.log(0.01), np.log(0.2), truth.shape))
    values = np.clip(truth + rng.normal(0, errors), 0, 1)
    learnt = Calibration.of(Rehearsal(truth, values, errors))
    centre = float(np.log(errors).mean())
    at = np.full((1, 2), 0.4)
    lower, upper, told = learnt(at, np.array([[0.02, 0.15]]), centre)
    assert np.diff(upper - lower)[0, 0] > 0.1 and np.diff(told)[0, 0] > 0
    exact = Calibration.of(Rehearsal(truth, truth, errors))
    lower, upper, told = exact(at, np.array([[0.02, 0.15]]), centre)
    assert (upper - lower).max() < 0.02 and told.max() < 1e-9


def test_an_absent_type_lies_within_its_interval_nine_times_of_ten_however_well_it_is_known():
    """Also where what is said of it is less than a step of the grid, and where errors lie between two classes."""

    def drawn(rng):
        truth = np.where(rng.random((800, 6)) < 0.6, 0.0, rng.random((800, 6)))
        errors = np.exp(rng.uniform(np.log(1e-4), np.log(0.1), truth.shape))
        return truth, np.clip(truth + rng.normal(0, errors), 0, 1), errors

    learnt = Calibration.of(Rehearsal(*drawn(np.random.default_rng(0))))
    truth, values, errors = drawn(np.random.default_rng(1))
    lower, _, _ = learnt(values, errors, float(np.log(errors).mean()))
    absent = truth == 0
    assert (lower == 0)[absent].mean() > 0.87
    # nor does it begin at 0 where a share is well above
    assert (lower[truth > 0.5] > 0).mean() > 0.98


def test_few_spots_have_intervals_too(made):
    few = Spots(made.spots.counts[:2], made.spots.genes)
    found = method("deconvolution", "negative-binomial")()(few, made.reference)
    assert np.isfinite(found.lower).all() and (found.upper - found.lower).mean() < 0.9


def test_a_share_of_rna_has_intervals_of_its_own(made):
    found = method("deconvolution", "negative-binomial")(share="RNA")(made.spots, made.reference)
    inside = (made.rna >= found.lower - 1e-9) & (made.rna <= found.upper + 1e-9)
    assert 0.8 < inside.mean() <= 0.98
