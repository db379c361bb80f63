"""The commands around a map of domains: how many, what marks them, how far they agree, elsewhere and again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from ..errors import BadInput
from .proportions import Csv, Section, opened, write_csv
from .terminal import Progress, print_table

__all__ = [
    "Column",
    "Table",
    "compare_domains",
    "domain_markers",
    "only_table",
    "refit_domains",
    "suggest_domains",
    "transfer_domains",
]

Table = Annotated[str, Parameter(help="The table; found by itself where only one has such a column.")]
Column = Annotated[str, Parameter(help="The column of domains.")]


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


def domain_markers(
    section: Section,
    /,
    *,
    table: Table = "",
    column: Column = "domain",
    features: Annotated[str, Parameter(help='"X", "layers/<name>" or "obsm/<name>".')] = "X",
    top: Annotated[int, Parameter(help="So many of each domain are shown.")] = 5,
    out: Annotated[Path | None, Parameter(help="Write all of them here, NAME.csv.")] = None,
) -> None:
    """Show which genes, m/z or other features mark each domain, with effect sizes."""
    from ..session.domain_tables import domain_markers as markers_of

    if top < 1:
        raise BadInput(f"{top} features of each domain were asked for.", "Ask for 1 or more.")
    progress = Progress()
    with opened(section) as session:
        table = table or only_table(session.document, column)
        job = markers_of(session.document, table, column, features)
    try:
        frame = job(progress).frame()
    finally:
        progress.clear()
    heads = ("domain", "feature", "log2 fold change", "AUROC", "Cohen's d", "in", "elsewhere")
    rows = [
        (m.domain, m.feature, f"{m.log2_fold_change:+.2f}", f"{m.auroc:.3f}", f"{m.cohens_d:+.2f}",
         f"{m.share_in:.0%}", f"{m.share_out:.0%}")
        for m in frame.groupby("domain", sort=False).head(top).itertuples()
    ]  # fmt: skip
    print_table(heads, rows, numbers=heads[2:])
    print("Effect sizes: p-values would be circular, the domains were found from the same features.")
    if out is not None:
        write_csv(out, list(frame), frame.to_numpy(object).tolist())


def compare_domains(
    section: Section,
    /,
    *,
    against: Annotated[str, Parameter(help="Another column: layers by hand, clusters; or regions/ANNOTATIONS.")],
    table: Table = "",
    column: Column = "domain",
    csv: Csv = None,
) -> None:
    """Show how domains agree with any other labelling: ARI, NMI, and CHAOS and PAS of each."""
    from ..core.report import silent
    from ..session.domain_agreement import agreement

    with opened(section) as session:
        table = table or only_table(session.document, column)
        whole = agreement(session.document, table, column, against)(silent)
    found, heads = whole.found, ("", *whole.columns_named)
    print(f"Adjusted Rand index {found.adjusted_rand_index:.4f}.")
    print(f"Normalised mutual information {found.normalised_mutual_information:.4f}.")
    for figure, pair in (("CHAOS", found.chaos), ("PAS", found.pas)):
        if pair is not None:
            print(f"{figure} {pair[0]:.4f} of {column}, {pair[1]:.4f} of {against}: lower is smoother.")
    left = f" {found.left_out:,} lack one of the two." if found.left_out else ""
    print(f"Over {found.compared:,} rows.{left}")
    rows = [(name, *row.tolist()) for name, row in zip(whole.rows_named, whole.counts, strict=True)]
    print_table(heads, rows, numbers=heads[1:])
    if csv is not None:
        write_csv(csv, heads, rows)


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


def only_table(document: Any, column: str) -> str:
    """Return the one table that has such a column."""
    found = [t for t in document.names("tables") if column in document.table(t).obs]
    if len(found) != 1:
        listed = ", ".join(f"'{n}'" for n in found) or "none"
        raise BadInput(f"The section has {len(found)} tables with '{column}': {listed}.", "Choose one with --table.")
    return str(found[0])
