"""The values of a table by the name that a person types: a column, a feature, a column of obsm, a selection."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import BadInput
from .features import feature
from .selected import kept_selections

if TYPE_CHECKING:
    from .document import Document

__all__ = ["Words", "named_values", "names_in"]

_LISTED = 8


@dataclass(frozen=True, eq=False)
class Words:
    """A text a row.

    Parameters
    ----------
    name
        Of the column.
    codes
        (n,) places in ``categories``; -1 where nothing is said.
    categories
        Each text once.
    ordered
        Whether their order means something.
    """

    name: str
    codes: npt.NDArray[np.int64]
    categories: tuple[str, ...]
    ordered: bool = False

    def code_of(self, word: Any) -> int:
        """Return the place of a text, or of a number that is a category's name.

        Raises
        ------
        BadInput
            When there is no such category.
        """
        said = f"{word:g}" if isinstance(word, float) else str(word)
        if said in self.categories:
            return self.categories.index(said)
        near = get_close_matches(said, self.categories, 1, 0.5)
        some = ", ".join(self.categories[:_LISTED]) + (" …" if len(self.categories) > _LISTED else "")
        raise BadInput(f"'{self.name}' has no '{said}'.", f"Did you mean '{near[0]}'?" if near else f"It has: {some}.")

    def same_as(self, other: Words) -> npt.NDArray[np.bool_]:
        """Return (n,) whether two columns say the same; where nothing is said, they do not."""
        place = {word: k for k, word in enumerate(self.categories)}
        turned = np.array([place.get(word, -2) for word in other.categories] + [-2])
        return np.asarray(self.codes == turned[other.codes])


def named_values(document: Document, table: str, name: str) -> Any:
    """Return the values of what has a name: numbers as float64, truths as bool, texts as `Words`.

    Parameters
    ----------
    document, table
        The document, and one of its tables.
    name
        A column of obs, a feature, a column of obsm, a kept selection; or "obs/…", "X/…", "obsm/…/…".

    Raises
    ------
    BadInput
        When nothing is called so: the nearest name is offered.
    """
    held, (part, _, rest) = document.table(table), name.partition("/")
    if part == "obs" and rest in held.obs:
        return _of_column(held.obs[rest], rest)
    if part == "X" and rest in held.var_names:
        return _of_feature(held, rest)
    if name in held.obs:
        return _of_column(held.obs[name], name)
    if name in held.var_names and held.X is not None:
        return _of_feature(held, name)
    kept = next((k for k in kept_selections(document, table) if k.name == name), None)
    if kept is not None:
        return _of_column(held.obs[kept.column], name)
    blocks = _blocks(held)
    found = [key for key in blocks if name in (key, key.partition("/")[2], key.rpartition("/")[2])]
    if len(found) == 1:
        return np.asarray(blocks[found[0]](), dtype=float)
    if found:
        raise BadInput(f"'{name}' stands in {' and '.join(found[:3])}.", f"Write `{found[0]}`, in backticks.")
    near = get_close_matches(name, names_in(document, table), 1, 0.6) or _alike(name, names_in(document, table))
    hint = f"Did you mean '{near[0]}'?" if near else f"It has: {', '.join(names_in(document, table)[:_LISTED])} …"
    raise BadInput(f"The table '{table}' has no column or gene '{name}'.", hint)


def names_in(document: Document, table: str) -> tuple[str, ...]:
    """Return all names that a query of a table may hold: columns, selections, obsm, features last."""
    held = document.table(table)
    own = [str(c) for c in held.obs.columns]
    kept = [k.name for k in kept_selections(document, table)]
    return (*own, *kept, *_blocks(held), *(str(v) for v in held.var_names))


def _alike(name: str, names: tuple[str, ...]) -> list[str]:
    return [n for n in names if n.lower() == name.lower()][:1]


def _of_feature(held: Any, name: str) -> npt.NDArray[np.float64]:
    at = held.var_names.get_loc(name)
    if not isinstance(at, int):
        raise BadInput(f"Several features are called '{name}'.", "Give each its own name first.")
    return feature(held.X, at).astype(np.float64)


def _of_column(values: pd.Series[Any], name: str) -> Any:
    if values.dtype == bool:
        return values.to_numpy()
    if isinstance(values.dtype, pd.CategoricalDtype) or values.dtype.kind not in "iuf":
        if values.dtype.kind == "b":  # pandas' own, with gaps
            return values.fillna(False).to_numpy(dtype=bool)
        if pd.api.types.is_numeric_dtype(values.dtype):
            return values.to_numpy(dtype=float, na_value=np.nan)
        column = values.astype("category")
        words = tuple(str(c) for c in column.cat.categories)
        return Words(name, column.cat.codes.to_numpy().astype(np.int64), words, bool(column.cat.ordered))
    return values.to_numpy(dtype=float)


def _blocks(held: Any) -> dict[str, Any]:
    """Return what gives each column of obsm, by "obsm/<name>/<column>" without the first part."""
    found: dict[str, Any] = {}
    for name, block in held.obsm.items():
        if isinstance(block, pd.DataFrame):
            found |= {f"obsm/{name}/{c}": lambda b=block, c=c: b[c].to_numpy() for c in block.columns}
        elif getattr(block, "ndim", 0) == 2:
            found |= {f"obsm/{name}/{k}": lambda b=block, k=k: feature(b, k) for k in range(block.shape[1])}
    return found
