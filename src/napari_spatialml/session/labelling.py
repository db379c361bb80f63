"""Names that divide the rows of a table: domains, layers by hand, clusters, classes of regions drawn on the tissue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import BadInput

if TYPE_CHECKING:
    from .document import Document

__all__ = ["Labelling", "labelling", "labellings"]

MOST, _MOST_NUMBERS = 100, 40
"""A column of more names than this names the rows, and divides nothing; a column of more numbers measures."""
_REGIONS = "regions/"
_ABOUT = ("_by_hand", "_settled", "_boundary", "_margin", "_stability", "_reason")
"""What the column that says something about another column ends in."""


@dataclass(frozen=True, eq=False)
class Labelling:
    """A name for each row, or none.

    Parameters
    ----------
    title
        What a person calls it: "domain", "regions of annotations".
    names
        (k,) the names, in their order.
    codes
        (n,) places in ``names``; -1 for a row without a name, such as tissue that is ignored.
    """

    title: str
    names: tuple[str, ...]
    codes: npt.NDArray[np.int64]

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """(k,) number of rows of each name."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))

    @property
    def token(self) -> str:
        """What changes whenever a row gets another name, or a name another word."""
        from .fingerprints import digest

        return digest("\n".join(self.names).encode(), np.ascontiguousarray(self.codes).data)

    def rows(self, names: str | Iterable[str]) -> npt.NDArray[np.int64]:
        """Return the rows of one or several names, ascending.

        Raises
        ------
        BadInput
            When there is no such name.
        """
        wanted = [names] if isinstance(names, str) else list(names)
        absent = next((n for n in wanted if n not in self.names), None)
        if absent is not None:
            raise BadInput(f"'{self.title}' has no '{absent}'.", f"It has: {', '.join(self.names)}.")
        return np.flatnonzero(np.isin(self.codes, [self.names.index(n) for n in wanted]))

    def used(self) -> Labelling:
        """Return the same without the names that no row has."""
        there = np.flatnonzero(self.sizes)
        place = np.full(len(self.names) + 1, -1)
        place[there] = np.arange(len(there))
        return Labelling(self.title, tuple(self.names[k] for k in there), place[self.codes])


def labelling(document: Document, table: str, key: str) -> Labelling:
    """Return what divides the rows of a table.

    Parameters
    ----------
    document, table
        The document, and one of its tables.
    key
        A column of the table, such as "domain", or "regions/<annotations>": the classes of regions drawn on
        the tissue. A row that lies in regions of several classes has that of the smallest.

    Raises
    ------
    BadInput, DocumentError
        When there is no such column or annotations, or the column holds measurements.
    """
    if key.startswith(_REGIONS):
        return _of_regions(document, table, key.removeprefix(_REGIONS))
    held = document.table(table)
    if key not in held.obs:
        have = ", ".join(labellings(document, table)) or "none that divides the rows"
        raise BadInput(f"The table '{table}' has no column '{key}'.", f"It has: {have}.")
    values = held.obs[key]
    if values.dtype.kind in "fc":
        raise BadInput(f"The column '{key}' holds measurements.", "Choose a column of names.")
    column = values if isinstance(values.dtype, pd.CategoricalDtype) else values.astype("category")
    names = tuple(str(c) for c in column.cat.categories)
    return Labelling(key, names, column.cat.codes.to_numpy().astype(np.int64))


def labellings(document: Document, table: str, without: str = "") -> dict[str, str]:
    """Return what divides the rows of a table in two or more, by what a person calls it: columns, then annotations.

    Parameters
    ----------
    document, table
        The document, and one of its tables.
    without
        A column that is left out, with what was found out about it.
    """
    from .annotating import annotation_names, classes_of

    held = document.table(table)
    ties = set(map(str, (held.uns.get("spatialdata_attrs") or {}).values()))
    columns = [str(c) for c in held.obs.columns if str(c) not in ties and str(c) != without]
    found = {c: c for c in columns if not c.endswith(_ABOUT) and _divides(held.obs[c])}
    for name in annotation_names(document):
        if len(classes_of(document, name)) > 0:
            found[f"regions of {name}"] = f"{_REGIONS}{name}"
    return found


def _divides(values: pd.Series[Any]) -> bool:
    if isinstance(values.dtype, pd.CategoricalDtype):
        return 2 <= len(values.cat.categories) <= MOST
    if values.dtype.kind in "fcmM":
        return False
    return bool(2 <= values.nunique() <= (_MOST_NUMBERS if values.dtype.kind in "iu" else MOST))


def _of_regions(document: Document, table: str, annotations: str) -> Labelling:
    from ..io.regions_file import CLASS
    from .annotating import frame_of, rows_inside

    frame = frame_of(document, annotations)
    if frame is None or not len(frame):
        raise BadInput(f"'{annotations}' has no region.", "Draw one under Annotate.")
    inside = rows_inside(document, annotations, table)
    classes = {str(i): str(c) for i, c in zip(frame.index, frame[CLASS], strict=True) if str(c)}
    names = tuple(dict.fromkeys(classes.values()))
    codes = np.full(document.table(table).n_obs, -1, np.int64)
    for region in sorted(classes, key=lambda r: -len(inside[r])):  # the smaller lies on the larger
        codes[inside[region]] = names.index(classes[region])
    return Labelling(f"regions of {annotations}", names, codes)
