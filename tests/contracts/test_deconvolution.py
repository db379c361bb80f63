"""What every deconvolution method promises; each law runs over the registry."""

from functools import partial

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core import Constraints, Reference, Spots
from napari_spatialml.core.box_simplex import nearest_within, obeying
from napari_spatialml.core.nonnegative import batched_nnls
from napari_spatialml.errors import BadInput, Cancelled
from napari_spatialml.methods import methods

QUICK = {"autoencoder": {"n_simulated": 1000, "n_steps": 100}}


def quick(cls):
    """Return the method with less work than its default does, where that takes seconds."""
    made = partial(cls, **QUICK.get(cls.name, {}))
    made.name, made.mixtures, made.learnt_tolerance = cls.name, cls.mixtures, cls.learnt_tolerance
    return made


each = pytest.mark.parametrize(
    "cls", [quick(cls) for cls in methods("deconvolution").values() if not cls.missing()], ids=lambda cls: cls.name
)
GENERATOR = np.random.default_rng(0)
TYPES = np.array(["B cell", "T cell", "fibroblast", "macrophage"])
GENES = np.array([f"Gene{i}" for i in range(120)])
PROFILES = GENERATOR.dirichlet(np.full(120, 0.3), 4)
CELL_TYPES = np.repeat(TYPES, 40)
CELLS = GENERATOR.poisson(PROFILES[np.repeat(np.arange(4), 40)] * 4000)
TRUTH = GENERATOR.dirichlet(np.full(4, 0.6), 200)
COUNTS = GENERATOR.poisson(TRUTH @ PROFILES * 3000)
PURE = np.eye(4)[np.random.default_rng(1).integers(0, 4, 200)]
SINGLE_CELLS = np.random.default_rng(2).poisson(PURE @ PROFILES * 3000)


def reference(counts=CELLS, genes=GENES, types=CELL_TYPES):
    return Reference(counts, genes, types)


def spots(counts=COUNTS, genes=GENES):
    return Spots(counts, genes, np.zeros((counts.shape[0], 2)))


def case(cls):
    """Counts and truth: mixtures, or single cells for a method that gives each row one type."""
    return (COUNTS, TRUTH) if cls.mixtures else (SINGLE_CELLS, PURE)


@each
def test_known_mixtures_are_recovered(cls):
    counts, truth = case(cls)
    found = cls()(spots(counts), reference())
    assert found.types == tuple(TYPES)
    assert (found.values >= 0).all()
    assert np.allclose(found.values.sum(1), 1)
    assert np.sqrt(((found.values - truth) ** 2).mean()) < 0.03


@each
def test_what_is_told_beside_the_proportions_fits_them(cls):
    """Abundances sum to the counts that were used, a spot that the profiles explain has a deviance of about 1."""
    if not cls.mixtures:
        pytest.skip("a method that gives each row one type explains no mixtures")
    found = cls()(spots(), reference())
    assert found.abundance is not None and found.standard_errors is not None and found.deviance is not None
    assert found.empty is not None and not found.empty.any()
    assert (found.abundance >= 0).all() and (found.abundance.sum(1) <= COUNTS.sum(1) * 1.3).all()
    assert 0.6 < np.median(found.deviance) < 1.5
    away = np.abs(found.values - TRUTH)
    assert np.median(found.standard_errors) < 0.1
    assert (away <= 4 * found.standard_errors + 0.06).mean() > 0.95
    other = COUNTS.copy()
    other[0] = np.random.default_rng(4).permutation(other[0])
    assert cls()(spots(other), reference()).deviance[0] > 2 * found.deviance[0]


@each
def test_pure_spots_are_pure(cls):
    counts = GENERATOR.poisson(PROFILES * 50_000)
    assert np.allclose(cls()(spots(counts), reference()).values, np.eye(4), atol=0.03)


