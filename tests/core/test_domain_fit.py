"""Laws of the estimator of domains: what is left out changes nothing, sections are no domains, odd tables work."""

import numpy as np
import pytest
import scipy.sparse as sp

from napari_spatialml.core import Cells
from napari_spatialml.core.domains import Embedded
from napari_spatialml.core.graph import knn_graph
from napari_spatialml.core.lowpass import components, low_pass, morans_i
from napari_spatialml.core.metrics import adjusted_rand_index
from napari_spatialml.core.mixture import fit_mixture, k_means
from napari_spatialml.core.noise_fractions import signal_components, signal_to_noise, smoothed_by_signal
from napari_spatialml.core.refitted_domains import refitted
from napari_spatialml.errors import BadInput
from napari_spatialml.methods.domains.low_pass_mixture import LowPassMixture

K = 3


def clouds(seed=0, side=24, apart=4.0):
    """Three bands of tissue, each a cloud in five dimensions."""
    generator = np.random.default_rng(seed)
    where = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2) * 100.0
    truth = np.digitize(where[:, 1], [700, 1500])
    values = generator.normal(size=(len(where), 5)) + apart * np.eye(5)[truth]
    return Embedded(values, knn_graph(where, 6)), truth, where


def counts(truth, seed=0, genes=50):
    generator = np.random.default_rng(seed)
    rate = generator.gamma(0.8, 1.0, (int(truth.max()) + 1, genes))[truth]
    return generator.poisson(rate * generator.gamma(6, 0.25, (len(truth), 1)))


@pytest.mark.parametrize("seed", range(3))
def test_what_ignored_rows_hold_changes_nothing_of_the_others(seed):
    tissue, truth, _ = clouds(seed)
    generator = np.random.default_rng(seed)
    ignored = generator.random(len(truth)) < 0.2
    spoilt = tissue.values.copy()
    spoilt[ignored] = generator.normal(50, 30, (int(ignored.sum()), 5))
    other = Embedded(spoilt, tissue.graph)
    detector = LowPassMixture(n_domains=K, n_starts=3)
    clean, dirty = detector.divided(tissue, ignored), detector.divided(other, ignored)
    assert np.allclose(clean.probabilities[~ignored], dirty.probabilities[~ignored], atol=1e-9)
    assert adjusted_rand_index(clean.labels[~ignored], truth[~ignored]) > 0.9
    anchors = np.full(len(truth), -1)
    anchors[np.flatnonzero(~ignored & (truth == 2))[:9]] = clean.labels[~ignored & (truth == 0)][0]
    before = clean.probabilities.copy()
    before[ignored] = generator.dirichlet(np.ones(K), int(ignored.sum()))
    here = refitted(tissue, clean.probabilities, anchors, ignored)
    there = refitted(other, before, anchors, ignored)
    assert np.allclose(here.probabilities[~ignored], there.probabilities[~ignored], atol=1e-9)
    # a mark on an ignored row is kept there and teaches nothing either
    marked = anchors.copy()
    marked[np.flatnonzero(ignored)[:20]] = 1
    told = refitted(tissue, clean.probabilities, marked, ignored)
    assert np.allclose(here.probabilities[~ignored], told.probabilities[~ignored], atol=1e-9)


def test_a_gene_effect_of_a_section_is_no_domain():
    _, truth, where = clouds()
    table = np.log1p(np.vstack([counts(truth, 3), counts(truth, 3)[::-1]]).astype(float))
    both = np.concatenate([truth, truth[::-1]])
    sections = np.repeat([4, 9], len(truth))
    effect = np.random.default_rng(1).normal(0, 3, table.shape[1])
    shifted = table + np.outer(sections == 9, effect)
    places = np.vstack([where, where[::-1]])
    detector = LowPassMixture(n_domains=K, normalise="none", n_features=30)
    apart = detector(Cells(shifted, places, sections=sections))
    assert adjusted_rand_index(apart.labels, both) > 0.9
    assert adjusted_rand_index(detector(Cells(shifted, places + 1e6 * (sections == 9)[:, None])).labels, both) < 0.8
    # each section is centred on itself, so that the effect leaves no trace at all
    here = components(table, 5, sections=sections)
    assert np.allclose(components(shifted, 5, sections=sections), here, atol=1e-6)
    assert np.allclose([here[sections == s].mean(0) for s in (4, 9)], 0, atol=1e-8)
    graph = sp.csr_matrix(sp.block_diag([knn_graph(where, 6), knn_graph(where[::-1], 6)]))
    expected = morans_i(table, graph, sections=sections)
    assert np.allclose(morans_i(shifted, graph, sections=sections), expected, atol=1e-3)
    assert np.allclose(morans_i(sp.csr_matrix(table), graph, sections=sections), expected, atol=1e-3)


