"""Registration from images alone: a kidney in two stains from 24 starts, ions on histology, and what does not belong.

With the environment variable ``NAPARI_SPATIALML_PEER_REGISTRATION`` naming a Python that has SimpleITK,
picsl-greedy and scikit-image, those register some of the same pairs in the same run. Seconds are those of one
thread's processor.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_spatialml.core import Affine, Alignment, Pair
from napari_spatialml.core.image_alignment import pictures_of
from napari_spatialml.methods import method

from ..figures import Figure
from .image_pairs import DATA, Known, bladder, kidney, wrong

PEER = "NAPARI_SPATIALML_PEER_REGISTRATION"
STARTS = tuple((float(degrees), mirror) for degrees in range(0, 360, 30) for mirror in (False, True))
BESIDE = (0, 1, 9, 14)
"""Of the starts, those at which the other programs are measured too."""
RIGHT = 2.0
"""A placement is right whose median error is below this share of the diagonal, in %."""
IONS = ((0.0, False, 1.0), (100.0, True, 1.0), (200.0, False, 1.0), (75.0, True, 1.3), (0.0, False, 2.0))
WRONG = (
    ("he", "bulb 1"),
    ("he", "slide"),
    ("cytokeratin", "bulb 2"),
    ("he", "bladder"),
    ("bladder", "slide"),
    ("bulb 1", "slide"),
    ("bladder", "bulb 1"),
    ("ions", "he"),
    ("ions", "bulb 1"),
    ("ions", "slide"),
)
KIDNEY = "kidney_pair, PanCytokeratin on H&E"


@dataclass(frozen=True)
class Run:
    """One registration of a known pair."""

    known: Known
    found: Alignment
    seconds: float

    @property
    def affine(self) -> Affine:
        """The part that does not bend."""
        first = getattr(self.found.transform, "transforms", (self.found.transform,))[0]
        assert isinstance(first, Affine)
        return first

    @property
    def right(self) -> bool:
        """Whether a right placement is among the candidates."""
        return any(np.median(self.known.errors(one.transform)) < RIGHT for one in self.found.candidates)

    def median(self, affine: bool = False) -> float:
        """Return the median error in % of the diagonal."""
        return float(np.median(self.known.errors(self.affine if affine else self.found.transform)))


def run(known: Known, **settings: Any) -> Run:
    """Register a known pair."""
    start = time.process_time()
    found = method("registration", "images")(**settings)(known.pair)
    return Run(known, found, time.process_time() - start)


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the figures; none where the data are absent."""
    if not (DATA / "kidney_pair").is_dir():
        print(f"not measured: there is no folder {DATA / 'kidney_pair'}")
        return
    run(kidney(0.0, False), bend="none")  # compiles
    runs = [run(kidney(*start, fill=255.0 if k % 2 else None)) for k, start in enumerate(STARTS)]
    yield from _kidney(runs)
    python = os.environ.get(PEER, "")
    if python:
        yield from _beside(python, [runs[k] for k in BESIDE])
    else:
        print(f"no peers: {PEER} names no Python")
    yield from _bladder([run(bladder(*start)) for start in IONS])
    yield from _wrong()


def _kidney(runs: list[Run]) -> Iterator[tuple[str, Figure]]:
    data = f"{KIDNEY}, every 30°, mirrored or not"
    affine, whole = ([one.median(only) for one in runs] for only in (True, False))
    yield "starts found among four candidates", Figure(sum(r.right for r in runs), "of 24", 24, False, data=data)
    yield "median rTRE after affine", Figure(float(np.median(affine)), "%", 0.26, data=data)
    yield "median rTRE after affine, worst start", Figure(max(affine), "%", data=data)
    yield "median rTRE after elastic", Figure(float(np.median(whole)), "%", 0.17, data=data)
    yield "median rTRE after elastic, worst start", Figure(max(whole), "%", data=data)
    yield "median rTRE after elastic: standard error over landmarks", Figure(_unsure(runs), "%", data=data, seed=0)
    yield "seconds, worst start", Figure(max(r.seconds for r in runs), "s", 20, data=data)
    warned = sum(bool(r.found.trust and r.found.trust.warning) for r in runs)
    yield "right ones with a warning", Figure(warned, "of 24", 2, data=data)
    areas, apart = zip(*(_sound(one) for one in runs[:4]), strict=True)
    yield "least area in tissue, of 1: above 0 no fold", Figure(min(areas), "of 1", 0.0, False, data=KIDNEY)
    pixels = np.concatenate(apart)
    yield "inverse, median", Figure(float(np.median(pixels)), "px", 0.05, data=KIDNEY)
    yield "inverse, worst", Figure(float(pixels.max()), "px", 0.3, data=KIDNEY)


