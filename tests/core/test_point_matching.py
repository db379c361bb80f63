"""Laws of matching cells: known movements are found from any start, units and order do not count, doubt is said."""

from dataclasses import dataclass

import numpy as np
import pytest

from napari_spatialml.core import Affine, Pair, Side
from napari_spatialml.core.cell_codes import joint_codes
from napari_spatialml.core.density_images import spacing_of
from napari_spatialml.core.stacks import align_stack
from napari_spatialml.errors import BadInput, Cancelled
from napari_spatialml.methods import methods

Cells = methods("registration")["cells"]
KINDS = 8


@dataclass
class Sample:
    """A pair of sections, and where the moving cells lie in the fixed frame in truth."""

    pair: Pair
    truth: np.ndarray
    moving: np.ndarray
    spacing: float

    def error(self, transform) -> float:
        return float(np.median(np.linalg.norm(transform.apply(self.moving) - self.truth, axis=1)))


def tissue(seed, n, pattern):
    """Places in an outline without symmetry, 10 µm apart on average, and types in patches, layers or at random."""
    generator = np.random.default_rng(seed)
    size = 10 * np.sqrt(n / 0.45)
    where = generator.uniform(-0.5, 0.5, (4 * n, 2))
    angle, radius = np.arctan2(where[:, 0], where[:, 1]), np.hypot(*where.T)
    phase = generator.uniform(0, 6.28, 3)
    inside = radius < 0.37 + 0.05 * np.sin(angle + phase[0]) + 0.04 * np.sin(3 * angle + phase[1])
    where = where[inside][:n]
    if pattern == "random":
        return where * size, generator.integers(0, KINDS, len(where))
    if pattern == "layers":
        depth = (where[:, 0] + 0.15 * np.sin(6 * where[:, 1])) * 8 + 4
        return where * size, np.clip(depth + generator.normal(0, 0.7, len(where)), 0, KINDS - 1).astype(int)
    waves = generator.normal(0, 9, (KINDS, 2)), generator.uniform(0, 6.28, KINDS)
    strength = np.cos(where @ waves[0].T + waves[1]) + generator.gumbel(0, 0.5, (len(where), KINDS))
    return where * size, strength.argmax(1)


def sample(
    seed=0, n=2000, pattern="patches", degrees=200.0, mirrored=True, bend_um=20.0, dropped=0.2, wrong=0.1,
    jitter_um=0.0, typed=True,
):  # fmt: skip
    """A section, and the same one bent, turned, thinned, with some types wrong."""
    generator = np.random.default_rng(seed + 100)
    where, kinds = tissue(seed, n, pattern)
    size = np.ptp(where, axis=0).max()
    bent = where + bend_um * np.column_stack(
        [np.sin(2 * np.pi * where[:, 1] / size + 1), np.cos(1.5 * np.pi * where[:, 0] / size)]
    )
    moved = Affine.similarity(1, degrees, (5000, -3000), mirrored).apply(bent)
    here, there = (generator.uniform(size=len(where)) > dropped for _ in range(2))
    seen = moved[there] + generator.normal(0, 1, (int(there.sum()), 2)) * jitter_um
    mistaken = np.where(
        generator.uniform(size=len(seen)) < wrong, generator.integers(0, KINDS, len(seen)), kinds[there]
    )
    eye = np.eye(KINDS)
    order = generator.permutation(len(seen))
    fixed = Side(points=where[here], features=eye[kinds[here]] if typed else None)
    moving = Side(points=seen[order], features=eye[mistaken[order]] if typed else None)
    return Sample(Pair(fixed, moving), where[there], moved[there], 10.0)


def unrelated(seed, **settings):
    """Two sections that do not belong together."""
    return Pair(sample(seed, **settings).pair.fixed, sample(seed + 50, **settings).pair.moving)


@pytest.mark.parametrize(
    ("pattern", "degrees", "mirrored"), [("patches", 137.0, True), ("layers", 0.0, False), ("random", 250.0, True)]
)
def test_a_turned_mirrored_bent_thinned_section_is_brought_back(pattern, degrees, mirrored):
    given = sample(1, pattern=pattern, degrees=degrees, mirrored=mirrored)
    found = Cells()(given.pair)
    assert given.error(found.transform) < 0.35 * given.spacing
    assert found.transform.reflects == mirrored
    assert found.trust.score > 0.5 and not found.trust.warning


def test_places_alone_are_enough_for_cells_and_nuclei():
    """A third of each missing, and each half a cell beside its partner."""
    given = sample(2, n=4000, degrees=71, dropped=0.3, jitter_um=5, typed=False, bend_um=15)
    found = Cells()(given.pair)
    assert given.error(found.transform) < 5
    assert not found.trust.warning


