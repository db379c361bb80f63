"""A stack of sections: neighbours are registered with one method, and all are laid onto one section at once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core import Alignment, Trust
from ..core.registration import Registrar
from ..core.report import Report, part, silent
from ..core.stacks import Link, StackFit, fit_stack
from ..core.transform import Affine
from ..errors import BadInput
from .alignments import entries, lying_in, places_within
from .changes import Change
from .document import Document
from .fields import stored
from .fingerprints import fingerprint
from .laying import laid_all
from .run import Finished, Job
from .selection import StackSelection
from .sides import PairPlan, pair_plan

__all__ = ["StackFound", "StackJob", "stack_job", "stored_stack"]

_LEAST = 0.02
"""A link that its method does not believe at all keeps this weight: it may be the only one there is."""
_CONTRADICTS = 3.0
"""A link that misses by this many times the median miss contradicts the others …"""
_SMALL = 0.002
"""… but not if it misses by less than this share of a section's extent."""


@dataclass(frozen=True)
class StackFound:
    """Where the sections of a stack lie, and how far each link between two of them is believed.

    Parameters
    ----------
    fit
        One transform a section, and what it leaves of each link.
    trust
        By link: what the method said, or None.
    size_um
        The usual extent of a section.
    """

    fit: StackFit
    trust: Mapping[Link, Trust | None]
    size_um: float


@dataclass(frozen=True, eq=False)
class StackJob(Job):
    """The registration of a stack. Call it, on any thread."""

    plans: Mapping[Link, PairPlan] = field(kw_only=True)
    places: tuple[npt.NDArray[np.float64], ...] = field(kw_only=True)

    def __call__(self, report: Report = silent) -> Finished:
        """Register the links one after the other, then place all sections."""
        from threadpoolctl import threadpool_limits

        selection, method = self.selection, self.method
        assert isinstance(selection, StackSelection) and isinstance(method, Registrar)
        start = time.perf_counter()
        found: dict[Link, Alignment] = {}
        inputs: list[str] = []
        with threadpool_limits(limits=1, user_api="blas"):
            for k, (link, plan) in enumerate(self.plans.items()):
                told = part(report, k / len(self.plans), (k + 0.98) / len(self.plans))
                told(0.0, f"'{selection.systems[link[0]]}' onto '{selection.systems[link[1]]}'")
                pair = plan.read(part(told, 0.0, 0.15))
                try:
                    found[link] = plan.restored(method(pair, part(told, 0.15, 1.0)))
                except BadInput:
                    if link[0] - link[1] == 1:
                        raise
                    continue  # a farther link only steadies what the neighbours say
                inputs.append(fingerprint((pair,)))
            fit = fit_stack(
                {link: one.transform for link, one in found.items()},
                len(selection.systems),
                selection.systems.index(selection.onto),
                {link: _weight(one.trust) for link, one in found.items()},
                movement=selection.stack_movement,
                points=self.places,
            )
        size = float(np.median([np.ptp(p, axis=0).max() for p in self.places]))
        result = StackFound(fit, {link: one.trust for link, one in found.items()}, size)
        return Finished(result, time.perf_counter() - start, fingerprint(inputs))


def _weight(trust: Trust | None) -> float:
    return 1.0 if trust is None else max(trust.score, _LEAST)


def stack_job(job: Job, document: Document) -> StackJob:
    """Return what registers a stack, with everything gathered but the pixels.

    Raises
    ------
    BadInput, DocumentError
        When the selection does not name what the method needs of a section and its neighbour. A link to a
        farther section that lacks something is left out.
    """
    selection, method = job.selection, job.method
    assert isinstance(selection, StackSelection) and isinstance(method, Registrar)
    plans: dict[Link, PairPlan] = {}
    for link, pair in selection.links().items():
        try:
            plans[link] = pair_plan(document, pair, method.needs, method.title)
        except BadInput:
            if link[0] - link[1] == 1:
                raise
    images = selection.images or ("",) * len(selection.systems)
    places = tuple(_places(document, *named) for named in zip(selection.systems, images, strict=True))
    return StackJob(method, selection, (), job.revisions, plans=plans, places=places)


