"""A save decides at its start what it writes: steps done meanwhile are neither lost nor half written."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from napari_spatialml.errors import Cancelled, DocumentError
from napari_spatialml.session import Session, correct
from napari_spatialml.session.saving import carry_out

from .conftest import small_section, state_of
from .killed import step


class Held:
    """A report that lets the person do steps at a moment of the save, in the thread that saves."""

    def __init__(self, call: Any, at: float = 0.0) -> None:
        self.call, self.at, self.fractions = call, at, list[float]()

    def __call__(self, fraction: float, message: str = "") -> None:
        self.fractions.append(fraction)
        if self.call is not None and fraction >= self.at:
            call, self.call = self.call, None
            call()


def edit(session: Session) -> None:
    """A stroke, a column, a landmark, an element taken away, an affine and an attribute."""
    for number in range(6, 12):
        step(session, number)
    session.execute(correct(session.document, "merge-cells", labels="nuclei", cells=[5, 6]))
    session.execute(correct(session.document, "remove-element", name="pixels"))
    session.execute(correct(session.document, "set-unit", coordinate_system="global", um_per_unit=2.0))


def undo_two(session: Session) -> None:
    session.undo()
    session.undo()


@pytest.mark.parametrize("new", [True, False], ids=["to a new store", "into the store"])
@pytest.mark.parametrize("at", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("meanwhile", [edit, undo_two], ids=["steps", "undo"])
def test_steps_done_during_a_save_are_unsaved_after_it_and_found_again(
    tmp_path: Path, new: bool, at: float, meanwhile: Any
) -> None:
    session = Session.start(small_section())
    session.save(tmp_path / "s.zarr")
    for number in range(6):
        step(session, number)
    begun = state_of(session)
    store = tmp_path / ("copy.zarr" if new else "s.zarr")
    report = Held(lambda: meanwhile(session), at)
    session.save(store if new else None, report)
    assert report.call is None and report.fractions == sorted(report.fractions)
    now, position = state_of(session), session.position
    assert now != begun and session.unsaved
    session.close()

    without = Session.open_store(store, recover=False)
    assert state_of(without) == begun, "the store holds what was there when the save began"
    assert without.recoverable > 0
    without.close()
    again = Session.open_store(store)
    assert state_of(again) == now and again.position == position and again.unsaved
    again.save()
    assert not again.unsaved
    again.close()
    last = Session.open_store(store, recover=False)
    assert state_of(last) == now and not last.recoverable, "the next save writes the rest"
    last.jump(0)
    last.close()


def test_a_save_that_dies_while_steps_go_on_is_completed_without_calling_these_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session.start(small_section())
    session.save(tmp_path / "s.zarr")
    for number in range(3):
        step(session, number)
    begun = state_of(session)

    def dies(*given: Any) -> None:
        carry_out(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # everything lies in its place, the journal does not say so yet
        patch.setattr("napari_spatialml.session.save.carry_out", dies)
        save = session.saving()
        edit(session)
        now = state_of(session)
        with pytest.raises(KeyboardInterrupt):
            save.write()
    assert (tmp_path / "s.zarr" / "spatialml" / "intent.json").exists()
    session.close()
    shutil.copytree(tmp_path / "s.zarr", tmp_path / "t.zarr")
    without = Session.open_store(tmp_path / "s.zarr", recover=False)
    assert state_of(without) == begun and without.recoverable > 0
    without.close()
    again = Session.open_store(tmp_path / "t.zarr")
    assert state_of(again) == now and again.unsaved
    again.close()


@pytest.mark.parametrize("new", [True, False])
def test_a_save_that_is_stopped_leaves_everything_as_it_was(tmp_path: Path, new: bool) -> None:
    session = Session.start(small_section())
    session.save(tmp_path / "s.zarr")
    before = state_of(session)
    edit(session)
    files = {p: p.read_bytes() for p in (tmp_path / "s.zarr").rglob("*") if p.is_file() and p.suffix != ".log"}

    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        session.save(tmp_path / "t.zarr" if new else None, Held(stop, 0.3))
    left = {p: p.read_bytes() for p in (tmp_path / "s.zarr").rglob("*") if p.is_file() and p.suffix != ".log"}
    assert left == files and session.unsaved and not list(tmp_path.glob("*t.zarr*"))
    now = state_of(session)
    session.save()
    assert not session.unsaved
    session.close()
    again = Session.open_store(tmp_path / "s.zarr", recover=False)
    assert state_of(again) == now != before
    again.close()


def test_a_session_that_is_closed_during_a_save_waits_for_its_thread(tmp_path: Path) -> None:
    session = Session.start(small_section())
    session.save(tmp_path / "s.zarr")
    step(session, 0)
    now = state_of(session)
    save, reached, go, ended = session.saving(), threading.Event(), threading.Event(), list[BaseException]()

    def report(fraction: float, message: str = "") -> None:
        reached.set()
        assert go.wait(30)

    def work() -> None:
        try:
            save.write(report)
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert reached.wait(30)
    with pytest.raises(DocumentError, match="being saved already"):
        session.save()
    threading.Timer(0.3, go.set).start()
    session.close()
    assert save._ended.is_set()
    thread.join()
    again = Session.open_store(tmp_path / "s.zarr")
    assert state_of(again) == now and again.unsaved == bool(ended), "saved whole, or not at all"
    again.close()


def test_a_save_that_never_began_leaves_everything_unsaved(tmp_path: Path) -> None:
    session = Session.start(small_section())
    session.save(tmp_path / "s.zarr")
    step(session, 0)
    step(session, 1)
    save = session.saving()
    save.give_up()
    with pytest.raises(Cancelled):
        save.write()
    now = state_of(session)
    session.save()
    session.close()
    again = Session.open_store(tmp_path / "s.zarr", recover=False)
    assert state_of(again) == now and not again.recoverable
    again.close()


def test_steps_that_may_yet_be_restored_are_not_called_saved(tmp_path: Path) -> None:
    session = Session.start(small_section())
    session.save(tmp_path / "s.zarr")
    step(session, 0)
    step(session, 1)
    now = state_of(session)
    session.close()
    waiting = Session.open_store(tmp_path / "s.zarr", recover=False)
    waiting.save()
    assert waiting.recoverable == 2
    waiting.close()
    again = Session.open_store(tmp_path / "s.zarr")
    assert state_of(again) == now and again.position == 2
    again.close()
