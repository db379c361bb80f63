"""Nuclei: how many are found, by stain, on images held out of the training; and how fast flows become cells."""

from __future__ import annotations

import csv
import os
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_spatialml.core.flows import FlowField, decode
from napari_spatialml.core.metrics import average_precision
from napari_spatialml.core.segmentation import Pixels
from napari_spatialml.methods import method

from .figures import Figure

__all__ = ["SUBJECT", "measure"]

SUBJECT = "segmentation"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
PIXEL_SIZE_UM = 0.5
"""The images carry no pixel size: this is passed for all of them, whatever their magnification."""
AT = (0.5, 0.75, 0.9)
FLOORS = {
    ("fluorescence", 0.5): 0.87,
    ("fluorescence", 0.75): 0.74,
    ("fluorescence", 0.9): 0.45,
    ("h&e", 0.5): 0.60,
    ("bright-field", 0.5): 0.65,
}
KINDS = {"fluo": "fluorescence", "HE_light": "h&e", "HE_purple": "h&e"}
DECODE_TIMES, AGREEMENT, SPEED, DECODE_MS = 3.0, 0.99, 0.6, 150.0
Picture = tuple[str, Pixels, np.ndarray]


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the figures; those on real images only where the images are."""
    if not DATA.is_dir():
        warnings.warn(f"NOT MEASURED ON REAL IMAGES: there is no folder {DATA}.", stacklevel=2)
        return
    held_out = _held_out()
    yield from _precision("held-out fold", held_out, FLOORS)
    yield from _precision("nuclei", _small(), {})
    yield from _decoding(held_out)
    yield from _speed(held_out)


def _read(folder: Path, name: str) -> tuple[Pixels, np.ndarray]:
    from skimage.io import imread

    image = imread(folder / "images" / f"{name}.png")
    labels = imread(next((folder / "labels").glob(f"{name}.*")))
    planes = np.moveaxis(image[..., :3], -1, 0) if image.ndim == 3 else image[None]
    return Pixels(planes, PIXEL_SIZE_UM), labels.astype(np.int32)


def _held_out() -> list[Picture]:
    """Return the fold of the training images that the network has not seen."""
    from training.folder import folds, pictures

    read = pictures(DATA / "nuclei_train")
    return [
        (p.kind, Pixels(p.values, PIXEL_SIZE_UM), p.labels)
        for p, fold in zip(read, folds(read), strict=True)
        if fold == 0
    ]


def _small() -> list[Picture]:
    with (DATA / "nuclei" / "index.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [(KINDS.get(row["kind"], row["kind"]), *_read(DATA / "nuclei", row["id"][:12])) for row in rows]


def _precision(
    where: str, pictures: list[Picture], floors: dict[tuple[str, float], float]
) -> Iterator[tuple[str, Figure]]:
    """Yield the mean average precision of each kind, with all parameters at their defaults, beside watershed."""
    starter, watershed = (method("segmentation", name)() for name in ("starter", "watershed"))
    for kind in ("fluorescence", "h&e", "bright-field"):
        chosen = [(pixels, true) for one, pixels, true in pictures if one == kind]
        if not chosen:
            continue
        ours, theirs = (_mean(segment, chosen) for segment in (starter, watershed))
        data = f"{where}: {len(chosen)} images, {sum(len(np.unique(true)) - 1 for _, true in chosen):,} nuclei"
        for at, reached, beside in zip(AT, ours, theirs, strict=True):
            floor = floors.get((kind, at))
            figure = Figure(float(reached), "", floor, False, "watershed", float(beside), data)
            yield f"AP@{at:g}, {kind}, {where}", figure


def _mean(segment: Callable[[Pixels], Any], chosen: list[tuple[Pixels, np.ndarray]]) -> np.ndarray:
    found = [average_precision(true, segment(pixels).labels, AT) for pixels, true in chosen]
    return np.mean(found, axis=0)


def _decoding(pictures: list[Picture]) -> Iterator[tuple[str, Figure]]:
    """Yield what decoding takes beside Cellpose on the same output of the network, and how alike the cells are."""
    import torch
    from cellpose import dynamics

    starter: Any = replace(method("segmentation", "starter")(), device="cpu")
    fields = [starter.field(pixels) for _, pixels, _ in pictures[::4]]
    decode(fields[0])
    took, alike = np.zeros(2), []
    for field in fields:
        start = time.process_time()
        ours = decode(field, flow_error=0.4, min_area=15).labels
        between = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = dynamics.resize_and_compute_masks(
                5 * field.flows, field.logit, flow_threshold=0.4, min_size=15, device=torch.device("cpu")
            )
        took += between - start, time.process_time() - between
        alike.append(average_precision(theirs.astype(np.int32), ours, 0.5)[0])
    data = f"{len(fields)} images of the held-out fold, {sum(f.logit.size for f in fields) / 1e6:.1f} megapixels"
    rate = sum(f.logit.size for f in fields) / 1e6 / took
    yield (
        "decoding, times as fast as Cellpose's",
        Figure(float(took[1] / took[0]), "×", DECODE_TIMES, False, "Cellpose 3", 1.0, data),
    )
    yield "decoding", Figure(float(rate[0]), "Mpx/s", None, False, "Cellpose 3", float(rate[1]), data)
    yield (
        "AP@0.5 of decoding against Cellpose's cells",
        Figure(float(np.mean(alike)), "", AGREEMENT, False, data=data),
    )


def _speed(pictures: list[Picture]) -> Iterator[tuple[str, Figure]]:
    """Yield the speed from pixels to labels, and of decoding a view anew."""
    mosaic = _mosaic(pictures)
    starter: Any = replace(method("segmentation", "starter")(), diameter_um=10.0)
    starter(mosaic)
    start = time.perf_counter()
    field: FlowField = starter.field(mosaic)
    starter.decode(field, PIXEL_SIZE_UM)
    took = time.perf_counter() - start
    area = field.logit.size / 1e6
    data = f"{area:.1f} megapixels of fluorescence, 10 µm nuclei at 0.5 µm a pixel, {os.cpu_count()} cores"
    yield "starter, from pixels to labels", Figure(area / took, "Mpx/s", SPEED, False, data=data)
    view = field.window(0, 1000, 0, 1000)
    again = []
    for probability in (0.4, 0.5, 0.6):
        start = time.process_time()
        replace(starter, cell_probability=probability).decode(view, PIXEL_SIZE_UM)
        again.append(1000 * (time.process_time() - start))
    where = "1 megapixel of fluorescence, processor time"
    yield "a view decoded with another threshold", Figure(float(np.median(again)), "ms", DECODE_MS, data=where)


def _mosaic(pictures: list[Picture]) -> Pixels:
    """Return 2,080 × 2,088 pixels of the fluorescence images of 520 × 696, side by side."""
    tiles = [pixels.values[0] for kind, pixels, _ in pictures if pixels.values.shape == (1, 520, 696)]
    rows = [np.hstack([tiles[(3 * i + j) % len(tiles)] for j in range(3)]) for i in range(4)]
    return Pixels(np.vstack(rows)[None], PIXEL_SIZE_UM)
