"""On which section of a table each row lies, and how much tissue it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..core.domain_sizes import tissue_areas

if TYPE_CHECKING:
    from .document import Document

__all__ = ["areas_in", "sections_of"]


def sections_of(document: Document, table: str) -> npt.NDArray[np.int64] | None:
    """Return (n,) the number of the element that each row annotates; None where all annotate one."""
    elements = document.regions(table)
    if len(elements) < 2:
        return None
    found = np.zeros(document.table(table).n_obs, np.int64)
    for number, element in enumerate(elements):
        found[document.rows(table, element)] = number
    return found


def areas_in(where: npt.NDArray[np.float64], sections: npt.NDArray[np.int64] | None) -> npt.NDArray[np.float64]:
    """Return (n,) the tissue that each row stands for, in µm²: see `tissue_areas`, of each section by itself."""
    if sections is None:
        return tissue_areas(where)
    found = np.full(len(where), np.nan)
    for section in np.unique(sections):
        found[sections == section] = tissue_areas(where[sections == section])
    return found
