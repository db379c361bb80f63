"""Which element a step takes, from what the document holds."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..session import GLOBAL
from ..session.gather import coordinates_of
from .frame import Frame, extent, levels

__all__ = [
    "NUCLEI_VISIBLE_UM",
    "gridded_tables",
    "image_of",
    "is_histology",
    "moving_systems",
    "nuclear_images",
    "row_word",
    "spot_table",
    "spot_tables",
    "system_of",
    "tissue",
]

NUCLEI_VISIBLE_UM = 1.0
"""Above this pixel size a nucleus of 6 to 8 µm has too few pixels to be outlined."""
_NUCLEAR = ("dapi", "hoechst", "nucle", "draq", "dna")


def system_of(document: Any, element: str) -> str:
    """Return the section's frame if an element lies there, else its own."""
    placed = document.placed(element)
    return GLOBAL if GLOBAL in placed else placed[0]


def is_histology(document: Any, image: str) -> bool:
    """Return whether an image is RGB of 8 bits on a light ground."""
    smallest = levels(document, image)[-1]
    if smallest.shape[0] != 3 or smallest.dtype != np.uint8:
        return False
    step = max(1, max(smallest.shape[1:]) // 500)
    return float(np.median(np.asarray(smallest[:, ::step, ::step]))) > 110


def image_of(document: Any, system: str = GLOBAL) -> str:
    """Return the image that lies at the bottom of a coordinate system: histology first; "" if none."""
    names = [n for n in document.names("images") if system in document.placed(n)]
    return next((n for n in names if is_histology(document, n)), names[0] if names else "")


def nuclear_images(document: Any) -> tuple[list[str], list[str]]:
    """Return the images in which nuclei can be seen, and those that are too coarse for it."""
    fine: list[str] = []
    coarse: list[str] = []
    for name in document.names("images"):
        size = document.affine(name, system_of(document, name)).scale_factors[0]
        (fine if size <= NUCLEI_VISIBLE_UM else coarse).append(name)
    fine.sort(key=lambda n: not any(word in n.lower() for word in _NUCLEAR))
    return fine, coarse


def spot_tables(document: Any, system: str = "") -> list[str]:
    """Return the tables of spots, of one coordinate system if it is named."""
    found = [t for t in document.names("tables") if document.annotated(t) in document.names("shapes")]
    return [t for t in found if not system or system in document.placed(document.annotated(t))]


def spot_table(document: Any) -> str:
    """Return the first table of spots at home in the section's frame, else the first of all; "" if none."""
    found = spot_tables(document)
    home = [t for t in found if document.placed(document.annotated(t)) == (GLOBAL,)]
    return (home or found or [""])[0]


def row_word(document: Any, table: str, n: int) -> str:
    """Return what a table's rows are: "1 spot", "3 pixels"."""
    word = "spot" if document.annotated(table) in document.names("shapes") else "pixel"
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def gridded_tables(document: Any) -> list[str]:
    """Return the tables that annotate a grid of pixels or bins, not a segmentation of ours."""
    ours = document.attribute("segmentations", {})
    return [
        name
        for name in document.names("tables")
        if document.annotated(name) in document.names("labels") and document.annotated(name) not in ours
    ]


def moving_systems(document: Any) -> list[str]:
    """Return the coordinate systems that hold something which does not lie in the section's frame."""
    names = [n for t in ("images", "labels", "shapes", "points") for n in document.names(t)]
    lost = {s for n in names for s in document.placed(n) if GLOBAL not in document.placed(n)}
    return sorted(lost)


def tissue(document: Any, system: str = GLOBAL, *, pixels: int = 700) -> Frame:
    """Return the frame that shows the tissue: around the spots at home in a coordinate system, else the image."""
    home = [t for t in spot_tables(document, system) if document.placed(document.annotated(t)) == (system,)]
    if not home:
        return Frame.around(extent(document, system), system=system, pixels=pixels)
    where = np.concatenate([coordinates_of(document, t, system) for t in home])
    (y0, x0), (y1, x1) = where.min(0), where.max(0)
    return Frame.around((y0, x0, y1, x1), margin=0.06, system=system, pixels=pixels)
