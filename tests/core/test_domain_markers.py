"""Laws of markers: a planted one is first, AUROC is exact, and sections do not mislead."""

import time

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_spatialml.core.domain_markers import compared, markers
from napari_spatialml.errors import BadInput, Cancelled

N, P, K = 240, 12, 3
NAMES = [f"G{j}" for j in range(P)]
FIGURES = ("mean_in", "mean_out", "log2_fold_change", "auroc", "cohens_d", "share_in", "share_out")


def section(seed=0):
    """Counts in which G3 marks domain 1 and G7 domain 2, and the labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, K, N)
    rates = rng.uniform(0.3, 3, P) * np.ones((K, 1))
    rates[1, 3] *= 5
    rates[2, 7] *= 8
    return rng.poisson(rates[labels]).astype(float), labels


@settings(max_examples=30)
@given(
    hnp.arrays(np.float64, (25, 2), elements=st.integers(-2, 3).map(float)),
    hnp.arrays(np.int64, 25, elements=st.integers(-1, 2)),
    st.booleans(),
)
def test_the_auroc_is_that_of_scikit_learn_with_ties_zeros_and_negative_values(values, labels, sparse):
    from sklearn.metrics import roc_auc_score

    found = markers(sp.csr_matrix(values) if sparse else values, labels, ["a", "b"], 3, normalise="none")
    there = labels >= 0
    for domain in range(3):
        inside = labels[there] == domain
        for j in range(2):
            if inside.any() and not inside.all():
                assert np.isclose(found.auroc[domain, j], roc_auc_score(inside, values[there, j]))
            else:
                assert np.isnan(found.auroc[domain, j])


def test_a_planted_marker_is_first():
    counts, labels = section()
    found = markers(sp.csr_matrix(counts), labels, NAMES)
    assert found.top(1, 1)[0].feature == "G3" and found.top(2, 1)[0].feature == "G7"
    best = found.top(2, 3)[0]
    assert best.column == 7 and best.log2_fold_change > 2 and best.cohens_d > 1 and best.auroc > 0.9
    assert best.share_in > best.share_out and best.mean_in > 4 * best.mean_out
    assert len(found.top(0)) == P and found.top(2, 1, lower=True)[0].auroc < 0.5


def test_inside_and_outside_mirror_each_other():
    counts, labels = section()
    two = labels > 0
    found = markers(counts, two.astype(int), NAMES)
    assert np.allclose(found.auroc[0], 1 - found.auroc[1]) and np.allclose(found.cohens_d[0], -found.cohens_d[1])
    assert np.allclose(found.log2_fold_change[0], -found.log2_fold_change[1])
    assert np.allclose(found.mean_in[0], found.mean_out[1]) and np.allclose(found.share_in[0], found.share_out[1])


def test_the_figures_are_what_they_are_called():
    rng = np.random.default_rng(0)
    values, labels = rng.random((N, P)), rng.integers(0, K, N)
    values[rng.random((N, P)) < 0.4] = 0
    found = markers(values, labels, NAMES, normalise="none")
    inside, outside = values[labels == 1], values[labels != 1]
    pooled = np.sqrt(
        ((len(inside) - 1) * inside.var(0, ddof=1) + (len(outside) - 1) * outside.var(0, ddof=1)) / (N - 2)
    )
    assert np.allclose(found.mean_in[1], inside.mean(0)) and np.allclose(found.mean_out[1], outside.mean(0))
    assert np.allclose(found.cohens_d[1], (inside.mean(0) - outside.mean(0)) / pooled)
    assert np.allclose(found.share_in[1], (inside > 0).mean(0)) and found.sizes.tolist() == np.bincount(labels).tolist()
    assert np.allclose(found.log2_fold_change[1], np.log2(inside.mean(0) / outside.mean(0)), atol=0.05)


def test_the_order_of_rows_and_features_and_sparseness_change_nothing():
    counts, labels = section()
    found = markers(counts, labels, NAMES)
    rng = np.random.default_rng(1)
    rows, columns = rng.permutation(N), rng.permutation(P)
    again = markers(sp.csr_matrix(counts[rows][:, columns]), labels[rows], [NAMES[j] for j in columns])
    for name in FIGURES:
        assert np.allclose(getattr(found, name)[:, columns], getattr(again, name)), name
    for domain in range(K):
        assert [m.feature for m in found.top(domain)] == [m.feature for m in again.top(domain)]


def test_domains_renamed_keep_their_markers():
    counts, labels = section()
    found, again = markers(counts, labels, NAMES), markers(counts, (labels + 1) % K, NAMES)
    for domain in range(K):
        pairs = zip(found.top(domain), again.top((domain + 1) % K), strict=True)
        assert all(
            a.feature == b.feature and np.isclose(a.cohens_d, b.cohens_d) and a.auroc == b.auroc for a, b in pairs
        )


def test_depth_of_the_rows_makes_no_marker():
    counts, labels = section()
    deep = counts * np.where(labels == 0, 7, 1)[:, None]
    assert abs(markers(deep, labels, NAMES).top(0, 1)[0].log2_fold_change) < 1
    assert markers(deep, labels, NAMES).top(2, 1)[0].feature == "G7"


def test_rows_without_a_domain_count_nowhere_but_in_the_depth():
    counts, labels = section()
    values = counts / 10 + 0.01
    found = markers(values[labels > 0], labels[labels > 0] - 1, NAMES, normalise="none")
    again = markers(values, labels - 1, NAMES, normalise="none")
    for name in FIGURES:
        assert np.allclose(getattr(found, name), getattr(again, name))


def test_a_section_that_is_brighter_is_no_marker_of_the_domains_on_it():
    rng = np.random.default_rng(0)
    sections = np.repeat([0, 1], 150)
    labels = np.where(rng.random(300) < np.where(sections == 1, 0.8, 0.2), 1, 0)
    values = rng.random((300, 2))
    values[:, 0] += 3.0 * sections  # a brighter section
    values[:, 1] += 0.2 * labels  # a real difference
    plain, blocked = (
        markers(values, labels, ["bright", "real"], sections=s, normalise="none") for s in (None, sections)
    )
    assert plain.top(1, 1)[0].feature == "bright" and blocked.top(1, 1)[0].feature == "real"
    assert abs(blocked.auroc[1, 0] - 0.5) < 0.1


def test_a_domain_on_one_section_alone_is_compared_with_that_section():
    counts, labels = section()
    other = np.concatenate([np.zeros(N, int), np.ones(N, int)])
    both = np.concatenate([labels, np.zeros(N, int)])  # the second section is domain 0 all over
    twice = np.vstack([counts, counts[::-1]]) + 0.5
    found = markers(twice, both, NAMES, sections=other, normalise="none")
    alone = markers(counts + 0.5, labels, NAMES, normalise="none")
    assert np.allclose(found.auroc, alone.auroc)


def test_two_domains_are_compared_without_the_third():
    counts, labels = section()
    found = compared(counts + 0.5, labels, 1, 2, NAMES, normalise="none")
    kept = labels > 0
    alone = markers(counts[kept] + 0.5, labels[kept] - 1, NAMES, normalise="none")
    assert found.top(0) == alone.top(0) and found.top(1) == alone.top(1)
    assert found.top(0, 1)[0].feature == "G3" and found.top(1, 1)[0].feature == "G7"
    sets = compared(counts, labels, {0, 1}, [2], NAMES)
    assert sets.sizes.tolist() == [(labels < 2).sum(), (labels == 2).sum()] and sets.top(1, 1)[0].feature == "G7"
    with pytest.raises(BadInput, match="both sides"):
        compared(counts, labels, [0, 1], 1)
    with pytest.raises(BadInput, match="No row"):
        compared(counts, labels, 0, 9)


def test_features_that_are_constant_or_nowhere_are_no_markers():
    counts, labels = section()
    counts[:, 0] = 0
    found = markers(np.hstack([counts, np.full((N, 1), 0.1)]), labels, [*NAMES, "flat"], normalise="none")
    for j in (0, P):
        assert (found.auroc[:, j] == 0.5).all() and np.allclose(found.log2_fold_change[:, j], 0)
        assert (found.cohens_d[:, j] == 0).all()
    only = np.where(labels == 1, 2.0, 0.0)[:, None]
    told = markers(only, labels, ["only"], normalise="none")
    assert told.auroc[1, 0] == 1 and np.isposinf(told.cohens_d[1, 0]) and np.isfinite(told.log2_fold_change).all()


def test_negative_values_have_no_fold_change_but_the_rest():
    rng = np.random.default_rng(0)
    values, labels = rng.normal(size=(60, 3)), rng.integers(0, 2, 60)
    values[:, 2] = np.abs(values[:, 2])
    found = markers(values, labels, "abc")
    assert np.isnan(found.log2_fold_change[:, :2]).all() and np.isfinite(found.log2_fold_change[:, 2]).all()
    assert np.isfinite(found.auroc).all() and len(found.top(0)) == 3


def test_an_empty_domain_has_no_figures_and_nonsense_is_refused():
    counts, labels = section()
    found = markers(counts, labels, NAMES, 5)
    assert np.isnan(found.auroc[4]).all() and np.isfinite(found.auroc[:3]).all() and found.sizes[4] == 0
    with pytest.raises(BadInput, match="for 2 domains"):
        markers(counts, labels, NAMES, 2)
    with pytest.raises(BadInput, match="11 names"):
        markers(counts, labels, NAMES[1:])
    with pytest.raises(BadInput, match="domain 9"):
        found.top(9)
    with pytest.raises(BadInput, match="NaN"):
        markers(np.where(counts > 3, np.nan, counts), labels, NAMES)


def test_it_can_be_stopped():
    def stop(fraction, message=""):
        if fraction > 0.3:
            raise Cancelled

    counts, labels = section()
    with pytest.raises(Cancelled):
        markers(np.tile(counts, 30), labels, NAMES * 30, report=stop)


@pytest.mark.slow
def test_a_hundred_thousand_rows_of_two_thousand_genes_take_five_seconds():
    rng = np.random.default_rng(0)
    n, p, each = 100_000, 2000, 200
    columns = (np.arange(n)[:, None] + rng.choice(p, each, replace=False)) % p
    counts = sp.csr_matrix(
        (rng.integers(1, 9, n * each).astype(np.float32), columns.ravel(), np.arange(0, n * each + 1, each)), (n, p)
    )
    labels = rng.integers(0, 8, n)
    markers(counts[:100], labels[:100], [str(j) for j in range(p)], 8)  # compiled
    began = time.process_time()
    markers(counts, labels, [str(j) for j in range(p)])
    assert time.process_time() - began < 5
