"""A full disk during a deconvolution, a re-fit or a word of the hand changes nothing, and is told in one sentence."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_spatialml.errors import DocumentError
from napari_spatialml.session import Session, correct, refit_now, run

from .conftest import state_of
from .deconvolved import TABLE, Learning, selected, started, write_reference

warnings.simplefilter("ignore")


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return write_reference(tmp_path / "reference.h5ad")


@pytest.fixture
def section(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setattr("napari_spatialml.session.refitting.method", lambda kind, name: Learning)
    made = started()
    yield made
    made.close()


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Fill the disk; what is called has it free again."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        yield patch.undo


def refused(session: Session, action: Callable[[], object], freed: Callable[[], None]) -> None:
    """Expect one sentence and nothing changed, on disk or in memory; then that the same works."""
    before, steps = state_of(session), session.position
    written = (session.home / "journal.log").read_bytes()
    with pytest.raises(DocumentError, match="No space left on device") as told:
        action()
    assert told.value.message.count(". ") == 0 and told.value.hint
    assert state_of(session) == before and session.position == steps
    assert (session.home / "journal.log").read_bytes() == written
    freed()
    action()
    assert state_of(session) != before


def constrain(session: Session) -> None:
    session.execute(
        correct(session.document, "override-proportion", table=TABLE, rows=[3], cell_type="tumour", value=0.8)
    )


def test_a_run(section, reference, full_disk):
    refused(section, lambda: run(section, Learning(), selected(reference)), full_disk)


def test_a_constraint(section, reference, monkeypatch, request):
    run(section, Learning(), selected(reference))
    refused(section, lambda: constrain(section), request.getfixturevalue("full_disk"))
    assert section.document.table(TABLE).obsm["proportions"].to_numpy()[3, 3] == 0.8


def test_a_refit(section, reference, request):
    run(section, Learning(), selected(reference))
    constrain(section)
    shown = section.document.table(TABLE).obsm["proportions"].to_numpy().copy()
    refused(section, lambda: refit_now(section, TABLE), request.getfixturevalue("full_disk"))
    assert not np.array_equal(section.document.table(TABLE).obsm["proportions"].to_numpy(), shown)
