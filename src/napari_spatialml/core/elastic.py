"""A smooth displacement field that brings one picture of tissue onto another, by local correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .affine import Affine
from .field import DisplacementField
from .gaussian import gaussian
from .image_affine import Blend, Terms, Windows, blends, placed
from .pictures import Picture
from .report import Report, silent

__all__ = ["Bent", "Level", "bend", "bend_between", "unbent"]

Float = npt.NDArray[np.float32]
_RADIUS = 5
"""Half the window of the local correlation, in pixels."""
_BLENDS = 2
"""So many mixtures of channels move it: what one stain does not show, another may."""
_REBLENDED = 4
"""Every so many rounds the channels are blended again."""
_NODE = 4
"""Nodes of the field lie this many pixels apart: its patches are larger."""
_FINEST = 0.4
"""What is finer than this, of a patch, is noise of the steps, and is smoothed away at the end."""
_BETWEEN = 1.5
"""A picture this much larger than a level's edge is bent on the next finer level too, and is halved until it is not
so much larger than the coarsest level's edge."""
_USUAL = 2
"""The finest level of small pictures, and that on which a result is judged: finer, noise of single cells is seen."""
_SUMS = 5.0
"""What a patch says is summed on squares of a fifth of its standard deviation."""
_LEAST_AREA = 0.2
"""No part of the field may shrink to less of its area than this."""


@dataclass(frozen=True)
class Level:
    """One level of the pyramid.

    Parameters
    ----------
    edge
        Longest edge in pixels, at most.
    rounds
        Steps.
    patch
        Standard deviation in pixels of the neighbourhood that moves as one.
    damping
        How much texture, of the mean, a patch needs to be moved by half of what it asks for.
    """

    edge: int
    rounds: int
    patch: float
    damping: float


LEVELS = (Level(128, 8, 20.0, 1.0), Level(256, 10, 16.0, 1.0), Level(512, 20, 10.0, 0.5), Level(1024, 8, 20.0, 0.5))


@dataclass(frozen=True)
class Bent:
    """A field d (2, h, w) in pixels of ``spacing`` µm, and what the local correlation says under it."""

    field: Float
    spacing: float
    terms: Terms


def bend_between(
    fixed: Picture, moving: Picture, transform: Affine, stiffness: float = 1.0, report: Report = silent
) -> tuple[DisplacementField, Bent]:
    """Return the field that follows an affine map from moving to fixed, in µm of the fixed side.

    Parameters
    ----------
    fixed, moving
        On pixels of about the same size.
    transform
        The affine map.
    stiffness
        How much larger than usual the patches are that move as one.
    report
        Told once a round.
    """
    level, values, weight = _level(fixed, moving, transform, LEVELS[_finest(max(fixed.shape))].edge)
    field, bent = bend(level.values, values, weight, level.spacing, stiffness, report)
    nodes = tuple(np.arange(0, n + _NODE - 1, _NODE) for n in level.shape)
    at = np.meshgrid(*(np.minimum(n, s - 1) for n, s in zip(nodes, level.shape, strict=True)), indexing="ij")
    moved = np.stack([part[at[0], at[1]] for part in field], -1) * level.spacing
    return DisplacementField(np.array(level.origin), _NODE * level.spacing, moved.astype(np.float32)), bent


def unbent(fixed: Picture, moving: Picture, transform: Affine) -> Bent:
    """Return what the local correlation says under an affine map alone."""
    level, values, weight = _level(fixed, moving, transform, LEVELS[_USUAL].edge)
    field = np.zeros((2, *level.shape), np.float32)
    return Bent(field, level.spacing, _Pull(level.values, values, weight).terms(field)[0])


def _level(fixed: Picture, moving: Picture, transform: Affine, edge: int) -> tuple[Picture, Float, Float]:
    """Return the fixed picture with at most so many pixels an edge, and the moving one on its pixels."""
    level = fixed.at(max(fixed.spacing, max(fixed.shape) * fixed.spacing / edge))
    scale = float(np.sqrt(abs(np.linalg.det(transform.matrix[:2, :2]))))
    values, weight = placed(moving.at(max(level.spacing / scale, moving.spacing)), level, transform)
    return level, values, weight


