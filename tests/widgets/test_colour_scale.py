"""The colours in the Section dock: order, palette, ticks, map and limits are in the document, and on the canvas."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatialml.session.scales import Scale, scale_of
from napari_spatialml.views import ColourBy
from napari_spatialml.widgets.section import SectionDock


@pytest.fixture
def dock(viewer, desk, show):
    made = show(SectionDock(viewer))
    made.refresh_now()
    made.elements.choose("spots")
    return made


def gene(desk):
    table = desk.session.document.table("spot_counts")
    return str(table.var_names[0]), table.X[:, 0].toarray().ravel()


def legend(desk):
    return next(g for g in desk.presenter.legends() if g.element == "spots")


def typed(line, text):
    line.setText(text)
    line.setModified(True)
    line.editingFinished.emit()


def test_limits_by_percentile_are_those_of_the_values_and_survive_undo(dock, desk):
    name, counts = gene(desk)
    desk.presenter.colour_by("spots", ColourBy("spot_counts", f"X/{name}"))
    dock.refresh_now()
    assert dock.scale.range.isVisible() and not dock.scale.categories.isVisible()
    usual = (legend(desk).low, legend(desk).high)
    typed(dock.scale.low, "5")
    typed(dock.scale.high, "90")
    assert np.allclose((legend(desk).low, legend(desk).high), np.percentile(counts, [5, 90]))
    typed(dock.scale.low, "95")
    assert "not below" in dock.scale.message.text()
    desk.undo()
    desk.undo()
    assert (legend(desk).low, legend(desk).high) == usual


def test_a_map_a_value_and_a_logarithm_reach_the_spots(dock, desk):
    name, _ = gene(desk)
    desk.presenter.colour_by("spots", ColourBy("spot_counts", f"X/{name}"))
    dock.refresh_now()
    plain = desk.presenter.layer_of("spots").face_color.copy()
    dock.scale.map.setCurrentIndex(dock.scale.map.findData("magma"))
    dock.scale.map.activated.emit(dock.scale.map.currentIndex())
    assert legend(desk).colormap == "magma"
    assert not np.allclose(plain, desk.presenter.layer_of("spots").face_color)
    dock.scale.change(by="value", low=0.0, high=4.0)
    dock.scale.log.click()
    assert legend(desk).log and np.isclose(legend(desk).high, 4.0)
    assert scale_of(desk.session.document, "spot_counts", f"X/{name}") == Scale("magma", "value", 0.0, 4.0, True)
    dock.refresh_now()
    dock.scale.usual.click()
    assert desk.session.document.attribute("scales") is None
    assert np.allclose(plain, desk.presenter.layer_of("spots").face_color)


def test_categories_are_ordered_recoloured_and_hidden(dock, desk):
    rows = [[0, 1, 2], [3, 4], [5]]
    for k, at in enumerate(rows):
        desk.correct("relabel", table="spot_counts", column="kind", rows=at, value=f"k{k}")
    desk.presenter.colour_by("spots", ColourBy("spot_counts", "obs/kind"))
    dock.refresh_now()
    part = dock.scale.categories
    assert [(n, c) for n, _, c in part.rows()] == [("k0", 3), ("k1", 2), ("k2", 1)]
    part._set_current("k2")
    part.move_current(-1)
    assert [n for n, _, _ in legend(desk).categories] == ["k0", "k2", "k1"]
    held = desk.session.document.table("spot_counts").obs["kind"]
    assert held.cat.categories.tolist() == ["k0", "k2", "k1"] and held.tolist()[:6] == ["k0"] * 3 + ["k1"] * 2 + ["k2"]
    part.recoloured.emit("k1", "#102030")
    assert dict((n, c) for n, c, _ in legend(desk).categories)["k1"] == "#102030"
    part.hidden_changed.emit(frozenset({"k0"}))
    dots = desk.presenter.layer_of("spots").shown
    ids = desk.session.document.instances("spot_counts")
    index = desk.session.document.element("spots").index
    assert not dots[index.get_indexer(ids[[0, 1, 2]])].any() and dots[index.get_indexer(ids[[3, 5]])].all()


def test_plain_elements_and_images_have_no_scale(dock, desk):
    desk.presenter.colour_by("spots", None)
    dock.refresh_now()
    assert not dock.scale.isVisible()
    dock.elements.choose("he")
    assert not dock.scale.isVisible() and not dock.selection.isVisible()
