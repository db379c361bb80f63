"""Small slides for the laws of tiles: bright nuclei, and methods that see them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, label
from spatialdata import SpatialData
from spatialdata.models import Image2DModel
from spatialdata.transformations import Scale

from napari_spatialml.core.method import method
from napari_spatialml.core.report import Report, silent
from napari_spatialml.core.segmentation import Masks, OnSlide, Pixels, Segmenter
from napari_spatialml.session import SegmentationSelection, Session, finish, prepare


def nuclei(height: int, width: int, seed: int = 0, spacing: int = 22) -> npt.NDArray[np.uint16]:
    """Return (y, x): bright ellipses 8 to 18 pixels wide on noise, some of them touching."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width), 100.0, np.float32)
    y, x = np.mgrid[:height, :width]
    for cy in range(spacing // 2, height, spacing):
        for cx in range(spacing // 2, width, spacing):
            dy, dx = y - cy - rng.uniform(-4, 4), x - cx - rng.uniform(-4, 4)
            turn, a, b = rng.uniform(0, np.pi), rng.uniform(6, 9), rng.uniform(4, 6)
            u, v = dy * np.cos(turn) + dx * np.sin(turn), dx * np.cos(turn) - dy * np.sin(turn)
            image[(u / a) ** 2 + (v / b) ** 2 <= 1] = rng.uniform(500, 1500)
    return (gaussian_filter(image, 1) + rng.normal(0, 8, image.shape)).clip(0, 65535).astype(np.uint16)


def section(image: npt.NDArray[Any], channels: tuple[str, ...] = ("dapi",)) -> SpatialData:
    """Return a section of one image (c, y, x) at 0.5 µm a pixel."""
    place = {"global": Scale([0.5, 0.5], ("x", "y"))}
    element = Image2DModel.parse(image, dims=("c", "y", "x"), c_coords=list(channels), transformations=place)
    attrs = {"spatialml": {"version": 1, "um_per_unit": {"global": 1.0}}}
    return SpatialData.init_from_elements({"dapi": element}, attrs=attrs)


@method(title="Above half")
class AboveHalf(Segmenter):
    """The pieces of what is brighter than a level: the same wherever a tile begins."""

    level: float = 0.5

    def __call__(self, pixels: Pixels, report: Report = silent) -> Masks:
        report(0.0, "labelling")
        return Masks(label(pixels.values[0] > self.level)[0].astype(np.int32))


@method(title="Of two minds")
class OfTwoMinds(Segmenter):
    """Sees touching cells as one or as two, and their edges a pixel further in or out, as its window is wide."""

    def __call__(self, pixels: Pixels, report: Report = silent) -> Masks:
        odd = pixels.values.shape[2] // 8 % 2
        shift = int(pixels.values[0].sum()) % 3
        blurred = gaussian_filter(pixels.values[0].astype(float), 1.0 + odd)
        return Masks(label(np.roll(blurred > 0.4 + 0.05 * shift, shift, axis=1))[0].astype(np.int32))

    def on_slide(self, sample: Pixels, report: Report = silent) -> OnSlide:
        ready = super().on_slide(sample, report)
        return OnSlide(ready.segment, diameter=12.0)


def segmented(
    session: Session, chosen: Segmenter, tile: int, output: str = "nuclei", order: int | None = None
) -> tuple[Any, list[tuple[int, int]]]:
    """Segment "dapi" in tiles, in an order drawn at random; return what came out, and the tiles in their order."""
    job = prepare(session, chosen, SegmentationSelection("dapi", output=output, tile=tile), resume=False)
    rng, seen = np.random.default_rng(order), list[tuple[int, int]]()

    def look_elsewhere(offset: tuple[int, int], _size: tuple[int, int]) -> None:
        seen.append(offset)
        if order is not None:
            job.look_at(*(rng.uniform(0, n) for n in job.source.shape))

    job.tile_done.connect(look_elsewhere)
    finished = job()
    finish(session, job, finished)
    return finished.result, seen
