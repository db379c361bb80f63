"""What every domain method promises; each law runs over the registry."""

import numpy as np
import pytest
import scipy.sparse as sp

from napari_spatialml.core import Affine, Cells, parameters
from napari_spatialml.core.metrics import adjusted_rand_index
from napari_spatialml.errors import BadInput, Cancelled
from napari_spatialml.methods import methods

each = pytest.mark.parametrize(
    "cls", [cls for cls in methods("domains").values() if not cls.missing()], ids=lambda cls: cls.name
)
K = 4


def tissue(seed: int = 0, side: int = 22):
    """Four bands of a hexagonal grid of spots 100 µm apart, 60 genes, sparse counts."""
    generator = np.random.default_rng(seed)
    row, column = np.mgrid[:side, :side]
    where = np.column_stack([row.ravel() * 86.6, (column + (row % 2) / 2).ravel() * 100.0])
    truth = np.digitize(where[:, 1], [400, 1000, 1800])
    rate = generator.gamma(0.7, 1.0, (K, 60))[truth] * generator.gamma(5, 0.2, (len(where), 1))
    return sp.csr_matrix(generator.poisson(rate)), where, truth


COUNTS, WHERE, TRUTH = tissue()


def made(cls, **settings):
    known = {p.name for p in parameters(cls)}
    # a law holds of a network that has learnt little, too
    few = {"n_domains": K, "n_networks": 2, "n_epochs": 30, "n_hidden": 32, **settings}
    return cls(**{name: value for name, value in few.items() if name in known})


@each
def test_bands_of_tissue_are_found(cls):
    found = made(cls)(Cells(COUNTS, WHERE))
    assert adjusted_rand_index(found.labels, TRUTH) > 0.85
    assert found.probabilities.shape == (len(WHERE), K)
    assert np.allclose(found.probabilities.sum(1), 1)
    assert np.array_equal(found.labels, found.probabilities.argmax(1))


@each
def test_domains_are_numbered_from_the_largest(cls):
    sizes = np.bincount(made(cls)(Cells(COUNTS, WHERE)).labels, minlength=K)
    assert (np.diff(sizes) <= 3).all()  # by expected size: rows in doubt may tip a tie


@each
@pytest.mark.parametrize("degrees", [90.0, 37.5])
def test_turning_mirroring_and_moving_the_section_changes_nothing(cls, degrees):
    moved = Affine.similarity(1, degrees, (-5e4, 2e5), reflect=True).apply(WHERE)
    here, there = made(cls)(Cells(COUNTS, WHERE)), made(cls)(Cells(COUNTS, moved))
    assert np.array_equal(here.labels, there.labels)


@each
def test_shuffling_rows_only_shuffles_and_shuffling_genes_does_nothing(cls):
    generator = np.random.default_rng(1)
    rows, genes = generator.permutation(len(WHERE)), generator.permutation(COUNTS.shape[1])
    here, there = made(cls)(Cells(COUNTS, WHERE)), made(cls)(Cells(COUNTS[rows][:, genes], WHERE[rows]))
    assert np.array_equal(here.labels[rows], there.labels)


@each
def test_the_same_seed_gives_the_same_bits_sparse_or_dense(cls):
    first, second = (made(cls, seed=5)(Cells(COUNTS, WHERE)) for _ in range(2))
    assert first.probabilities.tobytes() == second.probabilities.tobytes()
    dense = made(cls, seed=5)(Cells(COUNTS.toarray(), WHERE))
    assert np.array_equal(dense.labels, first.labels)


@each
def test_the_hand_is_never_overruled(cls):
    free = made(cls)(Cells(COUNTS, WHERE))
    generator = np.random.default_rng(2)
    for share in (0.01, 0.3):
        anchors = np.where(generator.random(len(WHERE)) < share, generator.integers(0, K, len(WHERE)), -1)
        found = made(cls)(Cells(COUNTS, WHERE, anchors))
        fixed = anchors >= 0
        assert np.array_equal(found.labels[fixed], anchors[fixed])
        assert (found.probabilities[fixed, anchors[fixed]] == 1).all()
    unchanged = made(cls)(Cells(COUNTS, WHERE, np.full(len(WHERE), -1)))
    assert np.array_equal(unchanged.labels, free.labels)