def _unsure(runs: list[Run]) -> float:
    """Return by how much the median would differ had other landmarks been placed: a bootstrap over them."""
    errors = np.mean([one.known.errors(one.found.transform) for one in runs], 0)
    drawn = np.random.default_rng(0).integers(0, len(errors), (2000, len(errors)))
    return float(np.median(errors[drawn], axis=1).std())


def _sound(one: Run) -> tuple[float, np.ndarray]:
    """Return the least relative area in tissue, and by how much the inverse misses, in pixels."""
    picture, _ = pictures_of(one.known.pair, 5.0)
    tissue = np.argwhere(np.abs(picture.values).sum(0) > 0.5)[::7]
    fixed = picture.grid.apply(tissue)
    back = one.found.transform.inverse()
    moving = back.apply(fixed)
    areas = np.linalg.det(one.found.transform.jacobian(moving)) / np.linalg.det(one.affine.matrix[:2, :2])
    missed = np.linalg.norm(one.found.transform.apply(moving) - fixed, axis=1)
    return float(areas.min()), missed / one.known.pair.fixed.pixel_size_um


def _bladder(runs: list[Run]) -> Iterator[tuple[str, Figure]]:
    data = "bladder_msi, ions on H&E, turned, mirrored, rows of 1, 1.3 and 2 times the width that they are said to have"
    yield "ions: placed right", Figure(sum(r.right for r in runs), f"of {len(IONS)}", len(IONS), False, data=data)
    for name, only in (("affine", True), ("elastic", False)):
        errors = [np.median(r.known.errors(r.affine if only else r.found.transform)) for r in runs]
        microns = float(np.median(errors)) / 100 * runs[0].known.diagonal
        yield f"ions: median error after {name}", Figure(microns, "µm", data=f"{data}; pixels of 10 µm")


def _wrong() -> Iterator[tuple[str, Figure]]:
    quiet = [f"{a} and {b}" for a, b in WRONG if not _warns(wrong(a, b, 40.0))]
    data = "kidney, bulb, bladder, slide and ions on each other" + (f"; silent: {', '.join(quiet)}" if quiet else "")
    held = len(WRONG) - len(quiet)
    yield "pairs that do not belong: warned of", Figure(held, f"of {len(WRONG)}", len(WRONG), False, data=data)


def _warns(pair: Pair) -> bool:
    trust = method("registration", "images")(bend="none")(pair).trust
    return bool(trust and trust.warning)


def _beside(python: str, runs: list[Run]) -> Iterator[tuple[str, Figure]]:
    """Let the other programs register the same pairs, in grey, as they read images."""
    held: dict[str, Any] = {"pairs": len(runs)}
    for k, one in enumerate(runs):
        for side in ("fixed", "moving"):
            held[f"{side}_{k}"] = getattr(one.known.pair, side).image.mean(0).astype(np.float32)
        held |= {f"from_{k}": one.known.moving, f"to_{k}": one.known.fixed, f"start_{k}": one.affine.matrix}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.npz"
        np.savez(path, **held)
        script = str(Path(__file__).with_name("images_peer.py"))
        theirs = _json([python, script, str(path)])
    names = [f"{int(STARTS[k][0])}°{' mirrored' if STARTS[k][1] else ''}" for k in BESIDE]
    data = f"{KIDNEY}, starts {', '.join(names)}"
    own = float(np.median([r.median() for r in runs])), float(np.median([r.seconds for r in runs]))
    for name, rows in theirs.items():
        errors, seconds = np.array(rows, float).T
        right = int((errors < RIGHT).sum())
        yield (
            f"beside {name}: placed right",
            _pair(sum(r.right for r in runs), right, f"of {len(runs)}", name, data, False),
        )
        reached = float(np.nanmedian(errors[errors < RIGHT])) if right else float("nan")
        yield f"beside {name}: median rTRE where right", _pair(own[0], reached, "%", name, data)
        yield f"beside {name}: seconds", _pair(own[1], float(np.median(seconds)), "s", name, data)


def _pair(own: float, theirs: float, unit: str, name: str, data: str, lower: bool = True) -> Figure:
    return Figure(own, unit, None, lower, name, theirs, f"{data}; theirs {theirs:.3g} {unit}")


def _json(command: list[str]) -> dict[str, list[list[float]]]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    found: dict[str, list[list[float]]] = json.loads(done.stdout.strip().splitlines()[-1])
    return found
