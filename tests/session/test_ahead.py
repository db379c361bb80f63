"""Labels that were packed beside the window: the history holds what it would hold without, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from napari_spatialml.io.sample import sample_section
from napari_spatialml.methods import method
from napari_spatialml.session import SegmentationSelection, Session, correct, finish, prepare, run
from napari_spatialml.session.ahead import encoder_of
from napari_spatialml.session.fingerprints import fingerprint
from napari_spatialml.session.values import Encoder, decode, encode

WATERSHED = method("segmentation", "watershed")
SLOT = ("labels", "nuclei")


@pytest.fixture
def sample() -> Iterator[Session]:
    session = Session.start(sample_section(0, size_um=200.0), source="packed ahead")
    yield session
    session.close()


def packed_in(monkeypatch: pytest.MonkeyPatch, call) -> list[tuple[int, ...]]:
    """Return the shapes of the pictures that are packed during a call."""
    seen: list[tuple[int, ...]] = []
    pack = Encoder._pack

    def watched(self, data):
        if data.ndim == 2 and data.dtype == np.int32:
            seen.append(data.shape)
        return pack(self, data)

    with monkeypatch.context() as patch:
        patch.setattr(Encoder, "_pack", watched)
        call()
    return seen


def again(session: Session) -> Session:
    """Return what the journal alone gives, as after a crash."""
    session.close()
    return Session.start(sample_section(0, size_um=200.0), source="packed ahead", recover=True)


def test_new_labels_are_not_packed_while_the_window_waits_and_survive_a_crash(sample, monkeypatch):
    job = prepare(sample, WATERSHED(), SegmentationSelection("dapi"))
    done = job()
    assert packed_in(monkeypatch, lambda: finish(sample, job, done)) == []
    kept = sample.document.fingerprint(SLOT)
    told = sample.history[-1].command.record["outputs"]["labels/nuclei"]
    assert told == fingerprint((sample.document.get(SLOT),)), "as it is hashed when it is not packed ahead"
    restored = again(sample)
    assert restored.document.fingerprint(SLOT) == kept
    restored.undo()
    assert "nuclei" not in restored.document.names("labels")
    restored.close()


def test_the_labels_that_are_replaced_come_back_on_undo_after_a_crash_too(sample, monkeypatch):
    run(sample, WATERSHED(), SegmentationSelection("dapi"))
    cells = sample.document.instances("nuclei_table")
    sample.execute(correct(sample.document, "merge-cells", labels="nuclei", cells=[int(cells[0]), int(cells[1])]))
    before = sample.document.fingerprint(SLOT)
    job = prepare(sample, WATERSHED(diameter_um=14.0), SegmentationSelection("dapi"))
    done = job()
    assert packed_in(monkeypatch, lambda: finish(sample, job, done)) == []
    after = sample.document.fingerprint(SLOT)
    assert after != before
    restored = again(sample)
    assert restored.document.fingerprint(SLOT) == after
    restored.undo()
    assert restored.document.fingerprint(SLOT) == before
    restored.redo()
    assert restored.document.fingerprint(SLOT) == after
    restored.close()


def test_what_is_painted_while_the_method_runs_comes_back_on_undo(sample, monkeypatch):
    run(sample, WATERSHED(), SegmentationSelection("dapi"))
    job = prepare(sample, WATERSHED(diameter_um=14.0), SegmentationSelection("dapi"))
    done = job()
    cells = sample.document.instances("nuclei_table")
    sample.execute(correct(sample.document, "delete-cells", labels="nuclei", cells=[int(cells[3])]))
    painted = sample.document.fingerprint(SLOT)
    finish(sample, job, done, stale=True)
    after = sample.document.fingerprint(SLOT)
    restored = again(sample)
    assert restored.document.fingerprint(SLOT) == after
    restored.undo()
    assert restored.document.fingerprint(SLOT) == painted
    restored.close()


def test_a_step_packed_ahead_has_the_bits_of_one_that_was_not(sample):
    run(sample, WATERSHED(), SegmentationSelection("dapi"))
    job = prepare(sample, WATERSHED(diameter_um=14.0), SegmentationSelection("dapi"))
    done = job()
    finish(sample, job, done)
    command, ahead = sample.history[-1].command, done.result.ahead
    values = [v for c in command.changes if hasattr(c, "slot") for v in (c.old, c.new)]
    stored = next(c for c in command.changes if c.touched == SLOT)
    before, after = stored.old, stored.new
    assert after is done.result.element and ahead.serves([after, before])
    assert not ahead.serves([after]), "what is replaced would be kept for nobody"
    assert encoder_of(None, values).buffers == [] and encoder_of(ahead, values).buffers == ahead.buffers
    told, plain = ahead.told_of(after), encode(after)
    kept = decode(told, ahead.buffers)
    assert told["transforms"] == after.transforms == plain.meta["transforms"]
    assert all(np.array_equal(a, b) for a, b in zip(kept.grid.levels, after.grid.levels, strict=True))
