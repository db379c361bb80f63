"""Edits and saves in a process that is killed: run by test_kill.py as a program of its own (POSIX).

Each round forks a worker, kills it with SIGKILL at a random moment, and forks a reader that opens what is
left. Forking spares the seconds that importing SpatialData takes.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_spatialml.session import Session, correct
from napari_spatialml.session.corrections import packed
from tests.session.conftest import small_section

STEPS = 18


def step(session: Session, number: int) -> None:
    """Edit number ``number``: always the same one, whatever happened before."""
    rng = np.random.default_rng(number)
    document = session.document
    if number % 3 == 0:
        command = correct(document, "relabel", table="counts", column="domain", rows=[number % 12], value=f"D{number}")
    elif number % 3 == 1:
        window = np.full((9, 9), number + 20, np.int32)
        offset = [int(v) for v in rng.integers(0, 80, 2)]
        command = correct(document, "paint-labels", labels="nuclei", offset=offset, values=packed(window))
    else:
        pair = [float(v) for v in rng.uniform(0, 40, 2)]
        command = correct(document, "add-landmark", landmarks="msi", fixed_um=pair, moving_um=pair)
    session.execute(command)


def work(store: Path, pipe: int) -> None:
    """Edit, acknowledge each edit, and save after every third."""
    session = Session.open_store(store)
    for number in range(STEPS):
        step(session, number)
        os.write(pipe, b".")
        if number % 3 == 2:
            session.save()


def expect(folder: Path) -> None:
    """Write the fingerprints after each number of edits."""
    os.environ["NAPARI_SPATIALML_STATE"] = str(folder / "state")
    session = Session.start(small_section())
    states = [session.document.fingerprints()]
    for number in range(STEPS):
        step(session, number)
        states.append(session.document.fingerprints())
    (folder / "expected.json").write_text(json.dumps(states))
    session.jump(0)
    session.save(folder / "template.zarr")
    session.close()


def look(store: Path, folder: Path) -> None:
    """Open what a killed process left, and write what is there."""
    session = Session.open_store(store)
    found = {"position": session.position, "state": session.document.fingerprints()}
    session.save()
    session.close()
    session = Session.open_store(store)
    found["saved"] = session.document.fingerprints()
    session.jump(0)
    found["start"] = session.document.fingerprints()
    session.close()
    (folder / "found.json").write_text(json.dumps(found))


def forked(target: Callable[[], None]) -> int:
    """Run a function in a child; return its process id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            target()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def finished(target: Callable[[], None], what: str) -> None:
    _, status = os.waitpid(forked(target), 0)
    if status != 0:
        sys.exit(f"{what} failed")


def main(folder: Path, rounds: int, seed: int) -> None:
    """Kill ``rounds`` times; print one JSON line a round."""
    warnings.simplefilter("ignore")
    finished(lambda: expect(folder), "the reference run")
    expected = json.loads((folder / "expected.json").read_text())
    store, moments = folder / "work.zarr", random.Random(seed)
    whole = 0.0
    for number in range(rounds + 1):
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(folder / "template.zarr", store)
        read, write = os.pipe()
        start = time.perf_counter()
        child = forked(lambda w=write: work(store, w))
        os.close(write)
        if number > 0:
            time.sleep(moments.uniform(0.05, 1.0) * whole)
            os.kill(child, signal.SIGKILL)
        acknowledged = b"".join(iter(lambda r=read: os.read(r, 100), b"")).count(b".")
        _, status = os.waitpid(child, 0)
        os.close(read)
        if number == 0:
            assert status == 0, "the uninterrupted run failed"
            whole = time.perf_counter() - start
        finished(lambda: look(store, folder), f"opening after kill {number}")
        found = json.loads((folder / "found.json").read_text())
        n = found["position"]
        right = {
            "state": found["state"] == expected[n],
            "saved": found["saved"] == expected[n],
            "undone": found["start"] == expected[0],
        }
        print(json.dumps({"killed": number > 0 and status != 0, "acknowledged": acknowledged, "found": n, **right}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
