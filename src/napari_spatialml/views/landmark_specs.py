"""Landmarks to points with numbers, and how far the fit misses each of them to lines."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.colours import palette
from ..core.transform import Affine
from ..session import Document
from .landmark_fit import landmark_fit, locked_of, pairs_of
from .places import as_matrix
from .specs import Dots, Key, LayerSpec, PointsSpec, VectorsSpec
from .state import ViewState

__all__ = ["landmark_key", "landmark_specs", "misses_key"]

NAME = "landmarks"
_MISS = np.array([1.0, 0.85, 0.1, 1.0], np.float32)
_SUSPECT = np.array([1.0, 0.2, 0.2, 1.0], np.float32)


def landmark_key(beside: bool) -> Key:
    """Return the key of the landmarks of one side."""
    return Key(NAME, "moving" if beside else "fixed", beside)


def misses_key() -> Key:
    """Return the key of the lines from the fixed landmarks to where the moving ones land."""
    return Key(NAME, "misses", False)


def landmark_specs(document: Document, state: ViewState, offset: tuple[float, float]) -> list[LayerSpec]:
    """Return the layers of the chosen set of landmarks, on each side that is drawn."""
    held = document.attribute("landmarks", {}).get(state.landmarks)
    if not state.landmarks:
        return []
    fixed_system = held["fixed"] if held else state.coordinate_system
    moving_system = held["moving"] if held else state.beside
    token = (state.landmarks, document.revision(("attrs", "landmarks")), state.model)
    specs: list[LayerSpec] = []
    sides = ((state.coordinate_system, False, (0.0, 0.0)), (state.beside, True, offset))
    for system, beside, shift in sides:
        side = 0 if system == fixed_system else 1 if system == moving_system else None
        if side is None or not system:
            continue
        affine = as_matrix(Affine.translation(*shift))
        specs.append(_points(document, state, side, beside, token, affine))
        if side == 0:
            specs.append(_misses(document, state, beside, token, affine))
    return specs


def _points(document: Document, state: ViewState, side: int, beside: bool, token: Any, affine: Any) -> PointsSpec:
    def make() -> Dots:
        where = pairs_of(document, state.landmarks)[side]
        k = len(where)
        # the first seven, light enough to carry a number, again and again
        colours = np.column_stack([palette(7)[np.arange(k) % 7], np.ones(k)]).astype(np.float32).reshape(k, 4)
        size = np.full(k, _size(document, state))
        locked = locked_of(document, state.landmarks)
        texts = tuple(f"{i + 1}" + (" •" if locked[i] else "") for i in range(k))
        return Dots(where, colours, size, np.ones(k, bool), texts)

    key = landmark_key(beside)
    name = f"{NAME}: {key.part}"
    return PointsSpec(key, name, ("points", side, token), make, affine, 91, rim="#ffffff")


def _misses(document: Document, state: ViewState, beside: bool, token: Any, affine: Any) -> VectorsSpec:
    def make() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        fixed, _ = pairs_of(document, state.landmarks)
        fit = landmark_fit(document, state.landmarks, state.model)
        known = np.isfinite(fit.landed_um).all(axis=1)
        lines = np.stack([fixed, fit.landed_um - fixed], axis=1)[known]
        return lines, np.where(fit.suspects[known, None], _SUSPECT, _MISS).astype(np.float32).reshape(-1, 4)

    width = _size(document, state) / 12
    key = Key(NAME, "misses", beside)
    return VectorsSpec(key, f"{NAME}: misses", ("misses", token), make, affine, 90, width=width)


def _size(document: Document, state: ViewState) -> float:
    """A landmark's diameter in µm: a 22nd of what the landmarks span, at least of 500 µm."""
    fixed, moving = pairs_of(document, state.landmarks)
    spans = [float(np.ptp(side, axis=0).max()) for side in (fixed, moving) if len(side) > 1]
    return max([500.0, *spans]) / 22
