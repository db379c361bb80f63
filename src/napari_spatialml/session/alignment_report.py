"""The report of a registration, and of several of one pair side by side: landmarks, images, folds, differences."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.alignment_figures import Difference, Pictures, difference, likeness_under, pictures_of
from ..core.folding import folds
from ..core.landmarks import residuals
from ..core.report import Report, part, silent
from ..core.transform import Affine, Transform
from ..errors import BadInput
from .alignments import KEPT, affine_part, alignment_of, moved_elements, places_within
from .document import Document
from .fields import restored
from .selection import RegistrationSelection
from .sides import PairPlan, pair_plan

__all__ = ["BEFORE", "NOW", "AlignmentReport", "Figures", "report_of_alignments"]

BEFORE, NOW = "before", "now"
"""What the columns are called that stand for no registration and for the present one."""
Points = npt.NDArray[np.float64]
_FOLD_GRID = 200
"""Folds are looked for at so many places along the longer edge of the moving side."""
_UNITS = {
    "landmark error, median": "µm", "landmark error, largest": "µm", "mutual information": "bits",
    "tissue on tissue": "%", "folded area": "%", "largest bend": "µm", "turned by": "°", "scaled by": "",
    "mirrored": "", "trust": "%",
}  # fmt: skip


@dataclass(frozen=True)
class Figures:
    """One registration in figures; NaN where something is not known.

    Parameters
    ----------
    name
        "before", "now", or the name under which it is kept.
    values
        By measure.
    warning
        What the method warned of.
    """

    name: str
    values: Mapping[str, float]
    warning: str = ""


@dataclass(frozen=True)
class AlignmentReport:
    """Registrations of one pair side by side.

    Parameters
    ----------
    moving, fixed
        The coordinate systems.
    columns
        "before" first: the sides as they lie without any registration.
    landmarks
        How many pairs of landmarks the errors are of.
    first, second, apart
        Which two of the registrations were compared, and where they differ; None where there is only one.
    """

    moving: str
    fixed: str
    columns: tuple[Figures, ...]
    landmarks: int
    first: str = ""
    second: str = ""
    apart: Difference | None = None

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures of which at least one column knows something."""
        known = {m for c in self.columns for m, v in c.values.items() if isfinite(v)}
        return tuple(m for m in _UNITS if m in known)

    def rows(self) -> list[tuple[str, ...]]:
        """Return one row a measure: its name with the unit, and the value of each column as text."""
        made = []
        for measure in self.measures:
            unit = _UNITS[measure]
            shown = (_shown(measure, c.values.get(measure, float("nan"))) for c in self.columns)
            made.append((f"{measure}, {unit}" if unit else measure, *shown))
        return made

    def to_frame(self) -> pd.DataFrame:
        """Return one row a measure and one column a registration, as numbers."""
        values = {c.name: [c.values.get(m, float("nan")) for m in self.measures] for c in self.columns}
        frame = pd.DataFrame(values, index=pd.Index(self.measures, name="measure"))
        frame.insert(0, "unit", [_UNITS[m] for m in self.measures])
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values; what is not known is null."""
        columns = [
            {"name": c.name, "warning": c.warning, **{m: _plain(c.values.get(m, float("nan"))) for m in self.measures}}
            for c in self.columns
        ]
        made: dict[str, Any] = {"moving": self.moving, "fixed": self.fixed, "landmarks": self.landmarks,
                                "units": {m: _UNITS[m] for m in self.measures}, "registrations": columns}  # fmt: skip
        if self.apart is not None:
            made["difference"] = {
                "first": self.first, "second": self.second, "median_um": self.apart.median_um,
                "p95_um": self.apart.p95_um, "largest_um": self.apart.largest_um,
                "places_um": np.round(self.apart.places, 1).tolist(),
                "distance_um": np.round(self.apart.distance_um, 2).tolist(),
            }  # fmt: skip
        return made

    def to_json(self) -> str:
        """Return the report as JSON."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """Return the figures as a table of comma-separated values."""
        return str(self.to_frame().to_csv())

    def sentences(self) -> list[str]:
        """Return what is to be said beside the table: warnings first, then how far two registrations differ."""
        said = [f"{c.name}: {c.warning}" for c in self.columns if c.warning]
        if self.apart is not None:
            said.append(
                f"'{self.first}' and '{self.second}' put the same tissue {self.apart.median_um:.1f} µm apart (median; "
                f"95 % of it less than {self.apart.p95_um:.1f} µm, at most {self.apart.largest_um:.1f} µm)."
            )
        return said

    def to_text(self) -> str:
        """Return the report as plain text, to be read."""
        heads = ("", *(c.name for c in self.columns))
        table = [heads, *self.rows()]
        wide = [max(len(row[k]) for row in table) for k in range(len(heads))]
        lines = ["  ".join([row[0].ljust(wide[0]), *(v.rjust(w) for v, w in zip(row[1:], wide[1:], strict=True))])
                 for row in table]  # fmt: skip
        title = f"'{self.moving}' on '{self.fixed}'" + (f", {self.landmarks} landmarks" if self.landmarks else "")
        return "\n".join([title, *(line.rstrip() for line in lines), *self.sentences()]) + "\n"


def _shown(measure: str, value: float) -> str:
    if not isfinite(value):
        return "?"
    if measure == "mirrored":
        return "yes" if value else "no"
    return f"{value:.2f}" if measure in ("mutual information", "scaled by") else f"{value:.1f}"


def _plain(value: float) -> float | None:
    return float(value) if isfinite(value) else None


# gathering ---------------------------------------------------------------------------------------


def report_of_alignments(
    document: Document, moving: str, kept: Sequence[str] = (), *, fixed_image: str = "", moving_image: str = ""
) -> Callable[[Report], AlignmentReport]:
    """Prepare the report of the present registration of a moving side, and of kept ones beside it.

    Parameters
    ----------
    document
        The document.
    moving
        The moving coordinate system.
    kept
        Names of kept registrations of the same pair. Where they differ from the present one, or the first two
        from each other if there is none at present, is told too.
    fixed_image, moving_image
        The images that are compared; those by which it was registered if empty.

    Returns
    -------
    callable
        Makes the report on any thread.

    Raises
    ------
    BadInput
        When there is no such registration, or a kept one is of another pair.
    """
    entries = _entries(document, moving, kept)
    fixed = str(next(iter(entries.values()))["fixed"])
    images = next((e["images"] for e in entries.values() if any(e.get("images") or ())), ["", ""])
    chosen = RegistrationSelection(
        moving, fixed, fixed_image=fixed_image or images[0], moving_image=moving_image or images[1]
    )
    plan = pair_plan(document, chosen) if chosen.fixed_image and chosen.moving_image else None
    marks = _landmarks(document, moving, fixed)
    transforms = {name: restored(document, entry["transform"]) for name, entry in entries.items()}
    names = moved_elements(document, moving, fixed)
    names = [n for n in names if document.type_of(n) != "points"] or names
    places = places_within(document, names, moving)
    straight = {name: affine_part(document, names, moving, t) for name, t in transforms.items()}

    def measured(report: Report = silent) -> AlignmentReport:
        pictures = None if plan is None else _pictures(plan, part(report, 0.0, 0.5))
        columns = [_figures(BEFORE, Affine.identity(), Affine.identity(), None, marks, pictures, places)]
        for k, (name, transform) in enumerate(transforms.items()):
            report(0.5 + 0.5 * k / len(transforms), f"Measuring '{name}'")
            trust = entries[name].get("trust")
            columns.append(_figures(name, transform, straight[name], trust, marks, pictures, places))
        n = 0 if marks is None else len(marks[0])
        if len(transforms) < 2:
            return AlignmentReport(moving, fixed, tuple(columns), n)
        (first, a), (second, b) = list(transforms.items())[:2]
        return AlignmentReport(moving, fixed, tuple(columns), n, first, second, difference(a, b, places))

    return measured


def _entries(document: Document, moving: str, kept: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the registrations by name: the kept ones first, then the present one."""
    known = document.attribute(KEPT, {})
    found: dict[str, dict[str, Any]] = {}
    for name in kept:
        if name not in known:
            have = ", ".join(f"'{n}'" for n in sorted(known)) or "none"
            raise BadInput(f"No registration is kept as '{name}'.", f"Kept are: {have}.")
        found[name] = dict(known[name])
    if not found or moving in document.attribute("alignments", {}):
        found[NOW] = alignment_of(document, moving)
    pairs = {(e.get("moving", moving), e["fixed"]) for e in found.values()}
    if len(pairs) > 1 or next(iter(pairs))[0] != moving:
        said = " and ".join(sorted(f"'{m}' on '{f}'" for m, f in pairs))
        raise BadInput(f"These are registrations of {said}.", "Compare registrations of one pair.")
    return found


