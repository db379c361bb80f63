"""What is measured on a map of domains: how stable it is, what its strokes say, how one of its domains divides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.domain_trust import StrokeAccuracy, leave_one_stroke_out, seed_stability
from ..core.domains import DomainDetector, Embedded
from ..core.mixture import fit_mixture, k_means
from ..core.report import Report, part, silent
from ..errors import BadInput
from .document import Document
from .domain_cache import DomainInputs, domain_inputs
from .domain_dividing import together
from .domain_maps import DomainMap, held_map
from .domain_refit import as_made
from .domain_strokes import DomainHand, domain_hand_of, held_strokes, stroke_rows
from .session import Session

__all__ = [
    "SEEDS",
    "MapSpace",
    "domain_stability",
    "map_space",
    "parts_of_domain",
    "stability_of",
    "stroke_accuracy",
    "strokes_left_out",
]

SEEDS = (1, 2, 3, 4, 5)
"""The seeds with which a map is made again, if nobody says otherwise."""
_STARTS, _SHRINKAGE = 8, 0.65
Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class MapSpace:
    """A map with the space in which its method divides.

    Parameters
    ----------
    method, inputs, smoothed
        How it was made, of what, and the rows in the space of the method.
    maps, hand
        Of all tables that were divided together, and what the hand says of all their rows.
    """

    method: DomainDetector
    inputs: DomainInputs
    smoothed: Embedded
    maps: tuple[DomainMap, ...]
    hand: DomainHand

    @property
    def ignored(self) -> npt.NDArray[np.bool_] | None:
        """(n,) rows that are no tissue to divide, if there are any."""
        return self.hand.ignored if self.hand.ignored.any() else None

    @property
    def computed(self) -> Array:
        """(n, k) the map before the hand; rows of which nothing is known lie in all domains alike."""
        p = np.concatenate([m.computed for m in self.maps]).astype(np.float64)
        p[~np.isfinite(p).all(1)] = 1 / p.shape[1]
        return np.asarray(p / p.sum(1, keepdims=True))


def map_space(document: Document, table: str, column: str = "domain", report: Report = silent) -> MapSpace:
    """Return a map with its space: from the stages that are kept, else computed.

    Raises
    ------
    BadInput, DocumentError
        When it is not known how the map was made, or that is not there any more.
    """
    from threadpoolctl import threadpool_limits

    made, selection = as_made(document, held_map(document, table, column))
    inputs = domain_inputs(document, selection)
    with threadpool_limits(limits=1, user_api="blas"):  # see `run.Job`
        smoothed = inputs.smoothed(made, report)
    maps = tuple(held_map(document, t, column) for t in selection.tables)
    hand = together([domain_hand_of(document, t, column) for t in selection.tables])
    return MapSpace(made, inputs, smoothed, maps, hand)


def stability_of(
    document: Document, table: str, column: str = "domain", seeds: Sequence[int] = SEEDS, report: Report = silent
) -> dict[str, npt.NDArray[np.float32]]:
    """Return, for each table of a map, (n,) the share of seeds whose map before the hand agrees with this one.

    Raises
    ------
    BadInput, DocumentError
        When it is not known how the map was made, or its method has no seed.
    """
    space = map_space(document, table, column, part(report, 0.0, 0.1))
    computed = space.computed
    like: Any = space.method
    if hasattr(like, "n_domains") and like.n_domains != computed.shape[1]:  # domains were merged or split since
        like = replace(like, n_domains=computed.shape[1])
    agreed = seed_stability(
        like,
        space.smoothed,
        computed.argmax(1),
        [int(s) for s in seeds],
        part(report, 0.1, 1.0),
        ignored=space.ignored,
        cells=space.inputs.cells,
    )
    agreed = np.where(space.hand.ignored, np.nan, agreed).astype(np.float32)
    return {m.table: values for m, values in zip(space.maps, space.inputs.split(agreed), strict=True)}


def strokes_left_out(document: Document, table: str, column: str = "domain", report: Report = silent) -> StrokeAccuracy:
    """Return how well the strokes on a map predict each other: on all tables that were divided together.

    Raises
    ------
    BadInput, DocumentError
        When there is none, or it is not known how the map was made.
    """
    space = map_space(document, table, column, part(report, 0.0, 0.1))
    names = [*space.maps[0].names_computed]
    names += [n for n in space.hand.names if n not in names]
    strokes: list[tuple[Array, int]] = []
    first = 0
    for found in space.maps:
        for said in held_strokes(document, found.table, column):
            number = names.index(said["domain"]) if said["domain"] else -1
            strokes.append((first + stroke_rows(document, found.table, said), number))
        first += len(found.codes)
    if not strokes:
        raise BadInput(f"There is no stroke on '{column}' of '{table}'.", "Brush over some rows first.")
    return leave_one_stroke_out(
        space.method, space.smoothed, space.computed, strokes, space.ignored, part(report, 0.1, 1.0)
    )


def parts_of_domain(space: MapSpace, name: str, parts: int) -> npt.NDArray[np.int64]:
    """Return (n,) the part of a domain that each row lies in or, outside of it, lies nearest to: the largest is 0.

    Raises
    ------
    BadInput
        When the domain has too few different rows.
    """
    codes = np.concatenate([m.codes for m in space.maps])
    inside = np.flatnonzero(codes == space.maps[0].number(name))
    values = space.smoothed.values[inside]
    different = len(np.unique(values, axis=0))
    if not 2 <= parts <= 100 or different < parts:
        raise BadInput(
            f"The domain '{name}' has {different} different rows for {parts} parts.", "Ask for 2 or more, and fewer."
        )
    generator = np.random.default_rng(0)
    best: Any = None
    for _ in range(_STARTS):
        start = np.eye(parts)[k_means(values, parts, generator)]
        found = fit_mixture(values, start, _SHRINKAGE)
        if best is None or found.log_likelihood > best.log_likelihood:
            best = found
    labels = best.posterior.argmax(1)
    if len(np.unique(labels)) < parts:
        raise BadInput(f"The domain '{name}' does not fall into {parts} parts.", "Ask for fewer.")
    order = np.argsort(-np.bincount(labels), kind="stable")
    labels = np.argsort(order)[labels]
    centres = np.stack([values[labels == i].mean(0) for i in range(parts)])
    nearest = ((centres**2).sum(1)[:, None] - 2 * centres @ space.smoothed.values.T).argmin(0)
    nearest[inside] = labels
    return np.asarray(nearest, dtype=np.int64)


# as steps of a session -------------------------------------------------------------------------


def domain_stability(
    session: Session, table: str, column: str = "domain", seeds: Sequence[int] = SEEDS, report: Report = silent
) -> float:
    """Keep, for each row, the share of seeds that agree with the map. Return its mean."""
    from .corrections import correct

    arguments = {"table": table, "column": column, "seeds": [int(s) for s in seeds]}
    session.execute(correct(session.document, "measure-domain-stability", report=report, **arguments))
    return float(np.nanmean(session.document.table(table).obs[f"{column}_stability"]))


def stroke_accuracy(session: Session, table: str, column: str = "domain", report: Report = silent) -> str:
    """Keep how well the strokes predict each other. Return it in words."""
    from .corrections import correct

    session.execute(correct(session.document, "measure-stroke-accuracy", report=report, table=table, column=column))
    return str(session.document.attribute("domain_maps")[f"{table}/{column}"]["accuracy"]["sentence"])
