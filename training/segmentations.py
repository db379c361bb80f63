"""Segmentations whose errors are known: real ones of images with truth, and truth with errors planted."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spatialml.core.metrics import intersection_over_union
from napari_spatialml.core.segmentation import Pixels
from napari_spatialml.core.suspicion import Evidence, Looks, asked

__all__ = [
    "WRONG",
    "Segmentation",
    "Segmenter",
    "errors_of",
    "evidence_of",
    "images_of",
    "planted",
    "planter",
    "remembered",
    "starter",
    "watershed",
]

PIXEL_SIZE_UM = 0.5
_LOOKS = tuple(field.name for field in fields(Looks))
WRONG = 0.5
"""A cell is wrong when its best intersection over union with a true cell is below this."""


def errors_of(true: npt.NDArray[Any], found: npt.NDArray[Any]) -> tuple[Any, Any, Any]:
    """Return, for each cell found: its best overlap, whether it joins true cells, whether it shares one."""
    overlap = intersection_over_union(true, found)
    n = overlap.shape[1]
    best = np.asarray(overlap.max(axis=0).todense()).ravel() if overlap.shape[0] else np.zeros(n)
    pairs = overlap.tocoo()
    area_true = np.unique(true[true > 0], return_counts=True)[1]
    area_found = np.unique(found[found > 0], return_counts=True)[1]
    common = pairs.data / (1 + pairs.data) * (area_true[pairs.row] + area_found[pairs.col])
    inside = np.bincount(pairs.col, weights=common > 0.5 * area_true[pairs.row], minlength=n)
    within = common > 0.7 * area_found[pairs.col]
    parts = np.bincount(pairs.row[within], minlength=overlap.shape[0])
    shared = np.bincount(pairs.col, weights=within & (parts[pairs.row] >= 2), minlength=n)
    return best, inside >= 2, (shared > 0) & (best < WRONG)


@dataclass(frozen=True)
class Segmentation:
    """One segmenter's result on one image: labels, its field if it has one, and that of several looks."""

    labels: npt.NDArray[Any]
    field: Any = None
    looks: Looks | None = None


Segmenter = Callable[[Pixels, npt.NDArray[Any]], Segmentation]
"""Takes an image and its true labels, which only `planter` looks at."""


def watershed(pixels: Pixels, true: npt.NDArray[Any]) -> Segmentation:
    """Segment without a network."""
    from napari_spatialml.methods.segmentation.watershed import Watershed

    return Segmentation(Watershed()(pixels).labels)


def starter(weights: Path | None = None) -> Segmenter:
    """Return the segmenter with the shipped network, or with other weights: its cells, field and looks."""
    from napari_spatialml.methods.segmentation.starter import Starter

    method: Any = Starter() if weights is None else Starter(weights=str(weights))

    def segment(pixels: Pixels, true: npt.NDArray[Any]) -> Segmentation:
        size = pixels.pixel_size_um
        field = method.field(pixels)
        looks = asked(replace(method, diameter_um=field.diameter * size), pixels)
        return Segmentation(method.decode(field, size).labels, field, looks)

    return segment


def fingerprint(pixels: Pixels) -> str:
    """Return a hash of an image."""
    return hashlib.sha256(np.ascontiguousarray(pixels.values).tobytes()).hexdigest()[:16]


def remembered(segment: Segmenter, folder: Path) -> Segmenter:
    """Return a segmenter that keeps what it found in a folder, so that measures can change without the network."""
    from types import SimpleNamespace

    def again(pixels: Pixels, true: npt.NDArray[Any]) -> Segmentation:
        path = folder / f"{fingerprint(pixels)}.npz"
        if not path.exists():
            found = segment(pixels, true)
            folder.mkdir(parents=True, exist_ok=True)
            first = {"labels": found.labels, "logit": found.field.logit, "flows": found.field.flows}
            np.savez(path, **first, **{f"looks_{name}": getattr(found.looks, name) for name in _LOOKS})
        with np.load(path, allow_pickle=False) as held:
            field = SimpleNamespace(logit=held["logit"], flows=held["flows"])
            return Segmentation(held["labels"], field, Looks(*(held[f"looks_{name}"] for name in _LOOKS)))

    return again


def images_of(folder: Path) -> Iterator[tuple[str, str, Pixels, npt.NDArray[Any]]]:
    """Yield name, kind, image and true labels of a folder with index.csv, images/ and labels/."""
    from skimage.io import imread

    with (folder / "index.csv").open() as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["id"])
    for row in rows:
        name = row["id"][:12]
        image = imread(folder / "images" / f"{name}.png")
        true = imread(next((folder / "labels").glob(f"{name}.*")))
        planes = np.moveaxis(image[..., :3], -1, 0) if image.ndim == 3 else image[None]
        yield name, row["kind"], Pixels(np.ascontiguousarray(planes), PIXEL_SIZE_UM), true


def evidence_of(pixels: Pixels, found: Segmentation, looks: int = 1) -> Evidence:
    """Return what is known of a segmented image, its network asked not at all (0), once (1) or several times (2)."""
    field = (None, found.field, found.looks)[looks]
    return Evidence(found.labels, pixels.pixel_size_um, image=pixels.values, field=field)


def planted(true: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[np.int32]:
    """Return the true cells with errors that a hand may also make: about a fifth of them get one.

    Cut in two, joined with a neighbour, hollowed out; and specks on the background.
    """
    from scipy.ndimage import distance_transform_edt

    labels = true.astype(np.int32)
    ids = np.unique(labels[labels > 0])
    top = int(ids.max(initial=0))
    for cell in rng.permutation(ids)[: max(1, len(ids) // 5)]:
        mask = labels == cell
        if mask.sum() < 30:
            continue
        y, x = np.nonzero(mask)
        kind = rng.integers(3)
        if kind == 0:
            angle, shift = rng.uniform(0, np.pi), rng.normal(0, 0.1) * np.sqrt(len(y))
            side = (y - y.mean()) * np.sin(angle) + (x - x.mean()) * np.cos(angle) > shift
            top += 1
            labels[y[side], x[side]] = top
        elif kind == 1:
            depth = distance_transform_edt(mask)
            labels[depth > rng.uniform(0.1, 0.4) * depth.max()] = 0
        else:
            near = labels[max(y.min() - 3, 0) : y.max() + 4, max(x.min() - 3, 0) : x.max() + 4]
            others = np.unique(near[(near > 0) & (near != cell)])
            if len(others):
                labels[labels == rng.choice(others)] = cell
    size = float(np.sqrt(np.median(np.bincount(true.ravel())[ids]))) if len(ids) else 10.0
    for _ in range(max(1, len(ids) // 10)):
        cy, cx = rng.integers(0, labels.shape[0]), rng.integers(0, labels.shape[1])
        r = max(1, round(rng.uniform(0.05, 0.2) * size))
        box = labels[max(cy - r, 0) : cy + r + 1, max(cx - r, 0) : cx + r + 1]
        if not box.any():
            top += 1
            box[:] = top
    return labels


def planter(seed: int, segment: Segmenter | None = None) -> Segmenter:
    """Return what plants errors into true labels, one image after the other; with the field of a segmenter."""
    rng = np.random.default_rng(seed)

    def plant(pixels: Pixels, true: npt.NDArray[Any]) -> Segmentation:
        labels = planted(true, rng)
        return replace(segment(pixels, true), labels=labels) if segment else Segmentation(labels)

    return plant
