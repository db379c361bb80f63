"""Running a registration: the job that reads both sides, and the command that keeps what it found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..core import Alignment, Certainty
from ..core.registration import Registrar
from ..core.report import Report, part, silent
from ..core.transform import Affine, Chain, Transform
from ..core.warp import try_out
from .alignments import affine_part, moved_elements, places_within
from .changes import Change
from .document import Document
from .fields import stored
from .gather import full_resolution
from .laying import laid
from .run import Finished, Job
from .selection import RegistrationSelection
from .sides import PairPlan, pair_plan

__all__ = ["AligningJob", "aligning_job", "stored_alignment"]

_READING = 0.15
"""The share of a run that reading the images is taken to be."""
_MOST_PLACES = 4000
"""So many places at most keep their expected error with the document."""


@dataclass(frozen=True, eq=False)
class AligningJob(Job):
    """A registration. Call it, on any thread: the images are read there."""

    plan: PairPlan = field(kw_only=True)
    moved: tuple[tuple[np.dtype[Any], int, Affine], ...] = ()
    """The types of the pixels that will be resampled, with their order, and where their first pixel lies in µm."""

    def __call__(self, report: Report = silent) -> Finished:
        """Read both sides, run the method, and put what it found into the coordinate systems' own frames."""
        reading = _READING if self.plan.reads_images else 0.0
        pair = self.plan.read(part(report, 0.0, reading))
        done = Job(self.method, self.selection, (pair,), self.revisions)(part(report, reading, 0.98))
        result = self.plan.restored(done.result)
        if not isinstance(result.transform, Affine):
            report(0.98, "Preparing the picture")
            for dtype, order, own in self.moved:  # what is compiled at the first use is compiled here
                try_out(Chain((own, result.transform)), dtype, order)
        return replace(done, result=result)


def aligning_job(job: Job, document: Document) -> AligningJob:
    """Return what registers, with everything gathered but the pixels.

    Raises
    ------
    BadInput, DocumentError
        When the selection does not name what the method needs, or the document does not hold it.
    """
    assert isinstance(job.selection, RegistrationSelection) and isinstance(job.method, Registrar)
    plan = pair_plan(document, job.selection, job.method.needs, job.method.title)
    return AligningJob(job.method, job.selection, (), job.revisions, plan=plan, moved=_moved(document, job.selection))


def _moved(document: Document, selection: RegistrationSelection) -> tuple[tuple[np.dtype[Any], int, Affine], ...]:
    found: dict[tuple[str, int], Affine] = {}
    for name in moved_elements(document, selection.moving, selection.fixed):
        kind, own = document.type_of(name), document.affine(name, selection.moving)
        if kind == "images":
            found[np.dtype(full_resolution(document, name).dtype).str, 1] = own
        elif kind == "labels":
            found[document.grid(name).dtype.str, 0] = own
    return tuple((np.dtype(dtype), order, own) for (dtype, order), own in found.items())


def stored_alignment(
    document: Document, selection: RegistrationSelection, result: Alignment
) -> tuple[list[Change], str]:
    """Return the changes that keep an alignment, and the result in one line."""
    known = document.attribute("landmarks", {})
    name = selection.landmark_set if selection.landmark_set in known else ""
    trust, sure = result.trust, result.certainty
    base, beside = stored(document, result.transform)
    others = [stored(document, c.transform) for c in result.candidates]
    entry: dict[str, Any] = {
        "fixed": selection.fixed,
        "landmarks": name,
        "base": base,
        "candidates": [
            {"transform": plain, "score": float(c.score)}
            for (plain, _), c in zip(others, result.candidates, strict=True)
        ],
        "chosen": 0,
        "trust": None
        if trust is None
        else {"score": trust.score, "warning": trust.warning, "figures": dict(trust.figures)},
        "certainty": None if sure is None else _plain(sure),
        "pins": [],
        "images": [selection.fixed_image, selection.moving_image],
        "accepted": False,
    }
    changes = laid(document, selection.moving, entry, result.transform)
    held = {c.touched for c in changes}
    beside = [*beside, *(c for _, more in others for c in more)]
    changes += {c.touched: c for c in beside if c.touched not in held}.values()
    return changes, _line(document, selection, result, known.get(name, {}))


def _plain(sure: Certainty) -> dict[str, Any]:
    """Return expected errors as plain values; of very many, the medians of small squares."""
    points, error = np.asarray(sure.points), np.asarray(sure.error_um)
    if len(points) > _MOST_PLACES:
        low, edge = points.min(0), np.maximum(np.ptp(points, axis=0), 1e-9) / np.sqrt(_MOST_PLACES)
        cell = np.minimum((points - low) / edge, int(np.sqrt(_MOST_PLACES)) - 1).astype(int)
        _, which = np.unique(cell, axis=0, return_inverse=True)
        groups = [np.flatnonzero(which.ravel() == k) for k in range(which.max() + 1)]
        points = np.array([points[g].mean(0) for g in groups])
        error = np.array([np.median(error[g]) for g in groups])
    return {"points": np.round(points, 2).tolist(), "error_um": np.round(error, 3).tolist()}


# the result in one line --------------------------------------------------------------------------


def _line(document: Document, selection: RegistrationSelection, result: Alignment, landmarks: Mapping[str, Any]) -> str:
    moving, fixed = selection.moving, selection.fixed
    how = f"({described(document, moving, fixed, result.transform)})"
    rest = _missed(result.transform, landmarks, selection) + _others(result)
    warning = "" if result.trust is None else result.trust.warning.strip()
    if warning:  # a failure is never told as a success
        return f"{warning} For a look, '{moving}' was laid on '{fixed}' {how}{rest}."
    return f"'{moving}' lies on '{fixed}' {how}{rest}."


def described(document: Document, moving: str, fixed: str, transform: Transform) -> str:
    """Say what a transform does: its affine family, or elastic with its largest bend, and whether it mirrors."""
    mirrored = ", mirrored" if transform.reflects else ""
    if isinstance(transform, Affine):
        return f"{transform.family}{mirrored}"
    names = [n for n in moved_elements(document, moving, fixed) if document.type_of(n) != "points"]
    if not names:
        return f"elastic{mirrored}"
    places = places_within(document, names, moving)
    straight = affine_part(document, names, moving, transform)
    bend = np.linalg.norm(transform.apply(places) - straight.apply(places), axis=1).max()
    return f"elastic, bends by up to {bend:.1f} µm{mirrored}"


def _missed(transform: Transform, landmarks: Mapping[str, Any], selection: RegistrationSelection) -> str:
    if not landmarks or landmarks.get("moving", selection.moving) != selection.moving:
        return ""
    a, b = (np.asarray(landmarks[s], dtype=float).reshape(-1, 2) for s in ("moving_um", "fixed_um"))
    if not len(a):
        return ""
    miss = np.linalg.norm(transform.apply(a) - b, axis=1)
    return f"; {len(a)} landmarks, median residual {np.median(miss):.1f} µm, largest {miss.max():.1f} µm"


def _others(result: Alignment) -> str:
    said = "" if result.trust is None else f"; trust {100 * result.trust.score:.0f} %"
    others = len(result.candidates) - 1
    return said + (f"; {others} other ways to look at" if others > 1 else "; 1 other way to look at" if others else "")
