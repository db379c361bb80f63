"""Proportions of cell types in the document: from a method's Result to a table's parts, and back.

The parts of an output and where they lie are named here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.box_simplex import nearest_within
from ..core.deconvolution import Constraints, Fitted, Proportions
from ..errors import BadInput
from .changes import Change, EditValues, Put, Slot
from .constraints import STRENGTH, Hand, hand_of, key_of
from .document import Document
from .selection import DeconvolutionSelection

__all__ = [
    "ATTRIBUTE",
    "LEVEL",
    "Deconvolved",
    "frames_of",
    "held_proportions",
    "proportions_frame",
    "proven",
    "stored_proportions",
    "uncertainty",
    "unusually_uncertain",
    "within",
]

ATTRIBUTE = "deconvolutions"
LEVEL = 0.9
"""What the intervals are meant to cover."""
_BEYOND, _LEAST_WIDE = 1.5, 0.1
Array = npt.NDArray[Any]
_FRAMES = {"standard_error": "standard_errors", "abundance": "abundance", "lower": "lower", "upper": "upper"}


@dataclass(frozen=True)
class Deconvolved:
    """What a deconvolution gives to the document.

    Parameters
    ----------
    found
        The method's result under the hand's constraints.
    computed
        (n, t) what the method says without them; None where the hand has laid down nothing.
    about
        How it was made, for the attribute ``deconvolutions``.
    """

    found: Proportions
    computed: Array | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


def proportions_frame(document: Document, table: str, output: str = "proportions") -> pd.DataFrame:
    """Return the (n, t) proportions that count now.

    Raises
    ------
    BadInput, DocumentError
        When the table, or such an output of it, is not there.
    """
    frame = document.table(table).obsm.get(output)
    if not isinstance(frame, pd.DataFrame):
        raise BadInput(f"The table '{table}' has no proportions '{output}'.", "Run a deconvolution first.")
    return frame


def stored_proportions(
    document: Document, selection: DeconvolutionSelection, done: Deconvolved
) -> tuple[list[Change], str]:
    """Return the changes that keep proportions, and the result in one line.

    What the hand has laid down by now holds, whatever the method knew of it.
    """
    table, output = selection.table, selection.output
    hand = hand_of(document, table, output, done.found.types)
    found = within(done.found, hand.constraints)
    changes = [_set(document, slot, value) for slot, value in _parts(document, table, output, found, hand, done)]
    about: dict[str, Any] = {
        "table": table,
        "output": output,
        "reference": selection.reference,
        "column": selection.column,
    }
    if selection.merged:
        about["merged"] = [list(pair) for pair in selection.merged]
    genes = 0 if found.fitted is None else len(found.fitted.genes)
    dispersion = None if found.fitted is None or np.isnan(found.fitted.dispersion) else found.fitted.dispersion
    learnt = {"types": list(found.types), "level": LEVEL, "dispersion": dispersion, "genes": genes}
    changes.append(_entry(document, key_of(table, output), {**about, **done.about, **learnt}))
    return [c for c in changes if c is not None], _line(found, hand)


def within(found: Proportions, constraints: Constraints | None) -> Proportions:
    """Return a result whose values and intervals keep to the hand's ranges: the same one where they do already."""
    if constraints is None or not len(constraints.rows):
        return found
    rows, lower, upper = constraints.rows, constraints.lower, constraints.upper
    parts: dict[str, Any] = {
        name: np.array(getattr(found, name)) for name in ("values", *_ENDS) if getattr(found, name) is not None
    }
    some = {name: part[rows] for name, part in parts.items()}
    for name, part in held_within(some, lower, upper).items():
        parts[name][rows] = part
    return replace(found, **parts)


_ENDS = ("standard_errors", "lower", "upper")


def held_within(some: Mapping[str, Array], lower: Array, upper: Array) -> dict[str, Array]:
    """Return rows of a result, part by part, within ranges (k, t): nearest values, and intervals about them."""
    values = some["values"]
    wrong = ((values < lower - 1e-9) | (values > upper + 1e-9)).any(1)
    out = {"values": values.copy()}
    out["values"][wrong] = nearest_within(values[wrong].astype(np.float64), lower[wrong], upper[wrong])
    out["values"] = np.clip(out["values"], lower, upper)
    if "standard_errors" in some:
        out["standard_errors"] = np.where(lower == upper, 0, some["standard_errors"])
    if "lower" in some and "upper" in some:
        out["lower"] = np.minimum(np.clip(some["lower"], lower, upper), out["values"])
        out["upper"] = np.maximum(np.clip(some["upper"], lower, upper), out["values"])
    return {
        name: _single(name, part) if some[name].dtype == np.float32 else part.astype(np.float64, copy=False)
        for name, part in out.items()
    }