def _finest(edge: int) -> int:
    """Return the finest level for pictures of this edge: a small one is bent with the settings of a usual one."""
    wide = [k for k, level in enumerate(LEVELS) if edge > _BETWEEN * level.edge]
    return min(max([_USUAL, *(k + 1 for k in wide)]), len(LEVELS) - 1)


def bend(
    fixed: Float, moving: Float, weight: Float, spacing: float, stiffness: float = 1.0, report: Report = silent
) -> tuple[Float, Bent]:
    """Find the field d under which the fixed picture at p + d(p) looks like the moving one at p.

    Parameters
    ----------
    fixed, moving
        (f, h, w) on the same pixels: the moving one has been brought there by an affine map.
    weight
        (h, w), 1 where both are known.
    spacing
        The pixel in µm.
    stiffness
        Factor on the patches.
    report
        Told once a round.

    Returns
    -------
    d as (2, h, w) in pixels, and what the local correlation says under it on a level of usual size.

    Notes
    -----
    On each level, patches are moved by Gauss–Newton steps on the local correlation (Lucas–Kanade on what is
    standardised in Gaussian windows); the step is composed with the field. The slope is a mean of both
    sides' slopes, and is weighted by the local correlation: what does not correspond does not pull. Two mixtures of
    channels pull, each as much as it is alike on both sides: on ten simulated neighbours in another stain that left
    a tenth less than one mixture did (median error, geometric mean), and more on none.

    References
    ----------
    Lucas, Kanade 1981, An iterative image registration technique, equation 9; Cachier et al. 2003,
    doi:10.1016/S1077-3142(03)00002-X.
    """
    pictures = _pyramid(fixed, moving, weight)
    finest = _finest(max(weight.shape))
    levels = LEVELS[finest + 1 - len(pictures) : finest + 1]
    field = np.zeros((2, *pictures[0][2].shape), np.float32)
    total, done = sum(level.rounds for level in levels), 0
    for (f, m, w), level in zip(pictures, levels, strict=True):
        field = _enlarged(field, 2, w.shape) if field.shape[1:] != w.shape else field
        pull = _Pull(f, m, w)
        for round_ in range(level.rounds):
            report(done / total, "Bending")
            if round_ % _REBLENDED == 0:
                pull.blend(field)
            field = _step(field, pull, level, stiffness)
            done += 1
    field = _unfolded(gaussian(field, _FINEST * levels[-1].patch * stiffness))
    return field, _judged(field, spacing, pictures, finest - _USUAL)


def _judged(field: Float, spacing: float, pictures: list[tuple[Float, Float, Float]], finer: int) -> Bent:
    """Return what the local correlation says on a level that is ``finer`` halvings below the finest."""
    times = 2**finer
    coarse = np.ascontiguousarray(field[:, ::times, ::times] / times)
    return Bent(coarse, spacing * times, _Pull(*pictures[-1 - finer]).terms(coarse)[0])


def _pyramid(fixed: Float, moving: Float, weight: Float) -> list[tuple[Float, Float, Float]]:
    levels = [(fixed, moving, weight)]
    for _ in range(_finest(max(weight.shape))):
        if max(levels[0][2].shape) <= _BETWEEN * LEVELS[0].edge:
            break
        f, m, w = levels[0]
        soft = ndimage.gaussian_filter(w, 0.8)
        low = np.stack([ndimage.gaussian_filter(v * w, 0.8) for v in m])[:, ::2, ::2]
        known = (soft[::2, ::2] > 0.5).astype(np.float32)
        small = np.stack([ndimage.gaussian_filter(v, 0.8) for v in f])[:, ::2, ::2]
        levels.insert(0, (np.ascontiguousarray(small), low / np.maximum(soft[::2, ::2], 1e-3) * known, known))
    return levels


