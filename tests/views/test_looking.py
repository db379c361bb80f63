"""Several systems in one scene, bookmarks back and forth, and the scene as a small picture."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_spatialml.session import Session
from napari_spatialml.session.bookmarks import Bookmark
from napari_spatialml.views import Presenter
from napari_spatialml.views.canvas import Canvas
from napari_spatialml.views.channels import COLOURS, auto_limits, colours_by, histogram, light_images
from napari_spatialml.views.colormaps import brightest, colormap_of, inked
from napari_spatialml.views.looking import comparable
from napari_spatialml.views.looking_figure import Frame
from napari_spatialml.views.looking_legend import channel_legends
from napari_spatialml.views.looking_link import Link, SecondScene
from napari_spatialml.views.looking_overview import overview
from napari_spatialml.views.looking_scene import scenes
from napari_spatialml.views.looking_vectors import vectors
from napari_spatialml.views.looking_views import go_to, view_now
from napari_spatialml.views.memory import Memory
from napari_spatialml.views.places import extent_of_system
from napari_spatialml.views.specs import ImageSpec, Key


def box(presenter, system, shift):
    return extent_of_system(presenter.document, system) + np.asarray(shift)


def test_systems_stand_in_a_row_without_overlap_and_overlaid_centre_on_centre(presenter):
    presenter.show(also=("msi", "nowhere", "global"))
    ((name, shift),) = scenes(presenter.document, presenter.state, Memory())
    first, second = box(presenter, "global", 0), box(presenter, "msi", shift)
    assert name == "msi"
    assert second[0, 1] > first[1, 1]
    assert second.mean(0)[0] == pytest.approx(first.mean(0)[0])
    drawn = {spec.key.element for spec, layer in presenter.canvas.layers() if spec.key.scene == "msi"}
    assert drawn == {"pixels"}
    layer = next(layer for spec, layer in presenter.canvas.layers() if spec.key.scene == "msi")
    assert np.asarray(layer.extent.world)[0, 1] > first[1, 1]
    assert any(legend.element == "pixels" for legend in presenter.legends())
    presenter.show(overlaid=True)
    ((_, shift),) = scenes(presenter.document, presenter.state, Memory())
    assert box(presenter, "msi", shift).mean(0) == pytest.approx(first.mean(0))
    presenter.show(also=(), overlaid=False)
    assert not any(spec.key.scene for spec, _ in presenter.canvas.layers())


def test_what_can_be_compared_names_elements_channels_and_foreign_layers(presenter):
    presenter.viewer.add_image(np.zeros((4, 4)), name="mine")
    presenter.show(also=("msi",))
    names = [shown.name for shown in comparable(presenter.canvas)]
    assert {"he", "if", "if: DAPI", "if: CD3", "cells", "spots", "pixels in msi", "mine"} <= set(names)
    assert len(names) == len(set(names))


def test_polygons_are_lines_of_a_figure_with_their_holes_and_parts():
    from geopandas import GeoDataFrame
    from napari.components import ViewerModel
    from shapely import MultiPolygon, box, get_coordinates, get_parts, get_rings
    from spatialdata import SpatialData
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import Scale

    holed = box(0, 0, 10, 20).difference(box(2, 2, 4, 5))
    shapes = [holed, MultiPolygon([box(30, 0, 32, 2), box(40, 5, 43, 9)]), box(500, 500, 510, 510)]
    frame = GeoDataFrame({"geometry": shapes}, index=["a", "b", "far"])
    doubled = {"global": Scale([2.0, 2.0], axes=("x", "y"))}
    session = Session.start(SpatialData(shapes={"cells": ShapesModel.parse(frame, transformations=doubled)}))
    presenter = Presenter(ViewerModel(), session)
    presenter.show()
    drawn, many = vectors(presenter.canvas, session.document, Frame((30.0, 50.0), 100.0, 100.0))
    (layer,) = drawn.values()
    found = {tuple(map(tuple, ring)) for _, rings in layer.paths for ring in rings}
    wanted = [2 * get_coordinates(ring)[:, ::-1] for ring in get_rings(get_parts(shapes[:2]))]
    assert found == {tuple(map(tuple, ring)) for ring in wanted}
    assert many == ()
    presenter.close()
    session.close()


def test_going_to_a_bookmark_brings_back_the_very_view(presenter):
    presenter.show(shown=("if", "cells"))
    presenter.viewer.scene.camera.center, presenter.viewer.scene.camera.zoom = (0.0, 7.0, 9.0), 12.0
    view = view_now(presenter, "here")
    state = presenter.state
    presenter.show(coordinate_system="msi", shown=None, also=("global",))
    assert go_to(presenter, view) == ""
    assert presenter.state == state
    assert view_now(presenter, "here") == view
    assert go_to(presenter, Bookmark("old", "global", (1.0, 1.0), 5.0, ("he", "gone"), {}, ("lost",))) == "gone, lost"
    assert presenter.state.shown == ("he",)
    presenter.viewer.canvas.size = tuple(2 * n for n in presenter.viewer.canvas.size)
    go_to(presenter, view)
    assert view_now(presenter, "here") == view, "a larger window shows as much of the tissue from top to bottom"


def test_the_small_picture_shows_each_place_in_its_colour(presenter):
    presenter.show(shown=("he",))
    small = overview(presenter.canvas, 60, Memory())
    he = presenter.document.element("he").transpose("y", "x", "c").to_numpy()
    ratio = he.shape[0] / small.rgb.shape[0]
    assert small.um == pytest.approx(0.5 * ratio, rel=0.05)
    top, left = small.origin_um
    for y, x in ((3, 4), (40, 30), (55, 45)):
        row, column = int((top + (y + 0.5) * small.um) / 0.5), int((left + (x + 0.5) * small.um) / 0.5)
        assert (small.rgb[y, x] == he[row, column]).all()
    presenter.show(shown=("spots",))
    assert overview(presenter.canvas, 60, Memory()).rgb.any()
    presenter.show(shown=())
    assert overview(presenter.canvas, 60, Memory()) is None


def test_the_small_picture_lets_the_tissue_through_where_there_is_no_value():
    values = np.full((600, 600), np.nan, np.float32)
    values[:301, ::2] = 1.0  # also among others that have none
    canvas = Canvas(ViewerModel())
    ground = ImageSpec(Key("he"), "he", "a", lambda: np.full((600, 600, 3), (200, 10, 10), np.uint8), rgb=True)
    cells = ImageSpec(Key("nuclei", "colour"), "nuclei", "b", lambda: values, order=40, limits=(0.0, 1.0))
    canvas.apply((ground, cells))
    small = overview(canvas, 60, Memory())
    assert (small.rgb[40:, :] == (200, 10, 10)).all()
    assert (small.rgb[:25, :] == 255).all()


def test_presets_give_nuclei_their_colour_and_limits_leave_out_what_they_say(presenter):
    document = presenter.document
    assert light_images(document) == ("if",)
    for preset, (nuclear, _) in COLOURS.items():
        found = colours_by(preset, ["CD3", "DAPI", "CD8", "CD20"])
        assert found["DAPI"]["colour"] == nuclear
        if preset != "Grey":
            assert len({one["colour"] for one in found.values()}) == 4
    values = np.asarray(document.element("if")["scale1"]["image"].sel(c="CD3"))
    low, high = auto_limits(document, "if", "CD3", 10.0, Memory())
    assert ((values < low).mean(), (values > high).mean()) == pytest.approx((0.1, 0.1), abs=0.01)
    made = histogram(document, "if", "CD3", Memory())
    assert made.counts.sum() == values.size
    assert made.every == pytest.approx(2.0)
    (legend,) = channel_legends(presenter.canvas) or (None,)
    assert legend is None, "the channels are hidden under the histology"
    presenter.show(shown=("if",))
    (legend,) = channel_legends(presenter.canvas)
    assert [name for name, _, _ in legend.categories] == ["DAPI", "CD3"]


def test_ink_takes_light_away_from_white():
    for colour in ("#ff8000", "#ffffff", "bop blue"):
        assert tuple(colormap_of(inked(colour, True)).map([0.0])[0][:3]) == (1, 1, 1)
        assert sum(brightest(inked(colour, True))) < 2.2
    assert brightest("#ff8000") == pytest.approx((1, 128 / 255, 0), abs=1e-6)


def test_the_second_scene_follows_the_document_and_keeps_its_own_elements(presenter):
    from napari.components import ViewerModel

    other = ViewerModel()
    scene = SecondScene(other, presenter)
    scene.shown = ("cells",)
    scene.show()
    assert {layer.metadata["element"] for layer in other.layers} == {"cells"}
    assert presenter.correct("delete-cells", labels="cells", cells=[5])
    data = next(np.asarray(layer.data) for layer in other.layers if layer.name == "cells")
    assert 5 not in data
    link = Link(presenter.viewer, other, same=True)
    presenter.viewer.scene.camera.center, presenter.viewer.scene.camera.zoom = (0.0, 3.0, 4.0), 5.0
    assert (tuple(other.scene.camera.center), other.scene.camera.zoom) == ((0.0, 3.0, 4.0), 5.0)
    link.cut()
    presenter.viewer.scene.camera.zoom = 6.0
    assert other.scene.camera.zoom == 5.0
    other.scene.camera.center = (0.0, 10.0, 4.0)
    link = Link(presenter.viewer, other, same=False)
    other.scene.camera.center = (0.0, 11.0, 6.0)
    assert tuple(presenter.viewer.scene.camera.center) == (0.0, 4.0, 6.0)
    link.cut()
    scene.close()
    assert not len(other.layers)
