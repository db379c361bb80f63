"""Laws of folds: none in an affine, found where one was planted, and inverses measured for what they are."""

import numpy as np
import pytest

from napari_spatialml.core import Affine, Chain, DisplacementField, ThinPlateSpline
from napari_spatialml.core.folding import folds, inverse_consistency
from napari_spatialml.errors import BadInput

MIRROR = Affine.similarity(2.0, 35, (100, -40), True)


class Fold:
    """A planted fold, y -> y + a sin(2 π y / 100): it turns over where a 2 π / 100 cos(...) < -1."""

    reflects = False

    def __init__(self, a: float) -> None:
        self.a = a

    def apply(self, points):
        points = np.asarray(points, float)
        return points + np.stack([self.a * np.sin(2 * np.pi * points[:, 0] / 100), 0 * points[:, 0]], -1)

    def jacobian(self, points):
        slope = 1 + self.a * 2 * np.pi / 100 * np.cos(2 * np.pi * np.asarray(points)[:, 0] / 100)
        return np.stack([np.stack([slope, 0 * slope], -1), np.stack([0 * slope, 1 + 0 * slope], -1)], 1)


@pytest.mark.parametrize("frame", ["moving", "fixed"])
def test_an_affine_folds_nowhere_even_where_it_mirrors(frame):
    found = folds(MIRROR, (0, 0), (300, 200), 10.0, frame)
    assert not found.mask.any()
    assert found.share == 0
    assert np.allclose(found.determinant, 4.0)
    assert found.smallest == pytest.approx(4.0)
    assert found.log_spread < 1e-12
    assert found.asked.any()
    assert found.outlines_um().shape == (0, 4, 2)


@pytest.mark.parametrize("a", [10.0, 20.0, 40.0])
def test_a_planted_fold_is_found_where_and_as_large_as_it_is(a):
    found = folds(Fold(a), (0, 0), (99.5, 50), 0.5)
    steep = 100 / (2 * np.pi * a)
    expected = np.arccos(steep) / np.pi if steep < 1 else 0.0
    assert found.share == pytest.approx(expected, abs=0.02)
    squares = found.outlines_um()
    assert squares.shape == (found.mask.sum(), 4, 2)
    if expected:
        assert np.abs(squares[..., 0].mean() - 50) < 1
        assert np.ptp(squares[..., 0]) == pytest.approx(100 * expected, abs=1.1)


def test_a_fold_on_a_mirrored_section_is_found_on_either_side():
    field = DisplacementField((0, 0), 20.0, np.random.default_rng(2).normal(0, 12, (20, 20, 2)))
    chain = Chain((field, MIRROR))
    moving = folds(chain, (0, 0), (380, 380), 2.0)
    plain = folds(field, (0, 0), (380, 380), 2.0)
    assert np.array_equal(moving.mask, plain.mask)
    assert 0.001 < moving.share < 0.5
    inside = MIRROR.apply(np.array([[200.0, 200.0]]))[0]
    fixed = folds(chain, inside - 150, inside + 150, 2.0, "fixed")
    assert fixed.mask.any()
    drawn = fixed.outlines_um(chain).mean(1)
    assert (np.abs(drawn - inside) < 152).all()
    # what is drawn on the fixed side comes from folded places of the moving side
    assert (np.linalg.det(chain.jacobian(fixed.outlines_um().mean(1))) >= 0).all()


def test_units_do_not_change_what_folds():
    generator = np.random.default_rng(3)
    source = generator.uniform(0, 100, (9, 2))
    target = source + generator.normal(0, 15, (9, 2))
    one, other = ThinPlateSpline(source, target), ThinPlateSpline(source * 1e3, target * 1e3)
    a, b = folds(one, (0, 0), (100, 100), 1.0), folds(other, (0, 0), (1e5, 1e5), 1e3)
    assert np.array_equal(a.mask, b.mask)
    assert np.allclose(a.determinant, b.determinant, atol=1e-7)


def test_the_inverse_of_a_transform_is_consistent_and_a_wrong_one_is_measured():
    source = np.random.default_rng(4).uniform(0, 1000, (12, 2))
    spline = ThinPlateSpline(source, MIRROR.apply(source) + np.random.default_rng(5).normal(0, 10, (12, 2)))
    where = np.random.default_rng(6).uniform(0, 1000, (300, 2))
    assert inverse_consistency(spline, where).largest_um < 1e-6
    shifted = Chain((spline.inverse(), Affine.translation(3.0, 4.0)))
    found = inverse_consistency(spline, where, shifted)
    assert found.median_um == pytest.approx(5.0, abs=1e-6)
    assert found.largest_um == pytest.approx(5.0, abs=1e-6)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: folds(MIRROR, (0, 0), (0, 10), 1.0), "empty"),
        (lambda: folds(MIRROR, (0, 0), (np.nan, 10), 1.0), "NaN"),
        (lambda: folds(MIRROR, (0, 0), (10, 10), 0.0), "spacing is 0"),
        (lambda: folds(MIRROR, (0, 0), (1e6, 1e6), 1.0), "too many"),
        (lambda: inverse_consistency(MIRROR, np.empty((0, 2))), "no points"),
    ],
)
def test_bad_rectangles_are_refused_in_words(make, says):
    with pytest.raises(BadInput, match=says):
        make()
