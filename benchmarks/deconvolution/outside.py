"""Spots that hold a type which the reference lacks: how many are found, and how many others are flagged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..figures import Figure
from .intervals import told
from .simulate import FEW_KINDS, KINDS, simulate
from .simulated import SEEDS, there

__all__ = ["measure"]


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the share of spots without a missing type that are flagged, and of those with 30 % of it that are found."""
    chosen = [k for k in (KINDS if os.environ.get("NAPARI_SPATIALML_BENCHMARK_LARGE") else FEW_KINDS) if there(k)]
    # whether a type can be missed depends on which one it is: more of those
    lacking = [kind for kind in chosen if kind.missing]
    lacking += [replace(kind, platform=p) for kind in lacking for p in (0.0, 1.0) if p != kind.platform]
    for kind in dict.fromkeys([*chosen, *lacking]):
        false, found = [], []
        for seed in SEEDS:
            made = simulate(kind, seed)
            flags = told(made).outside
            assert flags is not None
            false.append(flags[made.outside == 0].mean())
            found.append(flags[made.outside >= 0.3].mean() if kind.missing else np.nan)
        data = f"{kind.name}, {len(SEEDS)} seeds"
        yield f"{kind.name}: flagged for nothing", Figure(100 * float(np.mean(false)), "%", 2.0, data=data, seed=0)
        if kind.missing:
            yield f"{kind.name}: found with 30 % or more", Figure(100 * float(np.mean(found)), "%", data=data, seed=0)
