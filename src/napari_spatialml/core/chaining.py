"""Transforms one after the other, kept as short as they can be."""

from __future__ import annotations

from .affine import Affine
from .transform import Chain, Transform

__all__ = ["chained"]


def chained(*transforms: Transform) -> Transform:
    """Return one transform that does all of these, the first one first.

    Chains are taken apart, affine neighbours become one affine transform, and what moves nothing is
    left out; so a chain of affine transforms is an `Affine`.

    Examples
    --------
    >>> chained(Affine.translation(1, 0), Affine.translation(0, 2)) == Affine.translation(1, 2)
    True
    """
    short: list[Transform] = []
    for one in _flat(transforms):
        last = short[-1] if short else None
        if isinstance(one, Affine) and isinstance(last, Affine):
            short[-1] = one @ last
        else:
            short.append(one)
    short = [one for one in short if one != Affine.identity()]
    if not short:
        return Affine.identity()
    return short[0] if len(short) == 1 else Chain(tuple(short))


def _flat(transforms: tuple[Transform, ...]) -> list[Transform]:
    found: list[Transform] = []
    for one in transforms:
        found += _flat(one.transforms) if isinstance(one, Chain) else [one]
    return found
