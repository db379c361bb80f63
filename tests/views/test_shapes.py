"""Polygons, spots and bins as layers: whole, in their rows' colours, and given back as they were."""

from __future__ import annotations

from dataclasses import replace

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel

from napari_spatialml.core.bin_levels import category_levels, mean_levels
from napari_spatialml.core.transform import Affine
from napari_spatialml.errors import BadInput
from napari_spatialml.session import Session
from napari_spatialml.views import ColourBy, Presenter, ViewState
from napari_spatialml.views.memory import Memory
from napari_spatialml.views.outlines import FILLED, shapes_of
from napari_spatialml.views.plan import legends, plan
from napari_spatialml.views.shape_picking import shape_at
from napari_spatialml.views.shape_tiles import TILE, Circles
from napari_spatialml.views.specs import ImageSpec, RasterSpec

from ..core.test_polygons import array, rows, same
from .conftest import table_of

few = settings(max_examples=12, deadline=None, phases=(Phase.explicit, Phase.generate))  # shrinking would take minutes
HOLED = shapely.Polygon(shapely.box(0, 0, 10, 10).exterior, [shapely.box(3, 3, 7, 7).exterior])
PARTS = shapely.MultiPolygon([shapely.box(20, 0, 24, 4), shapely.box(20, 6, 24, 10)])
TWISTED = shapely.Polygon([(0, 20), (8, 28), (8, 20), (0, 28)])
"""A bow tie: its edges cross, which shapely calls invalid."""


def frame_of(shapes, ids, **columns):
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import Identity

    frame = geopandas.GeoDataFrame({"geometry": array(shapes), **columns}, index=pd.Index(ids))
    frame.attrs["transform"] = {"global": Identity()}  # the parser looks at the first shape alone
    ShapesModel.validate(frame)
    return frame


def session_of(frame, table_ids=None, **obs):
    from spatialdata import SpatialData

    elements = {"cells": frame}
    if table_ids is not None:
        elements["table"] = table_of(np.arange(len(table_ids))[:, None], table_ids, "cells", ["g"], **obs)
    whole = SpatialData.init_from_elements(elements)
    whole.attrs["spatialml"] = {"um_per_unit": {"global": 1.0}}
    return Session.start(whole)


def shown(session, **changes):
    memory = Memory()
    specs = plan(session.document, ViewState(**changes), memory)
    return {spec.key.part: spec for spec in specs}, memory


names = st.lists(st.text("abcdefgh-12é ", min_size=1, max_size=12), min_size=8, max_size=8, unique=True)


@few
@given(rows(), names, st.booleans())
def test_element_to_layer_to_element_is_the_same(shapes, ids, numbered):
    """Holes, parts, empty shapes and ids survive; not one corner is left out or moved."""
    shapes = [shapely.box(0, 0, 2, 3), *shapes][: len(ids)]
    ids = list(range(7, 7 + len(shapes))) if numbered else ids[: len(shapes)]
    frame = frame_of(shapes, ids, area=np.arange(float(len(shapes))))
    session = session_of(frame)
    presenter = Presenter(ViewerModel(), session)
    presenter.show()
    back = shapes_of(presenter.layer_of("cells"), presenter.document.element("cells").drop(columns="geometry"))
    assert same(back.geometry, frame.geometry)
    rest = [pd.DataFrame(f.drop(columns="geometry")) for f in (back, frame)]
    pd.testing.assert_frame_equal(*rest)  # columns, ids, their types and their order
    presenter.close()
    session.close()


@pytest.mark.parametrize("again", [1, 2])
def test_element_saved_and_opened_is_the_same(tmp_path, again):
    frame = frame_of([HOLED, PARTS, TWISTED], ["aaab-1", "b 3", "ç"], area=[1.0, 2.0, np.nan])
    session = session_of(frame)
    for k in range(again):
        session.save(tmp_path / f"{k}.zarr")
        session.close()
        session = Session.open_store(tmp_path / f"{k}.zarr")
    back = session.document.element("cells")
    assert same(back.geometry, frame.geometry)
    assert list(back.index) == list(frame.index)
    assert_geodataframe_equal(back, frame, check_crs=False, check_index_type=False)
    session.close()


