"""Laws of advice on landmarks: where the next one belongs, and how far off the fit is where there is none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core import Affine
from napari_spatialml.core.kriging import MissField
from napari_spatialml.core.landmark_advice import expected_error, next_landmark, structure_of
from napari_spatialml.core.landmarks import fit_affine, fit_model, residuals
from napari_spatialml.errors import BadInput

seeds = st.integers(0, 2**31)
SHEAR = Affine(np.array([[1.2, 0.3, 5.0], [-0.1, 0.8, -40.0], [0, 0, 1.0]]))
NONE = np.zeros((0, 2))
PLACES = np.stack(np.meshgrid(np.linspace(0, 4000, 17), np.linspace(0, 6000, 25), indexing="ij"), -1).reshape(-1, 2)


def scatter(seed: int, k: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, (4000, 6000), (k, 2))


def bend(points: np.ndarray, height: float = 80.0) -> np.ndarray:
    return points + height * np.sin(points[:, ::-1] / 900)


def suggested(truth, k: int) -> np.ndarray:
    """Return the (k, 2) fixed places that are suggested one after the other."""
    fixed = NONE
    for _ in range(k):
        fixed = np.vstack([fixed, PLACES[next_landmark(fixed, truth(fixed), PLACES)]])
    return fixed


def test_the_first_four_suggestions_hold_an_affine_better_than_random_ones_nearly_always():
    """What they are for: the error of the affine over the section, for the same slips."""
    fixed = suggested(SHEAR.apply, 4)
    spread = np.linalg.svd(fixed - fixed.mean(0), compute_uv=False)
    assert spread[1] > 0.5 * spread[0]
    generator = np.random.default_rng(0)
    slips = generator.normal(0, 10, (60, 4, 2))

    def error(where: np.ndarray) -> float:
        fits = (fit_affine(SHEAR.apply(where), where + slip) for slip in slips)
        return float(np.mean([residuals(fit, SHEAR.apply(PLACES), PLACES).mean() for fit in fits]))

    random = [error(scatter(seed, 4)) for seed in range(20)]
    assert error(fixed) < min(random)


def test_later_suggestions_halve_the_work_where_the_section_bends():
    """Sixteen suggested landmarks of a bent section predict as well as more random ones would."""

    def error(fixed: np.ndarray) -> float:
        return float(residuals(fit_model("spline", bend(fixed), fixed), bend(PLACES), PLACES).mean())

    guided = error(suggested(bend, 16))
    random = [error(scatter(seed, 16)) for seed in range(10)]
    assert guided < 0.8 * np.median(random)


@settings(max_examples=10, deadline=None)
@given(seeds, st.integers(0, 9), st.floats(1e-3, 1e3), st.floats(-1e5, 1e5))
def test_unit_and_origin_do_not_change_the_suggestion(seed, k, unit, shift):
    fixed = scatter(seed, k)
    moving = bend(SHEAR.apply(fixed))
    here = next_landmark(fixed, moving, PLACES)
    there = next_landmark(fixed * unit + shift, moving * unit, PLACES * unit + shift)
    gap = np.linalg.norm(PLACES[here] - PLACES[there])
    assert here == there or gap > 0  # ties between symmetric places may fall either way
    again = next_landmark(fixed, moving, PLACES)
    assert again == here


def test_a_place_with_a_landmark_is_not_suggested_again():
    few = PLACES[::80]
    for k in range(len(few)):
        assert next_landmark(few[:k], few[:k], few) >= k


def test_flat_places_are_passed_over_for_ones_that_can_be_told():
    structure = np.zeros(len(PLACES))
    corner = int(np.argmin(np.linalg.norm(PLACES - (300, 300), axis=1)))
    structure[corner] = 1.0
    assert next_landmark(NONE, NONE, PLACES) != corner
    assert next_landmark(NONE, NONE, PLACES, structure) == corner


@pytest.mark.parametrize("kind", ["affine", "bent"])
def test_the_expected_error_is_about_the_error(kind):
    """Averaged over many sets of landmarks, within a third of what is found at places that were not used."""
    expected, found = [], []
    for seed in range(25):
        generator = np.random.default_rng(seed)
        fixed = scatter(seed, 16)
        truth = SHEAR.apply if kind == "affine" else bend
        moving = truth(fixed) + generator.normal(0, 8, fixed.shape)
        model = fit_model("affine" if kind == "affine" else "spline", moving, fixed)
        expected.append(expected_error(fixed, moving, model, PLACES).mean())
        found.append(residuals(model, truth(PLACES), PLACES).mean())
    assert 2 / 3 < np.mean(expected) / np.mean(found) < 1.5


def test_the_expected_error_is_larger_far_from_landmarks_and_for_a_model_that_cannot_bend():
    fixed = scatter(3, 40) * (1, 0.4)  # none on the right
    moving = bend(fixed)
    error = expected_error(fixed, moving, "auto", PLACES)
    right = PLACES[:, 1] > 3600
    assert error[right].mean() > 3 * error[~right].mean()
    left = PLACES[~right]
    assert (expected_error(fixed, moving, "affine", left) > expected_error(fixed, moving, "auto", left)).mean() > 0.9


def test_the_hands_slip_adds_to_the_expected_error():
    fixed = scatter(4, 20)
    moving = SHEAR.apply(fixed) + np.random.default_rng(0).normal(0, 10, fixed.shape)
    assert (
        expected_error(fixed, moving, "affine", PLACES, slip=True) > expected_error(fixed, moving, "affine", PLACES)
    ).all()


@settings(max_examples=10, deadline=None)
@given(seeds, st.integers(8, 14))
def test_leaving_landmarks_out_in_closed_form_is_leaving_them_out(seed, k):
    """One that is left out has no say: moving it changes nobody's surprise but its own."""
    places = scatter(seed, k)
    misses = np.random.default_rng(seed).normal(0, 20, places.shape)
    out = np.zeros(k, bool)
    out[[0, 3]] = True
    before = MissField.of(places, misses)
    misses = misses.copy()
    misses[out] += 500
    after = MissField.of(places, misses)
    assert np.allclose(before.surprises(out)[~out], after.surprises(out)[~out])
    assert before.evidence(out) == pytest.approx(after.evidence(out))
    assert (after.surprises(out)[out] < 0.01).all()


