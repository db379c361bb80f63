"""The recipe: what was done to a section, and doing it again to prove it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..core.report import Report, part, silent
from ..errors import BadInput, DocumentError
from ..methods import method
from .corrections import correct
from .document import Document
from .domain_refit import REFIT as REFIT_DOMAINS
from .domain_refit import refit_domains_now
from .durable import write_whole
from .refitting import REFIT, refit_now
from .run import outputs, run
from .saving import HOME, interrupted
from .selection import selection_from
from .session import Session

__all__ = ["Step", "read_recipe", "recipe", "replay", "scratch", "write_recipe"]


@dataclass(frozen=True)
class Step:
    """One replayed step: whether its outputs have the recorded bits, which have not, and why if that is known."""

    label: str
    identical: bool
    different: tuple[str, ...] = ()
    note: str = ""


def recipe(session: Session) -> dict[str, Any]:
    """Return everything that is done in the history, as plain values."""
    steps = []
    for entry in session.history[: session.position]:
        record = dict(entry.record)
        record.setdefault("outputs", outputs(entry.command.changes))
        steps.append({"label": entry.label, "when": entry.when, "who": entry.who, **record})
    sources = session.document.attribute("sources", [])
    return {"recipe": 1, "program": f"napari-spatialml {__version__}", "sources": sources, "steps": steps}


def write_recipe(session: Session, path: Path | str) -> Path:
    """Write the recipe as JSON; the file is there whole or not at all."""
    target = Path(path)
    write_whole(target, json.dumps(recipe(session), indent=1, ensure_ascii=False).encode())
    return target


def read_recipe(path: Path | str) -> dict[str, Any]:
    """Read a recipe.

    Raises
    ------
    BadInput
        When the file is absent or no recipe.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"'{path}' cannot be read ({error.strerror}).", "Choose a recipe.json.") from error
    except ValueError as error:
        raise BadInput(f"'{path}' is not JSON.", "Choose a recipe.json that this program wrote.") from error
    if not isinstance(found, dict) or found.get("recipe") != 1 or not isinstance(found.get("steps"), list):
        raise BadInput(f"'{path}' is not a recipe.", "Choose a recipe.json that this program wrote.")
    for number, step in enumerate(found["steps"], start=1):
        if not isinstance(step, dict) or not isinstance(step.get("label"), str):
            raise BadInput(f"Step {number} of '{path}' is not a step.", "Choose a recipe.json that this program wrote.")
    return found


@contextmanager
def scratch(store: Path | str) -> Iterator[Session]:
    """Open a copy of a saved section's state in which nothing reaches its store; at the start of its history."""
    from ..io import open_files

    path = Path(store).resolve()
    journal = path / HOME / "journal.log"
    with tempfile.TemporaryDirectory(prefix="napari-spatialml-") as folder:
        home = Path(folder)
        if journal.exists():
            if interrupted(path):
                raise DocumentError(f"A save of '{path.name}' was interrupted.", "Open the section once, then replay.")
            shutil.copyfile(journal, home / "journal.log")
        session = Session(Document(open_files(path)), home)
        try:
            session.recover()
            session.jump(0)
            yield session
        finally:
            session.close()


def replay(found: dict[str, Any], session: Session, report: Report = silent) -> list[Step]:
    """Do the steps of a recipe on a session, through the same path as a click.

    Parameters
    ----------
    found
        What `read_recipe` returned.
    session
        At the state from which the recipe starts: see `scratch`.
    report
        Told the step that runs.

    Returns
    -------
    list of Step
        One a step, saying whether the bits are those recorded.

    Raises
    ------
    BadInput
        When the recipe holds a step that this version cannot do.
    """
    steps: list[Step] = []
    n = max(len(found["steps"]), 1)
    for number, record in enumerate(found["steps"]):
        report(number / n, record["label"])
        before = session.position
        _again(session, record, part(report, number / n, (number + 1) / n))
        now = outputs(session.history[session.position - 1].command.changes) if session.position > before else {}
        recorded = record.get("outputs", {})
        different = tuple(sorted(k for k in {*now, *recorded} if now.get(k) != recorded.get(k)))
        steps.append(Step(record["label"], not different, different, _other_reference(record, session, before)))
    report(1.0, "replayed")
    return steps


def _other_reference(record: dict[str, Any], session: Session, before: int) -> str:
    """Return a sentence if the reference of a run is not the file that it was."""
    known = record.get("reference_fingerprint")
    if known is None or session.position == before:
        return ""
    now = session.history[session.position - 1].record.get("reference_fingerprint")
    if now == known:
        return ""
    named = record.get("selection", {}).get("reference", "")
    return f"The reference '{named}' has changed since this was run."


def _again(session: Session, record: dict[str, Any], report: Report) -> None:
    try:
        if record.get("type") == "run":
            made = method(record["kind"], record["method"]).from_settings(record["settings"])
            selection = selection_from(record["kind"], record["selection"])
        elif record.get("type") == "correction":
            command = correct(session.document, record["name"], **record["arguments"])
    except (TypeError, KeyError, ValueError, RuntimeError) as error:  # RuntimeError: a broken packed array
        raise BadInput(
            f"The step '{record['label']}' of the recipe is not complete ({error}).", "Write the recipe again."
        ) from error
    if record.get("type") == "run":
        run(session, made, selection, report, resume=False)  # what is proved is done again
    elif record.get("type") == "correction":
        session.execute(command)
        _fit_again(session, record.get("then", {}), report)
    elif record.get("type") in (REFIT, REFIT_DOMAINS):
        _fit_again(session, record, report)
    else:
        raise BadInput(
            f"The step '{record.get('label', '?')}' was not made by a method or a correction of this program.",
            "It cannot be replayed.",
        )


def _fit_again(session: Session, record: dict[str, Any], report: Report) -> None:
    """Fit again what a record says was fitted again; nothing, if it says none of that."""
    if record.get("type") == REFIT:
        refit_now(session, record["table"], record["output"], report)
    elif record.get("type") == REFIT_DOMAINS:
        refit_domains_now(session, record["table"], record["column"], report)
