"""The commands on saved sections as a whole: make one, and tell, write down and do again what was done to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ..errors import BadInput
from .terminal import Progress, print_table
from .units import UNSTATED, Units

__all__ = ["convert", "history", "recipe", "replay", "review"]


def convert(
    paths: Annotated[tuple[Path, ...], Parameter(help="Files or folders that make one section.")],
    /,
    *,
    out: Annotated[Path, Parameter(help="The new store, NAME.zarr.")],
    name: Annotated[str | None, Parameter(help="The section, where a folder holds several.")] = None,
    units: Units = UNSTATED,
) -> None:
    """Open files or folders and save them as one section, a SpatialData store in µm."""
    from ..io import open_files
    from ..session import Session

    if out.exists():
        raise BadInput(f"'{out}' is there already.", "Choose another name, or move it away first.")
    progress = Progress()
    try:
        session = Session.start(open_files(*paths, name=name, **units.stated(), report=progress))
        try:
            session.save(out)
        finally:
            session.close()
    finally:
        progress.clear()
    held = [n for t in ("images", "labels", "shapes", "points", "tables") for n in session.document.names(t)]
    print("\n".join([*session.document.attribute("notes", []), f"Saved in '{out}': {', '.join(held)}."]))


def replay(
    recipe: Annotated[Path, Parameter(help="recipe.json, as this program wrote it.")],
    section: Annotated[Path, Parameter(help="The saved section that it belongs to.")],
    /,
    *,
    out: Annotated[Path | None, Parameter(help="Save what was replayed as a new store.")] = None,
) -> int:
    """Do every step of a recipe again from the section's start, and compare every bit with what was recorded."""
    from ..session import read_recipe, scratch
    from ..session import replay as do_again

    found = read_recipe(recipe)
    _find_references(found, recipe)
    progress = Progress()
    try:
        with scratch(section) as session:
            steps = do_again(found, session, progress)
            if out is not None:
                session.save(out)
    finally:
        progress.clear()
    rows = [(i, s.label, "yes" if s.identical else f"no: {', '.join(s.different)}") for i, s in enumerate(steps, 1)]
    print_table(("", "step", "identical"), rows)
    same = sum(s.identical for s in steps)
    for note in dict.fromkeys(s.note for s in steps if s.note):
        print(note)
    print(f"{same} of {len(steps)} steps are bit-identical.")
    return 0 if same == len(steps) else 1


def _find_references(found: dict[str, Any], recipe: Path) -> None:
    """Look for a reference beside the recipe, where the folder has moved since."""
    for step in found["steps"]:
        named, mark, inside = step.get("selection", {}).get("reference", "").partition("::")
        beside = recipe.parent / Path(named).name if named else None
        if beside is not None and not Path(named).exists() and beside.exists():
            step["selection"]["reference"] = f"{beside.resolve()}{mark}{inside}"


def recipe(
    section: Annotated[Path, Parameter(help="A saved section.")],
    /,
    *,
    out: Annotated[Path, Parameter(help="Where the recipe goes.")] = Path("recipe.json"),
) -> None:
    """Write the recipe of a section: every run and correction, with parameters, versions and fingerprints."""
    from ..session import Session, write_recipe

    session = Session.open_store(section)
    try:
        write_recipe(session, out)
        print(f"{session.position} steps in '{out}'.")
    finally:
        session.close()


def history(section: Annotated[Path, Parameter(help="A saved section.")], /) -> None:
    """List every step that was done to a section, by whom and when."""
    from ..session import Session

    session = Session.open_store(section)
    try:
        steps = [
            (i, e.label, e.who, e.when.replace("T", " ")[:16], "" if i <= session.position else "undone")
            for i, e in enumerate(session.history, 1)
        ]
    finally:
        session.close()
    if steps:
        print_table(("", "step", "who", "when (UTC)", ""), steps)
    else:
        print("Nothing has been done to this section yet.")


def review(
    section: Annotated[Path, Parameter(help="A saved section.")],
    /,
    *,
    labels: Annotated[str, Parameter(help="The cells.")],
    csv: Annotated[Path, Parameter(help="The table: cell, score, reason, state, who, when.")] = Path("review.csv"),
    image: Annotated[str, Parameter(help="The image by which they are judged; the segmented one if left out.")] = "",
    network: Annotated[str, Parameter(help="A segmentation method that says how sure it is, such as starter.")] = "",
) -> None:
    """Rank the cells by how likely they are wrong, save the queue with the section, and write it as a table."""
    from ..session import Session
    from ..session.decisions import write_csv
    from ..session.evidence import sources_of
    from ..session.review import Review

    session, progress = Session.open_store(section), Progress()
    try:
        session.document.grid(labels)  # says which labels there are, if not these
        found = Review(session, labels)
        sources = sources_of(session.document, labels)
        job, store = found.ranking_job(replace(sources, image=image or sources.image, network=network))
        line = store(job(progress))
        n = write_csv(found, csv)
        session.save()
    finally:
        progress.clear()
        session.close()
    print(f"{line}\n{n:,} cells in '{csv}'.")