@each
def test_the_order_of_genes_spots_and_cells_does_not_matter(cls):
    here = cls()(spots(), reference()).values
    rows, genes = GENERATOR.permutation(len(COUNTS)), GENERATOR.permutation(120)
    cells, other = GENERATOR.permutation(len(CELLS)), GENERATOR.permutation(120)
    there = cls()(
        spots(COUNTS[rows][:, genes], GENES[genes]), reference(CELLS[cells][:, other], GENES[other], CELL_TYPES[cells])
    )
    assert np.allclose(there.values, here[rows], atol=1e-9)


@each
def test_scaling_the_counts_of_a_spot_leaves_its_proportions(cls):
    here = cls()(spots(), reference()).values
    depth = GENERATOR.integers(1, 20, (len(COUNTS), 1)) * np.where(np.arange(len(COUNTS)) % 2, 1, 0.37)[:, None]
    atol = min(1e-7, cls.learnt_tolerance)  # rounding alone, where nothing is learnt from the other spots
    assert np.allclose(cls()(spots(COUNTS * depth), reference()).values, here, atol=atol)


@each
def test_dropping_the_other_spots_changes_little(cls):
    """Only what is learnt from all spots: of gene factors and dispersion where there is no platform effect."""
    counts = case(cls)[0]
    here = cls()(spots(counts), reference()).values
    assert np.allclose(cls()(spots(counts[:3]), reference()).values, here[:3], atol=cls.learnt_tolerance)


@each
def test_genes_of_one_table_only_change_nothing_and_doubled_ones_are_added(cls):
    here = cls()(spots(), reference()).values
    more = np.hstack([COUNTS, GENERATOR.poisson(50, (len(COUNTS), 7))])
    assert np.allclose(cls()(spots(more, np.append(GENES, [f"x{i}" for i in range(7)])), reference()).values, here)
    half = COUNTS // 2
    split = np.hstack([half, COUNTS - half])
    assert np.allclose(cls()(spots(split, np.tile(GENES, 2)), reference()).values, here)


@each
def test_an_empty_spot_is_even(cls):
    counts = sp.csr_matrix(np.vstack([np.zeros((1, 120)), COUNTS[:2]]))
    found = cls()(spots(counts), reference()).values
    assert np.allclose(found[0], 0.25)


@each
def test_the_hand_is_never_overruled(cls):
    """An override, a forbidden type and a minimum hold to rounding, and the artefact does not stop a fit."""
    lower, upper = np.zeros((3, 2)), np.ones((3, 2))
    lower[0, 0] = upper[0, 0] = 0.8
    upper[1, 1] = 0.0
    lower[2, 0] = 0.3
    counts, truth = case(cls)
    artefacts = np.zeros(len(counts), bool)
    artefacts[9] = True
    hand = Constraints(("T cell", "B cell"), np.array([3, 5, 7]), lower, upper, artefacts)
    found = cls()(Spots(counts, GENES, np.zeros((len(counts), 2)), hand), reference()).values
    assert np.allclose(found.sum(1), 1) and (found >= 0).all()
    assert found[3, 1] == pytest.approx(0.8, abs=1e-9)
    assert found[5, 0] == 0
    assert found[7, 1] >= 0.3 - 1e-9
    free = np.setdiff1d(np.arange(len(counts)), [3, 5, 7])
    assert np.sqrt(((found[free] - truth[free]) ** 2).mean()) < 0.03


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 9))
def test_the_nearest_proportions_within_ranges_are_the_nearest(seed, t):
    """Against scipy's general solver, and exact where a range has no width."""
    generator = np.random.default_rng(seed)
    values, inside = generator.dirichlet(np.ones(t), 2)
    lower, upper = np.maximum(inside - 0.1, 0), np.minimum(inside + 0.1, 1)
    lower[0] = upper[0] = inside[0]
    found = nearest_within(values[None], lower[None], upper[None])[0]
    assert found.sum() == pytest.approx(1, abs=1e-12)
    assert found[0] == inside[0] and (found >= lower - 1e-12).all() and (found <= upper + 1e-12).all()
    exact = scipy.optimize.minimize(
        lambda x: ((x - values) ** 2).sum(), inside, bounds=list(zip(lower, upper, strict=True)),
        constraints={"type": "eq", "fun": lambda x: x.sum() - 1}, method="SLSQP", options={"ftol": 1e-14},
    )  # fmt: skip
    assert ((found - values) ** 2).sum() <= exact.fun + 1e-7


