"""Labels to polygons along pixel edges and back: the same labels, and every polygon valid."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_spatialml.core.pixel_outlines import pixel_outlines
from napari_spatialml.core.rasterise import rasterised
from napari_spatialml.errors import BadInput

images = arrays(np.int32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 3))


@settings(max_examples=150, deadline=None)
@given(images)
def test_labels_become_polygons_and_the_same_labels_again(labels):
    ids, polygons = pixel_outlines(labels)
    assert ids.tolist() == sorted(set(labels.ravel().tolist()) - {0})
    assert shapely.is_valid(polygons).all()
    assert shapely.area(polygons).tolist() == [(labels == i).sum() for i in ids]
    assert np.array_equal(rasterised(polygons, ids, labels.shape), labels)


@settings(max_examples=40, deadline=None)
@given(images)
def test_polygons_of_neighbours_share_borders_without_overlap(labels):
    _, polygons = pixel_outlines(labels)
    union = shapely.union_all(polygons) if len(polygons) else shapely.Polygon()
    assert union.area == (labels > 0).sum()


def test_a_hole_and_a_second_part_are_kept():
    labels = np.zeros((7, 12), np.int32)
    labels[1:6, 1:6], labels[2:5, 2:5], labels[2, 8] = 7, 0, 7
    _, (polygon,) = pixel_outlines(labels, offset=(100, 20))
    parts = sorted(polygon.geoms, key=lambda p: -p.area)
    assert polygon.geom_type == "MultiPolygon" and len(parts) == 2
    assert len(parts[0].interiors) == 1 and parts[0].bounds == (21.0, 101.0, 26.0, 106.0)
    assert parts[1].bounds == (28.0, 102.0, 29.0, 103.0)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint64])
def test_large_ids_of_any_type_are_kept(dtype):
    top = min(int(np.iinfo(dtype).max), 2**63)
    labels = np.array([[0, top], [3, 3]], dtype)
    ids, polygons = pixel_outlines(labels)
    assert ids.tolist() == [3, top] and ids.dtype == dtype
    assert [p.area for p in polygons] == [2.0, 1.0]


def test_no_cells_give_no_polygons():
    ids, polygons = pixel_outlines(np.zeros((4, 5), int))
    assert len(ids) == len(polygons) == 0
    assert not rasterised(polygons, ids, (4, 5)).any()


def test_a_polygon_outside_the_image_is_cut_off_and_an_id_that_does_not_fit_is_refused():
    square = shapely.box(-3, -3, 2, 1)
    assert rasterised([square], [5], (3, 3)).tolist() == [[5, 5, 0], [0, 0, 0], [0, 0, 0]]
    with pytest.raises(BadInput, match="from 0 to 0"):
        rasterised([square], [0], (3, 3))