def spots(shape=(300, 400), n=12, seed=0):
    """An image of tissue, half flat and half with crossings, on glass."""
    generator = np.random.default_rng(seed)
    image = np.full(shape, 240.0)
    image[60:240, 60:340] = 150
    rows, columns = np.mgrid[60:240, 200:340]
    image[60:240, 200:340] += 50 * np.sign(np.sin(rows / 6) * np.sin(columns / 6))
    return np.clip(image + generator.normal(0, 1, shape), 0, 255)[None].astype(np.uint8)


@pytest.mark.parametrize("unit", [1.0, 0.25])
def test_structure_lies_in_tissue_where_the_image_changes_both_ways(unit):
    places, structure = structure_of(spots(), unit)
    assert ((structure >= 0) & (structure <= 1)).all()
    pixels = places / unit
    assert ((pixels > 45) & (pixels < (255, 355))).all()
    inside = (pixels[:, 1] > 215) & (pixels[:, 1] < 325)
    assert inside.any() and structure[inside].mean() > 3 * structure[pixels[:, 1] < 180].mean()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: next_landmark(NONE, NONE, NONE), "no place"),
        (lambda: next_landmark(NONE, NONE, PLACES * np.nan), "NaN"),
        (lambda: next_landmark(PLACES[:3], PLACES[:2], PLACES), "2 rows"),
        (lambda: next_landmark(NONE, NONE, PLACES, np.ones(3)), "3 values of structure"),
        (lambda: expected_error(PLACES[:4], PLACES[:4], "auto", PLACES), "Place at least 5"),
        (lambda: expected_error(PLACES[:9], PLACES[:9], "affine", PLACES), "one line"),
        (lambda: expected_error(np.ones((6, 2)), np.ones((6, 2)), "auto", PLACES), "one place"),
        (lambda: structure_of(np.full((1, 50, 50), 7), 1.0), "the same everywhere"),
        (lambda: structure_of(np.ones((50, 50)), 1.0), "shape"),
        (lambda: structure_of(np.ones((1, 2, 50)), 1.0), "2 × 50 pixels"),
    ],
)
def test_what_cannot_be_advised_on_is_refused_in_words(call, says):
    with pytest.raises(BadInput, match=says):
        call()


@pytest.mark.parametrize("k", [1, 2, 5, 8])
def test_landmarks_on_one_spot_or_line_still_get_a_suggestion_away_from_it(k):
    for fixed in (np.full((k, 2), 2000.0), np.column_stack([np.linspace(0, 4000, k), np.full(k, 100.0)])):
        found = PLACES[next_landmark(fixed, fixed, PLACES)]
        assert np.linalg.norm(fixed - found, axis=1).min() > 1000
