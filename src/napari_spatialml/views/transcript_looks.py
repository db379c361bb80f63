"""How transcripts are looked at: which genes in which colours, how sure, how high, and how many at most; as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..core.colours import palette
from ..core.symbols import SYMBOLS
from ..session.transcript_view import Box
from .specs import Matrix

__all__ = ["AUTOMATIC", "MOST", "Draw", "GeneLook", "Picture", "TranscriptLook", "View"]

MOST = 200_000
"""Points that are drawn at most, unless the person says otherwise."""
Draw = Literal["automatic", "points", "density"]
AUTOMATIC: Draw = "automatic"


@dataclass(frozen=True)
class GeneLook:
    """One gene that was chosen.

    Parameters
    ----------
    gene
        Its name.
    colour
        "#rrggbb".
    symbol
        One of `core.symbols.SYMBOLS`.
    shown
        Whether it is drawn.
    """

    gene: str
    colour: str
    symbol: str
    shown: bool = True


@dataclass(frozen=True)
class TranscriptLook:
    """What is drawn of a points element.

    Parameters
    ----------
    genes
        The genes that were chosen; none: all of them, in one colour.
    quality
        The least quality of a transcript that is drawn; None for all.
    z
        The heights, from the first and below the second, in the points' own units; None for all.
    most
        Points that are drawn at most. Where more are in view, their density is drawn instead.
    draw
        "points" draws points, and never more than ``most``, also where more are in view; "density" never.
    """

    genes: tuple[GeneLook, ...] = ()
    quality: float | None = None
    z: tuple[float, float] | None = None
    most: int = MOST
    draw: Draw = AUTOMATIC

    @property
    def shown(self) -> tuple[GeneLook, ...]:
        """The chosen genes that are ticked."""
        return tuple(gene for gene in self.genes if gene.shown)

    def with_gene(self, gene: str) -> TranscriptLook:
        """Return the look with one more gene, in a colour and with a symbol that no other has, if there is one left."""
        if any(known.gene == gene for known in self.genes):
            return self.changed(gene, shown=True)
        taken = {known.colour for known in self.genes}, {known.symbol for known in self.genes}
        n = len(self.genes)
        colours = [_hex(rgb) for rgb in palette(max(n + 1, 8))]
        colour = next((c for c in colours if c not in taken[0]), colours[n % len(colours)])
        symbol = next((s for s in SYMBOLS if s not in taken[1]), SYMBOLS[n % len(SYMBOLS)])
        return replace(self, genes=(*self.genes, GeneLook(gene, colour, symbol)))

    def without_gene(self, gene: str) -> TranscriptLook:
        """Return the look without a gene."""
        return replace(self, genes=tuple(known for known in self.genes if known.gene != gene))

    def changed(self, gene: str, **fields: Any) -> TranscriptLook:
        """Return the look with another colour, symbol or tick of a gene."""
        return replace(self, genes=tuple(replace(g, **fields) if g.gene == gene else g for g in self.genes))


@dataclass(frozen=True)
class View:
    """What the camera sees.

    Parameters
    ----------
    box
        In µm.
    um_per_pixel
        µm a pixel of the screen.
    """

    box: Box
    um_per_pixel: float


@dataclass(frozen=True, eq=False)
class Picture:
    """What is drawn of transcripts in one view. Two are equal only if they are one.

    Parameters
    ----------
    look, view
        What was asked for.
    system, moment
        The coordinate system, and the revision of the points.
    rgba
        (h, w, 4), 0 to 255.
    matrix
        From napari's pixel indices to µm.
    reach
        The box in µm that holds all transcripts.
    of_points
        Whether each point is drawn; else the density.
    drawn, in_view
        How many points are drawn, and how many are in view.
    counts
        How many are in view of each gene that is shown, by name; empty where all are drawn alike.
    exact
        Whether they were counted one by one; else by the bins in view.
    edge_um
        Of a bin of the density.
    high
        Transcripts a bin where the colours end, by gene; "" where all are drawn alike.
    reading
        How many transcripts there are in all, where so far only some were read; else 0.
    height_unit
        The unit of "z"; "" where none is known.
    """

    look: TranscriptLook
    view: View | None
    system: str
    moment: int
    rgba: npt.NDArray[np.uint8]
    matrix: Matrix
    reach: Box
    of_points: bool
    drawn: int
    in_view: int
    counts: Mapping[str, int]
    exact: bool = True
    edge_um: float = 0.0
    high: Mapping[str, float] | None = None
    reading: int = 0
    height_unit: str = ""


def _hex(rgb: npt.NDArray[np.float64]) -> str:
    return "#" + "".join(f"{round(float(v) * 255):02x}" for v in rgb[:3])
