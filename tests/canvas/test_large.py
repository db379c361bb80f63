"""Correcting a part of a large slide with the mouse, in a real window, down to the files of the store."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

from benchmarks.slide import CHUNK
from napari_spatialml.session import Session

from ..views.conftest import own_state  # noqa: F401
from ..views.test_large import CELLS, MIDDLE, UM, Slide, background_near, files_of, look_at, um, write_slide
from .conftest import opened


@pytest.fixture
def window(make_napari_viewer, tmp_path):
    write_slide(Slide(9000, CELLS), tmp_path / "slide.zarr", UM)
    session = Session.open_store(tmp_path / "slide.zarr")
    with opened(make_napari_viewer, session) as made:
        look_at(made.presenter, MIDDLE, MIDDLE, 600)
        made.settle()
        yield made


def away(window):
    """Move the mouse to where nothing is looked at: napari draws the brush's rim around it."""
    from qtpy.QtCore import QPoint
    from qtpy.QtTest import QTest

    QTest.mouseMove(window.canvas.native, QPoint(5, 5))
    window.settle()


def drawn(colour):
    return max(colour) > 20


def test_a_stroke_on_a_large_slide_is_seen_and_writes_only_the_chunks_it_touches(window):
    presenter, session = window.presenter, window.presenter.session
    y, x = background_near(presenter, MIDDLE, MIDDLE)
    cell = next(c for c in np.argwhere(presenter.document.grid("cells").read((y - 60, y + 60, x - 60, x + 60))))
    there = um(y - 60 + cell[0] + 3, x - 60 + cell[1])
    before = files_of(session.store)
    looked_at = window.colours(um(y, x), there)
    assert not drawn(looked_at[0])
    assert drawn(looked_at[1])
    window.key(Qt.Key.Key_E, Qt.KeyboardModifier.NoModifier)
    assert presenter.tool == "paint"
    # taking up the brush changes nothing that is seen: no second layer over the first, none missing
    assert window.colours(um(y, x), there) == looked_at
    window.drag(um(y, x), um(y + 4, x + 4), um(y + 8, x + 4))
    assert [e.label for e in session.history] == [f"paint cell {CELLS + 1} in cells"]
    assert presenter.document.grid("cells").read((y, y + 1, x, x + 1))[0, 0] == CELLS + 1
    away(window)
    painted = window.colours(um(y, x), there)
    assert drawn(painted[0])
    assert painted[1] == looked_at[1]
    window.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert window.colours(um(y, x), there) == looked_at
    window.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    window.key(Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier)
    assert presenter.tool == ""
    # while painting, napari may lay the brush over the place in half-clear white; so the colours are compared
    # to the bit here, where there is no brush
    left = window.colours(um(y, x), there)
    assert drawn(left[0])
    assert left[1] == looked_at[1]
    presenter.undo()
    assert window.colours(um(y, x), there) == looked_at
    presenter.redo()
    assert window.colours(um(y, x), there) == left
    session.save()
    after = files_of(session.store)
    changed = {str(p) for p in before.keys() | after.keys() if before.get(p) != after.get(p)}
    spots = {f"labels/cells/s{k}/c/{(y + d) // 2**k // CHUNK}/{(x + d) // 2**k // CHUNK}" for k in range(4)
             for d in (-16, 0, 24)}  # fmt: skip
    assert changed
    assert changed <= spots
    assert len(changed) == session.chunks_written
