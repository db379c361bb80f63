"""Laws of stacks: exact links are met, errors do not add up as in a chain, and wrong links are left behind."""

import numpy as np
import pytest

from napari_spatialml.core import Affine, Chain, ThinPlateSpline
from napari_spatialml.core.stacks import align_stack, fit_stack
from napari_spatialml.errors import BadInput


def stack(seed, n=12, reach=2, noise_um=0.0, turn=0.0, reflect=()):
    """True positions, places of tissue, and links with independent errors."""
    generator = np.random.default_rng(seed)
    at = [Affine.identity()]
    for k in range(1, n):
        at.append(Affine.similarity(1, generator.uniform(0, 360), tuple(generator.normal(0, 2000, 2)), k in reflect))
    places = [generator.uniform(0, 6000, (25, 2)) for _ in range(n)]
    links = {}
    for i in range(n):
        for j in range(max(0, i - reach), i):
            true = at[j].inverse() @ at[i]
            middle = true.apply(places[i].mean(0, keepdims=True))[0]
            slip = Affine.rotation(generator.normal(0, turn) if turn else 0.0, tuple(middle))
            links[i, j] = Affine.translation(*generator.normal(0, noise_um, 2)) @ slip @ true
    return at, places, links


def missed(found, at, places):
    """Root mean square error of each section, in µm."""
    return np.array(
        [np.sqrt(((f.apply(p) - t.apply(p)) ** 2).sum(1).mean()) for f, t, p in zip(found, at, places, strict=True)]
    )


@pytest.mark.parametrize("movement", ["rigid", "similarity", "affine"])
@pytest.mark.parametrize("reach", [1, 3])
def test_exact_links_give_the_exact_stack_also_with_sections_turned_over(movement, reach):
    at, places, links = stack(0, reach=reach, reflect=(2, 5))
    found = align_stack(links, len(at), movement=movement, points=places)
    assert missed(found, at, places).max() < 1e-5
    assert found[0] == Affine.identity()


def test_the_frame_is_the_reference_sections():
    at, places, links = stack(1)
    found = align_stack(links, len(at), reference=5, points=places)
    assert found[5] == Affine.identity()
    expected = [at[5].inverse() @ one for one in at]
    assert missed(found, expected, places).max() < 1e-5


def test_the_last_section_errs_less_than_half_of_what_a_chain_errs():
    ours, chain, told = [], [], []
    for seed in range(12):
        at, places, links = stack(seed, n=16, reach=2, noise_um=10, turn=0.2)
        fit = fit_stack(links, 16, points=places)
        ours.append(missed(fit.transforms, at, places)[-1])
        told.append(fit.error_um[-1])
        neighbours = {link: one for link, one in links.items() if link[0] - link[1] == 1}
        chain.append(missed(align_stack(neighbours, 16, points=places), at, places)[-1])
    root_mean_square = [np.sqrt(np.mean(np.square(e))) for e in (ours, chain, told)]
    assert root_mean_square[0] < 0.6 * root_mean_square[1]
    assert 0.5 < root_mean_square[2] / root_mean_square[0] < 2, "the expected error is of the right size"


def test_a_straight_object_stays_straight():
    """A vessel at one place through all sections is found again at one place, within a few errors of one link."""
    at, places, links = stack(3, n=20, reach=3, noise_um=5)
    found = align_stack(links, 20, points=places)
    vessel = np.array([[2500.0, 3500.0]])
    line = np.array([f.apply(t.inverse().apply(vessel))[0] for f, t in zip(found, at, strict=True)])
    assert np.linalg.norm(line - vessel, axis=1).max() < 4 * 5


def test_a_rigid_stack_never_shrinks():
    _, places, links = stack(4, noise_um=50, turn=2)
    for one in align_stack(links, 12, points=places):
        assert np.allclose(one.scale_factors, 1, atol=1e-9)


def test_wrong_links_are_left_behind_and_said():
    at, places, links = stack(5, n=12, reach=3, noise_um=3)
    generator = np.random.default_rng(0)
    wrong = [(5, 4), (8, 6), (9, 8)]
    for link in wrong:
        links[link] = Affine.similarity(1, generator.uniform(90, 270), (3000, -500), reflect=link == (8, 6))
    fit = fit_stack(links, 12, points=places)
    assert missed(fit.transforms, at, places).max() < 40
    assert all(fit.weights[link] < 0.01 for link in wrong)
    assert all(fit.miss_um[link] > 500 for link in wrong)
    assert np.median([w for link, w in fit.weights.items() if link not in wrong]) > 0.5


def test_missing_links_are_bridged_and_a_lost_section_is_named():
    at, places, links = stack(6, n=8, reach=2)
    del links[4, 3]
    assert missed(align_stack(links, 8, points=places), at, places).max() < 1e-5
    for link in [(4, 2), (5, 4), (6, 4)]:
        del links[link]
    with pytest.raises(BadInput, match="section 4 to the reference section 0"):
        align_stack(links, 8, points=places)


def test_a_link_without_weight_is_not_used():
    at, places, links = stack(7, n=5, reach=2)
    links[3, 2] = Affine.rotation(90)
    weights = dict.fromkeys(links, 1.0) | {(3, 2): 0.0}
    fit = fit_stack(links, 5, weights=weights, points=places)
    assert missed(fit.transforms, at, places).max() < 1e-5
    assert (3, 2) not in fit.miss_um


def test_links_may_run_either_way():
    at, places, links = stack(8, n=6, reach=2)
    turned = {(j, i) if (i + j) % 2 else (i, j): one.inverse() if (i + j) % 2 else one for (i, j), one in links.items()}
    assert missed(align_stack(turned, 6, points=places), at, places).max() < 1e-5


def test_units_do_not_matter():
    _, places, links = stack(9, n=6, noise_um=10, turn=0.3)
    large = Affine.scale(10)
    scaled = {link: large @ one @ large.inverse() for link, one in links.items()}
    here = align_stack(links, 6, points=places)
    there = align_stack(scaled, 6, points=[10 * p for p in places])
    for a, b, p in zip(here, there, places, strict=True):
        assert np.allclose(10 * a.apply(p), b.apply(10 * p), atol=1e-3)


def test_of_a_bent_link_the_nearest_movement_is_used():
    at, places, links = stack(10, n=4, reach=1)
    grid = np.stack(np.meshgrid([0.0, 3000, 6000], [0.0, 3000, 6000]), -1).reshape(-1, 2)
    bent = ThinPlateSpline(grid, grid + np.random.default_rng(0).normal(0, 20, grid.shape))
    found = align_stack({**links, (1, 0): Chain((bent, links[1, 0]))}, 4, points=places)
    assert all(isinstance(one, Affine) for one in found)
    assert missed(found, at, places).max() < 60


@pytest.mark.parametrize(
    ("links", "settings", "says"),
    [
        ({(0, 4): Affine.identity()}, {}, "sections 0 and 4"),
        ({(1, 1): Affine.identity()}, {}, "sections 1 and 1"),
        ({}, {}, "section 1, 2 to the reference"),
        ({(1, 0): Affine.identity()}, {"reference": 3}, "reference section is 3"),
        ({(1, 0): Affine.identity()}, {"weights": {(1, 0): -1.0}}, "weight is negative"),
        ({(1, 0): Affine.identity()}, {"points": [np.zeros((1, 2))]}, "places of 1 sections for 3"),
    ],
)
def test_bad_links_are_refused_in_words(links, settings, says):
    with pytest.raises(BadInput, match=says):
        align_stack(links, 3, **settings)
