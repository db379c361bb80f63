"""A reader who knows the tissue and paints what is wrong: one stroke after another, and the map follows.

The map's domains are named as the truth at the start (each after the true domain it covers best). A stroke is
fifteen rows about the innermost row of the largest connected region that is wrong, painted as what most of that
region truly is: on a heap, or drawn along it. The careful reader paints rows of that domain only; the other one the
nearest fifteen, whatever they are.

How much of the section the reader searches for that region is the reader's way. Nobody who works sees all of it at
once and knows which wrong region is the largest: that is what the others are measured against. One goes from view to
view at random, a quarter of the section's box at a time. One presses "Most uncertain" and looks at what the camera
then shows: the square around the region that is three times as wide (`view_around`). Both paint the largest wrong
region in view that has room for a stroke, and else go on; what was left counts as looked at until the map changes
there, as in the window. On sections of 3,000 to 7,000 rows such a square holds a third to four fifths of all rows,
so the reader is led to tissue, not to a spot. One judges nothing but the line that the button shows, and has
it painted where most of it is wrong; what of it lies on other tissue is left out, as with the brush along it.
The re-fit goes through the same functions as the window's: `DomainDetector.refitted`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components

from napari_spatialml.core.domains import DomainDetector, Domains, Embedded
from napari_spatialml.core.stroke_trail import trail
from napari_spatialml.core.uncertain_region import Region, uncertain_regions, view_around

from .sections import Known

__all__ = ["STROKE", "Looks", "Reader", "Reading", "Refit", "matched", "paint_only", "read", "refit_with", "strokes_to"]

STROKE, STROKES = 15, 25
LOOKS = 10
"""So many views or regions are looked at before a stroke, at most: then what is largest of all that was seen to be
wrong is painted, small as it is."""
VIEW = 0.25
"""Of the section's box: what the reader sees who is not led."""
Looks = Literal["everywhere", "at random", "led", "line"]
"""All of the section; views at random; the views of "Most uncertain"; only the line that it shows."""
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
    looks
        How many views or regions were looked at in all.
    """

    ari: npt.NDArray[np.float64]
    strokes: list[tuple[Rows, int]]
    looks: int = 0


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
    along
        Whether strokes are drawn along a region, and not on a heap.
    rng
        An eye that judges sizes to a fifth, and a hand that starts at one of the innermost rows; None is exact.
    """

    section: Known
    graph: sp.csr_matrix
    careful: bool = True
    along: bool = False
    rng: np.random.Generator | None = None
    seen: npt.NDArray[np.bool_] = field(init=False)
    """(n,) rows that need no second look: painted, or known to nobody."""
    left: Labels = field(init=False)
    """(n,) what the map said of rows when the reader went on from them; -1 where not."""
    looks: int = field(init=False, default=0)
    _steps: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        both = sp.csr_matrix(self.graph + self.graph.T)
        both.data[:] = 1.0
        self.graph = both
        self.seen = np.zeros(len(self.section.truth), bool)
        self.left = np.full(len(self.section.truth), -1, np.int64)
        self._steps = np.random.default_rng(0) if self.rng is None else self.rng.spawn(1)[0]

    def most_wrong(self, labels: Labels, view: npt.NDArray[np.bool_] | None = None) -> Rows:
        """Return the rows of the largest connected region in view that is wrong and not painted yet, if there is one.

        Parameters
        ----------
        labels
            (n,) the map.
        view
            (n,) bool; None: all of the section is in view.
        """
        truth = self.section.truth
        wrong = (truth >= 0) & (labels != truth) & ~self.seen
        wrong = np.flatnonzero(wrong if view is None else wrong & view)
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
        start = self._innermost(part)
        where = self.section.cells.coordinates
        away = np.hypot(*(where - where[start]).T)
        if self.along:
            pieces = connected_components(self.graph[part][:, part], directed=False)[1]
            own = part[pieces == pieces[np.searchsorted(part, start)]]
            nearest = trail(self.graph, own, STROKE, start)
        elif self.careful:
            nearest = part[np.argsort(away[part], kind="stable")[:STROKE]]
        else:
            nearest = np.argsort(away, kind="stable")[:STROKE]
        self.seen[nearest] = True
        return nearest, domain

    def views(self) -> Iterator[npt.NDArray[np.bool_]]:
        """Yield the views of a reader who goes over the section without being led."""
        where = self.section.cells.coordinates
        half = np.sqrt(VIEW * np.prod(np.ptp(where, axis=0))) / 2
        labelled = np.flatnonzero(self.section.truth >= 0)
        while True:
            self.looks += 1
            yield (np.abs(where - where[self._steps.choice(labelled)]) <= half).all(1)

    def led(self, found: Domains) -> Iterator[tuple[Region, npt.NDArray[np.bool_]]]:
        """Yield the regions that the program leads to, and the view of each; who takes the next has left the last."""
        where, truth = self.section.cells.coordinates, self.section.truth
        while True:
            looked = self.seen | (self.left == found.labels)
            regions = uncertain_regions(found.probabilities, self.graph, looked, size=STROKE, number=1)
            if not regions:
                return
            rows = regions[0].rows
            if not (truth[rows] >= 0).any():
                # where nobody knows, the reader is not sent again
                self.seen[rows] = True
                continue
            self.looks += 1
            middle, extent = view_around(where[rows], self.section.pitch_um)
            yield regions[0], (np.abs(where - middle) <= extent.max() / 2).all(1)
            self.left[rows] = found.labels[rows]

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


