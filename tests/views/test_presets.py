"""Keys and mouse as users of other programs know them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from napari.utils.key_bindings import KeymapHandler, coerce_keybinding
from napari.utils.shortcuts import _default_shortcuts

from napari_spatialml.views.gestures import CORRECT_KEY, tool_named
from napari_spatialml.views.presets import PRESETS, key_words

from .conftest import CELLS_UM

VIEWER = (
    "toggle_selected_visibility",
    "toggle_unselected_visibility",
    "hold_for_pan_zoom",
    "increment",
    "axes",
    "view",
)
SAME = {"erase": "erase", "paint": "paint", "draw": "polygon", "fill": "fill", "choose": "pan_zoom"}


def um(y, x):
    return ((y + 0.5) * CELLS_UM, (x + 0.5) * CELLS_UM)


def cells(presenter):
    return presenter.document.grid("cells").read()


def labels_of(presenter):
    return [entry.label for entry in presenter.session.history]


def key(presenter, name):
    """Press a key as the canvas does: the active layer is asked first."""
    handler = KeymapHandler()
    active = presenter.viewer.layers.selection.active
    handler.keymap_providers = [*([active] if active is not None else []), presenter.viewer]
    found = handler.active_keymap.get(coerce_keybinding(name))
    if found is not None:
        found()


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda p: p.name)
def test_no_preset_has_two_tools_on_one_key(preset):
    keys = [k for taken in (*preset.tools.values(), *preset.acts.values()) for k in taken]
    times = Counter(str(coerce_keybinding(k)) for k in (*keys, CORRECT_KEY))
    assert max(times.values()) == 1, times.most_common(2)
    assert {"", "unknown"}.isdisjoint(times), "a key that napari does not know"
    gestures = [(g.button, g.held, tool) for g in preset.gestures for tool in g.within]
    assert len(gestures) == len(set(gestures))


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda p: p.name)
def test_every_tool_of_a_preset_is_there(preset):
    for name in {*preset.tools, preset.first, *(g.tool for g in preset.gestures)}:
        assert tool_named(name)
    assert {w for g in preset.gestures for w in g.within} <= {*map(str, _names())}


def _names():
    from napari_spatialml.views.gestures import _TOOLS

    return _TOOLS


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda p: p.name)
def test_no_key_is_taken_from_the_viewer(preset):
    viewers = {str(coerce_keybinding(k)) for name, keys in _default_shortcuts.items() for k in keys
               if any(word in name for word in VIEWER) and "activate" not in name}  # fmt: skip
    ours = {str(coerce_keybinding(k)) for taken in (*preset.tools.values(), *preset.acts.values()) for k in taken}
    plain = {k for k in ours if "+" in k or len(k) > 1}
    assert not plain & viewers


def test_the_keys_of_naparis_labels_do_in_its_preset_what_they_do_in_napari():
    naparis = {str(coerce_keybinding(k)): name for name, keys in _default_shortcuts.items() for k in keys
               if "labels" in name and "mode" in name}  # fmt: skip
    for tool, keys in PRESETS["napari"].tools.items():
        for k in keys:
            name = naparis.get(str(coerce_keybinding(k)))
            assert name is None or SAME[tool] in name, (k, tool, name)


def test_keys_are_shown_as_people_write_them():
    assert [key_words(k) for k in ("Shift-M", "-", "=", "Control-Z", "P")] == ["Shift+M", "−", "=", "Ctrl+Z", "P"]


def test_a_key_takes_up_its_tool_while_cells_are_corrected_and_napari_has_it_back_after(presenter):
    presenter.viewer.layers.selection.active = presenter.layer_of("cells")
    key(presenter, "Shift-M")
    assert presenter.tool == ""
    key(presenter, "E")
    assert presenter.tool == "paint"
    for name, tool in (("Shift-M", "merge"), ("1", "erase"), ("3", "draw"), ("Shift-S", "split"), ("P", "paint")):
        key(presenter, name)
        assert presenter.tool == tool
    key(presenter, "E")
    assert presenter.tool == ""
    key(presenter, "Shift-M")
    assert presenter.tool == ""
    presenter.listen(True)
    key(presenter, "Shift-M")
    assert presenter.tool == "merge"
    presenter.use("")
    presenter.listen(False)
    for held in (presenter.layer_of("cells").keymap, presenter.viewer.keymap):
        assert not {coerce_keybinding(k) for k in ("1", "P", "=", "Enter")} & held.keys(), "napari's own keys again"


def test_in_the_cellpose_preset_the_mouse_does_what_it_does_there(presenter, mouse):
    presenter.viewer.scene.camera.zoom = 40.0
    presenter.hold(preset="Cellpose")
    presenter.viewer.layers.selection.active = presenter.layer_of("cells")
    presenter.toggle_correcting()
    assert presenter.tool == "choose" and presenter.viewer.scene.camera.mouse_pan
    mouse.click(um(6, 6))
    assert presenter.selected_cells == (1,)
    mouse.click(um(6, 22), modifiers=("Alt",))
    assert labels_of(presenter) == ["merge cells 1 and 2 in cells"]
    assert presenter.selected_cells == (1,), "what was merged stays chosen"
    mouse.click(um(26, 24), modifiers=("Control",))
    assert labels_of(presenter)[-1] == "delete cell 5 in cells"
    mouse.click(um(50, 34), button=2)  # a right click begins, moving goes on, coming back ends
    for at in ((50, 40), (50, 44), (57, 44), (57, 34), (53, 34), (50, 34)):
        mouse.hover(um(*at))
    assert labels_of(presenter)[-1] == "draw cell 10 in cells"
    mouse.click(um(20, 2), button=2)  # and so does a second right click
    mouse.hover(um(20, 3))
    for at in ((16, 3), (16, 12), (20, 12)):
        mouse.hover(um(*at))
    mouse.click(um(20, 10), button=2)
    assert labels_of(presenter)[-1] == "draw cell 11 in cells"
    assert presenter.tool == "choose" and len(labels_of(presenter)) == 4
    while presenter.session.position:
        presenter.undo()
    assert set(np.unique(cells(presenter)).tolist()) == set(range(10))


def test_in_the_cellpose_preset_comma_and_point_size_the_brush_and_x_hides(presenter):
    presenter.hold(preset="Cellpose", size_um=4.0)
    presenter.use("paint", labels="cells")
    key(presenter, ".")
    assert presenter.hand.size_um == 5.0 and presenter.layer_of("cells").brush_size == 10
    key(presenter, ",")
    assert presenter.hand.size_um == 4.0
    key(presenter, "X")
    assert not presenter.layer_of("cells").visible
    key(presenter, "X")
    assert presenter.layer_of("cells").visible
    filled = presenter.layer_of("cells").contour
    key(presenter, "Z")
    assert {filled, presenter.layer_of("cells").contour} == {0, 1}


def test_in_the_qupath_preset_alt_makes_the_brush_take_away(presenter, mouse):
    presenter.hold(preset="QuPath")
    presenter.use("paint", labels="cells", size_um=1.5)
    mouse.hover(um(26, 24))
    mouse.drag(um(26, 24), um(26, 25), modifiers=("Alt",))
    assert cells(presenter)[26, 24] == 0 and len(labels_of(presenter)) == 1
    size = presenter.layer_of("cells").brush_size
    mouse.drag(um(26, 22), um(26, 24))
    assert cells(presenter)[26, 24] == 5
    assert presenter.layer_of("cells").brush_size == size, "Alt did not size the brush, as it does in napari"
    key(presenter, "P")
    assert presenter.tool == "draw"


def test_the_other_presets_leave_the_mouse_alone(presenter, mouse):
    presenter.use("delete", labels="cells")
    mouse.click(um(26, 24), button=2)
    assert labels_of(presenter) == []
