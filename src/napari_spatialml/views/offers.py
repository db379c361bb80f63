"""What is offered to mend each cell of a sheet: found on any thread, drawn in red, carried out by a click."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..core.alternatives import Alternative, alternatives
from ..core.patch import Window
from ..core.report import Report, silent
from ..core.transform import Affine
from ..errors import BadInput
from ..session import Document
from ..session.evidence import EvidenceReader, Sources, grown
from ..session.queued import Item, Place
from ..session.ranking import usual_from
from .mending import Proposal, mask_near, proposal_of, propose_drawing

__all__ = ["NOTHING", "Offer", "offers"]

_GAIN = 0.05
"""A cell must become so much less likely wrong, or nothing is offered unasked."""
_RIGHT = 0.03
"""A cell that is less likely wrong is left as it is."""
_AROUND = 1.5
"""Diameters of an ordinary cell that are looked at on each side of a cell."""


@dataclass(frozen=True)
class Offer:
    """How a cell could be mended; lines are in pixels of the labels.

    Parameters
    ----------
    best
        The tool of the best way, "" where the cell is as good as it is.
    ways
        The best way by tool.
    """

    best: str = ""
    ways: Mapping[str, Proposal] = field(default_factory=dict)


NOTHING = Offer()


def offers(
    document: Document, sources: Sources, asked: Sequence[Item | Place], diameter: float, report: Report = silent
) -> dict[int, Offer]:
    """Return by cell, or by number of place, how it could be mended. May run on any thread.

    Parameters
    ----------
    document, sources
        As for the ranking.
    asked
        Cells and places.
    diameter
        Of an ordinary cell, in pixels.
    report
        Told each cell.
    """
    reader, found = EvidenceReader(document, sources), dict[int, Offer]()
    usual = usual_from(document.attribute("reviews", {}).get(sources.labels, {}).get("usual"))
    for number, one in enumerate(asked):
        report(number / len(asked), "looking for what would mend the cells")
        if isinstance(one, Place):
            found[one.number] = Offer("draw", {"draw": propose_drawing(document, sources, one, Affine.identity())})
            continue
        try:
            mask, (y, x) = mask_near(document, sources.labels, one.cell, one.centre, one.diameter)
        except BadInput:  # it went meanwhile
            continue
        box = (y, y + mask.shape[0], x, x + mask.shape[1])
        ways: Sequence[Alternative] = (Alternative("delete"),)
        gain = 0.0
        if not one.score < _RIGHT:
            window = grown(box, int(_AROUND * diameter) + 8, reader.grid.shape)
            judged = alternatives([(reader.looks(window), one.cell)], usual)[0]
            ways, gain = judged.ways, judged.wrong - judged.ways[0].wrong
        found[one.cell] = _offer(document, sources.labels, one.cell, box, ways, gain)
    return found


def _offer(document: Document, labels: str, cell: int, box: Window, ways: Sequence[Alternative], gain: float) -> Offer:
    made: dict[str, Proposal] = {}
    for way in ways:
        if way.tool not in made:
            made[way.tool] = proposal_of(document, labels, cell, box, way, Affine.identity())
    return Offer(ways[0].tool if gain >= _GAIN else "", made)
