"""Laws of resampling: close to the exact map however it bends, and of the image's own type."""

import numpy as np
import pytest

from napari_spatialml.core import Affine, Chain, DisplacementField, LocalWarp, ThinPlateSpline
from napari_spatialml.core.transform import warp_image, warp_labels
from napari_spatialml.core.warp import move_points
from napari_spatialml.errors import BadInput


def spline(seed: int, k: int = 40, size: float = 900.0, noise: float = 4.0) -> ThinPlateSpline:
    generator = np.random.default_rng(seed)
    source = generator.uniform(0, size, (k, 2))
    return ThinPlateSpline(source, source + generator.normal(0, noise, (k, 2)) + size / 30 * np.sin(source / size * 5))


def rough_field(seed: int, spacing: float) -> DisplacementField:
    moved = np.random.default_rng(seed).normal(0, spacing / 15, (*(np.array([900, 900]) // spacing).astype(int), 2))
    return DisplacementField((0, 0), spacing, moved)


TRANSFORMS = {
    "mirrored": Affine.translation(350, 350)
    @ Affine.similarity(1.2, 70, reflect=True)
    @ Affine.translation(-450, -450),
    "anisotropic": Affine(np.array([[0.5, 0.1, 3.0], [-0.2, 2.0, 7.0], [0, 0, 1]])),
    "spline": spline(0),
    "backwards": spline(1).inverse(),
    "a coarse field": rough_field(2, 60.0),
    "a fine field": rough_field(3, 10.0),
    "small pins": LocalWarp([[411.0, 433.0], [700.0, 207.0]], [[413.0, 430.0], [702.0, 210.0]], [16.0, 24.0]),
    "a chain": Chain(
        (spline(4), Affine.similarity(0.7, -20, (50, 200)), LocalWarp([[300.0, 300.0]], [[310, 290]], 60))
    ),
}


@pytest.mark.parametrize("name", list(TRANSFORMS))
def test_every_pixel_shows_what_lies_there(name):
    """A ramp shows where each pixel came from: at most a twentieth of a pixel off, next to pins as well."""
    transform, size = TRANSFORMS[name], 700
    ramp = np.stack(np.mgrid[:900, :900]).astype(np.float32)
    warped = warp_image(ramp, transform, (size, size), fill=np.nan)
    near = np.clip(np.rint(getattr(transform, "target", np.full((1, 2), 300.0))), 0, size - 1).astype(int)
    generator = np.random.default_rng(0)
    at = np.vstack(
        [
            generator.integers(0, size, (4000, 2)),
            np.repeat(near, 40, 0) + generator.integers(-9, 9, (40 * len(near), 2)),
        ]
    )
    at = at[((at >= 0) & (at < size)).all(1)]
    exact = transform.inverse().apply(at.astype(float))
    found = warped[:, at[:, 0], at[:, 1]].T
    inside = ((exact > 0.1) & (exact < 898.9)).all(1)
    assert inside.sum() > 100
    assert np.abs(found - exact)[inside].max() < 0.05
    outside = ((exact < -0.6) | (exact > 899.6)).any(1)
    assert np.isnan(found[outside]).all()


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.uint16, ">u2", np.int64, np.float16, np.float32, ">f4"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_identity_keeps_every_pixel_of_every_type(dtype, channels):
    image = (np.random.default_rng(0).uniform(0, 200, (channels, 50, 70)) * (1 if dtype is not bool else 0.007)).astype(
        dtype
    )
    for order in (0, 1):
        same = warp_image(image, Affine.identity(), (50, 70), order=order)
        assert same.dtype == image.dtype
        assert np.array_equal(same, image)


def test_an_image_of_one_pixel_an_edge_and_a_pixel_without_value():
    assert (warp_image(np.full((1, 1, 1), 9, np.uint8), Affine.scale(5), (4, 4))[0, :2, :2] == 9).all()
    image = np.ones((1, 9, 9))
    image[0, 4, 4] = np.nan
    assert np.isnan(warp_image(image, Affine.identity(), (9, 9))).sum() == 1


def test_pixel_sizes_do_not_change_the_result():
    image = np.random.default_rng(1).integers(0, 255, (1, 300, 300)).astype(np.uint8)
    small = spline(5, 20, 300.0, 2.0)
    large = ThinPlateSpline(small.source * 0.25, small.target * 0.25)
    one, other = warp_image(image, small, (300, 300)), warp_image(image, large, (300, 300), 0.25, 0.25)
    assert (np.abs(one.astype(int) - other) <= 1).all()
    assert (one == other).mean() > 0.99


def test_labels_of_any_size_keep_their_ids_to_the_border():
    labels = np.arange(1, 90_001, dtype=np.uint32).reshape(300, 300) + 4_000_000_000
    turned = warp_labels(labels, Affine.similarity(1, 90, (299, 0)), (300, 300))
    assert np.array_equal(turned, np.rot90(labels))
    assert turned.dtype == np.uint32


def test_a_block_that_comes_from_far_and_wide_is_read_in_parts():
    largest = 0

    class Lazy:
        ndim, shape, dtype = 3, (1, 40_000, 40_000), np.dtype(np.uint8)

        def __getitem__(self, key):
            nonlocal largest
            window = [len(range(*part.indices(size))) for part, size in zip(key, self.shape, strict=True)]
            largest = max(largest, window[1] * window[2])
            return np.ones(window, np.uint8)

    assert (warp_image(Lazy(), Affine.scale(0.02), (790, 790)) == 1).all()
    assert largest < 2**25


@pytest.mark.parametrize("name", list(TRANSFORMS))
def test_many_points_go_where_each_goes_by_itself(name):
    transform = TRANSFORMS[name]
    points = np.random.default_rng(0).uniform(0, 900, (60_000, 2))
    some = np.random.default_rng(1).choice(60_000, 3000, replace=False)
    apart = np.linalg.norm(move_points(transform, points, 0.05)[some] - transform.apply(points[some]), axis=1)
    assert apart.max() < 0.05


def test_many_points_on_one_place_or_one_line_are_moved_too():
    same = np.full((60_000, 2), 5.0)
    assert np.allclose(move_points(spline(6), same, 0.05), spline(6).apply(same[:1]))
    line = np.stack([np.linspace(0, 900, 60_000), np.full(60_000, 40.0)], 1)
    assert np.abs(move_points(spline(6), line, 0.05) - spline(6).apply(line)).max() < 0.05


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: warp_image(np.zeros((1, 4, 4), complex), Affine.identity(), (4, 4)), "complex"),
        (lambda: warp_image(np.zeros((4, 4)), Affine.identity(), (4, 4)), r"\(4, 4\)"),
        (lambda: warp_image(np.zeros((1, 4, 4)), Affine.scale(1, 0), (4, 4)), "flattens"),
        (lambda: warp_image(np.zeros((1, 4, 4)), Affine.identity(), (0, 4)), r"\(0, 4\)"),
        (lambda: warp_image(np.zeros((1, 0, 4)), Affine.identity(), (4, 4)), "no pixel"),
        (lambda: move_points(Affine.identity(), [[0.0, np.nan]], 0.1), "NaN"),
        (lambda: move_points(Affine.identity(), [[0.0, 1.0]], 0.0), "tolerance is 0"),
    ],
)
def test_bad_input_is_refused_in_words(make, says):
    with pytest.raises(BadInput, match=says):
        make()
