"""A hundred planted errors, repaired by a reader who goes through the sheets of the review.

A seed is a simulated section, or the errors that are planted into the real images; of several the worst one counts.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.figures import Figure
from benchmarks.planted import MIXTURE, Planted, overlaps, plant, repaired
from benchmarks.reader import Reader

SUBJECT = "repair"
ERRORS, MOST_INPUTS, SEEDS = 100, 250, (0, 1, 2)
DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "nuclei"


@dataclass(frozen=True)
class Outcome:
    """What one reader did to the errors of one seed.

    Parameters
    ----------
    seed, inputs
        Of the planting; all keys, clicks and drags.
    done, planted
        How many errors of each kind are repaired, and were planted.
    changed
        Cells without an error that lost or gained a pixel.
    """

    seed: int
    inputs: int
    done: dict[str, int]
    planted: dict[str, int]
    changed: int


def _section(image: npt.NDArray[Any], channels: list[str], labels: npt.NDArray[np.int32], pixel_um: float) -> Any:
    from spatialdata import SpatialData
    from spatialdata.models import Image2DModel, Labels2DModel
    from spatialdata.transformations import Scale

    place = {"global": Scale([pixel_um, pixel_um], axes=("x", "y"))}
    section = SpatialData(
        images={"image": Image2DModel.parse(image, dims=("c", "y", "x"), c_coords=channels, transformations=place)},
        labels={"cells": Labels2DModel.parse(labels, dims=("y", "x"), transformations=place)},
    )
    section.attrs["spatialml"] = {"version": 1, "um_per_unit": {"global": 1.0}}
    return section


def simulated(seed: int) -> tuple[npt.NDArray[Any], list[str], npt.NDArray[np.int32], float]:
    """Return the nuclei of the simulated section in DAPI, and their truth."""
    from napari_spatialml.io.sample import sample_truth

    tissue = sample_truth(seed)
    return tissue.dapi, ["DAPI"], np.asarray(tissue.labels), tissue.pixel_size_um


def real() -> tuple[npt.NDArray[Any], list[str], npt.NDArray[np.int32], float] | None:
    """Return the labelled fluorescence images of 520 × 696 pixels side by side; None where they are not there."""
    from skimage.io import imread

    if not (DATA / "index.csv").exists():
        return None
    with (DATA / "index.csv").open() as file:
        names = [r["id"][:12] for r in csv.DictReader(file) if (r["h"], r["w"], r["kind"]) == ("520", "696", "fluo")]
    images, truths, top = [], [], 0
    for name in names:
        image, labels = imread(DATA / "images" / f"{name}.png"), imread(next((DATA / "labels").glob(f"{name}.*")))
        images.append(image[..., :3].mean(-1) if image.ndim == 3 else image.astype(float))
        truths.append(np.where(labels > 0, labels.astype(np.int32) + top, 0))
        top += int(labels.max())
    return np.hstack(images)[None].astype(np.float32), ["DNA"], np.hstack(truths).astype(np.int32), 0.5


def once(made: Any, network: str, seed: int) -> Outcome:
    """Plant errors, let the reader work, and count."""
    from napari_spatialml.session import Session

    image, channels, truth, pixel_um = made
    wrong, errors = plant(truth, ERRORS, seed)
    before = overlaps(wrong, truth)
    assert not any(repaired(e, wrong, truth, before) for e in errors), "an error was none"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = Session.start(_section(image, channels, wrong, pixel_um))
    reader = Reader(session, "cells", truth, network)
    reader.work(MOST_INPUTS)
    labels = session.document.grid("cells").read()
    session.close()
    table = overlaps(labels, truth)
    done = [e for e in errors if repaired(e, labels, truth, table)]
    kinds = [{k: sum(e.kind == k for e in some) for k in MIXTURE} for some in (done, errors)]
    return Outcome(seed, reader.used, *kinds, _touched(errors, wrong, labels))


def measured(name: str, outcomes: list[Outcome], data: str) -> Iterator[tuple[str, Figure]]:
    """Yield the worst of several outcomes, with all of them in words."""
    one_by_one = "; ".join(
        f"seed {one.seed}: {sum(one.done.values())} in {one.inputs}"
        + "".join(f", {n - one.done[k]} {k} left" for k, n in one.planted.items() if n > one.done[k])
        for one in outcomes
    )
    said = f"{data}, {ERRORS} errors ({one_by_one})"
    inputs, least = max(one.inputs for one in outcomes), min(sum(one.done.values()) for one in outcomes)
    yield f"inputs, {name}", Figure(inputs, "inputs", floor=MOST_INPUTS, data=said)
    yield f"errors repaired, {name}", Figure(least, "of 100", floor=ERRORS, lower_is_better=False, data=said)
    changed = max(one.changed for one in outcomes)
    yield f"right cells changed, {name}", Figure(changed, "cells", floor=0, data=data)


def _touched(errors: list[Planted], before: npt.NDArray[Any], after: npt.NDArray[Any]) -> int:
    """Return how many cells without a planted error lost or gained a pixel."""
    planted = {c for e in errors for c in e.cells}
    changed = before != after
    cells = np.unique(np.concatenate([before[changed], after[changed]])).tolist()
    there = set(np.unique(before).tolist())
    return sum(1 for c in cells if c and c in there and c not in planted)


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the figures of the simulated section and, where they are there, of real nuclei."""
    found = real()
    for network in ("", "starter"):
        asked = f", {network} asked" if network else ""
        outcomes = [once(simulated(seed), network, seed) for seed in SEEDS]
        yield from measured(f"simulated{asked}", outcomes, "simulated sections, DAPI")
        if found is not None:
            outcomes = [once(found, network, seed) for seed in SEEDS]
            data = "fluorescence images of 520 × 696 side by side"
            yield from measured(f"real nuclei{asked}", outcomes, data)
