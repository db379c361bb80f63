"""The commands that look at domains: what defines them, how two differ, how large they are, how far maps agree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from cyclopts import Parameter, validators

from ..errors import BadInput
from .proportions import opened
from .terminal import Progress, print_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Column", "Table", "compare_domains", "domain_agreement", "domain_markers", "domain_sizes", "only_table"]

Section = Annotated[Path, Parameter(help="The saved section, a SpatialData store.")]
Table = Annotated[str, Parameter(help="The table; found by itself where only one has such domains.")]
Column = Annotated[str, Parameter(help="The column of domains.")]
Features = Annotated[str, Parameter(help='What is compared: "X", "layers/NAME" or "obsm/NAME".')]
Top = Annotated[int, Parameter(help="So many features are shown.", validator=validators.Number(gte=1))]
Csv = Annotated[Path | None, Parameter(help="Write all figures here as a table.")]
_HEADS = ("AUROC", "log2 fold", "Cohen's d", "mean in", "mean out", "rows in", "rows out")


def domain_markers(
    section: Section,
    /,
    *,
    table: Table = "",
    column: Column = "domain",
    features: Features = "X",
    top: Top = 5,
    csv: Csv = None,
) -> None:
    """Show which genes, m/z or other features define each domain: effect sizes, against all other rows."""
    from ..session import domain_tables

    with opened(section) as session:
        table = table or only_table(session.document, column)
        found = _done(domain_tables.domain_markers(session.document, table, column, features))
    best = found.frame().groupby("domain", sort=False).head(top)
    rows = [(said.domain, said.feature, *_figures(said)) for said in best.itertuples()]
    print_table(("domain", "feature", *_HEADS), rows, numbers=_HEADS)
    print("Effect sizes; p-values would be circular: the domains were found from the same features.")
    _write(found.frame(), csv)


def compare_domains(
    section: Section,
    /,
    *,
    one: Annotated[list[str], Parameter(help="A domain; several are taken as one.")],
    other: Annotated[list[str], Parameter(help="What it is compared with; all others if left out.")] = [],  # noqa: B006
    table: Table = "",
    column: Column = "domain",
    features: Features = "X",
    top: Top = 10,
    csv: Csv = None,
) -> None:
    """Show which features tell two domains, or sets of domains, apart."""
    from ..session import domain_tables

    with opened(section) as session:
        table = table or only_table(session.document, column)
        found = _done(domain_tables.compared_domains(session.document, table, column, one, other, features))
    frame = found.frame()
    for said, part in ((found.one, frame.head(top)), (found.other, frame[::-1].head(top))):
        print(f"Higher in {' + '.join(said)}:")
        rows = [(row.feature, *_figures(row)) for row in part.itertuples()]
        print_table(("feature", *_HEADS), rows, numbers=_HEADS)
    _write(frame, csv)


def domain_sizes(section: Section, /, *, table: Table = "", column: Column = "domain", csv: Csv = None) -> None:
    """Show how large each domain is, in rows and mm², and which share of its border it has with each other."""
    from ..session import domain_sizes as sizes

    with opened(section) as session:
        table = table or only_table(session.document, column)
        found = _done(sizes.domain_sizes(session.document, table, column))
    frame, names = found.frame(), found.domains.names
    rows = [
        (said.domain, f"{said.rows:,}", f"{said.share:.1%}", f"{said.area_mm2:.3g}", *(_percent(s) for s in shares))
        for said, shares in zip(frame.itertuples(), found.shares, strict=True)
    ]
    heads = ("rows", "share", "mm²", *names)
    print_table(("domain", *heads), rows, numbers=heads)
    _write(frame.assign(**{f"border_with_{n}": found.shares[:, k] for k, n in enumerate(names)}), csv)


def domain_agreement(
    section: Section,
    /,
    *,
    with_: Annotated[str, Parameter(name="--with", help="Another column, or regions/ANNOTATIONS.")],
    table: Table = "",
    column: Column = "domain",
    csv: Csv = None,
) -> None:
    """Show how far the domains agree with another labelling of the same rows: ARI, NMI, CHAOS, PAS and who is where."""
    from ..session.domain_agreement import agreement

    with opened(section) as session:
        table = table or only_table(session.document, column)
        found = _done(agreement(session.document, table, column, with_))
    for figure in found.figures():
        print(f"{figure.name:6} {' : '.join(f'{v:.3f}' for v in figure.values)}  {figure.means}")
    frame = found.frame()
    rows = [
        (str(name), *(f"{n:,}" for n in counts)) for name, counts in zip(frame.index, frame.to_numpy(), strict=True)
    ]
    print_table((column, *frame.columns), rows, numbers=tuple(frame.columns))
    if found.found.left_out:
        print(f"{found.found.left_out:,} rows lack one of the two and count nowhere.")
    _write(frame.reset_index(), csv)


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


def _write(frame: pd.DataFrame, csv: Path | None) -> None:
    if csv is not None:
        try:
            frame.to_csv(csv, index=False)
        except OSError as error:
            raise BadInput(f"'{csv}' could not be written ({error.strerror or error}).", "Choose another.") from error
        print(f"{len(frame):,} rows are in '{csv}'.")


def only_table(document: Any, column: str) -> str:
    """Return the one table that has such a column."""
    found = [t for t in document.names("tables") if column in document.table(t).obs]
    if len(found) != 1:
        listed = ", ".join(f"'{n}'" for n in found) or "none"
        said = "Choose one with --table." if found else "Run a method first, or choose another --column."
        raise BadInput(f"The section has {len(found)} tables with '{column}': {listed}.", said)
    return str(found[0])
