"""Types learnt without a reference: planted ones come out, as many as there are, whatever the order of the rows."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from napari_spatialml.core import Constraints, Spots
from napari_spatialml.core.learnt_types import learn_topics, overdispersed_genes, suggested_number, topic_names
from napari_spatialml.errors import BadInput, Cancelled
from napari_spatialml.methods import method

pytest.importorskip("torch")
Autoencoder = method("deconvolution", "autoencoder")
GENES = np.array([f"g{i:03}" for i in range(200)])


def planted(seed=0, n=240, n_types=5, g=200, depth=1500):
    """Overdispersed spots of a few types, whose shares are known."""
    generator = np.random.default_rng(seed)
    profiles = 0.5 * generator.dirichlet(np.full(g, 0.3), n_types) + 0.5 * generator.dirichlet(np.full(g, 1.0))
    truth = generator.dirichlet(np.full(n_types, 0.4), n)
    rates = truth @ profiles * depth * np.exp(generator.normal(0, 0.4, (n, 1)))
    return generator.poisson(generator.gamma(1 / 0.2, 0.2 * rates)), truth, profiles


def matched(values, truth):
    """Return the columns of the values that belong to those of the truth, and the mean of their correlations."""
    n_types = truth.shape[1]
    apart = np.corrcoef(values.T, truth.T)[: values.shape[1], values.shape[1] :]
    rows, columns = linear_sum_assignment(-apart)
    return rows[np.argsort(columns)], float(apart[rows, columns].sum() / n_types)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_planted_types_and_their_number_are_found(seed):
    counts, truth, profiles = planted(seed)
    found = Autoencoder(seed=seed)(Spots(counts, GENES), None)
    assert found.values.shape == truth.shape
    order, alike = matched(found.values, truth)
    assert alike > 0.97
    assert np.sqrt(((found.values[:, order] - truth) ** 2).mean()) < 0.06
    assert np.allclose(found.values.sum(1), 1) and (found.values >= 0).all()
    learnt = found.fitted.signatures[order]
    assert min(np.corrcoef(a, b)[0, 1] for a, b in zip(learnt, profiles, strict=True)) > 0.97


def test_it_is_nearer_than_factors_of_the_counts_begun_elsewhere():
    from sklearn.decomposition import NMF

    counts, truth, _ = planted(3)
    model = NMF(5, random_state=0, max_iter=400)
    weights = model.fit_transform(counts.astype(float))
    plain = weights * model.components_.sum(1)
    plain /= plain.sum(1, keepdims=True)
    found = Autoencoder(n_types=5)(Spots(counts, GENES), None).values
    errors = [np.sqrt(((one[:, matched(one, truth)[0]] - truth) ** 2).mean()) for one in (found, plain)]
    assert errors[0] < errors[1]


def test_the_order_of_spots_and_genes_does_not_matter():
    counts, _, _ = planted(4, n=150)
    generator = np.random.default_rng(0)
    rows, columns = generator.permutation(150), generator.permutation(200)
    here = Autoencoder(n_types=5)(Spots(counts, GENES), None)
    there = Autoencoder(n_types=5)(Spots(counts[rows][:, columns], GENES[columns]), None)
    assert here.types == there.types
    assert np.allclose(there.values, here.values[rows], atol=1e-6)


def test_a_type_is_named_by_the_genes_that_it_alone_has():
    profiles = np.full((2, 6), 0.05)
    profiles[0, 1], profiles[1, 4] = 0.75, 0.75
    first, second = topic_names(profiles, np.array(["a", "KRT19", "c", "d", "IGH/K:1", "f"]), 1)
    assert (first, second) == ("Type 1 (KRT19)", "Type 2 (IGH-K-1)")


def test_noise_alone_gives_the_fewest_types():
    counts = np.random.default_rng(5).poisson(np.full((150, 60), 5.0)).astype(float)
    assert suggested_number(counts, np.random.default_rng(0)) == 2


def test_genes_that_vary_beyond_their_counts_are_chosen():
    generator = np.random.default_rng(6)
    counts = generator.poisson(np.full((300, 50), 4.0))
    counts[:, [7, 20]] = generator.poisson(generator.gamma(0.5, 8.0, (300, 2)))
    assert overdispersed_genes(counts, 2).tolist() == [7, 20]


def test_what_the_hand_has_said_of_a_learnt_type_holds_and_the_types_keep_their_names():
    counts, _, _ = planted(7, n=120)
    free = Autoencoder(n_types=4)(Spots(counts, GENES), None)
    lower, upper = np.zeros((1, 4)), np.ones((1, 4))
    lower[0, 2] = upper[0, 2] = 0.8
    hand = Constraints(free.types, np.array([3]), lower, upper)
    bound = Autoencoder(n_types=4)(Spots(counts, GENES, None, hand, free), None)
    assert bound.types == free.types
    assert bound.values[3, 2] == pytest.approx(0.8, abs=1e-9)
    others = np.arange(120) != 3
    assert np.sqrt(((bound.values[others] - free.values[others]) ** 2).mean()) < 0.03


def test_too_little_to_learn_from_is_refused_and_little_is_said():
    counts, _, _ = planted(8, n=60)
    with pytest.raises(BadInput, match=r"20 spots have counts.*At least 24 are needed"):
        Autoencoder()(Spots(counts[:20], GENES), None)
    with pytest.raises(BadInput, match="3 of the 3 genes"):
        Autoencoder()(Spots(counts[:, :3], GENES[:3]), None)
    with pytest.raises(BadInput, match="One type has all"):
        Autoencoder(n_types=1)(Spots(counts, GENES), None)
    told = Autoencoder(n_types=5, share="RNA")(Spots(counts, GENES), None).notes
    assert len(told) == 1 and told[0].startswith("Only 60 spots for 5 learnt types")
    assert "of the counts" in Autoencoder(n_types=2)(Spots(counts, GENES), None).notes[0], "not of cells, as asked"
    empty = np.vstack([counts, np.zeros((1, 200))])
    assert np.allclose(Autoencoder(n_types=5)(Spots(empty, GENES), None).values[-1], 0.2)


def test_stop_is_heard():
    counts, _, _ = planted(9, n=60)

    def stop(fraction, message=""):
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        Autoencoder()(Spots(counts, GENES), None, stop)
    assert learn_topics(counts.astype(float), 2).shares.shape == (60, 2)
