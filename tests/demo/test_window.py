"""Screenshots are taken where there is a screen; elsewhere one sentence says why there are none."""

from __future__ import annotations

import subprocess

import pytest

from napari_spatialml.demo import Options, Walk
from napari_spatialml.demo import window as windows

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


@pytest.fixture
def walk(tmp_path):
    return Walk(Options(out=tmp_path))


def test_without_any_screen_one_sentence_says_so(walk, monkeypatch):
    monkeypatch.setattr(windows, "has_display", lambda: False)
    monkeypatch.setattr(windows.shutil, "which", lambda name: None)
    windows.screenshots(walk)
    (row,) = walk.rows
    assert row.skipped
    assert row.measured.startswith("There is no display, and Xvfb is not installed.")


def test_a_window_that_fails_is_told_with_its_last_line(walk, monkeypatch):
    def run(command, **_):
        return subprocess.CompletedProcess(command, 1, "", "Traceback …\nImportError: libGL.so.1")

    monkeypatch.setattr(windows, "has_display", lambda: True)
    monkeypatch.setattr(windows.subprocess, "run", run)
    windows.screenshots(walk)
    (row,) = walk.rows
    assert row.skipped and "libGL.so.1" in row.measured and "doctor" in row.measured
    assert walk.pictures == []


def test_the_pictures_of_the_window_come_into_the_report(walk, monkeypatch):
    def run(command, **_):
        assert command[1:4] == ["-m", "napari_spatialml.widgets", "shoot"]
        folder = windows.Path(command[-1])
        folder.mkdir()
        (folder / "01-overview.png").write_bytes(PNG)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(windows, "has_display", lambda: True)
    monkeypatch.setattr(windows.subprocess, "run", run)
    windows.screenshots(walk)
    assert [p.title for p in walk.pictures] == ["Window: overview"]
    assert walk.rows[0].measured == "1 screenshot"


@pytest.mark.slow
def test_a_virtual_screen_is_started_and_taken_down(monkeypatch):
    if not windows.shutil.which("Xvfb"):
        pytest.skip("Xvfb is not installed")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(windows.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
    with windows.screen() as environment:
        assert environment["DISPLAY"].startswith(":")
        assert started[0].poll() is None
    assert started[0].poll() is not None
