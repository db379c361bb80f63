"""Hashes of values that a document or an Input holds: equal bits, equal hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from ..core.count_rows import CountRows, row_blocks
from .elements import LabelsElement
from .values import encode, pass_bits

__all__ = ["digest", "fingerprint", "labels_digest"]

_ROWS = 65_536
"""Rows of counts that are hashed at once."""


def fingerprint(values: Iterable[Any]) -> str:
    """Return a hash of values that a document or an Input holds."""
    hashed = hashlib.blake2b(digest_size=16)
    for value in values:
        if is_dataclass(value) and not hasattr(value, "grid") and not hasattr(value, "matrix"):
            hashed.update(fingerprint(getattr(value, f.name) for f in fields(value)).encode())
        elif isinstance(value, CountRows):  # a million bins are never in memory as a whole either
            for _, rows in row_blocks(value, _ROWS):
                hashed.update(fingerprint((rows,)).encode())
        elif hasattr(value, "grid"):
            pass_bits(value, hashed.update)  # a slide's labels are never in memory as a whole
        else:
            packed = encode(value, compress=False)
            for bits in (json.dumps(packed.meta, sort_keys=True).encode(), *packed.buffers):
                hashed.update(bits)
    return hashed.hexdigest()


def digest(*parts: bytes | memoryview) -> str:
    """Return the BLAKE2b hash of some bytes, 32 hexadecimal digits."""
    h = hashlib.blake2b(digest_size=16)
    for part in parts:
        h.update(part)
    return h.hexdigest()


def labels_digest(value: LabelsElement) -> str:
    """Hash labels by bands of rows: the whole of a slide does not fit into memory."""
    grid = value.grid
    shapes = [list(level.shape) for level in grid.levels]
    told = {"t": "labels", "dtype": grid.dtype.str, "levels": shapes, "transforms": value.transforms}
    h = hashlib.blake2b(digest_size=16)
    h.update(json.dumps(told, sort_keys=True).encode())
    for level, (height, width) in enumerate(shapes):
        step = max(1, 16_000_000 // max(width, 1))
        for y in range(0, height, step):
            h.update(np.ascontiguousarray(grid.read((y, y + step, 0, width), level)).data)
    return h.hexdigest()