def test_a_window_finds_its_place_in_the_whole_section():
    given = sample(3, n=4000, degrees=300, bend_um=5)
    points = given.pair.moving.points
    middle = (points.min(0) + points.max(0)) / 2
    window = (np.abs(points - middle) < 0.3 * np.ptp(points, axis=0)).all(1)
    cut = Pair(given.pair.fixed, Side(points=points[window], features=given.pair.moving.features[window]))
    found = Cells()(cut)
    inside = (np.abs(given.moving - middle) < 0.3 * np.ptp(points, axis=0)).all(1)
    error = np.linalg.norm(found.transform.apply(given.moving[inside]) - given.truth[inside], axis=1)
    assert np.median(error) < 10
    assert not found.trust.warning


def test_the_swapped_pair_gives_the_inverse():
    given = sample(4, n=1500)
    there = Cells()(given.pair).transform
    back = Cells()(Pair(given.pair.moving, given.pair.fixed)).transform
    apart = np.linalg.norm(back.apply(there.apply(given.moving)) - given.moving, axis=1)
    assert np.median(apart) < 0.3 * given.spacing


@pytest.mark.slow
def test_units_do_not_matter():
    given = sample(5)
    sides = [Side(points=10 * s.points, features=s.features) for s in (given.pair.fixed, given.pair.moving)]
    here, there = Cells()(given.pair).transform, Cells()(Pair(*sides)).transform
    assert np.allclose(there.apply(10 * given.moving), 10 * here.apply(given.moving), atol=0.2 * 10)


def test_neither_the_order_of_the_rows_nor_another_run_changes_a_bit():
    given = sample(6, n=800)
    order = np.random.default_rng(0).permutation(len(given.pair.moving.points))
    shuffled = Side(points=given.pair.moving.points[order], features=given.pair.moving.features[order])
    first = Cells()(given.pair)
    second = Cells()(Pair(given.pair.fixed, shuffled))
    assert np.array_equal(first.transform.apply(given.moving), second.transform.apply(given.moving))
    assert first.trust == second.trust
    assert np.allclose(first.coupling[order].toarray(), second.coupling.toarray())


@pytest.mark.parametrize(("pattern", "typed"), [("patches", True), ("random", False)])
def test_sections_that_do_not_belong_together_are_doubted(pattern, typed):
    trust = Cells()(unrelated(7, pattern=pattern, typed=typed)).trust
    assert trust.score < 0.5
    assert "candidates" in trust.warning or "belong together" in trust.warning


def test_a_section_that_is_its_own_mirror_image_is_doubted_and_both_ways_are_shown():
    generator = np.random.default_rng(0)
    where = generator.uniform(-500, 500, (6000, 2))
    where = where[np.hypot(*where.T) < 500]
    rings = np.eye(5)[np.clip(np.hypot(*where.T) / 100, 0, 4).astype(int)]
    half = len(where) // 2
    sides = [Side(points=where[part], features=rings[part]) for part in (slice(half), slice(half, None))]
    found = Cells()(Pair(*sides))
    assert "candidates" in found.trust.warning
    assert len(found.candidates) > 1


def test_the_coupling_lays_cells_on_their_partners():
    given = sample(8, n=1000)
    found = Cells(coupling="always")(given.pair)
    sure = np.asarray(found.coupling.max(axis=1).todense()).ravel() > 0.5
    partner = np.asarray(found.coupling.argmax(axis=1)).ravel()
    landed = found.transform.apply(given.pair.moving.points)
    apart = np.linalg.norm(landed - given.pair.fixed.points[partner], axis=1)[sure]
    assert sure.mean() > 0.5 and np.median(apart) < 3
    assert found.coupling.sum(axis=1).max() <= 1 + 1e-9
    assert Cells(coupling="never")(given.pair).coupling is None


@pytest.mark.slow
def test_continuous_features_serve_as_types_do():
    given = sample(9, pattern="layers")
    generator = np.random.default_rng(0)
    centres = generator.normal(0, 3, (KINDS, 12))
    sides = [
        Side(points=s.points, features=s.features @ centres + generator.normal(0, 1, (len(s.points), 12)))
        for s in (given.pair.fixed, given.pair.moving)
    ]
    assert given.error(Cells()(Pair(*sides)).transform) < 0.4 * given.spacing


def test_without_bending_the_whole_moves_only():
    given = sample(10, bend_um=0, n=700)
    rigid, affine = (Cells(movement=m, bend=False)(given.pair).transform for m in ("rigid", "affine"))
    for found in (rigid, affine):
        assert isinstance(found, Affine)
        assert given.error(found) < 0.5
    assert np.allclose(rigid.scale_factors, 1, atol=1e-9)
    assert not Cells(reflection="never")(given.pair).transform.reflects


