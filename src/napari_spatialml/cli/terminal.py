"""What a person sees in the terminal: progress on stderr, tables on stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Progress", "print_table", "write_found"]

WIDTH = 24
TOO_WIDE = 130


class Progress:
    """A progress bar on stderr where that is a terminal; silent elsewhere."""

    def __init__(self) -> None:
        self.shown = sys.stderr.isatty()
        self._next = 0.0

    def __call__(self, fraction: float, message: str = "") -> None:
        """Say that ``fraction`` (0 <= fraction <= 1) of the work is done."""
        now = time.monotonic()
        if not self.shown or (now < self._next and fraction < 1):
            return
        self._next = now + 0.1
        filled = round(WIDTH * min(max(fraction, 0.0), 1.0))
        bar = "█" * filled + "░" * (WIDTH - filled)
        print(f"\r\x1b[2K{bar} {100 * fraction:3.0f} %  {message[:70]}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the bar away."""
        if self.shown:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)


def print_table(heads: Sequence[str], rows: Iterable[Sequence[Any]], *, numbers: Sequence[str] = ()) -> None:
    """Print a table on stdout, as wide as the terminal, or 130 columns where it goes to a file.

    Parameters
    ----------
    heads
        Names of the columns.
    rows
        Texts, one for each column.
    numbers
        Columns that are set to the right.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else TOO_WIDE, highlight=False)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, justify="right" if head in numbers else "left", no_wrap=head in numbers)
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    console.print(table)


class _Found(Protocol):
    def to_json(self) -> str: ...

    def to_csv(self) -> str: ...


def write_found(found: _Found, json: Path | None, csv: Path | None) -> None:
    """Write a report and its figures to the files that were asked for, and say where they are."""
    for path, text in ((json, found.to_json), (csv, found.to_csv)):
        if path is not None:
            path.write_text(text(), encoding="utf-8")
            print(f"Written to '{path}'.")
