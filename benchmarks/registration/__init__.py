"""Registration: landmarks, images, expression, cells by the hundred thousand, and moving what lies on a section.

``python -m benchmarks registration --json OUT`` measures every part that is there. The parts are modules
beside this one, each with a ``measure()``.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator

from ..figures import Figure

SUBJECT = "registration"
PARTS = ("warping", "overlay", "landmarks", "images", "robustness", "expression", "cells")


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the figures of every part."""
    for part in PARTS:
        if importlib.util.find_spec(f"{__name__}.{part}") is not None:
            for name, figure in importlib.import_module(f"{__name__}.{part}").measure():
                yield f"{part}: {name}", figure
