"""Corrections that take in a file: regions as annotations, cells as labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...io.regions_file import CLASS, regions_frame
from ..annotating import frame_of
from ..annotation_rows import coloured, own, places_of_rows, written
from ..changes import Change
from ..document import GLOBAL, Document
from .registry import Made, correction, unpacked

__all__: list[str] = []


@correction
def import_annotations(
    document: Document,
    annotations: str,
    ids: Sequence[str],
    geometry: Any,
    columns: dict[str, list[str]],
    colours: dict[str, str] | None = None,
    source: str = "",
    system: str = GLOBAL,
) -> Made:
    """Add the regions of a file.

    Parameters
    ----------
    document
        The document.
    annotations
        Where they go; made if it is not there.
    ids
        (n,) their ids; one that is taken gets a number.
    geometry
        Their well-known binary as `packed` bytes with `packed` lengths: ``{"bytes": …, "lengths": …}``.
    columns
        Of "class", "annotator", "note" and "created", (n,) each.
    colours
        Those of classes that have none yet.
    source
        The file's name, for the history.
    system
        The coordinate system of the geometry, in µm.
    """
    import shapely

    frame = frame_of(document, annotations)
    data, ends = unpacked(geometry["bytes"]).tobytes(), np.cumsum(unpacked(geometry["lengths"]))
    binary = [data[a:b] for a, b in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)]
    shapes = [own(document, annotations, g, system) for g in shapely.from_wkb(binary)]
    taken = set() if frame is None else set(frame.index)
    rows = regions_frame(shapes, _free(ids, taken), columns, places_of_rows(frame, system))
    changes: list[Change] = [written(document, annotations, [rows])]
    changes += coloured(document, annotations, sorted(set(rows[CLASS])), colours)
    n = len(rows)
    return f"import {n:,} {'region' if n == 1 else 'regions'}{f' of {source}' if source else ''}", changes


@correction
def import_cells(document: Document, labels: str, image: str, masks: Any, source: str = "") -> Made:
    """Add the cells of a file as labels on an image, with their table."""
    from ...core.segmentation import Masks
    from ..selection import SegmentationSelection
    from ..store import store

    changes, _ = store(document, SegmentationSelection(image, output=labels), Masks(unpacked(masks)))
    return f"import cells{f' of {source}' if source else ''} into {labels}", changes


def _free(ids: Sequence[str], taken: set[str]) -> list[str]:
    made: list[str] = []
    for name in map(str, ids):
        number, new = 1, name
        while new in taken:
            number, new = number + 1, f"{name}-{number + 1}"
        taken.add(new)
        made.append(new)
    return made
