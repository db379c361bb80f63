"""Random crops to train on: turned, mirrored, scaled, and disturbed as microscopes and stains disturb."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MissingDependency
from .flow_inference import NOMINAL, working_scale
from .flow_input import fluorescence_planes
from .flows import labels_to_flows

__all__ = ["Crops", "Example", "example_of"]

_LARGEST = 42.0
_MISTAKEN = 0.15  # octaves, by which a diameter is estimated too large or too small

Planes = npt.NDArray[np.float32]
Random = np.random.Generator


@dataclass(frozen=True)
class Example:
    """An image as crops are cut from it: planes (c, y, x) from 0 to 1, targets (3, y, x) int8.

    ``kind`` is "fluorescence" or another: those have dark nuclei, inverted, in one plane or in three.
    ``diameter`` is that of a nucleus in pixels, and ``places`` are (n, 2) pixels (y, x) of nuclei.
    ``importance`` (y, x) says how much each pixel counts; all alike if None.
    """

    kind: str
    diameter: float
    planes: Planes
    targets: npt.NDArray[np.int8]
    places: npt.NDArray[np.int32]
    importance: npt.NDArray[np.uint8] | None = None


def example_of(kind: str, planes: Planes, labels: npt.NDArray[np.int32], diameter: float) -> Example:
    """Return an example of planes (c, y, x) and the labels (y, x) of their nuclei; computes the flows, once."""
    flows = np.rint(labels_to_flows(labels) * 127).astype(np.int8)
    targets = np.concatenate([flows, (labels > 0)[None].astype(np.int8)])
    return Example(kind, diameter, planes, targets, np.argwhere(labels > 0)[::37].astype(np.int32))


def _cv2() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise MissingDependency(
            "Learning needs the package 'opencv-python-headless'.", 'Run: pip install "napari-spatialml[torch]".'
        ) from error
    return cv2


class Crops:
    """Draws batches; the same seed and step give the same batch.

    Parameters
    ----------
    examples
        What to draw from.
    size
        Edge of a crop in pixels.
    seed
        Together with the step's number it fixes the batch.
    shares
        How often each kind is drawn; kinds that are not named are not. All alike if None.
    octaves
        By how much at most a crop is scaled, up or down.
    nominal
        Diameter in pixels to which nuclei are brought on average.
    disturbed
        The part of the crops, 0 to 1, whose light, focus and stain are disturbed.
    plain
        The part of the crops, 0 to 1, that are what the network sees when it runs: at its working scale,
        neither disturbed nor dressed, turned by quarters only.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        size: int,
        seed: int,
        shares: Mapping[str, float] | None = None,
        octaves: float = 0.8,
        nominal: float = NOMINAL,
        disturbed: float = 1.0,
        plain: float = 0.0,
    ) -> None:
        self.plain = plain
        self.size, self.seed, self.octaves, self.nominal, self.disturbed = size, seed, octaves, nominal, disturbed
        shares = dict.fromkeys(sorted({e.kind for e in examples}), 1.0) if shares is None else shares
        self.by_kind = {kind: [e for e in examples if e.kind == kind] for kind in shares}
        self.by_kind = {kind: held for kind, held in self.by_kind.items() if held}
        drawn = np.array([shares[kind] for kind in self.by_kind])
        self.shares = drawn / drawn.sum()
        # a large picture holds more, but not in proportion: it would drown the small ones
        self.weights = {
            kind: (lambda w: w / w.sum())(np.array([e.targets[0].size ** 0.5 for e in held]))
            for kind, held in self.by_kind.items()
        }

    def batch(self, step: int, n: int) -> tuple[Planes, Planes, Planes]:
        """Return planes (n, 3, y, x), targets (n, 3, y, x) and where they count (n, y, x)."""
        random = np.random.default_rng([self.seed, step])
        kinds = list(self.by_kind)
        drawn = []
        for _ in range(n):
            kind = kinds[random.choice(len(kinds), p=self.shares)]
            held = self.by_kind[kind]
            drawn.append(self._crop(held[random.choice(len(held), p=self.weights[kind])], random))
        planes, targets, counts = (np.stack(part) for part in zip(*drawn, strict=True))
        return planes, targets, counts

    def _crop(self, example: Example, random: Random) -> tuple[Planes, Planes, Planes]:
        cv2 = _cv2()

        plain = self.plain > 0 and random.random() < self.plain
        forth, linear = self._placement(example, random, plain)
        size = (self.size, self.size)
        inward = cv2.WARP_INVERSE_MAP
        shrink = abs(np.linalg.det(linear)) ** 0.5
        image = np.moveaxis(example.planes, 0, -1)
        if shrink > 1.3:
            image = cv2.GaussianBlur(image, (0, 0), 0.4 * shrink)
        image = cv2.warpAffine(image, forth, size, flags=cv2.INTER_LINEAR | inward, borderMode=cv2.BORDER_REFLECT_101)
        target = cv2.warpAffine(np.moveaxis(example.targets, 0, -1), forth, size, flags=cv2.INTER_NEAREST | inward)
        even = np.ones(example.targets.shape[1:], np.uint8)
        matter = even if example.importance is None else example.importance
        counts = cv2.warpAffine(matter, forth, size, flags=cv2.INTER_NEAREST | inward).astype(np.float32)
        target = np.moveaxis(target, -1, 0).astype(np.float32)
        turn = np.linalg.inv(linear)
        turn /= abs(np.linalg.det(turn)) ** 0.5
        target[:2] = np.einsum("ij,jyx->iyx", turn[::-1, ::-1], target[:2]) / 127
        planes = np.atleast_3d(image).transpose(2, 0, 1)
        if plain:
            return _seen(np.ascontiguousarray(planes), example.kind), target, counts
        planes, kind = self.dressed(planes, example.kind, random)
        if self.disturbed == 1.0 or random.random() < self.disturbed:
            planes = _disturbed(planes, random, fluorescence=kind == "fluorescence")
        return _seen(planes, kind), target, counts

    def dressed(self, planes: Planes, kind: str, random: Random) -> tuple[Planes, str]:
        """Return a crop and its kind before it is disturbed; here as they are."""
        return planes, kind

    def _placement(self, example: Example, random: Random, plain: bool = False) -> tuple[Planes, Planes]:
        """Return the 2 × 3 map from a crop's (x, y) to the picture's, and its linear part."""
        h, w = example.targets.shape[1:]
        if plain:
            scale = working_scale(example.diameter * 2 ** random.uniform(-_MISTAKEN, _MISTAKEN))
        else:
            scale = self.nominal / example.diameter * 2 ** random.uniform(-self.octaves, self.octaves)
            scale = max(scale, min(0.85 * self.size / min(h, w), _LARGEST / example.diameter))
        by_quarters = plain or random.random() >= 0.5
        turned = np.pi / 2 * random.integers(4) if by_quarters else random.uniform(0, 2 * np.pi)
        c, s = np.cos(turned), np.sin(turned)
        mirror = np.diag([random.choice([-1.0, 1.0]), 1.0])
        linear = np.array([[c, -s], [s, c]]) @ mirror / scale
        reach = self.size / scale / 2
        around = np.array([random.uniform(min(reach, n / 2), max(n - reach, n / 2)) for n in (w, h)])
        if len(example.places) and random.random() < 0.6:
            y, x = example.places[random.integers(len(example.places))]
            jitter = random.uniform(-reach, reach, 2) * 0.7
            around = np.array([x, y]) + jitter
            around = np.array(
                [np.clip(v, min(reach, n / 2), max(n - reach, n / 2)) for v, n in zip(around, (w, h), strict=True)]
            )
        start = around - linear @ np.full(2, (self.size - 1) / 2)
        if scale == 1 and by_quarters:
            start, linear = np.rint(start), np.rint(linear)  # each pixel stays itself
        return np.column_stack([linear, start]), linear


