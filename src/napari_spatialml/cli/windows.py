"""The commands that open a window, and the demonstration, which needs none."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..demo.options import Options, StatedUnits
from ..errors import BadInput
from .terminal import Progress, print_table
from .units import UNSTATED, Units

__all__ = ["demo", "open_"]

WALK = Options()


def demo(
    options: Annotated[Options, Parameter(name="*")] = WALK,
    *,
    headless: Annotated[bool, Parameter(negative=(), help="Without a window: measure, and leave a report.")] = False,
) -> int:
    """Walk a section through the whole way: in the window, or headless with a table and a report."""
    from ..demo.window import has_display

    if headless:
        return _walk(options)
    if not has_display():
        raise BadInput("There is no display for a window.", "Run: napari-spatialml demo --headless --out DIR.")
    if options.section is None:
        return _window(["tour"])
    return _window(["open", str(_one_section(options.section, options.name)), *_words(options)])


def _one_section(path: Path, name: str | None) -> Path:
    """Return the path that stands for the named section of a folder; any of its files does."""
    if name is None:
        return path
    from ..io.section import section_named

    return section_named(path, name).counts


def _walk(options: Options) -> int:
    from ..demo import walk

    options = _in_a_free_folder(options)
    progress = Progress()
    try:
        done = walk(options, progress)
    finally:
        progress.clear()
    seconds = ("" if row.skipped and row.seconds < 0.05 else f"{row.seconds:.1f}" for row in done.rows)
    print_table(
        ("step", "what", "measured", "seconds"),
        [(row.step, row.what, row.measured, s) for row, s in zip(done.rows, seconds, strict=True)],
        numbers=("seconds",),
    )
    left = ", ".join(str(options.out / name) for name in ("report.html", "section.zarr", "recipe.json"))
    print(f"{done.facts['seconds']:.0f} s in all. See {left}.")
    if not done.proved:
        print("Not everything came out the same again: see the rows that say NOT.", file=sys.stderr)
    return 0 if done.proved else 1


def _in_a_free_folder(options: Options) -> Options:
    """Leave what an earlier demonstration made, and what was done to it since, as it is."""
    out, number = options.out, 1
    while (out / "section.zarr").exists():
        number += 1
        out = options.out.with_name(f"{options.out.name}-{number}")
    if number > 1:
        print(f"'{options.out}' holds a section already, so this goes to '{out}'.", file=sys.stderr)
    return replace(options, out=out)


def open_(
    paths: Annotated[tuple[Path, ...], Parameter(help="Files or folders that make one section.")],
    /,
    *,
    units: Units = UNSTATED,
) -> int:
    """Open files or folders as one section, in a napari window."""
    return _window(["open", *(str(p) for p in paths), *_words(units)])


def _words(units: StatedUnits) -> list[str]:
    """Return stated units as the window's command line takes them."""
    stated = units.stated().items()
    return [w for name, value in stated if value is not None for w in (f"--{name.replace('_', '-')}", str(value))]


def _window(arguments: list[str]) -> int:
    """Start the window in a process of its own: the command line knows no Qt."""
    return subprocess.run([sys.executable, "-m", "napari_spatialml.widgets", *arguments], check=False).returncode
