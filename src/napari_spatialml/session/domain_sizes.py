"""How large the domains of a section are, what they border on, and what two of them are made of.

As in `comparing`, the document is read on the thread of the window, and what is returned does the work on any.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from ..core.composition import composition
from ..core.domain_sizes import borders
from ..core.graph import tissue_graph
from ..core.report import Report
from ..errors import BadInput
from .labelling import Labelling, labelling, labellings
from .tissue_rows import areas_in, sections_of

if TYPE_CHECKING:
    from .document import Document

__all__ = ["Composed", "DomainSizes", "composed", "composition_choices", "domain_sizes"]

Array = npt.NDArray[np.float64]
_NEIGHBOURS = 6
_SIDES = ("one", "other")


@dataclass(frozen=True, eq=False)
class DomainSizes:
    """The domains of a section with their sizes and borders.

    Parameters
    ----------
    domains
        The labelling.
    area_um2
        (k,) tissue of each domain; NaN where it is not known.
    borders
        (k, k) pairs of neighbouring rows in each two domains; the diagonal holds those within one.
    graph
        (n, n) neighbours.
    """

    domains: Labelling
    area_um2: Array
    borders: npt.NDArray[np.int64]
    graph: sp.csr_matrix

    @property
    def shares(self) -> Array:
        """(k, k) which share of a domain's border (row) it has with each other (column); NaN where it has none."""
        outer = np.asarray(self.borders - np.diag(self.borders.diagonal()), float)
        total = outer.sum(1, keepdims=True)
        found = np.divide(outer, total, out=np.full(outer.shape, np.nan), where=total > 0)
        np.fill_diagonal(found, np.nan)
        return found

    def touching(self, domain: str, other: str) -> npt.NDArray[np.int64]:
        """Return the rows of a domain that have a neighbour in another one, ascending."""
        mine, theirs = (self.domains.rows(n) for n in (domain, other))
        there = np.zeros(self.graph.shape[0])
        there[theirs] = 1.0
        near = (self.graph @ there) + (self.graph.T @ there)
        return np.asarray(mine[near[mine] > 0])

    def frame(self) -> pd.DataFrame:
        """Return a row for each domain: rows, their share, tissue in mm², and the domain it borders on most."""
        rows, shares, names = self.domains.sizes, self.shares, np.array(self.domains.names, object)
        most = [names[np.nanargmax(s)] if np.isfinite(s).any() else "" for s in shares]
        share = [float(np.nanmax(s)) if np.isfinite(s).any() else np.nan for s in shares]
        return pd.DataFrame(
            {
                "domain": names,
                "rows": rows,
                "share": rows / max(int(rows.sum()), 1),
                "area_mm2": self.area_um2 / 1e6,
                "most_border_with": most,
                "share_of_border": share,
            }
        )


def domain_sizes(document: Document, table: str, column: str) -> Callable[[Report], DomainSizes]:
    """Prepare the sizes of domains, and which share of its border each has with which other.

    Notes
    -----
    Neighbours are the six nearest rows of the same section, and all as near as the sixth. Area is that of the
    tissue for which the rows stand: see `napari_spatialml.core.domain_sizes.tissue_areas`.

    Raises
    ------
    BadInput, DocumentError
        When there is no such column, or it is not known where the rows lie.
    """
    from .gather import coordinates_of

    domains = labelling(document, table, column)
    where, sections = coordinates_of(document, table), sections_of(document, table)

    def measure(report: Report) -> DomainSizes:
        report(0.0, "Neighbours")
        graph = tissue_graph(where, _NEIGHBOURS, sections)
        report(0.5, "Areas")
        areas = areas_in(where, sections)
        there = domains.codes >= 0
        k = len(domains.names)
        area = np.asarray(np.bincount(domains.codes[there], areas[there], minlength=k), np.float64)
        report(1.0, f"{k} domains")
        return DomainSizes(domains, area, borders(domains.codes, graph, k), graph)

    return measure