def _landmarks(document: Document, moving: str, fixed: str) -> tuple[Points, Points] | None:
    """Return the moving and the fixed landmarks of every set that joins the pair."""
    joined: list[tuple[Any, Any]] = []
    for held in document.attribute("landmarks", {}).values():
        if (held.get("moving"), held.get("fixed")) == (moving, fixed) and held["fixed_um"]:
            joined.append((held["moving_um"], held["fixed_um"]))
    if not joined:
        return None
    a, b = (np.concatenate([np.asarray(pair[k], dtype=float).reshape(-1, 2) for pair in joined]) for k in (0, 1))
    return a, b


def _pictures(plan: PairPlan, report: Report) -> Pictures:
    pair = plan.read(report)
    return pictures_of(pair.fixed, pair.moving, plan.fixed.origin, plan.moving.origin)


def _figures(
    name: str,
    transform: Transform,
    straight: Affine,
    trust: Mapping[str, Any] | None,
    marks: tuple[Points, Points] | None,
    pictures: Pictures | None,
    places: Points,
) -> Figures:
    values: dict[str, float] = {}
    if marks is not None:
        miss = residuals(transform, *marks)
        values |= {"landmark error, median": float(np.median(miss)), "landmark error, largest": float(miss.max())}
    if pictures is not None:
        likeness = likeness_under(pictures, transform)
        values |= {"mutual information": likeness.information_bits, "tissue on tissue": 100 * likeness.overlap}
    if name == BEFORE:
        return Figures(name, values)
    low, high = places.min(0), places.max(0)
    folded = folds(transform, low, high, float((high - low).max()) / _FOLD_GRID)
    bend = np.linalg.norm(transform.apply(places) - straight.apply(places), axis=1)
    values |= {
        "folded area": 100 * folded.share,
        "largest bend": float(bend.max()),
        "turned by": straight.rotation_degrees,
        "scaled by": float(np.sqrt(np.prod(straight.scale_factors))),
        "mirrored": float(transform.reflects),
        "trust": float("nan") if trust is None else 100 * float(trust["score"]),
    }
    return Figures(name, values, "" if trust is None else str(trust.get("warning", "")))
