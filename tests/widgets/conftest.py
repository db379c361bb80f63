"""A viewer without a window, a small section on its desk, and no journal of a test in the person's home."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel

from napari_spatialml.io.sample import sample_section
from napari_spatialml.session import Session
from napari_spatialml.widgets.desk import desk_of, release

SMALL = {"size_um": 200.0}


@pytest.fixture
def states(tmp_path, monkeypatch):
    """Keep the journals of unsaved sections in this test's own folder."""
    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(tmp_path / "states"))
    return tmp_path / "states"


@pytest.fixture
def viewer(states, qtbot):
    """Return a model of a viewer; its desk is cleared at the end."""
    model = ViewerModel()
    yield model
    release(model)


@pytest.fixture
def desk(viewer):
    """Return a desk with the small sample section on it."""
    made = desk_of(viewer)
    made.take(Session.start(sample_section(0, **SMALL), source="small sample"))
    return made


@pytest.fixture
def show(qtbot):
    """Return a function that shows a widget and keeps it until the end of the test."""

    def shown(widget):
        qtbot.addWidget(widget)
        widget.resize(400, 800)
        widget.show()
        qtbot.waitExposed(widget)
        return widget

    return shown


@pytest.fixture
def ran(qtbot):
    """Return a function that presses Run, waits for the end, and returns the line that tells it."""

    def run(dock):
        dock.refresh_now()
        dock.panel.button.click()
        qtbot.waitUntil(lambda: dock.panel.state == "idle", timeout=30_000)
        return dock.panel.message.text()

    return run