def test_morans_i_and_components_of_a_sparse_table_are_those_of_the_dense_one():
    _, truth, where = clouds()
    table = counts(truth, 1).astype(float)
    table[:, 4] = 3
    table[:, 7] = 0
    graph = knn_graph(where, 6)
    assert np.allclose(morans_i(sp.csr_matrix(table), graph), morans_i(table, graph), atol=1e-4)
    assert morans_i(sp.csr_matrix(table), graph)[[4, 7]].tolist() == [0, 0]
    sections = truth % 2
    assert np.allclose(components(sp.csr_matrix(table), 4, sections=sections), components(table, 4, sections=sections))


def test_a_stroke_teaches_alike_tissue_and_leaves_the_other_alone():
    """Half of a layer is taken for the next one: one stroke there brings it back, the third layer stays."""
    tissue, truth, _ = clouds(2)
    wrong = (truth == 1) & (np.arange(len(truth)) < len(truth) // 2)
    before = 0.9 * np.eye(K)[np.where(wrong, 0, truth)] + 0.1 / K
    anchors = np.full(len(truth), -1)
    anchors[np.flatnonzero(wrong)[20:32]] = 1
    found = refitted(tissue, before, anchors).labels
    free = wrong & (anchors < 0)
    assert (found[free] == 1).mean() > 0.9
    assert (found[~wrong] == truth[~wrong]).mean() > 0.97


def test_the_refit_does_not_depend_on_the_order_of_the_rows():
    tissue, truth, _ = clouds(4)
    order = np.random.default_rng(0).permutation(len(truth))
    before = np.random.default_rng(1).dirichlet(np.ones(K), len(truth)) + 2 * np.eye(K)[truth]
    before /= before.sum(1, keepdims=True)
    anchors = np.where(np.arange(len(truth)) % 40 == 0, (truth + 1) % K, -1)
    shuffled = Embedded(tissue.values[order], sp.csr_matrix(tissue.graph[order][:, order]))
    here, there = refitted(tissue, before, anchors), refitted(shuffled, before[order], anchors[order])
    assert np.allclose(here.probabilities[order], there.probabilities, atol=1e-8)


def test_without_a_stroke_the_map_is_that_before_the_hand():
    tissue, truth, _ = clouds()
    before = np.random.default_rng(0).dirichlet(np.ones(K), len(truth))
    assert np.array_equal(refitted(tissue, before, np.full(len(truth), -1)).probabilities, before)


def test_strokes_spread_over_the_tissue_outweigh_the_map():
    """The map takes two layers for one and cuts the third in two; marks on one row in ten put it right."""
    tissue, truth, where = clouds(7)
    wrong = np.where(truth == 2, 1 + (where[:, 0] > 1200), 0)
    before = 0.9 * np.eye(K)[wrong] + 0.1 / K
    anchors = np.where(np.random.default_rng(0).random(len(truth)) < 0.1, truth, -1)
    free = anchors < 0
    assert adjusted_rand_index(wrong[free], truth[free]) < 0.6
    assert adjusted_rand_index(refitted(tissue, before, anchors).labels[free], truth[free]) > 0.85


def test_marks_on_every_row_are_the_map():
    tissue, truth, _ = clouds()
    found = refitted(tissue, np.full((len(truth), K), 1 / K), truth)
    assert np.array_equal(found.labels, truth) and (found.probabilities.max(1) == 1).all()


@pytest.mark.parametrize("degrade", ["place", "alone", "empty rows", "copies", "wide"])
def test_odd_tables_give_a_whole_map_before_and_after_a_stroke(degrade):
    _, truth, where = clouds(side=12)
    table = counts(truth)
    if degrade == "place":
        where = np.zeros_like(where)
    if degrade == "alone":
        where = where + np.where(np.arange(len(where)) % 3 == 0, 1e7 * np.arange(len(where)), 0)[:, None]
    if degrade == "empty rows":
        table[::7] = 0
    if degrade == "copies":
        table = table[np.arange(len(table)) % 5]
    if degrade == "wide":
        table = np.hstack([table, np.zeros_like(table), np.ones_like(table)])
    anchors = np.full(len(truth), -1)
    anchors[:4] = K
    found = LowPassMixture(n_domains=K, n_starts=2)(Cells(sp.csr_matrix(table), where, anchors))
    assert np.isfinite(found.probabilities).all() and found.probabilities.shape == (len(truth), K + 1)
    assert (found.labels[:4] == K).all()


def test_a_single_cell_can_be_refitted_and_no_tissue_cannot():
    alone = Embedded(np.ones((1, 2)), sp.csr_matrix((1, 1)), 1)
    assert refitted(alone, np.ones((1, 1)), np.array([-1])).labels.tolist() == [0]
    assert refitted(alone, np.ones((1, 1)), np.array([2])).labels.tolist() == [2]
    with pytest.raises(BadInput, match="All rows are ignored"):
        refitted(alone, np.ones((1, 1)), np.array([-1]), np.array([True]))
    tissue, _, _ = clouds(side=4)
    with pytest.raises(BadInput, match="2 rows are left for 3 domains"):
        LowPassMixture(n_domains=K).divided(tissue, np.arange(16) > 1)


def test_the_mixture_climbs_and_gives_new_rows_their_probabilities():
    tissue, truth, _ = clouds(1)
    start = np.eye(K)[k_means(tissue.values, K, np.random.default_rng(0), 3)]
    likelihoods = [fit_mixture(tissue.values, start, 0.0, rounds).log_likelihood for rounds in (1, 3, 10, 40)]
    assert (np.diff(likelihoods) > -1e-6).all()
    found = fit_mixture(tissue.values + 1e4, start, 0.0)
    assert adjusted_rand_index(found.labels, truth) > 0.95
    assert np.allclose(found.clouds.posterior(tissue.values + 1e4).T, found.posterior, atol=1e-6)


def test_components_are_ordered_by_what_neighbours_share_and_noise_has_variance_one():
    tissue, _, _ = clouds(3, side=40, apart=0.0)
    generator = np.random.default_rng(0)
    field = np.sin(np.arange(40) / 6)[:, None] * np.cos(np.arange(40) / 8)
    mixed = np.column_stack([generator.normal(size=(1600, 4)), generator.normal(size=1600) + 2 * field.ravel()])
    mixed = mixed @ generator.normal(size=(5, 5))
    scores = signal_components(mixed - mixed.mean(0), tissue.graph)
    truth = 4 * field.var()
    assert abs(np.corrcoef(scores[:, 0], field.ravel())[0, 1]) == pytest.approx(np.sqrt(truth / (1 + truth)), abs=0.05)
    ratio = signal_to_noise(scores, tissue.graph)
    assert ratio[0] == pytest.approx(truth, rel=0.25) and (ratio[1:] < 0.1).all()
    # a common change of units and mixing of the columns changes nothing
    turned = (mixed - mixed.mean(0)) @ generator.normal(size=(5, 5)) * 1e3
    again = signal_components(turned, tissue.graph)
    assert np.allclose(np.abs(again[:, 0]), np.abs(scores[:, 0]), atol=1e-2)


def test_each_component_is_averaged_as_far_as_its_own_pattern_reaches():
    tissue, _, where = clouds(3, side=40, apart=0.0)
    generator = np.random.default_rng(1)
    noise = generator.normal(size=(1600, 2))
    wide = np.sin(where[:, 0] / 1200)
    fine = np.sign(np.sin(where[:, 0] / 150 * np.pi / 2)) * np.sign(np.sin(where[:, 1] / 150 * np.pi / 2))
    values = np.column_stack([4 * wide, 4 * fine]) + noise
    found = smoothed_by_signal(values, tissue.graph) * np.sqrt(1 + 0.2 * signal_to_noise(values, tissue.graph))
    assert ((found[:, 0] - 4 * wide) ** 2).mean() < 0.3
    assert ((found[:, 1] - 4 * fine) ** 2).mean() < ((low_pass(values, tissue.graph, 8)[:, 1] - 4 * fine) ** 2).mean()
    # no neighbours: nothing is averaged, and nothing breaks
    alone = sp.csr_matrix(tissue.graph.shape)
    assert np.allclose(smoothed_by_signal(values, alone), values)
    assert np.isfinite(signal_components(values - values.mean(0), alone)).all()


@pytest.mark.parametrize("columns", [1, 2])
def test_one_or_two_columns_and_copies_of_a_column_have_components(columns):
    tissue, _, _ = clouds(5)
    values = tissue.values[:, [0] * columns] - tissue.values[:, 0].mean()
    scores = signal_components(values, tissue.graph)
    assert scores.shape[1] >= 1 and np.isfinite(scores).all()
    assert abs(np.corrcoef(scores[:, 0], values[:, 0])[0, 1]) > 0.99


def test_the_likeliest_of_many_starts_does_not_depend_on_the_seed():
    tissue, _, _ = clouds(6, apart=3.0)
    maps = [LowPassMixture(n_domains=K, seed=seed).divided(tissue, None).labels for seed in range(4)]
    assert all(adjusted_rand_index(maps[0], other) > 0.99 for other in maps[1:])