def _seen(planes: Planes, kind: str) -> Planes:
    """Return the three planes that the network sees."""
    if kind == "fluorescence":
        return fluorescence_planes(planes[0])
    return np.ascontiguousarray(np.broadcast_to(planes, (3, *planes.shape[1:])))


def _disturbed(planes: Planes, random: Random, fluorescence: bool) -> Planes:
    """Disturb the light, the focus, the noise, and for histology the stain."""
    colour = len(planes) == 3
    if colour:
        planes = _stained(planes, random)
    planes = _lit(planes, random, fluorescence)
    planes = _focused(planes, random)
    if random.random() < 0.5:
        amount = 10 ** random.uniform(-2.3, -0.9)
        noise = random.standard_normal(planes.shape, dtype=np.float32)
        # half of it grows with the light, as that of photons does
        planes = planes + np.float32(amount) * noise * np.sqrt(np.clip(planes, 0.05, 2)) ** random.integers(2)
    return np.clip(planes, -1, 4).astype(np.float32)


def _stained(planes: Planes, random: Random) -> Planes:
    """Mix the colours a little, at times turn them far, at times take them away."""
    chance = random.random()
    if chance < 0.12:
        return np.asarray(planes.mean(axis=0, keepdims=True))
    far = 0.35 if chance < 0.3 else 0.12
    mixing = np.eye(3) + far * random.standard_normal((3, 3))
    mixing = np.clip(mixing, -0.3, None)
    mixing /= np.maximum(mixing.sum(axis=1, keepdims=True), 0.4)
    return np.asarray(np.einsum("ij,jyx->iyx", mixing.astype(np.float32), planes))


