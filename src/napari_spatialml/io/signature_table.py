"""A table of signatures: mean expression of genes in cell types, as CSV, TSV or parquet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.gene_names import match_genes, names_of
from ..errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SUFFIXES", "read_signatures"]

SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".parquet")
_MOST_TYPES = 2_000


def is_signatures(path: Path) -> bool:
    """Return whether the file's name is that of a table."""
    return path.name.lower().endswith(SUFFIXES)


def read_signatures(path: Path, genes: Mapping[str, Any] | None = None) -> tuple[Any, dict[str, Any], Any]:
    """Read a table of signatures.

    Parameters
    ----------
    path
        The file; genes in rows and types in columns, or the other way round.
    genes
        By what the spots call their genes: tells genes from types. Without it the longer side holds the genes.

    Returns
    -------
    tuple
        (t, g) profiles, the ways in which the genes are named, and the (t,) names of the types.

    Raises
    ------
    BadInput
        When it is no table of numbers, or a number is negative or missing.
    """
    frame = _frame(path)
    numbers = frame.select_dtypes("number")
    if numbers.shape[1] == 0 or len(numbers) == 0:
        raise BadInput(f"'{path.name}' holds no columns of numbers.", "Give a table of genes by cell types.")
    text = frame.drop(columns=numbers.columns)
    if _genes_in_rows(numbers, genes):
        named = names_of(numbers.index.astype(str), {str(c): text[c].astype(str) for c in text})
        values, types = numbers.to_numpy(float).T, numbers.columns.astype(str).to_numpy()
    else:
        named = names_of(numbers.columns.astype(str), {})
        values, types = numbers.to_numpy(float), numbers.index.astype(str).to_numpy()
    _check(path, values, types)
    return values, named, types


def _frame(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
            text = [c for c in frame if not pd.api.types.is_numeric_dtype(frame[c])]
            unnamed = isinstance(frame.index, pd.RangeIndex)
            return frame.set_index(text[0]) if unnamed and text else frame
        separator = "," if ".csv" in path.name.lower() else "\t"
        return pd.read_csv(path, sep=separator, index_col=0)
    except (ValueError, OSError, UnicodeError) as error:  # pandas' own errors and pyarrow's are of these
        raise BadInput(f"'{path.name}' is no table that can be read ({error}).", "Write it again as CSV.") from error


def _genes_in_rows(numbers: pd.DataFrame, genes: Mapping[str, Any] | None) -> bool:
    if genes is not None:
        rows, columns = (
            match_genes(genes, names_of(side.astype(str), {})).n_shared for side in (numbers.index, numbers.columns)
        )
        if rows != columns:
            return bool(rows > columns)
    return len(numbers) >= numbers.shape[1]


def _check(path: Path, values: Any, types: Any) -> None:
    if len(types) > _MOST_TYPES:
        raise BadInput(
            f"'{path.name}' would hold {len(types):,} cell types: is it a table of single cells?",
            "Give a signature a cell type, or the cells as an AnnData file.",
        )
    twice = [name for name in np.unique(types) if (types == name).sum() > 1]
    if twice:
        raise BadInput(f"'{path.name}' has the type '{twice[0]}' twice.", "Give each type one signature.")
    if not np.isfinite(values).all():
        missing = int((~np.isfinite(values)).sum())
        raise BadInput(f"'{path.name}' holds {missing:,} values that are missing or infinite.", "Fill them first.")
    if (values < 0).any():
        raise BadInput(
            f"'{path.name}' holds {int((values < 0).sum()):,} negative values (least {values.min():.3g}).",
            "Give mean counts or shares, not scaled values.",
        )
