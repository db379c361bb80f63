"""The list of methods, for the terminal and for the docs: made from the registry alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.method import Method, Parameter, parameters
from ..methods import kinds, methods

__all__ = ["markdown", "overview", "shown_default", "shown_range"]

ABOUT = {
    "segmentation": "An image in, one label a cell or nucleus out.",
    "registration": "Two sections in, by landmarks, images, or cells and spots; the transform between them out.",
    "domains": "A table of spots, pixels or cells in, one spatial domain a row out.",
    "deconvolution": "Spots and a single-cell reference in, proportions of cell types out.",
    "embedding": "The features of a table in, a place in two dimensions a row out.",
}

NEEDED = {
    "landmarks": "landmarks on both sides",
    "image": "an image of either side (`--moving-image`, `--fixed-image`)",
    "points": "a table of either side (`--moving-points`, `--fixed-points`)",
    "features": "features that both tables have (`--features`)",
}
"""What a registration method cannot do without, in words."""


def overview(chosen: str = "") -> list[tuple[str, str, str]]:
    """Return (kind, method, what it does) of every method, or of those of one kind."""
    return [
        (kind, name, found.summary() + (f" (needs '{found.missing()}')" if found.missing() else ""))
        for kind in ((chosen,) if chosen else kinds())
        for name, found in methods(kind).items()
    ]


def shown_default(parameter: Parameter) -> str:
    """Return the default as a person reads it."""
    value: Any = parameter.default
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Path):
        return value.as_posix()
    return f"{value:g}" if isinstance(value, float) else str(value)


def shown_range(parameter: Parameter) -> str:
    """Return the allowed range or choices with the unit."""
    if parameter.choices:
        return ", ".join(str(c) for c in parameter.choices)
    return " ".join(part for part in (parameter.range, parameter.unit) if part)


def markdown() -> str:
    """Return the docs page of all methods."""
    parts = [
        "# Methods",
        "",
        "This page is made by `napari-spatialml methods --markdown`; do not edit it. Every method runs from its panel "
        "in the window and, with the same parameters, from the command line:",
        "",
        "```sh",
        "napari-spatialml segmentation watershed section.zarr --image dapi --diameter-um 8",
        "```",
        "",
        "Each run is a step of the history with its parameters, and can be undone and replayed.",
    ]
    for kind in kinds():
        parts += ["", f"## {kind.capitalize()}", "", ABOUT.get(kind, ""), ""]
        for found in methods(kind).values():
            parts += _section(kind, found)
    return "\n".join(parts).rstrip() + "\n"


def _section(kind: str, found: type[Method]) -> list[str]:
    lines = [f"### {found.title}", "", f"`napari-spatialml {kind} {found.name} SECTION.zarr`", ""]
    lines += [*_description(found), ""]
    needs = sorted(getattr(found, "needs", ()))
    if needs:
        lines += [f"Works on: {', '.join(NEEDED[need] for need in needs)}.", ""]
    if found.requires:
        lines += [f'Needs `pip install "napari-spatialml[{found.extra}]"`.', ""]
    lines += ["| Option | Default | Range | What it is |", "|---|---|---|---|"]
    for parameter in parameters(found):
        option = "--" + parameter.name.replace("_", "-")
        help_text = " ".join(parameter.help.split()).replace("|", "\\|")
        cells = (f"`{option}`", shown_default(parameter), shown_range(parameter), help_text)
        lines.append("| " + " | ".join(cells) + " |")
    if found.citation:
        lines += ["", f"*{found.citation}*"]
    return [*lines, ""]


def _description(found: type[Method]) -> list[str]:
    import inspect

    text = (inspect.getdoc(found) or "").replace("\nNotes\n-----\n", "\n")
    return text.strip().split("\n")
