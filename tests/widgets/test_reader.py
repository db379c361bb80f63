"""What is dropped on napari is opened into the viewer's section, with the workbench beside it."""

from __future__ import annotations

import numpy as np
import pytest
from imageio.v3 import imwrite

from napari_spatialml.widgets.__main__ import main
from napari_spatialml.widgets.desk import desk_of, release
from napari_spatialml.widgets.reader import get_reader
from napari_spatialml.widgets.workbench import Workbench


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "he.png"
    imwrite(path, np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8))
    return path


@pytest.fixture
def window(states, make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    yield viewer
    release(viewer)


def test_what_is_not_ours_is_left_to_others(tmp_path):
    text = tmp_path / "notes.csv"
    text.write_text("a,b\n1,2\n")
    assert get_reader(str(text)) is None
    assert get_reader(str(tmp_path / "absent.tif")) is None
    (tmp_path / "empty.zarr").mkdir()
    assert get_reader(str(tmp_path / "empty.zarr")) is None


def test_an_image_is_ours(image):
    assert callable(get_reader(str(image))) and callable(get_reader([str(image)]))


def test_a_dropped_file_docks_the_workbench_and_asks_for_the_unit(window, qtbot, image):
    window.open(str(image), plugin="napari-spatialml")
    opening = desk_of(window).opening
    assert window.window._qt_window.findChild(Workbench) is not None
    qtbot.waitUntil(lambda: opening.question is not None, timeout=20_000)
    assert len(window.layers) == 0, "nothing is drawn at a guessed scale"
    opening.answer(0.5)
    qtbot.waitUntil(lambda: desk_of(window).session is not None, timeout=20_000)
    assert len(window.layers) == 1


def test_files_dropped_together_become_one_section(window, qtbot, image, tmp_path):
    other = tmp_path / "other.png"
    imwrite(other, np.zeros((20, 30, 3), np.uint8))
    for path in (image, other):
        window.open(str(path), plugin="napari-spatialml")
    opening = desk_of(window).opening
    qtbot.waitUntil(lambda: opening.question is not None and len(opening.paths) == 2, timeout=20_000)
    assert opening.paths == (image, other)
    opening.cancel()


def test_a_file_handed_over_late_joins_those_it_was_dropped_with(window, qtbot, image, tmp_path):
    other = tmp_path / "other.png"
    imwrite(other, np.zeros((20, 30, 3), np.uint8))
    window.open(str(image), plugin="napari-spatialml")
    opening = desk_of(window).opening
    qtbot.waitUntil(lambda: opening.running or opening.question is not None, timeout=20_000)
    opening.drop(other)
    qtbot.waitUntil(lambda: len(opening.paths) == 2 and opening.question is not None, timeout=20_000)
    assert opening.paths == (image, other)
    opening.cancel()


def test_without_a_display_one_sentence_says_what_to_do(monkeypatch, capsys):
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert main(["open"]) == 2
    assert "no display" in capsys.readouterr().err
