"""Selections of Xenium Explorer: corners in µm, one selection a file or several with a column of names.

The file begins with ``#Selection name: …`` and ``#Area (µm^2): …`` and has the columns X and Y; of several
selections ``#Selection names: …``, ``#Areas (µm^2): …`` and a column Selection, in newer versions also
Class and Color.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np

from ..errors import BadInput
from .document import unique_names
from .regions_file import MICROMETRES, RegionsFile, built, bytes_of, write_text

__all__ = ["is_explorer_selection", "read_explorer", "write_explorer"]

_MARK = "#selection name"


def is_explorer_selection(path: Path) -> bool:
    """Return whether a file begins as a selection of Xenium Explorer does."""
    if not path.is_file() or path.suffix.lower() != ".csv":
        return False
    with path.open("rb") as file:
        return file.read(200).decode("utf-8-sig", "replace").lstrip('"').lower().startswith(_MARK)


def read_explorer(path: Path) -> RegionsFile:
    """Read the selections of a file.

    Raises
    ------
    BadInput
        When columns are missing, a corner is no number, or nothing is enclosed.
    """
    lines = bytes_of(path).decode("utf-8-sig", "replace").splitlines()
    heads = [line.strip('"') for line in lines if line.startswith(("#", '"#'))]
    rows = csv.DictReader(line for line in lines if line.strip() and not line.startswith(("#", '"#')))
    if not {"X", "Y"} <= set(rows.fieldnames or ()):
        have = ", ".join(rows.fieldnames or ()) or "none"
        raise BadInput(
            f"'{path.name}' has the columns {have}, not X and Y.", "Export the selection's coordinates, not its cells."
        )
    alone = next((h.partition(":")[2].strip() for h in heads if h.lower().startswith(_MARK)), "")
    outlines: dict[str, list[tuple[float, float]]] = {}
    classes: dict[str, str] = {}
    colours: dict[str, str] = {}
    for number, row in enumerate(rows, 1):
        name = row.get("Selection") or alone or path.stem
        outlines.setdefault(name, []).append(_corner(row, number, path))
        classes[name] = (row.get("Class") or "").strip()
        if classes[name] and (row.get("Color") or "").strip().startswith("#"):
            colours.setdefault(classes[name], str(row["Color"]).strip().lower()[:7])
    return _read(path, outlines, classes, colours)


def _corner(row: dict[str, Any], number: int, path: Path) -> tuple[float, float]:
    try:
        x, y = float(row["X"]), float(row["Y"])
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"Row {number} of '{path.name}' holds '{row['X']}', '{row['Y']}', which are no place.", "Export it again."
        ) from error
    if not np.isfinite([x, y]).all():
        raise BadInput(f"Row {number} of '{path.name}' holds {x}, {y}, which is no place.", "Export it again.")
    return x, y


def _read(path: Path, outlines: dict[str, Any], classes: dict[str, str], colours: dict[str, str]) -> RegionsFile:
    said: list[str] = []
    drawn = {name: corners for name, corners in outlines.items() if len(corners) >= 3}
    if len(drawn) < len(outlines):
        n = len(outlines) - len(drawn)
        said.append(f"{n} {'selection has' if n == 1 else 'selections have'} fewer than 3 corners and was left out.")
    geometry = built([[[np.array(corners)]] for corners in drawn.values()], said)
    kept = [name for name, g in zip(drawn, geometry, strict=True) if g is not None]
    if not kept:
        raise BadInput(f"'{path.name}' holds no selection that encloses anything.", "Export the selection again.")
    nothing = ("",) * len(kept)
    return RegionsFile(
        geometry=geometry[[g is not None for g in geometry]],
        ids=tuple(str(uuid5(NAMESPACE_OID, f"{path.name}/{name}")) for name in kept),
        classes=tuple(classes[name] for name in kept),
        notes=tuple(kept),
        annotators=nothing,
        created=nothing,
        kinds=("annotation",) * len(kept),
        unit=MICROMETRES,
        colours=colours,
        said=tuple(said),
    )


def write_explorer(path: Path, regions: RegionsFile) -> tuple[str, ...]:
    """Write regions, in µm, as selections; return sentences about what such a file cannot tell."""
    import shapely

    parts, of_region = shapely.get_parts(regions.geometry, return_index=True)
    holes = int(shapely.get_num_interior_rings(parts).sum())
    wanted = [regions.notes[k] or regions.classes[k] or f"Selection {k + 1}" for k in of_region]
    names = unique_names(wanted, "names", [])
    areas = shapely.area(shapely.polygons(shapely.get_exterior_ring(parts)))
    write_text(path, _lines(regions, parts, of_region, names, areas))
    said = []
    if holes:
        said.append(f"Xenium Explorer knows no holes: {holes:,} {'was' if holes == 1 else 'were'} left out.")
    if len(parts) > len(regions):
        said.append(f"Xenium Explorer knows no regions of several parts: {len(parts):,} selections were written.")
    return tuple(said)


def _lines(regions: RegionsFile, parts: Any, of_region: Any, names: list[str], areas: Any) -> Iterator[str]:
    several = len(parts) > 1 or any(regions.classes)
    end = "s" if several else ""
    listed = ", ".join(name.replace("\n", " ") for name in names)
    yield f"#Selection name{end}: {listed}\n#Area{end} (µm^2): {', '.join(f'{a:.2f}' for a in areas)}\n"
    yield "Selection,X,Y,Class,Color\n" if several else "X,Y\n"
    for part, region, name in zip(parts, of_region.tolist(), names, strict=True):
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        about = regions.classes[region]
        colour = regions.colours.get(about, "")
        for x, y in np.asarray(part.exterior.coords).tolist():
            rows.writerow([name, x, y, about, colour] if several else [x, y])
        yield text.getvalue()
