"""The commands that make maps of domains: how many, applied elsewhere, fitted again."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from ..errors import BadInput
from .domain_tables import Column, Table, only_table
from .proportions import Section, opened
from .terminal import Progress, print_table

__all__ = ["refit_domains", "suggest_domains", "transfer_domains"]


def suggest_domains(
    section: Section,
    /,
    *,
    table: Annotated[str, Parameter(help="The table of cells, spots, bins or pixels.")],
    features: Annotated[str, Parameter(help='"X", "layers/<name>", "obsm/<name>" or "obs/<column>" of types.')] = "X",
    others: Annotated[tuple[str, ...], Parameter(help="Tables divided with it.", negative_iterable=())] = (),
    method: Annotated[str, Parameter(help="The method that divides.")] = "low-pass-mixture",
    least: Annotated[int, Parameter(help="The least number that is tried.")] = 2,
    most: Annotated[int, Parameter(help="The greatest number that is tried.")] = 15,
) -> None:
    """Suggest the number of domains: that at which parts of the tissue, divided by themselves, agree best."""
    from ..core.domain_number import domain_number
    from ..methods import method as method_named
    from ..session import DomainsSelection
    from ..session.domain_cache import stages

    if not 2 <= least <= most:
        raise BadInput(f"{least} to {most} domains were asked for.", "Give 2 or more, the least first.")
    chosen: Any = method_named("domains", method)(n_domains=least)
    progress = Progress()
    try:
        with opened(section) as session:
            smoothed = stages(session.document, chosen, DomainsSelection(table, features, others=others), progress)
        found = domain_number(chosen, smoothed, range(least, most + 1), report=progress)
    finally:
        progress.clear()
    rows = [
        (k, f"{stable:.3f}", f"{spread:.3f}", "suggested" if k == found.suggested else "")
        for k, stable, spread in zip(found.numbers.tolist(), found.stability, found.spread, strict=True)
    ]
    print_table(("domains", "stability", "spread", ""), rows, numbers=("domains", "stability", "spread"))
    print(found.sentence)


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
