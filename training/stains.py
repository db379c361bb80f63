"""Histology that the folder lacks: nuclei dressed in hematoxylin and eosin, and simulated sections."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_spatialml.core.flow_input import limits_of, scaled

from .folder import Picture

__all__ = ["SIMULATED", "dressed", "simulated"]

SIMULATED = "simulated h&e"
_FIRST_SEED = 1000  # the demonstration and the tests use small ones
_HEMATOXYLIN = np.array([0.65, 0.70, 0.29])
_EOSIN = np.array([0.09, 0.95, 0.20])

Planes = npt.NDArray[np.float32]
Random = np.random.Generator


def simulated(sections: int) -> list[Picture]:
    """Return simulated sections in H&E, at pixel sizes from 0.3 to 0.5 µm."""
    from napari_spatialml.core.anatomy import build_anatomy
    from napari_spatialml.core.histology import he_image
    from napari_spatialml.core.nuclei import place_nuclei

    found = []
    for i in range(sections):
        random = np.random.default_rng(_FIRST_SEED + i)
        pixel_size_um = (0.5, 0.4, 0.3)[i % 3]
        anatomy = build_anatomy(random, 800 * pixel_size_um, pixel_size_um)
        nuclei = place_nuclei(random, anatomy)
        image = he_image(random, anatomy, nuclei)
        found.append(Picture(f"simulated {i}", SIMULATED, image, nuclei.labels.astype(np.int32)))
    return found


def dressed(density: Planes, random: Random) -> Planes:
    """Return how an image of nuclei would look in H&E, normalised and inverted as the network sees it.

    Parameters
    ----------
    density
        (y, x): about 0 outside the nuclei and 1 in them.

    References
    ----------
    Ruifrok & Johnston, Anal. Quant. Cytol. Histol. 23 (2001): stains absorb as Beer and Lambert say.
    """
    nucleus = np.clip(density, 0, 1.3) ** random.uniform(0.6, 1.4)
    fibres = _texture(density.shape, random)
    eosin = random.uniform(0.15, 1.0) * (random.uniform(0.2, 1) + fibres * random.uniform(0, 1))
    eosin = eosin * (1 - random.uniform(0.3, 0.9) * np.clip(nucleus, 0, 1))
    if random.random() < 0.4:  # glass and fat
        eosin = eosin * ((_texture(density.shape, random) > random.uniform(0.2, 0.6)) | (nucleus > 0.3))
    haze = random.uniform(0, 0.15) * _texture(density.shape, random)
    blue = random.uniform(0.5, 1.8) * nucleus + haze
    hues = [np.clip(stain + random.normal(0, 0.08, 3), 0.02, None) for stain in (_HEMATOXYLIN, _EOSIN)]
    absorbed = blue[None] * hues[0][:, None, None] + eosin[None] * hues[1][:, None, None]
    light = 255 * np.exp(-absorbed) * random.uniform(0.85, 1)
    return scaled(light, limits_of(light), True)


def _texture(shape: tuple[int, ...], random: Random) -> Planes:
    """Return (y, x) from 0 to 1: fibres or clouds."""
    import cv2

    sum_ = np.zeros(shape, np.float32)
    for _ in range(2):
        along, across = 2 ** random.uniform(1, 5), 2 ** random.uniform(0, 4)
        noise = cv2.GaussianBlur(random.standard_normal(shape, dtype=np.float32), (0, 0), along, sigmaY=across)
        sum_ += noise / max(float(noise.std()), 1e-9) * random.uniform(0.3, 1)
    low, high = np.percentile(sum_, (1, 99))
    return np.clip((sum_ - low) / max(float(high - low), 1e-9), 0, 1).astype(np.float32)
