"""The command line: the same runs without a window, generated from the methods' own fields."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0, 1 (not identical), 2 (an error) or 130 (stopped)."""
    try:
        from .app import main as run
    except KeyboardInterrupt:  # stopped before anything began
        print("Stopped.", file=sys.stderr)
        return 130
    return run(arguments)
