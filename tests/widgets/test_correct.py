"""The Correct dock: its buttons, fields and keys, and what they make of the document."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from importlib.resources import files

import numpy as np
import pytest
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QApplication, QPushButton

from napari_spatialml.session.preferences import prefer, preference
from napari_spatialml.views.presets import PRESETS
from napari_spatialml.views.tools import Pointer
from napari_spatialml.widgets import icons
from napari_spatialml.widgets.correct import CorrectDock
from napari_spatialml.widgets.history import _about
from napari_spatialml.widgets.segment import SegmentDock
from napari_spatialml.widgets.tour import touching_cells


@pytest.fixture
def dock(desk, show, ran):
    """The Correct dock over a segmentation."""
    segment = show(SegmentDock(desk.viewer))
    assert "cells" in ran(segment)
    segment.hide()
    made = show(CorrectDock(desk.viewer))
    made.refresh_now()
    return made


def names(desk):
    return [entry.label for entry in desk.session.history]


def press(dock, text):
    next(b for b in dock.findChildren(QPushButton) if b.text() == text and b.isVisibleTo(dock)).click()


def middle_of(desk, cell, labels="nuclei"):
    """Return a place in µm that lies in a cell."""
    at = np.argwhere(desk.session.document.grid(labels).read() == cell)
    inner = at[np.linalg.norm(at - at.mean(0), axis=1).argmin()]
    return desk.session.document.affine(labels).apply(inner[None] + 0.5)[0]


def click(desk, *places):
    tool = desk.presenter.current
    for place in places:
        tool.press(Pointer(place))
        tool.release(Pointer(place))


def test_every_tool_has_a_picture_of_our_own_a_word_and_its_key(dock):
    shown = {n: b for n, b in dock.grid.buttons.items() if b.isVisible()}
    assert {"draw", "paint", "erase", "delete", "merge", "split"} <= shown.keys()
    for name, button in shown.items():
        assert button.text() and name in icons.names()
        assert f"({PRESETS['napari'].tools[name][0].replace('-', '+')}" in button.toolTip()
        room = button.fontMetrics().horizontalAdvance(button.text())
        assert button.width() >= room, button.text()
    places = [b.geometry() for b in shown.values()]
    assert not any(p.intersects(q) for k, p in enumerate(places) for q in places[k + 1 :])
    assert dock.body.minimumSizeHint().width() <= 380


@pytest.mark.parametrize("name", icons.names())
def test_a_picture_is_plain_svg_and_takes_the_colours_of_the_theme(name, qtbot):
    text = (files(icons) / f"{name}.svg").read_text(encoding="utf-8")
    root = ET.fromstring(text)
    assert root.tag.endswith("svg") and root.get("viewBox") == "0 0 24 24"
    assert "href" not in text and "script" not in text and "<image" not in text
    red, blue = QColor("#ff0000"), QColor("#0000ff")
    made = icons.icon(name, red, down=blue, faint=blue)
    seen = {}
    for state, colour in ((made.State.Off, red), (made.State.On, blue)):
        picture = made.pixmap(48, made.Mode.Normal, state).toImage()
        inked = [picture.pixelColor(x, y) for x in range(picture.width()) for y in range(picture.height())]
        seen[state] = {c.name() for c in inked if c.alpha() == 255}
        assert seen[state] == {colour.name()}, "the ink of the theme and no other"


def test_correct_here_takes_the_tool_last_used_and_leaves_it_again(desk, dock):
    assert dock.here.text() == "Correct here (E)"
    dock.here.click()
    assert desk.presenter.tool == "paint" and dock.here.isChecked() and dock.grid.buttons["paint"].isChecked()
    dock.grid.buttons["merge"].click()
    assert desk.presenter.tool == "merge" and dock.hint.text() == desk.presenter.hint != ""
    dock.here.click()
    assert desk.presenter.tool == "" and not any(b.isChecked() for b in dock.grid.buttons.values())
    desk.presenter.toggle_correcting()  # as the key does
    assert desk.presenter.tool == "merge" and dock.here.text() == "Stop correcting (E)"
    dock.grid.buttons["merge"].click()
    assert desk.presenter.tool == ""


def test_two_cells_clicked_with_merge_become_one(desk, dock):
    before = desk.session.document.grid("nuclei").read()
    one, two = touching_cells(before)
    places = [middle_of(desk, c) for c in (one, two)]
    dock.grid.buttons["merge"].click()
    click(desk, *places)
    after = desk.session.document.grid("nuclei").read()
    kept = set(np.unique(after[np.isin(before, (one, two))]).tolist())
    assert len(kept) == 1 and kept <= {one, two} and names(desk)[-1].startswith("merge cells")


def test_the_dock_says_what_a_correction_did_to_the_counts_until_it_is_undone(desk, dock):
    document = desk.session.document
    assert dock.became.message is None, "a run is told under Segment"
    table = document.table("nuclei_table")
    row = int(table.obs["total_counts"].to_numpy().argmax())
    cell, counts = int(table.obs["instance_id"].iloc[row]), int(table.obs["total_counts"].iloc[row])
    place = middle_of(desk, cell)
    dock.grid.buttons["delete"].click()
    click(desk, place)
    dock.refresh_now()
    assert dock.became.text() == f"Cell {cell}: gone, it had {counts} counts."
    assert f"cell {cell}: gone" in _about(desk.session.history[-1])
    desk.undo()
    dock.refresh_now()
    assert dock.became.message is None
    assert int(document.table("nuclei_table").obs["total_counts"].iloc[row]) == counts


def test_only_the_fields_of_the_tool_in_the_hand_are_seen_and_reach_it(desk, dock):
    options = dock.options
    fields = {"paint": options.brush, "grow": options.by, "smooth": options.smooth, "split": options.way}
    for tool, field in fields.items():
        dock.grid.buttons[tool].click()
        assert [t for t, f in fields.items() if f.isVisibleTo(dock)] == [tool]
        assert field.isVisibleTo(dock)
    dock.grid.buttons["paint"].click()
    options.brush.setValue(9.0)
    edge = desk.presenter.current.edge_um
    assert desk.presenter.layer_of("nuclei").brush_size == round(9.0 / edge)
    options.by.setValue(1.25)
    options.smooth.setValue(2.0)
    assert (desk.presenter.hand.by_um, desk.presenter.hand.smooth_um) == (1.25, 2.0)


def test_the_ways_to_split_are_a_row_of_choices_with_what_they_need(desk, dock):
    dock.grid.buttons["split"].click()
    way = dock.options.way
    assert way.buttons["straight"].isChecked() and not dock.options.image.isVisibleTo(dock)
    way.buttons["membrane"].click()
    assert desk.presenter.hand.how == "membrane" and dock.options.channel.isVisibleTo(dock)
    assert desk.presenter.hand.image in desk.session.document.names("images") and desk.presenter.hand.channel
    desk.presenter.take("split")
    assert way.buttons["transcripts"].isChecked() and dock.options.points.isVisibleTo(dock)
    assert desk.presenter.hand.points in desk.session.document.names("points")


def test_a_cell_is_split_by_the_chosen_way_in_one_command_that_can_be_replayed(desk, dock):
    document = desk.session.document
    before = document.grid("nuclei").read()
    cell = int(np.bincount(before[before > 0]).argmax())
    at = np.argwhere(before == cell)
    x = at[:, 1].mean() + 0.5
    dock.grid.buttons["split"].click()
    dock.options.way.buttons["watershed"].click()
    ends = document.affine("nuclei").apply(np.array([[at[:, 0].min() - 2, x], [at[:, 0].max() + 3, x]]))
    tool = desk.presenter.current
    tool.press(Pointer(ends[0]))
    for f in np.linspace(0.1, 1, 10):
        tool.move(Pointer(ends[0] + f * (ends[1] - ends[0])))
    tool.release(Pointer(ends[1]))
    assert names(desk)[-1] == f"split cell {cell} in nuclei"
    arguments = desk.session.history[-1].record["arguments"]
    assert arguments["how"] == "watershed" and arguments["new_id"] == before.max() + 1


def test_the_preset_is_kept_for_the_next_start(desk, dock, show):
    dock.preset.setCurrentIndex(dock.preset.findData("QuPath"))
    dock.preset.activated.emit(dock.preset.currentIndex())
    assert desk.presenter.hand.preset == "QuPath" and preference("keys", "napari") == "QuPath"
    assert "(B, Shift+P)" in dock.grid.buttons["paint"].toolTip()
    again = show(CorrectDock(desk.viewer))
    assert again.preset.currentData() == "QuPath"


def test_a_preference_that_cannot_be_read_is_the_default(states):
    assert preference("keys", "napari") == "napari"
    prefer("keys", "Cellpose")
    assert preference("keys", "napari") == "Cellpose"
    (states / "preferences.json").write_text("[1, 2")
    assert preference("keys", "napari") == "napari"
    (states / "preferences.json").write_text('{"keys": ["no", "text"]}')
    assert preference("keys", "napari") == "napari"


def test_the_keys_are_taken_only_while_the_dock_is_seen(desk, dock):
    from napari.utils.key_bindings import coerce_keybinding

    key = coerce_keybinding("Shift-M")
    assert key in desk.viewer.keymap
    dock.hide()
    assert key not in desk.viewer.keymap
    dock.show()
    assert key in desk.viewer.keymap


def test_without_cells_the_dock_says_the_next_step(desk, show):
    for name in desk.session.document.names("labels"):
        desk.correct("remove-element", name=name)
    made = show(CorrectDock(desk.viewer))
    made.refresh_now()
    assert not made.here.isEnabled() and not made.grid.isEnabled()
    assert "segment an image first" in made.hint.text()


def test_nuclei_are_expanded_beside_the_window_and_undone_in_one_step(desk, dock, qtbot):
    before = desk.session.position
    dock.expanding.into.setEditText("whole cells")
    dock.expanding.limit.setValue(2.0)
    press(dock, "Expand nuclei")
    qtbot.waitUntil(lambda: desk.session.position == before + 1, timeout=20_000)
    document = desk.session.document
    nuclei, cells = document.grid("nuclei").read(), document.grid("whole_cells").read()
    assert (cells[nuclei > 0] > 0).all() and (cells > 0).sum() > (nuclei > 0).sum()
    assert dock.expanding.row.message.message.level == "ok" and desk.visible("whole_cells")
    desk.undo()
    assert "whole_cells" not in document.names("labels")
    dock.expanding.into.setEditText("nuclei")
    press(dock, "Expand nuclei")
    assert "the nuclei themselves" in dock.expanding.row.message.text() and desk.session.position == before
    dock.expanding.into.setEditText("whole cells")
    press(dock, "One by one")
    assert desk.presenter.tool == "expand" and not dock.expanding.row.isVisibleTo(dock)
    click(desk, middle_of(desk, int(nuclei[nuclei > 0][0])))
    assert names(desk)[-1].startswith("expand 1 nucleus by 2 µm")
    dock.here.click()
    assert desk.presenter.tool == "" and dock.expanding.where.buttons[""].isChecked()


def test_the_nuclei_in_view_alone_are_expanded(desk, dock, qtbot):
    camera = desk.viewer.scene.camera
    camera.center, camera.zoom = (0, 50, 50), desk.viewer.canvas.size[0] / 60
    dock.expanding.into.setEditText("some")
    press(dock, "In view")
    press(dock, "Expand nuclei")
    qtbot.waitUntil(lambda: "some" in desk.session.document.names("labels"), timeout=20_000)
    QApplication.processEvents()
    made, nuclei = (desk.session.document.grid(n).read() for n in ("some", "nuclei"))
    assert 0 < len(np.unique(made)) < len(np.unique(nuclei))


def test_the_dock_follows_the_theme(dock):
    def ink():
        picture = dock.grid.buttons["accept"].icon().pixmap(44).toImage()
        return max(picture.pixelColor(x, y).lightness() for x in range(picture.width())
                   for y in range(picture.height()) if picture.pixelColor(x, y).alpha() == 255)  # fmt: skip

    palette = dock.grid.palette()
    palette.setColor(palette.ColorRole.Window, QColor("#101014"))
    palette.setColor(palette.ColorRole.WindowText, QColor("#f0f0f0"))
    dock.grid.setPalette(palette)
    bright = ink()
    palette.setColor(palette.ColorRole.Window, QColor("#f4f4f4"))
    palette.setColor(palette.ColorRole.WindowText, QColor("#101010"))
    dock.grid.setPalette(palette)
    assert bright > 180 > 80 > ink()
