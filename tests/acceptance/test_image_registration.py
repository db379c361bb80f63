"""Registration from images alone on real pairs, turned and mirrored, and on images that do not belong together."""

import numpy as np
import pytest

from benchmarks.registration.image_pairs import bladder, kidney, picture, turned, wrong
from benchmarks.registration.images import IONS, STARTS, WRONG, run
from napari_spatialml.core import Pair, Side
from napari_spatialml.methods import method

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


def test_a_kidney_in_another_stain_is_found_from_every_start(data):
    """The affine maps of the landmarks themselves predict left-out ones within 0.27 %."""
    errors = []
    for k, start in enumerate(STARTS):
        one = run(kidney(*start, fill=255.0 if k % 2 else None))
        assert one.right and one.seconds < 20, start
        assert {c.transform.reflects for c in one.found.candidates} == {True, False}
        assert not one.found.trust.warning
        errors.append((one.median(affine=True), one.median()))
    affine, whole = np.median(errors, axis=0)
    assert affine <= 0.26
    assert whole < 0.2


@pytest.mark.parametrize("start", IONS)
def test_ions_are_found_on_histology_though_mirrored_turned_and_of_unknown_proportions(data, start):
    one = run(bladder(*start))
    assert np.median(one.known.errors(one.found.transform)) / 100 * one.known.diagonal < 20  # two pixels of the ions
    assert not one.found.trust.warning


def test_two_sections_of_a_bulb_agree_from_every_start(data):
    """No landmarks here: starts must agree with each other."""
    found = []
    places = np.array([[700.0, 700.0], [1000.0, 800.0], [1100.0, 1100.0]])
    for degrees, mirror in ((0.0, False), (130.0, False), (250.0, True)):
        image, change = turned(picture("bulb 2"), degrees, mirror)
        result = method("registration", "images")(bend="none")(Pair(Side(image=picture("bulb 1")), Side(image=image)))
        found.append(result.transform.apply(change.apply(places)))
    assert np.ptp(found, axis=0).max() < 30  # of 1,905 pixels


@pytest.mark.parametrize("names", WRONG)
def test_images_of_different_organs_are_warned_of(data, names):
    trust = method("registration", "images")(bend="none")(wrong(*names, 40.0)).trust
    assert trust.warning and trust.score < 0.5
