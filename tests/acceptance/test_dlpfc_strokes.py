"""A reader who knows the layers paints short strokes: each teaches the whole map."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components

from napari_spatialml.core.graph import averaging
from napari_spatialml.core.metrics import adjusted_rand_index
from napari_spatialml.methods import method

from .test_dlpfc import SLICES, read

pytestmark = pytest.mark.acceptance
STROKES, SPOTS = 20, 15


def largest_wrong_region(wrong, truth, graph):
    """Return the rows of the largest connected piece of one layer that the map has wrong."""
    rows = np.flatnonzero(wrong)
    near = sp.coo_matrix(graph[rows][:, rows])
    alike = truth[rows][near.row] == truth[rows][near.col]
    links = sp.csr_matrix((np.ones(alike.sum()), (near.row[alike], near.col[alike])), shape=(len(rows),) * 2)
    piece = connected_components(links, directed=False)[1]
    return rows[piece == np.bincount(piece).argmax()]


def stroke(region, graph, coordinates):
    """Return the spots around the innermost one of a region."""
    inside = np.zeros(len(coordinates))
    inside[region] = 1
    mean = averaging(graph)
    for _ in range(6):
        inside = mean @ inside
    middle = coordinates[region[inside[region].argmax()]]
    return region[np.argsort(np.linalg.norm(coordinates[region] - middle, axis=1), kind="stable")[:SPOTS]]


def read_by_hand(cells, layers, known):
    """Return the adjusted Rand index of the map before the first stroke and after each."""
    detector = method("domains", "low-pass-mixture")(n_domains=7)
    smoothed = detector.smoothed(detector.embedded(cells), cells)
    free = detector.divided(smoothed, None)
    table = np.zeros((7, 7))
    np.add.at(table, (layers[known], free.labels[known]), 1)
    truth = np.where(known, linear_sum_assignment(-table)[1][layers], -1)
    labels, anchors = free.labels, np.full(len(layers), -1)
    found = [adjusted_rand_index(labels[known], layers[known])]
    for _ in range(STROKES):
        wrong = known & (labels != truth) & (anchors < 0)
        rows = stroke(largest_wrong_region(wrong, truth, smoothed.graph), smoothed.graph, cells.coordinates)
        anchors[rows] = truth[rows]
        labels = detector.refitted(smoothed, free.probabilities, anchors).labels
        found.append(adjusted_rand_index(labels[known], layers[known]))
    return np.array(found)


def test_ten_strokes_bring_a_map_to_seventy_percent_and_twenty_to_eighty(data):
    """Seen: 0.63 -> 0.80 -> 0.83; three strokes of forty lowered the agreement by more than 0.02."""
    slices = [read(data, name) for name in SLICES]
    found = np.array([read_by_hand(cells, layers.to_numpy().astype(int), known) for cells, layers, known in slices])
    print("after 0, 5, 10, 20 strokes:", found.mean(0)[[0, 5, 10, 20]].round(3))
    assert found.mean(0)[10] >= 0.70
    assert found.mean(0)[20] >= 0.80
    assert (np.diff(found, axis=1) < -0.02).mean() <= 0.1
