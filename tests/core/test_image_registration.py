"""Registration from images: what holds for any pair, on small pictures with known truth."""

from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from napari_spatialml.core import Affine, Pair, Side
from napari_spatialml.core.image_likeness import information
from napari_spatialml.core.pictures import picture_of
from napari_spatialml.core.random_fields import smooth_field
from napari_spatialml.errors import BadInput, Cancelled
from napari_spatialml.methods.registration.images import Images

SHAPE = (150, 190)
PLACES = np.random.default_rng(5).uniform((45, 55), (105, 135), (40, 2))
WHERE = Affine.similarity(1.1, 140, (190, 20), reflect=True)
"""Where the moving image's pixels lie on the fixed one's."""


@cache
def tissue(seed: int = 0) -> np.ndarray:
    """Return an image (3, y, x) of a stained section on a white ground, 8 bit."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    rim = 1 + 0.25 * smooth_field(rng, SHAPE, 25)
    inside = ((y - 75) / 55) ** 2 + ((x - 95) / 75) ** 2 < rim
    fields = [smooth_field(rng, SHAPE, scale) for scale in (20, 7, 3)]
    density = np.clip(0.5 + 0.3 * fields[0] + 0.2 * fields[1] + 0.15 * fields[2], 0.05, 1.5) * inside
    image = 240 * np.exp(-density * np.array([0.4, 1.0, 0.6])[:, None, None])
    return np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)


def seen_through(image: np.ndarray, to_fixed, shape: tuple[int, int], fill: float = 240.0) -> np.ndarray:
    """Return the image as one sees it whose pixels lie at ``to_fixed`` of them."""
    grid = np.moveaxis(np.indices(shape), 0, -1).reshape(-1, 2).astype(float)
    at = to_fixed(grid).T.reshape(2, *shape)
    planes = [ndimage.map_coordinates(c.astype(float), at, order=1, cval=fill) for c in image]
    return np.clip(np.stack(planes), 0, 255).astype(np.uint8)


@cache
def moving() -> np.ndarray:
    return seen_through(tissue(), WHERE.apply, (170, 190))


def ions() -> np.ndarray:
    """Return the moving image as another instrument sees it: dark ground, another relation, 16 bit."""
    grey = moving().astype(float).mean(0)
    return (60000 * (np.clip(240 - grey, 0, None) / 240) ** 2).astype(np.uint16)[None]


def pair(fixed, moving, fixed_px: float = 1.0, moving_px: float = 1.0) -> Pair:
    return Pair(Side(image=fixed, pixel_size_um=fixed_px), Side(image=moving, pixel_size_um=moving_px))


def error(transform, truth=WHERE, places=PLACES) -> float:
    """Return the median distance between where places of the fixed image come to lie, and where they should."""
    return float(np.median(np.linalg.norm(transform.apply(truth.inverse().apply(places)) - places, axis=1)))


QUICK = {"bend": "none", "scale_range": 1.15}


@cache
def found():
    return Images(**QUICK)(pair(tissue(), moving()))


def test_a_turned_and_mirrored_image_is_brought_back_and_believed():
    assert error(found().transform) < 0.3
    assert found().transform.reflects
    assert not found().trust.warning and found().trust.score > 0.9


def test_both_sides_of_the_glass_are_offered():
    reflects = [one.transform.reflects for one in found().candidates]
    assert set(reflects) == {True, False} and len(reflects) <= 4
    scores = [one.score for one in found().candidates]
    assert scores[0] == max(scores)


def test_another_stain_depth_and_ground_change_nothing():
    other = Images(**QUICK)(pair(tissue(), ions()))
    assert error(other.transform) < 0.8
    assert not other.trust.warning


def test_pixel_sizes_do_not_change_the_result_in_um():
    larger = Images(**QUICK)(pair(tissue(), moving(), 7.0, 7.0)).transform
    assert np.allclose(larger.apply(7 * PLACES), 7 * found().transform.apply(PLACES), atol=1e-3)


def test_sides_of_different_pixel_sizes_are_brought_together():
    half = tissue()[:, ::2, ::2]
    coarse = Images(**QUICK)(pair(half, moving(), 6.0, 3.0)).transform
    assert np.median(np.linalg.norm(coarse.apply(3 * WHERE.inverse().apply(PLACES)) - 3 * PLACES, axis=1)) < 0.8 * 3


def test_the_swapped_pair_gives_the_inverse():
    swapped = Images(**QUICK)(pair(moving(), tissue())).transform
    there_and_back = swapped.apply(found().transform.apply(WHERE.inverse().apply(PLACES)))
    assert np.median(np.linalg.norm(there_and_back - WHERE.inverse().apply(PLACES), axis=1)) < 0.5


def test_images_that_do_not_belong_together_are_not_believed():
    wrong = Images(**QUICK)(pair(tissue(), seen_through(tissue(9), WHERE.apply, (170, 190))))
    assert wrong.trust.warning and wrong.trust.score < 0.5


def test_a_bent_section_is_straightened_without_a_fold_and_the_error_is_said():
    bent = seen_through(tissue(), lambda p: p + 3 * np.sin(p[:, ::-1] / 25), SHAPE)
    result = Images(scale_range=1.0, search="near", reflection="never")(pair(tissue(), bent))
    points = PLACES
    truth = points + 3 * np.sin(points[:, ::-1] / 25)
    affine = result.transform.transforms[0]
    distances = [np.linalg.norm(t.apply(points) - truth, axis=1) for t in (affine, result.transform)]
    assert np.median(distances[1]) < 0.35 < np.median(distances[0]) / 2
    assert np.linalg.det(result.transform.jacobian(points)).min() > 0.2
    back = result.transform.inverse().apply(result.transform.apply(points))
    assert np.abs(back - points).max() < 0.1
    assert len(result.certainty.points) > 20
    assert 0.02 < np.median(result.certainty.error_um) < 5


def test_what_a_scan_does_not_hold_is_left_out():
    values = moving().astype(np.float32)
    values[:, 60:100, 70:120] = np.nan
    opaque = np.full((1, *values.shape[1:]), 255, np.uint8)
    opaque[:, 60:100, 70:120] = 0
    see_through = np.concatenate([moving(), opaque])
    for image in (values, see_through):
        picture = picture_of(image, 1.0, 1.0)
        assert picture.known.min() == 0 and np.isfinite(picture.values).all()
        assert not picture.values[:, picture.known == 0].any()


def test_a_constant_tiny_or_absent_image_is_refused_in_words():
    flat = np.full((3, 60, 60), 200, np.uint8)
    with pytest.raises(BadInput, match="same everywhere: 200"):
        Images()(pair(flat, moving()))
    with pytest.raises(BadInput, match="1 × 1 pixels"):
        Images()(pair(tissue(), np.zeros((1, 1, 1))))
    with pytest.raises(BadInput, match="no number"):
        Images()(pair(tissue(), np.full((1, 40, 40), np.nan)))
    with pytest.raises(BadInput, match="moving side has no image"):
        Images()(Pair(Side(image=tissue()), Side()))


def test_progress_runs_forward_and_stop_stops():
    told: list[float] = []

    def listen(fraction, message=""):
        told.append(fraction)
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        Images(**QUICK)(pair(tissue(), moving()), listen)
    assert told == sorted(told) and len(told) > 3


def test_information_is_nothing_for_chance_and_all_for_equals():
    assert information(np.outer([1.0, 2, 3], [4.0, 5])) == pytest.approx(0, abs=1e-6)
    assert information(np.eye(4)) == pytest.approx(np.log(4), abs=1e-5)
