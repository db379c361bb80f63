"""Learning from what was corrected: the windows that are done, the run beside the window, what is kept of it.

`prepare_learning` and `accept` belong to the main thread; the job between them may run anywhere. Nothing of
the document changes: what is learned goes into a file, once a person has accepted it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ..core.flow_models import LINEAGE, models_folder
from ..core.learning import AT, Learner, Lesson, Outcome, study
from ..core.method import Method
from ..core.report import Report, silent
from ..errors import BadInput
from .fingerprints import digest
from .lessons import about_windows, gathered
from .run import device, versions
from .session import Session

__all__ = ["Learning", "Learnt", "accept", "prepare_learning", "reject", "used"]


@dataclass(frozen=True)
class Learning:
    """A method with the windows it learns from. Call it, on any thread: it sees no document."""

    learner: Learner
    lessons: tuple[Lesson, ...]
    others: tuple[Lesson, ...]
    seed: int
    about: dict[str, Any]

    def __call__(self, report: Report = silent) -> Learnt:
        """Learn, and judge before and after."""
        folder = TemporaryDirectory(prefix="napari-spatialml-")
        start = time.perf_counter()
        try:
            file = Path(folder.name) / f"learned{self.learner.ending}"
            outcome = study(self.learner, self.lessons, self.others, file, self.seed, report)
        except BaseException:
            folder.cleanup()
            raise
        figures = {side: dict(zip(map(str, AT), np.round(values, 4).tolist(), strict=True))
                   for side, values in (("before", outcome.before), ("after", outcome.after))}  # fmt: skip
        took = {"seconds": round(time.perf_counter() - start, 1), "device": device(), "versions": versions()}
        return Learnt(outcome, {**self.about, "average_precision": figures, **took}, folder)


@dataclass(frozen=True, eq=False)
class Learnt:
    """What was learned, before a person accepts or rejects it. Its file lies in a folder of its own.

    Parameters
    ----------
    outcome
        The method that learned, and the figures.
    about
        The lineage.
    folder
        Deleted by `reject`, and when nothing refers to this any more.
    """

    outcome: Outcome
    about: dict[str, Any]
    folder: TemporaryDirectory[str] = field(repr=False)

    @property
    def line(self) -> str:
        """What came out, in one line."""
        n = len(self.outcome.judged)
        cells = sum(len(np.unique(j.lesson.labels)) - 1 for j in self.outcome.judged)
        before, after = self.outcome.before[0], self.outcome.after[0]
        where = f"{n} held-out {'window' if n == 1 else 'windows'} with {cells:,} cells"
        return f"On {where}, AP@0.5 goes from {before:.2f} to {after:.2f}."


def prepare_learning(
    session: Session, learner: Learner, labels: Sequence[str] = (), image: str = "", seed: int = 0
) -> Learning:
    """Gather what a method learns from.

    Raises
    ------
    BadInput, MissingDependency, MissingWeights
        When nothing is marked as done, or the method cannot run.
    """
    learner.check_installed()
    parent = learner.weights_file()
    chosen, lessons = gathered(session.document, labels, image)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    about = {
        "title": f"{now[:10]} {chosen[0].image}, {len(chosen)} windows",
        "made": now,
        "section": session.store.stem if session.store is not None else "",
        "method": learner.name,
        "settings": learner.settings(),
        "seed": seed,
        "parent": _parent(parent, learner),
        "readers": sorted({c.done.who for c in chosen if c.done.who}),
        "windows": about_windows(chosen, lessons),
    }
    first, others = (
        tuple(o for c, o in zip(chosen, lessons, strict=True) if c.held_out is side) for side in (False, True)
    )
    return Learning(learner, first, others, seed, about)


def accept(learnt: Learnt, path: Path | None = None) -> Learner:
    """Keep what was learned, with its lineage; return the method that uses it.

    Parameters
    ----------
    learnt
        What a `Learning` gave.
    path
        Where to; under a name of its own in the folder of models if None.

    Raises
    ------
    BadInput
        When it cannot be written.
    """
    learner = learnt.outcome.learner
    target = path if path is not None else _free(str(learnt.about["title"]), learner.ending)
    about = {"title": str(learnt.about["title"]), LINEAGE: json.dumps(learnt.about, ensure_ascii=False)}
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        kept = learner.keep(target, about)
    except OSError as error:
        raise BadInput(f"'{target}' cannot be written ({error.strerror}).", "Choose another place.") from error
    learnt.folder.cleanup()
    return kept


def reject(learnt: Learnt) -> None:
    """Throw away what was learned: nothing of it is left."""
    learnt.folder.cleanup()


def used(method: Method) -> dict[str, Any]:
    """Return what a run's record says of weights that were learned: a name alone would not prove which they were."""
    if not isinstance(method, Learner):
        return {}
    about = method.lineage()
    if not about:
        return {}
    path = method.weights_file()
    return {"weights": {"file": path.name, "title": about.get("title", ""), "fingerprint": digest(path.read_bytes())}}


def _parent(path: Path, learner: Learner) -> dict[str, Any]:
    """Return what the weights to begin with are, and what they were made of in their turn."""
    before = learner.lineage()
    passed_on = ("title", "made", "section", "readers", "parent")
    own: dict[str, Any] = {key: before[key] for key in passed_on if key in before}
    return {"file": path.name, "fingerprint": digest(path.read_bytes()), **own}


def _free(title: str, ending: str) -> Path:
    stem = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "model"
    names = (f"{stem}{'' if i == 1 else f'-{i}'}" for i in range(1, 10_000))
    return next(p for p in (models_folder() / f"{name}{ending}" for name in names) if not p.exists())
