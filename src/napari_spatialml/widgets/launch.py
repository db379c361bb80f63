"""A napari window with the workbench in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import SpatialMLError

__all__ = ["NoWindow", "dock", "open_window", "wait_until"]

PLUGIN, WIDGET = "napari-spatialml", "SpatialML workbench"


class NoWindow(SpatialMLError):
    """No window can be opened here: there is no screen, or no OpenGL."""


def check_display() -> None:
    """Raise `NoWindow` unless a window with OpenGL can be opened."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise NoWindow(
            "There is no display here, so no window can be opened.",
            "Run it on a desktop, with 'ssh -X', or under 'xvfb-run'.",
        )
    from qtpy.QtGui import QOffscreenSurface, QOpenGLContext
    from qtpy.QtWidgets import QApplication

    if os.environ.get("QT_QPA_PLATFORM", "").startswith(("offscreen", "minimal")):
        raise NoWindow("Qt's offscreen platform draws no OpenGL.", "Unset QT_QPA_PLATFORM, or use 'xvfb-run'.")
    application = QApplication.instance() or QApplication(sys.argv[:1])
    surface = QOffscreenSurface()
    surface.create()
    context = QOpenGLContext()
    if not (context.create() and context.makeCurrent(surface)):
        raise NoWindow(
            "OpenGL does not work here, so napari cannot draw.",
            "Install a graphics driver, or Mesa's software one (Debian: libgl1-mesa-dri).",
        )
    context.doneCurrent()
    del application


def open_window(*, width: int = 1600, height: int = 1000, show: bool = True) -> tuple[Any, Any]:
    """Open a napari window with the workbench.

    Returns
    -------
    tuple
        napari's viewer and the workbench.

    Raises
    ------
    NoWindow
        When there is no screen or no OpenGL.
    """
    check_display()
    import napari

    viewer = napari.Viewer(title="SpatialML", show=False)
    window = viewer.window._qt_window
    window.resize(width, height)
    bench = dock(viewer)
    if show:
        window.show()
    return viewer, bench


def dock(viewer: Any) -> Any:
    """Return the workbench of a viewer, adding it on the right where it is not there yet."""
    viewer = getattr(viewer, "__wrapped__", viewer)
    from .workbench import Workbench

    window = viewer.window._qt_window
    there = window.findChild(Workbench)
    if there is not None:
        return there
    bench = Workbench(viewer)
    # the name that the plugin menu gives it, so that the menu shows this one instead of a second one
    viewer.window.add_dock_widget(bench, name=f"{WIDGET} ({PLUGIN})", area="right", add_vertical_stretch=False)
    return bench


def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    """Let the window work until something is so; return whether it became so in time."""
    import time

    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        QApplication.processEvents()
        time.sleep(0.005)
    return True


def run_window(paths: list[Path], stated: dict[str, Any], *, tour: bool = False) -> int:
    """Open a window on files, or on the guided tour, and return when it is closed."""
    import napari

    _, bench = open_window()
    if paths:
        bench.desk.opening.open(paths, **stated)
    if tour:
        bench.tour.start()
    napari.run()
    return 0