def read(reader: Reader, start: Domains, refit: Refit, looks: Looks = "everywhere", strokes: int = STROKES) -> Reading:
    """Let the reader correct a map.

    Parameters
    ----------
    start
        The map before the hand, `matched`.
    refit
        What happens after a stroke.
    looks
        How the reader finds what is wrong.
    """
    anchors = np.full(len(start.labels), -1, np.int64)
    found, ari, laid = start, [reader.section.ari(start.labels)], []
    for _ in range(strokes):
        rows, domain = _next_stroke(reader, found, looks)
        if len(rows):
            anchors[rows] = domain
            laid.append((rows, domain))
            found = refit(anchors)
        ari.append(reader.section.ari(found.labels))
    return Reading(np.array(ari), laid, reader.looks)


def _next_stroke(reader: Reader, found: Domains, looks: Looks) -> tuple[Rows, int]:
    """Return what is painted next, and what as; no rows if nothing was seen to be wrong."""
    if looks == "line":
        offers = (_offered(reader, found, region) for region, _ in itertools.islice(reader.led(found), LOOKS))
        return next((offer for offer in offers if len(offer[0])), (np.zeros(0, np.intp), -1))
    if looks == "everywhere":
        largest = reader.most_wrong(found.labels)
    else:
        views = reader.views() if looks == "at random" else (view for _, view in reader.led(found))
        largest = np.zeros(0, np.intp)
        for view in itertools.islice(views, LOOKS):
            largest = max(largest, reader.most_wrong(found.labels, view), key=len)
            if len(largest) >= STROKE:
                break
    return reader.stroke(largest) if len(largest) else (largest, -1)


def _offered(reader: Reader, found: Domains, region: Region) -> tuple[Rows, int]:
    """Return the rows of the line that are of one true domain, if the map has most of the line, and of those, wrong."""
    truth = reader.section.truth
    line = region.line[truth[region.line] >= 0]
    if not len(line) or np.mean(found.labels[line] != truth[line]) <= 0.5:
        return line[:0], -1
    domain = int(np.bincount(truth[line]).argmax())
    rows = line[truth[line] == domain]
    if np.mean(found.labels[rows] != domain) <= 0.5:
        return rows[:0], -1
    reader.seen[rows] = True
    return rows, domain


def strokes_to(reading: Reading, ari: float) -> float:
    """Return after how many strokes an ARI is first reached; infinite if never."""
    reached = np.flatnonzero(reading.ari >= ari)
    return float(reached[0]) if len(reached) else float("inf")
