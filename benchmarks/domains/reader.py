"""A reader who knows the tissue and paints what is wrong: one stroke after another, and the map follows.

The map's domains are named as the truth at the start (each after the true domain it covers best). A stroke is
fifteen rows around the innermost row of the largest connected region that is wrong, painted as what most of that
region truly is; or, with suggestions, within a region that the program says a stroke would teach most in.
The careful reader paints rows of that domain only; the other one paints the nearest fifteen, whatever they are.
The re-fit goes through the same functions as the window's: `DomainDetector.refitted`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components

from napari_spatialml.core.domains import DomainDetector, Domains, Embedded

from .sections import Known

__all__ = ["STROKE", "Reader", "Reading", "Refit", "matched", "paint_only", "read", "refit_with", "strokes_to"]

STROKE, STROKES = 15, 25
Labels = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]
Refit = Callable[[Labels], Domains]
"""From (n,) anchors, -1 where free, to the map that follows them."""


@dataclass(frozen=True)
class Reading:
    """What a reader reached.

    Parameters
    ----------
    ari
        (strokes + 1,): before the first stroke, and after each. What is right at the end stays.
    strokes
        The rows and the domain of each.
    """

    ari: npt.NDArray[np.float64]
    strokes: list[tuple[Rows, int]]


@dataclass
class Reader:
    """The eye and the hand.

    Parameters
    ----------
    section
        Its truth is what the reader knows.
    graph
        (n, n) CSR: neighbours on the tissue.
    careful
        Whether the reader stays within the domain that is painted.
    rng
        An eye that judges sizes to a fifth, and a hand that starts at one of the innermost rows; None is exact.
    """

    section: Known
    graph: sp.csr_matrix
    careful: bool = True
    rng: np.random.Generator | None = None
    seen: npt.NDArray[np.bool_] = field(init=False)
    """(n,) rows that need no second look: painted, or known to nobody."""

    def __post_init__(self) -> None:
        both = sp.csr_matrix(self.graph + self.graph.T)
        both.data[:] = 1.0
        self.graph = both
        self.seen = np.zeros(len(self.section.truth), bool)

    def most_wrong(self, labels: Labels) -> Rows:
        """Return the rows of the largest connected region that is wrong and not painted yet; none if all is right."""
        truth = self.section.truth
        wrong = np.flatnonzero((truth >= 0) & (labels != truth) & ~self.seen)
        if len(wrong) == 0:
            return wrong
        region = connected_components(self.graph[wrong][:, wrong], directed=False)[1]
        sizes = np.bincount(region).astype(float)
        if self.rng is not None:
            sizes *= np.exp(self.rng.normal(0, 0.2, len(sizes)))
        return np.asarray(wrong[region == sizes.argmax()])

    def stroke(self, region: Rows) -> tuple[Rows, int]:
        """Return the rows that are painted, and what as: what most of the region truly is."""
        truth = self.section.truth
        labelled = region[truth[region] >= 0]
        domain = int(np.bincount(truth[labelled]).argmax())
        part = labelled[truth[labelled] == domain]
        middle = self.section.cells.coordinates[self._innermost(part)]
        where = self.section.cells.coordinates
        if self.careful:
            nearest = part[np.argsort(np.hypot(*(where[part] - middle).T), kind="stable")[:STROKE]]
        else:
            nearest = np.argsort(np.hypot(*(where - middle).T), kind="stable")[:STROKE]
        self.seen[nearest] = True
        return nearest, domain

    def _innermost(self, part: Rows) -> int:
        """Return the row of ``part`` farthest, in steps over the tissue, from the rows outside of it."""
        inside = np.zeros(len(self.section.truth), bool)
        inside[part] = True
        while True:
            smaller = inside & (self.graph @ (~inside).astype(float) == 0)
            if not smaller.any() or smaller.sum() == inside.sum():
                break
            inside = smaller
        left = np.flatnonzero(inside)
        if self.rng is not None:
            return int(self.rng.choice(left))
        where = self.section.cells.coordinates
        # of several, the one in the middle of the others
        return int(left[np.hypot(*(where[left] - where[left].mean(0)).T).argmin()])


def matched(found: Domains, truth: Labels) -> Domains:
    """Return the map with its domains numbered as the true ones that they cover best."""
    k = max(found.probabilities.shape[1], int(truth.max()) + 1)
    there = truth >= 0
    votes = np.zeros((k, k))
    np.add.at(votes, (found.labels[there], truth[there]), 1)
    _, number = linear_sum_assignment(-votes)
    wide = np.zeros((len(truth), k))
    wide[:, number[: found.probabilities.shape[1]]] = found.probabilities
    return Domains(number[found.labels], wide)


def refit_with(method: DomainDetector, smoothed: Embedded, start: Domains) -> Refit:
    """Return the re-fit of the window: from the cached stage and the map before the hand."""
    return lambda anchors: method.refitted(smoothed, start.probabilities, anchors)


def paint_only(start: Domains) -> Refit:
    """Return painting without a re-fit: the baseline."""

    def painted(anchors: Labels) -> Domains:
        labels = np.where(anchors >= 0, anchors, start.labels)
        return Domains(labels, np.eye(start.probabilities.shape[1])[labels])

    return painted


def read(reader: Reader, start: Domains, refit: Refit, suggested: int = 0, strokes: int = STROKES) -> Reading:
    """Let the reader correct a map.

    Parameters
    ----------
    start
        The map before the hand, `matched`.
    refit
        What happens after a stroke.
    suggested
        How many of the program's suggestions the reader looks at, to paint the first that is wrong; 1 paints the
        first, right or wrong, and 0 goes to the largest wrong region instead.
    """
    anchors = np.full(len(start.labels), -1, np.int64)
    found, ari, laid = start, [reader.section.ari(start.labels)], []
    for _ in range(strokes):
        region = _suggested(reader, found, suggested) if suggested else reader.most_wrong(found.labels)
        if (reader.section.truth[region] >= 0).any():
            rows, domain = reader.stroke(region)
            anchors[rows] = domain
            laid.append((rows, domain))
            found = refit(anchors)
        ari.append(reader.section.ari(found.labels))
    return Reading(np.array(ari), laid)


def _suggested(reader: Reader, found: Domains, number: int) -> Rows:
    """Return the first of so many suggestions that is mostly wrong; the first of all where none is."""
    from napari_spatialml.core.uncertain_region import uncertain_regions

    truth = reader.section.truth
    offered = []
    for region in uncertain_regions(found.probabilities, reader.graph, reader.seen, size=STROKE, number=number):
        rows = np.asarray(region.rows, dtype=np.intp)
        labelled = rows[truth[rows] >= 0]
        if len(labelled) == 0:
            # where nobody knows, the reader goes on, and is not sent back
            reader.seen[rows] = True
            continue
        if np.mean(found.labels[labelled] != truth[labelled]) > 0.5:
            return rows
        offered.append(rows)
    return offered[0] if offered else np.zeros(0, np.intp)


def strokes_to(reading: Reading, ari: float) -> float:
    """Return after how many strokes an ARI is first reached; infinite if never."""
    reached = np.flatnonzero(reading.ari >= ari)
    return float(reached[0]) if len(reached) else float("inf")
