"""Laws of snapping: a click near a mark goes to its middle, and where there is none it stays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core.fiducials import snap
from napari_spatialml.errors import BadInput

seeds = st.integers(0, 2**31)


def drawn(inside, size=81, ink=70.0, paper=200.0, noise=0.0, seed=0):
    """An image of a shape, its edge as soft as a lens makes it, with noise."""
    fine = 4
    rows, columns = (np.indices((size * fine, size * fine)) + 0.5) / fine - 0.5
    cover = inside(rows, columns).astype(float).reshape(size, fine, size, fine).mean((1, 3))
    generator = np.random.default_rng(seed)
    return paper + (ink - paper) * cover + generator.normal(0, noise, (size, size))


def ring(middle, radius, width):
    """A Visium fiducial: a circle's outline; width = radius fills it."""

    def inside(rows, columns):
        distance = np.hypot(rows - middle[0], columns - middle[1])
        return (distance <= radius) & (distance >= radius - width)

    return inside


@settings(max_examples=30, deadline=None)
@given(seeds, st.sampled_from(["disc", "ring"]), st.floats(4, 16), st.booleans(), st.sampled_from([0.0, 5.0, 15.0]))
def test_a_click_near_a_fiducial_goes_to_its_middle(seed, kind, radius, light, noise):
    """Dark or light, full or hollow, at a tenth of the ink's contrast in noise, within a third of a pixel."""
    generator = np.random.default_rng(seed)
    middle = 40 + generator.uniform(-3, 3, 2)
    width = radius if kind == "disc" else max(2.5, 0.3 * radius)
    ink, paper = (200.0, 70.0) if light else (70.0, 200.0)
    image = drawn(ring(middle, radius, width), ink=ink, paper=paper, noise=noise, seed=seed)
    turn = generator.uniform(0, 2 * np.pi)
    click = middle + generator.uniform(0, 9) * np.array([np.sin(turn), np.cos(turn)])
    found = snap(image, tuple(click), 18)
    assert found is not None and found.kind == "circle"
    assert np.linalg.norm(np.array(found.place) - middle) < (0.1 if noise == 0 else 0.35)


@settings(max_examples=15, deadline=None)
@given(seeds, st.sampled_from([0.0, 5.0]))
def test_a_click_near_a_corner_goes_to_it(seed, noise):
    generator = np.random.default_rng(seed)
    place = 40 + generator.uniform(-3, 3, 2)
    turn = generator.uniform(0, 2 * np.pi)

    def inside(rows, columns):
        y, x = rows - place[0], columns - place[1]
        along, across = y * np.sin(turn) + x * np.cos(turn), y * np.cos(turn) - x * np.sin(turn)
        return (along > 0) & (across > 0)

    found = snap(drawn(inside, noise=noise, seed=seed), tuple(place + generator.uniform(-4, 4, 2)), 10, (8, 12))
    assert found is not None and found.kind == "corner"
    assert np.linalg.norm(np.array(found.place) - place) < 1.5


@settings(max_examples=30, deadline=None)
@given(seeds, st.sampled_from(["noise", "edge", "slope", "flat"]))
def test_where_there_is_nothing_the_click_stays(seed, kind):
    """Not noise, not a straight edge, not a slope in the light."""
    generator = np.random.default_rng(seed)
    rows, columns = np.indices((81, 81)) - 40.0
    turn = generator.uniform(0, 2 * np.pi)
    along = rows * np.sin(turn) + columns * np.cos(turn)
    image = {
        "noise": np.zeros((81, 81)),
        "edge": np.where(along > 0, 200.0, 100.0),
        "slope": along,
        "flat": np.zeros((81, 81)),
    }[kind]
    if kind != "flat":
        image = image + generator.normal(0, 5, image.shape)
    assert snap(image, (40, 40), 18) is None


def test_of_two_marks_only_one_within_reach_counts():
    image = np.minimum(drawn(ring((40, 20), 6, 6)), drawn(ring((40, 62), 6, 6)))
    assert np.allclose(snap(image, (43, 24), 10).place, (40, 20), atol=0.1)
    assert np.allclose(snap(image, (38, 60), 10).place, (40, 62), atol=0.1)
    assert snap(image, (5, 41), 10) is None


def test_colours_are_told_apart_where_the_grey_is_the_same():
    mark = drawn(ring((40, 40), 8, 8), ink=0.0, paper=1.0)
    image = np.stack([100 + 80 * mark, 180 - 80 * mark, np.full_like(mark, 90)])
    assert np.allclose(snap(image, (44, 37), 15).place, (40, 40), atol=0.1)


def test_a_mark_half_out_of_the_patch_is_not_invented():
    image = drawn(ring((-6, 40), 8, 8))
    found = snap(image, (3, 40), 15)
    assert found is None or found.kind == "corner" or np.allclose(found.place, (-6, 40), atol=1)


@pytest.mark.parametrize(
    ("patch", "radius", "says"),
    [(np.zeros(5), 3, "shape"), (np.zeros((9, 9)), 0, "radius is 0"), (np.zeros((1, 2, 3, 4)), 3, "shape")],
)
def test_what_is_no_patch_is_refused_in_words(patch, radius, says):
    with pytest.raises(BadInput, match=says):
        snap(patch, (1, 1), radius)


def test_tiny_empty_or_broken_patches_hold_no_mark():
    assert snap(np.random.default_rng(0).normal(size=(4, 4)), (2, 2), 3) is None
    assert snap(np.full((40, 40), np.nan), (20, 20), 5) is None
    assert snap(np.full((3, 40, 40), 7), (20, 20), 5) is None
