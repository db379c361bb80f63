"""A run over a slide in a process that is killed: run by test_slides.py as a program of its own (POSIX)."""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

from napari_spatialml.core.method import method
from napari_spatialml.core.report import Report, silent
from napari_spatialml.core.segmentation import Masks, Pixels
from napari_spatialml.session import SegmentationSelection, Session, run
from tests.session.killed import finished
from tests.session.slide_cells import AboveHalf, nuclei, section

PIPE = -1


@method(title="Told")
class Told(AboveHalf):
    """Tells the parent of every tile that it is given."""

    def __call__(self, pixels: Pixels, report: Report = silent) -> Masks:
        if PIPE >= 0:
            os.write(PIPE, b".")
        return super().__call__(pixels, report)


def begin(folder: Path) -> None:
    """Save the same section three times."""
    for name in ("whole.zarr", "a.zarr", "b.zarr"):
        session = Session.start(section(nuclei(260, 330)[None]))
        session.save(folder / name)
        session.close()


def work(folder: Path, name: str) -> None:
    """Segment, save, and write what came out."""
    session = Session.open_store(folder / name)
    run(session, Told(), SegmentationSelection("dapi", tile=64))
    session.save()
    session.close()
    again = Session.open_store(folder / name)
    held = {k: v for k, v in again.document.fingerprints().items() if "nuclei" in k}
    (folder / f"{name}.json").write_text(json.dumps(held))
    again.close()


def started(folder: Path, name: str, kill_after: int) -> tuple[int, bool]:
    """Run in a child; kill it after so many tiles. Return how many it began, and whether it was killed."""
    global PIPE
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        PIPE = write
        os.close(read)
        code = 1
        try:
            work(folder, name)
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    count = 0
    while os.read(read, 1):
        count += 1
        if count == kill_after:
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return count, status != 0


def main(folder: Path) -> None:
    """Run once as a whole, and twice with a kill; print one JSON line."""
    warnings.simplefilter("ignore")
    os.environ["NAPARI_SPATIALML_STATE"] = str(folder / "state")
    finished(lambda: begin(folder), "saving")  # in a child: threads that zarr starts do not survive a fork
    tiles, _ = started(folder, "whole.zarr", -1)
    told: dict[str, Any] = {"tiles": tiles, "finished": [], "then": [], "killed": True, "same": True}
    expected = (folder / "whole.zarr.json").read_text()
    for name, after in (("a.zarr", 4), ("b.zarr", 19)):
        begun, killed = started(folder, name, after)
        then, _ = started(folder, name, -1)
        told["finished"].append(begun - 2)  # one to measure the cells, and the one in work
        told["then"].append(then)
        told["killed"] &= killed
        told["same"] &= (folder / f"{name}.json").read_text() == expected
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
