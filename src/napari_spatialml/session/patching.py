"""The touched chunks of label pyramids: staged as zarr writes them, then moved into the store.

However many strokes went into a chunk, it is encoded once and replaced as one file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .chunks import chunk_shape, record_largest
from .document import Document
from .planes import plane_name

__all__ = ["move_chunks", "stage_chunks"]

Inside = Callable[[Path, str], Path]


def stage_chunks(document: Document, store: Path, staging: Path, name: str) -> dict[str, Any]:
    """Encode every chunk of labels that holds something unsaved; return what `move_chunks` has to do.

    Parameters
    ----------
    document
        The document.
    store
        Its store, which is only read.
    staging
        Where the new chunks are put.
    name
        The labels.
    """
    import zarr

    if document.planes(name):
        return _stage_planes(document, store, staging, name)
    grid = document.grid(name)
    group: Any = zarr.open_group(store, mode="r", use_consolidated=False)[f"labels/{name}"]
    moves: list[str] = []
    empty: list[str] = []
    for level, dataset in enumerate(group.attrs["ome"]["multiscales"][0]["datasets"]):
        place = f"labels/{name}/{dataset['path']}"
        shape = chunk_shape(group[dataset["path"]])
        touched = grid.unsaved_chunks(level, shape)
        if not touched:
            continue
        array = _like(store / place, staging / place)
        for i, j in touched:
            y, x = i * shape[0], j * shape[1]
            values = grid.read((y, y + shape[0], x, x + shape[1]), level)
            array[y : y + values.shape[0], x : x + values.shape[1]] = values
            key = f"{place}/{array.metadata.encode_chunk_key((i, j))}"
            (moves if (staging / key).exists() else empty).append(key)  # zarr writes no chunk of background only
    return {"name": name, "move": moves, "remove": empty, "largest": grid.largest}


def _stage_planes(document: Document, store: Path, staging: Path, name: str) -> dict[str, Any]:
    """Do the same for a stack, whose chunks may hold several planes."""
    import zarr

    group: Any = zarr.open_group(store, mode="r", use_consolidated=False)[f"labels/{name}"]
    n, moves, empty = document.planes(name), list[str](), list[str]()
    for level, dataset in enumerate(group.attrs["ome"]["multiscales"][0]["datasets"]):
        place, stored = f"labels/{name}/{dataset['path']}", group[dataset["path"]]
        depth, h, w = (int(v) for v in (stored.shards or stored.chunks))
        grids = [document.grid(plane_name(name, k)) for k in range(n)]
        touched = {(k // depth, i, j) for k, g in enumerate(grids) for i, j in g.unsaved_chunks(level, (h, w))}
        if not touched:
            continue
        array = _like(store / place, staging / place)
        for c, i, j in sorted(touched):
            window, z = (i * h, (i + 1) * h, j * w, (j + 1) * w), slice(c * depth, min((c + 1) * depth, n))
            values = np.stack([grids[k].read(window, level) for k in range(z.start, z.stop)])
            array[z, i * h : i * h + values.shape[1], j * w : j * w + values.shape[2]] = values
            key = f"{place}/{array.metadata.encode_chunk_key((c, i, j))}"
            (moves if (staging / key).exists() else empty).append(key)
    return {"name": name, "move": moves, "remove": empty, "largest": None}


def _like(source: Path, target: Path) -> Any:
    """Return an empty array that encodes its chunks as another one does."""
    import zarr

    target.mkdir(parents=True)
    (target / "zarr.json").write_bytes((source / "zarr.json").read_bytes())
    return zarr.open_array(target, mode="r+")


def move_chunks(store: Path, staging: Path, todo: dict[str, Any], inside: Inside) -> int:
    """Put the staged chunks of one labels element into the store. Doing it twice does no harm.

    Returns
    -------
    int
        How many chunks of the store were replaced or removed.
    """
    import zarr

    for key in todo["move"]:
        staged, target = inside(staging, key), inside(store, key)
        if staged.exists():  # else it was moved before the process was killed
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(staged, target)
    for key in todo["remove"]:
        inside(store, key).unlink(missing_ok=True)
    if todo["largest"] is not None:
        record_largest(zarr.open_group(inside(store, f"labels/{todo['name']}"), mode="r+"), todo["largest"])
    return len(todo["move"]) + len(todo["remove"])
