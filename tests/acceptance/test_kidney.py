"""Rat kidney, H&E and PanCytokeratin, with 69 landmarks that both stains show."""

import numpy as np
import pandas as pd
import pytest

from napari_spatialml.core import Affine, Pair, Side
from napari_spatialml.core.landmark_advice import expected_error, next_landmark, structure_of
from napari_spatialml.core.landmarks import (
    fit_affine,
    fit_default,
    fit_spline,
    judge,
    leave_one_out,
    residuals,
    suspects,
)
from napari_spatialml.methods import method

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def landmarks(data):
    """Return the (y, x) landmarks of H&E (fixed) and PanCytokeratin (moving), in pixels."""
    folder = data / "kidney_pair"
    he, ck = (pd.read_csv(folder / f"Rat-Kidney_{stain}.csv", index_col=0) for stain in ("HE", "PanCytokeratin"))
    shared = he.index.intersection(ck.index)
    return tuple(table.loc[shared, ["Y", "X"]].to_numpy(float) for table in (he, ck))


def test_left_out_landmarks_are_predicted_as_published(landmarks):
    """Published: raw 29 px; affine, leaving one out, 3.7 px median. Seen here: 29.1 and 3.8 px."""
    fixed, moving = landmarks
    assert len(fixed) == 69
    assert np.median(residuals(Affine.identity(), moving, fixed)) == pytest.approx(29, abs=0.5)
    affine = leave_one_out("affine", moving, fixed)
    assert np.median(affine) < 4.0
    similarity = leave_one_out("similarity", moving, fixed)
    assert np.median(similarity) > 2 * np.median(affine)
    for out in (0, 30, 68):  # the closed form is the real thing
        rest = np.arange(69) != out
        transform = method("registration", "landmarks")(model="affine")(
            Pair(Side(landmarks=fixed[rest]), Side(landmarks=moving[rest]))
        ).transform
        assert residuals(transform, moving[out : out + 1], fixed[out : out + 1])[0] == pytest.approx(affine[out])


def test_on_unseen_landmarks_the_ridge_beats_interpolation_and_auto_keeps_up_with_the_affine(landmarks):
    """Fitted to 20 landmarks drawn at random, judged on the other 49; forty draws."""
    fixed, moving = landmarks
    generator = np.random.default_rng(0)
    errors = []
    for _ in range(40):
        order = generator.permutation(69)
        seen, unseen = order[:20], order[20:]
        fits = (
            fit_spline(moving[seen], fixed[seen]),
            fit_spline(moving[seen], fixed[seen], ridge=0.0),
            fit_affine(moving[seen], fixed[seen]),
            fit_default(moving[seen], fixed[seen]),
        )
        errors.append([np.median(residuals(fit, moving[unseen], fixed[unseen])) for fit in fits])
    ridge, through, affine, auto = np.mean(errors, axis=0)
    print(f"median error in pixels: ridge {ridge:.2f}, through {through:.2f}, affine {affine:.2f}, auto {auto:.2f}")
    assert ridge < 0.9 * through
    assert auto < 1.1 * affine


def test_auto_is_no_worse_than_the_affine(landmarks):
    fixed, moving = landmarks
    pair = Pair(Side(landmarks=fixed), Side(landmarks=moving))
    transform = method("registration", "landmarks")()(pair).transform
    assert np.median(residuals(transform, moving, fixed)) < 4.0
    assert not transform.reflects


def test_a_pair_that_was_mixed_up_is_pointed_at(landmarks):
    fixed, moving = (side.copy() for side in landmarks)
    before = suspects(moving, fixed)
    fixed[[5, 50]] = fixed[[50, 5]]
    flags = suspects(moving, fixed)
    assert flags[[5, 50]].all()
    assert flags.sum() <= before.sum() + 4


def test_four_suggested_landmarks_do_what_four_at_random_do_not(landmarks, data):
    """Each is placed at the nearest landmark of two thirds; judged on the other third, forty times.

    Mean over the thirds of the median error and of the 90th percentile: suggested 5.0 and 10.1 px, at
    random 8.2 and 15.6, all 46 landmarks 4.3 and 8.6.
    """
    from skimage.io import imread

    fixed, moving = landmarks
    image = np.moveaxis(imread(data / "kidney_pair" / "Rat-Kidney_HE.jpg"), 2, 0)
    places, structure = structure_of(image, 1.0)
    found = {"suggested": [], "random": []}
    for seed in range(40):
        order = np.random.default_rng(seed).permutation(69)
        train, test = order[:46], order[46:]
        chosen: list[int] = []
        for _ in range(4):
            wanted = places[next_landmark(fixed[chosen], moving[chosen], places, structure)]
            free = [k for k in train if k not in chosen]
            chosen.append(free[int(np.argmin(np.linalg.norm(fixed[free] - wanted, axis=1)))])
        for name, rows in (("suggested", chosen), ("random", train[:4])):
            miss = residuals(fit_default(moving[rows], fixed[rows]), moving[test], fixed[test])
            found[name].append((np.median(miss), np.percentile(miss, 90)))
    suggested, random = (np.mean(found[name], axis=0) for name in ("suggested", "random"))
    print(f"median and 90th percentile in pixels: suggested {suggested}, random {random}")
    assert suggested[0] < 5.5
    assert (suggested < 0.75 * random).all()


def test_the_default_predicts_left_out_landmarks_within_a_twentieth_of_the_best(landmarks):
    fixed, moving = landmarks
    for seed in range(6):
        for k in (4, 5, 7, 12, 25, 60):
            rows = np.random.default_rng([seed, k]).permutation(69)[:k]
            pair = moving[rows], fixed[rows]
            models = (("similarity", None), ("affine", None), ("spline", 0.0), ("spline", None))
            best = min(np.square(leave_one_out(m, *pair, ridge=ridge)).mean() for m, ridge in models)
            assert np.sqrt(np.square(judge(*pair).left_out).mean() / best) <= 1.05


def test_a_misclick_of_thirty_pixels_among_ten_is_flagged(landmarks):
    """In 95 of 100 trials; seen here: 96 of 100, and 3.5 of 100 right pairs beside it."""
    fixed, moving = landmarks
    seen, wrongly = [], []
    for seed in range(200):
        generator = np.random.default_rng([seed, 10])
        rows = generator.permutation(69)[:10]
        slipped, turn = fixed[rows].copy(), generator.uniform(0, 2 * np.pi)
        slipped[0] += 30 * np.array([np.sin(turn), np.cos(turn)])
        flags = suspects(moving[rows], slipped)
        seen.append(flags[0])
        wrongly.append(flags[1:].mean())
    assert np.mean(seen) >= 0.95
    assert np.mean(wrongly) < 0.06


def test_the_expected_error_is_about_what_held_out_landmarks_show(landmarks):
    fixed, moving = landmarks
    ratios = []
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(69)
        train, test = order[:20], order[46:]
        fit = fit_default(moving[train], fixed[train])
        expected = expected_error(fixed[train], moving[train], fit, fixed[test], slip=True)
        ratios.append(expected.mean() / residuals(fit, moving[test], fixed[test]).mean())
    assert 0.8 < np.exp(np.mean(np.log(ratios))) < 1.25
