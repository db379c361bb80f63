"""The reader of the domains benchmark: what is painted is true, what is right is left alone, made sections are made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.domains.reader import STROKE, Reader, matched, paint_only, read, strokes_to
from benchmarks.domains.sections import Known
from benchmarks.domains.simulated import SEEN, TISSUES, simulate
from napari_spatialml.core.domains import Domains
from napari_spatialml.core.graph import tissue_graph


def certain(labels: np.ndarray, k: int) -> Domains:
    return Domains(labels, np.eye(k)[labels])


@pytest.fixture(scope="module")
def section() -> Known:
    return simulate("nested", "m/z pixels", 0)


@pytest.fixture(scope="module")
def graph(section):
    return tissue_graph(section.cells.coordinates, 6)


def half_wrong(section: Known) -> Domains:
    """A map whose left half is all of one domain."""
    left = section.cells.coordinates[:, 1] < section.cells.coordinates[:, 1].mean()
    return certain(np.where(left, 0, section.truth), section.k)


@pytest.mark.parametrize("rng", [None, 3])
def test_strokes_are_true_small_and_never_laid_twice(section, graph, rng):
    reader = Reader(section, graph, rng=None if rng is None else np.random.default_rng(rng))
    start = half_wrong(section)
    reading = read(reader, start, paint_only(start), strokes=8)
    painted = np.concatenate([rows for rows, _ in reading.strokes])
    assert len(painted) == len(set(painted.tolist())) == 8 * STROKE
    for rows, domain in reading.strokes:
        assert (section.truth[rows] == domain).all() and (start.labels[rows] != domain).all()
    assert reading.ari[-1] > reading.ari[0]


def test_a_stroke_begins_inside_not_at_the_seam(section, graph):
    """Where something larger than a stroke is wrong, what is painted is away from what is right."""
    reader = Reader(section, graph)
    start = half_wrong(section)
    rows, _ = reader.stroke(reader.most_wrong(start.labels))
    wrong = start.labels != section.truth
    assert wrong[graph[rows].indices].all()


def test_what_is_right_is_left_alone(section, graph):
    start = certain(section.truth, section.k)
    reading = read(Reader(section, graph), start, paint_only(start), strokes=3)
    assert reading.strokes == [] and (reading.ari == 1).all() and strokes_to(reading, 0.9) == 0


@pytest.mark.parametrize("looks", ["at random", "led", "line"])
def test_who_does_not_see_all_paints_what_is_true_too_and_goes_on_from_what_is_right(section, graph, looks):
    start = half_wrong(section)
    reader = Reader(section, graph, along=True, rng=np.random.default_rng(1))
    reading = read(reader, start, paint_only(start), looks, strokes=4)
    assert reading.strokes and reading.looks >= len(reading.strokes) and reading.ari[-1] > reading.ari[0]
    for rows, domain in reading.strokes:
        assert (section.truth[rows] == domain).all() and (start.labels[rows] != domain).mean() > 0.5
    right = certain(section.truth, section.k)
    left = read(Reader(section, graph), right, paint_only(right), looks, strokes=2)
    assert left.strokes == [] and left.looks > 2


def test_a_stroke_drawn_along_reaches_farther_than_a_heap(section, graph):
    start = half_wrong(section)
    across = []
    for along in (False, True):
        reader = Reader(section, graph, along=along)
        rows, _ = reader.stroke(reader.most_wrong(start.labels))
        assert len(rows) == STROKE
        across.append(np.ptp(section.cells.coordinates[rows], axis=0).max())
    assert across[1] > 2 * across[0]


def test_the_numbers_of_a_map_do_not_matter(section):
    start = half_wrong(section)
    number = np.array([2, 0, 3, 1])
    renumbered = Domains(number[start.labels], start.probabilities[:, np.argsort(number)])
    assert np.array_equal(matched(renumbered, section.truth).labels, matched(start, section.truth).labels)
    found = matched(renumbered, section.truth)
    assert np.array_equal(found.probabilities.argmax(1), found.labels)


def test_rows_that_nobody_labelled_are_not_scored(section):
    start = half_wrong(section)
    unknown = replace(section, truth=np.where(start.labels == section.truth, section.truth, -1))
    assert unknown.ari(start.labels) == 1 > section.ari(start.labels)


@pytest.mark.parametrize("tissue", TISSUES)
def test_made_sections_are_the_same_again_and_hold_every_domain(tissue):
    first, again, other = (simulate(tissue, "m/z pixels", seed) for seed in (1, 1, 2))
    assert np.array_equal(first.cells.features, again.cells.features)
    assert len(first.truth) != len(other.truth) or not np.array_equal(first.truth, other.truth)
    assert np.bincount(first.truth).min() > STROKE


def test_every_technology_is_what_it_is_called():
    made = {seen: simulate("niches", seen, 0) for seen in ("single cells", "m/z pixels")}
    assert (made["single cells"].cells.features.data % 1 == 0).all()
    total = made["m/z pixels"].cells.features.sum(1)
    assert total.std() > 0.3 * total.mean()  # the TIC varies
    assert set(made) < set(SEEN)
