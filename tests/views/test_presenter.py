"""The presenter keeps what the person has set, shows what a command brings, and never fails as a whole."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_spatialml.core.colours import category_colours
from napari_spatialml.session import Session, correct
from napari_spatialml.session.command import Command
from napari_spatialml.session.store import put
from napari_spatialml.views import ColourBy, Presenter, cell_tools, correcting, rasters

from .conftest import Mouse, section
from .test_gestures import um


def test_what_the_person_has_set_on_a_layer_stays(presenter):
    layer = presenter.layer_of("if")
    layer.opacity, layer.visible, layer.contrast_limits = 0.3, True, (10, 20)
    spots = presenter.layer_of("spots")
    spots.opacity = 0.5
    presenter.colour_by("spots", ColourBy("counts", "X/A"))
    presenter.session.execute(correct(presenter.document, "delete-cells", labels="cells", cells=[5]))
    assert presenter.layer_of("if") is layer
    assert presenter.layer_of("spots") is spots
    assert (layer.opacity, layer.visible, tuple(layer.contrast_limits)) == (0.3, True, (10, 20))
    assert spots.opacity == 0.5


def test_a_gene_touches_only_the_spots(presenter):
    calls = []
    for layer in presenter.viewer.layers:
        layer.events.set_data.connect(lambda event, name=layer.name: calls.append(name))
    presenter.colour_by("spots", ColourBy("counts", "X/A"))
    presenter.colour_by("spots", ColourBy("counts", "X/B"))
    assert set(calls) <= {"spots"}


def test_histology_is_seen_and_fluorescence_waits(presenter):
    assert presenter.layer_of("he").visible
    assert not presenter.layer_of("if").visible
    assert not presenter.layer_of("transcripts").visible
    presenter.show(shown=("if",))
    assert presenter.layer_of("he") is None
    assert presenter.layer_of("if").visible


def test_a_layer_that_the_person_deletes_stays_away_until_it_is_asked_for(presenter):
    presenter.viewer.layers.remove(presenter.layer_of("transcripts"))
    presenter.session.execute(correct(presenter.document, "delete-cells", labels="cells", cells=[5]))
    assert presenter.layer_of("transcripts") is None
    presenter.show()
    assert presenter.layer_of("transcripts") is not None


def test_foreign_layers_are_left_alone(presenter):
    layer = presenter.viewer.add_points(np.zeros((2, 2)), name="mine")
    presenter.show(coordinate_system="msi")
    assert layer in presenter.viewer.layers
    assert presenter.element_of(layer) == ""
    presenter.close()
    assert list(presenter.viewer.layers) == [layer]


def test_the_first_showing_fits_the_view_and_the_next_leaves_it(presenter):
    camera = presenter.viewer.scene.camera
    camera.zoom, camera.center = 3.0, (0.0, 7.0, 7.0)
    presenter.colour_by("spots", None)
    assert (camera.zoom, camera.center) == (3.0, (0.0, 7.0, 7.0))


def test_the_newest_domains_are_what_spots_are_coloured_by(presenter):
    document = presenter.document
    import pandas as pd

    obs = document.table("counts").obs
    column = pd.Series(pd.Categorical(["D1", "D2"] * 6), index=obs.index)
    slot = ("tables", "counts", "obs", "domain_2")
    presenter.session.execute(Command("domains", (put(document, slot, column),), {}))
    assert presenter.colour_of("spots") == ColourBy("counts", "obs/domain_2")
    assert next(g for g in presenter.legends() if g.element == "spots").title == "domain_2"
    presenter.undo()
    assert presenter.colour_of("spots") == ColourBy("counts", "obs/domain")


def test_colours_are_those_of_the_categories_whatever_their_number(presenter):
    legend = next(g for g in presenter.legends() if g.element == "spots")
    expected = category_colours(["a", "b", "c"])
    assert {n: c.upper() for n, c, _ in legend.categories} == expected
    presenter.session.execute(
        correct(presenter.document, "relabel", table="counts", column="domain", rows=[0, 1], value="new")
    )
    after = next(g for g in presenter.legends() if g.element == "spots")
    assert [c for c in after.categories if c[0] in "abc"] and {
        n: c.upper() for n, c, _ in after.categories if n in expected
    } == expected


def test_choices_begin_with_columns_and_end_with_features(presenter):
    keys = [c.key for c in presenter.choices("spots")]
    assert keys == ["obs/domain", "obs/size", "X", "X/A", "X/B", "X/C"]
    for colour in presenter.choices("spots"):
        presenter.colour_by("spots", colour)
        assert next(g for g in presenter.legends() if g.element == "spots").title
    assert presenter.choices("he") == ()
    assert presenter.title_of(ColourBy("msi", "X/500.1")) == "m/z 500.1"
    assert presenter.title_of(ColourBy("msi", "X")) == "total ion current"
    assert presenter.title_of(ColourBy("counts", "X")) == "total counts"


def test_a_table_that_does_not_fit_is_told_and_does_not_hide_the_section():
    sdata = section()
    sdata.tables["cells_table"].obs["instance_id"] = [1, 1, 2, 3, 4, 5, 6, 7, 8]
    session = Session.start(sdata)
    presenter, said = Presenter(ViewerModel(), session), []
    presenter.told.connect(lambda level, sentence: said.append((level, sentence)))
    presenter.show()
    assert presenter.layer_of("cells") is not None
    assert presenter.layer_of("spots") is not None
    assert len(said) == 1 and said[0][0] == "warning" and "occurs twice" in said[0][1]
    assert not [g for g in presenter.legends() if g.element == "cells"]
    presenter.close()
    session.close()


def test_labels_that_go_away_end_the_tool_on_them(presenter):
    presenter.use("merge", labels="cells")
    presenter.session.execute(correct(presenter.document, "remove-element", name="cells"))
    assert presenter.tool == ""
    assert presenter.layer_of("cells") is None
    presenter.undo()
    assert presenter.layer_of("cells") is not None


@pytest.fixture
def wide(session, monkeypatch):
    """A presenter for which the cells are too large to be painted in one piece."""
    monkeypatch.setattr(rasters, "EDITABLE", 100)
    monkeypatch.setattr(correcting, "SIDE", 44)
    made = Presenter(ViewerModel(), session)
    made.said = []
    made.told.connect(lambda level, sentence: made.said.append((level, sentence)))
    made.show()
    yield made
    made.close()


def test_large_labels_are_shown_lazily_and_follow_every_correction(wide):
    layer = wide.layer_of("cells")
    assert not isinstance(layer.data, np.ndarray)
    wide.session.execute(correct(wide.document, "delete-cells", labels="cells", cells=[5]))
    assert np.array_equal(np.asarray(layer.data), wide.document.grid("cells").read())
    assert int(layer.get_value(um(26, 26), world=True)) == 0
    raster = next(lay for s, lay in wide.canvas.layers() if s.key.part == "colour")
    assert not np.asarray(raster.data)[22:30, 19:27].any()


def test_a_pyramid_of_labels_follows_a_correction_on_every_level(monkeypatch):
    from spatialdata.models import Labels2DModel
    from spatialdata.transformations import Scale

    from .conftest import CELLS_UM, cells_array

    sdata = section()
    del sdata.labels["cells"]
    scale = {"global": Scale([CELLS_UM, CELLS_UM], axes=("x", "y"))}
    sdata.labels["cells"] = Labels2DModel.parse(
        cells_array(), dims=("y", "x"), scale_factors=[2], transformations=scale
    )
    monkeypatch.setattr(rasters, "EDITABLE", 100)
    session = Session.start(sdata)
    presenter = Presenter(ViewerModel(), session)
    presenter.show()
    layer = presenter.layer_of("cells")
    raster = next(lay for s, lay in presenter.canvas.layers() if s.key.part == "colour")
    assert layer.multiscale and len(layer.data) == 2
    assert (np.asarray(layer.data[1]) == 5).any()
    session.execute(correct(session.document, "delete-cells", labels="cells", cells=[5]))
    for level, spread in zip(layer.data, raster.data, strict=True):
        assert not (np.asarray(level) == 5).any()
        assert np.array_equal(np.asarray(spread) > 0, np.asarray(level) > 0)
    assert np.allclose(layer.data_to_world((3, 4)), session.document.affine("cells").apply([[3.5, 4.5]])[0])
    presenter.close()
    session.close()


def test_painting_on_large_labels_says_what_to_do(wide):
    wide.use("paint", labels="cells", size_um=2)
    assert "60 × 50 pixels" in wide.said[-1][1]
    assert "Zoom in 1.4 times" in wide.said[-1][1]
    assert wide.hint == wide.said[-1][1]
    before = wide.document.grid("cells").read()
    Mouse(wide.viewer).drag(um(26, 26), um(33, 26))
    assert "Zoom in" in wide.said[-1][1]
    assert np.array_equal(wide.document.grid("cells").read(), before)
    wide.viewer.scene.camera.center = um(26, 22)
    wide.viewer.scene.camera.zoom = 60.0
    assert wide.hint.startswith("Drag from inside")
    Mouse(wide.viewer).drag(um(26, 26), um(33, 26))
    assert [e.label for e in wide.session.history] == ["paint cell 5 in cells"]


def test_large_labels_are_corrected_where_the_view_is(wide):
    mouse = Mouse(wide.viewer)
    wide.use("delete", labels="cells")
    wide.viewer.scene.camera.zoom = 0.01
    mouse.click(um(26, 26))
    assert "Zoom in" in wide.said[-1][1]
    cell_tools._MARGIN, margin = 0, cell_tools._MARGIN
    try:
        wide.viewer.scene.camera.center = um(26, 22)
        wide.viewer.scene.camera.zoom = 60.0
        mouse.click(um(26, 22))
    finally:
        cell_tools._MARGIN = margin
    assert [e.label for e in wide.session.history] == ["delete cell 5 in cells"]


@pytest.mark.slow
@pytest.mark.parametrize("key", [None, "obs/area_um2"])
def test_undo_of_a_stroke_on_a_section_of_1200_pixels_takes_less_than_50_ms(key):
    from time import process_time

    from napari_spatialml.io.sample import sample_section, sample_truth
    from napari_spatialml.session.cells import measure
    from napari_spatialml.session.elements import new_labels

    sdata, truth = sample_section(), sample_truth()
    size = truth.pixel_size_um
    matrix = [[size, 0.0, 0.0], [0.0, size, 0.0], [0.0, 0.0, 1.0]]
    sdata.labels["nuclei"] = new_labels(np.array(truth.labels), {"global": matrix}).to_spatialdata()
    sdata.tables["nuclei_table"] = measure(truth.labels, None, name="nuclei", pixel_size_um=size)
    session = Session.start(sdata)
    presenter = Presenter(ViewerModel(), session)
    presenter.show()
    presenter.colour_by("nuclei", ColourBy("nuclei_table", key) if key else None)
    assert presenter.layer_of("nuclei").data.shape == (1200, 1200)
    cell = int(session.document.instances("nuclei_table")[100])
    session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=[cell]))
    taken = []
    for _ in range(5):
        start = process_time()
        presenter.undo()
        taken.append(process_time() - start)
        presenter.redo()
    assert min(taken) < 0.05
    presenter.close()
    session.close()
