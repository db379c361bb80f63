"""The plan is a pure function of document and state, complete, and everything lies where the document says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_spatialml.core.transform import Affine
from napari_spatialml.session import Document, correct
from napari_spatialml.views.canvas import Canvas
from napari_spatialml.views.diff import Update, diff
from napari_spatialml.views.plan import legends, plan
from napari_spatialml.views.specs import ImageSpec, LabelsSpec, PointsSpec, RasterSpec
from napari_spatialml.views.state import ColourBy, ViewState


def shown(document, **state):
    canvas = Canvas(ViewerModel())
    canvas.apply(plan(document, ViewState(**state)))
    return canvas


def spec_of(document, element, kind, **state):
    return next(s for s in plan(document, ViewState(**state)) if s.key.element == element and isinstance(s, kind))


def test_planning_changes_nothing_and_gives_the_same_again(session):
    before = session.document.fingerprints()
    state = ViewState(beside="msi", landmarks="msi")
    first = plan(session.document, state)
    for spec in first:
        spec.make()
    assert session.document.fingerprints() == before
    assert diff(first, plan(session.document, state)) == ()


def test_every_element_is_planned_where_it_lies_and_nowhere_else(session):
    document = session.document
    for system in document.coordinate_systems():
        wanted = {n for t in ("images", "labels", "shapes", "points") for n in document.names(t)
                  if system in document.placed(n)}  # fmt: skip
        assert {s.key.element for s in plan(document, ViewState(coordinate_system=system))} == wanted
    assert {s.key.element for s in plan(document, ViewState(shown=("he", "cells")))} == {"he", "cells"}


def test_histology_lies_at_the_bottom_and_spots_on_top(session):
    order = [s.key.element for s in plan(session.document, ViewState())]
    assert order[0] == "he"
    assert order[-1] == "spots"


def test_layers_are_named_after_their_elements(session):
    canvas = shown(session.document)
    for element in ("he", "cells", "spots", "transcripts"):
        assert canvas.layer_of(element).name == element
        assert canvas.layer_of(element).metadata == {"element": element}
    assert [s.name for s, _ in canvas.layers() if s.key.element == "if"] == ["if: DAPI", "if: CD3"]


@pytest.mark.parametrize("element", ["he", "if", "cells", "pixels"])
def test_each_pixel_lies_where_the_document_says(session, element):
    document = session.document
    system = document.placed(element)[0]
    layer = shown(document, coordinate_system=system).layer_of(element)
    affine = document.affine(element, system)
    level = layer.data[0] if layer.multiscale else layer.data
    h, w = level.shape[:2]
    for i, j in [(0, 0), (0, w - 1), (h - 1, 0), (h - 1, w - 1), (h // 2, w // 3)]:
        # napari's index is the pixel's centre, SpatialData's is its corner
        assert np.allclose(layer.data_to_world((i, j)), affine.apply([[i + 0.5, j + 0.5]])[0])


@pytest.mark.parametrize("beside", [False, True])
def test_a_turned_and_mirrored_grid_shows_each_value_at_its_place(session, beside):
    document = session.document
    state = {"beside": "msi"} if beside else {"coordinate_system": "msi"}
    canvas = shown(document, **state, colours={"pixels": ColourBy("msi", "X/700.2")})
    layer = canvas.layer_of("pixels")
    offset = next(s for s, _ in canvas.layers() if s.key.element == "pixels").affine
    table, grid = document.table("msi"), document.grid("pixels").read()
    shift = np.array(offset)[:2, 2] - (document.affine("pixels", "msi") @ Affine.translation(0.5, 0.5)).matrix[:2, 2]
    assert (np.abs(shift).max() > 1) == beside
    for row in (0, 13, 46):
        where = np.argwhere(grid == document.instances("msi")[row])[0] + 0.5
        world = document.affine("pixels", "msi").apply([where])[0] + shift
        assert layer.get_value(world, world=True) == pytest.approx(table.X[row, 1])
    assert np.isnan(layer.data[0, 0])  # background has no value


def test_spots_lie_in_micrometres_with_their_true_diameter(session):
    document = session.document
    layer = shown(document).layer_of("spots")
    frame = document.element("spots")
    assert np.allclose(layer.data, np.column_stack([frame.geometry.y, frame.geometry.x]))
    assert np.allclose(layer.size, 2 * frame["radius"])
    assert np.allclose([layer.data_to_world(p) for p in layer.data], layer.data)
    assert str(layer.units[0]) == "micrometer"


def test_a_spot_takes_the_value_of_its_own_row(session):
    document = session.document
    values = spec_of(document, "spots", PointsSpec, colours={"spots": ColourBy("counts", "obs/domain")}).make()
    legend = next(g for g in legends(document, ViewState()) if g.element == "spots")
    colours = {name: colour for name, colour, _ in legend.categories}
    table, ids = document.table("counts"), document.element("spots").index
    for i, spot in enumerate(ids):
        row = int(np.flatnonzero(document.instances("counts") == spot)[0])
        code = "#" + "".join(f"{round(255 * v):02x}" for v in values.colours[i, :3])
        assert code == colours[table.obs["domain"].iloc[row]]


def test_cells_take_the_category_of_their_row_through_a_small_table(session):
    document = session.document
    state = {"colours": {"cells": ColourBy("cells_table", "obs/kind")}}
    spec = spec_of(document, "cells", RasterSpec, **state)
    raster, labels = spec.make(), document.grid("cells").read()
    assert raster.dtype == np.uint8
    codes = document.table("cells_table").obs["kind"].cat.codes.to_numpy()
    assert np.array_equal(raster[labels > 0], codes[labels[labels > 0] - 1] + 1)
    assert not raster[labels == 0].any()
    cells = spec_of(document, "cells", LabelsSpec, **state)
    assert cells.contour == 1
    assert cells.order > spec.order


def test_measurements_become_an_image_that_is_nothing_outside_the_cells(session):
    document = session.document
    spec = spec_of(document, "cells", ImageSpec, colours={"cells": ColourBy("cells_table", "X/m")})
    values, labels = spec.make(), document.grid("cells").read()
    assert np.isnan(values[labels == 0]).all()
    expected = document.table("cells_table").X[labels[labels > 0] - 1, 0]
    assert np.array_equal(values[labels > 0], expected)


def test_every_transcript_is_counted(session):
    document = session.document
    spec = spec_of(document, "transcripts", ImageSpec)
    assert np.nansum(spec.make()) == 500
    legend = next(g for g in legends(document, ViewState()) if g.element == "transcripts")
    assert legend.title.startswith("500 transcripts, bins of ")


def test_a_transcript_is_counted_in_the_bin_that_lies_over_it(session):
    document = session.document
    layer = shown(document).layer_of("transcripts")
    points = document.element("transcripts")[["y", "x"]].compute().to_numpy()
    at = np.array([layer.world_to_data(p) for p in points])
    counted = np.zeros(layer.data.shape)
    np.add.at(counted, tuple(np.floor(at + 0.5).astype(int).T), 1)
    assert np.array_equal(counted, np.nan_to_num(layer.data))


def test_a_multiscale_image_stays_lazy(session):
    for channel in (s for s in plan(session.document, ViewState()) if s.key.element == "if"):
        assert [type(level).__name__ for level in channel.make()] == ["Array", "Array"]
        assert channel.blending == "additive"


def test_hidden_categories_are_not_drawn_and_stay_in_the_legend(session):
    document = session.document
    state = ViewState(
        colours={"cells": ColourBy("cells_table", "obs/kind")},
        hidden_categories={"spots": frozenset({"a"}), "cells": frozenset({"x"})},
    )
    dots = next(s for s in plan(document, state) if isinstance(s, PointsSpec)).make()
    assert dots.shown.sum() == 8
    raster = next(s for s in plan(document, state) if isinstance(s, RasterSpec)).make()
    assert set(np.unique(raster)) == {0, 2}
    legend = next(g for g in legends(document, state) if g.element == "spots")
    assert [name for name, _, _ in legend.categories] == ["a", "b", "c"]
    assert legend.hidden == {"a"}


def test_stored_colours_win_and_others_do_not_change(session):
    document = session.document
    before = {n: c for n, c, _ in next(g for g in legends(document, ViewState()) if g.element == "spots").categories}
    session.execute(correct(document, "set-colour", column="domain", category="b", colour="#123456"))
    after = {n: c for n, c, _ in next(g for g in legends(document, ViewState()) if g.element == "spots").categories}
    assert after["b"] == "#123456"
    assert after["a"] == before["a"]


def test_only_what_a_change_concerns_is_updated(session):
    document = session.document
    before = plan(document, ViewState())
    session.execute(correct(document, "relabel", table="counts", column="domain", rows=[0], value="b"))
    (action,) = diff(before, plan(document, ViewState()))
    assert isinstance(action, Update)
    assert action.spec.key.element == "spots"
    assert action.changed == {"token"}


def test_a_column_that_goes_away_falls_back_to_the_default(session):
    document: Document = session.document
    gone = ViewState(colours={"spots": ColourBy("counts", "obs/nothing")})
    assert next(g for g in legends(document, gone) if g.element == "spots").title == "domain"
    plain = replace(gone, colours={"spots": None})
    assert not [g for g in legends(document, plain) if g.element == "spots"]
