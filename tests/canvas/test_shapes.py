"""Spots, pixels and polygons on a real canvas: each covers what it covers in the tissue, and not a pixel beyond."""

from __future__ import annotations

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely

from napari_spatialml.core.transform import Affine
from napari_spatialml.session import Session
from napari_spatialml.views import ColourBy
from napari_spatialml.views import spots as spots_module

from ..views.conftest import table_of
from .conftest import opened
from .test_window import near, rgb

TURNED = (Affine.rotation(25.0) @ Affine.scale(2.0, 0.8)).matrix
"""On (y, x): a circle becomes an ellipse, a square a parallelogram."""
NAMES = np.array(["aaab-1", "zz", "b 3", "ç"], dtype=object)


def placed(matrix):
    from spatialdata.transformations import Affine as Stored

    flip = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    return {"global": Stored(flip @ np.asarray(matrix) @ flip, ("x", "y"), ("x", "y"))}


def polygons():
    """A cell with a hole, one of two parts, a square, and an empty one."""
    ring = shapely.Point(0, 0).buffer(9, quad_segs=6)
    holed = shapely.Polygon(ring.exterior, [shapely.Point(0, 0).buffer(4, quad_segs=6).exterior])
    parts = shapely.MultiPolygon([shapely.box(20, -8, 28, 0), shapely.box(20, 4, 26, 9)])
    return [holed, parts, shapely.box(-8, 20, 0, 28), shapely.Polygon()]


def made():
    from spatialdata import SpatialData
    from spatialdata.models import Labels2DModel, ShapesModel

    at = np.array([[0.0, 0.0], [30.0, 5.0], [3.0, 28.0], [28.0, 30.0]])
    kinds = pd.Categorical(["p", "q", "p", "q"])
    elements, eye = {}, np.eye(3)
    for name, matrix in (("round", eye), ("uneven", TURNED)):
        elements[name] = ShapesModel.parse(at, geometry=0, radius=6.0, transformations=placed(matrix))
    squares = [shapely.box(x - 4, y - 4, x + 4, y + 4) for x, y in at]
    frames = {"squares": (squares, [1, 2, 3, 4]), "cells": (polygons(), NAMES)}
    for name, (shapes, ids) in frames.items():
        frame = geopandas.GeoDataFrame({"geometry": shapes}, index=ids)
        elements[name] = ShapesModel.parse(frame, transformations=placed(TURNED))
    elements["pixels"] = Labels2DModel.parse(
        np.arange(1, 13, dtype=np.int32).reshape(3, 4), dims=("y", "x"),
        transformations=placed((Affine.rotation(25.0) @ Affine.scale(20.0, 9.0)).matrix),
    )  # fmt: skip
    for name in ("round", "uneven", "squares", "cells"):
        ids = elements[name].index
        elements[f"{name}_table"] = table_of(np.ones((4, 1)), ids, name, ["g"], kind=kinds)
    elements["pixels_table"] = table_of(
        np.arange(12)[:, None], range(1, 13), "pixels", ["g"], kind=pd.Categorical(["p", "q", "q"] * 4)
    )
    whole = SpatialData.init_from_elements(elements)
    whole.attrs["spatialml"] = {"um_per_unit": {"global": 1.0}}
    return whole


@pytest.fixture
def window(make_napari_viewer):
    with opened(make_napari_viewer, Session.start(made())) as window:
        yield window


def alone(window, element):
    """Show one element, opaque, coloured by kind; return each row's colour and µm a screen pixel."""
    presenter = window.presenter
    colour = ColourBy(f"{element}_table", "obs/kind")
    presenter.show(shown=(element,), colours={element: colour})
    presenter.fit()
    for _, layer in presenter.canvas.layers():
        layer.opacity = 1.0
    legend = next(g for g in presenter.legends() if g.element == element)
    codes = {name: rgb(code) for name, code, _ in legend.categories}
    kinds = presenter.document.table(colour.table).obs["kind"]
    return [codes[k] for k in kinds], 1 / window.viewer.scene.camera.zoom


def check(window, shapes, colours, gap, far=2.0):
    """Each shape (in µm, (x, y)) has its colour up to ``far`` screen pixels from its edge, and nothing has beyond."""
    whole = shapely.union_all(shapes)
    places, wanted = [], []
    for shape, colour in zip(shapes, colours, strict=True):
        for away, seen in ((-far * gap, colour), (far * gap, (0, 0, 0))):
            line = shape.buffer(away, join_style="mitre").boundary
            points = [line.interpolate(t, normalized=True) for t in np.linspace(0, 1, 24, endpoint=False)]
            if away > 0:
                points = [p for p in points if whole.distance(p) > 0.95 * far * gap]
            places += [(p.y, p.x) for p in points]
            wanted += [seen] * len(points)
    found = window.colours(*places)
    wrong = [(p, s, w) for p, s, w in zip(places, found, wanted, strict=True) if not near(s, w, 8)]
    assert not wrong, (len(wrong), len(places), wrong[:4])
    assert len(places) > 100


def in_um(window, element, shapes):
    (a, b, c), (d, e, f) = window.presenter.document.affine(element, "global").matrix[:2]
    return [shapely.affinity.affine_transform(s, [e, d, b, a, f, c]) for s in shapes]


def circles(window, element):
    frame = window.presenter.document.element(element)
    return in_um(
        window, element, [p.buffer(r, quad_segs=64) for p, r in zip(frame.geometry, frame.radius, strict=True)]
    )


def test_spots_are_circles_and_under_an_uneven_turn_ellipses_few_or_many(window, monkeypatch):
    for element in ("round", "uneven"):
        colours, gap = alone(window, element)
        check(window, circles(window, element), colours, gap)
    assert type(window.presenter.layer_of("uneven")).__name__ == "Image"
    monkeypatch.setattr(spots_module, "_DOTS", 2)
    colours, gap = alone(window, "round")
    assert type(window.presenter.layer_of("round")).__name__ == "Image"
    check(window, circles(window, "round"), colours, gap)


def test_turned_squares_parts_holes_and_pixels_cover_what_they_should_also_close_up(window):
    colours, gap = alone(window, "pixels")
    boxes = [shapely.box(j, i, j + 1, i + 1) for i in range(3) for j in range(4)]
    check(window, in_um(window, "pixels", boxes), colours, gap)
    colours, gap = alone(window, "squares")
    shapes = in_um(window, "squares", window.presenter.document.element("squares").geometry)
    check(window, shapes, colours, gap, far=3.0)  # an outline of two pixels runs along the edge
    colours, gap = alone(window, "cells")
    shapes = in_um(window, "cells", polygons()[:3])
    check(window, shapes, colours[:3], gap, far=3.0)
    _close_up(window, shapes[2], colours[2])


def _close_up(window, square, colour, zoom=150.0):
    """At a corner, a hundred times as large, the edge is still where it is."""
    y, x = square.exterior.coords[0][::-1]
    window.viewer.scene.camera.zoom, window.viewer.scene.camera.center = zoom, (y, x)
    window.settle()
    around = shapely.Point(x, y).buffer(60 / zoom).boundary
    points = [around.interpolate(t, normalized=True) for t in np.linspace(0, 1, 40, endpoint=False)]
    sure = [p for p in points if square.boundary.distance(p) > 3 / zoom]
    seen = window.colours(*((p.y, p.x) for p in sure))
    inside = [bool(square.contains(p)) for p in sure]
    assert 5 < sum(inside) < len(sure) - 5
    assert all(near(s, colour if i else (0, 0, 0), 8) for s, i in zip(seen, inside, strict=True))
