"""The columns that say how far a map of domains can be trusted: what they are called, and their colours."""

from __future__ import annotations

from dataclasses import dataclass

from ..session import Document
from ..session.constraints import key_of
from ..session.domain_maps import ATTRIBUTE as MAPS
from ..session.domain_strokes import ATTRIBUTE as STROKES
from .colormaps import DOUBT
from .state import ColourBy

__all__ = ["TRUST", "Trust", "map_of", "trust_of"]

_BY_HAND = "by_hand"


@dataclass(frozen=True)
class Trust:
    """What a column of numbers from 0 to 1 says of a map.

    Parameters
    ----------
    low, high
        What 0 and 1 mean, in a word or two.
    colormap
        A perceptual map.
    note
        How the number is made, in a line.
    """

    low: str
    high: str
    colormap: str
    note: str


TRUST = {
    "margin": Trust("unsure", "sure", DOUBT, "likeliest domain less the second"),
    "boundary": Trust("inside", "at a border", "plasma", "neighbours in other domains"),
    "stability": Trust("unsure", "sure", DOUBT, "seeds that agree with the map"),
}
"""By the end of their names: the column of the map, an underscore, and this."""


def map_of(document: Document, colour: ColourBy | None) -> str:
    """Return the column of the map of domains that a colour shows, itself or how far to trust it; "" for none."""
    if colour is None or colour.part != "obs":
        return ""
    ends = ("", *(f"_{end}" for end in (*TRUST, _BY_HAND)))
    known = {str(key) for name in (MAPS, STROKES) for key in document.attribute(name) or ()}
    stems = (colour.name.removesuffix(end) for end in ends if colour.name.endswith(end))
    return next((stem for stem in stems if key_of(colour.table, stem) in known), "")


def trust_of(document: Document, colour: ColourBy) -> Trust | None:
    """Return what a column says of a map of domains; None where it is none of these."""
    column = map_of(document, colour)
    return TRUST.get(colour.name.removeprefix(f"{column}_")) if column and column != colour.name else None
