"""Maps against the truth: every registered method with its defaults, and plain low-pass maps, over ten seeds.

Nothing is set but the number of domains. The floors are those of the default method: on cortex an agreement that
was set beforehand, on single cells the best of BANKSY, CellCharter-like hops and plain low-pass maps of this run.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from napari_spatialml.methods import methods

from ..figures import Figure
from .plain import CLUSTERERS, averaged
from .sections import SLICES, Known, dlpfc, osmfish, scores

__all__ = ["Tried", "measure", "tried"]

DEFAULT = "low-pass-mixture"
BESIDE = ("banksy", "cellcharter-hops", *CLUSTERERS)
ONE_SEED = ("stagate",)
"""A network: minutes a run on one thread."""
SEEDS, ARI, SPREAD = 10, 0.60, 0.01
Found = Iterator[tuple[str, Figure]]


@dataclass(frozen=True)
class Tried:
    """What a method found on a section: scores by name, (seeds,) each, and the seconds of the processor."""

    scores: dict[str, np.ndarray]
    first: float
    """Of the first map, from the table."""
    again: float
    """Of each of the others, from what is cached; NaN if there were none."""

    @property
    def ari(self) -> np.ndarray:
        """(seeds,) adjusted Rand index."""
        return self.scores["ARI"]


def measure() -> Found:
    """Yield the agreement of the default with its floors, and of every other way; a table is printed."""
    cortex = [dlpfc(name) for name in SLICES]
    tables = {section.name: every(section) for section in [*cortex, osmfish()]}
    _print(tables)
    yield from _cortex([tables[section.name][DEFAULT] for section in cortex], [one.name for one in cortex])
    yield from _single_cells(*list(tables.items())[-1])
    for name, table in tables.items():
        for way, one in table.items():
            said = {"lower_is_better": False, "data": name, "seed": len(one.ari)}
            yield f"{name.split(',')[0]}, {way}: ARI", Figure(float(one.ari.mean()), "", None, **said)


def every(section: Known) -> dict[str, Tried]:
    """Return what each way finds, by its name."""
    found = {}
    for name in methods("domains"):
        found[name] = tried(section, name, 1 if name in ONE_SEED else SEEDS)
    start = time.process_time()
    values = averaged(section)
    before = time.process_time() - start
    for name, cluster in CLUSTERERS.items():
        runs = [functools.partial(cluster, values, section.k, seed) for seed in range(SEEDS)]
        found[name] = _scored(section, runs, before)
    return found


def tried(section: Known, name: str, seeds: int) -> Tried:
    """Return what a registered method finds with its defaults; stages that no seed enters run once."""
    chosen = methods("domains")[name](n_domains=section.k)
    start = time.process_time()
    smoothed = None
    if not {"seed"} & {*chosen.embeds, *chosen.smooths}:
        smoothed = chosen.smoothed(chosen.embedded(section.cells), section.cells)
    before = time.process_time() - start

    def run(seed: int) -> np.ndarray:
        seeded = replace(chosen, seed=seed)
        return (seeded(section.cells) if smoothed is None else seeded.divided(smoothed, None)).labels

    return _scored(section, [functools.partial(run, seed) for seed in range(seeds)], before)


def _scored(section: Known, runs: list[Callable[[], np.ndarray]], before: float) -> Tried:
    all_scores, taken = [], []
    for run in runs:
        start = time.process_time()
        labels = run()
        taken.append(time.process_time() - start)
        all_scores.append(scores(section, labels))
    by_name = {key: np.array([one[key] for one in all_scores]) for key in all_scores[0]}
    return Tried(by_name, before + taken[0], float(np.mean(taken[1:])) if len(taken) > 1 else float("nan"))


def _cortex(found: list[Tried], names: list[str]) -> Found:
    said = {"data": f"DLPFC {' and '.join(SLICES)}", "seed": SEEDS}
    mean = float(np.mean([one.ari.mean() for one in found]))
    yield "DLPFC, the default: mean ARI", Figure(mean, "", ARI, lower_is_better=False, **said)
    for one, name in zip(found, names, strict=True):
        spread = Figure(float(one.ari.std()), "", SPREAD, data=name, seed=SEEDS)
        yield f"{name.split(',')[0]}, the default: sd of ARI over seeds", spread


def _single_cells(name: str, table: dict[str, Tried]) -> Found:
    missing = [way for way in BESIDE if way not in table]
    if missing:
        print(f"NOT COMPARED: {', '.join(missing)} not registered.")
    best = max((way for way in BESIDE if way in table), key=lambda way: table[way].ari.mean())
    level = float(table[best].ari.mean())
    said = {"lower_is_better": False, "peer": f"the best beside: {best}", "peer_value": level}
    ari = Figure(float(table[DEFAULT].ari.mean()), "", level, data=name, seed=SEEDS, **said)
    yield "osmFISH, the default: mean ARI", ari


def _print(tables: dict[str, dict[str, Tried]]) -> None:
    """Print mean and spread over the seeds, and how smooth the maps are."""
    print("\n| section | method | seeds | ARI (sd) | least | most | NMI | CHAOS | PAS | first, s | again, s |")
    print(f"|{'---|' * 11}")
    for section, table in tables.items():
        for way, one in sorted(table.items(), key=lambda item: -item[1].ari.mean()):
            mean = {key: values.mean() for key, values in one.scores.items()}
            cells = (
                *(section.split(",")[0], way, len(one.ari), f"{mean['ARI']:.3f} ({one.ari.std():.3f})"),
                *(f"{one.ari.min():.3f}", f"{one.ari.max():.3f}"),
                *(f"{mean[key]:.3f}" for key in ("NMI", "CHAOS", "PAS")),
                *(f"{one.first:.2f}", f"{one.again:.2f}"),
            )
            print(f"| {' | '.join(map(str, cells))} |")
    print(flush=True)
