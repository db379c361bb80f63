"""A reading through the document, as the window does it: strokes are corrections, the re-fit joins them, all is undone.

Times are those of the processor on one thread: the stroke as a command, journalled, and the re-fit with all that
follows it in the table. The same strokes through `DomainDetector.refitted` alone have to give the same map.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spatialml.core.domains import Domains
from napari_spatialml.methods import method

from ..figures import Figure
from .reader import Reader, matched, read, refit_with
from .sections import DATA, SLICES, Known, dlpfc, prepared

__all__ = ["measure"]

STROKES, NAME = 10, "low-pass-mixture"
COLUMN = "domain"
Labels = npt.NDArray[np.int64]


class Window:
    """A session with a slice of cortex and a map of it."""

    def __init__(self, section: Known, file: str) -> None:
        from napari_spatialml.io import open_files
        from napari_spatialml.session import DomainsSelection, Session, run

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.session = Session.start(open_files(DATA / "dlpfc" / file, um_per_unit=1.0))
        (self.table,) = self.session.document.names("tables")
        run(self.session, method("domains", NAME)(n_domains=section.k), DomainsSelection(self.table, column=COLUMN))
        self.start = matched(self.found(), section.truth)
        self.seconds: dict[str, list[float]] = {"the stroke": [], "the re-fit": []}
        number = matched(self.found(), section.truth).labels
        names = self.names()
        self.called = {int(number[self.codes() == code][0]): name for code, name in enumerate(names)}

    def names(self) -> list[str]:
        """Return the domains in the order of the columns of their probabilities."""
        maps: dict[str, Any] = self.session.document.attribute("domain_maps")
        return list(maps[f"{self.table}/{COLUMN}"]["names"])

    def codes(self) -> Labels:
        """Return (n,) the place of each row's domain among the names."""
        stored = self.session.document.table(self.table).obs[COLUMN].astype(str)
        return np.array([self.names().index(name) for name in stored], dtype=np.int64)

    def found(self) -> Domains:
        """Return the map as it is stored."""
        values = self.session.document.table(self.table).obsm[f"{COLUMN}_probabilities"]
        return Domains(self.codes(), np.asarray(values))

    def follow(self) -> Callable[[Labels], Domains]:
        """Return the re-fit that a reader asks for: the rows that are new among the anchors are a stroke."""
        from napari_spatialml.session import correct, refit_domains_now

        number = {name: domain for domain, name in self.called.items()}
        before = np.full(len(self.start.labels), -1, np.int64)

        def followed(anchors: Labels) -> Domains:
            rows = np.flatnonzero(anchors != before)
            before[:] = anchors
            domain = self.called[int(anchors[rows[0]])]
            said = {"table": self.table, "rows": rows.tolist(), "domain": domain, "column": COLUMN}
            self._timed(
                "the stroke",
                lambda: self.session.execute(correct(self.session.document, "stroke-domain", **said)),
            )
            self._timed("the re-fit", lambda: refit_domains_now(self.session, self.table, COLUMN))
            order = np.array([number[name] for name in self.names()])
            found = self.found()
            wide = np.zeros_like(found.probabilities)
            wide[:, order] = found.probabilities
            return Domains(order[found.labels], wide)

        return followed

    def _timed(self, what: str, action: Callable[[], Any]) -> None:
        start = time.process_time()
        action()
        self.seconds[what].append(time.process_time() - start)


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield what ten strokes take and reach, that it is what the method alone gives, and that undo takes it back."""
    section = dlpfc(SLICES[0])
    window = Window(section, f"{SLICES[0]}.h5ad")
    data = {"data": section.name, "seed": 0}
    before = window.codes()
    chosen = method("domains", NAME)(n_domains=section.k)
    smoothed, free = prepared(chosen, section)
    alone = matched(free, section.truth)
    plain = read(Reader(section, smoothed.graph), alone, refit_with(chosen, smoothed, alone), strokes=STROKES)
    reading = read(Reader(section, smoothed.graph), window.start, window.follow(), strokes=STROKES)
    better = {"lower_is_better": False, "peer": "the method alone", "peer_value": float(plain.ari[-1])}
    yield f"ARI after {STROKES} strokes", Figure(float(reading.ari[-1]), "", None, **data, **better)
    # a stored probability is rounded: a row on the edge may fall to the other side
    apart = float(np.abs(reading.ari - plain.ari).max())
    yield "ARI apart from the method alone, at most", Figure(apart, "", 0.01, **data)
    limits = {"the stroke": None, "the re-fit": 100.0}
    for what, seconds in window.seconds.items():
        yield f"{what}, median", Figure(1000 * statistics.median(seconds), "ms", limits[what], **data)
    for _ in range(STROKES):
        window.session.undo()
    yield "rows that undo leaves changed", Figure(float((window.codes() != before).sum()), "rows", 0.0, **data)
    window.session.close()
