"""The commands around a deconvolution: the check of its reference, what domains hold, who lies together, a sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from ..errors import BadInput
from .terminal import Progress, print_table

__all__ = ["co_location", "composition", "merged_pairs", "opened", "proportions", "tell_reference", "write_csv"]

SUGGESTED = "suggested"
"""What ``--merge`` says for all merges that the check of the reference suggests."""
Section = Annotated[Path, Parameter(help="The saved section, a SpatialData store.")]
Table = Annotated[str, Parameter(help="The table of spots; found by itself where only one has such proportions.")]
Output = Annotated[str, Parameter(help="The name of the proportions.")]
Csv = Annotated[Path | None, Parameter(help="Write the figures here as a table.")]


def merged_pairs(words: Sequence[str], suggested: Sequence[tuple[str, str]] = ()) -> tuple[tuple[str, str], ...]:
    """Return (type, name that it is merged into) of words like "A=B"; "suggested" stands for all that are suggested.

    Raises
    ------
    BadInput
        When a word is neither.
    """
    pairs: list[tuple[str, str]] = []
    for word in words:
        name, mark, into = (part.strip() for part in word.partition("="))
        if word.strip() == SUGGESTED:
            pairs += suggested
        elif mark and name and into:
            pairs.append((name, into))
        else:
            raise BadInput(f"'{word}' says no merge.", 'Give --merge "TYPE=NAME", or --merge suggested.')
    return tuple(pairs)


def tell_reference(document: Any, given: Mapping[str, Any], words: Sequence[str], report: Progress) -> Any:
    """Check the reference of a run, print what was found, and return the merges that are asked for."""
    from ..session.references import check_reference

    named = (given["table"], given["reference"], given["column"])
    found = check_reference(document, *named, report=report) if SUGGESTED in words else None
    pairs = merged_pairs(words, () if found is None else found.suggested())
    found = found if found is not None and not pairs else check_reference(document, *named, pairs, report)
    report.clear()
    of = "signatures" if found.counts == "signatures" else f"{found.n_cells:,} cells with {found.counts} counts"
    print(f"Reference: {of}, {len(found.types)} types.")
    print("\n".join([*found.notes, *found.warnings]))
    for group in found.merges:
        said = " ".join(f'--merge "{name}={" or ".join(group)}"' for name in group)
        print(f"Too alike: {', '.join(group)}. To merge them: {said}.")
    return pairs


def composition(
    section: Section,
    /,
    *,
    by: Annotated[str, Parameter(help="A column of the table, or annotations drawn on the histology.")] = "domain",
    table: Table = "",
    output: Output = "proportions",
    each: Annotated[bool, Parameter(negative=(), help="Each region on its own, not all of a class.")] = False,
    keep: Annotated[bool, Parameter(negative=(), help="Keep it as a table of the section.")] = False,
    csv: Csv = None,
) -> None:
    """Show what the spots of each domain, or of each class of regions, hold on average, with 90 % intervals."""
    from ..session import correct
    from ..session.composition import composition_by, composition_table

    with opened(section) as session:
        table = table or _only_table(session.document, output)
        found = composition_by(session.document, table, by, output, each=each)
        if keep:
            session.execute(correct(session.document, "keep-composition", table=table, by=by, output=output, each=each))
            session.save()
    groups = [f"{name} ({n:,})" for name, n in zip(found.groups, found.sizes, strict=True)]
    rows = [
        (name, f"{found.section[i]:.1%}", *(_interval(found, k, i) for k in range(len(groups))))
        for i, name in enumerate(found.types)
    ]
    print_table(("cell type", "section", *groups), rows, numbers=("section", *groups))
    if csv is not None:
        made = composition_table(found)
        parts = {"mean": made.X, **made.layers}
        records = [
            (group, name, *(float(part[k, i]) for part in parts.values()))
            for k, group in enumerate(found.groups)
            for i, name in enumerate(found.types)
        ]
        write_csv(csv, ("group", "cell type", *parts), records)


def co_location(
    section: Section,
    /,
    *,
    table: Table = "",
    output: Output = "proportions",
    distance_um: Annotated[float, Parameter(help="Neighbours lie within it, in µm; 0 for the spot alone.")] = 0.0,
    block_um: Annotated[float, Parameter(help="Side of the permuted blocks in µm; 0 chooses one.")] = 0.0,
    n_permutations: Annotated[
        int, Parameter(help="How many permutations; 0 takes as many as about a second allows.")
    ] = 0,
    seed: Annotated[int, Parameter(help="Of the permutations.")] = 0,
    keep: Annotated[bool, Parameter(negative=(), help="Keep it with the section.")] = False,
    csv: Csv = None,
) -> None:
    """Show which cell types lie together, with block-permutation p-values."""
    from ..session import correct
    from ..session.composition import co_location as co_location_of
    from ..session.composition import held_co_location

    progress = Progress()
    settings = {"distance_um": distance_um, "block_um": block_um, "n_permutations": n_permutations, "seed": seed}
    with opened(section) as session:
        named = {"table": table or _only_table(session.document, output), "output": output, **settings}
        try:
            if keep:
                session.execute(correct(session.document, "keep-co-location", report=progress, **named))
                session.save()
                found: Any = held_co_location(session.document, named["table"], output)
            else:
                found = co_location_of(session.document, report=progress, **named)
        finally:
            progress.clear()
    upper = zip(*np.triu_indices(len(found.types), 1), strict=True)
    parts = (found.values, found.p, found.q)
    pairs = [(found.types[i], found.types[j], *(float(part[i, j]) for part in parts)) for i, j in upper]
    pairs.sort(key=lambda row: (np.nan_to_num(row[4], nan=2.0), -abs(np.nan_to_num(row[2]))))
    shown = [(a, b, f"{value:+.3f}", f"{p:.3g}", f"{q:.3g}") for a, b, value, p, q in pairs]
    print_table(("", "", "co-location", "p", "q"), shown, numbers=("co-location", "p", "q"))
    print(f"{found.n_blocks} blocks of {found.block_um:.0f} µm, {found.n_permutations} permutations.")
    if csv is not None:
        write_csv(csv, ("first", "second", "co_location", "p", "q"), pairs)


def proportions(
    section: Section,
    /,
    *,
    out: Annotated[Path, Parameter(help="The file, NAME.csv.")],
    table: Table = "",
    output: Output = "proportions",
) -> None:
    """Write the proportions of each spot with their intervals, and what the hand has laid down, as CSV."""
    from ..session.proportions_sheet import proportions_sheet

    if out.suffix != ".csv":
        raise BadInput(f"'{out.name}' is no name for a table.", "End it with .csv.")
    with opened(section) as session:
        sheet = proportions_sheet(session.document, table or _only_table(session.document, output), output)
    sheet.to_csv(out)
    print(f"{len(sheet):,} spots written to '{out}'.")


def _interval(found: Any, group: int, number: int) -> str:
    low, high = found.mean_lower[group, number], found.mean_upper[group, number]
    ends = f" ({100 * low:.1f} to {100 * high:.1f})" if np.isfinite(low) else ""
    return f"{found.mean[group, number]:.1%}{ends}"


def write_csv(path: Path, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write a table as CSV, and say so."""
    import csv

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(heads)
        writer.writerows(rows)
    print(f"Written to '{path}'.")


@contextmanager
def opened(section: Path) -> Iterator[Any]:
    """Open a section, and close it afterwards."""
    from ..session import Session

    session = Session.open_store(section)
    try:
        yield session
    finally:
        session.close()


def _only_table(document: Any, output: str) -> str:
    """Return the one table that has such proportions."""
    found = [t for t in document.names("tables") if output in document.table(t).obsm]
    if len(found) != 1:
        listed = ", ".join(f"'{n}'" for n in found) or "none"
        raise BadInput(f"The section has {len(found)} tables with '{output}': {listed}.", "Choose one with --table.")
    return str(found[0])
