"""Tables as other packages want them: spots and reference over their shared genes, whole and in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import require
from .count_rows import CountRows, row_blocks
from .count_units import count_units
from .signatures import Shared

__all__ = ["as_tables"]

_BLOCK = 20_000
_MOST = 2_000_000_000


def as_tables(shared: Shared, types: npt.NDArray[np.str_]) -> tuple[Any, Any]:
    """Return two AnnData of whole-number counts over one list of genes: spots, and cells with ``cell_type``.

    Scaled counts are taken back to whole numbers, row by row.

    Raises
    ------
    BadInput
        When the table is larger than a package that holds all of it can take.
    """
    import anndata
    import pandas as pd

    n, g = shared.spots.shape
    require(n * g <= _MOST, f"The table of {n} × {g} is too large for this method.", "Choose 'negative-binomial'.")
    var = pd.DataFrame(index=shared.genes.astype(str))
    obs = pd.DataFrame({"cell_type": pd.Categorical(types)}, index=[f"cell{i}" for i in range(len(types))])
    spots = anndata.AnnData(_whole(shared.spots), obs=pd.DataFrame(index=[f"spot{i}" for i in range(n)]), var=var)
    return spots, anndata.AnnData(_whole(shared.reference), obs=obs, var=var.copy())


def _whole(counts: sp.csr_matrix | CountRows) -> sp.csr_matrix:
    blocks = []
    for _, block in row_blocks(counts, _BLOCK):
        rows = sp.csr_matrix(sp.diags(1 / count_units(block)) @ block, dtype=np.float32)
        rows.data = np.rint(rows.data)
        blocks.append(rows)
    return sp.csr_matrix(sp.vstack(blocks))
