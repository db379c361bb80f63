"""The commands that change a map of domains: apply it elsewhere, fit it again."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from ..errors import BadInput
from .domain_tables import Column, Table, only_table
from .proportions import Section, opened
from .terminal import Progress

__all__ = ["refit_domains", "transfer_domains"]


def transfer_domains(
    section: Section,
    /,
    *,
    source: Annotated[str, Parameter(help="Whose map: a table of the section, or another section.zarr::table.")],
    table: Annotated[str, Parameter(help="The table that gets the map.")],
    column: Column = "domain",
    source_column: Annotated[str, Parameter(help="The column of the source, if it has another name.")] = "",
) -> None:
    """Apply the map of a table to another one: the same domains, names and colours; strokes on it are kept."""
    from ..session import correct

    named = {"table": table, "source": source, "column": column, "source_column": source_column}
    progress = Progress()
    with opened(section) as session:
        try:
            command = correct(session.document, "transfer-domains", report=progress, **named)
            session.execute(command)
            session.save()
        finally:
            progress.clear()
        position = session.position
        codes, names = _domains(session.document, table, column)
    print(f"{command.label}.")
    print(", ".join(f"{name} {n:,}" for name, n in zip(names, np.bincount(codes[codes >= 0]), strict=False)))
    print(f"Saved in '{section}', as step {position} of its history.")


def refit_domains(section: Section, /, *, table: Table = "", column: Column = "domain") -> None:
    """Fit a map again from the map before the hand, under the strokes that lie on it."""
    from ..session import refit_domains_now

    progress = Progress()
    with opened(section) as session:
        table = table or only_table(session.document, column)
        try:
            line = refit_domains_now(session, table, column, progress)
            session.save()
        finally:
            progress.clear()
    print(line)


def _domains(document: Any, table: str, column: str) -> tuple[np.ndarray[Any, Any], tuple[str, ...]]:
    """Return (n,) places in the names of domains, and these."""
    from ..session.domain_maps import held_map

    found = held_map(document, table, column)
    if not found.names:
        raise BadInput(f"The table '{table}' has no domains '{column}'.", "Run a method first.")
    return found.codes, found.names
