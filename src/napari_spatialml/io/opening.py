"""Open anything: recognise by content, read in µm, and bring several files into one document."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.report import Report, part, silent
from ..errors import BadInput
from .format import Format
from .near_misses import explain
from .together import together
from .units import Contradiction, Units

if TYPE_CHECKING:
    from spatialdata import SpatialData

__all__ = ["formats", "open_files", "recognise"]

Stated = float | Mapping[str, float] | None


@cache
def formats() -> tuple[Format, ...]:
    """Return the formats that can be opened, in the order in which a path is tried."""
    from . import anndata_file, beside, count_table, image, imzml, points_file, spatialdata_zarr, visium

    modules = (spatialdata_zarr, visium, count_table, imzml, anndata_file, points_file, image)
    return (*beside.FORMATS, *(module.FORMAT for module in modules))


def recognise(paths: str | Path | Sequence[str | Path]) -> Format:
    """Return the format of a path, or the one format of several.

    Raises
    ------
    BadInput
        A path is absent, empty or unknown (the message says what was looked for), or the paths are of
        different formats.
    """
    several = [paths] if isinstance(paths, str | Path) else list(paths)
    if not several:
        raise BadInput("No file was given.", "Choose a file or a folder.")
    found = [_format_of(Path(path)) for path in several]
    if len({form.name for form in found}) > 1:
        titles = ", ".join(dict.fromkeys(form.title for form in found))
        raise BadInput(f"These {len(found)} paths are of different formats: {titles}.", "Ask for one at a time.")
    return found[0]


def _format_of(path: Path) -> Format:
    if not path.exists():
        raise BadInput(f"There is no file or folder '{path}'.", "Check the path.")
    if path.is_dir() and os.access(path, os.R_OK) and not any(path.iterdir()):
        raise BadInput(f"The folder '{path.name}' is empty.", "Choose the folder that holds the data.")
    try:
        for form in formats():
            if form.recognises(path):
                return form
        explain(path)
    except PermissionError as error:
        raise BadInput(f"'{path.name}' may not be read.", "Ask its owner for permission.") from error
    looked = "; ".join(form.what for form in formats())
    raise BadInput(f"'{path.name}' is not a format that can be opened.", f"Looked for: {looked}.")


def open_files(
    *paths: str | Path,
    pixel_size_um: Stated = None,
    spot_pitch_um: Stated = None,
    um_per_unit: Stated = None,
    name: str | None = None,
    report: Report = silent,
) -> SpatialData:
    """Open files or folders as one document in µm.

    The first path's coordinate system is "global"; each later one gets its own, named after its element,
    until it is registered. Files that belong together (the tables and image of a section, an imzML pair)
    are one, whichever of them is given.

    Parameters
    ----------
    pixel_size_um, spot_pitch_um, um_per_unit
        Physical units > 0, for files that state none. Of several paths, one number serves the one that
        needs it; where two need one, give a number for each file name: ``{"he.tif": 0.5, "msi.imzML": 50}``.
    name
        The section, where a folder holds several.

    Raises
    ------
    UnitNeeded
        A file states no unit; `parameter` says which keyword answers.
    BadInput
        A path is absent, unknown, damaged or contradicts a stated unit.

    Examples
    --------
    >>> from napari_spatialml.io import open_files
    >>> document = open_files("section1.jpg", spot_pitch_um=150)  # doctest: +SKIP
    """
    stated = {"pixel_size_um": pixel_size_um, "spot_pitch_um": spot_pitch_um, "um_per_unit": um_per_unit}
    sources, added = _told_apart(_sources([Path(path).expanduser() for path in paths], name))
    report(0.0, "Opening")
    opened: list[SpatialData] = []
    uses: dict[str, list[str]] = {}
    for i, source in enumerate(sources):
        step = part(report, i / len(sources), (i + 1) / len(sources))
        step(0.0, f"Reading {source.path.name}")
        values = {key: _for_source(value, source) for key, value in stated.items()}
        units = Units(values["pixel_size_um"], values["spot_pitch_um"], values["um_per_unit"])
        opened.append(_read(source, units, alone=len(sources) == 1))
        for key in units.used:
            if not isinstance(stated[key], Mapping):
                uses.setdefault(key, []).append(source.path.name)
        step(1.0, f"Read {source.path.name}")
    _check_uses(uses)
    whole = opened[0] if len(opened) == 1 else together([source.stem for source in sources], opened)
    for source in added:
        assert source.add is not None
        source.add(source.path, whole)
    return whole


@dataclass
class _Source:
    """One thing to read.

    Parameters
    ----------
    given
        The names of the files through which the person chose it.
    add
        Puts it into what was opened with it; None where it is a section of its own.
    """

    path: Path
    stem: str
    read: Callable[[Units], SpatialData]
    given: set[str]
    add: Callable[[Path, SpatialData], None] | None = None


def _told_apart(sources: list[_Source]) -> tuple[list[_Source], list[_Source]]:
    """Return the sections, and what is added to them; alone, each is a section of its own."""
    sections = [source for source in sources if source.add is None]
    return (sections, [source for source in sources if source.add is not None]) if sections else (sources, [])


def _for_source(value: Stated, source: _Source) -> float | None:
    if not isinstance(value, Mapping):
        return value
    return next((value[name] for name in (source.path.name, source.stem, *sorted(source.given)) if name in value), None)


def _read(source: _Source, units: Units, alone: bool) -> SpatialData:
    """Read one source. Among several, a number that contradicts this one's own is meant for another."""
    try:
        return source.read(units)
    except Contradiction as contradiction:
        if alone:
            raise
        rest = replace(units, **{contradiction.parameter: None})  # type: ignore[arg-type]  # no name is "used"
        return source.read(rest)


def _check_uses(uses: dict[str, list[str]]) -> None:
    for key, names in uses.items():
        if len(names) > 1:
            listed = " and ".join(f"'{name}'" for name in names)
            raise BadInput(
                f"One '{key}' was given, but {listed} each need their own.",
                f"Give {key} for each file name, or open the files one after another.",
            )


def _sources(paths: list[Path], name: str | None) -> list[_Source]:
    """Return what is to be read: each section, pair, folder or file once."""
    from . import count_table

    if not paths:
        raise BadInput("No file was given.", "Choose a file or a folder.")
    section = count_table.section_from(paths) if len(paths) > 1 and all(p.exists() for p in paths) else None
    if section is not None:
        whole = section
        given = {path.name for path in paths}
        return [_Source(whole.counts, whole.name, lambda units: count_table.read_section(whole, units), given)]
    found: dict[Path, _Source] = {}
    named = name is None
    for path in paths:
        form, chosen = _format_of(path), path
        if form is count_table.FORMAT and path.is_dir():
            chosen, named = count_table.section_named(path, name).counts, True
        chosen = form.resolve(chosen)
        found.setdefault(chosen, _Source(chosen, form.stem(chosen), _reader(form, chosen), set(), form.add)).given.add(
            path.name
        )
    if not named:
        raise BadInput(f"There is no section '{name}': no folder of sections was given.", "Leave the name out.")
    return list(found.values())


def _reader(form: Format, path: Path) -> Callable[[Units], SpatialData]:
    return lambda units: form.read(path, units)
