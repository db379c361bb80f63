"""Several documents as one: names stay unique, and each later one keeps a frame of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .document import GLOBAL, VERSION

if TYPE_CHECKING:
    from spatialdata import SpatialData

__all__ = ["together"]


def together(stems: Sequence[str], documents: Sequence[SpatialData]) -> SpatialData:
    """Return one document of several, in the order given.

    Parameters
    ----------
    stems
        A name for each document, put before element names that are taken.

    Notes
    -----
    The first keeps "global". Nothing says how the later ones lie to it, so each has its own coordinate
    system, named after its element, or after its stem when it has several elements.
    """
    from spatialdata import SpatialData

    elements: dict[str, Any] = {}
    ours: dict[str, Any] = {"version": VERSION, "um_per_unit": {}, "sources": [], "notes": []}
    for stem, document in zip(stems, documents, strict=True):
        names = _names(stem, document, elements)
        if elements:
            spatial = [new for old, new in names.items() if old not in document.tables]
            _move(document, spatial[0] if len(spatial) == 1 else stem)
        for old, new in names.items():
            elements[new] = _retargeted(document[old], names) if old in document.tables else document[old]
        theirs = document.attrs.get("spatialml", {})
        ours["sources"] += theirs.get("sources", [])
        ours["notes"] += theirs.get("notes", [])
    whole = SpatialData.init_from_elements(elements, attrs={"spatialml": ours})
    ours["um_per_unit"] = dict.fromkeys(sorted(whole.coordinate_systems), 1.0)
    whole.attrs["spatialml"] = ours
    return whole


def _names(stem: str, document: SpatialData, elements: dict[str, Any]) -> dict[str, str]:
    """Return the new name of each element; names are unique whatever their case, as a store needs them."""
    taken = {name.lower() for name in elements}
    names: dict[str, str] = {}
    for _, name, _ in document.gen_elements():
        new, i = name, 0
        while new.lower() in taken:
            i += 1
            new = f"{stem}_{name}" if i == 1 else f"{stem}_{name}_{i}"
        taken.add(new.lower())
        names[name] = new
    return names


def _move(document: SpatialData, system: str) -> None:
    """Give every element's "global" the name ``system``; other systems get it as a prefix."""
    from spatialdata.transformations import get_transformation, set_transformation

    for _, _, element in document.gen_spatial_elements():
        held = get_transformation(element, get_all=True)
        moved = {system if old == GLOBAL else f"{system}_{old}": t for old, t in held.items()}
        set_transformation(element, moved, set_all=True)


def _retargeted(table: Any, names: dict[str, str]) -> Any:
    """Return a table whose regions follow the elements' new names."""
    attrs = table.uns.get("spatialdata_attrs")
    if not attrs or all(old == new for old, new in names.items()):
        return table
    key, region = attrs["region_key"], attrs["region"]
    table.obs[key] = table.obs[key].astype(str).map(lambda old: names.get(old, old)).astype("category")
    attrs["region"] = [names.get(r, r) for r in region] if isinstance(region, list) else names.get(region, region)
    return table
