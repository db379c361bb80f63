"""Which files make a section: a counts table, a table of spot positions and, beside them, the image."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput
from .document import element_name
from .image import is_image

__all__ = [
    "ARRAY_POSITION",
    "POSITION_COLUMNS",
    "Section",
    "first_lines",
    "is_spot_table",
    "recognise_section",
    "section_from",
    "section_named",
    "section_of",
    "sections_in",
    "separator_of",
    "stem_of",
    "whole",
]

TABLE = re.compile(
    r"(?P<prefix>.*?)[_.-]?(?P<kind>counts?|spots?|positions?)\.(?:tsv|csv|txt)(?:\.gz)?$", re.IGNORECASE
)
ARRAY_POSITION = re.compile(r"^(-?\d+(?:\.\d+)?)[x_×](-?\d+(?:\.\d+)?)$")
POSITION_COLUMNS = {"x", "y", "pixel_x", "pixel_y"}


@dataclass(frozen=True)
class Section:
    """The files of one section."""

    name: str
    counts: Path
    spots: Path
    image: Path | None = None


def sections_in(folder: Path) -> tuple[Section, ...]:
    """Return the sections of a folder: counts and spot tables that share a prefix."""
    if not folder.is_dir():
        return ()
    tables: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        found = TABLE.match(path.name)
        if found and path.is_file():
            kind = "counts" if found["kind"].lower().startswith("count") else "spots"
            tables.setdefault(found["prefix"], {}).setdefault(kind, path)
    return tuple(
        Section(prefix or folder.name, files["counts"], files["spots"], _image(folder, prefix))
        for prefix, files in tables.items()
        if len(files) == 2 and "pixel_x" in first_lines(files["spots"])[0]
    )


def _image(folder: Path, prefix: str) -> Path | None:
    images = [p for p in sorted(folder.iterdir()) if p.is_file() and p.name.split(".")[0] == prefix and is_image(p)]
    return images[0] if prefix and images else None


def section_of(path: Path) -> Section | None:
    """Return the section that a file belongs to, or None."""
    if not path.is_file():
        return None
    for section in sections_in(path.parent):
        if path in (section.counts, section.spots, section.image):
            return section
    return None


def section_named(folder: Path, name: str | None) -> Section:
    """Return the folder's section of that name, or its only one."""
    found = sections_in(folder)
    names = ", ".join(section.name for section in found)
    if name is None and len(found) == 1:
        return found[0]
    if name is None:
        raise BadInput(f"The folder '{folder.name}' holds {len(found)} sections: {names}.", "Name one of them.")
    for section in found:
        if section.name == name:
            return section
    raise BadInput(f"The folder '{folder.name}' has no section '{name}'.", f"It has: {names}.")


def section_from(paths: list[Path]) -> Section | None:
    """Return the section that a counts table, a spot table and an image make, whatever their names."""
    spots = [p for p in paths if is_spot_table(p)]
    counts = [p for p in paths if p not in spots and _is_counts_table(p)]
    images = [p for p in paths if is_image(p)]
    if len(spots) == 1 and len(counts) == 1 and len(images) <= 1 and len(paths) == 2 + len(images):
        return Section(element_name(counts[0]), counts[0], spots[0], images[0] if images else None)
    return None


def recognise_section(path: Path) -> bool:
    """Return whether the path is a folder of sections or one of a section's files."""
    return bool(sections_in(path)) if path.is_dir() else section_of(path) is not None or _is_half(path)


def _is_half(path: Path) -> bool:
    """Return whether this is a counts or spot table whose other half is missing."""
    return path.is_file() and (is_spot_table(path) or (bool(TABLE.match(path.name)) and _is_counts_table(path)))


def first_lines(path: Path) -> list[str]:
    """Return the first two lines of a text file, compressed or not; empty strings where there are none."""
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if zipped else path.open("rb") as file:
            return [file.readline(1 << 22).decode("utf-8", "replace").rstrip("\r\n") for _ in range(2)]
    except (OSError, EOFError):
        return ["", ""]


def separator_of(line: str) -> str:
    return max("\t,;", key=line.count)


def _is_text_table(path: Path) -> bool:
    return bool(re.search(r"\.(tsv|csv|txt)(\.gz)?$", path.name, re.IGNORECASE)) and path.is_file()


def is_spot_table(path: Path) -> bool:
    if not _is_text_table(path):
        return False
    header = first_lines(path)[0]
    return {word.strip('" ') for word in header.split(separator_of(header))} >= POSITION_COLUMNS


def _is_counts_table(path: Path) -> bool:
    if not _is_text_table(path):
        return False
    header, row = first_lines(path)
    separator = separator_of(header)
    return bool(ARRAY_POSITION.match(row.split(separator)[0].strip('" '))) and separator in header


def stem_of(path: Path) -> str:
    """Return the section's name, as an element may be called."""
    section = section_of(path)
    return element_name(Path(section.name) if section is not None else path)


def whole(path: Path) -> Path:
    """Return the counts table of the section that a file belongs to."""
    section = section_of(path)
    return section.counts if section is not None else path
