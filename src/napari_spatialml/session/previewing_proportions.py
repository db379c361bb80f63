"""Proportions to look at: computed beside the window by a quick method, drawn, and never stored."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..core.deconvolution import Deconvolver, Proportions
from ..core.report import Report, part, silent
from .constraints import hand_of
from .document import Document
from .gather import coordinates_of, gather
from .selection import DeconvolutionSelection

__all__ = ["ProportionsPreview", "proportions_preview"]


@dataclass(frozen=True, eq=False)
class ProportionsPreview:
    """What a preview found.

    Parameters
    ----------
    selection
        What a run would work on.
    result
        The proportions, which keep to what the hand has laid down.
    where
        (n, 2) as (y, x) in µm: where the spots lie in the coordinate system that was shown.
    seconds
        How long it took.
    """

    selection: DeconvolutionSelection
    result: Proportions
    where: npt.NDArray[np.float64]
    seconds: float

    def most(self) -> tuple[str, float]:
        """Return the type that the section holds most of, and its share."""
        means = self.result.values.mean(0)
        return self.result.types[int(means.argmax())], float(means.max())


def proportions_preview(
    document: Document, method: Deconvolver, selection: DeconvolutionSelection, system: str
) -> Callable[[Report], ProportionsPreview]:
    """Return what makes a preview, on any thread: it reads the document and changes nothing.

    Parameters
    ----------
    document
        The document.
    method
        A quick method.
    selection
        What a run would work on.
    system
        The coordinate system in which the spots are drawn.
    """

    def job(report: Report = silent) -> ProportionsPreview:
        start = time.perf_counter()
        report(0.0, "Reading the reference")
        where = coordinates_of(document, selection.table, system)
        spots, reference = gather(document, selection)
        report(0.3, "Matching genes")
        types = [str(t) for t in np.unique(reference.types)]
        hand = hand_of(document, selection.table, selection.output, types)
        result = method(replace(spots, constraints=hand.constraints), reference, part(report, 0.3, 1.0))
        return ProportionsPreview(selection, result, where, time.perf_counter() - start)

    return job
