"""Labels and values of one section's table carried to the other's, through the registration between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from ..core.neighbour_coupling import neighbour_coupling
from ..core.transfer import pull, pull_labels
from ..errors import BadInput
from .alignments import alignment_of
from .document import Document
from .fields import restored
from .gather import features_of, rows_in

__all__ = ["Partners", "carried_column", "carried_layer", "partners"]

_LARGEST = 4_000_000_000


@dataclass(frozen=True)
class Partners:
    """Who receives from whom.

    Parameters
    ----------
    gives, takes
        Positions of the rows, in the giving and in the receiving table, that lie in the two sections.
    coupling
        (takes, gives): a row sums to 1, or to 0 where it has no partner.
    """

    gives: npt.NDArray[np.int64]
    takes: npt.NDArray[np.int64]
    coupling: sp.csr_matrix

    @property
    def met(self) -> float:
        """The share of receiving rows that have a partner."""
        return float((np.diff(self.coupling.indptr) > 0).mean())


def partners(
    document: Document, moving: str, source: str, target: str, neighbours: int, radius_um: float | None
) -> Partners:
    """Find the partners of a table's rows in the other section.

    Parameters
    ----------
    document
        The document.
    moving
        A coordinate system that is registered.
    source, target
        The tables that give and receive; one of either side.
    neighbours, radius_um
        As for `napari_spatialml.core.neighbour_coupling.neighbour_coupling`.

    Raises
    ------
    BadInput
        When the system is not registered, or the tables do not lie on its two sides.
    """
    entry = alignment_of(document, moving)
    fixed, transform = str(entry["fixed"]), restored(document, entry["transform"])
    if source == target:
        raise BadInput(f"The table '{source}' is chosen on both sides.", "Choose a table of each section.")
    pushed = _own(document, source, moving, fixed)
    gives, here = rows_in(document, source, moving if pushed else fixed)
    takes, there = rows_in(document, target, fixed if pushed else moving)
    if pushed:
        here = transform.apply(here)
    else:
        there = transform.apply(there)
    return Partners(gives, takes, neighbour_coupling(here, there, neighbours, radius_um))


def _own(document: Document, table: str, moving: str, fixed: str) -> bool:
    """Return whether a table lies on the moving side; what was moved lies in both systems."""
    places = [set(document.placed(e)) for e in document.regions(table)]
    if any(moving in p for p in places):
        return True
    if any(fixed in p for p in places):
        return False
    raise BadInput(
        f"The table '{table}' lies neither in '{moving}' nor in '{fixed}'.",
        "Choose a table of one of the two sections.",
    )


def carried_column(
    document: Document, found: Partners, source: str, target: str, column: str, at_least: float
) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """Return a column of the source as the target receives it, and how sure each row is, 0 to 1.

    Of categories a row gets the one with the largest share among its partners, and nothing where less than
    ``at_least`` of its partners say any; its sureness is that share. Of numbers it gets their mean.
    """
    obs, index = document.table(source).obs, document.table(target).obs.index
    if column not in obs:
        raise BadInput(f"The table '{source}' has no column '{column}'.", f"It has: {', '.join(obs.columns)}.")
    values = obs[column].iloc[found.gives]
    sure = np.full(len(index), np.nan)
    if pd.api.types.is_numeric_dtype(values.dtype) and values.dtype.kind != "b":
        carried = pull(values.to_numpy(dtype=float, na_value=np.nan), found.coupling, 1.0)
        numbers = np.full(len(index), np.nan)
        numbers[found.takes], sure[found.takes] = carried.values, carried.known
        return pd.Series(numbers, index=index), pd.Series(sure, index=index)
    said = values.astype("category")
    names = [str(c) for c in said.cat.categories]
    shares = pull_labels(said.cat.codes.to_numpy().astype(np.int64), len(names), found.coupling, 1.0)
    codes = np.full(len(index), -1, np.int64)
    codes[found.takes] = shares.labels(at_least)
    sure[found.takes] = shares.shares.max(1) if len(names) else 0.0
    made = pd.Categorical.from_codes(codes.tolist(), categories=names, ordered=bool(said.cat.ordered))
    return pd.Series(made, index=index), pd.Series(sure, index=index)


def carried_layer(
    document: Document, found: Partners, source: str, target: str, features: str
) -> tuple[npt.NDArray[np.float32], int]:
    """Return the source's features as the target receives them, (n, its own features), and how many both have.

    NaN stands where the source does not have a feature, or a row has no partner.

    Raises
    ------
    BadInput
        When the tables share no feature, or the layer would not fit into memory.
    """
    part = features.partition("/")[0]
    if part not in ("X", "layers"):
        raise BadInput(f"'{features}' is no layer.", "Choose X or layers/<name>; of obs choose a column.")
    held = document.table(target)
    ours, theirs = held.var_names.astype(str), document.table(source).var_names.astype(str)
    shared = theirs[~theirs.duplicated()].intersection(ours, sort=False)
    if not len(shared):
        raise BadInput(f"'{source}' and '{target}' share no feature by name.", "Choose tables of one panel.")
    if held.n_obs * held.n_vars * 4 > _LARGEST:
        raise BadInput(
            f"A layer of {held.n_obs:,} rows and {held.n_vars:,} features does not fit into memory.",
            "Carry a column of obs instead.",
        )
    values = features_of(document, source, features)[found.gives][:, pd.Index(theirs).get_indexer_for(shared)]
    dense = np.asarray(values.toarray() if sp.issparse(values) else values, dtype=np.float64)
    carried = pull(dense, found.coupling, 1.0).values
    out = np.full((held.n_obs, held.n_vars), np.nan, np.float32)
    out[np.ix_(found.takes, pd.Index(ours).get_indexer_for(shared))] = carried
    return out, len(shared)
