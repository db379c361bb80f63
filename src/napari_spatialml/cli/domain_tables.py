"""The commands that tell domains apart: two of them by their features, all of them by size and border."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from .domains import Column, Table, only_table
from .proportions import Csv, Section, opened, write_csv
from .terminal import Progress, print_table

__all__ = ["domain_pair", "domain_sizes"]

_FIGURES = ("AUROC", "log2 fold change", "Cohen's d", "mean in", "elsewhere", "in", "elsewhere ")


def domain_pair(
    section: Section,
    /,
    *,
    one: Annotated[tuple[str, ...], Parameter(help="A domain; several are taken as one.", negative_iterable=())],
    other: Annotated[
        tuple[str, ...], Parameter(help="What it is compared with; all others if left out.", negative_iterable=())
    ] = (),
    table: Table = "",
    column: Column = "domain",
    features: Annotated[str, Parameter(help='"X", "layers/<name>" or "obsm/<name>".')] = "X",
    top: Annotated[int, Parameter(help="So many features of either side are shown.")] = 10,
    csv: Csv = None,
) -> None:
    """Show which features tell two domains, or sets of domains, apart: effect sizes."""
    from ..session.domain_tables import compared_domains

    with opened(section) as session:
        table = table or only_table(session.document, column)
        found = _done(compared_domains(session.document, table, column, one, other, features))
    frame = found.frame()
    for said, part in ((found.one, frame.head(top)), (found.other, frame[::-1].head(top))):
        print(f"Higher in {' + '.join(said)}:")
        rows = [(row.feature, *_figures(row)) for row in part.itertuples()]
        print_table(("feature", *_FIGURES), rows, numbers=_FIGURES)
    if csv is not None:
        write_csv(csv, list(frame), frame.to_numpy(object).tolist())


def domain_sizes(section: Section, /, *, table: Table = "", column: Column = "domain", csv: Csv = None) -> None:
    """Show how large each domain is, in rows and mm², and which share of its border it has with each other."""
    from ..session import domain_sizes as sizes

    with opened(section) as session:
        table = table or only_table(session.document, column)
        found = _done(sizes.domain_sizes(session.document, table, column))
    frame, names = found.frame(), found.domains.names
    rows = [
        (said.domain, f"{said.rows:,}", f"{said.share:.1%}", f"{said.area_mm2:.3g}", *map(_percent, shares))
        for said, shares in zip(frame.itertuples(), found.shares, strict=True)
    ]
    heads = ("rows", "share", "mm²", *names)
    print_table(("domain", *heads), rows, numbers=heads)
    if csv is not None:
        whole = frame.assign(**{f"border_with_{n}": found.shares[:, k] for k, n in enumerate(names)})
        write_csv(csv, list(whole), whole.to_numpy(object).tolist())


def _done(job: Any) -> Any:
    progress = Progress()
    try:
        return job(progress)
    finally:
        progress.clear()


def _figures(row: Any) -> tuple[str, ...]:
    return (
        f"{row.auroc:.2f}", f"{row.log2_fold_change:+.2f}", f"{row.cohens_d:+.2f}", f"{row.mean_in:.3g}",
        f"{row.mean_out:.3g}", f"{row.share_in:.0%}", f"{row.share_out:.0%}",
    )  # fmt: skip


def _percent(share: float) -> str:
    return f"{share:.0%}" if np.isfinite(share) and share > 0 else ""