@each
def test_a_few_corrections_keep_the_numbers_of_the_domains(cls):
    free = made(cls)(Cells(COUNTS, WHERE)).labels
    anchors = np.full(len(WHERE), -1)
    stroke = np.flatnonzero(free == 0)[:5]
    anchors[stroke] = 1
    found = made(cls)(Cells(COUNTS, WHERE, anchors)).labels
    rest = anchors < 0
    assert (found == free)[rest].mean() > 0.85


@each
def test_a_section_annotated_throughout_brings_its_own_numbers_and_teaches_the_rest(cls):
    number = np.array([2, 0, 3, 1])[TRUTH]
    known = np.random.default_rng(3).random(len(WHERE)) < 0.4
    found = made(cls)(Cells(COUNTS, WHERE, np.where(known, number, -1)))
    assert (found.labels == number)[~known].mean() > 0.9


@each
def test_a_stroke_with_a_new_number_makes_a_new_domain(cls):
    anchors = np.full(len(WHERE), -1)
    anchors[TRUTH == 3] = K
    found = made(cls)(Cells(COUNTS, WHERE, anchors))
    assert found.probabilities.shape[1] == K + 1
    assert (found.labels[TRUTH == 3] == K).all()


@each
def test_separate_pieces_doubled_places_and_one_place_for_all_work(cls):
    apart = np.where((TRUTH == 0)[:, None], WHERE + 1e7, WHERE)
    assert adjusted_rand_index(made(cls)(Cells(COUNTS, apart)).labels, TRUTH) > 0.8
    doubled = Cells(sp.vstack([COUNTS, COUNTS[:9]]), np.vstack([WHERE, WHERE[:9]]))
    assert len(made(cls)(doubled).labels) == len(WHERE) + 9
    assert len(made(cls)(Cells(COUNTS, np.zeros_like(WHERE))).labels) == len(WHERE)


@each
def test_a_section_too_small_for_its_domains_is_refused_in_words(cls):
    with pytest.raises(BadInput, match="1 row for"):
        made(cls)(Cells(COUNTS[:1], WHERE[:1]))
    with pytest.raises(BadInput, match="are 3 rows for 4 domains"):
        made(cls)(Cells(COUNTS[:3], WHERE[:3]))
    with pytest.raises(BadInput, match="Only 3 rows differ"):
        three = sp.vstack([COUNTS[:3]] * 30)
        made(cls)(Cells(three, WHERE[:90]))
    with pytest.raises(BadInput, match="constant"):
        made(cls)(Cells(np.ones((50, 5)), WHERE[:50]))
    assert len(made(cls)(Cells(COUNTS[:K], WHERE[:K])).labels) == K


@each
def test_a_domain_number_out_of_all_bounds_is_refused_in_words(cls):
    anchors = np.where(np.arange(len(WHERE)) == 5, 10**9, -1)
    with pytest.raises(BadInput, match="1000000000"):
        made(cls)(Cells(COUNTS, WHERE, anchors))


def test_broken_features_are_refused_in_words():
    with pytest.raises(BadInput, match="NaN"):
        Cells(np.full((3, 2), np.nan), WHERE[:3])
    with pytest.raises(BadInput, match="rows for"):
        Cells(COUNTS, WHERE[:-1])
    with pytest.raises(BadInput, match="empty"):
        Cells(np.zeros((0, 3)), np.zeros((0, 2)))


@each
def test_progress_runs_forward_to_the_end_and_stop_stops(cls):
    told: list[float] = []
    made(cls)(Cells(COUNTS, WHERE), lambda fraction, message="": told.append(fraction))
    assert told == sorted(told) and told[-1] == 1.0 and len(told) > 5

    def stop(fraction, message=""):
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        made(cls)(Cells(COUNTS, WHERE), stop)
