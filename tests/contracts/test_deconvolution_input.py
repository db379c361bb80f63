"""What every deconvolution method takes without complaint: counts from a store, odd references, odd spots."""

import numpy as np
import pytest
import scipy.sparse as sp

from napari_spatialml.core import Reference, Spots
from napari_spatialml.core.count_rows import CountRows
from napari_spatialml.methods import methods

QUICK = {"autoencoder": {"n_simulated": 1000, "n_steps": 100}}
"""Less work than the default, where that takes seconds."""
each = pytest.mark.parametrize(
    "cls", [cls for cls in methods("deconvolution").values() if not cls.missing()], ids=lambda cls: cls.name
)
GENERATOR = np.random.default_rng(6)
TYPES = np.array(["B cell", "T cell", "fibroblast", "macrophage"])
GENES = np.array([f"Gene{i}" for i in range(120)])
PROFILES = GENERATOR.dirichlet(np.full(120, 0.3), 4)
CELL_TYPES = np.repeat(TYPES, 40)
CELLS = GENERATOR.poisson(PROFILES[np.repeat(np.arange(4), 40)] * 4000)
TRUTH = GENERATOR.dirichlet(np.full(4, 0.6), 150)
COUNTS = GENERATOR.poisson(TRUTH @ PROFILES * 3000)
PURE = np.eye(4)[GENERATOR.integers(0, 4, 150)]
SINGLE = GENERATOR.poisson(PURE @ PROFILES * 3000)
WHERE = GENERATOR.uniform(0, 1000, (150, 2))


class Rows(CountRows):
    """Counts that can only be had by rows."""

    def __init__(self, counts):
        self._counts, self.shape = sp.csr_matrix(counts), counts.shape

    def rows(self, start, stop):
        return self._counts[start:stop]


def found(cls, counts, reference=None):
    return cls(**QUICK.get(cls.name, {}))(Spots(counts, GENES, WHERE), reference or Reference(CELLS, GENES, CELL_TYPES))


def case(cls):
    """Counts and truth: mixtures, or single cells for a method that gives each row one type."""
    return (COUNTS, TRUTH) if getattr(cls, "mixtures", True) else (SINGLE, PURE)


def error(values, truth):
    return np.sqrt(((values - truth) ** 2).mean())


@each
def test_counts_that_are_read_by_rows_give_what_they_give_in_memory(cls):
    counts, _ = case(cls)
    assert np.allclose(found(cls, Rows(counts)).values, found(cls, counts).values, atol=1e-6)


@each
def test_a_type_with_one_cell_is_a_type(cls):
    kept = np.r_[0:40, 40:80, 80:120, 120:121]
    counts, truth = case(cls)
    made = found(cls, counts, Reference(CELLS[kept], GENES, CELL_TYPES[kept]))
    assert made.types == tuple(TYPES)
    assert np.isfinite(made.values).all() and error(made.values, truth) < 0.1


@each
def test_signatures_serve_as_a_reference(cls):
    counts, truth = case(cls)
    made = found(cls, counts, Reference(PROFILES * 1e4, GENES, TYPES))
    assert made.types == tuple(TYPES)
    assert np.isfinite(made.values).all() and error(made.values, truth) < 0.05


@each
def test_counts_that_are_not_whole_are_taken(cls):
    counts, truth = case(cls)
    made = found(cls, counts + 0.3 * (counts > 0))
    assert np.isfinite(made.values).all() and error(made.values, truth) < 0.05


@each
def test_spots_without_counts_are_kept_and_the_others_do_not_notice(cls):
    counts, truth = case(cls)
    counts = counts.copy()
    counts[[0, 70, 149]] = 0
    made = found(cls, counts)
    assert len(made.values) == 150 and np.isfinite(made.values).all()
    assert np.allclose(made.values[[0, 70, 149]].sum(1), 1)
    others = np.setdiff1d(np.arange(150), [0, 70, 149])
    assert error(made.values[others], truth[others]) < 0.05
    if made.empty is not None:
        assert list(np.flatnonzero(made.empty)) == [0, 70, 149]
