"""What is shown and how: the part of the view that the person chooses, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from ..session.loose import Loose
from ..session.selected import Selected

__all__ = ["TOTAL", "Aligned", "ColourBy", "Compared", "Legend", "ViewState"]

TOTAL = "X"
"""The key of the sum over all features of a row: total counts, or the total ion current."""


_EMBEDDINGS = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PC"}
"""What people call an embedding that scanpy has named."""


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class ColourBy:
    """What gives an element its colours.

    Parameters
    ----------
    table
        A table that annotates the element.
    key
        "obs/<column>", "X/<feature>", "obsm/<name>/<column>", or "X": the sum of all features.
    """

    table: str
    key: str

    @property
    def part(self) -> str:
        """The part of the table: "obs", "X" or "obsm"."""
        return self.key.partition("/")[0]

    @property
    def name(self) -> str:
        """The key without its part: the column, the feature, "<name>/<column>", or ""."""
        return self.key.partition("/")[2]

    @property
    def title(self) -> str:
        """What a person reads: the last word of the key."""
        if self.key == TOTAL:
            return "total of all features"
        block, _, column = self.name.partition("/")
        if self.part != "obsm":
            return self.name
        known = block.removeprefix("X_")
        return f"{_EMBEDDINGS.get(known, known)} {int(column) + 1}" if column.isdigit() else column


@dataclass(frozen=True)
class Legend:
    """What the colours of an element mean.

    Parameters
    ----------
    element
        The element.
    title
        What the colours show.
    kind
        "categories" or "continuous".
    categories
        (name, "#rrggbb", number of rows) in the order of the column.
    colormap
        Name of the map of continuous values.
    low, high
        The values at the map's two ends.
    unit
        Unit of the values, if known.
    hidden
        Categories that are not drawn.
    note
        One line below the legend, or "".
    log
        Whether the map runs over the logarithm of 1 + value.
    shares
        What stands beside each category instead of its number of rows: its share of the section, 0 to 1.
    signs
        ("ring", "outline", "hatch", "cross" or "fade", what it says) of what is drawn beside colours.
    ends
        What the two ends of continuous values mean, in a word each; "" for the number alone.
    """

    element: str
    title: str
    kind: str
    categories: tuple[tuple[str, str, int], ...] = ()
    colormap: str = ""
    low: float = 0.0
    high: float = 1.0
    unit: str = ""
    hidden: frozenset[str] = frozenset()
    note: str = ""
    log: bool = False
    shares: tuple[float, ...] = ()
    signs: tuple[tuple[str, str], ...] = ()
    ends: tuple[str, str] = ("", "")

    @property
    def beside(self) -> tuple[str, ...]:
        """What stands beside each category: its number of rows, its share in per cent, or nothing."""
        if self.shares:
            return tuple(f"{100 * share:.1f} %" for share in self.shares)
        return tuple(f"{n:,}" if n >= 0 else "" for _, _, n in self.categories)


@dataclass(frozen=True, eq=False)
class Compared:
    """Where two readers disagree: drawn over the section. Two are equal only if they are one.

    Parameters
    ----------
    a, b
        Two labels elements; or in ``a`` the element whose rows two readers named, and "" in ``b``.
    kinds_a, kinds_b
        Ids and what they are, as places in `views.comparing.NAMES`, of either; None in ``kinds_b`` for rows.
    counts
        How many groups or rows there are of each.
    """

    a: str
    b: str
    kinds_a: tuple[Any, Any]
    kinds_b: tuple[Any, Any] | None
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Aligned:
    """What is drawn of a registration over the fixed side.

    Parameters
    ----------
    moving
        The moving coordinate system.
    error
        What the map of the expected error comes from: "landmarks", "result", or "" for no map.
    pins
        Whether pins are drawn: those that are set, and places where one is offered.
    folds
        Whether folds of the transform are drawn.
    over
        The element of the fixed side over whose tissue the map of the landmarks' error lies; "" for none.
    """

    moving: str
    error: str = ""
    pins: bool = False
    folds: bool = False
    over: str = ""


@dataclass(frozen=True)
class ViewState:
    """What is shown and how.

    Parameters
    ----------
    coordinate_system
        Where we are; elements that do not lie in it are not shown.
    shown
        Elements shown; None: all that lie there, with those visible that belong together.
    colours
        What colours each element, by its name; a default where there is no entry, none where it is None.
    beside
        A second coordinate system, drawn to the right of the first for placing landmarks; "" for none.
    hidden_categories
        Categories that are not drawn, by element.
    landmarks
        The set of landmarks that is drawn; "" for none.
    model
        The transform whose misses are drawn at the landmarks: "auto", "similarity", "affine" or "spline".
    regions
        The regions of annotations that are marked.
    correcting
        Labels that are too large for one array, and the window (y0, y1, x0, x1) of them that can be painted.
    compared
        Where two readers disagree; None when nothing is compared.
    loose
        The transcripts in no cell; None when they are not shown.
    selected, limit
        The rows that are selected, and those that a filter leaves drawn: see `SelectedRows`, which sets them.
    also
        Further coordinate systems in the same scene, from left to right.
    overlaid
        Whether those are laid over the first, centre on centre, instead of beside it.
    transcripts
        How transcripts are looked at, by points element: a `transcript_looks.TranscriptLook`.
    aligned
        What is drawn of a registration; None for nothing.
    pictures
        The last picture of each points element that is drawn view by view: a `transcript_looks.Picture`.
    pies
        How the proportions of spots are drawn, by their element: a `pies.Pies`.
    by_type
        The (table, proportions) of which each type has a layer of its own, by element.
    strokes
        Whether the hand's strokes on a map of domains are outlined, and what they ignore is hatched.
    stroke
        The one that is looked at: its table, column and number; None for none.
    faded
        The elements whose domains are paler where the map is unsure.
    """

    coordinate_system: str = "global"
    shown: tuple[str, ...] | None = None
    colours: Mapping[str, ColourBy | None] = field(default_factory=_nothing)
    beside: str = ""
    hidden_categories: Mapping[str, frozenset[str]] = field(default_factory=_nothing)
    landmarks: str = ""
    model: str = "similarity"
    regions: tuple[str, ...] = ()
    correcting: tuple[str, tuple[int, int, int, int]] | None = None
    compared: Compared | None = None
    loose: Loose | None = None
    selected: Selected | None = None
    limit: Selected | None = None
    also: tuple[str, ...] = ()
    overlaid: bool = False
    transcripts: Mapping[str, Any] = field(default_factory=_nothing)
    pictures: Mapping[str, Any] = field(default_factory=_nothing)
    aligned: Aligned | None = None
    pies: Mapping[str, Any] = field(default_factory=_nothing)
    by_type: Mapping[str, tuple[str, str]] = field(default_factory=_nothing)
    strokes: bool = True
    stroke: tuple[str, str, int] | None = None
    faded: frozenset[str] = frozenset()

    def renamed(self, names: Mapping[str, str]) -> ViewState:
        """Return the same of other elements, as of another plane of a stack."""
        return replace(
            self,
            shown=None if self.shown is None else tuple(names.get(n, n) for n in self.shown),
            colours={names.get(n, n): c for n, c in self.colours.items()},
            hidden_categories={names.get(n, n): h for n, h in self.hidden_categories.items()},
            pies={names.get(n, n): p for n, p in self.pies.items()},
        )
