"""The transcripts that cells count are indexed beside the window: nobody waits for them without a word."""

from __future__ import annotations

import threading

import pytest

from napari_spatialml.io.sample import sample_section
from napari_spatialml.methods import method
from napari_spatialml.session import SegmentationSelection, Session, correct, run, transcripts

from .conftest import SMALL


@pytest.fixture
def store(states, tmp_path):
    """Return a saved section whose nuclei count transcripts."""
    session = Session.start(sample_section(0, **SMALL))
    run(session, method("segmentation", "watershed")(), SegmentationSelection("dapi", output="nuclei"))
    session.save(tmp_path / "s.zarr")
    session.close()
    return tmp_path / "s.zarr"


def test_a_correction_that_comes_too_early_is_refused_in_words_and_works_afterwards(store, viewer, qtbot, monkeypatch):
    from napari_spatialml.widgets.desk import desk_of

    going, real = threading.Event(), transcripts.TranscriptIndex.open_or_build

    def slow(*given):
        assert threading.current_thread() is not threading.main_thread(), "the window stood still"
        assert going.wait(20)
        return real(*given)

    monkeypatch.setattr(transcripts, "QUICK_BYTES", 0)
    monkeypatch.setattr(transcripts.TranscriptIndex, "open_or_build", slow)
    desk, told = desk_of(viewer), []
    desk.told.connect(lambda level, sentence: told.append((level, sentence)))
    desk.take(lambda: Session.open_store(store))
    assert desk.indexing.running
    cell = int(desk.session.document.instances("nuclei_table")[0])
    before = desk.session.document.fingerprints()
    assert not desk.correct("delete-cells", labels="nuclei", cells=[cell])
    assert "still being indexed" in told[-1][1] and desk.session.document.fingerprints() == before
    going.set()
    qtbot.waitUntil(lambda: not desk.indexing.running, timeout=20_000)
    assert told[-1] == ("ok", "The transcripts 'transcripts' are indexed.")
    assert desk.correct("delete-cells", labels="nuclei", cells=[cell])
    assert cell not in desk.session.document.instances("nuclei_table")


def test_after_stop_the_next_correction_begins_the_index_again(store, viewer, qtbot, monkeypatch):
    from napari_spatialml.widgets.desk import desk_of

    monkeypatch.setattr(transcripts, "QUICK_BYTES", 0)
    desk = desk_of(viewer)
    desk.take(lambda: Session.open_store(store))
    desk.runner.stop()
    qtbot.waitUntil(lambda: not desk.indexing.running, timeout=20_000)
    cell = int(desk.session.document.instances("nuclei_table")[0])
    if not desk.correct("delete-cells", labels="nuclei", cells=[cell]):  # unless it was done before it was stopped
        assert desk.indexing.running
        qtbot.waitUntil(lambda: not desk.indexing.running, timeout=20_000)
        assert desk.correct("delete-cells", labels="nuclei", cells=[cell])


def test_without_a_window_the_index_is_made_where_it_is_needed(store, monkeypatch):
    monkeypatch.setattr(transcripts, "QUICK_BYTES", 0)
    session = Session.open_store(store)
    cell = int(session.document.instances("nuclei_table")[0])
    session.execute(correct(session.document, "delete-cells", labels="nuclei", cells=[cell]))
    session.close()
