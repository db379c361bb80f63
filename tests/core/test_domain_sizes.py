"""The tissue for which rows stand, and the borders between domains."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.core.domain_sizes import borders, tissue_areas
from napari_spatialml.core.graph import knn_graph, radius_graph


def hexagonal(rows=12, columns=15, pitch=100.0):
    y, x = np.mgrid[:rows, :columns].astype(float)
    return np.column_stack([y.ravel() * pitch * np.sqrt(3) / 2, ((x + (y % 2) / 2) * pitch).ravel()])


def squares(rows=11, columns=14, pitch=10.0):
    return np.indices((rows, columns)).reshape(2, -1).T * pitch


def turned(where, angle):
    c, s = np.cos(angle), np.sin(angle)
    return where @ np.array([[c, -s], [s, c]])


@given(st.floats(0, 6.2), st.floats(1, 500))
@settings(max_examples=8)
def test_a_spot_of_a_lattice_stands_for_its_unit_however_it_is_turned(angle, pitch):
    hexes = turned(hexagonal(pitch=pitch), angle)
    assert np.allclose(tissue_areas(hexes), pitch**2 * np.sqrt(3) / 2, rtol=1e-6)
    assert np.allclose(tissue_areas(turned(squares(pitch=pitch), angle)), pitch**2, rtol=0.02)


def test_cells_that_lie_anyhow_fill_their_tissue():
    rng = np.random.default_rng(0)
    where = rng.uniform(0, 1000, (3000, 2))
    assert tissue_areas(where).sum() == pytest.approx(1e6, rel=0.05)


def test_the_gap_between_two_pieces_is_no_tissue():
    rng = np.random.default_rng(1)
    one = rng.uniform(0, 500, (1500, 2))
    both = np.concatenate([one, one + np.array([0.0, 5000.0])])
    assert tissue_areas(both).sum() == pytest.approx(2 * tissue_areas(one).sum(), rel=0.02)


def test_rows_on_a_line_and_single_rows_have_no_area():
    line = np.column_stack([np.arange(9.0), np.arange(9.0)])
    assert np.isnan(tissue_areas(line)).all()
    assert np.isnan(tissue_areas([[0.0, 0.0], [1.0, 1.0]])).all()
    doubled = np.concatenate([squares(), squares()[:3]])
    assert np.isfinite(tissue_areas(doubled)).all()


def test_a_border_counts_each_pair_of_neighbours_once():
    where = squares(6, 8, 1.0)
    graph = radius_graph(where, 1.01)
    codes = np.where(where[:, 1] < 4, 0, 1)
    found = borders(codes, graph, 3)
    assert found[0, 1] == found[1, 0] == 6  # one pair a row of the grid
    assert found[0, 0] == found[1, 1] == 6 * 3 + 5 * 4
    assert not found[2].any()
    codes[0] = -1  # ignored: its two pairs count nowhere
    assert borders(codes, graph, 3)[0, 0] == found[0, 0] - 2


@given(st.integers(0, 50))
@settings(max_examples=8)
def test_borders_do_not_depend_on_the_order_of_rows(seed):
    rng = np.random.default_rng(seed)
    where, codes = rng.uniform(0, 10, (60, 2)), rng.integers(-1, 4, 60)
    mixed = rng.permutation(60)
    one, other = borders(codes, knn_graph(where, 5), 4), borders(codes[mixed], knn_graph(where[mixed], 5), 4)
    assert (one == other).all() and (one == one.T).all()
