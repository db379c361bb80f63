"""What other programs do where we correct a cell: napari's own Labels, Cellpose's GUI, rewriting the element."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .figures import median_ms, seconds
from .slide import Slide, write_slide

__all__ = ["PEER_EDGE", "REWRITTEN", "cellpose_deletion", "napari_labels", "rewriting"]

LARGE = "NAPARI_SPATIALML_BENCHMARK_LARGE"
"""Set to 1, the peers get 20,000 × 20,000 pixels, and rewriting the whole slide (12 GB of memory, some minutes)."""
PEER_EDGE = 20_000 if os.environ.get(LARGE) == "1" else 8_000
"""The peers are measured on a smaller array: all of it has to lie in memory."""
REWRITTEN = (50_000, 500_000) if os.environ.get(LARGE) == "1" else (10_000, 20_000)
"""Edge and cells of the slide whose labels are rewritten."""
STEPS = 10


def _piece(slide: Slide) -> tuple[Any, list[int], int]:
    """Return the middle of a slide, cells in it, and where it begins."""
    at = slide.edge // 2 - PEER_EDGE // 2
    rows = np.arange(at, at + PEER_EDGE)
    values = slide.labels(rows, rows)
    inside = values[200:-200:40, 200:-200:40]
    cells = np.random.default_rng(0).choice(np.unique(inside[inside > 0]), 3 * STEPS, replace=False)
    return values, [int(c) for c in cells], at


def napari_labels(slide: Slide) -> dict[str, float]:
    """Add, stroke, fill and undo on napari's own Labels; times in ms, ``undo_cpu`` in ms of the processor."""
    from napari.components import ViewerModel

    values, cells, at = _piece(slide)
    where = [tuple(int(v - at) for v in slide.centre_of(c)) for c in cells]
    viewer, made = ViewerModel(), list[Any]()
    found = {"add": 1000 * seconds(lambda: made.append(viewer.add_labels(values)))}
    layer = made[0]
    layer.brush_size, layer.contiguous = 25, True
    found["stroke"] = median_ms([lambda w=w: layer.paint(w, 7) for w in where[:STEPS]])
    found["fill"] = median_ms([lambda w=w: layer.fill(w, 0) for w in where[STEPS : STEPS + 5]])
    start = time.process_time()
    found["undo"] = median_ms([layer.undo] * 5)
    return {**found, "undo_cpu": 1000 * (time.process_time() - start) / 5}


def cellpose_deletion(slide: Slide) -> dict[str, float]:
    """Delete cells as ``MainW.remove_single_cell`` of Cellpose 3.1 does on its arrays; its window is left out.

    The cell is taken out of the masks, the outlines and the coloured picture, and every larger id in masks
    and outlines is lowered by one.
    """
    values, cells, _ = _piece(slide)
    masks = values[None].astype(np.uint32)
    outlines = np.where(masks != np.roll(masks, 1, -1), masks, 0)
    picture = np.zeros((*values.shape, 4), np.uint8)

    def remove(cell: int) -> None:
        inside, rim = masks[0] == cell, outlines[0] == cell
        masks[0, inside] = 0
        outlines[0, rim] = 0
        picture[inside] = np.array([0, 0, 0, 0])
        masks[masks > cell] -= 1
        outlines[outlines > cell] -= 1

    actions: list[Callable[[], Any]] = [lambda c=c: remove(c) for c in sorted(cells[:5], reverse=True)]
    return {"delete": median_ms(actions)}


def rewriting(folder: Path) -> dict[str, float]:
    """Save labels as napari-spatialdata does, by SpatialData: the element is written anew, whatever changed."""
    from spatialdata import read_zarr

    edge, cells = REWRITTEN
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_slide(Slide(edge, cells, 0), folder / "peer.zarr")
        section = read_zarr(folder / "peer.zarr")
        section["rewritten"] = section["cells"]
        return {"rewrite": seconds(lambda: section.write_element("rewritten"))}
