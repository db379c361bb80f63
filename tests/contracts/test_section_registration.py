"""Consecutive sections by expression: found from any start, and never told as a success where they are not."""

import numpy as np
import pytest

from napari_spatialml.core import Pair, Side
from napari_spatialml.core.section_trust import trust_of
from napari_spatialml.core.transfer import push_labels
from napari_spatialml.errors import BadInput, Cancelled
from napari_spatialml.methods import method
from tests.core.simulated_sections import Rings, section_pair

PITCH = 240.0


def register(pair, report=lambda fraction, message="": None, **settings):
    return method("registration", "consecutive-sections")(**settings)(pair, report)


def miss(found, made) -> float:
    """The median distance from the truth, in pitches."""
    points = made.pair.moving.points
    return float(np.median(np.linalg.norm(found.apply(points) - made.truth.apply(points), axis=1))) / PITCH


@pytest.fixture(scope="module")
def turned():
    made = section_pair(1)
    return made, register(made.pair)


def test_a_turned_and_mirrored_section_is_brought_back(turned):
    made, found = turned
    assert miss(found.transform, made) < 0.3
    assert found.transform.reflects == made.truth.reflects
    assert found.trust.warning == "" and found.trust.score > 0.8


def test_the_mirrored_placement_is_shown_beside_the_best(turned):
    _, found = turned
    assert found.candidates[0].transform == found.transform
    assert any(one.transform.reflects != found.transform.reflects for one in found.candidates)
    scores = [one.score for one in found.candidates]
    assert scores == sorted(scores, reverse=True)


def test_the_coupling_carries_the_domains_and_invents_no_mass(turned):
    made, found = turned
    n, m = len(made.labels_moving), len(made.labels_fixed)
    assert found.coupling.shape == (n, m)
    assert found.coupling.min() >= 0 and np.asarray(found.coupling.sum(1)).max() <= 1.0001 / n
    labels = push_labels(made.labels_moving, 6, found.coupling).labels()
    assert (labels == made.labels_fixed).mean() > 0.9


@pytest.mark.parametrize("degrees", [0.0, 77.0])
def test_the_start_does_not_matter(turned, degrees):
    made = section_pair(1, degrees=degrees, reflect=False)
    found = register(made.pair).transform
    apart = found.apply(made.truth.inverse().apply(made.pair.fixed.points)) - made.pair.fixed.points
    before = turned[1].transform.apply(turned[0].truth.inverse().apply(made.pair.fixed.points))
    assert np.abs(apart - (before - made.pair.fixed.points)).max() < 0.2 * PITCH


def test_swapping_the_sides_gives_the_inverse(turned):
    made, found = turned
    back = register(Pair(made.pair.moving, made.pair.fixed)).transform
    points = made.pair.moving.points
    assert np.median(np.linalg.norm(back.apply(found.transform.apply(points)) - points, axis=1)) < 0.2 * PITCH


def test_the_order_of_the_spots_and_the_unit_do_not_matter(turned):
    made, found = turned
    order = np.random.default_rng(0).permutation(len(made.labels_moving))
    moving = Side(points=made.pair.moving.points[order] / 50, features=made.pair.moving.features[order])
    fixed = Side(points=made.pair.fixed.points / 50, features=made.pair.fixed.features)
    again = register(Pair(fixed, moving)).transform.apply(moving.points) * 50
    assert np.abs(again - found.transform.apply(made.pair.moving.points[order])).max() < 0.05 * PITCH


@pytest.mark.parametrize("overlap", [0.75, 0.55])
def test_sections_that_overlap_in_part_are_placed_and_the_rest_stays_unmatched(overlap):
    made = section_pair(4, overlap=overlap)
    found = register(made.pair)
    assert miss(found.transform, made) < 1.0
    assert abs(found.trust.figures["overlap"] - overlap) < 0.15
    assert found.coupling.sum() < overlap + 0.15


def test_sections_that_do_not_belong_together_come_with_a_warning():
    for seed in (2, 3, 5):
        found = register(section_pair(seed, related=False).pair)
        assert found.trust.warning and found.trust.score < 0.5