class _Pull:
    """Two pictures on one level: what they ask of a field between them."""

    def __init__(self, fixed: Float, moving: Float, weight: Float):
        self.fixed, self.moving = fixed, moving
        self.windows = Windows(weight, _RADIUS, both=True)
        self._mixes: list[tuple[Blend, Float, Float]] = []

    def blend(self, field: Float) -> Float:
        """Find the mixtures of channels anew; return the fixed picture as it is seen through the field."""
        looked = _seen(self.fixed, field)
        found = blends(self.moving, looked, self.windows.weight, 2 * _RADIUS, _BLENDS)
        still = [np.tensordot(mix[0], self.moving, 1) for mix in found]
        self._mixes = [(mix, plane, self.windows.moments(plane)) for mix, plane in zip(found, still, strict=True)]
        return looked

    def terms(self, field: Float) -> list[Terms]:
        """Return what the local correlation says of each mixture of channels."""
        looked = _seen(self.fixed, field) if self._mixes else self.blend(field)
        windows = self.windows
        return [windows.terms(still, np.tensordot(mix[1], looked, 1), held) for mix, still, held in self._mixes]

    def sums(self, field: Float, step: int) -> Float:
        """Return (5, n, m) means over squares for the least-squares motion, of each mixture as much as it is alike."""
        from .likeness_kernels import square_sums

        shape = self.windows.weight.shape
        planes = np.zeros((5, *(-(-n // step) for n in shape)), np.float32)
        for terms, (mix, _, _) in zip(self.terms(field), self._mixes, strict=True):
            square_sums(terms.slope, terms.rest, np.float32(mix[2]), step, planes)
        rows, columns = (np.minimum(step, n - np.arange(0, n, step)).astype(np.float32) for n in shape)
        return np.asarray(planes / (rows[:, None] * columns))


def _seen(fixed: Float, field: Float) -> Float:
    from .likeness_kernels import sampled_field

    looked = np.empty_like(fixed)
    sampled_field(fixed, field, looked)
    return looked


def _step(field: Float, pull: _Pull, level: Level, stiffness: float) -> Float:
    """Move each patch by least squares, as far as its texture determines it."""
    step = max(1, int(level.patch * stiffness / _SUMS))
    sums = pull.sums(field, step)
    damp = level.damping * float((sums[0] + sums[1]).mean() / max(pull.windows.weight.mean(), 1e-6)) / 2 + 1e-9
    yy, xx, yx, ry, rx = gaussian(sums, level.patch * stiffness / step)
    yy, xx = yy + damp, xx + damp
    inverse = 1 / (yy * xx - yx * yx)
    move = np.stack([(xx * ry - yx * rx) * inverse, (yy * rx - yx * ry) * inverse])
    move *= np.minimum(1, 1 / np.maximum(np.sqrt((move**2).sum(0)), 1e-6))
    move = gaussian(_enlarged(move, step, field.shape[1:], (step - 1) / 2) / step, 1.0)
    return gaussian(_seen(field, move) + move, 0.5)


def _enlarged(field: Float, times: int, shape: tuple[int, ...], first: float = 0.0) -> Float:
    """Return a field on pixels of a fraction of its nodes' size, linearly; its first node is pixel ``first``."""
    from .likeness_kernels import sampled_affine

    if times == 1:
        return field
    # a node more before the first, and as many after the last as pixels may look for
    padded = np.pad(field, ((0, 0), (1, 3), (1, 3)), mode="edge")
    at = 1 - first / times
    m = np.array([[1 / times, 0, at], [0, 1 / times, at]])
    out, weight = np.empty((2, *shape), np.float32), np.empty(shape, np.float32)
    sampled_affine(padded, np.ones(padded.shape[1:], np.float32), m, shape, out, weight)
    return times * out


def _unfolded(field: Float) -> Float:
    """Smooth the field until it folds nowhere."""
    for k in range(8):
        if float(_areas(field).min()) > _LEAST_AREA:
            break
        field = gaussian(field, 2.0 * 1.5**k)
    return field


def _areas(field: Float) -> Float:
    """Return by how much each pixel grows: the determinant of the Jacobian."""
    (yy, yx), (xy, xx) = np.gradient(field[0]), np.gradient(field[1])
    return np.asarray((1 + yy) * (1 + xx) - yx * xy)