def composition_choices(document: Document, table: str, column: str) -> dict[str, str]:
    """Return by what the rows of domains can be taken apart: proportions first, then columns of names."""
    held = document.table(table)
    shares = [str(k) for k in held.obsm if f"{k}_dominant" in held.obs and hasattr(held.obsm[k], "columns")]
    named = {n: k for n, k in labellings(document, table, without=column).items() if "/" not in k}
    return {name: f"obsm/{name}" for name in shares} | {
        n: f"obs/{k}" for n, k in named.items() if held.obs[k].dtype != bool and not n.endswith("_dominant")
    }


@dataclass(frozen=True, eq=False)
class Composed:
    """What two sets of rows are made of. Call it, on any thread, for the shares with their intervals.

    Parameters
    ----------
    types
        (t,) names.
    values, where
        (m, t) shares and (m, 2) places of the rows that have them.
    side
        (m,) "one", "other" or None.
    """

    types: tuple[str, ...]
    values: Array
    where: Array
    side: npt.NDArray[Any]

    def shares(self) -> pd.DataFrame:
        """Return the mean shares at once: as a call does, with the intervals not known."""
        made = {name: self.values[self.side == name].mean(0) for name in _SIDES}
        ends = {f"{name}_{end}": np.full(len(self.types), np.nan) for name in _SIDES for end in ("lower", "upper")}
        return _by_difference({"type": list(self.types), **made, **ends})

    def __call__(self, report: Report) -> pd.DataFrame:
        """Return a row for each type, the largest difference first.

        Returns
        -------
        DataFrame
            ``type``; ``one`` and ``other``, the mean share, each with ``…_lower`` and ``…_upper``, the ends of its
            90 % interval from blocks of the tissue (NaN where the rows lie in one block); and ``difference``.
        """
        report(0.0, "Intervals of the composition")
        found = composition(self.values, self.types, self.where, self.side)
        made: dict[str, Any] = {"type": list(self.types)}
        for name in _SIDES:
            k = found.groups.index(name)
            made |= {name: found.mean[k], f"{name}_lower": found.mean_lower[k], f"{name}_upper": found.mean_upper[k]}
        return _by_difference(made)


def composed(
    document: Document, table: str, by: str, one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]
) -> Composed:
    """Prepare what two sets of rows are made of.

    Parameters
    ----------
    document, table
        The document, and one of its tables.
    by
        "obsm/<proportions>" or "obs/<column>", as `composition_choices` returns them.
    one, other
        Rows of the table.

    Raises
    ------
    BadInput, DocumentError
        When there is no such part, or either set holds no row that can be used.
    """
    from .gather import coordinates_of

    values, types, usable = _parts(document, table, by)
    side = np.full(len(usable), None, dtype=object)
    for name, rows in zip(_SIDES, (one, other), strict=True):
        side[np.isin(usable, rows)] = name
    if not all((side == name).any() for name in _SIDES):
        raise BadInput(f"One of the two holds no row with '{by.partition('/')[2]}'.", "Choose another column.")
    return Composed(types, values, coordinates_of(document, table)[usable], side)


def _by_difference(made: dict[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame(made).assign(difference=lambda f: f["one"] - f["other"])
    return frame.sort_values("difference", key=lambda d: -d.abs(), kind="stable", ignore_index=True)


def _parts(document: Document, table: str, by: str) -> tuple[Array, tuple[str, ...], npt.NDArray[np.int64]]:
    """Return (m, t) shares of types, the types, and the (m,) rows that have them."""
    from .composition import usable_rows
    from .proportions import proportions_frame

    part, _, name = by.partition("/")
    if part == "obsm":
        frame, rows = proportions_frame(document, table, name), usable_rows(document, table, name)
        return frame.to_numpy(dtype=np.float64)[rows], tuple(map(str, frame.columns)), rows
    named = labelling(document, table, name).used()
    rows = np.flatnonzero(named.codes >= 0)
    values = np.zeros((len(rows), len(named.names)))
    values[np.arange(len(rows)), named.codes[rows]] = 1.0
    return values, named.names, rows
