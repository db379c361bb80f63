"""Labels too large for one array: the part in view is corrected, and all levels of the store follow."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel

from napari_spatialml.core.pyramid import downsample
from napari_spatialml.session import Session, correct
from napari_spatialml.session.chunks import Stored
from napari_spatialml.views import Presenter

from .conftest import Mouse

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.slide import Slide, write_slide

EDGE, CELLS, UM = 9000, 600, 0.25
MIDDLE = EDGE // 2


@pytest.fixture(scope="module")
def slide():
    return Slide(EDGE, CELLS)


@pytest.fixture(scope="module")
def written(slide, tmp_path_factory):
    store = tmp_path_factory.mktemp("slide") / "slide.zarr"
    write_slide(slide, store, UM)
    return store


@pytest.fixture
def store(written, tmp_path):
    return Path(shutil.copytree(written, tmp_path / "slide.zarr"))


def um(y, x):
    return ((y + 0.5) * UM, (x + 0.5) * UM)


def look_at(presenter, y, x, pixels=800):
    """Put so many pixels across the view, around a pixel."""
    camera = presenter.viewer.scene.camera
    camera.zoom = presenter.viewer.canvas.size[0] / (pixels * UM)
    camera.center = um(y, x)


def opened(store):
    session = Session.open_store(store)
    presenter = Presenter(ViewerModel(), session)
    presenter.said = []
    presenter.told.connect(lambda level, sentence: presenter.said.append((level, sentence)))
    presenter.show()
    look_at(presenter, MIDDLE, MIDDLE)
    return presenter


@pytest.fixture
def big(store):
    presenter = opened(store)
    yield presenter
    presenter.close()
    presenter.session.close()


def window_layer(presenter):
    return next((lay for s, lay in presenter.canvas.layers() if s.key.part == "correcting"), None)


def agrees(presenter):
    """The layer shows the document, and together with what lies below it every pixel once."""
    buffer, grid = presenter.buffer_of("cells"), presenter.document.grid("cells")
    (y, x), (h, w) = buffer.offset, buffer.layer.data.shape
    assert np.array_equal(buffer.layer.data, grid.read((y, y + h, x, x + w)))
    below = presenter.layer_of("cells")
    around = below.data[0][max(y - 50, 0) : y + h + 50, max(x - 50, 0) : x + w + 50]
    top, left = y - max(y - 50, 0), x - max(x - 50, 0)
    assert not around[top : top + h, left : left + w].any()
    assert np.allclose(buffer.layer.data_to_world((0, 0)), um(y, x))


def background_near(presenter, y, x):
    """Return a pixel that is far from every cell, near another pixel."""
    near = presenter.document.grid("cells").read((y - 60, y + 60, x - 60, x + 60))
    from scipy.ndimage import distance_transform_edt

    i, j = np.unravel_index(np.argmax(distance_transform_edt(near == 0)), near.shape)
    return int(i) + y - 60, int(j) + x - 60


def files_of(store):
    return {p.relative_to(store): (p.stat().st_mtime_ns, p.stat().st_ino)
            for p in (store / "labels" / "cells").rglob("*") if p.is_file() and p.name != "zarr.json"}  # fmt: skip


def test_a_store_is_read_by_its_chunks_and_not_through_dask(big):
    assert all(isinstance(level, Stored) for level in big.document.grid("cells")._base)
    assert big.document.grid("cells").shape == (EDGE, EDGE)


def test_the_slide_is_as_computed_on_every_level(store, slide):
    session = Session.open_store(store)
    grid = session.document.grid("cells")
    whole = slide.labels(np.arange(EDGE), np.arange(EDGE))
    assert len(np.unique(whole)) == CELLS + 1
    for level, (f, _) in enumerate(grid.factors):
        assert np.array_equal(grid.read(None, level), downsample(whole, f))
    assert grid.maximum() == CELLS
    session.close()


def test_paint_pan_paint_leave_undo_save_reopen(big, store):
    mouse, session = Mouse(big.viewer), big.session
    before = files_of(store)
    big.use("paint", labels="cells", size_um=2)
    first = big.state.correcting[1]
    assert max(first[1] - first[0], first[3] - first[2]) <= 4096 + 128
    assert window_layer(big).name == "cells (correcting)"
    y, x = background_near(big, MIDDLE, MIDDLE)
    mouse.drag(um(y, x), um(y + 6, x + 6))
    assert [e.label for e in session.history] == [f"paint cell {CELLS + 1} in cells"]
    agrees(big)
    look_at(big, MIDDLE + 400, MIDDLE - 3000)
    assert big.state.correcting[1] != first
    agrees(big)
    mouse.drag(um(MIDDLE + 400, MIDDLE - 3000), um(MIDDLE + 410, MIDDLE - 3000))
    assert session.history[-1].label == f"paint cell {CELLS + 2} in cells"
    agrees(big)
    big.cancel()
    assert big.tool == ""
    assert window_layer(big) is None
    assert big.state.correcting is None
    big.use("paint", labels="cells", size_um=2)
    big.undo()
    assert big.said[-1][1] == f"Undone: paint cell {CELLS + 2} in cells."
    big.undo()
    assert "outside the view at y" in big.said[-1][1]
    big.redo()
    assert "outside the view at y" in big.said[-1][1]
    big.redo()
    agrees(big)
    big.use("")
    whole = big.document.grid("cells").read()
    session.save()
    after = files_of(store)
    changed = {p for p in before.keys() | after.keys() if before.get(p) != after.get(p)}
    assert len(changed) == session.chunks_written
    assert 2 <= len(changed) <= 12
    session.close()
    again = Session.open_store(store)
    grid = again.document.grid("cells")
    assert grid.largest == CELLS + 2, "the largest id is not kept in the store"
    assert np.array_equal(grid.read(), whole)
    for level, (f, _) in enumerate(grid.factors):
        assert np.array_equal(grid.read(None, level), downsample(whole, f)), level
    assert not again.unsaved
    again.jump(0)
    assert again.document.grid("cells").maximum() == CELLS + 2, "an id may be given twice"
    again.close()


def test_a_stroke_that_is_not_flushed_yet_survives_a_pan(big):
    big.use("paint", labels="cells", size_um=2)
    layer, (y, x) = window_layer(big), big.buffer_of("cells").offset
    layer.paint((MIDDLE - y, MIDDLE - x), 4711)
    look_at(big, MIDDLE, MIDDLE + 2500)
    assert (MIDDLE - y, MIDDLE - x) != (0, 0)
    assert big.document.grid("cells").read((MIDDLE, MIDDLE + 1, MIDDLE, MIDDLE + 1))[0, 0] == 4711
    assert len(big.session.history) == 1
    agrees(big)


def test_the_window_does_not_move_under_a_stroke(big):
    big.use("paint", labels="cells", size_um=2)
    before = big.state.correcting
    big._gestures.dragging = True
    look_at(big, MIDDLE, MIDDLE + 2500)
    assert big.state.correcting == before
    big._gestures.dragging = False
    big.settled()
    assert big.state.correcting != before
    agrees(big)


def test_zoomed_out_too_far_the_sentence_says_how_far_to_zoom_in(big):
    big.use("paint", labels="cells")
    look_at(big, MIDDLE, MIDDLE, pixels=8600)
    assert window_layer(big) is None
    assert "Zoom in 2." in big.hint
    look_at(big, MIDDLE, MIDDLE)
    assert window_layer(big) is not None
    assert big.hint.startswith("Drag from")
    agrees(big)


def test_e_takes_up_the_brush_and_puts_it_down(big):
    handler = big.layer_of("cells").keymap
    assert any(str(key) == "E" for key in handler), "napari's own E would erase"
    big.toggle_correcting()
    assert (big.tool, window_layer(big) is not None) == ("paint", True)
    big.toggle_correcting()
    assert (big.tool, window_layer(big)) == ("", None)


def test_the_next_tool_keeps_the_window(big):
    big.use("paint", labels="cells")
    layer = window_layer(big)
    big.use("split", labels="cells")
    assert window_layer(big) is layer
    agrees(big)


@pytest.mark.parametrize("dtype", [np.int32, np.uint64])
def test_fingerprints_tell_every_pixel_of_every_level(dtype):
    from spatialdata import SpatialData

    from napari_spatialml.session.document import Document
    from napari_spatialml.session.elements import LabelsElement, new_labels
    from napari_spatialml.session.grid import LabelGrid

    values = np.arange(300 * 200, dtype=dtype).reshape(300, 200)

    def of(levels):
        element = LabelsElement(LabelGrid(levels), {"global": np.eye(3).tolist()})
        return Document(SpatialData(labels={"cells": element.to_spatialdata()})).fingerprint(("labels", "cells"))

    levels = [values, values[1::2, 1::2].copy()]
    assert of(levels) == of([level.copy() for level in levels])
    for k in range(2):
        other = [level.copy() for level in levels]
        other[k][-1, -1] += 1
        assert of(other) != of(levels)
    assert new_labels(values, {}).grid.shape == (300, 200)


STEPS = st.one_of(
    st.tuples(st.sampled_from(["paint", "erase", "split", "draw"]),
              st.lists(st.tuples(st.integers(-90, 90), st.integers(-90, 90)), min_size=2, max_size=4)),
    st.tuples(st.just("merge"), st.lists(st.tuples(st.integers(-1, 1), st.integers(-1, 1)), min_size=2, max_size=2)),
    st.tuples(st.just("pan"), st.tuples(st.integers(-1500, 1500), st.integers(-1500, 1500))),
    st.tuples(st.sampled_from(["undo", "redo"]), st.none()),
)  # fmt: skip


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=1, max_size=8))
def test_after_any_sequence_of_gestures_and_pans_the_window_shows_the_document(written, steps):
    presenter = opened(written)  # nothing is saved
    presenter.session.discard()
    mouse, (y, x) = Mouse(presenter.viewer), (MIDDLE, MIDDLE)
    start = presenter.document.grid("cells").read()
    presenter.use("paint", labels="cells")
    for step, places in steps:
        if step in ("undo", "redo"):
            getattr(presenter, step)()
        elif step == "pan":
            y, x = MIDDLE + places[0], MIDDLE + places[1]
            look_at(presenter, y, x)
        else:
            presenter.use(step, labels="cells")
            at = [um(y + 44 * a, x + 44 * b) if step == "merge" else um(y + a, x + b) for a, b in places]
            if step == "merge":
                for where in at:
                    mouse.click(where)
            else:
                mouse.drag(*at)
        agrees(presenter)
    painted = presenter.document.grid("cells").read()
    for level, (f, _) in enumerate(presenter.document.grid("cells").factors):
        assert np.array_equal(presenter.document.grid("cells").read(None, level), downsample(painted, f))
    while presenter.session.position:
        presenter.undo()
        agrees(presenter)
    assert np.array_equal(presenter.document.grid("cells").read(), start)
    presenter.session.discard()
    presenter.close()
    presenter.session.close()


def test_labels_without_a_table_are_corrected_without_being_read_whole(big, monkeypatch):
    grid, read = big.document.grid("cells"), []
    original = type(grid).read

    def counted(self, window=None, level=0):
        found = original(self, window, level)
        read.append(found.size)
        return found

    monkeypatch.setattr(type(grid), "read", counted)
    y, x = MIDDLE, MIDDLE
    cells = np.unique(grid.read((y - 50, y + 50, x - 50, x + 50)))[1:3].tolist()
    read.clear()
    window = (y - 200, y + 200, x - 200, x + 200)
    big.session.execute(correct(big.document, "merge-cells", labels="cells", cells=cells, window=window))
    assert max(read) < 500_000
