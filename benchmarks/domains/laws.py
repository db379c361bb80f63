"""What must not change a map: where the section lies, how it is turned, the order of its rows and of its features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_spatialml.core import Cells
from napari_spatialml.core.metrics import adjusted_rand_index
from napari_spatialml.methods import methods

from ..figures import Figure
from .accuracy import DEFAULT, ONE_SEED
from .sections import SLICES, dlpfc, osmfish
from .simulated import simulate

__all__ = ["measure"]

SEED = 0
FLOORS = {"turned and moved": 1.0, "rows shuffled": 0.99, "features shuffled": 0.99, "again": 1.0}


@dataclass(frozen=True)
class Changed:
    """The same section written otherwise, and where its rows were before."""

    cells: Cells
    rows: npt.NDArray[np.intp]


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield how far maps agree with that of the section as it was."""
    for section in (dlpfc(SLICES[0]), osmfish(), simulate("niches", "m/z pixels", SEED)):
        for name, kind in methods("domains").items():
            if name in ONE_SEED or (name != DEFAULT and not section.name.startswith("DLPFC")):
                continue
            chosen = kind(n_domains=section.k)
            before = chosen(section.cells).labels
            for what, other in changed(section.cells).items():
                ari = adjusted_rand_index(before[other.rows], chosen(other.cells).labels)
                floor = FLOORS[what] if name == DEFAULT else None
                said = {"lower_is_better": False, "data": section.name, "seed": SEED}
                yield f"{section.name.split(',')[0]}, {name}, {what}: ARI", Figure(ari, "", floor, **said)


def changed(cells: Cells) -> dict[str, Changed]:
    """Return the section turned by 37° and moved, with its rows and with its features shuffled, and as it is."""
    rng = np.random.default_rng(SEED)
    n, p = cells.features.shape
    same, shuffled, angle = np.arange(n), rng.permutation(n), np.deg2rad(37)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return {
        "turned and moved": Changed(Cells(cells.features, cells.coordinates @ turn + [1234.5, -67.8]), same),
        "rows shuffled": Changed(Cells(cells.features[shuffled], cells.coordinates[shuffled]), shuffled),
        "features shuffled": Changed(Cells(cells.features[:, rng.permutation(p)], cells.coordinates), same),
        "again": Changed(cells, same),
    }
