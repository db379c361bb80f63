"""Pictures of the real window, taken by the window itself in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import SpatialMLError
from .picture import Picture
from .walk import Walk

__all__ = ["has_display", "screen", "screenshots"]

SECONDS = 120


class NoScreen(SpatialMLError):
    """There is neither a display nor a virtual one."""


def has_display() -> bool:
    """Tell whether a window can be shown here."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextmanager
def screen() -> Iterator[dict[str, str]]:
    """Give an environment with a screen: the one that is there, or a virtual one.

    Raises
    ------
    NoScreen
        When there is neither.
    """
    if has_display():
        yield dict(os.environ)
        return
    if not shutil.which("Xvfb"):
        raise NoScreen("There is no display, and Xvfb is not installed.", "On Debian: apt-get install xvfb.")
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as answer:
            number = answer.readline().strip()
        if not number:
            raise NoScreen("The virtual screen did not start.", "Try 'Xvfb :99' by hand to see why.")
        yield {**os.environ, "DISPLAY": f":{number}"}
    finally:
        server.terminate()
        server.wait()


def screenshots(walk: Walk) -> None:
    """Have the window open the saved section and take pictures of itself."""
    folder = walk.options.out / "screenshots"
    with walk.step("window", "the saved section in the real window") as row:
        with screen() as environment:
            _shoot(walk.store, folder, environment)
        found = sorted(folder.glob("*.png"))
        row.measured = f"{len(found)} screenshot{'' if len(found) == 1 else 's'}"
        for path in found:
            title = path.stem.lstrip("0123456789_-").replace("_", " ").replace("-", " ")
            caption = "The napari window itself."
            walk.show(Picture(f"window_{path.stem}", f"Window: {title}", caption, path.read_bytes()))


def _shoot(store: Path, folder: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "napari_spatialml.widgets", "shoot", str(store), "--out", str(folder)]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise NoScreen(f"No screenshots: the window took more than {SECONDS} s.", "Try a faster screen.") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise NoScreen(f"No screenshots: the window could not be opened ({last}).", "Run: napari-spatialml doctor.")
