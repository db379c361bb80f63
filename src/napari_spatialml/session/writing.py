"""Elements written into a new store one by one, with progress, so that a save can be stopped between them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from ..core.report import Report, part

__all__ = ["write_elements"]


def write_elements(sdata: Any, path: Path, report: Report) -> None:
    """Write a SpatialData object to a new store, as its own ``write`` does.

    Parameters
    ----------
    sdata
        What to write; nobody else uses it.
    path
        The store. Nothing is there yet.
    report
        Told after each piece of an image, of labels or of points, and before each table.
    """
    from spatialdata import SpatialData

    whole = SpatialData(attrs=sdata.attrs)
    whole.write(path, consolidate_metadata=False)
    elements = list(sdata.gen_elements())
    sizes = [_size(element) for _, _, element in elements]
    total, done = sum(sizes), 0
    for (kind, name, element), size in zip(elements, sizes, strict=True):
        step = part(report, done / total, (done + size) / total)
        step(0.0, f"Writing {name}")
        getattr(whole, kind)[name] = element
        with _told(step, f"Writing {name}"):
            whole.write_element(name)
        done += size
    whole.write_consolidated_metadata()


def _size(element: Any) -> int:
    """Return about how many bytes an element has, at least one: no more than its share of the progress rests on it."""
    from xarray import DataTree

    if isinstance(element, DataTree):
        return 1 + sum(int(array.nbytes) for array in next(iter(element.children.values())).data_vars.values())
    x = getattr(element, "X", None)
    if x is not None:
        return 1 + int(getattr(x, "nnz", getattr(x, "size", 0))) * 8
    if hasattr(element, "npartitions"):
        return 1 + int(element.npartitions) * 16_000_000
    return 1 + int(getattr(element, "nbytes", 0) if not hasattr(element, "geometry") else 100 * len(element))


def _told(report: Report, message: str) -> Any:
    """Return a dask callback that tells how many pieces of this thread's own computation are done."""
    from dask.callbacks import Callback

    mine = threading.get_ident()

    class Told(Callback):
        def _posttask(self, key: Any, result: Any, dsk: Any, state: Any, worker_id: Any) -> None:
            if threading.get_ident() != mine:  # callbacks are global: another thread's computation
                return
            open_ = sum(len(state[part]) for part in ("waiting", "ready", "running"))
            report(len(state["finished"]) / max(len(state["finished"]) + open_, 1), message)

    made: Any = Told  # dask is not typed
    return made()
