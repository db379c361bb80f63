"""The default on sections that it was not made on: three tissues seen by four technologies, truth known.

Beside it, on the same sections: plain low-pass maps and every other registered way but networks.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_spatialml.methods import methods

from ..figures import Figure
from .accuracy import DEFAULT, ONE_SEED, tried
from .plain import CLUSTERERS, averaged
from .simulated import SEEN, TISSUES, simulate

__all__ = ["measure"]

SEEDS = 2
"""Of the sections; the methods have the seed 0."""
Scores = dict[str, list[float]]


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the agreement of the default a technology, and over all; a table of all ways is printed."""
    tables = {seen: {tissue: _tissue(tissue, seen) for tissue in TISSUES} for seen in SEEN}
    _print(tables)
    for seen, table in tables.items():
        yield _figure(seen, _gathered([table]), None)
    everything = _gathered(list(tables.values()))
    plain = max(float(np.mean(everything[name])) for name in CLUSTERERS)
    yield _figure("all technologies", everything, plain)


def _tissue(tissue: str, seen: str) -> Scores:
    """Return the ARI of each way, one a seed."""
    found: Scores = {}
    for seed in range(SEEDS):
        section = simulate(tissue, seen, seed)
        for name in methods("domains"):
            if name not in ONE_SEED:
                found.setdefault(name, []).append(float(tried(section, name, 1).ari[0]))
        values = averaged(section)
        for name, cluster in CLUSTERERS.items():
            found.setdefault(name, []).append(section.ari(cluster(values, section.k, 0)))
    return found


def _gathered(tables: list[dict[str, Scores]]) -> Scores:
    names = next(iter(tables[0].values()))
    return {name: [one for table in tables for scores in table.values() for one in scores[name]] for name in names}


def _figure(seen: str, found: Scores, floor: float | None) -> tuple[str, Figure]:
    mean = {name: float(np.mean(values)) for name, values in found.items()}
    best = max((name for name in mean if name != DEFAULT), key=lambda name: mean[name])
    said = {"peer": f"the best beside: {best}", "peer_value": mean[best], "lower_is_better": False}
    data = f"made, {', '.join(TISSUES)}, {SEEDS} sections each"
    return f"{seen}, the default: mean ARI", Figure(mean[DEFAULT], "", floor, data=data, seed=SEEDS, **said)


def _print(tables: dict[str, dict[str, Scores]]) -> None:
    ways = list(next(iter(next(iter(tables.values())).values())))
    print(f"\nmade sections, {SEEDS} seeds: mean ARI\n| seen as | tissue | {' | '.join(ways)} |")
    print(f"|{'---|' * (len(ways) + 2)}")
    for seen, table in tables.items():
        for tissue, found in table.items():
            print(f"| {seen} | {tissue} | {' | '.join(f'{np.mean(found[way]):.3f}' for way in ways)} |")
    print(flush=True)
