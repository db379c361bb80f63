"""Laws of the elastic part: a known bend is found without folds, more finely where the pictures have the pixels."""

import numpy as np
import pytest
from scipy import ndimage

from napari_spatialml.core import elastic
from napari_spatialml.core.random_fields import smooth_field

SHAPE = (300, 780)
INSIDE = (slice(40, -40), slice(40, -40))


@pytest.fixture(scope="module")
def pair():
    """A texture that is mostly fine, and itself seen through a bend, each with noise of its own."""
    rng = np.random.default_rng(3)
    texture = 0.4 * smooth_field(rng, SHAPE, 15) + smooth_field(rng, SHAPE, 1.2)
    bend = np.stack([smooth_field(rng, SHAPE, 60) for _ in range(2)]) * 2
    seen = ndimage.map_coordinates(texture, np.indices(SHAPE) + bend, order=3, mode="nearest")
    made = [v[None] + rng.normal(0, 0.5, (1, *SHAPE)) for v in (texture, seen)]
    return *(v.astype(np.float32) for v in made), bend


def missed(field, bend):
    return float(np.median(np.hypot(*(field - bend)[:, *INSIDE])))


def test_a_bend_is_found_more_finely_where_there_are_pixels_for_it(pair, monkeypatch):
    fixed, moving, bend = pair
    known = np.ones(SHAPE, np.float32)
    field, bent = elastic.bend(fixed, moving, known, 1.0)
    assert missed(field, bend) < 0.1
    assert elastic._areas(field).min() > 0.2
    assert bent.spacing == 2 and bent.field.shape == (2, 150, 390)
    assert np.abs(2 * bent.field - field[:, ::2, ::2]).max() < 1e-5
    monkeypatch.setattr(elastic, "LEVELS", elastic.LEVELS[:3])
    low = [np.ascontiguousarray(ndimage.gaussian_filter(v[0], 0.8)[None, ::2, ::2]) for v in (fixed, moving)]
    coarse, same = elastic.bend(*low, known[::2, ::2].copy(), 2.0)
    assert same.spacing == 2, "a picture of usual size is judged on its own pixels"
    assert missed(field, bend) < 0.85 * 2 * missed(coarse, bend[:, ::2, ::2] / 2)


def test_a_small_picture_is_bent_from_coarse_to_fine(pair):
    """The bend exceeds most of the texture: on its own pixels alone, places are caught by what is beside them."""
    fixed, moving, bend = pair
    caught = []
    for left in (0, 220, 440):
        part = slice(0, 220), slice(left, left + 330)
        known = np.ones((220, 330), np.float32)
        field = elastic.bend(*(np.ascontiguousarray(v[:, *part]) for v in (fixed, moving)), known, 1.0)[0]
        caught.append(np.percentile(np.hypot(*(field - bend[:, *part])[:, *INSIDE]), 90))
    assert max(caught) < 0.5


def test_the_motion_of_patches_does_not_depend_on_the_squares_it_is_summed_on(pair, monkeypatch):
    fixed, moving, _ = pair
    small = [np.ascontiguousarray(v[:, :153, :201]) for v in (fixed, moving)]
    fields = []
    for sums in (elastic._SUMS, 1e9):
        monkeypatch.setattr(elastic, "_SUMS", sums)
        fields.append(elastic.bend(*small, np.ones((153, 201), np.float32), 1.0)[0])
    assert np.median(np.hypot(*(fields[0] - fields[1]))) < 0.05


def test_what_only_a_second_stain_shows_is_bent_too(monkeypatch):
    """One stain shows the left half, another the right half; the second is inverted and fainter on the other side."""
    rng = np.random.default_rng(5)
    shape = (160, 320)
    left = np.clip((170 - np.arange(shape[1])) / 20, 0, 1)
    stains = np.stack([smooth_field(rng, shape, 4) * left, smooth_field(rng, shape, 4) * (1 - left)])
    bend = np.stack([smooth_field(rng, shape, 50) for _ in range(2)])
    seen = [ndimage.map_coordinates(v, np.indices(shape) + bend, order=3, mode="nearest") for v in stains]
    fixed, moving = stains, np.stack([seen[0], -0.7 * seen[1]])
    made = [(v + rng.normal(0, 0.2, v.shape)).astype(np.float32) for v in (fixed, moving)]
    gone = {}
    for n in (1, 2):
        monkeypatch.setattr(elastic, "_BLENDS", n)
        field = elastic.bend(*made, np.ones(shape, np.float32), 1.0)[0]
        missed = np.hypot(*(field - bend))
        gone[n] = [float(np.median(missed[30:-30, part])) for part in (slice(30, 140), slice(190, -30))]
    assert max(gone[2]) < 0.3
    assert gone[2][1] < 0.5 * gone[1][1], "the first mixture shows only the left half"
