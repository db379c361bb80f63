"""A folder of images and labels, its split, and the flows of its labels.

The layout: ``index.csv`` with the columns id and kind ("fluorescence", "h&e", "bright-field"),
``images/ID.png``, ``labels/ID.png`` (0 is background).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spatialml.core.flow_crops import Example, example_of
from napari_spatialml.core.flow_input import Stain, limits_of, scaled

from .borders import importance_of

__all__ = ["FOLDS", "STAINS", "Picture", "examples", "folds", "pictures", "series"]

FOLDS = 5
STAINS: dict[str, Stain] = {
    "fluorescence": "fluorescence",
    "h&e": "histology",
    "bright-field": "bright-field",
    "simulated h&e": "histology",
}
_ALIKE = 1.5  # grey levels: pictures of one series, taken one after the other, differ by less


@dataclass(frozen=True)
class Picture:
    """An image with its labels: values (c, y, x), labels (y, x)."""

    name: str
    kind: str
    values: npt.NDArray[Any]
    labels: npt.NDArray[np.int32]

    @property
    def diameter(self) -> float:
        """Diameter in pixels of the disc with the median area of the nuclei."""
        areas = np.bincount(self.labels.ravel())[1:]
        areas = areas[areas > 0]
        return 2 * float(np.sqrt(np.median(areas) / np.pi)) if areas.size else 20.0


def pictures(folder: Path) -> list[Picture]:
    """Read a folder."""
    import cv2

    found = []
    with (folder / "index.csv").open() as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["id"])
    for row in rows:
        image = cv2.imread(str(folder / "images" / f"{row['id']}.png"), cv2.IMREAD_UNCHANGED)
        labels = cv2.imread(str(folder / "labels" / f"{row['id']}.png"), cv2.IMREAD_UNCHANGED)
        values = np.moveaxis(image[..., 2::-1], -1, 0) if image.ndim == 3 else image[None]
        found.append(Picture(row["id"], row["kind"], np.ascontiguousarray(values), labels.astype(np.int32)))
    return found


def folds(given: list[Picture]) -> npt.NDArray[np.int64]:
    """Return each picture's fold, 0 to 4, stratified by kind and size.

    Pictures of one kind and size whose grey-level statistics are all but equal are of one series and
    share a fold, so that no near copy of a picture is on both sides. Needs no seed.
    """
    strata, of_series = _strata(given), series(given)
    fold = np.zeros(len(given), dtype=np.int64)
    for stratum in np.unique(strata):
        held = np.zeros(FOLDS)
        members = np.flatnonzero(strata == stratum)
        ids, counts = np.unique(of_series[members], return_counts=True)
        for one in ids[np.argsort(-counts, kind="stable")]:
            # ties go round, for a stratum of few pictures would fill the first fold alone
            order = np.roll(np.arange(FOLDS), stratum % FOLDS)
            goes = int(order[np.argmin(held[order])])
            fold[members[of_series[members] == one]] = goes
            held[goes] += (of_series[members] == one).sum()
    return fold


def series(given: list[Picture]) -> npt.NDArray[np.int64]:
    """Return each picture's series: those of one kind and size whose grey levels are all but equal."""
    from scipy.sparse.csgraph import connected_components

    strata = _strata(given)
    marks = np.array([_fingerprint(p.values) for p in given])
    alike = (np.abs(marks[:, None] - marks[None]).max(axis=-1) <= _ALIKE) & (strata[:, None] == strata[None])
    return np.asarray(connected_components(alike, directed=False)[1], dtype=np.int64)


def _strata(given: list[Picture]) -> npt.NDArray[np.int64]:
    return np.unique([f"{p.kind} {p.labels.shape}" for p in given], return_inverse=True)[1]


def _fingerprint(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    flat = np.broadcast_to(values, (3, *values.shape[1:])).reshape(3, -1).astype(np.float64)
    quantiles = np.percentile(flat, [1, 25, 50, 75, 99], axis=1).ravel()
    return np.concatenate([quantiles, flat.mean(axis=1), flat.std(axis=1)])


def examples(given: list[Picture]) -> list[Example]:
    """Normalise each picture as a whole, compute its flows and what matters in it, once."""
    found = []
    for picture in given:
        stain = STAINS[picture.kind]
        planes = scaled(picture.values, limits_of(picture.values), stain != "fluorescence")
        one = example_of(picture.kind, planes, picture.labels, picture.diameter)
        found.append(replace(one, importance=importance_of(picture.labels, picture.diameter)))
    return found
