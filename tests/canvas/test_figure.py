"""Figures: their size, their dots per inch, their scale bar, and that making one changes nothing."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from napari_spatialml.errors import BadInput
from napari_spatialml.session import Session, correct
from napari_spatialml.views import ColourBy
from napari_spatialml.views.looking_figure import Frame, frame_of_view, nice_length, render
from napari_spatialml.widgets.desk import desk_of, release
from napari_spatialml.widgets.looking_figure import FigurePanel

from ..views.conftest import CELLS_UM, cells_array, own_state, section  # noqa: F401
from .conftest import Window
from .test_looking import BLUE, RED, picture, two_images

SVG = {"s": "http://www.w3.org/2000/svg"}


def opened(make_napari_viewer, sdata):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(900, 700)
    desk = desk_of(viewer)
    desk.take(Session.start(sdata))
    made = Window(viewer, desk.presenter)
    made.desk = desk
    made.settle()
    return made


def let_go(window):
    release(window.viewer)
    vars(window).clear()  # what pytest keeps of a test must not keep its window


@pytest.fixture
def small(make_napari_viewer):
    made = opened(make_napari_viewer, section())
    yield made
    let_go(made)


@pytest.fixture
def flat(make_napari_viewer):
    made = opened(make_napari_viewer, two_images())
    made.presenter.show(shown=("first", "second"))
    made.settle()
    yield made
    let_go(made)


def test_a_picture_of_any_size_shows_what_lies_there_tile_by_tile(flat):
    flat.presenter.layer_of("second").translate = (0, 50)  # right half
    before = picture(flat)
    camera = flat.viewer.scene.camera
    stood = (tuple(camera.center), camera.zoom)
    frame = Frame((50.0, 50.0), 100.0, 100.0)
    for size, tile in (((400, 400), 2048), ((1500, 1500), 2048), ((1500, 1500), 640)):
        made = render(flat.viewer, frame, size, tile=tile)
        assert made.shape == (*size, 3)
        n = size[0]
        left, right = made[:, : n // 2 - 2], made[:, n // 2 + 2 :]
        assert (left == RED).all()
        assert (right == BLUE).all()
    assert (picture(flat) == before).all()
    assert stood == (tuple(camera.center), camera.zoom)


def test_a_figure_of_the_view_is_the_view(small):
    small.presenter.show(shown=("he", "spots"))
    small.viewer.canvas.overlays["scale_bar"].visible = False
    seen = picture(small)
    made = render(small.viewer, frame_of_view(small.viewer), seen.shape[:2])
    assert np.abs(made.astype(int) - seen.astype(int)).mean() < 1.0


def test_fine_levels_are_read_where_the_picture_needs_them(flat):
    flat.presenter.show(shown=("light",))
    layer = next(x for x in flat.viewer.layers if x.name == "light: DAPI")
    flat.viewer.scene.camera.zoom = 0.5
    flat.settle()
    assert layer.data_level == 2
    made = render(flat.viewer, Frame((50.0, 50.0), 10.0, 100.0), (51 * 2, 512 * 2))
    assert len(np.unique(made[50, :, 2])) > 200, "each of 512 columns of the finest level has a grey of its own"
    assert layer.data_level == 2


def test_a_png_has_the_stated_size_and_dots_and_a_scale_bar_of_the_right_length(small, tmp_path):
    small.presenter.show(shown=("he", "spots"), colours={"spots": ColourBy("counts", "obs/domain")})
    panel = FigurePanel(small.desk)
    panel.width_mm.setValue(120)
    panel.dpi.setValue(254)
    panel.write(tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as file:
        made = np.asarray(file.convert("RGB")).astype(int)
        assert file.info["dpi"] == pytest.approx((254, 254), abs=0.5)
    assert made.shape[1] == 1200
    page = panel.page()
    height, width = (round(10 * v) for v in page.picture)
    row = round(10 * (page.picture[0] - 3.2 + 0.45))
    white = np.flatnonzero((made[row, :width] > 250).all(1))
    run = max(np.split(white, np.flatnonzero(np.diff(white) > 1) + 1), key=len)
    assert len(run) == pytest.approx(page.bar_um / page.frame.width_um * width, abs=2)
    # the legend stands on white, with the colours of the categories
    legend = made[: round(10 * page.height), width + 25 :]
    colours = [c for _, c, _ in next(g for g in small.presenter.legends() if g.element == "spots").categories]
    for code in colours:
        wanted = np.array([int(code[k : k + 2], 16) for k in (1, 3, 5)])
        assert (np.abs(legend - wanted).max(2) <= 2).sum() > 100
    assert (legend < 60).all(2).any(), "words"
    assert (made[height:, :width] == 255).all()
    panel.deleteLater()


def test_an_svg_has_vector_spots_words_and_a_scale_bar_of_the_right_length(small, tmp_path):
    small.presenter.show(shown=("he", "spots"), colours={"spots": ColourBy("counts", "obs/domain")})
    panel = FigurePanel(small.desk)
    panel.dpi.setValue(100)
    panel.what.setCurrentIndex(panel.what.findData("all"))
    panel.write(tmp_path / "figure.svg")
    text = (tmp_path / "figure.svg").read_text("utf-8")
    assert "<!" not in text, "neither a document type nor entities"
    root = ET.fromstring(text)
    page, unit = panel.page(), 180 / float(root.get("viewBox").split()[2])
    assert root.get("width") == "180mm"
    um_on_page = page.frame.width_um / page.picture[1]
    bar = root.find(".//s:rect[@id='scale-bar-length']", SVG)
    words = root.find(".//s:g[@id='scale-bar']/s:text", SVG).text
    said = float(words.split()[0])
    assert words.endswith(" µm")
    assert said == page.bar_um == nice_length(page.frame.width_um)
    assert float(bar.get("width")) * unit * um_on_page == pytest.approx(said, rel=1e-3)
    circles = root.findall(".//s:circle", SVG)
    shapes = small.presenter.document.element("spots")
    (top, left), scale = page.frame.corner_um, unit * um_on_page
    found = {(round(float(c.get("cx")) * scale + left, 1), round(float(c.get("cy")) * scale + top, 1)) for c in circles}
    assert found == {(round(p.x, 1), round(p.y, 1)) for p in shapes.geometry}
    assert {round(float(c.get("r")) * scale, 2) for c in circles} == {2.0}
    said = [t.text for t in root.findall(".//s:text", SVG)]
    assert {"a", "b", "c", "spots: domain"} <= set(said)
    assert root.find(".//s:image", SVG).get("href").startswith("data:image/png;base64,")
    panel.deleteLater()


def test_outlines_of_cells_are_lines_in_an_svg_and_pixels_are_drawn_without_them(small, tmp_path):
    small.presenter.show(shown=("cells",), colours={"cells": ColourBy("cells_table", "obs/kind")})
    panel = FigurePanel(small.desk)
    panel.what.setCurrentIndex(panel.what.findData("all"))
    panel.dpi.setValue(60)
    panel.write(tmp_path / "cells.svg")
    root = ET.fromstring((tmp_path / "cells.svg").read_bytes())
    paths = [p for g in root.findall(".//s:g[@id='layer-1']", SVG) for p in g.findall("s:path", SVG)]
    page = panel.page()
    scale = page.frame.width_um / float(root.find(".//s:clipPath/s:rect", SVG).get("width"))
    boxes = set()
    for path in paths:
        xy = np.array(re.findall(r"[ML]([-\d.]+) ([-\d.]+)", path.get("d")), float) * scale
        yx = xy[:, ::-1] + page.frame.corner_um
        boxes.add(tuple(np.round(np.concatenate([yx.min(0), yx.max(0)]) / CELLS_UM, 1)))
    labels = cells_array()
    wanted = set()
    for cell in range(1, 10):
        y, x = np.nonzero(labels == cell)
        wanted.add((y.min(), x.min(), y.max() + 1.0, x.max() + 1.0))
    assert boxes == wanted
    panel.deleteLater()


def test_a_figure_that_cannot_be_made_is_told_under_the_button(small, tmp_path):
    panel = FigurePanel(small.desk)
    panel.width_mm.setValue(30)
    panel.write(tmp_path / "narrow.png")
    assert "hold no picture beside the legend" in panel.message.text()
    assert not (tmp_path / "narrow.png").exists()
    with pytest.raises(BadInput, match="pixels"):
        render(small.viewer, Frame((0.0, 0.0), 1.0, 1.0), (70_000, 70_000))
    panel.deleteLater()


def test_channels_are_drawn_as_they_were_kept(small):
    small.presenter.show(shown=("if",))
    layer = next(x for x in small.viewer.layers if x.name == "if: CD3")
    small.desk.session.execute(
        correct(small.presenter.document, "set-channels", image="if", channels={
            "CD3": {"low": 5.0, "high": 50.0, "colour": "#ff8000", "gamma": 0.5, "visible": False}}),
    )  # fmt: skip
    assert tuple(layer.contrast_limits) == (5.0, 50.0)
    assert (layer.gamma, layer.visible) == (0.5, False)
    assert np.allclose(layer.colormap.map([1.0])[0][:3], (1, 128 / 255, 0), atol=0.01)
    small.desk.undo()
    assert (layer.gamma, layer.visible) == (1.0, True)
    assert tuple(layer.contrast_limits) != (5.0, 50.0)


@pytest.mark.parametrize("um", [0.3, 7.0, 99.9, 100.1, 12345.0])
def test_the_scale_bar_is_a_round_number_that_fits(um):
    length = nice_length(um)
    assert um * 0.22 / 2.5 < length <= um * 0.22 * (1 + 1e-9)
    assert float(f"{length:.0e}") == pytest.approx(length)