def test_polygons_have_the_colours_of_their_rows_and_a_hole_has_none():
    session = session_of(
        frame_of([HOLED, PARTS, TWISTED], ["u", "v", "w"]), ["w", "v"], kind=pd.Categorical(["p", "q"])
    )
    layers, memory = shown(session, colours={"cells": ColourBy("table", "obs/kind")})
    (legend,) = legends(session.document, ViewState(), memory)
    colour = {name: tuple(int(code[k : k + 2], 16) for k in (1, 3, 5)) for name, code, _ in legend.categories}
    assert legend.note.startswith("outlines below")
    level, affine = layers[FILLED].make()[3], Affine(np.array(layers[FILLED].affine))

    def seen(y, x):
        at = affine.inverse().apply(np.array([[y, x]]))[0] + 0.5
        return tuple(int(v) for v in level[tuple((at // 8).astype(int))])

    assert seen(8, 22) == seen(2, 22) == (*colour["q"], 255)
    assert seen(24, 2) == seen(24, 6) == (*colour["p"], 255)  # both wings, and nothing between
    assert seen(21.5, 4) == seen(26.5, 4) == seen(5, 5) == seen(5, 22) == (0, 0, 0, 0)
    assert seen(1, 5)[3] < 255  # a polygon of which the table says nothing is grey and translucent
    session.close()


def test_a_hidden_category_lets_the_polygon_below_be_seen():
    session = session_of(
        frame_of([shapely.box(0, 0, 9, 9), shapely.box(0, 0, 9, 9)], [1, 2]), [1, 2], kind=pd.Categorical(["p", "q"])
    )
    kind = {"cells": ColourBy("table", "obs/kind")}
    both = shown(session, colours=kind)[0][FILLED].make()[-1][:, :]
    one = shown(session, colours=kind, hidden_categories={"cells": frozenset({"q"})})[0][FILLED].make()[-1][:, :]
    assert both[..., 3].sum() == one[..., 3].sum() > 0
    assert (both != one).any()
    session.close()


@pytest.mark.parametrize(("ids", "known"), [(["a", "b", "a"], ["a", "b", "c"]), (["a", "b", "c"], ["b", "b", "c"])])
def test_an_id_that_stands_twice_is_refused_in_words_and_the_shapes_are_still_seen(ids, known):
    session = session_of(frame_of([HOLED, PARTS, TWISTED], ids), ["x", "y", "z"], kind=pd.Categorical(["p", "q", "p"]))
    session.document.table("table").obs["instance_id"] = known  # which nobody checks once the table is made
    layers, memory = shown(session, colours={"cells": ColourBy("table", "obs/kind")})
    assert "1 ids stand more than once" in memory.problems["cells"]
    assert "(the first: '" in memory.problems["cells"]
    assert layers[""].make()[-1][:, :][..., 3].any()
    session.close()


def test_empty_missing_and_endless_shapes_hide_nothing_else_and_are_counted():
    odd = [
        None,
        shapely.Polygon(),
        shapely.Polygon([(0, 0), (np.nan, 1), (1, 1)]),
        shapely.LineString([(0, 0), (9, 9)]),
    ]
    ids = list(range(6))
    session = session_of(frame_of([HOLED, *odd, TWISTED], ids), ids, kind=pd.Categorical(["p"] * 6))
    layers, memory = shown(session, colours={"cells": ColourBy("table", "obs/kind")})
    (legend,) = legends(session.document, ViewState(), memory)
    assert "4 of 6 have nothing to draw" in legend.note
    assert layers[FILLED].make()[-1][:, :][..., 3].any()
    session.close()


def test_a_picture_of_a_slide_in_its_finest_level_is_refused_before_the_memory_is_full():
    session = session_of(frame_of([shapely.box(0, 0, 9, 9), shapely.box(9000, 9000, 9009, 9009)], [1, 2]))
    level = shown(session)[0][""].make()[0]
    with pytest.raises(BadInput, match="pixels was asked for"):
        np.asarray(level)
    assert level[:9, :9].shape == (9, 9, 4)
    session.close()


def test_the_shape_under_the_mouse_is_the_one_that_is_seen_and_a_hole_is_outside():
    overlap = shapely.box(8, 8, 14, 14)
    session = session_of(frame_of([HOLED, PARTS, TWISTED, overlap], list("abcd")))
    memory = Memory()

    def at(y, x, offset=(0.0, 0.0)):
        return shape_at(session.document, "cells", "global", (y, x), memory, offset)

    assert [at(1, 1), at(5, 5), at(9, 9), at(12, 12)] == [0, -1, 3, 3]
    assert [at(2, 22), at(5, 22), at(8, 22)] == [1, -1, 1]
    assert [at(24, 1), at(21, 4), at(24, 7)] == [2, -1, 2]
    assert at(1, 1001, (0.0, 1000.0)) == 0
    session.close()


def test_the_spot_under_the_mouse(tmp_path):
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import Scale

    circles = ShapesModel.parse(
        np.array([[0.0, 0.0], [10.0, 0.0]]), geometry=0, radius=4.0,
        transformations={"global": Scale([1.0, 3.0], axes=("x", "y"))},
    )  # fmt: skip
    session = session_of(circles)
    found = [
        shape_at(session.document, "cells", "global", p, Memory()) for p in ((11.9, 0), (0, 4.1), (0, 10), (12.1, 10))
    ]
    assert found == [0, -1, 1, -1]
    session.close()


@few
@given(st.integers(0, 1000), st.lists(st.integers(0, 700), min_size=4, max_size=4))
def test_a_window_is_the_same_however_it_was_come_upon(seed, ends):
    rng = np.random.default_rng(seed)
    tiles = Circles(rng.uniform(0, 100, (60, 2)), rng.uniform(1, 9, 60), Affine.identity(), np.ones(60, bool))
    level = tiles.n_levels - 2
    h, w = (int(n) * 2 for n in tiles.shape)
    whole = tiles.read(level, (0, h, 0, w))[0]
    fresh = Circles(tiles._own, tiles._radii, Affine.identity(), tiles.drawn)
    (y0, y1), (x0, x1) = sorted(v % h for v in ends[:2]), sorted(v % w for v in ends[2:])
    assert np.array_equal(fresh.read(level, (y0, y1 + 1, x0, x1 + 1))[0], whole[y0 : y1 + 1, x0 : x1 + 1])
    assert np.array_equal(fresh.read(level, (0, h, 0, w))[0], whole)
    assert h > TILE


@few
@given(st.integers(0, 1000))
def test_a_pixel_of_a_coarser_level_is_the_mean_of_its_bins_or_what_most_of_them_are(seed):
    rng = np.random.default_rng(seed)
    values = rng.poisson(0.3, (1300, 2051)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    means = mean_levels(values)
    codes = rng.integers(0, 4, values.shape).astype(np.uint8)
    most = category_levels(codes, 3)
    assert len(means) == len(most) == 3
    for k in (1, 2):
        r, c = int(rng.integers(0, means[k].shape[0])), int(rng.integers(0, means[k].shape[1]))
        s = 2**k
        block = values[r * s : (r + 1) * s, c * s : (c + 1) * s]
        wanted = np.nan if np.isnan(block).all() else np.nanmean(block)
        assert np.isclose(means[k][r, c], wanted, equal_nan=True, rtol=1e-5)
        counts = np.bincount(codes[r * s : (r + 1) * s, c * s : (c + 1) * s].ravel(), minlength=4)[1:]
        assert most[k][r, c] == (counts.argmax() + 1 if counts.any() else 0)


def test_many_bins_are_one_image_with_a_pyramid():
    from spatialdata import SpatialData
    from spatialdata.models import Labels2DModel
    from spatialdata.transformations import Identity

    raster = np.arange(1, 1100 * 1000 + 1, dtype=np.int32).reshape(1100, 1000)
    labels = Labels2DModel.parse(raster, dims=("y", "x"), transformations={"global": Identity()})
    n = raster.size
    kinds = pd.Categorical.from_codes(np.arange(n) % 2, ["p", "q"])
    table = table_of((np.arange(n) % 5)[:, None], range(1, n + 1), "bins", ["g"], kind=kinds)
    whole = SpatialData.init_from_elements({"bins": labels, "counts": table})
    whole.attrs["spatialml"] = {"um_per_unit": {"global": 1.0}}
    session = Session.start(whole)
    for key, kind in (("X/g", ImageSpec), ("obs/kind", RasterSpec)):
        state = ViewState(colours={"bins": ColourBy("counts", key)})
        memory = Memory()
        (spec,) = plan(session.document, state, memory)
        assert isinstance(spec, kind)
        levels = spec.make()
        assert [level.shape for level in levels] == [(1100, 1000), (550, 500)]
        assert levels[0][3, 7] == (3007 % 5 if key == "X/g" else 3007 % 2 + 1)
        assert "zoomed out" in legends(session.document, state, memory)[0].note
    session.close()


def bins_with_proportions(shape, types=("a", "b", "c")):
    """A section of square bins whose table holds proportions."""
    from spatialdata import SpatialData
    from spatialdata.models import Labels2DModel
    from spatialdata.transformations import Identity

    n = shape[0] * shape[1]
    raster = np.arange(1, n + 1, dtype=np.int32).reshape(shape)
    labels = Labels2DModel.parse(raster, dims=("y", "x"), transformations={"global": Identity()})
    table = table_of(np.ones((n, 1)), range(1, n + 1), "bins", ["g"])
    shares = np.random.default_rng(0).dirichlet(np.ones(len(types)), n)
    table.obsm["proportions"] = pd.DataFrame(shares, index=table.obs_names, columns=list(types))
    first = pd.Categorical.from_codes(shares.argmax(1), categories=list(types))
    table.obs["proportions_dominant"] = pd.Series(first, index=table.obs_names)
    whole = SpatialData.init_from_elements({"bins": labels, "counts": table})
    whole.attrs["spatialml"] = {"um_per_unit": {"global": 1.0}}
    return Session.start(whole), shares


@pytest.mark.parametrize("shape", [(1100, 1000), (30, 20)])
def test_each_type_of_bins_is_a_hidden_image_that_is_looked_up_when_it_is_read(shape, monkeypatch):
    from napari_spatialml.views import bins, type_layers

    session, shares = bins_with_proportions(shape)
    looked_up = []
    real = bins._levels
    monkeypatch.setattr(bins, "_levels", lambda *given: looked_up.append(1) or real(*given))
    state = ViewState(colours={"bins": ColourBy("counts", "obs/proportions_dominant")})
    state = replace(state, by_type={"bins": ("counts", "proportions")})
    memory = Memory()
    specs = [s for s in plan(session.document, state, memory) if s.key.part.startswith(type_layers.PART)]
    assert [s.name for s in specs] == ["bins: a", "bins: b", "bins: c"] and not any(s.visible for s in specs)
    assert {s.limits for s in specs} == {(0.0, 1.0)} and len({s.colormap for s in specs}) == 1
    made = [spec.make() for spec in specs]
    assert not looked_up
    finest = [one[0] if isinstance(one, list) else one for one in made]
    found = np.stack([np.asarray(one) for one in finest])
    assert np.allclose(found.reshape(3, -1).T, shares, atol=1e-6) and np.allclose(found.sum(0), 1, atol=1e-5)
    assert len(looked_up) == 3
    if isinstance(made[0], list):
        assert [level.shape for level in made[0]] == [np.asarray(level).shape for level in made[0]]
        assert np.allclose(np.asarray(made[0][1]), found[0].reshape(550, 2, 500, 2).mean((1, 3)), atol=1e-6)
    told = [legend.title for legend in legends(session.document, state, memory)]
    assert told[-1] == "share of a type, by layer" and len(told) == 2
    session.close()


def test_a_scale_of_one_type_of_bins_is_that_of_all():
    from napari_spatialml.session import correct
    from napari_spatialml.views.type_layers import PART

    session, _ = bins_with_proportions((30, 20))
    state = ViewState(by_type={"bins": ("counts", "proportions")})
    given = {"table": "counts", "key": "obsm/proportions/b", "by": "value", "low": 0.1, "high": 0.4}
    session.execute(correct(session.document, "set-scale", **given))
    specs = [s for s in plan(session.document, state, Memory()) if s.key.part.startswith(PART)]
    assert {s.limits for s in specs} == {(0.1, 0.4)} and len(specs) == 3
    session.close()
