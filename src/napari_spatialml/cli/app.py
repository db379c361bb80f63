"""The commands. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from .. import __version__
from ..demo.options import Options, StatedUnits
from ..errors import BadInput, Cancelled, SpatialMLError, UnitNeeded
from .comparing import compare
from .counting import count, judge
from .domain_tables import compare_domains, domain_agreement, domain_markers, domain_sizes
from .domains import refit_domains, suggest_domains, transfer_domains
from .exchange import export, import_
from .learning import learn
from .proportions import co_location, composition, proportions
from .registering import candidates, compare_registrations, transfer
from .terminal import Progress, print_table

__all__ = ["main"]

DEBUG = "NAPARI_SPATIALML_DEBUG"
KINDS = ("segmentation", "registration", "domains", "deconvolution", "embedding")
VERBS = ("Find cells or nuclei in an image.", "Bring one coordinate system onto another.",
         "Divide spots, pixels or cells into spatial domains.", "Estimate cell types in spots.",
         "Lay rows out in two dimensions by their expression.")  # fmt: skip
STOPPED = 130
READER_OPTION = "--reader"

UNSTATED = StatedUnits()
Units = Annotated[StatedUnits, Parameter(name="*")]
WALK = Options()
_LONGER = {"--spot-pitch": "--spot-pitch-um", "--pixel-size": "--pixel-size-um"}
"""What people write without the unit."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0, 1 (not identical), 2 (an error) or 130 (stopped)."""
    given = [_LONGER.get(word, word) for word in (sys.argv[1:] if arguments is None else arguments)]
    _quiet()
    try:
        given = _named_reader(given)
        result = _app(given)(given, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return _fail(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__, error)
    except UnitNeeded as error:
        return _fail(f"{error} Give --{error.parameter.replace('_', '-')} NUMBER.", error)
    except SpatialMLError as error:
        return _fail(str(error), error)
    except (KeyboardInterrupt, Cancelled) as error:
        Progress().clear()
        print(f"Stopped. {error}".strip(), file=sys.stderr)
        return STOPPED
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        hint = f"This is a fault of the program; set {DEBUG}=1 to see where."
        return _fail(f"{type(error).__name__}: {error}. {hint}", error)
    return result if isinstance(result, int) else 0


def _named_reader(given: list[str]) -> list[str]:
    """Take ``--reader NAME`` out of any command: who works, for this command and the window that it opens."""
    if READER_OPTION not in given:
        return given
    at = given.index(READER_OPTION)
    if at + 1 >= len(given):
        raise BadInput(f"{READER_OPTION} names nobody.", "Give a name after it.")
    from ..session.reader import READER, checked_reader

    os.environ[READER] = checked_reader(given[at + 1])
    return given[:at] + given[at + 2 :]


def _fail(sentence: str, error: BaseException) -> int:
    if os.environ.get(DEBUG):
        raise error
    Progress().clear()
    print(sentence, file=sys.stderr)
    return 2


def _quiet() -> None:
    """Keep the warnings of other libraries from a person who can do nothing about them."""
    if not os.environ.get(DEBUG):
        warnings.simplefilter("ignore")
        logging.getLogger("ome_zarr").setLevel(logging.ERROR)


def _app(given: Sequence[str]) -> App:
    app = App(
        name="napari-spatialml",
        help="Segment, register, find domains, deconvolve and correct a tissue section; undo, save and prove it. "
        "With --reader NAME any command says who works (else NAPARI_SPATIALML_READER, else your login name).",
        version=__version__,
        suppress_keyboard_interrupt=False,
    )
    named = (
        demo,
        open_,
        convert,
        import_,
        export,
        count,
        learn,
        compare,
        judge,
        candidates,
        compare_registrations,
        transfer,
        suggest_domains,
        domain_markers,
        compare_domains,
        domain_sizes,
        domain_agreement,
        transfer_domains,
        refit_domains,
        composition,
        co_location,
        proportions,
        methods,
        replay,
        recipe,
        history,
        review,
        doctor,
    )
    for command in named:
        app.command(command, name=command.__name__.rstrip("_").replace("_", "-"))
    for kind, verb in zip(KINDS, VERBS, strict=True):
        sub = App(name=kind, help=verb)
        app.command(sub)
        if given and given[0] == kind:
            from .runs import add_methods

            add_methods(sub, kind)
    stack = App(name="align-stack", help="Register the sections of a stack with their neighbours, without drift.")
    app.command(stack)
    if given and given[0] == "align-stack":
        from .runs import add_methods

        add_methods(stack, "registration", "stack")
    return app


def demo(
    options: Annotated[Options, Parameter(name="*")] = WALK,
    *,
    headless: Annotated[bool, Parameter(negative=(), help="Without a window: measure, and leave a report.")] = False,
) -> int:
    """Walk a section through the whole way: in the window, or headless with a table and a report."""
    from ..demo.window import has_display

    if headless:
        return _walk(options)
    if not has_display():
        raise BadInput("There is no display for a window.", "Run: napari-spatialml demo --headless --out DIR.")
    if options.section is None:
        return _window(["tour"])
    return _window(["open", str(_one_section(options.section, options.name)), *_words(options)])


def _one_section(path: Path, name: str | None) -> Path:
    """Return the path that stands for the named section of a folder; any of its files does."""
    if name is None:
        return path
    from ..io.section import section_named

    return section_named(path, name).counts


def _walk(options: Options) -> int:
    from ..demo import walk

    options = _in_a_free_folder(options)
    progress = Progress()
    try:
        done = walk(options, progress)
    finally:
        progress.clear()
    seconds = ("" if row.skipped and row.seconds < 0.05 else f"{row.seconds:.1f}" for row in done.rows)
    print_table(
        ("step", "what", "measured", "seconds"),
        [(row.step, row.what, row.measured, s) for row, s in zip(done.rows, seconds, strict=True)],
        numbers=("seconds",),
    )
    left = ", ".join(str(options.out / name) for name in ("report.html", "section.zarr", "recipe.json"))
    print(f"{done.facts['seconds']:.0f} s in all. See {left}.")
    if not done.proved:
        print("Not everything came out the same again: see the rows that say NOT.", file=sys.stderr)
    return 0 if done.proved else 1


def _in_a_free_folder(options: Options) -> Options:
    """Leave what an earlier demonstration made, and what was done to it since, as it is."""
    out, number = options.out, 1
    while (out / "section.zarr").exists():
        number += 1
        out = options.out.with_name(f"{options.out.name}-{number}")
    if number > 1:
        print(f"'{options.out}' holds a section already, so this goes to '{out}'.", file=sys.stderr)
    return replace(options, out=out)


def open_(
    paths: Annotated[tuple[Path, ...], Parameter(help="Files or folders that make one section.")],
    /,
    *,
    units: Units = UNSTATED,
) -> int:
    """Open files or folders as one section, in a napari window."""
    return _window(["open", *(str(p) for p in paths), *_words(units)])


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


def methods(
    kind: Annotated[str, Parameter(help="segmentation, registration, domains or deconvolution; all if left out.")] = "",
    /,
    *,
    markdown: Annotated[bool, Parameter(negative=(), help="Print the page of the docs.")] = False,
) -> None:
    """List the methods."""
    from . import pages

    if markdown:
        print(pages.markdown(), end="")
        return
    print_table(("kind", "method", "what it does"), pages.overview(kind))
    print("How to run one: napari-spatialml KIND METHOD --help")


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


def doctor() -> int:
    """Say what is installed and what works here, and what to do about what does not."""
    from ..doctor import diagnose, render

    findings = diagnose()
    print(render(findings))
    return 1 if any(f.status == "problem" for f in findings) else 0


def _words(units: StatedUnits) -> list[str]:
    """Return stated units as the window's command line takes them."""
    stated = units.stated().items()
    return [w for name, value in stated if value is not None for w in (f"--{name.replace('_', '-')}", str(value))]


def _window(arguments: list[str]) -> int:
    """Start the window in a process of its own: the command line knows no Qt."""
    return subprocess.run([sys.executable, "-m", "napari_spatialml.widgets", *arguments], check=False).returncode
