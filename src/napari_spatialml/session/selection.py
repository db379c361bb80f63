"""What a method is run on, and where its result goes: one small value a kind, saved in the recipe."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

from ..errors import BadInput
from .changes import Slot
from .document import ELEMENT_TYPES, GLOBAL, Document

__all__ = [
    "DeconvolutionSelection",
    "DomainsSelection",
    "EmbeddingSelection",
    "RegistrationSelection",
    "SegmentationSelection",
    "Selection",
    "StackSelection",
    "by_hand",
    "places_slots",
    "selection_from",
]


@dataclass(frozen=True)
class SegmentationSelection:
    """Segment an image, or a region of it.

    Parameters
    ----------
    image
        Name of the image.
    channels
        Names of the channels to use, in this order; all if empty.
    region
        (y0, y1, x0, x1) in pixels of the full resolution; the whole image if None.
    output
        Name of the labels that result; their table is called ``<output>_table``.
    tile
        Pixels along the tiles in which the image is segmented; 0 takes one piece of a small image, and
        tiles that suit the method of a large one.
    """

    kind: ClassVar[str] = "segmentation"
    image: str
    channels: tuple[str, ...] = ()
    region: tuple[int, int, int, int] | None = None
    output: str = "nuclei"
    tile: int = 0

    def slots(self, document: Document) -> tuple[Slot, ...]:
        """Return what is read from the document."""
        return (("images", self.image), ("transforms", "images", self.image))


@dataclass(frozen=True)
class RegistrationSelection:
    """Register what lies in one coordinate system onto another.

    Parameters
    ----------
    moving, fixed
        Names of the coordinate systems.
    landmarks
        Name of the set of landmarks; that of the moving coordinate system if empty.
    moving_image, fixed_image
        Names of the images by which the sides are compared; empty: none. Labels whose pixels are rows of a
        table, such as those of ion images, serve as well, and a table: how dense its cells lie.
    moving_points, fixed_points
        Names of the tables whose rows (cells, spots, pixels) are compared; empty: none.
    features
        What describes a row of either table: "X", "layers/<name>" or "obsm/<name>" (what both tables
        have of it), or "obs/<column>" (cell types); empty: nothing.
    refine
        Whether to go on from how the sides lie on each other now.
    """

    kind: ClassVar[str] = "registration"
    moving: str
    fixed: str = GLOBAL
    landmarks: str = ""
    moving_image: str = ""
    fixed_image: str = ""
    moving_points: str = ""
    fixed_points: str = ""
    features: str = "X"
    refine: bool = False

    @property
    def landmark_set(self) -> str:
        """The name of the set of landmarks."""
        return self.landmarks or self.moving

    def slots(self, document: Document) -> tuple[Slot, ...]:
        """Return what is read from the document: images, tables and landmarks, and where they lie."""
        found: list[Slot] = []
        if self.landmark_set in document.attribute("landmarks", {}):
            found.append(("attrs", "landmarks"))
        for image, points, system in (
            (self.fixed_image, self.fixed_points, self.fixed),
            (self.moving_image, self.moving_points, self.moving),
        ):
            found += _picture_of(document, image, system) if image else []
            found += _rows_of(document, points, self.features, system) if points else []
        return (*found, ("attrs", "alignments")) if self.refine else tuple(found)


@dataclass(frozen=True)
class StackSelection:
    """Register the sections of a stack with their neighbours, and lay all of them onto one.

    Parameters
    ----------
    systems
        Names of the sections' coordinate systems, in the order of the stack.
    onto
        The one that stays where it is; "global" if it is one of them, else the middle one, if empty.
    images
        Names of their images, one a section, in the same order; none if empty.
    points
        Names of their tables, one a section, in the same order; none if empty.
    features
        What describes a row, as in `RegistrationSelection`.
    reach
        Each section is registered with so many of the sections before it, >= 1: more keep the stack from drifting.
    stack_movement
        What a section may do in the stack: "rigid", "similarity" or "affine".
    """

    kind: ClassVar[str] = "registration"
    systems: tuple[str, ...]
    onto: str = ""
    images: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    features: str = "X"
    reach: int = 2
    stack_movement: Literal["rigid", "similarity", "affine"] = "rigid"

    def __post_init__(self) -> None:
        systems = tuple(self.systems)
        if len(systems) < 2 or len(set(systems)) < len(systems):
            raise BadInput(f"The stack is {', '.join(systems) or 'empty'}.", "Name two different sections or more.")
        for what, names in (("images", self.images), ("points", self.points)):
            if names and len(names) != len(systems):
                raise BadInput(f"There are {len(names)} {what} for {len(systems)} sections.", "Name one for each.")
        if self.onto and self.onto not in systems:
            raise BadInput(f"'{self.onto}' is no section of the stack.", f"Choose one of {', '.join(systems)}.")
        if self.reach < 1 or self.stack_movement not in ("rigid", "similarity", "affine"):
            raise BadInput(
                f"A reach of {self.reach}, {self.stack_movement}, is not known.", "Give 1 or more, and rigid."
            )
        if not self.onto:
            object.__setattr__(self, "onto", GLOBAL if GLOBAL in systems else systems[len(systems) // 2])

    def links(self) -> dict[tuple[int, int], RegistrationSelection]:
        """Return what is registered, by (moving, fixed) places in the stack: neighbours first."""
        n = len(self.systems)
        images, points = (names or ("",) * n for names in (self.images, self.points))
        return {
            (i, i - step): RegistrationSelection(
                self.systems[i], self.systems[i - step], moving_image=images[i], fixed_image=images[i - step],
                moving_points=points[i], fixed_points=points[i - step], features=self.features,
            )
            for step in range(1, min(self.reach, n - 1) + 1)
            for i in range(step, n)
        }  # fmt: skip

    def slots(self, document: Document) -> tuple[Slot, ...]:
        """Return what is read from the document."""
        return tuple(dict.fromkeys(slot for pair in self.links().values() for slot in pair.slots(document)))


@dataclass(frozen=True)
class DomainsSelection:
    """Find the domains of the rows of a table, or of several tables together.

    Parameters
    ----------
    table
        Name of the table.
    features
        ``"X"``, ``"layers/<name>"``, ``"obsm/<name>"`` (proportions, an embedding), or ``"obs/<column>"`` of
        cell types: neighbourhoods are then divided by what they are composed of.
    column
        Name of the column that results.
    keep_corrections
        Whether what the hand has given in ``column`` stays as it is.
    others
        Names of further tables, such as other sections, that are divided together with it.
    """

    kind: ClassVar[str] = "domains"
    table: str
    features: str = "X"
    column: str = "domain"
    keep_corrections: bool = True
    others: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "others", tuple(str(name) for name in self.others))
        if len(set(self.tables)) < len(self.tables):
            raise BadInput(f"The tables are {', '.join(self.tables)}.", "Name each once.")

    @property
    def tables(self) -> tuple[str, ...]:
        """All tables, in the order in which their rows stand."""
        return (self.table, *self.others)

    def data_slots(self, document: Document) -> tuple[Slot, ...]:
        """Return where the features and the places of the rows stand."""
        part = self.features.split("/", 1) if "/" in self.features else ["X"]
        return tuple(
            slot for table in self.tables for slot in (("tables", table, *part), *places_slots(document, table))
        )

    def slots(self, document: Document) -> tuple[Slot, ...]:
        """Return what is read from the document: not the column itself, which the hand may change meanwhile."""
        marks = tuple(("tables", table, "obs", by_hand(self.column)) for table in self.tables)
        return (*self.data_slots(document), *marks, ("attrs", "domain_strokes"))


@dataclass(frozen=True)
class DeconvolutionSelection:
    """Estimate the proportions of cell types in the rows of a table.

    Parameters
    ----------
    table
        Name of the table of spots.
    reference
        Path of the reference: single cells (h5ad, AnnData in zarr), ``store.zarr::table``, or a table of
        signatures (CSV, TSV, parquet). Or ``table:NAME``, a table of the section with labelled cells. If empty,
        there is none: only a method that learns types from the spots themselves does without.
    column
        Its column of cell types; found by its name if empty.
    output
        Name of the result: ``obsm[output]``.
    merged
        Pairs of a cell type and the name that it is merged into.
    """

    kind: ClassVar[str] = "deconvolution"
    table: str
    reference: str = ""
    column: str = ""
    output: str = "proportions"
    merged: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "merged", tuple((str(name), str(into)) for name, into in self.merged))

    def slots(self, document: Document) -> tuple[Slot, ...]:
        """Return what is read from the document."""
        own = self.reference.removeprefix("table:")
        cells: tuple[Slot, ...] = ()
        if own != self.reference:
            cells = (("tables", own, "X"), *((("tables", own, "obs", self.column),) if self.column else ()))
        return (
            ("tables", self.table, "X"),
            ("attrs", "proportion_constraints"),
            *cells,
            *places_slots(document, self.table),
        )


@dataclass(frozen=True)
class EmbeddingSelection:
    """Lay out the rows of a table in two dimensions by their features.

    Parameters
    ----------
    table
        Name of the table.
    features
        ``"X"``, ``"layers/<name>"`` or ``"obsm/<name>"``.
    output
        Name of the result: ``obsm[output]``.
    """

    kind: ClassVar[str] = "embedding"
    table: str
    features: str = "X"
    output: str = "X_umap"

    def slots(self, document: Document) -> tuple[Slot, ...]:
        """Return what is read from the document."""
        part = self.features.split("/", 1)
        return (("tables", self.table, *part),)


STACK = "stack"
"""What the command line calls the registration of a stack; the recipe knows it by its sections."""
Selection = (
    SegmentationSelection
    | RegistrationSelection
    | StackSelection
    | DomainsSelection
    | DeconvolutionSelection
    | EmbeddingSelection
)
_KINDS: dict[str, type[Selection]] = {
    c.kind: c
    for c in (
        SegmentationSelection,
        RegistrationSelection,
        DomainsSelection,
        DeconvolutionSelection,
        EmbeddingSelection,
    )
} | {STACK: StackSelection}


def places_slots(document: Document, table: str) -> tuple[Slot, ...]:
    """Return the addresses that say where a table's rows lie."""
    elements = [e for e in document.regions(table) if any(e in document.names(t) for t in ELEMENT_TYPES[:4])]
    found = [(document.type_of(e), e) for e in elements]
    return (*found, *(("transforms", *slot) for slot in found))


