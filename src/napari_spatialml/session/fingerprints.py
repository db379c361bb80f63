"""Hashes of values that a document or an Input holds: equal bits, equal hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any

from ..core.count_rows import CountRows, row_blocks
from .values import encode, pass_bits

__all__ = ["fingerprint"]

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
