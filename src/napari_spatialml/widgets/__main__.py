"""A window from the command line: ``python -m napari_spatialml.widgets open PATH…``, ``shoot`` or ``tour``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import SpatialMLError

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Open a window, take pictures of one, or start the guided tour; return the exit status."""
    given = _parser().parse_args(arguments)
    from .launch import run_window

    try:
        if given.command == "shoot":
            from .shoot import shoot

            for path in shoot(given.section, given.out, width=given.width, height=given.height):
                print(path)
            return 0
        if given.command == "tour":
            return run_window([], {}, tour=True)
        units = {k: getattr(given, k) for k in ("pixel_size_um", "spot_pitch_um", "um_per_unit")}
        return run_window(given.paths, units)
    except SpatialMLError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # what was not saved stays in the journal
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m napari_spatialml.widgets", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    opens = commands.add_parser("open", help="open files or folders as one section, in a napari window")
    opens.add_argument("paths", nargs="*", type=Path, metavar="PATH")
    opens.add_argument("--pixel-size-um", type=float, help="size of one image pixel in µm")
    opens.add_argument("--spot-pitch-um", type=float, help="distance between neighbouring spots in µm")
    opens.add_argument("--um-per-unit", type=float, help="µm in one unit of the coordinates")
    shoots = commands.add_parser("shoot", help="write pictures of the window on a saved section")
    shoots.add_argument("section", type=Path)
    shoots.add_argument("--out", type=Path, required=True, help="folder of the pictures")
    shoots.add_argument("--width", type=int, default=1600)
    shoots.add_argument("--height", type=int, default=1000)
    commands.add_parser("tour", help="walk the whole way on the embedded sample, step by step")
    return parser


if __name__ == "__main__":
    sys.exit(main())
