"""The commands. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from .. import __version__
from ..errors import BadInput, Cancelled, SpatialMLError, UnitNeeded
from .comparing import compare
from .counting import count, judge
from .domain_tables import compare_domains, domain_agreement, domain_markers, domain_sizes
from .domains import refit_domains, suggest_domains, transfer_domains
from .exchange import export, import_
from .learning import learn
from .proportions import co_location, composition, proportions
from .registering import candidates, compare_registrations, transfer
from .sections import convert, history, recipe, replay, review
from .terminal import Progress, print_table
from .windows import demo, open_

__all__ = ["main"]

DEBUG = "NAPARI_SPATIALML_DEBUG"
KINDS = ("segmentation", "registration", "domains", "deconvolution", "embedding")
VERBS = ("Find cells or nuclei in an image.", "Bring one coordinate system onto another.",
         "Divide spots, pixels or cells into spatial domains.", "Estimate cell types in spots.",
         "Lay rows out in two dimensions by their expression.")  # fmt: skip
STOPPED = 130
READER_OPTION = "--reader"

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


def doctor() -> int:
    """Say what is installed and what works here, and what to do about what does not."""
    from ..doctor import diagnose, render

    findings = diagnose()
    print(render(findings))
    return 1 if any(f.status == "problem" for f in findings) else 0
