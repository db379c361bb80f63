"""Laws of trust: sure maps are trusted, order and names do not matter, and strokes predict their like."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse as sp

from napari_spatialml.core import Cells
from napari_spatialml.core.domain_trust import boundary, leave_one_stroke_out, margin, matched, seed_stability
from napari_spatialml.core.domains import Embedded
from napari_spatialml.core.graph import knn_graph
from napari_spatialml.errors import BadInput, Cancelled
from napari_spatialml.methods import method

LowPassMixture = method("domains", "low-pass-mixture")
GRID = np.stack(np.meshgrid(np.arange(30.0), np.arange(20.0), indexing="ij"), -1).reshape(-1, 2) * 100
TRUTH = (GRID[:, 0] // 1000).astype(int)  # three bands of 10 rows


def tissue(seed=0, noise=0.3, centres=((0, 0), (1, 0), (0, 1.0))):
    rng = np.random.default_rng(seed)
    values = np.array(centres)[TRUTH] + rng.normal(0, noise, (len(TRUTH), 2))
    return Embedded(values, knn_graph(GRID, 6))


def test_the_margin_is_the_gap_to_the_second():
    p = np.array([[0.5, 0.3, 0.2], [1, 0, 0], [0.5, 0.5, 0]])
    assert np.allclose(margin(p), [0.2, 1, 0])
    assert np.allclose(margin(p[:, [2, 0, 1]]), margin(p))
    assert np.allclose(margin(np.ones((2, 1))), 1)


def test_the_boundary_is_where_neighbours_differ():
    graph = knn_graph(GRID, 4)
    share = boundary(TRUTH, graph)
    rim = np.isin(GRID[:, 0] // 100, [9, 10, 19, 20])
    assert (share[~rim] == 0).all() and (share[rim] > 0).all() and share.max() <= 1
    order = np.random.default_rng(0).permutation(len(GRID))
    assert np.allclose(boundary((2 - TRUTH)[order], graph[order][:, order]), share[order])


def test_a_row_without_a_domain_has_no_boundary_and_makes_none():
    line = sp.csr_matrix(([1.0] * 4, ([0, 1, 1, 2], [1, 0, 2, 1])), shape=(4, 4))
    share = boundary([0, 0, -1, 1], line)
    assert share[:2].tolist() == [0, 0] and np.isnan(share[2]) and share[3] == 0


def test_maps_are_matched_whatever_their_numbers():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 200)
    assert np.array_equal(matched(labels, rng.permutation(5)[labels]), labels)
    halves = np.where(labels == 2, 5 + (np.arange(200) % 3 == 0), labels)  # a domain in two
    again = matched(labels, halves)
    assert np.array_equal(again[labels != 2], labels[labels != 2]) and again.max() >= 5


def test_a_clear_map_is_the_same_for_every_seed_and_a_guess_is_not():
    clear = LowPassMixture(n_domains=3, n_starts=2)
    sure = tissue(noise=0.05)
    labels = clear.divided(sure, None).labels
    assert (seed_stability(clear, sure, labels, range(4)) == 1).all()
    guess = replace(clear, n_domains=6, n_starts=1)
    unsure = seed_stability(guess, tissue(), guess.divided(tissue(), None).labels, range(6))
    assert unsure.min() >= 0 and unsure.max() <= 1 and 0.05 < 1 - unsure.mean() < 0.95
    assert np.allclose(unsure * 5, np.rint(unsure * 5))  # the method's own seed is left out


def test_stability_does_not_depend_on_what_domains_are_called():
    guess = LowPassMixture(n_domains=4, n_starts=1)
    labels = guess.divided(tissue(), None).labels
    one = seed_stability(guess, tissue(), labels, range(3))
    other = seed_stability(guess, tissue(), (labels + 1) % 4, range(3))
    assert np.array_equal(one, other)


def test_strokes_hold_in_the_map_of_every_seed():
    guess = LowPassMixture(n_domains=5, n_starts=1)
    smoothed = tissue()
    found = guess.divided(smoothed, None)
    anchors = np.full(len(TRUTH), -1)
    anchors[5:25] = 4
    fitted = guess.refitted(smoothed, found.probabilities, anchors)
    share = seed_stability(guess, smoothed, fitted.labels, range(4), anchors=anchors)
    assert share[5:25].mean() > 0.6
    with pytest.raises(BadInput, match="no other seed"):
        seed_stability(guess, smoothed, found.labels, [0])


def test_a_method_that_embeds_with_its_seed_is_run_again_from_the_cells():
    class Seeded(LowPassMixture):
        embeds = (*LowPassMixture.embeds, "seed")
        asked: ClassVar[list] = []

        def embedded(self, cells, report=lambda *_: None):
            self.asked.append(self.seed)
            return super().embedded(cells)

    seeded = Seeded(n_domains=3, n_starts=1)
    cells = Cells(np.random.default_rng(0).random((60, 5)), GRID[:60])
    smoothed = seeded.smoothed(seeded.embedded(cells), cells)
    labels = seeded.divided(smoothed, None).labels
    with pytest.raises(BadInput, match="before it divides"):
        seed_stability(seeded, smoothed, labels, [1, 2])
    Seeded.asked.clear()
    assert len(seed_stability(seeded, smoothed, labels, [1, 2], cells=cells)) == 60 and Seeded.asked == [1, 2]


# --- strokes left out one at a time


def wrong_map():
    """Domains 0 and 1 are one on the map; 2 is right."""
    p = np.full((len(TRUTH), 3), 0.01)
    p[np.arange(len(TRUTH)), np.where(TRUTH == 1, 0, TRUTH)] = 0.98
    return p


def strokes_in(domain, n, size=12, seed=0):
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(domain == TRUTH))
    return [(rows[k * size : (k + 1) * size], domain) for k in range(n)]


def test_strokes_predict_their_like():
    smoothed = tissue(noise=0.1)
    strokes = strokes_in(0, 2) + strokes_in(1, 3) + strokes_in(2, 1)
    told = leave_one_stroke_out(LowPassMixture(n_domains=3), smoothed, wrong_map(), strokes)
    assert (told.right, told.of, told.before) == (6, 6, 3) and min(told.per_stroke) > 0.9
    assert (
        told.sentence == "Left out one at a time, 6 of 6 strokes are predicted by the others (before the hand: 3 of 6)."
    )


def test_strokes_of_a_place_where_nothing_tells_domains_apart_are_not_predicted():
    rng = np.random.default_rng(0)
    nothing = Embedded(rng.normal(size=(len(TRUTH), 2)), knn_graph(GRID, 6))
    strokes = [(rng.choice(len(TRUTH), 10, replace=False), k % 3) for k in range(9)]
    told = leave_one_stroke_out(LowPassMixture(n_domains=3), nothing, wrong_map(), strokes)
    assert told.of == 9 and told.right < 7


def test_the_only_stroke_of_a_new_domain_is_said_and_counted_apart():
    strokes = [*strokes_in(0, 2), (np.arange(570, 580), 3)]
    told = leave_one_stroke_out(LowPassMixture(n_domains=3), tissue(noise=0.1), wrong_map(), strokes)
    assert told.of == 2 and told.alone == 1 and told.per_stroke[2] is None
    assert "1 stroke is the only one of a new domain and cannot be predicted." in told.sentence
    # one more like it, and both are predicted or not
    again = leave_one_stroke_out(
        LowPassMixture(n_domains=3), tissue(noise=0.1), wrong_map(), [*strokes, (np.arange(580, 590), 3)]
    )
    assert again.of == 4 and again.alone == 0


def test_a_later_stroke_owns_the_rows_it_shares_with_an_earlier_one():
    rows = np.flatnonzero(TRUTH == 1)[:20]
    strokes = [*strokes_in(2, 1), (rows[:10], 0), (rows, 1), *strokes_in(1, 3, seed=4)]
    told = leave_one_stroke_out(LowPassMixture(n_domains=3), tissue(noise=0.1), wrong_map(), strokes)
    assert told.covered == 1 and told.per_stroke[1] is None and told.of == 5
    assert told.per_stroke[2] == 1 and "1 lies wholly under later strokes." in told.sentence
    # a stroke that marks tissue to ignore is not predicted, and takes rows all the same
    ignoring = leave_one_stroke_out(LowPassMixture(n_domains=3), tissue(), wrong_map(), [*strokes, (rows, -1)])
    assert ignoring.covered == 2 and ignoring.per_stroke[6] is None


def test_a_single_stroke_has_nothing_to_be_tested_by():
    told = leave_one_stroke_out(LowPassMixture(), tissue(), wrong_map(), strokes_in(1, 1))
    assert told.of == 0 and "lay another" in told.sentence
    assert leave_one_stroke_out(LowPassMixture(), tissue(), wrong_map(), []).of == 0


def test_it_says_how_far_it_is_and_stops():
    said = []
    strokes = strokes_in(0, 2) + strokes_in(1, 2)
    leave_one_stroke_out(
        LowPassMixture(n_domains=3), tissue(), wrong_map(), strokes, report=lambda f, m="": said.append(f)
    )
    assert said == sorted(said) and said[-1] == 1 and len(said) > 4

    def stop(fraction, message=""):
        if fraction > 0.4:
            raise Cancelled

    with pytest.raises(Cancelled):
        leave_one_stroke_out(LowPassMixture(n_domains=3), tissue(), wrong_map(), strokes, report=stop)
    with pytest.raises(Cancelled):
        seed_stability(LowPassMixture(n_domains=3), tissue(), TRUTH, range(5), stop)
