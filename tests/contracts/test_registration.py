"""What every registration method promises."""

import numpy as np
import pytest

from napari_spatialml.core import Affine, Pair, Side
from napari_spatialml.errors import BadInput, Cancelled
from napari_spatialml.methods import methods

TRUTH = Affine.similarity(0.7, 125, (300, 900), reflect=True)
GENERATOR = np.random.default_rng(0)
MOVING = GENERATOR.uniform(0, 1000, (12, 2))
PAIR = Pair(fixed=Side(landmarks=TRUTH.apply(MOVING)), moving=Side(landmarks=MOVING))
LANDMARK_METHODS = ["landmarks"]
by_landmarks = pytest.mark.parametrize("name", LANDMARK_METHODS)


def pair(fixed, moving) -> Pair:
    return Pair(fixed=Side(landmarks=fixed), moving=Side(landmarks=moving))


def run(name, data, **settings):
    return methods("registration")[name](**settings)(data)


@by_landmarks
@pytest.mark.parametrize("model", ["auto", "similarity", "affine", "spline"])
def test_a_mirrored_turned_scaled_section_is_brought_back(name, model):
    found = run(name, PAIR, model=model).transform
    elsewhere = GENERATOR.uniform(0, 1000, (50, 2))
    assert np.allclose(found.apply(elsewhere), TRUTH.apply(elsewhere), atol=1e-4)
    assert found.reflects


@by_landmarks
def test_the_order_of_the_pairs_does_not_matter(name):
    noisy = TRUTH.apply(MOVING) + GENERATOR.normal(0, 20, MOVING.shape)
    order = GENERATOR.permutation(len(MOVING))
    here, there = (run(name, data).transform for data in (pair(noisy, MOVING), pair(noisy[order], MOVING[order])))
    assert np.allclose(here.apply(MOVING), there.apply(MOVING), atol=1e-6)


@by_landmarks
def test_reflection_can_be_ruled_out(name):
    assert not run(name, PAIR, model="similarity", reflection="never").transform.reflects
    for model in ("affine", "spline"):
        with pytest.raises(BadInput, match="turn the moving section over"):
            run(name, PAIR, model=model, reflection="never")


@by_landmarks
def test_two_pairs_are_enough_and_one_is_not(name):
    found = run(name, pair([[10, 10], [10, 20]], [[0, 0], [0, 5]])).transform
    assert np.allclose(found.matrix, [[2, 0, 10], [0, 2, 10], [0, 0, 1]])
    with pytest.raises(BadInput, match="needs 2 landmark pairs; there is 1"):
        run(name, pair([[10, 10]], [[0, 0]]))


LINE = np.column_stack([np.arange(5.0), np.arange(5.0)])


@by_landmarks
@pytest.mark.parametrize(
    ("settings", "moving", "says"),
    [
        ({"model": "affine"}, MOVING[:2], "needs 3 landmark pairs; there are 2"),
        ({"model": "spline"}, MOVING[:2], "needs 3 landmark pairs; there are 2"),
        ({"model": "affine"}, LINE, "one line"),
        ({"model": "spline"}, LINE, "one line"),
        ({}, np.ones((5, 2)), "one place"),
        ({}, MOVING[:0], "there are 0"),
    ],
)
def test_landmarks_that_cannot_carry_the_model_are_refused_in_words(name, settings, moving, says):
    with pytest.raises(BadInput, match=says):
        run(name, pair(TRUTH.apply(moving), moving), **settings)


@by_landmarks
def test_auto_falls_back_to_a_similarity_on_a_line(name):
    found = run(name, pair(Affine.similarity(2, 30).apply(LINE), LINE)).transform
    assert np.allclose(found.apply(LINE), Affine.similarity(2, 30).apply(LINE))


def test_absent_odd_or_broken_landmarks_are_refused_in_words():
    with pytest.raises(BadInput, match="no landmarks"):
        run("landmarks", Pair())
    with pytest.raises(BadInput, match="5 landmarks on the fixed side and 4"):
        pair(MOVING[:5], MOVING[:4])
    with pytest.raises(BadInput, match="NaN"):
        pair(MOVING, MOVING * np.nan)


@by_landmarks
def test_progress_runs_forward_to_the_end_and_stop_stops(name):
    told: list[float] = []
    cls = methods("registration")[name]
    cls()(PAIR, lambda fraction, message="": told.append(fraction))
    assert told == sorted(told) and told[-1] == 1.0

    def stop(fraction, message=""):
        raise Cancelled

    with pytest.raises(Cancelled):
        cls()(PAIR, stop)


@by_landmarks
def test_the_certainty_is_told_in_tissue_and_is_lowest_far_from_the_landmarks(name):
    noisy = pair(TRUTH.apply(MOVING) + np.random.default_rng(1).normal(0, 5, MOVING.shape), MOVING)
    found = run(name, noisy, model="affine")
    at = found.certainty
    middle = noisy.fixed.landmarks.mean(0)
    far = np.linalg.norm(at.points - middle, axis=1)
    assert at.error_um[far > np.quantile(far, 0.9)].mean() > at.error_um[far < np.quantile(far, 0.5)].mean()
    assert found.trust.figures["mirrored"] == 1 and found.trust.figures["landmarks"] == 12
    assert found.trust.score > 0.9 and found.trust.warning == ""


@by_landmarks
def test_too_few_wrong_or_folded_landmarks_are_never_told_as_a_success(name):
    for k in (2, 3, 4):
        trust = run(name, pair(TRUTH.apply(MOVING[:k]), MOVING[:k])).trust
        assert trust.score <= 0.6 and f"Only {k} landmarks" in trust.warning
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(12)
        trust = run(name, pair(TRUTH.apply(MOVING)[order], MOVING)).trust
        assert trust.score < 0.5 and trust.warning
    swapped = TRUTH.apply(MOVING)
    swapped[[0, 1]] = swapped[[1, 0]]
    assert "1, 2 contradict" in run(name, pair(swapped, MOVING), model="affine").trust.warning or (
        run(name, pair(swapped, MOVING), model="affine").trust.score < 0.5
    )
    folded = MOVING + np.where(np.arange(12) == 5, 900.0, 0.0)[:, None]
    trust = run(name, pair(folded, MOVING), model="spline", ridge=0.0).trust
    assert "folds" in trust.warning and trust.figures["folded share"] > 0


@by_landmarks
def test_swapping_the_sides_gives_the_inverse_and_the_unit_changes_nothing(name):
    fixed = TRUTH.apply(MOVING) + np.random.default_rng(2).normal(0, 3, MOVING.shape)
    there, back = run(name, pair(fixed, MOVING)).transform, run(name, pair(MOVING, fixed)).transform
    assert np.linalg.norm(back.apply(there.apply(MOVING)) - MOVING, axis=1).max() < 10
    small = run(name, pair(fixed / 1000, MOVING / 1000))
    assert np.allclose(small.transform.apply(MOVING / 1000), there.apply(MOVING) / 1000, atol=1e-9)
    assert small.trust.score == pytest.approx(run(name, pair(fixed, MOVING)).trust.score)
