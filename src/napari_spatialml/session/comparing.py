"""Compare what two readers, or two methods, made of one section: cells, classes of rows, drawn areas.

Each function gathers on the thread of the window and returns what does the work on any thread.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.agreement import CellAgreement, Measure, cell_agreement
from ..core.intervals import Estimate
from ..core.kappa import class_agreement
from ..core.region_agreement import region_agreement
from ..core.report import Report
from ..errors import BadInput
from .areas import areas_of, section_box
from .document import GLOBAL, Document
from .gather import pixel_size

__all__ = ["Comparison", "compare_areas", "compare_cells", "compare_columns", "require_same_frame"]

Compare = Callable[[Report], "Comparison"]
_NEAR = 1e-6
GROUPS = "groups"
"""The unit of how many groups of cells agree or disagree in one way."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """What came out of a comparison.

    Parameters
    ----------
    kind
        "cells", "classes" or "areas".
    a, b
        What was compared.
    measures
        The figures, with their intervals.
    names, confusion
        Of classes and areas: how many rows, or how much area in µm², A (rows) and B (columns) put where.
    cells
        Of cells: their groups, and everything behind the figures.
    ids, codes_a, codes_b
        Of classes: what the rows annotate, and the place of either reader's class in ``names``, -1 for none.
    """

    kind: str
    a: str
    b: str
    measures: tuple[Measure, ...]
    names: tuple[str, ...] = ()
    confusion: npt.NDArray[np.float64] | None = None
    cells: CellAgreement | None = None
    ids: npt.NDArray[Any] | None = None
    codes_a: npt.NDArray[np.int64] | None = None
    codes_b: npt.NDArray[np.int64] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values; what is not known is null."""
        figures = [
            {"measure": m.name, "value": _plain(m.estimate.value), "low": _plain(m.estimate.low),
             "high": _plain(m.estimate.high), "unit": m.unit}
            for m in self.measures
        ]  # fmt: skip
        made: dict[str, Any] = {"kind": self.kind, "a": self.a, "b": self.b, "interval": 0.95, "measures": figures}
        if self.confusion is not None:
            made["confusion"] = {"names": list(self.names), "table": self.confusion.tolist()}
        if self.cells is not None:
            made["groups"] = self.cells.groups.counts
        return made

    def to_json(self) -> str:
        """Return the report as JSON."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """Return the figures as a table of comma-separated values."""
        columns = ["measure", "value", "low", "high", "unit"]
        return str(pd.DataFrame(self.to_dict()["measures"], columns=columns).to_csv(index=False))


def _plain(value: float) -> float | None:
    return float(value) if isfinite(value) else None


# cells -------------------------------------------------------------------------------------------


def compare_cells(
    document_a: Document,
    a: str,
    document_b: Document,
    b: str,
    *,
    outline: float = 0.7,
    column: str = "",
) -> Compare:
    """Prepare the comparison of two labels elements of one section.

    Parameters
    ----------
    document_a, document_b
        The documents; the same where one holds both.
    a, b
        The labels elements.
    outline
        Partners whose intersection over union is below this count as drawn differently.
    column
        A column of classes that the tables of both have, to be compared too.

    Raises
    ------
    BadInput, DocumentError
        When they do not lie in one frame, or a column is absent.
    """
    require_same_frame(document_a, a, document_b, b)
    # snapshots: the person may paint while this runs
    grids = document_a.grid(a).snapshot(), document_b.grid(b).snapshot()
    shape, size = grids[0].shape, pixel_size(document_a, a)
    classes = (_classes_of(document_a, a, column), _classes_of(document_b, b, column)) if column else None

    def compare(report: Report) -> Comparison:
        found = cell_agreement(
            lambda w: (grids[0].read(w), grids[1].read(w)), shape, size, outline=outline, classes=classes, report=report
        )
        counts = tuple(Measure(k[0].upper() + k[1:], Estimate(n), GROUPS) for k, n in found.groups.counts.items())
        return Comparison("cells", a, b, (*found.measures, *counts), cells=found)

    return compare


def require_same_frame(document_a: Document, a: str, document_b: Document, b: str) -> None:
    """Raise `BadInput` unless two labels elements have one shape and lie in one place."""
    shapes = document_a.grid(a).shape, document_b.grid(b).shape
    if shapes[0] != shapes[1]:
        raise BadInput(
            f"'{a}' has {shapes[0][0]} × {shapes[0][1]} pixels and '{b}' {shapes[1][0]} × {shapes[1][1]}.",
            "Only labels of the same image can be compared.",
        )
    systems = [s for s in document_a.placed(a) if s in document_b.placed(b)]
    if not systems:
        raise BadInput(f"'{a}' and '{b}' lie in no common coordinate system.", "Register one of them first.")
    system = GLOBAL if GLOBAL in systems else systems[0]
    one, other = (d.affine(n, system).matrix for d, n in ((document_a, a), (document_b, b)))
    if not np.allclose(one, other, rtol=_NEAR, atol=_NEAR * float(np.abs(one).max())):
        raise BadInput(f"'{a}' and '{b}' do not lie in the same place of '{system}'.", "Register them alike first.")


def _classes_of(document: Document, labels: str, column: str) -> dict[int, Any]:
    for table in document.tables_of(labels):
        if column in document.table(table).obs:
            rows = document.rows(table, labels)
            values = document.table(table).obs[column].iloc[rows]
            ids = document.instances(table)[rows]
            return {int(i): None if pd.isna(v) else str(v) for i, v in zip(ids, values, strict=True)}
    raise BadInput(f"No table of '{labels}' has a column '{column}'.", "Choose a column that both readers filled.")


# classes -----------------------------------------------------------------------------------------


def compare_columns(
    document_a: Document, table_a: str, column_a: str, document_b: Document, table_b: str, column_b: str
) -> Compare:
    """Prepare the comparison of two columns of classes over the same rows.

    Raises
    ------
    BadInput, DocumentError
        When a column is absent or holds measurements, or the tables have no row in common.
    """
    a, b = classes_of(document_a, table_a, column_a), classes_of(document_b, table_b, column_b)
    if document_a is not document_b or table_a != table_b:
        both = a.index.intersection(b.index)
        if not len(both) or not (a.index.is_unique and b.index.is_unique):
            raise BadInput(
                f"The tables '{table_a}' and '{table_b}' do not describe the same rows.",
                "Choose two columns of one table, or of the same section saved by two readers.",
            )
        a, b = a.reindex(both), b.reindex(both)

    def compare(report: Report) -> Comparison:
        report(0.0, f"{len(a):,} rows")
        found = class_agreement(a, b)
        per_class = (Measure(f"Kappa of {n}", k) for n, k in zip(found.names, found.per_class, strict=True))
        measures = (
            Measure("Rows with a class of both", Estimate(len(a) - found.left_out), "rows"),
            Measure("Rows left out", Estimate(found.left_out), "rows"),
            Measure("Agreement", found.agreement),
            Measure("Cohen's kappa", found.kappa),
            *per_class,
        )
        codes = [pd.Index(found.names).get_indexer(c.astype(object).map(_named).to_numpy()) for c in (a, b)]
        ids = np.asarray(a.index.get_level_values(1))
        return Comparison("classes", f"{table_a}/{column_a}", f"{table_b}/{column_b}", measures, found.names,
                          found.confusion, None, ids, codes[0].astype(np.int64), codes[1].astype(np.int64))  # fmt: skip

    return compare


def _named(value: Any) -> str | None:
    return None if pd.isna(value) else str(value)


def classes_of(document: Document, table: str, column: str) -> pd.Series[Any]:
    """Return a column of classes by region and instance.

    Raises
    ------
    BadInput, DocumentError
        When it is absent, or holds measurements.
    """
    held = document.table(table)
    if column not in held.obs:
        raise BadInput(f"The table '{table}' has no column '{column}'.", f"It has: {', '.join(held.obs.columns)}.")
    values = held.obs[column]
    if values.dtype.kind in "fc" and not isinstance(values.dtype, pd.CategoricalDtype):
        raise BadInput(f"The column '{column}' holds measurements.", "Choose a column of classes.")
    key = (held.uns.get("spatialdata_attrs") or {}).get("region_key")
    regions = held.obs[key].astype(str).to_numpy() if key in held.obs else np.full(held.n_obs, "")
    index = pd.MultiIndex.from_arrays([regions, document.instances(table)])
    return pd.Series(values.to_numpy() if values.dtype.kind == "O" else values.array, index=index)


# areas -------------------------------------------------------------------------------------------


def compare_areas(document_a: Document, a: str, document_b: Document, b: str) -> Compare:
    """Prepare the comparison of two sets of drawn areas, class by class.

    Parameters
    ----------
    document_a, document_b
        The documents.
    a, b
        Shapes of polygons; "regions@Anna" for those that Anna drew among several.

    Raises
    ------
    BadInput, DocumentError
        When one of them is no set of areas.
    """
    sides: list[Mapping[str, Any]] = [areas_of(document_a, a), areas_of(document_b, b)]
    within = section_box(document_a, [*sides[0].values(), *sides[1].values()])

    def compare(report: Report) -> Comparison:
        report(0.0, "Areas")
        found = region_agreement(sides[0], sides[1], within)
        measures = [
            Measure("Area of the section", Estimate(found.area / 1e6), "mm²"),
            Measure("Kappa by area", Estimate(found.kappa)),
        ]
        for k, name in enumerate(found.names[:-1]):
            measures += [
                Measure(f"Dice of {name}", Estimate(found.dice[k])),
                Measure(f"Kappa of {name}", Estimate(found.per_class[k])),
                Measure(f"Hausdorff distance of {name}", Estimate(found.hausdorff[k]), "µm"),
            ]
        return Comparison("areas", a, b, tuple(measures), found.names, found.confusion)

    return compare
