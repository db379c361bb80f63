"""Killed while editing or saving: the document opens, and at most the stroke in progress is missing."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from napari_spatialml.errors import DocumentError
from napari_spatialml.session import Session, correct

from .conftest import small_section, state_of
from .killed import step

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_twenty_kills_at_random_moments_lose_at_most_the_stroke_in_progress(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.session.killed", str(tmp_path), "20", "7"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    rounds = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(rounds) == 21
    assert sum(r["killed"] for r in rounds) >= 15, "too few kills hit a running process"
    for r in rounds:
        assert r["acknowledged"] <= r["found"] <= r["acknowledged"] + 1, r
        assert r["state"] and r["saved"] and r["undone"], r


# About 235 operations stage, 16 commit, 50 sweep up. The commit is where it matters: each of its moments.
MOMENTS = [0, 110, *range(228, 262, 1), 280, 10_000]


class Killed(BaseException):
    """Stands for the end of the process: nothing after it happens."""


def edited(folder: Path) -> tuple[Session, dict[str, Any], dict[str, Any]]:
    """A saved section with unsaved edits of every kind, and its states saved and now."""
    session = Session.start(small_section())
    session.save(folder / "s.zarr")
    saved = state_of(session)
    for number in range(4):
        step(session, number)
    session.execute(correct(session.document, "merge-cells", labels="nuclei", cells=[5, 6]))
    session.execute(correct(session.document, "remove-element", **{"name": "pixels"}))
    session.execute(correct(session.document, "set-unit", coordinate_system="global", um_per_unit=2.0))
    return session, saved, state_of(session)


def test_a_save_that_dies_at_any_file_operation_is_completed_or_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = {name: getattr(os, name) for name in ("replace", "rename", "unlink")}
    moments = iter(MOMENTS)
    died, reached = True, 0
    while died:
        at = next(moments)
        folder = tmp_path / str(at)
        folder.mkdir()
        session, _, now = edited(folder)
        calls = {"n": 0}

        def counted(name: str, calls: dict[str, int] = calls, last: int = at) -> Any:
            def call(*args: Any, **kwargs: Any) -> Any:
                calls["n"] += 1
                if calls["n"] > last:
                    raise Killed
                return real[name](*args, **kwargs)

            return call

        with monkeypatch.context() as patch:
            for name in real:
                patch.setattr(os, name, counted(name))
            with contextlib.suppress(BaseException):  # zarr may wrap it
                session.save()
        died = calls["n"] > at
        session.close()
        again = Session.open_store(folder / "s.zarr")
        assert state_of(again) == now, f"after dying at file operation {at}"
        assert again.position == 7
        again.close()
        reached = at
    assert reached > 200, "the save hardly touched the disk: nothing was tested"


def test_a_full_disk_while_saving_says_so_and_keeps_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session, saved, now = edited(tmp_path)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("napari_spatialml.session.saving.write_whole", full)
        with pytest.raises(DocumentError, match="No space left on device"):
            session.save()
    assert session.unsaved
    assert not (tmp_path / "s.zarr" / "spatialml" / "staging").exists()
    session.save()
    assert state_of(session) == now != saved
    session.close()
    again = Session.open_store(tmp_path / "s.zarr")
    assert state_of(again) == now
    again.close()