def _places(document: Document, system: str, image: str) -> npt.NDArray[np.float64]:
    """Return places over the image of a section, else over something else that lies there by itself."""
    if image:
        return places_within(document, [image], system)
    known = entries(document)
    guests = {n for m, entry in known.items() if entry["fixed"] == system for n in lying_in(document, m)}
    own = [n for n in lying_in(document, system) if n not in guests]
    if not own:
        raise BadInput(f"Nothing lies in the coordinate system '{system}'.", "Leave it out of the stack.")
    return places_within(document, sorted(own, key=lambda n: document.type_of(n) == "points")[:1], system)


def stored_stack(document: Document, selection: StackSelection, result: StackFound) -> tuple[list[Change], str]:
    """Return the changes that lay all sections of a stack, and the result in one line."""
    onto, at = selection.onto, selection.systems.index(selection.onto)
    placed: dict[str, tuple[dict[str, Any], Affine]] = {}
    for k, system in enumerate(selection.systems):
        if k == at:
            continue
        transform = result.fit.transforms[k]
        base, _ = stored(document, transform)
        images = [selection.images[at], selection.images[k]] if selection.images else ["", ""]
        placed[system] = (
            {"fixed": onto, "landmarks": "", "base": base, "candidates": [], "chosen": 0, "certainty": None, "pins": [],
             "trust": _trust_of(result, k), "images": images, "accepted": False},
            transform,
        )  # fmt: skip
    return laid_all(document, placed), _line(selection, result)


def _trust_of(result: StackFound, section: int) -> dict[str, Any] | None:
    """Return how far the place of a section is believed: as far as the best of its links that fits the others."""
    mine = {link: t for link, t in result.trust.items() if section in link and t is not None}
    if not mine:
        return None
    miss = result.fit.miss_um
    usual = max(_CONTRADICTS * float(np.median(list(miss.values()))), _SMALL * result.size_um)
    fitting = [link for link in mine if miss.get(link, np.inf) <= usual]
    best = max(fitting or mine, key=lambda link: mine[link].score)
    figures = {"miss of its best link in µm": float(miss.get(best, np.nan))}
    figures["expected error in µm"] = float(result.fit.error_um[section])
    figures = {name: value for name, value in figures.items() if np.isfinite(value)}
    warning = mine[best].warning
    if not fitting:
        warning = warning or "What its neighbours say of this section contradicts the rest: look at it."
    return {"score": float(mine[best].score), "warning": warning, "figures": figures}


def _line(selection: StackSelection, result: StackFound) -> str:
    doubtful = [s for k, s in enumerate(selection.systems)
                if s != selection.onto and (_trust_of(result, k) or {}).get("warning")]  # fmt: skip
    n = len(selection.systems)
    mirrored = [s for s, t in zip(selection.systems, result.fit.transforms, strict=True) if t.reflects]
    how = selection.stack_movement + (f", mirrored: {', '.join(repr(s) for s in mirrored)}" if mirrored else "")
    miss = np.array(list(result.fit.miss_um.values()))
    rest = f"{len(miss)} links, median miss {np.median(miss):.1f} µm, largest {miss.max():.1f} µm"
    error = float(np.nanmax(result.fit.error_um)) if np.isfinite(result.fit.error_um).any() else float("nan")
    rest += f"; expected error up to {error:.1f} µm" if np.isfinite(error) and error > 0 else ""
    if doubtful:
        named = ", ".join(repr(s) for s in doubtful)
        return f"Look at {named} first: no link to them can be believed. {n} sections were laid ({how}); {rest}."
    return f"{n} sections lie on '{selection.onto}' ({how}); {rest}."
