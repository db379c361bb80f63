"""The correction that brings what another reader made into the section, to be compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...errors import BadInput
from ..changes import Change
from ..comparing import classes_of, require_same_frame
from ..document import Document
from ..elements import matrices, with_matrices
from ..other_section import OtherSection, brought_name, open_other
from ..store import put
from .readers import copied_labels
from .registry import Made, correction


@correction
def bring_in(document: Document, path: str, kind: str, name: str, reader: str) -> Made:
    """Bring labels, a column of classes or areas of another saved section in, named after their reader.

    The labels have to lie where labels of this section lie; a column goes by the ids of the rows.
    """
    other = open_other(path)
    makers = {"labels": _labels, "column": _column, "shapes": _shapes}
    if kind not in makers:
        raise BadInput(f"'{kind}' cannot be brought in.", f"Choose one of {', '.join(makers)}.")
    new, changes = makers[kind](document, other, name, reader)
    return f"bring in {new}", changes


def _labels(document: Document, other: OtherSection, name: str, reader: str) -> tuple[str, list[Change]]:
    new = _free(document, brought_name(name, reader))
    own = name if name in document.names("labels") else None
    for here in [own] if own else document.names("labels"):
        try:
            require_same_frame(document, here, other.document, name)
        except BadInput:
            if own:
                raise
            continue
        return new, copied_labels(other.document, document, name, new)
    raise BadInput(f"No labels of this section lie where '{name}' of '{other.path.name}' lies.",
                   "Choose a copy of this section.")  # fmt: skip


def _column(document: Document, other: OtherSection, name: str, reader: str) -> tuple[str, list[Change]]:
    table, _, column = name.partition("/")
    new = brought_name(column, reader)
    obs = document.table(table).obs
    if new in obs:
        raise BadInput(f"The table '{table}' has a column '{new}' already.", "Give the reader another name.")
    theirs = classes_of(other.document, table, column)
    if not theirs.index.is_unique:
        raise BadInput(f"Rows of '{table}' in '{other.path.name}' have one id.", "They cannot be told apart.")
    key = (document.table(table).uns.get("spatialdata_attrs") or {}).get("region_key")
    regions = obs[key].astype(str).to_numpy() if key in obs else np.full(len(obs), "")
    values = theirs.reindex(pd.MultiIndex.from_arrays([regions, document.instances(table)]))
    if values.isna().all():
        raise BadInput(f"The tables '{table}' have no row in common.", "Choose a copy of this section.")
    named: Any = values.astype(object).map(lambda v: None if pd.isna(v) else str(v)).to_numpy()
    categories = [str(c) for c in theirs.astype("category").cat.categories]
    made = pd.Series(pd.Categorical(named, categories=categories), index=obs.index)
    return new, [put(document, ("tables", table, "obs", new), made)]


def _shapes(document: Document, other: OtherSection, name: str, reader: str) -> tuple[str, list[Change]]:
    new = _free(document, brought_name(name, reader))
    frame = other.document.element(name)
    if other.document.type_of(name) != "shapes":
        raise BadInput(f"'{name}' of '{other.path.name}' holds no areas.", "Choose its shapes.")
    made = frame.copy()
    made.attrs = {}
    return new, [put(document, ("shapes", new), with_matrices(_parsed(made), matrices(frame)))]


def _parsed(frame: Any) -> Any:
    from spatialdata.models import ShapesModel

    return ShapesModel.parse(frame)


def _free(document: Document, name: str) -> str:
    if any(name in document.names(kind) for kind in ("images", "labels", "shapes", "points")):
        raise BadInput(f"The section has '{name}' already.", "Give the reader another name.")
    return name
