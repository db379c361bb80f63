"""A counts table with a table of spot positions and, beside them, the section's image."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInput, UnitNeeded
from .document import (
    SPOT_FILL,
    assemble,
    check_values,
    circles,
    neighbour_distance,
    unique_names,
)
from .format import Format
from .image import image_element
from .section import (
    ARRAY_POSITION,
    POSITION_COLUMNS,
    Section,
    first_lines,
    is_spot_table,
    recognise_section,
    section_from,
    section_named,
    section_of,
    separator_of,
    stem_of,
    whole,
)
from .units import PITCH_QUESTION, Units

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from spatialdata import SpatialData

__all__ = ["FORMAT", "read_section", "section_from", "section_named"]


def read_section_path(path: Path, units: Units) -> SpatialData:
    """Read the section that a file or folder stands for."""
    section = section_named(path, None) if path.is_dir() else section_of(path)
    if section is None:
        other = "table of counts" if is_spot_table(path) else "table of spots (x, y, pixel_x, pixel_y)"
        raise BadInput(f"No {other} belongs to '{path.name}'.", "Open both tables, and the image, together.")
    return read_section(section, units)


def read_section(section: Section, units: Units) -> SpatialData:
    """Read counts, spots and image of a section; µm per pixel from the distance between spots.

    Raises
    ------
    UnitNeeded
        Neither the spot pitch nor the pixel size was stated: the files carry no unit.
    BadInput
        A table is damaged, or no counts lie at any position.
    """
    notes: list[str] = []
    positions = _read_table(section.spots, index=None)
    _check_positions(positions, section.spots)
    table = _counts(section, notes)
    pixels = neighbour_distance(positions[["pixel_y", "pixel_x"]].to_numpy(dtype=np.float64))
    um = _um_per_pixel(section, pixels, units)
    table, placed = _joined(section, table, positions, notes)
    elements: dict[str, Any] = {}
    if section.image is not None:
        elements["image"] = image_element(section.image, Units(), notes, pixel_um=um)
    yx = placed[["pixel_y", "pixel_x"]].to_numpy(dtype=np.float64) * um
    pitch = units.spot_pitch_um if pixels is None else pixels * um
    if pitch is None:
        pitch = 1.0 * um
        notes.append(f"'{section.spots.name}' has one position, so no pitch: the circle has a diameter of one pixel.")
        diameter = um
    else:
        diameter = SPOT_FILL * pitch
        notes.append(f"'{section.spots.name}' states no spot diameter: circles have half the pitch, {diameter:.1f} µm.")
    elements |= circles(yx, diameter / 2, table)
    return assemble(elements, section.counts, FORMAT.name, notes)


def _read_table(path: Path, index: int | None) -> pd.DataFrame:
    import pandas as pd

    try:
        header = first_lines(path)[0]
        return pd.read_csv(path, sep=separator_of(header), index_col=index)
    except (ValueError, OSError, EOFError, UnicodeDecodeError) as error:
        raise BadInput(f"The table '{path.name}' is damaged ({error}).", "Copy or export it again.") from error


def _check_positions(positions: pd.DataFrame, path: Path) -> None:
    absent = sorted(POSITION_COLUMNS - set(positions.columns))
    if absent:
        raise BadInput(f"The spot table '{path.name}' has no column '{absent[0]}'.", "It needs x, y, pixel_x, pixel_y.")
    for column in sorted(POSITION_COLUMNS):
        if positions[column].dtype.kind not in "iuf" or not np.isfinite(positions[column]).all():
            raise BadInput(
                f"The column '{column}' of '{path.name}' holds something that is not a number.", "Correct the table."
            )


def _counts(section: Section, notes: list[str]) -> AnnData:
    import pandas as pd
    import scipy.sparse as sp
    from anndata import AnnData

    frame = _read_table(section.counts, index=0)
    what = f"The counts table '{section.counts.name}'"
    if frame.empty:
        raise BadInput(f"{what} has {frame.shape[0]} rows and {frame.shape[1]} genes.", "Choose another table.")
    words = [str(c) for c, t in zip(frame.columns, frame.dtypes, strict=True) if t.kind not in "biuf"]
    if words:
        raise BadInput(f"{what} holds text in the column '{words[0]}'.", "Give one row a spot and one column a gene.")
    values = frame.to_numpy(dtype=np.float32)
    check_values(values, what)
    header = first_lines(section.counts)[0]
    separator = separator_of(header)
    genes = [word.strip('" ') for word in header.split(separator)][-frame.shape[1] :]  # pandas renames repeats
    return AnnData(
        X=sp.csr_matrix(values),
        obs=pd.DataFrame(index=unique_names(frame.index, "spot names", notes)),
        var=pd.DataFrame(index=unique_names(genes, "gene names", notes)),
    )


def _um_per_pixel(section: Section, pixels: float | None, units: Units) -> float:
    if pixels is None or units.spot_pitch_um is None:
        if units.pixel_size_um is not None:
            return units.take("pixel_size_um")
        if pixels is None:
            raise UnitNeeded(
                f"'{section.spots.name}' has one spot only, so no distance between spots can be measured.",
                "State the size of one image pixel in µm.",
                parameter="pixel_size_um",
            )
        raise UnitNeeded(
            f"The section '{section.name}' carries no physical unit.", PITCH_QUESTION, parameter="spot_pitch_um"
        )
    um = units.take("spot_pitch_um") / pixels
    units.length("pixel_size_um", f"The spot pitch of '{section.name}'", um)
    return um


def _joined(
    section: Section, table: AnnData, positions: pd.DataFrame, notes: list[str]
) -> tuple[AnnData, pd.DataFrame]:
    """Return the selected spots that have counts, in the counts' order, and their positions."""
    rows = _matched(table.obs_names, positions)
    if not (rows >= 0).any():
        first = positions.iloc[0]
        raise BadInput(
            f"No row of '{section.counts.name}' (the first: '{table.obs_names[0]}') lies at a position of "
            f"'{section.spots.name}' (the first: {first['x']:g}, {first['y']:g}).",
            "Rows are named as the array position (10x12 or 10_12); the two tables may be of different sections.",
        )
    keep = rows >= 0
    if not keep.all():
        notes.append(f"{int((~keep).sum())} of {len(rows)} rows of counts have no position and were left out.")
    if "selected" in positions:
        selected = positions["selected"].to_numpy() == 1
        outside = keep & ~selected[rows]
        if outside.any():
            notes.append(f"{int(outside.sum())} spots with counts are not selected as tissue and were left out.")
        if not (keep & ~outside).any():
            raise BadInput(
                f"None of the spots in '{section.spots.name}' is selected.", "Set 'selected' to 1 for tissue."
            )
        keep &= ~outside
    table, placed = table[keep].copy(), positions.iloc[rows[keep]]
    for column in ("x", "y"):
        table.obs[f"array_{column}"] = placed[column].to_numpy()
    return table, placed


def _matched(names: Any, positions: pd.DataFrame) -> Any:
    """Return the row of ``positions`` for each name, −1 for none: array positions, else the corrected ones."""
    found = [ARRAY_POSITION.match(re.sub(r"-\d+$", "", str(name))) for name in names]
    keys = [(round(float(m[1]), 3), round(float(m[2]), 3)) if m else None for m in found]
    for columns in (("x", "y"), ("new_x", "new_y")):
        if not set(columns) <= set(positions.columns):
            continue
        at = {tuple(np.round(xy, 3)): i for i, xy in enumerate(positions[list(columns)].to_numpy(dtype=float))}
        rows = np.array([at.get(key, -1) if key else -1 for key in keys], dtype=np.int64)
        if (rows >= 0).any():
            return rows
    return np.full(len(keys), -1, dtype=np.int64)


FORMAT = Format(
    name="count-table",
    title="Counts and spot positions",
    what="a counts table beside a spot table (x, y, pixel_x, pixel_y) with the same prefix",
    recognises=recognise_section,
    read=read_section_path,
    resolve=whole,
    stem=stem_of,
)
