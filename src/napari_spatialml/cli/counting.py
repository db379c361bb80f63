"""The commands that count transcripts by cell, and that judge segmentations by what lies in their cells."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from .comparing import Names
from .terminal import Progress, print_table, write_found

__all__ = ["count", "judge"]

Section = Annotated[Path, Parameter(help="A saved section.")]
Quality = Annotated[float | None, Parameter(help="The lowest quality value (Phred) of a transcript that counts.")]
Controls = Annotated[bool, Parameter(help="Count negative controls and blanks like genes.")]
_MOST = 5


def count(
    section: Section,
    /,
    *,
    labels: Annotated[str, Parameter(help="The cells.")],
    points: Annotated[str, Parameter(help="The transcripts; the first ones with genes if left out.")] = "",
    quality: Quality = None,
    controls: Controls = False,
    nuclei: Annotated[str, Parameter(help="Labels of nuclei: which share of the transcripts lies in them.")] = "",
    image: Annotated[str, Parameter(help="An image whose channels are summed over each cell.")] = "",
) -> None:
    """Count the transcripts of every cell, of slides of any size, and save the table with the section."""
    from ..session import Session, correct
    from ..session.cells import table_name
    from ..session.counted_cells import unassigned_by_gene

    session, progress = Session.open_store(section), Progress()
    given = {"labels": labels, "points": points, "quality": quality, "controls": controls, "nuclei": nuclei,
             "image": image}  # fmt: skip
    try:
        command = correct(session.document, "count-transcripts", report=progress, **given)
        session.execute(command)
        session.save()
        progress.clear()
        table = session.document.table(table_name(labels))
        print(f"{command.label[0].upper()}{command.label[1:]}.")
        print(f"{table.n_obs:,} cells x {table.n_vars:,} genes in '{table_name(labels)}'.")
        loose = unassigned_by_gene(table).head(_MOST)
        rows = [(g, f"{n:,}", f"{n / max(int(table.var['transcripts'][g]), 1):.0%}") for g, n in loose.items()]
        print_table(("most in no cell", "transcripts", "of the gene"), rows, numbers=("transcripts", "of the gene"))
    finally:
        progress.clear()
        session.close()


def judge(
    section: Section,
    /,
    *,
    labels: Annotated[Names, Parameter(help="Labels of cells: one, or several to be set side by side.")],
    points: Annotated[str, Parameter(help="The transcripts; those that the cells count if left out.")] = "",
    nuclei: Annotated[str, Parameter(help="Labels of nuclei; those that are called so if left out.")] = "",
    quality: Quality = None,
    controls: Controls = False,
    pairs: Annotated[
        Path | None, Parameter(help="CSV file: two genes a line that no cell expresses together; else learned.")
    ] = None,
    json: Annotated[Path | None, Parameter(help="Write all of it here as JSON.")] = None,
    csv: Annotated[Path | None, Parameter(help="Write the figures here as a table.")] = None,
) -> None:
    """Judge segmentations without a truth: capture against purity, nuclei, sizes and shapes, side by side."""
    from ..session.judging import judge as prepare
    from ..session.judging import read_pairs
    from ..session.other_section import open_other
    from ..session.transcript_source import Choice

    document, progress = open_other(section).document, Progress()
    known = read_pairs(pairs) if pairs is not None else ()
    choice = Choice(quality, controls)
    try:
        found = prepare(document, labels, points=points, nuclei=nuclei, choice=choice, pairs=known)(progress)
    finally:
        progress.clear()
    _show(found)
    write_found(found, json, csv)


def _share(value: float) -> str:
    return f"{100 * value:.1f} %" if isfinite(value) else "?"


def _show(found: Any) -> None:
    rows = [(f.name, *(f.shown(k) for k in range(len(found.names))), f.meaning) for f in found.figures]
    print_table(("", *found.names, ""), rows, numbers=found.names)
    print("Cells shrunk (below 0) or grown, in µm: the share of transcripts in cells, and purity.")
    heads = tuple(f"{n} {what}" for n in found.names for what in ("holds", "purity"))
    curve = [
        (f"{points[0].grown_um:+g}", *(_share(v) for p in points for v in (p.assigned, p.purity)))
        for points in zip(*found.curves, strict=True)
    ]
    print_table(("µm", *heads), curve, numbers=("µm", *heads))
    for words in found.words:
        print(words)