def test_where_it_says_to_be_sure_it_errs_less():
    given = sample(11, n=4000, typed=False)
    edge = given.pair.moving.points[:, 0] < np.quantile(given.pair.moving.points[:, 0], 0.3)
    generator = np.random.default_rng(0)
    blur = np.where(edge[:, None], generator.normal(0, 30, (len(edge), 2)), 0)
    places = given.pair.moving.points + blur
    found = Cells()(Pair(given.pair.fixed, Side(points=places)))
    back = found.transform.inverse().apply(found.certainty.points)
    spoilt = back[:, 0] < np.quantile(given.pair.moving.points[:, 0], 0.25)
    assert np.median(found.certainty.error_um[spoilt]) > 1.5 * np.median(found.certainty.error_um[~spoilt])


@pytest.mark.parametrize("n", [3, 8, 40])
def test_a_few_cells_are_laid_exactly_and_three_are_doubted(n):
    where = np.random.default_rng(n).uniform(0, 200, (n, 2))
    truth = Affine.similarity(1, 77, (30, -400))
    found = Cells(movement="rigid")(Pair(Side(points=truth.apply(where)), Side(points=where)))
    assert np.allclose(found.transform.apply(where), truth.apply(where), atol=0.01)
    assert bool(found.trust.warning) == (n < 10)


def test_cells_on_a_line_and_cells_that_coincide_do_not_break_it():
    generator = np.random.default_rng(0)
    line = np.column_stack([generator.uniform(0, 3000, 300), np.zeros(300)])
    found = Cells()(Pair(Side(points=line), Side(points=line[:, ::-1] + 50)))
    assert np.isfinite(found.transform.apply(line)).all()
    assert found.trust.warning
    twice = np.repeat(generator.uniform(0, 300, (300, 2)), 3, axis=0)
    found = Cells(bend=False)(Pair(Side(points=twice), Side(points=Affine.rotation(40).apply(twice))))
    assert np.median(np.linalg.norm(found.transform.apply(Affine.rotation(40).apply(twice)) - twice, axis=1)) < 1


@pytest.mark.parametrize(
    ("fixed", "moving", "says"),
    [
        (None, np.zeros((9, 2)), "fixed side has 0 cells"),
        (np.eye(5)[:, :2], np.ones((1, 2)), "moving side has 1 cell"),
        (np.eye(5)[:, :2], np.ones((9, 2)), "All 9 cells of the moving side lie on one spot"),
    ],
)
def test_too_few_cells_are_refused_in_words(fixed, moving, says):
    with pytest.raises(BadInput, match=says):
        Cells()(Pair(Side(points=fixed), Side(points=moving)))


def test_broken_places_and_other_features_are_refused_in_words():
    with pytest.raises(BadInput, match="NaN"):
        Side(points=np.full((9, 2), np.nan))
    with pytest.raises(BadInput, match="3 features and the moving cells 2"):
        joint_codes(np.ones((5, 3)), np.ones((5, 2)), 0)


def test_the_distance_of_neighbours_does_not_depend_on_the_outline():
    generator = np.random.default_rng(0)
    square = generator.uniform(0, 1000, (10_000, 2))
    assert abs(spacing_of(square) - 10) < 0.6
    ring = square[np.abs(np.hypot(*(square - 500).T) - 400) < 60]
    assert abs(spacing_of(ring) - 10) < 1.5
    assert spacing_of(np.ones((4, 2))) == 0


def test_progress_runs_forward_and_stop_stops():
    given = sample(12, n=800)
    told: list[float] = []
    Cells()(given.pair, lambda fraction, message="": told.append(fraction))
    assert told == sorted(told) and told[-1] == 1.0

    def stop(fraction, message=""):
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        Cells()(given.pair, stop)


@pytest.mark.slow
def test_a_stack_of_cells_is_laid_on_its_first_section():
    generator = np.random.default_rng(0)
    where, kinds = tissue(20, 1500, "patches")
    at = [Affine.identity(), *(Affine.similarity(1, generator.uniform(0, 360), (500, 90)) for _ in range(2))]
    sections = []
    for one in at:
        kept = generator.uniform(size=len(where)) > 0.2
        sections.append(Side(points=one.inverse().apply(where[kept]), features=np.eye(KINDS)[kinds[kept]]))
    method = Cells(movement="rigid", bend=False)
    links = {(i, j): method(Pair(sections[j], sections[i])) for i, j in ((1, 0), (2, 0), (2, 1))}
    weights = {link: one.trust.score for link, one in links.items()}
    found = align_stack({link: one.transform for link, one in links.items()}, 3, weights=weights)
    for one, true, side in zip(found, at, sections, strict=True):
        assert np.median(np.linalg.norm(one.apply(side.points) - true.apply(side.points), axis=1)) < 1
