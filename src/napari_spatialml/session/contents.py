"""What a section holds, as it is read: elements, tables and what they annotate, coordinate systems, planes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.transform import Affine
from ..errors import DocumentError
from .elements import LabelsElement, labels_of, matrices, stack_of
from .grid import LabelGrid
from .planes import Stack, n_planes, plane_name, plane_of_image, split_plane, stack_name, z_step
from .tidying import tidy

__all__ = ["ATTRS", "ELEMENT_TYPES", "GLOBAL", "Contents", "put_or_remove"]

ELEMENT_TYPES = ("images", "labels", "shapes", "points", "tables")
GLOBAL = "global"
"""The section's own coordinate system, in µm."""
ATTRS = "spatialml"
_COLOUR = re.compile("#[0-9a-fA-F]{6}")


class Contents:
    """A SpatialData object and its editable labels, as everybody reads them. Every coordinate system is in µm.

    Parameters
    ----------
    sdata
        What was opened.
    """

    def __init__(self, sdata: Any) -> None:
        self.sdata = sdata
        self.home: Path | None = None
        """The session's folder, where what is derived from the document may be kept."""
        self._labels: dict[str, LabelsElement] = {}
        self._stacks: dict[str, Stack] = {}
        self._depths: dict[str, tuple[Any, int]] = {}
        self._height = 0.0
        if not isinstance(sdata.attrs.get(ATTRS), dict):
            sdata.attrs[ATTRS] = {}
        for table in sdata.tables.values():
            tidy(table)

    def names(self, element_type: str) -> tuple[str, ...]:
        """Return the names of the elements of a type, sorted; of a stack, the address of the plane in view."""
        return tuple(sorted(self._in_view(name) for name in getattr(self.sdata, element_type)))

    def type_of(self, name: str) -> str:
        """Return the type of an element.

        Raises
        ------
        DocumentError
            When there is no such element.
        """
        for element_type in ELEMENT_TYPES:
            if stack_name(name) in getattr(self.sdata, element_type):
                return element_type
        have = ", ".join(n for t in ELEMENT_TYPES for n in self.names(t)) or "nothing"
        raise DocumentError(f"The section has no element '{name}'.", f"It has: {have}.")

    def element(self, name: str) -> Any:
        """Return an element or a table by its name; of a stack, one plane."""
        held, plane = self._kept(name), split_plane(name)[1]
        if plane is None:
            return held
        kind = self.type_of(name)
        return plane_of_image(held, plane) if kind == "images" else self._labels_element(name).to_spatialdata()

    def _kept(self, name: str) -> Any:
        """Return an element as SpatialData keeps it: whole, for a plane."""
        return getattr(self.sdata, self.type_of(name))[stack_name(name)]

    def table(self, name: str) -> Any:
        """Return a table (an AnnData).

        Raises
        ------
        DocumentError
            When there is no such table.
        """
        if name not in self.sdata.tables:
            have = ", ".join(self.names("tables")) or "none"
            raise DocumentError(f"The section has no table '{name}'.", f"Its tables: {have}.")
        return self.sdata.tables[name]

    def grid(self, name: str) -> LabelGrid:
        """Return the pixels of a labels element, readable by window."""
        stack, plane = split_plane(name)
        if plane is not None:
            return self._stack(stack).plane(plane)
        if name in self._labels and name in self.sdata.labels:  # asked for at every move of the mouse
            return self._labels[name].grid
        return self._labels_element(name).grid

    def attribute(self, key: str, default: Any = None) -> Any:
        """Return one of our attributes: ``landmarks``, ``colours``, ``alignments`` …"""
        return self.sdata.attrs[ATTRS].get(key, default)

    def colours(self, column: str) -> dict[str, str]:
        """Return the colours, ``#rrggbb``, that were given to categories of a column; what is none is left out."""
        held = self.attribute("colours")
        given = held.get(column) if isinstance(held, dict) else None  # a file may hold anything
        if not isinstance(given, dict):
            return {}
        return {str(name): code for name, code in given.items() if isinstance(code, str) and _COLOUR.fullmatch(code)}

    def annotated(self, table: str) -> str:
        """Return the name of the element that a table annotates (its first region), or ""."""
        return next(iter(self.regions(table)), "")

    def regions(self, table: str) -> tuple[str, ...]:
        """Return the names of all elements that a table annotates."""
        held = self.table(table)
        region = (held.uns.get("spatialdata_attrs") or {}).get("region")
        if region is None:
            empty = held.n_obs == 0  # see `_holdable`
            return tuple(name for name in self.names("labels") if empty and table == f"{name}_table")
        return tuple(self._in_view(str(r)) for r in ([region] if isinstance(region, str) else region))

    def tables_of(self, element: str) -> tuple[str, ...]:
        """Return the tables that annotate an element, or what it was warped from."""
        origin = self.attribute("warped_from", {}).get(element, element)
        return tuple(t for t in self.names("tables") if stack_name(origin) in map(stack_name, self.regions(t)))

    def rows(self, table: str, element: str) -> npt.NDArray[np.int64]:
        """Return the positions of the rows of a table that annotate one element."""
        frame = self.table(table)
        if len(self.regions(table)) < 2:
            return np.arange(frame.n_obs)
        element = self.attribute("warped_from", {}).get(element, element)
        key = frame.uns["spatialdata_attrs"]["region_key"]
        return np.flatnonzero(frame.obs[key].astype(str).to_numpy() == stack_name(element))

    def instances(self, table: str) -> npt.NDArray[Any]:
        """Return, for each row of a table, the id of what it annotates."""
        frame = self.table(table)
        key = (frame.uns.get("spatialdata_attrs") or {}).get("instance_key")
        if key is None and frame.n_obs == 0:
            return np.empty(0, dtype=np.int64)
        if key is None or key not in frame.obs:
            raise DocumentError(f"The table '{table}' annotates nothing.", "Choose a table of cells, spots or pixels.")
        return np.asarray(frame.obs[key].to_numpy())

    def coordinate_systems(self) -> tuple[str, ...]:
        """Return the coordinate systems, "global" first."""
        found = set(self.sdata.coordinate_systems)
        return tuple(sorted(found, key=lambda name: (name != GLOBAL, name)))

    def placed(self, element: str) -> tuple[str, ...]:
        """Return the coordinate systems in which an element lies."""
        return tuple(sorted(matrices(self._kept(element))))

    def affine(self, element: str, coordinate_system: str = GLOBAL) -> Affine:
        """Return the affine from an element's own coordinates (y, x) to µm in a coordinate system.

        An image's own coordinates count pixel corners: the centre of pixel (i, j) is (i + ½, j + ½).

        Raises
        ------
        DocumentError
            When the element does not lie in that coordinate system.
        """
        found = matrices(self._kept(element))
        if coordinate_system not in found:
            systems = ", ".join(sorted(found)) or "none"
            raise DocumentError(
                f"'{element}' does not lie in the coordinate system '{coordinate_system}'.",
                f"It lies in: {systems}. Register it first.",
            )
        return Affine.from_xy(found[coordinate_system])

    # stacks ----------------------------------------------------------------------------------

    def planes(self, name: str) -> int:
        """Return how many planes the stack of an element has; 0 where it is none."""
        stack = stack_name(name)
        for element_type in ("images", "labels"):
            if stack in getattr(self.sdata, element_type):
                return self._depth(stack, getattr(self.sdata, element_type)[stack])
        return 0

    @property
    def deepest(self) -> str:
        """The stack with the most planes, by its name; "" where there is none."""
        names = [n for t in ("images", "labels") for n in getattr(self.sdata, t)]
        return max((n for n in names if self.planes(n)), key=self.planes, default="")

    @property
    def plane(self) -> int:
        """The plane in view, counted in the deepest stack; others show the one nearest to it in height."""
        return round(self._height / z_step(self._kept(self.deepest))) if self.deepest else 0

    def view_plane(self, plane: int) -> None:
        """Show another plane: `names` and `regions` tell of it from now on. Nothing of the data changes."""
        if self.deepest:
            self._height = min(max(plane, 0), self.planes(self.deepest) - 1) * z_step(self._kept(self.deepest))

    def in_other_planes(self, name: str, cells: Iterable[int]) -> set[int]:
        """Return which cells lie in another plane of a stack than the one named."""
        stack, plane = split_plane(name)
        return set() if plane is None else self._stack(stack).holds(sorted(cells), beside=plane)

    def _depth(self, name: str, element: Any) -> int:
        known = self._depths.get(name)
        if known is None or known[0] is not element:
            known = self._depths[name] = (element, n_planes(element))
        return known[1]

    def _in_view(self, name: str) -> str:
        """Return the address of the plane of a stack that is in view; any other name as it is."""
        n = self.planes(name) if split_plane(name)[1] is None else 0
        return plane_name(name, min(round(self._height / z_step(self._kept(name))), n - 1)) if n else name

    def _stack(self, name: str) -> Stack:
        if name not in self._stacks:
            made, held = stack_of(self.sdata.labels[name])
            self._stacks[name] = made
            put_or_remove(self.sdata.labels, name, held)
        return self._stacks[name]

    def _labels_element(self, name: str) -> LabelsElement:
        stack, plane = split_plane(name)
        if plane is not None:
            return LabelsElement(self.grid(name), matrices(self.sdata.labels[stack]))
        if name not in self.sdata.labels:
            have = ", ".join(self.names("labels")) or "none"
            raise DocumentError(f"The section has no labels '{name}'.", f"Its labels: {have}.")
        if name not in self._labels:
            made = labels_of(self.sdata.labels[name])
            self._labels[name] = made
            self.sdata.labels[name] = made.to_spatialdata()
        held = self._labels[name]
        return LabelsElement(held.grid, matrices(self.sdata.labels[name]))


def put_or_remove(container: Any, key: str, value: Any) -> None:
    """Set what a container holds by a name; None takes it away."""
    if value is not None:
        if key in container and not isinstance(container, dict):
            del container[key]  # SpatialData warns when an element is overwritten
        container[key] = value
    elif key in container:
        del container[key]
