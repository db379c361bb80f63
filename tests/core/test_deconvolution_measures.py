"""What the deconvolution benchmark measures, on cases that can be reckoned by hand."""

import numpy as np
import pytest
import scipy.sparse as sp

from benchmarks.deconvolution.intervals import oracle_width
from benchmarks.deconvolution.measures import average_precision, measures
from benchmarks.deconvolution.peers import nnls
from benchmarks.deconvolution.simulated import compared
from napari_spatialml.core import Reference, Spots


def test_the_truth_itself_is_without_error():
    truth = np.array([[0.7, 0.3, 0.0], [0.0, 0.0, 1.0], [np.nan, np.nan, np.nan]])
    found = measures(truth, np.where(np.isnan(truth), 1 / 3, truth))
    assert found["RMSE"] == 0 and found["JSD"] == 0
    assert found["correlation"] == pytest.approx(1) and found["AUPR"] == pytest.approx(1)


def test_errors_of_a_spot_by_hand():
    truth, values = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])
    found = measures(truth, values)
    assert found["RMSE"] == pytest.approx(0.5)
    # H(0.75, 0.25) - (0 + 1) / 2, in bits
    assert found["JSD"] == pytest.approx(0.8112781 - 0.5, abs=1e-6)
    assert found["correlation"] == 0  # a constant says nothing
    assert found["AUPR"] == pytest.approx(0.5)  # both types have the same score


def test_precision_against_recall_by_hand():
    present, score = np.array([True, False, True, False]), np.array([0.9, 0.8, 0.7, 0.1])
    assert average_precision(present, score) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_nnls_finds_cells_from_raw_counts_and_rna_from_normalised_ones():
    """A type with twice the RNA: one cell of each is half the cells, and two thirds of the RNA."""
    profiles = np.array([[8.0, 0, 4, 4, 0], [0, 4, 2, 0, 2]])
    reference = Reference(
        sp.csr_matrix(np.repeat(profiles, 2, axis=0)), np.array(list("abcde")), np.repeat(["x", "y"], 2)
    )
    spots = Spots(sp.csr_matrix(profiles.sum(0, keepdims=True)), np.array(list("abcde")))
    found = nnls(spots, reference)
    assert np.allclose(found["raw"].values, [[0.5, 0.5]])
    assert np.allclose(found["normalised"].values, [[2 / 3, 1 / 3]])


def test_the_floor_is_the_stricter_of_both_peers():
    def score(rmse, aupr):
        return {"RMSE": [rmse], "AUPR": [aupr]}

    scores = {"negative-binomial": score(0.07, 0.9), "NNLS": score(0.1, 0.85), "FlashDeconv": score(0.08, 0.92)}
    found = dict(compared(scores, "made", 0))
    assert found["negative-binomial, RMSE"].floor == pytest.approx(0.075)
    assert found["negative-binomial, RMSE"].peer == "NNLS" and found["negative-binomial, RMSE"].holds
    assert found["negative-binomial, AUPR"].floor == 0.92 and not found["negative-binomial, AUPR"].holds
    assert found["NNLS, RMSE"].floor is None


def test_the_oracle_knows_how_far_off_one_is():
    rng = np.random.default_rng(0)
    values = rng.random((200, 10))
    truth = values + rng.uniform(-0.1, 0.1, values.shape)
    assert oracle_width(truth, values) == pytest.approx(0.18, abs=0.01)
