"""The whole way on one section: open, register, segment, domains, deconvolve, correct, undo, save, prove."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.report import Report, part, silent
from ..errors import BadInput, SpatialMLError
from .options import Options

if TYPE_CHECKING:
    from ..session import Session
    from .picture import Picture
    from .truth import Truth

STEPS = 25
"""About how many rows a walk has, for the progress."""

__all__ = ["Row", "Walk", "walk"]


@dataclass
class Row:
    """One line of the table: a step, what was done, what was measured, and the seconds it took."""

    step: str
    what: str
    measured: str = ""
    seconds: float = 0.0
    skipped: bool = False


@dataclass
class Walk:
    """A section on its way: the session, the table so far and the pictures.

    Parameters
    ----------
    options
        What it runs on.
    report
        Told the step that runs.
    within
        The part of ``report`` that belongs to the step that runs.
    """

    options: Options
    report: Report = silent
    within: Report = silent
    rows: list[Row] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    truth: Truth | None = None
    _session: Session | None = None

    @property
    def session(self) -> Session:
        """The session; there is one from the first step on."""
        if self._session is None:
            raise BadInput("No section is open.", "Open one first.")
        return self._session

    @session.setter
    def session(self, session: Session | None) -> None:
        self._session = session

    @property
    def store(self) -> Path:
        """Where the section is saved."""
        return self.options.out / "section.zarr"

    @property
    def proved(self) -> bool:
        """Whether undo, redo and reopening gave the same bits, and the replay too."""
        same = all(self.facts.get(key, True) for key in ("undo_is_start", "redo_is_end", "reopened_is_end"))
        return same and all(step.identical for step in self.facts.get("replay", ()))

    @contextmanager
    def step(self, name: str, what: str, *, needed: bool = False) -> Iterator[Row]:
        """Time a step and add its row; what the data cannot carry becomes a row that says why, unless needed."""
        row = Row(name, what)
        share = min(len(self.rows), STEPS - 1) / STEPS
        self.within = part(self.report, share, share + 1 / STEPS)
        self.within(0.0, f"{name}: {what}")
        start = time.perf_counter()
        try:
            yield row
        except SpatialMLError as error:
            if needed:
                raise
            row.measured, row.skipped = str(error), True
        row.seconds = time.perf_counter() - start
        self.rows.append(row)

    def skip(self, name: str, what: str, why: str) -> None:
        """Add a row for a step that this section cannot carry."""
        self.rows.append(Row(name, what, why, skipped=True))

    def show(self, picture: Picture) -> None:
        """Keep a picture for the report."""
        self.pictures.append(picture)


def walk(options: Options, report: Report = silent) -> Walk:
    """Walk a section through the whole way and leave store, recipe, report and screenshots.

    Parameters
    ----------
    options
        What it runs on, and where the results go.
    report
        Told the step that runs.

    Returns
    -------
    Walk
        The table in `Walk.rows`; everything else lies in the folder.

    Raises
    ------
    BadInput
        When the folder holds another section, or the files cannot be opened.
    """
    from . import correcting, opening, proving, registering, steps, window
    from . import report as pages

    start = time.perf_counter()
    done = Walk(options, report)
    _check_place(done.store)
    options.out.mkdir(parents=True, exist_ok=True)
    parts: tuple[Callable[[Walk], None], ...] = (
        opening.open_section,
        registering.register,
        steps.segment,
        steps.domains,
        steps.deconvolve,
        correcting.correct_by_hand,
        proving.undo_and_redo,
        proving.save_and_reopen,
        proving.replay_recipe,
    )
    try:
        for part in parts:
            part(done)
    finally:
        if done._session is not None:
            done.session.close()
    if options.screenshots:
        window.screenshots(done)
    done.facts["seconds"] = time.perf_counter() - start
    pages.write(done)
    report(1.0, "done")
    return done


def _check_place(store: Path) -> None:
    if store.exists():
        raise BadInput(f"'{store}' is there already.", "Choose another folder with --out, or move it away first.")