def _picture_of(document: Document, name: str, system: str) -> list[Slot]:
    """Return the addresses of what is read as an image, and of where it lies."""
    kind = next((t for t in ELEMENT_TYPES if name in document.names(t)), "images")
    if kind == "tables":
        return _rows_of(document, name, "X", system)
    rows = [("tables", t, "X") for t in document.tables_of(name)] if kind == "labels" else []
    return [(kind, name), ("transforms", kind, name, system), *rows]


def _rows_of(document: Document, table: str, features: str, system: str) -> list[Slot]:
    """Return the addresses of what describes a table's rows, and of where they lie in a coordinate system."""
    elements = [e for e in document.regions(table) if any(e in document.names(t) for t in ELEMENT_TYPES[:4])]
    found = [(document.type_of(e), e) for e in elements if system in document.placed(e)]
    part: list[Slot] = [("tables", table, *features.split("/", 1))] if features else []
    return [*part, *found, *(("transforms", *slot, system) for slot in found)]


def by_hand(column: str) -> str:
    """Return the name of the column that says which values of another were given by hand."""
    return f"{column}_by_hand"


def selection_from(kind: str, values: dict[str, Any]) -> Selection:
    """Make a selection of plain values, as the recipe and the command line hold them.

    Raises
    ------
    BadInput
        When the kind or a value's name is unknown.
    """
    if kind not in _KINDS:
        raise BadInput(f"There is no kind of run '{kind}'.", f"Choose one of {', '.join(_KINDS)}.")
    if kind == RegistrationSelection.kind and "systems" in values:
        kind = STACK
    made = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    chosen: Any = _KINDS[kind]
    try:
        selection: Selection = chosen(**made)
    except TypeError as error:
        raise BadInput(f"The inputs of this {kind} run are not complete: {error}.", "Say what it runs on.") from error
    return selection


def plain(selection: Selection) -> dict[str, Any]:
    """Return a selection's plain values, for the recipe."""
    return asdict(selection)
