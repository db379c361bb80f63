"""Names of cell types that a store can keep: each becomes the name of a column, and so of a folder."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["storable_types"]

_INSTEAD = "-_|+"


def storable_types(types: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Return types whose names hold no slash, and a sentence for each that is called otherwise.

    Parameters
    ----------
    types
        (m,) the cells' types.

    Notes
    -----
    Different names stay different: "T/NK" becomes "T-NK", or "T_NK" where there is a "T-NK" already.
    """
    names, number = np.unique(types.astype(str), return_inverse=True)
    taken = {name for name in names.tolist() if "/" not in name}
    new, told = [], []
    for name in names.tolist():
        made = next((m for sign in _INSTEAD if (m := name.replace("/", sign)) not in taken or m == name), "")
        made = made or f"{name.replace('/', '-')} {len(taken)}"
        taken.add(made)
        new.append(made)
        if made != name:
            told.append(f"The type '{name}' is called '{made}' here: a column's name holds no slash.")
    return np.array(new, dtype=str)[number.ravel()], tuple(told)
