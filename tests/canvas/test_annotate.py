"""A region drawn with a real mouse is in the document, and its pixels have the colour of its class."""

from __future__ import annotations

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_spatialml.session.annotating import class_colours, frame_of

CORNERS = [(6.0, 4.0), (6.0, 22.0), (26.0, 22.0), (26.0, 4.0)]


def click(window, um, modifier=Qt.KeyboardModifier.NoModifier):
    x, y = window.at(um)
    QTest.mouseClick(window.canvas.native, Qt.MouseButton.LeftButton, modifier, QPoint(x, y))
    window.settle()


def blended(under, code, share=0.3):
    over = [int(code[k : k + 2], 16) for k in (1, 3, 5)]
    return [round((1 - share) * u + share * o) for u, o in zip(under, over, strict=True)]


def test_a_region_is_clicked_closed_by_enter_seen_and_undone(window):
    presenter = window.presenter
    presenter.show(shown=("he", "seen"))
    places = ((16.0, 13.0), (2.0, 23.0))
    before = window.colours(*places)
    presenter.use("region", annotations="seen", class_name="Tumour", snap=False)
    for corner in CORNERS:
        click(window, corner)
    window.key(Qt.Key.Key_Return, Qt.KeyboardModifier.NoModifier)
    frame = frame_of(presenter.document, "seen")
    assert abs(frame.geometry.iloc[0].area - 360) < 10
    code = class_colours(presenter.document, "seen")["Tumour"]
    window.settle()
    inside, outside = window.colours(*places)
    assert max(abs(a - b) for a, b in zip(inside, blended(before[0], code), strict=True)) <= 6, (inside, before)
    assert outside == before[1]
    window.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert window.colours(*places) == before


def test_a_drag_around_is_a_freehand_region(window):
    presenter = window.presenter
    presenter.use("region", annotations="seen", class_name="Stroma", snap=False)
    window.drag((5, 5), (5, 12), (5, 20), (14, 20), (22, 20), (22, 12), (22, 5), (13, 5))
    assert [e.label for e in presenter.session.history] == ["draw Stroma in seen"]
    assert abs(frame_of(presenter.document, "seen").geometry.iloc[0].area - 17 * 15) < 15
