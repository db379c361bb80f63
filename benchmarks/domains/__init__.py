"""Domains: maps against layers drawn by hand, a reader who paints, peers, and how long it takes.

``python -m benchmarks domains --json OUT`` measures every part. The parts are modules beside this one, each
with a ``measure()``; ``NAPARI_SPATIALML_BENCHMARK_DOMAINS=accuracy,hand`` names those that are wanted.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator

from ..figures import Figure

SUBJECT = "domains"
PARTS = ("accuracy", "hand", "window", "outside", "laws", "speed", "peers")
CHOSEN = "NAPARI_SPATIALML_BENCHMARK_DOMAINS"


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the figures of every part."""
    parts = tuple(filter(None, os.environ.get(CHOSEN, "").split(","))) or PARTS
    unknown = set(parts) - set(PARTS)
    if unknown:
        raise SystemExit(f"{CHOSEN} names {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}.")
    for part in parts:
        for name, figure in importlib.import_module(f"{__name__}.{part}").measure():
            yield f"{part}: {name}", figure
