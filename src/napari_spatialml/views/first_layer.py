"""What napari's first layer needs is read beside the window, while the files are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["read_for_first_layer"]


def read_for_first_layer() -> Callable[[], None]:
    """Read, on any thread, what the first layer would read; return what hands it over, in the window's thread.

    The first layer asks pint for a unit, which then reads its definitions of all units; the first image asks dask
    for a scheduler, which then imports those for clusters; the first colours ask numba for a kernel, which then
    imports what kernels may call. Together they take a second of one core.
    """
    from dask.base import get_scheduler

    from ..core.lookup_kernels import spread

    get_scheduler()
    spread(np.zeros(2, np.uint8), np.zeros(1, np.int32), np.empty(1, np.uint8))
    return _units()


def _units() -> Callable[[], None]:
    """Make a registry of units for one that nobody has used yet, and for no other: those of two do not go together."""
    import pint
    from pint.registry import LazyRegistry

    def unread() -> bool:
        return isinstance(pint.get_application_registry().get(), LazyRegistry)

    made = pint.UnitRegistry(on_redefinition="raise") if unread() else None  # as pint makes its own then

    def give() -> None:
        if made is not None and unread():
            pint.set_application_registry(made)

    return give
