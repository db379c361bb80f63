"""Laws of transforms: inverses undo, chains compose, saved is loaded, images follow the points."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core import Affine, Chain, ThinPlateSpline, Transform
from napari_spatialml.core.transform import InverseTransform, transform_from_dict, warp_image, warp_labels
from napari_spatialml.errors import BadInput

finite = st.floats(-1e4, 1e4, allow_nan=False)
similarities = st.builds(
    Affine.similarity,
    scale=st.floats(0.01, 100),
    degrees=st.floats(-180, 180),
    translation=st.tuples(finite, finite),
    reflect=st.booleans(),
)
points = st.lists(st.tuples(finite, finite), min_size=1, max_size=20).map(lambda p: np.array(p, dtype=float))


def bend(seed: int = 0, k: int = 25, ridge: float = 0.0, size: float = 1000.0) -> ThinPlateSpline:
    """A spline that bends gently: the landmarks shift by about a fiftieth of the section."""
    generator = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.linspace(0, size, 5)] * 2), -1).reshape(-1, 2)[:k]
    return ThinPlateSpline(grid, grid + generator.normal(0, size / 50, grid.shape), ridge)


@given(similarities, points)
def test_the_inverse_of_an_affine_undoes_it(transform, where):
    back = transform.inverse().apply(transform.apply(where))
    assert np.allclose(back, where, atol=1e-6 * max(1, np.abs(transform.matrix).max()))


@given(similarities, similarities, points)
def test_composing_is_applying_one_after_the_other(a, b, where):
    expected = a.apply(b.apply(where))
    atol = 1e-9 * max(1.0, np.abs(expected).max())
    assert np.allclose((a @ b).apply(where), expected, atol=atol)
    assert np.array_equal(Chain((b, a)).apply(where), expected)
    assert Chain((b, a)).reflects == (a @ b).reflects == (a.reflects != b.reflects)


@given(st.floats(0.1, 10), st.floats(-179, 179), st.booleans())
def test_a_similarity_says_what_it_was_made_of(scale, degrees, reflect):
    transform = Affine.similarity(scale, degrees, (3, 4), reflect)
    assert transform.reflects == reflect
    assert transform.scale_factors == pytest.approx((scale, scale))
    assert transform.rotation_degrees == pytest.approx(degrees, abs=1e-6)


def test_a_positive_rotation_turns_counter_clockwise_on_a_screen():
    right_of_the_origin = [[0.0, 1.0]]
    assert np.allclose(Affine.rotation(90).apply(right_of_the_origin), [[-1.0, 0.0]])  # y points down
    assert np.allclose(Affine.rotation(90, centre=(5.0, 5.0)).apply([[5.0, 5.0]]), [[5.0, 5.0]])


@given(similarities, points)
def test_the_xy_matrix_is_the_same_transform(transform, where):
    swapped = np.column_stack([where[:, ::-1], np.ones(len(where))]) @ transform.to_xy().T
    assert np.allclose(swapped[:, 1::-1], transform.apply(where), rtol=1e-9, atol=1e-6)
    assert Affine.from_xy(transform.to_xy()) == transform


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), similarities)
def test_saved_is_loaded_bit_for_bit(seed, affine):
    spline = bend(seed, ridge=0.01)
    for transform in (affine, spline, InverseTransform(spline), Chain((affine, Chain((spline,))))):
        again = transform_from_dict(json.loads(json.dumps(transform.to_dict())))
        assert isinstance(again, Transform)
        assert again == transform
        assert np.array_equal(again.apply(spline.target), transform.apply(spline.target))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), similarities)
def test_the_inverse_of_a_spline_undoes_it_where_it_does_not_fold(seed, affine):
    spline = bend(seed)
    chain = Chain((spline, affine))
    where = np.random.default_rng(seed).uniform(0, 1000, (500, 2))
    where = where[np.linalg.det(spline.jacobian(where)) > 0.1]
    back = chain.inverse().apply(chain.apply(where))
    spacing = 250.0
    assert np.abs(back - where).max() < 1e-3 * spacing
    assert spline.inverse().inverse() == spline


@pytest.mark.parametrize(
    "transform",
    [
        bend(3),
        bend(4, ridge=0.1),
        InverseTransform(bend(5)),
        Chain((bend(6), Affine.similarity(0.5, 20, (1, 2), True))),
    ],
)
def test_the_jacobian_is_the_derivative(transform):
    where = np.random.default_rng(1).uniform(100, 900, (40, 2))
    h = 1e-3
    columns = [(transform.apply(where + step) - transform.apply(where - step)) / (2 * h) for step in np.eye(2) * h]
    assert np.allclose(transform.jacobian(where), np.stack(columns, -1), atol=1e-5)


def test_a_spline_without_ridge_passes_through_its_landmarks_and_with_a_huge_one_is_affine():
    spline = bend(7)
    assert np.allclose(spline.apply(spline.source), spline.target, atol=1e-8)
    stiff = ThinPlateSpline(spline.source, spline.target, 1e12)
    assert np.allclose(stiff.apply(spline.source), stiff.affine.apply(spline.source), atol=1e-5)
    assert not spline.reflects
    assert ThinPlateSpline(spline.source, spline.target * [1, -1]).reflects


def test_a_spline_of_affine_landmarks_is_that_affine():
    affine = Affine.similarity(1.3, 40, (5, -7), True)
    source = np.random.default_rng(2).uniform(0, 10, (9, 2))
    spline = ThinPlateSpline(source, affine.apply(source))
    assert np.allclose(spline.affine.matrix, affine.matrix, atol=1e-9)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Affine(np.eye(2)), r"\(2, 2\)"),
        (lambda: Affine(np.full((3, 3), np.nan)), "NaN"),
        (lambda: Affine(np.ones((3, 3))), "last row|ends in the row"),
        (lambda: Affine.scale(1, 0).inverse(), "flattens"),
        (lambda: ThinPlateSpline([[0, 0], [1, 1]], [[0, 0], [1, 1]]), "2 landmarks"),
        (lambda: ThinPlateSpline([[0, 0], [1, 1], [2, 2]], np.eye(3)[:, :2]), "one line"),
        (lambda: ThinPlateSpline([[0, 0], [0, 1], [1, 0], [0, 0]], np.zeros((4, 2))), "on top of another"),
        (lambda: ThinPlateSpline(np.eye(3)[:, :2], np.eye(3)[:, :2], -1), "ridge is -1"),
        (lambda: Affine.identity().apply([[1.0, 2.0, 3.0]]), "3 columns"),
        (lambda: transform_from_dict({"type": "os.system"}), "os.system"),
        (lambda: transform_from_dict({"type": "affine"}), "damaged"),
        (lambda: transform_from_dict({"type": "chain", "transforms": [3]}), "int"),
    ],
)
def test_bad_transforms_are_refused_in_words(make, says):
    with pytest.raises(BadInput, match=says):
        make()


def test_a_saved_transform_nested_without_end_is_refused():
    saved = {"type": "chain", "transforms": []}
    for _ in range(10_000):
        saved = {"type": "chain", "transforms": [saved]}
    with pytest.raises(BadInput, match="nested"):
        transform_from_dict(saved)


def smooth_image(shape=(3, 120, 90)):
    y, x = np.mgrid[: shape[1], : shape[2]]
    return np.stack([np.sin(y / 9 + c) * np.cos(x / 11) for c in range(shape[0])])


def test_the_identity_changes_no_pixel_and_an_exact_shift_moves_them_whole():
    image = (smooth_image() * 1000).astype(np.int16)
    for order in (0, 1, 3):
        assert np.array_equal(warp_image(image, Affine.identity(), image.shape[1:], order=order), image)
    moved = warp_image(image, Affine.translation(5 * 0.5, -3 * 0.5), image.shape[1:], 0.5, 0.5, fill=7)
    assert np.array_equal(moved[:, 5:, :-3], image[:, :-5, 3:])
    assert (moved[:, :5] == 7).all()
    assert moved.dtype == image.dtype


def test_an_image_follows_its_points():
    """A bright spot drawn at p on the moving side appears where the transform sends p."""
    spline, pixel_in, pixel_out = bend(8, size=100.0), 0.5, 0.8
    where = np.array([[30.0, 40.0], [62.5, 71.0], [80.0, 20.0]])
    y, x = np.mgrid[:220, :220] * pixel_in
    image = sum(np.exp(-((y - p[0]) ** 2 + (x - p[1]) ** 2) / 8) for p in where)[None]
    warped = warp_image(image, spline, (150, 150), pixel_out, pixel_in)[0]
    y, x = np.mgrid[:150, :150] * pixel_out
    for p in spline.apply(where):
        near = ((y - p[0]) ** 2 + (x - p[1]) ** 2 < 64) * warped
        centre = np.array([(near * y).sum(), (near * x).sum()]) / near.sum()
        assert np.abs(centre - p).max() < 0.4  # half an output pixel


def test_blocks_and_the_coarse_grid_leave_no_trace():
    """A spline over several blocks agrees with asking for every pixel by itself."""
    spline, shape = bend(9, size=1200.0), (1100, 1050)
    y, x = np.mgrid[:1200, :1200]
    ramp = np.stack([y, x]).astype(np.float64)
    warped = warp_image(ramp, spline, shape, fill=np.nan)
    rows = np.random.default_rng(0).integers(100, 1000, (2000, 2))
    exact = spline.inverse().apply(rows.astype(float))
    found = warped[:, rows[:, 0], rows[:, 1]].T
    inside = ((exact > 0) & (exact < 1199)).all(1)
    assert np.abs(found - exact)[inside].max() < 0.02


def test_labels_stay_labels_and_lazy_images_stay_lazy():
    labels = np.zeros((60, 60), np.int32)
    labels[10:20, 10:20], labels[30:50, 25:45] = 7, 2_000_000_001
    turned = warp_labels(labels, Affine.rotation(33, (30, 30)), (60, 60))
    assert set(np.unique(turned)) == {0, 7, 2_000_000_001}
    assert turned.dtype == np.int32

    class Lazy:
        ndim, shape, dtype = 3, (1, 5000, 5000), np.dtype(np.uint8)

        def __getitem__(self, key):
            window = [len(range(*part.indices(size))) for part, size in zip(key, self.shape, strict=True)]
            assert window[1] < 120 and window[2] < 120, "read more than the output needs"
            return np.ones(window, np.uint8)

    assert (warp_image(Lazy(), Affine.translation(-2000, -3000), (100, 100)) == 1).all()
