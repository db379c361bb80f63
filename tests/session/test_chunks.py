"""Labels of a store are read and saved by their chunks: what is touched is written once, the rest not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.session import Session, correct
from napari_spatialml.session import saving as saving_module
from napari_spatialml.session.chunks import ChunkCache, Stored
from napari_spatialml.session.corrections import packed
from napari_spatialml.session.elements import LabelsElement
from napari_spatialml.session.grid import LabelGrid
from napari_spatialml.session.tiles import Tiles


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two cells, each alone in its chunk of 1024 × 1024, in a store that another program has written."""
    from spatialdata import SpatialData

    levels = [np.zeros((3000 // f, 2100 // f), np.int32) for f in (1, 2)]
    for level, f in zip(levels, (1, 2), strict=True):
        level[100 // f : 140 // f, 100 // f : 140 // f] = 4
        level[2500 // f : 2540 // f, 1500 // f : 1540 // f] = 9
    element = LabelsElement(LabelGrid(levels), {"global": np.eye(3).tolist()})
    section = SpatialData(labels={"cells": element.to_spatialdata()})
    section.attrs["spatialml"] = {"version": 1, "um_per_unit": {"global": 1.0}}
    section.write(tmp_path / "s.zarr")
    return tmp_path / "s.zarr"


def chunks(store: Path) -> set[str]:
    root = store / "labels" / "cells"
    return {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and p.name != "zarr.json"}


def delete(session: Session, cell: int) -> None:
    window = (0, 1024, 0, 1024) if cell == 4 else (2048, 3000, 1024, 2048)
    session.execute(correct(session.document, "delete-cells", labels="cells", cells=[cell], window=window))


def test_a_chunk_that_becomes_background_is_not_stored_any_more_and_comes_back_with_undo(store: Path) -> None:
    before = chunks(store)
    session = Session.open_store(store)
    delete(session, 4)
    session.save()
    assert before - chunks(store) == {"s0/c/0/0", "s1/c/0/0"}
    assert session.chunks_written == 2
    session.undo()
    session.save()
    assert chunks(store) == before
    session.close()
    again = Session.open_store(store)
    assert (again.document.grid("cells").read((100, 140, 100, 140)) == 4).all()
    again.close()


def test_moving_the_chunks_twice_does_no_harm(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session.open_store(store)
    delete(session, 9)
    monkeypatch.setattr(saving_module, "_write_metadata", lambda *_: None)
    session.save()
    whole = session.document.grid("cells").read()
    intent = {
        "swaps": [],
        "tables": [],
        "transforms": {},
        "attrs": None,
        "painted": [{"name": "cells", "move": [], "remove": ["labels/cells/s0/c/2/1"], "largest": 9}],
    }
    (store / "spatialml" / "intent.json").write_text(json.dumps(intent))
    session.close()
    again = Session.open_store(store)
    assert np.array_equal(again.document.grid("cells").read(), whole)
    again.close()


def test_an_intent_that_names_a_file_outside_the_store_is_refused(store: Path) -> None:
    victim = store.parent / "victim"
    victim.write_text("mine")
    session = Session.open_store(store)
    delete(session, 4)
    session.save()
    session.close()
    intent = {
        "swaps": [],
        "tables": [],
        "transforms": {},
        "attrs": None,
        "painted": [{"name": "cells", "move": [], "remove": ["../victim"], "largest": None}],
    }
    (store / "spatialml" / "intent.json").write_text(json.dumps(intent))
    again = Session.open_store(store)
    assert "outside itself" in again.trouble
    again.close()
    assert victim.exists()


def test_the_largest_id_is_kept_in_the_store_and_no_id_is_given_twice(store: Path) -> None:
    session = Session.open_store(store)
    assert session.document.grid("cells").largest is None
    assert session.document.grid("cells").maximum() == 9
    delete(session, 9)
    session.save()
    session.close()
    again = Session.open_store(store)
    assert again.document.grid("cells").largest == 9
    square = [[50.0, 50.0], [50.0, 60.0], [60.0, 60.0], [60.0, 50.0]]
    again.execute(correct(again.document, "draw-cell", labels="cells", outline=square))
    assert again.history[-1].label == "draw cell 10 in cells"
    again.close()


def test_replaced_and_saved_labels_come_back_with_undo(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_spatialml.session.command import Command
    from napari_spatialml.session.elements import new_labels
    from napari_spatialml.session.store import put

    monkeypatch.setattr(ChunkCache.__init__, "__defaults__", (10,))  # nothing is remembered: the files count
    session = Session.open_store(store)
    before = session.document.grid("cells").read()
    new = new_labels(np.full((3000, 2100), 7, np.int32), session.document.get(("labels", "cells")).transforms)
    session.execute(Command("replace", (put(session.document, ("labels", "cells"), new),), {}))
    session.save()
    session.undo()
    assert np.array_equal(session.document.grid("cells").read(), before)
    session.close()


@settings(max_examples=30, deadline=None)
@given(windows=st.lists(st.tuples(*[st.integers(0, 99)] * 4), min_size=1, max_size=8), size=st.integers(1, 4000))
def test_reading_through_the_cache_is_reading_the_array(windows: list[tuple[int, int, int, int]], size: int) -> None:
    import zarr

    values = np.random.default_rng(0).integers(0, 3, (100, 100)).astype(np.int32)
    values[:40] = 0
    array = zarr.create_array({}, shape=(100, 100), chunks=(32, 16), dtype="i4")
    array[:, :] = values
    read = Stored(array, ChunkCache(size))
    for y0, y1, x0, x1 in windows:
        assert np.array_equal(read[y0:y1, x0:x1], values[y0:y1, x0:x1])


@settings(max_examples=50)
@given(steps=st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=40), keep=st.integers(1, 4))
def test_tiles_are_what_was_put_into_them_however_few_are_kept_unpacked(
    steps: list[tuple[int, bool]], keep: int
) -> None:
    tiles, held = Tiles(keep), {}
    for number, (key, change) in enumerate(steps):
        if (key, 0) not in tiles:
            tiles.add((key, 0), np.zeros((3, 4), np.uint64))
            held[key] = np.zeros((3, 4), np.uint64)
        if change:
            tiles.change((key, 0))[number % 3] = number
            held[key][number % 3] = number
        assert all(np.array_equal(tiles.read((k, 0)), v) for k, v in held.items())
    assert set(tiles) == {(k, 0) for k in held}
    assert len(tiles) == len(held)


def test_tiles_that_lie_packed_are_saved_as_they_are_and_read_by_zarr(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the border, where a tile ends before its chunk; where a cell was; where it stays; in every level."""
    import zarr

    monkeypatch.setattr(Tiles.__init__, "__defaults__", (1,))  # all but one tile of a level lie packed
    session = Session.open_store(store)
    ours = session.save(store.parent / "ours.zarr")
    session.close()
    session = Session.open_store(ours)
    before = chunks(ours)
    for number, at in enumerate([(2980, 2080), (2980, 300), (700, 700), (1000, 1000)]):
        values = np.full((20, 20), 20 + number, np.int32)
        command = correct(session.document, "paint-labels", labels="cells", offset=list(at), values=packed(values))
        session.execute(command)
    delete(session, 4)
    grid = session.document.grid("cells")
    lying = [grid.packed(level, chunk) for level in (0, 1) for chunk in grid.unsaved_chunks(level, (256, 256))]
    assert sum(tile is not None for tile in lying) > 4, "nothing lay packed: nothing was tested"
    session.save()
    assert {"s0/c/0/0", "s1/c/0/0"} <= before - chunks(ours)
    for number, level in enumerate(grid.levels):
        found = zarr.open_array(ours / "labels" / "cells" / f"s{number}", mode="r")
        assert np.array_equal(found[:], np.asarray(level))
    session.close()


def test_a_save_that_an_earlier_version_left_is_completed(store: Path) -> None:
    """It named what it had staged by the keys of the chunks."""
    session = Session.open_store(store)
    delete(session, 4)
    session.save()
    session.close()
    place = store / "labels" / "cells" / "s0" / "c"
    staged = store / "spatialml" / "staging" / "chunks" / "labels" / "cells" / "s0" / "c" / "0" / "1"
    staged.parent.mkdir(parents=True)
    staged.write_bytes((place / "2" / "1").read_bytes())
    painted = [{"name": "cells", "move": ["labels/cells/s0/c/0/1"], "remove": [], "largest": 9}]
    intent = {"swaps": [], "tables": [], "transforms": {}, "attrs": None, "painted": painted}
    (store / "spatialml" / "intent.json").write_text(json.dumps(intent))
    Session.open_store(store).close()
    assert (place / "0" / "1").read_bytes() == (place / "2" / "1").read_bytes()
