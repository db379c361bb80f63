"""What the embedded network's training draws: how often each kind, and nuclei dressed in another stain."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_spatialml.core.flow_crops import Crops, Example

from .stains import dressed

__all__ = ["SHARES", "Sampler"]

SHARES = {"fluorescence": 0.63, "h&e": 0.19, "bright-field": 0.13, "simulated h&e": 0.05}
_MEDIAN, _OCTAVES = 25.0, 0.6  # pixels across, and how far from it: where `working_scale` brings nuclei, and around
_PLAIN = 0.4  # outlines differ by microscope and by hand: seen through disturbed light only, they are a mean of all
_DRESSED = {"fluorescence": 0.15, "h&e": 0.25}  # how often as another stain, see `stains.dressed`

Planes = npt.NDArray[np.float32]


class Sampler(Crops):
    """Crops of all kinds; the same seed and step give the same batch."""

    def __init__(self, examples: list[Example], size: int, seed: int) -> None:
        super().__init__(examples, size, seed, SHARES, octaves=_OCTAVES, nominal=_MEDIAN, plain=_PLAIN)

    def dressed(self, planes: Planes, kind: str, random: np.random.Generator) -> tuple[Planes, str]:
        """Dress some crops in hematoxylin and eosin."""
        if random.random() >= _DRESSED.get(kind, 0):
            return planes, kind
        # of histology, what is darker than the ground is taken for nuclei
        density = planes[0] if kind == "fluorescence" else (planes.mean(axis=0) - 0.3) / 0.5
        return dressed(density, random), "h&e"
