"""What strokes are worth: the agreement with the truth after each, by a reader who knows it.

The floors hold for the default method on the two slices of cortex, strokes of fifteen spots painted with care: in the
largest wrong region of the section, and with suggestions, where "Most uncertain" leads and as it shows. Seeds change
the starts of the map, how the reader judges sizes, and where a stroke begins.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_spatialml.core.domains import Domains, Embedded
from napari_spatialml.methods import method

from ..figures import Figure
from .reader import STROKES, Looks, Reader, Reading, matched, paint_only, read, refit_with, strokes_to
from .sections import SLICES, Known, dlpfc, osmfish, prepared
from .simulated import SEEN, TISSUES, simulate

__all__ = ["HABITS", "Habit", "measure", "readings"]

METHOD = "low-pass-mixture"
SEEDS, MADE_SEEDS = 4, 2
FLOORS = {10: 0.70, 20: 0.80}
FEWER = "re-fit, with suggestions"
"""With it, the same are to be reached in fewer strokes."""
SHOWN = (0, 1, 3, 5, 8, 10, 12, 15, 20, 25)
Found = Iterator[tuple[str, Figure]]


@dataclass(frozen=True)
class Habit:
    """How a reader works, and what the program does after a stroke."""

    careful: bool = True
    along: bool = False
    """As in `Reader`."""
    looks: Looks = "everywhere"
    """As in `read`."""
    refits: bool = True


HABITS = {
    "re-fit, largest wrong region": Habit(),
    "re-fit, with suggestions": Habit(along=True, looks="led"),
    "re-fit, lines as offered": Habit(looks="line"),
    "re-fit, views at random": Habit(looks="at random"),
    "re-fit, views at random, drawn along": Habit(along=True, looks="at random"),
    "re-fit, largest wrong region, drawn along": Habit(along=True),
    "re-fit, careless strokes": Habit(careful=False),
    "painting without re-fit": Habit(refits=False),
}


def measure() -> Found:
    """Yield the agreement after strokes, and how many it takes; a table of the curves is printed."""
    real = [*(functools.partial(dlpfc, name) for name in SLICES), osmfish]
    cortex: dict[str, list[Reading]] = {name: [] for name in HABITS}
    for make in real:
        section = make()
        found = readings([section], SEEDS)
        _print(f"{section.name}, {SEEDS} seeds", found)
        yield from _figures(section.name.split(",")[0], found, SEEDS)
        if section.name.startswith("DLPFC"):
            for name in HABITS:
                cortex[name] += found[name]
    yield from _figures("DLPFC, both slices", cortex, SEEDS, FLOORS)
    for seen in SEEN:
        made = [simulate(tissue, seen, seed) for tissue in TISSUES for seed in range(MADE_SEEDS)]
        found = readings(made, 1)
        data = f"made, {seen}"
        _print(f"{data}: {', '.join(TISSUES)}, {MADE_SEEDS} seeds each", found)
        yield from _figures(data, found, MADE_SEEDS)


def readings(sections: list[Known], seeds: int) -> dict[str, list[Reading]]:
    """Return what every habit reached, one reading a section and seed."""
    found: dict[str, list[Reading]] = {name: [] for name in HABITS}
    for section in sections:
        smoothed = None
        for seed in range(seeds):
            smoothed, start = _start(section, seed, smoothed)
            for name, habit in HABITS.items():
                found[name].append(_reading(section, smoothed, start, habit, seed))
    return found


def _start(section: Known, seed: int, smoothed: Embedded | None) -> tuple[Embedded, Domains]:
    chosen = method("domains", METHOD)(n_domains=section.k, seed=seed)
    if smoothed is None:
        smoothed, found = prepared(chosen, section)
    else:
        found = chosen.divided(smoothed, section.cells.ignored)
    return smoothed, matched(found, section.truth)


def _reading(section: Known, smoothed: Embedded, start: Domains, habit: Habit, seed: int) -> Reading:
    reader = Reader(section, smoothed.graph, habit.careful, habit.along, np.random.default_rng(seed) if seed else None)
    chosen = method("domains", METHOD)(n_domains=section.k, seed=seed)
    refit = refit_with(chosen, smoothed, start) if habit.refits else paint_only(start)
    return read(reader, start, refit, habit.looks)


def _figures(on: str, found: dict[str, list[Reading]], seeds: int, floors: dict[int, float] | None = None) -> Found:
    said = {"lower_is_better": False, "data": f"{on}, {len(next(iter(found.values())))} readings", "seed": seeds}
    baseline = found["painting without re-fit"]
    for name, list_ in found.items():
        if list_ is baseline:
            continue
        for strokes in FLOORS:
            floor = (floors or {}).get(strokes) if HABITS[name] == Habit() else None
            bare = float(_curves(baseline)[:, strokes].mean())
            value = float(_curves(list_)[:, strokes].mean())
            peer = {"peer": "painting without re-fit", "peer_value": bare}
            yield f"{on}, {name}: ARI after {strokes} strokes", Figure(value, "", floor, **said, **peer)
        if floors:
            for most, ari in FLOORS.items():
                # a reading that never arrives counts as one stroke more than were laid
                needed = [min(strokes_to(one, ari), STROKES + 1) for one in list_]
                asked = {**said, "lower_is_better": True}
                floor = most - 0.5 if name == FEWER else None
                yield (
                    f"{on}, {name}: strokes to ARI {ari:g}",
                    Figure(float(np.median(needed)), "strokes", floor, **asked),
                )


def _curves(list_: list[Reading]) -> npt.NDArray[np.float64]:
    return np.stack([one.ari for one in list_])


def _print(on: str, found: dict[str, list[Reading]]) -> None:
    print(f"\n{on}: mean ARI (sd) after strokes, and views looked at before a stroke")
    print(f"| | {' | '.join(map(str, SHOWN))} | looks |\n|---|{'---|' * (len(SHOWN) + 1)}")
    for name, list_ in found.items():
        curves = _curves(list_)[:, SHOWN]
        cells = (f"{mean:.3f} ({sd:.3f})" for mean, sd in zip(curves.mean(0), curves.std(0), strict=True))
        looks = np.mean([one.looks for one in list_]) / STROKES
        print(f"| {name} | {' | '.join(cells)} | {f'{looks:.1f}' if looks else ''} |")
    print(flush=True)