def test_a_shared_anatomy_alone_is_not_believed():
    """Two animals with the same rings: any turn fits about as well, and one by chance better than its mirror."""
    for seed in (21, 25):
        right, wrong = (register(section_pair(seed, related=r, kind=Rings, depth=3000.0).pair) for r in (True, False))
        assert right.trust.figures["times the next turn"] > 1.5 and not right.trust.warning
        assert wrong.trust.figures["times the next turn"] < 1.25 and wrong.trust.warning
    figures = {**right.trust.figures, "times the next turn": 1.1}
    assert "anatomy" in trust_of(figures).warning and trust_of(figures).score < 0.5


def test_shuffled_expression_comes_with_a_warning():
    made = section_pair(2)
    mixed = np.random.default_rng(0).permutation(made.pair.moving.features)
    found = register(Pair(made.pair.fixed, Side(points=made.pair.moving.points, features=mixed)))
    assert found.trust.warning and found.trust.score < 0.2


def test_a_section_without_a_side_is_told_to_look_as_well_mirrored():
    """Rings only: turned over they are the same."""
    made = section_pair(6)
    sides = []
    for side, generator in ((made.pair.fixed, np.random.default_rng(0)), (made.pair.moving, np.random.default_rng(1))):
        radius = np.linalg.norm(side.points - side.points.mean(0), axis=1)
        round_ = radius < 1500
        rate = 5 * np.exp(np.sin(np.outer(radius[round_] / 400, np.linspace(0.5, 2, 30))))
        sides.append(Side(points=side.points[round_], features=generator.poisson(rate).astype(float)))
    found = register(Pair(*sides))
    assert found.trust.warning and found.trust.score < 0.5


def test_reflection_can_be_ruled_out():
    found = register(section_pair(1).pair, reflection="never")
    assert not found.transform.reflects and not any(one.transform.reflects for one in found.candidates)


def test_a_larger_copy_is_scaled_only_where_that_is_allowed():
    made = section_pair(1)
    larger = Side(points=made.pair.moving.points * 1.06, features=made.pair.moving.features)
    found = register(Pair(made.pair.fixed, larger), movement="similarity").transform
    assert abs(found.scale_factors[0] - 1 / 1.06) < 0.025
    assert np.isclose(register(Pair(made.pair.fixed, larger)).transform.scale_factors[0], 1)


def test_progress_runs_forward_to_the_end_and_stop_stops():
    told: list[float] = []
    register(section_pair(1, pitch=400).pair, lambda fraction, message="": told.append(fraction))
    assert told == sorted(told) and told[-1] == 1.0

    def stop(fraction, message=""):
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        register(section_pair(1, pitch=400).pair, stop)


POINTS = np.random.default_rng(0).uniform(0, 1000, (40, 2))
COUNTS = np.random.default_rng(1).poisson(3, (40, 5)).astype(float)


@pytest.mark.parametrize(
    ("points", "features", "says"),
    [
        (None, None, "moving side has no expression"),
        (POINTS[:1], COUNTS[:1], "1 points on 1 places"),
        (np.repeat(POINTS[:4], 10, axis=0), COUNTS, "40 points on 4 places"),
        (np.column_stack([np.arange(40.0), np.arange(40.0)]), COUNTS, "one line"),
        (POINTS, COUNTS[:, :4], "5 features and the moving side 4"),
        (POINTS, np.ones((40, 5)), "None of the 5 features varies"),
    ],
)
def test_sides_that_cannot_be_placed_are_refused_in_words(points, features, says):
    with pytest.raises(BadInput, match=says):
        register(Pair(Side(points=POINTS, features=COUNTS), Side(points=points, features=features)))


def test_duplicates_and_an_empty_spot_do_no_harm():
    made = section_pair(1, pitch=300)
    points, counts = made.pair.moving.points, made.pair.moving.features.copy()
    counts[3] = 0
    twice = Side(points=np.vstack([points, points[:20]]), features=np.vstack([counts, counts[:20]]))
    assert miss(register(Pair(made.pair.fixed, twice)).transform, made) < 0.6
