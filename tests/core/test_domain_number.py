"""The number of domains that is suggested: that of the tissue, told in words, with progress and stop."""

import numpy as np
import pytest

from napari_spatialml.core.domain_number import domain_number
from napari_spatialml.core.domains import Embedded
from napari_spatialml.core.graph import knn_graph
from napari_spatialml.errors import BadInput, Cancelled
from napari_spatialml.methods.domains.low_pass_mixture import LowPassMixture


def tissue(k, seed=0, side=20):
    generator = np.random.default_rng(seed)
    where = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2) * 50.0
    truth = np.digitize(where[:, 0] / (side * 50), np.linspace(0, 1, k + 1)[1:-1])
    return Embedded(generator.normal(size=(len(where), 8)) + 9 * np.eye(8)[truth], knn_graph(where, 6))


@pytest.mark.parametrize("k", [3, 5])
def test_the_number_of_clear_domains_is_suggested(k):
    found = domain_number(LowPassMixture(), tissue(k), range(2, 9))
    assert found.suggested == k
    assert found.numbers.tolist() == list(range(2, 9))
    assert found.stability.shape == found.spread.shape == (7,)
    assert found.stability[k - 2] > 0.9 and found.stability.max() <= 1
    assert found.sentence.startswith(f"{k} domains") and found.sentence.endswith(".")


def test_the_same_tissue_gets_the_same_suggestion_and_ignored_rows_do_not_count():
    here = tissue(4)
    first, second = (domain_number(LowPassMixture(seed=s), here, range(3, 6), repeats=3) for s in (0, 8))
    assert np.array_equal(first.stability, second.stability)
    ignored = np.arange(len(here.values)) % 4 == 0
    spoilt = here.values.copy()
    spoilt[ignored] += 1000
    kept = [domain_number(LowPassMixture(), Embedded(v, here.graph), (3, 4), ignored, 3) for v in (here.values, spoilt)]
    assert np.array_equal(kept[0].stability, kept[1].stability)


def test_too_few_rows_are_refused_and_stop_stops():
    small = Embedded(np.eye(2), knn_graph(np.eye(2), 1))
    with pytest.raises(BadInput, match="2 rows are too few"):
        domain_number(LowPassMixture(), small, range(3, 9))
    told: list[float] = []
    domain_number(LowPassMixture(), tissue(3), (3, 4), repeats=2, report=lambda f, message="": told.append(f))
    assert told == sorted(told) and told[-1] == 1.0

    def stop(fraction, message=""):
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        domain_number(LowPassMixture(), tissue(3), (3, 4), report=stop)


def test_as_many_domains_as_rows_are_not_suggested_though_such_maps_agree():
    found = domain_number(LowPassMixture(), tissue(3, side=7), range(2, 200))
    assert found.numbers.max() == 13 and found.suggested == 3
