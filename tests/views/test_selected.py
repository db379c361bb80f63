"""The selection of a presenter tells who listens, and follows what corrections do to the rows."""

from __future__ import annotations

import numpy as np

from napari_spatialml.session import correct
from napari_spatialml.session.selected import Selected
from napari_spatialml.views import ColourBy, rasters
from napari_spatialml.views.specs import Key

from .test_gestures import um


def ids(presenter):
    now = presenter.selected.now
    return presenter.document.instances(now.table)[now.rows].tolist()


def test_taking_joins_and_tells(presenter):
    heard = []
    presenter.selected.changed.connect(lambda: heard.append(presenter.selected.now))
    for rows, how in (([4, 2], "new"), ([7], "add"), ([2], "take away"), ([7, 8], "both")):
        presenter.selected.take(Selected("counts", np.array(rows), "by hand"), how)
    assert presenter.selected.now.rows.tolist() == [7]
    presenter.selected.clear()
    presenter.selected.clear()
    assert len(heard) == 5
    assert presenter.selected.now is None


def test_the_selection_follows_cells_that_go_and_ends_with_its_table(presenter):
    presenter.selected.take(Selected("cells_table", np.array([1, 5, 8])))
    presenter.selected.filter(Selected("cells_table", np.array([5, 8])))
    assert ids(presenter) == [2, 6, 9]
    presenter.session.execute(correct(presenter.document, "delete-cells", labels="cells", cells=[2, 3]))
    assert ids(presenter) == [6, 9]
    limit = presenter.selected.limit
    assert presenter.document.instances("cells_table")[limit.rows].tolist() == [6, 9]
    presenter.undo()
    assert ids(presenter) == [6, 9]
    presenter.session.execute(correct(presenter.document, "remove-element", name="cells_table"))
    assert presenter.selected.now is presenter.selected.limit is None


def raster(presenter, part):
    return next((lay for s, lay in presenter.canvas.layers() if s.key == Key("cells", part)), None)


def test_cells_that_are_not_selected_are_dimmed_and_the_background_is_not(presenter):
    assert raster(presenter, "selection") is None
    presenter.selected.take(Selected("cells_table", np.array([0, 4])))
    labels = presenter.document.grid("cells").read()
    dim = raster(presenter, "selection").data
    assert np.array_equal(dim, (labels > 0) & ~np.isin(labels, [1, 5]))
    presenter.selected.clear()
    assert raster(presenter, "selection") is None


def test_a_filter_leaves_only_its_rows_drawn(presenter):
    presenter.colour_by("cells", ColourBy("cells_table", "X/m"))
    presenter.selected.filter(Selected("cells_table", np.array([2, 3])))
    labels = presenter.document.grid("cells").read()
    assert np.array_equal(np.isfinite(raster(presenter, "colour").data), np.isin(labels, [3, 4]))
    presenter.colour_by("cells", ColourBy("cells_table", "obs/kind"))
    assert np.array_equal(raster(presenter, "colour").data > 0, np.isin(labels, [3, 4]))
    presenter.selected.filter(None)
    assert np.array_equal(raster(presenter, "colour").data > 0, labels > 0)


def test_spots_that_a_filter_takes_away_are_not_drawn(presenter):
    kept = presenter.document.instances("counts")[[0, 11]]
    for colour in (ColourBy("counts", "obs/domain"), ColourBy("counts", "X"), None):
        presenter.colour_by("spots", colour)
        presenter.selected.filter(Selected("counts", np.array([0, 11])))
        shown = np.asarray(presenter.layer_of("spots").shown)
        assert np.array_equal(shown, np.isin(presenter.document.element("spots").index, kept))
        presenter.selected.filter(None)
        assert presenter.layer_of("spots").shown.all()


def test_spots_that_are_not_selected_are_faint_also_without_colours(presenter):
    for colour in (ColourBy("counts", "obs/domain"), None):
        presenter.colour_by("spots", colour)
        presenter.selected.take(Selected("counts", np.array([0, 11])))
        alpha = presenter.layer_of("spots").face_color[:, 3]
        bright = presenter.document.instances("counts")[[0, 11]]
        there = np.isin(presenter.document.element("spots").index, bright)
        assert alpha[there].min() > 3 * alpha[~there].max()
        presenter.selected.clear()
        assert np.ptp(presenter.layer_of("spots").face_color[:, 3]) == 0


def centre(k):
    """Return the centre in µm of a square cell of the section."""
    return um(8 + 18 * (k // 3), 8 + 15 * (k % 3))


def test_a_click_a_lasso_and_a_polygon_select_and_keys_join(presenter, mouse):
    presenter.use("select", element="cells", table="cells_table")
    mouse.click(centre(3))
    assert ids(presenter) == [4]
    (y0, x0), (y1, x1) = um(24, 0), um(40, 26)  # around the centres of 4 and 5, not of 1, 2, 6 and 7
    ring = [(y0, x0), (y0, x1), (y1, x1), (y1, x0)]
    mouse.drag(*ring)
    assert ids(presenter) == [4, 5]
    mouse.drag(*[(y + 9, x) for y, x in ring], modifiers=("Shift",))
    assert ids(presenter) == [4, 5, 7, 8]
    mouse.click(centre(4), modifiers=("Alt",))
    assert ids(presenter) == [4, 7, 8]
    mouse.drag(*ring, modifiers=("Shift", "Alt"))
    assert ids(presenter) == [4]
    mouse.click(um(0, 0))
    assert presenter.selected.now is None
    presenter.use("select-polygon", element="cells", table="cells_table")
    for corner in ring:
        mouse.click(corner)
    mouse.click(ring[0])
    assert ids(presenter) == [4, 5]
    assert presenter.selected.now.said == "polygon on the canvas"
    assert len(presenter.session.history) == 0


def test_spots_and_turned_pixels_are_selected_where_they_lie(presenter, mouse):
    presenter.use("select", element="spots", table="counts")
    spots = presenter.document.element("spots")
    where = spots.geometry.iloc[5]
    mouse.click((where.y, where.x))
    assert ids(presenter) == [spots.index[5]]
    presenter.show(coordinate_system="msi")
    presenter.use("select", element="pixels", table="msi")
    affine = presenter.document.affine("pixels", "msi")
    grid = presenter.document.grid("pixels").read()
    ring = affine.apply(np.array([[0.9, 0.9], [0.9, 4.1], [3.1, 4.1], [3.1, 0.9]]))
    mouse.drag(*ring)
    known = presenter.document.instances("msi")
    assert sorted(ids(presenter)) == sorted(set(grid[1:3, 1:4].ravel().tolist()) & set(known.tolist()))


def test_a_selection_on_large_labels_is_drawn_as_it_is_looked_at(presenter, monkeypatch):
    monkeypatch.setattr(rasters, "EDITABLE", 100)
    presenter.show()
    presenter.selected.take(Selected("cells_table", np.array([0, 4])))
    layer = raster(presenter, "selection")
    labels = presenter.document.grid("cells").read()
    assert np.array_equal(np.asarray(layer.data), (labels > 0) & ~np.isin(labels, [1, 5]))
    presenter.selected.take(Selected("cells_table", np.array([7])))
    assert np.array_equal(np.asarray(raster(presenter, "selection").data), (labels > 0) & (labels != 8))
    assert raster(presenter, "selection") is layer