def _lit(planes: Planes, random: Random, fluorescence: bool) -> Planes:
    """Change exposure, ground and gamma, each channel a little differently; and the evenness of light."""
    n = len(planes)
    exponent = np.exp(random.normal(0, 0.35) + random.normal(0, 0.1, n))[:, None, None]
    gain = np.exp(random.normal(0, 0.25) + random.normal(0, 0.08, n))[:, None, None]
    offset = (random.normal(0, 0.06) + random.normal(0, 0.04, n))[:, None, None]
    lit = np.sign(planes) * np.abs(planes) ** exponent * gain + offset
    if random.random() < 0.3:
        lit = lit + random.uniform(-0.25, 0.35) * _ramp(planes.shape[1:], random)
    if fluorescence and random.random() < 0.2:
        lit = lit * (1 - random.uniform(0, 0.7) * _ramp(planes.shape[1:], random))
    return np.asarray(lit, dtype=np.float32)


def _ramp(shape: tuple[int, ...], random: Random) -> Planes:
    """Return (y, x), smooth from 0 to 1."""
    cv2 = _cv2()

    coarse = random.random((3, 3), dtype=np.float32)
    coarse = (coarse - coarse.min()) / np.ptp(coarse)
    return np.asarray(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC))


def _focused(planes: Planes, random: Random) -> Planes:
    """Blur, sharpen, or coarsen the pixels, sometimes."""
    cv2 = _cv2()

    def each(change: Callable[[Planes], Planes]) -> Planes:
        return np.stack([change(plane) for plane in planes])

    chance = random.random()
    if chance < 0.25:
        sigma = random.uniform(0.3, 1.8)
        return each(lambda plane: cv2.GaussianBlur(plane, (0, 0), sigma))
    if chance < 0.35:
        soft = each(lambda plane: cv2.GaussianBlur(plane, (0, 0), 1.5))
        return planes + np.float32(random.uniform(0, 1)) * (planes - soft)
    if chance < 0.45:
        h, w = planes.shape[1:]
        part = random.uniform(0.4, 0.8)
        small = (max(1, round(w * part)), max(1, round(h * part)))
        return each(lambda p: cv2.resize(cv2.resize(p, small, interpolation=cv2.INTER_AREA), (w, h)))
    return planes
