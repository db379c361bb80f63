"""Pictures made worse in ways that a network meets: noisy, small, unevenly lit. It errs more on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["WAYS", "worse"]

Values = npt.NDArray[Any]
WAYS = ("noise", "small", "contrast")


def worse(values: Values, labels: Values, kind: str, way: str, seed: int) -> tuple[Values, Values, float]:
    """Return a picture (c, y, x) made worse, its labels, and by how much its nuclei are enlarged.

    Parameters
    ----------
    values, labels, kind
        Of a `Picture`.
    way
        One of `WAYS`: noise of 6 to 15 % of the contrast; 0.6 to 0.85 of the size; another gamma, colour and
        light that falls off to one side.
    seed
        Gives the same picture again.
    """
    rng = np.random.default_rng([seed, sum(map(ord, way))])
    grey, scale = values.astype(np.float32), 1.0
    if way == "noise":
        contrast = float(np.percentile(grey, 99.5) - np.percentile(grey, 2))
        grey = grey + rng.normal(0, rng.uniform(0.06, 0.15) * contrast, grey.shape)
    elif way == "small":
        scale = rng.uniform(0.6, 0.85)
        grey, labels = _resized(grey, scale, 1), _resized(labels[None], scale, 0)[0].astype(np.int32)
    else:
        grey = _lit(grey, kind, rng)
    top = np.iinfo(values.dtype).max
    return np.clip(np.rint(grey), 0, top).astype(values.dtype), labels, scale


def _resized(planes: Values, scale: float, order: int) -> Values:
    from skimage.transform import resize

    size = tuple(max(16, round(n * scale)) for n in planes.shape[1:])
    return np.stack([resize(p, size, order=order, anti_aliasing=order > 0, preserve_range=True) for p in planes])


def _lit(grey: Values, kind: str, rng: np.random.Generator) -> Values:
    low, top = float(grey.min()), float(grey.max())
    light = ((grey - low) / max(top - low, 1e-6)) ** float(np.exp(rng.uniform(-0.7, 0.7)))
    height, width = grey.shape[1:]
    y, x = np.mgrid[:height, :width]
    angle = rng.uniform(0, 2 * np.pi)
    slope = rng.uniform(0.2, 0.6)
    ramp = 1 + slope * ((y / height - 0.5) * np.sin(angle) + (x / width - 0.5) * np.cos(angle))
    if kind == "fluorescence":
        light = light * ramp
    else:  # bright ground: what is absorbed grows
        light = 1 - (1 - light) * ramp
        if len(light) == 3:
            light = light * rng.uniform(0.85, 1.1, (3, 1, 1))
    return np.asarray(np.clip(light, 0, 1) * (top - low) + low)
