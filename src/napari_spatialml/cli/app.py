"""The commands. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from .. import __version__
from ..errors import BadInput, Cancelled, SpatialMLError, UnitNeeded
from .terminal import Progress, print_table

__all__ = ["main"]

DEBUG = "NAPARI_SPATIALML_DEBUG"
KINDS = ("segmentation", "registration", "domains", "deconvolution")
VERBS = ("Find cells or nuclei in an image.", "Bring one coordinate system onto another.",
         "Divide spots, pixels or cells into spatial domains.", "Estimate cell types in spots.")  # fmt: skip
STOPPED = 130

PixelSize = Annotated[float | None, Parameter(help="Size of one image pixel in µm, for files that do not say.")]
SpotPitch = Annotated[float | None, Parameter(help="Distance between neighbouring spots in µm, for files that do not say.")]
UmPerUnit = Annotated[float | None, Parameter(help="µm in one unit of the coordinates, for files that do not say.")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0, 1 (not identical), 2 (an error) or 130 (stopped)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _quiet()
    try:
        result = _app(given)(given, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return _fail(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__, error)
    except UnitNeeded as error:
        return _fail(f"{error} Give --{error.parameter.replace('_', '-')} NUMBER.", error)
    except SpatialMLError as error:
        return _fail(str(error), error)
    except (KeyboardInterrupt, Cancelled):
        Progress().clear()
        print("Stopped.", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        hint = f"This is a fault of the program; set {DEBUG}=1 to see where."
        return _fail(f"{type(error).__name__}: {error}. {hint}", error)
    return result if isinstance(result, int) else 0


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
        help="Segment, register, find domains, deconvolve and correct a tissue section; undo, save and prove it.",
        version=__version__,
    )
    for command in (demo, open_, convert, methods, replay, recipe, history, doctor):
        app.command(command, name=command.__name__.rstrip("_"))
    for kind, verb in zip(KINDS, VERBS, strict=True):
        sub = App(name=kind, help=verb)
        app.command(sub)
        if given and given[0] == kind:
            from .runs import add_methods

            add_methods(sub, kind)
    return app


def demo(
    *,
    headless: Annotated[bool, Parameter(negative=(), help="Without a window: measure, and leave a report.")] = False,
    out: Annotated[Path, Parameter(help="Folder for section.zarr, recipe.json, report.html and screenshots.")] = Path("demo-out"),
    section: Annotated[Path | None, Parameter(help="Your own file or folder; the embedded sample if left out.")] = None,
    name: Annotated[str | None, Parameter(help="The section, where the folder holds several.")] = None,
    second: Annotated[Path | None, Parameter(help="A second section or image, to be registered onto the first.")] = None,
    second_name: Annotated[str | None, Parameter(help="Its name, where the folder holds several.")] = None,
    landmarks: Annotated[
        Path | None, Parameter(help="CSV of landmarks: fixed_y_um, fixed_x_um, moving_y_um, moving_x_um.")
    ] = None,
    reference: Annotated[Path | None, Parameter(help="Single-cell reference (h5ad), for deconvolution.")] = None,
    reference_column: Annotated[str, Parameter(help="Its column of cell types; found by its name if left out.")] = "",
    spot_pitch_um: SpotPitch = None,
    pixel_size_um: PixelSize = None,
    um_per_unit: UmPerUnit = None,
    n_domains: Annotated[int, Parameter(help="Number of domains to look for.")] = 5,
    region: Annotated[
        tuple[int, int, int, int] | None, Parameter(help="Pixels to segment: y0 y1 x0 x1; the middle of a large image if left out.")
    ] = None,
    screenshots: Annotated[bool, Parameter(help="Take pictures of the window, where there is a screen.")] = True,
) -> int:
    """Walk a section through the whole way: in the window, or headless with a table and a report."""
    from ..demo.window import has_display

    if not headless:
        if not has_display():
            raise BadInput("There is no display for a window.", "Run: napari-spatialml demo --headless --out DIR.")
        units = _units(pixel_size_um, spot_pitch_um, um_per_unit)
        return _window(["tour"] if section is None else ["open", str(section), *units])
    from ..demo import Options, walk

    progress = Progress()
    options = Options(
        out=out, section=section, name=name, second=second, second_name=second_name, landmarks=landmarks,
        reference=reference, reference_column=reference_column, pixel_size_um=pixel_size_um,
        spot_pitch_um=spot_pitch_um, um_per_unit=um_per_unit, n_domains=n_domains, region=region, screenshots=screenshots,
    )  # fmt: skip
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
    print(f"{done.facts['seconds']:.0f} s in all. See {out / 'report.html'}, {out / 'section.zarr'}, {out / 'recipe.json'}.")
    return 0 if done.proved else 1


def open_(
    paths: Annotated[tuple[Path, ...], Parameter(help="Files or folders that make one section.")],
    /,
    *,
    pixel_size_um: PixelSize = None,
    spot_pitch_um: SpotPitch = None,
    um_per_unit: UmPerUnit = None,
) -> int:
    """Open files or folders as one section, in a napari window."""
    units = _units(pixel_size_um, spot_pitch_um, um_per_unit)
    return _window(["open", *(str(p) for p in paths), *units])


def convert(
    paths: Annotated[tuple[Path, ...], Parameter(help="Files or folders that make one section.")],
    /,
    *,
    out: Annotated[Path, Parameter(help="The new store, NAME.zarr.")],
    name: Annotated[str | None, Parameter(help="The section, where a folder holds several.")] = None,
    pixel_size_um: PixelSize = None,
    spot_pitch_um: SpotPitch = None,
    um_per_unit: UmPerUnit = None,
) -> None:
    """Open files or folders and save them as one section, a SpatialData store in µm."""
    from ..io import open_files
    from ..session import Session

    if out.exists():
        raise BadInput(f"'{out}' is there already.", "Choose another name, or move it away first.")
    progress = Progress()
    try:
        found = open_files(
            *paths, name=name, pixel_size_um=pixel_size_um, spot_pitch_um=spot_pitch_um, um_per_unit=um_per_unit,
            report=progress,
        )  # fmt: skip
        session = Session.start(found)
        try:
            session.save(out)
        finally:
            session.close()
    finally:
        progress.clear()
    for note in session.document.attribute("notes", []):
        print(note)
    print(f"Saved in '{out}': {', '.join(n for t in ('images', 'labels', 'shapes', 'points', 'tables') for n in session.document.names(t))}.")


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
    print(f"{same} of {len(steps)} steps are bit-identical.")
    return 0 if same == len(steps) else 1


def _find_references(found: dict[str, Any], recipe: Path) -> None:
    """Look for a reference beside the recipe, where the folder has moved since."""
    for step in found["steps"]:
        named = step.get("selection", {}).get("reference")
        beside = recipe.parent / Path(named).name if named else None
        if beside is not None and not Path(named).exists() and beside.exists():
            step["selection"]["reference"] = str(beside.resolve())


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


def doctor() -> int:
    """Say what is installed and what works here, and what to do about what does not."""
    from ..doctor import diagnose, render

    findings = diagnose()
    print(render(findings))
    return 1 if any(f.status == "problem" for f in findings) else 0


def _units(pixel_size_um: float | None, spot_pitch_um: float | None, um_per_unit: float | None) -> list[str]:
    stated = {"--pixel-size-um": pixel_size_um, "--spot-pitch-um": spot_pitch_um, "--um-per-unit": um_per_unit}
    return [word for key, value in stated.items() if value is not None for word in (key, str(value))]


def _window(arguments: list[str]) -> int:
    """Start the window in a process of its own: the command line knows no Qt."""
    return subprocess.run([sys.executable, "-m", "napari_spatialml.widgets", *arguments], check=False).returncode