def test_constraints_that_cannot_be_met_are_refused_in_words():
    with pytest.raises(BadInput, match="sum to more than 1"):
        Constraints(("a", "b"), np.array([0]), np.array([[0.7, 0.6]]), np.ones((1, 2)))
    with pytest.raises(BadInput, match="sum to less than 1"):
        Constraints(("a", "b"), np.array([0]), np.zeros((1, 2)), np.array([[0.2, 0.3]]))
    none = Constraints(("mast cell",), np.array([0]), np.array([[0.5]]), np.array([[1.0]]))
    with pytest.raises(BadInput, match="'mast cell', which is not a type of the reference"):
        obeying(np.array([[1.0]]), ("T cell",), none)


@each
def test_types_that_look_alike_share_evenly(cls):
    """Two names for one type: their sum is right, and neither takes all by chance."""
    seen, truth = case(cls)
    types = CELL_TYPES.copy()
    counts = np.vstack([CELLS, CELLS[types == "T cell"]])
    found = cls()(spots(seen), reference(counts, GENES, np.append(types, np.repeat("twin", 40))))
    at = [found.types.index(name) for name in ("T cell", "twin")]
    assert np.isfinite(found.values).all()
    assert np.sqrt(((found.values[:, at].sum(1) - truth[:, 1]) ** 2).mean()) < 0.04


@each
def test_genes_that_do_not_match_are_told_with_numbers_and_the_reason(cls):
    with pytest.raises(BadInput, match=r"share 0.*upper and lower case"):
        cls()(spots(genes=np.char.upper(GENES)), reference())
    with pytest.raises(BadInput, match="Ensembl"):
        cls()(spots(genes=np.array([f"ENSG{i:05}" for i in range(120)])), reference())
    with pytest.raises(BadInput, match=r"share 4, too few for 4 cell types.*At least 10"):
        cls()(spots(COUNTS[:, :4], GENES[:4]), reference())


@each
def test_a_type_without_counts_is_named(cls):
    counts = CELLS.copy()
    counts[CELL_TYPES == "macrophage"] = 0
    with pytest.raises(BadInput, match="'macrophage'"):
        cls()(spots(), reference(counts))


def test_broken_tables_are_refused_in_words():
    with pytest.raises(BadInput, match="negative"):
        spots(-COUNTS)
    with pytest.raises(BadInput, match="NaN"):
        spots(COUNTS * np.nan)
    with pytest.raises(BadInput, match="1 cell type"):
        reference(types=np.repeat("T cell", 160))


@each
def test_progress_runs_forward_to_the_end_and_stop_stops(cls):
    told: list[float] = []
    cls()(spots(), reference(), lambda fraction, message="": told.append(fraction))
    assert told == sorted(told) and told[-1] == 1.0

    def stop(fraction, message=""):
        if fraction > 0.1:
            raise Cancelled

    with pytest.raises(Cancelled):
        cls()(spots(), reference(), stop)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 12), st.floats(0, 0.99))
def test_the_batched_solver_agrees_with_the_textbook_one(seed, t, alike):
    """Against scipy's Lawson and Hanson, from independent columns to nearly parallel ones."""
    generator = np.random.default_rng(seed)
    design = (1 - alike) * generator.normal(size=(20, t)) + alike * generator.normal(size=(20, 1))
    right = generator.normal(size=(25, 20)) * 10.0 ** generator.uniform(-6, 6, (25, 1))
    found = batched_nnls(design.T @ design, right @ design)
    for row, wanted in zip(found, right, strict=True):
        exact = scipy.optimize.nnls(design, wanted)[0]
        assert np.allclose(row, exact, rtol=1e-4, atol=1e-6 * max(np.abs(exact).max(), 1e-12))
