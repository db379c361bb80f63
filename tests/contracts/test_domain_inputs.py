"""Every domain method takes what a table may hold: counts, intensities, proportions, cell types, an embedding."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from napari_spatialml.core import Cells, parameters
from napari_spatialml.core.metrics import adjusted_rand_index
from napari_spatialml.methods import methods

each = pytest.mark.parametrize(
    "cls", [cls for cls in methods("domains").values() if not cls.missing()], ids=lambda cls: cls.name
)
ROW, COLUMN = np.mgrid[:16, :16]
WHERE = np.column_stack([ROW.ravel() * 50.0, COLUMN.ravel() * 50.0])
TRUTH = np.digitize(WHERE[:, 1], [200, 500])
GENERATOR = np.random.default_rng(0)
CENTRES = GENERATOR.normal(0, 1.5, (3, 12))
EMBEDDING = CENTRES[TRUTH] + GENERATOR.normal(0, 1, (len(TRUTH), 12))
SHARES = np.exp(EMBEDDING[:, :6]) / np.exp(EMBEDDING[:, :6]).sum(1, keepdims=True)
TYPES = np.eye(4)[[GENERATOR.choice(4, p=np.roll([0.7, 0.1, 0.1, 0.1], t)) for t in TRUTH]]
INPUTS = {
    "an embedding": EMBEDDING,
    "an embedding with constant columns": np.hstack([np.zeros((256, 2)), EMBEDDING, np.full((256, 3), -7.1)]),
    "an embedding far from 0": EMBEDDING * 1e-3 + 1e3,
    "two columns": np.column_stack([TRUTH * 4.0, -TRUTH % 3 * 4.0]) + GENERATOR.normal(0, 1, (256, 2)),
    "proportions": SHARES,
    "cell types": TYPES,
    "cell types, sparse": sp.csr_matrix(TYPES),
    "m/z": np.exp(EMBEDDING + 8),
}


def made(cls, **settings):
    known = {p.name for p in parameters(cls)}
    few = {"n_domains": 3, "n_networks": 2, "n_epochs": 30, "n_hidden": 32, **settings}
    return cls(**{name: value for name, value in few.items() if name in known})


@each
@pytest.mark.parametrize("what", INPUTS)
def test_whatever_a_table_holds_is_divided(cls, what):
    found = made(cls)(Cells(INPUTS[what], WHERE))
    assert found.probabilities.shape == (256, 3)
    assert adjusted_rand_index(found.labels, TRUTH) > 0.6


@each
def test_one_column_is_enough(cls):
    found = made(cls)(Cells(TRUTH[:, None] * 6.0 + GENERATOR.normal(0, 1, (256, 1)), WHERE))
    assert adjusted_rand_index(found.labels, TRUTH) > 0.6


@each
def test_sections_that_differ_as_a_whole_are_divided_alike(cls):
    """Two sections on one and the same place, the second shifted and with its domains the other way round."""
    again = CENTRES[TRUTH[::-1]] + np.random.default_rng(1).normal(0, 1, EMBEDDING.shape)
    both = Cells(np.vstack([EMBEDDING, again + 3]), np.vstack([WHERE, WHERE]), sections=np.repeat([4, 7], 256))
    found = made(cls)(both)
    assert adjusted_rand_index(found.labels, np.concatenate([TRUTH, TRUTH[::-1]])) > 0.6


@each
def test_ignored_rows_teach_nothing(cls):
    ignored = np.zeros(256, bool)
    ignored[100:130] = True
    method = made(cls)
    cells = Cells(EMBEDDING, WHERE, ignored=ignored)
    smoothed = method.smoothed(method.embedded(cells), cells)
    wild = smoothed.values.copy()
    wild[ignored] += 1e3
    here, there = (method.divided(replace(smoothed, values=v), ignored) for v in (smoothed.values, wild))
    assert adjusted_rand_index(here.labels[~ignored], TRUTH[~ignored]) > 0.6
    assert adjusted_rand_index(here.labels[~ignored], there.labels[~ignored]) > 0.95
    assert np.allclose(there.probabilities.sum(1), 1)
