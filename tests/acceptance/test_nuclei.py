"""Nuclei of real images: the classical method reaches what Otsu and watershed are known to reach.

The images carry no pixel size: 0.5 µm is passed for all of them, whatever their magnification, and every
parameter is left at its default. The defaults were chosen on `nuclei_train`; `nuclei` was only measured.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from napari_spatialml.core.metrics import average_precision
from napari_spatialml.core.segmentation import Pixels
from napari_spatialml.methods.segmentation.watershed import Watershed

PIXEL_SIZE_UM = 0.5
FLUORESCENCE, HISTOLOGY = ("fluo", "fluorescence"), ("HE_light", "HE_purple", "h&e")


def images(folder: Path, kinds: tuple[str, ...], every: int = 1) -> list[tuple[Pixels, np.ndarray]]:
    from skimage.io import imread

    with (folder / "index.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] in kinds]
    found = []
    for row in rows[::every]:
        name = row["id"][:12]
        labels = next((folder / "labels").glob(f"{name}.*"))
        image = imread(folder / "images" / f"{name}.png")
        planes = np.moveaxis(image[..., :3], -1, 0) if image.ndim == 3 else image[None]
        found.append((Pixels(planes, PIXEL_SIZE_UM), imread(labels)))
    return found


def mean_ap(pairs: list[tuple[Pixels, np.ndarray]]) -> float:
    """Return AP@0.5, averaged over images."""
    segment = Watershed()
    return float(np.mean([average_precision(true, segment(pixels).labels, 0.5) for pixels, true in pairs]))


@pytest.mark.parametrize(("kinds", "n", "floor"), [(FLUORESCENCE, 17, 0.70), (HISTOLOGY, 7, 0.33)])
def test_watershed_on_images_that_it_was_not_chosen_on(
    data: Path, kinds: tuple[str, ...], n: int, floor: float
) -> None:
    pairs = images(data / "nuclei", kinds)
    assert len(pairs) == n
    reached = mean_ap(pairs)
    print(f"AP@0.5 of {kinds[-1]}: {reached:.3f} over {n} images")
    assert reached >= floor


@pytest.mark.slow
@pytest.mark.parametrize(("kinds", "every", "floor"), [(FLUORESCENCE, 8, 0.70), (HISTOLOGY, 2, 0.33)])
def test_watershed_on_the_images_its_defaults_were_chosen_on(
    data: Path, kinds: tuple[str, ...], every: int, floor: float
) -> None:
    reached = mean_ap(images(data / "nuclei_train", kinds, every))
    print(f"AP@0.5 of {kinds[-1]}, training images: {reached:.3f}")
    assert reached >= floor


def test_histology_is_told_from_fluorescence_without_being_asked(data: Path) -> None:
    assert all(pixels.is_histology for pixels, _ in images(data / "nuclei", HISTOLOGY))
    assert not any(pixels.is_histology for pixels, _ in images(data / "nuclei", FLUORESCENCE))
