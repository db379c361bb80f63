"""Cellpose's network and decoding on one image, through the package itself, versions 3.1 and 4."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import cellpose_weights as weights_of
from .report import Report

__all__ = ["Image", "cut", "evaluated", "in_order", "mean_probability"]

Image = npt.NDArray[np.float32]
_SMALLEST = 32  # pixels


def evaluated(
    image: Image, diameter: float | None, path: Path, batch: int, device: str, report: Report, **more: Any
) -> tuple[Any, Any, float]:
    """Return Cellpose's labels and flows of an image, which may have been padded (see `cut`), and its scale.

    Parameters
    ----------
    image
        (y, x, c), normalised.
    diameter
        Of a cell in pixels; None takes that of the weights.
    path
        The weights.
    batch
        Tiles that go through the network together.
    device
        "cpu", "cuda" …
    report
        Told of each batch.
    **more
        As Cellpose's ``eval`` takes it.
    """
    import torch
    from cellpose.models import CellposeModel

    four = weights_of.version() >= 4
    where = torch.device(device)
    # bfloat16 is slow on processors, and rounds otherwise than float32
    has_choice = "use_bfloat16" in signature(CellposeModel.__init__).parameters
    wide: dict[str, Any] = {"use_bfloat16": False} if has_choice and device == "cpu" else {}
    with weights_of.unpickling_forbidden():
        model = CellposeModel(gpu=device != "cpu", pretrained_model=str(path), device=where, **wide)
    padded = _padded(image)
    rescale = _rescale(model, diameter, four)
    tiles = _tiles(padded.shape, rescale, 256 if four else 224)
    report(0.1, f"running the network on {device}, {tiles} tiles")
    hook = model.net.register_forward_hook(_Progress(report, tiles))
    try:
        # a dict, for Cellpose writes a plain False into its module's defaults, for every later caller
        labels, flows, _ = model.eval(
            padded, channel_axis=-1, normalize={"normalize": False}, diameter=diameter, batch_size=batch, **more
        )
    finally:
        hook.remove()
    return labels, flows, rescale


def cut(padded: Any, image: Image) -> npt.NDArray[Any]:
    """Return what Cellpose gave for the image alone, without what was added to it."""
    h, w = _padded(image).shape[:2]
    return np.asarray(padded).reshape(h, w)[: image.shape[0], : image.shape[1]]


def in_order(labels: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Number the cells 1 to n."""
    ids, codes = np.unique(labels, return_inverse=True)
    first = 0 if ids[0] == 0 else 1
    return np.asarray(codes.reshape(labels.shape) + first, dtype=np.int32)


def mean_probability(labels: npt.NDArray[np.int32], logit: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return each cell's mean probability of being cell; Cellpose gives it before the logistic function."""
    probability = 1 / (1 + np.exp(-np.clip(logit.astype(np.float64), -50, 50)))
    area = np.bincount(labels.ravel())
    return np.asarray(np.bincount(labels.ravel(), weights=probability.ravel())[1:] / np.maximum(area[1:], 1))


def _padded(image: Image) -> Image:
    """Repeat the last rows and columns of a very small image: scaled down, it would vanish."""
    missing = [max(_SMALLEST - n, 0) for n in image.shape[:2]]
    return np.pad(image, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge") if any(missing) else image


class _Progress:
    """Reports each batch as it leaves the network, which is also where Stop is heard."""

    def __init__(self, report: Report, tiles: int) -> None:
        self.report, self.tiles, self.seen = report, tiles, 0

    def __call__(self, net: Any, inputs: Any, outputs: Any) -> None:
        self.seen += len(inputs[0])
        done = min(self.seen / self.tiles, 1.0)
        now = f"tile {self.seen} of {self.tiles}" if done < 1 else "following the flows"
        self.report(0.1 + 0.75 * done, now)


def _rescale(model: Any, diameter: float | None, four: bool) -> float:
    if four:
        return 1.0 if diameter is None else 30.0 / diameter
    return float(model.diam_mean) / float(diameter or model.diam_labels)


def _tiles(shape: tuple[int, ...], rescale: float, tile: int, overlap: float = 0.1) -> int:
    """Return how many tiles Cellpose cuts an image into (core.run_net, get_pad_yx)."""
    count = 1
    for n in shape[:2]:
        size = int(np.ceil(int(n * rescale) / 16 + 1)) * 16
        count *= 1 if size <= tile else int(np.ceil((1 + 2 * overlap) * size / tile))
    return count