def _single(name: str, values: Array) -> Array:
    """Return what is known to a few digits with seven; the ends of intervals rounded away from the value."""
    made = values.astype(np.float32)
    if name == "lower":
        return np.where(made > values, np.nextafter(made, np.float32(-1)), made)
    return np.where(made < values, np.nextafter(made, np.float32(2)), made) if name == "upper" else made


def uncertainty(values: Array, lower: Array | None, upper: Array | None) -> npt.NDArray[np.float64]:
    """Return (n,) the mean width of a spot's intervals, weighted by its proportions; NaN where it is not known."""
    if lower is None or upper is None:
        return np.full(len(values), np.nan)
    return np.asarray((values * (upper - lower)).sum(1), dtype=np.float64)


def unusually_uncertain(widths: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return (n,) which spots are clearly less certain than the section's usual ones.

    Those whose uncertainty lies above the upper quartile of all spots by more than 1.5 times the distance
    between the quartiles, and by more than 0.1. Where all spots are uncertain, none stands out.

    References
    ----------
    Tukey, Exploratory Data Analysis (1977), section 2C: the inner fence.
    """
    known = widths[np.isfinite(widths)]
    if not len(known):
        return np.zeros(len(widths), bool)
    lower, upper = np.quantile(known, [0.25, 0.75])
    return np.asarray(np.nan_to_num(widths) > upper + max(_BEYOND * (upper - lower), _LEAST_WIDE))


def _parts(
    document: Document, table: str, output: str, found: Proportions, hand: Hand, done: Deconvolved
) -> Iterator[tuple[Slot, Any]]:
    """Yield what stands at each address of an output; None where nothing does."""
    held, types = document.table(table), list(found.types)
    part = ("tables", table)

    def frame(values: Any) -> pd.DataFrame | None:
        return None if values is None else pd.DataFrame(np.array(values), index=held.obs_names, columns=types)

    def column(values: Any) -> pd.Series[Any] | None:
        return None if values is None else pd.Series(values, index=held.obs_names)

    spoken = hand.kinds > 0
    computed = found.values if done.computed is None else np.where(spoken[:, None], done.computed, found.values)
    yield (*part, "obsm", output), frame(found.values)
    yield (*part, "obsm", f"{output}_computed"), frame(computed) if spoken.any() else None
    for end, name in _FRAMES.items():
        beside = getattr(found, name)
        yield (*part, "obsm", f"{output}_{end}"), frame(None if beside is None else _single(name, beside))
    first = pd.Categorical.from_codes(found.values.argmax(1), categories=types)
    yield (*part, "obs", f"{output}_dominant"), column(first)
    yield (*part, "obs", f"{output}_uncertainty"), column(uncertainty(found.values, found.lower, found.upper))
    for name in ("deviance", "outside", "empty"):
        values = getattr(found, name)
        yield (*part, "obs", f"{output}_{name}"), column(None if values is None else np.array(values))
    said = pd.Categorical.from_codes(hand.kinds, categories=list(STRENGTH))
    yield (*part, "obs", f"{output}_by_hand"), column(said) if spoken.any() else None
    yield (*part, "obs", f"{output}_reason"), column(hand.reasons) if spoken.any() else None
    yield from _learnt(held, part, output, found)


def frames_of(document: Document, table: str, output: str) -> list[Slot]:
    """Return the addresses of all that has a column for each cell type of an output."""
    held, ends = document.table(table), ("", "_computed", *(f"_{end}" for end in _FRAMES))
    slots: list[Slot] = [("tables", table, "obsm", f"{output}{end}") for end in ends if f"{output}{end}" in held.obsm]
    return slots + [("tables", table, "varm", name) for name in (f"{output}_signatures",) if name in held.varm]


def _learnt(held: Any, part: Slot, output: str, found: Proportions) -> Iterator[tuple[Slot, Any]]:
    """Yield what was learnt of the genes: a re-fit starts from it, in this session or in the next."""
    factor, profiles = None, None
    if found.fitted is not None:
        genes = found.fitted.genes
        order = np.argsort(genes)
        at = np.minimum(np.searchsorted(genes[order], held.var_names.to_numpy(dtype=str)), len(genes) - 1)
        used = genes[order][at] == held.var_names.to_numpy(dtype=str)
        values = np.where(used, found.fitted.platform[order][at], np.nan)
        factor = pd.Series(values, index=held.var_names)
        table = np.where(used[:, None], found.fitted.signatures.T[order][at], np.nan)
        profiles = pd.DataFrame(table, index=held.var_names, columns=list(found.types))
    yield (*part, "var", f"{output}_platform_factor"), factor
    yield (*part, "varm", f"{output}_signatures"), profiles


def held_proportions(document: Document, table: str, output: str) -> Proportions | None:
    """Return a stored result as the method gave it, from which a re-fit may start.

    None where rows came after it was made, of which nothing is known yet.
    """
    frame, held = proportions_frame(document, table, output), document.table(table)
    values = _plain(frame)
    if not np.isfinite(values).all() or not np.allclose(values.sum(1), 1, atol=1e-6):
        return None
    found = {name: held.obsm.get(f"{output}_{end}") for end, name in _FRAMES.items()}
    parts: dict[str, Any] = {name: _plain(part) for name, part in found.items() if part is not None}
    for name in ("deviance", "outside", "empty"):
        if f"{output}_{name}" in held.obs:
            parts[name] = _plain(held.obs[f"{output}_{name}"])
    types = tuple(str(t) for t in frame.columns)
    return Proportions(values, types, **parts, fitted=_fitted(document, table, output, types))


def _fitted(document: Document, table: str, output: str, types: tuple[str, ...]) -> Fitted | None:
    held, said = document.table(table), document.attribute(ATTRIBUTE, {}).get(key_of(table, output), {})
    factor, profiles = held.var.get(f"{output}_platform_factor"), held.varm.get(f"{output}_signatures")
    if factor is None or profiles is None or tuple(profiles.columns) != types:
        return None
    genes, first = np.unique(held.var_names.to_numpy(dtype=str), return_index=True)
    used = np.isfinite(factor.to_numpy()[first])
    genes, first = genes[used], first[used]
    dispersion = said.get("dispersion")
    spread = float("nan") if dispersion is None else float(dispersion)
    return Fitted(genes, _plain(factor)[first], np.ascontiguousarray(_plain(profiles)[first].T), spread)


def _plain(held: Any) -> Array:
    """Return values in the order in which a method gives them: sums over another order end in other bits."""
    return np.ascontiguousarray(held.to_numpy())


def proven(about: Mapping[str, Any] | None) -> Any:
    """Return what a replay must give again of the attribute: all but where the reference lies."""
    if about is None:
        return None
    return {key: {k: v for k, v in one.items() if k != "reference"} for key, one in about.items()}


def _set(document: Document, slot: Slot, value: Any) -> Change | None:
    """Return the change that sets an address: of a frame, of the rows that differ; None where none does."""
    held = document.get(slot)
    if held is value or (held is not None and value is not None and held.equals(value)):
        return None
    if isinstance(held, pd.DataFrame) and isinstance(value, pd.DataFrame) and _alike(held, value):
        old, new = held.to_numpy(), value.to_numpy()
        differ = ((old != new) & ~((old != old) & (new != new))).any(1)
        rows = np.arange(len(old)) if 2 * differ.sum() > len(old) else np.flatnonzero(differ)
        return EditValues(slot[1], slot[3], rows, old[rows], new[rows], slot[2])
    return Put(slot, held, value)


def _alike(held: pd.DataFrame, value: pd.DataFrame) -> bool:
    """Return whether two frames differ in their numbers alone."""
    named = held.index.equals(value.index) and held.columns.equals(value.columns)
    return bool(named and held.dtypes.equals(value.dtypes))


def _entry(document: Document, key: str, about: dict[str, Any]) -> Put | None:
    held = document.attribute(ATTRIBUTE)
    new = {**(held or {}), key: about}
    return None if new == held else Put(("attrs", ATTRIBUTE), held, new)


def _line(found: Proportions, hand: Hand) -> str:
    """Return a result in one line: the type with the largest share, and how many spots to look at."""
    share = found.values.mean(0)
    most, n = int(share.argmax()), len(found.values)
    wide = unusually_uncertain(uncertainty(found.values, found.lower, found.upper))
    flagged = (
        (found.empty, "empty"),
        (found.outside, "with a type or state outside the reference"),
        (wide, "less certain than usual"),
        (hand.kinds > 0, "set by hand"),
    )
    said = [f"{int(mark.sum()):,} {word}" for mark, word in flagged if mark is not None and mark.any()]
    line = f"{len(found.types)} cell types in {n:,} spots; most: {found.types[most]} ({100 * share[most]:.0f} % of all)"
    return " ".join(["; ".join([line, *said]) + ".", *found.notes, *hand.left_out])
