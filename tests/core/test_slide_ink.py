"""What lies on the tissue of a slide is left out of a registration, and tissue is not."""

import numpy as np
import pytest
from scipy import ndimage

from napari_spatialml.core.pictures import picture_of
from napari_spatialml.core.random_fields import smooth_field
from napari_spatialml.core.slide_ink import foreign
from napari_spatialml.methods.registration.images import Images
from tests.core.test_image_registration import PLACES, QUICK, error, found, moving, pair, tissue

SHAPE = (300, 400)
INKS = {"black": (15, 15, 18), "blue": (25, 45, 150), "green": (15, 110, 65), "red": (190, 25, 35)}
STAINS = {
    "haematoxylin and eosin": ((0.65, 0.70, 0.29), (0.07, 0.99, 0.11)),
    "diaminobenzidine": ((0.65, 0.70, 0.29), (0.27, 0.57, 0.78)),
}


def section(stain: str, depth: float = 1.0, seed: int = 0) -> np.ndarray:
    """Return an image (3, y, x) of tissue in two stains on a light ground, 8 bit."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    inside = ((y - 150) / 110) ** 2 + ((x - 200) / 150) ** 2 < 1 + 0.2 * smooth_field(rng, SHAPE, 30)
    nuclei = smooth_field(rng, SHAPE, 2.5) > 0.8
    first = depth * (0.2 + 1.0 * nuclei) * inside
    second = (
        depth * np.clip(0.5 + 0.25 * smooth_field(rng, SHAPE, 3) + 0.3 * smooth_field(rng, SHAPE, 25), 0, 2) * inside
    )
    grain = 1 + 0.25 * smooth_field(rng, SHAPE, 1.5)  # chromatin and fibres
    a, b = (np.array(vector)[:, None, None] for vector in STAINS[stain])
    light = 240 * np.exp(-grain * (first * a + second * b)) + rng.normal(0, 2.5, (3, *SHAPE))
    return np.clip(light, 0, 255).astype(np.uint8)


def marked(image: np.ndarray, colour: str, half: float, thickness: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the image under a marker's stroke that crosses it, and where the stroke is."""
    _, height, width = image.shape
    y, x = np.mgrid[:height, :width]
    line = height / 2 + 0.3 * height * np.sin(5 * x / width)
    stroke = (np.abs(y - line) < half) & (x > 0.04 * width) & (x < 0.9 * width)
    passed = (np.array(INKS[colour]) / 240) ** thickness
    soft = ndimage.gaussian_filter(stroke.astype(float), 0.7)
    return (image * passed[:, None, None] ** soft).astype(np.uint8), stroke


def mask(image: np.ndarray) -> np.ndarray:
    return foreign(image.astype(np.float32), np.ones(image.shape[1:], np.float32))


@pytest.mark.parametrize("stain", STAINS)
@pytest.mark.parametrize("colour", INKS)
@pytest.mark.parametrize("thickness", [0.7, 1.0])
def test_a_stroke_is_found_over_glass_and_over_tissue_and_little_else(stain, colour, thickness):
    image, stroke = marked(section(stain, 0.5), colour, 6, thickness)
    found = mask(image)
    assert found[stroke].mean() > 0.9
    assert found[~ndimage.binary_dilation(stroke, iterations=6)].mean() < 0.002


@pytest.mark.parametrize("stain", STAINS)
@pytest.mark.parametrize("depth", [0.3, 1.0, 2.5])
def test_hardly_a_pixel_of_a_clean_section_is_ink_however_pale_or_dark(stain, depth):
    assert mask(section(stain, depth, seed=1)).mean() < 0.001


def test_a_vessel_full_of_blood_and_a_solidly_brown_nest_are_tissue():
    for stain, colour, density in (
        ("haematoxylin and eosin", (0.10, 0.72, 0.69), 0.9),
        ("diaminobenzidine", (0.27, 0.57, 0.78), 1.1),
    ):
        image = section(stain).astype(float)
        y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
        lake = (y - 150) ** 2 + (x - 180) ** 2 < 15**2
        rng = np.random.default_rng(2)
        flat = 240 * np.exp(-density * np.array(colour))[:, None] + rng.normal(0, 2.5, (3, lake.sum()))
        image[:, lake] = flat
        assert not mask(np.clip(image, 0, 255).astype(np.uint8)).any(), stain


def test_nuclei_that_shine_on_black_are_not_ink():
    assert not mask(255 - section("haematoxylin and eosin")).any()


def test_what_is_drawn_on_is_unknown_and_changes_the_signal_of_nothing_else():
    clean = picture_of(section("haematoxylin and eosin"), 1.0, 1.0)
    image, stroke = marked(section("haematoxylin and eosin"), "black", 6)
    drawn = picture_of(image, 1.0, 1.0)
    shift = np.rint(np.array(drawn.origin)).astype(int)
    at = np.argwhere(~ndimage.binary_dilation(stroke, iterations=8))
    both = [(at - np.rint(p.origin).astype(int)) for p in (clean, drawn)]
    ok = np.all([(b >= 0).all(1) & (b < p.shape).all(1) for b, p in zip(both, (clean, drawn), strict=True)], axis=0)
    a, b = (p.values[:, v[ok, 0], v[ok, 1]] for p, v in zip((clean, drawn), both, strict=True))
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.99
    under = np.argwhere(ndimage.binary_erosion(stroke)) - shift
    under = under[((under >= 0) & (under < drawn.shape)).all(1)]
    assert drawn.known[tuple(under.T)].mean() < 0.1


@pytest.mark.parametrize("colour", INKS)
def test_a_pen_mark_on_either_side_does_not_move_the_registration(colour):
    """By no more than half a pixel of 1 µm, at the median over the tissue."""
    fixed, _ = marked(tissue(), colour, 4)
    other, _ = marked(moving()[:, ::-1], colour, 4)
    result = Images(**QUICK)(pair(fixed, other[:, ::-1]))
    assert error(result.transform) < 0.5
    moved = result.transform.apply(found().transform.inverse().apply(PLACES)) - PLACES
    assert np.median(np.linalg.norm(moved, axis=1)) < 0.5
    assert not result.trust.warning
