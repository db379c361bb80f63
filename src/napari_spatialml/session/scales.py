"""How measurements become colours: the map, and the values at its two ends; kept in the document."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..core.colours import DIVERGING_MAPS, PERCEPTUAL_MAPS
from ..errors import BadInput

if TYPE_CHECKING:
    from .document import Document

__all__ = ["MAPS", "SCALES", "Scale", "linked", "scale_key", "scale_of"]

SCALES = "scales"
"""Our attribute: {"<table>/<key>": the fields of a `Scale`}."""
MAPS = (*PERCEPTUAL_MAPS, *DIVERGING_MAPS)


@dataclass(frozen=True)
class Scale:
    """The scale of a column, a feature or a score.

    Parameters
    ----------
    colormap
        One of `MAPS`; "" for the usual one.
    by
        What ``low`` and ``high`` are: "percentile" or "value".
    low, high
        The ends of the map; None for the usual ones.
    log
        Whether the map runs over the logarithm of 1 + value.
    """

    colormap: str = ""
    by: str = "percentile"
    low: float | None = None
    high: float | None = None
    log: bool = False

    def __post_init__(self) -> None:
        if self.colormap not in ("", *MAPS):
            raise BadInput(f"There is no map '{self.colormap}'.", f"Choose one of {', '.join(MAPS)}.")
        if self.by not in ("percentile", "value"):
            raise BadInput(f"'{self.by}' are no limits.", "Give them as percentile or as value.")
        if (self.low is None) != (self.high is None):
            raise BadInput("Only one end of the scale is given.", "Give both, or none.")
        if self.low is None or self.high is None:
            return
        if not self.low < self.high:  # also at NaN
            raise BadInput(f"The lower end {self.low:g} is not below {self.high:g}.", "Give a lower one first.")
        if self.by == "percentile" and not (self.low >= 0 and self.high <= 100):
            raise BadInput(f"{self.low:g} and {self.high:g} are no percentiles.", "Give numbers from 0 to 100.")
        if abs(self.low) == float("inf") or abs(self.high) == float("inf"):
            raise BadInput("An end of the scale is infinite.", "Give a number.")

    def plain(self) -> dict[str, Any]:
        """Return what differs from the usual scale."""
        return {k: v for k, v in asdict(self).items() if v != getattr(Scale, k)}


def linked(document: Document, table: str, key: str) -> str:
    """Return the name of the proportions of which a key names one type; "" for anything else."""
    part, _, rest = key.partition("/")
    output, column, _ = rest.partition("/")
    if part != "obsm" or not column or table not in document.names("tables"):
        return ""
    held = document.table(table)
    return output if f"{output}_dominant" in held.obs and hasattr(held.obsm.get(output), "columns") else ""


def scale_key(document: Document, table: str, key: str) -> str:
    """Return under which name a scale is kept: proportions sum to one, so all types have one scale."""
    output = linked(document, table, key)
    return f"{table}/obsm/{output}" if output else f"{table}/{key}"


def scale_of(document: Document, table: str, key: str) -> Scale:
    """Return the scale of what a key names; one that this version cannot read is the usual one."""
    held = document.attribute(SCALES, {}).get(scale_key(document, table, key))
    if not isinstance(held, dict):
        return Scale()
    try:
        return Scale(**held)
    except (TypeError, BadInput):
        return Scale()
