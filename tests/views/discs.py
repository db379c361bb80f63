"""Thirty-six bright discs, two of which touch; and labels of them with one error of each kind."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter
from spatialdata import SpatialData
from spatialdata.models import Image2DModel, Labels2DModel
from spatialdata.transformations import Scale

SIDE, STEP, RADIUS = 6, 34, 9.0
MERGED, HALVES, SHIFTED, MISSING, SPECK, SECOND_HALF = 15, 8, 22, 29, 101, 100


def truth(seed: int = 0) -> np.ndarray:
    """Return the true labels 1 to 36; 15 and 16 touch."""
    rng = np.random.default_rng(seed)
    labels, last = np.zeros((SIDE * STEP, SIDE * STEP), np.int32), np.zeros(2)
    y, x = np.indices(labels.shape) + 0.5
    for number in range(SIDE**2):
        centre = (np.array(divmod(number, SIDE)) + 0.5) * STEP + rng.uniform(-2, 2, 2)
        if number + 1 == 16:
            centre = last + np.array([0, 16])
        radius = RADIUS * rng.uniform(0.9, 1.1)
        labels[(np.hypot(y - centre[0], x - centre[1]) <= radius) & (labels == 0)] = number + 1
        last = centre
    return labels


def picture(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return (1, y, x) light: bright in cells, darker at their borders, with noise."""
    rng = np.random.default_rng(seed)
    inner = np.zeros(labels.shape)
    for cell in np.unique(labels[labels > 0]):
        inner += gaussian_filter((labels == cell).astype(float), 1.5) ** 1.5
    return (rng.poisson(40 + 400 * inner) + rng.normal(0, 3, labels.shape)).astype(np.float32)[None]


def planted(labels: np.ndarray) -> np.ndarray:
    """Return labels with one error of each kind."""
    wrong = labels.copy()
    wrong[labels == 16] = MERGED
    y, x = np.nonzero(labels == HALVES)
    wrong[y[x > x.mean()], x[x > x.mean()]] = SECOND_HALF
    moved = np.roll(labels == SHIFTED, (8, 8), (0, 1))
    wrong[labels == SHIFTED] = 0
    wrong[moved & (wrong == 0)] = SHIFTED
    wrong[labels == MISSING] = 0
    y, x = np.indices(labels.shape)
    wrong[(np.hypot(y - 2 * STEP, x - 4 * STEP) <= 4) & (wrong == 0)] = SPECK
    return wrong


def section(seed: int = 0) -> SpatialData:
    """Return the picture and the wrong labels, half a µm a pixel."""
    true = truth(seed)
    place = {"global": Scale([0.5, 0.5], axes=("x", "y"))}
    made = SpatialData(
        images={
            "image": Image2DModel.parse(
                picture(true, seed), dims=("c", "y", "x"), c_coords=["DAPI"], transformations=place
            )
        },
        labels={"cells": Labels2DModel.parse(planted(true), dims=("y", "x"), transformations=place)},
    )
    made.attrs["spatialml"] = {"version": 1, "um_per_unit": {"global": 1.0}}
    return made


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Return the intersection over the union of two masks."""
    return float((a & b).sum() / max((a | b).sum(), 1))
