"""The commands around a registration: its candidates, its report, and what is carried through it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ..errors import BadInput
from .comparing import Names
from .terminal import Progress, print_table, write_found

__all__ = ["candidates", "compare_registrations", "transfer"]

Section = Annotated[Path, Parameter(help="The saved section, a SpatialData store.")]
Moving = Annotated[
    str, Parameter(help="The coordinate system that was registered; found by itself where only one was.")
]


def candidates(
    section: Section,
    /,
    *,
    moving: Moving = "",
    choose: Annotated[int | None, Parameter(help="Lay the section as this candidate says; 0 is the best one.")] = None,
) -> None:
    """List the ways in which a registration may lie, by score, and choose another one by its number."""
    with _session(section) as session:
        moving = moving or _only(session.document)
        if choose is not None:
            _do(session, "choose-candidate", moving=moving, number=choose)
            session.save()
        rows = _candidate_rows(session.document, moving)
    print_table(("", "number", "score", "turned by", "scaled by", "mirrored"), rows, numbers=("number", "score"))


def compare_registrations(
    section: Section,
    /,
    *kept: Annotated[str, Parameter(help="Kept registrations of the same pair, to be set beside the present one.")],
    moving: Moving = "",
    fixed_image: Annotated[str, Parameter(help="The fixed image; that of the registration if left out.")] = "",
    moving_image: Annotated[str, Parameter(help="The moving image; that of the registration if left out.")] = "",
    keep_as: Annotated[str, Parameter(help="Keep the present registration by this name, to compare later.")] = "",
    json: Annotated[Path | None, Parameter(help="Write the report here as JSON, with the map of differences.")] = None,
    csv: Annotated[Path | None, Parameter(help="Write the figures here as a table.")] = None,
) -> None:
    """Report how well a section is registered, before and after, and where several registrations of it differ."""
    from ..session.alignment_report import report_of_alignments

    progress = Progress()
    with _session(section) as session:
        moving = moving or _only(session.document)
        try:
            images = {"fixed_image": fixed_image, "moving_image": moving_image}
            found = report_of_alignments(session.document, moving, kept, **images)(progress)
        finally:
            progress.clear()
        if keep_as:
            _do(session, "keep-alignment", moving=moving, name=keep_as)
            session.save()
    names = tuple(c.name for c in found.columns)
    print_table(("", *names), found.rows(), numbers=names)
    print("\n".join(found.sentences()), end="\n" if found.sentences() else "")
    write_found(found, json, csv)


def transfer(
    section: Section,
    /,
    *,
    source: Annotated[str, Parameter(help="The table that gives.")],
    target: Annotated[str, Parameter(help="The table that receives, of the other section.")],
    moving: Moving = "",
    column: Annotated[Names, Parameter(help="Columns of obs to carry: labels with probabilities, or means.")] = (),
    features: Annotated[str, Parameter(help="Or the features to carry into a layer: X, or layers/<name>.")] = "",
    output: Annotated[str, Parameter(help="What it is called in the target; as in the source if left out.")] = "",
    neighbours: Annotated[int, Parameter(help="From how many nearest rows at most a row receives.")] = 6,
    radius_um: Annotated[float | None, Parameter(help="How far away they may lie, in µm.")] = None,
) -> None:
    """Carry labels, numbers or genes of one section's table to the other's, through their registration."""
    if bool(column) == bool(features) or (len(column) > 1 and output):
        raise BadInput("It is not said what is to be carried.", "Give --column, or --features; with one --output.")
    progress = Progress()
    with _session(section) as session:
        shared = {"moving": moving or _only(session.document), "source": source, "target": target,
                  "neighbours": neighbours, "radius_um": radius_um, "report": progress}  # fmt: skip
        said = {"output": output} if output else {}
        try:
            if features:
                _do(session, "transfer-layer", features=features, **shared, **said)
            for name in column:
                _do(session, "transfer-column", column=name, **shared, **said)
        finally:
            progress.clear()
        session.save()
        labels = [entry.label for entry in session.history[: session.position][-max(len(column), 1) :]]
    for label in labels:
        print(f"{label[0].upper()}{label[1:]}.")


@contextmanager
def _session(section: Path) -> Iterator[Any]:
    from ..session import Session

    session = Session.open_store(section)
    try:
        yield session
    finally:
        session.close()


def _do(session: Any, name: str, /, **given: Any) -> None:
    from ..session import correct

    session.execute(correct(session.document, name, **given))


def _only(document: Any) -> str:
    """Return the one registered coordinate system."""
    found = sorted(document.attribute("alignments", {}))
    if len(found) != 1:
        listed = ", ".join(f"'{n}'" for n in found) or "none"
        raise BadInput(f"The section has {len(found)} registrations: {listed}.", "Choose one with --moving.")
    return str(found[0])


def _candidate_rows(document: Any, moving: str) -> list[tuple[str, ...]]:
    from ..session.alignments import alignment_of, candidate_affines

    chosen, rows = alignment_of(document, moving).get("chosen", 0), []
    for number, (affine, score) in enumerate(candidate_affines(document, moving)):
        large, small = affine.scale_factors
        rows.append(("→" if number == chosen else "", str(number), f"{score:.3g}", f"{affine.rotation_degrees:.1f}°",
                     f"{(large * small) ** 0.5:.3f}", "yes" if affine.reflects else "no"))  # fmt: skip
    return rows
